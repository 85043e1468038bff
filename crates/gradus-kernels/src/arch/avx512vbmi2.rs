//! What VBMI2 adds to AVX-512: bytes go in, the non-zero ones and their places come out, 64 at a
//! time. All arithmetic is that of `avx512.rs`, so that both give the same bits.

use std::arch::x86_64::*;

/// 0 to 63: the places of 64 bytes.
const PLACES: [u8; 64] = {
    let mut places = [0; 64];
    let mut i = 0;
    while i < 64 {
        places[i] = i as u8;
        i += 1;
    }
    places
};

/// Writes the non-zero ones among at most 256 `bytes` to `values` and their places to `indices`;
/// returns how many there are. For 64 bytes at a time: a mask of the non-zero ones, then places and
/// bytes are compressed by that mask. Reference: [`crate::reference::non_zeros`].
///
/// Panics where `indices` or `values` have no room for the pairs and 63 bytes more.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,popcnt,bmi2")]
pub(crate) fn non_zeros(bytes: &[u8], indices: &mut [u8], values: &mut [u8]) -> usize {
    // SAFETY: 64 readable bytes.
    let places = unsafe { _mm512_loadu_epi8(PLACES.as_ptr().cast()) };
    let mut end = 0;
    for (chunk, start) in bytes.chunks(64).zip((0..).step_by(64)) {
        // A chunk has 1 to 64 bytes, so the shift is one of 63 to 0.
        let here = u64::MAX >> (64 - chunk.len());
        // SAFETY: the mask restricts the load to the bytes of the chunk.
        let loaded = unsafe { _mm512_maskz_loadu_epi8(here, chunk.as_ptr().cast()) };
        let non_zero = _mm512_test_epi8_mask(loaded, loaded);
        let index = _mm512_add_epi8(places, _mm512_set1_epi8(start as i8));
        let (to_index, to_value) = (&mut indices[end..end + 64], &mut values[end..end + 64]);
        // A compression in registers and a store of all 64 bytes: a masked, compressing store to
        // memory takes a hundred cycles and more on Zen 4. The next store overwrites the rest.
        // SAFETY: 64 writable bytes each.
        unsafe {
            let index = _mm512_maskz_compress_epi8(non_zero, index);
            _mm512_storeu_epi8(to_index.as_mut_ptr().cast(), index);
            let value = _mm512_maskz_compress_epi8(non_zero, loaded);
            _mm512_storeu_epi8(to_value.as_mut_ptr().cast(), value);
        }
        end += non_zero.count_ones() as usize;
    }
    end
}
