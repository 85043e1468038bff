//! Activations with strengths, `z + s (f(z) - z)`, as a graph has them: a difference, a product with a constant and a sum.

use gradus_core::error::invalid;

use super::messages::Node;
use super::values::{Step, Value, Values};
use crate::error::{Error, Result};
use crate::model_file::scaling::Elementwise;
use crate::network::Activation;

/// How far a factor of an activation may be from 1.
const TOLERANCE: f64 = 1e-6;

/// The difference of two values that are both computed from the samples.
///
/// # Errors
/// `InvalidData` if it is not what an activation changes.
pub(super) fn difference<'a>(
    values: &mut Values<'a>,
    node: &'a Node,
    stage: usize,
    subtracted: usize,
) -> Result<Value<'a>> {
    match activation(values, stage) {
        Some((_, before)) if before == subtracted => Ok(values.then(stage, Step::Change, node)),
        _ => Err(two_ways()),
    }
}

/// The sum of two values that are both computed from the samples.
///
/// # Errors
/// `InvalidData` if it is not an activation with strengths.
pub(super) fn sum<'a>(
    values: &mut Values<'a>,
    node: &'a Node,
    left: usize,
    right: usize,
) -> Result<Value<'a>> {
    for (product, z) in [(left, right), (right, left)] {
        let strengths = match values.stages[product].step {
            Step::Elementwise { kind: Elementwise::Multiply, constant } => constant.floats()?,
            Step::Scalar { scale, shift: 0.0 } => vec![scale as f32],
            _ => continue,
        };
        let change = values.stages[product].before;
        let Step::Change = values.stages[change].step else { continue };
        if let Some((activation, before)) = activation(values, values.stages[change].before)
            && before == z
        {
            return Ok(values.then(z, Step::Parametric { activation, strengths }, node));
        }
    }
    Err(two_ways())
}

/// The activation that the stage is, and the stage before it. GELU has factors behind it, whose product is 1.
fn activation(values: &Values, mut stage: usize) -> Option<(Activation, usize)> {
    let mut factor = 1.0_f64;
    loop {
        let it = &values.stages[stage];
        match it.step {
            Step::Activation(activation) if (factor - 1.0).abs() < TOLERANCE => {
                return Some((activation, it.before));
            }
            Step::Scalar { scale, shift: 0.0 } => factor *= scale,
            _ => return None,
        }
        stage = it.before;
    }
}

pub(super) fn two_ways() -> Error {
    invalid(
        "it brings two ways from the input together; gradus has layers one after the other only, and activations of which \
         each unit takes a share, z + s (f(z) - z)",
    )
}
