//! Tables with further columns: a table and cells for each of its rows in, the table as it is with the cells behind
//! each row out. And tables of cells alone.

use std::io::{Cursor, Read};

use super::columns::{Column, columns_of_text};
use super::encoding::TextForm;
#[cfg(feature = "parquet")]
use super::exact::{StoredText, columns_of};
use super::options::TableOptions;
use super::packed::unpack;
use super::records::Record;
#[cfg(feature = "parquet")]
use super::stored::StoredTable;
use super::table::Table;
use crate::error::Result;

/// A cell to write.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// Quoted where that is necessary.
    Text(&'a str),
    /// With the fewest digits that single precision needs.
    Number(f32),
    /// A whole number.
    Count(usize),
}

/// Makes the lines of a table.
#[derive(Debug, Clone, Copy)]
pub struct Writer {
    line_end: &'static str,
    form: TextForm,
}

impl Writer {
    /// For a new table of this form.
    pub fn new(form: TextForm) -> Writer {
        Writer { line_end: "\n", form }
    }

    /// The bytes of a line with these cells.
    pub fn line<'a>(&self, cells: impl IntoIterator<Item = Cell<'a>>) -> Vec<u8> {
        self.line_after(None, cells)
    }

    /// The bytes of a line that begins with `text`, if there is any.
    fn line_after<'a>(
        &self,
        text: Option<&str>,
        cells: impl IntoIterator<Item = Cell<'a>>,
    ) -> Vec<u8> {
        let mut line = text.map(str::to_owned);
        for cell in cells {
            match &mut line {
                Some(line) => line.push(char::from(self.form.separator)),
                None => line = Some(String::new()),
            }
            self.push(line.get_or_insert_default(), cell);
        }
        self.bytes(&(line.unwrap_or_default() + self.line_end))
    }

    fn push(&self, line: &mut String, cell: Cell) {
        match cell {
            Cell::Count(count) => *line += &count.to_string(),
            Cell::Number(number) => {
                let text = number_text(number);
                *line += &if self.form.decimal_comma { text.replace('.', ",") } else { text };
            }
            Cell::Text(text) => {
                let is_special = |c: char| {
                    matches!(c, '"' | '\n' | '\r') || c == char::from(self.form.separator)
                };
                // A space at an end, or # at the beginning of a line, would be lost.
                let is_trimmed = text.trim() != text || text.starts_with('#');
                match is_trimmed || text.contains(is_special) {
                    true => *line += &format!("\"{}\"", text.replace('"', "\"\"")),
                    false => *line += text,
                }
            }
        }
    }

    fn bytes(&self, text: &str) -> Vec<u8> {
        // `TextForm::for_texts` has seen to it that there are letters for everything.
        self.form.encoding.encode(text).unwrap_or_else(|| text.as_bytes().to_vec())
    }
}

/// A number with the fewest digits that tell it apart in single precision.
fn number_text(number: f32) -> String {
    let size = number.abs();
    match size == 0.0 || (1e-5..1e16).contains(&size) {
        true => number.to_string(),
        false => format!("{number:e}"),
    }
}

/// Writes a table again, each line as it is with further cells behind it: the header has the `names`, which
/// get a number where the table has a column of that name, and row `i` the cells that `cells` gives for it.
/// Blank lines and comments are left out. Returns the names, and whether the table has a header, without which they are
/// not written.
///
/// `form` is that of the whole text, as [`super::samples_of_text`] found it, or one that is wanted instead;
/// the bytes go to `write` piece by piece.
///
/// # Errors
/// As [`super::parse_samples`], and those of `write`.
pub fn extend<'a, C: IntoIterator<Item = Cell<'a>>>(
    bytes: &[u8],
    options: &TableOptions,
    form: TextForm,
    names: &[String],
    mut cells: impl FnMut(usize) -> C,
    write: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<(Vec<String>, bool)> {
    let (source, header) = text_of(bytes)?;
    let options = &TableOptions { header: header.or(options.header), ..*options };
    let mut table = Table::open_as(source, options, true)?;
    let writer = Writer { line_end: table.line_end(), form };
    if table.is_marked {
        write(&writer.bytes("\u{feff}"))?;
    }
    if !table.separator_line.is_empty() {
        let line = String::from_utf8_lossy(&table.separator_line);
        write(&writer.bytes(&(line.into_owned() + writer.line_end)))?;
    }
    let names = free_names(names, table.head.header.as_deref().unwrap_or_default());
    if let Some(header) = table.header_source() {
        let header = String::from_utf8_lossy(header);
        write(&writer.line_after(Some(&header), names.iter().map(|name| Cell::Text(name))))?;
    }
    let (mut row, mut index) = (Record::default(), 0);
    while let Some(line) = table.next_line(&mut row)? {
        let line = String::from_utf8_lossy(line);
        write(&writer.line_after(Some(&line), cells(index)))?;
        index += 1;
    }
    Ok((names, table.head.header.is_some()))
}

/// The text of a table of any kind, and whether it is known to have a header.
fn text_of(bytes: &[u8]) -> Result<(Box<dyn Read + '_>, Option<bool>)> {
    #[cfg(feature = "parquet")]
    if let Some(table) = StoredTable::of_bytes(bytes)? {
        return Ok((Box::new(StoredText::new(&table)?), Some(true)));
    }
    Ok((unpack(Cursor::new(bytes))?, None))
}

/// Reads all columns of the table in the bytes of a file, with their names; positions are the names in a table without a
/// header, and a name that occurs again gets a number. The columns of a file that keeps types have these types; those of a
/// text are of whole numbers or of numbers if all of their fields are, missing values aside, and otherwise of text, and so are
/// codes such as 00123, whose zeros would be lost.
///
/// # Errors
/// As [`super::samples_of_bytes`], and `InvalidData` for columns of lists or groups.
pub fn read_columns(
    bytes: &[u8],
    options: &TableOptions,
    decimal_comma: bool,
) -> Result<Vec<(String, Column)>> {
    #[cfg(feature = "parquet")]
    let columns = match StoredTable::of_bytes(bytes)? {
        Some(table) => columns_of(&table)?,
        None => columns_of_text(unpack(Cursor::new(bytes))?, options, decimal_comma)?,
    };
    #[cfg(not(feature = "parquet"))]
    let columns = columns_of_text(unpack(Cursor::new(bytes))?, options, decimal_comma)?;
    let (names, columns): (Vec<String>, Vec<Column>) = columns.into_iter().unzip();
    Ok(free_names(&names, &[]).into_iter().zip(columns).collect())
}

/// The names, with a number where another column has the name: `prediction_2`.
pub fn free_names(names: &[String], taken: &[String]) -> Vec<String> {
    let mut free: Vec<String> = Vec::with_capacity(names.len());
    for name in names {
        let is_free = |wanted: &String| {
            !taken.contains(wanted)
                && !free.contains(wanted)
                && (wanted == name || !names.contains(wanted))
        };
        let numbered = (2..).map(|number| format!("{name}_{number}"));
        let found = std::iter::once(name.clone()).chain(numbered).find(is_free);
        free.push(found.unwrap_or_default());
    }
    free
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csv::{Encoding, samples_of_text};

    /// The bytes of a table of two features with a class and a number behind each row.
    fn extended(bytes: &[u8], encoding: Option<Encoding>) -> Vec<u8> {
        let options = TableOptions { encoding, ..TableOptions::default() };
        let (inputs, _, form) = samples_of_text(bytes, 2, &[], &options).unwrap();
        let classes = ["né", "a;\"b", "猫"];
        let (form, _) = form.for_texts(classes[..2].iter().copied());
        let (mut out, mut rows) = (Vec::new(), 0);
        let cells = |row: usize| {
            rows += 1;
            [Cell::Text(classes[row % 2]), Cell::Number(0.25 + row as f32)]
        };
        let names = ["prediction".to_owned(), "p".to_owned()];
        let options = TableOptions { encoding: Some(form.encoding), ..options };
        extend(bytes, &options, form, &names, cells, &mut |bytes| {
            out.extend_from_slice(bytes);
            Ok(())
        })
        .unwrap();
        assert_eq!(rows * 2, inputs.len());
        out
    }

    #[test]
    fn lines_stay_as_they_are() {
        for (table, expected) in [
            ("u,v\n1.50, 2\n", "u,v,prediction,p\n1.50, 2,né,0.25\n"),
            (
                "u;v\r\n\"1,5\"; 2 \r\n3;4\r\n",
                "u;v;prediction;p\r\n\"1,5\"; 2 ;né;0,25\r\n3;4;\"a;\"\"b\";1,25\r\n",
            ),
            ("u\tv\r1\t2\r3\t4", "u\tv\tprediction\tp\r1\t2\tné\t0.25\r3\t4\t\"a;\"\"b\"\t1.25\r"),
            ("1,2\n3,4\n", "1,2,né,0.25\n3,4,\"a;\"\"b\",1.25\n"),
            (
                "sep=;\nu;v\n\n1;2\n# note\n3;4",
                "sep=;\nu;v;prediction;p\n1;2;né;0.25\n3;4;\"a;\"\"b\";1.25\n",
            ),
            ("u,prediction\n1,2\n", "u,prediction,prediction_2,p\n1,2,né,0.25\n"),
            ("# u,v\n1,2\n", "# u,v,prediction,p\n1,2,né,0.25\n"),
            ("\"u\",\"v\"\n\"1\",\"2\"\n", "\"u\",\"v\",prediction,p\n\"1\",\"2\",né,0.25\n"),
        ] {
            let found = extended(table.as_bytes(), None);
            assert_eq!(String::from_utf8(found).unwrap(), expected, "{table:?}");
        }
    }

    #[test]
    fn the_encoding_stays() {
        let table = "u,v,label\n1,2,\u{e4}\n3,4,\u{e4}\n";
        let expected =
            "u,v,label,prediction,p\n1,2,\u{e4},n\u{e9},0.25\n3,4,\u{e4},\"a;\"\"b\",1.25\n";
        for encoding in Encoding::ALL {
            let bytes = encoding.encode(table).unwrap();
            let found = extended(&bytes, Some(encoding));
            assert_eq!(found, encoding.encode(expected).unwrap(), "{encoding:?}");
            let mark = encoding.encode("\u{feff}");
            let Some(mark) = mark else { continue };
            let marked = extended(&[&mark[..], &bytes].concat(), None);
            assert_eq!(marked, [mark, encoding.encode(expected).unwrap()].concat());
        }
        // Found only in the last row.
        let guessed = extended(b"u,v,label\n1,2,x\n3,4,\xe4\n", None);
        assert!(guessed.ends_with(b"3,4,\xe4,\"a;\"\"b\",1.25\n"));
        assert!(guessed.starts_with(b"u,v,label,prediction,p\n1,2,x,n\xe9,0.25\n"));
    }

    #[test]
    fn letters_that_an_encoding_lacks_are_written_as_utf_8() {
        let form = TextForm { encoding: Encoding::Windows1252, ..TextForm::default() };
        assert_eq!(form.for_texts(["n\u{e9}", "€", "ab"]), (form, None));
        let (other, warning) = form.for_texts(["a", "猫"]);
        assert_eq!(other.encoding, Encoding::Utf8);
        assert!(warning.unwrap().contains("\"猫\""));
        assert_eq!(Encoding::Windows1252.encode("€\u{81}"), None);
    }

    #[test]
    fn names_are_never_twice_there() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let free = free_names(&names(&["p", "p_2", "q"]), &names(&["p", "p_3", "q"]));
        assert_eq!(free, ["p_4", "p_2", "q_2"]);
    }

    #[test]
    fn lines_of_cells() {
        let writer = Writer::new(TextForm::default());
        let cells = [Cell::Text("#a"), Cell::Text(" b"), Cell::Text("c,\nd"), Cell::Count(7)];
        assert_eq!(writer.line(cells), b"\"#a\",\" b\",\"c,\nd\",7\n");
        let numbers = [0.1, 1e-9, 0.0, 250_000.0, -3e20].map(Cell::Number);
        let tabs = TextForm { separator: b'\t', ..TextForm::default() };
        assert_eq!(Writer::new(tabs).line(numbers), b"0.1\t1e-9\t0\t250000\t-3e20\n");
    }
}
