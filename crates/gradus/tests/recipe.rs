//! The parts of the recipe for tables: learning rates by role and layer, schedules of several values, the best epoch.

mod common;

use std::sync::atomic::AtomicBool;

use common::golden::{Golden, assert_close};
use gradus::data::normalize::Normalization;
use gradus::data::{Dataset, Inputs};
use gradus::network::{Activation, Init, Network, Parametrization};
use gradus::optimizer::Optimizer;
use gradus::schedule::Schedule;
use gradus::training::{
    BatchSize, KeepBest, Monitor, Preset, Regularization, Session, Start, TrainConfig,
};

const SIZES: [usize; 4] = [7, 11, 6, 4];

fn network(golden: &Golden, prefix: &str) -> Network {
    let mut network = Network::dense(7, &[11, 6], &[Activation::Mish], 4).unwrap();
    for index in 0..SIZES.len() - 1 {
        let key = |letter: &str| format!("{prefix}{letter}{}", index + 1);
        network.weight_mut(index).copy_from_slice(&golden.floats(&key("V")));
        network.bias_mut(index).copy_from_slice(&golden.floats(&key("c")));
    }
    network
}

fn data(golden: &Golden) -> Dataset {
    let names = ["a", "b", "c", "d"].map(String::from).to_vec();
    Dataset::new(Inputs::Floats(golden.floats("x")), golden.labels("labels"), vec![7], names)
        .unwrap()
}

fn config(name: &str) -> TrainConfig {
    let adam =
        |weight_decay| Optimizer::AdamW { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weight_decay };
    let (optimizer, learning_rate, bias_rate, label_smoothing) = match name {
        "adam" => (adam(0.0), 0.04, 0.1, 0.1),
        "adamw" => (adam(0.5), 0.02, 0.1, 0.0),
        _ => (Optimizer::SGD, 0.5, 0.25, 0.0),
    };
    TrainConfig {
        hidden: vec![11, 6],
        activation: vec![Activation::Mish],
        normalization: Normalization::None,
        parametrization: Parametrization::Ntk,
        epochs: 24,
        batch_size: BatchSize::Full,
        optimizer,
        learning_rate,
        bias_rate,
        schedule: Schedule::CosLog4,
        weight_decay_schedule: match optimizer.weight_decay() > 0.0 {
            true => Schedule::FlatCosine,
            false => Schedule::Constant,
        },
        regularization: Regularization { label_smoothing, ..Regularization::NONE },
        ..Preset::Notebook.config()
    }
}

#[test]
fn steps_by_role_and_layer_match_loops_in_double_precision() {
    let golden = Golden::open("recipe.npz");
    let data = data(&golden);
    for name in ["adam", "adamw", "sgd"] {
        for threads in [1, 3] {
            let config = TrainConfig { threads: Some(threads), ..config(name) };
            let start = Start::Network(network(&golden, ""));
            let mut session = Session::new(&config, &data, start).unwrap();
            while session.epoch(&data, &AtomicBool::new(false)).unwrap().is_some() {}
            let trained = session.finish();
            let losses: Vec<f32> =
                trained.history.epochs.iter().map(|epoch| epoch.loss as f32).collect();
            assert_close(&losses, &golden.floats(&format!("{name}/losses")), 2e-5, name);
            let expected = network(&golden, &format!("{name}/"));
            let found = trained.model.network;
            assert_close(found.parameters(), expected.parameters(), 1e-4, name);
        }
    }
}

/// Everything that the recipe changes, with mini-batches.
fn whole() -> TrainConfig {
    TrainConfig {
        epochs: 8,
        batch_size: BatchSize::Samples(16),
        dropout_schedule: Schedule::FlatCosine,
        init: Init::Ntk,
        regularization: Regularization {
            dropout: 0.15,
            label_smoothing: 0.1,
            ..Regularization::NONE
        },
        keep_best: Some(KeepBest::Last),
        monitor: Some(Monitor::Accuracy),
        ..config("adamw")
    }
}

#[test]
fn a_resumed_run_ends_with_the_same_bits_at_any_number_of_threads() {
    let golden = Golden::open("recipe.npz");
    let (data, stop) = (data(&golden), AtomicBool::new(false));
    let run = |threads, pause: Option<usize>| {
        let config = TrainConfig { threads: Some(threads), ..whole() };
        let mut session = Session::new(&config, &data, Start::Fresh).unwrap();
        for epoch in 0.. {
            if pause == Some(epoch) {
                let bytes = session.checkpoint(&data, serde_json::Value::Null).to_bytes().unwrap();
                let checkpoint = gradus::training::Checkpoint::from_bytes(&bytes).unwrap();
                session = Session::new(&config, &data, Start::Resume(&checkpoint)).unwrap();
            }
            if session.epoch(&data, &stop).unwrap().is_none() {
                break;
            }
        }
        session.finish()
    };
    let whole = run(1, None);
    for (threads, pause) in [(3, None), (1, Some(3)), (2, Some(6))] {
        let other = run(threads, pause);
        assert_eq!(other.model.network, whole.model.network);
        assert_eq!(other.best, whole.best);
    }
}

#[test]
fn of_equally_good_epochs_the_first_or_the_last_is_kept() {
    let golden = Golden::open("recipe.npz");
    let data = data(&golden);
    // A rate so small that the accuracy never changes: all epochs are equally good.
    let best = |keep_best| {
        let config = TrainConfig {
            epochs: 4,
            learning_rate: 1e-9,
            keep_best,
            monitor: keep_best.map(|_| Monitor::Accuracy),
            ..config("sgd")
        };
        let start = Start::Network(network(&golden, ""));
        let mut session = Session::new(&config, &data, start).unwrap();
        while session.epoch(&data, &AtomicBool::new(false)).unwrap().is_some() {}
        let trained = session.finish();
        assert_eq!(trained.history.epochs.len(), 4, "it does not end early");
        trained.best.map(|best| best.epoch)
    };
    assert_eq!(best(Some(KeepBest::First)), Some(0));
    assert_eq!(best(Some(KeepBest::Last)), Some(3));
    assert_eq!(best(None), None);
}
