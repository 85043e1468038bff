//! Checkpoints: when `train` writes them, and how a run goes on from one.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;
use gradus::Error;
use gradus::data::Task;
use gradus::loss::Loss;
use gradus::training::{Checkpoint, Preset, Session};
use serde::{Deserialize, Serialize};

use crate::args::{Interval, TrainArgs};
use crate::run::file_kind::FileKind;
use crate::run::output::warn;
use crate::run::settings::Settings;

/// The options that a resumed run may be given: where data lie, what is written and told. All else
/// stays as the run was begun.
const ALLOWED: [&str; 17] = [
    "resume",
    "checkpoint",
    "checkpoint_every",
    "data",
    "test",
    "label_column",
    "image_size",
    "data_dir",
    "no_download",
    "sample_weights",
    "threads",
    "out",
    "history",
    "json",
    "quiet",
    "verbose",
    "watch",
];

/// What a checkpoint keeps of the command line: where its data came from.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    preset: String,
    /// Whether the initial parameters came from a file.
    start: bool,
    data: Option<String>,
    test: Option<PathBuf>,
    validation_set: Option<PathBuf>,
    label_column: Option<String>,
    /// Whether targets are values.
    values: bool,
    image_size: Option<(usize, usize)>,
    sample_weights: Option<PathBuf>,
}

/// The options and settings of the run that `path` holds.
///
/// # Errors
/// Those of reading the checkpoint; `InvalidArgument` where an option would change the run.
pub(crate) fn restore(args: &TrainArgs, path: &Path) -> Result<(TrainArgs, Settings)> {
    let refused = |name: &&String| !ALLOWED.contains(&name.as_str());
    if let Some(name) = args.given.keys().find(refused) {
        return Err(Error::argument(format!(
            "--{} cannot be given with --resume: the run goes on with the settings that it was \
             begun with",
            name.replace('_', "-")
        ))
        .into());
    }
    let checkpoint = Checkpoint::load(path)?;
    let note: Note = serde_json::from_value(checkpoint.note().clone()).map_err(|_| {
        Error::data(
            path,
            "this checkpoint was not written by gradus train, which can resume its own",
        )
    })?;
    let mut args = args.clone();
    // The same data may now be given in another kind of file, which the noted options do not concern.
    let still = |kind| args.data.as_ref().is_none_or(|data| FileKind::of(data.as_ref()) == kind);
    let label_column = note.label_column.filter(|_| still(FileKind::Table));
    let image_size = note.image_size.filter(|_| still(FileKind::ImageFolder));
    args.source.label_column = args.source.label_column.or(label_column);
    args.source.image_size = args.source.image_size.or(image_size);
    args.data = args.data.or(note.data);
    args.test = args.test.or(note.test);
    args.loss = note.values.then_some(Loss::SquaredError);
    let weights = &mut args.regularization.sample_weights;
    *weights = weights.take().or(note.sample_weights);
    let mut config = checkpoint.config().clone();
    config.threads = args.threads;
    let settings = Settings {
        preset: Preset::from_name(&note.preset).unwrap_or(Preset::Quick),
        config,
        start: note.start.then(|| checkpoint.model().network.clone()),
        validation_set: note.validation_set,
        checkpoint: Some(checkpoint),
    };
    Ok((args, settings))
}

/// Writes checkpoints of a run.
pub(crate) struct CheckpointWriter<'a> {
    path: Option<&'a Path>,
    every: Interval,
    note: serde_json::Value,
    epochs: usize,
    last: Instant,
    /// Why the last one could not be written; empty where it was.
    failure: String,
}

impl<'a> CheckpointWriter<'a> {
    pub(crate) fn new(args: &'a TrainArgs, settings: &Settings) -> Result<CheckpointWriter<'a>> {
        let note = Note {
            preset: settings.preset.name().into(),
            start: settings.start.is_some(),
            data: args.data.clone(),
            test: args.test.clone(),
            validation_set: settings.validation_set.clone(),
            label_column: args.source.label_column.clone(),
            values: args.task() == Task::Regression,
            image_size: args.source.image_size,
            sample_weights: args.regularization.sample_weights.clone(),
        };
        Ok(CheckpointWriter {
            path: args.checkpoints.path(),
            every: args.checkpoints.checkpoint_every.unwrap_or(Interval::Epochs(1)),
            note: serde_json::to_value(note)?,
            epochs: 0,
            last: Instant::now(),
            failure: String::new(),
        })
    }

    /// Writes a checkpoint after an epoch where one is due. If it cannot be written, this is told once
    /// for each reason, and the run goes on: its model is worth having.
    pub(crate) fn epoch(&mut self, session: &Session) {
        let Some(path) = self.path else { return };
        self.epochs += 1;
        let due = match self.every {
            Interval::Epochs(count) => self.epochs >= count,
            Interval::Minutes(minutes) => self.last.elapsed().as_secs_f64() >= 60.0 * minutes,
        };
        if !due {
            return;
        }
        (self.epochs, self.last) = (0, Instant::now());
        let saved = session.checkpoint(self.note.clone()).save(path);
        let failure = saved.err().map(|error| error.to_string()).unwrap_or_default();
        if !failure.is_empty() && failure != self.failure {
            warn(format!("no checkpoint can be written: {failure}; the run goes on"));
        }
        self.failure = failure;
    }
}
