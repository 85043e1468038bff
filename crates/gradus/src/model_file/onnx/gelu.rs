//! Activations that exporters write as products: GELU as `x (1 + erf(x / sqrt 2)) / 2`, in whatever
//! order the factors come.

use gradus_core::error::invalid;

use super::messages::Node;
use super::values::{Step, Value, Values};
use crate::error::Result;
use crate::network::Activation;

/// How far constants of a formula may be from what they stand for.
const TOLERANCE: f64 = 1e-5;

/// Factors in a row that are looked through, more than any exporter writes.
const MOST_FACTORS: usize = 4;

/// The product of two values that are both computed from the samples.
///
/// # Errors
/// `InvalidData` if it is no activation that gradus has.
pub(super) fn product<'a>(
    values: &mut Values<'a>,
    node: &'a Node,
    left: usize,
    right: usize,
) -> Result<Value<'a>> {
    if left == right {
        return Ok(values.then(left, Step::Square, node));
    }
    for (x, other) in [(left, right), (right, left)] {
        if let Step::Activation(Activation::Sigmoid) = values.stages[other].step
            && values.stages[other].before == x
        {
            return named(values, node, x, "silu");
        }
        let before = values.stages[other].before;
        if let Step::Activation(Activation::Tanh) = values.stages[other].step
            && let Step::Softplus = values.stages[before].step
            && values.stages[before].before == x
        {
            return named(values, node, x, "mish");
        }
        if let Some((before, scale)) = gelu(values, x, other) {
            let activation = Step::Activation(Activation::Gelu);
            let Value::Stage(stage) = values.then(before, activation, node) else { unreachable!() };
            return Ok(values.then(stage, Step::Scalar { scale, shift: 0.0 }, node));
        }
    }
    Err(invalid(
        "it multiplies two values that are computed from the samples; of such activations gradus \
         has GELU by erf, SiLU and Mish",
    ))
}

/// The activation of that name, where gradus has it.
fn named<'a>(
    values: &mut Values<'a>,
    node: &'a Node,
    before: usize,
    name: &str,
) -> Result<Value<'a>> {
    match Activation::from_name(name) {
        Some(activation) => Ok(values.then(before, Step::Activation(activation), node)),
        None => {
            let known = Activation::known();
            Err(invalid(format!("it is {name}, but gradus's activations are {known}")))
        }
    }
}

/// Where `x * other` is `scale * gelu(before)`: that stage and that scale.
fn gelu(values: &Values, x: usize, other: usize) -> Option<(usize, f64)> {
    let (inside, factor) = one_plus_erf(values, other)?;
    let arguments = scalings(values, inside);
    scalings(values, x).into_iter().find_map(|(before, scale)| {
        let argument = arguments.iter().find(|(stage, _)| *stage == before)?;
        let exact = (argument.1 - std::f64::consts::FRAC_1_SQRT_2).abs() < TOLERANCE;
        exact.then_some((before, 2.0 * scale * factor))
    })
}

/// Where the stage is `factor * (1 + erf(inside))`: the stage inside and the factor.
fn one_plus_erf(values: &Values, mut stage: usize) -> Option<(usize, f64)> {
    let (mut total, mut sum) = (1.0, 0.0);
    for _ in 0..MOST_FACTORS {
        let it = &values.stages[stage];
        match it.step {
            Step::Scalar { scale, shift } => {
                sum += total * shift;
                total *= scale;
            }
            Step::Erf if (total - sum).abs() < TOLERANCE => return Some((it.before, total)),
            _ => return None,
        }
        stage = it.before;
    }
    None
}

/// The stage and those before it of which it is a multiple, each with the factor.
fn scalings(values: &Values, mut stage: usize) -> Vec<(usize, f64)> {
    let mut found = vec![(stage, 1.0)];
    let mut total = 1.0;
    while let Step::Scalar { scale, shift: 0.0 } = values.stages[stage].step
        && found.len() <= MOST_FACTORS
    {
        total *= scale;
        stage = values.stages[stage].before;
        found.push((stage, total));
    }
    found
}
