//! The extension module `gradus._core`: what the Python files of the package call.
//!
//! Everything here takes arrays that are already in form (C-contiguous rows of bytes or single
//! precision), releases the interpreter while it computes, and turns errors and panics into
//! exceptions. What users see is in `python/gradus`.

use std::path::PathBuf;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::errors::{exception, guarded};

mod arrays;
mod datasets;
mod errors;
mod model;
mod pictures;
mod plots;
mod training;
mod words;

#[pymodule(name = "_core")]
mod core {
    #[pymodule_export]
    use super::arrays::{SparseRows, needs_doubles};
    #[pymodule_export]
    use super::datasets::{digits, load, names};
    #[pymodule_export]
    use super::model::Model;
    #[pymodule_export]
    use super::pictures::picture;
    #[pymodule_export]
    use super::plots::{
        plot_calibration, plot_confusion, plot_curves, plot_weight_histograms, plot_weights,
    };
    #[pymodule_export]
    use super::training::{Run, State, train};
    #[pymodule_export]
    use super::{choices, parse, version, write_file};
}

/// The version of the package.
#[pyfunction]
fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Writes a file as the library writes all of its files: whole or not at all.
#[pyfunction]
fn write_file(py: Python, path: PathBuf, content: &[u8]) -> PyResult<()> {
    py.detach(|| guarded(|| gradus::files::write_beside(&path, content)))
}

/// The names that a setting may have: of a `solver`, a `normalization`, a `monitor`.
#[pyfunction]
fn choices(setting: &str) -> Vec<&'static str> {
    use gradus::data::normalize::Normalization;
    use gradus::optimizer::Optimizer;
    use gradus::training::Monitor;
    match setting {
        "solver" => Optimizer::ALL.iter().map(Optimizer::name).collect(),
        "normalization" => Normalization::ALL.map(Normalization::name).to_vec(),
        "monitor" => Monitor::ALL.map(Monitor::name).to_vec(),
        _ => Vec::new(),
    }
}

/// What a text means as a setting, in the form of [`training::train`]'s `config`: an `activation`,
/// a `schedule`, an `init`, a `distortion`, or the usual constants of a `solver`.
#[pyfunction]
fn parse(setting: &str, text: &str) -> PyResult<String> {
    use gradus::data::distort::Distortion;
    use gradus::network::{Activation, Init};
    use gradus::optimizer::Optimizer;
    use gradus::schedule::Schedule;
    let wrong = |expected: &str| {
        let message = format!("{setting} is '{text}', but must be {expected}");
        PyValueError::new_err(message)
    };
    let json = match setting {
        "activation" => serde_json::to_string(
            &Activation::from_name(text)
                .ok_or_else(|| wrong(&format!("one of {}", Activation::known())))?,
        ),
        "schedule" => serde_json::to_string(&Schedule::parse(text).ok_or_else(|| {
            wrong("'constant', 'cosine', 'one-cycle', 'step:EPOCHS:FACTOR' or 'plateau:PATIENCE:FACTOR'")
        })?),
        "init" => serde_json::to_string(&Init::parse(text).map_err(|_| {
            wrong("'sklearn', 'auto', 'he', 'glorot', 'normal:S' (S a standard deviation) or arrays")
        })?),
        "distort" => {
            serde_json::to_string(&Distortion::parse(text).map_err(|error| exception(&error))?)
        }
        "solver" => serde_json::to_string(&Optimizer::from_name(text).ok_or_else(|| {
            wrong(&format!("one of {}", choices("solver").join(", ")))
        })?),
        _ => return Err(PyValueError::new_err(format!("there is no setting {setting}"))),
    };
    json.map_err(|error| PyValueError::new_err(error.to_string()))
}
