//! The step that both orders of lists are made of: a run of bytes goes in, the non-zero ones and
//! their places come out.

use crate::dispatch::Kernels;

impl Kernels {
    /// Writes the non-zero ones among at most 256 `bytes` to `values` and their places to `indices`,
    /// in rising order; returns how many there are. Reference: [`crate::reference::non_zeros`].
    ///
    /// `indices` and `values` need room for the pairs and 63 bytes more, since a vector store may
    /// write that far; what lies behind the pairs has no meaning.
    #[inline(always)]
    pub(super) fn non_zeros(self, bytes: &[u8], indices: &mut [u8], values: &mut [u8]) -> usize {
        debug_assert!(bytes.len() <= 256, "a place must fit in a byte");
        match self.isa() {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a Kernels value with this Isa exists only where the machine has its features.
            crate::Isa::Avx512Vbmi2 => unsafe {
                crate::arch::avx512vbmi2::non_zeros(bytes, indices, values)
            },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above; the features of Avx512 include those of Avx2.
            crate::Isa::Avx2 | crate::Isa::Avx512 => unsafe {
                crate::arch::avx2::non_zeros(bytes, indices, values)
            },
            _ => non_zeros(bytes, indices, values),
        }
    }
}

/// [`Kernels::non_zeros`] in plain Rust. Skips eight zeros at a time, for most words of an image are
/// zero. In the other words it writes each byte, and moves the end only past a non-zero one: a branch
/// on each byte would be mispredicted too often.
fn non_zeros(bytes: &[u8], indices: &mut [u8], values: &mut [u8]) -> usize {
    let mut end = 0;
    let mut put = |at: usize, value: u8| {
        indices[end] = at as u8;
        values[end] = value;
        end += usize::from(value != 0);
    };
    let (words, rest) = bytes.as_chunks::<8>();
    for (word, at) in words.iter().zip((0..).step_by(8)) {
        if *word != [0; 8] {
            word.iter().enumerate().for_each(|(offset, &value)| put(at + offset, value));
        }
    }
    rest.iter().enumerate().for_each(|(offset, &value)| put(words.len() * 8 + offset, value));
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference;

    #[test]
    fn any_number_of_bytes_with_any_share_of_zeros() {
        for share in [0, 1, 3, 6, 7] {
            let byte = |i: usize| if i * 31 % 7 < share { (i * 5 % 255 + 1) as u8 } else { 0 };
            let bytes: Vec<u8> = (0..256).map(byte).collect();
            for kernels in Kernels::available() {
                for len in 0..=bytes.len() {
                    let (mut indices, mut values) = ([9; 320], [9; 320]);
                    let found = kernels.non_zeros(&bytes[..len], &mut indices, &mut values);
                    let expected = reference::non_zeros(&bytes[..len]);
                    let pairs = indices.into_iter().zip(values).take(found);
                    assert_eq!(pairs.collect::<Vec<_>>(), expected, "{kernels:?}: {len} bytes");
                }
            }
        }
    }
}
