//! The output of `train`: epochs and the result of a run in, lines of text or JSON out.

use std::path::Path;

use anyhow::Result;
use gradus::loss::Loss;
use gradus::training::{Best, EpochReport, History, OutOfFold, Session};
use serde::{Serialize, Serializer};

use super::terminal_curve;
use crate::args::TrainArgs;
use crate::run::drawing::error_width;
use crate::run::output::{figure, print_json, say_styled, stdout};
use crate::run::progress::Steps;
use crate::run::test_result::TestResult;

/// How epochs are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// The lines that the NumPy notebook prints.
    Notebook,
    /// All metrics.
    Lines,
    /// One JSON object per line.
    Json,
    /// Epochs are not printed.
    Nothing,
}

/// Prints the progress and the result of a run.
pub(crate) struct TrainReport {
    style: Style,
    json: bool,
    quiet: bool,
    bar: Steps,
    /// Training samples per epoch.
    samples: usize,
    /// Whether losses are half squared errors, of which the root mean squared errors are known.
    squared: bool,
    /// Why standard output cannot be written. The run continues, because its model is still useful.
    failure: Result<()>,
}

/// The result of a run.
#[derive(Debug)]
pub(crate) struct Summary<'a> {
    pub(crate) history: &'a History,
    pub(crate) train_seconds: f64,
    pub(crate) total_seconds: f64,
    /// None if there are no test data.
    pub(crate) tested: Option<&'a TestResult>,
    /// Of a bag, how good its members are on their folds.
    pub(crate) out_of_fold: Option<&'a OutOfFold>,
    /// The epoch whose weights were kept, with early stopping.
    pub(crate) best: Option<Best>,
    pub(crate) model: &'a Path,
}

#[derive(Serialize)]
struct EpochEvent {
    event: &'static str,
    epoch: usize,
    loss: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    accuracy: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    val_loss: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    val_accuracy: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    val_r2: Option<f64>,
    learning_rate: f32,
    seconds: f64,
}

#[derive(Serialize)]
struct DoneEvent<'a> {
    event: &'static str,
    epochs: usize,
    train_seconds: f64,
    total_seconds: f64,
    /// The validation figures of the weights that were kept, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    val_loss: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    val_accuracy: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    val_r2: Option<f64>,
    #[serde(flatten, serialize_with = "as_test")]
    test: Option<&'a TestResult>,
    #[serde(flatten)]
    out_of_fold: serde_json::Map<String, serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    best_epoch: Option<usize>,
    model: String,
}

impl TrainReport {
    /// For the run of a session over `samples`; with `like_notebook` epochs are printed like in the notebook.
    pub(crate) fn new(
        args: &TrainArgs,
        session: &Session,
        samples: usize,
        like_notebook: bool,
    ) -> Self {
        let style = match (args.quiet, args.json, like_notebook) {
            (true, _, _) => Style::Nothing,
            (_, true, _) => Style::Json,
            (_, _, true) => Style::Notebook,
            _ => Style::Lines,
        };
        let bar = Steps::new(session, !args.quiet);
        let outputs = &session.model().outputs;
        let squared = outputs.loss == Loss::SquaredError && outputs.weights.is_empty();
        let (json, quiet) = (args.json, args.quiet);
        TrainReport { style, json, quiet, bar, samples, squared, failure: Ok(()) }
    }

    /// Prints the metrics of an epoch.
    pub(crate) fn epoch(&mut self, report: &EpochReport) {
        let print = || match self.style {
            _ if self.failure.is_err() => Ok(()),
            Style::Nothing => Ok(()),
            Style::Json => print_epoch_event(report),
            Style::Notebook => {
                let EpochReport { epoch, accuracy, .. } = report;
                let accuracy = accuracy.unwrap_or(0.0);
                print_line(&format!("Epoch {epoch}: Accuracy = {accuracy:.4}"))
            }
            Style::Lines => print_line(&epoch_line(report, self.squared)),
        };
        let printed = self.bar.suspend(print);
        self.bar.set_message(bar_message(report, self.samples));
        if printed.is_err() {
            self.failure = printed;
        }
    }

    /// Removes the progress bar after the last epoch.
    pub(crate) fn end_of_epochs(&mut self) {
        self.bar.finish();
    }

    /// Prints the result.
    ///
    /// # Errors
    /// If standard output could not be written, now or earlier.
    pub(crate) fn result(self, summary: &Summary) -> Result<()> {
        self.failure?;
        let Summary { history, train_seconds, total_seconds, tested, out_of_fold, best, model } =
            *summary;
        let epochs = history.epochs.len();
        let kept = match best {
            Some(best) => history.epochs.get(best.epoch),
            None => history.epochs.last(),
        };
        if self.json {
            return print_json(&DoneEvent {
                event: "done",
                epochs,
                train_seconds,
                total_seconds,
                val_loss: kept.and_then(|kept| kept.val_loss),
                val_accuracy: kept.and_then(|kept| kept.val_accuracy),
                val_r2: kept.and_then(|kept| kept.val_r2),
                test: tested,
                out_of_fold: out_of_fold.map(OutOfFold::to_json).unwrap_or_default(),
                best_epoch: best.map(|best| best.epoch),
                model: model.display().to_string(),
            });
        }
        if !self.quiet {
            if let Some(width) = error_width() {
                terminal_curve::lines(history, width).into_iter().for_each(say_styled);
            }
            if let Some(Best { epoch, monitor, value }) = best {
                let name = monitor.name();
                let value = match history.epochs.get(epoch) {
                    Some(report) => reported(report, value),
                    None => figure(value),
                };
                print_line(&format!(
                    "Kept the weights from epoch {epoch}, the best one ({name} = {value})"
                ))?;
            }
            let unit = if epochs == 1 { "epoch" } else { "epochs" };
            print_line(&format!(
                "Wrote {}: {epochs} {unit} in {train_seconds:.2} s, {total_seconds:.2} s in total",
                model.display()
            ))?;
        }
        if let Some(found) = out_of_fold {
            let temperature = found.temperature.map(|it| format!(", temperature = {it:.3}"));
            let words = TestResult::from(found.figures.clone()).words();
            print_line(&format!("Out of fold: {words}{}", temperature.unwrap_or_default()))?;
            if tested.is_none() {
                return Ok(());
            }
        }
        match (tested, kept) {
            (Some(tested), _) => print_line(&tested.line()),
            (None, Some(kept)) => print_line(&validation_line(kept, self.squared)),
            (None, None) => Ok(()),
        }
    }
}

/// Serializes the metrics of the test, if there was one.
fn as_test<S: Serializer>(tested: &Option<&TestResult>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(tested.iter().flat_map(|tested| tested.figures()))
}

/// The result of a run without test data: the validation figures of its weights.
fn validation_line(kept: &EpochReport, squared: bool) -> String {
    let figures = [
        ("loss", kept.val_loss),
        ("RMSE", errors_of(kept, squared).1),
        ("accuracy", kept.val_accuracy),
        ("R^2", kept.val_r2),
    ];
    let figures = figures.iter().filter_map(|(name, value)| Some((name, (*value)?)));
    let figures = figures.map(|(name, value)| format!("{name} = {}", reported(kept, value)));
    format!("Validation (no test data): {}", figures.collect::<Vec<_>>().join(", "))
}

fn print_line(line: &str) -> Result<()> {
    stdout().line(line)
}

fn print_epoch_event(report: &EpochReport) -> Result<()> {
    let EpochReport { epoch, loss, accuracy, learning_rate, seconds, .. } = *report;
    print_json(&EpochEvent {
        event: "epoch",
        epoch,
        loss,
        accuracy,
        val_loss: report.val_loss,
        val_accuracy: report.val_accuracy,
        val_r2: report.val_r2,
        learning_rate,
        seconds,
    })
}

/// Root mean squared errors in training and validation, if losses are squared errors.
fn errors_of(report: &EpochReport, squared: bool) -> (Option<f64>, Option<f64>) {
    if squared { report.root_mean_squared_errors() } else { (None, None) }
}

fn epoch_line(report: &EpochReport, squared: bool) -> String {
    let (error, val_error) = errors_of(report, squared);
    let mut line = format!("Epoch {}: loss = {}", report.epoch, reported(report, report.loss));
    for (name, value) in [
        ("RMSE", error),
        ("accuracy", report.accuracy),
        ("val_loss", report.val_loss),
        ("val_RMSE", val_error),
        ("val_accuracy", report.val_accuracy),
        ("val_R^2", report.val_r2),
    ] {
        if let Some(value) = value {
            line += &format!(", {name} = {}", reported(report, value));
        }
    }
    let rate = significant(report.learning_rate);
    line + &format!(", learning rate = {rate}, {:.3} s", report.seconds)
}

/// A figure of an epoch; those of regression are in the targets' units, and may be large or small.
fn reported(report: &EpochReport, value: f64) -> String {
    match report.accuracy {
        Some(_) => format!("{value:.4}"),
        None => figure(value),
    }
}

/// The text next to the progress bar.
fn bar_message(report: &EpochReport, samples: usize) -> String {
    let EpochReport { loss, accuracy, seconds, .. } = report;
    let loss = reported(report, *loss);
    let rate = samples as f64 / seconds.max(1e-9);
    let rate = match rate {
        rate if rate >= 1e6 => format!("{:.1}M", rate / 1e6),
        rate if rate >= 1e4 => format!("{:.0}k", rate / 1e3),
        rate => format!("{rate:.0}"),
    };
    let accuracy = accuracy.map_or(String::new(), |accuracy| format!("accuracy {accuracy:.4}, "));
    format!("loss {loss}, {accuracy}{rate} samples/s, ")
}

/// A learning rate with three significant digits, in its shortest form: `0.004`, `1.6e-8`.
fn significant(rate: f32) -> String {
    let rounded: f32 = format!("{rate:.2e}").parse().unwrap_or(rate);
    if (1e-4..1e4).contains(&rounded) || rounded == 0.0 {
        rounded.to_string()
    } else {
        format!("{rounded:e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_contain_the_metrics_that_exist() {
        let mut report = EpochReport {
            epoch: 3,
            loss: 0.123_45,
            accuracy: Some(0.987_65),
            val_loss: None,
            val_accuracy: None,
            val_r2: None,
            learning_rate: 0.001_234_5,
            seconds: 0.15,
        };
        assert_eq!(
            epoch_line(&report, false),
            "Epoch 3: loss = 0.1235, accuracy = 0.9877, learning rate = 0.00123, 0.150 s"
        );
        report.val_loss = Some(0.5);
        report.val_accuracy = Some(0.75);
        let values = EpochReport { accuracy: None, val_accuracy: None, ..report };
        assert!(epoch_line(&values, true).contains(
            "loss = 0.1235, RMSE = 0.4969, val_loss = 0.5000, val_RMSE = 1.0000, learning rate"
        ));
        assert!(
            epoch_line(&report, false)
                .contains("0.9877, val_loss = 0.5000, val_accuracy = 0.7500, ")
        );
    }

    #[test]
    fn the_bar_shows_the_speed() {
        let report = |seconds| EpochReport {
            epoch: 0,
            loss: 0.25,
            accuracy: Some(0.5),
            val_loss: None,
            val_accuracy: None,
            val_r2: None,
            learning_rate: 0.1,
            seconds,
        };
        for (seconds, rate) in [(0.01, "6.0M"), (0.125, "480k"), (60.0, "1000")] {
            let expected = format!("loss 0.2500, accuracy 0.5000, {rate} samples/s, ");
            assert_eq!(bar_message(&report(seconds), 60_000), expected);
        }
    }

    #[test]
    fn rates_are_short() {
        for (rate, text) in [(0.004, "0.004"), (1.6e-8, "1.6e-8"), (12345.0, "1.23e4"), (0.0, "0")]
        {
            assert_eq!(significant(rate), text);
        }
    }
}
