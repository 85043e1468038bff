//! An array of PyTorch: a place in the bytes of a file, not copied before it is needed.

use gradus_core::error::invalid;

use crate::error::Result;
use crate::model_file::halves::{brain_to_single, half_to_single};

/// The type of the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Half,
    Brain,
    Single,
    Double,
    /// Whole numbers, which constants in source may be.
    Int,
    Long,
    /// Anything else, which no weights are.
    Other,
}

impl Kind {
    /// Bytes of one number.
    fn size(self) -> usize {
        match self {
            Kind::Half | Kind::Brain => 2,
            Kind::Single | Kind::Int => 4,
            Kind::Double | Kind::Long => 8,
            Kind::Other => 1,
        }
    }
}

/// An array; all its numbers are within the bytes.
#[derive(Debug, Clone)]
pub(super) struct Tensor<'a> {
    pub(super) kind: Kind,
    pub(super) shape: Vec<usize>,
    strides: Vec<usize>,
    /// Where the first number stands, in numbers.
    offset: usize,
    bytes: &'a [u8],
}

impl<'a> Tensor<'a> {
    /// An array whose numbers stand one after the other, from the first byte on.
    pub(super) fn contiguous(kind: Kind, shape: Vec<usize>, bytes: &'a [u8]) -> Result<Tensor<'a>> {
        let strides = strides(&shape).ok_or_else(|| too_large(&shape))?;
        Tensor::new(kind, shape, strides, 0, bytes)
    }

    /// # Errors
    /// `InvalidData` if the array has numbers outside the bytes.
    pub(super) fn new(
        kind: Kind,
        shape: Vec<usize>,
        strides: Vec<usize>,
        offset: usize,
        bytes: &'a [u8],
    ) -> Result<Tensor<'a>> {
        if shape.len() != strides.len() {
            return Err(invalid(format!("an array of shape {shape:?} has strides {strides:?}")));
        }
        let last = shape.iter().zip(&strides).try_fold(offset, |last, (&size, &stride)| {
            last.checked_add(size.saturating_sub(1).checked_mul(stride)?)
        });
        let is_empty = shape.contains(&0);
        let end = last.and_then(|last| last.checked_add(1)?.checked_mul(kind.size()));
        if kind != Kind::Other && !is_empty && end.is_none_or(|end| end > bytes.len()) {
            return Err(invalid(format!(
                "an array of shape {shape:?} lies outside of its storage of {} bytes",
                bytes.len()
            )));
        }
        Ok(Tensor { kind, shape, strides, offset, bytes })
    }

    /// How many numbers it has.
    pub(super) fn count(&self) -> Result<usize> {
        let product = self.shape.iter().try_fold(1usize, |all, &size| all.checked_mul(size));
        product.ok_or_else(|| too_large(&self.shape))
    }

    pub(super) fn is_float(&self) -> bool {
        !matches!(self.kind, Kind::Int | Kind::Long | Kind::Other)
    }

    pub(super) fn is_half(&self) -> bool {
        matches!(self.kind, Kind::Half | Kind::Brain)
    }

    /// The array with its dimensions in the reverse order, over the same numbers.
    pub(super) fn transposed(mut self) -> Tensor<'a> {
        self.shape.reverse();
        self.strides.reverse();
        self
    }

    /// The numbers in single precision, row-major.
    pub(super) fn floats(&self) -> Result<Vec<f32>> {
        let all = self.count()?;
        if all == 0 {
            return Ok(Vec::new());
        }
        let (bytes, start) = (self.bytes, self.offset * self.kind.size());
        match self.kind {
            Kind::Half => {
                Ok(self.gather(&bytes[start..], |x| half_to_single(u16::from_le_bytes(x))))
            }
            Kind::Brain => {
                Ok(self.gather(&bytes[start..], |x| brain_to_single(u16::from_le_bytes(x))))
            }
            Kind::Single => Ok(self.gather(&bytes[start..], f32::from_le_bytes)),
            Kind::Double => Ok(self.gather(&bytes[start..], |x| f64::from_le_bytes(x) as f32)),
            Kind::Int => Ok(self.gather(&bytes[start..], |x| i32::from_le_bytes(x) as f32)),
            Kind::Long => Ok(self.gather(&bytes[start..], |x| i64::from_le_bytes(x) as f32)),
            Kind::Other => Err(invalid("it holds numbers of another type than floats")),
        }
    }

    /// The numbers; `bytes` begin with the first.
    fn gather<const N: usize>(&self, bytes: &[u8], convert: impl Fn([u8; N]) -> f32) -> Vec<f32> {
        let (numbers, _) = bytes.as_chunks::<N>();
        match (&self.shape[..], &self.strides[..]) {
            ([], []) => vec![convert(numbers[0])],
            (&[count], &[stride]) => (0..count).map(|at| convert(numbers[at * stride])).collect(),
            (&[rows, columns], &[down, right]) => (0..rows)
                .flat_map(|row| (0..columns).map(move |column| row * down + column * right))
                .map(|at| convert(numbers[at]))
                .collect(),
            // No layer of a dense network has such weights.
            _ => Vec::new(),
        }
    }
}

fn strides(shape: &[usize]) -> Option<Vec<usize>> {
    let mut strides = vec![1usize; shape.len()];
    for at in (1..shape.len()).rev() {
        strides[at - 1] = strides[at].checked_mul(shape[at])?;
    }
    Some(strides)
}

fn too_large(shape: &[usize]) -> crate::error::Error {
    invalid(format!("an array of shape {shape:?} is beyond any memory"))
}
