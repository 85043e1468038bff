//! Weights in files beside the model ("external data"), as exporters of PyTorch write them: a graph in, the
//! same graph with all values in it out.
//!
//! A model may come from anybody, and the names in it with it. A name leads to a plain file in the model's own
//! folder or below it, and to no other; each byte of such a file is read once.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use gradus_core::error::invalid;
use gradus_core::files::reading;

use super::constants::element_size;
use super::messages::{Graph, Tensor};
use crate::error::{Error, Result};

/// An open file of weights, and how many of its bytes were not read yet.
struct Source {
    path: PathBuf,
    file: File,
    size: u64,
    left: u64,
}

/// Reads the values that stand in files beside the model, which is in `folder`. Returns how many bytes they are.
///
/// # Errors
/// `InvalidData` if a file is missing, lies elsewhere, or is smaller than the graph says.
pub(super) fn load(graph: &mut Graph, folder: &Path) -> Result<usize> {
    let attributes = graph.node.iter_mut().flat_map(|node| &mut node.attribute);
    let tensors = graph.initializer.iter_mut().chain(attributes.filter_map(|it| it.t.as_mut()));
    let mut sources = HashMap::new();
    let mut total = 0;
    for tensor in tensors.filter(|tensor| tensor.is_external()) {
        total += fill(tensor, folder, &mut sources)
            .map_err(|error| error.context(format!("the weights '{}'", tensor.name)))?;
    }
    Ok(total)
}

fn fill(
    tensor: &mut Tensor,
    folder: &Path,
    sources: &mut HashMap<String, Source>,
) -> Result<usize> {
    let Some(location) = tensor.external("location") else {
        return Err(invalid("they stand in another file, which is not named"));
    };
    let number = |key| match tensor.external(key).map(str::parse) {
        None => Ok(None),
        Some(Ok(number)) => Ok(Some(number)),
        Some(Err(_)) => Err(invalid(format!("their {key} in '{location}' is not a whole number"))),
    };
    let (offset, length): (Option<u64>, Option<u64>) = (number("offset")?, number("length")?);
    let promised = promised(tensor)?;
    if let Some(length) = length
        && length != promised
    {
        return Err(invalid(format!(
            "their shape promises {promised} bytes, but their length in '{location}' is {length}"
        )));
    }
    if !sources.contains_key(location) {
        sources.insert(location.to_owned(), open(folder, location)?);
    }
    let Some(source) = sources.get_mut(location) else { return Ok(0) };
    let (offset, size) = (offset.unwrap_or(0), source.size);
    if offset.checked_add(promised).is_none_or(|end| end > size) {
        return Err(invalid(format!(
            "they should be {promised} bytes from byte {offset} of {}, which has {size}: it is not \
             the file that belongs to this model, or it is truncated",
            source.path.display()
        )));
    }
    // An array may have many names: without this, a small file would fill the memory.
    source.left = source.left.checked_sub(promised).ok_or_else(|| {
        invalid(format!(
            "the graph has more weights than the {size} bytes of {} hold",
            source.path.display()
        ))
    })?;
    let mut bytes = vec![0; promised as usize];
    let read = source.file.seek(SeekFrom::Start(offset));
    read.and_then(|_| source.file.read_exact(&mut bytes))
        .map_err(|error| Error::io("read", &source.path, error))?;
    tensor.raw_data = bytes;
    tensor.data_location = 0;
    Ok(promised as usize)
}

/// How many bytes the values take.
fn promised(tensor: &Tensor) -> Result<u64> {
    let size = element_size(tensor.data_type)?;
    let mut sizes = tensor.dims.iter().map(|&size| u64::try_from(size).ok());
    sizes
        .try_fold(size, |product, size| product.checked_mul(size?))
        .ok_or_else(|| invalid(format!("their shape is {:?}", tensor.dims)))
}

/// Opens the file of that name in the folder.
fn open(folder: &Path, location: &str) -> Result<Source> {
    let elsewhere = || {
        invalid(format!(
            "they stand in '{location}', which is not in the folder of the model: only files there \
             are read"
        ))
    };
    let name = Path::new(location);
    let parts: Vec<_> = name.components().filter(|part| *part != Component::CurDir).collect();
    let plain = parts.iter().all(|part| matches!(part, Component::Normal(_)));
    if parts.is_empty() || !plain || location.contains(['\\', '\0']) {
        return Err(elsewhere());
    }
    let folder = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    let missing = |error| {
        let path = folder.join(name);
        Error::io("read", &path, error)
            .context("they stand in another file; keep both files in one folder")
    };
    // Links are followed first, so that none leads out of the folder.
    let home = folder.canonicalize().map_err(missing)?;
    let path = home.join(name).canonicalize().map_err(missing)?;
    if !path.starts_with(&home) {
        return Err(elsewhere());
    }
    if reading::is_special(&path) || path.is_dir() {
        return Err(Error::data(&path, "this is no plain file, as weights of a model are"));
    }
    let file = reading::open(&path)?;
    let size = file.metadata().map_err(|error| Error::io("read", &path, error))?.len();
    Ok(Source { path, file, size, left: size })
}
