//! Distortion of an image, value by value.

use super::random_bits;
use crate::random::Stream;

/// Number `index` of a stream as two numbers in (-size, size), from its lower and its upper half.
pub fn noise(stream: Stream, index: usize, size: f32) -> [f32; 2] {
    let bits = random_bits(stream, index);
    [bits as i16, (bits >> 16) as i16].map(|half| (f32::from(half) + 0.5) / 32768.0 * size)
}

/// Gaussian convolution of `height x width` values: each result is the sum of all values times
/// `g(dy) g(dx)`, with `g(i) = e^(-i^2 / 2 sigma^2)` up to `|i| = ceil(3 sigma)`, divided by its sum.
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

/// Bilinear interpolation of an image with rows of `width` bytes at `(x, y)`; 0 outside the image.
pub fn resample(image: &[u8], width: usize, x: f64, y: f64) -> f64 {
    let mut sum = 0.0;
    for (at, &pixel) in image.iter().enumerate() {
        let (row, column) = ((at / width) as f64, (at % width) as f64);
        let share = (1.0 - (x - column).abs()).max(0.0) * (1.0 - (y - row).abs()).max(0.0);
        sum += share * f64::from(pixel);
    }
    sum
}
