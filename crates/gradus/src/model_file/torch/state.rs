//! The layers of a state dictionary: names and arrays in, operations in their order out.
//!
//! A state dictionary has no order of computation and no activations. Names that differ in their numbers
//! alone (`0.weight`, `2.weight`; `fc1.weight`, `fc2.weight`) are in the order of the numbers, part by part
//! of nested names; others are in the only order in which the sizes fit. Numbers also tell where something without
//! weights stands, such as an activation, and so whether batch normalization comes before or after it.

use std::collections::HashMap;

use gradus_core::error::invalid;

use super::ops::{EPSILON, Norm, Op};
use super::tensor::Tensor;
use crate::error::Result;
use crate::network::{Activation, check_activations};

/// More layers than this have no order of their own but by numbers.
const MOST_UNNUMBERED: usize = 10;

/// The most parts of a name, such as three of `net.0.weight`.
const MOST_PARTS: usize = 40;

/// The layers of a state dictionary.
pub(super) struct State<'a> {
    pub(super) ops: Vec<(String, Op<'a>)>,
    /// Whether an activation was assumed.
    pub(super) assumes_activations: bool,
    pub(super) warnings: Vec<String>,
}

/// A layer, and the parts of its name.
#[derive(Debug, Clone)]
struct Layer<'a> {
    path: Vec<String>,
    op: Op<'a>,
}

/// What stands between two layers of a `Sequential` and has no weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gap {
    Nothing,
    Something,
    Unknown,
}

/// The operations of these arrays. `in_order` says that the arrays are in the order in which the program defined
/// them; `activations` come after all dense layers but the last, one for all or one for each.
///
/// # Errors
/// `InvalidData` if they are not those of dense layers, or their order is not clear.
pub(super) fn read<'a>(
    arrays: Vec<(String, Tensor<'a>)>,
    in_order: bool,
    activations: &[Activation],
) -> Result<State<'a>> {
    let layers = arrange(layers(arrays)?, 0, in_order)?;
    let hidden = layers.iter().filter(|layer| is_dense(layer)).count().saturating_sub(1);
    check_activations(activations, hidden)?;
    with_activations(layers, activations)
}

fn is_dense(layer: &Layer) -> bool {
    matches!(layer.op, Op::Linear(..))
}

/// The arrays of one module.
#[derive(Default)]
struct Arrays<'a> {
    weight: Option<Tensor<'a>>,
    bias: Option<Tensor<'a>>,
    mean: Option<Tensor<'a>>,
    variance: Option<Tensor<'a>>,
}

/// The layers, in the order in which their names come.
fn layers<'a>(arrays: Vec<(String, Tensor<'a>)>) -> Result<Vec<Layer<'a>>> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut modules: Vec<(String, Arrays)> = Vec::new();
    for (name, tensor) in arrays {
        let (module, part) = name.rsplit_once('.').unwrap_or(("", &name));
        if module.matches('.').count() >= MOST_PARTS {
            return Err(invalid(format!("a name of more than {MOST_PARTS} parts")));
        }
        if part == "num_batches_tracked" {
            continue;
        }
        let place = *places.entry(module.to_owned()).or_insert_with(|| {
            modules.push((module.to_owned(), Arrays::default()));
            modules.len() - 1
        });
        let found = &mut modules[place].1;
        let slot = match (part, tensor.shape.len()) {
            ("weight", 1 | 2) => &mut found.weight,
            ("bias", 1) => &mut found.bias,
            ("running_mean", 1) => &mut found.mean,
            ("running_var", 1) => &mut found.variance,
            _ => return Err(no_dense(&name, &tensor.shape)),
        };
        *slot = Some(tensor);
    }
    modules.into_iter().map(|(name, arrays)| layer(name, arrays)).collect()
}

fn no_dense(name: &str, shape: &[usize]) -> crate::error::Error {
    invalid(format!(
        "the tensor '{}' of shape {shape:?} belongs to no dense layer; expected a weight and a bias of each, as \
         torch.nn.Linear has them, or batch normalization (a model with other layers is read from an .onnx \
         file)",
        name.escape_debug()
    ))
}

fn layer<'a>(name: String, arrays: Arrays<'a>) -> Result<Layer<'a>> {
    let shown = name.escape_debug();
    let op = match arrays {
        Arrays { mean: Some(mean), variance: Some(variance), weight: scale, bias: shift } => {
            Op::Norm(Norm { scale, shift, mean, variance, epsilon: EPSILON })
        }
        Arrays { mean: Some(mean), .. } => {
            return Err(no_dense(&format!("{name}.running_mean"), &mean.shape));
        }
        Arrays { variance: Some(it), .. } => {
            return Err(no_dense(&format!("{name}.running_var"), &it.shape));
        }
        Arrays { weight: Some(weight), bias, .. } if weight.shape.len() == 2 => {
            if weight.shape.contains(&0) {
                return Err(invalid(format!("the weight of '{shown}' is empty")));
            }
            Op::Linear(weight, bias)
        }
        Arrays { weight: Some(slopes), bias: None, .. } => Op::Slopes(slopes),
        Arrays { weight: Some(_), bias: Some(_), .. } => {
            return Err(invalid(format!(
                "'{shown}' has a weight and a bias of one dimension, as layer normalization has, which \
                 gradus does not have; it belongs to no dense layer"
            )));
        }
        Arrays { weight: None, .. } => {
            return Err(invalid(format!("'{shown}' has a bias and no weight")));
        }
    };
    Ok(Layer { path: name.split('.').map(str::to_owned).collect(), op })
}

/// The layers in the order of computation; the first `depth` parts of their names are the same.
fn arrange<'a>(layers: Vec<Layer<'a>>, depth: usize, in_order: bool) -> Result<Vec<Layer<'a>>> {
    if layers.len() < 2 {
        return Ok(layers);
    }
    let all = layers.clone();
    let mut groups: Vec<(String, Vec<Layer>)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for layer in layers {
        let part = layer.path.get(depth).cloned().unwrap_or_default();
        let place = *places.entry(part.clone()).or_insert_with(|| {
            groups.push((part, Vec::new()));
            groups.len() - 1
        });
        groups[place].1.push(layer);
    }
    let words = |name: &str| name.replace(|c: char| c.is_ascii_digit(), "");
    let same = groups.iter().all(|(name, _)| words(name) == words(&groups[0].0));
    let mut arranged = Vec::new();
    for (name, group) in groups {
        match arrange(group, depth + 1, in_order) {
            Ok(group) => arranged.push((name, group)),
            // What does not fit part by part may fit as a whole.
            Err(error) => return by_sizes(all, false).ok_or(error),
        }
    }
    if same {
        arranged.sort_by_key(|(name, _)| numbers(name));
        return Ok(arranged.into_iter().flat_map(|(_, group)| group).collect());
    }
    let sizes: Option<Vec<_>> = arranged.iter().map(|(_, group)| ends(group)).collect();
    let order = sizes.as_deref().and_then(only_order);
    if let Some(order) = order {
        let mut groups: Vec<_> = arranged.into_iter().map(Some).collect();
        let groups = order.into_iter().filter_map(|at| groups[at].take());
        return Ok(groups.flat_map(|(_, group)| group).collect());
    }
    by_sizes(all.clone(), in_order).ok_or_else(|| not_clear(&all))
}

fn not_clear(layers: &[Layer]) -> crate::error::Error {
    let norm = layers.iter().find(|layer| !is_dense(layer));
    let names: Vec<String> = layers.iter().map(|layer| layer.path.join(".")).collect();
    let names = names.join(", ");
    let names = names.escape_debug();
    match norm {
        Some(layer) => invalid(format!(
            "it is not clear where '{}' belongs among {names}; save the whole model, torch.save(model, \
             \"model.pt\"), or export it as .onnx",
            layer.path.join(".").escape_debug()
        )),
        None => invalid(format!(
            "the order of its layers is not clear: {names}; give them names that differ in a number only, as \
             torch.nn.Sequential does, or export the model as .onnx"
        )),
    }
}

/// The numbers in a name.
fn numbers(name: &str) -> Vec<u64> {
    let parts = name.split(|c: char| !c.is_ascii_digit());
    parts.filter_map(|digits| digits.parse().ok()).collect()
}

/// Inputs and outputs of layers in order, of which one is dense.
fn ends(layers: &[Layer]) -> Option<(usize, usize)> {
    let sizes = |layer: &Layer| match &layer.op {
        Op::Linear(weight, _) => Some((weight.shape[1], weight.shape[0])),
        _ => None,
    };
    let first = layers.iter().find_map(sizes)?;
    let last = layers.iter().rev().find_map(sizes)?;
    Some((first.0, last.1))
}

/// Dense layers in the only order in which their sizes fit; otherwise as they are, if that is `in_order` and fits.
fn by_sizes<'a>(layers: Vec<Layer<'a>>, in_order: bool) -> Option<Vec<Layer<'a>>> {
    let sizes: Option<Vec<_>> =
        layers.iter().map(|layer| ends(std::slice::from_ref(layer))).collect();
    let sizes = sizes?;
    if let Some(order) = only_order(&sizes) {
        let mut layers: Vec<_> = layers.into_iter().map(Some).collect();
        return Some(order.into_iter().filter_map(|at| layers[at].take()).collect());
    }
    let fits = sizes.windows(2).all(|pair| pair[0].1 == pair[1].0);
    (in_order && fits).then_some(layers)
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

/// Adds the activations, and puts batch normalization before or after them.
fn with_activations<'a>(layers: Vec<Layer<'a>>, activations: &[Activation]) -> Result<State<'a>> {
    let mut state = State { ops: Vec::new(), assumes_activations: false, warnings: Vec::new() };
    let mut rest = &layers[..];
    let mut number = 0;
    while let Some((layer, after)) = rest.split_first() {
        state.push(layer);
        rest = after;
        if !is_dense(layer) {
            continue;
        }
        let count = after.iter().position(is_dense).unwrap_or(after.len());
        let (between, next) = after.split_at(count);
        rest = next;
        let has_slopes = between.iter().any(|layer| matches!(layer.op, Op::Slopes(_)));
        match (between, next.first()) {
            (_, None) if !has_slopes => {
                check_adjacent(layer, between)?;
                between.iter().for_each(|layer| state.push(layer));
            }
            ([], Some(_)) => state.activate(activations[number % activations.len()]),
            ([norm], Some(next)) if !has_slopes => {
                let activation = activations[number % activations.len()];
                match (gap(&layer.path, &norm.path), gap(&norm.path, &next.path)) {
                    (Gap::Nothing, Gap::Something | Gap::Unknown) => {
                        state.push(norm);
                        state.activate(activation);
                    }
                    (Gap::Something | Gap::Unknown, Gap::Nothing) => {
                        state.activate(activation);
                        state.push(norm);
                    }
                    _ => return Err(not_clear(&layers)),
                }
            }
            // PReLU is the activation; each is at its place.
            _ if has_slopes => between.iter().for_each(|layer| state.push(layer)),
            _ => return Err(not_clear(&layers)),
        }
        number += 1;
    }
    if layers.iter().any(|layer| matches!(layer.op, Op::Norm(_))) {
        state.warnings.push(
            "the file does not say what batch normalization adds to variances: 1e-5 is assumed, as \
             PyTorch does if nothing else is asked for"
                .to_owned(),
        );
    }
    Ok(state)
}

/// Batch normalization after the last layer must follow it at once.
fn check_adjacent(last: &Layer, between: &[Layer]) -> Result<()> {
    match between {
        [] => Ok(()),
        [norm] if gap(&last.path, &norm.path) == Gap::Nothing => Ok(()),
        _ => Err(not_clear(between)),
    }
}

impl<'a> State<'a> {
    fn push(&mut self, layer: &Layer<'a>) {
        self.ops.push((layer.path.join("."), layer.op.clone()));
    }

    fn activate(&mut self, activation: Activation) {
        self.assumes_activations = true;
        self.ops.push((String::new(), Op::Activation(activation)));
    }
}

/// What stands between two layers whose names come one after the other.
fn gap(before: &[String], after: &[String]) -> Gap {
    let differ = before.iter().zip(after).position(|(a, b)| a != b);
    let Some(at) = differ else { return Gap::Unknown };
    let number = |part: &str| -> Option<u64> {
        part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())?
    };
    let (Some(first), Some(second)) = (number(&before[at]), number(&after[at])) else {
        return Gap::Unknown;
    };
    if second > first.saturating_add(1) {
        return Gap::Something;
    }
    // Within the parts before and after, anything may come last or first.
    let first_of_all = after[at + 1..].iter().all(|part| part == "0");
    match before.len() == at + 1 && first_of_all {
        true => Gap::Nothing,
        false => Gap::Unknown,
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

    #[test]
    fn numbers_tell_what_stands_between() {
        let between = |before: &str, after: &str| {
            let path = |name: &str| name.split('.').map(str::to_owned).collect::<Vec<_>>();
            gap(&path(before), &path(after))
        };
        assert_eq!(between("0", "1"), Gap::Nothing);
        assert_eq!(between("net.0", "net.2"), Gap::Something);
        assert_eq!(between("0.0", "0.1"), Gap::Nothing);
        assert_eq!(between("0.1", "1.0"), Gap::Unknown);
        assert_eq!(between("1", "2.0"), Gap::Nothing);
        assert_eq!(between("1", "2.1"), Gap::Unknown);
        assert_eq!(between("fc1", "bn1"), Gap::Unknown);
        assert_eq!(between("0", "0"), Gap::Unknown);
    }
}
