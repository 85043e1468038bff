//! Nodes that change type or shape and no number, and the axis that the last ones go along.

use gradus_core::error::invalid;

use super::messages::{Node, element};
use super::values::{Step, Value, Values};
use crate::error::Result;

/// To a type of floats; a label may become anything.
pub(super) fn cast<'a>(values: &mut Values<'a>, node: &'a Node, stage: usize) -> Result<Value<'a>> {
    let to = node.int("to", 0);
    let exact = [element::FLOAT, element::DOUBLE].iter().any(|&kind| i64::from(kind) == to);
    if exact || values.is_label(stage) {
        return Ok(values.then(stage, Step::Same, node));
    }
    let half = [element::FLOAT16, element::BFLOAT16].iter().any(|&kind| i64::from(kind) == to);
    match half {
        true => {
            values.computes_in_halves = true;
            Ok(values.then(stage, Step::Same, node))
        }
        false => Err(invalid("it rounds to another type than float32 and float64")),
    }
}

pub(super) fn flatten<'a>(
    values: &mut Values<'a>,
    node: &'a Node,
    stage: usize,
) -> Result<Value<'a>> {
    let Some(shape) = &values.stages[stage].shape else {
        return match node.int("axis", 1) {
            1 => Ok(values.push(stage, Step::Same, None, node)),
            axis => Err(invalid(format!("its axis is {axis}, expected 1"))),
        };
    };
    let axis = node.int("axis", 1);
    if axis != 1 && axis != -(shape.len() as i64) {
        return Err(invalid(format!("its axis is {axis}, expected 1: all but the batch")));
    }
    let features = product(shape)?;
    Ok(values.push(stage, Step::Same, Some(vec![features]), node))
}

/// To another shape of the same samples. A computed shape is assumed to be that of one row.
pub(super) fn reshape<'a>(
    values: &mut Values<'a>,
    node: &'a Node,
    stage: usize,
) -> Result<Value<'a>> {
    if values.is_label(stage) {
        return Ok(values.then(stage, Step::Same, node));
    }
    let features = values.stages[stage].shape.as_deref().map(product).transpose()?;
    let Some(Value::Constant(constant)) = values.input(node, 1) else {
        return Ok(values.push(stage, Step::Same, features.map(|it| vec![it]), node));
    };
    let wanted = constant.integers()?;
    let fail = || invalid(format!("it makes {wanted:?} of the samples, expected [-1, features]"));
    let Some((_, sample)) = wanted.split_first().filter(|(_, sample)| !sample.is_empty()) else {
        return Err(fail());
    };
    let known = sample.iter().filter(|&&size| size != -1);
    let known: Vec<usize> = known.map(|&size| usize::try_from(size).unwrap_or(0)).collect();
    let rest = product(&known)?;
    let open = sample.len() - known.len();
    let shape = match (features, open) {
        _ if rest == 0 || open > 1 => return Err(fail()),
        (None, 1) => None,
        (None, _) => Some(known),
        (Some(features), 0) if rest == features => Some(known),
        (Some(features), 1) if features % rest == 0 => {
            let size = |&size: &i64| usize::try_from(size).unwrap_or(features / rest);
            Some(sample.iter().map(size).collect())
        }
        _ => return Err(fail()),
    };
    Ok(values.push(stage, Step::Same, shape, node))
}

/// Checks that softmax or argmax goes over the outputs of one sample.
pub(super) fn along_classes(values: &Values, stage: usize, axis: i64) -> Result<()> {
    values.row(stage)?;
    match axis {
        1 | -1 => Ok(()),
        other => Err(invalid(format!("its axis is {other}, expected 1: the classes"))),
    }
}

fn product(shape: &[usize]) -> Result<usize> {
    let mut sizes = shape.iter();
    let product = sizes.try_fold(1usize, |product, &size| product.checked_mul(size));
    product.ok_or_else(|| invalid("samples of this shape are beyond any memory"))
}
