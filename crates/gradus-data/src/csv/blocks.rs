//! Divides the text of a table into blocks of whole records: text in, blocks out, which can be read side by side, some of them
//! before they are needed.

use std::collections::VecDeque;
use std::io::Read;

use super::encoding::{Encoding, Lines, Text};
use super::records::{Block, LONGEST_LINE, too_long};
use crate::error::{Error, Result};

/// The blocks of a text.
pub(super) struct Blocks<R> {
    text: Text<R>,
    separator: u8,
    /// Text behind the last block.
    rest: Vec<u8>,
    lines: Lines,
    /// Whether `rest` is the end of the text.
    is_at_end: bool,
    /// Blocks that have been read ahead, ...
    ahead: VecDeque<Block>,
    /// ... and what is wrong with the text behind them.
    failed: Option<Error>,
}

impl<R: Read> Blocks<R> {
    pub(super) fn new(text: Text<R>, separator: u8) -> Blocks<R> {
        let (rest, lines, ahead) = (Vec::new(), Lines::default(), VecDeque::new());
        Blocks { text, separator, rest, lines, is_at_end: false, ahead, failed: None }
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
        match (self.ahead.pop_front(), self.failed.take()) {
            (Some(block), failed) => {
                self.failed = failed;
                Ok(Some(block))
            }
            (None, Some(error)) => Err(error),
            (None, None) => self.read(size),
        }
    }

    /// The next blocks, at most so many; none at the end.
    ///
    /// # Errors
    /// As [`Self::next`], once the blocks in front of the error have been taken.
    pub(super) fn take(&mut self, size: usize, most: usize) -> Result<Vec<Block>> {
        self.read_ahead(size, most);
        match self.failed.take_if(|_| self.ahead.is_empty()) {
            Some(error) => Err(error),
            None => Ok(self.ahead.drain(..most.min(self.ahead.len())).collect()),
        }
    }

    /// Reads blocks, until there are so many that have not been taken. What is wrong with the text is told when it is reached.
    pub(super) fn read_ahead(&mut self, size: usize, count: usize) {
        while self.ahead.len() < count && self.failed.is_none() {
            match self.read(size) {
                Ok(Some(block)) => self.ahead.push_back(block),
                Ok(None) => break,
                Err(error) => self.failed = Some(error),
            }
        }
    }

    fn read(&mut self, size: usize) -> Result<Option<Block>> {
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
    fn blocks_are_read_ahead_and_errors_come_in_their_place() {
        let mut text = "1,a\n".repeat(200_000).into_bytes();
        let end = text.len();
        text.extend_from_slice(b"1,\xff\n");
        let open = || Text::open(&text[..], Some(Encoding::Utf8)).unwrap();
        let mut blocks = Blocks::new(open(), b',');
        let mut found = 0;
        let error = loop {
            blocks.read_ahead(1, 3);
            match blocks.take(1, 2) {
                Ok(some) => {
                    assert!((1..=2).contains(&some.len()));
                    found += some.iter().map(|block| block.text.len()).sum::<usize>();
                }
                Err(error) => break error,
            }
        };
        assert!(found > end / 2 && found <= end, "{found}");
        assert!(error.to_string().contains("line 200001"), "{error}");
        let mut blocks = Blocks::new(Text::open(&b"1\n2\n"[..], None).unwrap(), b',');
        blocks.read_ahead(1, 1);
        assert_eq!(blocks.next(1).unwrap().unwrap().text, b"1\n2\n");
        assert!(blocks.take(1, 3).unwrap().is_empty() && blocks.next(1).unwrap().is_none());
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
