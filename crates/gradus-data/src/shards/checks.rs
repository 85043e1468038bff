//! Checksums of blocks: the rows of an array as bytes in, a CRC-32 for each 8,192 of them out, so that rows which are read in any
//! order can be checked where they are read. The SHA-256 of a file can only be checked by reading all of it.

use std::ops::Range;

use flate2::Crc;

/// Rows that have a checksum together; blocks of a shuffled epoch are as long.
pub(super) const BLOCK: usize = 8192;

/// Checksums of rows that are written one after the other.
#[derive(Debug)]
pub(super) struct BlockSums {
    /// Bytes of a block.
    block: usize,
    /// Bytes that the current block still lacks.
    left: usize,
    current: Crc,
    done: Vec<u32>,
}

impl BlockSums {
    /// Of rows of so many bytes.
    pub(super) fn new(row_bytes: usize) -> BlockSums {
        let block = BLOCK * row_bytes;
        BlockSums { block, left: block, current: Crc::new(), done: Vec::new() }
    }

    /// Adds bytes.
    pub(super) fn add(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (own, rest) = bytes.split_at(bytes.len().min(self.left));
            self.current.update(own);
            self.left -= own.len();
            bytes = rest;
            if self.left == 0 {
                self.end();
            }
        }
    }

    fn end(&mut self) {
        self.done.push(self.current.sum());
        self.current.reset();
        self.left = self.block;
    }

    /// The checksums of all blocks; the last one may have fewer rows.
    pub(super) fn finish(mut self) -> Vec<u32> {
        if self.left < self.block {
            self.end();
        }
        self.done
    }
}

/// Checks the blocks that lie in `rows` as a whole, of an array of `samples` rows, whose bytes these are.
///
/// # Errors
/// The rows of the first block that is another one than was packed.
pub(super) fn check(
    sums: &[u32],
    samples: usize,
    rows: Range<usize>,
    bytes: &[u8],
) -> Result<(), Range<usize>> {
    let row_bytes = bytes.len() / rows.len().max(1);
    let blocks = rows.start.div_ceil(BLOCK)..sums.len();
    for block in blocks {
        let (first, end) = (block * BLOCK, ((block + 1) * BLOCK).min(samples));
        if end > rows.end {
            break;
        }
        let mut found = Crc::new();
        found.update(&bytes[(first - rows.start) * row_bytes..(end - rows.start) * row_bytes]);
        if found.sum() != sums[block] {
            return Err(first..end);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flipped_byte_is_found_wherever_its_block_is_read() {
        let (row_bytes, samples) = (3, 2 * BLOCK + 100);
        let mut bytes: Vec<u8> = (0..samples * row_bytes).map(|at| (at % 251) as u8).collect();
        let mut sums = BlockSums::new(row_bytes);
        bytes.chunks(777).for_each(|piece| sums.add(piece));
        let sums = sums.finish();
        assert_eq!(sums.len(), 3);
        let read = |bytes: &[u8], rows: Range<usize>| {
            check(
                &sums,
                samples,
                rows.clone(),
                &bytes[rows.start * row_bytes..rows.end * row_bytes],
            )
        };
        let ranges = [0..samples, 0..BLOCK, 5..samples, BLOCK..samples, 2 * BLOCK..samples, 7..9];
        for rows in ranges.clone() {
            assert_eq!(read(&bytes, rows), Ok(()));
        }
        bytes[(BLOCK + 10) * row_bytes] ^= 1;
        let found = ranges.map(|rows| read(&bytes, rows).is_err());
        assert_eq!(found, [true, false, true, true, false, false]);
        assert_eq!(read(&bytes, 0..samples), Err(BLOCK..2 * BLOCK));
    }
}
