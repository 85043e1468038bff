//! Products of dense matrices: a thin, safe face over the `gemm` crate.

use crate::matrix::{MatMut, MatRef};

/// Which of the two factors is used transposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transpose {
    /// `A B`
    Neither,
    /// `A^T B`
    First,
    /// `A B^T`
    Second,
}

/// Whether a kernel overwrites its result or adds to what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update {
    /// `result = ...`
    Overwrite,
    /// `result += ...`
    Add,
}

/// `C = op(A, B)` or `C += op(A, B)`, on the calling thread. Reference: [`crate::reference::matmul`].
///
/// Panics where the sizes do not fit.
pub fn matmul(transpose: Transpose, a: MatRef, b: MatRef, mut c: MatMut, update: Update) {
    let (m, k, a_row, a_column) = match transpose {
        Transpose::First => (a.columns(), a.rows(), 1, a.stride()),
        _ => (a.rows(), a.columns(), a.stride(), 1),
    };
    let (k2, n, b_row, b_column) = match transpose {
        Transpose::Second => (b.columns(), b.rows(), 1, b.stride()),
        _ => (b.rows(), b.columns(), b.stride(), 1),
    };
    assert!(k == k2 && m == c.rows() && n == c.columns(), "matrix sizes do not fit");
    if m == 0 || n == 0 {
        return;
    }
    if k == 0 {
        if update == Update::Overwrite {
            c.fill(0.0);
        }
        return;
    }
    let add = update == Update::Add;
    let c_row = c.stride() as isize;
    // SAFETY: the views vouch for every element that these sizes and strides reach, and C, being
    // a unique borrow, overlaps neither A nor B. f32 is a type that gemm handles.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.pointer_mut(),
            1,
            c_row,
            add,
            a.pointer(),
            a_column as isize,
            a_row as isize,
            b.pointer(),
            b_column as isize,
            b_row as isize,
            1.0f32,
            1.0f32,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
