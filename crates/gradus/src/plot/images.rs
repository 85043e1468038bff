//! Samples as images: pixels in, PNGs embedded in the page out.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};

use super::svg::{Anchor, Svg, grouped, shortened};
use crate::data::images::{GreyImage, to_size};
use crate::data::{Dataset, Inputs};

/// Larger images are scaled down to this side.
const MOST_SIDE: usize = 96;

/// Most images on one sheet.
const MOST_IMAGES: usize = 120;

/// Letters in a line of text below an image.
const LETTERS: usize = 12;

/// Sample `index` as the address of an embedded PNG (`data:image/png;base64,...`); `None` if the samples
/// are not images. Floats are shaded from the smallest to the largest value. Panics if there is no such
/// sample.
pub fn image_url(data: &Dataset, index: usize) -> Option<String> {
    let &[height, width] = &data.sample_shape[..] else { return None };
    let pixels = match &data.inputs {
        Inputs::Bytes(values) => values[index * data.features()..][..data.features()].to_vec(),
        _ => shaded(&data.sample(index)),
    };
    let image = GreyImage::new(height, width, pixels).ok()?;
    let largest = height.max(width);
    let image = match largest > MOST_SIDE {
        true => {
            let scaled = |side: usize| (side * MOST_SIDE / largest).max(1);
            to_size(&image, scaled(height), scaled(width)).ok()?
        }
        false => image,
    };
    png_address(image.pixels(), (image.height(), image.width()), false)
}

fn shaded(values: &[f32]) -> Vec<u8> {
    let min = values.iter().copied().fold(f32::INFINITY, f32::min);
    let max = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let range = max - min;
    let shade = |&value: &f32| if range > 0.0 { (255.0 * (value - min) / range) as u8 } else { 0 };
    values.iter().map(shade).collect()
}

/// A sheet of samples, each with two lines of text below it; if there are many, only the first ones.
/// `None` if the samples are not images. Panics if there is no sample with one of the indices.
pub fn images(title: &str, data: &Dataset, shown: &[(usize, [String; 2])]) -> Option<String> {
    const COLUMNS: usize = 5;
    let &[height, width] = &data.sample_shape[..] else { return None };
    let count = shown.len().min(MOST_IMAGES);
    let (cell, side) = (92.0, 76.0);
    let rows = count.div_ceil(COLUMNS);
    let mut svg = Svg::new(480.0, 56.0 + (cell + 32.0) * rows as f64);
    svg.text("title", (10.0, 22.0), Anchor::Start, title);
    if count < shown.len() {
        let note = format!("the first {count} of {}", grouped(shown.len() as u64));
        svg.text("soft", (10.0, 42.0), Anchor::Start, &note);
    }
    let scale = side / height.max(width) as f64;
    let size = (scale * width as f64, scale * height as f64);
    for (at, (index, lines)) in shown[..count].iter().enumerate() {
        let left = 14.0 + cell * (at % COLUMNS) as f64;
        let top = 54.0 + (cell + 32.0) * (at / COLUMNS) as f64;
        let address = image_url(data, *index)?;
        let words = format!("[{index}] {}, {}", lines[0], lines[1]);
        svg.group(&words, None, |svg| {
            svg.image((left, top + side - size.1), size, &address);
            for (line, text) in lines.iter().enumerate() {
                let class = if line == 0 { "" } else { "soft" };
                let y = top + side + 15.0 + 16.0 * line as f64;
                svg.text(class, (left, y), Anchor::Start, &shortened(text, LETTERS));
            }
        });
    }
    Some(svg.finish(title, &format!("{count} images of {height} x {width}.")))
}

/// Images of one size in a grid of this many columns, with gaps of two pixels: all pixels, height and
/// width.
pub(super) fn tiles<T: Copy>(
    images: &[Vec<T>],
    (height, width): (usize, usize),
    columns: usize,
    between: T,
) -> (Vec<T>, usize, usize) {
    const GAP: usize = 2;
    let rows = images.len().div_ceil(columns);
    let side = |count: usize, size: usize| count * size + count.saturating_sub(1) * GAP;
    let (sheet_height, sheet_width) = (side(rows, height), side(columns, width));
    let mut sheet = vec![between; sheet_height * sheet_width];
    for (at, image) in images.iter().enumerate() {
        let (top, left) = (at / columns * (height + GAP), at % columns * (width + GAP));
        for (y, row) in image.chunks_exact(width).enumerate() {
            sheet[(top + y) * sheet_width + left..][..width].copy_from_slice(row);
        }
    }
    (sheet, sheet_height, sheet_width)
}

/// A PNG of 8-bit grey, or of colours with opacity, as an embedded address.
pub(super) fn png_address(
    pixels: &[u8],
    (height, width): (usize, usize),
    coloured: bool,
) -> Option<String> {
    let mut file = Vec::new();
    let kind = if coloured { ExtendedColorType::Rgba8 } else { ExtendedColorType::L8 };
    let (width, height) = (u32::try_from(width).ok()?, u32::try_from(height).ok()?);
    // Images with few different values compress best without a filter.
    let (compression, filter) = (CompressionType::Best, FilterType::NoFilter);
    let encoder = PngEncoder::new_with_quality(&mut file, compression, filter);
    encoder.write_image(pixels, width, height, kind).ok()?;
    Some(format!("data:image/png;base64,{}", STANDARD.encode(&file)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::images::parse_grey;

    #[test]
    fn an_image_comes_back_from_its_address() {
        let names = vec!["a".to_owned()];
        let bytes =
            Inputs::Bytes(vec![0; 6].into_iter().chain([0, 50, 100, 150, 200, 255]).collect());
        let data = Dataset::new(bytes, vec![0, 0], vec![2, 3], names.clone()).unwrap();
        let address = image_url(&data, 1).unwrap();
        let png = STANDARD.decode(address.strip_prefix("data:image/png;base64,").unwrap()).unwrap();
        let read = parse_grey(&png).unwrap();
        assert_eq!((read.height(), read.width()), (2, 3));
        assert_eq!(read.pixels(), [0, 50, 100, 150, 200, 255]);
        let floats = Inputs::Floats(vec![-1.0, 0.0, 1.0]);
        let table = Dataset::new(floats, vec![0], vec![3], names).unwrap();
        assert_eq!(image_url(&table, 0), None);
        assert_eq!(shaded(&[-1.0, 0.0, 1.0]), [0, 127, 255]);
    }

    #[test]
    fn large_images_are_scaled_down() {
        let names = vec!["a".to_owned()];
        let data = Dataset::new(Inputs::Bytes(vec![9; 400 * 200]), vec![0], vec![400, 200], names);
        let address = image_url(&data.unwrap(), 0).unwrap();
        let png = STANDARD.decode(address.strip_prefix("data:image/png;base64,").unwrap()).unwrap();
        let read = parse_grey(&png).unwrap();
        assert_eq!((read.height(), read.width()), (96, 48));
    }

    #[test]
    fn tiles_stand_in_rows() {
        let images = [vec![1, 1], vec![2, 2], vec![3, 3]];
        let (sheet, height, width) = tiles(&images, (1, 2), 2, 0);
        assert_eq!((height, width), (4, 6));
        assert_eq!(sheet[..6], [1, 1, 0, 0, 2, 2]);
        assert_eq!(sheet[18..], [3, 3, 0, 0, 0, 0]);
    }
}
