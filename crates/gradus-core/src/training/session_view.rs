//! What a run says of itself between two epochs.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::model::Model;
use crate::training::{Best, History, Outcome, Session, TrainConfig};

impl Session {
    /// The settings.
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// The figures so far.
    pub fn history(&self) -> &History {
        &self.progress.history
    }

    /// The epoch with the best figure so far, with early stopping or `keep_best`.
    pub fn best(&self) -> Option<&Best> {
        self.progress.best.as_ref()
    }

    /// Wall time of the epochs so far, in seconds; of a resumed run also of its earlier parts.
    pub fn seconds(&self) -> f64 {
        self.progress.seconds
    }

    /// Seconds in which this rank exchanged numbers with others or waited for them, since the session began.
    pub fn exchange_seconds(&self) -> f64 {
        self.engine.exchange_seconds()
    }

    /// Steps of an epoch.
    pub fn steps_per_epoch(&self) -> usize {
        self.engine.steps_per_epoch()
    }

    /// Steps so far, those of the runs that this one continues included: a number that other threads, such as that of
    /// a progress bar, may read while an epoch runs.
    pub fn step_counter(&self) -> Arc<AtomicU64> {
        self.engine.step_counter()
    }

    /// How the run ended; none while it goes on.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// The model as it is now.
    pub fn model(&self) -> &Model {
        &self.model
    }
}
