//! The data-dependent start of [`Init::Tabular`](crate::network::Init::Tabular) (docs/maths.md M11): a network with
//! drawn weights, its transform and its training samples in; weights on the scale of the data and biases out.
//!
//! Layer after layer, each unit's weights are divided by the standard deviation of its pre-activation over training
//! samples. Its bias is minus a random mean of five of these pre-activations ("he+5", Steinwart 2019): the
//! unit then changes its slope where the data are.

use gradus_kernels::Kernels;
use gradus_kernels::matrix::{MatMut, MatRef};
use rand_distr::{Distribution, Exp1, Uniform};

use crate::engine::cpu::{Executor, kernels, linear};
use crate::error::Result;
use crate::network::Network;
use crate::random::{Purpose, numbered_stream};
use crate::samples::Subset;
use crate::training::some_inputs::some_inputs;
use crate::transform::Transform;

/// Samples that decide at most, evenly spread over the training part: more change the standard deviations by less than a
/// hundredth.
const MOST_SAMPLES: usize = 8192;

/// Pre-activations whose mean becomes a bias.
const IN_A_BIAS: usize = 5;

/// Sets scales and biases of all layers.
///
/// # Errors
/// `InvalidArgument` for a wrong `GRADUS_ISA`; those of reading samples that are not in memory.
pub(super) fn apply(
    network: &mut Network,
    transform: &Transform,
    data: &Subset,
    seed: u64,
) -> Result<()> {
    let kernels = kernels()?;
    let mut values = some_inputs(transform, data, MOST_SAMPLES)?;
    let samples = values.len() / network.inputs();
    if network.columns().is_some() {
        let executor = Executor::new(kernels, network, false);
        values = executor.embedded(MatRef::new(&values, samples, network.inputs()));
    }
    for index in 0..network.linears().len() {
        let width = network.linears()[index].outputs;
        let mut outputs = products(kernels, network, index, &values, samples);
        scale_columns(network, index, &mut outputs, width);
        set_biases(network, index, &mut outputs, seed);
        network.activation_after(index).forward(kernels, &mut outputs);
        values = outputs;
    }
    Ok(())
}

/// `x W` of one layer.
fn products(
    kernels: Kernels,
    network: &Network,
    index: usize,
    inputs: &[f32],
    samples: usize,
) -> Vec<f32> {
    let layer = network.linears()[index];
    let mut outputs = vec![0.0; samples * layer.outputs];
    let weight = MatRef::new(network.weight(index), layer.inputs, layer.outputs);
    linear::forward(
        kernels,
        MatRef::new(inputs, samples, layer.inputs),
        weight,
        &vec![0.0; layer.outputs],
        MatMut::new(&mut outputs, samples, layer.outputs),
    );
    outputs
}

/// Divides weights and pre-activations of each unit by the standard deviation of the latter; where they do not vary,
/// the weights stay as they were drawn.
fn scale_columns(network: &mut Network, index: usize, outputs: &mut [f32], width: usize) {
    let count = (outputs.len() / width).max(1) as f64;
    let mut sums = vec![(0.0f64, 0.0f64); width];
    for row in outputs.chunks_exact(width) {
        for ((sum, squares), &value) in sums.iter_mut().zip(row) {
            *sum += f64::from(value);
            *squares += f64::from(value) * f64::from(value);
        }
    }
    let factors: Vec<f32> = sums
        .iter()
        .map(|(sum, squares)| {
            let (mean, square) = (sum / count, squares / count);
            let variance = square - mean * mean;
            // What rounding leaves of equal values is no variance.
            if variance > 1e-10 * square { (1.0 / variance.sqrt()) as f32 } else { 1.0 }
        })
        .collect();
    for rows in [network.weight_mut(index), outputs] {
        for row in rows.chunks_exact_mut(width) {
            row.iter_mut().zip(&factors).for_each(|(value, factor)| *value *= factor);
        }
    }
}

/// Draws the biases and adds them to the pre-activations.
fn set_biases(network: &mut Network, index: usize, outputs: &mut [f32], seed: u64) {
    let biases = network.bias_mut(index);
    let (width, samples) = (biases.len(), outputs.len() / biases.len());
    let mut rng = numbered_stream(seed, Purpose::InitBias, index as u64);
    let Ok(any_sample) = Uniform::new(0, samples) else { return };
    for (unit, bias) in biases.iter_mut().enumerate() {
        let (mut sum, mut total) = (0.0f64, 0.0f64);
        for _ in 0..IN_A_BIAS {
            // Exponential shares of a whole are uniform on the simplex.
            let share: f64 = Exp1.sample(&mut rng);
            let sample = any_sample.sample(&mut rng);
            sum += share * f64::from(outputs[sample * width + unit]);
            total += share;
        }
        *bias = -(sum / total) as f32;
    }
    for row in outputs.chunks_exact_mut(width) {
        row.iter_mut().zip(&*biases).for_each(|(value, bias)| *value += bias);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Activation, Init};
    use crate::samples::{Dataset, Inputs};

    fn data() -> Dataset {
        let values = (0..600).map(|i| ((i * i) as f32 * 0.37).sin() * 50.0 + 7.0).collect();
        let names = vec!["a".into()];
        Dataset::new(Inputs::Floats(values), vec![0; 200], vec![3], names).unwrap()
    }

    fn started(seed: u64) -> Network {
        let mut network = Network::dense(3, &[40, 30], &[Activation::Mish], 2).unwrap();
        network.initialize(Init::Tabular, seed);
        apply(&mut network, &Transform::IDENTITY, &(&data()).into(), seed).unwrap();
        network
    }

    #[test]
    fn pre_activations_vary_by_1_and_are_0_among_the_data() {
        let (network, data) = (started(5), data());
        let kernels = kernels().unwrap();
        let mut values = some_inputs(&Transform::IDENTITY, &(&data).into(), MOST_SAMPLES).unwrap();
        for index in 0..3 {
            let width = network.linears()[index].outputs;
            let mut outputs = products(kernels, &network, index, &values, 200);
            for row in outputs.chunks_exact_mut(width) {
                kernels.add(row, network.bias(index));
            }
            for unit in 0..width {
                let column = || outputs.iter().skip(unit).step_by(width).map(|&it| f64::from(it));
                let mean = column().sum::<f64>() / 200.0;
                let variance = column().map(|it| (it - mean).powi(2)).sum::<f64>() / 200.0;
                assert!((variance.sqrt() - 1.0).abs() < 1e-3, "{index} {unit}: {variance}");
                assert!(column().any(|it| it <= 0.0) && column().any(|it| it >= 0.0));
            }
            network.activation_after(index).forward(kernels, &mut outputs);
            values = outputs;
        }
    }

    #[test]
    fn the_seed_decides_and_constant_columns_do_no_harm() {
        assert_eq!(started(5), started(5));
        assert_ne!(started(5), started(6));
        let names = vec!["a".into()];
        let constant =
            Dataset::new(Inputs::Floats(vec![0.0; 30]), vec![0; 10], vec![3], names).unwrap();
        let mut network = Network::dense(3, &[8], &[Activation::Selu], 2).unwrap();
        network.initialize(Init::Tabular, 1);
        apply(&mut network, &Transform::IDENTITY, &(&constant).into(), 1).unwrap();
        assert!(network.parameters().iter().all(|value| value.is_finite()));
    }
}
