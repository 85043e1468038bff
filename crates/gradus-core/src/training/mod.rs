//! Training: from data and settings to a model and its history.
//!
//! [`train`] is the whole run, [`Session`] the same epoch by epoch, with a [`Checkpoint`] wherever
//! it is wanted: `member.rs`, the run of one network, is the file to read first. `bag.rs` trains several networks on folds, each with the settings from `bag_settings.rs`,
//! `start.rs` begins runs where others ended,
//! `progress.rs` is what a run has seen so far, [`config`] and [`regularization`] hold the settings,
//! [`settings`] their names, ranges and texts, [`history`] the figures of each epoch. The steps themselves are in [`crate::engine`].

use std::sync::atomic::AtomicBool;

use crate::error::Result;
use crate::network::Network;
use crate::samples::Dataset;

pub mod config;
pub mod settings;
pub mod history;
mod history_file;
mod bag;
mod bag_settings;
mod member;
mod out_of_fold;
mod parallel;
pub mod session;
mod session_view;
mod temperature;
pub mod checkpoint;
mod checkpoint_v2;
mod data;
mod encoded;
mod advice;
mod baseline;
mod outcome;
mod progress;
mod provenance;
mod same_data;
mod same_on_ranks;
mod some_inputs;
mod tabular_start;
mod start;

pub use crate::regularization::{self, ClassWeights, Regularization};
pub use bag_settings::member_seed;
pub use checkpoint::Checkpoint;
pub use config::{BatchSize, EarlyStopping, KeepBest, Preset, TrainConfig};
pub use data::Data;
pub use history::{Best, EpochReport, History, Monitor};
pub use out_of_fold::{OutOfFold, OutOfFoldFigures};
pub use outcome::{Outcome, Trained};
pub use session::Session;
pub use start::Start;

/// Trains a model on `data`: a classifier by cross-entropy where samples have classes, a regressor by
/// squared error where they have values. After every epoch `report` receives its figures.
///
/// `start` gives the initial parameters, else they are drawn as `config` says. `validation` is
/// evaluated after every epoch. Raising `stop` ends the run after the step in progress. Same
/// settings, data and instruction set give the same bits at any number of threads.
///
/// # Errors
/// `InvalidArgument` if a setting is out of range or `start` or `validation` do not fit the
/// data. A run that diverges is not an error: see [`Outcome`].
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
