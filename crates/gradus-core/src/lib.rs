//! The core of gradus: dense neural networks, classifiers and regressors, trained from scratch.
//!
//! It takes samples in memory and reads and writes no file but its own (models, checkpoints and
//! histories). Modules in the order in which data flow through them:
#![forbid(unsafe_code)]

pub mod error;
pub mod files;
pub mod random;
pub mod samples;
pub mod transform;
pub mod network;
pub mod loss;
pub mod optimizer;
pub mod schedule;
pub mod regularization;
pub mod engine;
pub mod metrics;
pub mod model;
pub mod training;
pub mod model_file;

pub use error::{Error, ErrorKind, Result};
