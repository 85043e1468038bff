//! What L-BFGS remembers of the curvature: its last steps and the changes of the gradient along them. A
//! gradient in, the direction of the next step out.

use std::collections::VecDeque;

/// Pairs that are remembered; SciPy's number.
pub(super) const PAIRS: usize = 10;

/// A step, and how the gradient changed along it.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    pub(super) step: Vec<f32>,
    pub(super) change: Vec<f32>,
    /// `1 / (change . step)`
    inverse: f64,
}

impl Pair {
    /// None if the curvature along the step is not above `least`: the direction could then lead upwards.
    pub(super) fn new(step: Vec<f32>, change: Vec<f32>, least: f64) -> Option<Pair> {
        let curvature = dot(&step, &change);
        let sound = curvature > least && curvature.is_finite();
        sound.then(|| Pair { step, change, inverse: 1.0 / curvature })
    }
}

/// The last pairs, the oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory {
    pairs: VecDeque<Pair>,
}

impl Memory {
    pub(super) fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.pairs.clear();
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = &Pair> {
        self.pairs.iter()
    }

    /// Adds a pair, in place of the oldest if there are enough.
    pub(super) fn push(&mut self, pair: Pair) {
        if self.pairs.len() == PAIRS {
            self.pairs.pop_front();
        }
        self.pairs.push_back(pair);
    }

    /// `-H gradient`, with the inverse Hessian `H` that the pairs stand for, by the two-loop recursion
    /// (Nocedal and Wright 2006, algorithm 7.4); without pairs, `-gradient`.
    pub(super) fn direction(&self, gradient: &[f32]) -> Vec<f64> {
        let mut direction: Vec<f64> = gradient.iter().map(|&it| -f64::from(it)).collect();
        let mut shares = [0.0; PAIRS];
        for (pair, share) in self.pairs.iter().zip(&mut shares).rev() {
            *share = pair.inverse * dot_with(&pair.step, &direction);
            add(&mut direction, -*share, &pair.change);
        }
        if let Some(last) = self.pairs.back() {
            let scale = 1.0 / (last.inverse * dot(&last.change, &last.change));
            direction.iter_mut().for_each(|it| *it *= scale);
        }
        for (pair, share) in self.pairs.iter().zip(&shares) {
            let own = pair.inverse * dot_with(&pair.change, &direction);
            add(&mut direction, share - own, &pair.step);
        }
        direction
    }
}

/// Partial sums, so that the compiler can use vectors; the order of the terms is always the same.
const LANES: usize = 8;

/// The sum of the products, in double precision.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f64 {
    sum(a, b, |a, b| f64::from(a) * f64::from(b))
}

/// The same, for a vector in double precision.
pub(super) fn dot_with(a: &[f32], b: &[f64]) -> f64 {
    sum(a, b, |a, b| f64::from(a) * b)
}

fn sum<T: Copy>(a: &[f32], b: &[T], term: impl Fn(f32, T) -> f64) -> f64 {
    let mut sums = [0.0; LANES];
    let (whole, rest) = (a.chunks_exact(LANES), a.chunks_exact(LANES).remainder());
    for (a, b) in whole.zip(b.chunks_exact(LANES)) {
        for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
            *sum += term(a, b);
        }
    }
    let last = rest.iter().zip(&b[a.len() - rest.len()..]).map(|(&a, &b)| term(a, b));
    sums.iter().sum::<f64>() + last.sum::<f64>()
}

/// `to += factor values`
fn add(to: &mut [f64], factor: f64, values: &[f32]) {
    to.iter_mut().zip(values).for_each(|(to, &value)| *to += factor * f64::from(value));
}
