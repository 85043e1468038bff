//! Operations of a network of PyTorch in their order, whatever kind of file they come from: these in, a model
//! out.

use gradus_core::error::invalid;

use super::tensor::Tensor;
use crate::error::{Error, Result};
use crate::model_file::foreign::{Foreign, HALVES};
use crate::model_file::scaling::{Elementwise, Scaling};
use crate::model_file::stack::{Dense, ReadOptions, Stack, leaky_relu, one_slope};
use crate::network::{Activation, MOST_PARAMETERS};

/// What PyTorch adds to variances, unless a module says otherwise.
pub(super) const EPSILON: f64 = 1e-5;

/// Batch normalization, as it predicts.
#[derive(Debug, Clone)]
pub(super) struct Norm<'a> {
    pub(super) scale: Option<Tensor<'a>>,
    pub(super) shift: Option<Tensor<'a>>,
    pub(super) mean: Tensor<'a>,
    pub(super) variance: Tensor<'a>,
    pub(super) epsilon: f64,
}

/// One operation.
#[derive(Debug, Clone)]
pub(super) enum Op<'a> {
    /// A weight of `[outputs x inputs]`, and a bias.
    Linear(Tensor<'a>, Option<Tensor<'a>>),
    Norm(Norm<'a>),
    Activation(Activation),
    /// PReLU: one slope, or one for each value.
    Slopes(Tensor<'a>),
    /// With one number for all values.
    Number(Elementwise, f64),
    /// With a number for each value, or one for all.
    Array(Elementwise, Tensor<'a>),
    /// Probabilities, or their logarithms.
    End,
}

impl Op<'_> {
    /// Numbers that are copied.
    fn count(&self) -> Result<usize> {
        let optional = |tensor: &Option<Tensor>| tensor.as_ref().map_or(Ok(0), Tensor::count);
        match self {
            Op::Linear(weight, bias) => Ok(weight.count()?.saturating_add(optional(bias)?)),
            Op::Norm(norm) => Ok([norm.mean.count()?, norm.variance.count()?]
                .into_iter()
                .chain([optional(&norm.scale)?, optional(&norm.shift)?])
                .fold(0, usize::saturating_add)),
            Op::Slopes(array) | Op::Array(_, array) => array.count(),
            _ => Ok(0),
        }
    }

    fn is_half(&self) -> bool {
        matches!(self, Op::Linear(weight, _) if weight.is_half())
    }
}

/// The model of these operations, each with the name of its module. `file` is the number of bytes that hold them.
///
/// # Errors
/// `InvalidData` if they are not a stack of dense layers, or have more numbers than the file.
pub(super) fn model(ops: Vec<(String, Op)>, options: &ReadOptions, file: usize) -> Result<Foreign> {
    let mut total = 0usize;
    for (_, op) in &ops {
        total = total.saturating_add(op.count()?);
    }
    // Arrays may share their numbers, or repeat one; those of a model do not.
    if total > file / 2 || total > MOST_PARAMETERS {
        return Err(invalid(format!(
            "its layers have {total} weights, but the file holds {file} bytes: weights are used more \
             than once, or there are more than gradus reads"
        )));
    }
    let halves = ops.iter().any(|(_, op)| op.is_half());
    let mut stack = Stack::new(options.transform.as_ref());
    for (name, op) in ops {
        push(&mut stack, op).map_err(|error| match name.as_str() {
            "" => error,
            name => error.context(format!("'{}'", name.escape_debug())),
        })?;
    }
    let mut found = Foreign::new(stack.finish(None)?);
    if halves {
        found.warnings.push(HALVES.to_owned());
    }
    Ok(found)
}

fn push(stack: &mut Stack, op: Op) -> Result<()> {
    match op {
        Op::Linear(weight, bias) => stack.linear(dense(weight, bias)?),
        Op::Norm(norm) => stack.affine(scaling(&norm)?),
        Op::Activation(activation) => stack.activation(activation),
        Op::Slopes(slopes) => stack.activation(one_slope(&slopes.floats()?)?),
        Op::Number(with, number) => stack.affine(Scaling::elementwise(with, &[number])),
        Op::Array(with, array) => {
            // Rows before the values are no matter if there is one.
            if array.count()? != array.shape.last().copied().unwrap_or(1) {
                return Err(invalid(format!("a constant of shape {:?}", array.shape)));
            }
            let values: Vec<f64> = array.floats()?.into_iter().map(f64::from).collect();
            stack.affine(Scaling::elementwise(with, &values))
        }
        Op::End => {
            stack.end();
            Ok(())
        }
    }
}

fn dense(weight: Tensor, bias: Option<Tensor>) -> Result<Dense> {
    let &[outputs, inputs] = &weight.shape[..] else {
        return Err(invalid(format!(
            "its weight has shape {:?}, expected outputs x inputs",
            weight.shape
        )));
    };
    if !weight.is_float() {
        return Err(invalid("its weight holds numbers of another type than floats"));
    }
    let bias = match bias {
        Some(bias) if bias.shape == [outputs] => bias.floats()?,
        Some(bias) => {
            return Err(invalid(format!(
                "its bias has shape {:?}, expected [{outputs}]",
                bias.shape
            )));
        }
        None => vec![0.0; outputs],
    };
    Ok(Dense { inputs, outputs, weight: weight.transposed().floats()?, bias })
}

fn scaling(norm: &Norm) -> Result<Scaling> {
    let doubles = |tensor: &Tensor| -> Result<Vec<f64>> {
        Ok(tensor.floats()?.into_iter().map(f64::from).collect())
    };
    let (mean, variance) = (doubles(&norm.mean)?, doubles(&norm.variance)?);
    let width = variance.len();
    let or = |tensor: &Option<Tensor>, usual: f64| match tensor {
        Some(tensor) => doubles(tensor),
        None => Ok(vec![usual; width]),
    };
    let (scale, shift) = (or(&norm.scale, 1.0)?, or(&norm.shift, 0.0)?);
    if [mean.len(), scale.len(), shift.len()].iter().any(|&length| length != width) || width == 0 {
        return Err(invalid("the parts of the batch normalization differ in size"));
    }
    let factors: Vec<f64> =
        scale.iter().zip(&variance).map(|(s, v)| s / (v + norm.epsilon).sqrt()).collect();
    let shift = shift.iter().zip(&mean).zip(&factors).map(|((b, m), f)| b - m * f).collect();
    Ok(Scaling { scale: factors, shift })
}

/// The activation of this name in `torch.nn`, `torch.nn.functional` or `torch`, in lower case and without `_`;
/// `constant` is its slope or alpha, if it has one. `None` if this is no activation at all.
pub(super) fn activation(name: &str, constant: Option<f64>) -> Option<Result<Op<'static>>> {
    let known = |name: &str| {
        Activation::from_name(name)
            .map(Op::Activation)
            .ok_or_else(|| invalid(format!("{name} is out of the range that gradus has")))
    };
    let found = match name {
        "relu" => known("relu"),
        "leakyrelu" => leaky_relu(constant.unwrap_or(0.01) as f32).map(Op::Activation),
        "elu" => known(&format!("elu:{}", constant.unwrap_or(1.0) as f32)),
        // Equal to ELU for this alpha alone.
        "celu" if constant.unwrap_or(1.0) == 1.0 => known("elu"),
        "selu" => known("selu"),
        "silu" | "swish" => known("silu"),
        "mish" => known("mish"),
        "gelu" => known("gelu"),
        "tanh" => known("tanh"),
        "sigmoid" => known("sigmoid"),
        "softmax" | "logsoftmax" => Ok(Op::End),
        "relu6" | "celu" | "hardtanh" | "hardswish" | "hardsigmoid" | "softplus" | "softsign"
        | "tanhshrink" | "softshrink" | "hardshrink" | "threshold" | "logsigmoid" | "glu" => {
            Err(unknown_activation(name))
        }
        _ => return None,
    };
    Some(found)
}

fn unknown_activation(name: &str) -> Error {
    invalid(format!("the activation {name}, but gradus's are {}", Activation::known()))
}
