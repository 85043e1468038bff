//! The output of `evaluate --errors`: the most confident mistakes and their samples in, text out.

use gradus::metrics::Mistake;
use serde::Serialize;

use crate::run::drawing::{output_width, side_by_side};
use crate::run::escape::cut;
use crate::run::output::WIDEST_CELL;

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
        let [label, predicted] = [label, predicted].map(|name| cut(name, WIDEST_CELL));
        format!(
            "[{index}]: {predicted} ({probability:.4}) instead of {label} ({label_probability:.4})"
        )
    }
}

/// The given mistakes, out of `all`, each with the drawing of its sample below it.
pub(crate) fn mistake_lines(
    worst: &[(Mistake, Vec<String>)],
    all: u64,
    names: &[String],
) -> Vec<String> {
    if worst.is_empty() {
        return vec!["No mistakes.".to_owned()];
    }
    let block = |(mistake, drawing): &(Mistake, Vec<String>)| {
        let mut lines = vec![NamedMistake::new(mistake, names).caption()];
        lines.extend(drawing.iter().cloned());
        lines
    };
    let blocks: Vec<_> = worst.iter().map(block).collect();
    let heading =
        format!("The {} most confident of {all} mistakes, with probabilities:", worst.len());
    let drawn = side_by_side(&blocks, output_width());
    [heading, String::new()].into_iter().chain(drawn).collect()
}
