//! A run as the page knows it: what it is doing, its epochs, and all of that as JSON.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use gradus::classifier::Model;
use gradus::training::{EpochReport, Outcome};
use serde_json::{Value, json};

use crate::args;

/// What a run is doing.
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
    /// Options that were given, by name.
    pub(super) options: Value,
    pub(super) epochs: usize,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) phase: Phase,
    pub(super) message: Option<String>,
    pub(super) model: Option<Arc<Model>>,
    /// The file that it was saved to.
    pub(super) saved: Option<String>,
    pub(super) architecture: Option<String>,
    pub(super) samples: usize,
    pub(super) history: Vec<EpochReport>,
    /// How many epochs were reported, and when the last ones.
    pub(super) reported: (usize, Instant),
    pub(super) pause: bool,
    /// Accuracy on the test part and its interval.
    pub(super) test: Option<(f64, (f64, f64))>,
}

impl Run {
    /// What it is called.
    pub(super) fn name(&self) -> String {
        format!("Run {}", self.id)
    }

    /// Seconds of an epoch, by the last ones.
    fn pace(&self) -> Option<f64> {
        let last = &self.history[self.history.len().saturating_sub(5)..];
        let seconds: f64 = last.iter().map(|epoch| epoch.seconds).sum();
        (!last.is_empty() && seconds > 0.0).then(|| seconds / last.len() as f64)
    }

    pub(super) fn speed(&self) -> (Option<f64>, Option<f64>) {
        let pace = self.pace();
        let left = self.epochs.saturating_sub(self.history.len()) as f64;
        (pace.map(|pace| self.samples as f64 / pace), pace.map(|pace| left * pace))
    }

    /// The run as the page knows it, without its epochs.
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

    /// The same with all epochs.
    pub(super) fn to_json_whole(&self) -> Value {
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

/// What a run's outcome is called on the page, with a word on it.
pub(super) fn ending(outcome: &Outcome) -> (Phase, Option<String>) {
    match outcome {
        Outcome::Finished => (Phase::Finished, None),
        Outcome::NoProgress => (Phase::Finished, Some("no more progress".to_owned())),
        Outcome::Stopped => (Phase::Stopped, None),
        Outcome::Diverged { message, .. } => (Phase::Diverged, Some(args::spelled(message))),
    }
}
