//! A model from the layers of somebody else's: steps in order in, a [`Model`] out.
//!
//! gradus has linear layers, an activation after each, and one normalization before all. What
//! scales and shifts values elsewhere (batch normalization, a bias of its own, factors of an
//! exporter) is folded into the adjacent linear layer, in double precision.

use gradus_core::error::invalid;
use gradus_core::model_file::metadata;

use super::scaling::Scaling;
use crate::classifier::{Model, Outputs};
use crate::data::image_shape;
use crate::error::Result;
use crate::network::{Activation, Layer, Linear, Network, Parametric, check_activations};
use crate::transform::Transform;

/// What the file of another program does not say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReadOptions {
    /// The activations of the hidden layers, one for all or one for each, for files that contain weights
    /// alone; ReLU if there is none.
    pub activations: Vec<Activation>,
    /// The normalization of raw values before the model, for models that were trained on normalized ones.
    pub transform: Option<Transform>,
    /// The names of the classes in the order of the outputs, for files that contain none; 0, 1, 2, ... if there
    /// are none.
    pub class_names: Vec<String>,
}

impl ReadOptions {
    pub(super) fn hidden_activations(&self) -> &[Activation] {
        if self.activations.is_empty() { &[Activation::Relu] } else { &self.activations }
    }
}

/// A linear layer: `x W + b`.
#[derive(Debug, Clone)]
pub(super) struct Dense {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    /// `inputs x outputs`, row-major.
    pub(super) weight: Vec<f32>,
    /// One value for each output.
    pub(super) bias: Vec<f32>,
}

/// What the only output of a network is called that answers with a value.
const VALUE: &str = "value";

/// Steps so far.
pub(super) struct Stack {
    /// Before the first layer.
    normalization: Scaling,
    /// Whether the smooth clip of a robust normalization follows it.
    clipped: bool,
    layers: Vec<(Dense, Option<Activation>)>,
    /// Layers by number whose activations have strengths, and these.
    strengths: Vec<(usize, Vec<f32>)>,
    /// What happened to the output of the last activation.
    after: Option<Scaling>,
    /// Whether the probabilities or the label are reached.
    ended: bool,
}

impl Dense {
    /// The layer that does what this one did to values that `affine` has gone over.
    fn fold_before(&mut self, affine: &Scaling) -> Result<()> {
        let mut bias: Vec<f64> = self.bias.iter().map(|&value| value.into()).collect();
        let rows = self.weight.chunks_exact_mut(self.outputs);
        for (row, (scale, shift)) in rows.zip(affine.spread(self.inputs)?) {
            for (weight, bias) in row.iter_mut().zip(&mut bias) {
                *bias += shift * f64::from(*weight);
                *weight = (scale * f64::from(*weight)) as f32;
            }
        }
        self.bias = bias.into_iter().map(|value| value as f32).collect();
        Ok(())
    }

    /// The layer whose outputs `affine` has gone over.
    fn fold_after(&mut self, affine: &Scaling) -> Result<()> {
        let by_output = affine.spread(self.outputs)?;
        for row in self.weight.chunks_exact_mut(self.outputs) {
            for (weight, (scale, _)) in row.iter_mut().zip(&by_output) {
                *weight = (scale * f64::from(*weight)) as f32;
            }
        }
        for (bias, (scale, shift)) in self.bias.iter_mut().zip(&by_output) {
            *bias = (scale * f64::from(*bias) + shift) as f32;
        }
        Ok(())
    }
}

impl Dense {
    /// Puts an output that is always 0 before a single one.
    fn widen(&mut self) {
        self.weight = self.weight.iter().flat_map(|&weight| [0.0, weight]).collect();
        self.bias = vec![0.0, self.bias[0]];
        self.outputs = 2;
    }
}

impl Stack {
    /// Nothing yet but the normalization that the user names.
    pub(super) fn new(transform: Option<&Transform>) -> Stack {
        let normalization = Scaling::of(transform.unwrap_or(&Transform::IDENTITY));
        let (layers, strengths) = (Vec::new(), Vec::new());
        Stack { normalization, clipped: false, layers, strengths, after: None, ended: false }
    }

    /// These layers with `activations` after all but the last, one for all or one for each.
    pub(super) fn push_all(
        &mut self,
        layers: Vec<Dense>,
        activations: &[Activation],
    ) -> Result<()> {
        let last = layers.len().saturating_sub(1);
        check_activations(activations, last)?;
        for (index, layer) in layers.into_iter().enumerate() {
            self.linear(layer)?;
            if index < last {
                self.activation(activations[index % activations.len()])?;
            }
        }
        Ok(())
    }

    pub(super) fn linear(&mut self, mut layer: Dense) -> Result<()> {
        self.not_after_the_end("a linear layer")?;
        let Dense { inputs, outputs, .. } = layer;
        if inputs == 0 || outputs == 0 {
            return Err(invalid(format!("a layer has {inputs} inputs and {outputs} outputs")));
        }
        if let Some((before, _)) = self.layers.last()
            && before.outputs != inputs
        {
            let before = before.outputs;
            return Err(invalid(format!(
                "a layer of {inputs} inputs follows one of {before} outputs"
            )));
        }
        if let Some(affine) = self.after.take() {
            layer.fold_before(&affine)?;
        }
        self.layers.push((layer, None));
        Ok(())
    }

    pub(super) fn activation(&mut self, activation: Activation) -> Result<()> {
        self.not_after_the_end("an activation")?;
        if activation == Activation::Identity {
            return Ok(());
        }
        let name = activation.name();
        match self.layers.last_mut() {
            None => Err(invalid(format!("it begins with {name}, and not with a linear layer"))),
            Some((_, Some(before))) => Err(invalid(format!(
                "{name} follows {} without a linear layer between them",
                before.name()
            ))),
            Some((_, after)) => {
                *after = Some(activation);
                Ok(())
            }
        }
    }

    /// `z + s (f(z) - z)`, with one strength for each unit.
    #[cfg(feature = "onnx")]
    pub(super) fn parametric(&mut self, activation: Activation, strengths: Vec<f32>) -> Result<()> {
        self.activation(activation)?;
        let Some(at) = self.layers.len().checked_sub(1) else { return Ok(()) };
        let units = self.layers[at].0.outputs;
        let strengths = match strengths.len() {
            1 => vec![strengths[0]; units],
            _ => strengths,
        };
        if strengths.len() != units {
            let count = strengths.len();
            return Err(invalid(format!(
                "{units} units have {count} strengths of their activation"
            )));
        }
        self.strengths.push((at, strengths));
        Ok(())
    }

    pub(super) fn affine(&mut self, affine: Scaling) -> Result<()> {
        self.not_after_the_end("another step")?;
        let identity = || Scaling::scalar(1.0, 0.0);
        match self.layers.last_mut() {
            None if self.clipped => {
                return Err(invalid(
                    "values are scaled between the smooth clip and the first layer",
                ));
            }
            None => {
                let before = std::mem::replace(&mut self.normalization, identity());
                self.normalization = before.then(&affine)?;
            }
            Some((layer, None)) => layer.fold_after(&affine)?,
            Some(_) => {
                let before = self.after.take().unwrap_or_else(identity);
                self.after = Some(before.then(&affine)?);
            }
        }
        Ok(())
    }

    /// `x / sqrt(1 + (x / 3)^2)`, the end of a robust normalization.
    pub(super) fn smooth_clip(&mut self) -> Result<()> {
        match self.layers.is_empty() && !self.clipped {
            true => self.clipped = true,
            false => {
                return Err(invalid("a smooth clip stands elsewhere than before the first layer"));
            }
        }
        Ok(())
    }

    /// The probabilities, their logarithms, or the label.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    fn not_after_the_end(&self, what: &str) -> Result<()> {
        match self.ended {
            false => Ok(()),
            true => Err(invalid(format!(
                "{what} follows softmax, but a classifier ends with the probabilities"
            ))),
        }
    }

    /// The model, for samples of this shape where that is known. A network with one output answers
    /// with a value; where sigmoid follows, it becomes one of two classes: the softmax of 0 and z is
    /// the sigmoid of z.
    pub(super) fn finish(mut self, sample_shape: Option<Vec<usize>>) -> Result<Model> {
        let Some((last, activation)) = self.layers.last_mut() else {
            return Err(invalid("it has no linear layer"));
        };
        if *activation == Some(Activation::Sigmoid) && last.outputs == 1 && self.after.is_none() {
            *activation = None;
            last.widen();
        }
        let outputs = check_end(last, *activation, self.ended)?;
        let first = &mut self.layers[0].0;
        let inputs = first.inputs;
        let transform = match self.normalization.transform(inputs)? {
            Some(transform) if self.clipped => transform.clipped(inputs),
            Some(transform) => transform,
            None if self.clipped => {
                return Err(invalid(
                    "single precision does not hold the scale before its smooth clip",
                ));
            }
            None => {
                first.fold_before(&self.normalization)?;
                Transform::IDENTITY
            }
        };
        let shape = sample_shape.unwrap_or_else(|| vec![inputs]);
        let shape = image_shape(&shape).unwrap_or(shape);
        let network = network(self.layers, self.strengths)?;
        let outputs = match outputs {
            1 => Outputs::values(vec![VALUE.to_owned()]),
            _ => Outputs::classes((0..outputs).map(|class| class.to_string()).collect()),
        };
        let model = Model::new(network, transform, shape, outputs)
            .map_err(|error| invalid(error.to_string()))?;
        metadata::check(&model).map_err(|error| invalid(error.to_string()))?;
        Ok(model)
    }
}

/// Leaky ReLU with the slope that a file names.
pub(super) fn leaky_relu(slope: f32) -> Result<Activation> {
    Activation::leaky_relu(slope).ok_or_else(|| {
        invalid(format!("its slope is {slope}, gradus's leaky ReLU has one of 0 to 1"))
    })
}

/// PReLU with these slopes, which is leaky ReLU if they are all the same.
pub(super) fn one_slope(slopes: &[f32]) -> Result<Activation> {
    match slopes.first() {
        Some(&slope) if slopes.iter().all(|&other| other == slope) => leaky_relu(slope),
        _ => Err(invalid(format!(
            "PReLU with {} different slopes; gradus reads PReLU with one slope for all units, as leaky ReLU",
            slopes.len()
        ))),
    }
}

/// ELU with the constant that a file names.
#[cfg(any(feature = "onnx", feature = "keras"))]
pub(super) fn elu(alpha: f32) -> Result<Activation> {
    Activation::elu(alpha)
        .ok_or_else(|| invalid(format!("its alpha is {alpha}, gradus's ELU has one of 0 to 100")))
}

/// Checks that a network that ends so gives logits, one for each class, or a value, and counts these.
fn check_end(last: &Dense, activation: Option<Activation>, ended: bool) -> Result<usize> {
    let outputs = last.outputs;
    match activation {
        Some(activation) => Err(invalid(format!(
            "it ends with {} on {outputs} outputs; the last layer must be linear, with softmax or \
             nothing after it, or with sigmoid after a single output",
            activation.name()
        ))),
        None if outputs == 1 && ended => {
            Err(invalid("it chooses among the classes of a single output"))
        }
        None => Ok(outputs),
    }
}

fn network(
    layers: Vec<(Dense, Option<Activation>)>,
    strengths: Vec<(usize, Vec<f32>)>,
) -> Result<Network> {
    let of_kind = |index: usize, activation: Activation| match strengths
        .iter()
        .any(|(layer, _)| *layer == index)
    {
        true => Layer::Parametric(Parametric::new(activation)),
        false => Layer::Activation(activation),
    };
    let shapes = layers.iter().enumerate().flat_map(|(index, (layer, activation))| {
        let linear = Layer::Linear(Linear::new(layer.inputs, layer.outputs));
        [Some(linear), activation.map(|it| of_kind(index, it))].into_iter().flatten()
    });
    let mut network =
        Network::from_layers(shapes.collect()).map_err(|error| invalid(error.to_string()))?;
    for (index, (layer, _)) in layers.into_iter().enumerate() {
        network.weight_mut(index).copy_from_slice(&layer.weight);
        network.bias_mut(index).copy_from_slice(&layer.bias);
    }
    for (index, strengths) in strengths {
        if let Some(to) = network.strengths_mut(index) {
            to.copy_from_slice(&strengths);
        }
    }
    Ok(network)
}
