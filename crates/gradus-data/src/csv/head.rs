//! What is known of the columns of a table before its rows are read, whatever file it comes from.

/// The columns of a table.
#[derive(Debug, Clone, Default)]
pub(super) struct Head {
    /// Number of columns.
    pub(super) columns: usize,
    /// Their names, if there is a header.
    pub(super) header: Option<Vec<String>>,
    /// Positions of columns that hold text, as far as the first rows or the types in the file show it.
    pub(super) texts: Vec<usize>,
    /// What the user ought to know, a line each.
    pub(super) warnings: Vec<String>,
}

/// Which columns of a table are read, and as what.
pub(super) struct Layout {
    /// Positions of the features that are read, in the order of a sample.
    pub(super) features: Vec<usize>,
    /// Which features of a sample are not read, in ascending order: a model does not use them.
    pub(super) unread: Vec<usize>,
    /// Positions of the targets.
    pub(super) targets: Vec<usize>,
    /// Whether the roles of the columns come from this table, not from other data.
    pub(super) is_new: bool,
    /// Whether the features may be the grey levels of an image, as far as their names and their number tell.
    pub(super) may_be_pixels: bool,
}

impl Layout {
    /// Which features of a sample are read.
    pub(super) fn read(&self) -> impl Iterator<Item = usize> {
        let all = 0..self.features.len() + self.unread.len();
        all.filter(|at| self.unread.binary_search(at).is_err())
    }
}

impl Head {
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

    /// Warns that whole numbers of a column were rounded.
    #[cfg(feature = "parquet")]
    pub(super) fn tell_rounded(&mut self, at: usize) {
        self.warnings.push(format!(
            "{} has whole numbers beyond 2^53, which are rounded to double precision: if they are codes, name it with \
             `categorical`, or leave it out with `drop`",
            self.column(at)
        ));
    }
}
