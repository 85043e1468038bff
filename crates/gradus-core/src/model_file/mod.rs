//! The model file: a [`Model`] in, a safetensors file out, and back.
//!
//! It keeps all that is needed to predict; docs/formats.md describes it.

use std::fs::{self, File};
use std::path::Path;

use crate::error::{Error, Result};
use crate::files::{self, reading};
use crate::model::{Classifier, Model};

#[doc(hidden)] // for the other crates of gradus
pub mod digest;
#[doc(hidden)] // for the other crates of gradus
pub mod metadata;
pub mod safetensors;

pub use metadata::FORMAT_VERSION;
#[doc(hidden)] // for the other crates of gradus
pub use metadata::damaged;
#[doc(hidden)] // for the tests of gradus
pub use safetensors::{Extras, from_bytes_with, to_bytes_with};
pub use safetensors::{from_bytes, model_from_bytes, to_bytes};

/// Writes the model file; the name must end in `.safetensors`. A file that is there is replaced,
/// whatever it is.
///
/// # Errors
/// `InvalidArgument` for another ending, or for a model that could not be read back (weights that
/// are not finite, parts that do not fit together); those of [`files::write_beside`].
pub fn save(model: &Model, path: &Path) -> Result<()> {
    match extension(path).as_str() {
        "safetensors" => files::write_beside(path, &to_bytes(model)?),
        other => Err(wrong_extension(path, other, ".safetensors")),
    }
}

/// Reads a classifier from a model file of gradus.
///
/// # Errors
/// As [`load_model`], and `InvalidArgument` if the model is a regressor.
pub fn load(path: &Path) -> Result<Classifier> {
    load_model(path)?.into_classifier().map_err(|error| error.context(path.display()))
}

/// Reads a classifier or a regressor from a model file of gradus; the name of the file does not matter.
///
/// # Errors
/// `NotFound` or `Io` if the file cannot be read; `InvalidData` if it is not a model of gradus,
/// is damaged, or was written by a newer gradus.
pub fn load_model(path: &Path) -> Result<Model> {
    load_with(path).map(|(model, _)| model)
}

/// Reads a model file of gradus with what else it holds: a checkpoint's state of the run.
///
/// # Errors
/// As [`load_model`]; `InvalidData` also for models of other programs.
#[doc(hidden)] // for the tests of gradus
pub fn load_with(path: &Path) -> Result<(Model, Extras)> {
    let mut file = open(path)?;
    let mut bytes = safetensors::read_front(&mut file, path)?;
    safetensors::check_front(&bytes).map_err(|error| error.context(path.display()))?;
    read_rest(&mut file, path, &mut bytes)?;
    safetensors::from_bytes_with(&bytes).map_err(|error| error.context(path.display()))
}

/// Opens a file to read a model from it.
///
/// # Errors
/// `NotFound` or `Io`; `InvalidData` for a folder.
#[doc(hidden)] // for the other crates of gradus
pub fn open(path: &Path) -> Result<File> {
    let refused = |source| Error::io("read", path, source);
    if fs::metadata(path).map_err(refused)?.is_dir() {
        return Err(Error::data(path, "this is a folder; expected a model file"));
    }
    reading::open(path)
}

/// The ending of the file's name in lower case, without its dot.
#[doc(hidden)] // for the other crates of gradus
pub fn extension(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_lowercase()
}

/// The error for a file name whose ending is not among the `possible` ones.
#[doc(hidden)] // for the other crates of gradus
pub fn wrong_extension(path: &Path, found: &str, possible: &str) -> Error {
    let found = match found {
        "" => "has no ending".to_owned(),
        other => format!("ends in .{other}"),
    };
    let path = path.display();
    Error::argument(format!("cannot write {path}: its name {found}, but must end in {possible}"))
}

/// Adds to the front of a file what comes after it.
#[doc(hidden)] // for the other crates of gradus
pub fn read_rest(file: &mut File, path: &Path, bytes: &mut Vec<u8>) -> Result<()> {
    let rest = reading::append_rest(file, bytes);
    rest.map(|_| ()).map_err(|source| Error::io("read", path, source))
}
