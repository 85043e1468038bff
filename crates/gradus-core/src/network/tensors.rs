//! The tensors of a network by name: where each stands in the vector of parameters, and what it is.

use crate::network::tensor::{Role, Tensor};
use crate::network::{Layer, Network};

impl Network {
    /// The tensors in the order in which they stand in [`Network::parameters`].
    #[doc(hidden)] // for the other crates of gradus
    pub fn tensors(&self) -> Vec<Tensor> {
        let tensors = self.layers().iter().enumerate().flat_map(|(position, layer)| {
            let linear = match layer {
                Layer::Columns(columns) => return columns.tensors(position),
                Layer::Linear(linear) => linear,
                Layer::Activation(_) => return Vec::new(),
                Layer::Parametric(parametric) => {
                    let range = parametric.strengths();
                    return vec![Tensor {
                        name: format!("{position}.strength"),
                        shape: [1, range.len()],
                        range,
                        role: Role::Strength,
                    }];
                }
            };
            let (name, outputs) = (|what: &str| format!("{position}.{what}"), linear.outputs);
            vec![
                Tensor {
                    name: name("weight"),
                    shape: [linear.inputs, outputs],
                    range: linear.weight(),
                    role: Role::Weight,
                },
                Tensor {
                    name: name("bias"),
                    shape: [1, outputs],
                    range: linear.bias(),
                    role: Role::Bias,
                },
            ]
        });
        tensors.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Activation;

    #[test]
    fn tensors_cover_the_parameters_in_order() {
        let network = Network::dense(4, &[3, 5], &[Activation::Relu], 2).unwrap();
        let tensors = network.tensors();
        let names: Vec<_> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
        assert_eq!(names, ["0.weight", "0.bias", "2.weight", "2.bias", "4.weight", "4.bias"]);
        let mut end = 0;
        for tensor in &tensors {
            assert_eq!(tensor.range.start, end);
            assert_eq!(tensor.range.len(), tensor.shape[0] * tensor.shape[1]);
            end = tensor.range.end;
        }
        assert_eq!(end, network.parameters().len());
        let network = network.with_strengths().unwrap();
        let tensors = network.tensors();
        let names: Vec<_> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
        assert_eq!(names[..4], ["0.weight", "0.bias", "1.strength", "2.weight"]);
        let mut ends = tensors.iter().map(|tensor| tensor.range.end);
        let starts = tensors.iter().skip(1).map(|tensor| tensor.range.start);
        assert!(ends.clone().zip(starts).all(|(end, start)| end == start));
        assert_eq!(ends.next_back(), Some(network.parameters().len()));
        assert_eq!(network.strengths(1), Some(&[1.0; 5][..]));
        assert_eq!(network.strengths(2), None);
    }
}
