//! What each column adds to the prediction for one sample, as a table or JSON.

use anyhow::Result;
use gradus::Error;
use gradus::classifier::Model;
use gradus::data::{Cell, Inputs, Task};
use gradus::metrics::most_probable;
use serde_json::{Value, json};

use crate::args::ExplainArgs;
use crate::run::cells::{cell_json, cell_text};
use crate::run::describe::names_of_features;
use crate::run::output::{aligned, figure, print_json, stdout, table};
use crate::run::workers::workers;

/// Columns that are listed; `--json` has all of them.
const MOST_LISTED: usize = 50;

pub(super) fn explain(
    model: &Model,
    name: &str,
    inputs: &Inputs,
    row: usize,
    output: Option<usize>,
    args: &ExplainArgs,
) -> Result<()> {
    let features = model.features();
    let samples = inputs.len() / features;
    if row >= samples {
        return Err(Error::argument(format!(
            "--row {row}: {name} has {samples} samples there; expected a number below that"
        ))
        .into());
    }
    let sample = inputs.subset(features, &[row]);
    let output = match output {
        Some(output) => output,
        None => {
            let predicted = model.predict(&sample, &workers(args.threads, 1)?)?;
            if model.task() == Task::Regression { 0 } else { most_probable(&predicted) }
        }
    };
    let found = model.contributions(sample.rows(), output)?;
    let (names, predicted) = (names_of_features(model), &model.names()[output]);
    let cells: Vec<Cell> = (0..names.len()).map(|at| inputs.cell(features, row, at)).collect();
    if args.json {
        let column = |at: usize| {
            let (column, value) = (&names[at], cell_json(&cells[at]));
            json!({"column": column, "value": value, "contribution": found.columns[at]})
        };
        return print_json(&json!({
            "data": name,
            "row": row,
            "output": predicted,
            "prediction": found.prediction,
            "neutral": found.neutral,
            "contributions": found.order().into_iter().map(column).collect::<Vec<Value>>(),
        }));
    }
    let what = match model.task() {
        Task::Regression => predicted.clone(),
        Task::Classification | Task::MultiLabel => format!("probability of {predicted}"),
    };
    let mut out = stdout();
    out.line(format_args!("{name}[{row}]: {what} = {}", figure(found.prediction)))?;
    out.line(format_args!(
        "{} for a neutral sample, and what each column adds to it:",
        figure(found.neutral)
    ))?;
    out.line("")?;
    let heading = ["column", "value", "adds"].map(String::from).to_vec();
    let order = found.order();
    let adds = aligned(&order.iter().map(|&at| found.columns[at]).collect::<Vec<f64>>());
    let line = |(&at, adds): (&usize, &String)| {
        let sign = if found.columns[at] > 0.0 { "+" } else { "" };
        vec![names[at].clone(), cell_text(&cells[at]), format!("{sign}{adds}")]
    };
    let rows = order.iter().zip(&adds).take(MOST_LISTED).map(line);
    out.lines(table(&[heading].into_iter().chain(rows).collect::<Vec<_>>()))?;
    match order.len().saturating_sub(MOST_LISTED) {
        0 => Ok(()),
        more => out.line(format_args!("... and {more} columns that add less (--json lists all)")),
    }
}
