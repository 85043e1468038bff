//! `gradus inspect`: a model file in, a description of the model and its training out.

use std::io::Write;

use anyhow::Result;
use gradus::classifier::Model;
use gradus::data::Task;
use gradus::network::Layer;
use serde_json::{Value, json};

use crate::args::InspectArgs;
use crate::run::describe::{architecture, current, flatten, without_history};
use crate::run::model;
use crate::run::output::{print_json, shape, stdout, table};

/// Runs the command.
pub(crate) fn run(args: &InspectArgs) -> Result<()> {
    let model = model::load(&args.model)?;
    if args.json {
        return print_json(&as_json(&model));
    }
    let (network, training) = (&model.network, model.provenance.to_json());
    let mut out = stdout();
    writeln!(out, "{}: {}", args.model.model.display(), architecture(network))?;
    writeln!(out, "input shape: {}", shape(&model.sample_shape))?;
    writeln!(out, "normalization: {}", model.transform.formula())?;
    let names = model.names();
    let what = match (model.task(), names.len()) {
        (Task::Regression, 1) => "value",
        (task, _) => task.outputs(),
    };
    writeln!(out, "{} {what}: {}\n", names.len(), names.join(", "))?;
    write!(out, "{}", table(&layer_rows(network.layers())))?;
    if training.is_null() {
        writeln!(out, "\nThe file does not say how the model was trained.")?;
    } else {
        writeln!(out, "\nTraining:")?;
        let mut rows = Vec::new();
        flatten("", &without_history(&training), &mut rows);
        let width = rows.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
        for (key, value) in rows {
            writeln!(out, "  {key:width$}  {value}")?;
        }
    }
    Ok(())
}

fn layer_rows(layers: &[Layer]) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<String>> =
        vec![["layer", "shape", "parameters"].map(String::from).into()];
    for layer in layers {
        rows.push(match layer {
            Layer::Linear(linear) => {
                let sizes = shape(&[linear.inputs, linear.outputs]);
                let parameters = linear.weight().len() + linear.bias().len();
                vec!["linear".into(), sizes, parameters.to_string()]
            }
            Layer::Activation(activation) => vec![activation.name().into()],
        });
    }
    rows
}

fn as_json(model: &Model) -> Value {
    let network = &model.network;
    let layer = |layer: &Layer| match layer {
        Layer::Linear(linear) => {
            json!({"kind": "linear", "inputs": linear.inputs, "outputs": linear.outputs})
        }
        Layer::Activation(activation) => json!({"kind": activation.name()}),
    };
    let names = match model.task() {
        Task::Classification => "class_names",
        Task::Regression => "output_names",
    };
    let (means, stds) = model.transform.means_and_stds();
    let normalization = match model.transform.as_scalar() {
        Some((mean, std)) => json!({"mean": mean, "deviation": std}),
        None => json!({"mean": means, "deviation": stds}),
    };
    json!({
        "layers": network.layers().iter().map(layer).collect::<Vec<_>>(),
        "parameters": network.parameters().len(),
        "sample_shape": model.sample_shape,
        "inputs": model.inputs,
        "normalization": normalization,
        names: model.names(),
        "training": current(&model.provenance.to_json()),
    })
}
