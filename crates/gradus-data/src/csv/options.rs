//! Options for reading a table.

use gradus_core::samples::ColumnType;

use super::encoding::Encoding;
use super::fields::Gaps;
use crate::Columns;

/// How a table is read.
#[derive(Debug, Clone, Copy, Default)]
pub struct TableOptions<'a> {
    /// The label column: a name from the header or a position from 0; for `values` one or several, with
    /// commas between them.
    pub label_column: Option<&'a str>,
    /// Whether targets are numbers (regression) instead of classes.
    pub values: bool,
    /// Columns to leave out, by name or position.
    pub drop: &'a [String],
    /// The character encoding, if the table has no byte order mark.
    pub encoding: Option<Encoding>,
    /// The columns that samples must have, in this order: those that a model was trained on. Features and
    /// targets are then found by these names, or by position in a table without a header.
    pub columns: Option<&'a Columns>,
    /// Whether numbers stay in double precision in any case: for a model that takes them so.
    pub doubles: bool,
    /// Features to read as categories, by name or position, whatever they hold.
    pub categorical: &'a [String],
    /// Features that must be numbers, by name or position.
    pub numeric: &'a [String],
    /// Features that must be dates, by name or position.
    pub dates: &'a [String],
    /// Spellings of gaps in place of the usual ones.
    pub missing: Option<&'a [String]>,
    /// The types of the features in `columns`, if these have types: the samples are then raw columns of these types. Without
    /// them, samples with known columns are numbers without gaps.
    pub types: Option<&'a [ColumnType]>,
    /// Whether `columns` say only which columns are features and targets, and what they hold is found out, as in a further file
    /// of the same table.
    pub finds_types: bool,
    /// Whether a model uses each of the features in `columns`: those that it does not use need not be in the table, and what
    /// they hold does not matter. By default it uses all.
    pub used: Option<&'a [bool]>,
    /// What stands in place of a gap in each feature, for a model of numbers: their means. Gaps are an error without it.
    pub fill: Option<&'a [f64]>,
    /// Whether the first line of a text table is a header; by default it is found out.
    pub header: Option<bool>,
    /// Whether numbers are known to have a decimal comma; otherwise the first mark decides.
    pub decimal_comma: bool,
}

impl<'a> TableOptions<'a> {
    /// The options for a further file of a table whose first file has these columns.
    pub(super) fn of_further_file(&self, columns: &'a Columns) -> TableOptions<'a> {
        match self.columns {
            Some(_) => *self,
            // The roles of the columns are known by now.
            None => TableOptions {
                label_column: None,
                drop: &[],
                columns: Some(columns),
                finds_types: true,
                ..*self
            },
        }
    }

    /// Whether the samples may be raw columns.
    pub(super) fn may_be_raw(&self) -> bool {
        self.columns.is_none() || self.types.is_some() || self.fill.is_some() || self.finds_types
    }

    /// Whether a known feature is used.
    pub(super) fn uses(&self, index: usize) -> bool {
        self.used.is_none_or(|used| used.get(index) != Some(&false))
    }

    /// Which of the known features are not used, in ascending order.
    pub(super) fn unread(&self) -> Vec<usize> {
        let used = self.used.unwrap_or_default().iter().enumerate();
        used.filter(|(_, used)| !**used).map(|(index, _)| index).collect()
    }

    /// What a gap is: the given spellings, else those of the known columns, else the usual ones.
    pub(super) fn gaps(&self) -> Gaps<'_> {
        Gaps::new(self.missing.or_else(|| self.columns?.missing()))
    }

    /// Whether types of columns are given: the samples are then raw columns, whatever the table holds.
    pub(super) fn names_types(&self) -> bool {
        let Self { categorical, numeric, dates, types, .. } = self;
        types.is_some() || [categorical, numeric, dates].iter().any(|names| !names.is_empty())
    }
}
