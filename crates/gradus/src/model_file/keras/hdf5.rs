//! Arrays of an HDF5 file in the layout of Keras 3's weights: `layers/dense/vars/0`, `1`, ...
//!
//! The reader gets no more memory than the file has bytes.

use hdf5_reader::error::Error;
use hdf5_reader::group::Group;
use hdf5_reader::{Hdf5File, OpenOptions};

use crate::data::{Array, Values};
use crate::error::Result;
use crate::model_file::{damaged, invalid};

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
    /// `InvalidData` where it is damaged, or not laid out as Keras 3 does.
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
    /// `InvalidData` where they are damaged, or more than the file can hold: an array may have many
    /// names.
    pub(super) fn arrays(&mut self, layer: &str) -> Result<Vec<Array>> {
        let wrong = |error: Error| damaged(format!("layer '{layer}' in its HDF5 part: {error}"));
        let group = |name| self.layers.group(name)?.group("vars");
        let variables = group(layer).map_err(wrong)?;
        let (_, names) = variables.member_names().map_err(wrong)?;
        let mut arrays = Vec::new();
        for number in 0..names.len() {
            let data = variables.dataset(&number.to_string()).map_err(wrong)?;
            // Counters beside the weights of a layer are no floats.
            if data.ndim() == 0 {
                continue;
            }
            let bytes = data.num_elements().map_err(wrong)?.saturating_mul(4);
            self.left = usize::try_from(bytes)
                .ok()
                .and_then(|bytes| self.left.checked_sub(bytes))
                .ok_or_else(|| damaged("its arrays are more than the file can hold"))?;
            let array = data.read_array::<f32>().map_err(wrong)?;
            let shape = array.shape().to_vec();
            let values = Values::F32(array.into_raw_vec_and_offset().0);
            arrays.push(Array { shape, values });
        }
        Ok(arrays)
    }
}
