//! The header of an NPY file, read and written: bytes in; type, order and shape of the array out, or the reverse.

use gradus_core::files::magic;

use super::element::element_type;
use crate::array::element_count;
use crate::error::{Error, Result, invalid};

/// The first bytes of every NPY file.
pub(super) const MAGIC: &[u8] = b"\x93NUMPY";

/// NumPy itself allows 32 dimensions (64 from version 2 on); a header with more is damaged.
const MAX_DIMENSIONS: usize = 64;

/// The header of an NPY file.
pub(super) struct Header<'a> {
    pub(super) descr: &'a str,
    pub(super) fortran_order: bool,
    pub(super) shape: Vec<usize>,
}

impl<'a> Header<'a> {
    /// The header, checked against the values, and the values.
    pub(super) fn of(bytes: &'a [u8]) -> Result<(Header<'a>, &'a [u8])> {
        let (header, data) = Header::parse(bytes)?;
        let (size, _) = element_type(header.descr)?;
        header.check(size, data)?;
        Ok((header, data))
    }

    /// The header, and the values as far as they are there.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<(Header<'a>, &'a [u8])> {
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
    pub(super) fn check(&self, size: usize, data: &[u8]) -> Result<()> {
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

/// The error for a header that breaks the format.
pub(super) fn damaged(problem: &str) -> Error {
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
