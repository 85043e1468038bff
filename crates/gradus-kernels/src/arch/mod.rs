//! What the microkernels need of an instruction set: a register of `f32` values and a few
//! operations on it. Kernels are written once over [`Simd`] and compiled for each implementation.

pub(crate) mod portable;
#[cfg(target_arch = "x86_64")]
pub(crate) mod x86;

#[cfg(not(target_arch = "x86_64"))]
pub(crate) use portable::{prefetch, transpose};
#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{prefetch, transpose};

/// Side of the squares of bytes that [`transpose`] turns.
pub(crate) const SQUARE: usize = 16;

/// A vector register of [`Simd::LANES`] values.
///
/// # Safety
/// Every function of an implementation may only be called where the machine has the instruction
/// set, that is from code reached through [`crate::dispatch::Kernels`]. Loads and stores touch
/// `LANES` values from their pointer, which need not be aligned.
pub(crate) trait Simd: Copy {
    /// The register.
    type Vector: Copy;
    /// Values in a register.
    const LANES: usize;
    /// Number of registers.
    const REGISTERS: usize;

    /// All lanes `value`.
    unsafe fn splat(value: f32) -> Self::Vector;
    /// Four bytes as values, again and again in all lanes.
    unsafe fn four_bytes(from: *const u8) -> Self::Vector;
    /// Four values, again and again in all lanes.
    unsafe fn four_values(from: *const f32) -> Self::Vector;
    /// All lanes number `I` of four values that are repeated in `fours`. For loops that the load unit
    /// bounds: it stays in registers.
    unsafe fn one_of_four<const I: i32>(fours: Self::Vector) -> Self::Vector;
    /// `LANES` values from `from`.
    unsafe fn load(from: *const f32) -> Self::Vector;
    /// `LANES` values to `to`.
    unsafe fn store(to: *mut f32, value: Self::Vector);
    /// `a + b`.
    unsafe fn add(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a * b`.
    unsafe fn multiply(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a * b + c`, rounded once where the instruction set can.
    unsafe fn multiply_add(a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
}
