//! How much memory the messages of an ONNX file would take, from its bytes alone.
//!
//! A message takes up to 300 bytes in memory, and two bytes in the file if it is empty. So the fields of all
//! messages are counted before they are decoded.

use gradus_core::error::invalid;
use prost::encoding::{WireType, decode_key, decode_varint};

use crate::error::Result;

/// As many fields as any file may have.
const FREE: usize = 100_000;

/// Further fields need this many bytes of the file each: those that large weights bring.
const BYTES_PER_FIELD: usize = 64;

/// Bytes of packed integers, which take eight bytes each in memory, that count as a field.
const PACKED_PER_FIELD: usize = 16;

/// An entry of a list in an attribute, such as the text of a category, takes so small a part of the memory of a field.
const ENTRIES_PER_FIELD: usize = 8;

/// The messages that are decoded.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    /// One whose fields are only counted.
    Other,
}

impl Kind {
    /// The message in a field.
    fn inside(self, tag: u32) -> Option<Kind> {
        match (self, tag) {
            (Kind::Model, 7) => Some(Kind::Graph),
            (Kind::Graph, 1) => Some(Kind::Node),
            (Kind::Graph, 5) | (Kind::Attribute, 5) => Some(Kind::Tensor),
            (Kind::Node, 5) => Some(Kind::Attribute),
            (Kind::Model, 8 | 14) | (Kind::Graph, 11 | 12) | (Kind::Tensor, 13) => {
                Some(Kind::Other)
            }
            _ => None,
        }
    }
}

/// Checks that the messages in these bytes take memory in proportion to them.
///
/// # Errors
/// `InvalidData` if they do not. Broken messages are left to the decoder.
pub(super) fn check(bytes: &[u8]) -> Result<()> {
    let most = FREE + bytes.len() / BYTES_PER_FIELD;
    let mut left = most.saturating_mul(ENTRIES_PER_FIELD);
    match count(Kind::Model, bytes, &mut left) {
        Some(()) => Ok(()),
        None => Err(invalid(format!(
            "its graph has more than {most} fields in {} bytes, more than any dense network needs",
            bytes.len()
        ))),
    }
}

/// Takes the fields of a message off `left`, which counts entries of lists; none if there are more.
fn count(kind: Kind, mut bytes: &[u8], left: &mut usize) -> Option<()> {
    while !bytes.is_empty() {
        let Ok((tag, wire)) = decode_key(&mut bytes) else { return Some(()) };
        *left = left.checked_sub(match (kind, tag) {
            // `floats`, `ints` and `strings`.
            (Kind::Attribute, 7..=9) => 1,
            _ => ENTRIES_PER_FIELD,
        })?;
        let length = match wire {
            WireType::Varint => {
                if decode_varint(&mut bytes).is_err() {
                    return Some(());
                }
                0
            }
            WireType::ThirtyTwoBit => 4,
            WireType::SixtyFourBit => 8,
            WireType::LengthDelimited => match decode_varint(&mut bytes) {
                Ok(length) => usize::try_from(length).unwrap_or(usize::MAX),
                Err(_) => return Some(()),
            },
            // Nothing that ONNX has.
            WireType::StartGroup | WireType::EndGroup => return Some(()),
        };
        let Some((content, rest)) = bytes.split_at_checked(length) else { return Some(()) };
        match (kind.inside(tag), kind, tag) {
            (Some(inside), ..) => count(inside, content, left)?,
            // `dims`, `int32_data` and `int64_data`; `ints` of an attribute.
            (None, Kind::Tensor, 1 | 5 | 7) | (None, Kind::Attribute, 8) => {
                let fields = content.len() / PACKED_PER_FIELD;
                *left = left.checked_sub(fields.saturating_mul(ENTRIES_PER_FIELD))?;
            }
            (None, Kind::Other, _) if wire == WireType::LengthDelimited => {
                // The type and shape of a value: its dimensions are messages, too.
                count(Kind::Other, content, left)?;
            }
            _ => {}
        }
        bytes = rest;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![tag << 3 | 2];
        prost::encoding::encode_varint(content.len() as u64, &mut bytes);
        bytes.extend(content);
        bytes
    }

    #[test]
    fn empty_messages_are_counted_at_every_depth() {
        let many = |tag: u8| [tag << 3 | 2, 0].repeat(200_000);
        for graph in
            [many(1), field(1, &many(5)), field(1, &many(1)), field(5, &[8, 0].repeat(200_000))]
        {
            let error = check(&field(7, &graph)).unwrap_err().to_string();
            assert!(error.contains("more than 10"), "{error}");
        }
        assert!(check(&field(7, &field(5, &field(7, &[0; 4_000_000])))).is_err());
        assert!(check(&field(7, &field(11, &field(2, &field(1, &field(2, &many(1))))))).is_err());
        // The bytes of large weights are one field.
        assert!(check(&field(7, &field(5, &field(9, &[0; 4_000_000])))).is_ok());
        assert!(check(b"\x08\x07\x3a\xff\xff\xff").is_ok(), "left to the decoder");
    }
}
