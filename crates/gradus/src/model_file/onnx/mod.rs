//! ONNX: a [`Model`](crate::classifier::Model) to a file for other programs, and a file of others to a
//! model.
//!
//! `messages.rs` is the format, `export.rs` writes (`raw_columns.rs` what stands before the network), `seal.rs` adds and checks the digest, `import.rs` reads;
//! `nodes.rs` and `values.rs` say what each node of a graph computes, `external.rs` reads weights from files beside the
//! model. docs/formats.md has the layout, and what is
//! understood.

mod class_names;
mod parts;
mod calendar;
mod raw_columns;
mod columns;
mod constants;
mod own;
mod export;
mod external;
mod import;
mod gelu;
mod messages;
mod nodes;
mod seal;
mod shapes;
mod smooth_clip;
mod strengths;
mod size;
mod values;
#[cfg(test)]
mod evaluate;

pub use export::{OnnxOptions, to_bytes};
pub(super) use import::parse;

/// The operators' version that is written.
const OPSET: i64 = 17;

/// The format's version that is written.
const ONNX_IR: i64 = 8;

/// The bytes at the beginning of a file that tell who wrote it.
pub(super) const FRONT: u64 = 16;

/// The program's name in the files that it writes.
const PRODUCER: &str = "gradus";

/// The name of the last layer's outputs in graphs whose predictions are something else.
const OUTPUTS: &str = "outputs";

/// The most bytes of a file.
const LAST: usize = i32::MAX as usize;

/// The tag of the first field of a model, its `ir_version`.
const VERSION_TAG: u8 = 0x08;

/// The tag of the second field, its `producer_name`.
const PRODUCER_TAG: u8 = 0x12;

/// The largest version of the format that a first byte may stand for.
const LARGEST_VERSION: u8 = 63;

/// Whether a file that begins so may be ONNX: the format has no mark of its own, but its first
/// field is a small number.
pub(super) fn may_be(front: &[u8]) -> bool {
    matches!(front, [VERSION_TAG, 1..=LARGEST_VERSION, _, ..])
}

/// Whether a file that begins so is ONNX that gradus wrote.
pub(super) fn is_exported(front: &[u8]) -> bool {
    let length = PRODUCER.len() as u8;
    may_be(front)
        && front[2..]
            .strip_prefix(&[PRODUCER_TAG, length])
            .is_some_and(|rest| rest.starts_with(PRODUCER.as_bytes()))
}

/// Whether gradus wrote the file when it added no digest.
pub(super) fn is_unprotected(bytes: &[u8]) -> bool {
    is_exported(bytes) && !seal::is_there(bytes)
}
