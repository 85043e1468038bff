//! One file per instruction set, with what the kernels need from it: pointers and registers go in,
//! registers come out.
//!
//! A kernel is written once, over the trait [`Simd`]; `dispatch!` compiles it for each type here that
//! implements the trait. Read `portable.rs` first: it says in plain Rust what each operation means.
//! docs/adding/instruction-set.md lists the steps to add a file.

pub(crate) mod portable;
#[cfg(target_arch = "x86_64")]
pub(crate) mod sse2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512vbmi2;

// Not part of `Simd`: SSE2, which every x86-64 machine has, does them well, so that nothing is left to choose at run time.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) use portable::{prefetch, transpose, transpose_four};
#[cfg(target_arch = "x86_64")]
pub(crate) use sse2::{prefetch, transpose, transpose_four};

/// Side of the squares of bytes that [`transpose`] takes: the bytes in an SSE2 register.
pub(crate) const SQUARE: usize = 16;

/// A vector register of [`Simd::LANES`] values, and the few operations that the kernels do on it.
///
/// # Safety
/// A method may be called only on a machine that has the instruction set, which means: from code
/// reached through [`crate::dispatch::Kernels`]. `load` reads and `store` writes `LANES` values at
/// their pointer, `four_bytes` and `four_values` read four, `load_part` as many as it is told, `sums_of_four` twice `LANES` at each
/// pointer; no pointer needs to be aligned.
pub(crate) trait Simd: Copy {
    /// The register.
    type Vector: Copy;
    /// Values in a register.
    const LANES: usize;
    /// Registers of the machine: the kernels keep as many sums in them as fit.
    const REGISTERS: usize;

    /// `value` in all lanes.
    unsafe fn splat(value: f32) -> Self::Vector;
    /// Four bytes as values, repeated to fill the register.
    unsafe fn four_bytes(from: *const u8) -> Self::Vector;
    /// Four values, repeated to fill the register.
    unsafe fn four_values(from: *const f32) -> Self::Vector;
    /// Value `I` of four repeated ones, in all lanes. Unlike [`Simd::splat`] of a value in memory it
    /// needs no load, for loops whose speed is limited by loads.
    unsafe fn one_of_four<const I: i32>(fours: Self::Vector) -> Self::Vector;
    /// `LANES` values from `from`.
    unsafe fn load(from: *const f32) -> Self::Vector;
    /// `count < LANES` values from `from`, and zeros.
    unsafe fn load_part(from: *const f32, count: usize) -> Self::Vector;
    /// `LANES` values to `to`.
    unsafe fn store(to: *mut f32, value: Self::Vector);
    /// `a + b`.
    unsafe fn add(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a * b`.
    unsafe fn multiply(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a * b + c`, rounded once if the instruction set can do that.
    unsafe fn multiply_add(a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    /// Lane `j` is `a_0 x_2j + a_1 x_(2j + 1) + b_0 y_2j + b_1 y_(2j + 1)`, a whole number that must fit into 32 bits and is
    /// rounded once; `pairs` are `a` and `b`.
    unsafe fn sums_of_four(pairs: [[i16; 2]; 2], x: *const i16, y: *const i16) -> Self::Vector;
}

#[cfg(test)]
mod tests {
    use super::Simd;
    use crate::dispatch::{Kernels, dispatch};

    /// What each operation makes of values whose sums and products are exact, whether rounded once
    /// or twice.
    #[inline(always)]
    fn operations<S: Simd>() -> Vec<Vec<f32>> {
        // One more than fits in a register, so that loads and stores can be unaligned.
        let values: Vec<f32> = (0..=S::LANES).map(|i| i as f32 * 0.5 - 3.0).collect();
        let bytes: [u8; 5] = [7, 0, 1, 254, 255];
        let pairs = [[16_383, -16_383], [16_383, 5]];
        let whole: Vec<i16> =
            (0..=2 * S::LANES as i32).map(|i| (32_767 - 1_900 * i) as i16).collect();
        let store = |value: S::Vector| {
            let mut all = vec![0.0; S::LANES + 1];
            // SAFETY: called through dispatch, so the machine has S; LANES values lie behind the first.
            unsafe { S::store(all.as_mut_ptr().add(1), value) };
            all
        };
        // SAFETY: called through dispatch, so the machine has S; `values` has LANES values behind the
        // first, `whole` twice as many, `bytes` four bytes.
        unsafe {
            let a = S::load(values.as_ptr().add(1));
            let b = S::splat(0.75);
            let fours = S::four_bytes(bytes.as_ptr().add(1));
            vec![
                store(a),
                store(b),
                store(fours),
                store(S::four_values(values.as_ptr().add(1))),
                store(S::one_of_four::<0>(fours)),
                store(S::one_of_four::<1>(fours)),
                store(S::one_of_four::<2>(fours)),
                store(S::one_of_four::<3>(fours)),
                store(S::load_part(values.as_ptr().add(1), 0)),
                store(S::load_part(values.as_ptr().add(1), 5)),
                store(S::add(a, b)),
                store(S::multiply(a, fours)),
                store(S::multiply_add(a, fours, b)),
                store(S::sums_of_four(pairs, whole.as_ptr().add(1), whole.as_ptr())),
            ]
        }
    }

    #[test]
    fn each_operation_does_what_portable_rust_does() {
        let expected = operations::<super::portable::Portable>();
        for kernels in Kernels::available() {
            let found = dispatch!(kernels, () -> Vec<Vec<f32>>, |S| operations::<S>());
            for (found, expected) in found.iter().zip(&expected) {
                // A wider register repeats or continues what a narrow one holds.
                assert_eq!(found[..expected.len()], expected[..], "{kernels:?}");
            }
            let lanes = |i: usize| found[i][1..].iter();
            let period = |i: usize| lanes(i).zip(lanes(i).skip(4)).all(|(a, b)| a == b);
            assert!(
                (1..8).all(period),
                "{kernels:?}: the upper lanes do not repeat the lower ones"
            );
            let sums = lanes(0).zip(lanes(10)).all(|(a, sum)| *sum == a + 0.75);
            let products = lanes(0).zip(lanes(2)).zip(lanes(11)).all(|((a, b), ab)| *ab == a * b);
            assert!(sums && products, "{kernels:?}: the upper lanes are not computed");
            let rest = lanes(8).chain(lanes(9).skip(5)).all(|&value| value == 0.0);
            assert!(rest, "{kernels:?}: what is not loaded is not 0");
        }
    }
}
