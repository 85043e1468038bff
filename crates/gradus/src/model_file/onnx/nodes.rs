//! A graph in, the values of its nodes out. The list of operators here is the list of what is understood;
//! docs/formats.md has it in words.
//!
//! A node that is not understood is harmless if no output depends on it.

use gradus_core::error::invalid;

use super::class_names::ClassNames;
use super::constants::Constant;
use super::gelu;
use super::messages::{Graph, Node};
use super::shapes;
use super::smooth_clip;
use super::strengths;
use super::values::{Step, Value, Values};
use crate::error::{Error, Result};
use crate::model_file::scaling::Elementwise;
use crate::model_file::stack::{elu, leaky_relu, one_slope};
use crate::network::Activation;

/// Of a leaky ReLU, where the node does not say.
const SLOPE: f32 = 0.01;

/// The constants of SELU, and how far a file's may be from them.
const SELU_ALPHA: f32 = 1.673_263_2;
const SELU_GAMMA: f32 = 1.050_701;
const SELU_TOLERANCE: f32 = 1e-5;

/// What is added to variances where the node does not say.
const EPSILON: f32 = 1e-5;

/// From this version on the axis of softmax is the last one where the node does not say.
const LAST_AXIS_FROM: i64 = 13;

/// The values of a graph: goes through the nodes in their order.
///
/// # Errors
/// `InvalidData` if the graph has not one input.
pub(super) fn values(graph: &Graph, opset: i64) -> Result<Values<'_>> {
    let mut values = Values::new(graph, opset)?;
    for (number, node) in graph.node.iter().enumerate() {
        let value = value(&mut values, node)
            .unwrap_or_else(|error| unknown(node, number, &error.to_string()));
        if let Some(name) = node.output.first() {
            values.set(name, value);
        }
        for name in node.output.iter().skip(1) {
            values.set(name, unknown(node, number, "only its first output is known"));
        }
    }
    Ok(values)
}

fn unknown<'a>(node: &Node, number: usize, problem: &str) -> Value<'a> {
    let Node { op_type, name, domain, .. } = node;
    let dot = if domain.is_empty() { "" } else { "." };
    let name = if name.is_empty() { format!("number {number}") } else { format!("'{name}'") };
    Value::Unknown(format!("node {name}, {domain}{dot}{op_type}: {problem}").into())
}

/// The value of the first output of this node.
///
/// # Errors
/// Why it is none that gradus knows.
fn value<'a>(values: &mut Values<'a>, node: &'a Node) -> Result<Value<'a>> {
    if let ("Constant", "" | "ai.onnx") = (node.op_type.as_str(), node.domain.as_str()) {
        return constant(node);
    }
    let Some(first) = values.input(node, 0) else { return Err(invalid("it has no input")) };
    match (node.domain.as_str(), first) {
        (_, Value::Unknown(why)) => Ok(Value::Unknown(why)),
        ("" | "ai.onnx", Value::Constant(constant)) => of_constant(values, node, constant),
        ("" | "ai.onnx", Value::Stage(stage)) => of_stage(values, node, stage),
        ("ai.onnx.ml", Value::Constant(constant)) if node.op_type == "ArrayFeatureExtractor" => {
            chosen(values, node, constant)
        }
        ("ai.onnx.ml", Value::Stage(stage)) => of_scikit_learn(values, node, stage),
        // Its GELU is the exact one.
        ("com.microsoft", Value::Stage(stage)) if node.op_type == "Gelu" => {
            Ok(values.then(stage, Step::Activation(Activation::Gelu), node))
        }
        _ => Err(not_known()),
    }
}

fn not_known() -> Error {
    let activations = Activation::known();
    invalid(format!(
        "gradus does not have this operator; a dense network may have Gemm, MatMul, Add, Sub, Mul, \
         Div, BatchNormalization, Flatten, Reshape, Cast, Identity, Dropout, Softmax, LogSoftmax, \
         ArgMax and the activations {activations}"
    ))
}

/// A node of the operators that converters of scikit-learn use.
fn of_scikit_learn<'a>(values: &mut Values<'a>, node: &'a Node, stage: usize) -> Result<Value<'a>> {
    match node.op_type.as_str() {
        "ZipMap" => match ClassNames::of_zip_map(node) {
            Some(names) => Ok(values.then(stage, Step::Named(names), node)),
            None => Ok(values.then(stage, Step::Same, node)),
        },
        "LabelEncoder" => {
            let names = ClassNames::of_label_encoder(node)?;
            match values.is_label(stage) {
                true => Ok(values.then(stage, Step::Named(names), node)),
                false => Err(invalid("it encodes something else than the label of a class")),
            }
        }
        "Scaler" => {
            let list = |name| node.attribute(name).map_or(&[][..], |it| &it.floats);
            let (offset, scale) = (list("offset"), list("scale"));
            if offset.is_empty() || scale.is_empty() {
                return Err(invalid("it has no offset, or no scale"));
            }
            values.row(stage)?;
            Ok(values.then(stage, Step::Scaler { offset, scale }, node))
        }
        "Normalizer" => Err(invalid(
            "it scales each sample by the sample's own length, which gradus does not do: scale the \
             samples before prediction, and convert the model without this step",
        )),
        _ => Err(not_known()),
    }
}

/// The elements of an array that the label of a class chooses.
fn chosen<'a>(values: &mut Values<'a>, node: &'a Node, names: Constant<'a>) -> Result<Value<'a>> {
    match values.input(node, 1) {
        Some(Value::Stage(stage)) if values.is_label(stage) => {
            Ok(values.then(stage, Step::Named(ClassNames::Array(names)), node))
        }
        Some(Value::Unknown(why)) => Ok(Value::Unknown(why)),
        _ => Err(invalid("it chooses from a constant by something else than the label of a class")),
    }
}

fn constant<'a>(node: &'a Node) -> Result<Value<'a>> {
    match node.attribute("value").and_then(|it| it.t.as_ref()) {
        Some(tensor) => Ok(Value::Constant(Constant::new(tensor))),
        None => Err(invalid("it has no array")),
    }
}

/// A node whose first input is a constant.
fn of_constant<'a>(
    values: &mut Values<'a>,
    node: &'a Node,
    constant: Constant<'a>,
) -> Result<Value<'a>> {
    match (node.op_type.as_str(), values.input(node, 1)) {
        ("Identity" | "Cast", _) => Ok(Value::Constant(constant)),
        ("Transpose", _) => {
            let order = node.attribute("perm").map_or(&[1, 0][..], |it| &it.ints);
            match (constant.dims()?.len(), order) {
                (2, [1, 0]) => {
                    let transposed = !constant.transposed;
                    Ok(Value::Constant(Constant { transposed, ..constant }))
                }
                _ => Err(invalid("of constants only matrices are transposed")),
            }
        }
        (_, Some(Value::Unknown(why))) => Ok(Value::Unknown(why)),
        ("Gather", Some(Value::Stage(_))) => chosen(values, node, constant),
        ("Add", Some(Value::Stage(stage))) => {
            elementwise(values, node, stage, Elementwise::Add, constant)
        }
        ("Mul", Some(Value::Stage(stage))) => {
            elementwise(values, node, stage, Elementwise::Multiply, constant)
        }
        ("Sub", Some(Value::Stage(stage))) => {
            elementwise(values, node, stage, Elementwise::SubtractFrom, constant)
        }
        ("Gemm" | "MatMul", _) => {
            Err(invalid("the constant is on the left: expected samples as rows, times a weight"))
        }
        _ => Err(invalid("it computes with a constant what gradus does not compute")),
    }
}

/// A node whose first input is computed from the samples.
fn of_stage<'a>(values: &mut Values<'a>, node: &'a Node, stage: usize) -> Result<Value<'a>> {
    let activation = |values: &mut Values<'a>, activation| {
        Ok(values.then(stage, Step::Activation(activation), node))
    };
    match node.op_type.as_str() {
        "Gemm" => gemm(values, node, stage),
        "MatMul" => matmul(values, node, stage),
        "Add" => binary(values, node, stage, Elementwise::Add),
        "Sub" => binary(values, node, stage, Elementwise::Subtract),
        "Mul" => binary(values, node, stage, Elementwise::Multiply),
        "Div" => binary(values, node, stage, Elementwise::Divide),
        "BatchNormalization" => batch_norm(values, node, stage),
        "Relu" => activation(values, Activation::Relu),
        "Tanh" => activation(values, Activation::Tanh),
        "Sigmoid" => activation(values, Activation::Sigmoid),
        "Elu" => activation(values, elu(node.float("alpha", 1.0))?),
        "Selu" => {
            let near = |name, usual: f32| (node.float(name, usual) - usual).abs() < SELU_TOLERANCE;
            match near("alpha", SELU_ALPHA) && near("gamma", SELU_GAMMA) {
                true => activation(values, Activation::Selu),
                false => Err(invalid("its constants are others than those of SELU")),
            }
        }
        "Swish" if node.float("alpha", 1.0) == 1.0 => activation(values, Activation::Silu),
        "PRelu" => {
            let slopes = required(values, node, 1, "the slope")?.floats()?;
            activation(values, one_slope(&slopes)?)
        }
        "LeakyRelu" => activation(values, leaky_relu(node.float("alpha", SLOPE))?),
        "Gelu" => match node.attribute("approximate").and_then(|it| it.s.as_deref()) {
            None | Some(b"none") => activation(values, Activation::Gelu),
            Some(_) => Err(invalid("it is the approximation by tanh, gradus's GELU is exact")),
        },
        "Mish" => activation(values, Activation::Mish),
        "Softplus" => Ok(values.then(stage, Step::Softplus, node)),
        "Sqrt" => Ok(values.then(stage, Step::SquareRoot, node)),
        "Erf" => Ok(values.then(stage, Step::Erf, node)),
        "Identity" => Ok(Value::Stage(stage)),
        "Dropout" => dropout(values, node, stage),
        "Cast" => shapes::cast(values, node, stage),
        "Concat" => both_classes(values, node, stage),
        "Flatten" => shapes::flatten(values, node, stage),
        "Reshape" => shapes::reshape(values, node, stage),
        "Softmax" | "LogSoftmax" => {
            let usual = if values.opset < LAST_AXIS_FROM { 1 } else { -1 };
            shapes::along_classes(values, stage, node.int("axis", usual))?;
            Ok(values.then(stage, Step::Softmax, node))
        }
        "ArgMax" => {
            shapes::along_classes(values, stage, node.int("axis", 0))?;
            Ok(values.push(stage, Step::Label, None, node))
        }
        _ => Err(not_known()),
    }
}

fn gemm<'a>(values: &mut Values<'a>, node: &'a Node, stage: usize) -> Result<Value<'a>> {
    if node.int("transA", 0) != 0 {
        return Err(invalid("transA exchanges samples and features; expected samples as rows"));
    }
    let weight = required(values, node, 1, "the weight")?;
    let transposed = weight.transposed != (node.int("transB", 0) != 0);
    let bias = match values.input(node, 2) {
        None => None,
        Some(_) => Some(required(values, node, 2, "the bias")?),
    };
    let (alpha, beta) = (node.float("alpha", 1.0), node.float("beta", 1.0));
    linear(values, node, stage, (Constant { transposed, ..weight }, bias, alpha, beta))
}

fn matmul<'a>(values: &mut Values<'a>, node: &'a Node, stage: usize) -> Result<Value<'a>> {
    let weight = required(values, node, 1, "the weight")?;
    linear(values, node, stage, (weight, None, 1.0, 1.0))
}

fn linear<'a>(
    values: &mut Values<'a>,
    node: &'a Node,
    stage: usize,
    (weight, bias, alpha, beta): (Constant<'a>, Option<Constant<'a>>, f32, f32),
) -> Result<Value<'a>> {
    let &[inputs, outputs] = &weight.dims()?[..] else {
        return Err(invalid(format!("its weight has {} dimensions", weight.dims()?.len())));
    };
    if let Some(features) = values.row(stage)?
        && features != inputs
    {
        return Err(invalid(format!("its weight takes {inputs} values, but {features} come in")));
    }
    if let Some(bias) = &bias {
        let dims = bias.dims()?;
        let fits =
            matches!(dims[..], [] | [1] | [1, 1]) || dims.iter().product::<usize>() == outputs;
        if !fits || matches!(dims[..], [rows, 1] if rows > 1) || dims.len() > 2 {
            return Err(invalid(format!("its bias has shape {dims:?}, expected [{outputs}]")));
        }
    }
    Ok(values.push(stage, Step::Linear { weight, bias, alpha, beta }, Some(vec![outputs]), node))
}

/// A sum, difference, product or quotient whose left side is computed from the samples.
fn binary<'a>(
    values: &mut Values<'a>,
    node: &'a Node,
    stage: usize,
    kind: Elementwise,
) -> Result<Value<'a>> {
    match values.input(node, 1) {
        Some(Value::Constant(constant)) => elementwise(values, node, stage, kind, constant),
        Some(Value::Stage(other)) if kind == Elementwise::Multiply => {
            gelu::product(values, node, stage, other)
        }
        Some(Value::Stage(root)) if kind == Elementwise::Divide => {
            smooth_clip::quotient(values, node, stage, root)
        }
        Some(Value::Stage(other)) if kind == Elementwise::Subtract => {
            strengths::difference(values, node, stage, other)
        }
        Some(Value::Stage(other)) if kind == Elementwise::Add => {
            strengths::sum(values, node, stage, other)
        }
        Some(Value::Stage(_)) => Err(strengths::two_ways()),
        Some(Value::Unknown(why)) => Ok(Value::Unknown(why)),
        None => Err(invalid("its second input is missing")),
    }
}

fn elementwise<'a>(
    values: &mut Values<'a>,
    node: &'a Node,
    stage: usize,
    kind: Elementwise,
    constant: Constant<'a>,
) -> Result<Value<'a>> {
    if let Some(shape) = &values.stages[stage].shape
        && constant.dims()?.len() > shape.len() + 1
    {
        return Err(invalid("its constant has more dimensions than the samples"));
    }
    if constant.count()? != 1 {
        return Ok(values.then(stage, Step::Elementwise { kind, constant }, node));
    }
    let number = f64::from(constant.floats()?[0]);
    let (scale, shift) = match kind {
        Elementwise::Add => (1.0, number),
        Elementwise::Subtract => (1.0, -number),
        Elementwise::SubtractFrom => (-1.0, number),
        Elementwise::Multiply => (number, 0.0),
        Elementwise::Divide => (1.0 / number, 0.0),
    };
    Ok(values.then(stage, Step::Scalar { scale, shift }, node))
}

fn batch_norm<'a>(values: &mut Values<'a>, node: &'a Node, stage: usize) -> Result<Value<'a>> {
    if node.int("training_mode", 0) != 0 {
        return Err(invalid("it is in training mode: export the model for inference"));
    }
    values.row(stage)?;
    let part = |index, name| required(values, node, index, name);
    let parts = [part(1, "scale")?, part(2, "shift")?, part(3, "mean")?, part(4, "variance")?];
    let epsilon = node.float("epsilon", EPSILON);
    Ok(values.then(stage, Step::BatchNorm { parts, epsilon }, node))
}

/// In inference it does nothing.
fn dropout<'a>(values: &mut Values<'a>, node: &'a Node, stage: usize) -> Result<Value<'a>> {
    let training = match values.input(node, 2) {
        None => false,
        Some(Value::Constant(constant)) => constant.integers()?.iter().any(|&value| value != 0),
        Some(_) => true,
    };
    match training {
        false => Ok(Value::Stage(stage)),
        true => Err(invalid("it is in training mode: export the model for inference")),
    }
}

/// The probabilities of two classes next to each other: `1 - p` and `p`, of which `p` is a sigmoid.
fn both_classes<'a>(values: &mut Values<'a>, node: &'a Node, first: usize) -> Result<Value<'a>> {
    let fail = || {
        invalid(
            "it puts values together; of such graphs gradus reads the probabilities of two classes, \
             1 - p and p with p = sigmoid",
        )
    };
    let (Some(Value::Stage(second)), 2) = (values.input(node, 1), node.input.len()) else {
        return Err(fail());
    };
    let (first, second) = (values.same_as(first), values.same_as(second));
    let rest = &values.stages[first];
    let is_rest = matches!(rest.step, Step::Scalar { scale: -1.0, shift: 1.0 })
        && values.same_as(rest.before) == second;
    let is_sigmoid = matches!(values.stages[second].step, Step::Activation(Activation::Sigmoid));
    let axis = matches!(node.int("axis", 0), 1 | -1);
    if !is_rest || !is_sigmoid || !axis || values.row(second)?.is_some_and(|width| width != 1) {
        return Err(fail());
    }
    Ok(values.push(second, Step::Both, Some(vec![2]), node))
}

/// The constant that is input `index`.
fn required<'a>(
    values: &Values<'a>,
    node: &Node,
    index: usize,
    what: &str,
) -> Result<Constant<'a>> {
    match values.input(node, index) {
        Some(Value::Constant(constant)) => Ok(constant),
        Some(Value::Stage(_)) => Err(invalid(format!("{what} is computed from the samples"))),
        Some(Value::Unknown(why)) => Err(invalid(format!("{what} is not a constant: {why}"))),
        None => Err(invalid(format!("{what} is missing"))),
    }
}
