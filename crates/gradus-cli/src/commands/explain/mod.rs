//! `gradus explain`: a model and labelled data in; the importances of the columns, how predictions depend on one of them, or
//! what each adds to one prediction out.

mod column;
mod importances;
mod row;

use anyhow::Result;
use gradus::Error;
use gradus::classifier::Model;

use crate::args::ExplainArgs;
use crate::run::describe::names_of_features;
use crate::run::labelled_data::labelled_data;
use crate::run::model;

/// Runs the command.
pub(crate) fn run(args: &ExplainArgs) -> Result<()> {
    let model = model::load(&args.model)?;
    // Before the data are read.
    let column = args.column.as_deref().map(|name| position_of(&model, name)).transpose()?;
    let output = args.class.as_deref().map(|name| output_of(&model, name)).transpose()?;
    let (name, data) = labelled_data(&model, args.data.as_deref(), &args.source)?;
    match (args.row, column) {
        (Some(row), _) => row::explain(&model, &name, &data, row, output, args),
        (None, Some(column)) => column::explain(&model, &name, &data, column, args),
        (None, None) => importances::explain(&model, &name, &data, args),
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
