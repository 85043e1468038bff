//! Activations of which each unit takes a share.

/// `x + s (f - x)` for the outputs `f` of an activation.
pub fn strengthen(f: &[f32], x: &[f32], s: &[f32]) -> Vec<f32> {
    let each = (0..f.len()).map(|i| {
        let (f, x, s) = (f64::from(f[i]), f64::from(x[i]), f64::from(s[i]));
        (x + s * (f - x)) as f32
    });
    each.collect()
}

/// For each unit what its strength gets of the gradient `g` of [`strengthen`], what goes through the activation's
/// derivative, and what goes past it: `g (f - x)`, `s g` and `(1 - s) g`.
pub fn strengthen_backward(f: &[f32], x: &[f32], s: &[f32], g: &[f32]) -> Vec<[f32; 3]> {
    let each = (0..f.len()).map(|i| {
        let (f, x, s, g) = (f64::from(f[i]), f64::from(x[i]), f64::from(s[i]), f64::from(g[i]));
        [g * (f - x), s * g, (1.0 - s) * g].map(|value| value as f32)
    });
    each.collect()
}
