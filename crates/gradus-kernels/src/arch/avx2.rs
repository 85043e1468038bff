//! [`Simd`] with AVX2 and FMA: 8 values in a register, 16 registers.

use super::Simd;
use std::arch::x86_64::*;

/// The instruction set `avx2`.
#[derive(Clone, Copy)]
pub(crate) struct Avx2;

impl Simd for Avx2 {
    type Vector = __m256;
    const LANES: usize = 8;
    const REGISTERS: usize = 16;

    #[inline(always)]
    unsafe fn splat(value: f32) -> __m256 {
        // SAFETY: the caller guarantees the instruction set.
        unsafe { _mm256_set1_ps(value) }
    }

    #[inline(always)]
    unsafe fn four_bytes(from: *const u8) -> __m256 {
        // SAFETY: the caller guarantees the instruction set and 4 readable bytes.
        unsafe { twice(four_bytes(from)) }
    }

    #[inline(always)]
    unsafe fn four_values(from: *const f32) -> __m256 {
        // SAFETY: the caller guarantees the instruction set and 4 readable values.
        unsafe { twice(_mm_loadu_ps(from)) }
    }

    #[inline(always)]
    unsafe fn one_of_four<const I: i32>(fours: __m256) -> __m256 {
        // SAFETY: the caller guarantees the instruction set.
        unsafe {
            match I {
                0 => _mm256_shuffle_ps::<0b00_00_00_00>(fours, fours),
                1 => _mm256_shuffle_ps::<0b01_01_01_01>(fours, fours),
                2 => _mm256_shuffle_ps::<0b10_10_10_10>(fours, fours),
                _ => _mm256_shuffle_ps::<0b11_11_11_11>(fours, fours),
            }
        }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> __m256 {
        // SAFETY: the caller guarantees the instruction set and 8 readable values.
        unsafe { _mm256_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn load_part(from: *const f32, count: usize) -> __m256 {
        /// Eight marks of lanes that are loaded, then as many of lanes that are not.
        const MARKS: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
        debug_assert!(count < 8);
        // SAFETY: the caller guarantees the instruction set and `count < 8` readable values; of the marks, 8 from
        // 8 - count on are read, and lanes without a mark read nothing.
        unsafe {
            let marks = _mm256_loadu_si256(MARKS.as_ptr().add(8 - count).cast());
            _mm256_maskload_ps(from, marks)
        }
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, value: __m256) {
        // SAFETY: the caller guarantees the instruction set and 8 writable values.
        unsafe { _mm256_storeu_ps(to, value) }
    }

    #[inline(always)]
    unsafe fn add(a: __m256, b: __m256) -> __m256 {
        // SAFETY: the caller guarantees the instruction set.
        unsafe { _mm256_add_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn multiply(a: __m256, b: __m256) -> __m256 {
        // SAFETY: the caller guarantees the instruction set.
        unsafe { _mm256_mul_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn multiply_add(a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: the caller guarantees the instruction set.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    unsafe fn sums_of_four(pairs: [[i16; 2]; 2], x: *const i16, y: *const i16) -> __m256 {
        // SAFETY: the caller guarantees the instruction set and 16 readable values at both pointers.
        unsafe {
            let (a, b) = (_mm256_set1_epi32(both(pairs[0])), _mm256_set1_epi32(both(pairs[1])));
            let x = _mm256_madd_epi16(a, _mm256_loadu_si256(x.cast()));
            let y = _mm256_madd_epi16(b, _mm256_loadu_si256(y.cast()));
            _mm256_cvtepi32_ps(_mm256_add_epi32(x, y))
        }
    }
}

/// Two values in the order of memory.
#[inline(always)]
pub(super) fn both(pair: [i16; 2]) -> i32 {
    i32::from(pair[1]) << 16 | i32::from(pair[0] as u16)
}

/// `four` in both halves of a register.
#[inline]
#[target_feature(enable = "avx2")]
fn twice(four: __m128) -> __m256 {
    _mm256_set_m128(four, four)
}

/// Four bytes as values.
///
/// # Safety
/// `from` must have 4 readable bytes.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) unsafe fn four_bytes(from: *const u8) -> __m128 {
    // One load of 32 bits instead of four of a byte each.
    // SAFETY: the caller guarantees 4 readable bytes; the load is an unaligned one.
    let bytes = _mm_cvtsi32_si128(unsafe { from.cast::<i32>().read_unaligned() });
    _mm_cvtepi32_ps(_mm_cvtepu8_epi32(bytes))
}

/// For each set of bytes among eight, a bit each: their places in rising order, then zeros.
static PLACES: [[u8; 8]; 256] = {
    let mut places = [[0; 8]; 256];
    let mut set = 0;
    while set < 256 {
        let (mut bit, mut count) = (0, 0);
        while bit < 8 {
            if set >> bit & 1 == 1 {
                places[set][count] = bit as u8;
                count += 1;
            }
            bit += 1;
        }
        set += 1;
    }
    places
};

/// The number of bytes of each set.
static COUNTS: [u8; 256] = {
    let mut counts = [0; 256];
    let mut set = 0;
    while set < 256 {
        counts[set] = (set as u32).count_ones() as u8;
        set += 1;
    }
    counts
};

/// Bytes that are looked at together.
const CHUNK: usize = 32;

/// Writes the non-zero ones among at most 256 `bytes` to `values` and their places to `indices`;
/// returns how many there are. Chunks of zeros are passed over; of others, eight bytes at a time are
/// put in order by a table of their 256 sets. Reference: [`crate::reference::non_zeros`].
///
/// Panics where `indices` or `values` have no room for the pairs and 31 bytes more.
#[target_feature(enable = "avx2")]
pub(crate) fn non_zeros(bytes: &[u8], indices: &mut [u8], values: &mut [u8]) -> usize {
    let (chunks, rest) = bytes.as_chunks();
    let mut last = [0; CHUNK];
    last[..rest.len()].copy_from_slice(rest);
    let mut end = 0;
    for (chunk, start) in chunks.iter().chain([&last]).zip((0..).step_by(CHUNK)) {
        let set = non_zero(chunk);
        if set != 0 {
            let (indices, values) = (&mut indices[end..end + CHUNK], &mut values[end..end + CHUNK]);
            end += in_order(chunk, start, set, indices, values);
        }
    }
    end
}

/// The set of the bytes of a chunk that are not zero.
#[inline]
#[target_feature(enable = "avx2")]
fn non_zero(chunk: &[u8; CHUNK]) -> u32 {
    // SAFETY: 32 readable bytes.
    let loaded = unsafe { _mm256_loadu_si256(chunk.as_ptr().cast()) };
    !(_mm256_movemask_epi8(_mm256_cmpeq_epi8(loaded, _mm256_setzero_si256())) as u32)
}

/// Writes the bytes of a set, and their places counted from that of the chunk on.
#[inline]
#[target_feature(enable = "avx2")]
fn in_order(
    chunk: &[u8; CHUNK],
    start: usize,
    set: u32,
    indices: &mut [u8],
    values: &mut [u8],
) -> usize {
    assert!(indices.len() >= CHUNK && values.len() >= CHUNK);
    let mut end = 0;
    for (word, set) in set.to_le_bytes().into_iter().enumerate() {
        let set = usize::from(set);
        // SAFETY: 8 bytes of a chunk of 32 and of a row of the table are read; 8 are written
        // behind the pairs of the words before, at most 8 for each, so that they end within the 32 of the assertion.
        unsafe {
            let places = _mm_loadl_epi64(PLACES[set].as_ptr().cast());
            let bytes = _mm_loadl_epi64(chunk.as_ptr().add(8 * word).cast());
            let index = _mm_add_epi8(places, _mm_set1_epi8((start + 8 * word) as i8));
            _mm_storel_epi64(indices.as_mut_ptr().add(end).cast(), index);
            _mm_storel_epi64(values.as_mut_ptr().add(end).cast(), _mm_shuffle_epi8(bytes, places));
        }
        end += usize::from(COUNTS[set]);
    }
    end
}
