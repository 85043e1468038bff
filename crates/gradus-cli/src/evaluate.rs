//! `gradus evaluate`: a model and data with their labels or values in, figures out.

use std::io::Write;
use std::path::Path;

use anyhow::Result;
use gradus::classifier::{Classifier, Model, ModelRef, Regressor};
use gradus::data::{Dataset, LoadOptions, Task, load_single};
use gradus::metrics::{Evaluation, worst_mistakes};
use gradus::{Error, ErrorKind};

use crate::args::{EvaluateArgs, SourceArgs};
use crate::evaluate_report::{Figures, ValueFigures, confusion_table};
use crate::mistakes::{Told, told};
use crate::output::{print_json, shape, stdout, warn};
use crate::source;
use crate::train::{data_of, workers};

/// From so many classes on the top-k accuracy is told without being asked for.
const TOP_FROM: usize = 5;

/// The k of the top-k accuracy that is told then.
const USUAL_TOP: usize = 3;

/// Runs the command.
pub(crate) fn run(args: &EvaluateArgs) -> Result<()> {
    match args.model.load()? {
        Model::Classifier(classifier) => classes(&classifier, args),
        Model::Regressor(regressor) => values(&regressor, args),
    }
}

/// What a classifier is worth.
fn classes(classifier: &Classifier, args: &EvaluateArgs) -> Result<()> {
    let top = top_of(args.top, classifier.class_names.len())?;
    let (name, data) = labelled_data(classifier.into(), args.data.as_deref(), &args.source)?;
    let results = classifier.results(&data, &workers(args.threads, data.len())?)?;
    let names = &classifier.class_names;
    let evaluation = Evaluation::new(names.len(), &results);
    let worst = args.errors.map(|most| worst_mistakes(&results, most));
    let confusion = &evaluation.confusion;
    if args.json {
        let errors = worst.map(|worst| worst.iter().map(|it| Told::new(it, names)).collect());
        return print_json(&Figures::new(&name, names, &evaluation, top, errors));
    }
    let figures = Figures::new(&name, names, &evaluation, top, None);
    let mut out = stdout();
    write!(out, "{}\n{}", figures.summary(), figures.class_table())?;
    writeln!(out, "\nTrue classes in rows, predicted ones in columns:")?;
    write!(out, "{}", confusion_table(names, confusion))?;
    if let Some(worst) = worst {
        let mistakes = confusion.total() - confusion.correct();
        write!(out, "\n{}", told(&worst, mistakes, &data))?;
    }
    Ok(())
}

/// What a regressor is worth.
fn values(regressor: &Regressor, args: &EvaluateArgs) -> Result<()> {
    for (option, given) in [("--top", args.top), ("--errors", args.errors)] {
        if given.is_some() {
            return Err(Error::argument(format!(
                "{option} has no effect: the model answers with values, not with classes"
            ))
            .into());
        }
    }
    let (name, data) = labelled_data(regressor.into(), args.data.as_deref(), &args.source)?;
    let evaluation = regressor.evaluate(&data, &workers(args.threads, data.len())?)?;
    let figures = ValueFigures::new(&name, data.len(), &regressor.output_names, &evaluation);
    match args.json {
        true => print_json(&figures),
        false => Ok(write!(stdout(), "{}", figures.text())?),
    }
}

/// The k of the top-k accuracy that is told: the one asked for, or the usual one where there are
/// enough classes for it to mean something.
fn top_of(wanted: Option<usize>, classes: usize) -> Result<Option<usize>> {
    match wanted {
        Some(k) if k > classes => Err(Error::argument(format!(
            "--top {k}: the model has {classes} classes; expected a number up to that"
        ))
        .into()),
        None if classes >= TOP_FROM => Ok(Some(USUAL_TOP)),
        wanted => Ok(wanted),
    }
}

/// The samples to evaluate with their answers, and what to call them: those of `data`, else of the set
/// that the model was trained on.
pub(crate) fn labelled_data(
    model: ModelRef,
    data: Option<&str>,
    reading: &SourceArgs,
) -> Result<(String, Dataset)> {
    let trained_on = data_of(model);
    let data = match (data, trained_on) {
        (Some(data), _) => data,
        (None, Some(data)) if source::is_named(data) => data,
        (None, Some(data)) => {
            return Err(Error::argument(format!(
                "the model was trained on {data}: say with --data where it is, or give other data"
            ))
            .into());
        }
        (None, None) => "mnist",
    };
    let seed = model.training()["config"]["seed"].as_u64().unwrap_or(0);
    let mut options = source::options(model.task(), Some(data), reading, None, seed)?;
    if model.task() == Task::Values && options.label_column.is_none() {
        options.label_column = Some(model.names().join(","));
    }
    if source::is_named(data) {
        let loaded = source::load(&options, None)?;
        return Ok((data.to_owned(), as_answered(loaded.test, model, data)?));
    }
    options.image_size = options.image_size.or(match *model.sample_shape() {
        [height, width] => Some((height, width)),
        _ => None,
    });
    let name = source::short_name(data);
    let held_out = match trained_on == Some(&name) {
        true => part_set_apart(model, &options)?,
        false => None,
    };
    let data_set = match held_out {
        Some(test) => test,
        None => {
            let (samples, notices) = load_single(Path::new(data), &options)?;
            notices.iter().for_each(warn);
            samples
        }
    };
    Ok((name, as_answered(data_set, model, data)?))
}

/// Of the very data that the model was trained on, only what training set apart tells anything.
fn part_set_apart(model: ModelRef, options: &LoadOptions) -> Result<Option<Dataset>> {
    let samples = &model.training()["samples"];
    let count = |part: &str| samples[part].as_u64().unwrap_or(0) as usize;
    let Ok(loaded) = gradus::data::load(options, &mut |_| {}) else { return Ok(None) };
    let same = loaded.test.len() == count("test")
        && loaded.train.len() == count("train") + count("validation");
    if same {
        loaded.notices.iter().for_each(warn);
    }
    Ok(same.then_some(loaded.test))
}

/// The samples with their answers as the model gives them: labels as it counts its classes.
fn as_answered(samples: Dataset, model: ModelRef, from: &str) -> gradus::Result<Dataset> {
    if samples.features() != model.network().inputs() {
        let (found, expected) = (&samples.sample_shape, model.sample_shape());
        let message = format!(
            "{from}: its samples are {}, but the model takes {}: give data like those that it was \
             trained on",
            shape(found),
            shape(expected)
        );
        return Err(Error::new(ErrorKind::InvalidData, message));
    }
    match model.task() {
        Task::Classes => samples.with_classes(model.names()).map_err(|error| error.context(from)),
        Task::Values => Ok(samples),
    }
}
