//! [`Simd`] on x86-64: AVX2 with FMA, and AVX-512.

use super::Simd;
use std::arch::x86_64::*;

/// 8 values in a register, 16 registers.
#[derive(Clone, Copy)]
pub(crate) struct Avx2;

/// 16 values in a register, 32 registers.
#[derive(Clone, Copy)]
pub(crate) struct Avx512;

/// Each method is one instruction.
macro_rules! one_instruction_each {
    ($type:ident, $vector:ty, $lanes:literal, $splat:ident, $load:ident, $store:ident, $add:ident, $fma:ident) => {
        impl Simd for $type {
            type Vector = $vector;
            const LANES: usize = $lanes;

            #[inline(always)]
            unsafe fn splat(value: f32) -> $vector {
                // SAFETY: the caller vouches for the instruction set.
                unsafe { $splat(value) }
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
    _mm256_set1_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_add_ps,
    _mm256_fmadd_ps
);
one_instruction_each!(
    Avx512,
    __m512,
    16,
    _mm512_set1_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_add_ps,
    _mm512_fmadd_ps
);
