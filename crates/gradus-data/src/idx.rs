//! IDX, the format of MNIST: bytes of a file in, an [`Array`] out.
//!
//! Two zero bytes, the element type, the number of dimensions; a big-endian `u32` for each
//! dimension; then the values, big-endian, row-major. The file may be gzip, whatever its name.
//! The size in the header is checked against the size of the file before memory is allocated.

use std::io::{self, Read};
use std::path::Path;

use gradus_core::files::magic;

use super::array::{Array, Values, element_count};
use super::array_rows::ArrayRows;
use super::bytes::{self, Content, Digest};
use super::invalid;
use crate::error::{Error, Result};
use crate::reading;
/// A header with more dimensions than this counts as damaged.
const MAX_DIMENSIONS: usize = 8;

/// Reads an IDX file, plain or gzip.
///
/// # Errors
/// `NotFound` or `Io` if the file cannot be read; `InvalidData` if it is not IDX, is cut
/// short or too long, or fails its checksum.
pub fn read_idx(path: &Path) -> Result<Array> {
    with_content(path, parse)
}

/// The array in the bytes of an IDX file, plain or gzip.
///
/// # Errors
/// As [`read_idx`].
pub fn parse_idx(bytes: &[u8]) -> Result<Array> {
    parse(Content::of_bytes(bytes))
}

/// As [`read_idx`], with the SHA-256 of the decompressed file.
pub(crate) fn read_idx_hashed(path: &Path) -> Result<(Array, Digest)> {
    with_content(path, parse_hashed)
}

/// As [`parse_idx`], with the SHA-256 of the decompressed file.
pub(crate) fn parse_idx_hashed(bytes: &[u8]) -> Result<(Array, Digest)> {
    parse_hashed(Content::of_bytes(bytes))
}

/// Hands the content of the file at `path` to `parse`.
fn with_content<T>(path: &Path, parse: impl FnOnce(Content) -> Result<T>) -> Result<T> {
    let read = |error| Error::io("read", path, error);
    let file = reading::open(path)?;
    let data = file.metadata().map_err(read)?;
    let parsed = if data.is_file() {
        parse(Content::of_file(file, data.len()).map_err(read)?)
    } else {
        // A pipe has no size to check the header against before it is read.
        let mut bytes = Vec::new();
        reading::limited(&file).read_to_end(&mut bytes).map_err(read)?;
        parse(Content::of_bytes(&bytes))
    };
    parsed.map_err(|error| error.context(path.display()))
}

/// The bytes before the values of an IDX file of unsigned bytes with this shape.
pub(crate) fn byte_header(shape: &[usize]) -> Vec<u8> {
    let mut header = vec![0, 0, 8, shape.len() as u8];
    header.extend(shape.iter().flat_map(|&size| (size as u32).to_be_bytes()));
    header
}

fn parse(mut content: Content) -> Result<Array> {
    let header = read_header(&mut content)?;
    let values = read_values(&mut content, &header, None)?.0;
    Ok(Array { values: header.element.decode(values), shape: header.shape })
}

fn parse_hashed(mut content: Content) -> Result<(Array, Digest)> {
    let header = read_header(&mut content)?;
    let (values, digest) = read_values(&mut content, &header, Some(&header.raw))?;
    let digest = digest.ok_or_else(|| invalid("the file was read without its SHA-256"))?;
    Ok((Array { values: header.element.decode(values), shape: header.shape }, digest))
}

/// The shape, the place where the values begin, and their type, from the first bytes of a file that is not compressed.
///
/// # Errors
/// As [`parse_idx`].
pub(crate) fn row_header(start: &[u8]) -> Result<(Vec<usize>, usize, Element)> {
    let header = read_header(&mut Content::of_bytes(start))?;
    Ok((header.shape, header.raw.len(), header.element))
}

/// The array in an IDX file, plain or gzip, to be read row by row.
///
/// # Errors
/// As [`read_idx`], as far as the header shows it.
pub(crate) fn rows_of(path: &Path) -> Result<ArrayRows> {
    let read = |error| Error::io("read", path, error);
    let file = reading::open(path)?;
    let length = file.metadata().map_err(read)?.len();
    let mut content = Content::of_file(file, length).map_err(read)?;
    let header = read_header(&mut content).map_err(|error| error.context(path.display()))?;
    header.size_justified_by(&content).map_err(|error| error.context(path.display()))?;
    let Header { shape, element, .. } = header;
    let decode = Box::new(move |bytes| Ok(element.decode(bytes)));
    let are_bytes = element == Element::U8;
    Ok(ArrayRows::new(shape, element.size(), decode, Box::new(content), are_bytes))
}

/// The bytes of the values, and the SHA-256 of `hash_after` followed by them, if that is given.
fn read_values(
    content: &mut Content,
    header: &Header,
    hash_after: Option<&[u8]>,
) -> Result<(Vec<u8>, Option<Digest>)> {
    let size = header.size_justified_by(content)?;
    let mut values = vec![0; size];
    let (found, digest) = bytes::fill(content, &mut values, hash_after).map_err(broken)?;
    if found < size {
        return Err(invalid(format!(
            "the file is truncated: the header promises {size} bytes of values ({}), but there are \
             only {found}; copy or download it again",
            header.describe()
        )));
    }
    if !bytes::at_end(content).map_err(broken)? {
        return Err(invalid(format!(
            "the file continues after the {size} bytes of values that its header promises ({}); it is \
             damaged, or not the file that its name says",
            header.describe()
        )));
    }
    Ok((values, digest))
}

fn broken(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => invalid(
            "the gzip file is truncated, or other data follow it; copy or download it again",
        ),
        _ => {
            invalid(format!("the gzip data are damaged ({error}); copy or download the file again"))
        }
    }
}

struct Header {
    raw: Vec<u8>,
    element: Element,
    shape: Vec<usize>,
}

fn read_header(content: &mut Content) -> Result<Header> {
    let mut raw = vec![0; 4];
    let found = bytes::read_up_to(content, &mut raw).map_err(broken)?;
    let element = match raw[..] {
        [0, 0, code, _] if found == 4 => Element::from_code(code),
        _ => None,
    };
    let Some(element) = element.filter(|_| (1..=MAX_DIMENSIONS).contains(&usize::from(raw[3])))
    else {
        let what = if content.is_gzip() {
            let mut start = [0; 256];
            start[..found].copy_from_slice(&raw[..found]);
            let more = bytes::read_up_to(content, &mut start[found..]).map_err(broken)?;
            format!("the gzip content is {}", magic::describe(&start[..found + more]))
        } else {
            format!("the file is {}", magic::describe(&content.start))
        };
        return Err(invalid(format!(
            "not an IDX file: expected the bytes 00 00, an element type and the number of \
             dimensions, possibly compressed with gzip; {what}"
        )));
    };
    raw.resize(4 + 4 * usize::from(raw[3]), 0);
    let found = bytes::read_up_to(content, &mut raw[4..]).map_err(broken)?;
    if found < raw.len() - 4 {
        return Err(invalid("the file is truncated: it ends within its header"));
    }
    let sizes = raw[4..].chunks_exact(4);
    let shape = sizes.map(|size| u32::from_be_bytes([size[0], size[1], size[2], size[3]]) as usize);
    Ok(Header { element, shape: shape.collect(), raw })
}

impl Header {
    /// Bytes of values that the header promises, provided that the file can hold them.
    fn size_justified_by(&self, content: &Content) -> Result<usize> {
        let promised =
            element_count(&self.shape).and_then(|count| count.checked_mul(self.element.size()));
        let most = content.most().saturating_sub(self.raw.len() as u64);
        let kind = if content.is_gzip() { "gzip file" } else { "file" };
        match promised {
            Some(size) if size as u64 <= most => Ok(size),
            _ => Err(invalid(format!(
                "the file is truncated or its header damaged: the header promises {}, which is {}; \
                 this {kind} holds at most {most} bytes of values",
                self.describe(),
                promised
                    .map_or("more than memory can hold".to_owned(), |size| format!("{size} bytes")),
            ))),
        }
    }

    fn describe(&self) -> String {
        let sizes: Vec<_> = self.shape.iter().map(usize::to_string).collect();
        format!("{} values of type {:?}", sizes.join(" x "), self.element)
    }
}

/// The six element types of IDX.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Element {
    U8,
    I8,
    I16,
    I32,
    F32,
    F64,
}

impl Element {
    fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0x08 => Element::U8,
            0x09 => Element::I8,
            0x0b => Element::I16,
            0x0c => Element::I32,
            0x0d => Element::F32,
            0x0e => Element::F64,
            _ => return None,
        })
    }

    pub(crate) fn size(self) -> usize {
        match self {
            Element::U8 | Element::I8 => 1,
            Element::I16 => 2,
            Element::I32 | Element::F32 => 4,
            Element::F64 => 8,
        }
    }

    pub(crate) fn decode(self, bytes: Vec<u8>) -> Values {
        match self {
            Element::U8 => Values::U8(bytes),
            Element::I8 => Values::I8(numbers(&bytes, i8::from_be_bytes)),
            Element::I16 => Values::I16(numbers(&bytes, i16::from_be_bytes)),
            Element::I32 => Values::I32(numbers(&bytes, i32::from_be_bytes)),
            Element::F32 => Values::F32(numbers(&bytes, f32::from_be_bytes)),
            Element::F64 => Values::F64(numbers(&bytes, f64::from_be_bytes)),
        }
    }
}

/// Applies `convert` to every `N` bytes.
pub(crate) fn numbers<T, const N: usize>(bytes: &[u8], convert: fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|&chunk| convert(chunk)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{gzip, idx_file as file};
    use proptest::prelude::*;

    fn message(bytes: &[u8]) -> String {
        parse_idx(bytes).unwrap_err().to_string()
    }

    #[test]
    fn all_six_types() {
        let values = |code, bytes: &[u8]| parse_idx(&file(code, &[1], bytes)).unwrap().values;
        assert_eq!(values(0x08, &[200]), Values::U8(vec![200]));
        assert_eq!(values(0x09, &[200]), Values::I8(vec![-56]));
        assert_eq!(values(0x0b, &[0xff, 0xfe]), Values::I16(vec![-2]));
        assert_eq!(values(0x0c, &[0, 0, 1, 2]), Values::I32(vec![258]));
        assert_eq!(values(0x0d, &1.5_f32.to_be_bytes()), Values::F32(vec![1.5]));
        assert_eq!(values(0x0e, &(-2.5_f64).to_be_bytes()), Values::F64(vec![-2.5]));
    }

    #[test]
    fn gzip_is_told_by_its_bytes_and_hashed_as_plain() {
        let plain = file(8, &[2, 300, 300], &vec![7; 180_000]);
        let (array, digest) = parse_idx_hashed(&gzip(&plain)).unwrap();
        assert_eq!(array.shape, [2, 300, 300]);
        assert_eq!(digest, bytes::sha256(&plain));
        assert_eq!(parse_idx_hashed(&plain).unwrap(), (array, digest));
        assert_eq!(byte_header(&[2, 300, 300]), plain[..16]);
    }

    #[test]
    fn two_gzip_members_are_one_file() {
        let plain = file(8, &[4], &[1, 2, 3, 4]);
        let both = [gzip(&plain[..9]), gzip(&plain[9..])].concat();
        assert_eq!(parse_idx(&both).unwrap(), parse_idx(&plain).unwrap());
    }

    #[test]
    fn too_short_and_too_long_are_told_apart() {
        let plain = file(8, &[2, 3], &[0; 6]);
        for end in 4..plain.len() {
            assert!(message(&plain[..end]).contains("truncated"), "{}", message(&plain[..end]));
            let zipped = message(&gzip(&plain[..end]));
            assert!(zipped.contains("truncated"), "{zipped}");
        }
        let long = [&plain[..], &[0]].concat();
        assert!(message(&long).contains("continues after the 6 bytes"), "{}", message(&long));
        assert!(message(&gzip(&long)).contains("continues after"));
    }

    #[test]
    fn a_cut_or_damaged_gzip_file_is_named() {
        let noise: Vec<u8> =
            (0..6000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let zipped = gzip(&file(8, &[6000], &noise));
        for end in [zipped.len() / 2, zipped.len() - 9, zipped.len() - 1] {
            assert!(message(&zipped[..end]).contains("truncated"), "{}", message(&zipped[..end]));
        }
        let mut wrong_checksum = zipped.clone();
        let at = zipped.len() - 8;
        wrong_checksum[at] ^= 1;
        assert!(message(&wrong_checksum).contains("damaged"), "{}", message(&wrong_checksum));
        let trailing = [&zipped[..], b"rubbish"].concat();
        assert!(message(&trailing).contains("other data follow"), "{}", message(&trailing));
    }

    #[test]
    fn terabytes_are_refused_before_they_are_allocated() {
        for shape in [&[u32::MAX][..], &[u32::MAX; 2], &[u32::MAX; 8], &[60_000, 28, 28]] {
            let plain = file(0x0e, shape, &[0; 100]);
            assert!(message(&plain).contains("header promises"), "{}", message(&plain));
            let zipped = message(&gzip(&plain));
            assert!(zipped.contains("truncated"), "{zipped}");
        }
    }

    #[test]
    fn other_files_are_named() {
        assert!(message(b"<!DOCTYPE html>\n<html>").contains("HTML page"));
        assert!(message(&gzip(b"<html><body>")).contains("gzip content is an HTML page"));
        assert!(message(b"PK\x03\x04").contains("zip archive"));
        assert!(message(b"").contains("empty"));
        assert!(message(&[0, 0, 8]).contains("not an IDX file"));
        assert!(message(&[0, 0, 8, 9]).contains("not an IDX file")); // nine dimensions
        assert!(message(&[0, 0, 7, 1, 0, 0, 0, 0]).contains("not an IDX file")); // unknown type
    }

    #[test]
    fn the_path_is_named() {
        let path = Path::new("no/such/file-idx1-ubyte");
        let error = read_idx(path).unwrap_err();
        assert_eq!(error.kind(), crate::error::ErrorKind::NotFound);
        assert!(error.to_string().contains("no/such/file-idx1-ubyte"));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_idx(&bytes);
            let _ = parse_idx(&gzip(&bytes));
        }

        #[test]
        fn arbitrary_headers_never_panic(
            code in 7_u8..16,
            shape in proptest::collection::vec(any::<u32>(), 0..10),
            values in proptest::collection::vec(any::<u8>(), 0..50),
            flip in any::<prop::sample::Index>(),
        ) {
            let plain = file(code, &shape, &values);
            let _ = parse_idx(&plain);
            let mut zipped = gzip(&plain);
            let at = flip.index(zipped.len());
            zipped[at] ^= 0x55;
            let _ = parse_idx(&zipped);
        }

        #[test]
        fn round_trip(values in proptest::collection::vec(any::<i16>(), 0..300), columns in 1_usize..5) {
            let rows = values.len() / columns;
            let values = &values[..rows * columns];
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_be_bytes()).collect();
            let plain = file(0x0b, &[rows as u32, columns as u32], &bytes);
            let expected =
                Array { shape: vec![rows, columns], values: Values::I16(values.to_vec()) };
            prop_assert_eq!(parse_idx(&plain).unwrap(), expected.clone());
            prop_assert_eq!(parse_idx(&gzip(&plain)).unwrap(), expected);
        }
    }
}
