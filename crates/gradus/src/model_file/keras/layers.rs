//! What single layers of Keras do, of their configuration and arrays.

use gradus_core::error::invalid;
use serde_json::Value;

use crate::data::{Array, Values};
use crate::error::Result;
use crate::model_file::scaling::Scaling;
use crate::model_file::stack::Dense;

/// The smallest divisor of Normalization.
const SMALLEST: f64 = 1e-7;

/// A dense layer of its kernel and, where there is one, its bias.
pub(super) fn dense(mut arrays: Vec<Array>) -> Result<Dense> {
    let shapes: Vec<_> = arrays.iter().map(|array| array.shape.clone()).collect();
    let wrong = || invalid(format!("arrays of shapes {shapes:?}, expected a kernel and a bias"));
    let bias = if arrays.len() == 2 { arrays.pop() } else { None };
    let (Some(kernel), true) = (arrays.pop(), arrays.is_empty()) else { return Err(wrong()) };
    let &[inputs, outputs] = &kernel.shape[..] else { return Err(wrong()) };
    let bias = match bias {
        Some(bias) if bias.shape == [outputs] => floats(bias),
        Some(_) => return Err(wrong()),
        None => vec![0.0; outputs],
    };
    Ok(Dense { inputs, outputs, weight: floats(kernel), bias })
}

pub(super) fn batch_norm(config: &Value, arrays: Vec<Array>) -> Result<Scaling> {
    let mut arrays = arrays.into_iter().map(floats);
    let has = |key: &str| config[key].as_bool().unwrap_or(true);
    let gamma = if has("scale") { arrays.next() } else { None };
    let beta = if has("center") { arrays.next() } else { None };
    let (Some(mean), Some(variance)) = (arrays.next(), arrays.next()) else {
        return Err(invalid("its arrays are missing"));
    };
    let width = variance.len();
    let (gamma, beta) =
        (gamma.unwrap_or_else(|| vec![1.0; width]), beta.unwrap_or_else(|| vec![0.0; width]));
    if [gamma.len(), beta.len(), mean.len()].iter().any(|&length| length != width) {
        return Err(invalid("its arrays differ in size"));
    }
    let epsilon = config["epsilon"].as_f64().unwrap_or(1e-3);
    let scale: Vec<f64> = gamma
        .iter()
        .zip(&variance)
        .map(|(&gamma, &variance)| f64::from(gamma) / (f64::from(variance) + epsilon).sqrt())
        .collect();
    let shift = beta.iter().zip(&mean).zip(&scale);
    let shift = shift.map(|((&beta, &mean), scale)| f64::from(beta) - f64::from(mean) * scale);
    Ok(Scaling { shift: shift.collect(), scale })
}

/// `(x - mean) / max(sqrt(variance), 1e-7)`; both come from the configuration or from the arrays.
pub(super) fn normalization(config: &Value, arrays: Vec<Array>) -> Result<Scaling> {
    if config["invert"].as_bool() == Some(true) {
        return Err(invalid("it is inverted"));
    }
    let mut arrays = arrays.into_iter().map(|array| {
        let values: Vec<f64> = floats(array).into_iter().map(f64::from).collect();
        values
    });
    let (mean, variance) = match (&config["mean"], &config["variance"]) {
        (Value::Null, Value::Null) => match (arrays.next(), arrays.next()) {
            (Some(mean), Some(variance)) => (mean, variance),
            _ => return Err(invalid("its arrays are missing")),
        },
        (mean, variance) => (numbers(mean)?, numbers(variance)?),
    };
    if mean.len() != variance.len() {
        return Err(invalid("its mean and variance differ in size"));
    }
    let deviation = |&variance: &f64| variance.sqrt().max(SMALLEST);
    let scale = variance.iter().map(|it| 1.0 / deviation(it)).collect();
    let shift = mean.iter().zip(&variance).map(|(mean, it)| -mean / deviation(it)).collect();
    Ok(Scaling { scale, shift })
}

/// A number, or numbers in lists of lists.
pub(super) fn numbers(value: &Value) -> Result<Vec<f64>> {
    let mut found = Vec::new();
    collect(value, &mut found);
    match found.is_empty() {
        false => Ok(found),
        true => Err(invalid(format!("{value} in its configuration, expected numbers"))),
    }
}

fn collect(value: &Value, found: &mut Vec<f64>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
        other => found.extend(other.as_f64()),
    }
}

fn floats(array: Array) -> Vec<f32> {
    match array.values {
        Values::F32(values) => values,
        other => other.to_f32(),
    }
}
