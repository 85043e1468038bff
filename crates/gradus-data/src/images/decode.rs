//! Image files to grey bytes and back.
//!
//! In come files or bytes; out go [`GreyImage`]s. Sizes that a header promises are checked before
//! anything is allocated, and a file that breaks off is refused.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use image::{DynamicImage, GenericImageView, ImageDecoder, ImageError, ImageReader, Limits, Rgba};

use super::{GreyImage, MAX_SIDE};
use crate::error::{Error, ErrorKind, Result};

/// The formats that are read, for messages.
const FORMATS: &str = "PNG, JPEG, WebP, BMP or TIFF";
/// The largest file, and the most memory for one decoded image.
const MAX_BYTES: u64 = 256 << 20;
/// More pixels than this for each byte of the file no compression holds: deflate packs at most
/// 1032 bytes, each of eight pixels, into one.
const MAX_PIXELS_PER_BYTE: u64 = 8 * 1032;

/// Reads an image as grey: PNG, JPEG, WebP, BMP or TIFF.
///
/// Colour becomes luma (0.299 red + 0.587 green + 0.114 blue), 16 bits become 8, and a photo is
/// turned upright as its camera noted. Transparent parts show white paper behind them, or black
/// where everything visible is light, as in white ink on nothing. The format is detected from the
/// content, not from the file's name.
///
/// # Errors
/// `NotFound` or `Io` if the file cannot be read; `InvalidData`, naming the file, if it is in none
/// of these formats, is damaged or incomplete, or is above [`MAX_SIDE`] a side or 256 MiB.
pub fn read_grey(path: &Path) -> Result<GreyImage> {
    decode(&read_file(path)?).map_err(|problem| Error::data(path, problem))
}

/// The same for the bytes of an image file, read from elsewhere.
///
/// # Errors
/// `InvalidData` as for [`read_grey`].
pub fn parse_grey(bytes: &[u8]) -> Result<GreyImage> {
    decode(bytes).map_err(|problem| Error::new(ErrorKind::InvalidData, format!("image: {problem}")))
}

/// Whether bytes begin as an image file does, of a format that is read or of one that is known but
/// not read (GIF, HEIC, AVIF), for which [`parse_grey`] has a message.
pub fn is_image(bytes: &[u8]) -> bool {
    known_format(bytes).is_some()
}

/// The format that the first bytes belong to, and whether it is read.
fn known_format(bytes: &[u8]) -> Option<(&'static str, bool)> {
    match bytes {
        [0x89, ..] => Some(("PNG", true)),
        [0xff, 0xd8, ..] => Some(("JPEG", true)),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(("WebP", true)),
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => Some(("TIFF", true)),
        // Two letters alone may begin a table; four reserved bytes are 0 here.
        [b'B', b'M', _, _, _, _, 0, 0, 0, 0, ..] => Some(("BMP", true)),
        [b'G', b'I', b'F', b'8', ..] => Some(("GIF", false)),
        [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', ..] => Some(("AVIF", false)),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Some(("HEIC", false)),
        _ => None,
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

/// The bytes of an image file, unless there are too many.
fn read_file(path: &Path) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(|source| Error::io("read", path, source))?;
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

/// A decoder for the image, its promised size checked against the limits and the file.
fn open(bytes: &[u8]) -> std::result::Result<impl ImageDecoder + '_, String> {
    if let Some(problem) = truncation(bytes) {
        return Err(problem);
    }
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let mut reader = reader.map_err(|problem| problem.to_string())?;
    let read = known_format(bytes).is_some_and(|(_, read)| read);
    if !read || reader.format().is_none() {
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
        DynamicImage::ImageRgba8(colours) => on_paper(colours.pixels().copied()),
        other => on_paper(other.pixels().map(|(_, _, colour)| colour)),
    };
    Ok(GreyImage { height, width, pixels })
}

/// Luma of colours laid on paper: white, or black if they would hardly show on white.
fn on_paper(colours: impl Iterator<Item = Rgba<u8>> + Clone) -> Vec<u8> {
    let light = colours.clone().any(|colour| colour.0[3] < 255) && is_light(colours.clone());
    let paper = if light { 0 } else { 255_000 };
    colours.map(|colour| luma_on(colour, paper)).collect()
}

/// Luma of a colour in units of 1/1000.
fn luma([red, green, blue, _]: [u8; 4]) -> u32 {
    299 * u32::from(red) + 587 * u32::from(green) + 114 * u32::from(blue)
}

/// Luma of a colour laid on paper of the given luma in units of 1/1000.
fn luma_on(Rgba(colour): Rgba<u8>, paper: u32) -> u8 {
    let alpha = u32::from(colour[3]);
    // In units of 1/255,000.
    let laid = luma(colour) * alpha + paper * (255 - alpha);
    ((laid + 127_500) / 255_000) as u8
}

/// Whether what is visible is light throughout: at most a fiftieth of it is darker than 200.
fn is_light(colours: impl Iterator<Item = Rgba<u8>>) -> bool {
    let (mut visible, mut dark) = (0u64, 0u64);
    for Rgba(colour) in colours {
        let alpha = u64::from(colour[3]);
        visible += alpha;
        dark += if luma(colour) < 200_000 { alpha } else { 0 };
    }
    visible > 0 && 50 * dark <= visible
}

/// What is wrong with a file that ends before its format says, as after a download that broke off.
///
/// The decoders fill what is missing of a JPEG with grey, and may read past the end of a WebP's
/// promised length.
fn truncation(bytes: &[u8]) -> Option<String> {
    let incomplete = match bytes {
        [0xff, 0xd8, ..] => !jpeg_ends(bytes),
        [b'R', b'I', b'F', b'F', a, b, c, d, ..] => {
            (bytes.len() as u64) < u64::from(u32::from_le_bytes([*a, *b, *c, *d])) + 8
        }
        _ => false,
    };
    incomplete.then(|| "the image is damaged or incomplete: the file breaks off".to_owned())
}

/// Whether a JPEG's segments lead to its end marker. A thumbnail, which has an end marker of its
/// own, lies within a segment.
fn jpeg_ends(bytes: &[u8]) -> bool {
    let mut at = 2;
    loop {
        // Compressed data holds 0xff only with 0 or a restart marker behind it.
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

/// What is wrong with bytes that begin like no image that we read.
fn not_an_image(bytes: &[u8]) -> String {
    let start: String = bytes
        .iter()
        .take(8)
        .flat_map(|&byte| std::ascii::escape_default(byte))
        .map(char::from)
        .collect();
    match (bytes, known_format(bytes)) {
        ([], _) => format!("the file is empty; expected {FORMATS}"),
        (_, Some((_, true))) => {
            "the image is damaged or incomplete (it breaks off or changes within its first bytes)"
                .into()
        }
        (_, Some((format, false))) => {
            format!("{format} images are not supported; save it as PNG or JPEG first")
        }
        _ => format!("not an image: expected {FORMATS} (it begins with \"{start}\")"),
    }
}

/// The decoder's complaint in our words, where it has a cause that people can act on.
fn explain(problem: ImageError) -> String {
    match problem {
        ImageError::Limits(_) => format!(
            "the image is above {MAX_SIDE} pixels a side or takes more than 256 MiB; scale it \
             down first"
        ),
        ImageError::Unsupported(_) => format!("an image of an unsupported kind ({problem})"),
        _ => format!("the image is damaged or incomplete ({})", problem.to_string().trim()),
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
    fn light_ink_on_nothing_shows_black_paper() {
        let light = |colour: [u8; 3], rest: [u8; 3]| {
            let picture = ImageBuffer::from_fn(60, 1, |x, _| {
                let [red, green, blue] = if x < 59 { colour } else { rest };
                Rgba([red, green, blue, [0u8, 51, 255][x as usize % 3]])
            });
            parse_grey(&file(picture, ImageFormat::Png)).unwrap().pixels()[..3].to_vec()
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
        let picture = ImageBuffer::from_fn(9, 6, |x, y| Luma([(x * 20 + y * 10) as u8]));
        for format in [ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::WebP] {
            let bytes = match format {
                // Its encoder takes colours only.
                ImageFormat::WebP => file(DynamicImage::from(picture.clone()).into_rgb8(), format),
                _ => file(picture.clone(), format),
            };
            assert!(is_image(&bytes), "{format:?}");
            let grey = parse_grey(&bytes).unwrap();
            assert_eq!((grey.height(), grey.width()), (6, 9));
            assert_eq!(grey.pixels(), picture.as_raw().as_slice(), "{format:?}");
            for length in [bytes.len() / 2, bytes.len() - 8] {
                assert!(message(&bytes[..length]).contains("incomplete"), "{format:?} {length}");
            }
        }
        assert!(!is_image(b"BMI,age\n21,40\n") && !is_image(b"II,III\n1,2\n"));
    }

    #[test]
    fn a_jpeg_that_breaks_off_is_refused() {
        let picture = ImageBuffer::from_fn(200, 120, |x, y| Luma([(x * y) as u8]));
        let whole = file(picture, ImageFormat::Jpeg);
        assert!(parse_grey(&whole).is_ok());
        // Some cameras put more behind the end.
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
        assert!(message(b"GIF89a__________").contains("GIF images are not supported"));
        assert!(message(b"\0\0\0\x18ftypheic____").contains("HEIC images are not supported"));
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
