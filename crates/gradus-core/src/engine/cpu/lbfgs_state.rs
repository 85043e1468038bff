//! What a run of L-BFGS keeps from one epoch to the next, besides its parameters: settings or a [`Snapshot`] in, a
//! snapshot out.

use crate::engine::{LBFGS_CHANGES, LBFGS_STEPS, Settings, Snapshot, Totals};
use crate::error::{Error, Result};
use crate::optimizer::Optimizer;
use crate::optimizer::lbfgs::{Lbfgs, Limits};

/// What a run of L-BFGS keeps besides its parameters.
pub(super) struct LbfgsState {
    pub(super) method: Lbfgs<Totals>,
    pub(super) limits: Limits,
    /// Factor of the penalty on the squares of weights.
    pub(super) l2: f64,
}

impl LbfgsState {
    /// None for other optimizers.
    pub(super) fn new(settings: &Settings) -> Option<LbfgsState> {
        let Optimizer::Lbfgs { max_fun, tolerance } = settings.optimizer else { return None };
        Some(LbfgsState {
            method: Lbfgs::new(),
            limits: Limits { tolerance: tolerance.into(), evaluations: max_fun.into() },
            l2: settings.regularization.l2.into(),
        })
    }

    /// Adds what it remembers to a snapshot.
    pub(super) fn save(&self, snapshot: &mut Snapshot) {
        snapshot.evaluations = self.method.evaluations();
        let (steps, changes) = self.method.pairs();
        if !steps.is_empty() {
            snapshot.vectors.insert(LBFGS_STEPS.into(), steps);
            snapshot.vectors.insert(LBFGS_CHANGES.into(), changes);
        }
    }

    /// Takes up where a snapshot was made, of a network with so many parameters.
    ///
    /// # Errors
    /// `InvalidArgument` if what it remembers is not of that size.
    pub(super) fn restore(&mut self, snapshot: &Snapshot, parameters: usize) -> Result<()> {
        let (steps, changes) = (snapshot.numbers(LBFGS_STEPS), snapshot.numbers(LBFGS_CHANGES));
        let method = Lbfgs::resumed(snapshot.evaluations, parameters, steps, changes);
        self.method = method.ok_or_else(|| {
            Error::argument(format!(
                "the checkpoint does not fit this run: {LBFGS_STEPS} has {} numbers and {LBFGS_CHANGES} has {}, \
                 expected up to ten times {parameters} in both; it is damaged",
                steps.len(),
                changes.len()
            ))
        })?;
        Ok(())
    }
}
