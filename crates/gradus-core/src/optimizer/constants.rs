//! The constants of optimizers by name, as settings: an [`Optimizer`] and a name in, the constant out, to be
//! read or changed.

use super::Optimizer;

impl Optimizer {
    /// One of its constants by name: `momentum`, `beta1`, `beta2`, `epsilon`, `weight_decay` or
    /// `tolerance`. `None` if it has no such constant.
    pub fn constant(mut self, name: &str) -> Option<f32> {
        self.constant_mut(name).copied()
    }

    /// The same, to be changed.
    pub fn constant_mut(&mut self, name: &str) -> Option<&mut f32> {
        use Optimizer::{Adam, AdamW, Lbfgs, Lion, Muon, RmsProp, Sgd};
        match (name, self) {
            (
                "momentum",
                Sgd { momentum, .. } | RmsProp { momentum, .. } | Muon { momentum, .. },
            ) => Some(momentum),
            (
                "beta1",
                Adam { beta1, .. } | AdamW { beta1, .. } | Lion { beta1, .. } | Muon { beta1, .. },
            ) => Some(beta1),
            (
                "beta2",
                Adam { beta2, .. }
                | AdamW { beta2, .. }
                | RmsProp { decay: beta2, .. }
                | Lion { beta2, .. }
                | Muon { beta2, .. },
            ) => Some(beta2),
            (
                "epsilon",
                Adam { epsilon, .. }
                | AdamW { epsilon, .. }
                | RmsProp { epsilon, .. }
                | Muon { epsilon, .. },
            ) => Some(epsilon),
            (
                "weight_decay",
                Sgd { weight_decay, .. }
                | Adam { weight_decay, .. }
                | AdamW { weight_decay, .. }
                | RmsProp { weight_decay, .. }
                | Lion { weight_decay, .. }
                | Muon { weight_decay, .. },
            ) => Some(weight_decay),
            ("tolerance", Lbfgs { tolerance, .. }) => Some(tolerance),
            _ => None,
        }
    }

    /// The most evaluations of the objective; `None` if it does not count them.
    pub fn max_fun(mut self) -> Option<u32> {
        self.max_fun_mut().copied()
    }

    /// The same, to be changed.
    pub fn max_fun_mut(&mut self) -> Option<&mut u32> {
        match self {
            Optimizer::Lbfgs { max_fun, .. } => Some(max_fun),
            _ => None,
        }
    }

    /// Whether it looks ahead along its momentum (Nesterov); `None` if it has none.
    pub fn nesterov(mut self) -> Option<bool> {
        self.nesterov_mut().copied()
    }

    /// The same, to be changed.
    pub fn nesterov_mut(&mut self) -> Option<&mut bool> {
        match self {
            Optimizer::Sgd { nesterov, .. } | Optimizer::Muon { nesterov, .. } => Some(nesterov),
            _ => None,
        }
    }
}
