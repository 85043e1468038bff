//! The parts of a graph that is written: nodes, constants, attributes, inputs and outputs.

use super::messages::{
    Attribute, Dimension, Node, Shape, Tensor, TensorType, Type, ValueInfo, attribute, element,
};

/// The symbolic size of a batch.
const BATCH: &str = "N";

/// A node with one output, whose name it has.
pub(super) fn node(op: &str, inputs: &[&str], output: &str, attribute: Vec<Attribute>) -> Node {
    Node {
        input: inputs.iter().map(|&name| name.into()).collect(),
        output: vec![output.into()],
        name: output.into(),
        op_type: op.into(),
        attribute,
        domain: String::new(),
    }
}

/// A constant of floats.
pub(super) fn floats(name: &str, dims: &[usize], values: &[f32]) -> Tensor {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    tensor(name, dims, element::FLOAT, bytes)
}

/// A constant of floats in double precision.
pub(super) fn doubles(name: &str, dims: &[usize], values: &[f64]) -> Tensor {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    tensor(name, dims, element::DOUBLE, bytes)
}

/// A single whole number, which spreads over any shape.
pub(super) fn integer(name: &str, value: i64) -> Tensor {
    tensor(name, &[], element::INT64, value.to_le_bytes().to_vec())
}

/// A constant of truths.
pub(super) fn truths(name: &str, values: impl Iterator<Item = bool>) -> Tensor {
    let bytes: Vec<u8> = values.map(u8::from).collect();
    tensor(name, &[bytes.len()], element::BOOL, bytes)
}

/// A constant of whole numbers.
pub(super) fn integers(name: &str, values: &[i64]) -> Tensor {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    tensor(name, &[values.len()], element::INT64, bytes)
}

fn tensor(name: &str, dims: &[usize], data_type: i32, raw_data: Vec<u8>) -> Tensor {
    let dims = dims.iter().map(|&size| size as i64).collect();
    Tensor { dims, data_type, name: name.into(), raw_data, ..Tensor::default() }
}

/// An attribute that is a whole number.
pub(super) fn int(name: &str, value: i64) -> Attribute {
    Attribute { name: name.into(), i: Some(value), kind: attribute::INT, ..Attribute::default() }
}

/// An attribute that is a number.
pub(super) fn float(name: &str, value: f32) -> Attribute {
    Attribute { name: name.into(), f: Some(value), kind: attribute::FLOAT, ..Attribute::default() }
}

/// An attribute that is a list of numbers.
pub(super) fn list_of_floats(name: &str, values: Vec<f32>) -> Attribute {
    Attribute { name: name.into(), floats: values, kind: attribute::FLOATS, ..Attribute::default() }
}

/// An attribute that is a list of whole numbers.
pub(super) fn list_of_integers(name: &str, values: Vec<i64>) -> Attribute {
    Attribute { name: name.into(), ints: values, kind: attribute::INTS, ..Attribute::default() }
}

/// An attribute that is a list of texts.
pub(super) fn texts<'t>(name: &str, values: impl Iterator<Item = &'t str>) -> Attribute {
    Attribute {
        name: name.into(),
        strings: values.map(|text| text.as_bytes().to_vec()).collect(),
        kind: attribute::STRINGS,
        ..Attribute::default()
    }
}

/// An input or output: a batch of `dims`.
pub(super) fn value(name: &str, elem_type: i32, dims: &[usize]) -> ValueInfo {
    let batch = Dimension { dim_value: None, dim_param: Some(BATCH.into()) };
    let fixed = |&size: &usize| Dimension { dim_value: Some(size as i64), dim_param: None };
    let shape = Shape { dim: std::iter::once(batch).chain(dims.iter().map(fixed)).collect() };
    let tensor_type = Some(TensorType { elem_type, shape: Some(shape) });
    ValueInfo { name: name.into(), kind: Some(Type { tensor_type }) }
}
