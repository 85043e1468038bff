//! Batch normalization, noise and dropout: gradients against central differences, the same bits for
//! any number of workers, and the folded network against the normalized one.

mod common;

use std::ops::Range;

use common::golden::{Golden, assert_close};
use common::{pass, tiles_of};
use gradus::engine::cpu::linear::InputScale;
use gradus::engine::cpu::partition::Partitioned;
use gradus::engine::cpu::{Executor, Input, RngKey};
use gradus::network::{Activation, Init, Network};
use gradus::training::regularization::HiddenRegularization;
use gradus_kernels::Kernels;
use gradus_kernels::matrix::MatRef;

const DRAW: Option<RngKey> = Some(RngKey { seed: 3, step: 5, first: 0 });

const TREATMENTS: [HiddenRegularization; 5] = [
    HiddenRegularization { batch_norm: true, ..HiddenRegularization::PLAIN },
    HiddenRegularization { dropout: 0.4, ..HiddenRegularization::PLAIN },
    HiddenRegularization { noise: 0.3, ..HiddenRegularization::PLAIN },
    HiddenRegularization { batch_norm: true, noise: 0.3, dropout: 0.0 },
    HiddenRegularization { batch_norm: true, noise: 0.0, dropout: 0.3 },
];

fn network(hidden: &[usize], activation: Activation) -> Network {
    let mut network = Network::dense(36, hidden, &[activation], 10).unwrap();
    network.initialize(Init::Glorot, 5);
    network
}

/// Mostly-zero samples, as bytes and as the numbers that they stand for.
fn samples(count: usize, scale: &InputScale) -> (Vec<u8>, Vec<f32>, Vec<u32>) {
    let byte = |i: usize| ((i * 7919 + i / 36 * 31) % 251 * usize::from(i % 4 == 1)) as u8;
    let x: Vec<u8> = (0..count * 36).map(byte).collect();
    let dense = x.iter().map(|&byte| scale.input(byte.into())).collect();
    (x, dense, (0..count as u32).map(|i| i * i % 10).collect())
}

#[test]
fn gradients_match_central_differences() {
    let scale = InputScale::new(20.0, 80.0);
    let (x, dense, labels) = samples(40, &scale);
    let tiles = tiles_of(&x, 36);
    let kernels = Kernels::detect().unwrap();
    for treatment in TREATMENTS {
        for hidden in [vec![18], vec![11, 7]] {
            for activation in [Activation::Tanh, Activation::Gelu, Activation::Sigmoid] {
                for input in
                    [Input::Tiles(&tiles, scale), Input::Dense(MatRef::new(&dense, 40, 36))]
                {
                    let sparse = matches!(input, Input::Tiles(..));
                    let network = network(&hidden, activation);
                    let executor = Executor::for_training(kernels, &network, sparse, treatment);
                    check_gradients(&executor, input, &labels);
                }
            }
        }
    }
}

/// The partitions of a vector with their places in memory.
fn ranges(of: &Partitioned) -> impl Iterator<Item = (usize, Range<usize>)> {
    of.partitions.iter().map(|it| it.range.clone()).enumerate()
}

fn check_gradients(executor: &Executor, input: Input, labels: &[u32]) {
    let gradients = pass(executor, input, labels, 2, DRAW).gradients;
    let plan = &executor.plan;
    let fixed: Vec<usize> = match plan.hidden.noise > 0.0 {
        true => plan.layers.iter().flat_map(|s| &s.norms).map(|norm| norm.gamma).collect(),
        false => Vec::new(),
    };
    let step = 1.0 / 256.0;
    for (partition, range) in ranges(&plan.parameters) {
        if fixed.contains(&partition) {
            assert!(gradients[range.clone()].iter().all(|&gradient| gradient == 0.0));
            continue;
        }
        for at in (0..range.len()).step_by(3) {
            let loss_at = |offset: f32| {
                let kept = executor.parameters.read_partition(partition)[at];
                executor.parameters.write(partition).slice()[at] = kept + offset;
                let loss = pass(executor, input, labels, 1, DRAW).loss;
                executor.parameters.write(partition).slice()[at] = kept;
                loss
            };
            let expected = (loss_at(step) - loss_at(-step)) / (2.0 * step);
            let found = gradients[range.start + at];
            assert!(
                (found - expected).abs() < 3e-4 + 2e-3 * expected.abs(),
                "{:?} partition {partition} at {at}: {found} {expected}",
                plan.hidden
            );
        }
    }
}

#[test]
fn workers_change_no_bit_and_both_ways_agree() {
    let scale = InputScale::new(33.0, 79.0);
    for (count, hidden) in [(150, vec![129]), (33, vec![65, 1, 17]), (1, vec![10])] {
        let (x, dense, labels) = samples(count, &scale);
        let tiles = tiles_of(&x, 36);
        let network = network(&hidden, Activation::LeakyRelu { slope: 0.1 });
        for treatment in TREATMENTS {
            for kernels in Kernels::available() {
                let run = |input, threads| {
                    let sparse = matches!(input, Input::Tiles(..));
                    let executor = Executor::for_training(kernels, &network, sparse, treatment);
                    let pass = pass(&executor, input, &labels, threads, DRAW);
                    (pass.logits, pass.gradients, executor.statistics.read().to_vec())
                };
                let dense = Input::Dense(MatRef::new(&dense, count, 36));
                let sparse = Input::Tiles(&tiles, scale);
                for input in [dense, sparse] {
                    let one = run(input, 1);
                    assert!((2..4).all(|threads| run(input, threads) == one), "{treatment:?}");
                }
                // The same numbers are drawn for the same units.
                let (dense, sparse) = (run(dense, 1).0, run(sparse, 1).0);
                for (a, b) in dense.iter().zip(&sparse) {
                    assert!((a - b).abs() < 1e-3 * (1.0 + a.abs()), "{treatment:?}: {a} {b}");
                }
            }
        }
    }
}

/// With running statistics equal to those of a batch, the folded network gives that batch's logits.
#[test]
fn folding_batch_normalisation_changes_no_prediction() {
    let scale = InputScale::new(33.0, 79.0);
    let (_, dense, labels) = samples(50, &scale);
    let input = Input::Dense(MatRef::new(&dense, 50, 36));
    let kernels = Kernels::detect().unwrap();
    let mut network = network(&[30, 70], Activation::Relu);
    let treatment = HiddenRegularization { batch_norm: true, ..HiddenRegularization::PLAIN };
    let executor = Executor::for_training(kernels, &network, false, treatment);
    for norm in executor.plan.layers.iter().flat_map(|layer| &layer.norms) {
        for (at, gamma) in executor.parameters.write(norm.gamma).slice().iter_mut().enumerate() {
            *gamma = 0.5 + 0.1 * at as f32;
        }
        executor.parameters.write(norm.beta).slice().fill(-0.25);
    }
    let expected = pass(&executor, input, &labels, 1, DRAW).logits;
    // A running mean that has seen this batch often enough is its mean; the variance it follows is
    // the unbiased one, 50/49 of the batch's.
    for _ in 0..200 {
        pass(&executor, input, &labels, 1, DRAW);
    }
    for (index, range) in ranges(&executor.plan.statistics) {
        for variance in &mut executor.statistics.write(index).slice()[range.len() / 2..] {
            *variance *= 49.0 / 50.0;
        }
    }
    executor.store(&mut network);
    let folded = Executor::new(kernels, &network, false);
    let found = pass(&folded, input, &labels, 1, None).logits;
    for (found, expected) in found.iter().zip(&expected) {
        assert!((found - expected).abs() < 1e-4 * (1.0 + expected.abs()), "{found} {expected}");
    }
}

/// Two hidden layers with batch normalization against PyTorch: the pass, all gradients, the running
/// statistics after it, and predictions with these.
#[test]
fn batch_normalisation_matches_pytorch() {
    let golden = Golden::open("hidden.npz");
    let network = golden.network("", &[12, 70, 9, 5], Activation::Relu);
    let (x, labels) = (golden.floats("x"), golden.labels("labels"));
    let input = Input::Dense(MatRef::new(&x, 15, 12));
    let treatment = HiddenRegularization { batch_norm: true, ..HiddenRegularization::PLAIN };
    for kernels in Kernels::available() {
        for threads in 1..=3 {
            let executor = Executor::for_training(kernels, &network, false, treatment);
            let plan = &executor.plan;
            for (index, layer) in plan.layers[..2].iter().enumerate() {
                let given =
                    ["gamma", "beta"].map(|name| golden.floats(&format!("{name}{}", index + 1)));
                for (block, norm) in layer.blocks.iter().zip(&layer.norms) {
                    for (values, partition) in given.iter().zip([norm.gamma, norm.beta]) {
                        let mut parameters = executor.parameters.write(partition);
                        parameters.slice().copy_from_slice(&values[block.clone()]);
                    }
                }
            }
            let found = pass(&executor, input, &labels, threads, DRAW);
            assert_close(&found.logits, &golden.floats("logits"), 1e-5, "logits");
            assert_close(&[found.loss], &[golden.number("loss")], 1e-5, "loss");

            let mut gradients = vec![0.0; network.parameters().len()];
            plan.parameters.read(&found.gradients, &mut gradients);
            for (index, linear) in network.linears().iter().enumerate() {
                for (letter, range) in [("w", linear.weight()), ("b", linear.bias())] {
                    let key = format!("grad_{letter}{}", index + 1);
                    // A shift before batch normalization changes nothing: its gradient is 0.
                    assert_close(&gradients[range], &golden.floats(&key), 2e-5, &key);
                }
            }
            let statistics = executor.statistics.read().to_vec();
            for (index, layer) in plan.layers[..2].iter().enumerate() {
                let gradient = |partition: usize| {
                    &found.gradients[plan.parameters.partitions[partition].range.clone()]
                };
                for (block, norm) in layer.blocks.iter().zip(&layer.norms) {
                    let running =
                        &statistics[plan.statistics.partitions[norm.statistics].range.clone()];
                    let (means, variances) = running.split_at(block.len());
                    for (name, found) in [
                        ("grad_gamma", gradient(norm.gamma)),
                        ("grad_beta", gradient(norm.beta)),
                        ("mean", means),
                        ("variance", variances),
                    ] {
                        let key = format!("{name}{}", index + 1);
                        assert_close(found, &golden.floats(&key)[block.clone()], 2e-5, &key);
                    }
                }
            }
            let mut folded = network.clone();
            executor.store(&mut folded);
            let folded = Executor::new(kernels, &folded, false);
            let found = pass(&folded, input, &labels, threads, None).logits;
            assert_close(
                &found,
                &golden.floats("eval_logits"),
                2e-5,
                "logits of the folded network",
            );
        }
    }
}

#[test]
fn activations_are_one_for_all_or_one_for_each() {
    use Activation::{Identity, Relu, Tanh};
    let dense =
        |hidden: &[usize], activations: &[Activation]| Network::dense(4, hidden, activations, 2);
    let each = dense(&[3, 5, 6], &[Relu, Identity, Tanh]).unwrap();
    let found: Vec<_> = (0..4).map(|index| each.activation_after(index)).collect();
    assert_eq!(found, [Relu, Identity, Tanh, Identity]);
    assert_eq!(dense(&[3, 5], &[Tanh]).unwrap(), dense(&[3, 5], &[Tanh, Tanh]).unwrap());
    assert_eq!(dense(&[], &[]).unwrap(), dense(&[], &[Relu]).unwrap());
    for (hidden, activations) in
        [(&[3, 5][..], &[][..]), (&[3, 5, 6], &[Relu, Tanh]), (&[], &[Relu, Tanh])]
    {
        let error = dense(hidden, activations).unwrap_err().to_string();
        assert!(error.contains("one for all of them, or one for each"), "{error}");
    }
}
