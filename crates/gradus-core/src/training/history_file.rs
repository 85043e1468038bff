//! Histories read back: the texts that [`History::to_json`] and [`History::to_csv`] give.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::error::{Error, Result, invalid};
use crate::files::reading;
use crate::training::{EpochReport, History};

/// No history file is larger.
const MOST_BYTES: u64 = 64 << 20;

/// The most epochs that are read: an epoch takes about 200 bytes in memory, and may have 14 in the file.
const MOST_EPOCHS: usize = 1_000_000;

const TOO_MANY_EPOCHS: &str = "a history of more than 1000000 epochs is not read";

/// The most columns of a table; others than the known ones are skipped.
const MOST_COLUMNS: usize = 1000;

/// Values by key; an empty cell is none.
type Columns = BTreeMap<String, Vec<Option<f64>>>;

impl History {
    /// Reads the `.json` or `.csv` file of a history; the content decides which.
    ///
    /// # Errors
    /// `NotFound` or `Io` if it cannot be read; `InvalidData`, naming the file, where it is no
    /// history.
    pub fn load(path: &Path) -> Result<History> {
        if path.is_dir() {
            return Err(Error::data(
                path,
                "this is a folder; expected the .json or .csv file of a history",
            ));
        }
        let bytes = reading::read_at_most(path, Some(MOST_BYTES))?;
        let text = String::from_utf8(bytes)
            .map_err(|_| Error::data(path, "not a history: this is not text"))?;
        History::parse(&text).map_err(|error| error.context(path.display()))
    }

    /// Reads the text of such a file.
    ///
    /// # Errors
    /// `InvalidData` as [`Self::load`].
    pub fn parse(text: &str) -> Result<History> {
        match text.trim_start().starts_with('{') {
            true => match serde_json::from_str(text) {
                Ok(JsonColumns(columns)) => from_columns(&columns),
                Err(error) => Err(invalid(format!("not a history: {error}"))),
            },
            false => History::from_csv(text),
        }
    }

    /// The history in the object of [`Self::to_json`]: an array for each key. Other keys are passed
    /// over; `seconds` may be missing, and is then NaN in every epoch.
    ///
    /// # Errors
    /// `InvalidData` if `loss` or `learning_rate` is missing, something is not a number, or the arrays
    /// differ in length.
    pub fn from_json(value: &serde_json::Value) -> Result<History> {
        let object = value.as_object().ok_or_else(|| {
            invalid(
                "not a history: expected an object with an array for each of loss, accuracy, ...",
            )
        })?;
        let mut columns = Columns::new();
        for (key, value) in object.iter().filter(|(key, _)| KEYS.contains(&key.as_str())) {
            let wrong = || invalid(format!("\"{key}\" is not an array of numbers"));
            let number = |value: &serde_json::Value| match value {
                serde_json::Value::Null => Ok(None),
                value => value.as_f64().map(Some).ok_or_else(wrong),
            };
            let values = value.as_array().ok_or_else(wrong)?;
            columns.insert(key.clone(), values.iter().map(number).collect::<Result<_>>()?);
        }
        from_columns(&columns)
    }

    /// The history in the table of [`Self::to_csv`]. Other columns are passed over; `seconds` may be
    /// missing, and is then NaN in every epoch.
    ///
    /// # Errors
    /// As [`Self::from_json`].
    pub fn from_csv(text: &str) -> Result<History> {
        // A reader of tables takes eight bytes for each cell, however short.
        let cells = |line: &str| line.bytes().filter(|&byte| byte == b',').count();
        if text.lines().any(|line| cells(line) > MOST_COLUMNS) {
            return Err(invalid(format!("not a history: more than {MOST_COLUMNS} columns")));
        }
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let broken = |error: csv::Error| invalid(format!("not a history: {error}"));
        let header = reader.headers().map_err(broken)?.clone();
        let known = header.iter().filter(|key| KEYS.contains(key));
        let mut columns: Columns = known.map(|key| (key.to_owned(), Vec::new())).collect();
        for (number, record) in reader.records().enumerate() {
            let record = record.map_err(broken)?;
            if number == MOST_EPOCHS {
                return Err(invalid(TOO_MANY_EPOCHS));
            }
            for (key, cell) in header.iter().zip(&record).filter(|(key, _)| KEYS.contains(key)) {
                let value = match cell.trim() {
                    "" => None,
                    cell => Some(cell.parse().map_err(|_| {
                        let line = number + 2;
                        invalid(format!("{key} in line {line} is '{cell}', expected a number"))
                    })?),
                };
                columns.entry(key.to_owned()).or_default().push(value);
            }
        }
        from_columns(&columns)
    }
}

/// The known columns of a JSON text. They are read one number at a time, since a text in memory as JSON values
/// takes many times its length.
struct JsonColumns(Columns);

/// The numbers of one column.
struct JsonColumn(Vec<Option<f64>>);

impl<'de> Deserialize<'de> for JsonColumns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = JsonColumns;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("an object with an array for each of loss, accuracy, ...")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<JsonColumns, M::Error> {
                let mut columns = Columns::new();
                while let Some(key) = map.next_key::<String>()? {
                    if KEYS.contains(&key.as_str()) {
                        let JsonColumn(values) = map.next_value().map_err(|error| {
                            M::Error::custom(format!(
                                "\"{key}\" is not an array of numbers: {error}"
                            ))
                        })?;
                        columns.insert(key, values);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(JsonColumns(columns))
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

impl<'de> Deserialize<'de> for JsonColumn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Numbers;
        impl<'de> Visitor<'de> for Numbers {
            type Value = JsonColumn;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("an array of numbers")
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut numbers: S) -> Result<JsonColumn, S::Error> {
                let mut values = Vec::new();
                while let Some(number) = numbers.next_element()? {
                    if values.len() == MOST_EPOCHS {
                        return Err(S::Error::custom(TOO_MANY_EPOCHS));
                    }
                    values.push(number);
                }
                Ok(JsonColumn(values))
            }
        }
        deserializer.deserialize_seq(Numbers)
    }
}

const NEEDED: [&str; 2] = ["loss", "learning_rate"];

const KEYS: [&str; 8] =
    ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "val_r2", "learning_rate", "seconds"];

fn from_columns(columns: &Columns) -> Result<History> {
    if let Some(missing) = NEEDED.into_iter().find(|&key| !columns.contains_key(key)) {
        return Err(invalid(format!(
            "not a history: it lacks {missing}; expected loss and learning_rate, as the history of \
             a training run has them"
        )));
    }
    let length = columns["loss"].len();
    if let Some((key, values)) = columns.iter().find(|(_, values)| values.len() != length) {
        return Err(invalid(format!(
            "loss has {length} epochs, but {key} {}: every key needs as many",
            values.len()
        )));
    }
    if length == 0 {
        return Err(invalid("a history without any epoch"));
    }
    let value = |key: &str, at: usize| columns.get(key).and_then(|values| values[at]);
    let number = |key: &str, at: usize| value(key, at).unwrap_or(f64::NAN);
    let report = |at: usize| EpochReport {
        // The conversion keeps within the range of the type.
        epoch: value("epoch", at).map_or(at, |epoch| epoch as usize),
        loss: number("loss", at),
        accuracy: value("accuracy", at),
        val_loss: value("val_loss", at),
        val_accuracy: value("val_accuracy", at),
        val_r2: value("val_r2", at),
        learning_rate: number("learning_rate", at) as f32,
        seconds: number("seconds", at),
    };
    Ok(History { epochs: (0..length).map(report).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn history() -> History {
        let report = |epoch: usize| EpochReport {
            epoch,
            loss: 0.3 / (epoch + 1) as f64,
            accuracy: Some(0.9),
            val_loss: Some(0.4),
            val_accuracy: (epoch > 0).then_some(0.8),
            val_r2: None,
            learning_rate: 1e-3,
            seconds: 1.5,
        };
        History { epochs: (0..3).map(report).collect() }
    }

    #[test]
    fn both_forms_come_back() {
        let mut history = history();
        assert_eq!(History::from_csv(&history.to_csv()).unwrap(), history);
        history.epochs[0].val_accuracy = Some(0.7);
        assert_eq!(History::from_json(&history.to_json()).unwrap(), history);
        history.epochs.iter_mut().for_each(|report| report.val_r2 = Some(0.25));
        assert_eq!(History::from_json(&history.to_json()).unwrap(), history);
        assert_eq!(History::from_csv(&history.to_csv()).unwrap(), history);
        history.epochs.iter_mut().for_each(|report| report.val_r2 = None);
        // Missing times are reported as such, and are not written again.
        let mut json = history.to_json();
        json.as_object_mut().unwrap().remove("seconds");
        let read = History::from_json(&json).unwrap();
        assert!(read.epochs.iter().all(|report| report.seconds.is_nan()));
        assert_eq!(read.to_json(), json);
        assert!(read.to_csv().ends_with(",0.8,0.001,\n"), "{}", read.to_csv());
    }

    #[test]
    fn strangers_are_refused() {
        for (text, words) in [
            (r#"{"loss":[1],"accuracy":[1]}"#, "lacks learning_rate"),
            (
                r#"{"loss":[1],"accuracy":[1,2],"learning_rate":[1]}"#,
                "loss has 1 epochs, but accuracy 2",
            ),
            (r#"{"loss":[],"accuracy":[],"learning_rate":[]}"#, "without any epoch"),
            (r#"{"loss":"x","accuracy":[],"learning_rate":[]}"#, "\"loss\" is not an array"),
            (r#"[1]"#, "expected an object"),
        ] {
            let error = History::from_json(&serde_json::from_str(text).unwrap()).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
        }
        for (text, words) in [
            ("", "lacks loss"),
            ("a,b\n1,2\n", "lacks loss"),
            ("loss,accuracy,learning_rate\n", "without any epoch"),
            ("loss,accuracy,learning_rate\n1,x,2\n", "accuracy in line 2 is 'x'"),
            ("loss,accuracy,learning_rate\n1,2\n", "not a history"),
        ] {
            let error = History::from_csv(text).unwrap_err();
            assert!(error.to_string().contains(words), "{text:?}: {error}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("h.json");
        fs::write(&path, "{").unwrap();
        let error = History::load(&path).unwrap_err().to_string();
        assert!(error.contains("h.json: not a history: EOF while parsing"), "{error}");
        for (text, words) in [
            (r#"{"loss":"x"}"#, "\"loss\" is not an array of numbers"),
            (r#"{"loss":[1,{}]}"#, "\"loss\" is not an array of numbers"),
            (r#"{"loss":[1],"learning_rate":[1,2]}"#, "loss has 1 epochs"),
        ] {
            fs::write(&path, text).unwrap();
            let error = History::load(&path).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        fs::write(&path, r#"{"loss":[1],"x":[{}],"learning_rate":[0.5],"val_loss":[null]}"#)
            .unwrap();
        assert_eq!(History::load(&path).unwrap().epochs[0].learning_rate, 0.5);
        assert!(History::load(folder.path()).unwrap_err().to_string().contains("folder"));
        fs::write(&path, history().to_csv()).unwrap();
        assert_eq!(History::load(&path).unwrap(), history());
    }
}
