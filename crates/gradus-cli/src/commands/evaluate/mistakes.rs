//! The output of `evaluate --errors`: the most confident mistakes and their samples in, text out.

use gradus::data::Dataset;
use gradus::metrics::Mistake;
use serde::Serialize;

use crate::run::drawing::{draw, output_width, side_by_side};

/// A mistake, with class names instead of numbers.
#[derive(Serialize)]
pub(crate) struct NamedMistake<'a> {
    /// Index among the evaluated samples.
    index: usize,
    label: &'a str,
    predicted: &'a str,
    /// Probability of the predicted class.
    probability: f32,
    /// Probability of the true class.
    label_probability: f32,
}

impl<'a> NamedMistake<'a> {
    pub(crate) fn new(mistake: &Mistake, names: &'a [String]) -> Self {
        let Mistake { index, label, predicted, probability, label_probability } = *mistake;
        let [label, predicted] = [label, predicted].map(|class| names[class as usize].as_str());
        NamedMistake { index, label, predicted, probability, label_probability }
    }

    /// `[247]: 2 (0.9987) instead of 4 (0.0008)`
    fn caption(&self) -> String {
        let NamedMistake { index, label, predicted, probability, label_probability } = self;
        format!(
            "[{index}]: {predicted} ({probability:.4}) instead of {label} ({label_probability:.4})"
        )
    }
}

/// The given mistakes, out of `all`, each with its sample below it.
pub(crate) fn mistakes_text(worst: &[Mistake], all: u64, data: &Dataset) -> String {
    if worst.is_empty() {
        return "No mistakes.\n".to_owned();
    }
    let block = |mistake: &Mistake| {
        let mut lines = vec![NamedMistake::new(mistake, data.class_names()).caption()];
        lines.extend(draw(data, mistake.index));
        lines
    };
    let blocks: Vec<_> = worst.iter().map(block).collect();
    let drawn = side_by_side(&blocks, output_width());
    format!("The {} most confident of {all} mistakes, with probabilities:\n\n{drawn}", worst.len())
}
