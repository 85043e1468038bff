//! [`Simd`] with AVX-512 (F, BW, DQ and VL): 16 values in a register, 32 registers.

use super::Simd;
use super::avx2::{both, four_bytes};
use std::arch::x86_64::*;

/// The instruction set `avx512`; `avx512vbmi2` computes with it, too.
#[derive(Clone, Copy)]
pub(crate) struct Avx512;

impl Simd for Avx512 {
    type Vector = __m512;
    const LANES: usize = 16;
    const REGISTERS: usize = 32;

    #[inline(always)]
    unsafe fn splat(value: f32) -> __m512 {
        // SAFETY: the caller guarantees the instruction set.
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    unsafe fn four_bytes(from: *const u8) -> __m512 {
        // SAFETY: the caller guarantees the instruction set and 4 readable bytes.
        unsafe { _mm512_broadcast_f32x4(four_bytes(from)) }
    }

    #[inline(always)]
    unsafe fn four_values(from: *const f32) -> __m512 {
        // SAFETY: the caller guarantees the instruction set and 4 readable values.
        unsafe { _mm512_broadcast_f32x4(_mm_loadu_ps(from)) }
    }

    #[inline(always)]
    unsafe fn one_of_four<const I: i32>(fours: __m512) -> __m512 {
        // SAFETY: the caller guarantees the instruction set.
        unsafe {
            match I {
                0 => _mm512_shuffle_ps::<0b00_00_00_00>(fours, fours),
                1 => _mm512_shuffle_ps::<0b01_01_01_01>(fours, fours),
                2 => _mm512_shuffle_ps::<0b10_10_10_10>(fours, fours),
                _ => _mm512_shuffle_ps::<0b11_11_11_11>(fours, fours),
            }
        }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> __m512 {
        // SAFETY: the caller guarantees the instruction set and 16 readable values.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn load_part(from: *const f32, count: usize) -> __m512 {
        // SAFETY: the caller guarantees the instruction set and `count < 16` readable values; lanes without a bit read
        // nothing.
        unsafe { _mm512_maskz_loadu_ps((1 << count) - 1, from) }
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, value: __m512) {
        // SAFETY: the caller guarantees the instruction set and 16 writable values.
        unsafe { _mm512_storeu_ps(to, value) }
    }

    #[inline(always)]
    unsafe fn add(a: __m512, b: __m512) -> __m512 {
        // SAFETY: the caller guarantees the instruction set.
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn multiply(a: __m512, b: __m512) -> __m512 {
        // SAFETY: the caller guarantees the instruction set.
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn multiply_add(a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: the caller guarantees the instruction set.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    unsafe fn sums_of_four(pairs: [[i16; 2]; 2], x: *const i16, y: *const i16) -> __m512 {
        // SAFETY: the caller guarantees the instruction set and 32 readable values at both pointers.
        unsafe {
            let (a, b) = (_mm512_set1_epi32(both(pairs[0])), _mm512_set1_epi32(both(pairs[1])));
            let x = _mm512_madd_epi16(a, _mm512_loadu_si512(x.cast()));
            let y = _mm512_madd_epi16(b, _mm512_loadu_si512(y.cast()));
            _mm512_cvtepi32_ps(_mm512_add_epi32(x, y))
        }
    }
}
