//! Checkpoints of `train`: a session in, a file out at regular intervals; a file in, the arguments and
//! settings of a resumed run out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Result;
use gradus::data::csv::Encoding;
use gradus::data::{Dataset, Task};
use gradus::files::OutputFile;
use gradus::training::settings::Setting;
use gradus::training::{Checkpoint, Data, Preset, Session};
use gradus::{Error, model_file};
use serde::{Deserialize, Serialize};

use crate::args::{Interval, TrainArgs};
use crate::run::file_kind::FileKind;
use crate::run::output::warn;
use crate::run::settings::{Initial, Settings};
use crate::run::{model, saving};

/// The options that a resumed run accepts: where the data are and what is written and printed. Everything
/// else is fixed by the checkpoint.
const ALLOWED: [&str; 23] = [
    "epochs",
    "resume",
    "checkpoint",
    "checkpoint_every",
    "data",
    "in_memory",
    "test",
    "label_column",
    "encoding",
    "no_header",
    "image_size",
    "data_dir",
    "no_download",
    "sample_weights",
    "threads",
    "mpi",
    "goes_on",
    "out",
    "history",
    "json",
    "quiet",
    "verbose",
    "watch",
];

/// What a checkpoint records about the command line: where the data came from.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    preset: String,
    /// Whether the initial parameters came from a file.
    start: bool,
    data: Option<NotedPath>,
    test: Option<NotedPath>,
    validation_set: Option<NotedPath>,
    label_column: Option<String>,
    #[serde(default)]
    encoding: Option<String>,
    /// Whether the first line of the table is a row.
    #[serde(default)]
    no_header: bool,
    /// Whether targets are values, or labels.
    values: bool,
    image_size: Option<(usize, usize)>,
    sample_weights: Option<NotedPath>,
    /// Where the run writes its model and its history; not in older checkpoints.
    #[serde(default)]
    out: Option<NotedPath>,
    #[serde(default)]
    history: Option<NotedPath>,
    /// SHA-256 of the test data; none in checkpoints of earlier versions.
    #[serde(default)]
    test_digest: Option<String>,
    /// The options that decide about the run, as they were typed, for --continue; none in checkpoints of earlier
    /// versions.
    #[serde(default)]
    options: Option<BTreeMap<String, String>>,
}

/// A path in JSON: text, or bytes if it is none.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum NotedPath {
    Text(String),
    Bytes { bytes: Vec<u8> },
}

impl NotedPath {
    fn new(path: impl AsRef<Path>) -> NotedPath {
        let path = path.as_ref();
        match path.to_str() {
            Some(text) => NotedPath::Text(text.to_owned()),
            None => NotedPath::Bytes { bytes: path.as_os_str().as_encoded_bytes().to_vec() },
        }
    }

    fn path(self) -> PathBuf {
        match self {
            NotedPath::Text(text) => text.into(),
            NotedPath::Bytes { bytes } => path_of_bytes(bytes),
        }
    }
}

#[cfg(unix)]
fn path_of_bytes(bytes: Vec<u8>) -> PathBuf {
    let path: std::ffi::OsString = std::os::unix::ffi::OsStringExt::from_vec(bytes);
    path.into()
}

/// Elsewhere there is no lossless way back: the error shows the name of a file that is not found.
#[cfg(not(unix))]
fn path_of_bytes(bytes: Vec<u8>) -> PathBuf {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

/// What the program noted in a checkpoint.
fn note_of(checkpoint: &Checkpoint) -> serde_json::Result<Note> {
    serde_json::from_value(checkpoint.note().clone())
}

/// The options that decide about a run, as they were typed.
fn deciding(args: &TrainArgs) -> BTreeMap<String, String> {
    let decides = |name: &String| !ALLOWED.contains(&name.as_str());
    let given = args.given.iter().filter(|(name, _)| decides(name));
    given.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The arguments with the checkpoint to resume, for `--continue`.
///
/// # Errors
/// Those of reading the checkpoint; `InvalidArgument` if its run was begun with other options.
pub(crate) fn goes_on(args: &TrainArgs) -> Result<TrainArgs> {
    let mut args = args.clone();
    let Some(path) = args.checkpoints.checkpoint.clone() else { return Ok(args) };
    if !args.checkpoints.goes_on || !path.exists() {
        return Ok(args);
    }
    let checkpoint = Checkpoint::load(&path)?;
    let before = note_of(&checkpoint).ok().and_then(|note| note.options);
    let (before, now) = (before.unwrap_or_default(), deciding(&args));
    let names = before.keys().chain(now.keys());
    if let Some(name) = names.into_iter().find(|&name| before.get(name) != now.get(name)) {
        let as_typed = |options: &BTreeMap<String, String>| match options.get(name) {
            Some(value) => format!("with --{} {value}", name.replace('_', "-")),
            None => format!("without --{}", name.replace('_', "-")),
        };
        return Err(Error::argument(format!(
            "--continue: the run of {} was begun {}, and this command is {}: repeat the options of that run, or begin \
             another one with another --checkpoint",
            path.display(),
            as_typed(&before),
            as_typed(&now)
        ))
        .into());
    }
    args.given.retain(|name, _| ALLOWED.contains(&name.as_str()));
    args.checkpoints.resume = Some(path);
    Ok(args)
}

/// The arguments and settings of the run in the checkpoint at `path`.
///
/// # Errors
/// Those of reading the checkpoint; `InvalidArgument` if an option would change the run.
pub(crate) fn restore(args: &TrainArgs, path: &Path) -> Result<(TrainArgs, Settings)> {
    let refused = |name: &&String| !ALLOWED.contains(&name.as_str());
    if let Some(name) = args.given.keys().find(refused) {
        return Err(Error::argument(format!(
            "--{} cannot be given with --resume: a resumed run keeps the settings it was started with; to train \
             on from its model with others, use --start {} in place of --resume",
            name.replace('_', "-"),
            path.display()
        ))
        .into());
    }
    let checkpoint = Checkpoint::load(path).map_err(|error| {
        let is_model = model_file::load_model(path).is_ok();
        match is_model {
            true => Error::data(
                path,
                format!(
                    "a model, but no checkpoint: it does not hold the state of a run, which --checkpoint FILE \
                     writes; to train on from the model, use --start {}",
                    path.display()
                ),
            ),
            false => error,
        }
    })?;
    if args.verbose && !model_file::safetensors::has_digest(&front(path)?) {
        model::warn_of_missing_digest(path);
    }
    let note = note_of(&checkpoint).map_err(|_| {
        Error::data(
            path,
            "this checkpoint was not written by gradus train, which can only resume its own",
        )
    })?;
    let mut args = args.clone();
    // The same data may now come from another kind of file, for which the recorded options mean nothing.
    let still = |kind| args.data.as_ref().is_none_or(|data| FileKind::of(data) == kind);
    let label_column = note.label_column.filter(|_| still(FileKind::Table));
    let image_size = note.image_size.filter(|_| still(FileKind::ImageFolder));
    args.source.label_column = args.source.label_column.or(label_column);
    let encoding = note.encoding.filter(|_| still(FileKind::Table));
    let encoding = encoding.and_then(|name| Encoding::from_name(&name));
    args.source.table.encoding = args.source.table.encoding.or(encoding);
    args.source.table.no_header |= note.no_header && still(FileKind::Table);
    args.source.image_size = args.source.image_size.or(image_size);
    if let (false, Some(out)) = (args.given.contains_key("out"), note.out) {
        args.out = out.path();
    }
    let path = |noted: Option<NotedPath>| noted.map(NotedPath::path);
    args.history = args.history.or(path(note.history));
    args.data = args.data.or(path(note.data));
    args.test = args.test.or(path(note.test));
    if note.values {
        args.settings.set("loss", checkpoint.model().loss().name());
    }
    let weights = &mut args.sample_weights;
    *weights = weights.take().or(path(note.sample_weights));
    let mut config = checkpoint.config().clone();
    config.threads = None;
    for name in ["threads", "epochs"] {
        if let (Some(typed), Some(setting)) = (args.settings.get(name), Setting::find(name)) {
            setting.set(&mut config, typed)?;
        }
    }
    let share = (config.validation > 0.0).then(|| config.validation.to_string());
    let settings = Settings {
        preset: Preset::from_name(&note.preset).unwrap_or(Preset::Quick),
        config,
        initial: note.start.then(|| Initial::Network(checkpoint.model().network.clone())),
        validation_set: path(note.validation_set),
        share,
        checkpoint: Some(checkpoint),
        free: Vec::new(),
    };
    Ok((args, settings))
}

/// Test data have no part in training, so other ones are no reason to refuse; but the result is another one.
fn warn_of_other_test_data(checkpoint: &Checkpoint, now: &str) {
    let note = note_of(checkpoint).ok();
    if note.and_then(|note| note.test_digest).is_some_and(|before| before != now) {
        warn(
            "the test data are not those that the run was begun with: its test result cannot be compared with that of \
             the uninterrupted run",
        );
    }
}

/// The beginning of a model file, up to its tensors.
fn front(path: &Path) -> Result<Vec<u8>, Error> {
    model_file::safetensors::read_front(&mut model_file::open(path)?, path)
}

/// Writes checkpoints of a run.
pub(crate) struct CheckpointWriter {
    output: Option<OutputFile>,
    every: Interval,
    note: serde_json::Value,
    epochs: usize,
    last: Instant,
    /// Why the last checkpoint could not be written; empty if it was.
    failure: String,
    /// Whether checkpoints go to another file, because another program took the place.
    is_displaced: bool,
}

impl CheckpointWriter {
    /// Writes to `output`, if there is one.
    pub(crate) fn new(
        args: &TrainArgs,
        settings: &Settings,
        test: Option<&Dataset>,
        output: Option<OutputFile>,
    ) -> Result<CheckpointWriter> {
        let test_digest = test.filter(|_| output.is_some()).map(Dataset::sha256);
        if let (Some(checkpoint), Some(now)) = (&settings.checkpoint, &test_digest) {
            warn_of_other_test_data(checkpoint, now);
        }
        let before = settings.checkpoint.as_ref().and_then(|checkpoint| note_of(checkpoint).ok());
        let options = match before {
            Some(note) => note.options.unwrap_or_default(),
            None => deciding(args),
        };
        let note = Note {
            preset: settings.preset.name().into(),
            start: settings.initial.is_some(),
            data: args.data.as_ref().map(NotedPath::new),
            test: args.test.as_ref().map(NotedPath::new),
            validation_set: settings.validation_set.as_ref().map(NotedPath::new),
            label_column: args.source.label_column.clone(),
            encoding: args.source.table.encoding.map(|it| it.name().to_owned()),
            no_header: args.source.table.no_header,
            values: args.task() != Task::Classification,
            image_size: args.source.image_size,
            sample_weights: args.sample_weights.as_ref().map(NotedPath::new),
            out: Some(NotedPath::new(&args.out)),
            history: args.history.as_ref().map(NotedPath::new),
            test_digest,
            options: Some(options),
        };
        Ok(CheckpointWriter {
            output,
            every: args.checkpoints.checkpoint_every.unwrap_or(Interval::Epochs(1)),
            note: serde_json::to_value(note)?,
            epochs: 0,
            last: Instant::now(),
            failure: String::new(),
            is_displaced: false,
        })
    }

    /// Writes a checkpoint after an epoch if one is due. If that fails, it warns once per reason and the
    /// run continues, because its model is still useful.
    pub(crate) fn epoch(&mut self, session: &Session, sets: Data) {
        if self.output.is_none() {
            return;
        }
        self.epochs += 1;
        let due = match self.every {
            Interval::Epochs(count) => self.epochs >= count,
            Interval::Minutes(minutes) => self.last.elapsed().as_secs_f64() >= 60.0 * minutes,
        };
        if due {
            self.save(session, sets);
        }
    }

    /// When the run is to be left within an epoch, for a checkpoint; none if they are not written by the clock.
    pub(crate) fn due(&self) -> Option<Instant> {
        match (&self.output, self.every) {
            (Some(_), Interval::Minutes(minutes)) => {
                self.last.checked_add(Duration::try_from_secs_f64(60.0 * minutes).ok()?)
            }
            _ => None,
        }
    }

    /// Writes a checkpoint now.
    pub(crate) fn save(&mut self, session: &Session, sets: Data) {
        let Some(output) = &mut self.output else { return };
        self.epochs = 0;
        let checkpoint = session.checkpoint(sets, self.note.clone());
        let saved = checkpoint.to_bytes().and_then(|bytes| saving::save(output, &bytes));
        let failure = match saving::is_in_place(saved) {
            Ok(in_place) => {
                self.is_displaced |= !in_place;
                String::new()
            }
            Err(error) => error.to_string(),
        };
        if !failure.is_empty() && failure != self.failure {
            warn(format!("cannot write the checkpoint: {failure}; the run continues without it"));
        }
        self.failure = failure;
        // From its end on, so that steps are made between two checkpoints, however long one takes.
        self.last = Instant::now();
    }

    /// Whether checkpoints are elsewhere than where they were wanted, which was reported.
    pub(crate) fn is_displaced(&self) -> bool {
        self.is_displaced
    }
}
