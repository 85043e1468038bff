//! A product with whole numbers in place of floats.

/// `outputs[j] += sum_l x_l w_lj`, with `weight` `[inner x columns]`, where `x` and each column of `weight` are rounded to whole
/// multiples of their largest absolute value divided by 16,383 and 32,767.
pub fn add_quantized_product(sample: &[f32], weight: &[f32], outputs: &mut [f32]) {
    let columns = outputs.len();
    let largest = |values: &mut dyn Iterator<Item = &f32>| {
        values.fold(0.0, |largest: f32, value| largest.max(value.abs()))
    };
    let whole = |value: f32, unit: f32| match unit > 0.0 {
        true => f64::from((value / unit).round()),
        false => 0.0,
    };
    let unit = largest(&mut sample.iter()) / 16_383.0;
    for (j, output) in outputs.iter_mut().enumerate() {
        let column = || weight[j..].iter().step_by(columns);
        let scale = largest(&mut column()) / 32_767.0;
        let products = sample.iter().zip(column()).map(|(&x, &w)| whole(x, unit) * whole(w, scale));
        *output += (products.sum::<f64>() * f64::from(unit) * f64::from(scale)) as f32;
    }
}
