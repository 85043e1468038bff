//! What the members of a bag predict for the samples that they did not learn from: their models and their folds in, figures,
//! a temperature and the errors for intervals out (docs/maths.md M33).

use gradus_kernels::matrix::MatMut;
use gradus_kernels::threads::Workers;
use serde_json::{Map, Value};

use crate::engine::cpu::kernels;
use crate::error::{Error, Result};
use crate::metrics::{Evaluation, LabelEvaluation, ValueEvaluation};
use crate::model::{Intervals, Model};
use crate::samples::{Subset, Targets, Task};
use crate::training::parallel::in_parallel;
use crate::training::temperature::{divide_outputs, temperature};

/// How good the members of a bag are on the samples that they did not learn from: each sample is predicted by the one
/// member whose fold it is in, as it was before it was trained again on all samples.
#[derive(Debug, Clone, PartialEq)]
pub struct OutOfFold {
    /// The figures, over all samples.
    pub figures: OutOfFoldFigures,
    /// What the members' logits were divided by, in classification; it is part of their last layers.
    pub temperature: Option<f64>,
}

/// The figures of each kind of targets.
#[derive(Debug, Clone, PartialEq)]
pub enum OutOfFoldFigures {
    /// Of classes, with the temperature.
    Classes(Evaluation),
    /// Of several labels.
    Labels(LabelEvaluation),
    /// Of values.
    Values(ValueEvaluation),
}

impl OutOfFold {
    /// The figures with their keys in JSON and in the metadata of models: `out_of_fold_loss`, and what else there is of
    /// `out_of_fold_accuracy`, `out_of_fold_rmse`, ... and `temperature`; means over several outputs.
    pub fn to_json(&self) -> Map<String, Value> {
        let (loss, more) = match &self.figures {
            OutOfFoldFigures::Classes(found) => (found.loss, vec![("accuracy", found.accuracy)]),
            OutOfFoldFigures::Labels(found) => {
                let LabelEvaluation { subset_accuracy, hamming_loss, micro_f1, macro_f1, .. } =
                    *found;
                let figures = [
                    ("accuracy", subset_accuracy),
                    ("hamming_loss", hamming_loss),
                    ("micro_f1", micro_f1),
                    ("macro_f1", macro_f1),
                ];
                (found.loss, figures.to_vec())
            }
            OutOfFoldFigures::Values(found) => {
                let mean = found.mean();
                let figures = [
                    ("mean_squared_error", mean.mean_squared),
                    ("rmse", mean.root_mean_squared),
                    ("mean_absolute_error", mean.mean_absolute),
                    ("r2", mean.r2),
                ];
                (found.loss, figures.to_vec())
            }
        };
        let figures = [("loss", loss)].into_iter().chain(more);
        let mut json: Map<_, _> =
            figures.map(|(key, value)| (format!("out_of_fold_{key}"), value.into())).collect();
        if let Some(temperature) = self.temperature {
            json.insert("temperature".into(), temperature.into());
        }
        json
    }
}

/// What follows from the predictions of all folds.
pub(super) struct Found {
    pub(super) out_of_fold: OutOfFold,
    pub(super) intervals: Option<Intervals>,
}

/// Predicts each fold by its own model. The outputs of classifiers are then divided by the temperature.
///
/// # Errors
/// Those of predicting.
pub(super) fn out_of_fold(models: &mut [Model], folds: &[Subset], threads: usize) -> Result<Found> {
    let outputs = each(models, folds, threads, Model::raw_outputs)?.concat();
    let first = &models[0];
    let (task, loss) = (first.task(), first.loss().clone());
    let width = first.names().len();
    let (mut found_temperature, mut intervals) = (None, None);
    let figures = match task {
        Task::Classification => {
            let labels: Vec<u32> =
                folds.iter().flat_map(|fold| fold.labels().into_owned()).collect();
            let found = temperature(&outputs, &labels);
            found_temperature = Some(found);
            models.iter_mut().for_each(|model| divide_outputs(&mut model.network, found));
            let results = each(models, folds, threads, |model, fold, workers| {
                model.classifier()?.results(fold, workers)
            })?;
            OutOfFoldFigures::Classes(Evaluation::new(width, &results.concat()))
        }
        Task::MultiLabel => {
            let labels = folds.iter().flat_map(|fold| {
                let values = match &fold.data().targets {
                    Targets::Labels { values, .. } => &values[..],
                    _ => &[],
                };
                fold.indices().flat_map(move |at| &values[at * width..][..width]).copied()
            });
            let labels: Vec<u8> = labels.collect();
            OutOfFoldFigures::Labels(LabelEvaluation::new(width, &outputs, &labels))
        }
        Task::Regression => {
            let mut predicted = outputs;
            let rows = predicted.len() / width;
            models[0].outputs.predictions(kernels()?, MatMut::new(&mut predicted, rows, width));
            let targets = folds.iter().map(|fold| models[0].regressor()?.targets_of_outputs(*fold));
            let targets = targets.collect::<Result<Vec<_>>>()?.concat();
            let errors =
                predicted.iter().zip(&targets).map(|(found, wanted)| (found - wanted).abs());
            let errors: Vec<f32> = errors.collect();
            // Quantiles are intervals themselves.
            if loss.outputs_per_target() == 1 && errors.iter().all(|error| error.is_finite()) {
                intervals = Some(Intervals::of(&errors, width));
            }
            let weights = &models[0].outputs.weights;
            let found = ValueEvaluation::with_loss(&loss, weights, width, &predicted, &targets);
            OutOfFoldFigures::Values(found)
        }
    };
    Ok(Found { out_of_fold: OutOfFold { figures, temperature: found_temperature }, intervals })
}

/// What each model makes of its fold, one on each thread.
fn each<R: Send>(
    models: &[Model],
    folds: &[Subset],
    threads: usize,
    work: impl Fn(&Model, Subset, &Workers) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let pairs = models.iter().zip(folds).collect();
    let alone = Workers::new(1).map_err(Error::argument)?;
    let results = in_parallel(threads, pairs, |(model, fold)| work(model, *fold, &alone));
    results.into_iter().collect()
}
