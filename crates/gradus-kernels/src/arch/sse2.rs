//! What every x86-64 machine has beyond plain Rust, SSE2: squares of bytes go in, their transposes
//! come out; and hints to the cache.

use super::SQUARE;
use std::arch::x86_64::*;

/// `to[j * stride + i] = square[i][j]`: the transpose of 16 x 16 bytes, with rows `stride` apart.
///
/// Four times, each row of the upper half is interleaved with one of the lower half. One such step
/// rotates the eight bits of a byte's place (four for its row, four for its column) by one; four steps
/// exchange row and column.
///
/// Panics where `to` has no room for the result.
#[inline(always)]
pub(crate) fn transpose(square: [&[u8; SQUARE]; SQUARE], to: &mut [u8], stride: usize) {
    assert!(stride >= SQUARE && to.len() >= (SQUARE - 1) * stride + SQUARE);
    // SAFETY: SSE2 is part of x86-64. Each row is 16 readable bytes, and the assertion above shows
    // that the last row of the result ends within `to`.
    unsafe {
        let mut rows = [_mm_setzero_si128(); SQUARE];
        for i in 0..SQUARE {
            rows[i] = _mm_loadu_si128(square[i].as_ptr().cast());
        }
        for _ in 0..4 {
            let mut next = rows;
            for i in 0..SQUARE / 2 {
                next[2 * i] = _mm_unpacklo_epi8(rows[i], rows[i + SQUARE / 2]);
                next[2 * i + 1] = _mm_unpackhi_epi8(rows[i], rows[i + SQUARE / 2]);
            }
            rows = next;
        }
        for i in 0..SQUARE {
            _mm_storeu_si128(to.as_mut_ptr().add(i * stride).cast(), rows[i]);
        }
    }
}

/// Asks the cache for bytes that will be read soon.
#[inline]
pub(crate) fn prefetch(bytes: &[u8]) {
    for line in bytes.chunks(64) {
        // Into the second level (T1): a tile asks for 128 samples, 98 KiB of MNIST, more than the
        // first level holds.
        // SAFETY: a hint that reads nothing; SSE is part of x86-64.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast()) };
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn squares_are_transposed() {
        let square: [[u8; 16]; 16] =
            std::array::from_fn(|i| std::array::from_fn(|j| (16 * i + j) as u8));
        let (mut found, mut expected) = ([9; 500], [9; 500]);
        super::transpose(square.each_ref(), &mut found, 20);
        crate::arch::portable::transpose(square.each_ref(), &mut expected, 20);
        assert_eq!(found, expected);
        assert_eq!((found[1], found[20], found[16]), (16, 1, 9));
    }
}
