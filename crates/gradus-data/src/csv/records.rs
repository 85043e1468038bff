//! Splits text into [`Record`]s of fields.
//!
//! Lines end in `\n`, `\r\n` or `\r`. A field that begins with a quotation mark ends at the next one, may hold
//! separators and line ends, and `""` in it stands for one mark. Blank lines are skipped.

use std::io::Read;

use super::encoding::{Encoding, Lines, Text};
use crate::error::Result;
use crate::invalid;

/// The most bytes of a line, with all lines that a quoted field holds.
const LONGEST_LINE: usize = 16 << 20;

/// The most fields of a line.
const MOST_FIELDS: usize = 1_000_000;

/// The fields of one line, or of several if a quoted field holds line ends.
#[derive(Debug, Clone, Default)]
pub(super) struct Record {
    text: Vec<u8>,
    /// End of each field in `text`.
    ends: Vec<usize>,
    /// The number of its first line, counted from 1.
    pub(super) line: u64,
    /// Whether the line begins with `#`.
    pub(super) is_marked: bool,
    /// Its text as it is, with quotation marks and spaces and without the line end; empty unless it is kept
    /// ([`Records::keep_source`]).
    pub(super) source: Vec<u8>,
    /// What ends it; empty at the end of the text.
    pub(super) line_end: &'static str,
}

impl Record {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn field(&self, at: usize) -> &[u8] {
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.text[start..self.ends[at]]
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
        self.ends.clear();
        self.source.clear();
        (self.line, self.is_marked, self.line_end) = (line, false, "");
    }

    /// Checks, once for each piece of text, that this may be a line of a table: it is kept in memory, with eight
    /// bytes for each of its fields.
    fn check_size(&self) -> Result<()> {
        let line = self.line;
        if self.text.len() > LONGEST_LINE {
            return Err(invalid(format!(
                "line {line} has more than 16 MiB; is a quotation mark not closed?"
            )));
        }
        match self.len() > MOST_FIELDS {
            false => Ok(()),
            true => Err(invalid(format!("line {line} has more than {MOST_FIELDS} fields"))),
        }
    }

    fn end_field(&mut self) {
        self.ends.push(self.text.len());
    }

    fn is_blank(&self) -> bool {
        self.len() == 1 && self.text.trim_ascii().is_empty()
    }
}

/// Position of the reader within a field.
#[derive(Clone, Copy, PartialEq)]
enum State {
    /// Before its first letter.
    Start,
    /// In a field without quotation marks.
    Plain,
    /// After the opening quotation mark.
    Quoted,
    /// After a quotation mark in a quoted field: the closing one, or the first of two.
    Closed,
}

/// The records of a text.
pub(super) struct Records<R> {
    text: Text<R>,
    separator: u8,
    lines: Lines,
    keeps_source: bool,
}

impl<R: Read> Records<R> {
    pub(super) fn new(text: Text<R>, separator: u8) -> Records<R> {
        Records { text, separator, lines: Lines::default(), keeps_source: false }
    }

    /// From now on records have their text as it is.
    pub(super) fn keep_source(&mut self) {
        self.keeps_source = true;
    }

    /// How letters are written as bytes, as far as the text has been read.
    pub(super) fn encoding(&self) -> Encoding {
        self.text.encoding()
    }

    /// Removes and returns the warnings about the text so far.
    pub(super) fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.text.warnings)
    }

    /// Reads the next record; `false` at the end.
    ///
    /// # Errors
    /// `InvalidData` with the line for a quotation mark that is not closed, and for text that is not in its
    /// encoding.
    pub(super) fn next(&mut self, record: &mut Record) -> Result<bool> {
        let Records { text, separator, lines, keeps_source } = self;
        record.clear(lines.ends + 1);
        let (mut state, mut opened) = (State::Start, 0);
        loop {
            let piece = text.fill()?;
            if piece.is_empty() {
                return at_end(record, state, opened);
            }
            record.check_size()?;
            // Where what belongs to the record begins.
            let (mut at, mut from) = (0, 0);
            while at < piece.len() {
                let byte = piece[at];
                let is_end = byte == b'\n' || byte == b'\r';
                match state {
                    State::Quoted => {
                        let run = piece[at..].iter().position(|&byte| byte == b'"');
                        let run = &piece[at..][..run.unwrap_or(piece.len() - at)];
                        lines.pass(run);
                        record.text.extend_from_slice(run);
                        at += run.len();
                        if at < piece.len() {
                            lines.pass(b"\"");
                            state = State::Closed;
                            at += 1;
                        }
                    }
                    State::Closed if byte == b'"' => {
                        record.text.push(byte);
                        state = State::Quoted;
                        at += 1;
                    }
                    // The second half of a \r\n.
                    State::Start if byte == b'\n' && record.ends.is_empty() && lines.is_open() => {
                        lines.pass(b"\n");
                        at += 1;
                        from = at;
                    }
                    State::Start if byte == b'"' => {
                        (state, opened) = (State::Quoted, lines.ends + 1);
                        lines.pass(b"\"");
                        at += 1;
                    }
                    State::Start | State::Closed if byte == b' ' => {
                        lines.pass(b" ");
                        at += 1;
                    }
                    _ if byte == *separator || is_end => {
                        at += 1;
                        record.end_field();
                        lines.pass(&[byte]);
                        if is_end && !record.is_blank() {
                            if *keeps_source {
                                record.source.extend_from_slice(&piece[from..at - 1]);
                            }
                            record.line_end = match (byte, piece.get(at)) {
                                (b'\n', _) => "\n",
                                // At the end of a piece, the second half is likely to follow.
                                (_, Some(b'\n') | None) => "\r\n",
                                _ => "\r",
                            };
                            text.consume(at);
                            return Ok(true);
                        }
                        if is_end {
                            record.clear(lines.ends + 1);
                            from = at;
                        }
                        state = State::Start;
                    }
                    State::Closed => return Err(unclosed(opened)),
                    State::Start | State::Plain => {
                        let first = state == State::Start && record.ends.is_empty();
                        record.is_marked |= first && byte == b'#';
                        let ends =
                            |&byte: &u8| byte == *separator || byte == b'\n' || byte == b'\r';
                        let run = piece[at..].iter().position(ends);
                        let run = &piece[at..][..run.unwrap_or(piece.len() - at)];
                        // A run holds no line end: its first byte stands for all.
                        lines.pass(&run[..1]);
                        record.text.extend_from_slice(run);
                        state = State::Plain;
                        at += run.len();
                    }
                }
            }
            if *keeps_source {
                record.source.extend_from_slice(&piece[from..]);
            }
            text.consume(at);
        }
    }
}

/// The record that ends at the end of the text, if there is one.
fn at_end(record: &mut Record, state: State, opened: u64) -> Result<bool> {
    if state == State::Quoted {
        return Err(unclosed(opened));
    }
    if record.ends.is_empty() && record.text.is_empty() && state == State::Start {
        return Ok(false);
    }
    record.end_field();
    Ok(!record.is_blank())
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
        let mut records = Records::new(Text::open(text.as_bytes(), None)?, b',');
        let (mut record, mut all) = (Record::default(), Vec::new());
        while records.next(&mut record)? {
            let fields = record.fields().map(|field| String::from_utf8_lossy(field).into_owned());
            all.push((record.line, fields.collect()));
        }
        Ok(all)
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
