//! What one answer comes from: a sample in, the activity of each hidden unit and what each feature
//! contributes out (docs/maths.md M22).

use std::borrow::Borrow;

use super::slopes::Stack;
use super::{Classifier, Model};
use crate::engine::cpu::kernels;
use crate::error::{Error, Result};
use crate::samples::Rows;

/// What one answer comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// For each hidden layer the activity of its units; of a bag those of all members, one after the other.
    pub units: Vec<Vec<f32>>,
    /// For each feature how much it speaks for the class, where positive, or against it: its raw
    /// value times the slope along it of how far the class's logit stands above the mean logit,
    /// `x_i d(z_c - mean_k z_k) / dx_i`. A feature of value 0 speaks for nothing. Of a bag the mean over its members.
    pub contributions: Vec<f32>,
}

impl<M: Borrow<Model>> Classifier<M> {
    /// What speaks for and against `class` in one sample of raw values: gradient times input
    /// (Shrikumar et al. 2016), and what the hidden units do. [`Model::contributions`] is for the columns of tables.
    ///
    /// # Errors
    /// `InvalidArgument` if the sample has not the model's size, there is no such class, the network embeds columns, or the
    /// model takes raw columns.
    pub fn explain(&self, sample: Rows, class: usize) -> Result<Explanation> {
        if self.transform.schema().is_some() {
            return Err(Error::argument(
                "gradient times input is for models of numbers; for raw columns of a table there are contributions",
            ));
        }
        let (network, features) = (&self.network, self.network.inputs());
        if sample.len() != features {
            let found = sample.len();
            return Err(Error::argument(format!(
                "one sample has {features} values, but {found} were given"
            )));
        }
        if network.columns().is_some() {
            return Err(Error::argument(
                "the model embeds the columns of a table; gradient times input is for networks of linear layers and \
                 activations alone, and for others there are contributions",
            ));
        }
        let classes = self.outputs.names.len();
        if class >= classes {
            return Err(Error::argument(format!("class {class}, but there are {classes} classes")));
        }
        let kernels = kernels()?;
        let mut input = vec![0.0; features];
        self.transform.apply(sample, 0, &mut input);
        let mut units = vec![Vec::new(); network.linears().len() - 1];
        let mut slopes = vec![0.0; features];
        let share = 1.0 / self.members() as f32;
        for network in self.networks() {
            let stack = Stack { kernels, network };
            let saved = stack.forward(&input, 1);
            let mut of_outputs = vec![-1.0 / classes as f32; classes];
            of_outputs[class] += 1.0;
            let own = stack.backward(&saved, of_outputs);
            units.iter_mut().zip(saved.units).for_each(|(all, own)| all.extend(own));
            slopes.iter_mut().zip(own).for_each(|(sum, slope)| *sum += share * slope);
        }
        // A raw value moves its input away from where 0 is.
        let mut moved = vec![0.0; features];
        self.transform.values_times_slopes(sample, &mut moved);
        let contributions = moved.iter().zip(&slopes).map(|(moved, slope)| moved * slope).collect();
        Ok(Explanation { units, contributions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Activation, Init, Layer, Network};
    use crate::transform::Transform;
    use crate::transform::normalize::Affine;
    use gradus_kernels::threads::Workers;

    fn model(hidden: &[usize], activation: Activation, features: usize) -> Classifier {
        let activations = vec![activation; hidden.len().min(1)];
        let mut network = Network::dense(features, hidden, &activations, 3).unwrap();
        network.initialize(Init::Glorot, 5);
        let transform = Transform::Affine(Affine::PerFeature {
            means: (0..features).map(|i| i as f32 / 2.0).collect(),
            stds: (0..features).map(|i| 1.0 + i as f32).collect(),
        });
        let names = ["a", "b", "c"].map(String::from).to_vec();
        Classifier::new(network, transform, vec![features], names).unwrap()
    }

    /// `z_class - mean z` in double precision, from the logarithms of the probabilities: they differ
    /// from the logits by what is the same for all classes.
    fn margin(model: &Classifier, sample: &[f32], class: usize) -> f64 {
        let found = model.predict(Rows::Floats(sample), &Workers::new(1).unwrap()).unwrap();
        let logs: Vec<f64> = found.row(0).iter().map(|&p| f64::from(p).ln()).collect();
        logs[class] - logs.iter().sum::<f64>() / logs.len() as f64
    }

    #[test]
    fn contributions_are_values_times_differences() {
        for activation in Activation::ALL {
            for hidden in [&[][..], &[7], &[6, 5]] {
                let mut model = model(hidden, activation, 6);
                if hidden.len() == 2 {
                    let transform = model.transform.clone();
                    model.transform = transform.clipped(6);
                    let weights = model.network.clone();
                    let network = weights.clone().with_strengths().unwrap();
                    model.network = network;
                    for index in 0..3 {
                        model.network.weight_mut(index).copy_from_slice(weights.weight(index));
                    }
                    for layer in model.network.layers().to_vec() {
                        let Layer::Parametric(parametric) = layer else { continue };
                        model.network.parameters_mut()[parametric.strengths()].fill(0.6);
                    }
                }
                let sample = [1.5, -2.0, 0.0, 4.0, 0.25, 3.0];
                for class in 0..3 {
                    let found = model.explain(Rows::Floats(&sample), class).unwrap().contributions;
                    for i in 0..sample.len() {
                        let step = 1e-2;
                        let at = |change: f32| {
                            let mut moved = sample;
                            moved[i] += change;
                            margin(&model, &moved, class)
                        };
                        let slope = (at(step) - at(-step)) / (2.0 * f64::from(step));
                        let expected = f64::from(sample[i]) * slope;
                        let error = (f64::from(found[i]) - expected).abs();
                        assert!(error < 2e-3, "{activation:?} {hidden:?} {i}: {error}");
                    }
                }
            }
        }
    }

    #[test]
    fn units_are_those_of_the_hidden_layers() {
        let model = model(&[4, 2], Activation::Relu, 3);
        let sample = [1.0f32, 2.0, -1.0];
        let units = model.explain(Rows::Floats(&sample), 0).unwrap().units;
        assert_eq!(units.iter().map(Vec::len).collect::<Vec<_>>(), [4, 2]);
        let weight = model.network.weight(0);
        for j in 0..4 {
            // (x - i / 2) / (1 + i), as the model normalizes.
            let inputs = [1.0, 1.5 / 2.0, -2.0 / 3.0];
            let sum: f32 = (0..3).map(|i| inputs[i] * weight[i * 4 + j]).sum();
            assert!((units[0][j] - (sum + model.network.bias(0)[j]).max(0.0)).abs() < 1e-6);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let model = model(&[4], Activation::Tanh, 3);
        for sample in [&[1.0f32; 2][..], &[1.0; 6]] {
            assert!(
                model
                    .explain(Rows::Floats(sample), 0)
                    .unwrap_err()
                    .to_string()
                    .contains("3 values")
            );
        }
        assert!(
            model
                .explain(Rows::Floats(&[1.0; 3]), 3)
                .unwrap_err()
                .to_string()
                .contains("3 classes")
        );
    }
}
