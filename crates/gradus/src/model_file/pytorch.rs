//! The weights of a PyTorch model, as `safetensors.torch.save_file(model.state_dict(), ...)` writes
//! them: bytes in, layers in their order out.
//!
//! The file has names and shapes, but no order. Names that differ in their numbers alone (`0.weight`,
//! `2.weight`; `fc1.weight`, `fc2.weight`) are in the order of the numbers; others in the only order
//! in which the sizes fit.

use std::collections::BTreeMap;

use ::safetensors::tensor::{Dtype, SafeTensors, TensorView};
use gradus_core::error::invalid;
use gradus_core::model_file::{damaged, safetensors};

use super::stack::{Dense, ReadOptions, Stack};
use crate::classifier::Model;
use crate::error::Result;

/// More layers than this have no order of their own but by numbers.
const MOST_UNNUMBERED: usize = 10;

/// The model of these weights.
///
/// # Errors
/// `InvalidData` if they are not those of dense layers, or their order is not clear.
pub(super) fn read_model(bytes: &[u8], options: &ReadOptions) -> Result<Model> {
    safetensors::check_header(bytes)?;
    let tensors = SafeTensors::deserialize(bytes).map_err(damaged)?;
    let layers = in_order(modules(&tensors)?)?;
    let mut stack = Stack::new(options.transform.as_ref());
    stack.push_all(layers, options.hidden_activations())?;
    stack.finish(None)
}

/// A module's name and its layer.
type Module = (String, Dense);

fn modules(tensors: &SafeTensors) -> Result<Vec<Module>> {
    let mut parts: BTreeMap<&str, [Option<TensorView>; 2]> = BTreeMap::new();
    for (name, tensor) in tensors.iter() {
        let (module, part) = name.rsplit_once('.').unwrap_or(("", name));
        let place = match (part, tensor.shape().len()) {
            ("weight", 2) => 0,
            ("bias", 1) => 1,
            _ => {
                return Err(invalid(format!(
                    "the tensor '{name}' of shape {:?} belongs to no dense layer; expected a weight \
                     and a bias of each, as torch.nn.Linear has them (a model with other layers is \
                     read from an .onnx file)",
                    tensor.shape()
                )));
            }
        };
        parts.entry(module).or_default()[place] = Some(tensor);
    }
    parts.into_iter().map(|(name, parts)| Ok((name.to_owned(), dense(name, parts)?))).collect()
}

fn dense(name: &str, [weight, bias]: [Option<TensorView>; 2]) -> Result<Dense> {
    let weight = weight.ok_or_else(|| invalid(format!("'{name}' has a bias and no weight")))?;
    let &[outputs, inputs] = weight.shape() else { return Err(invalid("no matrix")) };
    if inputs == 0 || outputs == 0 {
        return Err(invalid(format!("the weight of '{name}' is empty")));
    }
    let rows = floats(name, &weight)?;
    let columns = (0..inputs).flat_map(|at| rows.iter().skip(at).step_by(inputs).copied());
    let bias = match bias {
        Some(bias) if bias.shape() == [outputs] => floats(name, &bias)?,
        Some(bias) => {
            let shape = bias.shape();
            return Err(invalid(format!(
                "the bias of '{name}' has shape {shape:?}, expected [{outputs}]"
            )));
        }
        None => vec![0.0; outputs],
    };
    Ok(Dense { inputs, outputs, weight: columns.collect(), bias })
}

fn floats(name: &str, tensor: &TensorView) -> Result<Vec<f32>> {
    let data = tensor.data();
    match tensor.dtype() {
        Dtype::F32 => Ok(data.as_chunks().0.iter().map(|&x| f32::from_le_bytes(x)).collect()),
        Dtype::F64 => {
            Ok(data.as_chunks().0.iter().map(|&x| f64::from_le_bytes(x) as f32).collect())
        }
        other => Err(invalid(format!(
            "'{name}' holds values of type {other}, expected F32: model.float() before saving"
        ))),
    }
}

/// The layers in the order of computation.
fn in_order(mut modules: Vec<Module>) -> Result<Vec<Dense>> {
    let words = |name: &str| name.replace(|c: char| c.is_ascii_digit(), "");
    let numbers = |name: &str| -> Vec<u64> {
        let parts = name.split(|c: char| !c.is_ascii_digit());
        parts.filter_map(|digits| digits.parse().ok()).collect()
    };
    let same = |(name, _): &Module| words(name) == words(&modules[0].0);
    if modules.iter().all(same) {
        modules.sort_by_key(|(name, _)| numbers(name));
    } else {
        let sizes: Vec<_> = modules.iter().map(|(_, it)| (it.inputs, it.outputs)).collect();
        let order = only_order(&sizes).ok_or_else(|| {
            let names: Vec<&str> = modules.iter().map(|(name, _)| name.as_str()).collect();
            invalid(format!(
                "the order of its layers is not clear: {}; give them names that differ in a number \
                 only, as torch.nn.Sequential does, or export the model as .onnx",
                names.join(", ")
            ))
        })?;
        let mut layers: Vec<_> = modules.into_iter().map(Some).collect();
        modules = order.into_iter().filter_map(|at| layers[at].take()).collect();
    }
    Ok(modules.into_iter().map(|(_, layer)| layer).collect())
}

/// The only order in which each takes as many values as the one before gives; `None` if there is
/// no such order, or more than one.
fn only_order(sizes: &[(usize, usize)]) -> Option<Vec<usize>> {
    if sizes.len() > MOST_UNNUMBERED {
        return None;
    }
    let mut found = Vec::new();
    extend(sizes, &mut Vec::new(), &mut found);
    if found.len() == 1 { found.pop() } else { None }
}

/// Adds to `found` the orders that begin with `begun`, two at most.
fn extend(sizes: &[(usize, usize)], begun: &mut Vec<usize>, found: &mut Vec<Vec<usize>>) {
    if begun.len() == sizes.len() {
        found.push(begun.clone());
        return;
    }
    let width = begun.last().map(|&last| sizes[last].1);
    for next in 0..sizes.len() {
        let fits = width.is_none_or(|width| width == sizes[next].0);
        if fits && !begun.contains(&next) && found.len() < 2 {
            begun.push(next);
            extend(sizes, begun, found);
            begun.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_give_the_order_where_only_one_fits() {
        assert_eq!(only_order(&[(8, 3), (4, 8)]), Some(vec![1, 0]));
        assert_eq!(only_order(&[(8, 8), (4, 8), (8, 3)]), Some(vec![1, 0, 2]));
        assert_eq!(only_order(&[(8, 8), (4, 8), (8, 3), (8, 8)]), None);
        assert_eq!(only_order(&[(8, 3), (4, 7)]), None);
        assert_eq!(only_order(&[(2, 2); 30]), None);
    }
}
