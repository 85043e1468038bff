//! Standardized regression targets (docs/maths.md M21): training targets in, the scale of each output out, and a network
//! from one scale to the other.
//!
//! The engine trains on targets of mean 0 and standard deviation 1, whatever their units. The networks that go into it
//! and come out of it are in the targets' own units: the scale is folded into the last layer, so that models and their
//! files do not know about it. Only a snapshot is in standardized units.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::network::Network;
use crate::samples::{Subset, Targets};

/// `t' = (t - mean) / std` for each output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TargetScale {
    means: Vec<f32>,
    /// Never 0: that of constant targets is 1.
    stds: Vec<f32>,
    /// Whether losses are those of standardized targets.
    #[serde(skip)]
    standardized: bool,
}

impl TargetScale {
    /// The scale of the targets of these samples, each counted by its weight, for so many outputs of each target; none in
    /// classification.
    pub(crate) fn fit(data: &Subset, per_target: usize) -> Option<TargetScale> {
        let Targets::Values { values, names } = &data.data().targets else { return None };
        let of_target = |target| mean_and_std(data, values, target, names.len());
        let of_outputs =
            (0..names.len()).flat_map(|target| std::iter::repeat_n(of_target(target), per_target));
        let (means, stds) = of_outputs.unzip();
        Some(TargetScale { means, stds, standardized: false })
    }

    /// Checks that it is for so many outputs, and that its numbers can be computed with.
    ///
    /// # Errors
    /// `InvalidArgument` if not.
    pub(crate) fn check(&self, outputs: usize) -> Result<()> {
        let sound = self.means.iter().all(|mean| mean.is_finite())
            && self.stds.iter().all(|&std| std.is_finite() && std > 0.0);
        match sound && (self.means.len(), self.stds.len()) == (outputs, outputs) {
            true => Ok(()),
            false => Err(Error::argument(
                "the scale of the targets does not fit the outputs: the checkpoint is damaged",
            )),
        }
    }

    /// Standardizes rows of targets, in place. In double precision: the difference of two large numbers may be small, or
    /// too large for single precision.
    pub(super) fn standardize(&self, rows: &mut [f32]) {
        for row in rows.chunks_exact_mut(self.means.len()) {
            for ((target, &mean), &std) in row.iter_mut().zip(&self.means).zip(&self.stds) {
                *target = ((f64::from(*target) - f64::from(mean)) / f64::from(std)) as f32;
            }
        }
    }

    /// Half the squared errors in own units of a sample whose errors are standardized, as a multiple of
    /// [`Self::loss_unit`]: single precision might not hold them.
    pub(super) fn loss(&self, outputs: &[f32], targets: &[f32], weight: f32) -> f32 {
        let most = self.largest();
        let squares =
            outputs.iter().zip(targets).zip(&self.stds).map(|((output, target), &std)| {
                let scale = if self.standardized { 1.0 } else { f64::from(std) / most };
                let error = scale * (f64::from(*output) - f64::from(*target));
                error * error
            });
        (f64::from(weight) * squares.sum::<f64>() / (2 * self.stds.len()) as f64) as f32
    }

    /// Number of outputs.
    pub(super) fn outputs(&self) -> usize {
        self.stds.len()
    }

    /// Whether [`Self::loss`] is to be that of standardized targets, which training minimizes, in place of that in own
    /// units.
    pub(super) fn count_standardized(&mut self, standardized: bool) {
        self.standardized = standardized;
    }

    /// What [`Self::loss`] is counted in: the square of the largest standard deviation.
    pub(super) fn loss_unit(&self) -> f64 {
        self.largest() * self.largest()
    }

    /// The standard deviations as shares of the largest.
    pub(super) fn relative_stds(&self) -> impl Iterator<Item = f64> {
        let most = self.largest();
        self.stds.iter().map(move |&std| f64::from(std) / most)
    }

    /// Distances in the targets' own units, one for each output, as multiples of its standard deviation.
    pub(super) fn in_standard_units(&self, distances: &[f32]) -> Vec<f32> {
        distances.iter().zip(&self.stds).map(|(distance, std)| distance / std).collect()
    }

    /// The largest standard deviation.
    pub(super) fn largest(&self) -> f64 {
        self.stds.iter().fold(0f32, |most, &std| most.max(std)).into()
    }

    /// Folds the scale into a network whose outputs are standardized: they are then in the targets' own units.
    pub(crate) fn fold_into(&self, network: &mut Network) {
        self.last_layer(network, |value, _, std| value * std, |bias, mean, std| bias * std + mean);
    }

    /// The way back.
    pub(crate) fn unfold_from(&self, network: &mut Network) {
        self.last_layer(
            network,
            |value, _, std| value / std,
            |bias, mean, std| (bias - mean) / std,
        );
    }

    /// Changes the weights and the biases of the last layer; both functions get a value, and mean and standard deviation
    /// of its output.
    fn last_layer(
        &self,
        network: &mut Network,
        weight: fn(f64, f64, f64) -> f64,
        bias: fn(f64, f64, f64) -> f64,
    ) {
        let last = network.linears().len() - 1;
        let change = |row: &mut [f32], by: fn(f64, f64, f64) -> f64| {
            for ((value, &mean), &std) in row.iter_mut().zip(&self.means).zip(&self.stds) {
                *value = by((*value).into(), mean.into(), std.into()) as f32;
            }
        };
        for row in network.weight_mut(last).chunks_exact_mut(self.means.len()) {
            change(row, weight);
        }
        change(network.bias_mut(last), bias);
    }
}

/// Mean and standard deviation of one of `width` outputs.
fn mean_and_std(data: &Subset, values: &[f32], output: usize, width: usize) -> (f32, f32) {
    let weights = data.data().sample_weights.as_ref();
    // Held-out samples may have all the weight.
    let weights = weights.filter(|weights| data.indices().any(|index| weights[index] > 0.0));
    let weighted = || {
        data.indices().map(|index| {
            let weight = weights.map_or(1.0, |weights| f64::from(weights[index]));
            (weight, f64::from(values[index * width + output]))
        })
    };
    let total: f64 = weighted().map(|(weight, _)| weight).sum();
    let mean = weighted().map(|(weight, value)| weight * value).sum::<f64>() / total;
    let variance =
        weighted().map(|(weight, value)| weight * (value - mean).powi(2)).sum::<f64>() / total;
    let counted = || weighted().filter(|&(weight, _)| weight > 0.0).map(|(_, value)| value);
    let first = counted().next().unwrap_or(mean);
    // What rounding leaves of constant targets is no standard deviation.
    let constant = counted().all(|value| value == first);
    let (mean, std) = (mean as f32, variance.sqrt() as f32);
    match !constant && std > 0.0 && std.is_finite() {
        true => (mean, std),
        false => (mean, 1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Activation, Init};
    use crate::samples::{Dataset, Inputs};

    fn set(values: Vec<f32>, outputs: usize) -> Dataset {
        let samples = values.len() / outputs;
        let names = (0..outputs).map(|output| output.to_string()).collect();
        let targets = Targets::Values { values, names };
        Dataset::with_targets(Inputs::Floats(vec![0.0; samples]), targets, vec![1]).unwrap()
    }

    #[test]
    fn each_output_has_its_own_scale() {
        let data = set(vec![1.0, 7.0, 3.0, 7.0, 5.0, 7.0], 2);
        let scale = TargetScale::fit(&(&data).into(), 1).unwrap();
        assert_eq!(scale.means, [3.0, 7.0]);
        // A constant is only shifted.
        assert_eq!(scale.stds, [(8.0f32 / 3.0).sqrt(), 1.0]);
        let mut rows = vec![3.0, 7.0, 3.0 + scale.stds[0], 9.0];
        scale.standardize(&mut rows);
        assert_eq!(rows, [0.0, 0.0, 1.0, 2.0]);
    }

    #[test]
    fn samples_count_by_their_weight() {
        let data = set(vec![2.0, 4.0, 1e30], 1).with_sample_weights(vec![3.0, 1.0, 0.0]).unwrap();
        let scale = TargetScale::fit(&(&data).into(), 1).unwrap();
        assert_eq!((scale.means[0], scale.stds[0]), (2.5, 0.75f32.sqrt()));
        let constant = set(vec![0.1; 5], 1);
        assert_eq!(TargetScale::fit(&(&constant).into(), 1).unwrap().stds, [1.0]);
        // The sums of numbers near the largest are finite.
        let huge = TargetScale::fit(&(&set(vec![-3e38, 3e38], 1)).into(), 1).unwrap();
        let mut row = vec![3e38];
        huge.standardize(&mut row);
        assert_eq!(row, [1.0]);
    }

    #[test]
    fn a_network_goes_from_scale_to_scale() {
        let scale =
            TargetScale { means: vec![10.0, -2.0], stds: vec![4.0, 0.5], standardized: false };
        let mut network = Network::dense(3, &[5], &[Activation::Tanh], 2).unwrap();
        network.initialize(Init::Glorot, 1);
        let before = network.clone();
        scale.fold_into(&mut network);
        assert_eq!(network.bias(1), [10.0, -2.0]);
        assert_eq!(network.weight(1)[3], 0.5 * before.weight(1)[3]);
        assert_eq!(network.weight(0), before.weight(0));
        scale.unfold_from(&mut network);
        assert_eq!(network, before);
    }

    #[test]
    fn losses_are_in_own_units() {
        let scale =
            TargetScale { means: vec![0.0, 0.0], stds: vec![4.0, 2.0], standardized: false };
        // Errors of 4 and 6.
        let loss = f64::from(scale.loss(&[1.0, 3.0], &[0.0, 0.0], 2.0)) * scale.loss_unit();
        assert_eq!(loss, 2.0 * (16.0 + 36.0) / 4.0);
        scale.check(2).unwrap();
        let zero = TargetScale { means: vec![0.0], stds: vec![0.0], standardized: false };
        assert!(scale.check(1).is_err() && zero.check(1).is_err());
        let large = TargetScale { means: vec![0.0], stds: vec![1e30], standardized: false };
        assert_eq!(large.loss(&[1.0], &[0.0], 1.0), 0.5);
        assert!((large.loss_unit() / 1e60 - 1.0).abs() < 1e-6);
    }
}
