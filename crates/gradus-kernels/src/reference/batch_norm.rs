//! Batch normalisation of one column, in double precision.

/// What batch normalisation makes of one column.
pub struct BatchNorm {
    /// Mean of the column.
    pub mean: f64,
    /// Its biased variance.
    pub variance: f64,
    /// The column with mean 0 and variance 1.
    pub normalized: Vec<f64>,
    /// The column scaled and shifted.
    pub values: Vec<f64>,
}

/// `n_i = (x_i - mean x) / sqrt(mean (x - mean x)^2 + epsilon)` and `y_i = gamma n_i + beta` for one
/// column.
pub fn batch_norm_forward(x: &[f64], gamma: f64, beta: f64, epsilon: f64) -> BatchNorm {
    let count = x.len() as f64;
    let mean = x.iter().sum::<f64>() / count;
    let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count;
    let normalized: Vec<f64> = x.iter().map(|x| (x - mean) / (variance + epsilon).sqrt()).collect();
    let values = normalized.iter().map(|n| gamma * n + beta).collect();
    BatchNorm { mean, variance, normalized, values }
}

/// The gradients of batch normalisation for one column.
pub struct BatchNormGradients {
    /// With respect to its scale.
    pub gamma: f64,
    /// With respect to its shift.
    pub beta: f64,
    /// With respect to its elements.
    pub inputs: Vec<f64>,
}

/// From the gradient `d_i` of the outputs of one column: `grad_gamma = sum d_i n_i`,
/// `grad_beta = sum d_i`,
/// `grad_x_i = gamma / sqrt(variance + epsilon) (d_i - mean d - n_i mean(d n))`.
pub fn batch_norm_backward(
    delta: &[f64],
    normalized: &[f64],
    gamma: f64,
    variance: f64,
    epsilon: f64,
) -> BatchNormGradients {
    let count = delta.len() as f64;
    let grad_gamma: f64 = delta.iter().zip(normalized).map(|(d, n)| d * n).sum();
    let grad_beta: f64 = delta.iter().sum();
    let factor = gamma / (variance + epsilon).sqrt();
    let input = |(d, n): (&f64, &f64)| factor * (d - grad_beta / count - n * grad_gamma / count);
    let inputs = delta.iter().zip(normalized).map(input).collect();
    BatchNormGradients { gamma: grad_gamma, beta: grad_beta, inputs }
}
