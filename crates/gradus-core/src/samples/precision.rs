//! Whether numbers lose in single precision what tells them apart: double-precision values in, yes or no out.

/// A rounding error beyond this share of a column's standard deviation is too large.
const TOLERANCE: f64 = 1.0 / 4096.0;

/// Whether single precision would blur a column of `features`: its largest rounding error is more than a 4096th
/// of its standard deviation. `values` are row-major; a column that never changes is not looked at.
pub fn needs_doubles(values: &[f64], features: usize) -> bool {
    if features == 0 || values.iter().all(|&value| f64::from(value as f32) == value) {
        return false;
    }
    let samples = (values.len() / features) as f64;
    let mut columns = vec![Column::default(); features];
    for row in values.chunks_exact(features) {
        for (at, (column, &value)) in columns.iter_mut().zip(row).enumerate() {
            column.sum += value;
            column.varies |= value != values[at];
            column.error = column.error.max((value - f64::from(value as f32)).abs());
        }
    }
    // In a second pass, for the squares of values far from 0 lose the same digits.
    for row in values.chunks_exact(features) {
        for (column, &value) in columns.iter_mut().zip(row) {
            let distance = value - column.sum / samples;
            column.squares += distance * distance;
        }
    }
    columns.iter().any(|column| {
        let std = (column.squares / samples).sqrt();
        // The mean of equal values is rounded: their standard deviation is not quite 0.
        column.varies && std.is_finite() && column.error > TOLERANCE * std
    })
}

#[derive(Clone, Default)]
struct Column {
    sum: f64,
    squares: f64,
    /// The largest rounding error.
    error: f64,
    /// Whether any value differs from the first.
    varies: bool,
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
}
