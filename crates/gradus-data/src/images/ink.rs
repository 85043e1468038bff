//! Ink on plain paper, as in drawings.
//!
//! In comes an image whose border is mostly background; out goes how much ink each pixel holds,
//! whatever the shade and slope of the paper and whichever of the two is darker. Other images are for
//! `find`.

use super::GreyImage;
use crate::error::{Error, ErrorKind, Result};

/// Shades by which ink must differ from paper at least.
const LEAST_CONTRAST: f32 = 8.0;
/// Share of the contrast that counts as paper even where the border is perfectly clean: JPEG's
/// ripples beside a stroke.
const PAPER_SHARE: f32 = 0.03;
/// The same at most, however restless the border.
const MOST_PAPER_SHARE: f32 = 0.35;
/// Up to this much noise, in shades, paper is that of a drawing.
const CLEAN_NOISE: f32 = 2.0;
/// Up to this share of the contrast a drawing's pixels lie on the other side of the paper's shade.
const CLEAN_SHARE: f32 = 0.25;

/// Ink on paper of one shade or of evenly changing light.
pub(super) struct Ink {
    /// How much each pixel holds: 0 for paper, 255 for the strongest ink.
    pub(super) image: GreyImage,
    /// Whether the paper is as clean as that of a drawing: nine in ten of the border's pixels are as
    /// the light has them, and nothing goes far to the other side of the paper's shade.
    pub(super) clean: bool,
}

/// Finds the ink of an image with background along its border.
///
/// # Errors
/// `InvalidData` if nothing stands out from the paper.
pub(super) fn find_ink(image: &GreyImage) -> Result<Ink> {
    let paper = Paper::of(image);
    let (darkest, lightest) = paper.extremes(image);
    let contrast = darkest.max(lightest);
    if contrast < LEAST_CONTRAST.max(2.0 * paper.noise) {
        return Err(Error::new(
            ErrorKind::InvalidData,
            format!(
                "found no ink: nothing in the image of {} x {} pixels stands out from its \
                 background; expected a digit, dark on light or light on dark",
                image.height, image.width
            ),
        ));
    }
    let clean = paper.noise <= CLEAN_NOISE && darkest.min(lightest) <= CLEAN_SHARE * contrast;
    let sign = if darkest > lightest { -1.0 } else { 1.0 };
    let floor = (1.5 * paper.noise).clamp(PAPER_SHARE * contrast, MOST_PAPER_SHARE * contrast);
    let gain = 255.0 / (contrast - floor);
    let mut pixels = vec![0; image.pixels.len()];
    let lines = image.pixels.chunks_exact(image.width);
    for (row, (line, out)) in lines.zip(pixels.chunks_exact_mut(image.width)).enumerate() {
        for (column, (&value, out)) in line.iter().zip(out).enumerate() {
            let difference = f32::from(value) - paper.level(row, column);
            let ink = (sign * difference - floor) * gain;
            // The nearest whole number from 0 to 255.
            *out = if ink < 0.5 { 0 } else { (ink + 0.5) as u8 };
        }
    }
    Ok(Ink { image: GreyImage { height: image.height, width: image.width, pixels }, clean })
}

/// The background: a plane of shades, as light that falls from one side makes it.
struct Paper {
    corner: f32,
    per_row: f32,
    per_column: f32,
    /// Nine in ten of the border's pixels differ from the plane by no more than this.
    noise: f32,
}

impl Paper {
    /// Medians along the four sides: a stroke that touches the border does not count.
    fn of(image: &GreyImage) -> Self {
        let (height, width) = (image.height, image.width);
        let at = |row: usize, column: usize| f32::from(image.pixels[row * width + column]);
        let top: Vec<f32> = (0..width).map(|column| at(0, column)).collect();
        let bottom: Vec<f32> = (0..width).map(|column| at(height - 1, column)).collect();
        let left: Vec<f32> = (0..height).map(|row| at(row, 0)).collect();
        let right: Vec<f32> = (0..height).map(|row| at(row, width - 1)).collect();
        let slope = |from: &[f32], to: &[f32], length: usize| {
            (quantile(to.to_vec(), 0.5) - quantile(from.to_vec(), 0.5)) / (length.max(2) - 1) as f32
        };
        let (per_row, per_column) = (slope(&top, &bottom, height), slope(&left, &right, width));
        let middle = quantile([top, bottom, left, right].concat(), 0.5);
        let corner =
            middle - 0.5 * (per_row * (height - 1) as f32 + per_column * (width - 1) as f32);
        let mut paper = Paper { corner, per_row, per_column, noise: 0.0 };
        let residual = |(row, column)| (at(row, column) - paper.level(row, column)).abs();
        let sides = (0..height).flat_map(|row| {
            // Of all but the first and the last row the two ends alone.
            let inner = row > 0 && row + 1 < height;
            let step = if inner { (width - 1).max(1) } else { 1 };
            (0..width).step_by(step).map(move |column| (row, column))
        });
        paper.noise = quantile(sides.map(residual).collect(), 0.9);
        paper
    }

    /// How far pixels go below and above the paper at most; 0 where none does.
    fn extremes(&self, image: &GreyImage) -> (f32, f32) {
        const LANES: usize = 16;
        // Sixteen pixels beside each other at a time: one maximum would wait for the one before.
        let (mut darkest, mut lightest) = ([0.0f32; LANES], [0.0f32; LANES]);
        for (row, line) in image.pixels.chunks_exact(image.width).enumerate() {
            for (chunk, values) in line.chunks(LANES).enumerate() {
                for (lane, &value) in values.iter().enumerate() {
                    let difference = f32::from(value) - self.level(row, chunk * LANES + lane);
                    let further = |a: f32, b: f32| if a > b { a } else { b };
                    darkest[lane] = further(-difference, darkest[lane]);
                    lightest[lane] = further(difference, lightest[lane]);
                }
            }
        }
        let most = |lanes: [f32; LANES]| lanes.into_iter().fold(0.0, f32::max);
        (most(darkest), most(lightest))
    }

    fn level(&self, row: usize, column: usize) -> f32 {
        self.corner + self.per_row * row as f32 + self.per_column * column as f32
    }
}

/// The value below which `share` of the values lie; 0 where there are none.
pub(super) fn quantile(mut values: Vec<f32>, share: f32) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let at = ((values.len() - 1) as f32 * share) as usize;
    *values.select_nth_unstable_by(at, f32::total_cmp).1
}
