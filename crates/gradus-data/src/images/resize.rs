//! Resampling: an image scaled to another size.
//!
//! In: an image and, for each axis, how the output's pixels lie on it. Out: weighted sums.
//! Shrinking averages over the area that a pixel covers; enlarging interpolates linearly.

use super::{GreyImage, check_size};
use crate::error::Result;

/// The image scaled to `height x width`, each axis by itself (the aspect is not kept).
///
/// Shrinking takes the mean over each new pixel's area, enlarging interpolates linearly.
///
/// # Errors
/// `InvalidArgument` if a side is 0 or above [`super::MAX_SIDE`].
pub fn to_size(image: &GreyImage, height: usize, width: usize) -> Result<GreyImage> {
    check_size(height, width)?;
    if (height, width) == (image.height, image.width) {
        return Ok(image.clone());
    }
    let rows = whole_axis(image.height, height);
    let columns = whole_axis(image.width, width);
    let pixels = resample(image, &rows, &columns).iter().map(|value| value.round() as u8).collect();
    Ok(GreyImage { height, width, pixels })
}

/// The source pixels that make one output pixel along an axis: a run of them with weights.
pub(super) struct Taps {
    first: usize,
    weights: Vec<f32>,
}

/// Taps of `count` output pixels, each `step` source pixels long, that begin at `start`. What lies
/// outside the `length` source pixels counts as 0.
pub(super) fn axis(start: f64, step: f64, count: usize, length: usize) -> Vec<Taps> {
    (0..count)
        .map(|index| {
            let middle = start + (index as f64 + 0.5) * step;
            // Half the reach of the filter: a box as long as the output pixel, or a triangle.
            let reach = if step >= 1.0 { 0.5 * step } else { 1.0 };
            let first = (middle - reach).floor().clamp(0.0, length as f64) as usize;
            let end = (middle + reach).ceil().clamp(0.0, length as f64) as usize;
            let weight = |pixel: usize| {
                let (low, high) = (pixel as f64, (pixel + 1) as f64);
                if step >= 1.0 {
                    let overlap = high.min(middle + reach) - low.max(middle - reach);
                    overlap.max(0.0) / step
                } else {
                    (1.0 - (low + 0.5 - middle).abs()).max(0.0)
                }
            };
            Taps { first, weights: (first..end).map(|pixel| weight(pixel) as f32).collect() }
        })
        .collect()
}

/// Taps that scale all `length` source pixels to `count`; the edge pixels are continued outwards.
fn whole_axis(length: usize, count: usize) -> Vec<Taps> {
    let mut all = axis(0.0, length as f64 / count as f64, count, length);
    for taps in &mut all {
        let sum: f32 = taps.weights.iter().sum();
        taps.weights.iter_mut().for_each(|weight| *weight /= sum);
    }
    all
}

/// `rows.len() x columns.len()` weighted sums, row-major, in 0..=255.
pub(super) fn resample(image: &GreyImage, rows: &[Taps], columns: &[Taps]) -> Vec<f32> {
    let mut output = Vec::with_capacity(rows.len() * columns.len());
    let mut line = vec![0.0f32; image.width];
    for row in rows {
        line.fill(0.0);
        let lines = image.pixels.chunks_exact(image.width).skip(row.first);
        for (source, &weight) in lines.zip(&row.weights) {
            for (sum, &value) in line.iter_mut().zip(source) {
                *sum += weight * f32::from(value);
            }
        }
        output.extend(columns.iter().map(|taps| {
            let values = line.iter().skip(taps.first).zip(&taps.weights);
            values.map(|(value, weight)| value * weight).sum::<f32>()
        }));
    }
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaled(height: usize, width: usize, pixels: &[u8], to: (usize, usize)) -> Vec<u8> {
        let image = GreyImage::new(height, width, pixels.to_vec()).unwrap();
        to_size(&image, to.0, to.1).unwrap().into_pixels()
    }

    #[test]
    fn shrinking_takes_the_mean_of_the_area() {
        let image = [0, 100, 10, 20, 200, 100, 30, 40];
        assert_eq!(scaled(2, 4, &image, (1, 2)), [100, 25]);
        // Three pixels to two: the middle one counts half to each side.
        assert_eq!(scaled(1, 3, &[0, 60, 240], (1, 2)), [20, 180]);
    }

    #[test]
    fn enlarging_is_linear_and_continues_the_edges() {
        assert_eq!(scaled(1, 2, &[0, 100], (1, 4)), [0, 25, 75, 100]);
        assert_eq!(scaled(1, 1, &[77], (3, 3)), [77; 9]);
    }

    #[test]
    fn the_same_size_and_plain_images_stay() {
        let image: Vec<u8> = (0..35).map(|at| at * 7).collect();
        assert_eq!(scaled(5, 7, &image, (5, 7)), image);
        for to in [(1, 1), (3, 11), (28, 28), (100, 2)] {
            assert!(scaled(9, 4, &[255; 36], to).iter().all(|&value| value == 255));
        }
    }

    #[test]
    fn a_size_of_zero_is_refused() {
        let image = GreyImage::new(1, 1, vec![0]).unwrap();
        assert!(to_size(&image, 0, 3).is_err());
        assert!(to_size(&image, 3, super::super::MAX_SIDE + 1).is_err());
    }
}
