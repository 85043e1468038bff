//! The parts of a graph that is written: nodes, constants, attributes.

use super::messages::{Attribute, Node, Tensor, attribute, element};

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
