//! The table of contents and single entries of a zip file, for `.npz` and for the archive that contains
//! EMNIST.
//!
//! Stored and deflated entries without encryption, of any size (zip64; NumPy writes arrays of 2 GiB and more so). It is written here
//! instead of using a library because every size must be checked against the size of the file before memory is allocated;
//! the file need not be in memory.

use std::collections::HashSet;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use flate2::Crc;
use flate2::bufread::DeflateDecoder;
use gradus_core::files::magic::{Magic, describe};

use super::bytes;
use super::invalid;
use crate::error::{Error, Result};
/// The end record without its comment, and the longest comment.
const END_SIZE: usize = 22;
const MAX_COMMENT: usize = u16::MAX as usize;
const CENTRAL_SIZE: usize = 46;
const LOCAL_SIZE: usize = 30;
/// What precedes the end record of an archive above 4 GiB: where its longer end record is, and that.
const LOCATOR_SIZE: usize = 20;
const LONG_END_SIZE: usize = 56;
/// The kind of an entry's extra field with its sizes in 64 bits.
const LONG_SIZES: u16 = 1;

/// Entries up to this size may expand as far as deflate can.
const FREELY_EXPANDED: u64 = 64 << 20;

/// The most that larger entries of a model expand by.
const MOST_EXPANSION: u64 = 100;

/// One file inside a zip archive.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its path inside the archive.
    pub name: String,
    /// Its size once decompressed.
    pub size: u64,
    encrypted: bool,
    method: u16,
    checksum: u32,
    compressed: u64,
    local_header: u64,
}

/// An open zip archive.
pub struct Archive<R> {
    reader: R,
    length: u64,
    /// The files inside, in the order of the table of contents.
    pub entries: Vec<Entry>,
}

impl<R: Read + Seek> Archive<R> {
    /// Reads the table of contents.
    ///
    /// # Errors
    /// `InvalidData` if this is not a zip file, or if it is damaged.
    pub fn open(mut reader: R) -> Result<Self> {
        let length = reader.seek(SeekFrom::End(0)).map_err(unreadable)?;
        let end = find_end(&mut reader, length)?;
        let Table { count, size, start } = match Table::of_short_end(&end) {
            short if short.is_full() => {
                long_end(&mut reader, length - end.len() as u64)?.unwrap_or(short)
            }
            short => short,
        };
        if start.checked_add(size).is_none_or(|end| end > length) {
            return Err(damaged("its table of contents lies outside the file"));
        }
        let mut table = vec![0; size as usize];
        reader.seek(SeekFrom::Start(start)).map_err(unreadable)?;
        reader.read_exact(&mut table).map_err(unreadable)?;
        let entries = parse_table(&table, count)?;
        check_distinct(&entries, length)?;
        Ok(Archive { reader, length, entries })
    }

    /// Checks that no entry is packed as tightly as trained weights never are.
    ///
    /// # Errors
    /// `InvalidData` for an entry above 64 MiB that is packed more than 100 to 1.
    pub fn check_expansion(&self) -> Result<()> {
        let is_bomb = |entry: &&Entry| {
            entry.size > FREELY_EXPANDED && entry.size / MOST_EXPANSION > entry.compressed
        };
        match self.entries.iter().find(is_bomb) {
            None => Ok(()),
            Some(Entry { name, size, compressed, .. }) => Err(invalid(format!(
                "{name} in the archive expands from {compressed} to {size} bytes, which no trained \
                 weights do; at most {MOST_EXPANSION} to 1 is read"
            ))),
        }
    }

    /// The entry of that name.
    pub fn find(&self, name: &str) -> Option<Entry> {
        self.entries.iter().find(|entry| entry.name == name).cloned()
    }

    /// The decompressed content of `entry`, with its checksum verified.
    pub fn read(&mut self, entry: &Entry) -> Result<Vec<u8>> {
        self.content(entry).map_err(|error| error.context(format!("{} in the archive", entry.name)))
    }

    /// The first bytes of the decompressed content of `entry`, at most `most`, without a check of the rest.
    pub(crate) fn start(&mut self, entry: &Entry, most: usize) -> Result<Vec<u8>> {
        let mut start = vec![0; most.min(usize::try_from(entry.size).unwrap_or(most))];
        let found =
            bytes::read_up_to(&mut self.reader_of(entry)?, &mut start).map_err(unreadable)?;
        start.truncate(found);
        Ok(start)
    }

    /// The decompressed content of `entry`, to be read piece by piece. Its size and its checksum are verified at its end.
    ///
    /// # Errors
    /// As [`Archive::read`].
    pub(crate) fn into_reader(mut self, entry: &Entry) -> Result<EntryReader>
    where
        R: Send + 'static,
    {
        let start = self.place(entry)?;
        self.reader.seek(SeekFrom::Start(start)).map_err(unreadable)?;
        let raw = BufReader::with_capacity(1 << 16, self.reader.take(entry.compressed));
        let reader: Box<dyn Read + Send> = match entry.method {
            0 => Box::new(raw),
            8 => Box::new(DeflateDecoder::new(raw)),
            other => return Err(unknown_method(other)),
        };
        let (left, checksum) = (entry.size, entry.checksum);
        Ok(EntryReader { reader, left, checksum, found: Crc::new() })
    }

    fn content(&mut self, entry: &Entry) -> Result<Vec<u8>> {
        read_exactly(self.reader_of(entry)?, entry)
    }

    /// The decompressed content of `entry`, whose sizes are possible.
    fn reader_of<'a>(&'a mut self, entry: &Entry) -> Result<Box<dyn Read + 'a>> {
        let start = self.place(entry)?;
        self.reader.seek(SeekFrom::Start(start)).map_err(unreadable)?;
        let raw = BufReader::new((&mut self.reader).take(entry.compressed));
        match entry.method {
            0 => Ok(Box::new(raw)),
            8 => Ok(Box::new(DeflateDecoder::new(raw))),
            other => Err(unknown_method(other)),
        }
    }

    /// Where the content of the entry begins; all of it is within the file.
    fn place(&mut self, entry: &Entry) -> Result<u64> {
        if entry.encrypted {
            return Err(invalid("the entry is encrypted; unpack the archive first"));
        }
        let mut header = [0; LOCAL_SIZE];
        self.reader.seek(SeekFrom::Start(entry.local_header)).map_err(unreadable)?;
        self.reader.read_exact(&mut header).map_err(unreadable)?;
        if !header.starts_with(b"PK\x03\x04") {
            return Err(damaged("an entry does not begin where the table of contents says"));
        }
        let names = u64::from(u16_at(&header, 26)) + u64::from(u16_at(&header, 28));
        let start = entry.local_header + LOCAL_SIZE as u64 + names;
        let most = match entry.method {
            0 => entry.compressed,
            _ => bytes::most_inflated(entry.compressed),
        };
        let is_inside = start.checked_add(entry.compressed).is_some_and(|end| end <= self.length);
        if !is_inside || entry.size > most {
            return Err(damaged("an entry promises more bytes than the file can hold"));
        }
        Ok(start)
    }
}

fn unknown_method(method: u16) -> Error {
    invalid(format!(
        "compression method {method} is not supported: pack the archive again with deflate"
    ))
}

/// The content of an entry, read from its beginning to its end.
pub(crate) struct EntryReader {
    reader: Box<dyn Read + Send>,
    /// Bytes that should follow.
    left: u64,
    checksum: u32,
    found: Crc,
}

impl Read for EntryReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wrong = |problem| io::Error::new(io::ErrorKind::InvalidData, problem);
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let count = self.reader.read(&mut buffer[..most])?;
        self.found.update(&buffer[..count]);
        self.left -= count as u64;
        if count == 0 && most > 0 {
            return Err(wrong("the entry ends too early"));
        }
        if self.left == 0 && count > 0 {
            if !bytes::at_end(&mut self.reader)? {
                return Err(wrong("the entry is longer than the table of contents says"));
            }
            if self.found.sum() != self.checksum {
                return Err(wrong("the entry fails its checksum"));
            }
        }
        Ok(count)
    }
}

impl<'a> Archive<io::Cursor<&'a [u8]>> {
    /// The content of an entry that is not compressed, as a part of the archive in memory, with its checksum
    /// verified.
    ///
    /// # Errors
    /// As [`Archive::read`]; `InvalidData` if the entry is compressed.
    pub fn stored(&mut self, entry: &Entry) -> Result<&'a [u8]> {
        let content = self.stored_content(entry);
        content.map_err(|error| error.context(format!("{} in the archive", entry.name)))
    }

    fn stored_content(&mut self, entry: &Entry) -> Result<&'a [u8]> {
        let start = self.place(entry)? as usize;
        if entry.method != 0 {
            return Err(invalid(
                "the entry is compressed: pack the archive again without compression",
            ));
        }
        if entry.size != entry.compressed {
            return Err(damaged("the size of an entry differs from that in the table of contents"));
        }
        let file: &'a [u8] = self.reader.get_ref();
        let content = file.get(start..start + entry.size as usize);
        let content = content.ok_or_else(|| damaged("it ends too early"))?;
        check(content, entry)?;
        Ok(content)
    }
}

fn read_exactly(mut reader: impl Read, entry: &Entry) -> Result<Vec<u8>> {
    let size = usize::try_from(entry.size).map_err(|_| damaged("an entry is too large"))?;
    let mut content = vec![0; size];
    let found = bytes::read_up_to(&mut reader, &mut content).map_err(unreadable)?;
    if found < size || !bytes::at_end(&mut reader).map_err(unreadable)? {
        return Err(damaged("the size of an entry differs from that in the table of contents"));
    }
    check(&content, entry)?;
    Ok(content)
}

/// Checks that the content has the checksum of the table of contents.
fn check(content: &[u8], entry: &Entry) -> Result<()> {
    let mut checksum = Crc::new();
    checksum.update(content);
    match checksum.sum() == entry.checksum {
        true => Ok(()),
        false => Err(damaged("an entry fails its checksum")),
    }
}

/// The end record: the last one whose comment reaches exactly to the end of the file.
fn find_end(reader: &mut (impl Read + Seek), length: u64) -> Result<Vec<u8>> {
    let tail_size = length.min((END_SIZE + MAX_COMMENT) as u64);
    let mut tail = vec![0; tail_size as usize];
    reader.seek(SeekFrom::Start(length - tail_size)).map_err(unreadable)?;
    reader.read_exact(&mut tail).map_err(unreadable)?;
    let is_end = |at: &usize| {
        tail[*at..].starts_with(b"PK\x05\x06")
            && *at + END_SIZE + usize::from(u16_at(&tail[*at..], 20)) == tail.len()
    };
    let last = tail.len().saturating_sub(END_SIZE);
    if tail.len() >= END_SIZE
        && let Some(at) = (0..=last).rev().find(is_end)
    {
        return Ok(tail.split_off(at));
    }
    let mut start = [0; 64];
    reader.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    let found = bytes::read_up_to(reader, &mut start).map_err(unreadable)?;
    Err(invalid(match Magic::of(&start[..found]) {
        Magic::Zip => {
            "the zip archive is truncated: its table of contents is missing; copy or download \
                 it again"
                .to_owned()
        }
        _ => format!("not a zip archive: the file is {}", describe(&start[..found])),
    }))
}

/// Where the table of contents is.
struct Table {
    /// Entries in it.
    count: u64,
    /// Bytes of it.
    size: u64,
    start: u64,
}

impl Table {
    fn of_short_end(end: &[u8]) -> Table {
        let [size, start] = [12, 16].map(|at| u64::from(u32_at(end, at)));
        Table { count: u16_at(end, 10).into(), size, start }
    }

    /// Whether a number has its largest value, which stands for one that does not fit.
    fn is_full(&self) -> bool {
        let most = u64::from(u32::MAX);
        self.count == u64::from(u16::MAX) || self.size == most || self.start == most
    }
}

/// The table of contents by the longer end record, if there is one before the end record at `end`.
fn long_end(reader: &mut (impl Read + Seek), end: u64) -> Result<Option<Table>> {
    let Some(locator) = end.checked_sub(LOCATOR_SIZE as u64) else { return Ok(None) };
    let mut found = [0; LOCATOR_SIZE];
    reader.seek(SeekFrom::Start(locator)).map_err(unreadable)?;
    reader.read_exact(&mut found).map_err(unreadable)?;
    if !found.starts_with(b"PK\x06\x07") {
        return Ok(None);
    }
    let mut long = [0; LONG_END_SIZE];
    reader.seek(SeekFrom::Start(u64_at(&found, 8))).map_err(unreadable)?;
    reader.read_exact(&mut long).map_err(unreadable)?;
    if !long.starts_with(b"PK\x06\x06") {
        return Err(damaged("the end of its table of contents is not where it is said to be"));
    }
    let [count, size, start] = [32, 40, 48].map(|at| u64_at(&long, at));
    Ok(Some(Table { count, size, start }))
}

/// The numbers of 64 bits among an entry's extra fields.
fn long_sizes(mut extra: &[u8]) -> &[u8] {
    while extra.len() >= 4 {
        let (kind, length) = (u16_at(extra, 0), usize::from(u16_at(extra, 2)));
        let (field, rest) = extra[4..].split_at(length.min(extra.len() - 4));
        if kind == LONG_SIZES {
            return field;
        }
        extra = rest;
    }
    &[]
}

fn parse_table(mut table: &[u8], count: u64) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for _ in 0..count {
        let Some((header, rest)) = table.split_at_checked(CENTRAL_SIZE) else {
            return Err(damaged("its table of contents ends too early"));
        };
        let [name, extra, comment] = [28, 30, 32].map(|at| usize::from(u16_at(header, at)));
        if !header.starts_with(b"PK\x01\x02") || rest.len() < name + extra + comment {
            return Err(damaged("its table of contents is invalid"));
        }
        let mut longer = long_sizes(&rest[name..name + extra]);
        // Those that do not fit into 32 bits follow in this order.
        let mut number = |at: usize| match u32_at(header, at) {
            u32::MAX if longer.len() >= 8 => {
                let number = u64_at(longer, 0);
                longer = &longer[8..];
                number
            }
            short => short.into(),
        };
        let [size, compressed, local_header] = [24, 20, 42].map(&mut number);
        entries.push(Entry {
            name: String::from_utf8_lossy(&rest[..name]).into_owned(),
            encrypted: u16_at(header, 8) & 1 == 1,
            method: u16_at(header, 10),
            checksum: u32_at(header, 16),
            compressed,
            size,
            local_header,
        });
        table = &rest[name + extra + comment..];
    }
    Ok(entries)
}

/// Checks that no two entries have one name or the same bytes: an archive of overlapping entries expands much
/// further than one entry can.
fn check_distinct(entries: &[Entry], length: u64) -> Result<()> {
    let stored = entries.iter().map(|entry| entry.compressed.saturating_add(LOCAL_SIZE as u64));
    if stored.fold(0, u64::saturating_add) > length {
        return Err(damaged("its entries are more than the file can hold"));
    }
    let mut names = HashSet::new();
    match entries.iter().find(|entry| !names.insert(&entry.name)) {
        None => Ok(()),
        Some(entry) => Err(damaged(&format!("two of its entries are called {}", entry.name))),
    }
}

fn damaged(problem: &str) -> Error {
    invalid(format!("the zip archive is damaged: {problem}"))
}

fn unreadable(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => damaged("it ends too early"),
        _ => invalid(format!("the zip archive cannot be read: {error}")),
    }
}

/// The little-endian number at `at`; the callers have checked the length.
fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::zip_file;
    use proptest::prelude::*;
    use std::io::Cursor;

    fn read_all(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>> {
        let mut archive = Archive::open(Cursor::new(bytes))?;
        let entries = archive.entries.clone();
        entries.into_iter().map(|entry| Ok((entry.name.clone(), archive.read(&entry)?))).collect()
    }

    fn message(bytes: &[u8]) -> String {
        read_all(bytes).unwrap_err().to_string()
    }

    #[test]
    fn entries_with_one_name_or_the_same_bytes_are_refused() {
        let archive = zip_file(&[("a", b"alpha"), ("b", b"beta")], false);
        let second = archive.len() - 22 - 47;
        let mut same_name = archive.clone();
        same_name[second + 46] = b'a';
        assert!(message(&same_name).contains("two of its entries are called a"));
        // The second entry claims to begin where the first does, and to be as long as both.
        let mut overlapping = archive;
        overlapping[second + 20] = 200;
        assert!(message(&overlapping).contains("more than the file can hold"));
    }

    #[test]
    fn a_model_does_not_expand_further_than_weights_do() {
        let zeros = vec![0; 65 << 20];
        let archive = |entry: &[u8]| {
            Archive::open(Cursor::new(zip_file(&[("w1.npy", entry)], true))).unwrap()
        };
        let error = archive(&zeros).check_expansion().unwrap_err().to_string();
        assert!(error.contains("w1.npy in the archive expands from"), "{error}");
        assert!(archive(&zeros[..60 << 20]).check_expansion().is_ok());
    }

    #[test]
    fn stored_and_deflated_entries() {
        let entries: [(&str, &[u8]); 3] = [("a", b"alpha"), ("b/c", &[7; 5000]), ("empty", b"")];
        for deflate in [false, true] {
            let read = read_all(&zip_file(&entries, deflate)).unwrap();
            let read: Vec<_> =
                read.iter().map(|(name, bytes)| (name.as_str(), &bytes[..])).collect();
            assert_eq!(read, entries);
        }
        let commented = [&zip_file(&entries, true)[..], b"comment"].concat();
        assert!(message(&commented).contains("truncated"), "a comment must be announced");
        let mut announced = commented;
        let at = announced.len() - 9;
        announced[at] = 7;
        assert_eq!(read_all(&announced).unwrap().len(), 3);
    }

    /// The archive with its numbers in 64 bits, as an archive above 4 GiB has them.
    fn long(archive: &[u8]) -> Vec<u8> {
        let (rest, end) = archive.split_at(archive.len() - END_SIZE);
        let (size, start) = (u32_at(end, 12), u32_at(end, 16) as usize);
        let (content, mut old) = rest.split_at(start);
        let mut table = Vec::new();
        while !old.is_empty() {
            let mut header = old[..CENTRAL_SIZE].to_vec();
            let name = usize::from(u16_at(&header, 28));
            let numbers = [24, 20, 42].map(|at| u64::from(u32_at(&header, at)).to_le_bytes());
            for at in [20, 24, 42] {
                header[at..at + 4].fill(0xFF);
            }
            // Another extra field precedes that of the sizes.
            let extra = [&[9, 9, 1, 0, 7, 1, 0, 24, 0], numbers.as_flattened()].concat();
            header[30] = extra.len() as u8;
            table.extend([&header, &old[CENTRAL_SIZE..][..name], &extra].concat());
            old = &old[CENTRAL_SIZE + name..];
        }
        assert!(table.len() > size as usize);
        let mut long_end = [&b"PK\x06\x06"[..], &[0; 28]].concat();
        long_end.extend(u64::from(u16_at(end, 10)).to_le_bytes());
        long_end.extend((table.len() as u64).to_le_bytes());
        long_end.extend((start as u64).to_le_bytes());
        let place = ((start + table.len()) as u64).to_le_bytes();
        let locator = [b"PK\x06\x07\0\0\0\0", &place[..], &[1, 0, 0, 0]].concat();
        let end = [&end[..8], &[0xFF; 12], &[0, 0]].concat();
        [content, &table, &long_end, &locator, &end].concat()
    }

    #[test]
    fn numbers_in_64_bits() {
        let entries: [(&str, &[u8]); 2] = [("a", b"alpha"), ("b/c", &[7; 5000])];
        for deflate in [false, true] {
            let short = zip_file(&entries, deflate);
            assert_eq!(read_all(&long(&short)).unwrap(), read_all(&short).unwrap());
        }
        let archive = long(&zip_file(&entries, false));
        let locator = archive.len() - END_SIZE - LOCATOR_SIZE;
        let mut changed = archive.clone();
        changed[locator + 8] ^= 1;
        assert!(message(&changed).contains("not where it is said to be"));
        changed = archive.clone();
        changed[locator + 15] = 0xFF;
        assert!(read_all(&changed).is_err());
        changed = archive.clone();
        changed[locator] = 0;
        assert!(message(&changed).contains("lies outside the file"));
        // A size that no file has.
        let size = locator - LONG_END_SIZE - 24;
        changed = archive;
        changed[size..size + 16].fill(0xFF);
        assert!(message(&changed).contains("more than the file can hold"));
    }

    #[test]
    fn damage_is_named() {
        let archive = zip_file(&[("a", b"alpha")], false);
        for end in 4..archive.len() {
            assert!(message(&archive[..end]).contains("truncated"), "{}", message(&archive[..end]));
        }
        let changed = |at: usize, byte: u8| {
            let mut changed = archive.clone();
            changed[at] = byte;
            message(&changed)
        };
        assert!(changed(31, b'X').contains("fails its checksum"));
        assert!(changed(0, b'X').contains("does not begin"));
        let table = 36;
        assert!(changed(table + 8, 1).contains("encrypted"));
        assert!(changed(table + 10, 12).contains("method 12"));
        assert!(changed(table + 24, 6).contains("more bytes than the file can hold"));
        assert!(changed(table + 24, 4).contains("the size of an entry differs"));
        assert!(changed(table + 42, 99).contains("too early"));
        assert!(message(b"<html>").contains("not a zip archive"));
        assert!(message(b"").contains("empty"));
    }

    #[test]
    fn a_bomb_is_refused_before_it_is_unpacked() {
        let mut archive = zip_file(&[("bomb", &[0; 100_000])], true);
        let table = archive.len() - 22 - 46 - 4;
        archive[table + 24..table + 28].copy_from_slice(&[255, 255, 255, 255]);
        assert!(message(&archive).contains("more bytes than the file can hold"));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_all(&bytes);
            let _ = read_all(&[&bytes[..], b"PK\x05\x06\0\0\0\0\x01\0\x01\0\x40\0\0\0\x04\0\0\0\0\0"].concat());
        }

        #[test]
        fn damaged_archives_never_panic(at in any::<prop::sample::Index>(), byte in any::<u8>(), deflate in any::<bool>()) {
            let mut archive = zip_file(&[("one", &[1, 2, 3]), ("two", &[0; 50])], deflate);
            let at = at.index(archive.len());
            archive[at] = byte;
            let _ = read_all(&archive);
            let mut archive = long(&zip_file(&[("one", &[1, 2, 3]), ("two", &[0; 50])], deflate));
            let at = at % archive.len();
            archive[at] = byte;
            let _ = read_all(&archive);
        }
    }
}
