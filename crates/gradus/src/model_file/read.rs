//! Reads model files of every kind; the content of a file decides which.

use std::io::Cursor;
use std::path::Path;

use gradus_core::error::invalid;
use gradus_core::files::magic::{self, Magic};
use gradus_core::model_file::{open, read_rest, safetensors};

#[cfg(feature = "keras")]
use super::keras;
#[cfg(feature = "onnx")]
use super::onnx;
use super::stack::ReadOptions;
use super::{npz, pytorch};
use crate::classifier::{Classifier, Model};
use crate::data::zip::Archive;
use crate::error::{Error, Result};

/// A model that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The model.
    pub model: Model,
    /// What was assumed because the file does not say it, a sentence each.
    pub warnings: Vec<String>,
    /// Whether gradus wrote the file before its files had a digest of their content, so that damage to numbers in it
    /// goes unnoticed.
    pub is_unprotected: bool,
}

/// The kinds of model files.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Gradus,
    PyTorch,
    #[cfg(feature = "onnx")]
    Onnx,
    /// Told apart by what is in the archive: `.npz`, `.keras`.
    Zip,
    #[cfg(feature = "keras")]
    Hdf5,
}

/// Reads a classifier; the name of the file does not matter.
///
/// # Errors
/// As [`load_model`], and `InvalidArgument` if it is a regressor.
pub fn load(path: &Path) -> Result<Classifier> {
    load_model(path)?.into_classifier().map_err(|error| error.context(path.display()))
}

/// Reads a classifier or a regressor; the name of the file does not matter. Where a file of another
/// program holds weights alone, ReLU is assumed as the activation of its hidden layers; [`load_as`]
/// names another, and tells.
///
/// # Errors
/// `NotFound` or `Io` if the file cannot be read; `InvalidData` if it is no model that gradus
/// has, is damaged, or was written by a newer gradus.
pub fn load_model(path: &Path) -> Result<Model> {
    load_as(path, &ReadOptions::default()).map(|loaded| loaded.model)
}

/// Reads a model with what its file does not say.
///
/// # Errors
/// As [`load_model`]; `InvalidArgument` if the file says itself what the options say.
pub fn load_as(path: &Path, options: &ReadOptions) -> Result<Loaded> {
    let mut file = open(path)?;
    // A stranger is recognized by its first bytes, however large it is.
    let mut bytes = safetensors::read_front(&mut file, path)?;
    let kind = kind(&bytes).map_err(|error| error.context(path.display()))?;
    read_rest(&mut file, path, &mut bytes)?;
    read_kind(kind, &bytes, options).map_err(|error| error.context(path.display()))
}

/// Reads a model in memory, of any kind.
///
/// # Errors
/// As [`load_as`], except for those of reading a file.
pub fn read(bytes: &[u8], options: &ReadOptions) -> Result<Loaded> {
    read_kind(kind(bytes)?, bytes, options)
}

/// What a file is that begins so. Of a safetensors file the whole header must be there.
fn kind(front: &[u8]) -> Result<Kind> {
    match Magic::of(front) {
        Magic::Zip => Ok(Kind::Zip),
        #[cfg(feature = "keras")]
        Magic::Hdf5 => Ok(Kind::Hdf5),
        _ if safetensors::is_gradus(front) => {
            safetensors::check_front(front).map(|()| Kind::Gradus)
        }
        _ if safetensors::may_be(front) => Ok(Kind::PyTorch),
        #[cfg(feature = "onnx")]
        _ if onnx::may_be(front) => Ok(Kind::Onnx),
        _ => Err(invalid(format!(
            "no model that gradus reads: the file is {}; expected a model of gradus or PyTorch (.safetensors), ONNX (.onnx), Keras \
             3 (.keras, .weights.h5) or arrays (.npz)",
            magic::describe(front)
        ))),
    }
}

fn read_kind(kind: Kind, bytes: &[u8], options: &ReadOptions) -> Result<Loaded> {
    let told = |model, is_unprotected| Loaded { model, warnings: Vec::new(), is_unprotected };
    match kind {
        Kind::Gradus => {
            refuse(!options.activations.is_empty(), "an activation")?;
            refuse(options.transform.is_some(), "a normalization")?;
            let model = safetensors::model_from_bytes(bytes)?;
            Ok(told(model, !safetensors::has_digest(bytes)))
        }
        #[cfg(feature = "onnx")]
        Kind::Onnx => {
            refuse(!options.activations.is_empty(), "an activation")?;
            let model = onnx::parse(bytes, options.transform.as_ref())?;
            Ok(told(model, onnx::is_unprotected(bytes)))
        }
        Kind::PyTorch => pytorch::read_model(bytes, options)
            .map_err(|error| error.context("no model of gradus, nor a dense one of PyTorch"))
            .map(|model| assuming(model, options)),
        #[cfg(feature = "keras")]
        Kind::Hdf5 => keras::read_weights(bytes, options).map(|model| assuming(model, options)),
        Kind::Zip => read_zip(bytes, options),
    }
}

/// A model in an archive; what the archive holds tells its kind.
fn read_zip(bytes: &[u8], options: &ReadOptions) -> Result<Loaded> {
    #[cfg_attr(not(feature = "keras"), expect(unused_mut))]
    let mut archive = Archive::open(Cursor::new(bytes))?;
    archive.check_expansion()?;
    if archive.entries.iter().any(|entry| entry.name.ends_with("data.pkl")) {
        return Err(invalid(
            "a pickle of PyTorch (.pt), which could run any program; save the weights in PyTorch: \
             safetensors.torch.save_file(model.state_dict(), \"model.safetensors\")",
        ));
    }
    #[cfg(feature = "keras")]
    if archive.find(keras::CONFIG).is_some() {
        refuse(!options.activations.is_empty(), "an activation")?;
        let model = keras::read_model(&mut archive, options)?;
        return Ok(Loaded { model, warnings: Vec::new(), is_unprotected: false });
    }
    let model = npz::read_model(bytes, options)?;
    Ok(Loaded { is_unprotected: npz::is_unprotected(bytes)?, ..assuming(model, options) })
}

fn refuse(given: bool, what: &str) -> Result<()> {
    match given {
        false => Ok(()),
        true => Err(Error::argument(format!("{what} was given, but the file has its own"))),
    }
}

/// The model with what the user should know of a file that holds weights alone.
fn assuming(model: Model, options: &ReadOptions) -> Loaded {
    let mut warnings = Vec::new();
    if options.activations.is_empty() && model.network.linears().len() > 1 {
        warnings.push(
            "the file does not say which activation its hidden layers have: relu is assumed; \
             `activation` sets another"
                .to_owned(),
        );
    }
    if model.transform.is_identity() && options.transform.is_none() {
        warnings.push(
            "the file does not say how its inputs are normalized: raw values are assumed; \
             `normalize` MEAN,STD sets another"
                .to_owned(),
        );
    }
    Loaded { model, warnings, is_unprotected: false }
}
