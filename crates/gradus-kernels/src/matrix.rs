//! Views of `f32` matrices: slices and sizes go in, rows and parts of them come out.
//!
//! A view is a pointer, two sizes and the distance between rows, so that it can be a range of columns of a
//! wider matrix. A slice cannot express that, but threads need it to write their own columns of one
//! matrix. A view checks every row and part that it hands out.

use std::marker::PhantomData;
use std::ops::Range;

/// A read-only `rows x columns` matrix; row `i` starts `i * stride` values after the first.
#[derive(Clone, Copy)]
pub struct MatRef<'a> {
    pointer: *const f32,
    rows: usize,
    columns: usize,
    stride: usize,
    lifetime: PhantomData<&'a [f32]>,
}

/// A writable `rows x columns` matrix; row `i` starts `i * stride` values after the first.
pub struct MatMut<'a> {
    pointer: *mut f32,
    rows: usize,
    columns: usize,
    stride: usize,
    lifetime: PhantomData<&'a mut [f32]>,
}

// SAFETY: a MatRef stands for a shared borrow of plain numbers, a MatMut for a unique one, exactly
// as `&[f32]` and `&mut [f32]`, which both may go to other threads.
unsafe impl Send for MatRef<'_> {}
// SAFETY: as above; a MatRef gives out only shared borrows.
unsafe impl Sync for MatRef<'_> {}
// SAFETY: as above.
unsafe impl Send for MatMut<'_> {}

/// Panics unless a matrix of this size fits in `len` values.
fn check_extent(len: usize, rows: usize, columns: usize, stride: usize) {
    assert!(columns <= stride, "a row of {columns} columns is longer than the stride {stride}");
    // Checked: a product that wrapped around would let a small slice pass for a huge matrix.
    let end = match rows.checked_sub(1) {
        None => Some(0),
        Some(before) => before.checked_mul(stride).and_then(|start| start.checked_add(columns)),
    };
    assert!(
        end.is_some_and(|end| end <= len),
        "{rows} x {columns} (stride {stride}) does not fit in {len} values"
    );
}

impl<'a> MatRef<'a> {
    /// A view of `values` as `rows x columns` without gaps. Panics where there are too few.
    pub fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        check_extent(values.len(), rows, columns, columns);
        MatRef { pointer: values.as_ptr(), rows, columns, stride: columns, lifetime: PhantomData }
    }

    /// # Safety
    /// `pointer` must be valid for reads of this extent during `'a`, with no writer to it.
    pub(crate) unsafe fn from_raw(
        pointer: *const f32,
        rows: usize,
        columns: usize,
        stride: usize,
    ) -> Self {
        MatRef { pointer, rows, columns, stride, lifetime: PhantomData }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Values between the starts of neighbouring rows.
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    pub(crate) fn pointer(&self) -> *const f32 {
        self.pointer
    }

    /// Row `i` as a slice. Panics where `i >= rows`.
    #[inline(always)]
    pub fn row(&self, i: usize) -> &'a [f32] {
        assert!(i < self.rows);
        // SAFETY: the view covers `rows` rows of `columns` values at distance `stride`, borrowed
        // for 'a; i < rows.
        unsafe { std::slice::from_raw_parts(self.pointer.add(i * self.stride), self.columns) }
    }

    /// All values as one slice. Panics where there are gaps between the rows.
    pub fn without_gaps(&self) -> &'a [f32] {
        assert!(self.stride == self.columns || self.rows <= 1, "the rows have gaps");
        // SAFETY: without gaps the view covers exactly rows * columns values, borrowed for 'a.
        unsafe { std::slice::from_raw_parts(self.pointer, self.rows * self.columns) }
    }

    /// The part with these rows and columns. Panics where it lies outside.
    pub fn part(&self, rows: Range<usize>, columns: Range<usize>) -> MatRef<'a> {
        assert!(rows.start <= rows.end && rows.end <= self.rows);
        assert!(columns.start <= columns.end && columns.end <= self.columns);
        if rows.is_empty() || columns.is_empty() {
            return MatRef { rows: rows.len(), columns: columns.len(), ..*self };
        }
        // SAFETY: the offset of the first value of a non-empty part lies inside the view. (That of an empty
        // one may not, so it keeps the pointer.)
        let pointer = unsafe { self.pointer.add(rows.start * self.stride + columns.start) };
        MatRef { pointer, rows: rows.len(), columns: columns.len(), ..*self }
    }

    /// These rows, all columns.
    pub fn part_rows(&self, rows: Range<usize>) -> MatRef<'a> {
        self.part(rows, 0..self.columns)
    }

    /// These columns, all rows.
    pub fn part_columns(&self, columns: Range<usize>) -> MatRef<'a> {
        self.part(0..self.rows, columns)
    }
}

impl<'a> MatMut<'a> {
    /// A view of `values` as `rows x columns` without gaps. Panics where there are too few.
    pub fn new(values: &'a mut [f32], rows: usize, columns: usize) -> Self {
        Self::with_stride(values, rows, columns, columns)
    }

    /// A view of `values` with rows `stride` values apart. Panics where there are too few.
    pub fn with_stride(values: &'a mut [f32], rows: usize, columns: usize, stride: usize) -> Self {
        check_extent(values.len(), rows, columns, stride);
        MatMut { pointer: values.as_mut_ptr(), rows, columns, stride, lifetime: PhantomData }
    }

    /// # Safety
    /// `pointer` must be valid for reads and writes of this extent during `'a`, and no other view
    /// may overlap it.
    pub(crate) unsafe fn from_raw(
        pointer: *mut f32,
        rows: usize,
        columns: usize,
        stride: usize,
    ) -> Self {
        MatMut { pointer, rows, columns, stride, lifetime: PhantomData }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The same matrix, read-only.
    pub fn as_ref(&self) -> MatRef<'_> {
        MatRef {
            pointer: self.pointer,
            rows: self.rows,
            columns: self.columns,
            stride: self.stride,
            lifetime: PhantomData,
        }
    }

    /// A shorter borrow of the same matrix.
    pub fn reborrow(&mut self) -> MatMut<'_> {
        MatMut { lifetime: PhantomData, ..*self }
    }

    /// Row `i` as a slice. Panics where `i >= rows`.
    #[inline(always)]
    pub fn row_mut(&mut self, i: usize) -> &mut [f32] {
        assert!(i < self.rows);
        // SAFETY: the view covers `rows` rows of `columns` values at distance `stride`, borrowed
        // uniquely for 'a; i < rows; the slice borrows self mutably, so no second one exists.
        unsafe { std::slice::from_raw_parts_mut(self.pointer.add(i * self.stride), self.columns) }
    }

    /// These rows, all columns.
    pub fn part_rows(&mut self, rows: Range<usize>) -> MatMut<'_> {
        assert!(rows.start <= rows.end && rows.end <= self.rows);
        if rows.is_empty() {
            return MatMut { rows: 0, lifetime: PhantomData, ..*self };
        }
        // SAFETY: rows.start < rows, so the offset lies inside the view.
        let pointer = unsafe { self.pointer.add(rows.start * self.stride) };
        MatMut { pointer, rows: rows.len(), lifetime: PhantomData, ..*self }
    }

    /// All rows, the first `count` columns.
    pub fn first_columns(&mut self, count: usize) -> MatMut<'_> {
        assert!(count <= self.columns);
        MatMut { columns: count, lifetime: PhantomData, ..*self }
    }

    /// Sets every value.
    pub fn fill(&mut self, value: f32) {
        for i in 0..self.rows {
            self.row_mut(i).fill(value);
        }
    }
}

/// 16 values that fill a cache line.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
pub(crate) struct Line(pub(crate) [f32; 16]);

/// A vector of `f32` that starts on a cache line, so that no register is loaded from two of them: the sparse
/// products went from 52 to 75 GFLOP/s by that (Zen 4).
#[derive(Clone, Default)]
pub struct Aligned {
    lines: Vec<Line>,
    len: usize,
}

impl Aligned {
    /// `len` zeros.
    pub fn zeros(len: usize) -> Aligned {
        Aligned { lines: vec![Line([0.0; 16]); len.div_ceil(16)], len }
    }
}

impl std::ops::Deref for Aligned {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: a Line is 16 floats without padding, and `lines` holds at least `len` of them.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl std::ops::DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above, borrowed uniquely.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_the_expected_values() {
        let values: Vec<f32> = (0..12).map(|v| v as f32).collect();
        let all = MatRef::new(&values, 3, 4);
        assert_eq!(all.part(1..3, 1..3).row(1), [9.0, 10.0]);
        assert_eq!(all.part_columns(2..4).row(0), [2.0, 3.0]);
        assert_eq!(all.part_rows(3..3).rows(), 0);
    }

    #[test]
    fn writing_a_strided_view_leaves_the_gaps_alone() {
        let mut values = vec![0.0; 8];
        MatMut::with_stride(&mut values, 2, 3, 5).fill(1.0);
        assert_eq!(values, [1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn aligned_vectors_start_on_a_cache_line() {
        for len in [0, 1, 16, 17] {
            let mut values = Aligned::zeros(len);
            values.iter_mut().for_each(|value| *value += 1.0);
            assert_eq!(&*values, vec![1.0; len]);
            assert_eq!(values.as_ptr() as usize % 64, 0);
        }
    }

    #[test]
    #[should_panic(expected = "does not fit")]
    fn a_view_cannot_exceed_its_slice() {
        MatRef::new(&[0.0; 5], 2, 3);
    }

    #[test]
    #[should_panic(expected = "does not fit")]
    fn a_size_that_overflows_is_refused() {
        MatRef::new(&[0.0; 5], usize::MAX / 2 + 2, 2);
    }

    #[test]
    #[should_panic]
    fn a_row_outside_is_refused() {
        MatRef::new(&[0.0; 6], 2, 3).row(2);
    }
}
