//! NPY, NumPy's format for one array: bytes in, an [`Array`] out.
//!
//! The magic `\x93NUMPY`, a version, the length of the header, the header (a Python dictionary:
//! `descr`, `fortran_order`, `shape`), then the values. The header has a fixed form, so a small parser of
//! our own suffices; a general parser of Python literals would be open to attacks by deep nesting.

mod element;
mod header;

use super::array::{Array, Values};
use crate::error::{Result, invalid};

use element::element_type;
use header::{Header, damaged};

pub use element::half;
pub use header::header;
pub(crate) use header::{described, row_header};

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
    use super::header::MAGIC;
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
