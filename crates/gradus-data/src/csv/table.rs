//! A table as rows of fields: which of its columns are what, and each row's fields to those who read them.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};

use ::csv::{ByteRecord, Reader, ReaderBuilder};

use super::fields::{Numbers, is_text, parse_number};
use crate::error::{Error, Result};
use crate::{Inputs, bytes, invalid};

/// What a label column is usually called, the surest name first.
const LABEL_NAMES: [&str; 4] = ["label", "class", "target", "y"];

/// The rows of a table, one after the other.
pub(super) struct Table<R> {
    reader: Reader<BufReader<R>>,
    /// Rows that were read to see what the table is.
    ahead: VecDeque<ByteRecord>,
    pub(super) columns: usize,
    header: Option<Vec<String>>,
}

impl<R: Read> Table<R> {
    pub(super) fn open(source: R) -> Result<Self> {
        let mut source = BufReader::with_capacity(1 << 16, source);
        let start =
            source.fill_buf().map_err(|error| invalid(format!("cannot be read: {error}")))?;
        // A table is text: a stranger is named by its first bytes, not by the first cell that fails.
        let is_control = |byte: &u8| matches!(byte, 0..=8 | 14..=31);
        if start.iter().any(is_control) || start.trim_ascii_start().starts_with(b"<") {
            let what = bytes::describe(&start[..start.len().min(256)]);
            return Err(invalid(format!("not a CSV table: the file is {what}")));
        }
        let delimiter = find_delimiter(start);
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .from_reader(source);
        let mut ahead = VecDeque::new();
        while ahead.len() < 2 {
            let mut record = ByteRecord::new();
            if !reader.read_byte_record(&mut record).map_err(broken)? {
                break;
            }
            ahead.push_back(record);
        }
        let Some(first) = ahead.front() else {
            return Err(invalid("the file is empty: expected a table"));
        };
        let columns = first.len();
        let header = is_header(first, ahead.get(1)).then(|| names(first));
        if header.is_some() {
            ahead.pop_front();
        }
        if ahead.is_empty() {
            return Err(invalid("the table has a header but no rows"));
        }
        Ok(Table { reader, ahead, columns, header })
    }

    /// The position of the label column: `wanted`, or what it most likely is; with a notice where a
    /// header leaves it to a guess.
    pub(super) fn label_column(&self, wanted: Option<&str>) -> Result<(usize, Option<String>)> {
        if let Some(wanted) = wanted {
            return Ok((self.column_called(wanted)?, None));
        }
        if let Some(at) = self.usual_column() {
            return Ok((at, None));
        }
        let texts = self.ahead.front().into_iter().flat_map(|row| row.iter().enumerate());
        let texts: Vec<usize> =
            texts.filter(|(_, field)| is_text(field)).map(|(at, _)| at).collect();
        if let [only] = texts[..] {
            return Ok((only, None));
        }
        let notice = self.header.as_ref().map(|names| {
            format!("label column: {:?} (the first; name another with `label_column`)", names[0])
        });
        Ok((0, notice))
    }

    fn position(&self, matches: impl Fn(&String) -> bool) -> Option<usize> {
        self.header.as_ref()?.iter().position(matches)
    }

    /// The column of this name, or at this position.
    fn column_called(&self, wanted: &str) -> Result<usize> {
        let number = wanted.parse().ok().filter(|&number: &usize| number < self.columns);
        self.position(|name| name == wanted).or(number).ok_or_else(|| {
            Error::argument(format!(
                "there is no label column {wanted:?}: expected {}a position from 0 to {}",
                self.header
                    .as_ref()
                    .map_or(String::new(), |names| format!("one of {}, or ", list(names))),
                self.columns - 1
            ))
        })
    }

    /// The column that bears a usual name.
    fn usual_column(&self) -> Option<usize> {
        let usual = |usual: &&str| self.position(|name| name.eq_ignore_ascii_case(usual));
        LABEL_NAMES.iter().find_map(usual)
    }

    /// The columns of values: those `wanted`, with commas between them, or one of a usual name.
    pub(super) fn value_columns(&self, wanted: Option<&str>) -> Result<Vec<usize>> {
        let places = match wanted {
            // A name may have a comma in it.
            Some(wanted) => match self.position(|name| name == wanted) {
                Some(at) => vec![at],
                None => {
                    let parts = wanted.split(',').map(|name| self.column_called(name.trim()));
                    parts.collect::<Result<_>>()?
                }
            },
            None => vec![self.usual_column().ok_or_else(|| {
                Error::argument(
                    "which columns hold the values to learn? Name them with `label_column`, such \
                     as price or height,width",
                )
            })?],
        };
        if let Some(at) = places
            .iter()
            .enumerate()
            .find_map(|(index, at)| places[..index].contains(at).then_some(*at))
        {
            return Err(Error::argument(format!("{} is named twice", self.column(at))));
        }
        if places.len() == self.columns {
            return Err(invalid(format!(
                "all {} columns are values to learn: expected at least one more to learn from",
                self.columns
            )));
        }
        Ok(places)
    }

    /// The columns of these names; none where one of them is missing.
    pub(super) fn columns_named(&self, names: &[String]) -> Vec<usize> {
        let places = names.iter().map(|wanted| self.position(|name| name == wanted));
        places.collect::<Option<_>>().unwrap_or_default()
    }

    /// The name of a column, or its position where there is no header.
    pub(super) fn name(&self, at: usize) -> String {
        let name = self.header.as_ref().and_then(|names| names.get(at));
        name.map_or_else(|| at.to_string(), Clone::clone)
    }

    /// Reads all rows: the number in every column but those at `labels`, whose fields go to `label`
    /// with their place in `labels`.
    pub(super) fn read_numbers(
        &mut self,
        labels: &[usize],
        mut label: impl FnMut(usize, &[u8]) -> Result<(), String>,
    ) -> Result<Inputs> {
        let mut numbers = Numbers::new(self.columns - labels.len());
        let mut row = ByteRecord::new();
        while self.next(&mut row)? {
            for (at, field) in row.iter().enumerate() {
                let pushed = match labels.iter().position(|&label| label == at) {
                    Some(place) => label(place, field),
                    None => numbers.push(field),
                };
                pushed.map_err(|problem| self.refusal(&row, at, labels, &problem))?;
            }
        }
        Ok(numbers.finish())
    }

    /// Reads the next row into `row`; `false` where there is none.
    fn next(&mut self, row: &mut ByteRecord) -> Result<bool> {
        match self.ahead.pop_front() {
            Some(record) => *row = record,
            None if !self.reader.read_byte_record(row).map_err(broken)? => return Ok(false),
            None => {}
        }
        if row.len() == self.columns {
            return Ok(true);
        }
        Err(invalid(format!(
            "line {} has {} fields, the first line has {}",
            line(row),
            row.len(),
            self.columns
        )))
    }

    /// The error for a field, with its place and with what should stand there.
    fn refusal(&self, row: &ByteRecord, at: usize, labels: &[usize], problem: &str) -> Error {
        let advice = match labels {
            labels if labels.contains(&at) => {
                "name the column that holds the labels, or give its position from 0".to_owned()
            }
            [label_at] => format!(
                "every column but the label's ({}) must hold numbers",
                self.column(*label_at)
            ),
            _ => "every column must hold numbers".to_owned(),
        };
        invalid(format!("line {}, {}: {problem}; {advice}", line(row), self.column(at)))
    }

    fn column(&self, at: usize) -> String {
        match self.header.as_ref().and_then(|names| names.get(at)) {
            Some(name) => format!("column {at} ({name:?})"),
            None => format!("column {at}"),
        }
    }
}

fn broken(error: ::csv::Error) -> Error {
    invalid(format!("the table cannot be read: {error}"))
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
            .any(|(above, below)| is_text(above) && parse_number(below).is_some())
    });
    text_above_number || first.iter().all(is_text)
}

fn list(names: &[String]) -> String {
    match names {
        [first, .., last] if names.len() > 12 => {
            format!("{} columns {first:?} to {last:?}", names.len())
        }
        _ => names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", "),
    }
}

fn line(record: &ByteRecord) -> u64 {
    record.position().map_or(0, |position| position.line())
}
