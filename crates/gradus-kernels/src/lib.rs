//! The fast loops of gradus: slices and shapes in, slices out; nothing here knows layers or files.
//!
//! | kernel | formula | file |
//! |---|---|---|
//! | [`Kernels::matmul`] | `C (+)= A B`, `A^T B` or `A B^T` | dense.rs |
//! | [`Kernels::sparse_forward`] | `Z = b + X W`, `X` mostly zeros | sparse.rs |
//! | [`Kernels::sparse_gradient`] | `dW (+)= X^T dZ`, `X` mostly zeros | sparse.rs |
//! | [`Kernels::relu`] and the like | `x = f(x)` | elementwise.rs |
//! | [`Kernels::relu_backward`] and the like | `grad *= f'` | elementwise.rs |
//! | [`Kernels::to_bytes`] | `b = x steps`, where all are whole | elementwise.rs |
//! | [`Kernels::sgd`], [`Kernels::adam`], ... | one step of an optimizer | steps.rs |
//! | [`Kernels::batch_norm_forward`] and backward | columns of mean 0, variance 1; scale and shift | batch_norm.rs |
//! | [`Kernels::penalize`] and the like | penalties, limits, averages, norms | weights.rs |
//! | [`Kernels::softmax_cross_entropy`] | loss, and `(p - t) / m`, of target `t` | softmax.rs |
//! | [`Kernels::softmax`] | `p = e^z / sum e^z` | softmax.rs |
//! | [`Kernels::squared_error`] | loss, and `(y - t) / (n m)`, of values `t` | squared.rs |
//! | [`Kernels::random_bits`] and the like | number `i` of a stream: bits, uniform, normal, dropout | random.rs |
//! | [`Kernels::draw_field`], [`Kernels::smooth_field`] | random displacements of pixels, `G D G` | distort.rs |
//! | [`Kernels::resample`] | an image read between its pixels | distort.rs |
//! | [`Kernels::multiply_adds`] | the arithmetic peak | peak.rs |
//!
//! The products, softmax, batch normalisation and the like stand in [`mod@reference`] as the plain
//! loops that define them, and are tested against these on every instruction set of the machine; the
//! element-wise kernels and the steps are plain loops themselves, tested against double precision and
//! central differences.

pub mod matrix;
pub mod threads;
pub mod dispatch;
mod arch;
pub mod dense;
mod tile;
pub mod sparse;
pub mod elementwise;
pub mod steps;
pub mod batch_norm;
pub mod weights;
pub mod softmax;
mod squared;
pub mod random;
pub mod distort;
pub mod reference;
mod peak;

pub use dispatch::{Isa, Kernels};
