//! Arrays of an HDF5 file in the layout of Keras 3's weights, `layers/dense/vars/0`, `1`, ..., and in that of
//! Keras 2, `model_weights/NAME/NAME/kernel:0`, ..., whose files have the configuration, too.
//!
//! The reader gets no more memory than the file has bytes, but for what it reserves by the number of messages that an
//! object's header names: at most 9 MB, given back before the next header is read.

use gradus_core::error::invalid;
use gradus_core::model_file::damaged;
use hdf5_reader::error::Error;
use hdf5_reader::group::Group;
use hdf5_reader::{ByteOrder, Dataset, Datatype, Hdf5File, OpenOptions};

use crate::data::{Array, Values};
use crate::error::Result;
use crate::model_file::halves::{brain_to_single, half_to_single};

/// The attribute in which files of Keras 2 have the layers.
const CONFIG: &str = "model_config";

/// How deep in groups the arrays of a layer of Keras 2 may stand, and how many groups a layer may have.
const MOST_DEPTH: usize = 8;
const MOST_GROUPS: usize = 64;

/// The arrays of layers of Keras 2, in the order in which Keras 3 numbers them.
const NAMES: [&str; 9] = [
    "kernel",
    "gamma",
    "alpha",
    "bias",
    "beta",
    "moving_mean",
    "mean",
    "moving_variance",
    "variance",
];

/// An open file of weights.
pub(super) struct Weights {
    layers: Group,
    /// Whether the layers go by the names that the user gave them, as in files of Keras 2.
    pub(super) by_name: bool,
    /// Whether an array of half precision was read.
    pub(super) has_halves: bool,
    /// Bytes of values that the file can still hold besides those that were read.
    left: usize,
}

impl Weights {
    /// Opens the file in these bytes.
    ///
    /// # Errors
    /// `InvalidData` if it is damaged, or not laid out as Keras does.
    pub(super) fn open(bytes: &[u8]) -> Result<Weights> {
        let length = bytes.len();
        let file = Hdf5File::from_bytes_with_options(bytes, limits(length)).map_err(damaged)?;
        let root = file.root_group().map_err(damaged)?;
        let (groups, _) = root.member_names().map_err(damaged)?;
        let has = |name: &str| groups.iter().any(|group| group == name);
        let (layers, by_name) = if has("layers") {
            (root.group("layers").map_err(damaged)?, false)
        } else if has("model_weights") {
            (root.group("model_weights").map_err(damaged)?, true)
        } else if attribute(&root, "layer_names")?.is_some() {
            // Of save_weights in Keras 2: the layers alone.
            (root, true)
        } else {
            return Err(invalid(
                "an HDF5 file, but without the layers of a Keras model; in Keras: \
                 model.save(\"model.keras\"), or numpy.savez(\"model.npz\", *model.get_weights())",
            ));
        };
        Ok(Weights { layers, by_name, has_halves: false, left: length })
    }

    /// The configuration of the model in a file of Keras 2; none in files of weights.
    ///
    /// # Errors
    /// `InvalidData` if the file is damaged.
    pub(super) fn config(bytes: &[u8]) -> Result<Option<Vec<u8>>> {
        let file =
            Hdf5File::from_bytes_with_options(bytes, limits(bytes.len())).map_err(damaged)?;
        attribute(&file.root_group().map_err(damaged)?, CONFIG)
    }

    /// The names of the layers, by the numbers at their ends: `dense`, `dense_1`, `dense_2`, ...
    pub(super) fn names(&self) -> Result<Vec<String>> {
        let (mut names, _) = self.layers.member_names().map_err(damaged)?;
        names.sort_by_cached_key(|name| match name.rsplit_once('_') {
            Some((stem, number)) if number.parse::<u64>().is_ok() => {
                (stem.to_owned(), number.parse().unwrap_or(0))
            }
            _ => (name.clone(), 0),
        });
        Ok(names)
    }

    /// The arrays of a layer in their order.
    ///
    /// # Errors
    /// `InvalidData` if they are damaged, or more than the file can hold: an array may have many
    /// names.
    pub(super) fn arrays(&mut self, layer: &str) -> Result<Vec<Array>> {
        let wrong = |error: Error| damaged(format!("layer '{layer}' in its HDF5 part: {error}"));
        let mut arrays = Vec::new();
        for data in self.variables(layer).map_err(wrong)? {
            // A layer may have counters besides its weights; they are not floats.
            if data.ndim() == 0 {
                continue;
            }
            let bytes = data.raw_byte_len().map_err(wrong)?;
            self.left = self
                .left
                .checked_sub(bytes)
                .ok_or_else(|| damaged("its arrays are more than the file can hold"))?;
            self.has_halves |= is_half(&data);
            arrays.push(array(&data).map_err(|error| error.context(format!("layer '{layer}'")))?);
        }
        Ok(arrays)
    }

    /// The arrays of a layer, not read yet.
    fn variables(&self, layer: &str) -> std::result::Result<Vec<Dataset>, Error> {
        if !self.by_name {
            let variables = self.layers.group(layer)?.group("vars")?;
            let count = variables.member_names()?.1.len();
            return (0..count).map(|number| variables.dataset(&number.to_string())).collect();
        }
        // The arrays stand in groups that repeat the names of the model and the layer.
        let mut found = Vec::new();
        let mut groups = vec![(self.layers.group(layer)?, 0)];
        let mut seen = 0;
        while let Some((group, depth)) = groups.pop() {
            seen += 1;
            if depth > MOST_DEPTH || seen > MOST_GROUPS {
                return Err(Error::InvalidData(format!("more than {MOST_GROUPS} groups")));
            }
            let (inner, names) = group.member_names()?;
            for name in inner {
                groups.push((group.group(&name)?, depth + 1));
            }
            for name in names {
                let plain = name.split(':').next().unwrap_or_default();
                if let Some(place) = NAMES.iter().position(|known| *known == plain) {
                    found.push((place, group.dataset(&name)?));
                }
            }
        }
        found.sort_by_key(|(place, _)| *place);
        Ok(found.into_iter().map(|(_, data)| data).collect())
    }
}

/// The reader gets no more memory than the file has bytes.
fn limits(length: usize) -> OpenOptions {
    OpenOptions::default()
        .with_max_read_bytes(length)
        .with_max_chunk_bytes(length)
        .with_max_object_header_bytes(length)
        .with_chunk_cache_bytes(0)
        .with_chunk_cache_slots(1)
}

/// The bytes of the attribute of that name, a text of either kind. Only this one is decoded: an attribute of many
/// texts may repeat one, and take far more memory than the file.
fn attribute(group: &Group, name: &str) -> Result<Option<Vec<u8>>> {
    let attributes = group.raw_attributes().map_err(damaged)?;
    let Some(found) = attributes.iter().find(|attribute| attribute.name() == name) else {
        return Ok(None);
    };
    let raw = &found.message().raw_data;
    if name != CONFIG {
        return Ok(Some(Vec::new()));
    }
    // A place in the file's heap: a length, an address and a number. The configuration of a model is longer.
    if raw.len() <= 4 + usize::from(group.offset_size()) + 4 {
        return group.resolve_vlen_reference_bytes(raw, 1).map(Some).map_err(damaged);
    }
    // Of a fixed length, with zeros after it.
    let end = raw.iter().position(|&byte| byte == 0).unwrap_or(raw.len());
    Ok(Some(raw[..end].to_vec()))
}

/// Whether the array has half precision. HDF5 has no type for bfloat16; Keras writes it as two bytes without a
/// meaning.
fn is_half(data: &Dataset) -> bool {
    matches!(
        data.dtype(),
        Datatype::FloatingPoint { size: 2, .. } | Datatype::Opaque { size: 2, .. }
    )
}

/// The array in single precision, which is what gradus computes with.
fn array(data: &Dataset) -> Result<Array> {
    let wrong = |error: Error| damaged(format!("its HDF5 part: {error}"));
    let (shape, values) = match data.dtype() {
        Datatype::FloatingPoint { size: 8, .. } => {
            let array = data.read_array::<f64>().map_err(wrong)?;
            (array.shape().to_vec(), array.iter().map(|&value| value as f32).collect())
        }
        Datatype::FloatingPoint { size: 2, byte_order } => {
            let halves = data.read_raw_bytes().map_err(wrong)?;
            let half = |&bytes: &[u8; 2]| match byte_order {
                ByteOrder::LittleEndian => half_to_single(u16::from_le_bytes(bytes)),
                ByteOrder::BigEndian => half_to_single(u16::from_be_bytes(bytes)),
            };
            let shape = data.shape().iter().map(|&size| size as usize).collect();
            (shape, halves.as_chunks().0.iter().map(half).collect())
        }
        Datatype::Opaque { size: 2, .. } => {
            let halves = data.read_raw_bytes().map_err(wrong)?;
            let brain = |&bytes: &[u8; 2]| brain_to_single(u16::from_le_bytes(bytes));
            let shape = data.shape().iter().map(|&size| size as usize).collect();
            (shape, halves.as_chunks().0.iter().map(brain).collect())
        }
        _ => {
            let array = data.read_array::<f32>().map_err(wrong)?;
            (array.shape().to_vec(), array.into_raw_vec_and_offset().0)
        }
    };
    Ok(Array { shape, values: Values::F32(values) })
}
