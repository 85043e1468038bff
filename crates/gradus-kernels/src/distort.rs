//! Distortions of grey images (docs/maths.md M19): an image, an affine map and a random field of
//! displacements go in, the image sampled along them comes out.
//!
//! In this order, each with buffers that are made once: [`Kernels::draw_field`] draws noise,
//! [`Kernels::smooth_field`] convolves it with a Gaussian, [`Kernels::fill_corners`] takes in an image and
//! [`Kernels::resample`] samples it.

use std::ops::Range;

use crate::dense::{Transpose, Update};
use crate::dispatch::{Kernels, dispatch};
use crate::matrix::{Aligned, MatMut, MatRef};
use crate::random::Stream;

/// Pixels that are computed together, a register of AVX-512; rows of a field are padded to a multiple.
const LANES: usize = 16;
/// Rows or columns that one product smooths. A larger band matrix would consist mostly of zeros, which
/// cost as much as other values.
const BLOCK: usize = 64;
/// Longest side of an image: the index of a pixel fits in an `i32`, and an `f32` can tell positions apart
/// that differ by a thousandth of a pixel.
pub const MAX_SIDE: usize = 1 << 14;
/// The Gaussian is cut off at this many standard deviations.
const CUT: f64 = 3.0;

/// A displacement along x and one along y for each pixel of a `height x width` image, in pixels.
#[derive(Clone)]
pub struct Field {
    height: usize,
    width: usize,
    stride: usize,
    /// Scratch: random bits, one word for the two displacements of a pixel.
    words: Vec<u32>,
    /// Row after row: the displacements along x, padded to `stride` values, then those along y. So one
    /// product smooths both.
    values: Aligned,
    /// Scratch: `values` smoothed along y.
    spare: Aligned,
}

/// Panics unless there can be an image of this size.
fn check_size(height: usize, width: usize) {
    assert!(
        (1..=MAX_SIDE).contains(&height) && (1..=MAX_SIDE).contains(&width),
        "{height} x {width}: a side of an image has 1 to {MAX_SIDE} pixels"
    );
}

impl Field {
    /// No displacement. Panics where a side is 0 or above [`MAX_SIDE`].
    pub fn new(height: usize, width: usize) -> Field {
        check_size(height, width);
        let stride = width.next_multiple_of(LANES);
        let values = Aligned::zeros(2 * height * stride);
        let words = vec![0; height * stride];
        Field { height, width, stride, words, spare: values.clone(), values }
    }

    /// The displacements of row `y`, along x and along y. Panics where `y >= height`.
    pub fn row(&self, y: usize) -> [&[f32]; 2] {
        assert!(y < self.height);
        let row = &self.values[2 * y * self.stride..][..2 * self.stride];
        [&row[..self.width], &row[self.stride..][..self.width]]
    }

    /// The same, writable.
    pub fn row_mut(&mut self, y: usize) -> [&mut [f32]; 2] {
        assert!(y < self.height);
        let row = &mut self.values[2 * y * self.stride..][..2 * self.stride];
        let (x, y) = row.split_at_mut(self.stride);
        [&mut x[..self.width], &mut y[..self.width]]
    }
}

/// A Gaussian, sampled at whole pixels up to three standard deviations, with sum 1. Stored as band matrices,
/// so that a convolution is a dense product: one product convolves up to 64 rows or columns.
#[derive(Debug, Clone)]
pub struct Gaussian {
    reach: usize,
    /// `g(c - reach - i)` in row `i`, column `c`. Its product with the rows of a field convolves along y.
    down: Vec<f32>,
    /// Its transpose. The product of a field with it convolves along x.
    along: Vec<f32>,
}

impl Gaussian {
    /// With standard deviation `sigma`, for images with sides of at most `longest` pixels.
    ///
    /// Panics where `sigma` is not positive and finite.
    pub fn new(sigma: f32, longest: usize) -> Gaussian {
        let weights = gaussian_weights(sigma);
        let reach = (weights.len() - 1).min(longest.saturating_sub(1));
        let width = BLOCK + 2 * reach;
        let (mut down, mut along) = (vec![0.0; BLOCK * width], vec![0.0; BLOCK * width]);
        for i in 0..BLOCK {
            for c in i..=i + 2 * reach {
                let weight = weights[c.abs_diff(i + reach)] as f32;
                down[i * width + c] = weight;
                along[c * BLOCK + i] = weight;
            }
        }
        Gaussian { reach, down, along }
    }

    /// Which of `count` pixels lie within reach of those in `block`, and which columns of `down` belong to
    /// them.
    fn within_reach(&self, block: &Range<usize>, count: usize) -> (Range<usize>, Range<usize>) {
        let near = block.start.saturating_sub(self.reach)..count.min(block.end + self.reach);
        let columns = near.start + self.reach - block.start..near.end + self.reach - block.start;
        (near, columns)
    }
}

/// `g(i) = e^(-i^2 / 2 sigma^2) / sum over |k| <= ceil(3 sigma)`, for `i` from 0 to the cut.
fn gaussian_weights(sigma: f32) -> Vec<f64> {
    assert!(
        sigma > 0.0 && sigma.is_finite(),
        "a Gaussian needs a positive standard deviation, not {sigma}"
    );
    let sigma = f64::from(sigma);
    let reach = (CUT * sigma).ceil() as usize;
    let weights = (0..=reach).map(|i| (-0.5 * (i as f64 / sigma).powi(2)).exp());
    let weights: Vec<f64> = weights.collect();
    let sum = 2.0 * weights.iter().sum::<f64>() - weights[0];
    weights.iter().map(|weight| weight / sum).collect()
}

/// `blocks(100)` are 0..64 and 64..100.
fn blocks(count: usize) -> impl Iterator<Item = Range<usize>> {
    (0..count).step_by(BLOCK).map(move |start| start..count.min(start + BLOCK))
}

/// An image with a border of zeros, prepared for bilinear interpolation: the four pixels around any place
/// are one load.
#[derive(Clone)]
pub struct Corners {
    height: usize,
    width: usize,
    stride: usize,
    padded: Vec<u8>,
    /// For each place from (-1, -1) to (height, width): the pixel there, the next one in its row and the two
    /// below these, the first in the lowest bits.
    words: Vec<u32>,
}

impl Corners {
    /// For images of `height x width`; all zeros until [`Kernels::fill_corners`].
    ///
    /// Panics where a side is 0 or above [`MAX_SIDE`].
    pub fn new(height: usize, width: usize) -> Corners {
        check_size(height, width);
        let stride = (width + 2).next_multiple_of(LANES);
        let padded = vec![0; (height + 3) * (stride + 1)];
        Corners { height, width, stride, padded, words: vec![0; (height + 2) * stride] }
    }
}

/// An affine map from a pixel to its source: pixel `(x, y)` of the result comes from
/// `(x[0] x + x[1] y + x[2], y[0] x + y[1] y + y[2])` of the image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Affine {
    /// Coefficients of the source's x.
    pub x: [f32; 3],
    /// Coefficients of the source's y.
    pub y: [f32; 3],
}

/// `value` clipped to 0 ..= `most`, and 0 for NaN. One instruction for each limit; `clamp` takes more, since
/// it passes NaN on.
#[inline(always)]
fn within(value: f32, most: f32) -> f32 {
    let value = if value > 0.0 { value } else { 0.0 };
    if value < most { value } else { most }
}

/// `value` without its fraction. One instruction; `as` takes several, to saturate.
///
/// # Safety
/// `value` must lie in 0 ..= 2^30.
#[inline(always)]
unsafe fn whole(value: f32) -> i32 {
    // SAFETY: by the caller's contract `value` is finite and fits in an i32.
    unsafe { value.to_int_unchecked() }
}

/// Bilinear interpolation between the four bytes of `word`, `u` to the right and `v` down, both in [0, 1),
/// rounded.
#[inline(always)]
fn between(word: u32, u: f32, v: f32) -> u8 {
    let byte = |shift: u32| (word >> shift & 255) as i32 as f32;
    let upper = byte(0) + u * (byte(8) - byte(0));
    let lower = byte(16) + u * (byte(24) - byte(16));
    let value = upper + v * (lower - upper) + 0.5;
    // SAFETY: an interpolated value is at least 0 and at most 255, apart from rounding errors far below the
    // half that is added.
    unsafe { whole(value) as u8 }
}

/// Samples the image for 16 pixels of a row of the result, from pixel `first` on. The source of the row's
/// pixel 0 is `(u, v)`, counted from (-1, -1); that of each next one is `step` further; and `shifts` (along
/// x, along y) are added.
///
/// Three loops, so that each can be vectorized: places, loads (a gather), interpolation.
#[inline(always)]
fn read_between(
    corners: &Corners,
    (u, v): (f32, f32),
    step: (f32, f32),
    first: usize,
    shifts: (&[f32; LANES], &[f32; LANES]),
) -> [u8; LANES] {
    let (most_u, most_v) = ((corners.width + 1) as f32, (corners.height + 1) as f32);
    let (stride, first) = (corners.stride as i32, first as i32);
    let (mut right, mut down) = ([0.0; LANES], [0.0; LANES]);
    let (mut place, mut word, mut byte) = ([0; LANES], [0; LANES], [0; LANES]);
    for l in 0..LANES {
        let x = (first + l as i32) as f32;
        let u = within(u + step.0 * x + shifts.0[l], most_u);
        let v = within(v + step.1 * x + shifts.1[l], most_v);
        // SAFETY: both lie between 0 and a side of the image plus 1, at most 2^14 + 1.
        let (column, row) = unsafe { (whole(u), whole(v)) };
        (right[l], down[l]) = (u - column as f32, v - row as f32);
        place[l] = row * stride + column;
    }
    for l in 0..LANES {
        // SAFETY: row <= height + 1 and column <= width + 1 < stride, and there are height + 2 rows
        // of stride words; check_size keeps the product within an i32. (With a bounds check for each
        // index, the compiler would not make this loop a gather.)
        word[l] = unsafe { *corners.words.get_unchecked(place[l] as usize) };
    }
    for l in 0..LANES {
        byte[l] = between(word[l], right[l], down[l]);
    }
    byte
}

/// Writes the last pixels of an image. In a function of its own, so that the common case stays a single
/// store.
#[cold]
#[inline(never)]
fn write_end(bytes: &[u8; LANES], to: &mut [u8]) {
    to.copy_from_slice(&bytes[..to.len()]);
}

impl Kernels {
    /// Replaces all displacements by noise, uniform in (-size, size): those of the pixel in row `y`, column
    /// `x` are made from the lower and the upper half of number `start + y stride + x` of the stream, where
    /// `stride` is the width rounded up to a multiple of 16. Reference: [`crate::reference::noise`].
    ///
    /// Panics as [`Kernels::random_bits`] does.
    pub fn draw_field(self, stream: Stream, start: usize, size: f32, field: &mut Field) {
        self.random_bits(stream, start, &mut field.words);
        dispatch!(self, (size: f32, field: &mut Field), |_S| {
            // A half of 16 bits as a signed number, plus 1/2: symmetric, and never 0.
            let unit = size / 32768.0;
            let rows = field.values.chunks_exact_mut(2 * field.stride);
            for (row, words) in rows.zip(field.words.chunks_exact(field.stride)) {
                let (x, y) = row.split_at_mut(field.stride);
                let (x, y) = (x.as_chunks_mut::<LANES>().0, y.as_chunks_mut::<LANES>().0);
                for ((x, y), words) in x.iter_mut().zip(y).zip(words.as_chunks::<LANES>().0) {
                    *x = words.map(|word| (f32::from(word as i16) + 0.5) * unit);
                    *y = words.map(|word| (f32::from((word >> 16) as i16) + 0.5) * unit);
                }
            }
        });
    }

    /// Convolves both displacements with the Gaussian, along y and along x; outside the image they count as
    /// 0. Two products with band matrices: `G D G`. Reference: [`crate::reference::smooth`].
    pub fn smooth_field(self, gaussian: &Gaussian, field: &mut Field) {
        let Field { height, width, stride, .. } = *field;
        let reach = BLOCK + 2 * gaussian.reach;
        let down = MatRef::new(&gaussian.down, BLOCK, reach);
        let along = MatRef::new(&gaussian.along, reach, BLOCK);
        // Along y, for the displacements along x and those along y at once: they lie in one row.
        for block in blocks(height) {
            let (near, columns) = gaussian.within_reach(&block, height);
            let from = MatRef::new(&field.values, height, 2 * stride).part_rows(near);
            let mut to = MatMut::new(&mut field.spare, height, 2 * stride);
            let (weights, to) = (down.part(0..block.len(), columns), to.part_rows(block));
            self.matmul(Transpose::Neither, weights, from, to, Update::Overwrite);
        }
        // Along x: seen with half the stride, both are rows of one matrix.
        for block in blocks(stride) {
            let (near, rows) = gaussian.within_reach(&block, width);
            let from = MatRef::new(&field.spare, 2 * height, stride).part_columns(near);
            let to = &mut field.values[block.start..];
            let to = MatMut::with_stride(to, 2 * height, block.len(), stride);
            let weights = along.part(rows, 0..block.len());
            self.matmul(Transpose::Neither, from, weights, to, Update::Overwrite);
        }
    }

    /// Takes in an image of `height x width` bytes, row after row.
    ///
    /// Panics where `image` has another length.
    pub fn fill_corners(self, image: &[u8], corners: &mut Corners) {
        assert_eq!(image.len(), corners.height * corners.width);
        dispatch!(self, (image: &[u8], corners: &mut Corners), |_S| {
            let Corners { width, stride, .. } = *corners;
            let rows = corners.padded.chunks_exact_mut(stride + 1).skip(1);
            for (row, image) in rows.zip(image.chunks_exact(width)) {
                row[1..=width].copy_from_slice(image);
            }
            for (r, words) in corners.words.chunks_exact_mut(stride).enumerate() {
                let upper = &corners.padded[r * (stride + 1)..][..stride + 1];
                let lower = &corners.padded[(r + 1) * (stride + 1)..][..stride + 1];
                for c in 0..stride {
                    let (a, b) = (u32::from(upper[c]), u32::from(upper[c + 1]));
                    let (d, e) = (u32::from(lower[c]), u32::from(lower[c + 1]));
                    words[c] = a | b << 8 | d << 16 | e << 24;
                }
            }
        });
    }

    /// `out(x, y)` becomes the image at `map(x, y) + field(x, y)`: bilinear interpolation, 0 outside the image,
    /// rounded. Reference: [`crate::reference::resample`].
    ///
    /// Panics where the sizes differ.
    pub fn resample(self, corners: &Corners, map: &Affine, field: &Field, out: &mut [u8]) {
        let (height, width) = (corners.height, corners.width);
        assert_eq!((field.height, field.width, out.len()), (height, width, height * width));
        dispatch!(
            self,
            (corners: &Corners, map: &Affine, field: &Field, out: &mut [u8]),
            |_S| {
                let (stride, width) = (field.stride, corners.width);
                for (y, row) in field.values.chunks_exact(2 * stride).enumerate() {
                    let u = map.x[1] * y as f32 + (map.x[2] + 1.0);
                    let v = map.y[1] * y as f32 + (map.y[2] + 1.0);
                    let (along_x, along_y) = row.split_at(stride);
                    let shifts = along_x.as_chunks().0.iter().zip(along_y.as_chunks().0);
                    for (first, shifts) in (0..).step_by(LANES).zip(shifts) {
                        let step = (map.x[0], map.y[0]);
                        let bytes = read_between(corners, (u, v), step, first, shifts);
                        // 16 bytes at once; those behind the end of the row are overwritten by the next.
                        let rest = &mut out[y * width + first..];
                        match rest.first_chunk_mut::<LANES>() {
                            Some(place) => *place = bytes,
                            None => write_end(&bytes, rest),
                        }
                    }
                }
            }
        );
    }
}
