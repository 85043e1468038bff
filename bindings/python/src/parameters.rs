//! The parameters of a network as Python has them: one vector, and names of activations.

use gradus::network::{Activation, Network};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::errors::guarded;

/// The activations of these names.
pub(crate) fn known(names: Vec<String>) -> PyResult<Vec<Activation>> {
    let known = |name| Activation::try_from(name).map_err(PyValueError::new_err);
    names.into_iter().map(known).collect()
}

/// Replaces the parameters of a network.
pub(crate) fn set_parameters(network: &mut Network, parameters: &[f32]) -> gradus::Result<()> {
    let linears = network.linears().to_vec();
    let expected: usize = linears.iter().map(|it| (it.inputs + 1) * it.outputs).sum();
    let found = parameters.len();
    if found != expected {
        return Err(gradus::Error::argument(format!(
            "{found} weights and biases, but the network has {expected}"
        )));
    }
    // Embeddings of columns and strengths of activations stay as they are.
    let mut rest = parameters;
    for index in 0..linears.len() {
        for part in [0, 1] {
            let target =
                if part == 0 { network.weight_mut(index) } else { network.bias_mut(index) };
            let (values, more) = rest.split_at(target.len());
            target.copy_from_slice(values);
            rest = more;
        }
    }
    Ok(())
}

/// A network of these sizes, the features, the units of each hidden layer and the outputs, with these parameters.
pub(crate) fn network_of(
    sizes: &[usize],
    activations: Vec<Activation>,
    parameters: &[f32],
) -> PyResult<Network> {
    let [features, hidden @ .., outputs] = sizes else {
        return Err(PyValueError::new_err("a network has at least one layer"));
    };
    let activations = if hidden.is_empty() { vec![Activation::Identity] } else { activations };
    guarded(|| {
        let mut network = Network::dense(*features, hidden, &activations, *outputs)?;
        set_parameters(&mut network, parameters)?;
        Ok(network)
    })
}
