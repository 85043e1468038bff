//! Models measured on a folder of shards, piece by piece, in memory that does not depend on the number of samples: the
//! figures are those of all samples in memory.

use anyhow::Result;
use gradus::Error;
use gradus::classifier::{Classifier, LabelResults, Model, Regressor};
use gradus::data::shards::{Shards, is_shards};
use gradus::data::{Targets, is_set_name};
use gradus::exchange::Ranks;
use gradus::metrics::{
    Evaluation, EvaluationSums, LabelEvaluation, Mistake, ValueEvaluation, ValueSums,
    most_confident_mistakes,
};

use crate::args::EvaluateArgs;
use crate::run::drawing::draw;
use crate::run::labelled_data::data_of;
use crate::run::pieces::Pieces;
use crate::run::source::{self, DataRequest};
use crate::run::workers::workers;

/// What was measured of a classifier.
pub(super) struct Measured {
    pub(super) name: String,
    pub(super) evaluation: Evaluation,
    /// The most confident mistakes with drawings of their samples, if any are wanted.
    pub(super) worst: Option<Vec<(Mistake, Vec<String>)>>,
}

/// The shards to measure a model on, if the data are shards. Of those that it was trained on, the samples that were held
/// out are needed, which are found in memory.
pub(super) fn shards_of(model: &Model, args: &EvaluateArgs) -> Result<Option<Shards>> {
    let path = args.data.as_deref().filter(|path| !is_set_name(path) && is_shards(path));
    let Some(path) = path else { return Ok(None) };
    if data_of(model) == Some(&source::short_name(path)) {
        return Ok(None);
    }
    // Options that have no effect are refused as for other data.
    source::options(&DataRequest::new(model.task(), Some(path), 0), &args.source)?;
    let shards = Shards::open(path)?;
    if shards.task() != model.task() {
        let (found, wanted) = (shards.task(), model.task());
        return Err(Error::argument(format!(
            "{}: its samples come {}, but the model is for {}",
            path.display(),
            found.with(shards.output_names().len()),
            wanted.name()
        ))
        .into());
    }
    Ok(Some(shards))
}

/// Measures a classifier.
pub(super) fn classifier(
    classifier: &Classifier,
    shards: &Shards,
    args: &EvaluateArgs,
    ranks: &Ranks,
) -> Result<Measured> {
    let name = source::short_name(shards.folder());
    let workers = workers(args.threads, shards.samples())?;
    let mut sums = EvaluationSums::new(classifier.class_names().len());
    let (mut worst, mut first) = (Vec::<Mistake>::new(), 0);
    // Opened again: the pieces own theirs.
    let pieces = Pieces::of_shards(Shards::open(shards.folder())?, classifier)?;
    pieces.compare(ranks)?;
    pieces.each_samples(classifier, |data| {
        let data = data.with_classes(classifier.class_names());
        let data = data.map_err(|error| error.context(shards.folder().display()))?;
        let results = classifier.results_on_ranks(&data, &workers, ranks)?;
        sums.add(&results);
        if let Some(most) = args.errors {
            let found = most_confident_mistakes(&results, most).into_iter();
            worst.extend(found.map(|it| Mistake { index: it.index + first, ..it }));
            keep_worst(&mut worst, most);
        }
        first += data.len();
        Ok(())
    })?;
    let drawn =
        |it: Mistake| -> Result<_> { Ok((it, draw(&shards.read(it.index..it.index + 1)?, 0))) };
    let worst = args.errors.map(|_| worst.into_iter().map(drawn).collect::<Result<_>>());
    Ok(Measured { name, evaluation: sums.finish(), worst: worst.transpose()? })
}

/// The most confident of mistakes that are in the order of their samples where they are equal.
fn keep_worst(mistakes: &mut Vec<Mistake>, most: usize) {
    mistakes.sort_by(Mistake::by_confidence);
    mistakes.truncate(most);
}

/// Measures a model for several labels: the name of the data, and its figures. Inputs are read piece by piece; the predictions for
/// all samples are kept.
pub(super) fn labels(
    model: &Model,
    shards: Shards,
    args: &EvaluateArgs,
    ranks: &Ranks,
) -> Result<(String, LabelEvaluation)> {
    let name = source::short_name(shards.folder());
    let workers = workers(args.threads, shards.samples())?;
    let pieces = Pieces::of_shards(shards, model)?;
    pieces.compare(ranks)?;
    let mut results = LabelResults::default();
    pieces.each_samples(model, |data| {
        model.add_labels_on_ranks(&data, (&workers, ranks), &mut results)
    })?;
    Ok((name, results.evaluation()))
}

/// Measures a regressor: its name, the number of samples and its errors.
pub(super) fn regressor(
    regressor: &Regressor,
    shards: &Shards,
    args: &EvaluateArgs,
    ranks: &Ranks,
) -> Result<(String, usize, ValueEvaluation)> {
    let name = source::short_name(shards.folder());
    let (samples, workers) = (shards.samples(), workers(args.threads, shards.samples())?);
    let means = means(regressor, shards)?;
    let mut sums = ValueSums::new(regressor.loss(), &regressor.outputs.weights, &means);
    let pieces = Pieces::of_shards(Shards::open(shards.folder())?, regressor)?;
    pieces.compare(ranks)?;
    pieces.each_samples(regressor, |data| {
        regressor.loss().check_targets(&data.targets)?;
        let wanted = regressor.targets_of_outputs(&data)?;
        let predicted = regressor.predict_on_ranks(&data.inputs, &workers, ranks)?;
        sums.add(&predicted, &wanted);
        Ok(())
    })?;
    Ok((name, samples, sums.finish()))
}

/// The means of what each output is compared with, from the targets alone.
fn means(regressor: &Regressor, shards: &Shards) -> Result<Vec<f64>> {
    const ROWS: usize = 1 << 20;
    let per_target = regressor.loss().outputs_per_target();
    let (samples, targets) = (shards.samples(), shards.output_names().len());
    if targets * per_target != regressor.output_names().len() {
        return Err(Error::argument(format!(
            "{}: its samples have {targets} values, but the model predicts {}",
            shards.folder().display(),
            regressor.output_names().len() / per_target.max(1)
        ))
        .into());
    }
    let mut sums = vec![0.0; targets];
    for first in (0..samples).step_by(ROWS) {
        let found = shards.targets_of(first..(first + ROWS).min(samples))?;
        let Targets::Values { values, .. } = found else { continue };
        for row in values.chunks_exact(targets) {
            sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
        }
    }
    let mean = |sum: f64| std::iter::repeat_n(sum / samples as f64, per_target);
    Ok(sums.into_iter().flat_map(mean).collect())
}
