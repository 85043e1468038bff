//! Whether the images of a data set look like MNIST's: samples in, a truth value out.

use super::{GreyImage, MNIST_SIDE, to_mnist_form};
use gradus_core::samples::Subset;

/// Whether images look like MNIST's, fitted into a box and centred by mass; an image must then be converted to
/// that form before it is predicted. The first hundred images decide. Grey levels are values times `scale`:
/// 1 for bytes, 255 for numbers from 0 to 1.
pub fn is_in_mnist_form<'a>(samples: impl Into<Subset<'a>>, scale: f32) -> bool {
    let samples = samples.into();
    let data = samples.data();
    if data.sample_shape != [MNIST_SIDE, MNIST_SIDE] {
        return false;
    }
    let count = samples.len().min(100);
    let unchanged = |&index: &usize| {
        let levels = data.sample(index).into_iter().map(|value| (value * scale).round() as u8);
        let pixels: Vec<u8> = levels.collect();
        GreyImage::new(MNIST_SIDE, MNIST_SIDE, pixels.clone())
            .and_then(|image| to_mnist_form(&image))
            .is_ok_and(|formed| formed == *pixels)
    };
    2 * samples.indices().take(count).filter(unchanged).count() > count
}
