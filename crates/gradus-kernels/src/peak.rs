//! The machine's arithmetic peak, measured: against it the share of a kernel is told.

use crate::arch::Simd;
use crate::dispatch::{Kernels, dispatch};

/// Sums that are formed side by side: enough to hide the latency of a multiply-add, few enough for
/// the registers of AVX2.
const SUMS: usize = 12;

#[inline(always)]
fn multiply_adds<S: Simd>(rounds: usize) -> (u64, f32) {
    let factor = std::hint::black_box(0.999f32);
    // SAFETY: reached through dispatch, so the machine has S; `all` has LANES writable values.
    let value = unsafe {
        let (factor, term) = (S::splat(factor), S::splat(std::hint::black_box(0.001)));
        let mut sums = [S::splat(1.0); SUMS];
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = S::multiply_add(*sum, factor, term);
            }
        }
        let mut all = [0.0f32; 16];
        for sum in sums {
            S::store(all.as_mut_ptr(), S::add(sum, S::load(all.as_ptr())));
        }
        all[0]
    };
    ((2 * SUMS * S::LANES * rounds) as u64, value)
}

impl Kernels {
    /// Carries out `rounds` rounds of multiply-adds in registers; returns how many floating-point
    /// operations these were (two each), and a number that depends on all of them.
    pub fn multiply_adds(self, rounds: usize) -> (u64, f32) {
        dispatch!(self, (rounds: usize) -> (u64, f32), |S| multiply_adds::<S>(rounds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loop_is_really_carried_out() {
        for kernels in Kernels::available() {
            let (operations, value) = kernels.multiply_adds(100_000);
            assert!(operations >= 2 * 12 * 8 * 100_000);
            // x = 0.999 x + 0.001 stays at 1, and twelve sums are added up.
            assert!((value - 12.0).abs() < 0.1, "{value}");
        }
    }
}
