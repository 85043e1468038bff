//! Reads of a file past the page cache: a place in the file in, its bytes out.
//!
//! The operating system keeps what it reads, for the next time, and copies it from there. For files larger than memory there
//! is no next time: the cache has lost a block before it is asked for again. Reading past it leaves the copy and the search for
//! free pages out, which take processor time from the threads that compute. Linux can do it for most file systems.

use std::io::Result;
use std::ops::Range;
use std::path::Path;

/// Reads these bytes of the file at `path` into `bytes`, which are replaced; fewer if the file ends before.
///
/// # Errors
/// Those of reading; `InvalidInput` or `Unsupported` where files cannot be read in this way.
#[cfg(target_os = "linux")]
pub(crate) fn read(path: &Path, range: Range<u64>, bytes: &mut Vec<u8>) -> Result<()> {
    use std::fs::OpenOptions;
    use std::os::unix::fs::{FileExt, OpenOptionsExt};

    use rustix::fs::OFlags;

    /// Bytes of one read: fewer are slower, and so many are still in a processor's cache when they are copied.
    const PIECE: usize = 1 << 20;
    /// Place, length and memory of a read must be multiples of the block of the device, of which none is larger.
    const UNIT: usize = 4096;

    let flags = OFlags::DIRECT.bits() as i32;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let mut memory = vec![0; PIECE + UNIT];
    let aligned = memory.as_ptr().align_offset(UNIT);
    let piece = &mut memory[aligned..][..PIECE];
    bytes.clear();
    bytes.reserve_exact((range.end - range.start) as usize);
    let mut at = range.start / UNIT as u64 * UNIT as u64;
    while at < range.end {
        let wanted = (range.end - at).next_multiple_of(UNIT as u64).min(PIECE as u64) as usize;
        let count = file.read_at(&mut piece[..wanted], at)?;
        let before = range.start.saturating_sub(at) as usize;
        let within = count.min((range.end - at) as usize);
        if within <= before {
            break;
        }
        bytes.extend_from_slice(&piece[before..within]);
        // A multiple of the unit, except at the end of the file.
        at += count as u64;
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn read(_path: &Path, _range: Range<u64>, _bytes: &mut Vec<u8>) -> Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn bytes_past_the_cache_are_those_of_the_file() {
        // Not in the folder for temporary files, which may be in memory, where this cannot be done.
        let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let path = folder.path().join("a");
        let content: Vec<u8> = (0..3_000_001_u32).map(|at| (at % 251) as u8).collect();
        fs::write(&path, &content).unwrap();
        let mut bytes = vec![1, 2, 3];
        match read(&path, 0..1, &mut bytes) {
            Err(error) => return eprintln!("skipped: this file system refuses it: {error}"),
            Ok(()) => assert_eq!(bytes, content[..1]),
        }
        let end = content.len();
        for range in
            [0..end, 0..0, 1..2, 4095..4097, 4096..8192, 5000..2_900_000, end - 1..end, end..end]
        {
            read(&path, range.start as u64..range.end as u64, &mut bytes).unwrap();
            assert_eq!(bytes, content[range.clone()], "{range:?}");
        }
        // Of a file that is shorter, what there is.
        read(&path, end as u64 - 2..end as u64 + 9000, &mut bytes).unwrap();
        assert_eq!(bytes, content[end - 2..]);
        read(&path, end as u64 + 9000..end as u64 + 9001, &mut bytes).unwrap();
        assert!(bytes.is_empty());
    }
}
