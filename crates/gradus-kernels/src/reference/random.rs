//! Random numbers, number by number.

use crate::random::{GROUP, Stream};

/// Number `index` of a stream, by Philox4x32-10: two multiplications and two key additions a round.
pub fn random_bits(stream: Stream, index: usize) -> u32 {
    let (group, word, lane) = (index / GROUP, index % GROUP / 16, index % 16);
    let [a, b, c] = stream.counter;
    let mut x = [(group * 16 + lane) as u32, a, b, c];
    let (mut low, mut high) = (stream.key as u32, (stream.key >> 32) as u32);
    for _ in 0..10 {
        let first = u64::from(x[0]) * 0xD251_1F53;
        let second = u64::from(x[2]) * 0xCD9E_8D57;
        x = [
            (second >> 32) as u32 ^ x[1] ^ low,
            second as u32,
            (first >> 32) as u32 ^ x[3] ^ high,
            first as u32,
        ];
        low = low.wrapping_add(0x9E37_79B9);
        high = high.wrapping_add(0xBB67_AE85);
    }
    x[word]
}

/// Number `index` of a stream, uniform in [0, 1).
pub fn random_uniform(stream: Stream, index: usize) -> f32 {
    (random_bits(stream, index) >> 8) as f32 / 16_777_216.0
}

/// Normal number `index` of a stream: `r cos t` and `r sin t` of `r = sqrt(-2 ln(1 - u))` and
/// `t = 2 pi v - pi` are the numbers at two places 16 apart, whose uniform numbers are `u` and `v`.
pub fn random_normal(stream: Stream, index: usize) -> f64 {
    let first = index - index % 32 + index % 16;
    let u = f64::from(random_uniform(stream, first));
    let v = f64::from(random_uniform(stream, first + 16));
    let (radius, angle) = ((-2.0 * (1.0 - u).ln()).sqrt(), std::f64::consts::TAU * (v - 0.5));
    radius * if index == first { angle.cos() } else { angle.sin() }
}

/// 0 where number `index` of the stream is below `rate`, else `1 / (1 - rate)`.
pub fn dropout_mask(stream: Stream, index: usize, rate: f32) -> f32 {
    if random_uniform(stream, index) < rate { 0.0 } else { 1.0 / (1.0 - rate) }
}
