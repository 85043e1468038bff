//! The result of testing a trained model: a model and data in, metrics as JSON or as a line of text out.

use gradus::classifier::Model;
use gradus::data::{Dataset, Task};
use gradus::metrics::{Evaluation, LabelEvaluation, ValueErrors, ValueEvaluation};
use gradus::network::Workers;
use gradus::training::OutOfFoldFigures;
use serde_json::{Value, json};

use crate::run::output::{figure, percent, with_interval};

/// Metrics of a model on test data.
#[derive(Debug)]
pub(crate) enum TestResult {
    /// Classification.
    Classes(Evaluation),
    /// Several labels for a sample.
    Labels(LabelEvaluation),
    /// Regression.
    Values(ValueEvaluation),
}

impl From<OutOfFoldFigures> for TestResult {
    fn from(figures: OutOfFoldFigures) -> TestResult {
        match figures {
            OutOfFoldFigures::Classes(found) => TestResult::Classes(found),
            OutOfFoldFigures::Labels(found) => TestResult::Labels(found),
            OutOfFoldFigures::Values(found) => TestResult::Values(found),
        }
    }
}

impl TestResult {
    pub(crate) fn of(
        model: &Model,
        data: &Dataset,
        workers: &Workers,
    ) -> gradus::Result<TestResult> {
        Ok(match model.task() {
            Task::Classification => {
                TestResult::Classes(model.classifier()?.evaluate(data, workers)?)
            }
            Task::MultiLabel => TestResult::Labels(model.evaluate_labels(data, workers)?),
            Task::Regression => TestResult::Values(model.regressor()?.evaluate(data, workers)?),
        })
    }

    /// The metrics with their keys in JSON and in the metadata of the model; means over several outputs.
    pub(crate) fn figures(&self) -> Vec<(&'static str, Value)> {
        match self {
            TestResult::Classes(found) => vec![
                ("test_loss", found.loss.into()),
                ("test_accuracy", found.accuracy.into()),
                ("test_accuracy_interval", json!(found.accuracy_interval())),
            ],
            TestResult::Labels(found) => vec![
                ("test_loss", found.loss.into()),
                ("test_accuracy", found.subset_accuracy.into()),
                ("test_hamming_loss", found.hamming_loss.into()),
                ("test_micro_f1", found.micro_f1.into()),
                ("test_macro_f1", found.macro_f1.into()),
            ],
            TestResult::Values(found) => {
                let mean = found.mean();
                vec![
                    ("test_loss", found.loss.into()),
                    ("test_mean_squared_error", mean.mean_squared.into()),
                    ("test_rmse", mean.root_mean_squared.into()),
                    ("test_mean_absolute_error", mean.mean_absolute.into()),
                    ("test_r2", mean.r2.into()),
                ]
                .into_iter()
                .chain(only_some_losses(&mean).map(|(_, key, figure)| (key, figure.into())))
                .collect()
            }
        }
    }

    pub(crate) fn line(&self) -> String {
        format!("Test: {}", self.words())
    }

    /// The metrics as text.
    pub(crate) fn words(&self) -> String {
        match self {
            TestResult::Classes(found) => {
                let accuracy = with_interval(found.accuracy, found.accuracy_interval());
                format!("loss = {:.4}, accuracy = {accuracy}", found.loss)
            }
            TestResult::Labels(found) => {
                let LabelEvaluation { loss, subset_accuracy, hamming_loss, .. } = found;
                format!(
                    "loss = {loss:.4}, subset accuracy = {}, Hamming loss = {hamming_loss:.4}, micro F1 = {:.4}, \
                     macro F1 = {:.4}",
                    percent(*subset_accuracy),
                    found.micro_f1,
                    found.macro_f1
                )
            }
            TestResult::Values(found) => {
                let mean = found.mean();
                let [loss, root, absolute] =
                    [found.loss, mean.root_mean_squared, mean.mean_absolute].map(figure);
                let more = only_some_losses(&mean)
                    .map(|(name, _, value)| format!(", {name} = {}", figure(value)));
                format!(
                    "loss = {loss}, root mean squared error = {root}, mean absolute error = \
                     {absolute}, R^2 = {:.4}{}",
                    mean.r2,
                    more.collect::<String>()
                )
            }
        }
    }
}

/// The figures that only models with some losses have: for people, the key of a test, the value.
fn only_some_losses(
    errors: &ValueErrors,
) -> impl Iterator<Item = (&'static str, &'static str, f64)> + use<> {
    let ValueErrors { mean_poisson_deviance, mean_pinball, coverage, .. } = *errors;
    [
        ("mean Poisson deviance", "test_mean_poisson_deviance", mean_poisson_deviance),
        ("mean pinball loss", "test_mean_pinball_loss", mean_pinball),
        ("coverage", "test_coverage", coverage),
    ]
    .into_iter()
    .filter_map(|(name, key, value)| Some((name, key, value?)))
}
