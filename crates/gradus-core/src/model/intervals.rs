//! Intervals around predicted values: how far predictions were from the truth of samples that had no part in them in, the
//! half width of an interval out (docs/maths.md M33).

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The most distances that are kept of an output.
const MOST_KEPT: usize = 1000;

/// How far predictions of each output were from the truth of `samples` samples that had no part in the network that
/// predicted them.
///
/// Of the absolute errors `r_(1) <= ... <= r_(n)` of `n` samples all are kept if `n` is at most 1000, else the 1000 of the
/// ranks `ceil(j n / 1000)`. An interval is `prediction +- r_(k)` with the rank `k = ceil((n + 1) level)`, or the next larger
/// rank that is kept, so that an interval is never narrower than it has to be.
///
/// Sources: Papadopoulos et al. 2002, "Inductive confidence machines for regression"; Vovk 2015, "Cross-conformal
/// predictors"; Barber et al. 2021, "Predictive inference with the jackknife+".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intervals {
    samples: usize,
    /// For each output, in ascending order.
    distances: Vec<Vec<f32>>,
}

impl Intervals {
    /// Those of these absolute errors: row after row, one for each of `outputs`; none of them may be NaN.
    pub fn of(errors: &[f32], outputs: usize) -> Intervals {
        let samples = errors.len() / outputs.max(1);
        let distances = (0..outputs).map(|output| {
            let mut sorted: Vec<f32> =
                errors.iter().skip(output).step_by(outputs).copied().collect();
            sorted.sort_unstable_by(f32::total_cmp);
            ranks(samples).map(|rank| sorted[rank - 1]).collect()
        });
        Intervals { samples, distances: distances.collect() }
    }

    /// The number of samples whose errors they come from.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Half the width of the interval of each output that holds the truth of a new sample with a probability of about
    /// `level`, in the units of the outputs.
    ///
    /// # Errors
    /// `InvalidArgument` for a level that is not above 0 and below 1, or that needs more samples than there were.
    pub fn half_widths(&self, level: f64) -> Result<Vec<f32>> {
        if !(level > 0.0 && level < 1.0) {
            return Err(Error::argument(format!(
                "the level of an interval is {level}, but must be above 0 and below 1, such as 0.9"
            )));
        }
        // 0.9 (99 + 1) is 90, however 0.9 was rounded.
        let rank = ((self.samples as f64 + 1.0) * level - 1e-9).ceil().max(1.0) as usize;
        let Some(at) = ranks(self.samples).position(|kept| kept >= rank) else {
            return Err(Error::argument(format!(
                "intervals of level {level} take at least {} samples to be measured on, but the model was measured on {}: \
                 ask for a lower level, or train on more samples",
                (level / (1.0 - level) * (1.0 - 1e-9)).ceil(),
                self.samples
            )));
        };
        Ok(self.distances.iter().map(|of_output| of_output[at]).collect())
    }

    /// Checks that they are for so many outputs, and sound.
    pub(crate) fn check(&self, outputs: usize) -> Result<()> {
        let kept = ranks(self.samples).count();
        let sound = |distances: &Vec<f32>| {
            distances.len() == kept
                && distances.is_sorted()
                && distances.iter().all(|it| it.is_finite() && *it >= 0.0)
        };
        match self.samples > 0
            && self.distances.len() == outputs
            && self.distances.iter().all(sound)
        {
            true => Ok(()),
            false => Err(Error::argument(format!(
                "the errors for intervals do not fit {outputs} outputs: expected for each of them {kept} finite numbers \
                 in ascending order"
            ))),
        }
    }
}

/// The ranks that are kept of `samples` errors, from 1, ascending.
fn ranks(samples: usize) -> impl Iterator<Item = usize> {
    let kept = samples.min(MOST_KEPT);
    (1..=kept).map(move |at| {
        // In 128 bits: a file may give any number.
        let product = at as u128 * samples as u128;
        product.div_ceil(kept as u128) as usize
    })
}

#[cfg(test)]
mod tests {
    use rand::RngExt as _;

    use super::*;
    use crate::random::{Purpose, numbered_stream};

    #[test]
    fn the_rank_is_that_of_finite_samples() {
        let errors: Vec<f32> = (1..=99).rev().map(|at| at as f32).collect();
        let found = Intervals::of(&errors, 1);
        for (level, expected) in
            [(0.9, 90.0), (0.95, 95.0), (0.5, 50.0), (0.001, 1.0), (0.99, 99.0), (0.901, 91.0)]
        {
            assert_eq!(found.half_widths(level).unwrap(), [expected], "{level}");
        }
        let error = found.half_widths(0.995).unwrap_err().to_string();
        assert!(
            error.contains("at least 199 samples") && error.contains("measured on 99"),
            "{error}"
        );
        for level in [0.0, 1.0, -0.5, f64::NAN, 90.0] {
            let error = found.half_widths(level).unwrap_err().to_string();
            assert!(error.contains("above 0 and below 1"), "{error}");
        }
        found.check(1).unwrap();
        assert!(found.check(2).is_err());
    }

    /// Of many errors some are kept: an interval takes the next larger one.
    #[test]
    fn thinned_errors_are_never_too_small() {
        let count = 12_345;
        let errors: Vec<f32> = (0..2 * count).map(|at| (at / 2 + at % 2) as f32).collect();
        let found = Intervals::of(&errors, 2);
        found.check(2).unwrap();
        for level in [0.013, 0.5, 0.9, 0.999] {
            let exact = ((count + 1) as f64 * level).ceil() - 1.0;
            let width = found.half_widths(level).unwrap();
            let over = f64::from(width[0]) - exact;
            assert!((0.0..=count as f64 / 1000.0 + 1.0).contains(&over), "{level}: {over}");
            assert_eq!(width[1], width[0] + 1.0);
        }
        let found = Intervals { samples: usize::MAX, ..found };
        assert!(found.half_widths(0.9).is_ok());
    }

    /// Errors and new samples are drawn from one distribution: each interval covers the truth with exactly the probability
    /// `k / (n + 1)`. Over 4000 draws the share is within five standard deviations.
    #[test]
    fn intervals_cover_what_they_say() {
        let (samples, draws) = (57, 4000);
        for level in [0.5, 0.8, 0.9] {
            let mut covered = 0;
            for draw in 0..draws {
                let mut random = numbered_stream(3, Purpose::Split, draw);
                let mut error = || {
                    let value: f32 = random.random();
                    value * value
                };
                let errors: Vec<f32> = (0..samples).map(|_| error()).collect();
                let width = Intervals::of(&errors, 1).half_widths(level).unwrap()[0];
                covered += usize::from(error() <= width);
            }
            let expected = ((samples as f64 + 1.0) * level).ceil() / (samples as f64 + 1.0);
            let spread = (expected * (1.0 - expected) / draws as f64).sqrt();
            let found = covered as f64 / draws as f64;
            assert!((found - expected).abs() < 5.0 * spread, "{level}: {found} {expected}");
        }
    }
}
