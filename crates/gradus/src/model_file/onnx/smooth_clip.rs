//! The smooth clip of a robust normalization, `x / sqrt(1 + (x / 3)^2)`, as a graph has it: a quotient whose
//! denominator is the root of 1 plus a square.

use gradus_core::error::invalid;

use super::messages::Node;
use super::values::{Step, Value, Values};
use crate::error::Result;
use crate::transform::robust::CLIP;

/// How far constants may be from what they stand for.
const TOLERANCE: f64 = 1e-6;

/// The quotient of two values that are both computed from the samples.
///
/// # Errors
/// `InvalidData` if it is not a smooth clip.
pub(super) fn quotient<'a>(
    values: &mut Values<'a>,
    node: &'a Node,
    x: usize,
    denominator: usize,
) -> Result<Value<'a>> {
    match is_root_of(values, x, denominator) {
        true => Ok(values.then(x, Step::SmoothClip, node)),
        false => Err(invalid(
            "it divides two values that are computed from the samples; of such quotients gradus has \
             x / sqrt(1 + (x / 3)^2)",
        )),
    }
}

/// Whether the stage is `sqrt(1 + (x / 3)^2)`.
fn is_root_of(values: &Values, x: usize, stage: usize) -> bool {
    let before = |stage: usize| values.stages[stage].before;
    let [sum, square] = [before(stage), before(before(stage))];
    let part = before(square);
    let is_scalar = |stage: usize, wanted: (f64, f64)| match values.stages[stage].step {
        Step::Scalar { scale, shift } => {
            (scale - wanted.0).abs() < TOLERANCE && (shift - wanted.1).abs() < TOLERANCE
        }
        _ => false,
    };
    matches!(values.stages[stage].step, Step::SquareRoot)
        && is_scalar(sum, (1.0, 1.0))
        && matches!(values.stages[square].step, Step::Square)
        && is_scalar(part, (1.0 / f64::from(CLIP), 0.0))
        && before(part) == x
}
