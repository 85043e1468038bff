//! The machine's arithmetic peak, measured: a number of rounds goes in, floating-point operations come
//! out. `gradus bench` divides the speed of training by it.

use crate::arch::Simd;
use crate::dispatch::{Kernels, dispatch};

/// Independent sums: at least 8 to 10, as two multiply-adds start in each cycle and one takes 4 or 5; and
/// at most what the 16 registers of AVX2 hold besides `factor` and `term`.
const SUMS: usize = 12;

#[inline(always)]
fn multiply_adds<S: Simd>(rounds: usize) -> (u64, f32) {
    // Hidden from the compiler, which would otherwise compute the result at compile time.
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
    /// Runs `rounds` rounds of multiply-adds in registers. Returns how many floating-point operations these
    /// were (two for each value of a multiply-add), and a number that depends on all of them, so that the
    /// compiler leaves none out.
    pub fn multiply_adds(self, rounds: usize) -> (u64, f32) {
        dispatch!(self, (rounds: usize) -> (u64, f32), |S| multiply_adds::<S>(rounds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loop_really_runs() {
        for kernels in Kernels::available() {
            let (operations, value) = kernels.multiply_adds(100_000);
            assert!(operations >= 2 * 12 * 8 * 100_000);
            // x = 0.999 x + 0.001 stays at 1, and twelve sums are added.
            assert!((value - 12.0).abs() < 0.1, "{value}");
        }
    }
}
