//! A run, epoch by epoch: that of one network (`member.rs`, which is the file to read first), or of the members of a bag
//! (`bag.rs`).
//!
//! In: settings, data, and where to begin ([`Start`]). Out: the figures of each epoch, and in the end a
//! [`Trained`] model. What a run says of itself between two epochs is in `session_view.rs`.

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use crate::error::{Error, Result};
use crate::exchange::Ranks;
use crate::training::bag::Bag;
use crate::training::data::Data;
use crate::training::member::Member;
use crate::training::start::Shared;
use crate::training::{Checkpoint, EpochReport, Start, TrainConfig, Trained};

/// A run, epoch by epoch. It borrows no data: every epoch is given the same data again.
pub struct Session(pub(super) Run);

/// One network, or several.
pub(super) enum Run {
    Single(Box<Member>),
    Bag(Box<Bag>),
}

impl Session {
    /// A run of these settings on these data that has not begun.
    ///
    /// # Errors
    /// `InvalidArgument` if a setting is out of range, if `start` or the validation data do not fit the
    /// training data, or if there are more samples than can be numbered. For a bag (`members`) also for validation data, for
    /// any start but [`Start::Fresh`], and for fewer samples than members.
    pub fn new<'d>(
        config: &TrainConfig,
        data: impl Into<Data<'d>>,
        start: impl Into<Start<'d>>,
    ) -> Result<Session> {
        Session::on_ranks(config, data, start, &Ranks::ALONE)
    }

    /// The same run as one of several ranks, all of which train the same model together: each has all of the data and
    /// computes its share of the micro-batches of every batch. All ranks call the same methods in the same order and get
    /// the same bits, which are those of one rank.
    ///
    /// # Errors
    /// Those of [`Session::new`]; `InvalidArgument` if the ranks cannot share the micro-batches, or if they differ in
    /// version, instruction set, settings or data, and for a bag; those of
    /// [`Exchange::exchange`](crate::exchange::Exchange::exchange).
    pub fn on_ranks<'d>(
        config: &TrainConfig,
        data: impl Into<Data<'d>>,
        start: impl Into<Start<'d>>,
        ranks: &Ranks,
    ) -> Result<Session> {
        let (data, start) = (data.into(), start.into());
        Ok(Session(match config.networks() {
            2.. if !ranks.is_alone() => {
                return Err(Error::argument(
                    "`members` are trained by one process, one on each of its cores: start it without ranks, or leave \
                     `members` out",
                ));
            }
            2.. => Run::Bag(Box::new(Bag::new(config, data, start, config.networks())?)),
            _ => Run::Single(Box::new(Member::new(config, data, start, Shared::alone(ranks))?)),
        }))
    }

    /// Runs the next epoch and gives its figures; none if the run is over. Those of a bag are means over its members. The
    /// call that gives none also measures the members of a bag on their folds, and trains them once more with `refit`.
    ///
    /// # Errors
    /// `InvalidArgument` for data of another size than the run was begun with; those of evaluating the
    /// validation data, and of reading data that are not in memory.
    pub fn epoch<'d>(
        &mut self,
        data: impl Into<Data<'d>>,
        stop: &AtomicBool,
    ) -> Result<Option<&EpochReport>> {
        self.epoch_until(data, stop, None)
    }

    /// The same; at the moment `pause` the epoch is left after the step in progress, so that a [`Self::checkpoint`] can be
    /// made, and none is returned while [`Self::outcome`] is none. The next call takes the epoch up again. L-BFGS and bags
    /// do not pause. Of several ranks, all pause if one is to.
    ///
    /// # Errors
    /// Those of [`Self::epoch`].
    pub fn epoch_until<'d>(
        &mut self,
        data: impl Into<Data<'d>>,
        stop: &AtomicBool,
        pause: Option<Instant>,
    ) -> Result<Option<&EpochReport>> {
        match &mut self.0 {
            Run::Single(member) => member.epoch(data.into(), stop, pause),
            Run::Bag(bag) => bag.epoch(data.into(), stop),
        }
    }

    /// The run as it is between two epochs or, of a single network, within one, for [`Start::Resume`]; `data` are those of the run. `note` is
    /// kept with it.
    pub fn checkpoint<'d>(&self, data: impl Into<Data<'d>>, note: serde_json::Value) -> Checkpoint {
        match &self.0 {
            Run::Single(member) => member.checkpoint(data.into(), note),
            Run::Bag(bag) => bag.checkpoint(data.into(), note),
        }
    }

    /// The run as it is, for [`Start::Continue`]: it does not look at what it was trained on, so that it
    /// cannot be resumed. No run continues a bag.
    pub fn state(&self) -> Checkpoint {
        match &self.0 {
            Run::Single(member) => member.state(),
            Run::Bag(bag) => bag.state(),
        }
    }

    /// Ends the run, wherever it is.
    pub fn finish(self) -> Trained {
        match self.0 {
            Run::Single(member) => member.finish(),
            Run::Bag(bag) => bag.finish(),
        }
    }
}
