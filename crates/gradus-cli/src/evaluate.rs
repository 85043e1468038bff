//! `gradus evaluate`: a model and labelled data in, figures out.

use std::io::Write;
use std::path::Path;

use anyhow::Result;
use gradus::classifier::Classifier;
use gradus::data::{Dataset, LoadOptions, load_single};
use gradus::metrics::{ClassFigures, ConfusionMatrix, Evaluation};
use gradus::{Error, ErrorKind, model_file};
use serde::Serialize;

use crate::args::EvaluateArgs;
use crate::output::{print_json, shape, stdout, table, warn};
use crate::source;
use crate::train::{data_of, workers};

/// Longer names of classes stand at the rows alone; columns then bear numbers.
const LONGEST_HEADING: usize = 6;

/// Runs the command.
pub(crate) fn run(args: &EvaluateArgs) -> Result<()> {
    let classifier = model_file::load(&args.model)?;
    let (name, data) = labelled_data(&classifier, args)?;
    let evaluation = classifier.evaluate(&data, &workers(args.threads, data.len())?)?;
    if args.json {
        return print_json(&Figures::new(&name, &classifier.class_names, &evaluation));
    }
    let Evaluation { loss, accuracy, confusion, .. } = &evaluation;
    let total = confusion.total();
    let mut out = stdout();
    writeln!(out, "{name}: {total} samples, loss = {loss:.4}, accuracy = {accuracy:.4}\n")?;
    write!(out, "{}", table(&class_rows(&classifier.class_names, confusion)))?;
    writeln!(out, "\nTrue classes in rows, predicted ones in columns:")?;
    write!(out, "{}", table(&confusion_rows(&classifier.class_names, confusion)))?;
    Ok(())
}

/// The samples to evaluate, with what to call them.
fn labelled_data(classifier: &Classifier, args: &EvaluateArgs) -> Result<(String, Dataset)> {
    let trained_on = data_of(classifier);
    let data = match (args.data.as_deref(), trained_on) {
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
    let seed = classifier.training["config"]["seed"].as_u64().unwrap_or(0);
    let mut options = source::options(Some(data), &args.source, None, seed)?;
    if source::is_named(data) {
        let loaded = source::load(&options)?;
        return Ok((data.to_owned(), in_classes(loaded.test, classifier, data)?));
    }
    options.image_size = options.image_size.or(match classifier.sample_shape[..] {
        [height, width] => Some((height, width)),
        _ => None,
    });
    let name = source::short_name(data);
    let held_out = match trained_on == Some(&name) {
        true => part_set_apart(classifier, &options)?,
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
    Ok((name, in_classes(data_set, classifier, data)?))
}

/// Of the very data that the model was trained on, only what training set apart tells anything.
fn part_set_apart(classifier: &Classifier, options: &LoadOptions) -> Result<Option<Dataset>> {
    let samples = &classifier.training["samples"];
    let count = |part: &str| samples[part].as_u64().unwrap_or(0) as usize;
    let Ok(loaded) = gradus::data::load(options, &mut |_| {}) else { return Ok(None) };
    let same = loaded.test.len() == count("test")
        && loaded.train.len() == count("train") + count("validation");
    if same {
        loaded.notices.iter().for_each(warn);
    }
    Ok(same.then_some(loaded.test))
}

/// The samples with their labels as the model counts its classes.
fn in_classes(samples: Dataset, classifier: &Classifier, from: &str) -> gradus::Result<Dataset> {
    if samples.features() != classifier.network.inputs() {
        let (found, expected) = (&samples.sample_shape, &classifier.sample_shape);
        let message = format!(
            "{from}: its samples are {}, but the model takes {}: give data like those that it was \
             trained on",
            shape(found),
            shape(expected)
        );
        return Err(Error::new(ErrorKind::InvalidData, message));
    }
    samples.with_classes(&classifier.class_names).map_err(|error| error.context(from))
}

#[derive(Serialize)]
struct Figures<'a> {
    data: &'a str,
    samples: u64,
    loss: f64,
    accuracy: f64,
    macro_average: Row<'a>,
    classes: Vec<Row<'a>>,
    /// True classes in rows, predicted ones in columns.
    confusion: Vec<Vec<u64>>,
}

#[derive(Serialize)]
struct Row<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    precision: f64,
    recall: f64,
    f1: f64,
    support: u64,
}

impl<'a> Row<'a> {
    fn new(name: Option<&'a str>, figures: ClassFigures) -> Self {
        let ClassFigures { precision, recall, f1, support } = figures;
        Row { name, precision, recall, f1, support }
    }
}

impl<'a> Figures<'a> {
    fn new(data: &'a str, names: &'a [String], evaluation: &Evaluation) -> Self {
        let Evaluation { loss, accuracy, confusion, .. } = evaluation;
        let classes = 0..confusion.classes();
        let counts =
            |label| classes.clone().map(|predicted| confusion.count(label, predicted)).collect();
        Figures {
            data,
            samples: confusion.total(),
            loss: *loss,
            accuracy: *accuracy,
            macro_average: Row::new(None, confusion.macro_average()),
            classes: names
                .iter()
                .enumerate()
                .map(|(at, name)| Row::new(Some(name), confusion.class(at)))
                .collect(),
            confusion: classes.clone().map(counts).collect(),
        }
    }
}

fn class_rows(names: &[String], confusion: &ConfusionMatrix) -> Vec<Vec<String>> {
    let row = |name: &str, figures: ClassFigures| {
        let ClassFigures { precision, recall, f1, support } = figures;
        let mut row = vec![name.to_owned()];
        row.extend([precision, recall, f1].map(|figure| format!("{figure:.4}")));
        row.push(support.to_string());
        row
    };
    let mut rows = vec![["class", "precision", "recall", "F1", "support"].map(String::from).into()];
    rows.extend(names.iter().enumerate().map(|(at, name)| row(name, confusion.class(at))));
    rows.push(row("macro average", confusion.macro_average()));
    rows
}

fn confusion_rows(names: &[String], confusion: &ConfusionMatrix) -> Vec<Vec<String>> {
    let short = names.iter().all(|name| name.chars().count() <= LONGEST_HEADING);
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
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_stand_at_the_rows_alone() {
        let mut confusion = ConfusionMatrix::new(2);
        confusion.add(0, 1);
        confusion.add(1, 1);
        let rows = |names: [&str; 2]| table(&confusion_rows(&names.map(String::from), &confusion));
        assert_eq!(rows(["a", "b"]), "   a  b\na  0  1\nb  0  1\n");
        assert_eq!(rows(["Trouser", "Bag"]), "           0  1\n0 Trouser  0  1\n1 Bag      0  1\n");
    }
}
