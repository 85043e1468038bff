//! Optimizers: from gradients to new parameters (docs/maths.md M8, M9, M15, M29).

use gradus_kernels::Kernels;
use gradus_kernels::steps::{AdamStep, LionStep, RmsPropStep, SgdStep};

mod constants;
mod step;
#[doc(hidden)] // for the tests of gradus
pub mod lbfgs;
#[doc(hidden)] // for the tests of gradus
pub mod muon;

pub use step::Step;

/// How parameters follow their gradients. Weight decay acts on weights, never on biases.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case", tag = "name")]
pub enum Optimizer {
    /// Stochastic gradient descent: `v = momentum v + g`, `w -= learning_rate v` (M8).
    Sgd {
        /// Share of the earlier velocity that is kept, 0 for plain descent.
        momentum: f32,
        /// Whether to look ahead along the velocity (Nesterov).
        nesterov: bool,
        /// L2 penalty: `g += weight_decay w`.
        weight_decay: f32,
    },
    /// Adam (Kingma and Ba 2015), M9.
    Adam {
        /// Decay of the mean of gradients.
        beta1: f32,
        /// Decay of the mean of squared gradients.
        beta2: f32,
        /// Added to the root of the mean square.
        epsilon: f32,
        /// L2 penalty: `g += weight_decay w`.
        weight_decay: f32,
    },
    /// Adam with decoupled weight decay (Loshchilov and Hutter 2019), M9.
    #[serde(rename = "adamw")]
    AdamW {
        /// Decay of the mean of gradients.
        beta1: f32,
        /// Decay of the mean of squared gradients.
        beta2: f32,
        /// Added to the root of the mean square.
        epsilon: f32,
        /// Decoupled decay: `w *= 1 - learning_rate weight_decay`.
        weight_decay: f32,
    },
    /// RMSprop (Tieleman and Hinton 2012), M9.
    #[serde(rename = "rmsprop")]
    RmsProp {
        /// Decay of the mean of squared gradients.
        decay: f32,
        /// Share of the earlier velocity that is kept, 0 for none.
        momentum: f32,
        /// Added to the root of the mean square.
        epsilon: f32,
        /// L2 penalty: `g += weight_decay w`.
        weight_decay: f32,
    },
    /// Lion (Chen et al. 2023), M9: every parameter moves by the learning rate.
    Lion {
        /// Share of the earlier mean in the direction.
        beta1: f32,
        /// Decay of the mean of gradients.
        beta2: f32,
        /// Decoupled decay: `w *= 1 - learning_rate weight_decay`.
        weight_decay: f32,
    },
    /// Muon (Jordan et al. 2024), M15: an orthogonal direction for every weight but the last; the
    /// last weight and all that is no weight follow AdamW.
    Muon {
        /// Decay of the mean of gradients of a weight.
        momentum: f32,
        /// Whether to look ahead along that mean (Nesterov).
        nesterov: bool,
        /// Decay of the mean of gradients, AdamW's.
        beta1: f32,
        /// Decay of the mean of squared gradients, AdamW's.
        beta2: f32,
        /// Added to the root of the mean square, AdamW's.
        epsilon: f32,
        /// Decoupled decay: `w *= 1 - learning_rate weight_decay`.
        weight_decay: f32,
    },
    /// L-BFGS (Nocedal 1980), M29: an approximation of Newton's method for the whole batch. It has no
    /// learning rate: a line search finds the length of each step, with as many evaluations of loss and
    /// gradient as it needs. An epoch is an iteration.
    Lbfgs {
        /// The run ends after the iteration in which there were more evaluations than this, in all.
        max_fun: u32,
        /// The run ends when no component of the gradient is larger, in absolute value.
        tolerance: f32,
    },
}

impl Optimizer {
    /// Plain stochastic gradient descent.
    pub const SGD: Optimizer = Optimizer::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 };
    /// Adam with its usual constants.
    pub const ADAM: Optimizer =
        Optimizer::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 };
    /// AdamW with its usual constants.
    pub const ADAMW: Optimizer =
        Optimizer::AdamW { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01 };
    /// RMSprop with its usual constants.
    pub const RMSPROP: Optimizer =
        Optimizer::RmsProp { decay: 0.99, momentum: 0.0, epsilon: 1e-8, weight_decay: 0.0 };
    /// Lion with its usual constants.
    pub const LION: Optimizer = Optimizer::Lion { beta1: 0.9, beta2: 0.99, weight_decay: 0.0 };
    /// Muon with its usual constants.
    pub const MUON: Optimizer = Optimizer::Muon {
        momentum: 0.95,
        nesterov: true,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weight_decay: 0.01,
    };
    /// L-BFGS with scikit-learn's constants.
    pub const LBFGS: Optimizer = Optimizer::Lbfgs { max_fun: 15_000, tolerance: 1e-4 };
    /// All optimizers with their usual constants.
    pub const ALL: [Optimizer; 7] =
        [Self::SGD, Self::ADAM, Self::ADAMW, Self::RMSPROP, Self::LION, Self::MUON, Self::LBFGS];

    /// The name used in options and files.
    pub fn name(&self) -> &'static str {
        match self {
            Optimizer::Sgd { .. } => "sgd",
            Optimizer::Adam { .. } => "adam",
            Optimizer::AdamW { .. } => "adamw",
            Optimizer::RmsProp { .. } => "rmsprop",
            Optimizer::Lion { .. } => "lion",
            Optimizer::Muon { .. } => "muon",
            Optimizer::Lbfgs { .. } => "lbfgs",
        }
    }

    /// The optimizer of this name, with its usual constants.
    pub fn from_name(name: &str) -> Option<Optimizer> {
        Optimizer::ALL.into_iter().find(|optimizer| optimizer.name() == name)
    }

    /// The factor of the penalty or decay.
    pub fn weight_decay(&self) -> f32 {
        self.constant("weight_decay").unwrap_or(0.0)
    }

    /// Whether it makes a step after each batch. L-BFGS does not: it makes steps of the whole parameter
    /// vector and needs an objective that stays the same.
    pub fn is_stochastic(&self) -> bool {
        !matches!(self, Optimizer::Lbfgs { .. })
    }

    /// How many numbers it remembers for each parameter from one batch to the next.
    pub fn moments(&self) -> usize {
        match self {
            Optimizer::Sgd { momentum, .. } => usize::from(*momentum != 0.0),
            Optimizer::RmsProp { momentum, .. } => 1 + usize::from(*momentum != 0.0),
            Optimizer::Adam { .. } | Optimizer::AdamW { .. } | Optimizer::Muon { .. } => 2,
            Optimizer::Lion { .. } => 1,
            Optimizer::Lbfgs { .. } => 0,
        }
    }

    /// What the learning rate of `w` is multiplied by for `v = scale w` to take the steps that `w` would: descent along the
    /// gradient feels the scale twice, in the gradient and in the step; all others make steps of the same length
    /// whatever the size of the gradient (but for `epsilon`).
    pub fn rate_factor(&self, scale: f64) -> f32 {
        match self {
            Optimizer::Sgd { .. } => (scale * scale) as f32,
            // It has no learning rate.
            Optimizer::Lbfgs { .. } => 1.0,
            Optimizer::Adam { .. }
            | Optimizer::AdamW { .. }
            | Optimizer::RmsProp { .. }
            | Optimizer::Lion { .. }
            | Optimizer::Muon { .. } => scale as f32,
        }
    }

    /// One step for some of the parameters: all arrays hold the same ones.
    /// `first` and `second` are what it remembers, zeros at the start; they may be empty where
    /// [`Self::moments`] needs fewer.
    ///
    /// For Muon this is AdamW's step, for the parameters that are none of its matrices; those take
    /// [`muon::momentum_step`] and [`muon::Orthogonalizer`] in its place, with their mean in `first`.
    /// For L-BFGS it does nothing: [`lbfgs::Lbfgs`] makes its steps, of all parameters together.
    pub fn step(
        &self,
        kernels: Kernels,
        Step { number, rate: learning_rate, decay_rate, decay }: Step,
        parameters: &mut [f32],
        gradients: &[f32],
        first: &mut [f32],
        second: &mut [f32],
    ) {
        let decay = decay * self.weight_decay();
        let shrink = 1.0 - decay_rate * decay;
        let adam = |beta1: f32, beta2: f32, epsilon, l2, shrink| {
            // In double precision: 1 - 0.999 has lost half its digits in single precision.
            let correction = |beta: f32| 1.0 - f64::from(beta).powf(number as f64);
            AdamStep {
                step_size: (f64::from(learning_rate) / correction(beta1)) as f32,
                beta1,
                beta2,
                second_scale: (1.0 / correction(beta2).sqrt()) as f32,
                epsilon,
                l2,
                shrink,
            }
        };
        match *self {
            Optimizer::Sgd { momentum, nesterov, .. } => {
                let step = SgdStep { learning_rate, momentum, nesterov, l2: decay };
                kernels.sgd(step, parameters, gradients, first);
            }
            Optimizer::Adam { beta1, beta2, epsilon, .. } => {
                let step = adam(beta1, beta2, epsilon, decay, 1.0);
                kernels.adam(step, parameters, gradients, first, second);
            }
            Optimizer::AdamW { beta1, beta2, epsilon, .. }
            | Optimizer::Muon { beta1, beta2, epsilon, .. } => {
                let step = adam(beta1, beta2, epsilon, 0.0, shrink);
                kernels.adam(step, parameters, gradients, first, second);
            }
            Optimizer::RmsProp { decay: keep, momentum, epsilon, .. } => {
                let step = RmsPropStep { learning_rate, decay: keep, momentum, epsilon, l2: decay };
                kernels.rmsprop(step, parameters, gradients, first, second);
            }
            Optimizer::Lion { beta1, beta2, .. } => {
                let step = LionStep { learning_rate, beta1, beta2, shrink };
                kernels.lion(step, parameters, gradients, first);
            }
            Optimizer::Lbfgs { .. } => {}
        }
    }
}
