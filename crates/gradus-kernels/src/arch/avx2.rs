//! [`Simd`] with AVX2 and FMA: 8 values in a register, 16 registers.

use super::Simd;
use std::arch::x86_64::*;

/// The instruction set `avx2`.
#[derive(Clone, Copy)]
pub(crate) struct Avx2;

impl Simd for Avx2 {
    type Vector = __m256;
    const LANES: usize = 8;
    const REGISTERS: usize = 16;

    #[inline(always)]
    unsafe fn splat(value: f32) -> __m256 {
        // SAFETY: the caller guarantees the instruction set.
        unsafe { _mm256_set1_ps(value) }
    }

    #[inline(always)]
    unsafe fn four_bytes(from: *const u8) -> __m256 {
        // SAFETY: the caller guarantees the instruction set and 4 readable bytes.
        unsafe { twice(four_bytes(from)) }
    }

    #[inline(always)]
    unsafe fn four_values(from: *const f32) -> __m256 {
        // SAFETY: the caller guarantees the instruction set and 4 readable values.
        unsafe { twice(_mm_loadu_ps(from)) }
    }

    #[inline(always)]
    unsafe fn one_of_four<const I: i32>(fours: __m256) -> __m256 {
        // SAFETY: the caller guarantees the instruction set.
        unsafe {
            match I {
                0 => _mm256_shuffle_ps::<0b00_00_00_00>(fours, fours),
                1 => _mm256_shuffle_ps::<0b01_01_01_01>(fours, fours),
                2 => _mm256_shuffle_ps::<0b10_10_10_10>(fours, fours),
                _ => _mm256_shuffle_ps::<0b11_11_11_11>(fours, fours),
            }
        }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> __m256 {
        // SAFETY: the caller guarantees the instruction set and 8 readable values.
        unsafe { _mm256_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn load_part(from: *const f32, count: usize) -> __m256 {
        /// Eight marks of lanes that are loaded, then as many of lanes that are not.
        const MARKS: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
        debug_assert!(count < 8);
        // SAFETY: the caller guarantees the instruction set and `count < 8` readable values; of the marks, 8 from
        // 8 - count on are read, and lanes without a mark read nothing.
        unsafe {
            let marks = _mm256_loadu_si256(MARKS.as_ptr().add(8 - count).cast());
            _mm256_maskload_ps(from, marks)
        }
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, value: __m256) {
        // SAFETY: the caller guarantees the instruction set and 8 writable values.
        unsafe { _mm256_storeu_ps(to, value) }
    }

    #[inline(always)]
    unsafe fn add(a: __m256, b: __m256) -> __m256 {
        // SAFETY: the caller guarantees the instruction set.
        unsafe { _mm256_add_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn multiply(a: __m256, b: __m256) -> __m256 {
        // SAFETY: the caller guarantees the instruction set.
        unsafe { _mm256_mul_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn multiply_add(a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: the caller guarantees the instruction set.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
}

/// `four` in both halves of a register.
#[inline]
#[target_feature(enable = "avx2")]
fn twice(four: __m128) -> __m256 {
    _mm256_set_m128(four, four)
}

/// Four bytes as values.
///
/// # Safety
/// `from` must have 4 readable bytes.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) unsafe fn four_bytes(from: *const u8) -> __m128 {
    // One load of 32 bits instead of four of a byte each.
    // SAFETY: the caller guarantees 4 readable bytes; the load is an unaligned one.
    let bytes = _mm_cvtsi32_si128(unsafe { from.cast::<i32>().read_unaligned() });
    _mm_cvtepi32_ps(_mm_cvtepu8_epi32(bytes))
}
