//! Initial weights (docs/maths.md M11). Biases start at 0, but for those of scikit-learn's start, `ntk` and `tabular`.

use rand_distr::{Distribution, Normal, StandardNormal, Uniform};

use crate::error::{Error, Result};
use crate::network::columns::Start;
use crate::network::{Activation, Network};
use crate::random::{Purpose, numbered_stream};

/// From which distribution weights are drawn.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// He for layers that feed ReLU, leaky ReLU, GELU, ELU, SiLU or Mish, Glorot for all others.
    Auto,
    /// `N(0, 2 / inputs)` (He et al. 2015)
    He,
    /// Uniform in `+- sqrt(6 / (inputs + outputs))` (Glorot and Bengio 2010)
    Glorot,
    /// As scikit-learn's `MLPClassifier` begins: uniform in `+- sqrt(6 / (inputs + outputs))`, with a factor of 2 in place
    /// of 6 where sigmoids are used, and the biases like the weights
    Sklearn,
    /// For [`Parametrization::Ntk`](crate::network::Parametrization::Ntk): `N(0, 1 / inputs)`, biases `N(0, 1)`, and
    /// all parameters of the last layer 0 (RealMLP-TD-S, Holzmüller et al. 2024)
    Ntk,
    /// `N(0, 1)`, then scaled by training data: each unit's weights are divided by the standard deviation of its
    /// pre-activation, and its bias puts the unit among the data (RealMLP-TD, Holzmüller et al. 2024). A network alone
    /// knows no data: [`Network::initialize`] draws `N(0, 1 / inputs)`, and a run scales it.
    Tabular,
    /// `N(0, s^2)` with this standard deviation
    Normal(f32),
}

impl Init {
    /// Reads `auto`, `he`, `glorot`, `sklearn`, `ntk`, `tabular` or `normal:0.01`.
    ///
    /// # Errors
    /// `InvalidArgument` for anything else.
    pub fn parse(text: &str) -> Result<Init> {
        match text {
            "auto" => Ok(Init::Auto),
            "he" => Ok(Init::He),
            "glorot" => Ok(Init::Glorot),
            "sklearn" => Ok(Init::Sklearn),
            "ntk" => Ok(Init::Ntk),
            "tabular" => Ok(Init::Tabular),
            _ => text
                .strip_prefix("normal:")
                .and_then(|deviation| deviation.parse::<f32>().ok())
                .filter(|deviation| deviation.is_finite() && *deviation >= 0.0)
                .map(Init::Normal)
                .ok_or_else(|| {
                    Error::argument(format!(
                        "initialization '{text}' is not known: use auto, he, glorot, sklearn, ntk, tabular, normal:S \
                         (S a standard deviation, such as normal:0.01) or an .npz file of arrays"
                    ))
                }),
        }
    }

    /// The form that [`Init::parse`] reads.
    pub fn name(self) -> String {
        match self {
            Init::Auto => "auto".into(),
            Init::He => "he".into(),
            Init::Glorot => "glorot".into(),
            Init::Sklearn => "sklearn".into(),
            Init::Ntk => "ntk".into(),
            Init::Tabular => "tabular".into(),
            Init::Normal(deviation) => format!("normal:{deviation}"),
        }
    }
}

impl Network {
    /// Draws all weights anew, each layer's from a stream of its own, and sets the biases to 0, but for
    /// [`Init::Sklearn`] and [`Init::Ntk`]. Embeddings of columns have their own distributions, whatever `init` is.
    pub fn initialize(&mut self, init: Init, seed: u64) {
        self.initialize_columns(seed);
        self.reset_strengths();
        for index in 0..self.linears().len() {
            let linear = self.linears()[index];
            let mut rng = numbered_stream(seed, Purpose::Init, index as u64);
            let he = (2.0 / linear.inputs as f32).sqrt();
            let glorot = (6.0 / (linear.inputs + linear.outputs) as f32).sqrt();
            let rectified = matches!(
                self.activation_after(index),
                Activation::Relu
                    | Activation::LeakyRelu { .. }
                    | Activation::Gelu
                    | Activation::Elu { .. }
                    | Activation::Silu
                    | Activation::Mish
            );
            let init = match init {
                Init::Auto if rectified => Init::He,
                Init::Auto => Init::Glorot,
                other => other,
            };
            self.bias_mut(index).fill(0.0);
            if init == Init::Sklearn {
                // scikit-learn has one activation for all layers; the last layer goes by that before it.
                let last_hidden = self.linears().len().max(2) - 2;
                let activation = self.activation_after(index.min(last_hidden));
                let factor = if activation == Activation::Sigmoid { 2.0 } else { 6.0 };
                let bound = (factor / (linear.inputs + linear.outputs) as f32).sqrt();
                let Ok(uniform) = Uniform::new_inclusive(-bound, bound) else { continue };
                self.weight_mut(index).iter_mut().for_each(|w| *w = uniform.sample(&mut rng));
                self.bias_mut(index).iter_mut().for_each(|b| *b = uniform.sample(&mut rng));
                continue;
            }
            if init == Init::Ntk {
                let last = index + 1 == self.linears().len();
                let scale = if last { 0.0 } else { 1.0 };
                let deviation = scale / (linear.inputs as f32).sqrt();
                let mut normal = || -> f32 { StandardNormal.sample(&mut rng) };
                self.weight_mut(index).iter_mut().for_each(|w| *w = deviation * normal());
                self.bias_mut(index).iter_mut().for_each(|b| *b = scale * normal());
                continue;
            }
            let weight = self.weight_mut(index);
            // Both distributions are valid for any finite scale, so that neither can fail here.
            match init {
                Init::Glorot => {
                    let Ok(uniform) = Uniform::new_inclusive(-glorot, glorot) else { continue };
                    weight.iter_mut().for_each(|w| *w = uniform.sample(&mut rng));
                }
                Init::He
                | Init::Auto
                | Init::Sklearn
                | Init::Ntk
                | Init::Tabular
                | Init::Normal(_) => {
                    let deviation = match init {
                        Init::Normal(deviation) => deviation,
                        Init::Tabular => 1.0 / (linear.inputs as f32).sqrt(),
                        _ => he,
                    };
                    let Ok(normal) = Normal::new(0.0, deviation) else { continue };
                    weight.iter_mut().for_each(|w| *w = normal.sample(&mut rng));
                }
            }
        }
    }
}

/// Streams from here on are for the tensors of a layer of columns, so that linear layers draw what they draw without it.
const COLUMNS: u64 = 1 << 32;

impl Network {
    /// Draws the parameters of the layer of columns, each tensor's from a stream of its own.
    fn initialize_columns(&mut self, seed: u64) {
        let Some(columns) = self.columns().cloned() else { return };
        for (number, (tensor, start)) in columns.tensors(0).iter().zip(columns.starts()).enumerate()
        {
            let mut rng = numbered_stream(seed, Purpose::Init, COLUMNS + number as u64);
            let values = &mut self.parameters_mut()[tensor.range.clone()];
            // Both distributions are valid for the scales of a layer, so that neither can fail here.
            match start {
                Start::Zero => values.fill(0.0),
                Start::Normal(std) => {
                    let Ok(normal) = Normal::new(0.0, std) else { continue };
                    values.iter_mut().for_each(|value| *value = normal.sample(&mut rng));
                }
                Start::Uniform(bound) => {
                    let Ok(uniform) = Uniform::new_inclusive(-bound, bound) else { continue };
                    values.iter_mut().for_each(|value| *value = uniform.sample(&mut rng));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(init: Init, activation: Activation) -> (f32, f32) {
        let mut network = Network::dense(100, &[400], &[activation], 10).unwrap();
        network.initialize(init, 3);
        assert!(network.bias(0).iter().all(|&b| b == 0.0));
        let weight = network.weight(0);
        let square = weight.iter().map(|w| w * w).sum::<f32>() / weight.len() as f32;
        (square.sqrt(), weight.iter().fold(0.0, |max, w| w.abs().max(max)))
    }

    #[test]
    fn distributions_have_the_stated_spread() {
        let he = (2.0f32 / 100.0).sqrt();
        let glorot = (6.0f32 / 500.0).sqrt();
        for (init, activation, deviation) in [
            (Init::He, Activation::Relu, he),
            (Init::Auto, Activation::Relu, he),
            (Init::Glorot, Activation::Relu, glorot / 3f32.sqrt()),
            (Init::Auto, Activation::Tanh, glorot / 3f32.sqrt()),
            (Init::Normal(0.01), Activation::Relu, 0.01),
        ] {
            let (found, _) = spread(init, activation);
            assert!((found / deviation - 1.0).abs() < 0.03, "{init:?}: {found} {deviation}");
        }
        assert!(spread(Init::Glorot, Activation::Tanh).1 <= glorot);
    }

    #[test]
    fn the_start_for_ntk_is_normal_and_ends_with_zeros() {
        let mut network = Network::dense(100, &[400, 50], &[Activation::Mish], 10).unwrap();
        network.initialize(Init::Ntk, 3);
        let square =
            |values: &[f32]| values.iter().map(|v| v * v).sum::<f32>() / values.len() as f32;
        assert!((square(network.weight(0)) * 100.0 - 1.0).abs() < 0.03);
        assert!((square(network.weight(1)) * 400.0 - 1.0).abs() < 0.03);
        assert!((square(network.bias(0)) - 1.0).abs() < 0.25);
        assert!(network.weight(2).iter().chain(network.bias(2)).all(|&value| value == 0.0));
        assert_eq!(Init::parse("ntk").unwrap(), Init::Ntk);
    }

    #[test]
    fn scikit_learns_start_has_its_bounds() {
        for (activation, factor) in [(Activation::Relu, 6.0f32), (Activation::Sigmoid, 2.0)] {
            let mut network = Network::dense(100, &[400], &[activation], 10).unwrap();
            network.initialize(Init::Sklearn, 3);
            for (layer, width) in [(0, 500.0), (1, 410.0)] {
                let bound = (factor / width).sqrt();
                for values in [network.weight(layer), network.bias(layer)] {
                    let most = values.iter().fold(0f32, |most, value| most.max(value.abs()));
                    assert!(
                        most <= bound && most > 0.6 * bound,
                        "{activation:?} {layer}: {most} {bound}"
                    );
                }
            }
        }
        let mut single = Network::dense(4, &[], &[Activation::Relu], 3).unwrap();
        single.initialize(Init::Sklearn, 0);
        assert!(single.parameters().iter().all(|value| value.abs() <= (6.0f32 / 7.0).sqrt()));
    }

    #[test]
    fn names_are_read_back() {
        for init in [Init::Auto, Init::He, Init::Glorot, Init::Sklearn, Init::Normal(0.01)] {
            assert_eq!(Init::parse(&init.name()).unwrap(), init);
        }
        for wrong in ["", "xavier", "normal:", "normal:-1", "normal:nan"] {
            assert!(Init::parse(wrong).is_err(), "{wrong}");
        }
    }
}
