//! What a run has seen so far: it is kept in checkpoints as JSON.

use crate::optimizer::lbfgs::End;
use crate::schedule::PlateauState;
use crate::training::{Best, History};

/// What a run has seen so far.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Progress {
    pub(super) history: History,
    pub(super) plateau: PlateauState,
    pub(super) best: Option<Best>,
    pub(super) seconds: f64,
    /// Samples seen in whole epochs.
    #[serde(default)]
    pub(super) samples: u64,
    /// Why the optimizer makes no more steps, if it is one that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) end: Option<End>,
    /// What other runs did before this one, which went on from them.
    pub(super) before: PriorProgress,
}

/// Epochs and steps of the runs that a run goes on from: its own are counted on from them, but for the
/// history and the schedule.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct PriorProgress {
    pub(super) epochs: usize,
    pub(super) steps: u64,
    #[serde(default)]
    pub(super) samples: u64,
}
