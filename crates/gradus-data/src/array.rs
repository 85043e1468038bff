//! Numbers as a file holds them, before they become samples or labels.
//!
//! In: shape and values from an IDX or NPY file, in the file's own element type. Out: the
//! [`Inputs`] of a data set; `labels.rs` makes class labels of them.

use std::collections::HashSet;

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
    /// `f32`, or stays `f64` if single precision would blur it or `doubles` says so. A single colour channel is dropped. Rows of a square number of
    /// grey levels, as bytes or from 0 to 1, get the shape of an image.
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
        let sample_shape = without_channel(sample_shape);
        let image = super::image_shape(&sample_shape);
        // Rows of grey levels from 0 to 1 are images as those of bytes are.
        let sample_shape = match (&self.values, &image, &sample_shape[..]) {
            (Values::U8(values), Some(shape), [_]) if values.iter().any(|&it| it > 1) => {
                shape.clone()
            }
            (Values::F32(values), Some(shape), [_]) if are_shares_of_white(values, shape) => {
                shape.clone()
            }
            (Values::F64(values), Some(shape), [_]) if are_shares_of_white(values, shape) => {
                shape.clone()
            }
            _ => sample_shape,
        };
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

/// The shape of the samples of an array whose bytes stay bytes and whose other numbers stay as they are: rows of bytes are
/// images if they have a square number of columns and hold more than 0 and 1.
pub(crate) fn image_or_row(array: &Array) -> Vec<usize> {
    let sample_shape = without_channel(&array.shape[1..]);
    match (&array.values, super::image_shape(&sample_shape), &sample_shape[..]) {
        (Values::U8(values), Some(shape), [_]) if values.iter().any(|&it| it > 1) => shape,
        _ => sample_shape,
    }
}

fn of_doubles(values: Vec<f64>, sample_shape: &[usize], doubles: bool) -> Inputs {
    match doubles {
        true => Inputs::Doubles(values),
        false => Inputs::of_doubles(values, sample_shape.iter().product()),
    }
}

/// The shape of a sample without the axis of a single colour channel, which is the last or the first of three.
fn without_channel(sample_shape: &[usize]) -> Vec<usize> {
    let mut shape = sample_shape.to_vec();
    while shape.len() > 1 && shape.last() == Some(&1) {
        shape.pop();
    }
    if shape.len() == 3 && shape[0] == 1 {
        shape.remove(0);
    }
    shape
}

/// Whether rows are grey levels that were scaled to 0 to 1, of images of `shape`: no more different values than bytes have,
/// or as many pixels as MNIST's images. A table whose columns were scaled has more.
fn are_shares_of_white<T: Copy + Into<f64>>(values: &[T], shape: &[usize]) -> bool {
    // Enough to tell.
    const LOOKED_AT: usize = 1 << 20;
    let in_range = |value: &T| (0.0..=1.0).contains(&(*value).into());
    if !values.iter().all(in_range) {
        return false;
    }
    let mut levels = HashSet::new();
    let levels_are_few = values.iter().take(LOOKED_AT).all(|&value| {
        levels.insert(value.into().to_bits());
        levels.len() <= 256
    });
    match shape {
        [28, 28] => levels.len() > 1,
        _ => levels_are_few && levels.len() > 2,
    }
}

/// The least height and width of images in colour.
const MIN_COLOUR_SIDE: usize = 8;

impl Array {
    /// Images in colour as grey ones, as images in files are read: red, green and blue are the last axis of each sample
    /// or the first, in bytes or in numbers from 0 to 1. The second value says what was done; other arrays stay as they
    /// are.
    ///
    /// # Errors
    /// `InvalidData` for images with transparency.
    pub fn without_colour(self) -> Result<(Array, Option<String>)> {
        let is_side = |side: usize| side >= MIN_COLOUR_SIDE;
        let (samples, height, width, channels, is_last) = match self.shape[..] {
            [samples, height, width, channels @ (3 | 4)] if is_side(height) && is_side(width) => {
                (samples, height, width, channels, true)
            }
            [samples, channels @ (3 | 4), height, width] if is_side(height) && is_side(width) => {
                (samples, height, width, channels, false)
            }
            _ => return Ok((self, None)),
        };
        if !is_intensity(&self.values) {
            return Ok((self, None));
        }
        let shape = vec![samples, height, width];
        let found = format!("images of {height} x {width} in {channels} channels");
        if channels == 4 {
            return Err(invalid(format!(
                "{found}: transparency is not supported in arrays; save them in grey, or in red, green and blue"
            )));
        }
        let places = |sample: usize, pixel: usize| match is_last {
            true => [0, 1, 2].map(|channel| (sample * height * width + pixel) * 3 + channel),
            false => [0, 1, 2].map(|channel| (sample * 3 + channel) * height * width + pixel),
        };
        let values = match self.values {
            Values::U8(values) => Values::U8(grey(&places, &shape, |[red, green, blue]| {
                let [red, green, blue] = [values[red], values[green], values[blue]].map(u32::from);
                ((299 * red + 587 * green + 114 * blue + 500) / 1000) as u8
            })),
            other if !matches!(other, Values::F32(_) | Values::F64(_)) => {
                let values = grey_levels(&other).unwrap_or_default();
                let array = Array { shape: self.shape, values: Values::U8(values) };
                return array.without_colour();
            }
            other => {
                let values = other.to_f32();
                Values::F32(grey(&places, &shape, |[red, green, blue]| {
                    0.299 * values[red] + 0.587 * values[green] + 0.114 * values[blue]
                }))
            }
        };
        let message =
            format!("{found} are converted to grey: 0.299 red + 0.587 green + 0.114 blue");
        Ok((Array { shape, values }, Some(message)))
    }
}

/// The grey values of the pixels of all samples.
fn grey<T>(
    places: &impl Fn(usize, usize) -> [usize; 3],
    shape: &[usize],
    luma: impl Fn([usize; 3]) -> T,
) -> Vec<T> {
    let (samples, pixels) = (shape[0], shape[1] * shape[2]);
    let all = (0..samples).flat_map(|sample| (0..pixels).map(move |pixel| (sample, pixel)));
    all.map(|(sample, pixel)| luma(places(sample, pixel))).collect()
}

/// Whether values may be intensities of light: bytes, or from 0 to 1.
fn is_intensity(values: &Values) -> bool {
    match values {
        Values::U8(_) => true,
        Values::F32(values) => values.iter().all(|value| (0.0..=1.0).contains(value)),
        Values::F64(values) => values.iter().all(|value| (0.0..=1.0).contains(value)),
        other => grey_levels(other).is_some(),
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
    fn rows_of_grey_levels_are_images() {
        let shape = |shape: &[usize], values| array(shape, values).into_inputs().unwrap().1;
        let shares =
            |levels: u32| (0..1568).map(move |at| (at % levels) as f32 / (levels - 1) as f32);
        assert_eq!(shape(&[2, 784], Values::F32(shares(256).collect())), [28, 28]);
        assert_eq!(shape(&[2, 784], Values::F64(shares(700).map(f64::from).collect())), [28, 28]);
        assert_eq!(shape(&[2, 784], Values::U8(vec![7; 1568])), [28, 28]);
        let first = |count: usize| shares(200).take(count).collect::<Vec<_>>();
        assert_eq!(shape(&[2, 64], Values::F32(first(128))), [8, 8]);
        assert_eq!(shape(&[2, 8, 8, 1], Values::F32(first(128))), [8, 8]);
        assert_eq!(shape(&[2, 1, 8, 8], Values::F32(first(128))), [8, 8]);
        // Tables: scaled columns, truth values, another width, other numbers.
        let scaled = (0..784).map(|at| at as f32 / 1000.0).collect();
        assert_eq!(shape(&[1, 784], Values::F32(vec![0.5; 784])), [784]);
        assert_eq!(shape(&[49, 16], Values::F32(scaled)), [16]);
        assert_eq!(shape(&[7, 81], Values::F32(shares(567).take(567).collect())), [81]);
        assert_eq!(shape(&[2, 64], Values::F32(vec![1.0; 128])), [64]);
        assert_eq!(shape(&[1, 64], Values::F32(vec![-0.5; 64])), [64]);
    }

    #[test]
    fn colour_becomes_grey_as_in_files() {
        let colours = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]];
        let levels = [76, 150, 29, 9];
        let last: Vec<u8> = (0..128).flat_map(|at| colours[at % 4]).collect();
        // Of each sample all reds, then all greens, then all blues.
        let first: Vec<u8> = (0..2)
            .flat_map(|_| {
                (0..3).flat_map(|channel| (0..64).map(move |at| colours[at % 4][channel]))
            })
            .collect();
        let expected: Vec<u8> = (0..128).map(|at| levels[at % 4]).collect();
        for (shape, values) in [([2, 8, 8, 3], &last), ([2, 3, 8, 8], &first)] {
            let bytes = array(&shape, Values::U8(values.clone()));
            let (grey, message) = bytes.without_colour().unwrap();
            assert_eq!(grey, array(&[2, 8, 8], Values::U8(expected.clone())));
            assert!(message.unwrap().contains("converted to grey"));
            let whole = values.iter().map(|&it| i64::from(it)).collect();
            let (grey, _) = array(&shape, Values::I64(whole)).without_colour().unwrap();
            assert_eq!(grey.values, Values::U8(expected.clone()));
            let shares = values.iter().map(|&it| f64::from(it) / 255.0).collect();
            let (grey, _) = array(&shape, Values::F64(shares)).without_colour().unwrap();
            let Values::F32(grey) = grey.values else { panic!("no floats") };
            for (grey, expected) in grey.iter().zip(&expected) {
                assert!((grey * 255.0 - f32::from(*expected)).abs() < 0.51);
            }
        }
        let error = array(&[1, 8, 8, 4], Values::U8(vec![0; 256])).without_colour().unwrap_err();
        assert!(error.to_string().contains("transparency"));
        for other in [
            array(&[1, 2, 2, 3], Values::U8(vec![0; 12])),
            array(&[1, 8, 8, 3], Values::F32(vec![-1.0; 192])),
            array(&[1, 8, 8], Values::U8(vec![0; 64])),
        ] {
            assert_eq!(other.clone().without_colour().unwrap(), (other, None));
        }
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
