//! How the units and the parameters of a network are cut into pieces for several workers.
//!
//! The units of each hidden layer are cut into fixed blocks; a worker owns whole blocks. With a
//! block go the parameters whose gradients its owner can finish alone: the bias of its units and
//! the rows of the next weight that start from them; for the first layer also the columns of its
//! weight that lead to them, kept as a strip of their own. The cuts depend on the shape of the
//! network alone, never on the number of workers: that is why results do not either.
//!
//! The vector of parameters in this order is the network's own but for the first weight, which
//! stands strip after strip.

use std::ops::Range;

use gradus_kernels::sparse::{PANEL, PANEL_STEP};

use crate::network::{Activation, Hidden, Member, Network};

/// A linear layer with the activation after it.
#[derive(Debug, Clone)]
pub struct Stage {
    /// Values that come in.
    pub inputs: usize,
    /// Values that go out.
    pub outputs: usize,
    /// Applied to the outputs.
    pub activation: Activation,
    /// Blocks of units. The last of several stages is one block: its work is divided by samples.
    pub blocks: Vec<Range<usize>>,
    /// Columns that a block takes in memory; wider than the block only where strips are padded.
    pub padded: Vec<Range<usize>>,
    /// The piece of the bias of each block.
    bias_pieces: Vec<usize>,
    /// The pieces of the weight: for the first stage one strip for each block, for the others the
    /// rows that start from each block of the stage before.
    weight_pieces: Vec<usize>,
    /// The weight in the vector of parameters.
    pub weight: Range<usize>,
    /// The bias in the vector of parameters.
    pub bias: Range<usize>,
    /// What batch normalisation adds for each block; empty where there is none.
    pub norms: Vec<NormPieces>,
}

/// The pieces of one block's batch normalisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NormPieces {
    /// Scale, a piece of the parameters.
    pub gamma: usize,
    /// Shift, a piece of the parameters.
    pub beta: usize,
    /// Mean and variance, a piece of the statistics.
    pub statistics: usize,
}

impl Stage {
    /// The piece of the bias of block `block`.
    pub fn bias_piece(&self, block: usize) -> usize {
        self.bias_pieces[block]
    }

    /// The piece of the weight that belongs to block `block` (of this stage for the first one, of
    /// the stage before for all others).
    pub fn weight_piece(&self, block: usize) -> usize {
        self.weight_pieces[block]
    }
}

/// The cuts of a network.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The linear layers, each with its activation.
    pub stages: Vec<Stage>,
    /// The pieces of the vector of parameters, in order, without gaps.
    pub pieces: Vec<Range<usize>>,
    /// For each piece, whether weight decay applies: to weights, not to biases.
    pub decays: Vec<bool>,
    /// How hidden layers are treated in training.
    pub hidden: Hidden,
    /// The pieces of the vector of statistics: for each normalised block the means of its units,
    /// then their variances.
    pub statistics: Vec<Range<usize>>,
}

impl Layout {
    /// The cuts of `network`; `sparse` where its inputs are mostly-zero bytes.
    pub fn new(network: &Network, sparse: bool, hidden: Hidden) -> Layout {
        let count = network.linears().len();
        let mut layout = Layout {
            stages: Vec::new(),
            pieces: Vec::new(),
            decays: Vec::new(),
            hidden: if count > 1 { hidden } else { Hidden::PLAIN },
            statistics: Vec::new(),
        };
        for (index, linear) in network.linears().iter().enumerate() {
            let width = match index {
                0 if sparse => PANEL,
                0 => dense_width(linear.outputs),
                _ if index + 1 == count => linear.outputs,
                _ => dense_width(linear.outputs),
            };
            let blocks: Vec<_> = (0..linear.outputs)
                .step_by(width)
                .map(|start| start..(start + width).min(linear.outputs))
                .collect();
            let pad = if index == 0 && sparse { PANEL_STEP } else { 1 };
            let padded: Vec<_> =
                blocks.iter().map(|b| b.start..b.start + b.len().next_multiple_of(pad)).collect();
            let start = layout.len();
            let weight_pieces = match layout.stages.last() {
                None => padded.iter().map(|p| layout.add(linear.inputs * p.len(), true)).collect(),
                Some(before) => {
                    let rows: Vec<usize> = before.blocks.iter().map(|b| b.len()).collect();
                    rows.iter().map(|rows| layout.add(rows * linear.outputs, true)).collect()
                }
            };
            let middle = layout.len();
            let bias_pieces = blocks.iter().map(|b| layout.add(b.len(), false)).collect();
            layout.stages.push(Stage {
                inputs: linear.inputs,
                outputs: linear.outputs,
                activation: network.activation_after(index),
                blocks,
                padded,
                bias_pieces,
                weight_pieces,
                weight: start..middle,
                bias: middle..layout.len(),
                norms: Vec::new(),
            });
        }
        if layout.hidden.batch_norm {
            // Behind all else, so that the network's own parameters stand as they would without.
            for index in 0..count - 1 {
                let units: Vec<_> = layout.stages[index].blocks.iter().map(Range::len).collect();
                let norms = units.iter().map(|&units| layout.add_norm(units)).collect();
                layout.stages[index].norms = norms;
            }
        }
        layout
    }

    /// Length of the vector of parameters.
    pub fn len(&self) -> usize {
        self.pieces.last().map_or(0, |piece| piece.end)
    }

    /// Whether there is no parameter; never so for a network.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn add(&mut self, len: usize, decays: bool) -> usize {
        let start = self.len();
        self.pieces.push(start..start + len);
        self.decays.push(decays);
        self.pieces.len() - 1
    }

    fn add_norm(&mut self, units: usize) -> NormPieces {
        let (gamma, beta) = (self.add(units, false), self.add(units, false));
        let start = self.statistics_len();
        self.statistics.push(start..start + 2 * units);
        NormPieces { gamma, beta, statistics: self.statistics.len() - 1 }
    }

    /// Length of the vector of statistics.
    pub fn statistics_len(&self) -> usize {
        self.statistics.last().map_or(0, |piece| piece.end)
    }

    /// Into how many blocks the weight of stage `index` is cut.
    pub fn weight_blocks(&self, index: usize) -> usize {
        self.stages[index].weight_pieces.len()
    }

    /// Rows and columns of a block of the weight of stage `index`.
    pub fn weight_shape(&self, index: usize, block: usize) -> (usize, usize) {
        let stage = &self.stages[index];
        match index {
            0 => (stage.inputs, stage.padded[block].len()),
            _ => (self.stages[index - 1].blocks[block].len(), stage.outputs),
        }
    }

    /// Where a block stands in the weight of stage `index`: its first row, and its columns, without
    /// padding.
    pub fn weight_place(&self, index: usize, block: usize) -> (usize, Range<usize>) {
        match index {
            0 => (0, self.stages[0].blocks[block].clone()),
            _ => (self.stages[index - 1].blocks[block].start, 0..self.stages[index].outputs),
        }
    }

    /// Whether a piece belongs to the weight of one of these stages.
    pub fn is_weight_of(&self, piece: usize, stages: Range<usize>) -> bool {
        self.stages[stages].iter().any(|stage| stage.weight_pieces.contains(&piece))
    }

    /// Calls `visit` with each piece whose gradient `member` computes, and which it updates.
    pub fn for_own_pieces(&self, member: &Member, mut visit: impl FnMut(usize)) {
        for (index, stage) in self.stages.iter().enumerate() {
            for block in member.share(stage.blocks.len()) {
                visit(stage.bias_piece(block));
                if let Some(norm) = stage.norms.get(block) {
                    visit(norm.gamma);
                    visit(norm.beta);
                }
                if index == 0 {
                    visit(stage.weight_piece(block));
                }
                if let Some(next) = self.stages.get(index + 1) {
                    visit(next.weight_piece(block));
                }
            }
        }
    }

    /// Copies the network's parameters into the order of this layout; batch normalisation starts with
    /// scale 1 and shift 0.
    pub fn scatter(&self, parameters: &[f32], laid_out: &mut [f32]) {
        let first = &self.stages[0];
        for (block, padded) in first.blocks.iter().zip(&first.padded) {
            let strip = &mut laid_out[first.inputs * padded.start..][..first.inputs * padded.len()];
            for (row, strip) in strip.chunks_exact_mut(padded.len()).enumerate() {
                strip[..block.len()]
                    .copy_from_slice(&parameters[row * first.outputs..][block.clone()]);
                strip[block.len()..].fill(0.0);
            }
        }
        let others = &parameters[first.inputs * first.outputs..];
        laid_out[first.weight.end..][..others.len()].copy_from_slice(others);
        for norm in self.stages.iter().flat_map(|stage| &stage.norms) {
            laid_out[self.pieces[norm.gamma].clone()].fill(1.0);
            laid_out[self.pieces[norm.beta].clone()].fill(0.0);
        }
    }

    /// Copies parameters in the order of this layout back into the network's, without those of batch
    /// normalisation.
    pub fn gather(&self, laid_out: &[f32], parameters: &mut [f32]) {
        let first = &self.stages[0];
        for (block, padded) in first.blocks.iter().zip(&first.padded) {
            let strip = &laid_out[first.inputs * padded.start..][..first.inputs * padded.len()];
            for (row, strip) in strip.chunks_exact(padded.len()).enumerate() {
                parameters[row * first.outputs..][block.clone()]
                    .copy_from_slice(&strip[..block.len()]);
            }
        }
        let others = &mut parameters[first.inputs * first.outputs..];
        others.copy_from_slice(&laid_out[first.weight.end..][..others.len()]);
    }

    /// Numbers in the order of `other`, one for each parameter, in the order of this layout; both
    /// are of the same network, with or without batch normalisation.
    pub fn translate(&self, other: &Layout, laid_out: &[f32]) -> Vec<f32> {
        let first = &other.stages[0];
        let others = other.stages[other.stages.len() - 1].bias.end - first.weight.end;
        let mut network = vec![0.0; first.inputs * first.outputs + others];
        other.gather(laid_out, &mut network);
        let mut translated = vec![0.0; self.len()];
        self.scatter(&network, &mut translated);
        for (stage, from) in self.stages.iter().zip(&other.stages) {
            for piece in [|norm: &NormPieces| norm.gamma, |norm: &NormPieces| norm.beta] {
                let units =
                    from.norms.iter().flat_map(|it| &laid_out[other.pieces[piece(it)].clone()]);
                let places = stage.norms.iter().flat_map(|it| self.pieces[piece(it)].clone());
                places.zip(units).for_each(|(place, &value)| translated[place] = value);
            }
        }
        translated
    }

    /// The same for statistics.
    pub fn translate_statistics(&self, other: &Layout, laid_out: &[f32]) -> Vec<f32> {
        let mut translated = vec![0.0; self.statistics_len()];
        for (stage, from) in self.stages.iter().zip(&other.stages) {
            for half in 0..2 {
                let units =
                    from.norms.iter().flat_map(|it| &laid_out[other.statistics_half(it, half)]);
                let places = stage.norms.iter().flat_map(|it| self.statistics_half(it, half));
                places.zip(units).for_each(|(place, &value)| translated[place] = value);
            }
        }
        translated
    }

    /// The means (half 0) or the variances (half 1) of a block.
    fn statistics_half(&self, norm: &NormPieces, half: usize) -> Range<usize> {
        let piece = &self.statistics[norm.statistics];
        let units = piece.len() / 2;
        piece.start + half * units..piece.start + (half + 1) * units
    }
}

/// Width of a block of a dense layer: a quarter of its units, so that four workers find work, but
/// wide enough for an efficient product.
fn dense_width(outputs: usize) -> usize {
    (outputs / 4).next_multiple_of(64).clamp(64, 256)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Team;

    #[test]
    fn every_piece_has_one_owner_and_copies_come_back() {
        for (hidden, sparse) in [
            (vec![], true),
            (vec![], false),
            (vec![100], true),
            (vec![300, 70], true),
            (vec![300, 1000, 65], false),
        ] {
            let mut network = Network::dense(30, &hidden, &[Activation::Relu], 10).unwrap();
            for (i, p) in network.parameters_mut().iter_mut().enumerate() {
                *p = i as f32 + 1.0;
            }
            let layout =
                Layout::new(&network, sparse, Hidden { batch_norm: sparse, ..Hidden::PLAIN });
            for members in 1..4 {
                let team = Team::new(members);
                let mut owned = Vec::new();
                for index in 0..members {
                    layout.for_own_pieces(&team.member(index), |piece| owned.push(piece));
                }
                owned.sort();
                assert_eq!(owned, (0..layout.pieces.len()).collect::<Vec<_>>());
            }
            let mut laid_out = vec![0.5; layout.len()];
            layout.scatter(network.parameters(), &mut laid_out);
            let sum = |values: &[f32]| values.iter().map(|&v| f64::from(v)).sum::<f64>();
            let scales: usize = hidden.iter().sum::<usize>() * usize::from(sparse);
            assert_eq!(sum(&laid_out), sum(network.parameters()) + scales as f64);
            let mut back = vec![0.0; network.parameters().len()];
            layout.gather(&laid_out, &mut back);
            assert_eq!(back, network.parameters());
        }
    }

    #[test]
    fn what_another_layout_holds_is_found_again() {
        let network = Network::dense(5, &[300, 70], &[Activation::Relu], 3).unwrap();
        let hidden = Hidden { batch_norm: true, ..Hidden::PLAIN };
        let layouts = [true, false].map(|sparse| Layout::new(&network, sparse, hidden));
        let numbers = |len: usize| (0..len).map(|at| at as f32 + 1.0).collect::<Vec<_>>();
        let [sparse, dense] = &layouts;
        assert_ne!(sparse.len(), dense.len());
        let values = numbers(dense.len());
        let there = sparse.translate(dense, &values);
        assert_eq!(dense.translate(sparse, &there), values);
        // Gamma of unit 200 of the first stage, in blocks of 64 and of 128 units.
        let unit = |layout: &Layout, values: &[f32], width: usize| {
            values[layout.pieces[layout.stages[0].norms[200 / width].gamma].clone()][200 % width]
        };
        assert_eq!(unit(sparse, &there, 64), unit(dense, &values, 128));
        let values = numbers(dense.statistics_len());
        let there = sparse.translate_statistics(dense, &values);
        assert_ne!(there, values);
        assert_eq!(dense.translate_statistics(sparse, &there), values);
    }
}
