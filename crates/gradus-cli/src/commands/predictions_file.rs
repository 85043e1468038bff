//! `gradus predict --out`: a model and files in, a table of predictions out, CSV or Parquet.
//!
//! In CSV the rows of a table keep their text, in Parquet columns have types; images are called by their files, and the rows of an array by their index.
//! Behind that is `prediction`, and for classes the probability of each.

use std::path::{Path, PathBuf};

use anyhow::Result;
use gradus::Error;
use gradus::classifier::{Model, Predictions};
use gradus::data::Task;
use gradus::data::csv::{self, Cell, Column, TableOptions, TextForm, Writer};
use gradus::exchange::Ranks;

use crate::args::PredictArgs;
use crate::commands::predictions_target::{Target, Written, several};
use crate::run::output::{Exit, exit_status, print_error, warn};
use crate::run::same_files::{files_of, read_bytes};
use crate::run::samples::{self, Origin, Samples, name_of};
use crate::run::shared_files::{self, FilePredictions, Kind};
use crate::run::workers::workers;

/// Predicts the files and writes the table. If one of several images fails, the others are predicted nevertheless.
pub(super) fn write(
    out: &Path,
    model: &Model,
    widths: Option<Vec<f32>>,
    args: &PredictArgs,
    ranks: &Ranks,
) -> Result<()> {
    let model = &Predicting { model, widths, ranks };
    let mut target = Target::claim(out, args, ranks)?;
    if has_extension(args, "npy") {
        return Err(Error::argument(format!(
            "--out {}: predictions are written as an array for a folder of shards, or for one array of bytes or float32 \
             whose rows are samples; choose a name that ends in .csv or .parquet",
            out.display()
        ))
        .into());
    }
    let (written, status) = match &args.files[..] {
        [file] if !file.is_dir() => (one(file, &mut target, model, args)?, None),
        files => images(files, &mut target, model, args)?,
    };
    target.report(written, args)?;
    status.map_or(Ok(()), |status| Err(Exit(status).into()))
}

/// A model, and half the widths of the intervals around its values, if any are wanted.
pub(super) struct Predicting<'a> {
    pub(super) model: &'a Model,
    pub(super) widths: Option<Vec<f32>>,
    /// Those that share the samples.
    pub(super) ranks: &'a Ranks,
}

impl std::ops::Deref for Predicting<'_> {
    type Target = Model;

    fn deref(&self) -> &Model {
        self.model
    }
}

/// What a model predicts for some samples.
pub(super) enum Predicted<'a> {
    Classes {
        names: &'a [String],
        of: Predictions,
    },
    /// The probabilities of all labels.
    Labels {
        outputs: usize,
        probabilities: Vec<f32>,
    },
    Values {
        outputs: usize,
        values: Vec<f32>,
        /// Half the width of the interval of each of them.
        widths: Option<&'a [f32]>,
    },
}

impl<'a> Predicted<'a> {
    fn of(model: &'a Predicting, samples: &Samples, args: &PredictArgs) -> Result<Predicted<'a>> {
        let count = samples.inputs.len() / model.features();
        let workers = workers(args.threads, count)?;
        Ok(Predicted::new(model, model.predict_on_ranks(&samples.inputs, &workers, model.ranks)?))
    }

    /// What the values that a model predicts are.
    fn new(model: &'a Predicting, values: Vec<f32>) -> Predicted<'a> {
        let (names, outputs) = (model.names(), model.names().len());
        match model.task() {
            Task::Classification => {
                let of = Predictions { classes: outputs, probabilities: values };
                Predicted::Classes { names, of }
            }
            Task::MultiLabel => Predicted::Labels { outputs, probabilities: values },
            Task::Regression => {
                Predicted::Values { outputs, values, widths: model.widths.as_deref() }
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Predicted::Classes { of, .. } => of.len(),
            Predicted::Labels { outputs, probabilities: values }
            | Predicted::Values { outputs, values, .. } => values.len() / outputs,
        }
    }

    /// The cells for a sample, in the order of [`columns`].
    pub(super) fn cells(&self, index: usize) -> Vec<Cell<'_>> {
        match self {
            Predicted::Classes { names, of } => {
                let numbers = of.row(index).iter().map(|&probability| Cell::Number(probability));
                std::iter::once(Cell::Text(&names[of.label(index)])).chain(numbers).collect()
            }
            Predicted::Labels { outputs, probabilities } => {
                let row = &probabilities[index * outputs..][..*outputs];
                let chosen = row.iter().map(|&it| Cell::Count(usize::from(it > 0.5)));
                chosen.chain(row.iter().map(|&it| Cell::Number(it))).collect()
            }
            Predicted::Values { outputs, values, widths } => {
                let row = &values[index * outputs..][..*outputs];
                let ends = |at: usize| {
                    let width = widths.map(|widths| widths[at]);
                    width.into_iter().flat_map(move |width| [row[at] - width, row[at] + width])
                };
                let cells = (0..*outputs).flat_map(|at| std::iter::once(row[at]).chain(ends(at)));
                cells.map(Cell::Number).collect()
            }
        }
    }
}

/// The names of the columns for the predictions of a model.
pub(super) fn columns(model: &Predicting) -> Vec<String> {
    let of_each = |what: &str| -> Vec<String> {
        model.names().iter().map(|name| format!("{what}_{name}")).collect()
    };
    match (model.task(), model.names()) {
        (Task::Classification, _) => {
            let probabilities: Vec<String> = of_each("probability");
            [vec!["prediction".to_owned()], probabilities].concat()
        }
        (Task::MultiLabel, _) => [of_each("prediction"), of_each("probability")].concat(),
        (Task::Regression, names) => {
            let names: Vec<String> = match names {
                [_] => vec!["prediction".to_owned()],
                _ => of_each("prediction"),
            };
            let ends = if model.widths.is_some() { &["", "_lower", "_upper"][..] } else { &[""] };
            let with_ends = |name: &String| ends.iter().map(|end| format!("{name}{end}")).collect();
            names.iter().flat_map(|name| -> Vec<String> { with_ends(name) }).collect()
        }
    }
}

/// Predicts a file of any kind.
fn one(
    path: &Path,
    target: &mut Target,
    model: &Predicting,
    args: &PredictArgs,
) -> Result<Written> {
    let bytes = read_bytes(path, args.limit, model.ranks)?;
    let samples = samples::of_bytes(path, &bytes, model, args)?;
    samples.warnings.iter().for_each(warn);
    let predicted = Predicted::of(model, &samples, args)?;
    if let Target::Nowhere = target {
        return Ok(Written::new(predicted.len(), Vec::new(), true));
    }
    match samples.origin {
        Origin::Table(form) => {
            let written = of_table(&bytes, form, &predicted, target, model, args);
            written.map_err(|error| match error.downcast::<Error>() {
                Ok(error) => error.context(name_of(path)).into(),
                Err(error) => error,
            })
        }
        Origin::Array => {
            let rows = (0..predicted.len())
                .map(|index| [&[Cell::Count(index)], &predicted.cells(index)[..]].concat());
            new_table(&["index"], rows, target, model, args)
        }
        Origin::Image | Origin::Digits => {
            let file = name_of(path);
            new_table(&of_images(args), rows_of_image(&file, &predicted, args), target, model, args)
        }
    }
}

/// The table to predict, with the predictions behind its columns.
fn of_table(
    bytes: &[u8],
    form: TextForm,
    predicted: &Predicted,
    target: &mut Target,
    model: &Predicting,
    args: &PredictArgs,
) -> Result<Written> {
    if is_tsv(args) && form.separator != b'\t' {
        return Err(Error::argument(format!(
            "--out: the lines of the table are kept, whose fields are separated by {:?}, not by tabs: choose a name \
             that ends in .csv",
            char::from(form.separator)
        ))
        .into());
    }
    let names = columns(model);
    // What is known of the whole text need not be found out again.
    let label_column = args.label_column.as_deref();
    let options = samples::table_options(model, label_column, &args.table);
    let options = TableOptions { encoding: Some(form.encoding), ..options };
    if is_parquet(args) {
        let mut all = csv::read_columns(bytes, &options, form.decimal_comma)?;
        let taken: Vec<String> = all.iter().map(|(name, _)| name.clone()).collect();
        let names = csv::free_names(&names, &taken);
        let rows = (0..predicted.len()).map(|index| predicted.cells(index));
        all.extend(names.iter().cloned().zip(columns_of(rows)));
        target.write_columns(&all)?;
        return Ok(Written::new(predicted.len(), names, true));
    }
    let texts = names.iter().chain(model.names()).map(String::as_str);
    let (written_as, warning) = form.for_texts(texts);
    warning.iter().for_each(warn);
    let cells = |index| predicted.cells(index);
    let (names, has_header) =
        target.write(|write| csv::extend(bytes, &options, written_as, &names, cells, write))?;
    if !has_header {
        warn(format_args!(
            "the table has no header, so the predictions have none; behind its columns are {}",
            names.join(", ")
        ));
    }
    Ok(Written::new(predicted.len(), names, has_header))
}

/// A table of rows that begin with cells of these names.
fn new_table<'a>(
    first: &[&str],
    rows: impl Iterator<Item = Vec<Cell<'a>>>,
    target: &mut Target,
    model: &Predicting,
    args: &PredictArgs,
) -> Result<Written> {
    let names: Vec<String> =
        first.iter().map(|&name| name.to_owned()).chain(columns(model)).collect();
    if is_parquet(args) {
        let rows: Vec<_> = rows.collect();
        let all: Vec<_> = names.iter().cloned().zip(columns_of(rows.iter().cloned())).collect();
        target.write_columns(&all)?;
        return Ok(Written::new(rows.len(), names, true));
    }
    let separator = if is_tsv(args) { b'\t' } else { b',' };
    let writer = Writer::new(TextForm { separator, ..TextForm::default() });
    let samples = target.write(|write| {
        write(&writer.line(names.iter().map(|name| Cell::Text(name))))?;
        let mut samples = 0;
        for row in rows {
            write(&writer.line(row))?;
            samples += 1;
        }
        Ok(samples)
    })?;
    Ok(Written::new(samples, names, true))
}

/// The columns of rows that have cells of the same types.
fn columns_of<'a>(rows: impl Iterator<Item = Vec<Cell<'a>>>) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    for row in rows {
        if columns.is_empty() {
            columns = row
                .iter()
                .map(|cell| match cell {
                    Cell::Text(_) => Column::Text(Vec::new()),
                    Cell::Number(_) => Column::Single(Vec::new()),
                    Cell::Count(_) => Column::Whole(Vec::new()),
                })
                .collect();
        }
        for (column, cell) in columns.iter_mut().zip(row) {
            match (column, cell) {
                (Column::Text(values), Cell::Text(text)) => values.push(Some(text.to_owned())),
                (Column::Single(values), Cell::Number(number)) => values.push(number),
                (Column::Whole(values), Cell::Count(count)) => values.push(Some(count as i64)),
                _ => unreachable!("all rows have cells of the same types"),
            }
        }
    }
    columns
}

/// Whether the file is called a table with tabs.
pub(super) fn is_tsv(args: &PredictArgs) -> bool {
    has_extension(args, "tsv")
}

pub(super) fn is_parquet(args: &PredictArgs) -> bool {
    has_extension(args, "parquet")
}

pub(super) fn has_extension(args: &PredictArgs, extension: &str) -> bool {
    let found = args.out.as_deref().and_then(Path::extension);
    found.is_some_and(|it| it.eq_ignore_ascii_case(extension))
}

/// The names of the columns that say which image a row is about.
fn of_images(args: &PredictArgs) -> Vec<&'static str> {
    if args.split { vec!["file", "digit"] } else { vec!["file"] }
}

fn rows_of_image<'a>(
    file: &'a str,
    predicted: &'a Predicted,
    args: &PredictArgs,
) -> impl Iterator<Item = Vec<Cell<'a>>> {
    let split = args.split;
    (0..predicted.len()).map(move |index| {
        let digit = split.then_some(Cell::Count(index));
        let place = std::iter::once(Cell::Text(file)).chain(digit);
        place.chain(predicted.cells(index)).collect()
    })
}

/// Predicts several images. Also the exit status if any has failed.
fn images(
    files: &[PathBuf],
    target: &mut Target,
    model: &Predicting,
    args: &PredictArgs,
) -> Result<(Written, Option<u8>)> {
    let (mut all, mut status) = (Vec::new(), None);
    let predicted = |path: &Path, found: FilePredictions| -> Result<Predicted> {
        if found.kind == Kind::Rows {
            return Err(several(path).into());
        }
        found.warnings.iter().for_each(warn);
        Ok(Predicted::new(model, found.values()))
    };
    let mut failed = |error: anyhow::Error| {
        // All ranks have it.
        if model.ranks.rank() == 0 {
            print_error(&error);
        }
        status = status.max(Some(exit_status(&error)));
    };
    for path in files {
        let found = match files_of(path, files.len() == 1, model.ranks) {
            Ok((found, warnings)) => {
                warnings.iter().for_each(warn);
                found
            }
            Err(error) => {
                failed(error.into());
                continue;
            }
        };
        shared_files::each(&found, model, args, model.ranks, |file, found| {
            match found.and_then(|found| predicted(&file.path, found)) {
                Ok(predicted) => all.push((file.name.clone(), predicted)),
                Err(error) => failed(error),
            }
            Ok(())
        })?;
    }
    if all.is_empty() {
        // Nothing is better than an empty table in place of earlier predictions.
        return Err(Exit(status.unwrap_or(1)).into());
    }
    if let Target::Nowhere = target {
        return Ok((Written::new(all.len(), Vec::new(), true), status));
    }
    let rows = all.iter().flat_map(|(file, predicted)| rows_of_image(file, predicted, args));
    Ok((new_table(&of_images(args), rows, target, model, args)?, status))
}
