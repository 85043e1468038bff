//! Reads a header and rows of fields as features and labels of each row.

use std::collections::VecDeque;
use std::io::Read;

use super::dialect::{find_separator, named_separator};
use super::encoding::{Text, TextForm};
use super::fields::{Decimals, Numbers, is_missing, is_text};
use super::header::{FirstRecord, first_record};
use super::options::TableOptions;
use super::records::{Record, Records};
use crate::error::{Error, Result};
use crate::{Inputs, invalid};

/// Rows read before the roles of the columns are decided.
const AHEAD: usize = 50;

/// The rows of a table, one by one.
pub(super) struct Table<R> {
    records: Records<R>,
    /// Rows that were read to detect the table's structure.
    ahead: VecDeque<Record>,
    pub(super) columns: usize,
    pub(super) header: Option<Vec<String>>,
    /// The header's text as it is, if it is kept.
    header_source: Vec<u8>,
    separator: u8,
    /// The first line, if it names the separator.
    pub(super) separator_line: Vec<u8>,
    pub(super) is_marked: bool,
    line_end: &'static str,
    pub(super) decimals: Decimals,
    /// Whether numbers stay in double precision in any case.
    doubles: bool,
    pub(super) warnings: Vec<String>,
}

/// Which columns of a table are read, and as what.
pub(super) struct Layout {
    /// Positions of the features, in the order of a sample.
    pub(super) features: Vec<usize>,
    /// Positions of the targets.
    pub(super) targets: Vec<usize>,
    /// Whether the roles of the columns come from this table, not from other data.
    pub(super) is_new: bool,
    /// Whether the features may be the grey levels of an image, as far as their names and their number tell.
    pub(super) may_be_pixels: bool,
}

impl<R: Read> Table<R> {
    pub(super) fn open(source: R, options: &TableOptions) -> Result<Self> {
        Table::open_as(source, options, false)
    }

    /// As [`Self::open`]; with `keeps_source`, lines can be written again as they are ([`Self::next_line`]).
    pub(super) fn open_as(source: R, options: &TableOptions, keeps_source: bool) -> Result<Self> {
        let mut text = Text::open(source, options.encoding)?;
        let start = text.fill()?;
        let (separator, skipped) = match named_separator(start) {
            Some(named) => named,
            None => {
                let start = start.to_vec();
                (find_separator(&start, text.is_whole()), 0)
            }
        };
        let separator_line = text.fill()?[..skipped].to_vec();
        // The rest of that line is a blank line, which is counted.
        text.consume(skipped);
        let is_marked = text.is_marked;
        let mut records = Records::new(text, separator);
        if keeps_source {
            records.keep_source();
        }
        let mut ahead = VecDeque::new();
        let mut record = Record::default();
        while ahead.len() <= AHEAD && records.next(&mut record)? {
            ahead.push_back(record.clone());
        }
        let columns = drop_comments(&mut ahead);
        check_first_line(&ahead, columns)?;
        let mut table = Table {
            records,
            ahead,
            columns,
            header: None,
            header_source: Vec::new(),
            separator,
            separator_line,
            is_marked,
            line_end: "",
            decimals: Decimals::of(separator),
            doubles: options.doubles,
            warnings: Vec::new(),
        };
        table.take_header(options)?;
        Ok(table)
    }

    fn take_header(&mut self, options: &TableOptions) -> Result<()> {
        let Some(mut first) = self.ahead.pop_front() else {
            return Err(invalid("the file is empty: expected a table"));
        };
        self.line_end = first.line_end;
        let comma = self.decimals != Decimals::Point;
        let kind = |first: &Record, rest: &VecDeque<Record>| {
            let rest: Vec<Record> = rest.iter().cloned().collect();
            first_record(first, &rest, options.columns, comma)
        };
        let mut found = match options.stored {
            Some(_) => FirstRecord::Header,
            None => kind(&first, &self.ahead),
        };
        // A line with # may be the header, as NumPy writes it, or a comment above one.
        if first.is_marked
            && let Some(second) = self.ahead.pop_front()
        {
            match kind(&second, &self.ahead) {
                FirstRecord::Sample => self.ahead.push_front(second),
                header => (first, found) = (second, header),
            }
        }
        if found == FirstRecord::Sample {
            self.ahead.push_front(first);
            return Ok(());
        }
        if self.ahead.is_empty() {
            return Err(invalid("the table has a header but no rows"));
        }
        if found == FirstRecord::CountingHeader {
            self.warnings.push(
                "the first line counts 0, 1, 2, ...: it is read as the header that pandas writes for \
                 columns without names, not as a sample"
                    .to_owned(),
            );
        }
        self.header = Some(first.names());
        self.header_source = first.source;
        Ok(())
    }

    /// The form of the text, as far as it has been read.
    pub(super) fn form(&self) -> TextForm {
        let decimal_comma = self.decimals == Decimals::Comma;
        TextForm { encoding: self.records.encoding(), separator: self.separator, decimal_comma }
    }

    /// The header's text as it is; `None` if there is none.
    pub(super) fn header_source(&self) -> Option<&[u8]> {
        self.header.is_some().then_some(&self.header_source[..])
    }

    /// What ends the lines.
    pub(super) fn line_end(&self) -> &'static str {
        if self.line_end.is_empty() { "\n" } else { self.line_end }
    }

    /// Reads the next row, and gives its text as it is; `None` if there is none.
    pub(super) fn next_line<'a>(&mut self, row: &'a mut Record) -> Result<Option<&'a [u8]>> {
        Ok(self.next(row)?.then_some(&row.source[..]))
    }

    /// The columns that have text in one of the first rows.
    pub(super) fn text_columns(&self) -> Vec<usize> {
        let comma = self.decimals != Decimals::Point;
        let has_text = |at: &usize| {
            self.ahead.iter().any(|row| *at < row.len() && is_text(row.field(*at), comma))
        };
        (0..self.columns).filter(has_text).collect()
    }

    /// The name of a column, or its position if there is no header.
    pub(super) fn name(&self, at: usize) -> String {
        let name = self.header.as_ref().and_then(|names| names.get(at));
        name.map_or_else(|| at.to_string(), Clone::clone)
    }

    /// A column in messages: `column 2 ("price")`.
    pub(super) fn column(&self, at: usize) -> String {
        match self.header.as_ref().and_then(|names| names.get(at)) {
            Some(name) => format!("column {at} ({name:?})"),
            None => format!("column {at}"),
        }
    }

    /// Reads all rows: the numbers of the features; the fields of the targets go to `target` in their order.
    ///
    /// # Errors
    /// `InvalidData` with line and column for a field that is not what it should be.
    pub(super) fn read(
        &mut self,
        layout: &Layout,
        mut target: impl FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<Inputs> {
        let mut numbers = Numbers::new(layout.may_be_pixels, self.decimals);
        let mut counter = RowCounter::default();
        let mut row = Record::default();
        while self.next(&mut row)? {
            for &at in &layout.targets {
                let read = target(row.field(at));
                read.map_err(|problem| self.refusal(&row, at, layout, &problem))?;
            }
            for &at in &layout.features {
                let read = numbers.push(row.field(at));
                read.map_err(|problem| self.refusal(&row, at, layout, &problem))?;
            }
            counter.see(row.field(0));
        }
        self.end_of_rows(layout, numbers.decimals, &counter);
        Ok(numbers.finish(layout.features.len(), self.doubles))
    }

    /// The warnings that all rows together give.
    pub(super) fn end_of_rows(
        &mut self,
        layout: &Layout,
        decimals: Decimals,
        counter: &RowCounter,
    ) {
        self.warnings.extend(self.records.take_warnings());
        self.decimals = decimals;
        if decimals == Decimals::Comma {
            self.warnings.push("numbers have a decimal comma: 1,5 is read as 1.5".to_owned());
        }
        if layout.is_new && layout.features.first() == Some(&0) {
            self.warn_of_index(counter);
        }
    }

    /// The rows that were read to detect the table's structure.
    pub(super) fn first_rows(&self) -> impl Iterator<Item = &Record> {
        self.ahead.iter()
    }

    /// Warns if the first column is the index that pandas writes.
    fn warn_of_index(&mut self, counter: &RowCounter) {
        const NAMES: [&str; 5] = ["", "index", "id", "row", "no"];
        let name = self.header.as_ref().map(|names| names[0].to_lowercase());
        let is_unnamed =
            name.as_ref().is_some_and(|it| it.is_empty() || it.starts_with("unnamed:"));
        let may_count = name.is_none_or(|name| NAMES.contains(&name.as_str()));
        if is_unnamed || (may_count && counter.is_counting()) {
            let (column, at) = (self.column(0), self.name(0));
            let at = if at.is_empty() { "0".to_owned() } else { at };
            self.warnings.push(format!(
                "{column} looks like the numbers of the rows, such as the index that pandas writes, and \
                 says nothing about new samples: leave it out with `drop` {at}"
            ));
        }
    }

    /// Reads the next row into `row`; `false` if there is none.
    pub(super) fn next(&mut self, row: &mut Record) -> Result<bool> {
        loop {
            match self.ahead.pop_front() {
                Some(record) => *row = record,
                None if !self.records.next(row)? => return Ok(false),
                None => {}
            }
            match row.len() == self.columns {
                true => return Ok(true),
                false if row.is_marked => {}
                false => {
                    return Err(invalid(format!(
                        "line {} has {} fields, the first line has {}",
                        row.line,
                        row.len(),
                        self.columns
                    )));
                }
            }
        }
    }

    /// The error for a field, with its place and with what to do.
    pub(super) fn refusal(&self, row: &Record, at: usize, layout: &Layout, problem: &str) -> Error {
        let is_target = layout.targets.contains(&at);
        let advice = match (&layout.targets[..], is_missing(row.field(at))) {
            (_, true) if is_target => "fill it in, or leave the row out".to_owned(),
            (_, true) => "fill it in, or leave out the row, or the column with `drop`".to_owned(),
            (_, false) if is_target => {
                "is this the column of the targets? Name another with `label_column`".to_owned()
            }
            ([], _) => "all columns must hold numbers: leave this one out with `drop`".to_owned(),
            (targets, _) => {
                let targets: Vec<_> = targets.iter().map(|&at| self.column(at)).collect();
                format!(
                    "all columns but the target ({}) must hold numbers: leave this one out with \
                     `drop`, or name another target with `label_column`",
                    targets.join(", ")
                )
            }
        };
        invalid(format!("line {}, {}: {problem}; {advice}", row.line, self.column(at)))
    }
}

/// Refuses a line above the table, such as a title: most lines have another number of fields.
fn check_first_line(ahead: &VecDeque<Record>, columns: usize) -> Result<()> {
    let Some(width) = ahead.get(1).map(Record::len).filter(|&width| width != columns) else {
        return Ok(());
    };
    let (alike, others) = (ahead.iter().filter(|it| it.len() == width).count(), ahead.len());
    match alike > 2 && alike * 2 > others {
        true => Err(invalid(format!(
            "line {} has {columns} {}, but most lines have {width}: remove what is above the table",
            ahead[0].line,
            if columns == 1 { "field" } else { "fields" }
        ))),
        false => Ok(()),
    }
}

/// Removes lines that begin with # and have another number of fields than the first other line; returns
/// that number.
fn drop_comments(ahead: &mut VecDeque<Record>) -> usize {
    let first = ahead.iter().find(|record| !record.is_marked).or(ahead.front());
    let columns = first.map_or(0, Record::len);
    ahead.retain(|record| !record.is_marked || record.len() == columns);
    // Of several before the first row, the last one may be a header.
    let leading = ahead.iter().take_while(|record| record.is_marked).count();
    if leading < ahead.len() {
        ahead.drain(..leading.saturating_sub(1));
    }
    columns
}

/// Whether the first field of each row counts the rows, from 0 or 1.
#[derive(Default)]
pub(super) struct RowCounter {
    rows: u64,
    first: u64,
    is_wrong: bool,
}

impl RowCounter {
    /// Number of rows from which consecutive numbers are not a coincidence.
    const ENOUGH: u64 = 5;

    pub(super) fn see(&mut self, field: &[u8]) {
        if self.is_wrong {
            return;
        }
        let number = std::str::from_utf8(field).ok().and_then(|text| text.trim().parse().ok());
        if self.rows == 0 {
            self.first = number.unwrap_or(u64::MAX);
        }
        self.is_wrong = self.first > 1 || number != Some(self.first + self.rows);
        self.rows += 1;
    }

    fn is_counting(&self) -> bool {
        !self.is_wrong && self.rows >= RowCounter::ENOUGH
    }
}
