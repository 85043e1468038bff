//! What a network's outputs are: outputs of the last layer in, predictions out.

use gradus_kernels::Kernels;
use gradus_kernels::matrix::MatMut;

use crate::error::{Error, Result};
use crate::loss::Loss;
use crate::samples::{Subset, Targets, Task};

/// What a network's outputs are.
#[derive(Debug, Clone, PartialEq)]
pub struct Outputs {
    /// The loss that the network was trained with: it decides whether outputs are classes or values, and what becomes of
    /// them in a prediction.
    pub loss: Loss,
    /// One name for each output: of the class, or of the value; for quantiles such as `price:0.1`.
    pub names: Vec<String>,
    /// Weight of each target in the loss; empty if all count the same.
    pub weights: Vec<f32>,
    /// The least and the largest prediction of each output: predictions beyond are clipped to it. Empty if they are not clipped.
    pub range: Vec<[f32; 2]>,
}

impl Outputs {
    /// One output for each class.
    pub fn classes(names: Vec<String>) -> Outputs {
        Outputs::with_loss(Loss::SoftmaxCrossEntropy, names)
    }

    /// One output for each label.
    pub fn labels(names: Vec<String>) -> Outputs {
        Outputs::with_loss(Loss::BinaryCrossEntropy, names)
    }

    /// One output for each value.
    pub fn values(names: Vec<String>) -> Outputs {
        Outputs::with_loss(Loss::SquaredError, names)
    }

    /// Outputs of these names and this loss, all of the same weight, whose predictions are not clipped.
    pub fn with_loss(loss: Loss, names: Vec<String>) -> Outputs {
        Outputs { loss, names, weights: Vec::new(), range: Vec::new() }
    }

    /// The outputs of a model that learns these targets with this loss.
    pub fn of(targets: &Targets, loss: Loss, weights: Vec<f32>) -> Outputs {
        let names = loss.output_names(targets.names());
        Outputs { weights, ..Outputs::with_loss(loss, names) }
    }

    /// Turns the outputs of the last layer, one row for each sample, into what the model predicts: [`Loss::predictions`],
    /// clipped to [`Self::range`]. NaN stays what it is.
    pub fn predictions(&self, kernels: Kernels, mut outputs: MatMut) {
        self.loss.predictions(kernels, outputs.reborrow());
        if self.range.is_empty() {
            return;
        }
        for row in 0..outputs.rows() {
            clip(outputs.row_mut(row), &self.range, |bound| bound);
        }
    }

    /// Clips the outputs of a member of a bag, row after row: the mean is one of clipped predictions. Predictions grow with
    /// outputs, so that outputs are clipped to those of the bounds.
    pub(super) fn clip_outputs(&self, outputs: &mut [f32]) {
        let Some(width) = Some(self.range.len()).filter(|&width| width > 0) else { return };
        for row in outputs.chunks_exact_mut(width) {
            match self.loss {
                // An output is the logarithm of the prediction; that of 0 is no number, but can be compared with.
                Loss::Poisson => clip(row, &self.range, f32::ln),
                _ => clip(row, &self.range, |bound| bound),
            }
        }
    }

    /// The derivatives of prediction `of` of a sample with respect to its outputs: [`Loss::prediction_slopes`], and 0 where the
    /// prediction is at a bound of the range.
    pub(super) fn prediction_slopes(
        &self,
        outputs: &[f32],
        predictions: &[f32],
        of: usize,
    ) -> Vec<f32> {
        match self.range.get(of).is_some_and(|bounds| bounds.contains(&predictions[of])) {
            true => vec![0.0; outputs.len()],
            false => self.loss.prediction_slopes(outputs, predictions, of),
        }
    }

    /// Makes predictions stay in the range of the targets of all these samples, those with a weight of 0 left out, and in what
    /// an earlier model of these outputs predicted.
    pub(crate) fn clip_to<'a>(
        &mut self,
        sets: impl Iterator<Item = Subset<'a>>,
        earlier: Option<&Outputs>,
    ) {
        let per_target = self.loss.outputs_per_target();
        let mut range = vec![[f32::INFINITY, f32::NEG_INFINITY]; self.names.len() / per_target];
        for set in sets {
            let Targets::Values { values, .. } = &set.data().targets else { continue };
            let weights = set.data().sample_weights.as_deref();
            let width = range.len();
            for sample in set.indices() {
                if weights.is_some_and(|weights| weights[sample] == 0.0) {
                    continue;
                }
                let targets = &values[sample * width..][..width];
                for ([least, most], &target) in range.iter_mut().zip(targets) {
                    (*least, *most) = (least.min(target), most.max(target));
                }
            }
        }
        if range.iter().any(|[least, most]| least > most) {
            // No sample counts: there is nothing to clip to.
            return;
        }
        self.range = range.into_iter().flat_map(|it| std::iter::repeat_n(it, per_target)).collect();
        let earlier = earlier.map_or(&[][..], |earlier| &earlier.range);
        for ([least, most], before) in self.range.iter_mut().zip(earlier) {
            (*least, *most) = (least.min(before[0]), most.max(before[1]));
        }
    }

    /// Checks that the range fits the outputs.
    ///
    /// # Errors
    /// `InvalidArgument` if it is not one of finite numbers in order for each output, or the model does not predict values.
    pub(crate) fn check_range(&self) -> Result<()> {
        let Outputs { range, names, loss, .. } = self;
        let sound = range.iter().all(|[least, most]| {
            least.is_finite()
                && most.is_finite()
                && least <= most
                && (*loss != Loss::Poisson || *least >= 0.0)
        });
        let fits = sound && range.len() == names.len() && loss.task() == Task::Regression;
        match fits || range.is_empty() {
            true => Ok(()),
            false => Err(Error::argument(format!(
                "the range {range:?} that predictions are clipped to does not fit {} outputs of the loss {}: expected for each \
                 value the least and the largest prediction",
                names.len(),
                loss.name()
            ))),
        }
    }
}

/// Clips each value to its bounds, of which `of_bound` is taken first; NaN stays what it is.
fn clip(row: &mut [f32], range: &[[f32; 2]], of_bound: impl Fn(f32) -> f32) {
    for (value, &[least, most]) in row.iter_mut().zip(range) {
        let (least, most) = (of_bound(least), of_bound(most));
        if *value < least {
            *value = least;
        } else if *value > most {
            *value = most;
        }
    }
}
