//! What a run writes into its model about itself: settings and figures in, a [`Provenance`] out.

use serde_json::Value;

use crate::model::{Provenance, SampleCounts};
use crate::training::{Best, EpochReport, History, Outcome, TrainConfig};

/// How a model came about. It contains no times and no number of threads, so that the same seed gives
/// the same file on any machine.
pub(super) fn provenance(
    config: &TrainConfig,
    samples: SampleCounts,
    history: &History,
    outcome: &Outcome,
    best: Option<&Best>,
) -> Provenance {
    let epochs = history.epochs.iter();
    let without_times = epochs.map(|report| EpochReport { seconds: f64::NAN, ..report.clone() });
    Provenance {
        gradus: Some(env!("CARGO_PKG_VERSION").to_owned()),
        samples: Some(samples),
        settings: settings(config),
        epochs: Some(history.epochs.len()),
        outcome: Some(outcome.name().to_owned()),
        best_epoch: best.map(|best| best.epoch),
        history: History { epochs: without_times.collect() }.to_json(),
        ..Provenance::default()
    }
}

fn settings(config: &TrainConfig) -> Value {
    // Through text, in which single-precision numbers are short.
    let text = serde_json::to_string(config).unwrap_or_default();
    let mut settings: Value = serde_json::from_str(&text).unwrap_or_default();
    if let Some(settings) = settings.as_object_mut() {
        settings.remove("threads");
    }
    settings
}
