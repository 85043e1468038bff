//! Model files: a [`Classifier`] or [`Regressor`](crate::classifier::Regressor) in, a file out, and back.
//!
//! The model file is safetensors (see [`safetensors`]): it keeps all that is needed to predict.
//! `.npz` (see [`npz`]) exchanges the bare arrays with NumPy. docs/formats.md describes both.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use crate::classifier::{Classifier, Model, ModelRef};
use crate::error::{Error, ErrorKind, Result};
use crate::files;

mod metadata;
pub mod safetensors;
pub mod npz;

pub use metadata::FORMAT_VERSION;
pub use safetensors::{Extras, from_bytes, from_bytes_with, to_bytes, to_bytes_with};

/// Writes the model file; the name must end in `.safetensors`. A file that is there is replaced,
/// whatever it is: [`check_replaceable`] tells beforehand.
///
/// # Errors
/// `InvalidArgument` for another ending, or for a model that could not be read back (weights that
/// are not finite, parts that do not fit together); those of [`files::write_beside`].
pub fn save<'a>(model: impl Into<ModelRef<'a>>, path: &Path) -> Result<()> {
    match extension(path).as_str() {
        "safetensors" => files::write_beside(path, &to_bytes(model)?),
        other => Err(wrong_extension(path, other, ".safetensors")),
    }
}

/// Writes the model in the form that the name asks for: `.safetensors`, the model file of
/// [`save`], or `.npz`, the bare arrays of [`npz::write_network`]. A file that is there is replaced,
/// whatever it is: [`check_replaceable`] tells beforehand.
///
/// # Errors
/// As [`save`].
pub fn export<'a>(model: impl Into<ModelRef<'a>>, path: &Path) -> Result<()> {
    let model = model.into();
    match extension(path).as_str() {
        "safetensors" => save(model, path),
        "npz" => {
            metadata::check(model)
                .map_err(|error| error.context("this model cannot be exported"))?;
            let bytes = npz::write_network(model.network(), model.normalizer())?;
            files::write_beside(path, &bytes)
        }
        other => Err(wrong_extension(path, other, ".safetensors or .npz")),
    }
}

/// Reads the classifier in a model file; its name does not matter.
///
/// # Errors
/// As [`load_model`], and `InvalidArgument` where it is a regressor.
pub fn load(path: &Path) -> Result<Classifier> {
    load_model(path)?.into_classifier().map_err(|error| error.context(path.display()))
}

/// Reads a model file, of a classifier or a regressor; its name does not matter.
///
/// # Errors
/// `NotFound` or `Io` where the file cannot be read; `InvalidData` where it is not a gradus model,
/// is damaged, or was written by a newer gradus.
pub fn load_model(path: &Path) -> Result<Model> {
    load_with(path).map(|(model, _)| model)
}

/// The same with what else the file holds.
///
/// # Errors
/// As [`load_model`].
pub fn load_with(path: &Path) -> Result<(Model, Extras)> {
    let mut file = open(path)?;
    // A stranger is recognised by its first bytes, however large it is.
    let mut bytes = safetensors::read_front(&mut file, path)?;
    safetensors::check_front(&bytes).map_err(|error| error.context(path.display()))?;
    file.read_to_end(&mut bytes).map_err(|source| Error::io("read", path, source))?;
    safetensors::from_bytes_with(&bytes).map_err(|error| error.context(path.display()))
}

/// Checks that a model may be written or exported to `path`: nothing is there, or what gradus wrote
/// (a model of any version, or the arrays of [`npz::write_network`]), and the folder can be written
/// to. Of a file that is there only the header or the table of contents is read.
///
/// # Errors
/// `InvalidArgument` where something else is there; those of [`files::check_writable`].
pub fn check_replaceable(path: &Path) -> Result<()> {
    files::check_writable(path)?;
    if !path.exists() {
        return Ok(());
    }
    let mut file = open(path)?;
    let front = safetensors::read_front(&mut file, path)?;
    if safetensors::is_gradus(&front) || npz::is_exported(file) {
        return Ok(());
    }
    Err(Error::argument(format!(
        "{}: the file that is there was not written by gradus and would be lost; choose another \
         path, or move the file away",
        path.display()
    )))
}

fn open(path: &Path) -> Result<File> {
    let refused = |source| Error::io("read", path, source);
    if fs::metadata(path).map_err(refused)?.is_dir() {
        return Err(Error::data(path, "this is a folder; expected a .safetensors file"));
    }
    File::open(path).map_err(refused)
}

/// The ending of the file's name in lower case, without its dot.
fn extension(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_lowercase()
}

fn wrong_extension(path: &Path, found: &str, possible: &str) -> Error {
    let found = match found {
        "" => "has no ending".to_owned(),
        other => format!("ends in .{other}"),
    };
    let path = path.display();
    Error::argument(format!("cannot write {path}: its name {found}, but must end in {possible}"))
}

/// Content that is not what a model file should hold; the path comes before it.
fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidData, message)
}

/// A gradus model that is broken.
fn damaged(problem: impl std::fmt::Display) -> Error {
    invalid(format!(
        "the model is damaged: {problem}; copy the file again, or train the model anew"
    ))
}
