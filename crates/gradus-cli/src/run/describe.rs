//! Models and their training in words: a network or metadata in, text out.

use gradus::classifier::Model;
use gradus::data::{Columns, Inputs, Rows};
use gradus::network::{Activation, Network};
use gradus::training::settings;
use serde_json::Value;

/// The type of the input values.
pub(crate) fn value_type(inputs: &Inputs) -> &'static str {
    match inputs {
        Inputs::Bytes(_) => "bytes",
        Inputs::Floats(_) => "float32",
        Inputs::Doubles(_) => "float64",
        Inputs::Sparse(_) => "sparse float32",
        Inputs::Table(_) => "typed columns",
        Inputs::Streamed(rows) => match rows.kind() {
            Rows::Bytes(_) => "bytes",
            Rows::Doubles(_) => "float64",
            Rows::Table(_) => "typed columns",
            _ => "float32",
        },
    }
}

/// The names of the features that a model takes; their positions in a table without a header.
pub(crate) fn names_of_features(model: &Model) -> Vec<String> {
    names_of(model.columns.as_ref(), model.features())
}

/// The names of so many features of a table with these columns; their positions without a header.
pub(crate) fn names_of(columns: Option<&Columns>, features: usize) -> Vec<String> {
    match columns.and_then(|columns| columns.feature_names()) {
        Some(names) => names.into_iter().map(str::to_owned).collect(),
        None => {
            let places = columns.map_or_else(|| (0..features).collect(), Columns::features);
            places.into_iter().map(|at| at.to_string()).collect()
        }
    }
}

/// `784-128-10, relu, 101770 parameters`; lists all activations if they differ.
pub(crate) fn architecture(network: &Network) -> String {
    let mut sizes = vec![network.inputs()];
    sizes.extend(hidden_of(network));
    sizes.push(network.outputs());
    let sizes = sizes.iter().map(ToString::to_string).collect::<Vec<_>>().join("-");
    let hidden = 0..network.linears().len() - 1;
    let mut names: Vec<_> = hidden.map(|index| network.activation_after(index).name()).collect();
    if names.iter().all(|name| *name == names[0]) {
        names.truncate(1);
    }
    let activations: String = names.iter().map(|name| format!(", {name}")).collect();
    let parametric = if network.has_strengths() { " (parametric)" } else { "" };
    let embedding = match network.columns() {
        Some(columns) => format!(", columns embedded as {} numbers", columns.outputs()),
        None => String::new(),
    };
    format!(
        "{sizes}{embedding}{activations}{parametric}, {} parameters",
        network.parameters().len()
    )
}

/// The number of units of each hidden layer.
pub(crate) fn hidden_of(network: &Network) -> Vec<usize> {
    let linears = network.linears();
    linears[..linears.len() - 1].iter().map(|linear| linear.outputs).collect()
}

/// The activations of the hidden layers: one if all are equal.
pub(crate) fn activations_of(network: &Network) -> Vec<Activation> {
    let hidden = 0..network.linears().len() - 1;
    let mut activations: Vec<_> = hidden.map(|index| network.activation_after(index)).collect();
    if activations.iter().all(|it| *it == activations[0]) {
        activations.truncate(1);
    }
    if activations.is_empty() {
        // There is one activation for all hidden layers, also if there are none.
        activations.push(Activation::Relu);
    }
    activations
}

/// The metadata of a training, with current names and forms of settings, whatever version of gradus wrote it.
pub(crate) fn current(training: &Value) -> Value {
    let mut training = training.clone();
    if let Some(config) = training.get_mut("config")
        && let Some(found) = config.as_object()
    {
        *config = settings::current(found).into();
    }
    training
}

/// The same without the figures of every epoch: `gradus report` draws them.
pub(crate) fn without_history(training: &Value) -> Value {
    let mut training = current(training);
    if let Some(training) = training.as_object_mut() {
        training.remove("history");
    }
    training
}

/// Adds `{"a": {"b": 1}}` as the row `a.b` and `1`.
pub(crate) fn flatten(prefix: &str, value: &Value, rows: &mut Vec<(String, String)>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let dot = if prefix.is_empty() { "" } else { "." };
                flatten(&format!("{prefix}{dot}{key}"), value, rows);
            }
        }
        Value::String(text) => rows.push((prefix.to_owned(), text.clone())),
        other => rows.push((prefix.to_owned(), other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nested_values_are_flattened() {
        let mut rows = Vec::new();
        flatten("", &json!({"a": {"b": 1, "c": "d"}, "e": [1, 2]}), &mut rows);
        let rows: Vec<_> = rows.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(rows, [("a.b", "1"), ("a.c", "d"), ("e", "[1,2]")]);
    }
}
