//! Temperature scaling: logits of samples that had no part in them and their classes in, one number to divide logits by out
//! (docs/maths.md M33).
//!
//! Source: Guo et al. 2017, "On calibration of modern neural networks".

use crate::network::Network;

/// The temperatures that are possible: where all predictions are right, the loss has no minimum.
const RANGE: (f64, f64) = (0.05, 20.0);

/// Most steps of the search; it takes about six.
const STEPS: usize = 60;

/// The temperature `T` with the smallest mean cross-entropy of `softmax(z / T)`, between 0.05 and 20.
///
/// With `b = 1 / T`, classes `y_i` and `p_i = softmax(b z_i)`, the loss is convex in `b`:
///
/// ```text
/// l(b)   = 1/n sum_i log sum_c e^(b z_ic) - b z_iy
/// l'(b)  = 1/n sum_i (sum_c p_ic z_ic - z_iy)
/// l''(b) = 1/n sum_i (sum_c p_ic z_ic^2 - (sum_c p_ic z_ic)^2)
/// ```
///
/// The zero of `l'` is found by Newton's steps, and by halving the range where such a step would leave it.
pub(super) fn temperature(logits: &[f32], labels: &[u32]) -> f64 {
    let classes = logits.len() / labels.len().max(1);
    let (mut least, mut most) = (1.0 / RANGE.1, 1.0 / RANGE.0);
    let mut at = 1.0;
    // Beyond an end at which the loss still falls, there is no minimum to look for.
    let slope_at = |factor| derivatives(logits, labels, classes, factor).0;
    if slope_at(most) < 0.0 {
        return RANGE.0;
    }
    if slope_at(least) > 0.0 {
        return RANGE.1;
    }
    for _ in 0..STEPS {
        let (slope, curvature) = derivatives(logits, labels, classes, at);
        // Nothing is decided where logits are not finite, or all the same.
        if !slope.is_finite() || slope == 0.0 && curvature == 0.0 {
            return 1.0;
        }
        if slope > 0.0 {
            most = at
        } else {
            least = at
        }
        let newton = at - slope / curvature;
        let next =
            if newton > least && newton < most { newton } else { f64::midpoint(least, most) };
        if (next - at).abs() <= 1e-10 * at {
            at = next;
            break;
        }
        at = next;
    }
    (1.0 / at).clamp(RANGE.0, RANGE.1)
}

/// The first and the second derivative of the loss.
fn derivatives(logits: &[f32], labels: &[u32], classes: usize, factor: f64) -> (f64, f64) {
    let (mut slope, mut curvature) = (0.0, 0.0);
    for (row, &label) in logits.chunks_exact(classes.max(1)).zip(labels) {
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let (mut total, mut first, mut second) = (0.0, 0.0, 0.0);
        for &logit in row {
            // Counted from the largest, so that squares stay small.
            let logit = f64::from(logit) - f64::from(largest);
            let weight = (factor * logit).exp();
            total += weight;
            first += weight * logit;
            second += weight * logit * logit;
        }
        let mean = first / total;
        slope += mean - (f64::from(row[label as usize]) - f64::from(largest));
        curvature += second / total - mean * mean;
    }
    let count = labels.len() as f64;
    (slope / count, curvature / count)
}

/// Divides the outputs of a network, by dividing the parameters of its last layer.
pub(super) fn divide_outputs(network: &mut Network, temperature: f64) {
    let last = network.linears().len() - 1;
    let divide = |value: &mut f32| *value = (f64::from(*value) / temperature) as f32;
    network.weight_mut(last).iter_mut().for_each(divide);
    network.bias_mut(last).iter_mut().for_each(divide);
}

#[cfg(test)]
mod tests {
    use rand::RngExt as _;

    use super::*;
    use crate::network::{Activation, Init};
    use crate::random::{Purpose, numbered_stream};

    /// The mean cross-entropy, as the formula has it.
    fn loss(logits: &[f32], labels: &[u32], classes: usize, temperature: f64) -> f64 {
        let of_row = |(row, &label): (&[f32], &u32)| {
            let scaled = row.iter().map(|&logit| f64::from(logit) / temperature);
            let largest = scaled.clone().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = scaled.clone().map(|logit| (logit - largest).exp()).sum();
            largest + sum.ln() - f64::from(row[label as usize]) / temperature
        };
        logits.chunks(classes).zip(labels).map(of_row).sum::<f64>() / labels.len() as f64
    }

    /// Logits whose classes are drawn from `softmax(z / 1.7)`.
    fn drawn(count: usize, classes: usize) -> (Vec<f32>, Vec<u32>) {
        let mut random = numbered_stream(5, Purpose::Split, 0);
        let (mut logits, mut labels) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let row: Vec<f32> = (0..classes).map(|_| 8.0 * random.random::<f32>()).collect();
            let weights: Vec<f64> = row.iter().map(|&it| (f64::from(it) / 1.7).exp()).collect();
            let mut left = random.random::<f64>() * weights.iter().sum::<f64>();
            let label = weights.iter().position(|weight| {
                left -= weight;
                left <= 0.0
            });
            labels.push(label.unwrap_or(classes - 1) as u32);
            logits.extend(row);
        }
        (logits, labels)
    }

    #[test]
    fn no_other_temperature_is_better() {
        let (logits, labels) = drawn(2000, 4);
        let found = temperature(&logits, &labels);
        assert!((found - 1.7).abs() < 0.2, "{found}");
        let best = loss(&logits, &labels, 4, found);
        for factor in [0.9, 0.99, 0.999, 1.001, 1.01, 1.1] {
            assert!(loss(&logits, &labels, 4, factor * found) > best, "{factor}");
        }
        // A slope of differences that is 0.
        let step = 1e-4;
        let slope =
            loss(&logits, &labels, 4, found + step) - loss(&logits, &labels, 4, found - step);
        assert!(slope.abs() / (2.0 * step) < 1e-6, "{slope}");
        // Larger logits are divided by more.
        let doubled: Vec<f32> = logits.iter().map(|logit| 2.0 * logit).collect();
        assert!((temperature(&doubled, &labels) - 2.0 * found).abs() < 1e-6);
    }

    /// SciPy's `minimize_scalar(method="bounded", options={"xatol": 1e-12})` over the same loss gives this temperature
    /// (crates/gradus/tests/golden/make_temperature.py).
    #[test]
    fn it_is_that_of_scipy() {
        let logits =
            [2.0, -1.0, 0.5, 0.25, 1.75, -0.5, -2.0, 3.0, 1.0, 0.0, 0.5, 4.0, 1.5, 1.25, 1.0];
        let found = temperature(&logits, &[0, 1, 0, 2, 1]);
        assert!((found - GOLDEN).abs() < 1e-6, "{found}");
    }

    const GOLDEN: f64 = 3.687_335_902;

    #[test]
    fn the_ends_are_finite() {
        assert_eq!(temperature(&[5.0, 0.0, 0.0, 5.0], &[0, 1]), 0.05);
        assert_eq!(temperature(&[5.0, 0.0, 0.0, 5.0], &[1, 0]), 20.0);
        assert_eq!(temperature(&[1.0, 1.0, 2.0, 2.0], &[1, 0]), 1.0);
        assert_eq!(temperature(&[f32::NAN, 1.0], &[1]), 1.0);
        assert_eq!(temperature(&[], &[]), 1.0);
    }

    #[test]
    fn outputs_are_divided() {
        let mut network = Network::dense(3, &[4], &[Activation::Relu], 2).unwrap();
        network.initialize(Init::Glorot, 1);
        network.bias_mut(1).fill(3.0);
        let before = network.clone();
        divide_outputs(&mut network, 2.0);
        assert_eq!(network.weight(0), before.weight(0));
        assert_eq!(network.bias(1), [1.5, 1.5]);
        assert!(
            network.weight(1).iter().zip(before.weight(1)).all(|(now, then)| *now == then / 2.0)
        );
    }
}
