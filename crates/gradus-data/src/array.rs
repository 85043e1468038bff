//! Numbers as a file holds them, before they become samples or labels.
//!
//! In: shape and values from an IDX or NPY file, in the file's own element type. Out: the
//! [`Inputs`] of a data set; `labels.rs` makes class labels of them.

use super::{Inputs, invalid};
use crate::error::Result;

/// The values of an [`Array`], in the element type of the file.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Unsigned bytes (and truth values, as 0 and 1).
    U8(Vec<u8>),
    /// Signed bytes.
    I8(Vec<i8>),
    /// 16-bit integers.
    I16(Vec<i16>),
    /// 32-bit integers.
    I32(Vec<i32>),
    /// 64-bit integers, and unsigned ones that do not fit into 32 bits.
    I64(Vec<i64>),
    /// Single-precision floats.
    F32(Vec<f32>),
    /// Double-precision floats.
    F64(Vec<f64>),
}

/// An array of any rank: `values.len()` is the product of `shape`, in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// The size of each dimension.
    pub shape: Vec<usize>,
    /// `product(shape)` values; the last index runs fastest.
    pub values: Values,
}

/// The most classes, so that damaged labels cannot ask for billions of names.
pub(crate) const MAX_CLASSES: u32 = 1 << 16;

/// Runs `$body` with `$values` bound to the vector inside, whatever its element type. A cast in the
/// body is unnecessary in one of the seven arms, hence the `expect`s below.
macro_rules! for_each_type {
    ($array:expr, $values:ident => $body:expr) => {
        match $array {
            Values::U8($values) => $body,
            Values::I8($values) => $body,
            Values::I16($values) => $body,
            Values::I32($values) => $body,
            Values::I64($values) => $body,
            Values::F32($values) => $body,
            Values::F64($values) => $body,
        }
    };
}

pub(crate) use for_each_type;

impl Values {
    /// Number of values.
    pub fn len(&self) -> usize {
        for_each_type!(self, values => values.len())
    }

    /// Whether it has no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The element type as NumPy names it, for messages.
    pub fn type_name(&self) -> &'static str {
        match self {
            Values::U8(_) => "uint8",
            Values::I8(_) => "int8",
            Values::I16(_) => "int16",
            Values::I32(_) => "int32",
            Values::I64(_) => "int64",
            Values::F32(_) => "float32",
            Values::F64(_) => "float64",
        }
    }

    /// All values in double precision.
    #[expect(clippy::unnecessary_cast)]
    pub fn to_f64(&self) -> Vec<f64> {
        for_each_type!(self, values => values.iter().map(|&value| value as f64).collect())
    }

    /// All values in single precision.
    #[expect(clippy::unnecessary_cast)]
    pub fn to_f32(&self) -> Vec<f32> {
        for_each_type!(self, values => values.iter().map(|&value| value as f32).collect())
    }
}

impl Array {
    /// Number of samples: the first dimension, or 0 for a single number.
    pub fn samples(&self) -> usize {
        self.shape.first().copied().unwrap_or(0)
    }

    /// The rows as inputs of a data set, with the shape of one sample.
    ///
    /// Bytes stay bytes. Other numbers become bytes, too, if the samples have the shape of images
    /// and all values are grey levels (whole numbers in 0..=255, not only 0 and 1); all else becomes
    /// `f32`, or stays `f64` if single precision would blur it or `doubles` says so. A last dimension of 1 (a single colour channel) is dropped.
    pub fn into_inputs(self) -> Result<(Inputs, Vec<usize>)> {
        self.into_inputs_as(false)
    }

    /// As [`Self::into_inputs`]; with `doubles`, 64-bit numbers stay `f64` in any case.
    ///
    /// # Errors
    /// As [`Self::into_inputs`].
    pub fn into_inputs_as(self, doubles: bool) -> Result<(Inputs, Vec<usize>)> {
        let Some((_, sample_shape)) = self.shape.split_first().filter(|(_, rest)| !rest.is_empty())
        else {
            return Err(invalid(format!(
                "an array of shape {:?} holds no samples: expected samples x features, or samples x \
                 height x width",
                self.shape
            )));
        };
        let mut sample_shape = sample_shape.to_vec();
        while sample_shape.len() > 1 && sample_shape.last() == Some(&1) {
            sample_shape.pop();
        }
        let image = super::image_shape(&sample_shape);
        let bytes = match &self.values {
            Values::U8(_) => None,
            other => image.is_some().then(|| grey_levels(other)).flatten(),
        };
        Ok(match (self.values, bytes, image) {
            (Values::U8(bytes), _, _) => (Inputs::Bytes(bytes), sample_shape),
            (_, Some(bytes), Some(shape)) => (Inputs::Bytes(bytes), shape),
            (Values::F32(values), _, _) => (Inputs::Floats(values), sample_shape),
            (Values::F64(values), _, _) => {
                (of_doubles(values, &sample_shape, doubles), sample_shape)
            }
            (values @ (Values::I64(_) | Values::I32(_)), _, _) => {
                (of_doubles(values.to_f64(), &sample_shape, doubles), sample_shape)
            }
            (values, _, _) => (Inputs::Floats(values.to_f32()), sample_shape),
        })
    }
}

fn of_doubles(values: Vec<f64>, sample_shape: &[usize], doubles: bool) -> Inputs {
    match doubles {
        true => Inputs::Doubles(values),
        false => Inputs::of_doubles(values, sample_shape.iter().product()),
    }
}

/// The values as bytes if all are grey levels: whole numbers in 0..=255, not only 0 and 1.
#[expect(clippy::unnecessary_cast)]
fn grey_levels(values: &Values) -> Option<Vec<u8>> {
    for_each_type!(values, values => {
        let is_level = |value: f64| (0.0..=255.0).contains(&value) && value.fract() == 0.0;
        let all = values.iter().all(|&value| is_level(value as f64));
        (all && values.iter().any(|&value| value as f64 > 1.0))
            .then(|| values.iter().map(|&value| value as u8).collect())
    })
}

/// `product(shape)`, or `None` if it overflows.
pub(crate) fn element_count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |product, &size| product.checked_mul(size))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(shape: &[usize], values: Values) -> Array {
        Array { shape: shape.to_vec(), values }
    }

    #[test]
    fn bytes_stay_bytes_and_a_single_channel_is_dropped() {
        let (inputs, shape) =
            array(&[2, 1, 2, 1], Values::U8(vec![1, 2, 3, 4])).into_inputs().unwrap();
        assert_eq!((inputs, shape), (Inputs::Bytes(vec![1, 2, 3, 4]), vec![1, 2]));
    }

    #[test]
    fn images_in_another_type_become_bytes() {
        let (inputs, shape) = array(&[1, 64], Values::F64(vec![16.0; 64])).into_inputs().unwrap();
        assert_eq!((inputs, shape), (Inputs::Bytes(vec![16; 64]), vec![8, 8]));
        let (inputs, _) = array(&[1, 1, 2], Values::I64(vec![0, 255])).into_inputs().unwrap();
        assert_eq!(inputs, Inputs::Bytes(vec![0, 255]));
    }

    #[test]
    fn everything_else_becomes_floats() {
        let floats = |shape: &[usize], values| match array(shape, values).into_inputs().unwrap() {
            (Inputs::Floats(values), _) => values,
            other => panic!("bytes: {other:?}"),
        };
        assert_eq!(floats(&[1, 2], Values::I16(vec![3, 4])), [3.0, 4.0]); // a table, not an image
        assert_eq!(floats(&[1, 1, 2], Values::I16(vec![-3, 4])), [-3.0, 4.0]);
        assert_eq!(floats(&[1, 1, 2], Values::F32(vec![0.5, 4.0])), [0.5, 4.0]);
        assert_eq!(floats(&[1, 1, 2], Values::F32(vec![0.0, 1.0])), [0.0, 1.0]); // already 0..1
    }
}
