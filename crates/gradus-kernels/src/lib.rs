//! The fast loops of gradus: slices and shapes go in, slices come out. Nothing here knows layers, files
//! or settings.
//!
//! The map, in the order in which data flow through a training step:
//!
//! | file | kernels | formula |
//! |---|---|---|
//! | distort.rs | [`Kernels::draw_field`], [`Kernels::smooth_field`], [`Kernels::resample`] | random displacements, `G D G`; an image sampled along them |
//! | elementwise.rs | [`Kernels::to_bytes`] | `b = x scale`, if all are whole |
//! | random.rs | [`Kernels::add_normal`], [`Kernels::dropout_mask`], ... | number `i` of a stream: bits, uniform, normal, dropout |
//! | tile/ | [`sparse::Tile`] | mostly-zero samples as lists of their non-zeros |
//! | sparse.rs | [`Kernels::sparse_forward`] | `Z = b + X W`, `X` mostly zeros |
//! | | [`Kernels::sparse_gradient`] | `dW (+)= X^T dZ`, `X` mostly zeros |
//! | dense.rs | [`Kernels::matmul`] | `C (+)= A B`, `A^T B` or `A B^T` |
//! | quantized.rs | [`Kernels::add_quantized_product`] | `y += x W`, one sample, `W` in 16-bit whole numbers |
//! | batch_norm.rs | [`Kernels::batch_norm_forward`] and backward | columns with mean 0, variance 1; scale and shift |
//! | elementwise.rs | [`Kernels::relu`], ... | `x = f(x)` |
//! | | [`Kernels::relu_backward`], ... | `grad *= f'` |
//! | softmax.rs | [`Kernels::softmax_cross_entropy`] | loss, and `(p - t) / m`, for target `t` |
//! | | [`Kernels::softmax`] | `p = e^z / sum e^z` |
//! | squared.rs | [`Kernels::squared_error`] | loss, and `(y - t) / (n m)`, for target `t` |
//! | output_losses.rs | [`Kernels::output_losses`] | Poisson, Huber, absolute, quantile, binary cross-entropy: sums over outputs |
//! | | [`Kernels::exponential`] | `x = e^x` |
//! | weights.rs | [`Kernels::penalize`], [`Kernels::clamp`], [`Kernels::blend`], ... | penalties, limits, averages, norms |
//! | steps.rs | [`Kernels::sgd`], [`Kernels::adam`], ... | one step of an optimizer |
//! | peak.rs | [`Kernels::multiply_adds`] | the arithmetic peak |
//!
//! Beneath them: matrix.rs (views of matrices), threads.rs (threads, barriers, shared matrices), bytes.rs (numbers as
//! bytes),
//! dispatch.rs (which instruction set) and arch/ (what each instruction set can do).
//!
//! To read a kernel, start with its plain loop in [`mod@reference`], then read the generic code over
//! `Simd`, then `arch/`, then `dispatch!`. Kernels are tested against the plain loops on every instruction
//! set of the machine; element-wise kernels and optimizer steps, which are plain loops themselves, against
//! double precision and central differences.

pub mod matrix;
pub mod threads;
pub mod bytes;
mod arch;
mod dispatch;
pub mod random;
mod tile;
pub mod dense;
pub mod quantized;
pub mod sparse;
pub mod distort;
mod batch_norm;
mod elementwise;
pub mod periodic;
pub mod piecewise;
pub mod softmax;
mod squared;
pub mod output_losses;
mod weights;
pub mod steps;
mod peak;
pub mod reference;

pub use dispatch::{Isa, Kernels};
