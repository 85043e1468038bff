//! Training runs on the built-in digits, for the tests of training.

#![allow(dead_code)] // not every test file uses all of it
use std::sync::atomic::AtomicBool;

use gradus::data::digits::{Part, generate};
use gradus::data::{Dataset, Inputs};
use gradus::network::Workers;
use gradus::training::{TrainConfig, Trained, train};

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

pub(crate) fn run(config: &TrainConfig, data: &Dataset) -> Trained {
    train(config, data, None, None, &AtomicBool::new(false), &mut |_| {}).unwrap()
}

/// Accuracy of a run's model on other digits.
pub(crate) fn accuracy(trained: &Trained, test: &Dataset) -> f64 {
    trained.classifier.evaluate(test, &Workers::new(2).unwrap()).unwrap().accuracy
}
