//! A run between two epochs or within one as a file, and back: resumed, it gives the bits of the uninterrupted run.
//!
//! A checkpoint is a model file (docs/formats.md) that holds more: any command that takes a model takes it.
//! Beside the model it has the engine's `Snapshot`, in the order of the network, and the history. Random
//! numbers have no state: they follow from the seed, the epoch and the step. [`Start::Resume`] goes on with
//! the same data, [`Start::Continue`] with others.
//!
//! [`Start::Resume`]: crate::training::Start::Resume
//! [`Start::Continue`]: crate::training::Start::Continue

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::engine::{Snapshot, TargetScale};
use crate::error::{Error, Result, invalid};
use crate::files::{self, json};
use crate::model::Model;
use crate::model_file::{self, Extras};
use crate::samples::DataDigest;
use crate::training::History;
use crate::training::checkpoint_v2;
use crate::training::config::TrainConfig;
use crate::training::data::whole;
use crate::training::progress::Progress;

/// The version of the checkpoints that are written. Those of version 2 are read too.
const VERSION: u32 = 3;

/// The name in the file of the parameters of the best epoch's network.
const BEST: &str = "best";

/// A run between two epochs, or within one.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    pub(super) model: Model,
    pub(super) state: State,
    pub(super) snapshot: Snapshot,
    /// Parameters of the best epoch's network; empty if there is none.
    pub(super) best: Vec<f32>,
    /// Of a bag what belongs to each member; the snapshot and the best parameters above are then empty.
    pub(super) members: Vec<MemberVectors>,
}

/// The vectors of a member of a bag.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct MemberVectors {
    snapshot: Snapshot,
    best: Vec<f32>,
}

/// What the metadata's key `checkpoint` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    version: u32,
    config: TrainConfig,
    pub(super) progress: Progress,
    steps: u64,
    /// Evaluations that L-BFGS has made; 0 for other optimizers.
    #[serde(default, skip_serializing_if = "is_zero")]
    evaluations: u64,
    /// The scale on which regression targets are learned: the snapshot's outputs are on it, the model's are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) target_scale: Option<TargetScale>,
    /// SHA-256 of the training data and of the validation data; empty if it is not for resuming.
    pub(super) data: [String; 2],
    /// The same, part by part, to say what has changed; none in checkpoints of earlier versions.
    #[serde(default)]
    pub(super) sets: [Option<DataDigest>; 2],
    /// In version 2, whether the vectors are in the engine's order for sparse inputs.
    #[serde(default, skip_serializing)]
    sparse: bool,
    /// Of a bag what each member has seen; `progress` is then that of the whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    members: Vec<MemberState>,
    /// What the caller wants to find again.
    note: serde_json::Value,
}

/// What a member of a bag has seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct MemberState {
    progress: Progress,
    steps: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    evaluations: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target_scale: Option<TargetScale>,
}

impl State {
    /// What a run writes with this snapshot; `sets` are the digests of its data, none if it is not for resuming.
    pub(super) fn new(
        config: TrainConfig,
        progress: Progress,
        snapshot: &Snapshot,
        target_scale: Option<TargetScale>,
        sets: [Option<DataDigest>; 2],
        note: serde_json::Value,
    ) -> State {
        let (data, sparse) = (sets.each_ref().map(whole), false);
        let Snapshot { steps, evaluations, .. } = *snapshot;
        State {
            version: VERSION,
            config,
            progress,
            steps,
            evaluations,
            target_scale,
            data,
            sets,
            sparse,
            members: Vec::new(),
            note,
        }
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Checkpoint {
    /// That of a bag: of each member its own, of the whole the settings and what it has seen.
    pub(super) fn of_bag(
        config: TrainConfig,
        progress: Progress,
        model: Model,
        members: Vec<Checkpoint>,
        sets: [Option<DataDigest>; 2],
        note: serde_json::Value,
    ) -> Checkpoint {
        let snapshot = Snapshot::default();
        let mut state = State::new(config, progress, &snapshot, None, sets, note);
        let mut vectors = Vec::with_capacity(members.len());
        for Checkpoint { state: of_member, snapshot, best, .. } in members {
            let State { progress, steps, evaluations, target_scale, .. } = of_member;
            state.members.push(MemberState { progress, steps, evaluations, target_scale });
            vectors.push(MemberVectors { snapshot, best });
        }
        Checkpoint { model, state, snapshot, best: Vec::new(), members: vectors }
    }

    /// The checkpoint of one member of a bag, whose settings are these.
    ///
    /// # Errors
    /// `InvalidArgument` if there is no such member.
    pub(super) fn member(&self, index: usize, config: TrainConfig) -> Result<Checkpoint> {
        let found = self.state.members.get(index).zip(self.members.get(index));
        let Some((state, MemberVectors { snapshot, best })) = found else {
            return Err(Error::argument(format!(
                "the checkpoint is that of {} networks, but the run has more",
                self.model.members()
            )));
        };
        let MemberState { progress, target_scale, .. } = state.clone();
        let note = serde_json::Value::Null;
        let state = State::new(config, progress, snapshot, target_scale, Default::default(), note);
        let (snapshot, best, members) = (snapshot.clone(), best.clone(), Vec::new());
        Ok(Checkpoint { model: self.model.member(index)?, state, snapshot, best, members })
    }

    /// Writes it next to `path` and renames it, so that there is a whole one at any moment.
    ///
    /// # Errors
    /// Those of [`files::write_beside`]; the file that was there is then untouched.
    pub fn save(&self, path: &Path) -> Result<()> {
        files::write_beside(path, &self.to_bytes()?)
    }

    /// The bytes of the file that [`Self::save`] writes.
    ///
    /// # Errors
    /// `InvalidArgument` for a model that could not be read back.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut tensors = self.snapshot.vectors.clone();
        if !self.best.is_empty() {
            tensors.insert(BEST.into(), self.best.clone());
        }
        for (at, MemberVectors { snapshot, best }) in self.members.iter().enumerate() {
            let own = snapshot.vectors.iter().map(|(name, values)| (name.as_str(), values));
            let best = Some((BEST, best)).filter(|(_, best)| !best.is_empty());
            for (name, values) in own.chain(best) {
                tensors.insert(format!("members.{at}.{name}"), values.clone());
            }
        }
        let text = serde_json::to_string(&self.state)
            .map_err(|error| Error::argument(format!("this run cannot be saved: {error}")))?;
        model_file::to_bytes_with(&self.model, &Extras { tensors, text })
    }

    /// Reads a checkpoint.
    ///
    /// # Errors
    /// Those of [`model_file::load_model`]; `InvalidData` for a model without the state of a run, or for a
    /// checkpoint of a newer gradus.
    pub fn load(path: &Path) -> Result<Checkpoint> {
        let (model, extras) = model_file::load_with(path)?;
        Checkpoint::of(model, extras).map_err(|error| error.context(path.display()))
    }

    /// Reads the bytes of such a file.
    ///
    /// # Errors
    /// `InvalidData` as [`Self::load`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Checkpoint> {
        let (model, extras) = model_file::from_bytes_with(bytes)?;
        Checkpoint::of(model, extras)
    }

    fn of(model: Model, extras: Extras) -> Result<Checkpoint> {
        let Extras { mut tensors, text } = extras;
        if text.is_empty() {
            return Err(invalid(
                "a model, but no checkpoint: it does not hold the state of a run; expected a file \
                 that a run wrote as its checkpoint",
            ));
        }
        let mut state: State = json::parse(text.as_bytes()).map_err(|error| {
            invalid(format!(
                "the checkpoint cannot be read: {error}; is it of another version of gradus?"
            ))
        })?;
        let best = tensors.remove(BEST).unwrap_or_default();
        let vectors = match state.version {
            VERSION => tensors,
            2 => {
                let batch_norm = state.config.regularization.batch_norm;
                let order = checkpoint_v2::Order::new(
                    &model.network,
                    std::mem::take(&mut state.sparse),
                    batch_norm,
                );
                state.version = VERSION;
                order.convert(tensors)?
            }
            version => {
                return Err(invalid(format!(
                    "a checkpoint of version {version}, this program reads 2 and {VERSION}"
                )));
            }
        };
        let mut snapshot = Snapshot { steps: state.steps, evaluations: state.evaluations, vectors };
        let of_members = |(at, state): (usize, &MemberState)| {
            let prefix = format!("members.{at}.");
            let own = |name: &str| name.strip_prefix(&prefix).map(str::to_owned);
            let all = std::mem::take(&mut snapshot.vectors);
            let (taken, left): (BTreeMap<_, _>, BTreeMap<_, _>) =
                all.into_iter().partition(|(name, _)| name.starts_with(&prefix));
            snapshot.vectors = left;
            let taken = taken.into_iter().filter_map(|(name, values)| Some((own(&name)?, values)));
            let mut vectors: BTreeMap<_, _> = taken.collect();
            let best = vectors.remove(BEST).unwrap_or_default();
            let MemberState { steps, evaluations, .. } = *state;
            MemberVectors { snapshot: Snapshot { steps, evaluations, vectors }, best }
        };
        let members: Vec<_> = state.members.iter().enumerate().map(of_members).collect();
        if !members.is_empty() && members.len() != model.members() {
            return Err(invalid(format!(
                "the checkpoint is damaged: it has the state of {} networks, but {} networks",
                members.len(),
                model.members()
            )));
        }
        Ok(Checkpoint { model, state, snapshot, best, members })
    }

    /// The settings of the run.
    pub fn config(&self) -> &TrainConfig {
        &self.state.config
    }

    /// The model as it was then.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The figures of the epochs that were run.
    pub fn history(&self) -> &History {
        &self.state.progress.history
    }

    /// What was given to [`Session::checkpoint`](crate::training::Session::checkpoint).
    pub fn note(&self) -> &serde_json::Value {
        &self.state.note
    }

    /// Parameters of the best epoch's network, of which there are `length`.
    pub(super) fn best(&self, length: usize) -> Result<&[f32]> {
        match self.best.len() == length {
            true => Ok(&self.best),
            false => Err(Error::argument(format!(
                "the checkpoint does not fit this run: {BEST} has {} numbers, expected {length}",
                self.best.len()
            ))),
        }
    }

    /// Checks that the figures agree with each other: the checkpoint is not damaged, and epochs have so many steps.
    pub(super) fn check_progress(&self, steps_per_epoch: usize) -> Result<()> {
        let State { config, progress, steps, .. } = &self.state;
        let epochs = progress.history.epochs.len();
        let numbered = progress.history.epochs.iter().enumerate().all(|(at, it)| it.epoch == at);
        let best = progress.best.is_none_or(|best| best.epoch < epochs);
        let own = steps.checked_sub(progress.before.steps);
        let partial = progress.partial.as_ref().map_or(0, |partial| partial.steps);
        let whole = (epochs as u64).checked_mul(steps_per_epoch as u64);
        let counted = whole.and_then(|steps| steps.checked_add(partial as u64)) == own;
        let sound = counted && own.is_some() && (partial == 0 || partial < steps_per_epoch);
        if numbered && best && sound && epochs <= config.epochs {
            return Ok(());
        }
        Err(Error::argument(format!(
            "the checkpoint cannot be resumed: {steps} steps in {epochs} of {} epochs and {partial} steps of the next, \
             expected epochs of {steps_per_epoch} steps; it is damaged, or was made by another version",
            config.epochs
        )))
    }
}
