//! Weights as whole numbers of 8 bits: a weight `[inputs x outputs]` in, `w = scale_j q` for unit `j` out.

use crate::network::Network;

/// The largest whole number; its negative is the smallest, so that the numbers are symmetric.
const MOST: f32 = 127.0;

/// A weight in 8 bits.
pub(super) struct Int8Weight {
    /// `inputs x outputs`, row-major.
    pub(super) values: Vec<i8>,
    /// What the values of each unit are multiplied by.
    pub(super) scales: Vec<f32>,
}

impl Int8Weight {
    /// The nearest of `w = scale_j q` with whole `q` from -127 to 127, where `scale_j` is the largest weight of unit `j`
    /// divided by 127.
    pub(super) fn new(weight: &[f32], outputs: usize) -> Int8Weight {
        let mut scales = vec![0.0f32; outputs];
        for row in weight.chunks_exact(outputs) {
            for (scale, &value) in scales.iter_mut().zip(row) {
                *scale = scale.max(value.abs());
            }
        }
        scales.iter_mut().for_each(|scale| *scale /= MOST);
        let quantized = |(&value, &scale): (&f32, &f32)| match scale > 0.0 {
            // A scale too small for single precision could make more of it.
            true => (value / scale).round().clamp(-MOST, MOST) as i8,
            false => 0,
        };
        let rows = weight.chunks_exact(outputs);
        Int8Weight {
            values: rows.flat_map(|row| row.iter().zip(&scales).map(quantized)).collect(),
            scales,
        }
    }

    /// The weight in single precision.
    fn to_floats(&self) -> Vec<f32> {
        let rows = self.values.chunks_exact(self.scales.len());
        rows.flat_map(|row| row.iter().zip(&self.scales).map(|(&q, scale)| f32::from(q) * scale))
            .collect()
    }
}

/// The network with the weights that a file with 8-bit weights has; biases stay as they are.
pub fn rounded(network: &Network) -> Network {
    let mut rounded = network.clone();
    for index in 0..network.linears().len() {
        let outputs = network.linears()[index].outputs;
        let weight = Int8Weight::new(network.weight(index), outputs).to_floats();
        rounded.weight_mut(index).copy_from_slice(&weight);
    }
    rounded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Activation, Init};

    #[test]
    fn weights_move_by_at_most_half_a_step() {
        let mut network = Network::dense(7, &[5], &[Activation::Relu], 3).unwrap();
        network.initialize(Init::Glorot, 1);
        network.weight_mut(0).iter_mut().step_by(5).for_each(|weight| *weight = 0.0);
        network.bias_mut(0)[1] = 0.123;
        let found = rounded(&network);
        assert_eq!(found.bias(0), network.bias(0));
        for index in 0..2 {
            let outputs = network.linears()[index].outputs;
            for unit in 0..outputs {
                let of = |network: &Network| -> Vec<f32> {
                    network.weight(index).iter().skip(unit).step_by(outputs).copied().collect()
                };
                let (before, after) = (of(&network), of(&found));
                let largest = before.iter().fold(0.0f32, |most, w| most.max(w.abs()));
                for (w, rounded) in before.iter().zip(&after) {
                    assert!(
                        (w - rounded).abs() <= largest / MOST * 0.501,
                        "{w} {rounded} {largest}"
                    );
                }
                // The largest is exact, up to rounding.
                assert!(after.iter().any(|w| (w.abs() - largest).abs() <= 1e-6 * largest));
            }
        }
        // Rounding again changes nothing more.
        let again = rounded(&found);
        let differs = found
            .parameters()
            .iter()
            .zip(again.parameters())
            .any(|(a, b)| (a - b).abs() > 1e-6 * a.abs());
        assert!(!differs);
    }
}
