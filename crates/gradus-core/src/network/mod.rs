//! The network: dense layers over one flat vector of parameters, after a layer of columns for tables.
//!
//! In: the sizes of layers and their activations. Out: a [`Network`], which knows its layers and holds
//! their parameters; [`init`] draws these. What computes with it is [`crate::engine`].

use std::ops::Range;

use crate::error::{Error, Result};

pub mod activation;
mod activation_names;
mod bins;
pub mod columns;
pub mod init;
mod parametric;
mod parametrization;
mod tensor;
mod tensors;

pub use activation::Activation;
pub use columns::{Column, ColumnLayer, NumericEmbedding};
pub use init::Init;
pub use parametric::Parametric;
pub use parametrization::Parametrization;
pub use tensor::MOST_PARAMETERS;
#[doc(hidden)] // for the tests of gradus
pub use tensor::{Role, Tensor};

/// One layer; the order of layers is the order of computation.
#[derive(Debug, Clone, PartialEq)]
pub enum Layer {
    /// Embeds the columns of a table; the first layer of a network, if there is one.
    Columns(ColumnLayer),
    /// `z = x W + b`
    Linear(Linear),
    /// `a = f(z)`, value by value
    Activation(Activation),
    /// `a = z + s (f(z) - z)` with a strength `s` for each unit
    Parametric(Parametric),
}

/// Shape of a linear layer, and where its parameters start in the network's vector: first the
/// weight `[inputs x outputs]`, row-major, then the bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linear {
    /// Values that come in.
    pub inputs: usize,
    /// Values that go out.
    pub outputs: usize,
    offset: usize,
}

impl Linear {
    /// A layer of this shape, for [`Network::from_layers`], which says where its parameters start.
    pub fn new(inputs: usize, outputs: usize) -> Linear {
        Linear { inputs, outputs, offset: 0 }
    }

    /// Where the weight stands in the vector of parameters.
    pub fn weight(&self) -> Range<usize> {
        self.offset..self.offset + self.inputs * self.outputs
    }

    /// Where the bias stands in the vector of parameters.
    pub fn bias(&self) -> Range<usize> {
        let start = self.weight().end;
        start..start + self.outputs
    }
}

/// Layers and their parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    layers: Vec<Layer>,
    linears: Vec<Linear>,
    parameters: Vec<f32>,
}

impl Network {
    /// A stack `inputs - hidden[0] - hidden[1] - ... - outputs`, all parameters 0. `activations` are
    /// one for all hidden layers or one for each; none follows the last layer.
    ///
    /// # Errors
    /// `InvalidArgument` if a size is 0, the activations are of another number, or the parameters
    /// would be too many.
    pub fn dense(
        inputs: usize,
        hidden: &[usize],
        activations: &[Activation],
        outputs: usize,
    ) -> Result<Network> {
        check_activations(activations, hidden.len())?;
        let mut layers = Vec::new();
        let mut width = inputs;
        for (index, &units) in hidden.iter().enumerate() {
            let activation = activations[index % activations.len()];
            layers.push(Layer::Linear(Linear { inputs: width, outputs: units, offset: 0 }));
            if activation != Activation::Identity {
                layers.push(Layer::Activation(activation));
            }
            width = units;
        }
        layers.push(Layer::Linear(Linear { inputs: width, outputs, offset: 0 }));
        Network::from_layers(layers)
    }

    /// A network of these layers, all parameters 0 but for strengths of activations, which are 1. Linear layers must fit together; between two of
    /// them, and after the last, stands at most one activation; the first layer is linear, or one of columns before a
    /// linear one.
    ///
    /// # Errors
    /// `InvalidArgument` if that does not hold, a size is 0 or the parameters would be too many.
    pub fn from_layers(mut layers: Vec<Layer>) -> Result<Network> {
        let wrong = |message: String| Err(Error::argument(message));
        let mut linears: Vec<Linear> = Vec::new();
        let mut total = 0usize;
        // Outputs of the layer before.
        let mut width = None;
        let mut after_linear = false;
        for (position, layer) in layers.iter_mut().enumerate() {
            match layer {
                Layer::Columns(columns) => {
                    if position > 0 {
                        return wrong("a layer of columns must be the first of a network".into());
                    }
                    total = columns.parameters();
                    width = Some(columns.outputs());
                }
                Layer::Linear(linear) => {
                    if linear.inputs == 0 || linear.outputs == 0 {
                        return wrong("a layer must have at least one input and one output".into());
                    }
                    if let Some(before) = width
                        && before != linear.inputs
                    {
                        return wrong(format!(
                            "a layer of {} inputs follows one of {before} outputs",
                            linear.inputs
                        ));
                    }
                    width = Some(linear.outputs);
                    linear.offset = total;
                    total = linear
                        .inputs
                        .checked_add(1)
                        .and_then(|rows| rows.checked_mul(linear.outputs))
                        .and_then(|count| count.checked_add(total))
                        .filter(|&count| count <= MOST_PARAMETERS)
                        .ok_or_else(|| {
                            Error::argument(format!(
                                "the network would have more than {MOST_PARAMETERS} parameters: \
                                 use smaller layers"
                            ))
                        })?;
                    linears.push(*linear);
                    after_linear = true;
                }
                Layer::Activation(activation)
                | Layer::Parametric(Parametric { activation, .. }) => {
                    if !after_linear {
                        return wrong(format!(
                            "the activation {} does not follow a linear layer",
                            activation.name()
                        ));
                    }
                    if !activation.is_valid() {
                        return wrong(format!(
                            "there is no activation {}: a slope must be 0 to 1, and an alpha 0 to 100",
                            activation.name()
                        ));
                    }
                    after_linear = false;
                }
            }
            if let Layer::Parametric(parametric) = layer {
                parametric.place(total, width.unwrap_or(0));
                total = parametric.strengths().end;
            }
        }
        if !after_linear {
            return wrong(
                "a network must end with a linear layer, whose outputs are logits".into(),
            );
        }
        let mut network = Network { layers, linears, parameters: vec![0.0; total] };
        network.reset_strengths();
        Ok(network)
    }

    /// The layers in order.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The linear layers in order.
    pub fn linears(&self) -> &[Linear] {
        &self.linears
    }

    /// The activation after linear layer `index`; identity where there is none.
    pub fn activation_after(&self, index: usize) -> Activation {
        let mut seen = 0;
        for layer in &self.layers {
            match layer {
                Layer::Columns(_) => {}
                Layer::Linear(_) => seen += 1,
                Layer::Activation(activation)
                | Layer::Parametric(Parametric { activation, .. })
                    if seen == index + 1 =>
                {
                    return *activation;
                }
                Layer::Activation(_) | Layer::Parametric(_) => {}
            }
        }
        Activation::Identity
    }

    /// The layer of columns, if there is one.
    pub fn columns(&self) -> Option<&ColumnLayer> {
        match self.layers.first() {
            Some(Layer::Columns(columns)) => Some(columns),
            _ => None,
        }
    }

    /// The same network with `columns` before its first layer, all parameters 0.
    ///
    /// # Errors
    /// `InvalidArgument` if the sizes do not fit, or the parameters would be too many.
    pub fn after_columns(self, columns: ColumnLayer) -> Result<Network> {
        let first = std::iter::once(Layer::Columns(columns));
        Network::from_layers(first.chain(self.layers).collect())
    }

    /// The same network in which each hidden unit has a strength of its activation, 1 at the start; all other parameters
    /// are 0.
    ///
    /// # Errors
    /// `InvalidArgument` if the parameters would be too many.
    pub fn with_strengths(self) -> Result<Network> {
        let layers = self.layers.into_iter().map(|layer| match layer {
            Layer::Activation(activation) => Layer::Parametric(Parametric::new(activation)),
            other => other,
        });
        Network::from_layers(layers.collect())
    }

    /// The strengths of the activation after linear layer `index`, one for each unit; none where it has none.
    pub fn strengths(&self, index: usize) -> Option<&[f32]> {
        Some(&self.parameters[self.place_of_strengths(index)?])
    }

    /// The same, writable.
    pub fn strengths_mut(&mut self, index: usize) -> Option<&mut [f32]> {
        let place = self.place_of_strengths(index)?;
        Some(&mut self.parameters[place])
    }

    fn place_of_strengths(&self, index: usize) -> Option<Range<usize>> {
        let mut seen = 0;
        for layer in &self.layers {
            match layer {
                Layer::Linear(_) => seen += 1,
                Layer::Parametric(parametric) if seen == index + 1 => {
                    return Some(parametric.strengths());
                }
                Layer::Columns(_) | Layer::Activation(_) | Layer::Parametric(_) => {}
            }
        }
        None
    }

    /// Whether a hidden layer has strengths of its activation.
    pub fn has_strengths(&self) -> bool {
        self.layers.iter().any(|layer| matches!(layer, Layer::Parametric(_)))
    }

    /// Sets all strengths of activations to 1.
    fn reset_strengths(&mut self) {
        for layer in &self.layers {
            if let Layer::Parametric(parametric) = layer {
                self.parameters[parametric.strengths()].fill(1.0);
            }
        }
    }

    /// Values of one sample.
    pub fn inputs(&self) -> usize {
        match self.columns() {
            Some(columns) => columns.columns().len(),
            None => self.linears.first().map_or(0, |linear| linear.inputs),
        }
    }

    /// Number of classes.
    pub fn outputs(&self) -> usize {
        self.linears.last().map_or(0, |linear| linear.outputs)
    }

    /// All parameters: those of the layer of columns, if there is one; weight and bias of the first linear layer and the
    /// strengths of its activation, if it has some; then of the second, ...
    pub fn parameters(&self) -> &[f32] {
        &self.parameters
    }

    /// All parameters, writable.
    pub fn parameters_mut(&mut self) -> &mut [f32] {
        &mut self.parameters
    }

    /// Weight `[inputs x outputs]` of linear layer `index`.
    pub fn weight(&self, index: usize) -> &[f32] {
        &self.parameters[self.linears[index].weight()]
    }

    /// Weight of linear layer `index`, writable.
    pub fn weight_mut(&mut self, index: usize) -> &mut [f32] {
        &mut self.parameters[self.linears[index].weight()]
    }

    /// Bias of linear layer `index`.
    pub fn bias(&self, index: usize) -> &[f32] {
        &self.parameters[self.linears[index].bias()]
    }

    /// Bias of linear layer `index`, writable.
    pub fn bias_mut(&mut self, index: usize) -> &mut [f32] {
        &mut self.parameters[self.linears[index].bias()]
    }
}

/// Checks that there is one activation for all hidden layers, or one for each.
///
/// # Errors
/// `InvalidArgument` if there is another number of them.
pub fn check_activations(activations: &[Activation], hidden_layers: usize) -> Result<()> {
    let count = activations.len();
    match count == 1 || count == hidden_layers {
        true => Ok(()),
        false => Err(Error::argument(format!(
            "{count} activations for {hidden_layers} hidden layers: give one for all of them, or one \
             for each"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_views_into_one_vector() {
        let mut network = Network::dense(4, &[3], &[Activation::Relu], 2).unwrap();
        assert_eq!(network.parameters().len(), 4 * 3 + 3 + 3 * 2 + 2);
        network.weight_mut(1)[5] = 1.0;
        network.bias_mut(1)[0] = 2.0;
        assert_eq!(network.parameters()[20..22], [1.0, 2.0]);
        assert_eq!(network.activation_after(0), Activation::Relu);
        assert_eq!(network.activation_after(1), Activation::Identity);
    }

    #[test]
    fn impossible_stacks_are_refused() {
        let linear = |inputs, outputs| Layer::Linear(Linear { inputs, outputs, offset: 0 });
        let relu = || Layer::Activation(Activation::Relu);
        let columns = || {
            let flags = vec![Column::Flag; 2];
            Layer::Columns(ColumnLayer::new(flags, NumericEmbedding::None, 1).unwrap())
        };
        let leaky = |slope| Layer::Activation(Activation::LeakyRelu { slope });
        for layers in [
            vec![],
            vec![relu()],
            vec![linear(2, 3), linear(4, 1)],
            vec![linear(2, 3), relu(), relu(), linear(3, 1)],
            vec![linear(2, 3), relu()],
            vec![linear(2, 3), leaky(-0.1), linear(3, 1)],
            vec![linear(2, 3), leaky(f32::NAN), linear(3, 1)],
            vec![columns()],
            vec![columns(), relu(), linear(2, 3)],
            vec![columns(), linear(3, 2)],
            vec![linear(2, 2), columns(), linear(2, 2)],
            vec![linear(2, 0)],
            vec![linear(1 << 20, 1 << 20)],
        ] {
            assert!(Network::from_layers(layers.clone()).is_err(), "{layers:?}");
        }
    }
}
