//! What is asked for when data are loaded, and what comes back.

use std::path::PathBuf;

use gradus_core::samples::ColumnType;

use super::csv::{Encoding, TableOptions};
use super::files::ReadOptions;
use super::{Columns, Dataset};

/// Columns of a table whose kind is decided by the user, not by what they hold: names or positions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ColumnKinds {
    /// Categories.
    pub categorical: Vec<String>,
    /// Numbers.
    pub numeric: Vec<String>,
    /// Dates and times.
    pub dates: Vec<String>,
}

/// What to load and how.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// The name of a set ([`set_names`](crate::set_names)) or a path; `None` for MNIST and, if it is not available, the
    /// built-in digits.
    pub data: Option<PathBuf>,
    /// The first folder in which named sets are looked for.
    pub data_dir: Option<PathBuf>,
    /// A test set that replaces the one in the data.
    pub test: Option<PathBuf>,
    /// Label column of a CSV table: a name from its header, or a position from 0; for `values` one
    /// or several, with commas between them.
    pub label_column: Option<String>,
    /// Columns of a table to leave out: names from its header, or positions from 0.
    pub drop: Vec<String>,
    /// Columns of a table to read as categories, as numbers and as dates, by name or position.
    pub kinds: ColumnKinds,
    /// Spellings of gaps in a table, in place of the usual ones.
    pub missing: Option<Vec<String>>,
    /// The types of the features among `columns`, of a model that takes raw columns.
    pub types: Option<Vec<ColumnType>>,
    /// Whether that model uses each of the features: those that it does not use need not be in a table.
    pub used: Option<Vec<bool>>,
    /// What stands in place of a gap in each feature of a table, for a model of numbers: their means.
    pub fill: Option<Vec<f64>>,
    /// How the letters of a table are written as bytes, if it does not say so itself.
    pub encoding: Option<Encoding>,
    /// Whether the first line of a text table is a header; by default it is found out.
    pub header: Option<bool>,
    /// Whether 64-bit numbers stay so in any case: for a model that takes double precision.
    pub doubles: bool,
    /// Whether images in colour that are arrays stay so: for a model that takes them.
    pub colour: bool,
    /// The columns that a model was trained on: those of a table are found by these names, or by these
    /// positions in a table without a header.
    pub columns: Option<Columns>,
    /// Whether to read regression targets, from columns of a CSV table or from the `y` of an `.npz`, instead
    /// of classes.
    pub values: bool,
    /// Height and width to which images are scaled; `None` for the most frequent size.
    pub image_size: Option<(usize, usize)>,
    /// Decides which samples are held out for testing if the data have no test part.
    pub seed: u64,
    /// Whether a named set that is not on this machine is downloaded.
    pub download: bool,
    /// Whether the inputs of a folder of shards stay in its files, to be read piece by piece.
    pub streamed: bool,
}

impl Default for LoadOptions {
    /// MNIST, or else the built-in digits; seed 0; downloads allowed.
    fn default() -> Self {
        LoadOptions {
            data: None,
            data_dir: None,
            test: None,
            label_column: None,
            drop: Vec::new(),
            kinds: ColumnKinds::default(),
            missing: None,
            types: None,
            used: None,
            fill: None,
            encoding: None,
            header: None,
            columns: None,
            doubles: false,
            colour: false,
            values: false,
            image_size: None,
            seed: 0,
            download: true,
            streamed: false,
        }
    }
}

impl LoadOptions {
    pub(crate) fn reading(&self) -> ReadOptions<'_> {
        ReadOptions {
            table: TableOptions {
                label_column: self.label_column.as_deref(),
                values: self.values,
                drop: &self.drop,
                encoding: self.encoding,
                columns: self.columns.as_ref(),
                doubles: self.doubles,
                categorical: &self.kinds.categorical,
                numeric: &self.kinds.numeric,
                dates: &self.kinds.dates,
                missing: self.missing.as_deref(),
                types: self.types.as_deref(),
                used: self.used.as_deref(),
                fill: self.fill.as_deref(),
                header: self.header,
                decimal_comma: false,
                finds_types: false,
            },
            image_size: self.image_size,
            colour: self.colour,
            streamed: self.streamed,
        }
    }
}

/// What is known of the order of samples; it decides which of them [`held_out`](crate::held_out) holds out, and in which order they stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SampleOrder {
    /// Nothing: neighbours may be alike.
    Unknown,
    /// That of shards, which are read in it. Nothing is known of neighbours.
    Stored,
    /// That of shards whose samples were shuffled when they were packed: any part of them is like the whole.
    Shuffled,
}

/// The result of [`find`](crate::find): the data as they are, possibly without a test part.
#[derive(Debug, Clone)]
pub struct Found {
    /// The name of the set, or the path.
    pub name: String,
    /// The training part, or all samples if there are no parts.
    pub train: Dataset,
    /// The validation part, if there is one: it has the same sample shape and classes as the training part.
    pub validation: Option<Dataset>,
    /// The test part, if there is one, like the validation part.
    pub test: Option<Dataset>,
    /// What is known of the order of the training samples.
    pub order: SampleOrder,
    /// Where the data come from: a folder, a file, or "built in".
    pub origin: String,
    /// Warnings, one line each: that another set was used, that a local copy was passed over, or which column
    /// of a table was used as the label if its header does not identify one.
    pub warnings: Vec<String>,
}

/// The result of [`load`](crate::load).
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The name of the set, or the path.
    pub name: String,
    /// The training part.
    pub train: Dataset,
    /// What is known of the order of its samples.
    pub order: SampleOrder,
    /// The validation part, if the data have one: the same sample shape and classes as the training part.
    pub validation: Option<Dataset>,
    /// The test part, like the validation part.
    pub test: Dataset,
    /// Where the data come from: a folder, a file, or "built in".
    pub origin: String,
    /// Warnings, one line each: those of [`Found`], and that a test part was held out.
    pub warnings: Vec<String>,
}
