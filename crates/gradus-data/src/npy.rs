//! NPY, NumPy's format for one array: bytes in, an [`Array`] out.
//!
//! The magic `\x93NUMPY`, a version, the length of the header, the header (a Python dictionary:
//! `descr`, `fortran_order`, `shape`), then the values. The header has a fixed form, so a small parser of
//! our own suffices; a general parser of Python literals would be open to attacks by deep nesting.

use gradus_core::files::magic;

use super::array::{Array, Values, element_count};
use super::idx::numbers;
use super::invalid;
use crate::error::Result;

const MAGIC: &[u8] = b"\x93NUMPY";

/// NumPy itself allows 32 dimensions (64 from version 2 on); a header with more is damaged.
const MAX_DIMENSIONS: usize = 64;

/// The array in the bytes of an NPY file, in row-major order whatever the order of the file.
///
/// Truth values become 0 and 1; `uint16`, `uint32` and `uint64` go into the next larger signed
/// type.
///
/// # Errors
/// `InvalidData` if the bytes are not NPY, hold objects, strings or complex numbers, or their number is not the one that the header promises.
pub fn parse_npy(bytes: &[u8]) -> Result<Array> {
    let (Header { descr, fortran_order, shape }, data) = Header::of(bytes)?;
    let (size, decode) = element_type(descr)?;
    if fortran_order && shape.len() > 1 {
        let data = to_row_major(data, &shape, size);
        Ok(Array { values: decode(&data)?, shape })
    } else {
        Ok(Array { values: decode(data)?, shape })
    }
}

/// Like [`parse_npy`], for bytes that are not needed afterwards: large arrays of the common types take little
/// more memory than their values, because the bytes are freed while they are read.
///
/// # Errors
/// As [`parse_npy`].
pub(crate) fn into_array(mut bytes: Vec<u8>) -> Result<Array> {
    let (Header { descr, fortran_order, shape }, data) = Header::of(&bytes)?;
    let (start, row_major) = (bytes.len() - data.len(), !fortran_order || shape.len() < 2);
    let is_bytes = match descr {
        "|u1" if row_major => true,
        "<f4" if row_major => false,
        _ => return parse_npy(&bytes),
    };
    let values = match is_bytes {
        true => {
            bytes.drain(..start);
            Values::U8(bytes)
        }
        false => Values::F32(into_floats(bytes, start)),
    };
    Ok(Array { values, shape })
}

/// Bytes that are read before memory is returned to the system again.
const PIECE: usize = 1 << 26;

/// The little-endian floats after `start`, read in blocks from the end; the memory of each block is freed
/// at once.
fn into_floats(mut bytes: Vec<u8>, start: usize) -> Vec<f32> {
    let mut values = vec![0.0; (bytes.len() - start) / 4];
    let mut end = values.len();
    while end > 0 {
        let first = end.saturating_sub(PIECE / 4);
        let (piece, _) = bytes[start + 4 * first..].as_chunks();
        for (value, &bytes) in values[first..end].iter_mut().zip(piece) {
            *value = f32::from_le_bytes(bytes);
        }
        bytes.truncate(start + 4 * first);
        bytes.shrink_to_fit();
        end = first;
    }
    values
}

/// The header of an NPY file.
struct Header<'a> {
    descr: &'a str,
    fortran_order: bool,
    shape: Vec<usize>,
}

impl<'a> Header<'a> {
    /// The header, checked against the values, and the values.
    fn of(bytes: &'a [u8]) -> Result<(Header<'a>, &'a [u8])> {
        let (header, data) = Header::parse(bytes)?;
        let (size, _) = element_type(header.descr)?;
        header.check(size, data)?;
        Ok((header, data))
    }

    /// The header, and the values as far as they are there.
    fn parse(bytes: &'a [u8]) -> Result<(Header<'a>, &'a [u8])> {
        let (header, data) = split_header(bytes)?;
        let descr = quoted(value_of(header, "descr")?)?;
        let fortran_order = match value_of(header, "fortran_order")? {
            rest if rest.starts_with("False") => false,
            rest if rest.starts_with("True") => true,
            _ => return Err(damaged("'fortran_order' is neither True nor False")),
        };
        let shape = parse_shape(value_of(header, "shape")?)?;
        Ok((Header { descr, fortran_order, shape }, data))
    }

    /// Checks that there are as many values of `size` bytes as the header promises.
    fn check(&self, size: usize, data: &[u8]) -> Result<()> {
        let Header { descr, shape, .. } = self;
        let promised = element_count(shape).and_then(|count| count.checked_mul(size));
        if promised != Some(data.len()) {
            let promised = promised
                .map_or("more than memory can hold".to_owned(), |size| format!("{size} bytes"));
            return Err(invalid(format!(
                "the .npy header promises an array of shape {shape:?} and type {descr:?}, {promised}, but \
                 there are {} bytes of values; the file is truncated or damaged",
                data.len()
            )));
        }
        Ok(())
    }
}

/// The shape and the type of the array that an NPY file of this beginning holds; `None` for another file.
pub(crate) fn described(start: &[u8]) -> Option<(Vec<usize>, String)> {
    let (header, _) = Header::parse(start).ok()?;
    Some((header.shape, header.descr.to_owned()))
}

/// The header of an NPY file whose rows are read at their places.
pub(crate) struct RowHeader {
    pub(crate) shape: Vec<usize>,
    pub(crate) descr: String,
    /// Where the values begin.
    pub(crate) start: usize,
    /// Bytes of a value.
    pub(crate) size: usize,
}

/// The header in the first bytes of an NPY file.
///
/// # Errors
/// As [`parse_npy`], and for an array in column-major order, whose rows lie nowhere together.
pub(crate) fn row_header(start: &[u8]) -> Result<RowHeader> {
    let (Header { descr, fortran_order, shape }, data) = Header::parse(start)?;
    let (size, _) = element_type(descr)?;
    if fortran_order && shape.len() > 1 {
        return Err(invalid(
            "the array is in column-major (Fortran) order, whose rows cannot be read one by one: save it with \
             np.ascontiguousarray(array)",
        ));
    }
    Ok(RowHeader { descr: descr.to_owned(), start: start.len() - data.len(), size, shape })
}

/// Values of the type `descr` from their bytes.
///
/// # Errors
/// As [`parse_npy`].
pub(crate) fn decode(descr: &str, bytes: Vec<u8>) -> Result<Values> {
    match descr {
        "|u1" => Ok(Values::U8(bytes)),
        _ => element_type(descr)?.1(&bytes),
    }
}

/// The header of a version 1 NPY file of an array in row-major order, in a multiple of 64 bytes as NumPy writes it.
pub fn header(descr: &str, shape: &[usize]) -> Vec<u8> {
    let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
    // A tuple of one has a comma.
    let comma = if shape.len() == 1 { "," } else { "" };
    let shape = format!("({}{comma})", sizes.join(", "));
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    let length = (MAGIC.len() + 4 + text.len() + 1).next_multiple_of(64).max(SHORTEST_HEADER);
    let mut header = [MAGIC, &[1, 0]].concat();
    header.extend(((length - MAGIC.len() - 4) as u16).to_le_bytes());
    header.extend(text.as_bytes());
    header.resize(length - 1, b' ');
    header.push(b'\n');
    header
}

/// Headers have room for any number of rows of the usual shapes: the number of rows can be corrected in place.
const SHORTEST_HEADER: usize = 128;

/// What an NPY file of labels may hold.
pub(crate) enum Content {
    Numbers(Array),
    Texts(Texts),
}

/// An array of texts: those of NumPy's types `U` and `S`, which all take the same number of bytes.
pub(crate) struct Texts {
    pub(crate) shape: Vec<usize>,
    /// The bytes of the file, of which the texts begin at `start`.
    bytes: Vec<u8>,
    start: usize,
    /// Bytes of each text.
    size: usize,
    /// How four bytes make a letter; `None` where letters are bytes of UTF-8.
    letter: Option<fn([u8; 4]) -> u32>,
}

impl Texts {
    /// Number of texts.
    pub(crate) fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// The text at `at`, or what is wrong with it.
    pub(crate) fn text(&self, at: usize) -> Result<String, String> {
        let bytes = &self.bytes[self.start + at * self.size..][..self.size];
        // NumPy fills short texts up with zeros.
        let text = match self.letter {
            Some(letter) => {
                let (letters, _) = bytes.as_chunks();
                letters.iter().map(|&it| char::from_u32(letter(it))).collect::<Option<String>>()
            }
            None => String::from_utf8(bytes.to_vec()).ok(),
        };
        let text = text.ok_or("is not Unicode: save it as an array of str")?;
        Ok(text.trim_end_matches('\0').to_owned())
    }
}

/// From four bytes to a code point, in the byte order of the file.
type Letter = fn([u8; 4]) -> u32;

/// The numbers or texts in the bytes of an NPY file.
///
/// # Errors
/// As [`parse_npy`], but for texts.
pub(crate) fn into_content(bytes: Vec<u8>) -> Result<Content> {
    let (header, data) = Header::parse(&bytes)?;
    let kind = header.descr.trim_start_matches(['<', '>', '|', '=']);
    let (letter, digits): (Option<Letter>, _) = match kind.as_bytes().first() {
        Some(b'U') if header.descr.starts_with('>') => (Some(u32::from_be_bytes), &kind[1..]),
        Some(b'U') => (Some(u32::from_le_bytes), &kind[1..]),
        Some(b'S') => (None, &kind[1..]),
        _ => return into_array(bytes).map(Content::Numbers),
    };
    let letters: Option<usize> = digits.parse().ok();
    let size = letters.and_then(|count| count.checked_mul(if letter.is_some() { 4 } else { 1 }));
    let size = size.ok_or_else(|| damaged("'descr' has no length of the texts"))?;
    if header.fortran_order && header.shape.iter().filter(|&&length| length != 1).count() > 1 {
        return Err(invalid(
            "texts in several columns are not supported: expected one for each sample",
        ));
    }
    header.check(size, data)?;
    let (shape, start) = (header.shape, bytes.len() - data.len());
    Ok(Content::Texts(Texts { shape, start, size, letter, bytes }))
}

fn damaged(problem: &str) -> crate::error::Error {
    invalid(format!("the .npy header is damaged: {problem}"))
}

/// The text of the header and the bytes after it.
fn split_header(bytes: &[u8]) -> Result<(&str, &[u8])> {
    let Some(rest) = bytes.strip_prefix(MAGIC) else {
        return Err(invalid(format!(
            "not a .npy file: expected the bytes 93 'NUMPY'; this is {}",
            magic::describe(bytes)
        )));
    };
    let (length, rest) = match rest {
        [1, _, a, b, rest @ ..] => (u32::from(u16::from_le_bytes([*a, *b])), rest),
        [2 | 3, _, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]), rest),
        [version, ..] if *version > 3 => {
            return Err(invalid(format!(
                "version {version} of the .npy format is not supported: expected version 1, 2 or 3"
            )));
        }
        _ => return Err(damaged("it ends too early")),
    };
    let Some((header, data)) = rest.split_at_checked(length as usize) else {
        return Err(damaged("it ends too early"));
    };
    let header = std::str::from_utf8(header).map_err(|_| damaged("it is not text"))?;
    Ok((header, data))
}

/// What follows `'key':` in the header.
fn value_of<'a>(header: &'a str, key: &str) -> Result<&'a str> {
    for quote in ['\'', '"'] {
        if let Some((_, rest)) = header.split_once(&format!("{quote}{key}{quote}"))
            && let Some(value) = rest.trim_start().strip_prefix(':')
        {
            return Ok(value.trim_start());
        }
    }
    Err(damaged(&format!("it has no '{key}'")))
}

/// The string literal at the start of `text`.
fn quoted(text: &str) -> Result<&str> {
    let quote = text.chars().next().filter(|quote| matches!(quote, '\'' | '"'));
    let closed = quote.and_then(|quote| text[1..].split_once(quote));
    closed.map(|(content, _)| content).ok_or_else(|| {
        invalid("the .npy file contains records of several fields: expected an array of numbers")
    })
}

/// The tuple at the start of `text`: `()`, `(3,)`, `(3, 4)`.
fn parse_shape(text: &str) -> Result<Vec<usize>> {
    let tuple = text.strip_prefix('(').and_then(|rest| rest.split_once(')'));
    let (tuple, _) = tuple.ok_or_else(|| damaged("'shape' is not a tuple"))?;
    let sizes = tuple.split(',').map(str::trim).filter(|size| !size.is_empty());
    let shape: Option<Vec<usize>> =
        sizes.map(|size| size.trim_end_matches('L').parse().ok()).collect();
    shape
        .filter(|shape| shape.len() <= MAX_DIMENSIONS)
        .ok_or_else(|| damaged("'shape' is not a tuple of sizes"))
}

type Decode = fn(&[u8]) -> Result<Values>;

/// Bytes of one value of the type `descr`, and the conversion from bytes to values.
fn element_type(descr: &str) -> Result<(usize, Decode)> {
    /// Chooses the conversion from little-endian or big-endian bytes, and the type of the result.
    macro_rules! either {
        ($from:ty as $to:ty, $variant:ident) => {
            match descr.starts_with('>') {
                true => |bytes| {
                    Ok(Values::$variant(numbers(bytes, |b| <$from>::from_be_bytes(b) as $to)))
                },
                false => |bytes| {
                    Ok(Values::$variant(numbers(bytes, |b| <$from>::from_le_bytes(b) as $to)))
                },
            }
        };
    }
    let kind = descr.strip_prefix(['<', '>', '|', '=']).unwrap_or(descr);
    Ok(match kind {
        "u1" => (1, |bytes| Ok(Values::U8(bytes.to_vec()))),
        "b1" | "?" => {
            (1, |bytes| Ok(Values::U8(bytes.iter().map(|&b| u8::from(b != 0)).collect())))
        }
        "i1" => (1, |bytes| Ok(Values::I8(numbers(bytes, i8::from_le_bytes)))),
        "i2" => (2, either!(i16 as i16, I16)),
        "i4" => (4, either!(i32 as i32, I32)),
        "i8" => (8, either!(i64 as i64, I64)),
        "u2" => (2, either!(u16 as i32, I32)),
        "u4" => (4, either!(u32 as i64, I64)),
        "u8" => match descr.starts_with('>') {
            true => (8, |bytes| signed(numbers(bytes, u64::from_be_bytes))),
            false => (8, |bytes| signed(numbers(bytes, u64::from_le_bytes))),
        },
        "f2" => match descr.starts_with('>') {
            true => (2, |bytes| Ok(Values::F32(numbers(bytes, |b| half(u16::from_be_bytes(b)))))),
            false => (2, |bytes| Ok(Values::F32(numbers(bytes, |b| half(u16::from_le_bytes(b)))))),
        },
        "f4" => (4, either!(f32 as f32, F32)),
        "f8" => (8, either!(f64 as f64, F64)),
        _ => {
            let what = match kind.as_bytes().first() {
                Some(b'O' | b'T') => {
                    return Err(invalid(format!(
                        "the array holds Python objects (type {descr:?}), which are pickles and are never \
                         loaded, because a pickle can run any program: save numbers with \
                         .astype(\"float32\"), and class names with .astype(str)"
                    )));
                }
                Some(b'U' | b'S') => "only labels may be text",
                Some(b'M' | b'm') => "save dates as numbers, such as days",
                _ => "convert it in NumPy with .astype(\"float32\")",
            };
            return Err(invalid(format!(
                "the .npy file holds values of type {descr:?}: expected bool, int8 to int64, uint8 \
                 to uint64, float16, float32 or float64; {what}"
            )));
        }
    })
}

/// The number that the bits of a half-precision float stand for: sign, five bits of exponent, ten of mantissa.
#[doc(hidden)] // for the other crates of gradus
pub fn half(bits: u16) -> f32 {
    let (exponent, mantissa) = (u32::from((bits >> 10) & 0x1f), u32::from(bits & 0x3ff));
    let magnitude = match exponent {
        // Steps of 2^-24 below the smallest normal number.
        0 => mantissa as f32 * f32::from_bits(0x3380_0000),
        0x1f if mantissa == 0 => f32::INFINITY,
        0x1f => f32::NAN,
        // The exponents of both types count from different numbers: 15 and 127.
        _ => f32::from_bits(((exponent + 112) << 23) | (mantissa << 13)),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

fn signed(values: Vec<u64>) -> Result<Values> {
    let signed: Option<_> = values.into_iter().map(|value| i64::try_from(value).ok()).collect();
    signed.map(Values::I64).ok_or_else(|| {
        invalid("the .npy file contains uint64 values above 2^63, which are not supported")
    })
}

/// Moves values of `size` bytes from column-major to row-major order.
fn to_row_major(data: &[u8], shape: &[usize], size: usize) -> Vec<u8> {
    if data.is_empty() {
        return Vec::new();
    }
    let mut strides = Vec::with_capacity(shape.len());
    let mut stride = size;
    for &dimension in shape {
        strides.push(stride);
        stride *= dimension;
    }
    let mut index = vec![0; shape.len()];
    let mut at = 0;
    let mut out = Vec::with_capacity(data.len());
    while out.len() < data.len() {
        out.extend_from_slice(&data[at..at + size]);
        // Counts up in row-major order: the last index runs fastest.
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            at += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            at -= strides[axis] * shape[axis];
            index[axis] = 0;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::npy_file as file;
    use ndarray::{Array2, Array3, ShapeBuilder};
    use ndarray_npy::WriteNpyExt;
    use proptest::prelude::*;

    fn message(bytes: &[u8]) -> String {
        parse_npy(bytes).unwrap_err().to_string()
    }

    #[test]
    fn element_types_and_byte_orders() {
        let values =
            |descr: &str, bytes: &[u8]| parse_npy(&file(descr, "(1,)", bytes)).unwrap().values;
        assert_eq!(values("|u1", &[200]), Values::U8(vec![200]));
        assert_eq!(values("|b1", &[1]), Values::U8(vec![1]));
        assert_eq!(values("|i1", &[200]), Values::I8(vec![-56]));
        assert_eq!(values("<i2", &[1, 2]), Values::I16(vec![513]));
        assert_eq!(values(">i2", &[1, 2]), Values::I16(vec![258]));
        assert_eq!(values("<u2", &[255, 255]), Values::I32(vec![65_535]));
        assert_eq!(values("<i4", &(-7_i32).to_le_bytes()), Values::I32(vec![-7]));
        assert_eq!(values("<u4", &u32::MAX.to_le_bytes()), Values::I64(vec![4_294_967_295]));
        assert_eq!(values("<i8", &(-7_i64).to_le_bytes()), Values::I64(vec![-7]));
        assert_eq!(values(">u8", &7_u64.to_be_bytes()), Values::I64(vec![7]));
        assert_eq!(values("<f4", &1.5_f32.to_le_bytes()), Values::F32(vec![1.5]));
        assert_eq!(values(">f8", &1.5_f64.to_be_bytes()), Values::F64(vec![1.5]));
    }

    #[test]
    fn a_header_is_read_again() {
        for shape in [&[7][..], &[0, 28, 28], &[123_456_789_012, 784], &[1; 30]] {
            let header = header("<f4", shape);
            assert!(header.len().is_multiple_of(64) && header.ends_with(b"\n"));
            let found = row_header(&header).unwrap();
            assert_eq!((&found.shape[..], found.start, found.size), (shape, header.len(), 4));
        }
        assert_eq!(header("|u1", &[1]).len(), header("|u1", &[usize::MAX, 28, 28]).len());
    }

    #[test]
    fn what_is_not_numbers_is_refused() {
        assert!(message(&file("|O", "(1,)", &[0; 8])).contains("\"|O\""));
        assert!(message(&file("<c8", "(1,)", &[0; 8])).contains("astype"));
        assert!(message(&file("|O", "(1,)", &[0; 8])).contains(".astype(str)"));
        assert!(message(&file("<U3", "(1,)", &[0; 12])).contains("only labels"));
        assert!(message(&file("<M8[D]", "(1,)", &[0; 8])).contains("dates"));
        assert!(message(&file("<u8", "(1,)", &[255; 8])).contains("2^63"));
        assert!(message(b"label,0").contains("plain text"));
        let records = b"\x93NUMPY\x01\x00\x40\x00{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (1,)} ";
        assert!(message(records).contains("several fields"), "{}", message(records));
    }

    #[test]
    fn texts_are_read_in_either_byte_order_and_as_bytes() {
        let texts = |descr: &str, shape: &str, bytes: &[u8]| {
            let Content::Texts(texts) = into_content(file(descr, shape, bytes)).unwrap() else {
                panic!("numbers");
            };
            (0..texts.len()).map(|at| texts.text(at)).collect::<Vec<_>>()
        };
        let letters = |text: &str| text.chars().flat_map(|it| (it as u32).to_le_bytes()).collect();
        let little: Vec<u8> = letters("né\0猫\0\0");
        let expected = vec![Ok("né".to_owned()), Ok("猫".to_owned())];
        assert_eq!(texts("<U3", "(2,)", &little), expected);
        let big: Vec<u8> = little.chunks(4).flat_map(|it| it.iter().rev().copied()).collect();
        assert_eq!(texts(">U3", "(2, 1)", &big), expected);
        assert_eq!(texts("|S5", "(2,)", "né\0\0猫\0\0".as_bytes()), expected);
        assert!(texts("|S1", "(1,)", &[0xe9])[0].is_err());
        assert!(texts("<U1", "(1,)", &[0, 0, 0, 0xff])[0].is_err());
        assert_eq!(texts("<U0", "(2,)", &[]), vec![Ok(String::new()); 2]);
        for (descr, bytes) in [("<U3", &[0; 11][..]), ("|S", &[0]), ("<U99999999999999999999", &[])]
        {
            assert!(into_content(file(descr, "(1,)", bytes)).is_err(), "{descr}");
        }
        assert!(matches!(into_content(file("|u1", "(1,)", &[7])), Ok(Content::Numbers(_))));
    }

    #[test]
    fn the_header_is_held_against_the_bytes() {
        assert!(message(&file("|u1", "(3,)", &[0; 2])).contains("there are 2 bytes of values"));
        assert!(message(&file("|u1", "(3,)", &[0; 4])).contains("there are 4 bytes of values"));
        let huge = file("<f8", "(1099511627776, 1099511627776)", &[0; 4]);
        assert!(message(&huge).contains("more than memory"), "{}", message(&huge));
        assert!(message(&file("|u1", "(-3,)", &[0; 2])).contains("damaged"));
        assert!(message(&file("|u1", "3", &[0; 2])).contains("damaged"));
        let version9 = b"\x93NUMPY\x09\x00\x00\x00";
        assert!(message(version9).contains("version 9"));
    }

    #[test]
    fn bytes_that_are_given_back_hold_the_same_values() {
        let floats: Vec<f32> = (0..600).map(|at| at as f32 / 7.0 - 3.0).collect();
        let raw: Vec<u8> = floats.iter().flat_map(|value| value.to_le_bytes()).collect();
        for (descr, shape, raw) in
            [("<f4", "(200, 3)", &raw[..]), ("|u1", "(60, 40)", &raw), ("<f4", "(0, 3)", &[])]
        {
            let bytes = file(descr, shape, raw);
            assert_eq!(into_array(bytes.clone()).unwrap(), parse_npy(&bytes).unwrap());
        }
    }

    #[test]
    fn column_major_arrays_are_turned() {
        let array = Array3::from_shape_fn((2, 3, 4).f(), |(i, j, k)| (100 * i + 10 * j + k) as i32);
        let mut bytes = Vec::new();
        array.write_npy(&mut bytes).unwrap();
        let read = parse_npy(&bytes).unwrap();
        assert_eq!(read.shape, [2, 3, 4]);
        assert_eq!(read.values, Values::I32(array.iter().copied().collect()));
    }

    #[test]
    fn half_precision_is_read() {
        for (bits, value) in [
            (0x3c00_u16, 1.0_f32),
            (0xc000, -2.0),
            (0x3555, 0.333_251_95),
            (0x0001, 5.960_464_5e-8),
            (0x03ff, 6.097_555e-5),
            (0x0400, 6.103_515_6e-5),
            (0x7bff, 65504.0),
            (0xfc00, f32::NEG_INFINITY),
            (0, 0.0),
        ] {
            for (descr, bytes) in [("<f2", bits.to_le_bytes()), (">f2", bits.to_be_bytes())] {
                let array = parse_npy(&file(descr, "(1,)", &bytes)).unwrap();
                assert_eq!(array.values, Values::F32(vec![value]), "{bits:04x}");
            }
        }
        assert!(half(0x7e00).is_nan());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_npy(&bytes);
            let _ = parse_npy(&[MAGIC, &[1, 0, 40, 0], &bytes].concat());
        }

        #[test]
        fn arbitrary_headers_never_panic(descr in "[<>|=]?[a-z?][0-9]{0,2}", shape in "\\(?[0-9, ()L-]{0,30}\\)?") {
            let bytes = file(&descr, &shape, &[0; 24]);
            let words = |read: Result<Array>| read.map_err(|error| error.to_string());
            prop_assert_eq!(words(into_array(bytes.clone())), words(parse_npy(&bytes)));
        }

        #[test]
        fn round_trip(rows in 0_usize..9, columns in 0_usize..9, fortran in any::<bool>()) {
            let array = Array2::from_shape_fn((rows, columns).set_f(fortran), |(i, j)| i as f64 - j as f64 / 8.0);
            let mut bytes = Vec::new();
            array.write_npy(&mut bytes).unwrap();
            let read = parse_npy(&bytes).unwrap();
            prop_assert_eq!(read.shape, [rows, columns]);
            prop_assert_eq!(read.values, Values::F64(array.iter().copied().collect()));
        }
    }
}
