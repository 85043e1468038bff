//! The constant arrays of a graph: one of the format's messages in, numbers out. Nothing is decoded
//! before it is asked for, and every size is held against the bytes that are there.

use gradus_core::error::invalid;

use super::messages::{Tensor, element};
use crate::error::Result;

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
        let Tensor { data_type, raw_data, float_data, double_data, .. } = self.tensor;
        let count = self.stored()?;
        let values: Vec<f32> = match *data_type {
            element::FLOAT if raw_data.is_empty() => float_data.clone(),
            element::FLOAT => chunks(raw_data).map(f32::from_le_bytes).collect(),
            element::DOUBLE if raw_data.is_empty() => {
                double_data.iter().map(|&value| value as f32).collect()
            }
            element::DOUBLE => chunks(raw_data).map(|x| f64::from_le_bytes(x) as f32).collect(),
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

    /// The number of values, where they stand in this file.
    pub(super) fn stored(&self) -> Result<usize> {
        if self.tensor.data_location == 1 {
            return Err(invalid(format!(
                "the values of '{}' stand in another file (external data); save the model as one \
                 file: onnx.save(onnx.load(\"model.onnx\"), \"whole.onnx\"), or with \
                 external_data=False in torch.onnx.export",
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
        element::FLOAT16 | element::BFLOAT16 => {
            "float16 or bfloat16; expected float32: convert the model to it before exporting".into()
        }
        element::INT64 => "int64, expected float32".into(),
        other => format!("number {other} of the format's list, expected float32"),
    }
}
