//! From a skeleton to the path of the pen: a variant is chosen, jittered, bent, slanted and rotated.
//!
//! In: a digit and a random stream. Out: short straight segments, in units of the digit's
//! height and with the pen's pressure at each end.

use rand::RngExt;

use super::skeletons::{Knot, VARIANTS};
use crate::random::ChaCha8Rng;

/// Jitter of a knot: about one standard deviation, in units of the digit's height.
const KNOT_SHAKE: f32 = 0.025;
/// The same for each coefficient of the elastic distortion.
const ELASTIC: f32 = 0.053;
/// Tangent of the steepest slant.
const SLANT: f32 = 0.55;
/// The largest rotation, as the tangent of half its angle (0.15: about 17 degrees).
const HALF_TURN: f32 = 0.15;
/// Straight segments in a stroke of length 1.
const STEPS_PER_UNIT: f32 = 12.0;

/// A point of the pen's path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) x: f32,
    pub(super) y: f32,
    /// The pen's width here, relative to the mean.
    pub(super) pressure: f32,
}

/// The path of one digit; kept between digits so that drawing allocates nothing.
#[derive(Debug, Default)]
pub(super) struct Path {
    /// Both ends of each segment.
    pub(super) segments: Vec<[Point; 2]>,
    knots: Vec<Knot>,
}

impl Path {
    /// Replaces the path by that of a freshly written `digit`.
    pub(super) fn draw(&mut self, digit: usize, rng: &mut ChaCha8Rng) {
        self.segments.clear();
        let variants = VARIANTS[digit];
        for stroke in variants[rng.random_range(0..variants.len())] {
            let shaken = stroke.iter().map(|knot| Knot {
                x: knot.x + KNOT_SHAKE * bell(rng),
                y: knot.y + KNOT_SHAKE * bell(rng),
                corner: knot.corner,
            });
            self.knots.clear();
            self.knots.extend(shaken);
            let pressure = [1.0 + 0.15 * bell(rng), 1.0 + 0.15 * bell(rng)];
            trace(&self.knots, pressure, &mut self.segments);
        }
        let bend = Bend::random(rng);
        for point in self.segments.as_flattened_mut() {
            (point.x, point.y) = bend.apply(point.x, point.y);
        }
    }
}

/// A roughly normal number in -3..3 with mean 0 and variance 1, without logarithms: the scaled sum of
/// four uniform numbers (the textbook takes twelve).
pub(super) fn bell(rng: &mut ChaCha8Rng) -> f32 {
    let sum: f32 = (0..4).map(|_| rng.random::<f32>()).sum();
    (sum - 2.0) * 1.732_050_8
}

/// Appends the segments of one stroke: cubic Hermite pieces between the knots.
fn trace(knots: &[Knot], pressure: [f32; 2], segments: &mut Vec<[Point; 2]>) {
    let spans = knots.len() - 1;
    for span in 0..spans {
        let (from, to) = (knots[span], knots[span + 1]);
        let chord = (to.x - from.x, to.y - from.y);
        let start = if span == 0 { chord } else { tangent(knots, span, chord) };
        let end = if span + 1 == spans { chord } else { tangent(knots, span + 1, chord) };
        let length = (chord.0 * chord.0 + chord.1 * chord.1).sqrt();
        let steps = ((length * STEPS_PER_UNIT) as usize).clamp(1, 12) + 1;
        let at = |step: usize| {
            let t = step as f32 / steps as f32;
            let along = (span as f32 + t) / spans as f32;
            Point {
                x: hermite(from.x, to.x, start.0, end.0, t),
                y: hermite(from.y, to.y, start.1, end.1, t),
                pressure: pressure[0] + (pressure[1] - pressure[0]) * along,
            }
        };
        let mut last = at(0);
        for step in 1..=steps {
            let next = at(step);
            segments.push([last, next]);
            last = next;
        }
    }
}

/// Direction of the pen at inner knot `index`: that from its previous to its next knot, or that of the
/// piece's own `chord` if the pen turns sharply.
fn tangent(knots: &[Knot], index: usize, chord: (f32, f32)) -> (f32, f32) {
    if knots[index].corner {
        return chord;
    }
    let (before, after) = (knots[index - 1], knots[index + 1]);
    (0.5 * (after.x - before.x), 0.5 * (after.y - before.y))
}

/// Cubic from `from` to `to` with slopes `start` and `end`, at `t` in 0..=1.
fn hermite(from: f32, to: f32, start: f32, end: f32, t: f32) -> f32 {
    let rest = 1.0 - t;
    let (a, b) = (rest * rest, t * t);
    from * a * (1.0 + 2.0 * t) + start * a * t + to * b * (3.0 - 2.0 * t) - end * b * rest
}

/// The distortion of one whole digit: elastic, then aspect, slant and rotation.
struct Bend {
    /// Coefficients of the elastic displacement, for x and y, in the order of [`curves`].
    elastic: [[f32; CURVES]; 2],
    /// The linear map `(x, y) -> (m0 x + m1 y, m2 x + m3 y)`.
    matrix: [f32; 4],
}

impl Bend {
    fn random(rng: &mut ChaCha8Rng) -> Self {
        let mut elastic = [[0.0; CURVES]; 2];
        for coefficient in elastic.as_flattened_mut() {
            *coefficient = ELASTIC * bell(rng);
        }
        let aspect = rng.random_range(0.7..1.45f32);
        let slant = SLANT * rng.random_range(-0.6..1.0f32);
        let half = HALF_TURN * rng.random_range(-1.0..1.0f32);
        // Cosine and sine from the tangent of half the angle.
        let scale = 1.0 / (1.0 + half * half);
        let (cos, sin) = ((1.0 - half * half) * scale, 2.0 * half * scale);
        // Turn times slant (leaning to the right, y runs down) times aspect.
        let matrix = [cos * aspect, -cos * slant - sin, sin * aspect, cos - sin * slant];
        Bend { elastic, matrix }
    }

    fn apply(&self, x: f32, y: f32) -> (f32, f32) {
        let curves = curves(2.0 * x / 0.7 - 1.0, 2.0 * y - 1.0);
        let moved = |coefficients: &[f32; CURVES]| -> f32 {
            coefficients.iter().zip(curves).map(|(coefficient, curve)| coefficient * curve).sum()
        };
        let (x, y) = (x + moved(&self.elastic[0]), y + moved(&self.elastic[1]));
        let [a, b, c, d] = self.matrix;
        (a * x + b * y, c * x + d * y)
    }
}

/// Number of functions that the elastic displacement is made of.
const CURVES: usize = 7;

/// The monomials of degree two and three over -1..1, which are smooth, so that strokes get no kinks.
/// Those of lower degree would only shift, rotate, slant and scale.
fn curves(u: f32, v: f32) -> [f32; CURVES] {
    [u * u, u * v, v * v, u * u * u, u * u * v, u * v * v, v * v * v]
}
