//! The layer of input columns: the first layer of a network for tables, which embeds numbers and categories.
//!
//! In: what each column is, and how it is embedded. Out: a [`ColumnLayer`], which knows its sizes and the tensors of
//! its parameters. Its formulas are in docs/maths.md M28; `engine/cpu/columns.rs` computes them.

use gradus_kernels::periodic::MOST_OUTPUTS;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::network::tensor::{MOST_PARAMETERS, Role, Tensor};

/// What a column of the inputs is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Column {
    /// A number, embedded as the layer says.
    Number,
    /// A number that is handed on as it is, such as 0 or 1 for whether something is so.
    Flag,
    /// The number of a category: 1 to this size, or 0 for a missing or unknown one. All other numbers count as 0.
    Category(usize),
}

/// How each number is embedded.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumericEmbedding {
    /// As it is.
    None,
    /// A linear map of cosines, next to the number itself: "PBLD" (Holzmueller et al. 2024).
    Pbld {
        /// Cosines of each number.
        frequencies: usize,
        /// Outputs of the linear map.
        outputs: usize,
        /// Standard deviation of the frequencies before training.
        scale: f32,
    },
    /// A line that bends at the edges of bins: "PLE" (Gorishniy, Rubachev and Babenko 2022), in the form of TabM
    /// (Gorishniy, Kotelnikov and Babenko 2025).
    Ple {
        /// Bins of each number; they hold as many training samples each.
        bins: usize,
        /// Lines of each number.
        outputs: usize,
    },
}

/// The first layer of a network for tables. What the columns become is concatenated in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnLayer {
    columns: Vec<Column>,
    numeric: NumericEmbedding,
    category_outputs: usize,
}

/// The distribution of a tensor before training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Start {
    /// `N(0, s^2)` with this standard deviation.
    Normal(f32),
    /// Uniform up to this bound, with either sign.
    Uniform(f32),
    /// 0.
    Zero,
}

/// Most frequencies of a number.
const MOST_FREQUENCIES: usize = 256;

/// Most bins of a number.
const MOST_BINS: usize = 256;

/// Most categories of a column: larger whole numbers are not exact as inputs.
const MOST_CATEGORIES: usize = 1 << 24;

/// Most outputs for a category.
const MOST_CATEGORY_OUTPUTS: usize = 256;

impl NumericEmbedding {
    /// PBLD with the sizes and the scale of its paper.
    pub const PBLD: NumericEmbedding =
        NumericEmbedding::Pbld { frequencies: 16, outputs: 3, scale: 0.1 };

    /// PLE with the bins of its paper and as many outputs as PBLD has.
    pub const PLE: NumericEmbedding = NumericEmbedding::Ple { bins: 48, outputs: 4 };

    /// Factor of the learning rate of its parameters (Holzmueller et al. 2024).
    pub(crate) const RATE_FACTOR: f32 = 0.1;

    /// Reads `none`, `pbld`, `pbld:FREQUENCIES:OUTPUTS:SCALE`, `ple` or `ple:BINS:OUTPUTS`; `None` for anything else.
    pub fn parse(text: &str) -> Option<NumericEmbedding> {
        let mut parts = text.split(':');
        let (name, rest): (_, Vec<&str>) = (parts.next()?, parts.collect());
        let embedding = match (name, &rest[..]) {
            ("none", []) => NumericEmbedding::None,
            ("pbld", []) => NumericEmbedding::PBLD,
            ("pbld", [frequencies, outputs, scale]) => NumericEmbedding::Pbld {
                frequencies: frequencies.parse().ok()?,
                outputs: outputs.parse().ok()?,
                scale: scale.parse().ok()?,
            },
            ("ple", []) => NumericEmbedding::PLE,
            ("ple", [bins, outputs]) => {
                NumericEmbedding::Ple { bins: bins.parse().ok()?, outputs: outputs.parse().ok()? }
            }
            _ => return None,
        };
        embedding.is_valid().then_some(embedding)
    }

    /// The form that [`NumericEmbedding::parse`] reads.
    pub fn name(self) -> String {
        match self {
            NumericEmbedding::None => "none".into(),
            NumericEmbedding::PBLD => "pbld".into(),
            NumericEmbedding::Pbld { frequencies, outputs, scale } => {
                format!("pbld:{frequencies}:{outputs}:{scale}")
            }
            NumericEmbedding::PLE => "ple".into(),
            NumericEmbedding::Ple { bins, outputs } => format!("ple:{bins}:{outputs}"),
        }
    }

    /// Whether its sizes are in range.
    fn is_valid(self) -> bool {
        match self {
            NumericEmbedding::None => true,
            NumericEmbedding::Pbld { frequencies, outputs, scale } => {
                (1..=MOST_FREQUENCIES).contains(&frequencies)
                    && (1..=MOST_OUTPUTS).contains(&outputs)
                    && scale.is_finite()
                    && scale > 0.0
            }
            NumericEmbedding::Ple { bins, outputs } => {
                (1..=MOST_BINS).contains(&bins) && (1..=MOST_OUTPUTS).contains(&outputs)
            }
        }
    }

    /// Numbers that a number becomes.
    pub fn outputs(self) -> usize {
        match self {
            NumericEmbedding::None => 1,
            NumericEmbedding::Pbld { outputs, .. } => outputs + 1,
            NumericEmbedding::Ple { outputs, .. } => outputs,
        }
    }

    /// The tensors of `numbers` embedded numbers: names, shapes, and what they are before training.
    fn tensors(self, numbers: usize) -> Vec<(&'static str, [usize; 2], Role, Start)> {
        let role = Role::NumericEmbedding;
        match self {
            NumericEmbedding::None => Vec::new(),
            NumericEmbedding::Pbld { frequencies, outputs, scale } => {
                let bound = Start::Uniform(1.0 / (frequencies as f32).sqrt());
                let turn = Start::Uniform(std::f32::consts::PI);
                vec![
                    ("frequency", [numbers, frequencies], role, Start::Normal(scale)),
                    ("phase", [numbers, frequencies], role, turn),
                    ("mix", [numbers, frequencies * outputs], role, bound),
                    ("mix_bias", [numbers, outputs], role, bound),
                ]
            }
            NumericEmbedding::Ple { bins, outputs } => {
                let bound = Start::Uniform(1.0 / (outputs as f32).sqrt());
                vec![
                    // The data decide them (`bins.rs`).
                    ("edge", [numbers, bins + 1], Role::BinEdges, Start::Zero),
                    ("rise", [numbers, bins * outputs], role, Start::Zero),
                    ("slope", [numbers, outputs], role, bound),
                    ("offset", [numbers, outputs], role, bound),
                ]
            }
        }
    }
}

impl ColumnLayer {
    /// A layer of these columns; each category becomes `category_outputs` numbers.
    ///
    /// # Errors
    /// `InvalidArgument` for no column, sizes out of range, or too many parameters.
    pub fn new(
        columns: Vec<Column>,
        numeric: NumericEmbedding,
        category_outputs: usize,
    ) -> Result<ColumnLayer> {
        let wrong = |message: String| Err(Error::argument(message));
        if columns.is_empty() {
            return wrong("a layer of columns must have at least one column".into());
        }
        if !numeric.is_valid() {
            return wrong(format!(
                "there is no numeric embedding {}: the frequencies must be 1 to {MOST_FREQUENCIES}, the bins 1 to {MOST_BINS}, \
                 the outputs 1 to {MOST_OUTPUTS}, and the scale above 0",
                numeric.name()
            ));
        }
        if !(1..=MOST_CATEGORY_OUTPUTS).contains(&category_outputs) {
            return wrong(format!(
                "{category_outputs} outputs for a category, but there must be 1 to {MOST_CATEGORY_OUTPUTS}"
            ));
        }
        let largest = columns.iter().map(|column| match column {
            Column::Category(size) => *size,
            Column::Number | Column::Flag => 0,
        });
        if largest.max() > Some(MOST_CATEGORIES) {
            return wrong(format!(
                "a column has more than {MOST_CATEGORIES} categories: leave it out"
            ));
        }
        let layer = ColumnLayer { columns, numeric, category_outputs };
        match layer.count().is_some_and(|count| count <= MOST_PARAMETERS) {
            true => Ok(layer),
            false => wrong(format!(
                "the embeddings of the columns would have more than {MOST_PARAMETERS} parameters: use fewer categories, or \
                 smaller embeddings"
            )),
        }
    }

    /// Columns that are all handed on as they are.
    pub(crate) fn unchanged(columns: usize) -> ColumnLayer {
        let (columns, numeric) = (vec![Column::Flag; columns], NumericEmbedding::None);
        ColumnLayer { columns, numeric, category_outputs: 1 }
    }

    /// What each column is.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// How each number is embedded.
    pub fn numeric(&self) -> NumericEmbedding {
        self.numeric
    }

    /// Numbers that a category becomes.
    pub fn category_outputs(&self) -> usize {
        self.category_outputs
    }

    /// Whether a column is a category.
    pub fn has_categories(&self) -> bool {
        self.columns.iter().any(|column| matches!(column, Column::Category(_)))
    }

    /// Numbers that a column becomes.
    pub fn outputs_of(&self, column: Column) -> usize {
        match column {
            Column::Number => self.numeric.outputs(),
            Column::Flag => 1,
            Column::Category(_) => self.category_outputs,
        }
    }

    /// Numbers that all columns become: the inputs of the first linear layer.
    pub fn outputs(&self) -> usize {
        self.columns.iter().map(|&column| self.outputs_of(column)).sum()
    }

    /// The columns that are numbers.
    fn numbers(&self) -> usize {
        self.columns.iter().filter(|&&column| column == Column::Number).count()
    }

    /// Number of parameters; `None` if it overflows.
    fn count(&self) -> Option<usize> {
        let each = self.numeric.tensors(1).iter().map(|(_, [_, width], ..)| width).sum();
        let numbers = self.numbers().checked_mul(each)?;
        self.table_rows()?.checked_mul(self.category_outputs)?.checked_add(numbers)
    }

    /// Rows of the tables of all categories: each has one for the missing category, then its own.
    fn table_rows(&self) -> Option<usize> {
        self.columns.iter().try_fold(0usize, |rows, column| match column {
            Column::Category(size) => rows.checked_add(size.checked_add(1)?),
            _ => Some(rows),
        })
    }

    /// Its tensors in order, for a layer at `position` whose parameters are the network's first.
    pub(crate) fn tensors(&self, position: usize) -> Vec<Tensor> {
        let mut end = 0;
        let tensors = self.parts().into_iter().map(|(name, shape, role, _)| {
            let range = end..end + shape[0] * shape[1];
            end = range.end;
            Tensor { name: format!("{position}.{name}"), shape, range, role }
        });
        tensors.collect()
    }

    /// What its tensors are before training.
    pub(super) fn starts(&self) -> impl Iterator<Item = Start> {
        self.parts().into_iter().map(|(.., start)| start)
    }

    /// Its tensors that are not empty.
    fn parts(&self) -> Vec<(&'static str, [usize; 2], Role, Start)> {
        let numeric = self.numeric.tensors(self.numbers()).into_iter();
        let table = [self.table_rows().unwrap_or(0), self.category_outputs];
        let table = ("embedding", table, Role::CategoryEmbedding, Start::Normal(1.0));
        numeric.chain([table]).filter(|(_, [rows, _], ..)| *rows > 0).collect()
    }

    /// Number of parameters.
    pub fn parameters(&self) -> usize {
        self.count().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        let wide = NumericEmbedding::Pbld { frequencies: 8, outputs: 4, scale: 0.25 };
        let bins = NumericEmbedding::Ple { bins: 12, outputs: 2 };
        let [none, pbld, ple] =
            [NumericEmbedding::None, NumericEmbedding::PBLD, NumericEmbedding::PLE];
        for embedding in [none, pbld, wide, ple, bins] {
            assert_eq!(NumericEmbedding::parse(&embedding.name()), Some(embedding));
        }
        for wrong in [
            "",
            "pbld:",
            "pbld:16",
            "pbld:0:3:0.1",
            "pbld:16:17:0.1",
            "pbld:16:3:0",
            "pbld:1:2:nan",
            "ple:",
            "ple:48",
            "ple:0:4",
            "ple:257:4",
            "ple:48:17",
            "ple:48:4:1",
        ] {
            assert_eq!(NumericEmbedding::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn sizes_are_checked_and_tensors_follow_each_other() {
        let columns = vec![Column::Number, Column::Category(9), Column::Flag, Column::Number];
        let layer = ColumnLayer::new(columns, NumericEmbedding::PBLD, 8).unwrap();
        assert_eq!(layer.outputs(), 4 + 8 + 1 + 4);
        let tensors = layer.tensors(0);
        let names: Vec<_> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
        assert_eq!(names, ["0.frequency", "0.phase", "0.mix", "0.mix_bias", "0.embedding"]);
        assert_eq!(tensors.last().unwrap().range.end, 2 * 83 + 10 * 8);
        assert_eq!(layer.parameters(), 2 * 83 + 10 * 8);
        for columns in [vec![], vec![Column::Category(usize::MAX)], vec![Column::Category(1 << 28)]]
        {
            assert!(ColumnLayer::new(columns, NumericEmbedding::None, 8).is_err());
        }
    }
}
