//! `gradus evaluate`: a model and labelled data in, metrics out.

mod figures;
mod labels;
mod mistakes;
mod streamed;

use anyhow::Result;
use gradus::classifier::{Classifier, Model, Regressor};
use gradus::data::{Dataset, Task};
use gradus::exchange::Ranks;
use gradus::metrics::{Evaluation, Mistake, most_confident_mistakes};

use figures::{Figures, ValueFigures, confusion_table};
use labels::LabelRows;
use mistakes::{NamedMistake, mistake_lines};
use streamed::Measured;

use crate::args::EvaluateArgs;
use crate::run::drawing::draw;
use crate::run::labelled_data::labelled_data;
use crate::run::model::{self, check_classes, check_top};
use crate::run::output::{print_json, stdout};
use crate::run::ranks;
use crate::run::workers::workers;

/// Number of classes from which top-k accuracy is reported by default.
const TOP_FROM: usize = 5;

/// The k of the top-k accuracy that is reported by default.
const DEFAULT_TOP: usize = 3;

/// Runs the command.
pub(crate) fn run(args: &EvaluateArgs) -> Result<()> {
    let ranks = &ranks::join(args.mpi)?;
    let model = model::load(&args.model)?;
    ranks::compare_models(ranks, &model)?;
    match model.task() {
        Task::Classification => evaluate_classifier(&model.into_classifier()?, args, ranks),
        Task::MultiLabel => evaluate_labels(&model, args, ranks),
        Task::Regression => evaluate_regressor(&model.into_regressor()?, args, ranks),
    }
}

/// The labelled data, the same on all ranks.
fn data(model: &Model, args: &EvaluateArgs, ranks: &Ranks) -> Result<(String, Dataset)> {
    let (name, data) = labelled_data(model, args.data.as_deref(), &args.source)?;
    if !ranks.is_alone() {
        ranks.compare(&[("data", data.sha256().as_bytes(), "give all ranks the same data")])?;
    }
    Ok((name, data))
}

/// Measures a classifier.
fn evaluate_classifier(classifier: &Classifier, args: &EvaluateArgs, ranks: &Ranks) -> Result<()> {
    check_top(args.top, classifier)?;
    let default = (classifier.class_names().len() >= TOP_FROM).then_some(DEFAULT_TOP);
    let top = args.top.or(default);
    let names = classifier.class_names();
    let Measured { name, evaluation, worst } = match streamed::shards_of(classifier, args)? {
        Some(shards) => streamed::classifier(classifier, &shards, args, ranks)?,
        None => {
            let (name, data) = data(classifier, args, ranks)?;
            let workers = workers(args.threads, data.len())?;
            let results = classifier.results_on_ranks(&data, &workers, ranks)?;
            let worst = args.errors.map(|most| most_confident_mistakes(&results, most));
            let drawn = |it: Mistake| (it, draw(&data, it.index));
            let worst = worst.map(|worst| worst.into_iter().map(drawn).collect());
            Measured { name, evaluation: Evaluation::new(names.len(), &results), worst }
        }
    };
    if ranks.rank() > 0 {
        return Ok(());
    }
    let confusion = &evaluation.confusion;
    if args.json {
        let errors =
            worst.map(|worst| worst.iter().map(|it| NamedMistake::new(&it.0, names)).collect());
        return print_json(&Figures::new(&name, names, &evaluation, top, errors));
    }
    let figures = Figures::new(&name, names, &evaluation, top, None);
    let mut out = stdout();
    out.lines(figures.summary())?;
    out.line("")?;
    out.lines(figures.class_table())?;
    out.lines(["", "Confusion matrix, true classes in rows and predicted classes in columns:"])?;
    out.lines(confusion_table(names, confusion))?;
    if let Some(worst) = worst {
        let mistakes = confusion.total() - confusion.correct();
        out.line("")?;
        out.lines(mistake_lines(&worst, mistakes, names))?;
    }
    Ok(())
}

/// Measures a model for several labels.
fn evaluate_labels(model: &Model, args: &EvaluateArgs, ranks: &Ranks) -> Result<()> {
    check_top(args.top, model)?;
    if args.errors.is_some() {
        check_classes("--errors", model)?;
    }
    let (name, evaluation) = match streamed::shards_of(model, args)? {
        Some(shards) => streamed::labels(model, shards, args, ranks)?,
        None => {
            let (name, data) = data(model, args, ranks)?;
            let workers = workers(args.threads, data.len())?;
            (name, model.evaluate_labels_on_ranks(&data, &workers, ranks)?)
        }
    };
    if ranks.rank() > 0 {
        return Ok(());
    }
    let figures = LabelRows::new(&name, model.names(), &evaluation);
    match args.json {
        true => print_json(&figures),
        false => stdout().lines(figures.lines()),
    }
}

/// Measures a regressor.
fn evaluate_regressor(regressor: &Regressor, args: &EvaluateArgs, ranks: &Ranks) -> Result<()> {
    check_top(args.top, regressor)?;
    if args.errors.is_some() {
        check_classes("--errors", regressor)?;
    }
    let (name, samples, evaluation) = match streamed::shards_of(regressor, args)? {
        Some(shards) => streamed::regressor(regressor, &shards, args, ranks)?,
        None => {
            let (name, data) = data(regressor, args, ranks)?;
            let workers = workers(args.threads, data.len())?;
            (name, data.len(), regressor.evaluate_on_ranks(&data, &workers, ranks)?)
        }
    };
    if ranks.rank() > 0 {
        return Ok(());
    }
    let figures = ValueFigures::new(&name, samples, regressor.output_names(), &evaluation);
    match args.json {
        true => print_json(&figures),
        false => stdout().lines(figures.lines()),
    }
}
