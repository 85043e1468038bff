//! The digest in an `.npz` file that gradus writes: the archive's comment, which NumPy and other readers of zip files
//! pass over. It covers every byte before the digest, also names and sizes, which the checksums of the entries do not.

use std::io::{self, Read, Seek, SeekFrom};

use gradus_core::model_file::digest;

use crate::error::{Error, ErrorKind, Result};

/// What the comment begins with; the digest follows.
const MARK: &[u8] = b"gradus sha256 ";

/// Bytes of the comment.
const COMMENT: usize = MARK.len() + digest::LENGTH;

/// Adds the comment to an archive without one.
pub(super) fn add(archive: &mut Vec<u8>) {
    // An archive without a comment ends with the comment's length.
    archive.truncate(archive.len().saturating_sub(2));
    archive.extend((COMMENT as u16).to_le_bytes());
    archive.extend(MARK);
    let digest = digest::of([&archive[..]]);
    archive.extend(digest.into_bytes());
}

/// Whether the archive has such a comment: version 0.1.0 wrote none, nor do other programs.
pub(super) fn is_there(archive: &[u8]) -> bool {
    archive.len().checked_sub(COMMENT).is_some_and(|at| archive[at..].starts_with(MARK))
}

/// Checks the digest if there is one.
///
/// # Errors
/// `InvalidData` if it does not match; `Io` where the file cannot be read.
pub(super) fn check(file: &mut (impl Read + Seek)) -> Result<()> {
    match is_right(file) {
        Ok(true) => Ok(()),
        Ok(false) => Err(digest::mismatch()),
        Err(source) => Err(Error::new(ErrorKind::Io, format!("cannot read the archive: {source}"))),
    }
}

/// Whether the digest matches, or there is none.
fn is_right(file: &mut (impl Read + Seek)) -> io::Result<bool> {
    let length = file.seek(SeekFrom::End(0))?;
    let Some(start) = length.checked_sub(COMMENT as u64) else { return Ok(true) };
    file.seek(SeekFrom::Start(start))?;
    let mut comment = Vec::with_capacity(COMMENT);
    file.by_ref().take(COMMENT as u64).read_to_end(&mut comment)?;
    let Some(stored) = comment.strip_prefix(MARK) else { return Ok(true) };
    file.rewind()?;
    let digest = digest::of_reader(file, start + MARK.len() as u64)?;
    Ok(digest.as_bytes() == stored)
}
