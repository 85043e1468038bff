//! What a run says of itself between two epochs.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::model::Model;
use crate::training::member::Member;
use crate::training::session::Run;
use crate::training::{Best, History, Outcome, Session, TrainConfig};

impl Session {
    /// The settings.
    pub fn config(&self) -> &TrainConfig {
        match &self.0 {
            Run::Single(member) => member.config(),
            Run::Bag(bag) => bag.config(),
        }
    }

    /// The figures so far.
    pub fn history(&self) -> &History {
        match &self.0 {
            Run::Single(member) => member.history(),
            Run::Bag(bag) => bag.history(),
        }
    }

    /// The epoch with the best figure so far, with early stopping or `keep_best`; none for a bag, in which each member has its
    /// own.
    pub fn best(&self) -> Option<&Best> {
        match &self.0 {
            Run::Single(member) => member.best(),
            Run::Bag(_) => None,
        }
    }

    /// Wall time of the epochs so far, in seconds; of a resumed run also of its earlier parts.
    pub fn seconds(&self) -> f64 {
        match &self.0 {
            Run::Single(member) => member.seconds(),
            Run::Bag(bag) => bag.seconds(),
        }
    }

    /// Steps of an epoch, of a bag those of one of its members.
    pub fn steps_per_epoch(&self) -> usize {
        self.first().steps_per_epoch()
    }

    /// Steps so far, those of the runs that this one continues included: a number that other threads, such as that of
    /// a progress bar, may read while an epoch runs. Of a bag those of its first member.
    pub fn step_counter(&self) -> Arc<AtomicU64> {
        self.first().step_counter()
    }

    /// How the run ended; none while it goes on.
    pub fn outcome(&self) -> Option<&Outcome> {
        match &self.0 {
            Run::Single(member) => member.outcome(),
            Run::Bag(bag) => bag.outcome(),
        }
    }

    /// The model as it is now; of a bag that of its first member alone.
    pub fn model(&self) -> &Model {
        self.first().model()
    }

    /// Seconds in which this rank exchanged numbers with others or waited for them, since the session began.
    pub fn exchange_seconds(&self) -> f64 {
        self.first().exchange_seconds()
    }

    /// The run of the one network, or of the first member of a bag.
    fn first(&self) -> &Member {
        match &self.0 {
            Run::Single(member) => member,
            Run::Bag(bag) => bag.first(),
        }
    }
}
