//! A model in, the bytes of an ONNX model out.
//!
//! `input` takes raw values (float32, or float64 if single precision would blur them), which the graph flattens and
//! normalizes; a model of raw columns has an input for each of them (`raw_columns.rs`). The graph goes through the layers, and
//! ends with `probabilities` (float32) and `label` (int64, the first of equals; of raw columns its name), or `labels` (int64, 1 for each label above 1/2),
//! or with `values`. Where values are not the
//! outputs of the last layer (exponentials, quantiles in order, or clipped), these are called `outputs`.

use std::ops::Range;

use gradus_core::model_file::{digest, metadata};
use prost::Message;

use super::columns::{ColumnGraph, columns};
use super::messages::{
    self, Attribute, Graph, Node, OperatorSet, Property, Tensor, ValueInfo, element,
};
use super::own::is_by_name;
use super::parts::{float, floats, int, list_of_integers, node, texts, value};
use super::raw_columns::{
    ENCODED, RawGraph, TEXT_DOMAIN, TEXT_OPSET, raw_columns, with_column_names,
};
use super::{LAST, ONNX_IR, OPSET, OUTPUTS, PRODUCER, seal};
use crate::classifier::{InputKind, Model, Outputs, ValueRange};
use crate::data::Task;
use crate::error::{Error, Result};
use crate::loss::Loss;
use crate::network::{Activation, Network};
use crate::transform::{Step, Transform};

/// How an ONNX model is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OnnxOptions {
    /// Whether the input is uint8 instead of float32, for callers that hold images as bytes. The graph
    /// of a model that was trained on numbers from 0 to 1 then divides them by 255.
    pub uint8_input: bool,
}

/// What describes the model besides the graph, and is read back from the file: everything but
/// what the graph says itself. A graph of columns or of a bag is not read (`own.rs`), so that it needs all.
const IN_THE_GRAPH: [&str; 2] = ["architecture", "normalization"];

/// The ONNX model of this model: opset 17, IR 8, one file. The same model always
/// gives the same bytes.
///
/// # Errors
/// `InvalidArgument` if the parts of the model do not fit together, a number in it is not
/// finite, columns of a table are to be bytes, or the file would exceed the 2 GiB that the format allows.
pub fn to_bytes(model: &Model, options: &OnnxOptions) -> Result<Vec<u8>> {
    let context = |error: Error| error.context("this model cannot be exported");
    metadata::check(model).map_err(context)?;
    if options.uint8_input
        && (model.network.columns().is_some() || model.transform.schema().is_some())
    {
        return Err(context(Error::argument(
            "it takes the columns of a table, but bytes are for images: leave `uint8` out",
        )));
    }
    let mut properties = metadata::write(model).map_err(context)?;
    if options.uint8_input && model.inputs.values == ValueRange::Unit {
        // The division is part of the graph, so that the graph takes bytes.
        let inputs = InputKind { values: ValueRange::Bytes, ..model.inputs };
        properties.insert(metadata::INPUTS.into(), metadata::json(&inputs).map_err(context)?);
        let transform = metadata::json(&model.transform.in_units_of(255.0)).map_err(context)?;
        properties.insert("normalization".into(), transform);
    }
    if !is_by_name(model) {
        properties.retain(|key, _| !IN_THE_GRAPH.contains(&key.as_str()));
    }
    properties.insert(digest::KEY.into(), seal::PLACE.into());
    let pairs = properties.into_iter();
    let file = messages::Model {
        ir_version: ONNX_IR,
        producer_name: PRODUCER.into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        graph: Some(graph(model, options)),
        opset_import: operator_sets(model),
        metadata_props: pairs.map(|(key, value)| Property { key, value }).collect(),
    };
    let length = file.encoded_len();
    if length > LAST {
        return Err(context(Error::argument(format!(
            "it takes {length} bytes, and an ONNX file may have {LAST}; use a smaller network"
        ))));
    }
    let mut bytes = file.encode_to_vec();
    seal::set(&mut bytes);
    Ok(bytes)
}

/// The operators that the graph takes.
fn operator_sets(model: &Model) -> Vec<OperatorSet> {
    let usual = OperatorSet { domain: String::new(), version: OPSET };
    let texts = OperatorSet { domain: TEXT_DOMAIN.into(), version: TEXT_OPSET };
    match model.transform.schema() {
        None => vec![usual],
        Some(_) => vec![usual, texts],
    }
}

pub(super) fn graph(model: &Model, options: &OnnxOptions) -> Graph {
    if let Some(RawGraph { inputs, nodes, constants }) = raw_columns(model) {
        let current = ENCODED.into();
        let mut chain = Chain { nodes, constants, current, names_of_tensors: true };
        let mut output = chain.outputs(model);
        if model.task() == Task::Classification {
            output[0] = chain.label_text(model.names());
        }
        let Chain { nodes: node, constants: initializer, .. } = chain;
        let graph = Graph { node, name: PRODUCER.into(), initializer, input: inputs, output };
        return with_column_names(graph, model);
    }
    let Model { sample_shape, transform, .. } = model;
    let mut chain = Chain {
        nodes: Vec::new(),
        constants: Vec::new(),
        current: "input".into(),
        names_of_tensors: is_by_name(model),
    };
    let kind_of_floats = if transform.takes_doubles() { element::DOUBLE } else { element::FLOAT };
    if options.uint8_input {
        chain.step("Cast", "floats", &[], vec![int("to", kind_of_floats.into())]);
        if model.inputs.values == ValueRange::Unit {
            // Bytes are grey levels; the model was trained on numbers from 0 to 1.
            chain.constant("levels", &[], &[255.0]);
            chain.step("Div", "units", &["levels"], vec![]);
        }
    }
    if sample_shape.len() != 1 {
        chain.step("Flatten", "flat", &[], vec![int("axis", 1)]);
    }
    chain.transform(transform);
    let outputs = chain.outputs(model);
    let kind = if options.uint8_input { element::UINT8 } else { kind_of_floats };
    Graph {
        node: chain.nodes,
        name: PRODUCER.into(),
        initializer: chain.constants,
        input: vec![value("input", kind, sample_shape)],
        output: outputs,
    }
}

/// Nodes one after the other.
struct Chain {
    nodes: Vec<Node>,
    constants: Vec<Tensor>,
    /// The value that the next step takes.
    current: String,
    /// Whether weights and biases are called as in the model file, by which gradus finds them again.
    names_of_tensors: bool,
}

impl Chain {
    /// A node that takes the current value and then `more`, and whose output is the current value
    /// afterwards.
    fn step(&mut self, op: &str, output: &str, more: &[&str], attribute: Vec<Attribute>) {
        let inputs = [&[self.current.as_str()], more].concat();
        self.nodes.push(node(op, &inputs, output, attribute));
        self.current = output.into();
    }

    fn constant(&mut self, name: &str, dims: &[usize], values: &[f32]) {
        self.constants.push(floats(name, dims, values));
    }

    /// Writes the last constant in double precision.
    fn in_doubles(&mut self) {
        let Some(constant) = self.constants.last_mut() else { return };
        let (values, _) = constant.raw_data.as_chunks();
        let doubles =
            values.iter().map(|&bytes| f64::from(f32::from_le_bytes(bytes)).to_le_bytes());
        constant.raw_data = doubles.flatten().collect();
        constant.data_type = element::DOUBLE;
    }

    /// The model's transform, from raw values to the first layer's inputs.
    fn transform(&mut self, transform: &Transform) {
        // A number for all features has no dimension, so that it spreads over any shape.
        let dims = |values: &[f32]| match transform.as_scalar() {
            Some(_) => vec![],
            None => vec![values.len()],
        };
        let doubles = transform.takes_doubles();
        for step in transform.steps() {
            let (op, name, output, values) = match step {
                Step::Subtract(means) => ("Sub", "mean", "centred", means),
                Step::SubtractRest(rests) => ("Sub", "mean_rest", "centred_fully", rests),
                Step::Divide(stds) => ("Div", "deviation", "normalized", stds),
                Step::SmoothClip(bound) => {
                    self.smooth_clip(bound);
                    continue;
                }
            };
            if doubles && matches!(step, Step::Divide(_)) {
                // Rounded only now: what is left is near 0.
                self.step("Cast", "single", &[], vec![int("to", element::FLOAT.into())]);
            }
            self.constant(name, &dims(values), values);
            if doubles && !matches!(step, Step::Divide(_)) {
                self.in_doubles();
            }
            self.step(op, output, &[name], vec![]);
        }
    }

    /// `x / sqrt(1 + (x / bound)^2)`
    fn smooth_clip(&mut self, bound: f32) {
        let x = self.current.clone();
        self.constant("clip", &[], &[bound]);
        self.constant("clip_one", &[], &[1.0]);
        self.step("Div", "clip_part", &["clip"], vec![]);
        self.step("Mul", "clip_square", &["clip_part"], vec![]);
        self.step("Add", "clip_sum", &["clip_one"], vec![]);
        self.step("Sqrt", "clip_root", &[], vec![]);
        let root = std::mem::replace(&mut self.current, x);
        self.step("Div", "clipped", &[&root], vec![]);
    }

    /// The layers and the predictions, which are the graph's outputs.
    fn outputs(&mut self, model: &Model) -> Vec<ValueInfo> {
        let (loss, outputs) = (model.loss(), [model.network.outputs()]);
        match model.members() {
            1 => self.predictions(&model.network, &model.outputs),
            _ => self.mean_predictions(model),
        }
        match loss.task() {
            Task::Regression => vec![value("values", element::FLOAT, &outputs)],
            Task::MultiLabel => {
                self.constant("threshold", &[], &[0.5]);
                self.step("Greater", "chosen", &["threshold"], vec![]);
                self.step("Cast", "labels", &[], vec![int("to", element::INT64.into())]);
                let labels = value("labels", element::INT64, &outputs);
                vec![labels, value("probabilities", element::FLOAT, &outputs)]
            }
            Task::Classification => {
                let first = vec![int("axis", 1), int("keepdims", 0), int("select_last_index", 0)];
                self.step("ArgMax", "label", &[], first);
                let label = value("label", element::INT64, &[]);
                vec![label, value("probabilities", element::FLOAT, &outputs)]
            }
        }
    }

    /// The layers of a network, and what becomes of their outputs: `probabilities` or `values`.
    fn predictions(&mut self, network: &Network, outputs: &Outputs) {
        let is_clipped = !outputs.range.is_empty();
        let values = if is_clipped { "unclipped" } else { "values" };
        match &outputs.loss {
            Loss::SoftmaxCrossEntropy => {
                self.layers(network, "logits");
                self.step("Softmax", "probabilities", &[], vec![int("axis", 1)]);
            }
            Loss::BinaryCrossEntropy => {
                self.layers(network, OUTPUTS);
                self.step("Sigmoid", "probabilities", &[], vec![]);
            }
            Loss::Poisson => {
                self.layers(network, OUTPUTS);
                self.step("Exp", values, &[], vec![]);
            }
            Loss::Quantile(levels) if levels.len() > 1 => {
                self.layers(network, OUTPUTS);
                self.in_order(network.outputs() / levels.len(), levels.len(), values);
            }
            Loss::SquaredError | Loss::Huber { .. } | Loss::AbsoluteError | Loss::Quantile(_) => {
                self.layers(network, if is_clipped { OUTPUTS } else { values });
            }
        }
        if is_clipped {
            let bounds = |at: usize| outputs.range.iter().map(|it| it[at]).collect::<Vec<_>>();
            self.constant("least_prediction", &[network.outputs()], &bounds(0));
            self.constant("most_prediction", &[network.outputs()], &bounds(1));
            self.step("Max", "clipped_below", &["least_prediction"], vec![]);
            self.step("Min", "values", &["most_prediction"], vec![]);
        }
    }

    /// The mean of what the members of a bag make of the current value, each of them with names of its own:
    /// `member2_probabilities`.
    fn mean_predictions(&mut self, model: &Model) {
        let start = self.current.clone();
        let mut predictions = Vec::new();
        for (at, network) in model.networks().enumerate() {
            let names_of_tensors = self.names_of_tensors;
            let (nodes, constants) = (Vec::new(), Vec::new());
            let mut member = Chain { nodes, constants, current: start.clone(), names_of_tensors };
            member.predictions(network, &model.outputs);
            member.rename(|name| match name == start || name.is_empty() {
                true => name.to_owned(),
                false => format!("member{}_{name}", at + 1),
            });
            predictions.push(member.current);
            self.nodes.extend(member.nodes);
            self.constants.extend(member.constants);
        }
        let mean = if model.task() == Task::Regression { "values" } else { "probabilities" };
        let names: Vec<&str> = predictions.iter().map(String::as_str).collect();
        self.nodes.push(node("Mean", &names, mean, vec![]));
        self.current = mean.into();
    }

    /// Gives all values and nodes other names.
    fn rename(&mut self, name: impl Fn(&str) -> String) {
        for node in &mut self.nodes {
            node.name = name(&node.name);
            for value in node.input.iter_mut().chain(&mut node.output) {
                *value = name(value);
            }
        }
        for constant in &mut self.constants {
            constant.name = name(&constant.name);
        }
        self.current = name(&self.current);
    }

    /// Makes the label the name of the class; returns the output.
    fn label_text(&mut self, names: &[String]) -> ValueInfo {
        if let Some(node) = self.nodes.last_mut() {
            node.output = vec!["label_index".into()];
            node.name = "label_index".into();
        }
        let indices = (0..names.len() as i64).collect();
        let pairs = vec![
            list_of_integers("keys_int64s", indices),
            texts("values_strings", names.iter().map(String::as_str)),
        ];
        let mut encoder = node("LabelEncoder", &["label_index"], "label", pairs);
        encoder.domain = TEXT_DOMAIN.into();
        self.nodes.push(encoder);
        value("label", element::STRING, &[])
    }

    /// Sorts the quantiles of each target.
    fn in_order(&mut self, targets: usize, quantiles: usize, output: &str) {
        self.whole_numbers("quantiles", &[quantiles as i64]);
        self.whole_numbers("by_target", &[-1, targets as i64, quantiles as i64]);
        self.whole_numbers("by_sample", &[-1, (targets * quantiles) as i64]);
        self.step("Reshape", "unsorted", &["by_target"], vec![]);
        let ascending = vec![int("axis", 2), int("largest", 0), int("sorted", 1)];
        self.step("TopK", "sorted", &["quantiles"], ascending);
        // The second output has to be named, too: the places of the values.
        if let Some(node) = self.nodes.last_mut() {
            node.output.push("places".into());
        }
        self.step("Reshape", output, &["by_sample"], vec![]);
    }

    fn whole_numbers(&mut self, name: &str, values: &[i64]) {
        self.constants.push(Tensor {
            dims: vec![values.len() as i64],
            data_type: element::INT64,
            name: name.into(),
            raw_data: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            ..Tensor::default()
        });
    }

    fn layers(&mut self, network: &Network, name: &str) {
        if let Some(ColumnGraph { nodes, constants }) = columns(network, &self.current) {
            self.nodes.extend(nodes);
            self.constants.extend(constants);
            self.current = "embedded".into();
        }
        let last = network.linears().len();
        let tensors = network.tensors();
        let name_of = |range: Range<usize>| {
            let found = tensors.iter().find(|tensor| tensor.range == range);
            found.map(|tensor| tensor.name.clone()).unwrap_or_default()
        };
        for (index, linear) in network.linears().iter().enumerate() {
            let number = index + 1;
            let (weight, bias) = match self.names_of_tensors {
                false => (format!("w{number}"), format!("b{number}")),
                true => (name_of(linear.weight()), name_of(linear.bias())),
            };
            self.constant(&weight, &[linear.inputs, linear.outputs], network.weight(index));
            self.constant(&bias, &[linear.outputs], network.bias(index));
            let output = if number == last { name.into() } else { format!("z{number}") };
            self.step("Gemm", &output, &[&weight, &bias], vec![]);
            let activation = network.activation_after(index);
            match network.strengths(index) {
                None => self.activation(activation, &format!("a{number}")),
                Some(strengths) => {
                    // They stand behind the bias.
                    let start = linear.bias().end;
                    let name = match self.names_of_tensors {
                        false => format!("s{number}"),
                        true => name_of(start..start + strengths.len()),
                    };
                    self.parametric(activation, number, (&name, strengths));
                }
            }
        }
    }

    /// `z + s (f(z) - z)`
    fn parametric(
        &mut self,
        activation: Activation,
        number: usize,
        (name, strengths): (&str, &[f32]),
    ) {
        let z = self.current.clone();
        let part = |what: &str| format!("a{number}_{what}");
        self.activation(activation, &part("full"));
        self.step("Sub", &part("change"), &[&z], vec![]);
        self.constant(name, &[strengths.len()], strengths);
        self.step("Mul", &part("strength"), &[name], vec![]);
        self.step("Add", &format!("a{number}"), &[&z], vec![]);
    }

    fn activation(&mut self, activation: Activation, output: &str) {
        match activation {
            Activation::Identity => {}
            Activation::Relu => self.step("Relu", output, &[], vec![]),
            Activation::LeakyRelu { slope } => {
                self.step("LeakyRelu", output, &[], vec![float("alpha", slope)]);
            }
            Activation::Tanh => self.step("Tanh", output, &[], vec![]),
            Activation::Sigmoid => self.step("Sigmoid", output, &[], vec![]),
            Activation::Gelu => self.gelu(output),
            Activation::Elu { alpha } => {
                self.step("Elu", output, &[], vec![float("alpha", alpha)]);
            }
            // Its constants are the operator's defaults.
            Activation::Selu => self.step("Selu", output, &[], vec![]),
            Activation::Silu => {
                // An operator of its own comes with opset 24 only.
                let x = self.current.clone();
                self.step("Sigmoid", &format!("{output}_sigmoid"), &[], vec![]);
                self.step("Mul", output, &[&x], vec![]);
            }
            Activation::Mish => {
                // An operator of its own comes with opset 18 only.
                let x = self.current.clone();
                self.step("Softplus", &format!("{output}_softplus"), &[], vec![]);
                self.step("Tanh", &format!("{output}_tanh"), &[], vec![]);
                self.step("Mul", output, &[&x], vec![]);
            }
        }
    }

    /// `x (1 + erf(x / sqrt 2)) / 2` in the five steps that other exporters take; an operator of
    /// that name comes with opset 20 only.
    fn gelu(&mut self, output: &str) {
        for (name, value) in [("root_of_2", std::f32::consts::SQRT_2), ("one", 1.0), ("half", 0.5)]
        {
            if !self.constants.iter().any(|constant| constant.name == name) {
                self.constant(name, &[], &[value]);
            }
        }
        let x = self.current.clone();
        self.step("Div", &format!("{output}_scaled"), &["root_of_2"], vec![]);
        self.step("Erf", &format!("{output}_erf"), &[], vec![]);
        self.step("Add", &format!("{output}_sum"), &["one"], vec![]);
        self.step("Mul", &format!("{output}_twice"), &[&x], vec![]);
        self.step("Mul", output, &["half"], vec![]);
    }
}
