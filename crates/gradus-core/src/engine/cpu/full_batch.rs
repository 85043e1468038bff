//! The epochs of L-BFGS: an iteration each, with as many passes over the whole batch as its line search needs.
//!
//! In: all samples. Out: the figures at the new parameters. A pass is the step of other optimizers (`step.rs`) whose
//! update stops at the gradient: `optimizer::lbfgs` makes the step, of the whole vector in the network's
//! order, so that nothing depends on threads.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::engine::cpu::lbfgs_state::LbfgsState;
use crate::engine::cpu::lock;
use crate::engine::cpu::partition::Partitioned;
use crate::engine::cpu::trainer::Trainer;
use crate::engine::{Epoch, Halt, Totals};
use crate::error::Result;
use crate::network::Role;
use crate::optimizer::lbfgs::Evaluation;
use crate::samples::Subset;

impl Trainer {
    /// One iteration; stopped in its course, it leaves everything as it was.
    pub(super) fn iteration(
        &mut self,
        data: &Subset,
        epoch: Epoch,
        mut state: Box<LbfgsState>,
    ) -> Result<Totals> {
        // An iteration is not left half-way: it would begin anew.
        let epoch = Epoch { pause: None, ..epoch };
        let first = self.steps();
        let memory = &self.executor.parameters;
        let mut parameters = self.executor.plan.parameters.from_memory(&memory.read());
        let LbfgsState { method, limits, l2 } = &mut *state;
        self.minimize_standardized(true);
        let iteration = method.iterate(&mut parameters, limits, &mut |parameters| {
            self.evaluate(data, epoch, parameters, *l2)
        });
        self.executor.plan.parameters.write(&parameters, &self.executor.parameters);
        self.lbfgs = Some(state);
        let Some(iteration) = iteration else {
            self.steps.store(first, Ordering::Relaxed);
            return self.totals(data, (0, Some(Halt::Stop)));
        };
        let mut figures = iteration.figures;
        if self.minimize_standardized(false) {
            let stop = &AtomicBool::new(false);
            figures = self.pass_over(data, Epoch { stop, ..epoch })?;
        }
        self.steps.store(first + 1, Ordering::Relaxed);
        Ok(Totals { step_length: Some(iteration.step), end: iteration.end, ..figures })
    }

    /// Whether the losses of several outputs are to be those of standardized targets, which are minimized, in place of
    /// those in the targets' own units, which are reported. Says whether these differ by more than a factor.
    fn minimize_standardized(&mut self, standardized: bool) -> bool {
        let Some(scale) = self.target_scale.as_mut().filter(|scale| scale.outputs() > 1) else {
            return false;
        };
        scale.count_standardized(standardized);
        if let Some(terms) = &mut self.terms {
            terms.count_standardized(standardized);
        }
        true
    }

    /// The objective with its gradient: mean loss and penalty over all samples. None if the run is stopped.
    fn evaluate(
        &mut self,
        data: &Subset,
        epoch: Epoch,
        parameters: &[f32],
        l2: f64,
    ) -> Option<Evaluation<Totals>> {
        let order = &self.executor.plan.parameters;
        order.write(parameters, &self.executor.parameters);
        let first = self.steps();
        // L-BFGS runs on one rank: no exchange can fail.
        let figures = self.pass_over(data, epoch).ok()?;
        // The step that counts is the iteration.
        self.steps.store(first, Ordering::Relaxed);
        if figures.left.is_some() {
            return None;
        }
        let order = &self.executor.plan.parameters;
        let gradients = self.sums.total().read();
        let objective = self.mean_loss() + l2 / 2.0 * squares(order, parameters);
        Some(Evaluation { objective, gradient: order.from_memory(&gradients), figures })
    }

    /// The mean loss of the last pass, on the scale on which the targets are learned.
    fn mean_loss(&self) -> f64 {
        let weight = self.weight_of(self.batches.batch(0));
        let loss: f64 = self.micro_batches.iter().map(|it| *lock(&it.loss)).sum();
        loss / if weight > 0.0 { weight } else { 1.0 }
    }
}

/// The sum of the squares of all weights; biases are not penalized.
fn squares(order: &Partitioned, parameters: &[f32]) -> f64 {
    let weights = order.tensors.iter().filter(|tensor| tensor.role == Role::Weight);
    weights
        .map(|tensor| {
            let values = &parameters[tensor.range.clone()];
            values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>()
        })
        .sum()
}
