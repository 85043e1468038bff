//! Products of dense matrices.
//!
//! The second factor is copied, some columns at a time, into a panel in which the microkernel finds
//! one row after the other; the first is read where it is, a value at a time. A block of the result
//! stays in registers until it is complete. Every value of the result is one sum in the order of
//! the inner index, whatever the sizes: it does not depend on how many rows or columns are asked
//! for at a time, nor on the caches of the machine.

use std::cell::RefCell;
use std::ops::Range;

use crate::arch::Simd;
use crate::dispatch::{Kernels, dispatch};
use crate::matrix::{Aligned, MatMut, MatRef};

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

/// Inner indices of a panel: 1024 rows of 48 columns are 192 KiB, part of a second-level cache.
const DEPTH: usize = 1024;

thread_local! {
    /// The panel of this thread; grown when needed, never given back.
    static PANEL: RefCell<Aligned> = RefCell::default();
}

/// The first factor, `m x depth`: value (i, l) lies at `i * row + l * step`.
#[derive(Clone, Copy)]
struct Left<'a> {
    matrix: MatRef<'a>,
    row: usize,
    step: usize,
}

/// Columns `columns` and inner indices `depth` of the second factor, in `panel`: row after row,
/// `V * LANES` values each, zeros behind the columns.
#[inline(always)]
fn pack<S: Simd, const V: usize>(
    b: MatRef,
    transposed: bool,
    depth: Range<usize>,
    columns: Range<usize>,
    panel: &mut [f32],
) {
    let (count, width) = (columns.len(), V * S::LANES);
    let panel = &mut panel[..depth.len() * width];
    if transposed {
        if count < width {
            panel.fill(0.0);
        }
        let mut column = columns.start;
        while column + 8 <= columns.end {
            let rows: [&[f32]; 8] = std::array::from_fn(|j| &b.row(column + j)[depth.clone()]);
            pack_columns(rows, &mut panel[column - columns.start..], width);
            column += 8;
        }
        for column in column..columns.end {
            pack_columns(
                [&b.row(column)[depth.clone()]],
                &mut panel[column - columns.start..],
                width,
            );
        }
        return;
    }
    for (l, place) in depth.zip(panel.chunks_exact_mut(width)) {
        let values = &b.row(l)[columns.clone()];
        if count == width {
            for v in 0..V {
                // SAFETY: reached through dispatch, so the machine has S; both are `width` long.
                unsafe {
                    let value = S::load(values.as_ptr().add(v * S::LANES));
                    S::store(place.as_mut_ptr().add(v * S::LANES), value);
                }
            }
        } else {
            // Few values: a loop, not two calls of the library.
            for (j, place) in place.iter_mut().enumerate() {
                *place = if j < count { values[j] } else { 0.0 };
            }
        }
    }
}

/// Neighbouring columns of a panel: they are written side by side, not one after the other, since
/// the rows of a panel lie far apart.
#[inline(always)]
fn pack_columns<const C: usize>(columns: [&[f32]; C], panel: &mut [f32], width: usize) {
    let depth = columns[0].len();
    let columns = columns.map(|column| &column[..depth]);
    for (l, place) in panel.chunks_mut(width).take(depth).enumerate() {
        if let Some(place) = place.first_chunk_mut::<C>() {
            for (j, place) in place.iter_mut().enumerate() {
                *place = columns[j][l];
            }
        }
    }
}

/// `sums[r][v] += sum over l of a(r, l) panel[l][v]`
///
/// # Safety
/// The machine must have `S`; `a` must be readable at `r * row + l * step` for `r < R` and
/// `l < depth`, `panel` for `depth * V * LANES` values.
#[inline(always)]
unsafe fn multiply<S: Simd, const R: usize, const V: usize>(
    a: *const f32,
    (row, step): (usize, usize),
    depth: usize,
    panel: *const f32,
) -> [[S::Vector; V]; R] {
    // SAFETY: the caller's contract.
    unsafe {
        let mut sums = [[S::splat(0.0); V]; R];
        for l in 0..depth {
            let from = panel.add(l * V * S::LANES);
            let b: [S::Vector; V] = std::array::from_fn(|v| S::load(from.add(v * S::LANES)));
            for (r, sums) in sums.iter_mut().enumerate() {
                let value = S::splat(*a.add(r * row + l * step));
                for (sum, b) in sums.iter_mut().zip(b) {
                    *sum = S::multiply_add(value, b, *sum);
                }
            }
        }
        sums
    }
}

/// `R` rows of the result from row `i` on, for the columns of one panel.
#[inline(always)]
fn rows<S: Simd, const R: usize, const V: usize>(
    a: Left,
    i: usize,
    depth: Range<usize>,
    panel: &[f32],
    c: &mut MatMut,
    columns: Range<usize>,
    update: Update,
) {
    let width = V * S::LANES;
    assert!(panel.len() >= depth.len() * width && columns.len() <= width);
    // SAFETY: reached through dispatch, so the machine has S. Rows i..i + R and the indices `depth`
    // lie inside the first factor (checked by `product`), the panel has the rows and columns.
    let sums = unsafe {
        let from = a.matrix.pointer().add(i * a.row + depth.start * a.step);
        multiply::<S, R, V>(from, (a.row, a.step), depth.len(), panel.as_ptr())
    };
    for (r, sums) in sums.iter().enumerate() {
        let to = &mut c.row_mut(i + r)[columns.clone()];
        if to.len() == width {
            for (v, sum) in sums.iter().enumerate() {
                let place = to[v * S::LANES..][..S::LANES].as_mut_ptr();
                // SAFETY: LANES writable values; the machine has S.
                unsafe {
                    let before = if update == Update::Add { S::load(place) } else { S::splat(0.0) };
                    S::store(place, S::add(before, *sum));
                }
            }
        } else {
            let mut all = [0.0; 64];
            for (v, sum) in sums.iter().enumerate() {
                let place = all[v * S::LANES..][..S::LANES].as_mut_ptr();
                // SAFETY: LANES writable values; the machine has S.
                unsafe { S::store(place, *sum) };
            }
            for (to, sum) in to.iter_mut().zip(all) {
                *to = if update == Update::Add { *to + sum } else { sum };
            }
        }
    }
}

/// The columns of one panel: packed, then all rows of the result, as many at a time as registers
/// allow.
#[inline(always)]
fn panel_product<S: Simd, const V: usize>(
    a: Left,
    (b, transposed): (MatRef, bool),
    depth: Range<usize>,
    panel: &mut [f32],
    c: &mut MatMut,
    columns: Range<usize>,
    update: Update,
) {
    pack::<S, V>(b, transposed, depth.clone(), columns.clone(), panel);
    let (m, mut i) = (c.rows(), 0);
    while S::REGISTERS >= 32 && i + 8 <= m {
        rows::<S, 8, V>(a, i, depth.clone(), panel, c, columns.clone(), update);
        i += 8;
    }
    while V <= 2 && i + 6 <= m {
        rows::<S, 6, V>(a, i, depth.clone(), panel, c, columns.clone(), update);
        i += 6;
    }
    while i + 4 <= m {
        rows::<S, 4, V>(a, i, depth.clone(), panel, c, columns.clone(), update);
        i += 4;
    }
    while i < m {
        rows::<S, 1, V>(a, i, depth.clone(), panel, c, columns.clone(), update);
        i += 1;
    }
}

#[inline(always)]
fn product<S: Simd>(
    a: Left,
    b: MatRef,
    transposed: bool,
    inner: usize,
    mut c: MatMut,
    update: Update,
    panel: &mut Aligned,
) {
    // The sums of a block, one row of the panel and one value of the first factor must all be in
    // registers: 8 x 3 of 32, or 6 x 2 of 16. A single sum that is not makes AVX2 half as fast.
    let widest = if S::REGISTERS >= 32 { 3 } else { 2 } * S::LANES;
    let needed = widest * inner.min(DEPTH);
    if panel.len() < needed {
        *panel = Aligned::zeros(needed);
    }
    let n = c.columns();
    for first in (0..n).step_by(widest) {
        let columns = first..(first + widest).min(n);
        let vectors = columns.len().div_ceil(S::LANES);
        let mut update = update;
        for start in (0..inner).step_by(DEPTH) {
            let depth = start..(start + DEPTH).min(inner);
            let (b, columns) = ((b, transposed), columns.clone());
            match vectors {
                1 => panel_product::<S, 1>(a, b, depth, panel, &mut c, columns, update),
                2 => panel_product::<S, 2>(a, b, depth, panel, &mut c, columns, update),
                _ => panel_product::<S, 3>(a, b, depth, panel, &mut c, columns, update),
            }
            update = Update::Add;
        }
    }
}

impl Kernels {
    /// `C = op(A, B)` or `C += op(A, B)`, on the calling thread. Reference:
    /// [`crate::reference::matmul`].
    ///
    /// Panics where the sizes do not fit.
    pub fn matmul(self, transpose: Transpose, a: MatRef, b: MatRef, mut c: MatMut, update: Update) {
        let (m, inner, row, step) = match transpose {
            Transpose::First => (a.columns(), a.rows(), 1, a.stride()),
            _ => (a.rows(), a.columns(), a.stride(), 1),
        };
        let transposed = transpose == Transpose::Second;
        let (inner2, n) =
            if transposed { (b.columns(), b.rows()) } else { (b.rows(), b.columns()) };
        assert!(
            inner == inner2 && m == c.rows() && n == c.columns(),
            "matrix sizes do not fit: {m} x {inner} times {inner2} x {n} into {} x {}",
            c.rows(),
            c.columns()
        );
        if inner == 0 && update == Update::Overwrite {
            c.fill(0.0);
        }
        let a = Left { matrix: a, row, step };
        PANEL.with_borrow_mut(|panel| {
            dispatch!(
                self,
                (
                    a: Left,
                    b: MatRef,
                    transposed: bool,
                    inner: usize,
                    c: MatMut,
                    update: Update,
                    panel: &mut Aligned,
                ),
                |S| product::<S>(a, b, transposed, inner, c, update, panel)
            );
        });
    }
}
