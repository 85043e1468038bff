//! Samples of floats with values to learn.

use gradus::data::{Dataset, Inputs, Targets};

pub(crate) fn valued(
    inputs: Vec<f32>,
    features: usize,
    values: Vec<f32>,
    names: &[&str],
) -> Dataset {
    let names = names.iter().map(|&name| name.to_owned()).collect();
    let targets = Targets::Values { values, names };
    Dataset::with_targets(Inputs::Floats(inputs), targets, vec![features]).unwrap()
}
