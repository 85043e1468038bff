//! How a run ended, and what it leaves.

use crate::model::Model;
use crate::optimizer::Optimizer;
use crate::training::history::{Best, History};
use crate::training::out_of_fold::OutOfFold;

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// All epochs were run, or L-BFGS has made all its evaluations.
    Finished,
    /// The monitored figure no longer got better, or L-BFGS has converged.
    NoProgress,
    /// The stop flag was raised; the step in progress was finished.
    Stopped,
    /// The loss or a weight became NaN or infinite; the model is the one before that epoch, with early
    /// stopping that of the best. If there was no epoch before it, these are the initial weights.
    Diverged {
        /// The epoch.
        epoch: usize,
        /// What happened, why probably, and what to do.
        message: String,
    },
}

impl Outcome {
    /// The name in files: `finished`, `no_progress`, `stopped` or `diverged`.
    pub fn name(&self) -> &'static str {
        match self {
            Outcome::Finished => "finished",
            Outcome::NoProgress => "no_progress",
            Outcome::Stopped => "stopped",
            Outcome::Diverged { .. } => "diverged",
        }
    }

    /// That of a run whose epoch had this loss; `advice` is a sentence.
    pub(super) fn diverged(
        epoch: usize,
        loss: f64,
        optimizer: &Optimizer,
        rate: f32,
        advice: &str,
    ) -> Outcome {
        let what = match loss.is_finite() {
            true => "a weight became NaN or infinite".to_owned(),
            false => format!("the loss became {loss}"),
        };
        let why = match optimizer.is_stochastic() {
            true => format!("the steps are probably too large (learning rate {rate})"),
            // L-BFGS takes no step to such a place: it has begun there.
            false => "the inputs, targets or initial weights are probably too large".to_owned(),
        };
        Outcome::Diverged { epoch, message: format!("{what} in epoch {epoch}: {why}. {advice}") }
    }
}

/// What a run leaves.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The model, usable however the run ended: that of the last epoch, with early stopping that
    /// of the best.
    pub model: Model,
    /// The figures of the complete epochs.
    pub history: History,
    /// How the run ended.
    pub outcome: Outcome,
    /// The epoch that the model comes from, with early stopping.
    pub best: Option<Best>,
    /// Wall time from the first step to the last, validation included; of a resumed run also that
    /// of its earlier parts.
    pub seconds: f64,
    /// Whether the model is better than guessing: by its training figures, it does better than a model that always
    /// predicts the same. Also true of a run that was stopped in its first epoch, of which nothing is known.
    pub learned: bool,
    /// What the user should know, such as that the run learned nothing, and what to change.
    pub warnings: Vec<String>,
    /// How good the members of a bag are on the samples that they did not learn from; none for a single network, and if the
    /// bag diverged or was stopped in its first epoch.
    pub out_of_fold: Option<OutOfFold>,
}
