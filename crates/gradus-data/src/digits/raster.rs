//! From the path of the pen to pixels in MNIST's form.
//!
//! In: segments in any unit. Out: 28 x 28 bytes: the inked path fills 20 pixels along its
//! longer side and lies with its centre of mass at the middle of the image.

use rand::RngExt;

use super::super::images::mnist_form::{BOX, place};
use super::path::{Path, Point};
use crate::random::ChaCha8Rng;

/// Draws `path` into `image` (28 x 28, all zero) with a pen of random width, softness and ink.
pub(super) fn ink(path: &mut Path, rng: &mut ChaCha8Rng, image: &mut [u8]) {
    let radius = rng.random_range(0.75..1.8f32);
    let softness = rng.random_range(0.9..1.7f32);
    // Above 255 the ink is saturated inside and its edge crisper.
    let darkness = rng.random_range(230.0..320.0f32);
    fit(path, radius, softness);
    let depth = stamp(path, softness);
    let mut values = [0u8; BOX * BOX];
    for (value, depth) in values.iter_mut().zip(depth) {
        *value = ((0.5 + depth / softness).clamp(0.0, 1.0) * darkness).min(255.0) as u8;
    }
    place(&values, image);
}

/// Scales and moves the path so that the inked digit touches the top and left of the box and
/// fills its longer side; pressures become radii in pixels.
fn fit(path: &mut Path, radius: f32, softness: f32) {
    let points = path.segments.as_flattened_mut();
    let mut thickest = 0.0f32;
    for point in points.iter_mut() {
        point.pressure *= radius;
        thickest = thickest.max(point.pressure);
    }
    let full = BOX as f32 - softness;
    let path_length = extent(points, 1.0, 0.0).longer();
    let mut scale = (full - 2.0 * thickest) / path_length;
    // The extent grows with the scale no faster than the path alone: this closes in from below.
    for _ in 0..3 {
        scale += (full - extent(points, scale, 1.0).longer()) / path_length;
    }
    let Extent { low, .. } = extent(points, scale, 1.0);
    for point in points {
        point.x = point.x * scale - low.0 + 0.5 * softness;
        point.y = point.y * scale - low.1 + 0.5 * softness;
    }
}

/// The corners of a bounding box, as (x, y).
struct Extent {
    low: (f32, f32),
    high: (f32, f32),
}

impl Extent {
    fn longer(&self) -> f32 {
        (self.high.0 - self.low.0).max(self.high.1 - self.low.1)
    }
}

/// The bounding box of the scaled points, each a disc of `thickness` times its own pressure.
fn extent(points: &[Point], scale: f32, thickness: f32) -> Extent {
    let mut low = (f32::INFINITY, f32::INFINITY);
    let mut high = (f32::NEG_INFINITY, f32::NEG_INFINITY);
    for point in points {
        let (x, y, radius) = (point.x * scale, point.y * scale, point.pressure * thickness);
        low = (low.0.min(x - radius), low.1.min(y - radius));
        high = (high.0.max(x + radius), high.1.max(y + radius));
    }
    Extent { low, high }
}

/// For each pixel of the box how deep it lies inside the ink, in pixels (negative: outside).
fn stamp(path: &Path, softness: f32) -> [f32; BOX * BOX] {
    let mut depth = [-softness; BOX * BOX];
    let span = |low: f32, high: f32| (low.max(0.0) as usize, (high.max(0.0) as usize + 1).min(BOX));
    for [from, to] in &path.segments {
        let reach = from.pressure.max(to.pressure) + 0.5 * softness;
        let (left, right) = span(from.x.min(to.x) - reach, from.x.max(to.x) + reach);
        let (top, bottom) = span(from.y.min(to.y) - reach, from.y.max(to.y) + reach);
        let (dx, dy) = (to.x - from.x, to.y - from.y);
        let inverse = 1.0 / (dx * dx + dy * dy + 1e-12);
        for row in top..bottom {
            for column in left..right {
                let (px, py) = (column as f32 + 0.5 - from.x, row as f32 + 0.5 - from.y);
                let t = ((px * dx + py * dy) * inverse).clamp(0.0, 1.0);
                let (ex, ey) = (px - t * dx, py - t * dy);
                let radius = from.pressure + (to.pressure - from.pressure) * t;
                let inside = radius - (ex * ex + ey * ey).sqrt();
                let deepest = &mut depth[row * BOX + column];
                *deepest = deepest.max(inside);
            }
        }
    }
    depth
}
