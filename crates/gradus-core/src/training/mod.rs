//! Training: from data and settings to a model and its history.
//!
//! [`train`] is the whole run, [`Session`] the same epoch by epoch, with a [`Checkpoint`] wherever
//! it is wanted: `session.rs` is the file to read first. `start.rs` begins runs where others ended,
//! `progress.rs` is what a run has seen so far, [`config`] and [`regularization`] hold the settings,
//! [`settings`] their names, ranges and texts, [`history`] the figures of each epoch. The steps themselves are in [`crate::engine`].

use std::sync::atomic::AtomicBool;

use crate::error::Result;
use crate::model::Model;
use crate::network::Network;
use crate::samples::Dataset;

pub mod config;
pub mod settings;
pub mod history;
mod history_file;
pub mod session;
pub mod checkpoint;
mod checkpoint_v2;
mod data;
mod progress;
mod provenance;
mod start;

pub use crate::regularization::{self, ClassWeights, Regularization};
pub use checkpoint::Checkpoint;
pub use config::{BatchSize, EarlyStopping, Preset, TrainConfig};
pub use data::Data;
pub use history::{Best, EpochReport, History, Monitor};
pub use session::Session;
pub use start::Start;

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// All epochs were run.
    Finished,
    /// The monitored figure no longer got better.
    NoProgress,
    /// The stop flag was raised; the step in progress was finished.
    Stopped,
    /// The loss or a weight became NaN or infinite; the model is the one before that epoch, with early
    /// stopping that of the best.
    Diverged {
        /// The epoch.
        epoch: usize,
        /// What happened, why probably, and what to do.
        message: String,
    },
}

impl Outcome {
    /// The name in files: `finished`, `no_progress`, `stopped` or `diverged`.
    pub fn name(&self) -> &'static str {
        match self {
            Outcome::Finished => "finished",
            Outcome::NoProgress => "no_progress",
            Outcome::Stopped => "stopped",
            Outcome::Diverged { .. } => "diverged",
        }
    }

    /// Of an epoch with this loss at this learning rate, where the model of epoch `kept` is kept.
    fn diverged(epoch: usize, loss: f64, rate: f32, kept: Option<usize>) -> Outcome {
        let what = match loss.is_finite() {
            true => "a weight became NaN or infinite".to_owned(),
            false => format!("the loss became {loss}"),
        };
        let kept = match kept {
            Some(kept) => format!("The model of epoch {kept} is kept"),
            None => "The model is that of the initial weights".to_owned(),
        };
        let smaller = f64::from(rate) / 10.0;
        // Three digits, without those of the binary fraction.
        let smaller: f32 = format!("{smaller:.2e}").parse().unwrap_or(rate / 10.0);
        Outcome::Diverged {
            epoch,
            message: format!(
                "{what} in epoch {epoch}: the steps are probably too large \
                 (learning rate {rate}). Use a smaller `learning_rate` (try {smaller}), or \
                 `normalize` unit or standard if the inputs are raw. {kept}"
            ),
        }
    }
}

/// What a run leaves.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The model, usable however the run ended: that of the last epoch, with early stopping that
    /// of the best.
    pub model: Model,
    /// The figures of the complete epochs.
    pub history: History,
    /// How the run ended.
    pub outcome: Outcome,
    /// The epoch that the model comes from, with early stopping.
    pub best: Option<Best>,
    /// Wall time from the first step to the last, validation included; of a resumed run also that
    /// of its earlier parts.
    pub seconds: f64,
}

/// Trains a model on `data`: a classifier by cross-entropy where samples have classes, a regressor by
/// squared error where they have values. After every epoch `report` receives its figures.
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
    let data = Data::from((data, validation));
    let mut session = Session::new(config, data, start)?;
    while let Some(epoch) = session.epoch(data, stop)? {
        report(epoch);
    }
    Ok(session.finish())
}
