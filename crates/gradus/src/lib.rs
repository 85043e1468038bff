//! gradus: dense neural networks, classifiers and regressors, trained from scratch.
//!
//! This is the crate that programs depend on. It re-exports the core ([`gradus_core`]) and the readers of
//! data ([`gradus_data`]), and adds models of other programs and plots. Without its default features it is
//! the core alone.
//!
//! The map, in the order in which data flow:
//!
//! | module | in | out |
//! |---|---|---|
//! | [`data`] | a name, a path or numbers | training and test samples |
//! | [`network`] | sizes and activations | layers and parameters; threads and kernels |
//! | [`loss`], [`optimizer`], [`schedule`] | | what a step of training consists of |
//! | [`training`] | samples and settings | a model and its history; start with [`training::train`] |
//! | [`metrics`] | predictions and targets | accuracy, confusion matrix, calibration, errors |
//! | [`classifier`] | raw samples | predictions: the models |
//! | [`model_file`] | a model or a file | .safetensors, .onnx, .npz and back; models of Keras and PyTorch |
//! | `plot` | a history, an evaluation, weights, importances | SVG text |
//!
//! Examples are in `crates/gradus/examples`.
#![forbid(unsafe_code)]

#[doc(hidden)] // for the other crates of gradus and their tests
pub use gradus_core::{engine, random};
pub use gradus_core::{error, exchange, files};
pub mod data;
pub use gradus_core::model as classifier;
pub use gradus_core::training;
pub use gradus_core::{loss, metrics, optimizer, schedule, transform};
pub mod network;
#[cfg(feature = "data")]
pub mod model_file;
#[cfg(not(feature = "data"))]
pub use gradus_core::model_file;
#[cfg(feature = "plot")]
pub mod plot;

pub use error::{Error, ErrorKind, Result};
