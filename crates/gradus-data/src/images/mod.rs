//! Pictures: PNG and JPEG files to grey bytes and back.
//!
//! In come files or bytes; out go [`GreyImage`]s, and by way of `folder` a whole
//! [`Dataset`](super::Dataset), by way of `mnist_form` a picture as MNIST would have it. Sizes that a
//! header promises are checked before anything is allocated.

mod folder;
mod resize;
mod ink;
pub(super) mod mnist_form;
mod form;

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use image::{DynamicImage, GenericImageView, ImageDecoder, ImageError, ImageReader, Limits, Rgba};

pub use folder::load_folder;
pub use form::is_in_mnist_form;
pub use mnist_form::{MNIST_PIXELS, MNIST_SIDE, to_mnist_form};
pub use resize::to_size;

use crate::error::{Error, ErrorKind, Result};

/// The longest side of a picture that is read, in pixels.
pub const MAX_SIDE: usize = 16_384;
/// The largest file, and the most memory for one decoded picture.
const MAX_BYTES: u64 = 256 << 20;
/// More pixels than this for each byte of the file no compression holds: deflate packs at most
/// 1032 bytes, each of eight pixels, into one.
const MAX_PIXELS_PER_BYTE: u64 = 8 * 1032;

/// A grey picture: 0 is black, 255 white.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GreyImage {
    height: usize,
    width: usize,
    pixels: Vec<u8>,
}

impl GreyImage {
    /// A picture of `height x width` pixels, row-major.
    ///
    /// # Errors
    /// `InvalidArgument` where a side is 0 or above [`MAX_SIDE`], or `pixels` has another length.
    pub fn new(height: usize, width: usize, pixels: Vec<u8>) -> Result<Self> {
        check_size(height, width)?;
        if pixels.len() != height * width {
            let found = pixels.len();
            return Err(Error::argument(format!(
                "{found} pixels do not make a picture of {height} x {width}"
            )));
        }
        Ok(GreyImage { height, width, pixels })
    }

    /// Number of rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// `height x width` values, row-major.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The values, without the shape.
    pub fn into_pixels(self) -> Vec<u8> {
        self.pixels
    }
}

/// Refuses sides of 0 and sides that no picture needs.
fn check_size(height: usize, width: usize) -> Result<()> {
    if !(1..=MAX_SIDE).contains(&height) || !(1..=MAX_SIDE).contains(&width) {
        return Err(Error::argument(format!(
            "a picture of {height} x {width} pixels: expected 1 to {MAX_SIDE} a side"
        )));
    }
    Ok(())
}

/// Reads a PNG or JPEG picture as grey.
///
/// Colour becomes luma (0.299 red + 0.587 green + 0.114 blue), transparent parts show white paper
/// behind them, 16 bits become 8, and a photo is turned upright as its camera noted. The format
/// is told by the content, not by the file's name.
///
/// # Errors
/// `NotFound` or `Io` where the file cannot be read; `InvalidData`, naming the file, where it is
/// no PNG or JPEG, is damaged, or is above [`MAX_SIDE`] a side or 256 MiB.
pub fn read_grey(path: &Path) -> Result<GreyImage> {
    decode(&read_file(path)?).map_err(|problem| Error::data(path, problem))
}

/// The same for the bytes of a PNG or JPEG file, read from elsewhere.
///
/// # Errors
/// `InvalidData` as for [`read_grey`].
pub fn parse_grey(bytes: &[u8]) -> Result<GreyImage> {
    decode(bytes)
        .map_err(|problem| Error::new(ErrorKind::InvalidData, format!("picture: {problem}")))
}

/// The picture as a PNG file of 8-bit grey.
pub fn encode_png(image: &GreyImage) -> Vec<u8> {
    let mut file = Vec::new();
    let encoder = image::codecs::png::PngEncoder::new(&mut file);
    let (width, height) = (image.width as u32, image.height as u32);
    let color = image::ExtendedColorType::L8;
    image::ImageEncoder::write_image(encoder, &image.pixels, width, height, color)
        .expect("a checked picture written to memory cannot fail");
    file
}

/// The bytes of a picture's file, unless there are too many.
fn read_file(path: &Path) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(|source| Error::io("read", path, source))?;
    let mut bytes = Vec::new();
    let read = file.take(MAX_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|source| Error::io("read", path, source))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Error::data(path, "a picture of more than 256 MiB; scale it down first"));
    }
    Ok(bytes)
}

/// Height and width of the upright picture, from its header alone.
fn read_size(path: &Path) -> Result<(usize, usize)> {
    let bytes = read_file(path)?;
    let mut decoder = open(&bytes).map_err(|problem| Error::data(path, problem))?;
    let (width, height) = decoder.dimensions();
    let (height, width) = (height as usize, width as usize);
    use image::metadata::Orientation::*;
    match decoder.orientation() {
        Ok(Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH) => Ok((width, height)),
        _ => Ok((height, width)),
    }
}

/// A decoder for the picture, its promised size checked against the limits and the file.
fn open(bytes: &[u8]) -> std::result::Result<impl ImageDecoder + '_, String> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let mut reader = reader.map_err(|problem| problem.to_string())?;
    if reader.format().is_none() {
        return Err(not_a_picture(bytes));
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
            "a picture of {width} x {height} pixels takes more than 256 MiB; scale it down first"
        ));
    }
    Ok(decoder)
}

fn decode(bytes: &[u8]) -> std::result::Result<GreyImage, String> {
    let mut decoder = open(bytes)?;
    let orientation = decoder.orientation();
    let mut picture = DynamicImage::from_decoder(decoder).map_err(explain)?;
    // A photo without a legible note stays as it is.
    if let Ok(orientation) = orientation {
        picture.apply_orientation(orientation);
    }
    let (height, width) = (picture.height() as usize, picture.width() as usize);
    let pixels = match picture {
        DynamicImage::ImageLuma8(grey) => grey.into_raw(),
        // What a canvas gives, without a detour through any kind of pixel.
        DynamicImage::ImageRgba8(colours) => colours.pixels().copied().map(luma_on_white).collect(),
        other => other.pixels().map(|(_, _, colour)| luma_on_white(colour)).collect(),
    };
    Ok(GreyImage { height, width, pixels })
}

/// Luma of a colour laid on white paper.
fn luma_on_white(Rgba([red, green, blue, alpha]): Rgba<u8>) -> u8 {
    let luma = 299 * u32::from(red) + 587 * u32::from(green) + 114 * u32::from(blue);
    let alpha = u32::from(alpha);
    // In units of 1/255,000.
    let laid = luma * alpha + 255_000 * (255 - alpha);
    ((laid + 127_500) / 255_000) as u8
}

/// What is wrong with bytes that begin like no picture we read.
fn not_a_picture(bytes: &[u8]) -> String {
    let start: String = bytes
        .iter()
        .take(8)
        .flat_map(|&byte| std::ascii::escape_default(byte))
        .map(char::from)
        .collect();
    match bytes {
        [] => "the file is empty; expected a PNG or JPEG picture".into(),
        [0x89, ..] | [0xff, 0xd8, ..] => {
            "the picture is damaged or incomplete (it breaks off or changes within its first 8 bytes)"
                .into()
        }
        _ => format!("not a PNG or JPEG picture (it begins with \"{start}\")"),
    }
}

/// The decoder's complaint in our words, where it has a cause that people can act on.
fn explain(problem: ImageError) -> String {
    match problem {
        ImageError::Limits(_) => format!(
            "the picture is above {MAX_SIDE} pixels a side or takes more than 256 MiB; scale it \
             down first"
        ),
        ImageError::Unsupported(_) => format!("not a PNG or JPEG picture ({problem})"),
        _ => format!("the picture is damaged or incomplete ({})", problem.to_string().trim()),
    }
}

#[cfg(test)]
mod tests {
    use image::{ImageBuffer, ImageFormat, Luma, Rgb};
    use proptest::prelude::*;

    use super::*;

    /// The picture as a file of the given format.
    fn file(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.into().write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn sample() -> GreyImage {
        GreyImage::new(6, 9, (0..54).map(|at| at * 4).collect()).unwrap()
    }

    fn message(bytes: &[u8]) -> String {
        let error = parse_grey(bytes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        error.to_string()
    }

    #[test]
    fn png_written_is_png_read() {
        assert_eq!(parse_grey(&encode_png(&sample())).unwrap(), sample());
        let folder = tempfile::tempdir().unwrap();
        // The content tells the format, not the name.
        let path = folder.path().join("digit.jpg");
        std::fs::write(&path, encode_png(&sample())).unwrap();
        assert_eq!(read_grey(&path).unwrap(), sample());
        assert_eq!(read_size(&path).unwrap(), (6, 9));
    }

    #[test]
    fn colour_becomes_luma() {
        let colours = [[255u8, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0]];
        let picture = ImageBuffer::from_fn(5, 1, |x, _| Rgb(colours[x as usize]));
        let grey = parse_grey(&file(picture, ImageFormat::Png)).unwrap();
        assert_eq!(grey.pixels(), [76, 150, 29, 255, 0]);
    }

    #[test]
    fn transparent_parts_show_white_paper() {
        let alphas = [0u8, 51, 255];
        let picture = ImageBuffer::from_fn(3, 1, |x, _| Rgba([0, 0, 0, alphas[x as usize]]));
        let grey = parse_grey(&file(picture, ImageFormat::Png)).unwrap();
        assert_eq!(grey.pixels(), [255, 204, 0]);
    }

    #[test]
    fn sixteen_bits_become_eight() {
        let picture = ImageBuffer::from_fn(3, 1, |x, _| Luma([[0u16, 0x8080, 0xffff][x as usize]]));
        let grey = parse_grey(&file(picture, ImageFormat::Png)).unwrap();
        assert_eq!(grey.pixels(), [0, 128, 255]);
    }

    #[test]
    fn jpeg_is_read_nearly_as_it_was() {
        let picture = ImageBuffer::from_fn(16, 24, |x, y| Luma([(x * 5 + y * 4) as u8]));
        let grey = parse_grey(&file(picture.clone(), ImageFormat::Jpeg)).unwrap();
        assert_eq!((grey.height(), grey.width()), (24, 16));
        for (found, expected) in grey.pixels().iter().zip(picture.as_raw()) {
            assert!(found.abs_diff(*expected) <= 12, "{found} for {expected}");
        }
    }

    #[test]
    fn a_photo_is_turned_upright() {
        let picture = ImageBuffer::from_fn(24, 8, |x, _| Luma([if x < 12 { 0u8 } else { 255 }]));
        let plain = file(picture, ImageFormat::Jpeg);
        // An EXIF block (big-endian TIFF, one entry) with orientation 6: turn right by 90 degrees.
        let mut exif = b"\xff\xe1\x00\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01".to_vec();
        exif.extend(b"\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0");
        let turned = [&plain[..2], &exif, &plain[2..]].concat();
        let grey = parse_grey(&turned).unwrap();
        assert_eq!((grey.height(), grey.width()), (24, 8));
        assert!(grey.pixels()[0] < 20 && grey.pixels()[23 * 8] > 235);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("photo.jpg");
        std::fs::write(&path, turned).unwrap();
        assert_eq!(read_size(&path).unwrap(), (24, 8));
    }

    #[test]
    fn what_is_no_picture_is_named() {
        assert!(message(b"").contains("the file is empty"));
        assert!(message(b"<html>no</html>").contains("begins with \"<html>no\""));
        assert!(message(b"GIF89a__________").contains("not a PNG or JPEG picture"));
        let whole = encode_png(&sample());
        for length in [1, 2, 4, 8, 20, whole.len() / 2, whole.len() - 20] {
            assert!(message(&whole[..length]).contains("damaged or incomplete"), "{length}");
        }
        assert!(message(b"\xff\xd8").contains("damaged or incomplete"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seven.png");
        std::fs::write(&path, "7").unwrap();
        let error = read_grey(&path).unwrap_err().to_string();
        assert!(error.contains("seven.png: not a PNG or JPEG"), "{error}");
        let missing = read_grey(&folder.path().join("none.png")).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
    }

    /// A PNG whose header promises `width x height`, its checksum made right.
    fn promising(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = encode_png(&sample());
        bytes[16..20].copy_from_slice(&width.to_be_bytes());
        bytes[20..24].copy_from_slice(&height.to_be_bytes());
        let mut crc = flate2::Crc::new();
        crc.update(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&crc.sum().to_be_bytes());
        bytes
    }

    #[test]
    fn headers_that_promise_too_much_are_refused() {
        assert!(message(&promising(1 << 30, 1)).contains("above 16384 pixels a side"));
        assert!(message(&promising(16_000, 16_000)).contains("cannot hold"));
    }

    #[test]
    fn shapes_are_checked() {
        assert!(GreyImage::new(2, 3, vec![0; 5]).is_err());
        assert!(GreyImage::new(0, 3, vec![]).is_err());
        assert!(GreyImage::new(MAX_SIDE + 1, 1, vec![0; MAX_SIDE + 1]).is_err());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = parse_grey(&bytes);
            let _ = parse_grey(&[b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), &bytes].concat());
            let _ = parse_grey(&[b"\xff\xd8\xff\xe0".as_slice(), &bytes].concat());
        }

        #[test]
        fn damaged_pictures_never_panic(
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            cut in any::<prop::sample::Index>(),
            jpeg in any::<bool>(),
        ) {
            let mut bytes = if jpeg {
                let picture = ImageBuffer::from_fn(20, 12, |x, y| Rgb([x as u8 * 9, y as u8, 0]));
                file(picture, ImageFormat::Jpeg)
            } else {
                encode_png(&sample())
            };
            for (at, value) in changes {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            let _ = parse_grey(&bytes);
            bytes.truncate(cut.index(bytes.len()));
            let _ = parse_grey(&bytes);
        }
    }
}
