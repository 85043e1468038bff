//! Opens a table of text: its separator, its header, and then its rows of fields one by one.

use std::collections::VecDeque;
use std::io::Read;

use super::blocks::Blocks;
use super::dialect::{find_separator, named_separator};
use super::encoding::{PIECE, Text, TextForm};
use super::fields::{Decimals, Mark, is_text};
use super::head::Head;
use super::header::{FirstRecord, first_record};
use super::options::TableOptions;
use super::records::{Block, Record, Records};
use crate::error::Result;
use crate::invalid;

/// Rows read before the roles of the columns are decided.
const AHEAD: usize = 50;

/// The rows of a table, one by one.
pub(super) struct Table<R> {
    pub(super) head: Head,
    pub(super) blocks: Blocks<R>,
    /// The block that is being read, ...
    block: Block,
    /// ... where its next record begins, and the number of its line.
    place: (usize, u64),
    /// Rows that were read to detect the table's structure.
    ahead: VecDeque<Record>,
    /// The header's text as it is, if it is kept.
    header_source: Vec<u8>,
    pub(super) separator: u8,
    /// The first line, if it names the separator.
    pub(super) separator_line: Vec<u8>,
    pub(super) is_marked: bool,
    line_end: &'static str,
    pub(super) decimals: Decimals,
    keeps_source: bool,
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
        let mut table = Table {
            head: Head::default(),
            blocks: Blocks::new(text, separator),
            block: Block::default(),
            place: (0, 1),
            ahead: VecDeque::new(),
            header_source: Vec::new(),
            separator,
            separator_line,
            is_marked,
            line_end: "",
            decimals: match options.decimal_comma {
                true => Decimals::COMMA,
                false => Decimals::of(separator),
            },
            keeps_source,
        };
        let mut record = Record::default();
        while table.ahead.len() <= AHEAD && table.next_record(&mut record)? {
            table.ahead.push_back(record.clone());
        }
        table.head.columns = drop_comments(&mut table.ahead);
        check_first_line(&table.ahead, table.head.columns)?;
        table.take_header(options)?;
        table.head.texts = table.text_columns();
        Ok(table)
    }

    fn take_header(&mut self, options: &TableOptions) -> Result<()> {
        let Some(mut first) = self.ahead.pop_front() else {
            return Err(invalid("the file is empty: expected a table"));
        };
        self.line_end = first.line_end;
        let comma = self.decimals.mark != Mark::Point;
        let kind = |first: &Record, rest: &VecDeque<Record>| {
            let rest: Vec<Record> = rest.iter().cloned().collect();
            first_record(first, &rest, options.columns, comma)
        };
        let mut found = match options.header {
            Some(true) => FirstRecord::Header,
            Some(false) => FirstRecord::Sample,
            None => kind(&first, &self.ahead),
        };
        // A line with # may be the header, as NumPy writes it, or a comment above one.
        if first.is_marked
            && options.header.is_none()
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
            self.head.warnings.push(
                "the first line counts 0, 1, 2, ...: it is read as the header that pandas writes for \
                 columns without names, not as a sample"
                    .to_owned(),
            );
        }
        self.head.header = Some(first.names());
        self.header_source = first.source;
        Ok(())
    }

    /// The form of the text, as far as it has been read.
    pub(super) fn form(&self) -> TextForm {
        let decimal_comma = self.decimals.mark == Mark::Comma;
        TextForm { encoding: self.blocks.encoding(), separator: self.separator, decimal_comma }
    }

    /// The header's text as it is; `None` if there is none.
    pub(super) fn header_source(&self) -> Option<&[u8]> {
        self.head.header.is_some().then_some(&self.header_source[..])
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
    fn text_columns(&self) -> Vec<usize> {
        let comma = self.decimals.mark != Mark::Point;
        let has_text = |at: &usize| {
            self.ahead.iter().any(|row| *at < row.len() && is_text(row.field(*at), comma))
        };
        (0..self.head.columns).filter(has_text).collect()
    }

    /// The next of the rows that were read to detect the table's structure, and are not comments.
    pub(super) fn next_ahead(&mut self) -> Result<Option<Record>> {
        while let Some(record) = self.ahead.pop_front() {
            if check_width(&record, self.head.columns)? {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// The block that is being read, and where its next record begins.
    pub(super) fn rest_of_block(&mut self) -> (Block, (usize, u64)) {
        let place = std::mem::take(&mut self.place);
        (std::mem::take(&mut self.block), place)
    }

    /// Reads the next record, of any number of fields.
    fn next_record(&mut self, record: &mut Record) -> Result<bool> {
        loop {
            let mut records =
                Records::from(&self.block.text, self.place, self.separator, self.keeps_source);
            let found = records.next(record)?;
            self.place = records.place();
            if found {
                return Ok(true);
            }
            let Some(block) = self.blocks.next(PIECE)? else { return Ok(false) };
            (self.place, self.block) = ((0, block.line), block);
        }
    }

    /// Reads the next row into `row`; `false` if there is none.
    pub(super) fn next(&mut self, row: &mut Record) -> Result<bool> {
        if let Some(record) = self.next_ahead()? {
            *row = record;
            return Ok(true);
        }
        while self.next_record(row)? {
            if check_width(row, self.head.columns)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether a record is a row of the table; otherwise it is a comment.
///
/// # Errors
/// `InvalidData` if it has another number of fields.
pub(super) fn check_width(record: &Record, columns: usize) -> Result<bool> {
    match record.len() == columns {
        true => Ok(true),
        false if record.is_marked => Ok(false),
        false => Err(invalid(format!(
            "line {} has {} fields, the first line has {columns}",
            record.line,
            record.len()
        ))),
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
