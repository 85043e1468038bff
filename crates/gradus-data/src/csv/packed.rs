//! Unpacks tables from gzip files and zip archives.

use std::io::{BufReader, Cursor, Read, Seek};

use flate2::bufread::MultiGzDecoder;
use gradus_core::files::magic::Magic;

use super::encoding::PIECE;
use crate::bytes::{self, start_of};
use crate::error::Result;
use crate::invalid;
use crate::zip::{Archive, Entry};

/// The bytes of a table, decompressed if the source is a gzip file or a zip archive with one table.
///
/// # Errors
/// `InvalidData` for an archive with another content, and for workbooks of spreadsheet programs.
pub(super) fn unpack<'a>(
    mut source: impl Read + Seek + Send + 'a,
) -> Result<Box<dyn Read + Send + 'a>> {
    let start = start_of(&mut source)?;
    match Magic::of(&start) {
        Magic::Zip => {
            let mut archive = Archive::open(source)?;
            let entry = table_in(&archive)?;
            Ok(Box::new(Cursor::new(archive.read(&entry)?)))
        }
        Magic::Gzip => Ok(Box::new(MultiGzDecoder::new(BufReader::with_capacity(PIECE, source)))),
        it @ (Magic::Parquet | Magic::Arrow | Magic::Feather | Magic::OldOffice) => {
            Err(workbook(it.name()))
        }
        _ => Ok(Box::new(source)),
    }
}

/// Whether a gzip file or a zip archive holds text, or a workbook, rather than IDX images or arrays.
pub fn is_packed_table(mut source: impl Read + Seek) -> bool {
    let Ok(start) = start_of(&mut source) else { return false };
    match Magic::of(&start) {
        Magic::Zip => Archive::open(source).is_ok_and(|archive| {
            let names = archive.entries.iter().map(|entry| entry.name.as_str());
            names.clone().any(|name| is_table(name) || workbook_of(name).is_some())
                && !names.clone().any(|name| name.ends_with(".npy"))
        }),
        Magic::Gzip => {
            let mut inside = [0; 4];
            let mut decoder = MultiGzDecoder::new(BufReader::new(source));
            let found = bytes::read_up_to(&mut decoder, &mut inside).unwrap_or(0);
            found > 0 && !matches!(inside[..found], [0, 0, ..])
        }
        _ => false,
    }
}

/// The one table in an archive.
fn table_in<R: Read + Seek>(archive: &Archive<R>) -> Result<Entry> {
    if let Some(what) = archive.entries.iter().find_map(|entry| workbook_of(&entry.name)) {
        return Err(workbook(what));
    }
    let tables: Vec<&Entry> =
        archive.entries.iter().filter(|entry| is_table(&entry.name)).collect();
    match tables[..] {
        [one] => Ok(one.clone()),
        [] => Err(invalid("the zip archive holds no table (.csv, .tsv, .txt)")),
        [first, second, ..] => Err(invalid(format!(
            "the zip archive holds several tables, such as {} and {}: unpack it and choose one",
            first.name, second.name
        ))),
    }
}

fn is_table(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let ends = [".csv", ".tsv", ".txt", ".data"].iter().any(|ending| lower.ends_with(ending));
    // macOS adds a second, binary file for each file of an archive.
    ends && !name.starts_with("__MACOSX")
}

/// What an archive with an entry of this name is, if it is a workbook.
fn workbook_of(name: &str) -> Option<&'static str> {
    match name {
        "xl/workbook.xml" | "xl/workbook.bin" => Some("an Excel workbook (.xlsx)"),
        "content.xml" => Some("an OpenDocument spreadsheet (.ods)"),
        _ => None,
    }
}

fn workbook(what: &str) -> crate::error::Error {
    invalid(format!("this is {what}, which is not read: export the table as CSV"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{gzip, zip_file};

    fn read(bytes: &[u8]) -> Result<String> {
        let mut text = String::new();
        unpack(Cursor::new(bytes))?.read_to_string(&mut text).unwrap();
        Ok(text)
    }

    #[test]
    fn packed_tables_are_unpacked() {
        let table = b"a,b\n1,2\n";
        let with_more: [(&str, &[u8]); 3] =
            [("__MACOSX/._t.csv", b"\0"), ("folder/T.CSV", table), ("readme.md", b"x")];
        for bytes in [gzip(table), zip_file(&[("t.csv", table)], true), zip_file(&with_more, false)]
        {
            assert_eq!(read(&bytes).unwrap().as_bytes(), table);
            assert!(is_packed_table(Cursor::new(&bytes)));
        }
        assert_eq!(read(table).unwrap().as_bytes(), table);
        assert!(!is_packed_table(Cursor::new(table)));
        assert!(!is_packed_table(Cursor::new(gzip(&[0, 0, 8, 1]))));
        assert!(!is_packed_table(Cursor::new(zip_file(&[("x_train.npy", b"")], false))));
    }

    #[test]
    fn workbooks_are_named() {
        let sheet = zip_file(&[("[Content_Types].xml", b""), ("xl/workbook.xml", b"")], false);
        assert!(is_packed_table(Cursor::new(&sheet)));
        for (bytes, words) in [
            (sheet, "export the table as CSV"),
            (b"\xd0\xcf\x11\xe0\xa1".to_vec(), "export the table as CSV"),
            (b"PAR1....".to_vec(), "Parquet"),
            (zip_file(&[("a.csv", b"1"), ("b.csv", b"2")], false), "a.csv and b.csv"),
            (zip_file(&[("a.png", b"1")], false), "no table"),
        ] {
            let error = read(&bytes).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
