//! Ink on plain paper, as in drawings.
//!
//! In: an image whose border is mostly background. Out: how much ink each pixel holds,
//! whatever the shade and brightness gradient of the paper, dark on light or light on dark. `find` deals
//! with other images.

use super::GreyImage;
use crate::error::{Error, ErrorKind, Result};

/// The smallest difference between ink and paper, in grey levels.
const LEAST_CONTRAST: f32 = 8.0;
/// Share of the contrast that counts as paper even if the border is perfectly clean, because of JPEG
/// artefacts next to a stroke.
const PAPER_SHARE: f32 = 0.03;
/// The largest such share, however noisy the border.
const MOST_PAPER_SHARE: f32 = 0.35;
/// The most noise of a drawing's paper, in grey levels.
const CLEAN_NOISE: f32 = 2.0;
/// The largest share of the contrast by which a drawing's pixels lie on the other side of the paper's shade.
const CLEAN_SHARE: f32 = 0.25;

/// Ink on paper of one shade, or with an even gradient of light.
pub(super) struct Ink {
    /// How much each pixel holds: 0 for paper, 255 for the strongest ink.
    pub(super) image: GreyImage,
    /// Whether the paper is as clean as that of a drawing: nine in ten of the border's pixels fit the
    /// gradient of light, and no pixel is far on the other side of the paper's shade.
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

/// The background: a plane of shades, as under light from one side.
struct Paper {
    corner: f32,
    per_row: f32,
    per_column: f32,
    /// Nine in ten of the border's pixels differ from the plane by no more than this.
    noise: f32,
}

impl Paper {
    /// Fitted to the medians along the four sides, on which a stroke that touches the border has no effect.
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
            // Only the two ends, except for the first and the last row.
            let inner = row > 0 && row + 1 < height;
            let step = if inner { (width - 1).max(1) } else { 1 };
            (0..width).step_by(step).map(move |column| (row, column))
        });
        paper.noise = quantile(sides.map(residual).collect(), 0.9);
        paper
    }

    /// The largest differences below and above the paper; 0 if there are none.
    fn extremes(&self, image: &GreyImage) -> (f32, f32) {
        const LANES: usize = 16;
        // Sixteen independent maxima at a time: a single one would have to wait for the one before.
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

/// The quantile of the values at `share`; 0 if there are none.
pub(super) fn quantile(mut values: Vec<f32>, share: f32) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let at = ((values.len() - 1) as f32 * share) as usize;
    *values.select_nth_unstable_by(at, f32::total_cmp).1
}
