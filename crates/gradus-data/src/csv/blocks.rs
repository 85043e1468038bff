//! Divides the text of a table into blocks of whole records: text in, blocks out, which can be read side by side.

use std::io::Read;

use super::encoding::{Encoding, Lines, Text};
use super::records::{Block, LONGEST_LINE, too_long};
use crate::error::Result;

/// The blocks of a text.
pub(super) struct Blocks<R> {
    text: Text<R>,
    separator: u8,
    /// Text behind the last block.
    rest: Vec<u8>,
    lines: Lines,
    /// Whether `rest` is the end of the text.
    is_at_end: bool,
}

impl<R: Read> Blocks<R> {
    pub(super) fn new(text: Text<R>, separator: u8) -> Blocks<R> {
        let (rest, lines, is_at_end) = (Vec::new(), Lines::default(), false);
        Blocks { text, separator, rest, lines, is_at_end }
    }

    /// How letters are written as bytes, as far as the text has been read.
    pub(super) fn encoding(&self) -> Encoding {
        self.text.encoding()
    }

    /// Removes and returns the warnings about the text so far.
    pub(super) fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.text.warnings)
    }

    /// The next block, of about `size` bytes or of one record if that is longer; none at the end.
    ///
    /// # Errors
    /// `InvalidData` with the line for text that is not in its encoding, and for a record that is too long.
    pub(super) fn next(&mut self, size: usize) -> Result<Option<Block>> {
        let mut size = size;
        loop {
            while self.rest.len() < size && !self.is_at_end {
                let piece = self.text.fill()?;
                let count = piece.len();
                self.is_at_end = count == 0;
                self.rest.extend_from_slice(piece);
                self.text.consume(count);
            }
            let end = match self.is_at_end {
                true => self.rest.len(),
                false => last_end(&self.rest, self.separator),
            };
            if end > 0 {
                let rest = self.rest.split_off(end);
                let text = std::mem::replace(&mut self.rest, rest);
                let line = self.lines.ends + 1;
                self.lines.pass(&text);
                return Ok(Some(Block { text, line }));
            }
            if self.is_at_end {
                return Ok(None);
            }
            if self.rest.len() > LONGEST_LINE {
                return Err(too_long(self.lines.ends + 1, &self.rest));
            }
            size = 2 * self.rest.len();
        }
    }
}

/// The end of the last record that is whole, or 0. Line ends in quoted fields end no record.
fn last_end(text: &[u8], separator: u8) -> usize {
    // The second half of a \r\n may be missing.
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    let (mut at, mut end) = (0, 0);
    loop {
        let quote = memchr::memchr(b'"', &text[at..]).map(|found| at + found);
        let plain = &text[at..quote.unwrap_or(text.len())];
        if let Some(found) = memchr::memrchr2(b'\n', b'\r', plain) {
            end = at + found + 1;
        }
        let Some(quote) = quote else { return end };
        at = quote + 1;
        // A mark opens a field where one begins; elsewhere it is a letter.
        let before = text[..quote].iter().rposition(|&byte| byte != b' ').map(|at| text[at]);
        if !before.is_none_or(|byte| byte == separator || byte == b'\n' || byte == b'\r') {
            continue;
        }
        loop {
            let Some(found) = memchr::memchr(b'"', &text[at..]) else { return end };
            at += found + 1;
            match text.get(at) {
                Some(b'"') => at += 1,
                // Whether it is the first of two marks is not known.
                None => return end,
                Some(_) => break,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(text: &str, size: usize) -> Vec<(u64, String)> {
        let mut blocks = Blocks::new(Text::open(text.as_bytes(), None).unwrap(), b',');
        let mut all = Vec::new();
        while let Some(Block { text, line }) = blocks.next(size).unwrap() {
            all.push((line, String::from_utf8(text).unwrap()));
        }
        all
    }

    #[test]
    fn records_stay_whole() {
        let ends = |text: &str| last_end(text.as_bytes(), b',');
        for (text, end) in [
            ("a,b\nc", 4),
            ("a,b", 0),
            ("a\r", 0),
            ("a\r\nb\r", 3),
            ("a\rb", 2),
            ("a,\"b\nc\"\nd", 8),
            ("a,\"b\nc", 0),
            ("1\na,  \"b\nc", 2),
            ("a,\"b\"\"\nc\"\nd", 10),
            ("x\na,\"b\"", 2),
            ("a\"\nb\"\n", 6),
        ] {
            assert_eq!(ends(text), end, "{text:?}");
        }
    }

    #[test]
    fn blocks_follow_each_other_with_their_lines() {
        let record = "1,\"a\nb\"\r\n";
        let text = record.repeat(40_000);
        let found = blocks(&text, 1);
        assert!(found.len() > 4);
        let mut lines = 1;
        for (line, text) in &found {
            assert_eq!(*line, lines);
            assert!(text.ends_with("\r\n"));
            lines += 2 * (text.len() / record.len()) as u64;
        }
        assert_eq!(found.iter().map(|it| it.1.len()).sum::<usize>(), text.len());
        assert_eq!(blocks("a\nb", 1), [(1, "a\n".to_owned()), (2, "b".to_owned())]);
        assert!(blocks("", 1).is_empty());
    }
}
