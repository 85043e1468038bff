//! scikit-learn's learning-rate rules, and batches in the order of the data.

mod common;
#[path = "common/runs.rs"]
mod runs;

use std::sync::atomic::AtomicBool;

use common::golden::assert_close;
use gradus::data::{Dataset, Shuffle};
use gradus::network::Network;
use gradus::optimizer::Optimizer;
use gradus::schedule::{Adaptive, Schedule};
use gradus::training::{BatchSize, Outcome, Session, Start, TrainConfig};
use runs::{adam, as_floats, digits, resume, run};

/// Gradient descent at a constant rate in batches of 50.
fn descent(epochs: usize) -> TrainConfig {
    TrainConfig { optimizer: Optimizer::SGD, learning_rate: 0.1, ..adam(&[9], epochs) }
}

fn finish(mut session: Session, data: &Dataset) -> Session {
    while session.epoch(data, &AtomicBool::new(false)).unwrap().is_some() {}
    session
}

fn rates(session: &Session) -> Vec<f32> {
    session.history().epochs.iter().map(|it| it.learning_rate).collect()
}

#[test]
fn without_shuffling_batches_are_taken_in_order() {
    let data = as_floats(&digits(100));
    let start = Session::new(&descent(1), &data, Start::Fresh).unwrap().model().network.clone();
    let trained = |shuffle, seed: u64| -> Network {
        let config = TrainConfig { shuffle: Some(shuffle), seed, ..descent(1) };
        let session = Session::new(&config, &data, Start::Network(start.clone())).unwrap();
        finish(session, &data).finish().model.network
    };
    assert_eq!(trained(Shuffle::No, 1).parameters(), trained(Shuffle::No, 2).parameters());
    assert_ne!(
        trained(Shuffle::Samples, 1).parameters(),
        trained(Shuffle::Samples, 2).parameters()
    );
    assert_ne!(trained(Shuffle::Blocks, 1).parameters(), trained(Shuffle::Blocks, 2).parameters());
    // The same two steps, each as a run on its half.
    let (first, second): (Vec<usize>, Vec<usize>) = ((0..50).collect(), (50..100).collect());
    let (first, second) = data.clone().divide(&first, &second);
    let mut network = start.clone();
    // The normalization of the run on all samples.
    let config = TrainConfig { batch_size: BatchSize::Full, ..descent(1) };
    let whole = Session::new(&config, &data, Start::Fresh).unwrap();
    for half in [&first, &second] {
        let mut model = whole.model().clone();
        model.network = network;
        let session = Session::new(&config, half, Start::Model(&model)).unwrap();
        network = finish(session, half).finish().model.network;
    }
    assert_close(trained(Shuffle::No, 1).parameters(), network.parameters(), 1e-5, "parameters");
}

#[test]
fn an_adaptive_rate_ends_the_run_also_over_a_checkpoint() {
    let data = digits(100);
    // No epoch is progress: the rate is divided after every second one.
    let adaptive = Adaptive { patience: 1, min_delta: 1e3 };
    let config =
        TrainConfig { schedule: Schedule::Adaptive(adaptive), learning_rate: 1e-4, ..descent(50) };
    let whole = finish(Session::new(&config, &data, Start::Fresh).unwrap(), &data);
    assert_eq!(whole.outcome(), Some(&Outcome::NoProgress));
    // The first epoch is always progress.
    let factors = [1.0, 1.0, 1.0, 0.2, 0.2, 0.2 * 0.2, 0.2 * 0.2, 0.2 * 0.2 * 0.2, 0.2 * 0.2 * 0.2];
    assert_eq!(rates(&whole), factors.map(|factor: f32| factor * 1e-4));
    for cut in [1, 2, 4, 8] {
        let mut first = Session::new(&config, &data, Start::Fresh).unwrap();
        for _ in 0..cut {
            first.epoch(&data, &AtomicBool::new(false)).unwrap();
        }
        let checkpoint = first.checkpoint(&data, serde_json::Value::Null);
        let second = finish(resume(&checkpoint, &data, None).unwrap(), &data);
        assert_eq!((second.outcome(), rates(&second)), (whole.outcome(), rates(&whole)));
        let (found, expected) = (&second.model().network, &whole.model().network);
        assert_eq!(found.parameters(), expected.parameters());
    }
}

#[test]
fn an_inversely_scaled_rate_counts_the_samples_of_runs_before() {
    let data = digits(120);
    let schedule = Schedule::InverseScaling { power: 0.5 };
    let config = TrainConfig { schedule, ..descent(3) };
    let first = finish(Session::new(&config, &data, Start::Fresh).unwrap(), &data);
    let after = |samples: f64| (f64::from(0.1f32) / (samples + 1.0).sqrt()) as f32;
    assert_eq!(rates(&first), [0.1, after(120.0), after(240.0)]);
    let state = first.state();
    let second = finish(Session::new(&config, &data, Start::Continue(&state)).unwrap(), &data);
    assert_eq!(rates(&second), [0.1, after(480.0), after(600.0)]);
    let other = Session::new(&config, &data, Start::Fresh).unwrap();
    assert_eq!(rates(&finish(other, &data)), rates(&first));
    assert_eq!(run(&config, &data).history.epochs[2].learning_rate, after(240.0));
}
