//! The core of gradus: dense neural networks, classifiers and regressors, trained from scratch.
//!
//! Samples in memory and settings go in; models, their predictions and their files come out. The crate
//! reads and writes no format but its own (models, checkpoints, histories) and uses no network.
//!
//! The map, in the order in which data flow; a module imports only modules above it:
//!
//! | module | in | out |
//! |---|---|---|
//! | [`error`], [`files`], `random` | | one error type, safe writing, random streams: used by all |
//! | [`exchange`] | numbers of one process | the same numbers on all processes of a run |
//! | [`samples`] | numbers and targets | a checked `Dataset`, splits, batches |
//! | [`transform`] | raw values | network inputs: normalization, distortions |
//! | [`network`] | sizes and activations | layers over one vector of parameters |
//! | [`loss`] | outputs and targets | the loss of each sample, the gradient of the outputs |
//! | [`optimizer`], [`schedule`] | gradients, the number of a step | new parameters, its learning rate |
//! | [`regularization`] | | the settings against overfitting |
//! | `engine` | a network, settings, samples | epochs of training, passes of predictions |
//! | [`metrics`] | predictions and targets | accuracy, confusion matrix, calibration, errors |
//! | [`model`] | raw samples | predictions; explanations; evaluations |
//! | [`model_file`] | a model or a file | a file or a model |
//! | [`training`] | data and settings | a model and its history; read `member.rs` first |
#![forbid(unsafe_code)]

pub mod error;
pub mod files;
pub mod exchange;
#[doc(hidden)] // for the other crates of gradus
pub mod random;
pub mod samples;
pub mod transform;
pub mod network;
pub mod loss;
pub mod optimizer;
pub mod schedule;
pub mod regularization;
#[doc(hidden)] // for the tests of gradus
pub mod engine;
pub mod metrics;
pub mod model;
pub mod model_file;
pub mod training;

pub use error::{Error, ErrorKind, Result};
