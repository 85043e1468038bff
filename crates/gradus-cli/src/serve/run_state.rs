//! The state of a run: its phase, its epochs and its result, and all of that as JSON for the page.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use gradus::classifier::Model;
use gradus::training::{EpochReport, Outcome};
use serde::Serialize;
use serde_json::{Value, json};

use crate::args;

/// The most epochs of a run that the whole state contains: more points than a chart has pixels.
const MOST_SENT: usize = 2000;

/// The phase of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Another run is computing.
    Waiting,
    Loading,
    Running,
    Pausing,
    Paused,
    Stopping,
    Finished,
    Stopped,
    Diverged,
    Failed,
}

impl Phase {
    pub(super) fn name(self) -> &'static str {
        match self {
            Phase::Waiting => "waiting",
            Phase::Loading => "loading",
            Phase::Running => "running",
            Phase::Pausing => "pausing",
            Phase::Paused => "paused",
            Phase::Stopping => "stopping",
            Phase::Finished => "finished",
            Phase::Stopped => "stopped",
            Phase::Diverged => "diverged",
            Phase::Failed => "failed",
        }
    }

    pub(super) fn has_ended(self) -> bool {
        matches!(self, Phase::Finished | Phase::Stopped | Phase::Diverged | Phase::Failed)
    }
}

/// A training run.
pub(super) struct Run {
    pub(super) id: usize,
    pub(super) data: String,
    pub(super) preset: &'static str,
    /// The given options, by name.
    pub(super) options: Value,
    pub(super) epochs: usize,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) phase: Phase,
    pub(super) message: Option<String>,
    pub(super) model: Option<Arc<Model>>,
    /// The file its model was saved to.
    pub(super) saved: Option<String>,
    pub(super) architecture: Option<String>,
    pub(super) samples: usize,
    pub(super) history: Vec<EpochReport>,
    /// How many epochs were sent to the page, and when.
    pub(super) reported: (usize, Instant),
    pub(super) pause: bool,
    /// Test accuracy and its confidence interval.
    pub(super) test: Option<(f64, (f64, f64))>,
}

impl Run {
    /// The name of the run.
    pub(super) fn name(&self) -> String {
        format!("Run {}", self.id)
    }

    /// Seconds per epoch, averaged over the last epochs.
    fn pace(&self) -> Option<f64> {
        let last = &self.history[self.history.len().saturating_sub(5)..];
        let seconds: f64 = last.iter().map(|epoch| epoch.seconds).sum();
        (!last.is_empty() && seconds > 0.0).then(|| seconds / last.len() as f64)
    }

    /// Samples per second, and the estimated seconds left.
    pub(super) fn speed(&self) -> (Option<f64>, Option<f64>) {
        let pace = self.pace();
        let left = self.epochs.saturating_sub(self.history.len()) as f64;
        (pace.map(|pace| self.samples as f64 / pace), pace.map(|pace| left * pace))
    }

    /// The run as JSON for the page, without its epochs.
    pub(super) fn to_json(&self) -> Value {
        let (samples_per_second, seconds_left) = self.speed();
        let test = self
            .test
            .map(|(accuracy, (low, high))| json!({"accuracy": accuracy, "low": low, "high": high}));
        json!({
            "id": self.id,
            "name": self.name(),
            "data": self.data,
            "preset": self.preset,
            "options": self.options,
            "architecture": self.architecture,
            "samples": self.samples,
            "epochs": self.epochs,
            "state": self.phase.name(),
            "message": self.message,
            "usable": self.model.is_some(),
            "test": test,
            "samples_per_second": samples_per_second,
            "seconds_left": seconds_left.filter(|_| !self.phase.has_ended()),
            "saved": self.saved,
        })
    }

    /// The run for the page, with all epochs.
    pub(super) fn with_history(&self) -> RunWithHistory {
        RunWithHistory { run: self.to_json(), history: epochs(&self.history).collect() }
    }

    /// The run for the page, with at most `MOST_SENT` epochs, evenly spaced, the first and the last among them.
    pub(super) fn with_short_history(&self) -> RunWithHistory {
        RunWithHistory { run: self.to_json(), history: shortened(&self.history) }
    }
}

/// A run with its epochs as the HTTP interface has them.
#[derive(Serialize)]
pub(super) struct RunWithHistory {
    #[serde(flatten)]
    run: Value,
    history: Vec<Epoch>,
}

/// An epoch as the HTTP interface has it, counted from 1. The page counts from 0, as the terminal does.
#[derive(Serialize)]
pub(super) struct Epoch {
    epoch: usize,
    loss: f64,
    accuracy: Option<f64>,
    val_loss: Option<f64>,
    val_accuracy: Option<f64>,
    val_r2: Option<f64>,
    learning_rate: f32,
    seconds: f64,
}

impl Epoch {
    fn of(report: &EpochReport) -> Epoch {
        let &EpochReport { loss, accuracy, val_loss, val_accuracy, val_r2, .. } = report;
        let &EpochReport { epoch, learning_rate, seconds, .. } = report;
        let epoch = epoch + 1;
        Epoch { epoch, loss, accuracy, val_loss, val_accuracy, val_r2, learning_rate, seconds }
    }
}

/// At most `MOST_SENT` epochs, evenly spaced.
fn shortened(reports: &[EpochReport]) -> Vec<Epoch> {
    let last = reports.len().saturating_sub(1);
    match reports.len() > MOST_SENT {
        true => (0..MOST_SENT).map(|at| Epoch::of(&reports[at * last / (MOST_SENT - 1)])).collect(),
        false => epochs(reports).collect(),
    }
}

/// Epochs as the HTTP interface has them.
pub(super) fn epochs(reports: &[EpochReport]) -> impl Iterator<Item = Epoch> {
    reports.iter().map(Epoch::of)
}

/// The phase for an outcome, and a message about it.
pub(super) fn ending(outcome: &Outcome) -> (Phase, Option<String>) {
    match outcome {
        Outcome::Finished => (Phase::Finished, None),
        Outcome::NoProgress => (Phase::Finished, Some("no further improvement".to_owned())),
        Outcome::Stopped => (Phase::Stopped, None),
        Outcome::Diverged { message, .. } => (Phase::Diverged, Some(args::spelled(message))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_histories_are_shortened() {
        let report = |epoch| EpochReport {
            epoch,
            loss: 1.0,
            accuracy: None,
            val_loss: None,
            val_accuracy: None,
            val_r2: None,
            learning_rate: 0.1,
            seconds: 1.0,
        };
        for length in [0, 1, MOST_SENT, MOST_SENT + 1, 100_000] {
            let reports: Vec<EpochReport> = (0..length).map(report).collect();
            let sent: Vec<usize> = shortened(&reports).iter().map(|it| it.epoch).collect();
            assert_eq!(sent.len(), length.min(MOST_SENT));
            assert!(sent.is_sorted_by(|a, b| a < b));
            assert_eq!(sent.first(), (length > 0).then_some(&1));
            assert_eq!(sent.last(), (length > 0).then_some(&length));
        }
    }
}
