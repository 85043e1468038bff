//! CSV tables with a class label in one column and numbers in all others: text in, a [`Dataset`]
//! out.
//!
//! - Fields are separated by the most frequent of comma, semicolon and tab in the first line.
//! - The first line is a header where it has text above a column of numbers, or holds no number.
//! - The label column is the one asked for, by name or by position from 0; else the column named
//!   `label`, `class`, `target` or `y`; else the only column of text; else the first, as in the
//!   usual tables of MNIST. Labels are any text, or whole numbers.
//! - Whole numbers in 0..=255 (not only 0 and 1) in at least 8 x 8 columns whose number is a square
//!   are the pixels of square pictures and stay bytes; everything else becomes floats.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use ::csv::{ByteRecord, Reader, ReaderBuilder};

use super::array::{MAX_CLASSES, picture_shape};
use super::{Dataset, Inputs, invalid};
use crate::error::{Error, Result};

const LABEL_NAMES: [&str; 4] = ["label", "class", "target", "y"];

/// Reads a CSV file; `label_column` is a name from its header or a position from 0.
///
/// # Errors
/// `NotFound` or `Io` where the file cannot be read; `InvalidData` with line and column where it
/// does not hold what the module's first lines say.
pub fn read_csv(path: &Path, label_column: Option<&str>) -> Result<Dataset> {
    let file = File::open(path).map_err(|error| Error::io("open", path, error))?;
    parse_csv(file, label_column).map_err(|error| error.context(path.display()))
}

/// As [`read_csv`], from any source of bytes.
pub fn parse_csv(source: impl Read, label_column: Option<&str>) -> Result<Dataset> {
    let mut source = BufReader::with_capacity(1 << 16, source);
    let start = source.fill_buf().map_err(|error| invalid(format!("cannot be read: {error}")))?;
    let delimiter = find_delimiter(start);
    // A table is text: a stranger is named by its first bytes, not by the first cell that fails.
    if start.contains(&0) || start.trim_ascii_start().starts_with(b"<") {
        let what = super::bytes::describe(&start[..start.len().min(256)]);
        return Err(invalid(format!("not a CSV table: the file is {what}")));
    }
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(source);
    let (first, second) = (next_record(&mut reader)?, next_record(&mut reader)?);
    let Some(first) = first else { return Err(invalid("the file is empty: expected a table")) };
    let header = is_header(&first, second.as_ref()).then(|| names(&first));
    let sample = if header.is_some() { second.as_ref() } else { Some(&first) };
    let label_at = choose_label_column(&first, header.as_deref(), sample, label_column)?;
    let mut table = Table::new(first.len(), label_at, header.as_deref());
    if table.header.is_none() {
        table.push(&first)?;
    }
    let mut row = second;
    while let Some(record) = &mut row {
        table.push(record)?;
        if !reader.read_byte_record(record).map_err(broken)? {
            row = None;
        }
    }
    table.finish()
}

fn broken(error: ::csv::Error) -> Error {
    invalid(format!("the table cannot be read: {error}"))
}

fn next_record<R: Read>(reader: &mut Reader<R>) -> Result<Option<ByteRecord>> {
    let mut record = ByteRecord::new();
    Ok(reader.read_byte_record(&mut record).map_err(broken)?.then_some(record))
}

fn find_delimiter(start: &[u8]) -> u8 {
    let line = start.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let count = |delimiter: &u8| line.iter().filter(|&byte| byte == delimiter).count();
    // `max_by_key` takes the last of equals: the comma.
    [b'\t', b';', b','].into_iter().max_by_key(count).unwrap_or(b',')
}

fn names(record: &ByteRecord) -> Vec<String> {
    record.iter().map(|field| String::from_utf8_lossy(field).trim().to_owned()).collect()
}

fn is_header(first: &ByteRecord, second: Option<&ByteRecord>) -> bool {
    let text_above_number = second.is_some_and(|second| {
        first
            .iter()
            .zip(second)
            .any(|(above, below)| parse_number(above).is_none() && parse_number(below).is_some())
    });
    text_above_number || first.iter().all(|field| parse_number(field).is_none())
}

fn choose_label_column(
    first: &ByteRecord,
    header: Option<&[String]>,
    sample: Option<&ByteRecord>,
    wanted: Option<&str>,
) -> Result<usize> {
    let named = |name: &str| header.and_then(|names| names.iter().position(|found| found == name));
    if let Some(wanted) = wanted {
        let position = wanted.parse().ok().filter(|&position: &usize| position < first.len());
        return named(wanted).or(position).ok_or_else(|| {
            Error::argument(format!(
                "there is no label column {wanted:?}: expected {}a position from 0 to {}",
                header.map_or(String::new(), |names| format!("one of {}, or ", list(names))),
                first.len() - 1
            ))
        });
    }
    let usual = |found: &String| LABEL_NAMES.iter().any(|name| found.eq_ignore_ascii_case(name));
    if let Some(at) = header.and_then(|names| names.iter().position(usual)) {
        return Ok(at);
    }
    let is_text = |field: &[u8]| parse_number(field).is_none() && !field.is_empty();
    let text: Vec<usize> =
        sample.into_iter().flat_map(|row| (0..row.len()).filter(|&at| is_text(&row[at]))).collect();
    match text[..] {
        [only] => Ok(only),
        _ => Ok(0),
    }
}

fn list(names: &[String]) -> String {
    match names {
        [first, .., last] if names.len() > 12 => {
            format!("{} columns {first:?} to {last:?}", names.len())
        }
        _ => names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", "),
    }
}

/// The rows read so far.
struct Table<'a> {
    columns: usize,
    label_at: usize,
    header: Option<&'a [String]>,
    inputs: Inputs,
    labels: Vec<u32>,
    /// Class names in the order in which they were met.
    class_names: Vec<String>,
    /// The index of each class by its name and by every way in which it was written.
    class_indices: HashMap<Vec<u8>, u32>,
}

impl<'a> Table<'a> {
    fn new(columns: usize, label_at: usize, header: Option<&'a [String]>) -> Self {
        Table {
            columns,
            label_at,
            header,
            // Bytes until a value or the number of columns says otherwise.
            inputs: match picture_shape(&[columns.saturating_sub(1)]) {
                Some(_) => Inputs::Bytes(Vec::new()),
                None => Inputs::Floats(Vec::new()),
            },
            labels: Vec::new(),
            class_names: Vec::new(),
            class_indices: HashMap::new(),
        }
    }

    fn push(&mut self, record: &ByteRecord) -> Result<()> {
        if record.len() != self.columns {
            return Err(invalid(format!(
                "line {} has {} fields, the first line has {}",
                line(record),
                record.len(),
                self.columns
            )));
        }
        for at in 0..self.label_at {
            self.push_value(record, at)?;
        }
        self.push_label(record)?;
        for at in self.label_at + 1..self.columns {
            self.push_value(record, at)?;
        }
        Ok(())
    }

    fn push_value(&mut self, record: &ByteRecord, at: usize) -> Result<()> {
        let field = &record[at];
        if let (Inputs::Bytes(values), Some(byte)) = (&mut self.inputs, parse_byte(field)) {
            values.push(byte);
            return Ok(());
        }
        let Some(value) = parse_number(field) else {
            let what = match field.trim_ascii() {
                [] => "is empty".to_owned(),
                text => format!("{:?} is no finite number", String::from_utf8_lossy(text)),
            };
            return Err(invalid(format!(
                "line {}, {}: {what}; every column but the label's ({}) must hold numbers",
                line(record),
                self.column(at),
                self.column(self.label_at)
            )));
        };
        match &mut self.inputs {
            Inputs::Floats(values) => values.push(value),
            Inputs::Bytes(values) if value == f32::from(value as u8) => values.push(value as u8),
            Inputs::Bytes(values) => {
                let floats = values.iter().map(|&byte| f32::from(byte)).chain([value]).collect();
                self.inputs = Inputs::Floats(floats);
            }
        }
        Ok(())
    }

    fn push_label(&mut self, record: &ByteRecord) -> Result<()> {
        let field = record[self.label_at].trim_ascii();
        if let Some(&index) = self.class_indices.get(field) {
            self.labels.push(index);
            return Ok(());
        }
        let refuse = |problem: String| {
            Err(invalid(format!(
                "line {}, {}: {problem}; name the column that holds the labels, or give its \
                 position from 0",
                line(record),
                self.column(self.label_at)
            )))
        };
        let text = String::from_utf8_lossy(field).into_owned();
        let name = match parse_number(field) {
            Some(number) if number.fract() != 0.0 => {
                return refuse(format!("the label {text} has a fraction, so it is no class"));
            }
            // "3", "3.0" and "03" are one class.
            Some(number) if number.abs() < 1e7 => (number as i64).to_string(),
            _ if text.is_empty() => return refuse("the label is empty".to_owned()),
            _ => text,
        };
        let known = self.class_indices.get(name.as_bytes()).copied();
        let index = known.unwrap_or(self.class_names.len() as u32);
        if index >= MAX_CLASSES {
            return refuse(format!("more than {MAX_CLASSES} different labels"));
        }
        self.class_indices.insert(field.to_vec(), index);
        if known.is_none() {
            self.class_indices.insert(name.clone().into_bytes(), index);
            self.class_names.push(name);
        }
        self.labels.push(index);
        Ok(())
    }

    fn column(&self, at: usize) -> String {
        match self.header.and_then(|names| names.get(at)) {
            Some(name) => format!("column {at} ({name:?})"),
            None => format!("column {at}"),
        }
    }

    fn finish(self) -> Result<Dataset> {
        if self.labels.is_empty() {
            return Err(invalid("the table has a header but no rows"));
        }
        if self.columns < 2 {
            return Err(invalid(
                "the table has one column: expected a label and at least one number",
            ));
        }
        let features = self.columns - 1;
        let (order, class_names) = sort_classes(self.class_names);
        let labels = self.labels.into_iter().map(|label| order[label as usize]).collect();
        let (inputs, shape) = match (self.inputs, picture_shape(&[features])) {
            (Inputs::Bytes(values), Some(shape)) if values.iter().any(|&value| value > 1) => {
                (Inputs::Bytes(values), shape)
            }
            (Inputs::Bytes(values), _) => {
                (Inputs::Floats(values.into_iter().map(f32::from).collect()), vec![features])
            }
            (floats, _) => (floats, vec![features]),
        };
        Dataset::new(inputs, labels, shape, class_names)
    }
}

/// The new index of each class, and the names in order: by value where all are numbers, else by
/// text.
fn sort_classes(names: Vec<String>) -> (Vec<u32>, Vec<String>) {
    let numbers: Option<Vec<i64>> = names.iter().map(|name| name.parse().ok()).collect();
    let mut sorted: Vec<usize> = (0..names.len()).collect();
    match numbers {
        Some(numbers) => sorted.sort_by_key(|&at| numbers[at]),
        None => sorted.sort_by_key(|&at| &names[at]),
    }
    let mut order = vec![0; names.len()];
    sorted.iter().enumerate().for_each(|(new, &old)| order[old] = new as u32);
    let names = sorted.into_iter().map(|at| names[at].clone()).collect();
    (order, names)
}

fn line(record: &ByteRecord) -> u64 {
    record.position().map_or(0, |position| position.line())
}

/// One to three digits that make a number up to 255: nearly every cell of a table of pixels.
fn parse_byte(field: &[u8]) -> Option<u8> {
    if field.is_empty() || field.len() > 3 {
        return None;
    }
    let mut number = 0_u32;
    for &digit in field {
        if !digit.is_ascii_digit() {
            return None;
        }
        number = 10 * number + u32::from(digit - b'0');
    }
    u8::try_from(number).ok()
}

/// A finite number, spaces around it allowed.
fn parse_number(field: &[u8]) -> Option<f32> {
    let text = std::str::from_utf8(field.trim_ascii()).ok()?;
    text.parse().ok().filter(|value: &f32| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Dataset {
        parse_csv(text.as_bytes(), None).unwrap()
    }

    fn message(text: &str) -> String {
        parse_csv(text.as_bytes(), None).unwrap_err().to_string()
    }

    fn floats(data: &Dataset) -> &[f32] {
        match &data.inputs {
            Inputs::Floats(values) => values,
            Inputs::Bytes(_) => panic!("bytes"),
        }
    }

    #[test]
    fn a_table_of_pixels() {
        let header: Vec<_> = (0..784).map(|at| format!("pixel{at}")).collect();
        let row = |label: u32, value: u32| format!("{label}{}\n", format!(",{value}").repeat(784));
        let rows = row(5, 255) + &row(0, 7) + &row(10, 0);
        for text in [format!("label,{}\n{rows}", header.join(",")), rows.clone()] {
            let data = parse(&text);
            assert_eq!(data.sample_shape, [28, 28]);
            assert_eq!(data.class_names, ["0", "5", "10"]); // by value, not by text
            assert_eq!(data.labels, [1, 0, 2]);
            let Inputs::Bytes(bytes) = &data.inputs else { panic!("no bytes") };
            assert_eq!((bytes[0], bytes[784], bytes[2 * 784]), (255, 7, 0));
        }
    }

    #[test]
    fn pixels_that_turn_out_to_be_fractions_become_floats() {
        let text = format!("1{}\n2{},0.5\n", ",3".repeat(64), ",255".repeat(63));
        let data = parse(&text);
        assert_eq!(data.sample_shape, [64]);
        assert_eq!(floats(&data)[63..66], [3.0, 255.0, 255.0]);
        assert_eq!(floats(&data)[127], 0.5);
    }

    #[test]
    fn zeros_and_ones_are_no_grey_levels() {
        let data = parse(&format!("1{}\n2{}\n", ",1".repeat(64), ",0".repeat(64)));
        assert_eq!(data.sample_shape, [64]);
        assert_eq!(floats(&data)[0], 1.0);
    }

    #[test]
    fn iris_without_a_header() {
        let data = parse("5.1,3.5,setosa\n7.0,3.2,versicolor\n4.9,3.0,setosa\n");
        assert_eq!(data.class_names, ["setosa", "versicolor"]);
        assert_eq!(data.labels, [0, 1, 0]);
        assert_eq!(floats(&data), [5.1, 3.5, 7.0, 3.2, 4.9, 3.0]);
    }

    #[test]
    fn the_label_column_is_found_by_name_and_chosen_by_name_or_position() {
        let text = "a;Target;b\n1;x;2\n3;y;4\n";
        assert_eq!(parse(text).labels, [0, 1]);
        assert_eq!(floats(&parse(text)), [1.0, 2.0, 3.0, 4.0]);
        let text = "a\tb\tc\n1\t2\t3\n4\t5\t6\n";
        let of = |column| parse_csv(text.as_bytes(), Some(column)).unwrap().class_names;
        assert_eq!(of("b"), ["2", "5"]);
        assert_eq!(of("2"), ["3", "6"]);
        let error = parse_csv(text.as_bytes(), Some("d")).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::InvalidArgument);
        assert!(error.to_string().contains("one of \"a\", \"b\", \"c\""), "{error}");
        assert!(parse_csv("1,2\n".as_bytes(), Some("2")).is_err());
    }

    #[test]
    fn spaces_byte_order_marks_and_line_ends_do_not_matter() {
        let data = parse("\u{feff}label,a\r\n3.0, 1\r\n03 ,2.5e1\r\n");
        assert_eq!(data.class_names, ["3"]);
        assert_eq!(floats(&data), [1.0, 25.0]);
    }

    #[test]
    fn errors_give_line_and_column() {
        assert!(
            message("label,a\n1,2\n1,x\n").contains("line 3, column 1 (\"a\"): \"x\" is no finite")
        );
        assert!(message("1,2\n1,\n").contains("line 2, column 1: is empty"));
        assert!(message("1,2\n1,nan\n").contains("no finite number"));
        assert!(message("1,2\n1,2,3\n").contains("line 2 has 3 fields, the first line has 2"));
        assert!(message("0.5,2\n").contains("line 1, column 0: the label 0.5 has a fraction"));
        assert!(
            message("label,a\n,2\n").contains("line 2, column 0 (\"label\"): the label is empty")
        );
    }

    #[test]
    fn what_is_no_table_is_named() {
        assert!(message("").contains("empty"));
        assert!(message("label,a\n").contains("no rows"));
        assert!(message("1\n2\n").contains("one column"));
        assert!(message("<!doctype html>\n").contains("HTML page"));
        assert!(message("PK\u{3}\u{4}\0\0").contains("zip"));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse_csv(&bytes[..], None);
        }

        #[test]
        fn arbitrary_tables_never_panic(text in "[a-c0-9.,;\t\"\n\r -]{0,200}", column in 0_usize..5) {
            let _ = parse_csv(text.as_bytes(), None);
            let _ = parse_csv(text.as_bytes(), Some(&column.to_string()));
        }

        #[test]
        fn round_trip(
            rows in proptest::collection::vec((0_u32..4, any::<f32>(), any::<f32>()), 1..20),
        ) {
            let rows: Vec<_> =
                rows.into_iter().filter(|row| row.1.is_finite() && row.2.is_finite()).collect();
            prop_assume!(!rows.is_empty());
            let lines: Vec<_> = rows.iter().map(|(label, a, b)| format!("{a},c{label},{b}\n")).collect();
            let data = parse_csv(format!("u,class,v\n{}", lines.concat()).as_bytes(), None).unwrap();
            for (at, (label, a, b)) in rows.iter().enumerate() {
                prop_assert_eq!(&data.class_names[data.labels[at] as usize], &format!("c{label}"));
                prop_assert_eq!(&floats(&data)[2 * at..2 * at + 2], [*a, *b]);
            }
        }
    }
}
