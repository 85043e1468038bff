//! How far predicted values are from the true ones (docs/maths.md M21).

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
}

/// What an evaluation of a regressor found.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueEvaluation {
    /// Half the mean squared error over samples and outputs: what training makes small.
    pub loss: f64,
    /// The errors of each output.
    pub outputs: Vec<ValueErrors>,
}

impl ValueEvaluation {
    /// Compares values, both samples x `outputs`; all figures but R^2 are 0 where there is no sample.
    /// Panics where their numbers differ.
    pub fn new(outputs: usize, predicted: &[f32], wanted: &[f32]) -> ValueEvaluation {
        assert_eq!(predicted.len(), wanted.len());
        let outputs: Vec<ValueErrors> = (0..outputs)
            .map(|output| {
                let column = |values: &[f32]| -> Vec<f64> {
                    values.iter().skip(output).step_by(outputs).map(|&x| f64::from(x)).collect()
                };
                ValueErrors::new(&column(predicted), &column(wanted))
            })
            .collect();
        let squares: f64 = outputs.iter().map(|errors| errors.mean_squared).sum();
        ValueEvaluation { loss: squares / (2 * outputs.len().max(1)) as f64, outputs }
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
        }
    }
}

impl ValueErrors {
    /// Of one output. R^2 of a constant output is 1 where all predictions are right, else 0.
    fn new(predicted: &[f64], wanted: &[f64]) -> ValueErrors {
        let count = wanted.len().max(1) as f64;
        let errors = || predicted.iter().zip(wanted).map(|(predicted, wanted)| predicted - wanted);
        let mean = wanted.iter().sum::<f64>() / count;
        let squares: f64 = errors().map(|error| error * error).sum();
        let spread: f64 = wanted.iter().map(|value| (value - mean) * (value - mean)).sum();
        ValueErrors {
            mean_squared: squares / count,
            root_mean_squared: (squares / count).sqrt(),
            mean_absolute: errors().map(f64::abs).sum::<f64>() / count,
            r2: match spread > 0.0 {
                true => 1.0 - squares / spread,
                false => f64::from(u8::from(squares == 0.0)),
            },
        }
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
}
