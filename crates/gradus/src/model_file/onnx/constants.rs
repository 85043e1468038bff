//! The constant arrays of a graph: one of the format's messages in, numbers out. Nothing is decoded
//! before it is asked for, and every size is held against the bytes that are there.

use gradus_core::error::invalid;

use super::messages::{Tensor, element};
use crate::error::Result;
use crate::model_file::halves::{brain_to_single, half_to_single};

/// A constant array.
#[derive(Clone, Copy)]
pub(super) struct Constant<'a> {
    pub(super) tensor: &'a Tensor,
    /// Whether rows and columns of a matrix are exchanged.
    pub(super) transposed: bool,
}

impl<'a> Constant<'a> {
    pub(super) fn new(tensor: &'a Tensor) -> Constant<'a> {
        Constant { tensor, transposed: false }
    }

    /// The size of each dimension.
    pub(super) fn dims(&self) -> Result<Vec<usize>> {
        let size = |&size: &i64| {
            usize::try_from(size).map_err(|_| self.wrong(format!("a dimension of {size}")))
        };
        let mut dims = self.tensor.dims.iter().map(size).collect::<Result<Vec<_>>>()?;
        if self.transposed {
            dims.reverse();
        }
        Ok(dims)
    }

    /// The number of values.
    pub(super) fn count(&self) -> Result<usize> {
        let mut dims = self.dims()?.into_iter();
        let product = dims.try_fold(1usize, |product, size| product.checked_mul(size));
        product.ok_or_else(|| self.wrong("a size beyond any memory".into()))
    }

    /// The values in single precision, row-major.
    pub(super) fn floats(&self) -> Result<Vec<f32>> {
        let Tensor { data_type, raw_data, float_data, double_data, int32_data, .. } = self.tensor;
        let count = self.stored()?;
        let halves = |convert: fn(u16) -> f32| -> Vec<f32> {
            match raw_data.is_empty() {
                // The format keeps their bits in whole numbers.
                true => int32_data.iter().map(|&bits| convert(bits as u16)).collect(),
                false => chunks(raw_data).map(|bytes| convert(u16::from_le_bytes(bytes))).collect(),
            }
        };
        let values: Vec<f32> = match *data_type {
            element::FLOAT if raw_data.is_empty() => float_data.clone(),
            element::FLOAT => chunks(raw_data).map(f32::from_le_bytes).collect(),
            element::DOUBLE if raw_data.is_empty() => {
                double_data.iter().map(|&value| value as f32).collect()
            }
            element::DOUBLE => chunks(raw_data).map(|x| f64::from_le_bytes(x) as f32).collect(),
            element::FLOAT16 => halves(half_to_single),
            element::BFLOAT16 => halves(brain_to_single),
            other => return Err(self.wrong(format!("values of type {}", type_name(other)))),
        };
        if values.len() != count {
            let found = values.len();
            return Err(self.wrong(format!("{found} values, but its shape promises {count}")));
        }
        Ok(if self.transposed { transpose(&values, &self.tensor.dims) } else { values })
    }

    /// The values as whole numbers.
    pub(super) fn integers(&self) -> Result<Vec<i64>> {
        let Tensor { data_type, raw_data, int32_data, int64_data, .. } = self.tensor;
        let count = self.stored()?;
        let values: Vec<i64> = match *data_type {
            element::INT64 if raw_data.is_empty() => int64_data.clone(),
            element::INT64 => chunks(raw_data).map(i64::from_le_bytes).collect(),
            element::INT32 | element::BOOL if raw_data.is_empty() => {
                int32_data.iter().map(|&value| value.into()).collect()
            }
            element::INT32 => chunks(raw_data).map(|x| i32::from_le_bytes(x).into()).collect(),
            element::BOOL => raw_data.iter().map(|&value| value.into()).collect(),
            other => return Err(self.wrong(format!("values of type {}", type_name(other)))),
        };
        match values.len() == count {
            true => Ok(values),
            false => {
                Err(self.wrong(format!("{} values, but its shape promises {count}", values.len())))
            }
        }
    }

    /// The values as texts, of texts and of whole numbers.
    pub(super) fn texts(&self) -> Result<Vec<String>> {
        if self.tensor.data_type != element::STRING {
            return Ok(self.integers()?.iter().map(i64::to_string).collect());
        }
        let texts: Vec<String> =
            self.tensor.string_data.iter().map(|text| utf8(text)).collect::<Result<_>>()?;
        match texts.len() == self.stored()? {
            true => Ok(texts),
            false => Err(self.wrong(format!("{} texts, not as its shape promises", texts.len()))),
        }
    }

    /// Whether the values have half precision.
    pub(super) fn is_half(&self) -> bool {
        [element::FLOAT16, element::BFLOAT16].contains(&self.tensor.data_type)
    }

    /// The number of values, where they were read.
    pub(super) fn stored(&self) -> Result<usize> {
        if self.tensor.is_external() {
            let location = self.tensor.external("location").unwrap_or("");
            return Err(invalid(format!(
                "the values of '{}' stand in another file, '{location}', next to the model: read the \
                 model from its path, with both files in one folder",
                self.tensor.name
            )));
        }
        self.count()
    }

    fn wrong(&self, problem: String) -> crate::error::Error {
        invalid(format!("the constant '{}' has {problem}", self.tensor.name))
    }
}

fn chunks<const SIZE: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; SIZE]> {
    // What is left over shows in the number of values only where it makes a whole one.
    let (whole, rest) = bytes.as_chunks::<SIZE>();
    let whole = if rest.is_empty() { whole } else { &[] };
    whole.iter().copied()
}

/// Columns become rows; for matrices.
fn transpose(values: &[f32], dims: &[i64]) -> Vec<f32> {
    let &[_, columns] = dims else { return values.to_vec() };
    let columns = columns as usize;
    (0..columns).flat_map(|at| values.iter().skip(at).step_by(columns).copied()).collect()
}

fn type_name(kind: i32) -> String {
    match kind {
        element::STRING => "text, expected numbers".into(),
        element::INT64 => "int64, expected float32".into(),
        other => format!("number {other} of the format's list, expected float32"),
    }
}

/// Bytes of a value of this type.
///
/// # Errors
/// `InvalidData` for a type that gradus does not read.
pub(super) fn element_size(kind: i32) -> Result<u64> {
    match kind {
        element::DOUBLE | element::INT64 => Ok(8),
        element::FLOAT | element::INT32 => Ok(4),
        element::FLOAT16 | element::BFLOAT16 => Ok(2),
        element::BOOL => Ok(1),
        other => Err(invalid(format!("values of type {}", type_name(other)))),
    }
}

/// The text of these bytes.
pub(super) fn utf8(bytes: &[u8]) -> Result<String> {
    let text = std::str::from_utf8(bytes);
    text.map(str::to_owned).map_err(|_| invalid("the name of a class is not UTF-8"))
}
