//! Metrics of a model for several labels as JSON and as lines of text.

use gradus::metrics::{LabelEvaluation, LabelFigures};
use serde::Serialize;

use crate::run::output::{percent_fine, table};

/// Metrics of a model for several labels, as JSON.
#[derive(Serialize)]
pub(crate) struct LabelRows<'a> {
    data: &'a str,
    samples: u64,
    loss: f64,
    subset_accuracy: f64,
    hamming_loss: f64,
    micro_f1: f64,
    macro_f1: f64,
    labels: Vec<LabelRow<'a>>,
}

#[derive(Serialize)]
struct LabelRow<'a> {
    name: &'a str,
    precision: f64,
    recall: f64,
    f1: f64,
    average_precision: f64,
    support: u64,
}

impl<'a> LabelRow<'a> {
    fn new((name, label): (&'a String, &LabelFigures)) -> Self {
        let LabelFigures { figures, average_precision } = *label;
        LabelRow {
            name,
            precision: figures.precision,
            recall: figures.recall,
            f1: figures.f1,
            average_precision,
            support: figures.support,
        }
    }

    fn cells(&self) -> Vec<String> {
        let figures = [self.precision, self.recall, self.f1, self.average_precision];
        let figures = figures.map(percent_fine).into_iter();
        let name = std::iter::once(self.name.to_owned());
        name.chain(figures).chain([self.support.to_string()]).collect()
    }
}

impl<'a> LabelRows<'a> {
    /// The metrics on `data` with the labels `names`.
    pub(crate) fn new(data: &'a str, names: &'a [String], found: &LabelEvaluation) -> Self {
        LabelRows {
            data,
            samples: found.samples,
            loss: found.loss,
            subset_accuracy: found.subset_accuracy,
            hamming_loss: found.hamming_loss,
            micro_f1: found.micro_f1,
            macro_f1: found.macro_f1,
            labels: names.iter().zip(&found.labels).map(LabelRow::new).collect(),
        }
    }

    /// As lines of text: the figures of all labels, and a table of each.
    pub(crate) fn lines(&self) -> Vec<String> {
        let LabelRows { data, samples, loss, hamming_loss, micro_f1, macro_f1, .. } = self;
        let subset = percent_fine(self.subset_accuracy);
        let first =
            format!("{data}: {samples} samples, loss = {loss:.4}, subset accuracy = {subset}");
        let second = format!(
            "Hamming loss = {hamming_loss:.4}, micro F1 = {}, macro F1 = {}",
            percent_fine(*micro_f1),
            percent_fine(*macro_f1)
        );
        let heading = ["label", "precision", "recall", "F1", "average precision", "support"];
        let mut rows = vec![heading.map(String::from).to_vec()];
        rows.extend(self.labels.iter().map(LabelRow::cells));
        [first, second, String::new()].into_iter().chain(table(&rows)).collect()
    }
}
