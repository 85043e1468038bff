//! The digest in an ONNX file that gradus writes: the property `sha256`, the SHA-256 of the whole file with zeros in
//! place of the digest. Other programs do not look at it.

use gradus_core::model_file::digest;
use gradus_core::model_file::metadata::{self, Metadata};

use crate::error::Result;

/// What is in place of the digest while it is computed.
pub(super) const PLACE: &str = match std::str::from_utf8(&[b'0'; digest::LENGTH]) {
    Ok(zeros) => zeros,
    Err(_) => "",
};

/// The tag of the value of a property, and its length.
const VALUE: [u8; 2] = [0x12, digest::LENGTH as u8];

/// Whether the file has a digest.
pub(super) fn is_there(bytes: &[u8]) -> bool {
    position(bytes, "").is_some()
}

/// Where the value of the property is in the file, which begins with `digest`.
fn position(bytes: &[u8], digest: &str) -> Option<usize> {
    let property = [digest::KEY.as_bytes(), &VALUE, digest.as_bytes()].concat();
    let at = bytes.windows(property.len()).rposition(|window| window == property)?;
    Some(at + property.len() - digest.len())
}

fn of(bytes: &[u8], at: usize) -> String {
    digest::of([&bytes[..at], PLACE.as_bytes(), &bytes[at + PLACE.len()..]])
}

/// Puts the digest into a file that has [`PLACE`] for it.
pub(super) fn set(bytes: &mut [u8]) {
    if let Some(at) = position(bytes, PLACE) {
        let digest = of(bytes, at);
        bytes[at..at + PLACE.len()].copy_from_slice(digest.as_bytes());
    }
}

/// Checks a file of gradus with these properties. Files of version 0.1.0 have no digest.
///
/// # Errors
/// `InvalidData` if the digest does not match, or is missing.
pub(super) fn check(bytes: &[u8], properties: &Metadata) -> Result<()> {
    let Some(stored) = properties.get(digest::KEY) else {
        // A flipped bit in the key itself must not switch the check off.
        return match properties.contains_key(metadata::INPUTS) {
            true => Err(digest::missing()),
            false => Ok(()),
        };
    };
    match position(bytes, stored) {
        Some(at) if stored.len() == PLACE.len() && of(bytes, at) == *stored => Ok(()),
        _ => Err(digest::mismatch()),
    }
}
