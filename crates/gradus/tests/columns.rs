//! What acts on the input columns before the first linear layer: gradients against central differences, the same
//! bits for any number of threads and across resuming, and the saved network against the trained one.

mod common;
#[path = "common/runs.rs"]
mod runs;

use common::golden::assert_close;
use common::pass;
use gradus::data::normalize::Normalization;
use gradus::data::{Dataset, Inputs, Targets};
use gradus::engine::cpu::{Executor, Input, RngKey};
use gradus::network::{Activation, Init, Network};
use gradus::training::regularization::HiddenRegularization;
use gradus::training::{BatchSize, Checkpoint, Session, Start, TrainConfig};
use gradus_kernels::Kernels;
use gradus_kernels::matrix::MatRef;
use runs::{adam, as_sparse, digits, everything, resume, run};

const DRAW: Option<RngKey> = Some(RngKey { seed: 3, step: 5, first: 0 });

const NORMALIZED: HiddenRegularization =
    HiddenRegularization { batch_norm: true, ..HiddenRegularization::PLAIN };

/// Numbers in -2..2 that repeat late.
fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i * 7919 % 4001) as f32 / 1000.0 - 2.0).collect()
}

fn labels(count: usize) -> Vec<u32> {
    (0..count as u32).map(|i| i * i % 3).collect()
}

/// An executor with a scaling layer whose factors differ from 1.
fn scaled(kernels: Kernels, network: &Network, hidden: HiddenRegularization) -> Executor {
    let executor = Executor::with_scaling(kernels, network, hidden);
    for block in &executor.plan.columns.as_ref().unwrap().blocks {
        let mut scale = executor.parameters.write(block.scale.unwrap());
        let factors = scale.slice().iter_mut().zip(block.outputs.clone());
        factors.for_each(|(factor, at)| *factor = 0.5 + at as f32 % 7.0 / 4.0);
    }
    executor
}

fn dense(inputs: usize, hidden: &[usize]) -> Network {
    let mut network = Network::dense(inputs, hidden, &[Activation::Tanh], 3).unwrap();
    network.initialize(Init::Glorot, 5);
    network
}

/// Every `stride`th gradient of every partition against a central difference.
fn check_gradients(executor: &Executor, input: Input, labels: &[u32], stride: usize) {
    let gradients = pass(executor, input, labels, 2, DRAW).gradients;
    let step = 1.0 / 256.0;
    for (number, partition) in executor.plan.parameters.partitions.iter().enumerate() {
        for at in (0..partition.range.len()).step_by(stride) {
            let loss_at = |offset: f32| {
                let before = executor.parameters.read_partition(number)[at];
                executor.parameters.write(number).slice()[at] = before + offset;
                let loss = pass(executor, input, labels, 1, DRAW).loss;
                executor.parameters.write(number).slice()[at] = before;
                loss
            };
            let expected = (loss_at(step) - loss_at(-step)) / (2.0 * step);
            let found = gradients[partition.range.start + at];
            let name = &executor.plan.parameters.tensor(number).name;
            assert!(
                (found - expected).abs() < 3e-4 + 2e-3 * expected.abs(),
                "{name} at {at}: {found} {expected}"
            );
        }
    }
}

#[test]
fn gradients_match_central_differences() {
    let kernels = Kernels::detect().unwrap();
    for (hidden, treatment) in [
        (&[][..], HiddenRegularization::PLAIN),
        (&[9], HiddenRegularization::PLAIN),
        (&[9, 6], NORMALIZED),
    ] {
        let x = numbers(30 * 40);
        let executor = scaled(kernels, &dense(40, hidden), treatment);
        let input = Input::Dense(MatRef::new(&x, 30, 40));
        check_gradients(&executor, input, &labels(30), 3);
    }
}

#[test]
fn threads_change_no_bit_and_the_stored_network_predicts_the_same() {
    for kernels in Kernels::available() {
        for (inputs, hidden) in [(1, vec![5]), (70, vec![129, 17]), (300, vec![])] {
            let (x, network) = (numbers(150 * inputs), dense(inputs, &hidden));
            let input = Input::Dense(MatRef::new(&x, 150, inputs));
            let one = pass(&scaled(kernels, &network, NORMALIZED), input, &labels(150), 1, DRAW);
            for threads in [2, 3, 5] {
                let executor = scaled(kernels, &network, NORMALIZED);
                let found = pass(&executor, input, &labels(150), threads, DRAW);
                assert!(found.logits == one.logits && found.gradients == one.gradients);
            }
            let executor = scaled(kernels, &network, HiddenRegularization::PLAIN);
            let trained = pass(&executor, input, &labels(150), 1, None).logits;
            let mut stored = network.clone();
            executor.store(&mut stored);
            assert_ne!(stored, network);
            let plain = Executor::new(kernels, &stored, false);
            let predicted = pass(&plain, input, &labels(150), 1, None).logits;
            assert_close(&predicted, &trained, 1e-5, "logits");
        }
    }
}

/// Three numbers on different scales, and a smooth function of them.
fn table(samples: usize) -> Dataset {
    let x = numbers(3 * samples);
    let values = x.chunks(3).map(|x| (2.0 * x[0]).sin() + 0.3 * x[1] * x[2]).collect();
    let targets = Targets::Values { values, names: vec!["y".into()] };
    Dataset::with_targets(Inputs::Floats(x), targets, vec![3]).unwrap()
}

fn config() -> TrainConfig {
    TrainConfig {
        normalization: Normalization::Standard,
        scaling_layer: Some(true),
        ..adam(&[70, 10], 4)
    }
}

#[test]
fn runs_have_the_same_bits_at_any_number_of_threads_and_across_resuming() {
    let (table, digits) = (table(400), digits(300));
    let sparse = as_sparse(&digits);
    let full = TrainConfig { batch_size: BatchSize::Full, ..config() };
    let mut regularized = config();
    regularized.regularization = everything(true, false);
    for (config, data) in
        [(config(), &table), (full, &sparse), (regularized, &digits), (config(), &digits)]
    {
        let whole = run(&config, data).model;
        for threads in [2, 7, 16] {
            let config = TrainConfig { threads: Some(threads), ..config.clone() };
            assert_eq!(run(&config, data).model.network, whole.network, "{threads} threads");
        }
        let half = run_for(&config, data, 2);
        let checkpoint = Checkpoint::from_bytes(&half.to_bytes().unwrap()).unwrap();
        let mut session = resume(&checkpoint, data, Some(3)).unwrap();
        while session.epoch(data, &runs_forever()).unwrap().is_some() {}
        assert_eq!(session.model().network, whole.network);
    }
}

fn runs_forever() -> std::sync::atomic::AtomicBool {
    false.into()
}

/// The checkpoint after some epochs of a run.
fn run_for(config: &TrainConfig, data: &Dataset, epochs: usize) -> Checkpoint {
    let mut session = Session::new(config, data, Start::Fresh).unwrap();
    for _ in 0..epochs {
        session.epoch(data, &runs_forever()).unwrap();
    }
    session.checkpoint(data, serde_json::Value::Null)
}
