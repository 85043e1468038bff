//! Splits text into [`Record`]s of fields.
//!
//! Lines end in `\n`, `\r\n` or `\r`. A field that begins with a quotation mark ends at the next one, may hold
//! separators and line ends, and `""` in it stands for one mark. Blank lines are skipped.

use super::encoding::lines_of;
use crate::error::Result;
use crate::invalid;

/// The most bytes of a line, with all lines that a quoted field holds.
pub(super) const LONGEST_LINE: usize = 16 << 20;

/// The most fields of a line.
const MOST_FIELDS: usize = 1_000_000;

/// Whole records, one after the other.
#[derive(Default)]
pub(super) struct Block {
    /// UTF-8, with the line end of the last record unless it ends the text.
    pub(super) text: Vec<u8>,
    /// The number of the first line, counted from 1.
    pub(super) line: u64,
}

/// The fields of one line, or of several if a quoted field holds line ends.
#[derive(Debug, Clone, Default)]
pub(super) struct Record {
    text: Vec<u8>,
    /// Where each field begins and ends in `text`.
    places: Vec<(u32, u32)>,
    /// The number of its first line, counted from 1.
    pub(super) line: u64,
    /// Whether the line begins with `#`.
    pub(super) is_marked: bool,
    /// Its text as it is, with quotation marks and spaces and without the line end; empty unless it is kept.
    pub(super) source: Vec<u8>,
    /// What ends it; empty at the end of the text.
    pub(super) line_end: &'static str,
}

impl Record {
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn field(&self, at: usize) -> &[u8] {
        let (start, end) = self.places[at];
        &self.text[start as usize..end as usize]
    }

    pub(super) fn fields(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.len()).map(|at| self.field(at))
    }

    /// The fields as names: spaces trimmed, without the `#` of a header that is written as a comment.
    pub(super) fn names(&self) -> Vec<String> {
        let name = |field: &[u8]| String::from_utf8_lossy(field.trim_ascii()).into_owned();
        let mut names: Vec<String> = self.fields().map(name).collect();
        if self.is_marked
            && let Some(first) = names.first_mut()
        {
            *first = first.trim_start_matches('#').trim_start().to_owned();
        }
        names
    }

    /// The bytes of its fields.
    pub(super) fn size(&self) -> usize {
        self.text.len()
    }

    fn clear(&mut self, line: u64) {
        self.text.clear();
        self.places.clear();
        self.source.clear();
        (self.line, self.is_marked, self.line_end) = (line, false, "");
    }

    /// Ends a field of this text; spaces in front of it are no part of it.
    fn end_field(&mut self, text: &[u8], start: usize, end: usize) {
        let spaces = text[start..end].iter().take_while(|&&byte| byte == b' ').count();
        // A record is shorter than [`LONGEST_LINE`], which has been checked.
        self.places.push(((start + spaces) as u32, end as u32));
    }

    fn is_blank(&self) -> bool {
        self.len() == 1 && self.text.trim_ascii().is_empty()
    }
}

/// The records of a block.
#[derive(Debug, Clone)]
pub(super) struct Records<'a> {
    text: &'a [u8],
    at: usize,
    separator: u8,
    /// The number of the line at `at`.
    line: u64,
    keeps_source: bool,
}

impl<'a> Records<'a> {
    pub(super) fn of(block: &'a Block, separator: u8) -> Records<'a> {
        Records { text: &block.text, at: 0, separator, line: block.line, keeps_source: false }
    }

    /// The records from a position on, where the line of this number begins. With `keeps_source` they have their text as it
    /// is.
    pub(super) fn from(
        text: &'a [u8],
        (at, line): (usize, u64),
        separator: u8,
        keeps_source: bool,
    ) -> Records<'a> {
        Records { text, at, separator, line, keeps_source }
    }

    /// Where the next record begins, and the number of its line.
    pub(super) fn place(&self) -> (usize, u64) {
        (self.at, self.line)
    }

    /// Reads the next record; `false` at the end.
    ///
    /// # Errors
    /// `InvalidData` with the line for a quotation mark that is not closed, and for a record that is too long.
    pub(super) fn next(&mut self, record: &mut Record) -> Result<bool> {
        loop {
            let (start, line) = self.place();
            let rest = &self.text[start..];
            if rest.is_empty() {
                return Ok(false);
            }
            record.clear(line);
            let end = match self.split_plain(rest, record)? {
                Some(end) => start + end,
                None => {
                    record.clear(line);
                    self.split_quoted(record)?
                }
            };
            let line_end = match self.text[end..] {
                [b'\r', b'\n', ..] => "\r\n",
                [b'\r', ..] => "\r",
                [b'\n', ..] => "\n",
                _ => "",
            };
            self.at = end + line_end.len();
            self.line += u64::from(!line_end.is_empty());
            if record.is_blank() {
                continue;
            }
            record.line_end = line_end;
            if record.len() > MOST_FIELDS {
                return Err(invalid(format!("line {line} has more than {MOST_FIELDS} fields")));
            }
            if self.keeps_source {
                record.source.extend_from_slice(&self.text[start..end]);
            }
            let first = record.places.first();
            record.is_marked = first.is_some_and(|&(at, end)| {
                at < end
                    && record.text[at as usize] == b'#'
                    && self.text[start..].trim_ascii_start()[0] == b'#'
            });
            return Ok(true);
        }
    }

    /// Splits the line at the start of `rest` and returns where it ends; none if it has quotation marks.
    fn split_plain(&self, rest: &[u8], record: &mut Record) -> Result<Option<usize>> {
        let (mut start, mut end) = (0, rest.len());
        for at in places_of(rest, [self.separator, b'\n', b'\r', b'"']) {
            match rest[at] {
                b'"' => return Ok(None),
                b'\n' | b'\r' => {
                    end = at;
                    break;
                }
                _ => {
                    record.end_field(rest, start, at);
                    start = at + 1;
                }
            }
        }
        if end > LONGEST_LINE {
            return Err(too_long(record.line, &rest[..end]));
        }
        record.end_field(rest, start, end);
        record.text.extend_from_slice(&rest[..end]);
        Ok(Some(end))
    }

    /// Splits the record at `at`, which has quotation marks, and returns where it ends. Counts the lines in its fields.
    fn split_quoted(&mut self, record: &mut Record) -> Result<usize> {
        let text = self.text;
        let is_end = |byte: u8| byte == b'\n' || byte == b'\r';
        let mut at = self.at;
        loop {
            if record.text.len() > LONGEST_LINE {
                return Err(too_long(record.line, b"\""));
            }
            // A field begins.
            let start = record.text.len();
            at += text[at..].iter().take_while(|&&byte| byte == b' ').count();
            let mut is_quoted = false;
            if text.get(at) == Some(&b'"') {
                is_quoted = true;
                let opened = self.line;
                at += 1;
                loop {
                    let Some(length) = memchr::memchr(b'"', &text[at..]) else {
                        return Err(unclosed(opened));
                    };
                    let run = &text[at..][..length];
                    self.line += lines_of(run);
                    record.text.extend_from_slice(run);
                    at += length + 1;
                    if text.get(at) != Some(&b'"') {
                        break;
                    }
                    record.text.push(b'"');
                    at += 1;
                }
                at += text[at..].iter().take_while(|&&byte| byte == b' ').count();
                match text.get(at) {
                    Some(&byte) if byte != self.separator && !is_end(byte) => {
                        return Err(unclosed(opened));
                    }
                    _ => {}
                }
            }
            let run = places_of(&text[at..], [self.separator, b'\n', b'\r', b'\r']).next();
            let run = &text[at..][..run.unwrap_or(text.len() - at)];
            record.text.extend_from_slice(run);
            at += run.len();
            let end = record.text.len();
            match is_quoted {
                // Spaces between the marks belong to the field.
                true => record.places.push((start as u32, end as u32)),
                false => {
                    let field = &record.text[start..end];
                    let spaces = field.iter().take_while(|&&byte| byte == b' ').count();
                    record.places.push(((start + spaces) as u32, end as u32));
                }
            }
            if text.get(at) != Some(&self.separator) {
                return Ok(at);
            }
            at += 1;
        }
    }
}

/// Where a text has one of four bytes, in order. Fields are short: eight bytes at a time, in plain arithmetic, is faster than a
/// search for each of them.
fn places_of(text: &[u8], bytes: [u8; 4]) -> impl Iterator<Item = usize> {
    const LOW: u64 = u64::from_ne_bytes([0x7f; 8]);
    let patterns = bytes.map(|byte| u64::from_ne_bytes([byte; 8]));
    let mut chunks = text.chunks(8);
    let (mut first, mut found) = (0_usize.wrapping_sub(8), 0_u64);
    std::iter::from_fn(move || {
        while found == 0 {
            let chunk = chunks.next()?;
            let word = match chunk.first_chunk() {
                Some(&bytes) => u64::from_le_bytes(bytes),
                None => {
                    // No text has a NUL, which fills the last word up.
                    let mut bytes = [0; 8];
                    bytes[..chunk.len()].copy_from_slice(chunk);
                    u64::from_le_bytes(bytes)
                }
            };
            for pattern in patterns {
                // The highest bit of each byte that is 0, which means equal to the pattern.
                let rest = word ^ pattern;
                found |= !(((rest & LOW) + LOW) | rest | LOW);
            }
            first = first.wrapping_add(8);
        }
        let at = first + found.trailing_zeros() as usize / 8;
        found &= found - 1;
        Some(at)
    })
}

/// The error for a record that is too long and begins with this text, or is of it.
pub(super) fn too_long(line: u64, text: &[u8]) -> crate::error::Error {
    let advice = match memchr::memchr(b'"', text) {
        Some(_) => "; is a quotation mark not closed?".to_owned(),
        None => format!(
            ": a row has at most that, and {MOST_FIELDS} fields; does another character end the lines? Arrays of very \
             many features are read from .npy and .npz"
        ),
    };
    invalid(format!("line {line} has more than 16 MiB{advice}"))
}

fn unclosed(line: u64) -> crate::error::Error {
    invalid(format!(
        "line {line}: a quotation mark opens a field and is not closed before the next separator; close \
         it, or write \"\" for a mark in a quoted field"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(u64, Vec<String>)>> {
        let block = Block { text: text.as_bytes().to_vec(), line: 1 };
        let mut records = Records::of(&block, b',');
        let (mut record, mut all) = (Record::default(), Vec::new());
        while records.next(&mut record)? {
            let fields = record.fields().map(|field| String::from_utf8_lossy(field).into_owned());
            all.push((record.line, fields.collect()));
        }
        Ok(all)
    }

    #[test]
    fn all_of_four_bytes_are_found() {
        // Neighbours of the bytes in value, and bytes above 127, at all places of a word.
        let letters =
            [b',', b'+', b'-', b'\n', 11, 9, b'\r', 12, 14, b'"', b'!', b'#', 0x80 + b',', 0xff, 1];
        for length in 0..40 {
            for step in 1..8 {
                let text: Vec<u8> = (0..length).map(|at| letters[at * step % 15]).collect();
                let is_one = |byte: &u8| b",\n\r\"".contains(byte);
                let expected = (0..length).filter(|&at| is_one(&text[at]));
                assert!(places_of(&text, *b",\n\r\"").eq(expected), "{text:?}");
            }
        }
    }

    #[test]
    fn lines_are_counted_whatever_ends_them() {
        for end in ["\n", "\r\n", "\r"] {
            for text in ["a,b\n1,2\n\n \n3,4\n", "a,b\n1,2\n\n \n3,4"] {
                let text = text.replace('\n', end);
                let expected = [(1, ["a", "b"]), (2, ["1", "2"]), (5, ["3", "4"])]
                    .map(|(line, fields)| (line, fields.map(String::from).to_vec()));
                assert_eq!(read(&text).unwrap(), expected, "{text:?}");
            }
            let text = format!("\"a{end}b\",c{end}1,\"{end}\"{end}3,4");
            let lines: Vec<_> = read(&text).unwrap().into_iter().map(|it| it.0).collect();
            assert_eq!(lines, [1, 3, 5], "{text:?}");
        }
    }

    #[test]
    fn quoted_fields_hold_anything() {
        let fields = |text: &str| read(text).unwrap().remove(0).1;
        assert_eq!(fields("\"a,b\", \"c\"\"d\" ,\"\",e\"f\n"), ["a,b", "c\"d", "", "e\"f"]);
        assert_eq!(fields("1,"), ["1", ""]);
        assert_eq!(fields(",\n"), ["", ""]);
        assert!(read("").unwrap().is_empty());
        assert!(read("\n \r\n").unwrap().is_empty());
        // Longer than a chunk.
        let long = format!("\"{}\",b\n1,2", "x\n".repeat(50_000));
        let found = read(&long).unwrap();
        assert_eq!((found[0].1[0].len(), found[1].0), (100_000, 50_002 - 1 + 1));
    }

    #[test]
    fn an_open_quotation_mark_is_refused_with_its_line() {
        for text in [
            "a,b\r\n1,\"x\r\n2,y\r\n",
            "a,b\n1,\"x\n2,\"y\"\n3,4\n",
            "a,b\n1,\"x\n2,\"y\n",
            "a,b\n1,\"x\"y\n",
            "a,b\n\"",
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains("line 2: a quotation mark"), "{text:?}: {error}");
        }
    }
}
