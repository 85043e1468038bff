//! Model files: a [`Model`] (a classifier or a regressor) in, a file out, and back.
//!
//! The model file is safetensors (see [`safetensors`]): it keeps all that is needed to predict.
//! [`onnx`] is for other programs, `.npz` (see [`npz`]) exchanges the bare arrays with NumPy.
//! [`load`] reads all of these, and the dense networks of PyTorch and Keras, which become a
//! model through `stack.rs`. docs/formats.md describes each.

use std::fs::{self, File};
use std::io::{Read, Seek};
use std::path::Path;

use crate::classifier::{Model, ModelRef};
use crate::error::{Error, ErrorKind, Result};
use crate::files;
use crate::network::Activation;

mod metadata;
pub mod safetensors;
pub mod onnx;
pub mod npz;
mod affine;
mod stack;
mod pytorch;
mod keras;
mod read;

pub use metadata::FORMAT_VERSION;
pub use onnx::OnnxOptions;
pub use read::{Loaded, ReadOptions, load, load_as, load_model, read};
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
/// [`save`], `.onnx`, or `.npz`, the bare arrays of [`npz::write_network`]. A file that is there is
/// replaced, whatever it is: [`check_replaceable`] tells beforehand.
///
/// # Errors
/// As [`save`].
pub fn export<'a>(model: impl Into<ModelRef<'a>>, path: &Path) -> Result<()> {
    let model = model.into();
    match extension(path).as_str() {
        "safetensors" => save(model, path),
        "onnx" => export_onnx(model, path, &OnnxOptions::default()),
        "npz" => {
            metadata::check(model)
                .map_err(|error| error.context("this model cannot be exported"))?;
            let bytes = npz::write_network(model.network(), model.normalizer())?;
            files::write_beside(path, &bytes)
        }
        other => Err(wrong_extension(path, other, ".safetensors, .onnx or .npz")),
    }
}

/// Writes the model as ONNX; the name must end in `.onnx`.
///
/// # Errors
/// As [`save`], and those of [`onnx::to_bytes`].
pub fn export_onnx<'a>(
    model: impl Into<ModelRef<'a>>,
    path: &Path,
    options: &OnnxOptions,
) -> Result<()> {
    match extension(path).as_str() {
        "onnx" => files::write_beside(path, &onnx::to_bytes(model, options)?),
        other => Err(wrong_extension(path, other, ".onnx")),
    }
}

/// Reads a model file of gradus with what else it holds: a checkpoint's state of the run.
///
/// # Errors
/// As [`load_model`]; `InvalidData` also for models of other programs.
pub fn load_with(path: &Path) -> Result<(Model, Extras)> {
    let mut file = open(path)?;
    let mut bytes = safetensors::read_front(&mut file, path)?;
    safetensors::check_front(&bytes).map_err(|error| error.context(path.display()))?;
    read::read_rest(&mut file, path, &mut bytes)?;
    safetensors::from_bytes_with(&bytes).map_err(|error| error.context(path.display()))
}

/// Checks that a model may be written or exported to `path`: nothing is there, or what gradus wrote
/// (a model of any version, ONNX, or the arrays of [`npz::write_network`]), and the folder can be
/// written to. Of a file that is there only the header or the table of contents is read.
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
    if safetensors::is_gradus(&front) || is_onnx(&mut file, path)? || npz::is_exported(file) {
        return Ok(());
    }
    Err(Error::argument(format!(
        "{}: the file that is there was not written by gradus and would be lost; choose another \
         path, or move the file away",
        path.display()
    )))
}

/// Whether the file is ONNX that gradus wrote.
fn is_onnx(file: &mut File, path: &Path) -> Result<bool> {
    let mut front = Vec::new();
    file.rewind()
        .and_then(|()| file.take(onnx::FRONT).read_to_end(&mut front))
        .map_err(|source| Error::io("read", path, source))?;
    Ok(onnx::is_exported(&front))
}

fn open(path: &Path) -> Result<File> {
    let refused = |source| Error::io("read", path, source);
    if fs::metadata(path).map_err(refused)?.is_dir() {
        return Err(Error::data(path, "this is a folder; expected a model file"));
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

/// Leaky ReLU with the slope that a file names.
fn leaky_relu(slope: f32) -> Result<Activation> {
    Activation::leaky_relu(slope).ok_or_else(|| {
        invalid(format!("its slope is {slope}, gradus's leaky ReLU has one of 0 to 1"))
    })
}

/// A gradus model that is broken.
fn damaged(problem: impl std::fmt::Display) -> Error {
    invalid(format!(
        "the model is damaged: {problem}; copy the file again, or train the model anew"
    ))
}
