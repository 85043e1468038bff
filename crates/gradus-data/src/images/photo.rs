//! A digit cut out of a photo.
//!
//! In: the whole image and where a digit was found in a small copy of it. Out: how much ink
//! each pixel around the digit holds, without anything that is not part of the digit.

use super::GreyImage;
use super::bounds::Bounds;
use super::find::Candidate;
use super::ink::quantile;
use super::paper::{DARK, closed, log_shades, shade_of};
use super::resize::{Taps, axis, resample};

/// The digit's longer side in pixels: five per pixel of MNIST's are enough.
const DETAIL: f64 = 100.0;
/// Ink is kept this many pixels of the small copy around its pieces: their soft edge.
const MARGIN: usize = 2;
/// The smallest and largest threshold of ink, as shares of the strongest ink.
const FLOORS: (f32, f32) = (0.03, 0.35);

/// The position of a pixel of the cut-out.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Paper,
    Margin,
    Digit,
}

/// How much ink each pixel around `digit` holds: 0 for paper, 255 for strong ink. The digit was found
/// in a copy of the image of `small` rows and columns.
pub(super) fn cut_out(image: &GreyImage, small: (usize, usize), digit: &Candidate) -> GreyImage {
    let (down, across) =
        (image.height as f64 / small.0 as f64, image.width as f64 / small.1 as f64);
    let room = (digit.bounds.longer() as f64 / 3.0).min(digit.radius as f64 + 2.0).ceil() as usize;
    let crop = digit.bounds.grown(room + MARGIN, small.0, small.1);
    let step = (digit.bounds.longer() as f64 * down.max(across) / DETAIL).max(1.0);
    let rows = taps(crop.top, crop.height, down, step, image.height);
    let columns = taps(crop.left, crop.width, across, step, image.width);
    let pixels: Vec<u8> =
        resample(image, &rows, &columns).iter().map(|value| value.round() as u8).collect();
    let places = places(digit, &crop, (rows.len(), columns.len()), (step / down, step / across));
    let radius = (digit.radius as f64 * down.max(across) / step).round().max(2.0) as usize;
    let strengths = strengths(&pixels, columns.len(), digit.light, radius);
    let of = |wanted: Place| -> Vec<f32> {
        let some = places.iter().zip(&strengths).filter(|&(&place, _)| place == wanted);
        some.map(|(_, &strength)| strength).collect()
    };
    let strong = quantile(of(Place::Digit), 0.8).max(1e-6);
    // Three quarters of the paper, and its noise, lie below.
    let floor = 1.3 * quantile(of(Place::Paper), 0.75);
    let floor = floor.clamp(FLOORS.0 * strong, FLOORS.1 * strong);
    let gain = 255.0 / (strong - floor);
    let ink = |(&place, &strength): (&Place, &f32)| match place {
        Place::Paper => 0,
        _ => ((strength - floor) * gain).round().clamp(0.0, 255.0) as u8,
    };
    let pixels = places.iter().zip(&strengths).map(ink).collect();
    GreyImage { height: rows.len(), width: columns.len(), pixels }
}

/// Taps for `length` pixels of the small copy from `first` on, `scale` of the image's pixels each.
fn taps(first: usize, length: usize, scale: f64, step: f64, whole: usize) -> Vec<Taps> {
    let count = ((length as f64 * scale / step).ceil() as usize).max(1);
    axis(first as f64 * scale, step, count, whole)
}

/// The positions of `size` rows and columns of the cut-out, `steps` pixels of the small copy apart.
fn places(digit: &Candidate, crop: &Bounds, size: (usize, usize), steps: (f64, f64)) -> Vec<Place> {
    let mut small = vec![Place::Paper; crop.height * crop.width];
    for margin in [MARGIN, 0] {
        let place = if margin > 0 { Place::Margin } else { Place::Digit };
        for run in &digit.runs {
            let (row, start, end) =
                (run.row - crop.top, run.start - crop.left, run.end - crop.left);
            for near in row.saturating_sub(margin)..(row + margin + 1).min(crop.height) {
                let columns = start.saturating_sub(margin)..(end + margin).min(crop.width);
                small[near * crop.width..][columns].fill(place);
            }
        }
    }
    let nearest = |index: usize, step: f64, length: usize| {
        (((index as f64 + 0.5) * step) as usize).min(length - 1)
    };
    let mut places = Vec::with_capacity(size.0 * size.1);
    for row in 0..size.0 {
        let line = nearest(row, steps.0, crop.height) * crop.width;
        let columns = (0..size.1).map(|column| nearest(column, steps.1, crop.width));
        places.extend(columns.map(|column| small[line + column]));
    }
    places
}

/// The share of the surrounding paper's shade by which each pixel differs from it, in the direction of ink.
fn strengths(pixels: &[u8], width: usize, light: bool, radius: usize) -> Vec<f32> {
    let paper = closed(&log_shades(pixels, light), width, radius);
    let strength = |(&shade, &paper): (&u8, &u8)| {
        let paper = shade_of(paper, light);
        let difference = if light { f64::from(shade) - paper } else { paper - f64::from(shade) };
        (difference / (paper + DARK)) as f32
    };
    pixels.iter().zip(&paper).map(strength).collect()
}
