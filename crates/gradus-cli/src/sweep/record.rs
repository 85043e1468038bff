//! The results file of a sweep: one line of JSON per run, written as soon as the run ends
//! (docs/formats.md), and read when the sweep continues.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Result, anyhow};
use gradus::Error;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::halving::Figures;
use super::plan::Run;

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

/// The file, open for more lines.
#[derive(Debug)]
pub(crate) struct Results {
    path: PathBuf,
    file: Mutex<File>,
}

impl Results {
    /// Opens the file and returns the results of `runs` that it contains. An incomplete last line is removed
    /// when the next line is added.
    ///
    /// # Errors
    /// If the file cannot be read and written, is in use by another sweep, or contains anything but lines of
    /// the sweep `sweep`. The file is then left unchanged.
    pub(crate) fn open(
        path: &Path,
        sweep: &Value,
        runs: &[Run],
    ) -> Result<(Results, Vec<Option<Record>>)> {
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(|error| Error::io("open", path, error))?;
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Err(anyhow!(
                "{}: another sweep is writing to this file; wait until it ends, or choose another --out \
                 for this one",
                path.display()
            ));
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|error| Error::io("read", path, error))?;
        let complete = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
        let (complete, rest) = bytes.split_at(complete);
        let known = read(complete, sweep, runs).and_then(|known| match is_cut_off(rest) {
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
        file.set_len(complete.len() as u64)
            .and_then(|()| file.seek(SeekFrom::End(0)))
            .map_err(|error| Error::io("write", path, error))?;
        Ok((Results { path: path.to_owned(), file: Mutex::new(file) }, known))
    }

    /// Adds a line.
    ///
    /// # Errors
    /// If the operating system refuses.
    pub(crate) fn append(&self, record: &Record) -> Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let written = file.write_all(&line).and_then(|()| file.flush());
        Ok(written.map_err(|error| Error::io("write", &self.path, error))?)
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
        let mut record: Record = serde_json::from_str(line)
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
    use std::fs;

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

    #[test]
    fn lines_survive_a_round_trip() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.jsonl");
        let (sweep, runs) = (json!({"seed": 3}), runs());
        let (results, known) = Results::open(&path, &sweep, &runs).unwrap();
        assert_eq!(known, [None, None, None]);
        let written = record(1, "16", &sweep);
        results.append(&written).unwrap();
        // No other sweep can write while it is open.
        let busy = Results::open(&path, &sweep, &runs).unwrap_err();
        assert!(busy.to_string().contains("another sweep is writing"), "{busy}");
        drop(results);
        let line = fs::read_to_string(&path).unwrap();
        assert!(line.starts_with(BEGIN) && line.ends_with("}\n"), "{line}");
        // Cut off in the middle of the second line.
        for cut in [&line[..40], "{\"r", ""] {
            fs::write(&path, format!("{line}{cut}")).unwrap();
            let (results, known) = Results::open(&path, &sweep, &runs).unwrap();
            assert_eq!(known, [None, Some(written.clone()), None]);
            results.append(&record(0, "8", &sweep)).unwrap();
            drop(results);
            let (_, known) = Results::open(&path, &sweep, &runs).unwrap();
            assert_eq!(known[0].as_ref().unwrap().run, 0);
            assert_eq!(known[1].as_ref(), Some(&written));
        }
    }

    #[test]
    fn other_files_are_not_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.jsonl");
        let (sweep, runs) = (json!({"seed": 3}), runs());
        let line = |record: Record| serde_json::to_string(&record).unwrap() + "\n";
        for (content, words) in [
            ("my notes".to_owned(), "last line"),
            ("my notes\n".into(), "line 1 is not the result"),
            (line(record(0, "8", &json!({"seed": 4}))), "\"seed\" of its sweep is 4, but of this"),
            (line(record(0, "16", &sweep)), "line 1 has other options than run 0"),
        ] {
            fs::write(&path, &content).unwrap();
            let error = Results::open(&path, &sweep, &runs).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        // An older file calls an option by its old name.
        let options = |name: &str| json!({"seed": 3, "train": {name: "0.99"}});
        fs::write(&path, line(record(0, "8", &options("average")))).unwrap();
        let (_, known) = Results::open(&path, &options("ema_decay"), &runs).unwrap();
        assert!(known[0].is_some());
        // The file of a longer sweep is accepted.
        fs::write(&path, line(record(7, "8", &sweep))).unwrap();
        assert_eq!(Results::open(&path, &sweep, &runs).unwrap().1, [None, None, None]);
    }
}
