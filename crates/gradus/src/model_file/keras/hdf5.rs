//! Arrays of an HDF5 file in the layout of Keras 3's weights: `layers/dense/vars/0`, `1`, ...
//!
//! The reader gets no more memory than the file has bytes.

use gradus_core::error::invalid;
use gradus_core::model_file::damaged;
use hdf5_reader::error::Error;
use hdf5_reader::group::Group;
use hdf5_reader::{ByteOrder, Dataset, Datatype, Hdf5File, OpenOptions};

use crate::data::{Array, Values};
use crate::error::Result;

/// An open file of weights.
pub(super) struct Weights {
    layers: Group,
    /// Bytes of values that the file can still hold besides those that were read.
    left: usize,
}

impl Weights {
    /// Opens the file in these bytes.
    ///
    /// # Errors
    /// `InvalidData` if it is damaged, or not laid out as Keras 3 does.
    pub(super) fn open(bytes: &[u8]) -> Result<Weights> {
        let length = bytes.len();
        let options = OpenOptions::default()
            .with_max_read_bytes(length)
            .with_max_chunk_bytes(length)
            .with_max_object_header_bytes(length)
            .with_chunk_cache_bytes(0)
            .with_chunk_cache_slots(1);
        let file = Hdf5File::from_bytes_with_options(bytes, options).map_err(damaged)?;
        let layers = file.group("layers").map_err(|_| {
            invalid(
                "an HDF5 file, but without the group 'layers' of Keras 3's weights; in Keras 3: \
                 model.save(\"model.keras\"); or in any version: import numpy, \
                 numpy.savez(\"model.npz\", *model.get_weights())",
            )
        })?;
        Ok(Weights { layers, left: length })
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
        let group = |name| self.layers.group(name)?.group("vars");
        let variables = group(layer).map_err(wrong)?;
        let (_, names) = variables.member_names().map_err(wrong)?;
        let mut arrays = Vec::new();
        for number in 0..names.len() {
            let data = variables.dataset(&number.to_string()).map_err(wrong)?;
            // A layer may have counters besides its weights; they are not floats.
            if data.ndim() == 0 {
                continue;
            }
            let bytes = data.raw_byte_len().map_err(wrong)?;
            self.left = self
                .left
                .checked_sub(bytes)
                .ok_or_else(|| damaged("its arrays are more than the file can hold"))?;
            arrays.push(array(&data).map_err(|error| error.context(format!("layer '{layer}'")))?);
        }
        Ok(arrays)
    }
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
        _ => {
            let array = data.read_array::<f32>().map_err(wrong)?;
            (array.shape().to_vec(), array.into_raw_vec_and_offset().0)
        }
    };
    Ok(Array { shape, values: Values::F32(values) })
}

/// A number of half precision (IEEE 754 binary16): 1 bit of sign, 5 of exponent, 10 of fraction.
fn half_to_single(bits: u16) -> f32 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f32::from(bits & 0x3ff));
    let size = match exponent {
        0 => fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + fraction / 1024.0) * 2f32.powi(exponent - 15),
    };
    if bits >> 15 == 1 { -size } else { size }
}

#[cfg(test)]
mod half_tests {
    use super::half_to_single;

    #[test]
    fn halves_are_exact() {
        for (bits, value) in [
            (0x0000, 0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x3555, 0.333_251_95),
            (0x7bff, 65504.0),
            (0x0001, 2f32.powi(-24)),
            (0x03ff, 1023.0 * 2f32.powi(-24)),
            (0x7c00, f32::INFINITY),
        ] {
            assert_eq!(half_to_single(bits), value, "{bits:#x}");
        }
        assert!(half_to_single(0x7e00).is_nan());
    }
}
