//! What happens to inputs before the first product.

/// The non-zero ones among `bytes`, each behind its place.
pub fn non_zeros(bytes: &[u8]) -> Vec<(u8, u8)> {
    let pairs = (0u8..=255).zip(bytes.iter().copied());
    pairs.filter(|&(_, byte)| byte != 0).collect()
}

/// `values * scale` as bytes, or `None` if one of these is not a whole number from 0 to 255, up to rounding.
pub fn to_bytes(values: &[f32], scale: f32) -> Option<Vec<u8>> {
    let byte = |value: &f32| {
        let scaled = f64::from(*value) * f64::from(scale);
        let whole = scaled.round();
        let near = (scaled - whole).abs() <= 4e-7 * whole;
        (near && whole <= 255.0).then_some(whole as u8)
    };
    values.iter().map(byte).collect()
}
