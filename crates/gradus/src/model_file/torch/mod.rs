//! Models of PyTorch: files of `torch.save` (`.pt`, `.pth`), TorchScript, and `.safetensors` of a state
//! dictionary.
//!
//! | file | what it does |
//! |---|---|
//! | pickle.rs | the pickle in a file as data; nothing in it is called |
//! | tensor.rs, archive.rs | arrays, as places in the bytes of the file |
//! | ops.rs | operations in their order become a model |
//! | state.rs | a state dictionary becomes operations: names, numbers and sizes give the order |
//! | module.rs | a whole module becomes operations: its classes are known by name |
//! | script.rs | TorchScript becomes operations: its source is read, not run |

mod archive;
mod module;
mod ops;
mod pickle;
mod script;
mod state;
mod tensor;

use std::collections::HashMap;
use std::io::Cursor;

use ::safetensors::tensor::{Dtype, SafeTensors};
use gradus_core::error::invalid;
use gradus_core::model_file::{damaged, safetensors};

use super::foreign::Foreign;
use super::stack::ReadOptions;
use crate::data::zip::Archive;
use crate::error::Result;
use crate::network::Activation;
use archive::Storages;
use pickle::{Id, Node, Pickle};
use tensor::{Kind, Tensor};

/// The name of the pickle in an archive, after the name of the archive's folder.
const PICKLE: &str = "data.pkl";

/// The most bytes of a pickle: it has no weights in it.
const LARGEST_PICKLE: u64 = 32 << 20;

/// Names under which checkpoints have the model, the likeliest first.
const USUAL_NAMES: [&str; 9] = [
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net",
    "network",
    "weights",
    "params",
    "module",
];

/// How many entries of dictionaries are looked at for a model.
const MOST_ENTRIES: usize = 100_000;

/// How deep in dictionaries a model is looked for.
const MOST_NESTING: usize = 3;

/// The model of the weights in a `.safetensors` file.
///
/// # Errors
/// `InvalidData` if they are not those of dense layers, or their order is not clear.
pub(super) fn read_safetensors(bytes: &[u8], options: &ReadOptions) -> Result<Foreign> {
    safetensors::check_header(bytes)?;
    let tensors = SafeTensors::deserialize(bytes).map_err(damaged)?;
    let mut arrays = Vec::new();
    for (name, tensor) in tensors.iter() {
        let kind = match tensor.dtype() {
            Dtype::F32 => Kind::Single,
            Dtype::F64 => Kind::Double,
            Dtype::F16 => Kind::Half,
            Dtype::BF16 => Kind::Brain,
            // Counters, which no layer uses, or weights that no layer can have.
            _ if name.ends_with("num_batches_tracked") => continue,
            other => {
                return Err(invalid(format!(
                    "'{}' holds values of type {other}, expected F32, F64, F16 or BF16: model.float() before \
                     saving",
                    name.escape_debug()
                )));
            }
        };
        let shape = tensor.shape().to_vec();
        arrays.push((name.to_owned(), Tensor::contiguous(kind, shape, tensor.data())?));
    }
    of_state(arrays, false, options, bytes.len())
}

/// Whether an archive is one of PyTorch.
pub(super) fn is_archive(archive: &Archive<Cursor<&[u8]>>) -> bool {
    prefix(archive).is_some()
}

/// Whether an archive is of torch.export, which has neither of the forms that are read here.
pub(super) fn is_exported_program(archive: &Archive<Cursor<&[u8]>>) -> bool {
    archive.entries.iter().any(|entry| entry.name.ends_with("/archive_format"))
}

/// The folder in the archive, with the slash after it.
fn prefix(archive: &Archive<Cursor<&[u8]>>) -> Option<String> {
    let mut names = archive.entries.iter().filter_map(|entry| entry.name.strip_suffix(PICKLE));
    names.find(|name| name.is_empty() || name.ends_with('/')).map(str::to_owned)
}

/// The model in an archive of `torch.save`, or of TorchScript.
///
/// # Errors
/// `InvalidData` if it is damaged, an attack, or not a dense network.
pub(super) fn read_archive<'a>(
    mut archive: Archive<Cursor<&'a [u8]>>,
    bytes: &'a [u8],
    options: &ReadOptions,
) -> Result<Foreign> {
    let prefix = prefix(&archive).unwrap_or_default();
    let content = entry(&mut archive, &format!("{prefix}{PICKLE}"))?;
    if let Some(order) = archive.find(&format!("{prefix}byteorder"))
        && archive.read(&order)? != b"little"
    {
        return Err(invalid("its numbers are big-endian; save it on another machine"));
    }
    let (pickle, _) = Pickle::read(&content)?;
    if archive.find(&format!("{prefix}constants.pkl")).is_some() {
        let constants = entry(&mut archive, &format!("{prefix}constants.pkl"))?;
        let source = script::Source::read(&mut archive, &prefix)?;
        // What is read from the archive from here on are numbers alone.
        return of_script(archive, (&pickle, &constants, source), &prefix, options, bytes.len());
    }
    let storages = Storages::new(archive, format!("{prefix}data/"));
    of_pickle(&pickle, &storages, options, bytes.len())
}

fn entry(archive: &mut Archive<Cursor<&[u8]>>, name: &str) -> Result<Vec<u8>> {
    match archive.find(name) {
        Some(entry) if entry.size > LARGEST_PICKLE => {
            Err(invalid(format!("its {name} has {} bytes, at most 32 MiB are read", entry.size)))
        }
        Some(entry) => archive.read(&entry),
        None => Err(invalid(format!("the archive has no {name}"))),
    }
}

/// The model of a state dictionary.
fn of_state(
    arrays: Vec<(String, Tensor)>,
    in_order: bool,
    options: &ReadOptions,
    file: usize,
) -> Result<Foreign> {
    let state = state::read(arrays, in_order, options.hidden_activations())?;
    let mut found = ops::model(state.ops, options, file)?;
    let hidden = found.model.network.linears().len() > 1;
    found.has_activations = hidden && !state.assumes_activations;
    found.has_normalization = false;
    found.warnings.extend(state.warnings);
    Ok(found)
}

/// What a pickle has for a model.
enum Part<'p, 'a> {
    Module(Id),
    State(Vec<(String, Tensor<'a>)>),
    /// Several, by name.
    Several(Vec<(&'p str, Part<'p, 'a>)>),
    None,
}

/// The model in a pickle: a module, a state dictionary, or a dictionary with one of them.
fn of_pickle(
    pickle: &Pickle,
    storages: &Storages,
    options: &ReadOptions,
    file: usize,
) -> Result<Foreign> {
    match part(pickle, storages, pickle.root, 0, &mut { MOST_ENTRIES })? {
        Part::State(arrays) => of_state(arrays, true, options, file),
        Part::Module(module) => of_module(pickle, storages, module, options, file),
        Part::Several(parts) => {
            let names: Vec<String> =
                parts.iter().map(|(name, _)| name.escape_debug().to_string()).collect();
            Err(invalid(format!(
                "it has several models: {}; save one of them alone, as \
                 torch.save(model.state_dict(), \"model.pt\") does",
                names.join(", ")
            )))
        }
        Part::None => Err(invalid(
            "a file of torch.save without a model: expected a state dictionary, a dictionary with one, or a module, \
             as torch.save(model.state_dict(), \"model.pt\") and torch.save(model, \"model.pt\") write them",
        )),
    }
}

/// Looks for a model in a value.
fn part<'p, 'a>(
    pickle: &Pickle<'p>,
    storages: &Storages<'a>,
    id: Id,
    depth: usize,
    left: &mut usize,
) -> Result<Part<'p, 'a>> {
    if let Some(object) = pickle.object(id) {
        return Ok(match module::is_module(pickle, object) {
            true => Part::Module(id),
            false => Part::None,
        });
    }
    if !matches!(pickle.node(id), Node::Dict(_)) || depth > MOST_NESTING {
        return Ok(Part::None);
    }
    let mut arrays = Vec::new();
    let mut nested = Vec::new();
    let entries = pickle.entries(id);
    // A dictionary may be an entry of others again and again.
    *left = left.checked_sub(entries.len()).ok_or_else(|| {
        invalid(format!("it has more than {MOST_ENTRIES} entries in dictionaries of dictionaries"))
    })?;
    for (name, value) in entries {
        let context =
            |error: crate::error::Error| error.context(format!("'{}'", name.escape_debug()));
        match storages.tensor(pickle, value).map_err(context)? {
            Some(tensor) => arrays.push((name.to_owned(), tensor)),
            None => nested.push((name, value)),
        }
    }
    if arrays.iter().any(|(name, _)| name.ends_with("weight")) {
        return Ok(Part::State(arrays));
    }
    let mut parts = Vec::new();
    for (name, value) in nested {
        match part(pickle, storages, value, depth + 1, left)? {
            Part::None => {}
            found => parts.push((name, found)),
        }
    }
    let usual = USUAL_NAMES.iter().find_map(|usual| parts.iter().position(|it| it.0 == *usual));
    Ok(match (parts.len(), usual) {
        (0, _) => Part::None,
        (1, _) => parts.remove(0).1,
        (_, Some(at)) => parts.swap_remove(at).1,
        (_, None) => Part::Several(parts),
    })
}

fn of_module(
    pickle: &Pickle,
    storages: &Storages,
    id: Id,
    options: &ReadOptions,
    file: usize,
) -> Result<Foreign> {
    let module::Modules { mut ops, lacks_activations, warnings } =
        module::read(pickle, storages, id)?;
    if lacks_activations {
        ops = between(ops, options.hidden_activations())?;
    }
    let mut found = ops::model(ops, options, file)?;
    found.has_activations = !lacks_activations;
    found.has_normalization = false;
    found.warnings.extend(warnings);
    Ok(found)
}

/// Puts the activations between dense layers that follow each other.
fn between<'a>(
    ops: Vec<(String, ops::Op<'a>)>,
    activations: &[Activation],
) -> Result<Vec<(String, ops::Op<'a>)>> {
    let is_linear = |ops: &[(String, ops::Op)]| {
        matches!(ops, [(_, ops::Op::Linear(..)), (_, ops::Op::Linear(..))])
    };
    let places: Vec<bool> =
        (0..ops.len()).map(|at| ops.get(at..at + 2).is_some_and(is_linear)).collect();
    let count = places.iter().filter(|&&place| place).count();
    crate::network::check_activations(activations, count)?;
    let mut all = Vec::new();
    let mut number = 0;
    for (op, place) in ops.into_iter().zip(places) {
        all.push(op);
        if place {
            let activation = activations[number % activations.len()];
            all.push((String::new(), ops::Op::Activation(activation)));
            number += 1;
        }
    }
    Ok(all)
}

/// The first bytes of a file of before PyTorch 1.6: a pickle of this number.
const OLD_MARK: [u8; 14] =
    [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// The model in a pickle outside of an archive, as PyTorch wrote it before 1.6: pickles one after the other, and
/// then the storages, each with its length before it.
///
/// # Errors
/// As [`read_archive`]; `InvalidData` for a pickle that PyTorch did not write.
pub(super) fn read_old(bytes: &[u8], options: &ReadOptions) -> Result<Foreign> {
    if !bytes.starts_with(&OLD_MARK) {
        // What it calls is named, if it is an attack.
        Pickle::read(bytes)?;
        return Err(invalid(
            "a pickle that PyTorch did not write; a model of PyTorch is saved with torch.save, one of scikit-learn exported with \
             skl2onnx, and arrays are saved with numpy.savez(\"model.npz\", *weights)",
        ));
    }
    let mut at = 0;
    let mut next = || -> Result<Pickle> {
        let (pickle, length) = Pickle::read(&bytes[at..])?;
        at += length;
        Ok(pickle)
    };
    // The mark, the version of the format, and sizes of the machine's integers.
    for _ in 0..3 {
        next()?;
    }
    let (model, keys) = (next()?, next()?);
    let sizes = archive::storage_sizes(&model);
    let mut rest = &bytes[at..];
    let mut parts = HashMap::new();
    let truncated = || invalid("it is truncated: a storage is missing; copy the file again");
    for key in keys.elements(keys.root).unwrap_or_default().iter().filter_map(|&id| keys.text(id)) {
        let (count, after) = rest.split_first_chunk::<8>().ok_or_else(truncated)?;
        let size = sizes.get(key).copied().unwrap_or(1) as u64;
        let length = u64::from_le_bytes(*count).checked_mul(size);
        let length =
            length.and_then(|length| usize::try_from(length).ok()).ok_or_else(truncated)?;
        let (storage, after) = after.split_at_checked(length).ok_or_else(truncated)?;
        parts.insert(key.to_owned(), storage);
        rest = after;
    }
    of_pickle(&model, &Storages::Parts(parts), options, bytes.len())
}

/// The model of a TorchScript archive.
fn of_script(
    archive: Archive<Cursor<&[u8]>>,
    (pickle, constants, source): (&Pickle, &[u8], script::Source),
    prefix: &str,
    options: &ReadOptions,
    file: usize,
) -> Result<Foreign> {
    let (constants, _) = Pickle::read(constants)?;
    // Both kinds of arrays come from one archive, whose entries are found by their whole names.
    let storages = Storages::new(archive, format!("{prefix}data/"));
    let frozen = storages.beside(format!("{prefix}constants/"));
    let ops = script::read(&source, (pickle, &storages), (&constants, &frozen))?;
    let mut found = ops::model(ops, options, file)?;
    found.has_normalization = false;
    Ok(found)
}
