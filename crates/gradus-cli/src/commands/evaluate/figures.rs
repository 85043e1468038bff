//! The output of `evaluate`: metrics in, text or JSON out.

use gradus::metrics::{
    Calibration, ClassFigures, ConfusionMatrix, Evaluation, ValueErrors, ValueEvaluation,
};
use serde::Serialize;

use super::mistakes::NamedMistake;
use crate::run::escape::columns;
use crate::run::output::{interval, percent_fine, table, with_interval};

/// Class names longer than this label only the rows; columns are then numbered.
const LONGEST_HEADING: usize = 6;

/// Metrics of a classifier, as JSON.
#[derive(Serialize)]
pub(crate) struct Figures<'a> {
    data: &'a str,
    samples: u64,
    loss: f64,
    accuracy: f64,
    accuracy_interval: (f64, f64),
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<TopK>,
    /// Number of samples whose class has each rank, from 0.
    ranks: &'a [u64],
    expected_calibration_error: f64,
    calibration_bins: Vec<Bin>,
    macro_average: Row<'a>,
    weighted_average: Row<'a>,
    micro_average: Row<'a>,
    classes: Vec<Row<'a>>,
    /// True classes in rows, predicted classes in columns.
    confusion: Vec<Vec<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Vec<NamedMistake<'a>>>,
}

#[derive(Serialize)]
struct TopK {
    k: usize,
    accuracy: f64,
    accuracy_interval: (f64, f64),
}

#[derive(Serialize)]
struct Bin {
    from: f64,
    to: f64,
    count: u64,
    confidence: f64,
    accuracy: f64,
}

#[derive(Serialize)]
struct Row<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    precision: f64,
    recall: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    recall_interval: Option<(f64, f64)>,
    f1: f64,
    support: u64,
}

impl<'a> Row<'a> {
    fn average(figures: ClassFigures) -> Self {
        let ClassFigures { precision, recall, f1, support } = figures;
        Row { name: None, precision, recall, recall_interval: None, f1, support }
    }

    fn class(name: &'a str, at: usize, confusion: &ConfusionMatrix) -> Self {
        let recall_interval = Some(confusion.recall_interval(at));
        Row { name: Some(name), recall_interval, ..Row::average(confusion.class(at)) }
    }

    fn micro(confusion: &ConfusionMatrix) -> Self {
        let recall_interval = Some(confusion.accuracy_interval());
        Row { recall_interval, ..Row::average(confusion.micro_average()) }
    }

    fn cells(&self, name: &str) -> Vec<String> {
        let [precision, recall, f1] = [self.precision, self.recall, self.f1].map(percent_fine);
        let recall_interval = self.recall_interval.map(interval).unwrap_or_default();
        vec![name.into(), precision, recall, recall_interval, f1, self.support.to_string()]
    }
}

impl<'a> Figures<'a> {
    /// The metrics on `data` with the classes `names`; with the accuracy among the `top` most probable
    /// classes, and with some mistakes.
    pub(crate) fn new(
        data: &'a str,
        names: &'a [String],
        evaluation: &'a Evaluation,
        top: Option<usize>,
        errors: Option<Vec<NamedMistake<'a>>>,
    ) -> Self {
        let Evaluation { loss, accuracy, confusion, ranks, calibration } = evaluation;
        let classes = 0..confusion.classes();
        let counts =
            |label| classes.clone().map(|predicted| confusion.count(label, predicted)).collect();
        let class = |(at, name): (usize, &'a String)| Row::class(name, at, confusion);
        Figures {
            data,
            samples: confusion.total(),
            loss: *loss,
            accuracy: *accuracy,
            accuracy_interval: evaluation.accuracy_interval(),
            top_k: top.map(|k| TopK {
                k,
                accuracy: evaluation.top_k(k),
                accuracy_interval: evaluation.top_k_interval(k),
            }),
            ranks,
            expected_calibration_error: calibration.expected_error(),
            calibration_bins: bins(calibration),
            macro_average: Row::average(confusion.macro_average()),
            weighted_average: Row::average(confusion.weighted_average()),
            micro_average: Row::micro(confusion),
            classes: names.iter().enumerate().map(class).collect(),
            confusion: classes.clone().map(counts).collect(),
            errors,
        }
    }

    /// The lines above the tables.
    pub(crate) fn summary(&self) -> [String; 2] {
        let Figures { data, samples, loss, .. } = self;
        let accuracy = with_interval(self.accuracy, self.accuracy_interval);
        let first = format!("{data}: {samples} samples, loss = {loss:.4}, accuracy = {accuracy}");
        let mut second = String::new();
        if let Some(TopK { k, accuracy, accuracy_interval }) = self.top_k {
            let accuracy = with_interval(accuracy, accuracy_interval);
            second += &format!("top-{k} accuracy = {accuracy}, ");
        }
        let error = percent_fine(self.expected_calibration_error);
        second += &format!("expected calibration error = {error}");
        [first, second]
    }

    /// Metrics of each class, and averages.
    pub(crate) fn class_table(&self) -> Vec<String> {
        let heading = ["class", "precision", "recall", "(95 %)", "F1", "support"];
        let mut rows = vec![heading.map(String::from).into()];
        rows.extend(self.classes.iter().map(|row| row.cells(row.name.unwrap_or_default())));
        rows.push(self.macro_average.cells("macro average"));
        rows.push(self.weighted_average.cells("weighted average"));
        rows.push(self.micro_average.cells("micro = accuracy"));
        table(&rows)
    }
}

fn bins(calibration: &Calibration) -> Vec<Bin> {
    let bin = |at: usize| {
        let (from, to) = calibration.edges(at);
        let bin = &calibration.bins[at];
        Bin { from, to, count: bin.count, confidence: bin.confidence, accuracy: bin.accuracy }
    };
    (0..calibration.bins.len()).map(bin).collect()
}

/// The confusion matrix: true classes in rows, predicted classes in columns.
pub(crate) fn confusion_table(names: &[String], confusion: &ConfusionMatrix) -> Vec<String> {
    let short = names.iter().all(|name| columns(name) <= LONGEST_HEADING);
    let numbered = |at: usize| format!("{at} {}", names[at]);
    let mut heading = vec![String::new()];
    heading
        .extend((0..names.len()).map(|at| if short { names[at].clone() } else { at.to_string() }));
    let mut rows = vec![heading];
    for label in 0..names.len() {
        let mut row = vec![if short { names[label].clone() } else { numbered(label) }];
        row.extend((0..names.len()).map(|predicted| confusion.count(label, predicted).to_string()));
        rows.push(row);
    }
    table(&rows)
}

/// Metrics of a regressor, as JSON.
#[derive(Serialize)]
pub(crate) struct ValueFigures<'a> {
    data: &'a str,
    samples: usize,
    loss: f64,
    /// The means over the outputs.
    #[serde(flatten)]
    mean: ErrorRow<'a>,
    outputs: Vec<ErrorRow<'a>>,
}

#[derive(Serialize)]
struct ErrorRow<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    mean_squared_error: f64,
    root_mean_squared_error: f64,
    mean_absolute_error: f64,
    r2: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    mean_poisson_deviance: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mean_pinball_loss: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    coverage: Option<f64>,
}

impl<'a> ErrorRow<'a> {
    fn new(name: Option<&'a str>, errors: ValueErrors) -> Self {
        ErrorRow {
            name,
            mean_squared_error: errors.mean_squared,
            root_mean_squared_error: errors.root_mean_squared,
            mean_absolute_error: errors.mean_absolute,
            r2: errors.r2,
            mean_poisson_deviance: errors.mean_poisson_deviance,
            mean_pinball_loss: errors.mean_pinball,
            coverage: errors.coverage,
        }
    }

    /// The figures that only models with some losses have, with their headings.
    fn more(&self) -> impl Iterator<Item = (&'static str, f64)> + use<> {
        let all = [
            ("deviance", self.mean_poisson_deviance),
            ("pinball", self.mean_pinball_loss),
            ("coverage", self.coverage),
        ];
        all.into_iter().filter_map(|(heading, value)| Some((heading, value?)))
    }

    fn cells(&self, name: &str) -> Vec<String> {
        let figures = [
            self.mean_squared_error,
            self.root_mean_squared_error,
            self.mean_absolute_error,
            self.r2,
        ];
        let figures = figures.into_iter().chain(self.more().map(|(_, value)| value));
        [name.to_owned()].into_iter().chain(figures.map(|figure| format!("{figure:.4}"))).collect()
    }
}

impl<'a> ValueFigures<'a> {
    /// The metrics on `data` with the targets `names`.
    pub(crate) fn new(
        data: &'a str,
        samples: usize,
        names: &'a [String],
        evaluation: &ValueEvaluation,
    ) -> Self {
        let rows = names.iter().zip(&evaluation.outputs);
        ValueFigures {
            data,
            samples,
            loss: evaluation.loss,
            mean: ErrorRow::new(None, evaluation.mean()),
            outputs: rows.map(|(name, &errors)| ErrorRow::new(Some(name), errors)).collect(),
        }
    }

    /// As lines of text: the loss, and a table of the errors of each target.
    pub(crate) fn lines(&self) -> Vec<String> {
        let heading = ["target", "MSE", "RMSE", "MAE", "R^2"];
        let more = self.outputs.first().into_iter().flat_map(|row| row.more().map(|it| it.0));
        let mut rows = vec![heading.into_iter().chain(more).map(String::from).collect()];
        rows.extend(self.outputs.iter().map(|row| row.cells(row.name.unwrap_or_default())));
        if self.outputs.len() > 1 {
            rows.push(self.mean.cells("mean"));
        }
        let ValueFigures { data, samples, loss, .. } = self;
        let summary = format!("{data}: {samples} samples, loss = {loss:.4}");
        [summary, String::new(), "Errors:".to_owned()].into_iter().chain(table(&rows)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus::metrics::SampleResult;

    #[test]
    fn long_names_label_only_the_rows() {
        let mut confusion = ConfusionMatrix::new(2);
        confusion.add(0, 1);
        confusion.add(1, 1);
        let rows = |names: [&str; 2]| confusion_table(&names.map(String::from), &confusion);
        assert_eq!(rows(["a", "b"]), ["   a  b", "a  0  1", "b  0  1"]);
        assert_eq!(
            rows(["Trouser", "Bag"]),
            ["           0  1", "0 Trouser  0  1", "1 Bag      0  1"]
        );
    }

    #[test]
    fn each_accuracy_has_an_interval() {
        let result = |label, predicted, confidence| SampleResult {
            label,
            predicted,
            rank: u32::from(label != predicted),
            confidence,
            label_probability: 0.25,
            loss: 0.5,
        };
        // 8 of 10 correct, all with a confidence of 0.75.
        let results = [(0, 0, 5), (0, 1, 1), (1, 1, 3), (1, 0, 1)]
            .map(|(label, predicted, times)| vec![result(label, predicted, 0.75); times])
            .concat();
        let evaluation = Evaluation::new(2, &results);
        let names = ["a", "b"].map(String::from);
        let figures = Figures::new("x", &names, &evaluation, Some(2), None);
        assert_eq!(
            figures.summary(),
            [
                "x: 10 samples, loss = 0.5000, accuracy = 80.00 % (49.02 to 94.33)",
                "top-2 accuracy = 100.00 % (72.25 to 100.00), expected calibration error = 5.00 %"
            ]
        );
        assert_eq!(
            figures.class_table(),
            [
                "class             precision   recall            (95 %)       F1  support",
                "a                   83.33 %  83.33 %  (43.65 to 96.99)  83.33 %        6",
                "b                   75.00 %  75.00 %  (30.06 to 95.44)  75.00 %        4",
                "macro average       79.17 %  79.17 %                    79.17 %       10",
                "weighted average    80.00 %  80.00 %                    80.00 %       10",
                "micro = accuracy    80.00 %  80.00 %  (49.02 to 94.33)  80.00 %       10"
            ]
        );
    }
}
