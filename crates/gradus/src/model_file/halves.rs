//! Numbers of half precision, which gradus converts: it computes in single precision.

pub(super) use crate::data::npy::half as half_to_single;

/// A number of bfloat16: the upper half of a float32.
pub(super) fn brain_to_single(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_upper_half_of_a_single_is_exact() {
        for (bits, value) in [(0x3f80, 1.0), (0xc000, -2.0), (0x3eab, 0.333_984_38)] {
            assert_eq!(brain_to_single(bits), value, "{bits:#x}");
        }
    }
}
