//! The state of a run: its phase, its epochs and its result, and all of that as JSON for the page.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use gradus::classifier::Model;
use gradus::training::{EpochReport, Outcome};
use serde_json::{Value, json};

use crate::args;

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

    /// The run as JSON for the page, with all epochs.
    pub(super) fn to_json_with_history(&self) -> Value {
        let mut whole = self.to_json();
        whole["history"] = epochs(&self.history);
        whole
    }
}

/// Epochs as the HTTP interface has them, counted from 1. The page shows them from 0, as the
/// terminal does.
pub(super) fn epochs(reports: &[EpochReport]) -> Value {
    let epoch = |report: &EpochReport| {
        json!({
            "epoch": report.epoch + 1,
            "loss": report.loss,
            "accuracy": report.accuracy,
            "val_loss": report.val_loss,
            "val_accuracy": report.val_accuracy,
            "learning_rate": report.learning_rate,
            "seconds": report.seconds,
        })
    };
    reports.iter().map(epoch).collect()
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
