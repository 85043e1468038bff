//! Products of dense matrices: views of two factors go in, a view of the result is overwritten or added
//! to.
//!
//! From outside in: `product` goes over panels of the second factor's columns; `panel_product` packs
//! one and goes over the rows of the result; `rows` computes a block of the result, in registers, by
//! `multiply`. Packing copies the columns of a panel so that they lie row after row, each row in whole
//! registers; the first factor is read in place, one value at a time, so that it can be transposed. For a few rows of the
//! result, such as a single prediction, packing would take longer than multiplying: `few_rows` reads the second factor in
//! place.
//!
//! Every value of the result is one sum (one for each 1,024 inner indices) in the order of the inner
//! index. It depends neither on how many rows and columns are computed together nor on the machine's
//! caches: so the row of a sample has the same bits in any batch and at any number of threads.

use std::cell::RefCell;
use std::ops::Range;

use crate::arch::{Simd, transpose_four};
use crate::dispatch::{Kernels, dispatch};
use crate::matrix::{Aligned, MatMut, MatRef};

/// Which of the two factors is transposed.
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

/// Most rows of a panel (inner indices). 1024 rows of 48 columns are 192 KiB, part of a second-level
/// cache; 256 or 512 rows were as fast. The number is part of the result: it decides where a sum is
/// split into two.
const DEPTH: usize = 1024;

thread_local! {
    /// The panel of this thread. It grows to the largest size needed and stays, so that a training step
    /// does not allocate.
    static PANEL: RefCell<Aligned> = RefCell::default();
}

/// The first factor, `m x depth`: value (i, l) lies at `i * row + l * step`.
#[derive(Clone, Copy)]
struct Left<'a> {
    matrix: MatRef<'a>,
    row: usize,
    step: usize,
}

/// Copies columns `columns` and inner indices `depth` of the second factor into `panel`: row after row,
/// `V * LANES` values each, with zeros behind the columns. If `transposed`, the rows of `b` are the columns
/// of the panel.
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
        while column + 4 <= columns.end {
            let rows = std::array::from_fn(|j| &b.row(column + j)[depth.clone()]);
            pack_four(rows, &mut panel[column - columns.start..], width);
            column += 4;
        }
        for column in column..columns.end {
            let row = &b.row(column)[depth.clone()];
            let places = panel[column - columns.start..].iter_mut().step_by(width);
            places.zip(row).for_each(|(place, &value)| *place = value);
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
            // Ten logits, say: for so few values a loop is faster than calls of memcpy and memset.
            for (j, place) in place.iter_mut().enumerate() {
                *place = if j < count { values[j] } else { 0.0 };
            }
        }
    }
}

/// Writes four neighbouring columns of a panel, in squares: column by column each write would go to another cache line.
#[inline(always)]
fn pack_four(columns: [&[f32]; 4], panel: &mut [f32], width: usize) {
    let squares = columns.map(|column| column.as_chunks::<4>());
    for l in 0..squares[0].0.len() {
        let square = squares.map(|(squares, _)| &squares[l]);
        transpose_four(square, &mut panel[4 * l * width..], width);
    }
    let rest = squares.map(|(_, rest)| rest);
    let first = columns[0].len() - rest[0].len();
    for l in 0..rest[0].len() {
        let place = &mut panel[(first + l) * width..];
        (0..4).for_each(|j| place[j] = rest[j][l]);
    }
}

/// `sums[r][v] = sum over l of a(r, l) panel[l][v]`: the loop in which dense products spend their time.
/// Each value of `a` and each register of the panel is loaded once for `V` or `R` multiply-adds.
///
/// # Safety
/// The machine must have `S`; `a` must be readable at `r * row + l * step` for `r < R` and
/// `l < depth`, `panel` for `V * LANES` values at `l * stride`.
#[inline(always)]
unsafe fn multiply<S: Simd, const R: usize, const V: usize>(
    a: *const f32,
    (row, step): (usize, usize),
    depth: usize,
    (panel, stride): (*const f32, usize),
) -> [[S::Vector; V]; R] {
    // SAFETY: the caller's contract.
    unsafe {
        let mut sums = [[S::splat(0.0); V]; R];
        for l in 0..depth {
            let from = panel.add(l * stride);
            // No closures: they lack the features of the instruction set, so that loads in them may remain calls.
            let mut b = [S::splat(0.0); V];
            for v in 0..V {
                b[v] = S::load(from.add(v * S::LANES));
            }
            for r in 0..R {
                let value = S::splat(*a.add(r * row + l * step));
                for v in 0..V {
                    sums[r][v] = S::multiply_add(value, b[v], sums[r][v]);
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
    // lie inside the first factor (checked by `Kernels::matmul`), the panel has the rows and columns.
    let sums = unsafe {
        let from = a.matrix.pointer().add(i * a.row + depth.start * a.step);
        multiply::<S, R, V>(from, (a.row, a.step), depth.len(), (panel.as_ptr(), width))
    };
    for (r, sums) in sums.iter().enumerate() {
        write_sums::<S, V>(sums, &mut c.row_mut(i + r)[columns.clone()], update);
    }
}

/// Writes sums to columns of one row of the result, or adds them.
#[inline(always)]
fn write_sums<S: Simd, const V: usize>(sums: &[S::Vector; V], to: &mut [f32], update: Update) {
    if to.len() == V * S::LANES {
        for (v, sum) in sums.iter().enumerate() {
            let place = to[v * S::LANES..][..S::LANES].as_mut_ptr();
            // SAFETY: LANES writable values; reached through dispatch, so the machine has S.
            unsafe {
                let before = if update == Update::Add { S::load(place) } else { S::splat(0.0) };
                S::store(place, S::add(before, *sum));
            }
        }
    } else {
        // Through the stack, so that nothing behind the columns is written: it may belong to another
        // thread.
        let mut all = [0.0; 64];
        for (v, sum) in sums.iter().enumerate() {
            let place = all[v * S::LANES..][..S::LANES].as_mut_ptr();
            // SAFETY: as above.
            unsafe { S::store(place, *sum) };
        }
        for (to, sum) in to.iter_mut().zip(all) {
            *to = if update == Update::Add { *to + sum } else { sum };
        }
    }
}

/// Packs one panel, then computes its columns for all rows of the result, as many rows at a time as there
/// are registers for. How many does not change any bit.
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
    // 8 x 3 sums for 32 registers, 6 x 2 for 16 (see `product`); then the rows that are left.
    while S::REGISTERS >= 32 && i + 8 <= m {
        rows::<S, 8, V>(a, i, depth.clone(), panel, c, columns.clone(), update);
        i += 8;
    }
    if V <= 2 {
        let left = m - i;
        // Two or three rows take longer one by one than eight or nine do in blocks of four.
        let would_leave_two = left >= 8 && matches!(left % 6, 2 | 3);
        for _ in usize::from(would_leave_two)..left / 6 {
            rows::<S, 6, V>(a, i, depth.clone(), panel, c, columns.clone(), update);
            i += 6;
        }
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

/// Fewer rows than this take longer to pack for than to multiply: no block of [`panel_product`] but the smallest fits them.
const FEW_ROWS: usize = 4;

/// Columns from `first` on of a few rows of the result: those of `V` registers, or fewer for a single register. The second
/// factor is read in place, since its values are used once. The sums are those of the panels.
#[inline(always)]
fn few_rows_part<S: Simd, const V: usize>(
    a: Left,
    b: MatRef,
    inner: usize,
    c: &mut MatMut,
    columns: Range<usize>,
    update: Update,
) {
    let count = columns.len();
    assert!(count == V * S::LANES || (V == 1 && count < S::LANES));
    for i in 0..c.rows() {
        let to = &mut c.row_mut(i)[columns.clone()];
        let mut update = update;
        for start in (0..inner).step_by(DEPTH) {
            let depth = DEPTH.min(inner - start);
            // SAFETY: reached through dispatch, so the machine has S. Row i and the indices from `start` on lie inside
            // the first factor, these indices and the columns inside the second (checked by `Kernels::matmul`).
            let sums = unsafe {
                let left = a.matrix.pointer().add(i * a.row + start * a.step);
                let right = b.pointer().add(start * b.stride() + columns.start);
                match count < S::LANES {
                    true => {
                        [multiply_part::<S>(left, a.step, depth, (right, b.stride()), count); V]
                    }
                    false => {
                        let [sums] =
                            multiply::<S, 1, V>(left, (a.row, a.step), depth, (right, b.stride()));
                        sums
                    }
                }
            };
            write_sums::<S, V>(&sums, to, update);
            update = Update::Add;
        }
    }
}

/// `sum over l of a(l) b[l]` for `count < LANES` columns: [`multiply`] for a single register that is not full.
///
/// # Safety
/// The machine must have `S`; `a` must be readable at `l * step` for `l < depth`, `b` for `count` values at `l * stride`.
#[inline(always)]
unsafe fn multiply_part<S: Simd>(
    a: *const f32,
    step: usize,
    depth: usize,
    (b, stride): (*const f32, usize),
    count: usize,
) -> S::Vector {
    // SAFETY: the caller's contract.
    unsafe {
        let mut sum = S::splat(0.0);
        for l in 0..depth {
            let value = S::splat(*a.add(l * step));
            sum = S::multiply_add(value, S::load_part(b.add(l * stride), count), sum);
        }
        sum
    }
}

/// All columns of a few rows of the result.
#[inline(always)]
fn few_rows<S: Simd>(a: Left, b: MatRef, inner: usize, c: &mut MatMut, update: Update) {
    let (n, mut first) = (c.columns(), 0);
    while first < n {
        // Eight sums at once, so that none waits for its last multiply-add.
        let vectors = (n - first) / S::LANES;
        let width = match vectors {
            8.. => 8 * S::LANES,
            4.. => 4 * S::LANES,
            2.. => 2 * S::LANES,
            _ => S::LANES.min(n - first),
        };
        let columns = first..first + width;
        match vectors {
            8.. => few_rows_part::<S, 8>(a, b, inner, c, columns, update),
            4.. => few_rows_part::<S, 4>(a, b, inner, c, columns, update),
            2.. => few_rows_part::<S, 2>(a, b, inner, c, columns, update),
            _ => few_rows_part::<S, 1>(a, b, inner, c, columns, update),
        }
        first += width;
    }
}

/// [`Kernels::matmul`] for one instruction set.
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
    if c.rows() < FEW_ROWS && !transposed {
        return few_rows::<S>(a, b, inner, &mut c, update);
    }
    // The sums of a block, one row of the panel and one value of the first factor must all be in
    // registers: 8 x 3 sums of 32, or 6 x 2 of 16. A single sum that is not makes AVX2 half as fast.
    let widest = if S::REGISTERS >= 32 { 3 } else { 2 } * S::LANES;
    let needed = widest * inner.min(DEPTH);
    if panel.len() < needed {
        *panel = Aligned::zeros(needed);
    }
    let n = c.columns();
    for first in (0..n).step_by(widest) {
        let columns = first..(first + widest).min(n);
        // Ten columns take one register, not three that are mostly zeros.
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
            // The first part overwrites the result, the others add to it.
            update = Update::Add;
        }
    }
}

impl Kernels {
    /// `C (+)= A B`, `A^T B` or `A B^T`, with `C` `[m x n]`, on the calling thread: `A` is `[m x k]`
    /// (`[k x m]` if transposed), `B` is `[k x n]` (`[n x k]` if transposed).
    /// Reference: [`crate::reference::matmul`].
    ///
    /// Panics where the sizes do not fit.
    pub fn matmul(self, transpose: Transpose, a: MatRef, b: MatRef, mut c: MatMut, update: Update) {
        // Value (i, l) of the first factor, transposed or not, lies at i * row + l * step.
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
        // An empty sum is 0; `product` would leave the result as it is.
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
