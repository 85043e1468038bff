//! Training: from data and settings to a classifier and its history.
//!
//! [`train`] is the loop over epochs; `worker.rs` holds the steps of one epoch, [`config`] the
//! settings and presets, [`history`] what each epoch brought.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::classifier::Classifier;
use crate::data::Dataset;
use crate::data::batches::Batches;
use crate::data::normalize::Normalizer;
use crate::error::{Error, Result};
use crate::network::{Network, available_cores};
use crate::schedule::Run;

pub mod config;
pub mod history;
mod worker;

pub use config::{BatchSize, Preset, TrainConfig};
pub use history::{EpochReport, History};
use worker::Trainer;

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// All epochs were run.
    Finished,
    /// The stop flag was raised; the step in progress was finished.
    Stopped,
    /// The loss or a weight became NaN or infinite; the model is the one before that epoch.
    Diverged {
        /// The epoch.
        epoch: usize,
        /// What happened, why probably, and what to do.
        message: String,
    },
}

/// What a run leaves.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The model, usable however the run ended.
    pub classifier: Classifier,
    /// The figures of the complete epochs.
    pub history: History,
    /// How the run ended.
    pub outcome: Outcome,
    /// Wall time from the first step to the last, validation included.
    pub seconds: f64,
}

/// Trains a classifier on `data`; after every epoch `report` receives its figures.
///
/// `start` gives the initial parameters, else they are drawn as `config` says. `validation` is
/// evaluated after every epoch. Raising `stop` ends the run after the step in progress. Same
/// settings, data and instruction set give the same bits at any number of threads.
///
/// # Errors
/// `InvalidArgument` where a setting is out of range or `start` or `validation` do not fit the
/// data. A run that diverges is no error: see [`Outcome`].
pub fn train(
    config: &TrainConfig,
    data: &Dataset,
    validation: Option<&Dataset>,
    start: Option<Network>,
    stop: &AtomicBool,
    report: &mut dyn FnMut(&EpochReport),
) -> Result<Trained> {
    config.validate()?;
    let classes = data.class_names.len();
    let network = match start {
        Some(network) => network,
        None => {
            let (features, hidden) = (data.features(), &config.hidden);
            let mut network = Network::dense(features, hidden, config.activation, classes)?;
            network.initialize(config.init, config.seed);
            network
        }
    };
    let normalizer = Normalizer::fit(config.normalization, data);
    let (shape, names) = (data.sample_shape.clone(), data.class_names.clone());
    let mut classifier = Classifier::new(network, normalizer.clone(), shape, names)?;
    if let Some(set) = validation
        && (set.features() != data.features() || set.class_names.len() > classes)
    {
        return Err(Error::argument(format!(
            "the validation data have samples of shape {:?} in {} classes, but the training data \
             {:?} in {classes}",
            set.sample_shape,
            set.class_names.len(),
            data.sample_shape
        )));
    }
    let batches = match config.batch_size {
        BatchSize::Full => Batches::new(data.len(), data.len()),
        BatchSize::Samples(count) => Batches::new(data.len(), count),
    };
    let per_epoch = batches.len() as u64;
    let steps = per_epoch * config.epochs as u64;
    let warm_up = (f64::from(config.warm_up) * per_epoch as f64).round() as u64;
    let run = Run { steps, steps_per_epoch: per_epoch, warm_up: warm_up.min(steps) };
    let threads = config.threads.unwrap_or_else(available_cores);
    let mut trainer = Trainer::new(
        &classifier.network,
        (normalizer, data),
        batches,
        config.optimizer,
        (config.learning_rate, config.schedule, run),
        threads,
        stop,
    )?;

    let begin = Instant::now();
    let mut history = History::default();
    let mut outcome = Outcome::Finished;
    for epoch in 0..config.epochs {
        let epoch_begin = Instant::now();
        let totals = trainer.epoch(config.seed, epoch);
        // The loss is that of the passes before each step: the last step can still overflow.
        let finite = trainer.prepared.parameters.read().iter().all(|value| value.is_finite());
        if !totals.loss.is_finite() || !finite {
            outcome = diverged(epoch, totals.loss, config);
            break;
        }
        trainer.prepared.store(&mut classifier.network);
        if totals.stopped {
            outcome = Outcome::Stopped;
            break;
        }
        let checked = match validation {
            Some(set) => Some(classifier.evaluate(set, &trainer.workers)?),
            None => None,
        };
        let epoch_report = EpochReport {
            epoch,
            loss: totals.loss,
            accuracy: totals.accuracy,
            val_loss: checked.as_ref().map(|checked| checked.loss),
            val_accuracy: checked.as_ref().map(|checked| checked.accuracy),
            learning_rate: totals.learning_rate,
            seconds: epoch_begin.elapsed().as_secs_f64(),
        };
        report(&epoch_report);
        history.epochs.push(epoch_report);
        if stop.load(Ordering::Relaxed) {
            outcome = Outcome::Stopped;
            break;
        }
    }
    let seconds = begin.elapsed().as_secs_f64();
    Ok(Trained { classifier, history, outcome, seconds })
}

fn diverged(epoch: usize, loss: f64, config: &TrainConfig) -> Outcome {
    let rate = config.learning_rate;
    let what = match loss.is_finite() {
        true => "a weight became NaN or infinite".to_owned(),
        false => format!("the loss became {loss}"),
    };
    Outcome::Diverged {
        epoch,
        message: format!(
            "{what} in epoch {epoch}: the steps are probably too large \
             (learning rate {rate}). Use a smaller --learning-rate (try {}), or --normalize unit or \
             standard if the inputs are raw. The model of the epoch before is kept",
            rate / 10.0
        ),
    }
}
