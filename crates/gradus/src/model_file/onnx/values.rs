//! What each value of a graph is: a constant, a stage of the way from the input, or something that
//! gradus does not have. Stages form a tree; each knows the one before it.
//!
//! `nodes.rs` fills them in. Constants are named and not copied, so that a graph costs no more memory than
//! its file.

use std::collections::HashMap;
use std::rc::Rc;

use gradus_core::error::invalid;

use super::class_names::ClassNames;
use super::constants::Constant;
use super::messages::{Graph, Node, ValueInfo, element};
use crate::error::Result;
use crate::model_file::scaling::Elementwise;
use crate::network::Activation;

/// One value of the graph.
#[derive(Clone)]
pub(super) enum Value<'a> {
    Constant(Constant<'a>),
    /// The number of a stage.
    Stage(usize),
    /// Why it is neither.
    Unknown(Rc<str>),
}

/// A step from one stage to the next.
pub(super) enum Step<'a> {
    Input,
    /// Another shape, or nothing at all.
    Same,
    Linear {
        weight: Constant<'a>,
        bias: Option<Constant<'a>>,
        alpha: f32,
        beta: f32,
    },
    Activation(Activation),
    /// `f(z) - z` of an activation, and `z + s (f(z) - z)`.
    Change,
    Parametric {
        activation: Activation,
        strengths: Vec<f32>,
    },
    /// The square of a value, and a square root: parts of the smooth clip.
    Square,
    SquareRoot,
    /// `ln(1 + e^x)`, a part of Mish.
    Softplus,
    /// `x / sqrt(1 + (x / 3)^2)`
    SmoothClip,
    /// `scale x + shift`
    Scalar {
        scale: f64,
        shift: f64,
    },
    /// `x + c`, `x - c`, `c - x`, `x * c` or `x / c`
    Elementwise {
        kind: Elementwise,
        constant: Constant<'a>,
    },
    /// The constants `scale`, `shift`, `mean` and `variance`.
    BatchNorm {
        parts: [Constant<'a>; 4],
        epsilon: f32,
    },
    /// `(x - offset) * scale`, each one number for all values or one for each.
    Scaler {
        offset: &'a [f32],
        scale: &'a [f32],
    },
    /// A part of GELU, which is no activation by itself.
    Erf,
    /// The probabilities of two classes, `1 - x` and `x`.
    Both,
    /// Probabilities, or their logarithms.
    Softmax,
    /// The class of the largest.
    Label,
    /// The same, by the names of the classes.
    Named(ClassNames<'a>),
}

/// A value that is computed from the input.
pub(super) struct Stage<'a> {
    pub(super) before: usize,
    pub(super) step: Step<'a>,
    /// The shape of one sample, without the batch; `None` if the file does not tell.
    pub(super) shape: Option<Vec<usize>>,
    /// The node that computes it, for messages.
    pub(super) node: &'a str,
}

/// All values of a graph.
pub(super) struct Values<'a> {
    pub(super) opset: i64,
    pub(super) stages: Vec<Stage<'a>>,
    /// Whether a step rounds to half precision.
    pub(super) computes_in_halves: bool,
    named: HashMap<&'a str, Value<'a>>,
}

impl<'a> Values<'a> {
    /// Those that stand before the first node: the constants and the input.
    ///
    /// # Errors
    /// `InvalidData` if the graph has not one input.
    pub(super) fn new(graph: &'a Graph, opset: i64) -> Result<Values<'a>> {
        let mut values =
            Values { opset, stages: Vec::new(), computes_in_halves: false, named: HashMap::new() };
        for tensor in &graph.initializer {
            values.named.insert(&tensor.name, Value::Constant(Constant::new(tensor)));
        }
        // Files of old versions list the constants among the inputs.
        let inputs: Vec<&ValueInfo> =
            graph.input.iter().filter(|it| !values.named.contains_key(it.name.as_str())).collect();
        let &[input] = &inputs[..] else {
            let found = inputs.len();
            return Err(invalid(format!("it has {found} inputs, expected one for the samples")));
        };
        let shape = sample_shape(input)?;
        values.computes_in_halves = takes_halves(input);
        values.stages.push(Stage { before: 0, step: Step::Input, shape, node: &input.name });
        values.named.insert(&input.name, Value::Stage(0));
        Ok(values)
    }

    /// Sets the value of that name.
    pub(super) fn set(&mut self, name: &'a str, value: Value<'a>) {
        self.named.insert(name, value);
    }

    /// The value of that name.
    pub(super) fn get(&self, name: &str) -> Value<'a> {
        self.named.get(name).cloned().unwrap_or_else(|| {
            Value::Unknown(format!("nothing computes the value '{name}' before its use").into())
        })
    }

    /// The value that is input `index` of the node; `None` if it is left out.
    pub(super) fn input(&self, node: &Node, index: usize) -> Option<Value<'a>> {
        node.input.get(index).filter(|name| !name.is_empty()).map(|name| self.get(name))
    }

    /// A new stage.
    pub(super) fn push(
        &mut self,
        before: usize,
        step: Step<'a>,
        shape: Option<Vec<usize>>,
        node: &'a Node,
    ) -> Value<'a> {
        let name = node.output.first().map_or("", String::as_str);
        self.stages.push(Stage { before, step, shape, node: name });
        Value::Stage(self.stages.len() - 1)
    }

    /// A new stage that leaves the shape as it is.
    pub(super) fn then(&mut self, before: usize, step: Step<'a>, node: &'a Node) -> Value<'a> {
        let shape = self.stages[before].shape.clone();
        self.push(before, step, shape, node)
    }

    /// The stage that this one is, without steps that do nothing.
    pub(super) fn same_as(&self, mut stage: usize) -> usize {
        while let Step::Same = self.stages[stage].step {
            stage = self.stages[stage].before;
        }
        stage
    }

    /// Whether the stage is the number or the name of the most probable class.
    pub(super) fn is_label(&self, stage: usize) -> bool {
        matches!(self.stages[self.same_as(stage)].step, Step::Label | Step::Named(_))
    }

    /// The number of values of a sample where they stand in one row; `None` if that is unknown.
    ///
    /// # Errors
    /// `InvalidData` if they stand otherwise.
    pub(super) fn row(&self, stage: usize) -> Result<Option<usize>> {
        match self.stages[stage].shape.as_deref() {
            None => Ok(None),
            Some(&[features]) => Ok(Some(features)),
            Some(shape) => Err(invalid(format!(
                "it takes samples of shape {shape:?}, expected one dimension besides the batch \
                 (Flatten before it)"
            ))),
        }
    }
}

/// Whether the graph's input is of half precision.
fn takes_halves(input: &ValueInfo) -> bool {
    let tensor = input.kind.as_ref().and_then(|kind| kind.tensor_type.as_ref());
    tensor.is_some_and(|it| [element::FLOAT16, element::BFLOAT16].contains(&it.elem_type))
}

/// The shape of one sample of the graph's input.
fn sample_shape(input: &ValueInfo) -> Result<Option<Vec<usize>>> {
    let Some(tensor) = input.kind.as_ref().and_then(|kind| kind.tensor_type.as_ref()) else {
        return Ok(None);
    };
    if [element::STRING, element::BOOL].contains(&tensor.elem_type) {
        return Err(invalid(format!("its input '{}' does not take numbers", input.name)));
    }
    let Some(shape) = &tensor.shape else { return Ok(None) };
    let Some((_, sample)) = shape.dim.split_first().filter(|(_, sample)| !sample.is_empty()) else {
        return Err(invalid(format!(
            "its input '{}' has {} dimensions, expected a batch of samples",
            input.name,
            shape.dim.len()
        )));
    };
    // A size that is not fixed is unknown; so is then the whole shape.
    let size = |dimension: &super::messages::Dimension| {
        dimension.dim_value.and_then(|size| usize::try_from(size).ok()).filter(|&size| size > 0)
    };
    Ok(sample.iter().map(size).collect())
}
