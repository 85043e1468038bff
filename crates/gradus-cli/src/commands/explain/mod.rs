//! `gradus explain`: a model and data in; the importances of the columns, how predictions depend on one of them, or what each
//! adds to one prediction out.

mod column;
mod importances;
mod row;

use anyhow::Result;
use gradus::Error;
use gradus::classifier::Model;
use gradus::data::Inputs;

use crate::args::{ExplainArgs, SourceArgs};
use crate::run::describe::names_of_features;
use crate::run::file_kind::FileKind;
use crate::run::labelled_data::labelled_data;
use crate::run::output::warn;
use crate::run::{model, samples, source};

/// Runs the command.
pub(crate) fn run(args: &ExplainArgs) -> Result<()> {
    let model = model::load(&args.model)?;
    // Before the data are read.
    let column = args.column.as_deref().map(|name| position_of(&model, name)).transpose()?;
    let output = args.class.as_deref().map(|name| output_of(&model, name)).transpose()?;
    if let Some(row) = args.row {
        let (name, inputs) = samples_of(&model, args)?;
        return row::explain(&model, &name, &inputs, row, output, args);
    }
    let (name, data) = labelled_data(&model, args.data.as_deref(), &args.source)?;
    match column {
        Some(column) => column::explain(&model, &name, &data, column, args),
        None => importances::explain(&model, &name, &data, args),
    }
}

/// The samples of which one is explained, and what to call them. They need no targets: a table without them is read as one to
/// predict.
fn samples_of(model: &Model, args: &ExplainArgs) -> Result<(String, Inputs)> {
    let labelled = labelled_data(model, args.data.as_deref(), &args.source);
    let table = args.data.as_deref().filter(|path| path.is_file());
    match (labelled, table) {
        (Ok((name, data)), _) => Ok((name, data.inputs)),
        (Err(_), Some(path)) if FileKind::of(path) == FileKind::Table => {
            let SourceArgs { label_column, table, .. } = &args.source;
            let (inputs, warnings) =
                samples::read_table(path, model, label_column.as_deref(), table)?;
            warnings.iter().for_each(warn);
            Ok((source::short_name(path), inputs))
        }
        (Err(error), _) => Err(error),
    }
}

/// The position of a column among those that the model takes.
fn position_of(model: &Model, name: &str) -> Result<usize> {
    let names = names_of_features(model);
    let by_name = names.iter().position(|it| it == name);
    let by_number = || name.parse().ok().filter(|&at: &usize| at < names.len());
    by_name.or_else(by_number).ok_or_else(|| {
        Error::argument(format!(
            "--column {name}: the model takes no such column; expected {}, or a position below {}",
            some_of(&names),
            names.len()
        ))
        .into()
    })
}

/// The position of a class, label or value among the model's outputs.
fn output_of(model: &Model, name: &str) -> Result<usize> {
    let found = model.names().iter().position(|it| it == name);
    found.ok_or_else(|| {
        let expected = some_of(model.names());
        Error::argument(format!(
            "--class {name}: the model does not predict it; expected {expected}"
        ))
        .into()
    })
}

/// The first of several names.
fn some_of(names: &[String]) -> String {
    const MOST: usize = 8;
    let shown = names[..names.len().min(MOST)].join(", ");
    if names.len() > MOST { format!("{shown}, ...") } else { shown }
}
