//! The SHA-256 that files contain of the rest of their content: bytes in, 64 hexadecimal digits out, and how a
//! mismatch is reported.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

use super::metadata::damaged;
use crate::error::Error;

/// Number of hexadecimal digits.
pub const LENGTH: usize = 64;

/// The metadata's key of the digest.
pub const KEY: &str = "sha256";

/// The digest of these parts, one after the other.
pub fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    parts.into_iter().for_each(|part| hash.update(part));
    hex(hash)
}

/// The digest of the next `length` bytes of `reader`.
///
/// # Errors
/// Those of reading.
pub fn of_reader(reader: &mut impl Read, length: u64) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut reader = reader.take(length);
    let mut buffer = vec![0; 1 << 16];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(hex(hash)),
            count => hash.update(&buffer[..count]),
        }
    }
}

pub(super) fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The error for a file whose content does not have the digest that is in it.
pub fn mismatch() -> Error {
    damaged(
        "its SHA-256 does not match its content: a bit was flipped, or another program changed it; if it was another \
         program, remove the SHA-256",
    )
}

/// The error for a file that has lost its digest.
pub fn missing() -> Error {
    damaged(format!("its metadata have no '{KEY}'"))
}
