//! The results file of a sweep: one line of JSON per run, written as soon as the run ends
//! (docs/formats.md), and read when the sweep continues.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Result, anyhow};
use gradus::files::{OutputFile, json, reading};
use gradus::{Error, ErrorKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::halving::Figures;
use super::plan::Run;
use crate::run::{saving, stop};

/// The most bytes of a file: 10,000 runs take about 2 KB each.
const MOST_BYTES: u64 = 256 << 20;

/// The beginning of each line.
const BEGIN: &str = "{\"run\":";

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum End {
    /// The run completed all epochs.
    Finished,
    /// Early stopping ended the run.
    NoProgress,
    /// Other runs were better at a rung.
    GivenUp,
    /// The loss or a weight became NaN or infinite.
    Diverged,
}

impl End {
    /// The outcome in words.
    pub(crate) fn name(self) -> &'static str {
        match self {
            End::Finished => "finished",
            End::NoProgress => "no progress",
            End::GivenUp => "pruned",
            End::Diverged => "diverged",
        }
    }
}

/// The result of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Its number, from 0.
    pub(crate) run: usize,
    pub(crate) outcome: End,
    /// The options that differ between runs.
    pub(crate) options: BTreeMap<String, String>,
    #[serde(flatten)]
    pub(crate) figures: Figures,
    pub(crate) seconds: f64,
    /// The metrics at the rungs that it passed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) rungs: Vec<Figures>,
    /// The identity of the sweep, from `Plan::identity`.
    pub(crate) sweep: Value,
}

/// The file, which takes more lines.
#[derive(Debug)]
pub(crate) struct Results(Mutex<Lines>);

#[derive(Debug)]
struct Lines {
    file: OutputFile,
    /// All of its content, for the case that another program takes its place.
    content: Vec<u8>,
    /// Whether another program did.
    is_displaced: bool,
}

impl Results {
    /// Reads the file and returns the results of `runs` that it contains. An incomplete last line is removed
    /// when the next line is added.
    ///
    /// # Errors
    /// If the file cannot be read, or contains anything but lines of the sweep `sweep`.
    pub(crate) fn read(
        file: OutputFile,
        sweep: &Value,
        runs: &[Run],
    ) -> Result<(Results, Vec<Option<Record>>)> {
        let path = file.path();
        let mut content = match reading::read_at_most(path, Some(MOST_BYTES)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            other => other?,
        };
        let complete = content.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
        let (lines, rest) = content.split_at(complete);
        let known = read(lines, sweep, runs).and_then(|known| match is_cut_off(rest) {
            true => Ok(known),
            false => Err("its last line is not the result of a run".into()),
        });
        let known = known.map_err(|problem| {
            anyhow!(
                "{}: this file exists and does not belong to this sweep ({problem}), so it is not changed; \
                 choose another path with --out, or move the file away",
                path.display()
            )
        })?;
        content.truncate(complete);
        Ok((Results(Mutex::new(Lines { file, content, is_displaced: false })), known))
    }

    /// Adds a line.
    ///
    /// # Errors
    /// If the operating system refuses. If another program has changed the file, all lines are in a new one.
    pub(crate) fn append(&self, record: &Record) -> Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        let mut lines = self.lines();
        let Lines { file, content, is_displaced } = &mut *lines;
        content.extend(&line);
        let in_place = saving::is_in_place(stop::saving(|| file.extend(content, line.len())))?;
        *is_displaced |= !in_place;
        Ok(())
    }

    /// Removes the file: another one has its results.
    ///
    /// # Errors
    /// If the operating system refuses.
    pub(crate) fn remove(&self) -> Result<()> {
        let lines = self.lines();
        let path = lines.file.path();
        // A rank without runs has none.
        if path.exists() {
            fs::remove_file(path).map_err(|error| Error::io("remove", path, error))?;
        }
        Ok(())
    }

    /// Whether the results are elsewhere than where they were wanted, which was reported.
    pub(crate) fn is_displaced(&self) -> bool {
        self.lines().is_displaced
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether `rest` is empty or the beginning of a line.
fn is_cut_off(rest: &[u8]) -> bool {
    rest.starts_with(BEGIN.as_bytes()) || BEGIN.as_bytes().starts_with(rest)
}

/// The results of each run in complete lines, or why they belong to something else.
fn read(lines: &[u8], sweep: &Value, runs: &[Run]) -> Result<Vec<Option<Record>>, String> {
    let mut known: Vec<Option<Record>> = vec![None; runs.len()];
    let text = std::str::from_utf8(lines).map_err(|_| "it is not text")?;
    for (index, line) in text.lines().enumerate() {
        let at = index + 1;
        let mut record: Record = json::parse(line.as_bytes())
            .map_err(|error| format!("line {at} is not the result of a run: {error}"))?;
        rename_options(&mut record.sweep);
        if let Some(difference) = difference(&record.sweep, sweep) {
            return Err(difference);
        }
        // The file may be that of a longer sweep.
        let (Some(run), Some(place)) = (runs.get(record.run), known.get_mut(record.run)) else {
            continue;
        };
        let options: BTreeMap<_, _> = run.options.iter().cloned().collect();
        if options != record.options {
            return Err(format!("line {at} has other options than run {}", record.run));
        }
        *place = Some(record);
    }
    Ok(known)
}

/// Gives the options of `train` in an older file their current names.
fn rename_options(sweep: &mut Value) {
    let Some(train) = sweep.get_mut("train").and_then(Value::as_object_mut) else { return };
    for (old, new) in [("average", "ema_decay")] {
        if let Some(value) = train.remove(old) {
            train.insert(new.to_owned(), value);
        }
    }
}

/// The first difference between the sweep of a file and this one.
fn difference(found: &Value, this: &Value) -> Option<String> {
    let key = this.as_object()?.keys().find(|&key| found[key] != this[key])?;
    Some(format!("\"{key}\" of its sweep is {}, but of this one {}", found[key], this[key]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Command;
    use crate::sweep::plan::Plan;
    use serde_json::json;
    use std::path::Path;

    fn runs() -> Vec<Run> {
        let words = "gradus sweep --vary hidden=8/16/32 -- --validation 0.1";
        match Command::parse(words.split_whitespace()).unwrap() {
            Command::Sweep(args) => Plan::new(&args).unwrap().runs,
            other => panic!("{other:?}"),
        }
    }

    fn record(run: usize, hidden: &str, sweep: &Value) -> Record {
        let figures = Figures { epochs: 2, val_accuracy: Some(0.1 + 0.2), ..Figures::default() };
        Record {
            run,
            outcome: End::GivenUp,
            options: [("hidden".to_owned(), hidden.to_owned())].into(),
            figures,
            seconds: 0.25,
            rungs: vec![Figures { epochs: 1, loss: Some(1.0 / 3.0), ..figures }],
            sweep: sweep.clone(),
        }
    }

    fn open(path: &Path, sweep: &Value) -> Result<(Results, Vec<Option<Record>>)> {
        Results::read(OutputFile::claim(path)?, sweep, &runs())
    }

    #[test]
    fn lines_survive_a_round_trip() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.jsonl");
        let sweep = json!({"seed": 3});
        let (results, known) = open(&path, &sweep).unwrap();
        assert_eq!(known, [None, None, None]);
        let written = record(1, "16", &sweep);
        results.append(&written).unwrap();
        // No other sweep can write while it is open.
        let busy = open(&path, &sweep).unwrap_err();
        assert!(busy.to_string().contains("is being written by process"), "{busy}");
        drop(results);
        let line = fs::read_to_string(&path).unwrap();
        assert!(line.starts_with(BEGIN) && line.ends_with("}\n"), "{line}");
        // Cut off in the middle of the second line.
        for cut in [&line[..40], "{\"r", ""] {
            fs::write(&path, format!("{line}{cut}")).unwrap();
            let (results, known) = open(&path, &sweep).unwrap();
            assert_eq!(known, [None, Some(written.clone()), None]);
            results.append(&record(0, "8", &sweep)).unwrap();
            drop(results);
            let (_, known) = open(&path, &sweep).unwrap();
            assert_eq!(known[0].as_ref().unwrap().run, 0);
            assert_eq!(known[1].as_ref(), Some(&written));
        }
    }

    #[test]
    fn other_files_are_not_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.jsonl");
        let sweep = json!({"seed": 3});
        let line = |record: Record| serde_json::to_string(&record).unwrap() + "\n";
        for (content, words) in [
            ("my notes".to_owned(), "last line"),
            ("my notes\n".into(), "line 1 is not the result"),
            (line(record(0, "8", &json!({"seed": 4}))), "\"seed\" of its sweep is 4, but of this"),
            (line(record(0, "16", &sweep)), "line 1 has other options than run 0"),
        ] {
            fs::write(&path, &content).unwrap();
            let error = open(&path, &sweep).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        // An older file calls an option by its old name.
        let options = |name: &str| json!({"seed": 3, "train": {name: "0.99"}});
        fs::write(&path, line(record(0, "8", &options("average")))).unwrap();
        let (_, known) = open(&path, &options("ema_decay")).unwrap();
        assert!(known[0].is_some());
        // The file of a longer sweep is accepted.
        fs::write(&path, line(record(7, "8", &sweep))).unwrap();
        assert_eq!(open(&path, &sweep).unwrap().1, [None, None, None]);
    }
}
