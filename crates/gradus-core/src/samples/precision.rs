//! Whether numbers lose in single precision what tells them apart: double-precision values in, at once or in parts, yes or
//! no out.

/// A rounding error beyond this share of a column's standard deviation is too large.
const TOLERANCE: f64 = 1.0 / 4096.0;

/// Targets have no double precision: what is beyond this share hides a thousandth of their variance, or more.
const TARGET_TOLERANCE: f64 = 1.0 / 32.0;

/// Whether single precision would blur a column of `features`: its largest rounding error is more than a 4096th
/// of its standard deviation. `values` are row-major; a column that never changes is not looked at.
pub fn needs_doubles(values: &[f64], features: usize) -> bool {
    if features == 0 || values.iter().all(|&value| f64::from(value as f32) == value) {
        return false;
    }
    let mut precision = Precision::default();
    precision.add(values, features);
    precision.needs_doubles()
}

/// Why these targets of rows of `outputs` cannot be learned in single precision, if they cannot: it hides what tells them apart.
pub fn blurred_targets(values: &[f64], outputs: usize) -> Option<String> {
    if outputs == 0 || values.iter().all(|&value| f64::from(value as f32) == value) {
        return None;
    }
    let mut precision = Precision::default();
    precision.add(values, outputs);
    let at = precision.beyond(TARGET_TOLERANCE)?;
    let targets = || values[at..].iter().copied().step_by(outputs);
    let (least, most) =
        (targets().fold(f64::INFINITY, f64::min), targets().fold(f64::NEG_INFINITY, f64::max));
    Some(format!(
        "the targets are from {least} to {most}: single precision, in which they are learned, hides what tells them apart; \
         subtract {least} from all of them"
    ))
}

/// As [`needs_doubles`], of values that come in parts, one after the other.
#[derive(Debug, Clone, Default)]
pub struct Precision {
    samples: f64,
    columns: Vec<Column>,
}

#[derive(Debug, Clone, Default)]
struct Column {
    first: f64,
    mean: f64,
    /// The sum of the squared distances to the mean.
    squares: f64,
    /// The largest rounding error.
    error: f64,
    /// Whether any value differs from the first.
    varies: bool,
}

impl Precision {
    /// Adds rows of `features` values.
    pub fn add(&mut self, values: &[f64], features: usize) {
        let Some(first) = values.get(..features).filter(|first| !first.is_empty()) else { return };
        let count = (values.len() / features) as f64;
        if self.columns.is_empty() {
            let column = |&first: &f64| Column { first, ..Column::default() };
            self.columns = first.iter().map(column).collect();
        }
        let mut sums = vec![0.0; features];
        for row in values.chunks_exact(features) {
            for ((column, sum), &value) in self.columns.iter_mut().zip(&mut sums).zip(row) {
                *sum += value;
                column.varies |= value != column.first;
                column.error = column.error.max((value - f64::from(value as f32)).abs());
            }
        }
        // In a second pass, for the squares of values far from 0 lose the same digits.
        let means: Vec<f64> = sums.iter().map(|sum| sum / count).collect();
        let mut squares = vec![0.0; features];
        for row in values.chunks_exact(features) {
            for ((squares, mean), value) in squares.iter_mut().zip(&means).zip(row) {
                *squares += (value - mean) * (value - mean);
            }
        }
        // Chan, Golub and LeVeque: the squares around the mean of both parts.
        let (before, all) = (self.samples, self.samples + count);
        for (column, (squares, mean)) in self.columns.iter_mut().zip(squares.iter().zip(&means)) {
            let distance = mean - column.mean;
            column.squares += squares + distance * distance * before * count / all;
            column.mean += distance * count / all;
        }
        self.samples = all;
    }

    /// Whether a column needs double precision.
    pub fn needs_doubles(&self) -> bool {
        self.beyond(TOLERANCE).is_some()
    }

    /// The first column with a rounding error beyond this share of its standard deviation.
    fn beyond(&self, share: f64) -> Option<usize> {
        self.columns.iter().position(|column| {
            let std = (column.squares / self.samples).sqrt();
            // The mean of equal values is rounded: their standard deviation is not quite 0.
            column.varies && std.is_finite() && column.error > share * std
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_single_precision_blurs_needs_doubles() {
        let column = |value: &dyn Fn(usize) -> f64| (0..100).map(value).collect::<Vec<f64>>();
        let seconds = column(&|i| 1.7e9 + 60.0 * (i % 2) as f64 + i as f64);
        assert!(needs_doubles(&seconds, 1));
        assert!(needs_doubles(&column(&|i| 1e9 + (i % 2) as f64), 1));
        // Beside an ordinary column.
        let both: Vec<f64> = seconds.iter().flat_map(|&second| [0.1 * second, second]).collect();
        assert!(needs_doubles(&both, 2));
        for ordinary in [
            column(&|i| 0.1 * i as f64),
            column(&|i| 2000.0 + i as f64),
            column(&|i| 1e12 * (0.1 + i as f64)),
            // Rounded, but no more than every number is.
            column(&|i| 52.5 + 0.01 * i as f64),
            // Never changes.
            column(&|_| 1.7e9 + 1.0),
            column(&|_| 0.1),
            vec![1.7e9 + 1.0],
        ] {
            assert!(!needs_doubles(&ordinary, 1), "{ordinary:?}");
        }
        assert!(!needs_doubles(&[], 3));
    }

    #[test]
    fn targets_that_single_precision_hides_are_told() {
        let pairs = |origin: f64| -> Vec<f64> {
            (0..100).flat_map(|i| [0.1 * i as f64, origin + (i % 7) as f64]).collect()
        };
        for known in [pairs(0.0), pairs(1e6), pairs(1e6 + 0.1), vec![1e9 + 1.0; 10], vec![]] {
            assert_eq!(blurred_targets(&known, 2), None);
        }
        let problem = blurred_targets(&pairs(1e9 + 0.5), 2).unwrap();
        assert!(problem.contains("from 1000000000.5 to 1000000006.5"), "{problem}");
    }

    #[test]
    fn parts_are_judged_as_the_whole() {
        let column = |origin: f64, step: f64| -> Vec<f64> {
            (0..1000).map(|i| origin + step * (i * 7919 % 1000) as f64).collect()
        };
        for values in [column(1.7e9, 60.0), column(1.7e9, 1.0), column(1e9, 0.1), column(0.1, 0.3)]
        {
            let both: Vec<f64> = values.iter().flat_map(|&value| [0.5, value]).collect();
            let mut parts = Precision::default();
            both.chunks(34).for_each(|part| parts.add(part, 2));
            assert_eq!(parts.needs_doubles(), needs_doubles(&both, 2), "{}", values[0]);
        }
        // The first part does not vary, the second does.
        let mut parts = Precision::default();
        parts.add(&[1.7e9 + 1.0; 5], 1);
        assert!(!parts.needs_doubles());
        parts.add(&[1.7e9 + 2.0; 5], 1);
        assert!(parts.needs_doubles());
    }
}
