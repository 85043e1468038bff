//! Options for reading a table.

use super::encoding::Encoding;
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
}
