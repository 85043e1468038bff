//! How the losses of a sample's outputs are summed: the loss, the weights and the scale of the targets in; factors of each
//! output out.

use gradus_kernels::Kernels;
use gradus_kernels::matrix::{MatMut, MatRef};

use crate::engine::{Settings, TargetScale};
use crate::loss::{Loss, OutputLoss, OutputTargets, shares};
use crate::regularization::ClassWeights;

/// A loss that is a sum over outputs, with what each output's is multiplied by (docs/maths.md M24).
pub(super) struct OutputTerms {
    loss: OutputLoss,
    constants: Vec<f32>,
    loss_factors: Vec<f32>,
    grad_factors: Vec<f32>,
    /// Whether losses are those of standardized targets, which training minimizes.
    standardized: bool,
    /// What losses are counted in; not 1 for standardized targets, whose losses in their own units single precision might
    /// not hold.
    pub(super) unit: f64,
}

impl OutputTerms {
    /// The terms for a network of so many outputs; none for cross-entropy, and for squared errors that count the same, which
    /// have kernels of their own.
    pub(super) fn new(settings: &Settings, outputs: usize) -> Option<OutputTerms> {
        let Settings { loss, output_weights, target_scale, .. } = settings;
        let of_output = loss.of_output()?;
        if *loss == Loss::SquaredError && output_weights.is_empty() {
            return None;
        }
        let shares = match (loss, &settings.regularization.class_weights) {
            // The losses of labels are summed, as their probabilities are multiplied.
            (Loss::BinaryCrossEntropy, ClassWeights::Each(weights)) => summed(weights, outputs),
            (Loss::BinaryCrossEntropy, _) => summed(&[], outputs),
            _ => shares(output_weights, outputs),
        };
        let constants: Vec<f32> = (0..outputs).map(|at| loss.constant(at)).collect();
        let single = |values: &[f64]| values.iter().map(|&value| value as f32).collect();
        let Some(scale) = target_scale else {
            let factors: Vec<f32> = single(&shares);
            return Some(OutputTerms {
                loss: of_output,
                constants,
                loss_factors: factors.clone(),
                grad_factors: factors,
                standardized: false,
                unit: 1.0,
            });
        };
        // l(std e) = std^2 l(e) with Huber's delta divided by std, or std l(e).
        let squared = matches!(of_output, OutputLoss::Squared | OutputLoss::Huber);
        let power = if squared { 2 } else { 1 };
        let in_own_units: Vec<f64> = (shares.iter().zip(scale.relative_stds()))
            .map(|(share, std)| share * std.powi(power))
            .collect();
        let constants = match of_output {
            OutputLoss::Huber => scale.in_standard_units(&constants),
            _ => constants,
        };
        Some(OutputTerms {
            loss: of_output,
            constants,
            loss_factors: single(&in_own_units),
            grad_factors: single(&shares),
            standardized: false,
            unit: scale.largest().powi(power),
        })
    }

    /// Whether [`Self::losses`] are to be those that training minimizes, in place of those in the targets' own units.
    pub(super) fn count_standardized(&mut self, standardized: bool) {
        self.standardized = standardized;
    }

    /// Losses of some rows, in [`Self::unit`]; in `outputs` the gradient takes the place of the outputs.
    pub(super) fn losses(
        &self,
        kernels: Kernels,
        outputs: MatMut,
        targets: MatRef,
        weights: Option<&[f32]>,
        total: f64,
        losses: &mut [f32],
    ) {
        let OutputTerms { loss, constants, loss_factors, grad_factors, .. } = self;
        let loss_factors = if self.standardized { grad_factors } else { loss_factors };
        let against = OutputTargets { targets, weights, constants, loss_factors, grad_factors };
        kernels.output_losses(*loss, outputs, against, (1.0 / total) as f32, losses);
    }
}

/// The factors of a sum over outputs with these weights: their mean is 1.
fn summed(weights: &[f32], outputs: usize) -> Vec<f64> {
    shares(weights, outputs).iter().map(|share| share * outputs as f64).collect()
}

/// What the losses of a run are counted in.
pub(super) fn loss_unit(terms: Option<&OutputTerms>, scale: Option<&TargetScale>) -> f64 {
    terms.map_or_else(|| scale.map_or(1.0, TargetScale::loss_unit), |terms| terms.unit)
}
