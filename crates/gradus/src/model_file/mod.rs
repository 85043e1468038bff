//! Model files: a model in, a file out, and back.
//!
//! The model file is safetensors (see [`safetensors`]): it keeps all that is needed to predict.
//! [`onnx`] is for other programs, `.npz` (see [`npz`]) exchanges the bare arrays with NumPy.
//! [`load`] reads all of these, and the dense networks of PyTorch and Keras, which become a
//! model through `stack.rs`. docs/formats.md describes each.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use crate::classifier::Model;
use crate::error::{Error, Result};
use crate::files;

#[cfg(feature = "onnx")]
pub mod onnx;
pub mod npz;
mod raw_table;
mod c_source;
mod npz_seal;
mod halves;
mod scaling;
mod foreign;
mod stack;
mod torch;
#[cfg(feature = "keras")]
mod keras;
mod read;

pub use c_source::{CSourceOptions, rounded as rounded_to_int8, to_text as to_c_source};
pub use gradus_core::model_file::*;
#[cfg(feature = "onnx")]
pub use onnx::OnnxOptions;
pub use read::{Loaded, load, load_as, load_model, read};
pub use stack::ReadOptions;

/// The bytes of a model file of the kind that the name asks for: `.safetensors`, the model file of [`save`], `.onnx`,
/// `.npz`, the bare arrays of [`npz::write_network`], or `.c`, the source of [`to_c_source`].
///
/// # Errors
/// `InvalidArgument` for another ending, for a model that could not be read back, or for one of raw columns as `.npz`.
pub fn encode(model: &Model, path: &Path) -> Result<Vec<u8>> {
    match extension(path).as_str() {
        "safetensors" => to_bytes(model),
        #[cfg(feature = "onnx")]
        "onnx" => onnx::to_bytes(model, &OnnxOptions::default()),
        "npz" => {
            metadata::check_for_export(model)?;
            metadata::check_single(model)?;
            npz::write_network(&model.network, &model.transform)
        }
        "c" => encode_c_source(model, path, false),
        other => Err(wrong_extension(path, other, ".safetensors, .onnx, .npz or .c")),
    }
}

/// The bytes of the model as C source ([`to_c_source`]); the name must end in `.c`, and its beginning becomes that of the
/// functions.
///
/// # Errors
/// As [`encode`].
pub fn encode_c_source(model: &Model, path: &Path, int8: bool) -> Result<Vec<u8>> {
    match extension(path).as_str() {
        "c" => {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            to_c_source(model, &CSourceOptions { name, int8 }).map(String::into_bytes)
        }
        other => Err(wrong_extension(path, other, ".c")),
    }
}

/// The bytes of the model as ONNX; the name must end in `.onnx`.
///
/// # Errors
/// As [`encode`], and those of [`onnx::to_bytes`].
#[cfg(feature = "onnx")]
pub fn encode_onnx(model: &Model, path: &Path, options: &OnnxOptions) -> Result<Vec<u8>> {
    match extension(path).as_str() {
        "onnx" => onnx::to_bytes(model, options),
        other => Err(wrong_extension(path, other, ".onnx")),
    }
}

/// Writes the model in the form that the name asks for, as [`encode`] does. A file that is there is replaced, whatever
/// it is: [`check_replaceable`] tells beforehand.
///
/// # Errors
/// As [`save`].
pub fn export(model: &Model, path: &Path) -> Result<()> {
    files::write_beside(path, &encode(model, path)?)
}

/// Writes the model as ONNX; the name must end in `.onnx`.
///
/// # Errors
/// As [`save`], and those of [`onnx::to_bytes`].
#[cfg(feature = "onnx")]
pub fn export_onnx(model: &Model, path: &Path, options: &OnnxOptions) -> Result<()> {
    files::write_beside(path, &encode_onnx(model, path, options)?)
}

/// Checks that nothing is lost if a model is written or exported to `path`: there is no file, or one that gradus wrote
/// (a model of any version, ONNX, C source, or the arrays of [`npz::write_network`]). Of a file that is there only the header or
/// the table of contents is read. Whether the path can be written is another question: [`files::OutputFile::claim`]
/// answers it.
///
/// # Errors
/// `InvalidArgument` if something else is there; `InvalidData` for a folder; `Io` if it cannot be read.
pub fn check_replaceable(path: &Path) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let mut file = open(path)?;
    let front = safetensors::read_front(&mut file, path)?;
    if safetensors::is_gradus(&front)
        || is_c_source(&mut file, path)?
        || is_onnx(&mut file, path)?
        || npz::is_exported(file)
    {
        return Ok(());
    }
    Err(Error::argument(format!(
        "{}: the file that is there was not written by gradus and would be lost; choose another \
         path, or move the file away",
        path.display()
    )))
}

/// Whether the file is C source that gradus wrote.
fn is_c_source(file: &mut File, path: &Path) -> Result<bool> {
    Ok(first_bytes(file, path, c_source::MARK.len() as u64)? == c_source::MARK.as_bytes())
}

/// At most so many bytes from the beginning of a file.
fn first_bytes(file: &mut File, path: &Path, most: u64) -> Result<Vec<u8>> {
    let mut front = Vec::new();
    file.rewind()
        .and_then(|()| file.take(most).read_to_end(&mut front))
        .map_err(|source| Error::io("read", path, source))?;
    Ok(front)
}

/// A build without ONNX recognizes none.
#[cfg(not(feature = "onnx"))]
fn is_onnx(_: &mut File, _: &Path) -> Result<bool> {
    Ok(false)
}

/// Whether the file is ONNX that gradus wrote.
#[cfg(feature = "onnx")]
fn is_onnx(file: &mut File, path: &Path) -> Result<bool> {
    Ok(onnx::is_exported(&first_bytes(file, path, onnx::FRONT)?))
}
