//! Reads model files of every kind; the content of a file decides which.

use std::io::Cursor;
use std::path::Path;

use gradus_core::error::invalid;
use gradus_core::files::magic::{self, Magic};
use gradus_core::model_file::{open, read_rest, safetensors};

use super::foreign::{Foreign, name_classes};
#[cfg(feature = "keras")]
use super::keras;
#[cfg(feature = "onnx")]
use super::onnx;
use super::stack::ReadOptions;
use super::{npz, torch};
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
    /// A `.safetensors` file of another program.
    PyTorch,
    /// A pickle outside of an archive.
    Pickle,
    #[cfg(feature = "onnx")]
    Onnx,
    /// Distinguished by the content of the archive: `.npz`, `.keras`, `.pt`.
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
    read_kind(kind, &bytes, options, path.parent()).map_err(|error| error.context(path.display()))
}

/// Reads a model in memory, of any kind.
///
/// # Errors
/// As [`load_as`], except for those of reading a file; `InvalidData` for a model with weights in another file.
pub fn read(bytes: &[u8], options: &ReadOptions) -> Result<Loaded> {
    read_kind(kind(bytes)?, bytes, options, None)
}

/// What a file is that begins so. Of a safetensors file the whole header must be there.
fn kind(front: &[u8]) -> Result<Kind> {
    // First: the length of a header may be the first bytes of another kind.
    if safetensors::is_gradus(front) {
        return safetensors::check_front(front).map(|()| Kind::Gradus);
    }
    match Magic::of(front) {
        _ if safetensors::may_be(front) => Ok(Kind::PyTorch),
        Magic::Zip => Ok(Kind::Zip),
        Magic::Pickle => Ok(Kind::Pickle),
        #[cfg(feature = "keras")]
        Magic::Hdf5 => Ok(Kind::Hdf5),
        #[cfg(feature = "onnx")]
        _ if onnx::may_be(front) => Ok(Kind::Onnx),
        _ => Err(invalid(format!(
            "no model that gradus reads: the file is {}; expected a model of gradus \
             (.safetensors), PyTorch (.pt, .pth, .safetensors), ONNX (.onnx), Keras (.keras, .h5) or arrays \
             (.npz)",
            magic::describe(front)
        ))),
    }
}

/// The model in a file of that kind, which is in `folder`, if it is a file.
#[cfg_attr(not(feature = "onnx"), expect(unused_variables))]
fn read_kind(
    kind: Kind,
    bytes: &[u8],
    options: &ReadOptions,
    folder: Option<&Path>,
) -> Result<Loaded> {
    let (found, is_unprotected) = match kind {
        Kind::Gradus => {
            refuse(options.transform.is_some(), "normalization")?;
            let model = safetensors::model_from_bytes(bytes)?;
            let found = Foreign { has_class_names: true, ..Foreign::new(model) };
            (found, !safetensors::has_digest(bytes))
        }
        #[cfg(feature = "onnx")]
        Kind::Onnx => {
            let found = onnx::parse(bytes, options.transform.as_ref(), folder)?;
            (found, onnx::is_unprotected(bytes))
        }
        Kind::PyTorch => {
            let found = torch::read_safetensors(bytes, options)
                .map_err(|error| error.context("no model of gradus, nor a dense one of PyTorch"))?;
            (found, false)
        }
        Kind::Pickle => {
            let found = torch::read_old(bytes, options)
                .map_err(|error| error.context("no dense network of PyTorch"))?;
            (found, false)
        }
        #[cfg(feature = "keras")]
        Kind::Hdf5 => (keras::read_hdf5(bytes, options)?, false),
        Kind::Zip => read_zip(bytes, options)?,
    };
    finish(found, options).map(|loaded| Loaded { is_unprotected, ..loaded })
}

/// A model in an archive; what the archive holds tells its kind.
fn read_zip(bytes: &[u8], options: &ReadOptions) -> Result<(Foreign, bool)> {
    #[cfg_attr(not(feature = "keras"), expect(unused_mut))]
    let mut archive = Archive::open(Cursor::new(bytes))?;
    archive.check_expansion()?;
    if torch::is_exported_program(&archive) {
        return Err(invalid(
            "a program of torch.export (.pt2), which is not read; save the model in PyTorch as \
             torch.save(model, \"model.pt\"), or export it as .onnx",
        ));
    }
    if torch::is_archive(&archive) {
        let found = torch::read_archive(archive, bytes, options)
            .map_err(|error| error.context("no dense network of PyTorch"))?;
        return Ok((found, false));
    }
    #[cfg(feature = "keras")]
    if archive.find(keras::CONFIG).is_some() {
        return Ok((keras::read_model(&mut archive, options)?, false));
    }
    Ok((npz::read_model(bytes, options)?, npz::is_unprotected(bytes)?))
}

/// The model with what the options say, and what the user should know of what nobody says.
fn finish(found: Foreign, options: &ReadOptions) -> Result<Loaded> {
    let Foreign { mut model, mut warnings, has_class_names, has_activations, has_normalization } =
        found;
    refuse(has_activations && !options.activations.is_empty(), "activations")?;
    if !options.class_names.is_empty() {
        match has_class_names {
            true => refuse(true, "class names")?,
            false => name_classes(&mut model, &options.class_names)?,
        }
    }
    if !has_activations && options.activations.is_empty() && model.network.linears().len() > 1 {
        warnings.push(
            "the file does not say which activation its hidden layers have: relu is assumed; \
             `activation` sets another"
                .to_owned(),
        );
    }
    if !has_normalization && model.transform.is_identity() && options.transform.is_none() {
        warnings.push(
            "the file does not say how its inputs are normalized: raw values are assumed; \
             `normalize` MEAN,STD sets another"
                .to_owned(),
        );
    }
    Ok(Loaded { model, warnings, is_unprotected: false })
}

fn refuse(given: bool, what: &str) -> Result<()> {
    match given {
        false => Ok(()),
        true => Err(Error::argument(format!("the file has its own {what}, so none can be given"))),
    }
}
