//! How far predicted values are from the true ones (docs/maths.md M21).

use crate::loss::{Loss, shares};

/// The errors of one output, or their means over the outputs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ValueErrors {
    /// Mean of the squares of the errors.
    pub mean_squared: f64,
    /// The root of it, in the unit of the output.
    pub root_mean_squared: f64,
    /// Mean of their sizes.
    pub mean_absolute: f64,
    /// R^2, the share of the output's variance that is explained: 1 where every prediction is right,
    /// 0 for the mean of the true values, negative for worse.
    pub r2: f64,
    /// Mean Poisson deviance, `2 (t ln(t / y) - t + y)`, of a model for counts; none for other losses.
    pub mean_poisson_deviance: Option<f64>,
    /// Mean pinball loss at the output's level, of a model for quantiles; none for other losses.
    pub mean_pinball: Option<f64>,
    /// Share of the targets that are not above the predicted quantile: near its level if the model is calibrated. None for
    /// other losses.
    pub coverage: Option<f64>,
}

/// What an evaluation of a regressor found.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueEvaluation {
    /// The mean of the model's loss over samples and outputs, half the squared error unless it has another: what training
    /// makes small.
    pub loss: f64,
    /// The errors of each output.
    pub outputs: Vec<ValueErrors>,
}

/// The errors of values, summed up part after part: the same figures as of all values at once, for more samples than there
/// is memory for. The means of the true values must be known before.
#[derive(Debug, Clone)]
pub struct ValueSums {
    loss: Loss,
    /// The share of each output in the loss; empty for the squared error of equal outputs.
    shares: Vec<f64>,
    samples: usize,
    outputs: Vec<OutputSums>,
}

#[derive(Debug, Clone, Default)]
struct OutputSums {
    /// The mean of the true values.
    mean: f64,
    squares: f64,
    absolute: f64,
    spread: f64,
    loss: f64,
    /// True values that are not above the predicted ones.
    below: usize,
}

impl ValueSums {
    /// No values yet: for a model with this loss, whose outputs have these weights in it ([`shares`]); the true values have
    /// these means, one for each output.
    pub fn new(loss: &Loss, weights: &[f32], means: &[f64]) -> ValueSums {
        let shares = match *loss == Loss::SquaredError && weights.is_empty() {
            true => Vec::new(),
            false => shares(weights, means.len()).into_iter().collect(),
        };
        let outputs = means.iter().map(|&mean| OutputSums { mean, ..OutputSums::default() });
        ValueSums { loss: loss.clone(), shares, samples: 0, outputs: outputs.collect() }
    }

    /// Adds the values of the next samples, both samples x outputs. Panics where their numbers differ.
    pub fn add(&mut self, predicted: &[f32], wanted: &[f32]) {
        assert_eq!(predicted.len(), wanted.len());
        let outputs = self.outputs.len().max(1);
        self.samples += wanted.len() / outputs;
        let has_loss = !self.shares.is_empty();
        for (predicted, wanted) in predicted.chunks_exact(outputs).zip(wanted.chunks_exact(outputs))
        {
            let pairs = predicted.iter().zip(wanted);
            for (at, (sums, (&predicted, &wanted))) in
                self.outputs.iter_mut().zip(pairs).enumerate()
            {
                let (predicted, wanted) = (f64::from(predicted), f64::from(wanted));
                let (error, distance) = (predicted - wanted, wanted - sums.mean);
                sums.squares += error * error;
                sums.absolute += error.abs();
                sums.spread += distance * distance;
                if has_loss {
                    sums.loss += self.loss.of_prediction(predicted, wanted, at);
                    sums.below += usize::from(wanted <= predicted);
                }
            }
        }
    }

    /// The figures of all values.
    pub fn finish(self) -> ValueEvaluation {
        let count = self.samples.max(1) as f64;
        let outputs: Vec<ValueErrors> =
            self.outputs.iter().map(|sums| sums.errors(count, &self.loss)).collect();
        let loss = match self.shares.is_empty() {
            true => {
                let squares: f64 = outputs.iter().map(|errors| errors.mean_squared).sum();
                squares / (2 * outputs.len().max(1)) as f64
            }
            false => {
                let means = self.outputs.iter().map(|sums| sums.loss / count);
                self.shares.iter().zip(means).map(|(share, mean)| share * mean).sum()
            }
        };
        ValueEvaluation { loss, outputs }
    }
}

impl OutputSums {
    /// The figures of `count` samples. R^2 of a constant output is 1 where all predictions are right, else 0.
    fn errors(&self, count: f64, loss: &Loss) -> ValueErrors {
        let (is_poisson, is_quantile) =
            (matches!(loss, Loss::Poisson), matches!(loss, Loss::Quantile(_)));
        ValueErrors {
            mean_squared: self.squares / count,
            root_mean_squared: (self.squares / count).sqrt(),
            mean_absolute: self.absolute / count,
            r2: match self.spread > 0.0 {
                true => 1.0 - self.squares / self.spread,
                false => f64::from(u8::from(self.squares == 0.0)),
            },
            mean_poisson_deviance: is_poisson.then(|| 2.0 * (self.loss / count)),
            mean_pinball: is_quantile.then(|| self.loss / count),
            coverage: is_quantile.then(|| self.below as f64 / count),
        }
    }
}

impl ValueEvaluation {
    /// Compares values, both samples x `outputs`; all figures but R^2 are 0 where there is no sample.
    /// Panics where their numbers differ.
    pub fn new(outputs: usize, predicted: &[f32], wanted: &[f32]) -> ValueEvaluation {
        ValueEvaluation::with_loss(&Loss::SquaredError, &[], outputs, predicted, wanted)
    }

    /// The same for a model with this loss, whose outputs have these weights in it ([`shares`]).
    pub fn with_loss(
        loss: &Loss,
        weights: &[f32],
        outputs: usize,
        predicted: &[f32],
        wanted: &[f32],
    ) -> ValueEvaluation {
        let count = (wanted.len() / outputs.max(1)).max(1) as f64;
        let mean = |output: usize| {
            let column = wanted.iter().skip(output).step_by(outputs).map(|&x| f64::from(x));
            column.sum::<f64>() / count
        };
        let means: Vec<f64> = (0..outputs).map(mean).collect();
        let mut sums = ValueSums::new(loss, weights, &means);
        sums.add(predicted, wanted);
        sums.finish()
    }

    /// The means of the figures over the outputs.
    pub fn mean(&self) -> ValueErrors {
        let mean = |of: fn(&ValueErrors) -> f64| {
            self.outputs.iter().map(of).sum::<f64>() / self.outputs.len().max(1) as f64
        };
        ValueErrors {
            mean_squared: mean(|errors| errors.mean_squared),
            root_mean_squared: mean(|errors| errors.root_mean_squared),
            mean_absolute: mean(|errors| errors.mean_absolute),
            r2: mean(|errors| errors.r2),
            mean_poisson_deviance: self.mean_of(|errors| errors.mean_poisson_deviance),
            mean_pinball: self.mean_of(|errors| errors.mean_pinball),
            // That of different levels says nothing.
            coverage: if self.outputs.len() == 1 { self.outputs[0].coverage } else { None },
        }
    }

    /// The mean of a figure that only some losses have.
    fn mean_of(&self, of: fn(&ValueErrors) -> Option<f64>) -> Option<f64> {
        let figures: Option<Vec<f64>> = self.outputs.iter().map(of).collect();
        let figures = figures.filter(|figures| !figures.is_empty())?;
        Some(figures.iter().sum::<f64>() / figures.len() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scikit-learn's mean_squared_error, root_mean_squared_error, mean_absolute_error and r2_score.
    #[test]
    fn figures_are_those_of_scikit_learn() {
        let wanted = [3.0, 0.5, -0.5, 1.0, 2.0, -1.0, 7.0, 2.0];
        let predicted = [2.5, 0.5, 0.0, 2.0, 2.0, -1.0, 8.0, 1.0];
        let found = ValueEvaluation::new(2, &predicted, &wanted);
        let close = |found: ValueErrors, expected: [f64; 4]| {
            let found =
                [found.mean_squared, found.root_mean_squared, found.mean_absolute, found.r2];
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-12, "{found} {expected}");
            }
        };
        close(found.outputs[0], [0.375, 0.612_372_435_695_794_5, 0.5, 0.948_608_137_044_967_9]);
        close(found.outputs[1], [0.5, 0.5f64.sqrt(), 0.5, 0.573_333_333_333_333_3]);
        close(found.mean(), [0.4375, 0.659_739_608_441_171, 0.5, 0.760_970_735_189_150_6]);
        assert_eq!(found.loss, 0.4375 / 2.0);
        let constant = |predicted| ValueEvaluation::new(1, &[predicted; 3], &[2.0; 3]).mean().r2;
        assert_eq!([constant(2.0), constant(2.5)], [1.0, 0.0]);
        assert_eq!(ValueEvaluation::new(1, &[], &[]).loss, 0.0);
    }

    #[test]
    fn parts_give_the_figures_of_the_whole() {
        let value = |at: usize| (at as f32 * 0.7).sin() + 2.0;
        let (predicted, wanted): (Vec<f32>, Vec<f32>) =
            (0..60).map(|at| (value(at), value(at + 5))).unzip();
        let losses = [
            (Loss::SquaredError, vec![]),
            (Loss::SquaredError, vec![1.0, 2.0]),
            (Loss::Poisson, vec![]),
            (Loss::Quantile(vec![0.1, 0.9]), vec![]),
        ];
        for (loss, weights) in losses {
            let whole = ValueEvaluation::with_loss(&loss, &weights, 2, &predicted, &wanted);
            let mean = |output: usize| {
                wanted.iter().skip(output).step_by(2).map(|&it| f64::from(it)).sum::<f64>() / 30.0
            };
            let mut sums = ValueSums::new(&loss, &weights, &[mean(0), mean(1)]);
            for part in [0..2, 2..40, 40..60] {
                sums.add(&predicted[part.clone()], &wanted[part]);
            }
            assert_eq!(sums.finish(), whole);
        }
    }

    const POISSON: f64 = 0.601_187_954_046_684_8;
    const PINBALL: [(f64, f64); 2] = [(0.3875, 0.75), (0.3375, 0.75)];

    /// scikit-learn's mean_poisson_deviance and mean_pinball_loss (alpha 0.1 and 0.9), and the losses made of them.
    #[test]
    fn figures_of_other_losses_are_those_of_scikit_learn() {
        let wanted = [0.0, 2.0, 1.0, 5.0];
        let predicted = [0.5, 2.5, 1.5, 3.0];
        let found = ValueEvaluation::with_loss(&Loss::Poisson, &[], 1, &predicted, &wanted);
        let deviance = found.outputs[0].mean_poisson_deviance.unwrap();
        assert!((deviance - POISSON).abs() < 1e-12, "{deviance}");
        assert_eq!((found.loss, found.mean().mean_pinball), (deviance / 2.0, None));
        let levels = Loss::Quantile(vec![0.1, 0.9]);
        let twice: Vec<f32> = wanted.iter().flat_map(|&t| [t, t]).collect();
        let both: Vec<f32> = predicted.iter().flat_map(|&y| [y, y + 1.0]).collect();
        let found = ValueEvaluation::with_loss(&levels, &[], 2, &both, &twice);
        for (errors, (pinball, coverage)) in found.outputs.iter().zip(PINBALL) {
            // The levels are single-precision numbers.
            assert!((errors.mean_pinball.unwrap() - pinball).abs() < 1e-7);
            assert_eq!(errors.coverage, Some(coverage));
        }
        assert!((found.loss - (PINBALL[0].0 + PINBALL[1].0) / 2.0).abs() < 1e-7);
        let weighted =
            ValueEvaluation::with_loss(&Loss::SquaredError, &[1.0, 3.0], 2, &predicted, &wanted);
        assert_eq!(weighted.loss, (0.25 * 0.25 + 0.75 * (0.25 + 4.0) / 2.0) / 2.0);
    }
}
