//! The ink of one digit in MNIST's form.
//!
//! In: how much ink each pixel of an image holds. Out: 28 x 28 bytes: background 0, ink up to
//! 255, the digit fitted into 20 x 20 and placed by its centre of mass. A network trained on MNIST
//! has seen digits in this form only.

use super::GreyImage;
use super::bounds::{Bounds, moments};
use super::ink::quantile;
use super::resize::{axis, resample};

/// Height and width of MNIST's images.
pub const MNIST_SIDE: usize = 28;
/// Pixels of an image in MNIST's form.
pub const MNIST_PIXELS: usize = MNIST_SIDE * MNIST_SIDE;
/// Side of the box that a digit fills.
pub(crate) const BOX: usize = 20;

/// Ink from which a digit in a large image begins.
const EDGE: u8 = 64;
/// Strokes that fill a smaller share of the 3 x 3 pixels around their middle are thinner than in MNIST.
const THIN_COVERAGE: f32 = 0.45;

/// The image's own bytes, if they already have MNIST's form.
pub(super) fn already_in_form(image: &GreyImage) -> Option<[u8; MNIST_PIXELS]> {
    if (image.height, image.width) != (MNIST_SIDE, MNIST_SIDE) {
        return None;
    }
    let bounds = Bounds::of(&image.pixels, MNIST_SIDE, 1)?;
    let (mass, rows, columns) = moments(&image.pixels, MNIST_SIDE);
    // |sum / mass - 14| <= 1/2 in whole numbers.
    let centred = |sum: usize| (2 * sum).abs_diff(MNIST_SIDE * mass) <= mass;
    let fits = (BOX - 2..=BOX).contains(&bounds.longer());
    if fits && centred(rows) && centred(columns) {
        return image.pixels.as_slice().try_into().ok();
    }
    None
}

/// Ink in MNIST's form: its box scaled to a longer side of 20 pixels, strokes at least a pen wide and
/// dark, placed by the centre of mass.
pub(super) fn formed(ink: &GreyImage) -> [u8; MNIST_PIXELS] {
    let mut form = [0; MNIST_PIXELS];
    place(&fit(ink), &mut form);
    form
}

/// The ink's box scaled to a longer side of 20 pixels, strokes at least a pen wide and dark.
fn fit(ink: &GreyImage) -> [u8; BOX * BOX] {
    let Some(mut bounds) = Bounds::of(&ink.pixels, ink.width, 1) else {
        return [0; BOX * BOX];
    };
    if bounds.longer() >= 2 * BOX {
        // The soft edge of a large image would enlarge the box and make the digit too small.
        bounds = Bounds::of(&ink.pixels, ink.width, EDGE).unwrap_or(bounds);
    }
    let mut values = scaled_into(ink, &bounds, BOX);
    if coverage(&values) < THIN_COVERAGE {
        // Leave room for the strokes, which become wider on each side.
        values = widened(&scaled_into(ink, &bounds, BOX - 2));
        darken(&mut values);
    }
    values.map(|value| value.round().clamp(0.0, 255.0) as u8)
}

/// The box of ink, scaled to a longer side of `side` and centred in 20 x 20.
fn scaled_into(ink: &GreyImage, bounds: &Bounds, side: usize) -> [f32; BOX * BOX] {
    let step = bounds.longer() as f64 / side as f64;
    // Whole output pixels on each axis, the box in their middle.
    let taps = |first: usize, length: usize, whole: usize| {
        let count = ((length as f64 / step - 1e-9).ceil() as usize).clamp(1, side);
        let start = first as f64 + 0.5 * (length as f64 - count as f64 * step);
        (axis(start, step, count, whole), count)
    };
    let (rows, height) = taps(bounds.top, bounds.height, ink.height);
    let (columns, width) = taps(bounds.left, bounds.width, ink.width);
    let mut values = [0.0; BOX * BOX];
    let (top, left) = ((BOX - height) / 2, (BOX - width) / 2);
    for (row, line) in resample(ink, &rows, &columns).chunks_exact(width).enumerate() {
        values[(top + row) * BOX + left..][..width].copy_from_slice(line);
    }
    darken(&mut values);
    values
}

/// Raises faint ink to full strength; strong ink stays.
fn darken(values: &mut [f32; BOX * BOX]) {
    let strong = quantile(values.iter().copied().filter(|&value| value >= 1.0).collect(), 0.9);
    if strong > 0.0 {
        let gain = (255.0 / strong).max(1.0);
        values.iter_mut().for_each(|value| *value = (*value * gain).min(255.0));
    }
}

/// Median share of ink in the 3 x 3 pixels around inked ones: a third for a line one pixel wide,
/// two thirds for two pixels.
fn coverage(values: &[f32; BOX * BOX]) -> f32 {
    let sums = weighted_around(values, [1.0, 1.0, 1.0]);
    let inked = sums.iter().zip(values).filter(|&(_, &value)| value >= 128.0);
    quantile(inked.map(|(sum, _)| sum / (9.0 * 255.0)).collect(), 0.5)
}

/// The same ink, drawn with a soft pen that is one pixel wider on each side.
fn widened(values: &[f32; BOX * BOX]) -> [f32; BOX * BOX] {
    weighted_around(values, [0.25, 0.5, 0.25])
}

/// Sums over the 3 x 3 pixels around each, weighted by `weights` along both axes.
fn weighted_around(values: &[f32; BOX * BOX], weights: [f32; 3]) -> [f32; BOX * BOX] {
    let along = |source: &[f32; BOX * BOX], stride: usize, place: fn(usize) -> usize| {
        std::array::from_fn(|at| {
            let before = if place(at) > 0 { source[at - stride] } else { 0.0 };
            let after = if place(at) + 1 < BOX { source[at + stride] } else { 0.0 };
            weights[0] * before + weights[1] * source[at] + weights[2] * after
        })
    };
    let rows: [f32; BOX * BOX] = along(values, 1, |at| at % BOX);
    along(&rows, BOX, |at| at / BOX)
}

/// Copies the ink of a 20 x 20 box into an empty 28 x 28 image, moved by whole pixels so that its
/// centre of mass is within half a pixel of (14, 14), as in MNIST.
pub(crate) fn place(values: &[u8; BOX * BOX], image: &mut [u8]) {
    let Some(bounds) = Bounds::of(values, BOX, 1) else {
        return;
    };
    let (mass, rows, columns) = moments(values, BOX);
    // The position of the box's first row or column; ink never leaves the image, even if centring would
    // require it.
    let target = |sum: usize, first: usize, length: usize| {
        let centre = (2 * sum + mass) / (2 * mass);
        (MNIST_SIDE / 2 + first).saturating_sub(centre).min(MNIST_SIDE - length)
    };
    let top = target(rows, bounds.top, bounds.height);
    let left = target(columns, bounds.left, bounds.width);
    for row in 0..bounds.height {
        let source = &values[(bounds.top + row) * BOX + bounds.left..][..bounds.width];
        image[(top + row) * MNIST_SIDE + left..][..bounds.width].copy_from_slice(source);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::digits::{Part, generate};
    use super::super::super::{Dataset, Inputs};
    use super::super::to_mnist_form;
    use super::*;

    fn grey(height: usize, width: usize, pixels: Vec<u8>) -> GreyImage {
        GreyImage::new(height, width, pixels).unwrap()
    }

    /// An image whose pixels are `shade(row, column)`.
    fn drawn(height: usize, width: usize, shade: impl Fn(usize, usize) -> u8) -> GreyImage {
        let at = |at: usize| shade(at / width, at % width);
        grey(height, width, (0..height * width).map(at).collect())
    }

    fn digits(samples: usize) -> Vec<[u8; MNIST_PIXELS]> {
        let Dataset { inputs: Inputs::Bytes(bytes), .. } =
            generate(samples, 77, Part::Test).unwrap()
        else {
            panic!("digits are bytes")
        };
        bytes.chunks(MNIST_PIXELS).map(|image| image.try_into().unwrap()).collect()
    }

    fn mean_difference(a: &[u8], b: &[u8]) -> f64 {
        let sum: f64 = a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(*b))).sum();
        sum / a.len() as f64
    }

    fn assert_form(form: &[u8; MNIST_PIXELS]) {
        let bounds = Bounds::of(form, MNIST_SIDE, 1).unwrap();
        assert!(bounds.longer() <= BOX, "{bounds:?}");
        let (mass, rows, columns) = moments(form, MNIST_SIDE);
        for sum in [rows, columns] {
            let centre = sum as f64 / mass as f64;
            assert!((centre - 14.0).abs() <= 1.0, "centre at {centre}");
        }
    }

    #[test]
    fn an_image_in_the_form_stays_as_it_is() {
        for digit in digits(200) {
            assert_eq!(to_mnist_form(&grey(28, 28, digit.to_vec())).unwrap(), digit);
        }
    }

    #[test]
    fn place_and_polarity_do_not_matter() {
        let mut differences = Vec::new();
        for (sample, digit) in digits(100).iter().enumerate() {
            let at = |row: usize, column: usize| match (row.checked_sub(3), column.checked_sub(9)) {
                (Some(row @ 0..28), Some(column @ 0..28)) => digit[row * 28 + column],
                _ => 0,
            };
            let light = to_mnist_form(&drawn(45, 39, at)).unwrap();
            let dark = to_mnist_form(&drawn(45, 39, |row, column| 255 - at(row, column))).unwrap();
            assert_eq!(light, dark, "sample {sample}");
            assert_form(&light);
            differences.push(mean_difference(&light, digit));
        }
        // Faint ink is darkened, and a centre just between two pixels may move by one.
        differences.sort_by(f64::total_cmp);
        assert!(differences[60] < 1.5 && differences[99] < 18.0, "{differences:?}");
    }

    #[test]
    fn a_photo_on_uneven_paper_is_cleaned() {
        let digits = digits(50);
        let (mut own, mut other) = (0.0, 0.0);
        for (sample, digit) in digits.iter().enumerate() {
            // Ten times as large, lit from the upper left, with grain and specks of dust.
            let photo = drawn(340, 400, |row, column| {
                let grain = ((row * 31 + column * 17 + row * column) % 13) as f32 - 6.0;
                let light = 190.0 - 0.1 * row as f32 - 0.08 * column as f32 + grain;
                let ink = match (row.checked_sub(30), column.checked_sub(90)) {
                    (Some(row @ 0..280), Some(column @ 0..280)) => {
                        digit[row / 10 * 28 + column / 10]
                    }
                    _ => 0,
                };
                let dust = row % 100 == 20 && column % 130 == 7;
                if dust { 30 } else { (light - 0.45 * f32::from(ink)) as u8 }
            });
            let form = to_mnist_form(&photo).unwrap();
            assert_form(&form);
            own += mean_difference(&form, digit) / 50.0;
            other += mean_difference(&form, &digits[(sample + 1) % 50]) / 50.0;
        }
        // 12.4 with the local level of the paper, below 12 with one level for the whole image; the cause
        // of the difference is not known.
        assert!(own < 13.0, "mean difference {own}");
        assert!(other > 3.0 * own, "as near to another digit: {other} and {own}");
    }

    #[test]
    fn a_large_disc_is_scaled_into_the_box_and_centred() {
        let image = drawn(600, 500, |row, column| {
            let (y, x) = (row as f32 - 420.0, column as f32 - 130.0);
            if x * x + y * y < 100.0 * 100.0 { 0 } else { 255 }
        });
        let form = to_mnist_form(&image).unwrap();
        assert_form(&form);
        assert_eq!(Bounds::of(&form, MNIST_SIDE, 1).unwrap().longer(), 20);
        assert_eq!(form[14 * 28 + 14], 255);
        let area: f64 = form.iter().map(|&value| f64::from(value) / 255.0).sum();
        assert!((area - 314.2).abs() < 8.0, "area {area}");
    }

    #[test]
    fn the_aspect_is_kept() {
        // A bar of 40 x 10 becomes 20 x 5.
        let image = drawn(60, 60, |row, column| {
            if (10..50).contains(&row) && (20..30).contains(&column) { 255 } else { 0 }
        });
        let form = to_mnist_form(&image).unwrap();
        let bounds = Bounds::of(&form, MNIST_SIDE, 1).unwrap();
        assert_eq!((bounds.height, bounds.width), (20, 5));
        // A tall image of a small digit is enlarged.
        let image = drawn(16, 12, |row, column| {
            if (3..11).contains(&row) && (4..6).contains(&column) { 200 } else { 20 }
        });
        let form = to_mnist_form(&image).unwrap();
        let bounds = Bounds::of(&form, MNIST_SIDE, 1).unwrap();
        assert_eq!(bounds.height, 20);
        assert!((4..=7).contains(&bounds.width), "{bounds:?}");
    }

    #[test]
    fn thin_strokes_are_widened_and_darkened() {
        // A triangle of lines one pixel wide on a canvas of 500 x 500, and fainter.
        let image = drawn(500, 500, |row, column| {
            let line = (row == 400 && (100..=400).contains(&column))
                || ((100..=400).contains(&row) && (column == 100 || column == row));
            if line { 160 } else { 255 }
        });
        let form = to_mnist_form(&image).unwrap();
        assert_form(&form);
        assert_eq!(form.iter().max(), Some(&255));
        let bounds = Bounds::of(&form, MNIST_SIDE, 1).unwrap();
        let crossing = (bounds.left..bounds.left + bounds.width)
            .map(|column| f64::from(form[(bounds.top + 10) * MNIST_SIDE + column]) / 255.0)
            .sum::<f64>();
        assert!(crossing > 2.5, "two strokes hold {crossing} pixels of ink");
    }

    #[test]
    fn an_empty_canvas_is_an_error() {
        for shade in [0, 130, 255] {
            let error = to_mnist_form(&drawn(28, 28, |_, _| shade)).unwrap_err();
            assert_eq!(error.kind(), crate::error::ErrorKind::InvalidData);
            assert!(error.to_string().contains("found no ink"), "{error}");
        }
        let grain = drawn(90, 90, |row, column| 200 + (row * 7 + column * 13) as u8 % 9);
        assert!(to_mnist_form(&grain).is_err());
    }

    proptest! {
        #[test]
        fn any_image_is_brought_to_the_form_or_refused(
            (height, width, pixels) in (1usize..50, 1usize..50).prop_flat_map(|(height, width)| {
                let pixels = proptest::collection::vec(any::<u8>(), height * width);
                (Just(height), Just(width), pixels)
            }),
        ) {
            if let Ok(form) = to_mnist_form(&grey(height, width, pixels)) {
                let bounds = Bounds::of(&form, MNIST_SIDE, 1).unwrap();
                prop_assert!(bounds.longer() <= BOX);
            }
        }
    }
}
