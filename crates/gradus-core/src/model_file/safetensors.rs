//! The model file: a [`Model`] to the bytes of a safetensors file, and back.
//!
//! The file is a length (`u64`, little-endian), a JSON header of that length, and the weights. They
//! are named and laid out as PyTorch's `nn.Sequential` has them: `0.weight` as `[outputs x
//! inputs]`, `0.bias`, `2.weight`, ...; the number is the layer's position. Those of
//! the other members of a bag follow `members.1.`, `members.2.`, ... Everything else stands
//! in the header's `__metadata__` (`metadata.rs`). The header is written here because the
//! safetensors library writes the metadata in another order each time, and the same classifier
//! must give the same bytes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

use ::safetensors::tensor::{Dtype, SafeTensors, TensorInfo};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::digest;
use super::metadata::{self, Metadata, damaged};
use crate::error::{Error, Result, invalid};
use crate::files::{json, magic};
use crate::model::{Classifier, Model};
use crate::network::{Layer, Linear, Network, Tensor};

/// The longest header that the safetensors format allows.
const LONGEST_HEADER: usize = 100_000_000;

/// The most values that the JSON of a header has; each tensor has seven. Lists in the metadata are texts.
const MOST_HEADER_VALUES: usize = 200_000;

/// Bytes of the length before the header.
const LENGTH: usize = 8;

/// The header: every key but the first is the name of a tensor.
#[derive(Serialize, Deserialize)]
struct Header {
    #[serde(rename = "__metadata__", default)]
    metadata: Metadata,
    #[serde(flatten)]
    tensors: BTreeMap<String, TensorInfo>,
}

/// What a file may hold besides the model: a checkpoint's state of the run. Whoever wants the model
/// alone reads past it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Extras {
    /// Vectors by name; in the file each name follows `checkpoint.`.
    pub tensors: BTreeMap<String, Vec<f32>>,
    /// A JSON text, the metadata's key `checkpoint`; empty for none.
    pub text: String,
}

/// What the names of extra tensors begin with.
const EXTRA: &str = "checkpoint.";

/// The key of the extra text.
const EXTRA_TEXT: &str = "checkpoint";

/// The model file of this model.
///
/// # Errors
/// `InvalidArgument` if the parts of the model do not fit together, a number in it is not
/// finite, or the header would be longer than the format allows.
pub fn to_bytes(model: &Model) -> Result<Vec<u8>> {
    to_bytes_with(model, &Extras::default())
}

/// The model file of this model with more in it.
///
/// # Errors
/// As [`to_bytes`].
pub fn to_bytes_with(model: &Model, extras: &Extras) -> Result<Vec<u8>> {
    let context = |error: Error| error.context("this model cannot be saved");
    metadata::check(model).map_err(context)?;
    let mut tensors = BTreeMap::new();
    let parameters = model.network.parameters().len();
    let mut data: Vec<u8> = Vec::with_capacity(4 * parameters * model.members());
    let mut add = |name: String, shape: Vec<usize>, values: &mut dyn Iterator<Item = &f32>| {
        let start = data.len();
        data.extend(values.flat_map(|value| value.to_le_bytes()));
        let data_offsets = (start, data.len());
        tensors.insert(name, TensorInfo { dtype: Dtype::F32, shape, data_offsets });
    };
    for (member, network) in model.networks().enumerate() {
        let prefix = prefix(member);
        for Tensor { name, shape, range, .. } in column_tensors(network.layers()) {
            let values = &mut network.parameters()[range].iter();
            add(format!("{prefix}{name}"), shape.to_vec(), values);
        }
        for (position, linear) in linears(network.layers()) {
            let Linear { inputs, outputs, .. } = linear;
            let weight = &network.parameters()[linear.weight()];
            let bias = &network.parameters()[linear.bias()];
            let mut transposed =
                (0..outputs).flat_map(|at| weight.iter().skip(at).step_by(outputs));
            add(format!("{prefix}{position}.weight"), vec![outputs, inputs], &mut transposed);
            add(format!("{prefix}{position}.bias"), vec![outputs], &mut bias.iter());
        }
        for (position, layer) in network.layers().iter().enumerate() {
            let Layer::Parametric(parametric) = layer else { continue };
            let strengths = &network.parameters()[parametric.strengths()];
            let name = format!("{prefix}{position}.strength");
            add(name, vec![strengths.len()], &mut strengths.iter());
        }
    }
    for (name, values) in &extras.tensors {
        add(format!("{EXTRA}{name}"), vec![values.len()], &mut values.iter());
    }
    let mut metadata = metadata::write(model).map_err(context)?;
    if !extras.text.is_empty() {
        metadata.insert(EXTRA_TEXT.into(), extras.text.clone());
    }
    let digest = content_digest(&metadata, &tensors, &data);
    metadata.insert(digest::KEY.into(), digest);
    let header = Header { metadata, tensors };
    let header = serde_json::to_string(&header).map_err(|error| Error::argument(error.to_string()));
    let mut header = header.map_err(context)?.into_bytes();
    // The weights begin at a multiple of eight.
    header.resize(header.len().next_multiple_of(LENGTH), b' ');
    if header.len() > LONGEST_HEADER {
        let length = header.len();
        return Err(context(Error::argument(format!(
            "its names and normalization take {length} bytes, and the format allows {LONGEST_HEADER}"
        ))));
    }
    Ok([&(header.len() as u64).to_le_bytes()[..], &header, &data].concat())
}

/// The classifier in the bytes of a model file. Memory is taken only for what the bytes hold.
///
/// # Errors
/// `InvalidData` if they are not a gradus model, are damaged, or come from a newer gradus;
/// `InvalidArgument` if the model is not a classifier.
pub fn from_bytes(bytes: &[u8]) -> Result<Classifier> {
    model_from_bytes(bytes)?.into_classifier()
}

/// The classifier or regressor in the bytes of a model file.
///
/// # Errors
/// `InvalidData` as [`from_bytes`].
pub fn model_from_bytes(bytes: &[u8]) -> Result<Model> {
    from_bytes_with(bytes).map(|(model, _)| model)
}

/// The model in the bytes of a model file, and what else is there.
///
/// # Errors
/// `InvalidData` as [`from_bytes`].
pub fn from_bytes_with(bytes: &[u8]) -> Result<(Model, Extras)> {
    let (header, data) = split(bytes)?;
    metadata::check_version(&header.metadata)?;
    let promised = header.tensors.values().map(|info| info.data_offsets.1).max().unwrap_or(0);
    if promised != data.len() {
        let found = data.len();
        return Err(damaged(format!(
            "the header promises {promised} bytes of weights, but {found} are there"
        )));
    }
    check_digest(&header, data)?;
    // Holes, overlaps and sizes that contradict the shapes are refused here.
    let tensors = SafeTensors::deserialize(bytes).map_err(damaged)?;
    let layers = metadata::read_layers(&header.metadata)?;
    let members = metadata::read_members(&header.metadata)?;
    let of_member =
        column_tensors(&layers).len() + 2 * linears(&layers).count() + parametric(&layers).count();
    let count = members * of_member;
    let stored = (0..members).map(|member| Stored::find(&tensors, &layers, member));
    let stored = stored.collect::<Result<Vec<_>>>()?;
    let mut extras = Extras::default();
    for (name, info) in &header.tensors {
        if let Some(name) = name.strip_prefix(EXTRA) {
            let values = tensor(&tensors, &format!("{EXTRA}{name}"), &info.shape)?;
            extras.tensors.insert(name.to_owned(), floats(values).collect());
        }
    }
    extras.text = header.metadata.get(EXTRA_TEXT).cloned().unwrap_or_default();
    let found = tensors.len() - extras.tensors.len();
    if found != count {
        return Err(damaged(format!("it holds {found} tensors, but its layers need {count}")));
    }
    // Memory is only allocated now that every layer was found in the file with its full size.
    let network = Network::from_layers(layers).map_err(damaged)?;
    let networks = stored.into_iter().map(|stored| stored.fill(network.clone())).collect();
    Ok((metadata::read(&header.metadata, networks)?, extras))
}

/// The bytes of the parameters of one network in a file.
struct Stored<'a> {
    embeddings: Vec<(Range<usize>, &'a [u8])>,
    /// Of each linear layer weight and bias.
    weights: Vec<(&'a [u8], &'a [u8])>,
    /// Strengths of activations, by the position of their layer.
    strengths: Vec<(usize, &'a [u8])>,
}

impl<'a> Stored<'a> {
    /// Those of a member.
    fn find(tensors: &SafeTensors<'a>, layers: &[Layer], member: usize) -> Result<Stored<'a>> {
        let prefix = prefix(member);
        let (mut embeddings, mut weights) = (Vec::new(), Vec::new());
        for Tensor { name, shape, range, .. } in column_tensors(layers) {
            embeddings.push((range, tensor(tensors, &format!("{prefix}{name}"), &shape)?));
        }
        for (position, linear) in linears(layers) {
            let Linear { inputs, outputs, .. } = linear;
            let weight =
                tensor(tensors, &format!("{prefix}{position}.weight"), &[outputs, inputs])?;
            let bias = tensor(tensors, &format!("{prefix}{position}.bias"), &[outputs])?;
            weights.push((weight, bias));
        }
        let mut strengths = Vec::new();
        for (position, units) in parametric(layers) {
            let name = format!("{prefix}{position}.strength");
            strengths.push((position, tensor(tensors, &name, &[units])?));
        }
        Ok(Stored { embeddings, weights, strengths })
    }

    /// Gives them to a network of the same layers.
    fn fill(self, mut network: Network) -> Network {
        for (range, values) in self.embeddings {
            let target = network.parameters_mut()[range].iter_mut();
            target.zip(floats(values)).for_each(|(to, from)| *to = from);
        }
        for (position, values) in self.strengths {
            let Layer::Parametric(parametric) = network.layers()[position] else { continue };
            let target = network.parameters_mut()[parametric.strengths()].iter_mut();
            target.zip(floats(values)).for_each(|(to, from)| *to = from);
        }
        for (index, (weight, bias)) in self.weights.into_iter().enumerate() {
            let Linear { inputs, outputs, .. } = network.linears()[index];
            let target = network.weight_mut(index);
            for (at, value) in floats(weight).enumerate() {
                target[at % inputs * outputs + at / inputs] = value;
            }
            network.bias_mut(index).iter_mut().zip(floats(bias)).for_each(|(to, from)| *to = from);
        }
        network
    }
}

/// What the names of a member's tensors begin with: nothing for the first, or a single network.
fn prefix(member: usize) -> String {
    if member == 0 { String::new() } else { format!("members.{member}.") }
}

/// SHA-256 of the metadata and the tensors, as 64 hexadecimal digits: of each metadata entry but the
/// digest itself, in the order of their keys, the key, a zero byte, the value and a zero byte; then of
/// each tensor, in the order of their names, the name, a zero byte, the type and the sizes of its
/// dimensions as text with a zero byte after each, and its bytes.
fn content_digest(
    metadata: &Metadata,
    tensors: &BTreeMap<String, TensorInfo>,
    data: &[u8],
) -> String {
    let mut hash = Sha256::new();
    let add = |hash: &mut Sha256, text: &str| {
        hash.update(text.as_bytes());
        hash.update([0]);
    };
    for (key, value) in metadata.iter().filter(|(key, _)| *key != digest::KEY) {
        add(&mut hash, key);
        add(&mut hash, value);
    }
    for (name, info) in tensors {
        add(&mut hash, name);
        add(&mut hash, &info.dtype.to_string());
        info.shape.iter().for_each(|size| add(&mut hash, &size.to_string()));
        let (start, end) = info.data_offsets;
        hash.update(data.get(start..end).unwrap_or_default());
    }
    digest::hex(hash)
}

/// Checks the digest; a file of version 0.1.0 has none.
fn check_digest(header: &Header, data: &[u8]) -> Result<()> {
    let Some(stored) = header.metadata.get(digest::KEY) else {
        // A flipped bit in the key itself must not switch the check off.
        return match header.metadata.contains_key(metadata::INPUTS) {
            false => Ok(()),
            true => Err(digest::missing()),
        };
    };
    match *stored == content_digest(&header.metadata, &header.tensors, data) {
        true => Ok(()),
        false => Err(digest::mismatch()),
    }
}

/// Whether the file of a gradus model has a digest of its content; one of version 0.1.0 has none.
#[doc(hidden)] // for the other crates of gradus
pub fn has_digest(front: &[u8]) -> bool {
    split(front).is_ok_and(|(header, _)| header.metadata.contains_key(digest::KEY))
}

/// Reads the length and the header of a file, and nothing after them. Of a stranger come as many
/// bytes as tell what it is.
pub fn read_front(file: &mut File, path: &Path) -> Result<Vec<u8>> {
    let mut front = Vec::new();
    let mut read = |total: usize, front: &mut Vec<u8>| {
        let missing = total.saturating_sub(front.len()) as u64;
        let result = file.by_ref().take(missing).read_to_end(front);
        result.map_err(|source| Error::io("read", path, source))
    };
    read(LENGTH + 1, &mut front)?;
    if let Ok(length) = header_length(&front) {
        read(LENGTH + length, &mut front)?;
    }
    Ok(front)
}

/// Whether a file that begins so is a safetensors file.
pub fn may_be(front: &[u8]) -> bool {
    header_length(front).is_ok()
}

/// Whether these first bytes of a file are those of a gradus model of any version.
pub fn is_gradus(front: &[u8]) -> bool {
    split(front).is_ok_and(|(header, _)| metadata::is_gradus(&header.metadata))
}

/// Checks that a safetensors file has no more tensors than memory is taken for; that the rest of its header
/// is right is for its reader to find out.
pub fn check_header(bytes: &[u8]) -> Result<()> {
    let header = bytes[LENGTH..].get(..header_length(bytes)?).unwrap_or_default();
    json::check_count(header, MOST_HEADER_VALUES).map_err(damaged)
}

/// Checks that these first bytes are those of a gradus model that this program reads.
pub fn check_front(front: &[u8]) -> Result<()> {
    split(front).and_then(|(header, _)| metadata::check_version(&header.metadata))
}

/// The header, and the bytes after it.
fn split(bytes: &[u8]) -> Result<(Header, &[u8])> {
    let length = header_length(bytes)?;
    let Some((header, data)) = bytes[LENGTH..].split_at_checked(length) else {
        return Err(damaged(format!(
            "it is truncated: the header should have {length} bytes, {} are there",
            bytes.len() - LENGTH
        )));
    };
    let header = json::parse_at_most(header, MOST_HEADER_VALUES)
        .map_err(|error| damaged(format!("its header cannot be read: {error}")))?;
    Ok((header, data))
}

/// The length that a safetensors file begins with. Only a file whose ninth byte opens a JSON object
/// and whose length is possible is one.
fn header_length(bytes: &[u8]) -> Result<usize> {
    if let Some((length, [b'{', ..])) = bytes.split_first_chunk::<LENGTH>()
        && let Ok(length) = usize::try_from(u64::from_le_bytes(*length))
        && length <= LONGEST_HEADER
    {
        return Ok(length);
    }
    Err(invalid(format!(
        "not a gradus model: the file is {}; expected a .safetensors file written by gradus",
        magic::describe(bytes)
    )))
}

/// The linear layers and their positions among all layers.
fn linears(layers: &[Layer]) -> impl Iterator<Item = (usize, Linear)> {
    layers.iter().enumerate().filter_map(|(position, layer)| match layer {
        Layer::Linear(linear) => Some((position, *linear)),
        Layer::Columns(_) | Layer::Activation(_) | Layer::Parametric(_) => None,
    })
}

/// The positions of activations with strengths among all layers, and the number of units of each.
fn parametric(layers: &[Layer]) -> impl Iterator<Item = (usize, usize)> {
    layers.windows(2).enumerate().filter_map(|(position, pair)| match pair {
        [Layer::Linear(linear), Layer::Parametric(_)] => Some((position + 1, linear.outputs)),
        _ => None,
    })
}

/// The tensors of the layer of columns, if there is one; their parameters are the first of the network.
fn column_tensors(layers: &[Layer]) -> Vec<Tensor> {
    match layers.first() {
        Some(Layer::Columns(columns)) => columns.tensors(0),
        _ => Vec::new(),
    }
}

/// The bytes of the tensor of that name, which must have that shape.
fn tensor<'a>(tensors: &SafeTensors<'a>, name: &str, shape: &[usize]) -> Result<&'a [u8]> {
    let tensor = tensors
        .tensor(name)
        .map_err(|_| damaged(format!("the tensor {name} of shape {shape:?} is missing")))?;
    if tensor.shape() != shape || tensor.dtype() != Dtype::F32 {
        return Err(damaged(format!(
            "the tensor {name} has shape {:?} and type {}, expected {shape:?} and F32",
            tensor.shape(),
            tensor.dtype()
        )));
    }
    Ok(tensor.data())
}

fn floats(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.as_chunks::<4>().0.iter().map(|&value| f32::from_le_bytes(value))
}
