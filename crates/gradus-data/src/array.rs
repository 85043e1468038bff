//! Numbers as a file holds them, before they become samples or labels.
//!
//! In: shape and values from an IDX or NPY file, in the file's own element type. `array_form.rs` makes inputs of a data set of
//! them, `labels.rs` class labels.

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

/// The shape of a sample without the axis of a single colour channel, which is the last or the first of three.
pub(crate) fn without_channel(sample_shape: &[usize]) -> Vec<usize> {
    let mut shape = sample_shape.to_vec();
    while shape.len() > 1 && shape.last() == Some(&1) {
        shape.pop();
    }
    if shape.len() == 3 && shape[0] == 1 {
        shape.remove(0);
    }
    shape
}

/// `product(shape)`, or `None` if it overflows.
pub(crate) fn element_count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |product, &size| product.checked_mul(size))
}
