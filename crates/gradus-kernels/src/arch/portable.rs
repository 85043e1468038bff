//! [`Simd`] in plain Rust, for every machine: 8 values in an array, which the compiler puts into the
//! registers that the target always has (two of SSE2's or NEON's). What each operation means can be
//! read here.

use super::{SQUARE, Simd};

/// The instruction set `portable`.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

/// `a b + c`. Every aarch64 machine has an instruction that rounds this once. Plain x86-64 has none, and
/// `mul_add` would call a library function for each value: there it is rounded twice.
#[inline(always)]
fn fused(a: f32, b: f32, c: f32) -> f32 {
    if cfg!(target_arch = "aarch64") { a.mul_add(b, c) } else { a * b + c }
}

impl Simd for Portable {
    type Vector = [f32; 8];
    const LANES: usize = 8;
    // An array takes two of the 16 (SSE2) or more registers that hold four values.
    const REGISTERS: usize = 8;

    #[inline(always)]
    unsafe fn splat(value: f32) -> [f32; 8] {
        [value; 8]
    }

    #[inline(always)]
    unsafe fn four_bytes(from: *const u8) -> [f32; 8] {
        // SAFETY: the caller guarantees 4 readable bytes.
        let four = unsafe { from.cast::<[u8; 4]>().read() };
        std::array::from_fn(|i| f32::from(four[i % 4]))
    }

    #[inline(always)]
    unsafe fn four_values(from: *const f32) -> [f32; 8] {
        // SAFETY: the caller guarantees 4 readable values.
        let four = unsafe { from.cast::<[f32; 4]>().read_unaligned() };
        std::array::from_fn(|i| four[i % 4])
    }

    #[inline(always)]
    unsafe fn one_of_four<const I: i32>(fours: [f32; 8]) -> [f32; 8] {
        [fours[I as usize]; 8]
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> [f32; 8] {
        // SAFETY: the caller guarantees 8 readable values; an array of f32 read unaligned.
        unsafe { from.cast::<[f32; 8]>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn load_part(from: *const f32, count: usize) -> [f32; 8] {
        std::array::from_fn(|i| match i < count {
            // SAFETY: the caller guarantees `count` readable values.
            true => unsafe { from.add(i).read_unaligned() },
            false => 0.0,
        })
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, value: [f32; 8]) {
        // SAFETY: the caller guarantees 8 writable values.
        unsafe { to.cast::<[f32; 8]>().write_unaligned(value) }
    }

    #[inline(always)]
    unsafe fn add(a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        std::array::from_fn(|i| a[i] + b[i])
    }

    #[inline(always)]
    unsafe fn multiply(a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        std::array::from_fn(|i| a[i] * b[i])
    }

    #[inline(always)]
    unsafe fn multiply_add(a: [f32; 8], b: [f32; 8], c: [f32; 8]) -> [f32; 8] {
        std::array::from_fn(|i| fused(a[i], b[i], c[i]))
    }

    #[inline(always)]
    unsafe fn sums_of_four(pairs: [[i16; 2]; 2], x: *const i16, y: *const i16) -> [f32; 8] {
        // SAFETY: the caller guarantees 16 readable values at both pointers; arrays read unaligned.
        let values = unsafe { [x, y].map(|from| from.cast::<[[i16; 2]; 8]>().read_unaligned()) };
        let product = |a: [i16; 2], b: [i16; 2]| {
            i32::from(a[0]) * i32::from(b[0]) + i32::from(a[1]) * i32::from(b[1])
        };
        std::array::from_fn(|i| {
            (product(pairs[0], values[0][i]) + product(pairs[1], values[1][i])) as f32
        })
    }
}

/// `to[j * stride + i] = square[i][j]`: the transpose of 4 x 4 values, with rows `stride` apart.
///
/// Panics where `to` has no room for the result.
#[cfg_attr(target_arch = "x86_64", allow(dead_code))]
pub(crate) fn transpose_four(square: [&[f32; 4]; 4], to: &mut [f32], stride: usize) {
    for j in 0..4 {
        for i in 0..4 {
            to[j * stride + i] = square[i][j];
        }
    }
}

/// `to[j * stride + i] = square[i][j]`: the transpose of 16 x 16 bytes, with rows `stride` apart.
///
/// Panics where `to` has no room for the result.
#[cfg_attr(target_arch = "x86_64", allow(dead_code))]
pub(crate) fn transpose(square: [&[u8; SQUARE]; SQUARE], to: &mut [u8], stride: usize) {
    for (i, row) in square.iter().enumerate() {
        for (j, &byte) in row.iter().enumerate() {
            to[j * stride + i] = byte;
        }
    }
}

/// Would ask the cache for bytes that will be read soon; plain Rust has no such hint.
#[cfg_attr(target_arch = "x86_64", allow(dead_code))]
pub(crate) fn prefetch(_bytes: &[u8]) {}
