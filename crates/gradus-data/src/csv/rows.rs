//! Reads the rows of a text table, blocks of them side by side: columns of one type each and the targets out.
//!
//! What a field is may depend on those before it: a column of numbers becomes text, and the first decimal mark decides about
//! the others. A block is read as if the rows before it had settled nothing that they had not settled when it was begun; if
//! they did, or it has an error, it is read again after them. So the result is that of reading row by row.

use std::io::Read;

use gradus_core::samples::DateOrder;
use rayon::prelude::*;

use super::fields::{Decimals, Gaps, Mark, is_missing};
use super::head::{Head, Layout};
use super::records::{Block, Record, Records};
use super::survey::{Counting, Traits};
use super::table::{Table, check_width};
use super::targets::{ReadTargets, TargetKind};
use super::typed::{ReadColumn, TypedColumn, Wanted};
use crate::error::{Error, Result};
use crate::invalid;

/// The bytes of a block, about.
const BLOCK: usize = 1 << 20;

/// How the rows are read.
pub(super) struct Plan<'a> {
    /// The columns of the table.
    pub(super) head: &'a Head,
    /// Which of them are read.
    pub(super) layout: &'a Layout,
    /// What each feature must hold.
    pub(super) wanted: &'a [Wanted],
    /// What the targets are.
    pub(super) targets: TargetKind,
    /// The classes in their order, if they are known; others may follow.
    pub(super) classes: &'a [String],
    /// What a gap is.
    pub(super) gaps: &'a Gaps<'a>,
    /// Whether rows without a target are left out; otherwise they are refused.
    pub(super) leaves_out: bool,
    /// Whether whole numbers from 0 to 255 are kept as bytes.
    pub(super) bytes: bool,
    pub(super) separator: u8,
}

/// What was read of some rows.
pub(super) struct ReadRows {
    /// All rows, those that were left out among them.
    pub(super) rows: u64,
    /// Rows without a target.
    pub(super) left_out: u64,
    pub(super) decimals: Decimals,
    /// The features.
    pub(super) columns: Vec<ReadColumn>,
    /// What comes first in the dates of each.
    pub(super) orders: Vec<Option<DateOrder>>,
    /// The targets.
    pub(super) targets: ReadTargets,
    /// Whether the first feature counts the rows.
    pub(super) first_counts: bool,
}

impl<R: Read + Send> Table<R> {
    /// Reads all rows.
    ///
    /// # Errors
    /// `InvalidData` with line and column for a field that is not what it should be.
    pub(super) fn read(&mut self, plan: &Plan) -> Result<ReadRows> {
        let mut whole = Piece::new(plan, self.decimals);
        while self.read_round(&mut whole)? {}
        whole.finish()
    }

    /// Adds the rows of the next blocks, a few for each thread; `false` at the end.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(super) fn read_round(&mut self, whole: &mut Piece) -> Result<bool> {
        while let Some(row) = self.next_ahead()? {
            whole.take(&row)?;
        }
        let (block, place) = self.rest_of_block();
        whole.take_records(Records::from(&block.text, place, whole.plan.separator, false))?;
        // Two for each thread, so that one that is slow delays no other.
        let count = 2 * rayon::current_num_threads();
        let blocks = self.blocks.take(BLOCK, count)?;
        if blocks.is_empty() {
            return Ok(false);
        }
        let read = |block: &Block| {
            let mut piece = whole.continued();
            piece.take_block(block).map(|()| piece)
        };
        // The file and its encoding are read by one thread, while the others are busy with what it read before.
        let (pieces, ()) = rayon::join(
            || blocks.par_iter().map(read).collect::<Vec<Result<Piece>>>(),
            || self.blocks.read_ahead(BLOCK, count),
        );
        for (block, piece) in blocks.into_iter().zip(pieces) {
            match piece {
                Ok(piece) if whole.may_append(&piece) => whole.append(piece, block.line)?,
                _ => whole.take_block(&block)?,
            }
        }
        Ok(true)
    }
}

/// What has been read of rows that follow each other.
pub(super) struct Piece<'a> {
    plan: &'a Plan<'a>,
    decimals: Decimals,
    columns: Vec<TypedColumn>,
    targets: ReadTargets,
    rows: u64,
    left_out: u64,
    /// Whether the first feature counts the rows.
    counting: Counting,
}

impl<'a> Piece<'a> {
    pub(super) fn new(plan: &'a Plan<'a>, decimals: Decimals) -> Piece<'a> {
        let columns = plan.wanted.iter().map(|&wanted| TypedColumn::new(wanted, plan.bytes));
        let targets = ReadTargets::new(plan.targets, plan.classes);
        let (columns, counting) = (columns.collect(), Counting::default());
        Piece { plan, decimals, columns, targets, rows: 0, left_out: 0, counting }
    }

    /// No rows yet, of those that follow.
    fn continued(&self) -> Piece<'a> {
        let columns = self.columns.iter().map(TypedColumn::continued).collect();
        let targets = ReadTargets::new(self.plan.targets, self.plan.classes);
        let counting = Counting::default();
        Piece { columns, targets, rows: 0, left_out: 0, counting, ..*self }
    }

    /// Forgets the rows so far, but not what they say about their columns and targets.
    pub(super) fn forget_rows(&mut self, traits: &mut [Traits]) {
        let pairs = self.columns.par_iter_mut().zip(traits);
        pairs.for_each(|(column, it)| column.forget_rows(it));
        self.targets.forget_rows();
    }

    fn take_block(&mut self, block: &Block) -> Result<()> {
        self.take_records(Records::of(block, self.plan.separator))
    }

    fn take_records(&mut self, mut records: Records) -> Result<()> {
        let mut row = Record::default();
        while records.next(&mut row)? {
            if check_width(&row, self.plan.head.columns)? {
                self.take(&row)?;
            }
        }
        Ok(())
    }

    /// Adds a row.
    fn take(&mut self, row: &Record) -> Result<()> {
        let Plan { layout, gaps, leaves_out, .. } = *self.plan;
        self.rows += 1;
        if leaves_out && layout.targets.iter().any(|&at| gaps.contain(row.field(at))) {
            self.left_out += 1;
            self.counting.skip();
            return Ok(());
        }
        for (&at, column) in layout.features.iter().zip(&mut self.columns) {
            let read = column.push(row.field(at), row.line, &mut self.decimals, gaps);
            if let Err(problem) = read {
                return Err(match leaves_out {
                    true => self.misfit(row.line, at, &problem),
                    false => self.refusal(row, at, &problem),
                });
            }
        }
        // Behind the features: most numbers of a table show its decimal mark there.
        for &at in &layout.targets {
            let read = self.targets.push(row.field(at), &mut self.decimals);
            read.map_err(|problem| self.refusal(row, at, &problem))?;
        }
        self.counting.add(self.columns.first().and_then(TypedColumn::last_number));
        Ok(())
    }

    /// Whether rows that were read on their own mean the same behind these.
    fn may_append(&self, later: &Piece) -> bool {
        let marks_agree = self.decimals.mark == Mark::Unknown
            || later.decimals.mark == Mark::Unknown
            || self.decimals.mark == later.decimals.mark;
        let mut pairs = self.columns.iter().zip(&later.columns);
        marks_agree && pairs.all(|(column, later)| column.may_append(later))
    }

    fn append(&mut self, later: Piece, line: u64) -> Result<()> {
        self.rows += later.rows;
        self.left_out += later.left_out;
        self.counting.append(later.counting);
        if self.decimals.mark == Mark::Unknown {
            self.decimals.mark = later.decimals.mark;
        }
        self.decimals.has_groups |= later.decimals.has_groups;
        self.targets.append(later.targets).map_err(|problem| {
            let at = self.plan.layout.targets[0];
            let (column, advice) = (self.plan.head.column(at), self.advice(at, false));
            invalid(format!("line {line} or later, {column}: {problem}; {advice}"))
        })?;
        let pairs = self.columns.par_iter_mut().zip(later.columns);
        pairs.for_each(|(column, more)| column.append(more));
        Ok(())
    }

    pub(super) fn finish(self) -> Result<ReadRows> {
        let Piece { plan, decimals, columns, targets, rows, left_out, counting } = self;
        let finished = columns.into_iter().zip(&plan.layout.features).map(|(column, &at)| {
            column.finish().map_err(|(line, problem)| {
                invalid(format!("line {line}, {}: {problem}", plan.head.column(at)))
            })
        });
        let (columns, orders) = finished.collect::<Result<Vec<_>>>()?.into_iter().unzip();
        let first_counts = counting.holds();
        Ok(ReadRows { rows, left_out, decimals, columns, orders, targets, first_counts })
    }

    /// The error for a feature that is not what it should be.
    fn misfit(&self, line: u64, at: usize, problem: &str) -> Error {
        invalid(format!("line {line}, {}: {problem}", self.plan.head.column(at)))
    }

    /// The error for a field, with its place and with what to do.
    fn refusal(&self, row: &Record, at: usize, problem: &str) -> Error {
        let advice = self.advice(at, is_missing(row.field(at)));
        invalid(format!("line {}, {}: {problem}; {advice}", row.line, self.plan.head.column(at)))
    }

    fn advice(&self, at: usize, is_gap: bool) -> String {
        let Plan { head, layout, .. } = self.plan;
        let is_target = layout.targets.contains(&at);
        match (&layout.targets[..], is_gap) {
            (_, true) if is_target => "fill it in, or leave the row out".to_owned(),
            (_, true) => "fill it in, or leave out the row, or the column with `drop`".to_owned(),
            (_, false) if is_target => {
                "is this the column of the targets? Name another with `label_column`".to_owned()
            }
            ([], _) => "all columns must hold numbers: leave this one out with `drop`".to_owned(),
            (targets, _) => {
                let targets: Vec<_> = targets.iter().map(|&at| head.column(at)).collect();
                format!(
                    "all columns but the target ({}) must hold numbers: leave this one out with \
                     `drop`, or name another target with `label_column`",
                    targets.join(", ")
                )
            }
        }
    }
}
