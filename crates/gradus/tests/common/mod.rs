//! One pass of a network by several workers, for the tests of gradients.

#![allow(dead_code)] // not every test file uses all of it
pub(crate) mod golden;

use gradus::loss::{self, Targets};
use gradus::network::{
    Draw, Input, Prepared, Scratch, SharedTile, TILE, Team, Tile, Update, Workers, Workspace,
};

/// What one pass computes.
pub(crate) struct Pass {
    pub(crate) logits: Vec<f32>,
    pub(crate) loss: f32,
    /// Of all parameters, in the order of the layout.
    pub(crate) gradients: Vec<f32>,
}

/// Forward, loss and backward by `threads` workers.
pub(crate) fn pass(
    prepared: &Prepared,
    input: Input,
    labels: &[u32],
    threads: usize,
    draw: Option<Draw>,
) -> Pass {
    let samples = labels.len();
    let workspace = Workspace::new(&prepared.layout, samples, true);
    let team = Team::new(threads);
    let logits = std::sync::Mutex::new(Vec::new());
    Workers::new(threads).unwrap().run(|index| {
        let member = team.member(index);
        let mut scratch = Scratch::new(&prepared.layout, samples);
        prepared.forward(input, &workspace, &member, &mut scratch, draw);
        member.wait();
        if index == 0 {
            let computed = workspace.logits.read();
            let rows = (0..samples).flat_map(|i| computed.view().row(i).to_vec());
            *logits.lock().unwrap() = rows.collect();
        }
        member.wait();
        for piece in member.share(Workspace::loss_pieces(samples)) {
            let rows = Workspace::loss_rows(piece, samples);
            let mut losses = vec![0.0; rows.len()];
            let mut guard = workspace.logits.write(piece);
            let mut view = guard.view();
            let view = view.part_rows(0..rows.len());
            let targets = Targets::of(&labels[rows.clone()]);
            let kernels = prepared.kernels();
            loss::softmax_cross_entropy(kernels, view, targets, samples as f64, &mut losses);
            let mut kept = workspace.losses.write(piece);
            for (row, loss) in losses.into_iter().enumerate() {
                kept.view().row_mut(row)[0] = loss;
            }
        }
        member.wait();
        prepared.backward(input, &workspace, &member, &mut scratch, Update::Overwrite);
    });
    let losses = workspace.losses.read();
    let loss = (0..samples).map(|i| f64::from(losses.view().row(i)[0])).sum::<f64>();
    let gradients = workspace.gradients.read().to_vec();
    let logits = logits.into_inner().unwrap();
    Pass { logits, loss: (loss / samples as f64) as f32, gradients }
}

/// Byte samples as tiles.
pub(crate) fn tiles_of(x: &[u8], features: usize) -> Vec<SharedTile> {
    x.chunks(TILE * features)
        .map(|rows| {
            let mut tile = Tile::default();
            let kernels = gradus::network::Kernels::detect().unwrap();
            tile.fill(kernels, features, rows.chunks(features), true);
            tile.into()
        })
        .collect()
}
