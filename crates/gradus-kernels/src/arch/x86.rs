//! [`Simd`] on x86-64: AVX2 with FMA, and AVX-512.

use super::{SQUARE, Simd};
use std::arch::x86_64::*;

/// 8 values in a register, 16 registers.
#[derive(Clone, Copy)]
pub(crate) struct Avx2;

/// 16 values in a register, 32 registers.
#[derive(Clone, Copy)]
pub(crate) struct Avx512;

/// Each method is one instruction; `four_bytes` are three.
macro_rules! one_instruction_each {
    (
        $type:ident, $vector:ty, $lanes:literal, $registers:literal, $splat:ident,
        $four_bytes:ident, $four_values:ident, $shuffle:ident, $load:ident, $store:ident, $add:ident, $multiply:ident,
        $fma:ident
    ) => {
        impl Simd for $type {
            type Vector = $vector;
            const LANES: usize = $lanes;
            const REGISTERS: usize = $registers;

            #[inline(always)]
            unsafe fn splat(value: f32) -> $vector {
                // SAFETY: the caller vouches for the instruction set.
                unsafe { $splat(value) }
            }
            #[inline(always)]
            unsafe fn four_bytes(from: *const u8) -> $vector {
                // SAFETY: the caller vouches for the instruction set and for 4 bytes.
                unsafe { $four_bytes(from) }
            }
            #[inline(always)]
            unsafe fn four_values(from: *const f32) -> $vector {
                // SAFETY: the caller vouches for the instruction set and for 4 values.
                unsafe { $four_values(_mm_loadu_ps(from)) }
            }
            #[inline(always)]
            unsafe fn one_of_four<const I: i32>(fours: $vector) -> $vector {
                // SAFETY: the caller vouches for the instruction set.
                unsafe {
                    match I {
                        0 => $shuffle::<0b00_00_00_00>(fours, fours),
                        1 => $shuffle::<0b01_01_01_01>(fours, fours),
                        2 => $shuffle::<0b10_10_10_10>(fours, fours),
                        _ => $shuffle::<0b11_11_11_11>(fours, fours),
                    }
                }
            }
            #[inline(always)]
            unsafe fn load(from: *const f32) -> $vector {
                // SAFETY: the caller vouches for the instruction set and for LANES values.
                unsafe { $load(from) }
            }
            #[inline(always)]
            unsafe fn store(to: *mut f32, value: $vector) {
                // SAFETY: the caller vouches for the instruction set and for LANES values.
                unsafe { $store(to, value) }
            }
            #[inline(always)]
            unsafe fn add(a: $vector, b: $vector) -> $vector {
                // SAFETY: the caller vouches for the instruction set.
                unsafe { $add(a, b) }
            }
            #[inline(always)]
            unsafe fn multiply(a: $vector, b: $vector) -> $vector {
                // SAFETY: the caller vouches for the instruction set.
                unsafe { $multiply(a, b) }
            }
            #[inline(always)]
            unsafe fn multiply_add(a: $vector, b: $vector, c: $vector) -> $vector {
                // SAFETY: the caller vouches for the instruction set.
                unsafe { $fma(a, b, c) }
            }
        }
    };
}

one_instruction_each!(
    Avx2,
    __m256,
    8,
    16,
    _mm256_set1_ps,
    four_bytes_256,
    twice,
    _mm256_shuffle_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_add_ps,
    _mm256_mul_ps,
    _mm256_fmadd_ps
);
one_instruction_each!(
    Avx512,
    __m512,
    16,
    32,
    _mm512_set1_ps,
    four_bytes_512,
    _mm512_broadcast_f32x4,
    _mm512_shuffle_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_add_ps,
    _mm512_mul_ps,
    _mm512_fmadd_ps
);

/// Four bytes as values, twice.
///
/// # Safety
/// `from` must have 4 readable bytes.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn four_bytes_256(from: *const u8) -> __m256 {
    // SAFETY: the caller's contract.
    twice(unsafe { four_bytes(from) })
}

/// Both halves `four`.
#[inline]
#[target_feature(enable = "avx2")]
fn twice(four: __m128) -> __m256 {
    _mm256_set_m128(four, four)
}

/// Four bytes as values, four times.
///
/// # Safety
/// `from` must have 4 readable bytes.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn four_bytes_512(from: *const u8) -> __m512 {
    // SAFETY: the caller's contract.
    _mm512_broadcast_f32x4(unsafe { four_bytes(from) })
}

/// Four bytes as values.
///
/// # Safety
/// `from` must have 4 readable bytes.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn four_bytes(from: *const u8) -> __m128 {
    // SAFETY: the caller's contract.
    let bytes = _mm_cvtsi32_si128(unsafe { from.cast::<i32>().read_unaligned() });
    _mm_cvtepi32_ps(_mm_cvtepu8_epi32(bytes))
}

/// Writes the non-zeros among `bytes` and where they stood; returns how many. Per 64 bytes: a mask
/// of those that are not 0, and twice a compression by that mask.
///
/// Panics where `indices` or `values` have not room for the pairs and 63 bytes more.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,popcnt,bmi2")]
pub(crate) fn non_zeros(bytes: &[u8], indices: &mut [u8], values: &mut [u8]) -> usize {
    const COUNT: [u8; 64] = {
        let mut count = [0; 64];
        let mut i = 0;
        while i < 64 {
            count[i] = i as u8;
            i += 1;
        }
        count
    };
    // SAFETY: 64 readable bytes.
    let count = unsafe { _mm512_loadu_epi8(COUNT.as_ptr().cast()) };
    let mut end = 0;
    for (chunk, start) in bytes.chunks(64).zip((0..).step_by(64)) {
        let here = u64::MAX >> (64 - chunk.len());
        // SAFETY: only the bytes of the chunk are read, the others are masked out.
        let loaded = unsafe { _mm512_maskz_loadu_epi8(here, chunk.as_ptr().cast()) };
        let kept = _mm512_test_epi8_mask(loaded, loaded);
        let index = _mm512_add_epi8(count, _mm512_set1_epi8(start as i8));
        let (to_index, to_value) = (&mut indices[end..end + 64], &mut values[end..end + 64]);
        // SAFETY: 64 writable bytes each.
        unsafe {
            let index = _mm512_maskz_compress_epi8(kept, index);
            _mm512_storeu_epi8(to_index.as_mut_ptr().cast(), index);
            let value = _mm512_maskz_compress_epi8(kept, loaded);
            _mm512_storeu_epi8(to_value.as_mut_ptr().cast(), value);
        }
        end += kept.count_ones() as usize;
    }
    end
}

/// Byte `j` of line `i` becomes byte `i` of line `j`; the result's lines lie `stride` bytes apart.
/// Four times each line of the upper half is interleaved with one of the lower half; with SSE2,
/// which every x86-64 machine has.
///
/// Panics where `to` has no room for the result.
#[inline(always)]
pub(crate) fn transpose(square: [&[u8; SQUARE]; SQUARE], to: &mut [u8], stride: usize) {
    assert!(stride >= SQUARE && to.len() >= (SQUARE - 1) * stride + SQUARE);
    // SAFETY: SSE2 is part of x86-64. Each line is 16 readable bytes, and the last of the result's
    // ends within `to`.
    unsafe {
        let mut lines = [_mm_setzero_si128(); SQUARE];
        for i in 0..SQUARE {
            lines[i] = _mm_loadu_si128(square[i].as_ptr().cast());
        }
        for _ in 0..4 {
            let mut next = lines;
            for i in 0..SQUARE / 2 {
                next[2 * i] = _mm_unpacklo_epi8(lines[i], lines[i + SQUARE / 2]);
                next[2 * i + 1] = _mm_unpackhi_epi8(lines[i], lines[i + SQUARE / 2]);
            }
            lines = next;
        }
        for i in 0..SQUARE {
            _mm_storeu_si128(to.as_mut_ptr().add(i * stride).cast(), lines[i]);
        }
    }
}

/// Asks for bytes that will be read soon.
#[inline]
pub(crate) fn prefetch(bytes: &[u8]) {
    for line in bytes.chunks(64) {
        // SAFETY: a hint on an address that may be read; SSE is part of x86-64.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast()) };
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn squares_are_turned() {
        let square: [[u8; 16]; 16] =
            std::array::from_fn(|i| std::array::from_fn(|j| (16 * i + j) as u8));
        let (mut found, mut expected) = ([9; 500], [9; 500]);
        super::transpose(square.each_ref(), &mut found, 20);
        crate::arch::portable::transpose(square.each_ref(), &mut expected, 20);
        assert_eq!(found, expected);
        assert_eq!((found[1], found[20], found[16]), (16, 1, 9));
    }
}
