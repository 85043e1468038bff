//! The extension module `gradus._core`: what the Python files of the package call.
//!
//! The functions take arrays that already have the right form (C-contiguous rows of bytes or single
//! precision), release the interpreter while they compute, and turn errors and panics into exceptions.
//! The public interface is in `python/gradus`.

use std::path::PathBuf;

use pyo3::prelude::*;

use crate::errors::guarded;

mod arrays;
mod datasets;
mod errors;
mod exchange;
mod file_rows;
mod explanations;
mod images;
mod model;
mod parameters;
mod plots;
mod settings;
mod shards;
mod single;
mod table;
mod training;
mod error_messages;

#[pymodule(name = "_core")]
mod core {
    #[pymodule_export]
    use super::arrays::{SparseRows, needs_doubles};
    #[pymodule_export]
    use super::datasets::{digits, load, names};
    #[pymodule_export]
    use super::explanations::{Kept, contributions, importances, kept, partial_dependence};
    #[pymodule_export]
    use super::file_rows::FileRows;
    #[pymodule_export]
    use super::images::image;
    #[pymodule_export]
    use super::model::Model;
    #[pymodule_export]
    use super::plots::{
        plot_calibration, plot_confusion, plot_curves, plot_weight_histograms, plot_weights,
    };
    #[pymodule_export]
    use super::settings::{
        Setting, current_settings, outputs_per_target, preset_settings, settings,
    };
    #[pymodule_export]
    use super::shards::{Shards, pack_shards};
    #[pymodule_export]
    use super::table::Table;
    #[pymodule_export]
    use super::training::{Run, State, train};
    #[pymodule_export]
    use super::{version, write_file};
}

/// The version of the package.
#[pyfunction]
fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Writes a file in the library's way: completely or not at all.
#[pyfunction]
fn write_file(py: Python, path: PathBuf, content: &[u8]) -> PyResult<()> {
    py.detach(|| guarded(|| gradus::files::write_beside(&path, content)))
}
