//! gradus: dense neural networks, classifiers and regressors, trained from scratch.
//!
//! Modules in the order in which data flow through them:
#![forbid(unsafe_code)]

pub mod error;
pub mod files;
pub mod random;
pub mod data;
pub mod network;
pub mod loss;
pub mod optimizer;
pub mod schedule;
pub mod metrics;
pub mod classifier;
pub mod training;
pub mod model_file;

pub use error::{Error, ErrorKind, Result};
