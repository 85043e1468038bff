//! The bytes of an ONNX model in, a [`Model`](crate::classifier::Model) out.
//!
//! The way back from the outputs to the input must be one row of steps ([`values`](super::values));
//! these become a [`Stack`]. What no output depends on is left alone.

use std::collections::BTreeSet;
use std::path::Path;

use gradus_core::error::invalid;
use gradus_core::model_file::metadata::{self, Metadata};
use prost::Message;

use super::class_names::ClassNames;
use super::constants::Constant;
use super::messages::{self, Graph, ValueInfo};
use super::nodes;
use super::values::{Stage, Step, Value, Values};
use super::{OUTPUTS, PRODUCER, external, own, seal, size};
use crate::error::{Error, Result};
use crate::model_file::foreign::{Foreign, HALVES};
use crate::model_file::scaling::Scaling;
use crate::model_file::stack::{Dense, Stack};
use crate::transform::Transform;

/// Bytes of the smallest number that a weight may be: one of half precision.
const SMALLEST_VALUE: usize = 2;

/// The oldest operators that are read: with them sums and products spread as they do today.
const OLDEST_OPSET: i64 = 7;

/// The model in the bytes of an ONNX model; `transform` goes before what the graph does. Weights in other files
/// are read from `folder`.
///
/// # Errors
/// `InvalidData` if they are not an ONNX model, or one that is not a stack of dense layers.
pub(in crate::model_file) fn parse(
    bytes: &[u8],
    transform: Option<&Transform>,
    folder: Option<&Path>,
) -> Result<Foreign> {
    size::check(bytes)?;
    let mut file = messages::Model::decode(bytes).map_err(|error| {
        invalid(format!("it begins like an ONNX model, but cannot be read as one: {error}"))
    })?;
    let properties = file.metadata_props.into_iter();
    let metadata: Metadata = properties.map(|it| (it.key, it.value)).collect();
    // Either is enough, so that one flipped bit does not make a foreign model of it.
    let own = file.producer_name == PRODUCER || metadata::is_gradus(&metadata);
    if own {
        seal::check(bytes, &metadata)?;
    }
    if own && transform.is_some() {
        return Err(Error::argument(
            "a normalization was given, but gradus wrote this model, and it holds its own",
        ));
    }
    if own
        && let Some(graph) = &file.graph
        && let Some(model) = own::model(&metadata, graph)?
    {
        return Ok(Foreign { has_class_names: true, ..Foreign::new(model) });
    }
    if own && let Some(graph) = &mut file.graph {
        leave_predictions_out(graph);
    }
    let Some(graph) = &mut file.graph else { return Err(invalid("an ONNX model without a graph")) };
    let opset = file.opset_import.iter().find(|set| ["", "ai.onnx"].contains(&&*set.domain));
    let opset = opset.map_or(0, |set| set.version);
    if opset < OLDEST_OPSET {
        return Err(invalid(format!(
            "an ONNX model of opset {opset}, expected {OLDEST_OPSET} or newer; convert it: \
             onnx.version_converter.convert_version(model, 17)"
        )));
    }
    let beside = match folder {
        Some(folder) => external::load(graph, folder)?,
        None => 0,
    };
    let found = stack(graph, opset, transform, bytes.len().saturating_add(beside))
        .map_err(|error| error.context("this ONNX model is not a stack of dense layers"))?;
    if !own {
        return Ok(found);
    }
    let model = metadata::assemble(&metadata, found.model.network, found.model.transform)?;
    Ok(Foreign { has_class_names: true, ..Foreign::new(model) })
}

/// Of a graph that gradus wrote, only the layers are read: what becomes of their outputs, the metadata say.
fn leave_predictions_out(graph: &mut Graph) {
    if graph.node.iter().any(|node| node.output.iter().any(|name| name == OUTPUTS)) {
        graph.output = vec![ValueInfo { name: OUTPUTS.into(), kind: None }];
    }
}

fn stack(graph: &Graph, opset: i64, transform: Option<&Transform>, file: usize) -> Result<Foreign> {
    let values = nodes::values(graph, opset)?;
    let end = output(&values, &graph.output)?;
    let names = class_names(&values, &graph.output);
    let mut path = path(&values.stages, end);
    let first = path.first().map_or(0, |&stage| values.stages[stage].before);
    let sample_shape = values.stages[first].shape.clone();
    path.retain(|&stage| !matches!(values.stages[stage].step, Step::Same));
    check_size(&values, &path, file)?;
    let mut stack = Stack::new(transform);
    let mut halves = values.computes_in_halves;
    for stage in path {
        let Stage { before, step, node, .. } = &values.stages[stage];
        let shape = values.stages[*before].shape.as_deref();
        halves |= matches!(step, Step::Linear { weight, .. } if weight.is_half());
        push(&mut stack, step, shape, file / SMALLEST_VALUE)
            .map_err(|error| error.context(format!("value '{node}'")))?;
    }
    let model = stack.finish(sample_shape.map(|shape| without_ones(&shape)))?;
    let mut found = Foreign::new(model);
    if halves {
        found.warnings.push(HALVES.to_owned());
    }
    match names {
        None => Ok(found),
        Some(names) => found.with_class_names(&names.read()?),
    }
}

/// The names of the classes, where an output has them.
fn class_names<'a>(values: &Values<'a>, outputs: &[ValueInfo]) -> Option<ClassNames<'a>> {
    outputs.iter().find_map(|info| {
        let Value::Stage(mut stage) = values.get(&info.name) else { return None };
        while is_end(&values.stages[stage].step) {
            if let Step::Named(names) = values.stages[stage].step {
                return Some(names);
            }
            stage = values.stages[stage].before;
        }
        None
    })
}

/// The stage that the outputs end with.
fn output(values: &Values, outputs: &[ValueInfo]) -> Result<usize> {
    let mut ends = BTreeSet::new();
    let mut logits = BTreeSet::new();
    let mut unknown = None;
    for info in outputs {
        match values.get(&info.name) {
            Value::Stage(stage) => {
                ends.insert(stage);
                logits.insert(before_the_end(&values.stages, stage));
            }
            Value::Unknown(why) => unknown = unknown.or(Some(why)),
            Value::Constant(_) => {}
        }
    }
    match (logits.len(), ends.first(), unknown) {
        (1, Some(&end), _) => Ok(end),
        (0, _, Some(why)) => Err(invalid(why.to_string())),
        (0, ..) => Err(invalid("no output depends on the input")),
        (found, ..) => Err(invalid(format!(
            "its outputs come from {found} different places, expected the probabilities, logits or \
             label of one network; leave one output"
        ))),
    }
}

/// The stage before softmax, label and what does nothing.
fn before_the_end(stages: &[Stage], mut stage: usize) -> usize {
    while is_end(&stages[stage].step) {
        stage = stages[stage].before;
    }
    stage
}

/// Whether the step makes probabilities or a label of the last values, or nothing at all.
fn is_end(step: &Step) -> bool {
    matches!(step, Step::Softmax | Step::Both | Step::Label | Step::Named(_) | Step::Same)
}

/// The stages from the first after the input to `stage`.
fn path(stages: &[Stage], mut stage: usize) -> Vec<usize> {
    let mut path = Vec::new();
    while !matches!(stages[stage].step, Step::Input) {
        path.push(stage);
        stage = stages[stage].before;
    }
    path.reverse();
    path
}

/// Checks that the weights take no more memory than the file: none is used over and over.
fn check_size(values: &Values, path: &[usize], file: usize) -> Result<()> {
    let mut total = 0usize;
    for &stage in path {
        if let Step::Linear { weight, .. } = &values.stages[stage].step {
            total = total.saturating_add(weight.stored()?);
        }
    }
    match total > file / SMALLEST_VALUE {
        false => Ok(()),
        true => Err(invalid(format!(
            "its layers have {total} weights, but the file holds {file} bytes: weights are missing, \
             or used more than once"
        ))),
    }
}

/// Adds the step, whose input has samples of that shape; no sample has more than `most` values.
fn push(stack: &mut Stack, step: &Step, shape: Option<&[usize]>, most: usize) -> Result<()> {
    match step {
        Step::Input | Step::Same => Ok(()),
        Step::Linear { weight, bias, alpha, beta } => {
            stack.linear(dense(weight, bias.as_ref(), *alpha, *beta)?)
        }
        Step::Activation(activation) => stack.activation(*activation),
        Step::Scalar { scale, shift } => stack.affine(Scaling::scalar(*scale, *shift)),
        Step::Elementwise { kind, constant } => {
            stack.affine(Scaling::elementwise(*kind, &spread(constant, shape, most)?))
        }
        Step::BatchNorm { parts, epsilon } => stack.affine(batch_norm(parts, *epsilon)?),
        Step::Scaler { offset, scale } => stack.affine(scaler(offset, scale)?),
        Step::SmoothClip => stack.smooth_clip(),
        Step::Parametric { activation, strengths } => {
            stack.parametric(*activation, strengths.clone())
        }
        Step::Change => Err(invalid(
            "the change that an activation makes stands alone, expected it in z + s (f(z) - z)",
        )),
        Step::Square | Step::SquareRoot => {
            Err(invalid("a square or a root stands alone, expected it as a part of a smooth clip"))
        }
        Step::Softplus => Err(invalid("Softplus stands alone, expected it as a part of Mish")),
        Step::Erf => Err(invalid("Erf stands alone, expected it as a part of GELU")),
        Step::Softmax | Step::Both | Step::Label | Step::Named(_) => {
            stack.end();
            Ok(())
        }
    }
}

fn dense(weight: &Constant, bias: Option<&Constant>, alpha: f32, beta: f32) -> Result<Dense> {
    let &[inputs, outputs] = &weight.dims()?[..] else { return Err(invalid("no matrix")) };
    let mut weight = weight.floats()?;
    if alpha != 1.0 {
        weight.iter_mut().for_each(|value| *value *= alpha);
    }
    let mut bias = bias.map(Constant::floats).transpose()?.unwrap_or_else(|| vec![0.0]);
    bias.iter_mut().for_each(|value| *value *= beta);
    if bias.len() != outputs {
        // One number for all outputs, which are as many as the weight's columns.
        bias = vec![bias.first().copied().unwrap_or(0.0); outputs];
    }
    Ok(Dense { inputs, outputs, weight, bias })
}

/// `(x - offset) * scale`
fn scaler(offset: &[f32], scale: &[f32]) -> Result<Scaling> {
    let doubles = |values: &[f32]| values.iter().map(|&value| value.into()).collect();
    let minus = offset.iter().map(|&value| -f64::from(value)).collect();
    let taken_off = Scaling { scale: vec![1.0], shift: minus };
    taken_off.then(&Scaling { scale: doubles(scale), shift: vec![0.0] })
}

fn batch_norm(parts: &[Constant; 4], epsilon: f32) -> Result<Scaling> {
    let read = |part: &Constant| Ok::<_, Error>(spread(part, None, 0)?.into_iter());
    let [scale, shift, mean, variance] = parts;
    let (scale, shift, mean) = (read(scale)?, read(shift)?, read(mean)?);
    let lengths = [scale.len(), shift.len(), mean.len()];
    let variance = read(variance)?;
    if lengths.iter().any(|&length| length != variance.len()) {
        return Err(invalid("the parts of the batch normalization differ in size"));
    }
    let (scale, shift) = scale
        .zip(shift)
        .zip(mean.zip(variance))
        .map(|((scale, shift), (mean, variance))| {
            let factor = scale / (variance + f64::from(epsilon)).sqrt();
            (factor, shift - mean * factor)
        })
        .unzip();
    Ok(Scaling { scale, shift })
}

/// The constant's values, one for each value of a sample of this shape, as ONNX spreads them.
fn spread(constant: &Constant, shape: Option<&[usize]>, most: usize) -> Result<Vec<f64>> {
    let values: Vec<f64> = constant.floats()?.into_iter().map(f64::from).collect();
    let dims = constant.dims()?;
    let width = shape.and_then(|it| it.iter().try_fold(1usize, |all, &size| all.checked_mul(size)));
    let (Some(shape), Some(width)) = (shape, width) else {
        return match dims[..] {
            [_] | [1, _] => Ok(values),
            _ => Err(invalid(format!("a constant of shape {dims:?} meets samples of any shape"))),
        };
    };
    if width > most {
        return Err(invalid(format!("the file holds no weights for samples of {width} values")));
    }
    if values.len() == width { Ok(values) } else { spread_to(&values, &dims, shape, width) }
}

/// The values for samples of this shape, `width` in all: sizes of 1 are repeated.
fn spread_to(values: &[f64], dims: &[usize], shape: &[usize], width: usize) -> Result<Vec<f64>> {
    let batch_and_sample: Vec<usize> = std::iter::once(1).chain(shape.iter().copied()).collect();
    let missing = batch_and_sample.len().saturating_sub(dims.len());
    let dims: Vec<usize> = std::iter::repeat_n(1, missing).chain(dims.iter().copied()).collect();
    let fits = dims.len() == batch_and_sample.len()
        && dims.iter().zip(&batch_and_sample).all(|(&size, &whole)| size == 1 || size == whole);
    if !fits {
        return Err(invalid(format!(
            "a constant of shape {dims:?} does not fit samples of shape {shape:?}"
        )));
    }
    let place = |mut at: usize| {
        let (mut index, mut stride) = (0, 1);
        for (&size, &whole) in dims.iter().zip(&batch_and_sample).rev() {
            index += if size == 1 { 0 } else { at % whole * stride };
            stride *= size;
            at /= whole;
        }
        index
    };
    Ok((0..width).map(|at| values[place(at)]).collect())
}

/// The single colour channel of an image does not count as a dimension.
fn without_ones(shape: &[usize]) -> Vec<usize> {
    let sizes: Vec<usize> = shape.iter().copied().filter(|&size| size != 1).collect();
    if sizes.is_empty() { vec![1] } else { sizes }
}
