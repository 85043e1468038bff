//! Decodes the bytes of a table to UTF-8, chunk by chunk.
//!
//! A byte order mark decides, then the caller, then the bytes themselves: text that is not UTF-8 is read as
//! Windows-1252 with a warning. Nothing is ever replaced: undecodable bytes are an error.

use std::io::{self, Read};

use gradus_core::files::magic;

use crate::error::Result;
use crate::{bytes, invalid};

/// Bytes decoded at a time.
pub(super) const PIECE: usize = 1 << 16;

/// A character encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8.
    Utf8,
    /// UTF-16, little-endian.
    Utf16Le,
    /// UTF-16, big-endian.
    Utf16Be,
    /// Windows-1252, which has all letters of Latin-1 (ISO 8859-1) in the same places.
    Windows1252,
}

impl Encoding {
    /// All encodings.
    pub const ALL: [Encoding; 4] =
        [Encoding::Utf8, Encoding::Utf16Le, Encoding::Utf16Be, Encoding::Windows1252];

    /// The name used in options.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Utf8 => "utf-8",
            Encoding::Utf16Le => "utf-16le",
            Encoding::Utf16Be => "utf-16be",
            Encoding::Windows1252 => "windows-1252",
        }
    }

    /// The encoding of this name; `latin-1` and other usual names are understood, in any case.
    pub fn from_name(name: &str) -> Option<Encoding> {
        let name = name.to_ascii_lowercase().replace(['_', ' '], "-");
        Some(match name.as_str() {
            "utf-8" | "utf8" | "utf-8-sig" => Encoding::Utf8,
            "utf-16le" | "utf-16-le" | "utf-16" | "utf16" => Encoding::Utf16Le,
            "utf-16be" | "utf-16-be" => Encoding::Utf16Be,
            "windows-1252" | "cp1252" | "latin-1" | "latin1" | "iso-8859-1" => {
                Encoding::Windows1252
            }
            _ => return None,
        })
    }

    /// The bytes of a text; `None` if it has a letter that cannot be written.
    pub fn encode(self, text: &str) -> Option<Vec<u8>> {
        let units = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect();
        match self {
            Encoding::Utf8 => Some(text.as_bytes().to_vec()),
            Encoding::Utf16Le => Some(units(u16::to_le_bytes)),
            Encoding::Utf16Be => Some(units(u16::to_be_bytes)),
            Encoding::Windows1252 => text.chars().map(windows_byte).collect(),
        }
    }

    /// The encoding that the byte order mark names, and the mark's length.
    fn of_mark(start: &[u8]) -> Option<(Encoding, usize)> {
        match start {
            [0xef, 0xbb, 0xbf, ..] => Some((Encoding::Utf8, 3)),
            [0xff, 0xfe, ..] => Some((Encoding::Utf16Le, 2)),
            [0xfe, 0xff, ..] => Some((Encoding::Utf16Be, 2)),
            _ => None,
        }
    }
}

/// How the text of a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextForm {
    /// How letters are written as bytes.
    pub encoding: Encoding,
    /// What is between the fields of a line.
    pub separator: u8,
    /// Whether numbers have a decimal comma.
    pub decimal_comma: bool,
}

impl Default for TextForm {
    /// UTF-8, commas and a decimal point.
    fn default() -> Self {
        TextForm { encoding: Encoding::Utf8, separator: b',', decimal_comma: false }
    }
}

impl TextForm {
    /// This form, or UTF-8 if its encoding lacks a letter of one of these texts; then with a warning.
    pub fn for_texts<'a>(
        self,
        texts: impl IntoIterator<Item = &'a str>,
    ) -> (TextForm, Option<String>) {
        let lost = texts.into_iter().find(|text| self.encoding.encode(text).is_none());
        let warning = lost.map(|text| {
            format!(
                "{} has no letters for {text:?}: the predictions are written as UTF-8",
                self.encoding.name()
            )
        });
        match warning {
            Some(_) => (TextForm { encoding: Encoding::Utf8, ..self }, warning),
            None => (self, None),
        }
    }
}

/// Text that is read chunk by chunk.
pub(super) struct Text<R> {
    source: R,
    encoding: Encoding,
    /// Whether it begins with a byte order mark.
    pub(super) is_marked: bool,
    /// Whether bytes that are not UTF-8 may show that the text is Windows-1252.
    is_guess: bool,
    /// Bytes of an incomplete character at the end of the last chunk.
    rest: Vec<u8>,
    decoded: Vec<u8>,
    /// How much of `decoded` has been consumed.
    at: usize,
    is_at_end: bool,
    /// Line breaks before `decoded`, and whether it follows a carriage return.
    lines: Lines,
    pub(super) warnings: Vec<String>,
}

/// Counts lines: they end in `\n`, `\r\n` or `\r`.
#[derive(Clone, Copy, Default)]
pub(super) struct Lines {
    pub(super) ends: u64,
    after_return: bool,
}

impl Lines {
    pub(super) fn pass(&mut self, text: &[u8]) {
        let Some(&last) = text.last() else { return };
        // The second half of a \r\n that began before.
        let split = u64::from(self.after_return && text[0] == b'\n');
        self.ends += lines_of(text) - split;
        self.after_return = last == b'\r';
    }
}

/// The line ends in a text; a `\r\n` is one.
pub(super) fn lines_of(text: &[u8]) -> u64 {
    let feeds = memchr::memchr_iter(b'\n', text).count();
    let lone = memchr::memchr_iter(b'\r', text).filter(|&at| text.get(at + 1) != Some(&b'\n'));
    (feeds + lone.count()) as u64
}

impl<R: Read> Text<R> {
    pub(super) fn open(mut source: R, wanted: Option<Encoding>) -> Result<Text<R>> {
        let mut rest = vec![0; PIECE];
        let found = bytes::read_whole(&mut source, &mut rest).map_err(unreadable)?;
        rest.truncate(found);
        let mark = Encoding::of_mark(&rest);
        let encoding = match (mark, wanted) {
            (Some((marked, _)), Some(wanted)) if marked != wanted => {
                return Err(invalid(format!(
                    "its byte order mark says {}, but `encoding` is {}",
                    marked.name(),
                    wanted.name()
                )));
            }
            (Some((encoding, _)), _) | (None, Some(encoding)) => encoding,
            (None, None) => Encoding::Utf8,
        };
        check_is_text(&rest, encoding, mark.is_some())?;
        rest.drain(..mark.map_or(0, |(_, length)| length));
        let mut text = Text {
            source,
            encoding,
            is_marked: mark.is_some(),
            is_guess: mark.is_none() && wanted.is_none(),
            rest,
            decoded: Vec::new(),
            at: 0,
            is_at_end: false,
            lines: Lines::default(),
            warnings: Vec::new(),
        };
        text.decode(found < PIECE)?;
        Ok(text)
    }

    /// How letters are written as bytes, as far as that is known.
    pub(super) fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// The next text; empty at the end.
    pub(super) fn fill(&mut self) -> Result<&[u8]> {
        while self.at == self.decoded.len() && !self.is_at_end {
            let kept = self.rest.len();
            self.rest.resize(kept + PIECE, 0);
            let read = bytes::read_whole(&mut self.source, &mut self.rest[kept..]);
            let found = read.map_err(unreadable)?;
            self.rest.truncate(kept + found);
            self.decode(found < PIECE)?;
        }
        Ok(&self.decoded[self.at..])
    }

    /// Consumes the first `count` bytes that [`Self::fill`] returned.
    pub(super) fn consume(&mut self, count: usize) {
        self.at += count;
    }

    /// Whether [`Self::fill`] returns all remaining text.
    pub(super) fn is_whole(&self) -> bool {
        self.is_at_end
    }

    /// Decodes `rest` into `decoded`; an incomplete character stays in `rest`.
    fn decode(&mut self, is_at_end: bool) -> Result<()> {
        self.lines.pass(&self.decoded);
        self.decoded.clear();
        (self.at, self.is_at_end) = (0, is_at_end);
        match self.encoding {
            Encoding::Utf8 => self.decode_utf8()?,
            Encoding::Utf16Le => self.decode_utf16(u16::from_le_bytes)?,
            Encoding::Utf16Be => self.decode_utf16(u16::from_be_bytes)?,
            Encoding::Windows1252 => self.decode_windows()?,
        }
        if let Some(at) = memchr::memchr(0, &self.decoded) {
            let problem = "a NUL byte, which no text has: the file is damaged or not a table";
            return Err(self.refusal(at, problem));
        }
        Ok(())
    }

    fn decode_utf8(&mut self) -> Result<()> {
        let (valid, is_broken) = match std::str::from_utf8(&self.rest) {
            Ok(_) => (self.rest.len(), false),
            Err(error) => (error.valid_up_to(), error.error_len().is_some() || self.is_at_end),
        };
        let left = self.rest.split_off(valid);
        self.is_guess &= self.rest.is_ascii();
        self.decoded.append(&mut self.rest);
        self.rest = left;
        match is_broken {
            false => Ok(()),
            true if self.is_guess => {
                let line = self.line_at(self.decoded.len());
                self.warnings.push(format!(
                    "not UTF-8 (line {line}): read as Windows-1252 (Latin-1); if letters are wrong, \
                     choose another `encoding` or save it as UTF-8"
                ));
                self.encoding = Encoding::Windows1252;
                self.decode_windows()
            }
            true => {
                let problem = format!(
                    "the byte {:02x}, which is not UTF-8 there: save the file as UTF-8, or choose \
                     its `encoding`, such as windows-1252",
                    self.rest[0]
                );
                Err(self.refusal(self.decoded.len(), &problem))
            }
        }
    }

    fn decode_utf16(&mut self, unit: fn([u8; 2]) -> u16) -> Result<()> {
        let (pairs, odd) = self.rest.as_chunks();
        let mut units: Vec<u16> = pairs.iter().map(|&pair| unit(pair)).collect();
        let mut left = odd.to_vec();
        // An incomplete character waits for its remaining bytes.
        if units.last().is_some_and(|unit| (0xd800..0xdc00).contains(unit)) && !self.is_at_end {
            units.pop();
            left = self.rest[2 * units.len()..].to_vec();
        }
        for letter in char::decode_utf16(units) {
            let Ok(letter) = letter else {
                return Err(self.refusal(self.decoded.len(), "half a letter of UTF-16"));
            };
            self.decoded.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
        }
        if self.is_at_end && !left.is_empty() {
            return Err(self.refusal(self.decoded.len(), "half a letter of UTF-16 at its end"));
        }
        self.rest = left;
        Ok(())
    }

    fn decode_windows(&mut self) -> Result<()> {
        for byte in std::mem::take(&mut self.rest) {
            match windows_letter(byte) {
                Some(letter) if letter.is_ascii() => self.decoded.push(byte),
                Some(letter) => {
                    self.decoded.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                }
                None => {
                    let problem = format!(
                        "the byte {byte:02x}, which is neither UTF-8 nor Windows-1252: save the \
                         file as UTF-8"
                    );
                    return Err(self.refusal(self.decoded.len(), &problem));
                }
            }
        }
        Ok(())
    }

    /// The number of the line that the byte at `at` of `decoded` is in.
    fn line_at(&self, at: usize) -> u64 {
        let mut lines = self.lines;
        lines.pass(&self.decoded[..at]);
        lines.ends + 1
    }

    fn refusal(&self, at: usize, problem: &str) -> crate::error::Error {
        invalid(format!("line {} has {problem}", self.line_at(at)))
    }
}

/// The characters of the bytes 0x80 to 0x9f in Windows-1252; all other bytes equal their code point.
const WINDOWS: [char; 32] = [
    '€', '\0', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\0', 'Ž', '\0', '\0', '‘',
    '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\0', 'ž', 'Ÿ',
];

fn windows_letter(byte: u8) -> Option<char> {
    match byte {
        0x80..=0x9f => Some(WINDOWS[usize::from(byte - 0x80)]).filter(|&letter| letter != '\0'),
        _ => Some(char::from(byte)),
    }
}

/// The byte of a letter in Windows-1252.
fn windows_byte(letter: char) -> Option<u8> {
    let byte = u8::try_from(u32::from(letter)).ok();
    byte.filter(|byte| !(0x80..=0x9f).contains(byte)).or_else(|| {
        let at = WINDOWS.iter().position(|&other| other == letter && letter != '\0')?;
        Some(0x80 + at as u8)
    })
}

/// Identifies a file that is not text by its first bytes, before any of its cells causes an error.
fn check_is_text(start: &[u8], encoding: Encoding, is_marked: bool) -> Result<()> {
    if matches!(encoding, Encoding::Utf16Le | Encoding::Utf16Be) {
        return Ok(());
    }
    let controls = start.iter().filter(|byte| matches!(byte, 1..=8 | 14..=31)).count();
    let nuls = start.iter().filter(|&&byte| byte == 0).count();
    // Latin letters in UTF-16 have a zero in every other byte.
    if !is_marked
        && controls == 0
        && nuls > 0
        && (start.len() / 3..=start.len() * 2 / 3).contains(&nuls)
    {
        let encoding = if start[0] == 0 { Encoding::Utf16Be } else { Encoding::Utf16Le };
        return Err(invalid(format!(
            "this looks like UTF-16 text without a byte order mark: choose the `encoding` {}, or save \
             it as UTF-8",
            encoding.name()
        )));
    }
    if controls > 0 || nuls * 20 > start.len() || start.trim_ascii_start().starts_with(b"<") {
        let what = magic::describe(start);
        return Err(invalid(format!("not a CSV table: the file is {what}")));
    }
    Ok(())
}

fn unreadable(error: io::Error) -> crate::error::Error {
    invalid(match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            "the file is truncated: what is compressed in it ends too early; copy or download it again".to_owned()
        }
        _ => format!("the table cannot be read: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a few bytes at a time, so that characters are split.
    struct Drops<'a>(&'a [u8]);

    impl Read for Drops<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.0.len().min(buffer.len()).min(3);
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn read(bytes: &[u8], wanted: Option<Encoding>) -> Result<(String, Vec<String>)> {
        let mut text = Text::open(Drops(bytes), wanted)?;
        let mut all = Vec::new();
        loop {
            let piece = text.fill()?.to_vec();
            if piece.is_empty() {
                return Ok((String::from_utf8(all).unwrap(), text.warnings));
            }
            text.consume(piece.len());
            all.extend(piece);
        }
    }

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn every_encoding_gives_the_same_letters() {
        // Longer than a chunk, so that characters are split between chunks.
        for text in ["né,nè €😀\r\n".repeat(9000), format!("x{}", "é".repeat(70_000)), "a".into()]
        {
            let marked = format!("\u{feff}{text}");
            for (bytes, wanted) in [
                (text.clone().into_bytes(), None),
                (marked.clone().into_bytes(), None),
                (utf16(&marked, u16::to_le_bytes), None),
                (utf16(&marked, u16::to_be_bytes), None),
                (utf16(&text, u16::to_le_bytes), Some(Encoding::Utf16Le)),
            ] {
                let (found, warnings) = read(&bytes, wanted).unwrap();
                assert!(found == text && warnings.is_empty());
            }
        }
    }

    #[test]
    fn latin_1_is_recognised_with_a_warning() {
        let bytes = b"a,b\n1,n\xe9\n2,n\xe8\n3,\x80\n";
        let (text, warnings) = read(bytes, None).unwrap();
        assert_eq!(text, "a,b\n1,né\n2,nè\n3,€\n");
        assert!(warnings[0].contains("line 2") && warnings.len() == 1, "{warnings:?}");
        assert_eq!(read(bytes, Encoding::from_name("Latin-1")).unwrap(), (text, vec![]));
        // At the very end, and far after the first chunk.
        assert_eq!(read(b"ne\xe9", None).unwrap().0, "neé");
        let late = [b"a\n".repeat(PIECE), b"\xe9".to_vec()].concat();
        let (_, warnings) = read(&late, None).unwrap();
        assert!(warnings[0].contains(&format!("line {}", PIECE + 1)), "{warnings:?}");
    }

    #[test]
    fn what_is_no_text_of_one_encoding_is_refused() {
        let refused = |bytes: &[u8], wanted, words: &str| {
            let error = read(bytes, wanted).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        };
        refused(
            "é\n\u{e9}\n".as_bytes().iter().copied().chain([0xe9]).collect::<Vec<_>>().as_slice(),
            None,
            "line 3 has the byte e9, which is not UTF-8",
        );
        refused(b"\xef\xbb\xbfa\xe9", None, "not UTF-8");
        refused(b"a\xe9b", Some(Encoding::Utf8), "line 1 has the byte e9");
        refused(b"a\n\x81b", None, "line 2 has the byte 81");
        refused(b"\xff\xfea", None, "half a letter");
        refused(b"\xff\xfe\x00\xd8a\x00", None, "half a letter");
        refused(b"\xff\xfea\x00", Some(Encoding::Utf8), "byte order mark says utf-16le");
        refused(b"l\0,\0a\0\n\0", None, "`encoding` utf-16le");
        refused(b"\0l\0,\0a\0\n", None, "`encoding` utf-16be");
        refused(b"label,a\n1,2\r\n3,\x004,5,6,7,8,9,10\n", None, "line 3 has a NUL byte");
        refused(b"\x01\x02\x00", None, "not a CSV table");
        refused(b" <html>", None, "HTML");
    }

    #[test]
    fn names_are_understood() {
        for encoding in Encoding::ALL {
            assert_eq!(Encoding::from_name(encoding.name()), Some(encoding));
        }
        assert_eq!(Encoding::from_name("cp437"), None);
    }
}
