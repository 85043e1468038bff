//! How far an accuracy may be from the truth because it was measured on a limited number of samples.

/// The normal quantile of a two-sided interval of 95 %.
pub const Z_95: f64 = 1.959_963_984_540_054;

/// Wilson's interval of a proportion, `successes` of `total` (docs/maths.md M20). With
/// `p = successes / total` and `n = total`:
///
/// `(p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)`
///
/// Both ends lie in 0..=1; without any sample they are 0 and 1. Wilson 1927. Panics where there are
/// more successes than `total`.
pub fn wilson_interval(successes: u64, total: u64, z: f64) -> (f64, f64) {
    assert!(successes <= total, "{successes} successes of {total}");
    if total == 0 {
        return (0.0, 1.0);
    }
    let n = total as f64;
    let p = successes as f64 / n;
    let shrink = 1.0 + z * z / n;
    let centre = (p + z * z / (2.0 * n)) / shrink;
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt() / shrink;
    // Rounding must not take the ends off the limits that they have exactly.
    let low = if successes == 0 { 0.0 } else { centre - half };
    let high = if successes == total { 1.0 } else { centre + half };
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.binomtest(successes, total).proportion_ci(0.95, method="wilson")`, SciPy 1.17.1.
    #[test]
    fn intervals_are_those_of_scipy() {
        for (successes, total, low, high) in [
            (8, 10, 0.4901624715366418, 0.9433178485456248),
            (0, 10, 0.0, 0.27753279986288926),
            (10, 10, 0.7224672001371109, 1.0),
            (1, 1, 0.20654931437723745, 1.0),
            (5, 9, 0.2666512934954931, 0.8112214789023354),
            (9837, 10000, 0.9810259577020174, 0.98600256227419),
        ] {
            let found = wilson_interval(successes, total, Z_95);
            let close = (found.0 - low).abs() < 1e-12 && (found.1 - high).abs() < 1e-12;
            assert!(close, "{successes} of {total}: {found:?}");
        }
    }

    #[test]
    fn the_limits_are_exact() {
        for total in [1, 3, 10, 12_345] {
            assert_eq!(wilson_interval(0, total, Z_95).0, 0.0);
            assert_eq!(wilson_interval(total, total, Z_95).1, 1.0);
        }
        assert_eq!(wilson_interval(0, 0, Z_95), (0.0, 1.0));
        assert_eq!(wilson_interval(1, 4, 0.0), (0.25, 0.25));
    }

    #[test]
    #[should_panic = "3 successes of 2"]
    fn more_successes_than_samples_are_refused() {
        wilson_interval(3, 2, Z_95);
    }
}
