//! Image files to grey bytes and back.
//!
//! In: files or bytes. Out: [`GreyImage`]s, decoded by `codec`. A build without the feature
//! `images` has no decoder and refuses every image.

use std::io::Read;
use std::path::Path;

use gradus_core::files::magic::Magic;

use super::GreyImage;
#[cfg(feature = "images")]
use super::codec::{decode, size};
use super::grey::MAX_BYTES;
use crate::error::{Error, ErrorKind, Result};
use crate::reading;

/// Reads an image as grey: PNG, JPEG, WebP, BMP or TIFF.
///
/// Colour becomes luma (0.299 red + 0.587 green + 0.114 blue), 16 bits become 8, and a photo is
/// rotated according to its EXIF orientation. Transparent parts become white, or black if everything
/// visible is light, such as white ink on a transparent background. The format is detected from the
/// content, not from the file's name.
///
/// # Errors
/// `NotFound` or `Io` if the file cannot be read; `InvalidData`, naming the file, if it is in none
/// of these formats, is damaged or incomplete, or is above [`MAX_SIDE`](super::MAX_SIDE) a side or 256 MiB.
pub fn read_grey(path: &Path) -> Result<GreyImage> {
    decode(&read_file(path)?).map_err(|problem| Error::data(path, problem))
}

/// Like [`read_grey`], for the bytes of an image file.
///
/// # Errors
/// `InvalidData` as for [`read_grey`].
pub fn parse_grey(bytes: &[u8]) -> Result<GreyImage> {
    decode(bytes).map_err(|problem| Error::new(ErrorKind::InvalidData, format!("image: {problem}")))
}

/// Height and width of the upright image in the bytes of an image file, from its header alone: what
/// [`parse_grey`] would have to decode.
///
/// # Errors
/// As [`parse_grey`], as far as the header shows it.
pub fn parse_size(bytes: &[u8]) -> Result<(usize, usize)> {
    size(bytes).map_err(|problem| Error::new(ErrorKind::InvalidData, format!("image: {problem}")))
}

/// Whether bytes begin as an image file does, of a format that is read or of one that is known but
/// not read (GIF, HEIC, AVIF), for which [`parse_grey`] has a message.
pub fn is_image(bytes: &[u8]) -> bool {
    Magic::of(bytes).is_image()
}

/// What a file is, by its first bytes.
///
/// # Errors
/// If it cannot be read.
pub(super) fn magic_of(path: &Path) -> Result<Magic> {
    let mut start = Vec::new();
    let file = reading::open(path)?;
    let read = file.take(Magic::LENGTH as u64).read_to_end(&mut start);
    read.map_err(|source| Error::io("read", path, source))?;
    Ok(Magic::of(&start))
}

/// Whether a file is an image in a supported format, by its content.
pub(crate) fn is_read_image(path: &Path) -> bool {
    !reading::is_special(path) && magic_of(path).is_ok_and(Magic::is_read_image)
}

/// The bytes of an image file, unless there are too many.
fn read_file(path: &Path) -> Result<Vec<u8>> {
    let file = reading::open(path)?;
    let mut bytes = Vec::new();
    let read = file.take(MAX_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|source| Error::io("read", path, source))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Error::data(path, "an image of more than 256 MiB; scale it down first"));
    }
    Ok(bytes)
}

/// Height and width of the upright image, from its header alone.
pub(super) fn read_size(path: &Path) -> Result<(usize, usize)> {
    size(&read_file(path)?).map_err(|problem| Error::data(path, problem))
}

#[cfg(not(feature = "images"))]
const NO_IMAGES: &str = "this build reads no images: it has no feature `images`";

#[cfg(not(feature = "images"))]
fn decode(_: &[u8]) -> std::result::Result<GreyImage, String> {
    Err(NO_IMAGES.to_owned())
}

#[cfg(not(feature = "images"))]
fn size(_: &[u8]) -> std::result::Result<(usize, usize), String> {
    Err(NO_IMAGES.to_owned())
}

#[cfg(all(test, feature = "images"))]
mod tests {
    use std::io::Cursor;

    use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, Rgb, Rgba};
    use proptest::prelude::*;

    use super::super::encode_png;
    use super::*;

    /// The image as a file of the given format.
    fn file(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.into().write_to(&mut bytes, format).unwrap();
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
        // The content decides the format, not the name.
        let path = folder.path().join("digit.jpg");
        std::fs::write(&path, encode_png(&sample())).unwrap();
        assert_eq!(read_grey(&path).unwrap(), sample());
        assert_eq!(read_size(&path).unwrap(), (6, 9));
        assert_eq!(parse_size(&encode_png(&sample())).unwrap(), (6, 9));
        assert_eq!(parse_size(b"no image").unwrap_err().kind(), ErrorKind::InvalidData);
    }

    #[test]
    fn colour_becomes_luma() {
        let colours = [[255u8, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0]];
        let image = ImageBuffer::from_fn(5, 1, |x, _| Rgb(colours[x as usize]));
        let grey = parse_grey(&file(image, ImageFormat::Png)).unwrap();
        assert_eq!(grey.pixels(), [76, 150, 29, 255, 0]);
    }

    #[test]
    fn transparent_parts_show_white_paper() {
        let alphas = [0u8, 51, 255];
        let image = ImageBuffer::from_fn(3, 1, |x, _| Rgba([0, 0, 0, alphas[x as usize]]));
        let grey = parse_grey(&file(image, ImageFormat::Png)).unwrap();
        assert_eq!(grey.pixels(), [255, 204, 0]);
    }

    #[test]
    fn light_ink_on_nothing_shows_black_paper() {
        let light = |colour: [u8; 3], rest: [u8; 3]| {
            let image = ImageBuffer::from_fn(60, 1, |x, _| {
                let [red, green, blue] = if x < 59 { colour } else { rest };
                Rgba([red, green, blue, [0u8, 51, 255][x as usize % 3]])
            });
            parse_grey(&file(image, ImageFormat::Png)).unwrap().pixels()[..3].to_vec()
        };
        assert_eq!(light([255; 3], [255; 3]), [0, 51, 255]);
        assert_eq!(light([255, 240, 120], [255; 3])[0], 0);
        // A sticker: light, but with dark ink on it.
        assert_eq!(light([255; 3], [0; 3])[0], 255);
        // Opaque images have no paper behind them.
        let opaque = ImageBuffer::from_pixel(3, 1, Rgba([250u8, 250, 250, 255]));
        assert_eq!(parse_grey(&file(opaque, ImageFormat::Png)).unwrap().pixels(), [250; 3]);
    }

    #[test]
    fn other_formats_are_read_by_their_content() {
        let image = ImageBuffer::from_fn(9, 6, |x, y| Luma([(x * 20 + y * 10) as u8]));
        for format in [ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::WebP] {
            let bytes = match format {
                // The encoder supports colours only.
                ImageFormat::WebP => file(DynamicImage::from(image.clone()).into_rgb8(), format),
                _ => file(image.clone(), format),
            };
            assert!(is_image(&bytes), "{format:?}");
            let grey = parse_grey(&bytes).unwrap();
            assert_eq!((grey.height(), grey.width()), (6, 9));
            assert_eq!(grey.pixels(), image.as_raw().as_slice(), "{format:?}");
            for length in [bytes.len() / 2, bytes.len() - 8] {
                assert!(message(&bytes[..length]).contains("incomplete"), "{format:?} {length}");
            }
        }
        assert!(!is_image(b"BMI,age\n21,40\n") && !is_image(b"II,III\n1,2\n"));
    }

    #[test]
    fn a_jpeg_that_breaks_off_is_refused() {
        let image = ImageBuffer::from_fn(200, 120, |x, y| Luma([(x * y) as u8]));
        let whole = file(image, ImageFormat::Jpeg);
        assert!(parse_grey(&whole).is_ok());
        // Some cameras append data after the end.
        assert!(parse_grey(&[&whole[..], b"more"].concat()).is_ok());
        for share in 1..20 {
            let length = whole.len() * share / 20;
            assert!(message(&whole[..length]).contains("incomplete"), "{length}");
        }
        assert!(message(&whole[..whole.len() - 1]).contains("incomplete"));
        // A thumbnail ends within its segment; the photo does not.
        let mut segment = b"\xff\xe1\x00\x08thu\xff\xd9m".to_vec();
        segment[3] = (segment.len() - 2) as u8;
        let half = &whole[2..whole.len() / 2];
        assert!(message(&[&whole[..2], &segment, half].concat()).contains("incomplete"));
    }

    #[test]
    fn sixteen_bits_become_eight() {
        let image = ImageBuffer::from_fn(3, 1, |x, _| Luma([[0u16, 0x8080, 0xffff][x as usize]]));
        let grey = parse_grey(&file(image, ImageFormat::Png)).unwrap();
        assert_eq!(grey.pixels(), [0, 128, 255]);
    }

    #[test]
    fn jpeg_is_read_nearly_as_it_was() {
        let image = ImageBuffer::from_fn(16, 24, |x, y| Luma([(x * 5 + y * 4) as u8]));
        let grey = parse_grey(&file(image.clone(), ImageFormat::Jpeg)).unwrap();
        assert_eq!((grey.height(), grey.width()), (24, 16));
        for (found, expected) in grey.pixels().iter().zip(image.as_raw()) {
            assert!(found.abs_diff(*expected) <= 12, "{found} for {expected}");
        }
    }

    #[test]
    fn a_photo_is_turned_upright() {
        let image = ImageBuffer::from_fn(24, 8, |x, _| Luma([if x < 12 { 0u8 } else { 255 }]));
        let plain = file(image, ImageFormat::Jpeg);
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
    fn what_is_no_image_is_named() {
        assert!(message(b"").contains("the file is empty"));
        assert!(message(b"<html>no</html>").contains("begins with \"<html>no\""));
        assert!(message(b"GIF89a__________").contains("a GIF image is not supported"));
        assert!(message(b"\0\0\0\x18ftypheic____").contains("a HEIC image is not supported"));
        let whole = encode_png(&sample());
        for length in [1, 2, 4, 8, 20, whole.len() / 2, whole.len() - 20] {
            assert!(message(&whole[..length]).contains("damaged or incomplete"), "{length}");
        }
        assert!(message(b"\xff\xd8").contains("damaged or incomplete"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seven.png");
        std::fs::write(&path, "7").unwrap();
        let error = read_grey(&path).unwrap_err().to_string();
        assert!(error.contains("seven.png: not an image: expected PNG"), "{error}");
        let missing = read_grey(&folder.path().join("none.png")).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
    }

    /// A PNG whose header promises `width x height`, with a correct checksum.
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
        assert!(message(&promising(1 << 30, 1)).contains("a side above 16384 pixels"));
        assert!(message(&promising(16_000, 16_000)).contains("cannot hold"));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = parse_grey(&bytes);
            let _ = parse_grey(&[b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), &bytes].concat());
            let _ = parse_grey(&[b"\xff\xd8\xff\xe0".as_slice(), &bytes].concat());
        }

        #[test]
        fn damaged_images_never_panic(
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            cut in any::<prop::sample::Index>(),
            jpeg in any::<bool>(),
        ) {
            let mut bytes = if jpeg {
                let image = ImageBuffer::from_fn(20, 12, |x, y| Rgb([x as u8 * 9, y as u8, 0]));
                file(image, ImageFormat::Jpeg)
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
