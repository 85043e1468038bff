//! What a tensor of a network is: its name, its shape, its place in the vector of parameters and its role.

use std::ops::Range;

/// More parameters than this are refused: 4 GiB of them, and as much again for gradients.
pub const MOST_PARAMETERS: usize = 1 << 30;

/// What a tensor does; weight decay and penalties act on weights alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Weight of a linear layer.
    Weight,
    /// Bias of a linear layer.
    Bias,
    /// Strengths of an activation, one for each unit.
    Strength,
    /// Parameters that embed numbers.
    NumericEmbedding,
    /// Edges of the bins of numbers: data decide them, and training leaves them alone.
    BinEdges,
    /// The table of each category.
    CategoryEmbedding,
    /// Factors of the scaling layer, one for each input of the first linear layer.
    InputScale,
    /// Scale of batch normalization.
    Scale,
    /// Shift of batch normalization.
    Shift,
    /// Running means, then running variances of batch normalization.
    RunningStatistics,
}

/// A named part of a vector that training changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// `0.weight`: the position of its layer in the network, and its role.
    pub name: String,
    /// Rows and columns; one row for a vector.
    pub shape: [usize; 2],
    /// Its place in the vector, row after row.
    pub range: Range<usize>,
    /// What it does.
    pub role: Role,
}
