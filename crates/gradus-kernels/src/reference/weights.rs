//! Everything that happens to weights and gradients besides the optimizer's step.

/// `sum x^2`
pub fn sum_of_squares(values: &[f32]) -> f64 {
    values.iter().map(|&value| f64::from(value) * f64::from(value)).sum()
}

/// `g + l1 sign(w) + l2 w` with `sign 0 = 0`
pub fn penalize(gradient: f64, weight: f64, l1: f64, l2: f64) -> f64 {
    let sign = f64::from(i8::from(weight > 0.0) - i8::from(weight < 0.0));
    gradient + l1 * sign + l2 * weight
}

/// `x` in `-limit ..= limit`
pub fn clamp(value: f64, limit: f64) -> f64 {
    value.clamp(-limit, limit)
}

/// `decay average + (1 - decay) value`
pub fn blend(average: f64, value: f64, decay: f64) -> f64 {
    decay * average + (1.0 - decay) * value
}

/// `factor value + other_factor other`
pub fn combine(value: f64, factor: f64, other: f64, other_factor: f64) -> f64 {
    factor * value + other_factor * other
}

/// `sums[j] += x_j^2` for one row.
pub fn add_column_squares(row: &[f32], sums: &mut [f64]) {
    for (sum, &value) in sums.iter_mut().zip(row) {
        *sum += f64::from(value) * f64::from(value);
    }
}
