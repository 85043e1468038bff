//! A run between two epochs as a file, and back: resumed, it gives the bits of the uninterrupted
//! run.
//!
//! A checkpoint is a model file (docs/formats.md) that says more: any command that takes a model
//! takes it. Beside the model stand the parameters as training has them, what the optimizer and the
//! averages remember, and the history. Random numbers have no state: they follow from the seed, the
//! epoch and the step. [`Session::resume`] goes on with the same data, [`Session::go_on`] with others.

use std::ops::Range;
use std::path::Path;

use gradus_kernels::threads::SharedMatrix;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::files;
use crate::model::Model;
use crate::model_file::{self, Extras};
use crate::samples::Dataset;
use crate::training::config::TrainConfig;
use crate::training::progress::Progress;
use crate::training::{History, Session};

/// The version of the checkpoint that is written; the only one that is read.
const VERSION: u32 = 2;

/// A run between two epochs.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    pub(super) model: Model,
    pub(super) state: State,
    extras: Extras,
}

/// What the metadata's key `checkpoint` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    version: u32,
    pub(super) config: TrainConfig,
    pub(super) progress: Progress,
    pub(super) steps: u64,
    /// SHA-256 of the training data and of the validation data; empty where it is not for resuming.
    data: [String; 2],
    /// Whether the parameters are laid out for mostly-zero bytes.
    pub(super) sparse: bool,
    /// What the caller wants to find again.
    note: serde_json::Value,
}

impl Checkpoint {
    /// Writes it beside `path` and renames it, so that there is a whole one at any moment.
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
        let mut extras = self.extras.clone();
        extras.text = serde_json::to_string(&self.state)
            .map_err(|error| Error::argument(format!("this run cannot be saved: {error}")))?;
        model_file::to_bytes_with(&self.model, &extras)
    }

    /// Reads a checkpoint.
    ///
    /// # Errors
    /// Those of [`model_file::load`]; `InvalidData` where the file is a model without the state of
    /// a run, or of a newer gradus.
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

    fn of(model: Model, mut extras: Extras) -> Result<Checkpoint> {
        let invalid = |message: String| Err(Error::new(ErrorKind::InvalidData, message));
        let text = std::mem::take(&mut extras.text);
        if text.is_empty() {
            return invalid(
                "a model, but no checkpoint: it does not hold the state of a run; expected a file \
                 that a run wrote as its checkpoint"
                    .into(),
            );
        }
        let state: State = match serde_json::from_str(&text) {
            Ok(state) => state,
            Err(error) => {
                return invalid(format!(
                    "the checkpoint cannot be read: {error}; is it of another version of gradus?"
                ));
            }
        };
        if state.version != VERSION {
            let version = state.version;
            return invalid(format!(
                "a checkpoint of version {version}, this program reads {VERSION}"
            ));
        }
        Ok(Checkpoint { model, state, extras })
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

    /// What was given to [`Session::checkpoint`].
    pub fn note(&self) -> &serde_json::Value {
        &self.state.note
    }

    pub(super) fn tensor(&self, name: &str, length: usize) -> Result<&[f32]> {
        match self.extras.tensors.get(name) {
            Some(values) if values.len() == length => Ok(values),
            found => {
                let found = found.map_or(0, Vec::len);
                Err(Error::argument(format!(
                    "the checkpoint does not fit this run: {name} has {found} numbers, expected \
                     {length}"
                )))
            }
        }
    }
}

impl<'a> Session<'a> {
    /// The run as it is between two epochs. `note` is kept with it.
    pub fn checkpoint(&self, note: serde_json::Value) -> Checkpoint {
        self.keep(self.digests(), note)
    }

    pub(super) fn keep(&self, data: [String; 2], note: serde_json::Value) -> Checkpoint {
        let mut extras = Extras::default();
        for (name, matrix, ..) in self.vectors() {
            if !matrix.read().is_empty() {
                extras.tensors.insert(name.to_owned(), matrix.read().to_vec());
            }
        }
        if !self.best.is_empty() {
            extras.tensors.insert("best".into(), self.best.clone());
        }
        let stepper = &self.trainer.stepper;
        Checkpoint {
            model: self.model.clone(),
            state: State {
                version: VERSION,
                config: self.config.clone(),
                progress: self.progress.clone(),
                steps: stepper.steps,
                data,
                sparse: self.trainer.is_sparse(),
                note,
            },
            extras,
        }
    }

    /// Goes on where `checkpoint` was made. `threads` does not change the result.
    ///
    /// # Errors
    /// `InvalidArgument` where the data are not those that the run was begun with, or the
    /// checkpoint does not fit them; those of [`Session::new`].
    pub fn resume(
        checkpoint: &Checkpoint,
        data: &'a Dataset,
        validation: Option<&'a Dataset>,
        threads: Option<usize>,
    ) -> Result<Session<'a>> {
        let config = TrainConfig { threads, ..checkpoint.state.config.clone() };
        let network = checkpoint.model.network.clone();
        let mut session = Session::new(&config, data, validation, Some(network))?;
        if session.digests() != checkpoint.state.data {
            return Err(Error::argument(
                "the data are not those that the run was begun with: give the same training and \
                 validation data, and the same sample weights",
            ));
        }
        check_progress(checkpoint, session.trainer.steps_per_epoch())?;
        for (name, matrix, parts, _) in session.vectors() {
            if !matrix.read().is_empty() {
                let length = parts.last().map_or(0, |part| part.end);
                fill(matrix, parts, checkpoint.tensor(name, length)?);
            }
        }
        session.progress = checkpoint.state.progress.clone();
        if session.progress.best.is_some() {
            let length = session.model.network.parameters().len();
            session.best = checkpoint.tensor("best", length)?.to_vec();
        }
        session.model = checkpoint.model.clone();
        session.trainer.stepper.steps = checkpoint.state.steps;
        Ok(session)
    }

    /// The vectors that training changes: names, parts, and whether they hold a number for each
    /// parameter (else one for each statistic).
    pub(super) fn vectors(&self) -> [(&'static str, &SharedMatrix, &[Range<usize>], bool); 6] {
        let (executor, stepper) = (&self.trainer.executor, &self.trainer.stepper);
        let (partitions, statistics) =
            (&executor.plan.partitions[..], &executor.plan.statistics[..]);
        let [first, second] = &stepper.moments;
        let [average, average_statistics] = &stepper.average;
        [
            ("parameters", &executor.parameters, partitions, true),
            ("statistics", &executor.statistics, statistics, false),
            ("first_moment", first, partitions, true),
            ("second_moment", second, partitions, true),
            ("average", average, partitions, true),
            ("average_statistics", average_statistics, statistics, false),
        ]
    }

    fn digests(&self) -> [String; 2] {
        [self.data.sha256(), self.validation.map(Dataset::sha256).unwrap_or_default()]
    }
}

pub(super) fn fill(matrix: &SharedMatrix, parts: &[Range<usize>], values: &[f32]) {
    for (index, part) in parts.iter().enumerate() {
        matrix.write(index).slice().copy_from_slice(&values[part.clone()]);
    }
}

/// Checks that the figures of a checkpoint agree with each other: it was made between two epochs, of
/// so many steps each, and is not damaged.
fn check_progress(checkpoint: &Checkpoint, steps_per_epoch: usize) -> Result<()> {
    let State { config, progress, steps, .. } = &checkpoint.state;
    let epochs = progress.history.epochs.len();
    let numbered = progress.history.epochs.iter().enumerate().all(|(at, it)| it.epoch == at);
    let best = progress.best.is_none_or(|best| best.epoch < epochs);
    let own = steps.checked_sub(progress.before.steps);
    let whole = (epochs as u64).checked_mul(steps_per_epoch as u64) == own && own.is_some();
    if numbered && best && whole && epochs <= config.epochs {
        return Ok(());
    }
    Err(Error::argument(format!(
        "the checkpoint cannot be resumed: {steps} steps in {epochs} of {} epochs, expected whole \
         epochs of {steps_per_epoch} steps; it is damaged, or was made in the middle of an epoch",
        config.epochs
    )))
}
