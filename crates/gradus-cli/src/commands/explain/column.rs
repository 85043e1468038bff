//! How predictions depend on one column, as a table or JSON.

use anyhow::Result;
use gradus::classifier::{DependenceSettings, Model};
use gradus::data::Dataset;
use serde_json::{Map, Value, json};

use crate::args::ExplainArgs;
use crate::run::cells::{cell_json, cell_text};
use crate::run::describe::names_of_features;
use crate::run::output::{figure, print_json, stdout, table};
use crate::run::workers::workers;

/// Outputs that are listed; `--json` has all of them.
const MOST_LISTED: usize = 6;

pub(super) fn explain(
    model: &Model,
    name: &str,
    data: &Dataset,
    column: usize,
    args: &ExplainArgs,
) -> Result<()> {
    let default = DependenceSettings::default();
    let settings = DependenceSettings {
        most_samples: args.samples.or(default.most_samples),
        seed: args.seed.unwrap_or(default.seed),
        ..default
    };
    let workers = workers(args.threads, data.len())?;
    let column_name = names_of_features(model)[column].clone();
    let found = model
        .partial_dependence(data, column, &settings, &workers)
        .map_err(|error| error.context(format!("--column {column_name}")))?;
    if args.json {
        let outputs = model.names().iter().enumerate();
        let outputs: Map<String, Value> =
            outputs.map(|(at, name)| (name.clone(), json!(found.output(at)))).collect();
        return print_json(&json!({
            "data": name,
            "samples": found.samples,
            "column": column_name,
            "values": found.values.iter().map(cell_json).collect::<Vec<_>>(),
            "predictions": outputs,
        }));
    }
    let mut out = stdout();
    out.line(format_args!(
        "{name}: the mean prediction if {column_name} had the same value in all of {} samples:",
        found.samples
    ))?;
    out.line("")?;
    let shown = &model.names()[..model.names().len().min(MOST_LISTED)];
    let heading = [vec![column_name], shown.to_vec()].concat();
    let row = |(value, means): (_, &[f64])| {
        let means = means.iter().take(MOST_LISTED).map(|&mean| figure(mean));
        [cell_text(value)].into_iter().chain(means).collect()
    };
    let rows = found.values.iter().zip(found.means.chunks_exact(found.outputs)).map(row);
    out.lines(table(&[heading].into_iter().chain(rows).collect::<Vec<_>>()))?;
    match model.names().len() - shown.len() {
        0 => Ok(()),
        more => out.line(format_args!("... and {more} other outputs (--json lists all)")),
    }
}
