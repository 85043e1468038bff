//! The settings of a bag: those of a run in, the number of its members and the settings of each out.

use gradus_kernels::threads::available_cores;
use rand::Rng as _;

use crate::random::{Purpose, numbered_stream};
use crate::schedule::Schedule;
use crate::training::TrainConfig;
use crate::training::config::KeepBest;

/// The seed of a member of a bag of this seed: that of the bag for the first one, then one from the stream of the seed.
pub fn member_seed(seed: u64, member: usize) -> u64 {
    match member {
        0 => seed,
        _ => numbered_stream(seed, Purpose::Members, member as u64).next_u64(),
    }
}

/// The settings of a member: those of the run, with a seed of its own, on one thread, with the best epoch kept.
pub(super) fn of_member(config: &TrainConfig, member: usize) -> TrainConfig {
    TrainConfig {
        members: None,
        refit: None,
        validation: 0.0,
        seed: member_seed(config.seed, member),
        threads: Some(1),
        keep_best: config.keep_best.or(Some(KeepBest::Last)),
        ..config.clone()
    }
}

impl TrainConfig {
    /// The number of networks of a run: one, or the members of a bag.
    pub fn networks(&self) -> usize {
        self.members.unwrap_or(1)
    }

    /// The share of the training data that a run holds out: none for a bag, which has a fold for each of its members.
    pub fn held_out_share(&self) -> f64 {
        if self.networks() > 1 { 0.0 } else { self.validation }
    }

    /// How many members are trained at a time, each on one thread.
    pub(super) fn members_at_once(&self) -> usize {
        self.threads.unwrap_or_else(available_cores).min(self.networks())
    }

    /// Whether the learning rate follows figures that training once more on all samples does not have.
    pub(super) fn follows_figures(&self) -> bool {
        matches!(self.schedule, Schedule::Plateau(_) | Schedule::Adaptive(_))
    }
}
