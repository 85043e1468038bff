//! How a model came about: what whoever trained it writes into it, and what reports and evaluations
//! read. In files it is the JSON object `training` (docs/formats.md).

use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind, Result};

/// How a model came about. Every part may be missing: another program, or an older gradus, did not
/// write it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Provenance {
    /// Version of the gradus that trained it.
    pub gradus: Option<String>,
    /// Name of the data set.
    pub data: Option<String>,
    /// How many samples were used for what.
    pub samples: Option<SampleCounts>,
    /// The named set of settings that the run started from.
    pub preset: Option<String>,
    /// The settings, as [`crate::training::TrainConfig`] is written; null if unknown.
    pub settings: Value,
    /// Epochs that were run.
    pub epochs: Option<usize>,
    /// `finished`, `no_progress`, `stopped` or `diverged`.
    pub outcome: Option<String>,
    /// The epoch that the weights come from, with early stopping.
    pub best_epoch: Option<usize>,
    /// Figures of the epochs, one list each; null if unknown.
    pub history: Value,
    /// Everything else: figures of a test (`test_accuracy`), what the Python package keeps, what newer
    /// versions write.
    pub more: Map<String, Value>,
}

/// How many samples were used for what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampleCounts {
    /// For the steps.
    pub train: usize,
    /// For measuring after each epoch.
    pub validation: usize,
    /// Held out.
    pub test: usize,
}

impl Provenance {
    /// Reads the JSON object that [`Self::to_json`] writes; null is nothing known. A part of an
    /// unexpected type is kept in [`Self::more`].
    ///
    /// # Errors
    /// `InvalidData` for anything but an object or null.
    pub fn from_json(value: Value) -> Result<Provenance> {
        let mut more = match value {
            Value::Null => Map::new(),
            Value::Object(more) => more,
            other => {
                return Err(Error::new(
                    ErrorKind::InvalidData,
                    format!("how a model was trained is {other}, expected a JSON object"),
                ));
            }
        };
        // Null says what a missing key says (see `to_json`).
        more.retain(|key, value| key != "best_epoch" || !value.is_null());
        Ok(Provenance {
            gradus: take(&mut more, "gradus", text),
            data: take(&mut more, "data", text),
            samples: take(&mut more, "samples", |it| serde_json::from_value(it.clone()).ok()),
            preset: take(&mut more, "preset", text),
            settings: more.remove("config").unwrap_or_default(),
            epochs: take(&mut more, "epochs", number),
            outcome: take(&mut more, "outcome", text),
            best_epoch: take(&mut more, "best_epoch", number),
            history: more.remove("history").unwrap_or_default(),
            more,
        })
    }

    /// The JSON object of what is known; null if nothing is.
    pub fn to_json(&self) -> Value {
        if *self == Provenance::default() {
            return Value::Null;
        }
        let mut all = self.more.clone();
        let mut add = |key: &str, value: Value| {
            if !value.is_null() {
                all.insert(key.into(), value);
            }
        };
        let text = |text: &Option<String>| text.clone().map_or(Value::Null, Value::from);
        let count = |count: Option<usize>| count.map_or(Value::Null, Value::from);
        add("gradus", text(&self.gradus));
        add("data", text(&self.data));
        add("preset", text(&self.preset));
        add("outcome", text(&self.outcome));
        add("epochs", count(self.epochs));
        add("best_epoch", count(self.best_epoch));
        add("config", self.settings.clone());
        add("history", self.history.clone());
        add("samples", self.samples.map_or(Value::Null, |it| serde_json::json!(it)));
        if self.outcome.is_some() {
            // Null says that the weights are those of the last epoch.
            all.entry("best_epoch").or_insert(Value::Null);
        }
        Value::Object(all)
    }

    /// Accuracy on the test samples, as a share of 1.
    pub fn test_accuracy(&self) -> Option<f64> {
        self.more.get("test_accuracy")?.as_f64()
    }

    /// The seed of the run.
    pub fn seed(&self) -> Option<u64> {
        self.settings["seed"].as_u64()
    }
}

/// Takes out what `read` understands; anything else stays.
fn take<T>(
    map: &mut Map<String, Value>,
    key: &str,
    read: impl Fn(&Value) -> Option<T>,
) -> Option<T> {
    let found = read(map.get(key)?)?;
    map.remove(key);
    Some(found)
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn number(value: &Value) -> Option<usize> {
    value.as_u64().and_then(|number| usize::try_from(number).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn whatever_was_written_comes_back() {
        for value in [
            json!(null),
            json!({"gradus": "0.1.0", "data": "mnist", "best_epoch": null, "epochs": 3,
                "samples": {"train": 5, "validation": 0, "test": 2}, "outcome": "stopped",
                "config": {"seed": 7}, "history": {"loss": [0.5, null]}, "test_accuracy": 0.875,
                "python": {"parameters": {"alpha": 0.1}}}),
            json!({"gradus": 5, "epochs": -1, "samples": {"train": 5}, "data": ["a"]}),
        ] {
            let read = Provenance::from_json(value.clone()).unwrap();
            assert_eq!(read.to_json(), value);
        }
        let known = json!({"config": {"seed": 7}, "test_accuracy": 0.875});
        let known = Provenance::from_json(known).unwrap();
        assert_eq!((known.seed(), known.test_accuracy()), (Some(7), Some(0.875)));
        assert!(Provenance::from_json(json!("trained")).is_err());
    }
}
