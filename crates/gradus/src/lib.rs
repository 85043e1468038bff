//! gradus: dense neural networks, classifiers and regressors, trained from scratch.
//!
//! The crate that programs depend on. It passes on the core ([`gradus_core`]) and the readers of data
//! ([`gradus_data`]), and adds models of other programs and plots. Modules in the order in which data
//! flow through them:
#![forbid(unsafe_code)]

pub use gradus_core::{error, files, random};
pub mod data;
pub use gradus_core::model as classifier;
pub use gradus_core::training;
pub use gradus_core::{engine, loss, metrics, optimizer, schedule, transform};
pub mod network;
#[cfg(feature = "data")]
pub mod model_file;
#[cfg(not(feature = "data"))]
pub use gradus_core::model_file;
#[cfg(feature = "plot")]
pub mod plot;

pub use error::{Error, ErrorKind, Result};
