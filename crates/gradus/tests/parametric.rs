//! Activations with strengths, `z + s (f(z) - z)`: gradients against central differences and NumPy, the same bits at any
//! number of threads and across resuming, and files that predict the same.

mod common;
#[path = "common/runs.rs"]
mod runs;

use std::path::Path;
use std::sync::atomic::AtomicBool;

use common::golden::{Golden, assert_close};
use common::{Pass, pass, tiles_of};
use gradus::classifier::{Classifier, Model};
use gradus::data::Inputs;
use gradus::engine::cpu::linear::InputScale;
use gradus::engine::cpu::{Executor, Input, RngKey};
use gradus::model_file::{self, ReadOptions};
use gradus::network::{Activation, Init, Network, Workers};
use gradus::training::regularization::HiddenRegularization;
use gradus::training::{Checkpoint, Session, Start, TrainConfig};
use gradus::transform::Transform;
use gradus_kernels::Kernels;
use gradus_kernels::matrix::MatRef;
use runs::{adam, digits, everything, resume, run};

const DRAW: Option<RngKey> = Some(RngKey { seed: 3, step: 5, first: 0 });

const PLAIN: HiddenRegularization = HiddenRegularization::PLAIN;

/// A network whose strengths differ from each other.
fn network(inputs: usize, hidden: &[usize], activation: Activation, outputs: usize) -> Network {
    let network = Network::dense(inputs, hidden, &[activation], outputs).unwrap();
    let mut network = network.with_strengths().unwrap();
    network.initialize(Init::Glorot, 5);
    for index in 0..hidden.len() {
        let strengths = network.strengths_mut(index).into_iter().flatten();
        strengths.enumerate().for_each(|(unit, it)| *it = 1.4 - (unit * 7 % 5) as f32 * 0.4);
    }
    network
}

fn labels(count: usize, classes: usize) -> Vec<u32> {
    (0..count).map(|i| (i * i % classes) as u32).collect()
}

/// Bytes, a quarter of them not 0.
fn bytes(samples: usize) -> Vec<u8> {
    let byte = |i: usize| ((i * 7919 + i / 36 * 31) % 251 * usize::from(i % 4 == 1)) as u8;
    (0..samples * 36).map(byte).collect()
}

#[test]
fn gradients_match_central_differences() {
    let scale = InputScale::new(20.0, 80.0);
    let (x, labels) = (bytes(40), labels(40, 10));
    let dense: Vec<f32> = x.iter().map(|&byte| scale.input(byte.into())).collect();
    let tiles = tiles_of(&x, 36);
    let treatments = [
        PLAIN,
        HiddenRegularization { dropout: 0.4, ..PLAIN },
        HiddenRegularization { batch_norm: true, noise: 0.1, dropout: 0.3 },
    ];
    for activation in [Activation::Selu, Activation::Mish, Activation::Tanh, Activation::Gelu] {
        for (treatment, hidden) in treatments.into_iter().zip([vec![18], vec![11, 7], vec![12, 5]])
        {
            for input in [Input::Tiles(&tiles, scale), Input::Dense(MatRef::new(&dense, 40, 36))] {
                let sparse = matches!(input, Input::Tiles(..));
                let network = network(36, &hidden, activation, 10);
                let kernels = Kernels::detect().unwrap();
                let executor = Executor::for_training(kernels, &network, sparse, treatment);
                // SELU has a kink at 0, which some samples cross in a step.
                let margin = if activation == Activation::Selu { 8.0 } else { 1.0 };
                check_strengths(&executor, input, &labels, margin);
            }
        }
    }
}

/// Every gradient of a strength, and some others, against a central difference.
fn check_strengths(executor: &Executor, input: Input, labels: &[u32], margin: f32) {
    let gradients = pass(executor, input, labels, 2, DRAW).gradients;
    let step = 1.0 / 256.0;
    for (number, partition) in executor.plan.parameters.partitions.iter().enumerate() {
        let tensor = executor.plan.parameters.tensor(number);
        let stride = if tensor.name.ends_with("strength") { 1 } else { 17 };
        // With noise, the scale of batch normalization stays as it is.
        if tensor.name.ends_with("scale") {
            continue;
        }
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
            assert!(
                (found - expected).abs() < margin * (3e-4 + 2e-3 * expected.abs()),
                "{} at {at}: {found} {expected}",
                tensor.name
            );
        }
    }
}

#[test]
fn logits_and_gradients_are_those_of_numpy() {
    let golden = Golden::open("parametric.npz");
    let (x, labels) = (golden.floats("x"), golden.labels("labels"));
    for activation in [Activation::Selu, Activation::Mish] {
        let key = |name: &str| format!("{}/{name}", activation.name());
        let mut network = network(6, &[9, 7], activation, 3);
        let tensors = network.tensors();
        assert!(tensors.iter().any(|tensor| tensor.name == "3.strength"));
        for tensor in &tensors {
            let values = golden.floats(&key(&tensor.name));
            network.parameters_mut()[tensor.range.clone()].copy_from_slice(&values);
        }
        for kernels in Kernels::available() {
            let executor = Executor::new(kernels, &network, false);
            let input = Input::Dense(MatRef::new(&x, labels.len(), 6));
            let Pass { logits, gradients, .. } = pass(&executor, input, &labels, 2, None);
            assert_close(&logits, &golden.floats(&key("logits")), 2e-6, "logits");
            let gradients = executor.plan.parameters.from_memory(&gradients);
            for tensor in &tensors {
                let expected = golden.floats(&key(&format!("grad.{}", tensor.name)));
                assert_close(&gradients[tensor.range.clone()], &expected, 2e-6, &tensor.name);
            }
        }
    }
}

#[test]
fn threads_change_no_bit() {
    let scale = InputScale::new(33.0, 79.0);
    let (x, labels) = (bytes(150), labels(150, 10));
    let dense: Vec<f32> = x.iter().map(|&byte| scale.input(byte.into())).collect();
    let tiles = tiles_of(&x, 36);
    let treatment = HiddenRegularization { dropout: 0.2, ..PLAIN };
    for kernels in Kernels::available() {
        let network = network(36, &[300, 129], Activation::Mish, 10);
        let mut found = Vec::new();
        for input in [Input::Tiles(&tiles, scale), Input::Dense(MatRef::new(&dense, 150, 36))] {
            let run = |threads| {
                let sparse = matches!(input, Input::Tiles(..));
                let executor = Executor::for_training(kernels, &network, sparse, treatment);
                let pass = pass(&executor, input, &labels, threads, DRAW);
                let gradients = executor.plan.parameters.from_memory(&pass.gradients);
                (pass.logits, pass.gradients, gradients)
            };
            let one = run(1);
            assert!((2..5).all(|threads| run(threads) == one));
            found.push(one);
        }
        assert_close(&found[0].0, &found[1].0, 1e-4, "logits");
        assert_close(&found[0].2, &found[1].2, 1e-4, "gradients");
    }
}

#[test]
fn runs_resume_and_train_the_strengths() {
    let data = digits(200);
    let plain = TrainConfig {
        activation: vec![Activation::Selu],
        parametric: Some(true),
        scaling_layer: Some(true),
        ..adam(&[70, 10], 4)
    };
    let mut regularized = TrainConfig { activation: vec![Activation::Mish], ..plain.clone() };
    regularized.regularization = everything(true, false);
    for config in [plain, regularized] {
        let whole = run(&config, &data).model;
        let strengths = whole.network.strengths(0).unwrap();
        assert_eq!(strengths.len(), 70);
        assert!(strengths.iter().all(|it| (it - 1.0).abs() < 0.5));
        assert!(strengths.iter().filter(|it| (**it - 1.0).abs() > 1e-4).count() > 35);
        for threads in [2, 7] {
            let config = TrainConfig { threads: Some(threads), ..config.clone() };
            assert_eq!(run(&config, &data).model.network, whole.network, "{threads} threads");
        }
        let mut session = Session::new(&config, &data, Start::Fresh).unwrap();
        for _ in 0..2 {
            session.epoch(&data, &AtomicBool::new(false)).unwrap();
        }
        let half = session.checkpoint(&data, serde_json::Value::Null);
        let checkpoint = Checkpoint::from_bytes(&half.to_bytes().unwrap()).unwrap();
        let mut session = resume(&checkpoint, &data, Some(3)).unwrap();
        while session.epoch(&data, &AtomicBool::new(false)).unwrap().is_some() {}
        assert_eq!(session.model().network, whole.network);
    }
}

#[test]
fn strengths_of_1_are_the_activation_and_of_0_none() {
    let x: Vec<f32> = (0..60).map(|i| (i as f32 * 0.37).sin() * 3.0).collect();
    let workers = Workers::new(1).unwrap();
    for activation in Activation::ALL {
        let mut parametric = network(6, &[9], activation, 3);
        if activation == Activation::Identity {
            assert!(!parametric.has_strengths());
            continue;
        }
        let with_strength = |parametric: &mut Network, strength: f32, activation: Activation| {
            parametric.strengths_mut(0).unwrap().fill(strength);
            let mut plain = Network::dense(6, &[9], &[activation], 3).unwrap();
            for index in 0..2 {
                plain.weight_mut(index).copy_from_slice(parametric.weight(index));
                plain.bias_mut(index).copy_from_slice(parametric.bias(index));
            }
            let of = |network: &Network| {
                let model = classifier(network.clone());
                model.predict(&Inputs::Floats(x.clone()), &workers).unwrap()
            };
            for sample in 0..10 {
                let (found, expected) = (of(parametric), of(&plain));
                assert_close(found.row(sample), expected.row(sample), 2e-6, &activation.name());
            }
        };
        with_strength(&mut parametric, 1.0, activation);
        with_strength(&mut parametric, 0.0, Activation::Identity);
    }
}

fn classifier(network: Network) -> Classifier {
    let names = ["a", "b", "c"].map(String::from).to_vec();
    let inputs = network.inputs();
    Classifier::new(network, Transform::IDENTITY, vec![inputs], names).unwrap()
}

#[test]
fn files_keep_the_strengths_and_arrays_are_refused() {
    for activation in Activation::ALL {
        let model = Model::from(classifier(network(6, &[5, 4], activation, 3)));
        for name in ["m.safetensors", "m.onnx"] {
            let bytes = model_file::encode(&model, Path::new(name)).unwrap();
            let read = model_file::read(&bytes, &ReadOptions::default()).unwrap().model;
            assert_eq!(read, model, "{name} {activation:?}");
        }
        if activation != Activation::Identity {
            let error = model_file::encode(&model, Path::new("m.npz")).unwrap_err().to_string();
            assert!(error.contains("strengths"), "{error}");
        }
    }
}
