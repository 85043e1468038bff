//! Every kernel as the plain loop that defines it: safe, slow, true. The fast ones are tested
//! against these, and docs/maths.md points here.

use crate::dense::{Transpose, Update};
use crate::random::{GROUP, Stream};
use crate::sparse::ByteTable;

/// `C (+)= op(A, B)` with `C` m x n and an inner dimension of k, all without gaps.
/// `A` is m x k (k x m for `First`), `B` is k x n (n x k for `Second`).
pub fn matmul(
    transpose: Transpose,
    (m, k, n): (usize, usize, usize),
    a: &[f32],
    b: &[f32],
    c: &mut [f32],
    update: Update,
) {
    for i in 0..m {
        for j in 0..n {
            let mut sum = 0.0f64;
            for l in 0..k {
                let a = if transpose == Transpose::First { a[l * m + i] } else { a[i * k + l] };
                let b = if transpose == Transpose::Second { b[j * k + l] } else { b[l * n + j] };
                sum += f64::from(a) * f64::from(b);
            }
            let before = if update == Update::Add { c[i * n + j] } else { 0.0 };
            c[i * n + j] = before + sum as f32;
        }
    }
}

/// `output = bias + table[X] W`: `x` samples x features, `weight` features x width.
pub fn sparse_forward(
    x: &[u8],
    table: &ByteTable,
    weight: &[f32],
    bias: &[f32],
    output: &mut [f32],
) {
    let width = bias.len();
    let features = weight.len() / width;
    for (x, output) in x.chunks(features).zip(output.chunks_mut(width)) {
        for j in 0..width {
            let mut sum = f64::from(bias[j]);
            for p in 0..features {
                sum += f64::from(table[x[p] as usize]) * f64::from(weight[p * width + j]);
            }
            output[j] = sum as f32;
        }
    }
}

/// `grad_weight (+)= start + table[X]^T delta`: `x` samples x features, `delta` samples x width,
/// `start` added to each of the `features` rows.
pub fn sparse_gradient(
    x: &[u8],
    table: &ByteTable,
    delta: &[f32],
    start: &[f32],
    grad_weight: &mut [f32],
    update: Update,
) {
    let width = start.len();
    let features = grad_weight.len() / width;
    for p in 0..features {
        for j in 0..width {
            let before = if update == Update::Add { grad_weight[p * width + j] } else { 0.0 };
            let mut sum = f64::from(before) + f64::from(start[j]);
            for (x, delta) in x.chunks(features).zip(delta.chunks(width)) {
                sum += f64::from(table[x[p] as usize]) * f64::from(delta[j]);
            }
            grad_weight[p * width + j] = sum as f32;
        }
    }
}

/// `p_c = e^(z_c - max z) / sum_c e^(z_c - max z)` for one row.
pub fn softmax(logits: &[f32]) -> Vec<f32> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let e: Vec<f64> = logits.iter().map(|&z| f64::from(z - max).exp()).collect();
    let sum: f64 = e.iter().sum();
    e.iter().map(|e| (e / sum) as f32).collect()
}

/// The loss of one row, `-log p_label`, and its gradient with respect to the logits,
/// `(p - onehot) grad_scale`.
pub fn softmax_cross_entropy(logits: &[f32], label: usize, grad_scale: f32) -> (f32, Vec<f32>) {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&z| f64::from(z - max).exp()).sum();
    let loss = sum.ln() - f64::from(logits[label] - max);
    let mut grad = softmax(logits);
    grad[label] -= 1.0;
    grad.iter_mut().for_each(|g| *g *= grad_scale);
    (loss as f32, grad)
}

/// Number `index` of a stream, by Philox4x32-10: two multiplications and two key additions a round.
pub fn random_bits(stream: Stream, index: usize) -> u32 {
    let (group, word, lane) = (index / GROUP, index % GROUP / 16, index % 16);
    let [a, b, c] = stream.counter;
    let mut x = [(group * 16 + lane) as u32, a, b, c];
    let (mut low, mut high) = (stream.key as u32, (stream.key >> 32) as u32);
    for _ in 0..10 {
        let first = u64::from(x[0]) * 0xD251_1F53;
        let second = u64::from(x[2]) * 0xCD9E_8D57;
        x = [
            (second >> 32) as u32 ^ x[1] ^ low,
            second as u32,
            (first >> 32) as u32 ^ x[3] ^ high,
            first as u32,
        ];
        low = low.wrapping_add(0x9E37_79B9);
        high = high.wrapping_add(0xBB67_AE85);
    }
    x[word]
}

/// The same as a number in [0, 1).
pub fn random_uniform(stream: Stream, index: usize) -> f32 {
    (random_bits(stream, index) >> 8) as f32 / 16_777_216.0
}

/// Normal number `index` of a stream: `r cos t` and `r sin t` of `r = sqrt(-2 ln(1 - u))` and
/// `t = 2 pi v - pi` are the numbers at two places 16 apart, whose uniform numbers are `u` and `v`.
pub fn random_normal(stream: Stream, index: usize) -> f64 {
    let first = index - index % 32 + index % 16;
    let u = f64::from(random_uniform(stream, first));
    let v = f64::from(random_uniform(stream, first + 16));
    let (radius, angle) = ((-2.0 * (1.0 - u).ln()).sqrt(), std::f64::consts::TAU * (v - 0.5));
    radius * if index == first { angle.cos() } else { angle.sin() }
}

/// `0` where number `index` of the stream is below `drop`, else `1 / (1 - drop)`.
pub fn dropout_mask(stream: Stream, index: usize, drop: f32) -> f32 {
    if random_uniform(stream, index) < drop { 0.0 } else { 1.0 / (1.0 - drop) }
}

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

/// `sums[j] += x_j^2` for one row.
pub fn add_column_squares(row: &[f32], sums: &mut [f64]) {
    for (sum, &value) in sums.iter_mut().zip(row) {
        *sum += f64::from(value) * f64::from(value);
    }
}

/// Number `index` of a stream as two in (-size, size): from its lower and its upper half.
pub fn noise(stream: Stream, index: usize, size: f32) -> [f32; 2] {
    let bits = random_bits(stream, index);
    [bits as i16, (bits >> 16) as i16].map(|half| (f32::from(half) + 0.5) / 32768.0 * size)
}

/// `height x width` values, each the sum of all others times `g(dy) g(dx)`, with
/// `g(i) = e^(-i^2 / 2 sigma^2)` up to `|i| = ceil(3 sigma)`, over the sum of all its values.
pub fn smooth(values: &[f32], height: usize, width: usize, sigma: f32) -> Vec<f32> {
    let (sigma, reach) = (f64::from(sigma), (3.0 * f64::from(sigma)).ceil() as usize);
    let bell = |i: usize| (-0.5 * (i as f64 / sigma).powi(2)).exp();
    let total = bell(0) + 2.0 * (1..=reach).map(bell).sum::<f64>();
    let weight = |i: usize| if i > reach { 0.0 } else { bell(i) / total };
    let g: Vec<f64> = (0..height.max(width)).map(weight).collect();
    let mut smooth = Vec::with_capacity(values.len());
    for y in 0..height {
        for x in 0..width {
            let mut sum = 0.0;
            for (at, &value) in values.iter().enumerate() {
                sum += f64::from(value) * g[y.abs_diff(at / width)] * g[x.abs_diff(at % width)];
            }
            smooth.push(sum as f32);
        }
    }
    smooth
}

/// An image with rows of `width` bytes at the place `(x, y)` between its pixels; 0 outside.
pub fn resample(image: &[u8], width: usize, x: f64, y: f64) -> f64 {
    let mut sum = 0.0;
    for (at, &pixel) in image.iter().enumerate() {
        let (row, column) = ((at / width) as f64, (at % width) as f64);
        let share = (1.0 - (x - column).abs()).max(0.0) * (1.0 - (y - row).abs()).max(0.0);
        sum += share * f64::from(pixel);
    }
    sum
}
