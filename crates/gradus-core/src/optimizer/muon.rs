//! Muon (Jordan et al. 2024; docs/maths.md M15): a hidden weight matrix moves along its momentum made
//! orthogonal, so that every direction in it gets a step of the same length.
//!
//! A step of one matrix goes: [`momentum_step`] turns its gradient into the direction; all threads of
//! a group call [`Orthogonalizer::orthogonalize`]; [`Orthogonalizer::apply`] moves the weight, part by
//! part. All other parameters take [`Optimizer::step`](crate::optimizer::Optimizer::step).

use std::ops::Range;

use gradus_kernels::Kernels;
use gradus_kernels::dense::{Transpose, Update};
use gradus_kernels::matrix::{MatMut, MatRef};
use gradus_kernels::threads::{Reading, SharedMatrix, Thread};

/// Newton-Schulz iterations.
const ITERATIONS: usize = 5;

/// `a`, `b` and `c` of the polynomial `a x + b x^3 + c x^5` that an iteration applies to every
/// singular value (Jordan et al. 2024).
const POLYNOMIAL: [f32; 3] = [3.4445, -4.7750, 2.0315];

/// A direction shorter than this is not brought to length 1.
const SMALLEST_NORM: f64 = 1e-7;

/// The mean square of a step is that of AdamW's usual ones (Liu et al. 2025).
const STEP_SIZE: f32 = 0.2;

/// Turns the gradients of some of the parameters into the direction to make orthogonal, and takes
/// them into their mean: `m = momentum m + (1 - momentum) g`, then `g = m`, or with Nesterov's
/// look-ahead `g = (1 - momentum) g + momentum m`. `mean` starts at zeros.
///
/// Panics where the lengths differ.
pub fn momentum_step(
    kernels: Kernels,
    momentum: f32,
    nesterov: bool,
    gradients: &mut [f32],
    mean: &mut [f32],
) {
    kernels.blend(mean, gradients, momentum);
    if nesterov {
        kernels.combine(gradients, 1.0 - momentum, mean, momentum);
    } else {
        gradients.copy_from_slice(mean);
    }
}

/// Makes matrices of one shape nearly orthogonal: of `G = U S V^T` it computes about `U V^T`, whose
/// singular values are all 1 (here between 0.68 and 1.21), by Newton-Schulz iterations on
/// `X = G / |G|`:
///
/// ```text
/// A = X X^T,   X = (a I + b A + c A^2) X      where there are no more rows than columns
/// A = X^T X,   X = X (a I + b A + c A^2)      where there are more
/// ```
///
/// A singular value so small that five steps (each at most times 3.4445) cannot lift it stays below.
pub struct Orthogonalizer {
    /// `X` before and after an iteration, in turns.
    x: [SharedMatrix; 2],
    /// The length of each row of the direction.
    norms: SharedMatrix,
    /// `A`
    gram: SharedMatrix,
    /// `a I + b A + c A^2`
    polynomial: SharedMatrix,
}

impl Orthogonalizer {
    /// For matrices of `rows x columns`, part into a partition of rows for each of `threads` threads. The
    /// parts do not show in the result: each of its values is one sum, whoever computes it.
    pub fn new(rows: usize, columns: usize, threads: usize) -> Self {
        let small = rows.min(columns);
        let by_rows =
            |rows, columns| SharedMatrix::by_rows(rows, columns, &parts(rows, threads.max(1)));
        Orthogonalizer {
            x: [by_rows(rows, columns), by_rows(rows, columns)],
            norms: by_rows(rows, 1),
            gram: by_rows(small, small),
            polynomial: by_rows(small, small),
        }
    }

    /// Makes the matrix orthogonal whose rows `fill` writes: it is called with ranges of rows and a
    /// place for them. Every thread of the group calls this; it contains meetings and ends with one,
    /// after which all may read [`Orthogonalizer::result`]. What `fill` reads must be complete
    /// before the first thread calls.
    pub fn orthogonalize(
        &self,
        kernels: Kernels,
        thread: &Thread,
        fill: impl Fn(Range<usize>, MatMut),
    ) {
        self.start(kernels, thread, fill);
        for iteration in 0..ITERATIONS {
            let (x, next) = (&self.x[iteration % 2], &self.x[(iteration + 1) % 2]);
            self.gram(kernels, thread, x);
            self.polynomial(kernels, thread);
            self.next(kernels, thread, x, next);
        }
    }

    /// The result, of the shape of the matrix.
    pub fn result(&self) -> Reading<'_> {
        self.x[ITERATIONS % 2].read()
    }

    /// Moves a part of the weight: `w = (1 - learning_rate weight_decay) w - learning_rate s O` with
    /// `O` these rows and columns of the result and `s = 0.2 sqrt(max(rows, columns))` of the whole.
    ///
    /// Panics where `weight` has not so many rows and columns.
    pub fn apply(
        &self,
        kernels: Kernels,
        (learning_rate, weight_decay): (f32, f32),
        (rows, columns): (Range<usize>, Range<usize>),
        mut weight: MatMut,
    ) {
        assert!(weight.rows() == rows.len() && weight.columns() == columns.len());
        let result = self.result();
        let whole = result.view();
        let scale = STEP_SIZE * (whole.rows().max(whole.columns()) as f32).sqrt();
        let part = whole.part(rows, columns);
        for i in 0..part.rows() {
            let shrink = 1.0 - learning_rate * weight_decay;
            kernels.combine(weight.row_mut(i), shrink, part.row(i), -learning_rate * scale);
        }
    }

    /// `X = G / |G|`, `|G|` the root of the sum of all squares.
    fn start(&self, kernels: Kernels, thread: &Thread, fill: impl Fn(Range<usize>, MatMut)) {
        let x = &self.x[0];
        for partition in thread.share(x.partitions()) {
            let (mut values, mut norms) = (x.write(partition), self.norms.write(partition));
            let (mut values, mut norms) = (values.view(), norms.view());
            fill(x.partition(partition).0, values.reborrow());
            for i in 0..values.rows() {
                norms.row_mut(i)[0] = kernels.sum_of_squares(values.row_mut(i)).sqrt() as f32;
            }
        }
        thread.barrier();
        let squares = kernels.sum_of_squares(self.norms.read().view().without_gaps());
        let factor = (1.0 / squares.sqrt().max(SMALLEST_NORM)) as f32;
        for partition in thread.share(x.partitions()) {
            let mut values = x.write(partition);
            let mut values = values.view();
            for i in 0..values.rows() {
                kernels.scale(values.row_mut(i), factor);
            }
        }
        thread.barrier();
    }

    /// `A` of `x`.
    fn gram(&self, kernels: Kernels, thread: &Thread, x: &SharedMatrix) {
        own(thread, &self.gram, |rows, gram| {
            let x = x.read();
            let x = x.view();
            let (transpose, left) = match is_wide(x) {
                true => (Transpose::Second, x.part_rows(rows)),
                false => (Transpose::First, x.part_columns(rows)),
            };
            kernels.matmul(transpose, left, x, gram, Update::Overwrite);
        });
    }

    /// `a I + b A + c A^2`
    fn polynomial(&self, kernels: Kernels, thread: &Thread) {
        let [a, b, c] = POLYNOMIAL;
        own(thread, &self.polynomial, |rows, mut values| {
            let gram = self.gram.read();
            let (gram, square) = (gram.view(), values.reborrow());
            let left = gram.part_rows(rows.clone());
            kernels.matmul(Transpose::Neither, left, gram, square, Update::Overwrite);
            for (i, row) in rows.enumerate() {
                let values = values.row_mut(i);
                kernels.combine(values, c, gram.row(row), b);
                values[row] += a;
            }
        });
    }

    /// The next `X`: the polynomial times `x`, or `x` times the polynomial.
    fn next(&self, kernels: Kernels, thread: &Thread, x: &SharedMatrix, next: &SharedMatrix) {
        own(thread, next, |rows, result| {
            let (x, polynomial) = (x.read(), self.polynomial.read());
            let (left, right) = match is_wide(x.view()) {
                true => (polynomial.view(), x.view()),
                false => (x.view(), polynomial.view()),
            };
            let left = left.part_rows(rows);
            kernels.matmul(Transpose::Neither, left, right, result, Update::Overwrite);
        });
    }
}

/// Writes this thread's share of the partitions of a matrix, then waits for the others.
fn own(thread: &Thread, matrix: &SharedMatrix, write: impl Fn(Range<usize>, MatMut)) {
    for partition in thread.share(matrix.partitions()) {
        write(matrix.partition(partition).0, matrix.write(partition).view());
    }
    thread.barrier();
}

/// Whether the rows are the small side.
fn is_wide(matrix: MatRef) -> bool {
    matrix.rows() <= matrix.columns()
}

/// `rows` part into as many partitions as there are threads, of whole blocks of eight rows: as many as
/// the products compute at a time.
fn parts(rows: usize, threads: usize) -> Vec<Range<usize>> {
    let size = rows.div_ceil(threads).next_multiple_of(8).max(8);
    (0..rows).step_by(size).map(|start| start..(start + size).min(rows)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_kernels::random::Stream;
    use gradus_kernels::threads::{ThreadGroup, Workers};

    fn normal(rows: usize, columns: usize, scale: f32) -> Vec<f32> {
        let stream = Stream { key: 9, counter: [rows as u32, columns as u32, 0] };
        let mut values = vec![0.0; rows * columns];
        Kernels::available()[0].add_normal(stream, 0, scale, &mut values);
        values
    }

    fn orthogonal(
        kernels: Kernels,
        (rows, columns): (usize, usize),
        values: &[f32],
        threads: usize,
    ) -> Vec<f32> {
        let orthogonalizer = Orthogonalizer::new(rows, columns, threads);
        let (workers, group) = (Workers::new(threads).unwrap(), ThreadGroup::new(threads));
        workers.run(|index| {
            let thread = group.thread(index);
            // Twice, as in a run of several steps: nothing may be left over from the first.
            for factor in [-3.0, 1.0] {
                orthogonalizer.orthogonalize(kernels, &thread, |range, mut matrix| {
                    for (i, row) in range.enumerate() {
                        let from = &values[row * columns..][..columns];
                        for (to, value) in matrix.row_mut(i).iter_mut().zip(from) {
                            *to = factor * value;
                        }
                    }
                });
            }
        });
        orthogonalizer.result().view().without_gaps().to_vec()
    }

    /// Eigenvalues of a symmetric matrix by Jacobi's rotations.
    fn eigenvalues(mut a: Vec<Vec<f64>>) -> Vec<f64> {
        let n = a.len();
        for _ in 0..20 {
            for p in 0..n {
                for q in p + 1..n {
                    if a[p][q].abs() < 1e-14 {
                        continue;
                    }
                    let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
                    let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                    let (c, s) = (1.0 / (t * t + 1.0).sqrt(), t / (t * t + 1.0).sqrt());
                    for k in 0..n {
                        let (x, y) = (a[k][p], a[k][q]);
                        (a[k][p], a[k][q]) = (c * x - s * y, s * x + c * y);
                    }
                    for k in 0..n {
                        let (x, y) = (a[p][k], a[q][k]);
                        (a[p][k], a[q][k]) = (c * x - s * y, s * x + c * y);
                    }
                }
            }
        }
        (0..n).map(|i| a[i][i]).collect()
    }

    fn singular_values((rows, columns): (usize, usize), values: &[f32]) -> Vec<f64> {
        let at = |i: usize, j: usize| f64::from(values[i * columns + j]);
        let small = rows.min(columns);
        let gram = |i: usize, j: usize| -> f64 {
            match rows <= columns {
                true => (0..columns).map(|l| at(i, l) * at(j, l)).sum(),
                false => (0..rows).map(|l| at(l, i) * at(l, j)).sum(),
            }
        };
        let gram = (0..small).map(|i| (0..small).map(|j| gram(i, j)).collect()).collect();
        eigenvalues(gram).into_iter().map(f64::sqrt).collect()
    }

    const SHAPES: [(usize, usize); 8] =
        [(1, 1), (1, 50), (50, 1), (7, 40), (40, 7), (33, 129), (129, 33), (1100, 9)];

    #[test]
    fn singular_values_become_nearly_one_at_any_scale() {
        for kernels in Kernels::available() {
            for shape in SHAPES {
                for scale in [1e-3, 1.0, 1e20] {
                    let found = orthogonal(kernels, shape, &normal(shape.0, shape.1, scale), 1);
                    for value in singular_values(shape, &found) {
                        assert!((0.675..1.21).contains(&value), "{shape:?} {scale}: {value}");
                    }
                }
            }
        }
    }

    #[test]
    fn any_number_of_members_gives_the_same_bits() {
        for kernels in Kernels::available() {
            for shape in SHAPES {
                let values = normal(shape.0, shape.1, 1.0);
                let alone = orthogonal(kernels, shape, &values, 1);
                for threads in 2..=3 {
                    assert!(alone == orthogonal(kernels, shape, &values, threads), "{shape:?}");
                }
            }
        }
    }

    #[test]
    fn zeros_stay_and_what_is_no_number_is_not_hidden() {
        let kernels = Kernels::available()[0];
        assert_eq!(orthogonal(kernels, (3, 5), &[0.0; 15], 1), [0.0; 15]);
        let mut values = normal(3, 5, 1.0);
        values[7] = f32::NAN;
        assert!(orthogonal(kernels, (3, 5), &values, 1).iter().all(|value| value.is_nan()));
    }

    #[test]
    fn parts_of_a_weight_move_as_the_whole() {
        let (kernels, values) = (Kernels::available()[0], normal(6, 10, 1.0));
        let orthogonalizer = Orthogonalizer::new(6, 10, 1);
        let group = ThreadGroup::new(1);
        orthogonalizer.orthogonalize(kernels, &group.thread(0), |rows, mut matrix| {
            let all = MatRef::new(&values, 6, 10);
            for (i, row) in rows.enumerate() {
                matrix.row_mut(i).copy_from_slice(all.row(row));
            }
        });
        let start = normal(6, 7, 1.0);
        let mut strip = start.clone();
        let weight = MatMut::with_stride(&mut strip[14..], 3, 5, 7);
        orthogonalizer.apply(kernels, (0.1, 0.5), (2..5, 4..9), weight);
        let result = orthogonalizer.result();
        for (at, (found, start)) in strip.iter().zip(&start).enumerate() {
            let (i, j) = (at / 7, at % 7);
            let expected = match (2..5).contains(&i) && j < 5 {
                true => 0.95 * start - 0.1 * 0.2 * 10f32.sqrt() * result.view().row(i)[4 + j],
                false => *start,
            };
            assert!((found - expected).abs() < 1e-6, "{i} {j}: {found} {expected}");
        }
    }
}
