//! `gradus inspect`: a model file in, a description of the model and its training out.

use anyhow::Result;
use gradus::classifier::Model;
use gradus::data::Task;
use gradus::network::Layer;
use gradus::transform::columns::{Schema, SchemaColumn};
use gradus::transform::robust::CLIP;
use serde_json::{Value, json};

use crate::args::InspectArgs;
use crate::run::describe::{architecture, current, flatten, names_of_features, without_history};
use crate::run::escape::{columns, cut, padded};
use crate::run::model;
use crate::run::output::{WIDEST_CELL, print_json, shape, stdout, table};

/// Features whose names are listed; `--json` has all of them.
const MOST_FEATURES: usize = 30;

/// Runs the command.
pub(crate) fn run(args: &InspectArgs) -> Result<()> {
    let model = model::load_with_note(&args.model)?;
    if args.json {
        return print_json(&as_json(&model));
    }
    let (network, training) = (&model.network, model.provenance.to_json());
    let mut out = stdout();
    out.line(format_args!("{}: {}", args.model.model.display(), architecture(network)))?;
    out.line(format_args!("input shape: {}", shape(&model.sample_shape)))?;
    let features = model.columns.as_ref().and_then(|columns| columns.feature_names());
    if let Some(names) = features.filter(|names| names.len() <= MOST_FEATURES) {
        out.line(format_args!("features: {}", names.join(", ")))?;
    }
    out.line(format_args!("normalization: {}", model.transform.formula()))?;
    let names = model.names();
    let what = match (model.task(), names.len()) {
        (Task::Regression, 1) => "value",
        (task, _) => task.outputs(),
    };
    out.line(format_args!("{} {what}: {}", names.len(), names.join(", ")))?;
    if !model.loss().is_usual() {
        out.line(format_args!("loss: {}", model.loss().name()))?;
    }
    if !model.outputs.range.is_empty() {
        let bounds = model.outputs.range.iter().map(|[least, most]| format!("[{least}, {most}]"));
        let bounds = bounds.collect::<Vec<_>>().join(", ");
        out.line(format_args!("predictions: clipped to {bounds}"))?;
    }
    if model.members() > 1 {
        out.line(format_args!(
            "members: {} networks of these layers; predictions are means of theirs",
            model.members()
        ))?;
    }
    if let Some(intervals) = &model.intervals {
        out.line(format_args!("intervals: from the errors of {} samples", intervals.samples()))?;
    }
    out.line("")?;
    if let Some(schema) = model.transform.schema() {
        out.lines(table(&column_rows(&model, schema)))?;
        out.line("")?;
    }
    out.lines(table(&layer_rows(network.layers())))?;
    if training.is_null() {
        return out.lines(["", "The file does not say how the model was trained."]);
    }
    out.lines(["", "Training:"])?;
    out.lines(training_lines(&training))
}

/// A line for each fact about the training, with its key.
fn training_lines(training: &Value) -> Vec<String> {
    let mut rows = Vec::new();
    flatten("", &without_history(training), &mut rows);
    for (key, _) in &mut rows {
        *key = cut(key, WIDEST_CELL);
    }
    let width = rows.iter().map(|(key, _)| columns(key)).max().unwrap_or(0);
    rows.iter().map(|(key, value)| format!("  {}  {value}", padded(key, width))).collect()
}

/// What the network gets of each raw column.
fn column_rows(model: &Model, schema: &Schema) -> Vec<Vec<String>> {
    let heading = ["column", "kind", "inputs"].map(String::from).to_vec();
    let row = |(name, column): (String, &SchemaColumn)| {
        vec![name, column.name().to_owned(), column.inputs()]
    };
    let rows = names_of_features(model).into_iter().zip(schema.columns()).map(row);
    std::iter::once(heading).chain(rows).collect()
}

fn layer_rows(layers: &[Layer]) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<String>> =
        vec![["layer", "shape", "parameters"].map(String::from).into()];
    for layer in layers {
        rows.push(match layer {
            Layer::Columns(columns) => {
                let sizes = shape(&[columns.columns().len(), columns.outputs()]);
                vec![
                    format!("columns ({})", columns.numeric().name()),
                    sizes,
                    columns.parameters().to_string(),
                ]
            }
            Layer::Linear(linear) => {
                let sizes = shape(&[linear.inputs, linear.outputs]);
                let parameters = linear.weight().len() + linear.bias().len();
                vec!["linear".into(), sizes, parameters.to_string()]
            }
            Layer::Activation(activation) => vec![activation.name().into()],
            Layer::Parametric(parametric) => {
                let units = parametric.strengths().len().to_string();
                vec![format!("{} (parametric)", parametric.activation.name()), units.clone(), units]
            }
        });
    }
    rows
}

fn as_json(model: &Model) -> Value {
    let network = &model.network;
    let layer = |layer: &Layer| match layer {
        Layer::Columns(columns) => json!({
            "kind": "columns",
            "inputs": columns.columns().len(),
            "outputs": columns.outputs(),
            "numeric": columns.numeric().name(),
            "columns": columns.columns(),
        }),
        Layer::Linear(linear) => {
            json!({"kind": "linear", "inputs": linear.inputs, "outputs": linear.outputs})
        }
        Layer::Activation(activation) => json!({"kind": activation.name()}),
        Layer::Parametric(parametric) => json!({
            "kind": "parametric",
            "activation": parametric.activation.name(),
            "units": parametric.strengths().len(),
        }),
    };
    let names = match model.task() {
        Task::Classification => "class_names",
        Task::MultiLabel => "label_names",
        Task::Regression => "output_names",
    };
    let (means, stds) = model.transform.means_and_stds();
    let mut normalization = match model.transform.as_scalar() {
        None if model.transform.schema().is_some() => json!(model.transform),
        Some((mean, std)) => json!({"mean": mean, "deviation": std}),
        None if model.transform.takes_doubles() => {
            json!({"mean": model.transform.means(), "deviation": stds})
        }
        None => json!({"mean": means, "deviation": stds}),
    };
    if model.transform.is_clipped() {
        normalization["clip"] = json!(CLIP);
    }
    let mut found = json!({
        "layers": network.layers().iter().map(layer).collect::<Vec<_>>(),
        "parameters": network.parameters().len(),
        "sample_shape": model.sample_shape,
        "inputs": model.inputs,
        "normalization": normalization,
        "loss": model.loss().name(),
        names: model.names(),
        "training": current(&model.provenance.to_json()),
    });
    if !model.outputs.range.is_empty() {
        found["prediction_range"] = json!(model.outputs.range);
    }
    if model.members() > 1 {
        found["members"] = json!(model.members());
    }
    if let Some(intervals) = &model.intervals {
        found["interval_samples"] = json!(intervals.samples());
    }
    if let Some(columns) = &model.columns {
        found["columns"] = json!(columns);
    }
    found
}
