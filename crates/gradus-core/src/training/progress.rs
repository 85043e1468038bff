//! What a run has seen so far: it is kept in checkpoints as JSON.

use crate::engine::PartialEpoch;
use crate::optimizer::lbfgs::End;
use crate::schedule::{PlateauState, Schedule};
use crate::training::{Best, EarlyStopping, EpochReport, History, KeepBest, TrainConfig};

/// What a run has seen so far.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Progress {
    pub(super) history: History,
    pub(super) plateau: PlateauState,
    pub(super) best: Option<Best>,
    pub(super) seconds: f64,
    /// Samples seen in whole epochs.
    #[serde(default)]
    pub(super) samples: u64,
    /// What was made of the epoch that comes next, if the run was left within it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) partial: Option<PartialEpoch>,
    /// Why the optimizer makes no more steps, if it is one that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) end: Option<End>,
    /// What other runs did before this one, which went on from them.
    pub(super) before: PriorProgress,
}

impl Progress {
    /// Takes the figures of an epoch in: the plateau and the adaptive schedule, early stopping (`waited` counts the epochs in
    /// a row without progress), and the best epoch. Returns whether this one is the best.
    pub(super) fn watch(
        &mut self,
        config: &TrainConfig,
        report: &EpochReport,
        validated: bool,
        waited: &mut usize,
    ) -> bool {
        let monitor = config.monitor(validated);
        let Some(value) = monitor.of(report) else { return false };
        let larger_is_better = monitor.larger_is_better();
        match config.schedule {
            Schedule::Plateau(plateau) => {
                self.plateau.observe(&plateau, value, larger_is_better);
            }
            Schedule::Adaptive(adaptive) => {
                self.plateau.adapt(&adaptive, value, larger_is_better, config.learning_rate);
            }
            _ => {}
        }
        let TrainConfig { early_stopping, keep_best, .. } = *config;
        let best = self.best.map(|best| best.value);
        if let Some(EarlyStopping { min_delta, .. }) = early_stopping {
            let progress = monitor.improves(value, best, min_delta);
            *waited = if progress { 0 } else { *waited + 1 };
        } else if keep_best.is_none() {
            return false;
        }
        let as_good = keep_best == Some(KeepBest::Last) && best == Some(value);
        let is_best = as_good || monitor.improves(value, best, 0.0);
        if is_best {
            self.best = Some(Best { epoch: report.epoch, monitor, value });
        }
        is_best
    }

    /// How many epochs in a row the history ends with that brought no progress, with early stopping.
    pub(super) fn waited(&self, config: &TrainConfig, validated: bool) -> usize {
        let Some(EarlyStopping { min_delta, .. }) = config.early_stopping else { return 0 };
        let monitor = config.monitor(validated);
        let mut best = None;
        let values = self.history.epochs.iter().filter_map(|report| monitor.of(report));
        values.fold(0, |waited, value| {
            let progress = monitor.improves(value, best, min_delta);
            if monitor.improves(value, best, 0.0) {
                best = Some(value);
            }
            if progress { 0 } else { waited + 1 }
        })
    }
}

/// Epochs and steps of the runs that a run goes on from: its own are counted on from them, but for the
/// history and the schedule.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct PriorProgress {
    pub(super) epochs: usize,
    pub(super) steps: u64,
    #[serde(default)]
    pub(super) samples: u64,
}
