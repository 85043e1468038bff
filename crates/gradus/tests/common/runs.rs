//! Training runs on the built-in digits, for the tests of training.

#![allow(dead_code)] // not every test file uses all of it
use std::sync::atomic::AtomicBool;

use gradus::Result;
use gradus::data::digits::{Part, generate};
use gradus::data::distort::Distortion;
use gradus::data::{Dataset, Inputs, SparseRows};
use gradus::network::Workers;
use gradus::optimizer::Optimizer;
use gradus::schedule::Schedule;
use gradus::training::{
    BatchSize, Checkpoint, ClassWeights, Data, Regularization, Session, Start, TrainConfig,
    Trained, train,
};

pub(crate) fn digits(samples: usize) -> Dataset {
    generate(samples, 1, Part::Train).unwrap()
}

/// The same samples as numbers, which take the dense way.
pub(crate) fn as_floats(data: &Dataset) -> Dataset {
    let Inputs::Bytes(bytes) = &data.inputs else { panic!("not bytes") };
    let values = bytes.iter().map(|&byte| f32::from(byte)).collect();
    let mut floats = data.clone();
    floats.inputs = Inputs::Floats(values);
    floats
}

/// The same samples as sparse rows.
pub(crate) fn as_sparse(data: &Dataset) -> Dataset {
    let (mut starts, mut columns, mut values) = (vec![0], Vec::new(), Vec::new());
    for index in 0..data.len() {
        let kept = (0..).zip(data.sample(index)).filter(|(_, value)| *value != 0.0);
        for (column, value) in kept {
            columns.push(column);
            values.push(value);
        }
        starts.push(values.len());
    }
    let rows = SparseRows::new(data.features(), starts, columns, values).unwrap();
    let mut sparse = data.clone();
    sparse.inputs = Inputs::Sparse(rows);
    sparse
}

/// Adam at a constant rate, in batches of 50, on one thread.
pub(crate) fn adam(hidden: &[usize], epochs: usize) -> TrainConfig {
    TrainConfig {
        hidden: hidden.to_vec(),
        batch_size: BatchSize::Samples(50),
        epochs,
        optimizer: Optimizer::ADAM,
        learning_rate: 0.005,
        schedule: Schedule::Constant,
        threads: Some(1),
        ..TrainConfig::default()
    }
}

pub(crate) fn run(config: &TrainConfig, data: &Dataset) -> Trained {
    train(config, data, None, None, &AtomicBool::new(false), &mut |_| {}).unwrap()
}

/// Accuracy of a run's model on other digits.
pub(crate) fn accuracy(trained: &Trained, test: &Dataset) -> f64 {
    trained.model.classifier().unwrap().evaluate(test, &Workers::new(2).unwrap()).unwrap().accuracy
}

/// Everything at once; `sparse` without what needs dense inputs.
pub(crate) fn everything(batch_norm: bool, sparse: bool) -> Regularization {
    Regularization {
        dropout: 0.2,
        input_dropout: 0.1,
        noise: 0.1,
        input_noise: if sparse { 0.0 } else { 0.05 },
        batch_norm,
        label_smoothing: 0.1,
        mixup: if sparse { 0.0 } else { 0.3 },
        l1: 1e-5,
        l2: 1e-4,
        max_norm: Some(1.0),
        clip_norm: Some(0.5),
        clip_value: Some(0.01),
        ema_decay: Some(0.9),
        class_weights: ClassWeights::Balanced,
        distortion: Distortion::STANDARD,
    }
}

/// The run of a checkpoint, with another number of threads.
pub(crate) fn resume<'d>(
    checkpoint: &'d Checkpoint,
    data: impl Into<Data<'d>>,
    threads: Option<usize>,
) -> Result<Session> {
    let config = TrainConfig { threads, ..checkpoint.config().clone() };
    Session::new(&config, data, Start::Resume(checkpoint))
}
