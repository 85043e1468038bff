//! Counter-based random numbers: the name of a stream and a place in it go in; bits, uniform or normal
//! numbers or a dropout mask come out. Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy
//! as 1, 2, 3", 2011), in groups that fill vector registers.
//!
//! A generator with a state yields numbers in one order only. Here number `i` of a [`Stream`] is a
//! function of the stream and `i`: each thread can draw its own part, and the result is the same at any
//! number of threads.

use std::f32::consts::{LN_2, PI};

use crate::dispatch::{Kernels, dispatch};

/// Numbers that are drawn together: Philox turns one counter into four words, and 16 counters fill a
/// register of AVX-512.
pub const GROUP: usize = 4 * LANES;

/// Counters that are computed together.
const LANES: usize = 16;
/// Rounds of Philox. Seven pass all tests of randomness; ten are the authors' choice, with a margin.
const ROUNDS: usize = 10;

/// The name of one sequence of 2^34 numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream {
    /// What stays the same for a whole run: its seed.
    pub key: u64,
    /// What the numbers are for: a step, a sample, a layer. Streams that differ here are independent.
    pub counter: [u32; 3],
}

/// The words of counters `first .. first + LANES`: word `w` of counter `c` is `words[w][c]`.
#[inline(always)]
fn philox(stream: Stream, first: u32) -> [[u32; LANES]; 4] {
    // Multipliers and key increments are those of the paper.
    const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
    const INCREMENTS: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
    // Word by word, not counter by counter: each line below is one operation on 16 lanes.
    let mut x = [[0; LANES]; 4];
    for c in 0..LANES {
        x[0][c] = first.wrapping_add(c as u32);
        (x[1][c], x[2][c], x[3][c]) = (stream.counter[0], stream.counter[1], stream.counter[2]);
    }
    let mut key = [stream.key as u32, (stream.key >> 32) as u32];
    for _ in 0..ROUNDS {
        for c in 0..LANES {
            let a = u64::from(x[0][c]) * u64::from(MULTIPLIERS[0]);
            let b = u64::from(x[2][c]) * u64::from(MULTIPLIERS[1]);
            x[0][c] = (b >> 32) as u32 ^ x[1][c] ^ key[0];
            x[1][c] = b as u32;
            x[2][c] = (a >> 32) as u32 ^ x[3][c] ^ key[1];
            x[3][c] = a as u32;
        }
        key = [0, 1].map(|at| key[at].wrapping_add(INCREMENTS[at]));
    }
    x
}

/// A number in [0, 1) with 24 random bits, as many as an `f32` can hold.
#[inline(always)]
fn unit(word: u32) -> f32 {
    (word >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// `ln x` for `x` in [2^-24, 1], with a relative error below 2e-7 or an absolute one below 1e-7.
#[inline(always)]
fn ln(x: f32) -> f32 {
    // x = 2^e m with m in [sqrt 1/2, sqrt 2); ln m = 2 atanh((m - 1) / (m + 1)).
    let bits = x.to_bits().wrapping_sub(0x3F35_04F3);
    let exponent = (bits as i32 >> 23) as f32;
    let m = f32::from_bits((bits & 0x007F_FFFF).wrapping_add(0x3F35_04F3));
    let t = (m - 1.0) / (m + 1.0);
    let square = t * t;
    let series = 2.0 / 3.0 + square * (2.0 / 5.0 + square * (2.0 / 7.0 + square * (2.0 / 9.0)));
    exponent * LN_2 + t * (2.0 + square * series)
}

/// `sin(2 pi u)` for `u` in [-1, 1], absolute error below 1e-6.
#[inline(always)]
fn sine_of_turns(u: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0;
    // Reduced to [-1/2, 1/2], then by symmetry to [-1/4, 1/4], where the Taylor polynomial is accurate.
    let u = u - ((u + ROUND) - ROUND);
    let folded = 0.5_f32.copysign(u) - u;
    let u = if u.abs() > 0.25 { folded } else { u };
    let x = u * 2.0 * PI;
    let square = x * x;
    let mut p = -2.505_210_8e-8f32;
    p = p * square + 2.755_731_9e-6;
    p = p * square - 1.984_127e-4;
    p = p * square + 8.333_333e-3;
    p = p * square - 1.666_666_7e-1;
    x + x * square * p
}

/// Two independent normal numbers from two words (Box and Muller 1958): without a branch, unlike the polar
/// method, and always two for two, so that number `i` has a fixed place.
#[inline(always)]
fn normal_pair(a: u32, b: u32) -> (f32, f32) {
    // 1 - unit lies in (0, 1]: the logarithm is finite.
    let radius = (-2.0 * ln(1.0 - unit(a))).sqrt();
    let turn = unit(b) - 0.5;
    (radius * sine_of_turns(turn + 0.25), radius * sine_of_turns(turn))
}

/// Calls `each(part, group)` for each group from number `start` on and the part of `values` that it fills.
#[inline(always)]
fn by_group<T>(
    stream: Stream,
    start: usize,
    values: &mut [T],
    mut each: impl FnMut(&mut [T], [[u32; LANES]; 4]),
) {
    assert!(start.is_multiple_of(GROUP), "numbers are drawn from the start of a group");
    for (index, part) in values.chunks_mut(GROUP).enumerate() {
        each(part, philox(stream, ((start / GROUP + index) * LANES) as u32));
    }
}

impl Kernels {
    /// `words[i]` becomes number `start + i` of the stream, 32 random bits. Number `64 g + 16 w + c` is word
    /// `w` of Philox's counter `16 g + c`. Reference: [`crate::reference::random_bits`].
    ///
    /// Panics, like the other functions here, if `start` is not a multiple of [`GROUP`].
    pub fn random_bits(self, stream: Stream, start: usize, words: &mut [u32]) {
        dispatch!(self, (stream: Stream, start: usize, words: &mut [u32]), |_S| {
            by_group(stream, start, words, |part, group| {
                part.copy_from_slice(&group.as_flattened()[..part.len()]);
            });
        });
    }

    /// `values[i]` becomes number `start + i` of the stream, uniform in [0, 1).
    /// Reference: [`crate::reference::random_uniform`].
    pub fn random_uniform(self, stream: Stream, start: usize, values: &mut [f32]) {
        dispatch!(self, (stream: Stream, start: usize, values: &mut [f32]), |_S| {
            by_group(stream, start, values, |part, group| {
                for (value, &word) in part.iter_mut().zip(group.as_flattened()) {
                    *value = unit(word);
                }
            });
        });
    }

    /// `values[i] += std n`, where `n` is number `start + i` of the stream, from the standard normal
    /// distribution. Reference: [`crate::reference::random_normal`].
    pub fn add_normal(self, stream: Stream, start: usize, std: f32, values: &mut [f32]) {
        dispatch!(
            self,
            (stream: Stream, start: usize, std: f32, values: &mut [f32]),
            |_S| {
                by_group(stream, start, values, |part, group| {
                    let mut normal = [[0.0f32; LANES]; 4];
                    for c in 0..LANES {
                        (normal[0][c], normal[1][c]) = normal_pair(group[0][c], group[1][c]);
                        (normal[2][c], normal[3][c]) = normal_pair(group[2][c], group[3][c]);
                    }
                    for (value, normal) in part.iter_mut().zip(normal.as_flattened()) {
                        *value += std * normal;
                    }
                });
            }
        );
    }

    /// The mask of dropout (Srivastava et al. 2014): `mask[i]` becomes 0 with probability `rate`, decided by
    /// number `start + i` of the stream, and `1 / (1 - rate)` otherwise.
    /// Reference: [`crate::reference::dropout_mask`].
    pub fn dropout_mask(self, stream: Stream, start: usize, rate: f32, mask: &mut [f32]) {
        dispatch!(self, (stream: Stream, start: usize, rate: f32, mask: &mut [f32]), |_S| {
            let factor = 1.0 / (1.0 - rate);
            by_group(stream, start, mask, |part, group| {
                for (value, &word) in part.iter_mut().zip(group.as_flattened()) {
                    *value = if unit(word) < rate { 0.0 } else { factor };
                }
            });
        });
    }
}
