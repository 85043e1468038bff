//! One pass of a network by several workers, for the tests of gradients.

#![allow(dead_code)] // not every test file uses all of it
pub(crate) mod golden;

use gradus::engine::cpu::{
    self as engine, Executor, Input, RngKey, Scratch, SharedTile, Workspace,
};
use gradus::loss::{LabelTargets, Loss};
use gradus_kernels::dense::Update;
use gradus_kernels::sparse::{TILE, Tile};
use gradus_kernels::threads::{ThreadGroup, Workers};

/// What one pass computes.
pub(crate) struct Pass {
    pub(crate) logits: Vec<f32>,
    pub(crate) loss: f32,
    /// Of all parameters, in the order of the plan.
    pub(crate) gradients: Vec<f32>,
}

/// Forward, loss and backward by `threads` workers.
pub(crate) fn pass(
    executor: &Executor,
    input: Input,
    labels: &[u32],
    threads: usize,
    key: Option<RngKey>,
) -> Pass {
    let samples = labels.len();
    let workspace = Workspace::new(&executor.plan, samples, true);
    let gradients = executor.plan.parameters.zeros();
    let group = ThreadGroup::new(threads);
    let logits = std::sync::Mutex::new(Vec::new());
    Workers::new(threads).unwrap().run(|index| {
        let thread = group.thread(index);
        let mut scratch = Scratch::new(&executor.plan, samples);
        let pass = engine::Pass::new(input, &workspace, key).with_gradients(&gradients);
        for &operation in &executor.plan.operations {
            executor.forward(operation, &pass, &thread, &mut scratch);
            thread.barrier();
        }
        if index == 0 {
            let computed = workspace.logits.read();
            let rows = (0..samples).flat_map(|i| computed.view().row(i).to_vec());
            *logits.lock().unwrap() = rows.collect();
        }
        thread.barrier();
        for partition in thread.share(Workspace::loss_tiles(samples)) {
            let rows = Workspace::loss_rows(partition, samples);
            let mut losses = vec![0.0; rows.len()];
            let mut guard = workspace.logits.write(partition);
            let mut view = guard.view();
            let view = view.part_rows(0..rows.len());
            let targets = LabelTargets::of(&labels[rows.clone()]);
            let kernels = executor.kernels();
            Loss::softmax_cross_entropy(kernels, view, targets, samples as f64, &mut losses);
            let mut kept = workspace.losses.write(partition);
            for (row, loss) in losses.into_iter().enumerate() {
                kept.view().row_mut(row)[0] = loss;
            }
        }
        thread.barrier();
        for layer in (0..executor.plan.layers.len()).rev() {
            executor.backward(layer, &pass, &thread, &mut scratch, Update::Overwrite);
            thread.barrier();
        }
        executor.backward_columns(&pass, &thread, &mut scratch, Update::Overwrite);
    });
    let losses = workspace.losses.read();
    let loss = (0..samples).map(|i| f64::from(losses.view().row(i)[0])).sum::<f64>();
    let gradients = gradients.read().to_vec();
    let logits = logits.into_inner().unwrap();
    Pass { logits, loss: (loss / samples as f64) as f32, gradients }
}

/// Byte samples as tiles.
pub(crate) fn tiles_of(x: &[u8], features: usize) -> Vec<SharedTile> {
    x.chunks(TILE * features)
        .map(|rows| {
            let mut tile = Tile::default();
            let kernels = gradus_kernels::Kernels::detect().unwrap();
            tile.fill(kernels, features, rows.chunks(features), true);
            tile.into()
        })
        .collect()
}
