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

/// `to[j * stride + i] = square[i][j]`: the transpose of 4 x 4 values, with rows `stride` apart.
///
/// Panics where `to` has no room for the result.
#[inline(always)]
pub(crate) fn transpose_four(square: [&[f32; 4]; 4], to: &mut [f32], stride: usize) {
    assert!(stride >= 4 && to.len() >= 3 * stride + 4);
    // SAFETY: SSE is part of x86-64. Each row is 4 readable values, and the assertion above shows that the last row of the
    // result ends within `to`.
    unsafe {
        let [a, b, c, d] = square.map(|row| _mm_loadu_ps(row.as_ptr()));
        let (ab, cd) = (_mm_unpacklo_ps(a, b), _mm_unpacklo_ps(c, d));
        let (ab_high, cd_high) = (_mm_unpackhi_ps(a, b), _mm_unpackhi_ps(c, d));
        let to = to.as_mut_ptr();
        _mm_storeu_ps(to, _mm_movelh_ps(ab, cd));
        _mm_storeu_ps(to.add(stride), _mm_movehl_ps(cd, ab));
        _mm_storeu_ps(to.add(2 * stride), _mm_movelh_ps(ab_high, cd_high));
        _mm_storeu_ps(to.add(3 * stride), _mm_movehl_ps(cd_high, ab_high));
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

    #[test]
    fn four_rows_are_transposed() {
        let square: [[f32; 4]; 4] =
            std::array::from_fn(|i| std::array::from_fn(|j| (4 * i + j) as f32));
        let (mut found, mut expected) = ([99.0; 20], [99.0; 20]);
        super::transpose_four(square.each_ref(), &mut found, 5);
        crate::arch::portable::transpose_four(square.each_ref(), &mut expected, 5);
        assert_eq!(found, expected);
        assert_eq!((found[1], found[5], found[4]), (4.0, 1.0, 99.0));
    }
}
