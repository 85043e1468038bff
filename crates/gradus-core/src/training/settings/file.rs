//! Settings in files: a [`TrainConfig`] out as one JSON object, a key for each setting, and back.
//!
//! Numbers and truth values are those of JSON, all else is the setting's text: `"schedule":
//! "step:10:0.5"`. A setting that the run does not have is left out. Earlier versions nested the
//! settings (`"regularization": {...}`) and had a form of its own for each kind of value; those files are
//! read, too.

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

use super::text::TextForm;
use super::{Kind, SETTINGS, Setting};
use crate::error::{Error, Result};
use crate::training::config::{Preset, TrainConfig};

/// What every file says. Settings that came later are off where a file does not have them.
const NEEDED: [&str; 10] = [
    "hidden",
    "activation",
    "init",
    "normalize",
    "epochs",
    "batch_size",
    "optimizer",
    "learning_rate",
    "schedule",
    "seed",
];

impl Setting {
    /// Its value in a run, as in files.
    pub fn get_json(&self, config: &TrainConfig) -> Option<Value> {
        self.get(config).map(|text| self.json(text))
    }

    fn json(&self, text: String) -> Value {
        match self.kind {
            Kind::Number | Kind::Whole => number(&text),
            Kind::Flag => text.parse().map_or_else(|_| Value::String(text), Value::Bool),
            Kind::Name | Kind::Text => Value::String(text),
        }
    }
}

/// The number that a text shows, `null` where it shows none.
fn number(text: &str) -> Value {
    let whole = text.parse::<u64>().map(Value::from);
    whole.or_else(|_| text.parse::<f64>().map(Value::from)).unwrap_or(Value::Null)
}

impl Serialize for TrainConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for setting in SETTINGS {
            if let Some(value) = setting.get_json(self) {
                map.serialize_entry(setting.name, &value)?;
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for TrainConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<TrainConfig, D::Error> {
        read(Map::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// The settings that a file of any version holds, by their names of today and in today's form. What is no
/// setting, such as a note of a program, stays as it is.
pub fn current(file: &Map<String, Value>) -> Map<String, Value> {
    let today = |(key, value): (String, Value)| match Setting::find(&key) {
        // A null of earlier versions may say that the run has no such setting.
        Some(setting) => Some((setting.name.to_owned(), setting.json(text(setting, &value)?))),
        None => Some((key, value)),
    };
    flat(file.clone()).into_iter().filter_map(today).collect()
}

/// The settings that a file holds.
fn read(file: Map<String, Value>) -> Result<TrainConfig> {
    let mut texts = Map::new();
    for (key, value) in flat(file) {
        let setting = Setting::find(&key)
            .ok_or_else(|| Error::argument(format!("there is no setting `{key}`")))?;
        texts.insert(setting.name.to_owned(), value);
    }
    if let Some(missing) = NEEDED.into_iter().find(|&name| !texts.contains_key(name)) {
        return Err(Error::argument(format!("the setting `{missing}` is missing")));
    }
    // In this preset all that the first version did not have is off.
    let mut config = Preset::Notebook.config();
    for setting in SETTINGS {
        if let Some(text) = texts.get(setting.name).and_then(|value| text(setting, value)) {
            setting.set(&mut config, &text)?;
        }
    }
    Ok(config)
}

/// The text of a value; `None` if it says that there is none.
fn text(setting: &Setting, value: &Value) -> Option<String> {
    match value {
        Value::Null => (setting.expected.contains("none")).then(|| "none".into()),
        Value::String(text) => Some(text.clone()),
        // Lists are of earlier versions.
        Value::Array(parts) if parts.is_empty() => Some("none".into()),
        Value::Array(parts) => {
            let parts: Vec<_> = parts.iter().filter_map(|part| text(setting, part)).collect();
            Some(parts.join(","))
        }
        other => Some(plain(other)),
    }
}

/// A number or truth value as text; earlier versions wrote 2.0 for 2.
fn plain(value: &Value) -> String {
    match value.as_f64() {
        Some(number) if value.as_u64().is_none() => number.text(),
        _ => value.to_string(),
    }
}

/// All settings side by side, also those of earlier versions, which nested them.
fn flat(file: Map<String, Value>) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (key, value) in file {
        match (key.as_str(), value) {
            ("regularization" | "early_stopping", Value::Object(inner)) => {
                found.extend(flat(inner))
            }
            ("early_stopping", Value::Null) => {}
            ("optimizer", Value::Object(constants)) => {
                found.extend(constants.into_iter().map(|(key, value)| match key.as_str() {
                    "name" => ("optimizer".into(), value),
                    // RMSprop's.
                    "decay" => ("beta2".into(), value),
                    _ => (key, value),
                }));
            }
            (_, value) => found.push((key, older_value(value))),
        }
    }
    found
}

/// A value that an earlier version wrote as an object: `{"step": {"epochs": 2, "factor": 0.5}}` is
/// `step:2:0.5`, `{"samples": 64}` is 64, and a distortion lists its parts.
fn older_value(value: Value) -> Value {
    const PARTS: [&str; 5] = ["shift", "rotate", "scale", "shear", "elastic"];
    match value {
        Value::String(name) if name == "one_cycle" => "one-cycle".into(),
        Value::Object(object) if PARTS.iter().all(|part| object.contains_key(*part)) => {
            let used = PARTS
                .into_iter()
                .filter(|&part| !object[part].is_null() && object[part].as_f64() != Some(0.0));
            let text = |part: &str| format!("{part}:{}", joined(&object[part], ["alpha", "sigma"]));
            let parts: Vec<_> = used.map(text).collect();
            if parts.is_empty() { "none".into() } else { parts.join(",").into() }
        }
        Value::Object(object) => match object.into_iter().next() {
            Some((kind, value)) if kind == "samples" || kind == "each" => value,
            Some((kind, value)) if kind == "plateau" => {
                format!("{kind}:{}", joined(&value, ["patience", "factor"])).into()
            }
            Some((kind, value)) => {
                format!("{kind}:{}", joined(&value, ["epochs", "factor"])).into()
            }
            None => Value::Null,
        },
        other => other,
    }
}

/// A number, or those of an object's two keys with a colon between them.
fn joined(value: &Value, keys: [&str; 2]) -> String {
    match value {
        Value::Object(object) => {
            keys.map(|key| object.get(key).map_or(String::new(), plain)).join(":")
        }
        other => plain(other),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::network::{Activation, Init};
    use crate::optimizer::Optimizer;
    use crate::samples::Shuffle;
    use crate::schedule::{Plateau, Schedule};
    use crate::training::config::{BatchSize, EarlyStopping};
    use crate::training::{ClassWeights, Monitor, Regularization};
    use crate::transform::distort::Distortion;

    /// Settings of every kind, other than their defaults.
    fn everything() -> TrainConfig {
        TrainConfig {
            hidden: vec![64, 32],
            activation: vec![Activation::Tanh, Activation::LeakyRelu { slope: 0.1 }],
            init: Init::Normal(0.01),
            batch_size: BatchSize::Samples(64),
            optimizer: Optimizer::RmsProp {
                decay: 0.99,
                momentum: 0.5,
                epsilon: 1e-8,
                weight_decay: 0.1,
            },
            learning_rate: 0.1 + f32::EPSILON,
            schedule: Schedule::Step { epochs: 2, factor: 0.5 },
            warm_up: 0.5,
            validation: 0.1,
            regularization: Regularization {
                dropout: 0.1,
                input_dropout: 0.2,
                noise: 0.3,
                input_noise: 0.4,
                batch_norm: true,
                label_smoothing: 0.1,
                mixup: 0.2,
                l1: 1e-5,
                max_norm: Some(2.0),
                clip_norm: Some(1.0),
                clip_value: Some(0.5),
                ema_decay: Some(0.9),
                class_weights: ClassWeights::Each(vec![1.0, 2.5]),
                distortion: Distortion { shift: 2.0, ..Distortion::STANDARD },
                ..Regularization::NONE
            },
            early_stopping: Some(EarlyStopping { patience: 3, min_delta: 0.01 }),
            monitor: Some(Monitor::ValLoss),
            seed: u64::MAX,
            threads: Some(2),
            ..Preset::Quick.config()
        }
    }

    fn blocks() -> TrainConfig {
        TrainConfig { shuffle: Some(Shuffle::Blocks), ..Preset::Quick.config() }
    }

    #[test]
    fn settings_are_written_flat_and_read_back() {
        for config in Preset::ALL.map(Preset::config).into_iter().chain([everything(), blocks()]) {
            let text = serde_json::to_string(&config).unwrap();
            assert_eq!(serde_json::from_str::<TrainConfig>(&text).unwrap(), config, "{text}");
        }
        let found = serde_json::to_value(everything()).unwrap();
        for (name, expected) in [
            ("hidden", json!("64,32")),
            ("activation", json!("tanh,leaky_relu:0.1")),
            ("init", json!("normal:0.01")),
            ("batch_size", json!("64")),
            ("optimizer", json!("rmsprop")),
            ("beta2", json!(0.99)),
            ("schedule", json!("step:2:0.5")),
            ("batch_norm", json!(true)),
            ("class_weights", json!("1,2.5")),
            ("seed", json!(u64::MAX)),
            ("distort", json!("shift:2,rotate:10,scale:0.15,shear:0.15,elastic:36:5.5")),
        ] {
            assert_eq!(found[name], expected, "{name}");
        }
        assert!(found.get("beta1").is_none());
        // A flag with a third value.
        assert_eq!(serde_json::to_value(blocks()).unwrap()["shuffle"], json!("blocks"));
        assert_eq!(serde_json::to_value(TrainConfig::default()).unwrap()["max_norm"], Value::Null);
    }

    #[test]
    fn files_of_earlier_versions_are_read() {
        let mut older = json!({
            "hidden": [64, 32], "activation": ["tanh", "leaky_relu:0.1"], "init": {"normal": 0.01},
            "normalization": "unit", "epochs": 6, "batch_size": {"samples": 64},
            "optimizer": {"name": "rmsprop", "decay": 0.99, "momentum": 0.5, "epsilon": 1e-8,
                "weight_decay": 0.1},
            "learning_rate": 0.100_000_12, "schedule": {"step": {"epochs": 2, "factor": 0.5}},
            "warm_up": 0.5, "validation": 0.1,
            "regularization": {"dropout": 0.1, "input_dropout": 0.2, "noise": 0.3, "input_noise": 0.4,
                "batch_norm": true, "label_smoothing": 0.1, "mixup": 0.2, "l1": 1e-5, "l2": 0.0,
                "max_norm": 2.0, "clip_norm": 1.0, "clip_value": 0.5, "average": 0.9,
                "class_weights": {"each": [1.0, 2.5]},
                "distortion": {"shift": 2.0, "rotate": 10.0, "scale": 0.15, "shear": 0.15,
                    "elastic": {"alpha": 36.0, "sigma": 5.5}}},
            "early_stopping": {"patience": 3, "min_delta": 0.01}, "monitor": "val_loss",
            "seed": u64::MAX, "threads": 2
        });
        let read = |file: &Value| serde_json::from_value::<TrainConfig>(file.clone());
        assert_eq!(read(&older).unwrap(), everything());
        let today = serde_json::to_value(everything()).unwrap();
        // Settings that came later are not in the older file: they have the values that change nothing.
        for (key, value) in current(older.as_object().unwrap()) {
            assert_eq!(today[&key], value, "{key}");
        }
        assert_eq!(&current(today.as_object().unwrap()), today.as_object().unwrap());
        older["schedule"] = json!({"plateau": {"patience": 4, "factor": 0.25}});
        let plateau = Schedule::Plateau(Plateau { patience: 4, factor: 0.25 });
        assert_eq!(read(&older).unwrap().schedule, plateau);
        for (key, value) in [
            ("hidden", json!([])),
            ("init", json!("auto")),
            ("batch_size", json!("full")),
            ("schedule", json!("one_cycle")),
            (
                "optimizer",
                json!({"name": "sgd", "momentum": 0.0, "nesterov": false,
                "weight_decay": 0.0}),
            ),
            (
                "regularization",
                json!({"max_norm": null, "class_weights": "balanced",
                "distortion": {"shift": 0.0, "rotate": 0.0, "scale": 0.0, "shear": 0.0,
                    "elastic": null}}),
            ),
            ("early_stopping", Value::Null),
            ("monitor", Value::Null),
            ("threads", Value::Null),
        ] {
            older[key] = value;
        }
        let expected = TrainConfig {
            hidden: vec![],
            init: Init::Auto,
            batch_size: BatchSize::Full,
            schedule: Schedule::OneCycle,
            optimizer: Optimizer::SGD,
            regularization: Regularization {
                class_weights: ClassWeights::Balanced,
                ..Regularization::NONE
            },
            early_stopping: None,
            monitor: None,
            threads: None,
            ..everything()
        };
        assert_eq!(read(&older).unwrap(), expected);
    }

    #[test]
    fn what_is_wrong_in_a_file_is_named() {
        let whole = serde_json::to_value(TrainConfig::default()).unwrap();
        let refused = |change: fn(&mut Map<String, Value>)| {
            let mut file = whole.as_object().unwrap().clone();
            change(&mut file);
            serde_json::from_value::<TrainConfig>(file.into()).unwrap_err().to_string()
        };
        assert_eq!(refused(|file| drop(file.remove("seed"))), "the setting `seed` is missing");
        let unknown = refused(|file| drop(file.insert("magic".into(), 1.into())));
        assert_eq!(unknown, "there is no setting `magic`");
        let wrong = refused(|file| file["epochs"] = "x".into());
        assert_eq!(wrong, "`epochs` is x, but must be a whole number from 1");
    }
}
