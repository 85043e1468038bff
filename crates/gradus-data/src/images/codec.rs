//! The bytes of image files to grey pixels and back, by the decoders of the crate `image`; the only
//! place that knows it.
//!
//! Sizes that a header promises are checked before anything is allocated.

use std::io::Cursor;

use gradus_core::files::magic::Magic;
use image::metadata::Orientation;
use image::{DynamicImage, GenericImageView, ImageDecoder, ImageError, ImageReader, Limits, Rgba};

use super::grey::{GreyImage, MAX_BYTES, MAX_SIDE};

/// The supported formats, for messages.
const FORMATS: &str = "PNG, JPEG, WebP, BMP or TIFF";
/// The most pixels per byte of the file that any compression can reach: deflate packs at most 1032
/// bytes, each of eight pixels, into one.
const MAX_PIXELS_PER_BYTE: u64 = 8 * 1032;

/// The upright image as grey, or what is wrong with its file.
pub(super) fn decode(bytes: &[u8]) -> Result<GreyImage, String> {
    let mut decoder = open(bytes)?;
    let orientation = decoder.orientation();
    let mut image = DynamicImage::from_decoder(decoder).map_err(explain)?;
    // A photo without a readable orientation stays as it is.
    if let Ok(orientation) = orientation {
        image.apply_orientation(orientation);
    }
    let (height, width) = (image.height() as usize, image.width() as usize);
    let pixels = match image {
        DynamicImage::ImageLuma8(grey) => grey.into_raw(),
        // The format of a browser's canvas, without a detour through other kinds of pixels.
        DynamicImage::ImageRgba8(colours) => on_paper(colours.pixels().copied()),
        other => on_paper(other.pixels().map(|(_, _, colour)| colour)),
    };
    Ok(GreyImage { height, width, pixels })
}

/// Height and width of the upright image, from its header alone.
pub(super) fn size(bytes: &[u8]) -> Result<(usize, usize), String> {
    let mut decoder = open(bytes)?;
    let (width, height) = decoder.dimensions();
    let (height, width) = (height as usize, width as usize);
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    match decoder.orientation() {
        Ok(Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH) => Ok((width, height)),
        _ => Ok((height, width)),
    }
}

/// The image as a PNG file of 8-bit grey.
pub fn encode_png(image: &GreyImage) -> Vec<u8> {
    let mut file = Vec::new();
    let encoder = image::codecs::png::PngEncoder::new(&mut file);
    let (width, height) = (image.width as u32, image.height as u32);
    let color = image::ExtendedColorType::L8;
    image::ImageEncoder::write_image(encoder, &image.pixels, width, height, color)
        .expect("a checked image written to memory cannot fail");
    file
}

/// A decoder for the image, after the size in its header was checked against the limits and the file.
fn open(bytes: &[u8]) -> Result<impl ImageDecoder + '_, String> {
    if let Some(problem) = truncation(bytes) {
        return Err(problem);
    }
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let mut reader = reader.map_err(|problem| problem.to_string())?;
    if !Magic::of(bytes).is_read_image() || reader.format().is_none() {
        return Err(not_an_image(bytes));
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE as u32);
    limits.max_image_height = Some(MAX_SIDE as u32);
    limits.max_alloc = Some(MAX_BYTES);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(explain)?;
    let (width, height) = decoder.dimensions();
    let promised = u64::from(width) * u64::from(height);
    if promised == 0 || promised > MAX_PIXELS_PER_BYTE.saturating_mul(bytes.len() as u64) {
        return Err(format!(
            "the header promises {width} x {height} pixels, which {} bytes cannot hold; the file \
             is damaged or incomplete",
            bytes.len()
        ));
    }
    if decoder.total_bytes() > MAX_BYTES {
        return Err(format!(
            "an image of {width} x {height} pixels takes more than 256 MiB; scale it down first"
        ));
    }
    Ok(decoder)
}

/// Luma of colours on paper: on white, or on black if they would hardly be visible on white.
fn on_paper(colours: impl Iterator<Item = Rgba<u8>> + Clone) -> Vec<u8> {
    let light = colours.clone().any(|colour| colour.0[3] < 255) && is_light(colours.clone());
    let paper = if light { 0 } else { 255_000 };
    colours.map(|colour| luma_on(colour, paper)).collect()
}

/// Luma of a colour in units of 1/1000.
fn luma([red, green, blue, _]: [u8; 4]) -> u32 {
    299 * u32::from(red) + 587 * u32::from(green) + 114 * u32::from(blue)
}

/// Luma of a colour on paper of the given luma, in units of 1/1000.
fn luma_on(Rgba(colour): Rgba<u8>, paper: u32) -> u8 {
    let alpha = u32::from(colour[3]);
    // In units of 1/255,000.
    let laid = luma(colour) * alpha + paper * (255 - alpha);
    ((laid + 127_500) / 255_000) as u8
}

/// Whether everything visible is light: at most a fiftieth of it is darker than 200.
fn is_light(colours: impl Iterator<Item = Rgba<u8>>) -> bool {
    let (mut visible, mut dark) = (0u64, 0u64);
    for Rgba(colour) in colours {
        let alpha = u64::from(colour[3]);
        visible += alpha;
        dark += if luma(colour) < 200_000 { alpha } else { 0 };
    }
    visible > 0 && 50 * dark <= visible
}

/// The problem with a file that ends early, such as an interrupted download.
///
/// The decoders fill the missing part of a JPEG with grey, and may read beyond the length in a WebP's
/// header.
fn truncation(bytes: &[u8]) -> Option<String> {
    let incomplete = match bytes {
        [0xff, 0xd8, ..] => !jpeg_ends(bytes),
        [b'R', b'I', b'F', b'F', a, b, c, d, ..] => {
            (bytes.len() as u64) < u64::from(u32::from_le_bytes([*a, *b, *c, *d])) + 8
        }
        _ => false,
    };
    incomplete.then(|| "the image is damaged or incomplete: the file is truncated".to_owned())
}

/// Whether a JPEG's segments lead to its end marker. A thumbnail has an end marker of its own, but lies
/// within a segment.
fn jpeg_ends(bytes: &[u8]) -> bool {
    let mut at = 2;
    loop {
        // In compressed data, 0 or a restart marker follows every 0xff.
        let next = bytes.get(at..).unwrap_or(&[]);
        let Some(found) = next
            .windows(2)
            .position(|pair| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff | 0x01 | 0xd0..=0xd7))
        else {
            return false;
        };
        at += found;
        if bytes[at + 1] == 0xd9 {
            return true;
        }
        let length = bytes.get(at + 2..at + 4).map(|two| u16::from_be_bytes([two[0], two[1]]));
        let Some(length) = length else { return false };
        at += 2 + usize::from(length);
    }
}

/// The problem with bytes that do not begin like an image in a supported format.
fn not_an_image(bytes: &[u8]) -> String {
    let start: String = bytes
        .iter()
        .take(8)
        .flat_map(|&byte| std::ascii::escape_default(byte))
        .map(char::from)
        .collect();
    match Magic::of(bytes) {
        Magic::Empty => format!("the file is empty; expected {FORMATS}"),
        it if it.is_read_image() => {
            "the image is damaged or incomplete (it is truncated or changed within its first bytes)"
                .into()
        }
        it if it.is_image() => {
            format!("{} is not supported; save it as PNG or JPEG first", it.name())
        }
        _ => format!("not an image: expected {FORMATS} (it begins with \"{start}\")"),
    }
}

/// The decoder's error, in our words if the user can do something about it.
fn explain(problem: ImageError) -> String {
    match problem {
        ImageError::Limits(_) => format!(
            "the image has a side above {MAX_SIDE} pixels or takes more than 256 MiB; scale it \
             down first"
        ),
        ImageError::Unsupported(_) => format!("an image of an unsupported kind ({problem})"),
        _ => format!("the image is damaged or incomplete ({})", problem.to_string().trim()),
    }
}
