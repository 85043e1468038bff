//! A table in any kind of file and what is asked for in, samples out.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use gradus_core::samples::DateOrder;

use super::encoding::TextForm;
use super::fields::Mark;
use super::head::{Head, Layout};
use super::layout;
use super::options::TableOptions;
use super::packed::unpack;
use super::rows::{Plan, ReadRows};
#[cfg(feature = "parquet")]
use super::stored::StoredTable;
use super::table::Table;
use super::targets::{ReadTargets, TargetKind};
use super::typed::ReadColumn;
use crate::error::Result;
use crate::{Columns, Dataset, Inputs, image_shape, invalid, reading};

/// A table, opened: its columns are known, its rows are still to be read.
pub(super) enum Source<R> {
    /// Text.
    Text(Box<Table<R>>),
    /// Columns with types.
    #[cfg(feature = "parquet")]
    Stored(StoredTable),
}

/// What was read.
pub(super) struct Features {
    pub(super) columns: Vec<ReadColumn>,
    /// What comes first in the dates of each.
    pub(super) orders: Vec<Option<DateOrder>>,
    pub(super) targets: ReadTargets,
    /// Whether the first of them counts the rows.
    pub(super) first_counts: bool,
}

/// A table whose rows have been read: all of a data set, or a part of it.
pub(super) struct Part {
    pub(super) head: Head,
    pub(super) layout: Layout,
    /// The roles of the columns.
    pub(super) columns: Columns,
    pub(super) features: Features,
}

impl Part {
    /// Removes and returns the warnings so far, a line each, which begins with the name of the file.
    pub(super) fn take_warnings(&mut self, path: &Path) -> Vec<String> {
        let warnings = std::mem::take(&mut self.head.warnings).into_iter();
        warnings.map(|warning| format!("{}: {warning}", path.display())).collect()
    }

    /// The samples with their targets, and what else the user ought to know, a line each.
    pub(super) fn finish(self, options: &TableOptions) -> Result<(Dataset, Vec<String>)> {
        let Part { mut head, layout, mut columns, features: read } = self;
        let Features { columns: mut features, orders, targets, .. } = read;
        if layout.is_new {
            columns = columns.with_date_orders(orders);
        }
        Head::add_unread(&mut features, &layout, options);
        let inputs = head.inputs(features, layout.may_be_pixels, options)?;
        let names: Vec<String> = layout.targets.iter().map(|&at| head.name(at)).collect();
        if let Some(problem) = targets.blurred(names.len()) {
            return Err(invalid(problem));
        }
        let features = layout.features.len() + layout.unread.len();
        let shape = match &inputs {
            Inputs::Bytes(_) => image_shape(&[features]).unwrap_or(vec![features]),
            _ => vec![features],
        };
        let data =
            Dataset::with_targets(inputs, targets.finish(names), shape)?.with_columns(columns)?;
        Ok((data, head.warnings))
    }
}

/// Reads a table that may be packed.
pub(super) type Unpacked<'a> = Box<dyn Read + Send + 'a>;

impl<'a> Source<Unpacked<'a>> {
    /// The table in the bytes of a file.
    ///
    /// # Errors
    /// `InvalidData` if they are no table.
    pub(super) fn of_bytes(bytes: &'a [u8], options: &TableOptions) -> Result<Self> {
        #[cfg(feature = "parquet")]
        if let Some(table) = StoredTable::of_bytes(bytes)? {
            return Ok(Source::Stored(table));
        }
        Ok(Source::Text(Box::new(Table::open(unpack(Cursor::new(bytes))?, options)?)))
    }
}

impl Source<Unpacked<'static>> {
    /// The table in a file.
    ///
    /// # Errors
    /// `NotFound` or `Io` if it cannot be read; `InvalidData` if it is no table.
    pub(super) fn of_file(path: &Path, options: &TableOptions) -> Result<Self> {
        let file: File = reading::open(path)?;
        #[cfg(feature = "parquet")]
        if let Some(table) = StoredTable::of_file(path)? {
            return Ok(Source::Stored(table));
        }
        Ok(Source::Text(Box::new(Table::open(unpack(file)?, options)?)))
    }
}

impl<R: Read + Send> Source<R> {
    pub(super) fn head(&mut self) -> &mut Head {
        match self {
            Source::Text(table) => &mut table.head,
            #[cfg(feature = "parquet")]
            Source::Stored(table) => &mut table.head,
        }
    }

    /// The samples with their targets, and what the user ought to know, a line each.
    pub(super) fn labelled(self, options: &TableOptions) -> Result<(Dataset, Vec<String>)> {
        self.part(options)?.finish(options)
    }

    /// Which columns are features and targets.
    pub(super) fn layout_with_targets(
        &mut self,
        options: &TableOptions,
    ) -> Result<(Layout, Columns)> {
        if self.head().columns < 2 {
            return Err(invalid(
                "the table has one column: expected a label and at least one number",
            ));
        }
        layout::of_samples_with_targets(self.head(), options)
    }

    /// The rows with their targets, to which others may be added.
    pub(super) fn part(mut self, options: &TableOptions) -> Result<Part> {
        let (mut layout, mut columns) = self.layout_with_targets(options)?;
        let mut features = self.read(&layout, TargetKind::of(options), options)?;
        if layout.is_new && layout.features.first() == Some(&0) {
            let counts = features.first_counts;
            if self.head().leaves_index_out(&mut layout, &mut columns, counts)? {
                features.columns.remove(0);
                features.orders.remove(0);
            }
        }
        Ok(Part { head: std::mem::take(self.head()), layout, columns, features })
    }

    /// The samples for a model that takes so many features, whose values have the names `outputs`; what the user ought to
    /// know; and the form of the text.
    pub(super) fn samples(
        mut self,
        features: usize,
        outputs: &[String],
        options: &TableOptions,
    ) -> Result<(Inputs, Vec<String>, TextForm)> {
        let layout = layout::of_samples(self.head(), features, outputs, options)?;
        let Features { mut columns, .. } = self.read(&layout, TargetKind::None, options)?;
        Head::add_unread(&mut columns, &layout, options);
        let inputs = self.head().inputs(columns, layout.may_be_pixels, options)?;
        let form = match &self {
            Source::Text(table) => table.form(),
            #[cfg(feature = "parquet")]
            Source::Stored(_) => TextForm::default(),
        };
        Ok((inputs, std::mem::take(&mut self.head().warnings), form))
    }

    /// Reads the features and targets of all rows.
    fn read(
        &mut self,
        layout: &Layout,
        kind: TargetKind,
        options: &TableOptions,
    ) -> Result<Features> {
        let wanted = self.head().wanted(layout, options)?;
        let gaps = options.gaps();
        let leaves_out = options.may_be_raw();
        match self {
            Source::Text(table) => {
                let head = table.head.clone();
                let plan = Plan {
                    head: &head,
                    layout,
                    wanted: &wanted,
                    targets: kind,
                    classes: &[],
                    gaps: &gaps,
                    leaves_out,
                    bytes: layout.may_be_pixels,
                    separator: table.separator,
                };
                let read = table.read(&plan)?;
                let ReadRows { rows, left_out, decimals, columns, orders, .. } = read;
                let (targets, first_counts) = (read.targets, read.first_counts);
                table.decimals = decimals;
                table.tell_marks();
                if !layout.targets.is_empty() {
                    table.head.tell_left_out(left_out, rows)?;
                }
                Ok(Features { columns, orders, targets, first_counts })
            }
            #[cfg(feature = "parquet")]
            Source::Stored(table) => {
                let (columns, targets, first_counts) =
                    table.samples(layout, &wanted, kind, &gaps, leaves_out)?;
                let (columns, orders) = columns.into_iter().unzip();
                Ok(Features { columns, orders, targets, first_counts })
            }
        }
    }
}

impl<R: Read> Table<R> {
    /// Warns of what the text and the numbers in it look like, as far as it has been read.
    pub(super) fn tell_marks(&mut self) {
        let warnings = self.blocks.take_warnings();
        self.head.warnings.extend(warnings);
        if self.decimals.mark == Mark::Comma {
            let warning = "numbers have a decimal comma: 1,5 is read as 1.5";
            self.head.warnings.push(warning.to_owned());
        }
        if self.decimals.has_groups {
            let warning = match self.decimals.mark {
                Mark::Comma => "numbers have marks between thousands: 1.234 is read as 1234",
                _ => "numbers have marks between thousands: 1,234 is read as 1234",
            };
            self.head.warnings.push(warning.to_owned());
        }
    }
}

impl Head {
    /// Whether the first column, which is the first feature and `counts` the rows or does not, has no name and is left out;
    /// warns of it, and of one with a name.
    pub(super) fn leaves_index_out(
        &mut self,
        layout: &mut Layout,
        columns: &mut Columns,
        counts: bool,
    ) -> Result<bool> {
        const NAMES: [&str; 5] = ["", "index", "id", "row", "no"];
        let name = self.header.as_ref().map(|names| names[0].to_lowercase());
        let is_unnamed =
            name.as_ref().is_some_and(|it| it.is_empty() || it.starts_with("unnamed:"));
        let may_count = name.is_none_or(|name| NAMES.contains(&name.as_str()));
        if !(is_unnamed || may_count && counts) {
            return Ok(false);
        }
        let column = self.column(0);
        if is_unnamed && counts && layout.features.len() > 1 {
            self.warnings.push(format!(
                "{column} has no name and counts the rows, such as the index that pandas writes: it is left out"
            ));
            layout.features.remove(0);
            *columns = columns.without(0)?;
            return Ok(true);
        }
        let at = self.name(0);
        let at = if at.is_empty() { "0".to_owned() } else { at };
        self.warnings.push(format!(
            "{column} looks like the numbers of the rows, such as the index that pandas writes, and says nothing about new \
             samples: leave it out with `drop` {at}"
        ));
        Ok(false)
    }
}
