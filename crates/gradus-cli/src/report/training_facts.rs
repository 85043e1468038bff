//! The training of a model in words: its metadata in, names and values out.

use gradus::classifier::Model;
use gradus::metrics::{Z_95, wilson_interval};
use gradus::plot::grouped;
use gradus::training::Regularization;
use gradus::training::settings::{Group, SETTINGS, Setting};
use gradus::training::{Preset, TrainConfig};
use serde_json::Value;

use crate::run::describe::{architecture, flatten, without_history};
use crate::run::output::{figure, shape, with_interval};

/// The architecture, and how many networks have it.
fn of_members(model: &Model, architecture: String) -> String {
    match model.members() {
        1 => architecture,
        members => format!("{members} members of {architecture} each"),
    }
}

/// Facts about the model and its training, the most important first.
pub(super) fn facts(model: &Model) -> Vec<(String, String)> {
    let training = &model.provenance.to_json();
    let mut facts = vec![
        ("Network".to_owned(), of_members(model, architecture(&model.network))),
        ("Samples".to_owned(), shape(&model.sample_shape)),
        ("Normalization".to_owned(), model.transform.formula()),
    ];
    if training.is_null() {
        facts.push((
            "Training".to_owned(),
            "the file does not say how the model was trained".to_owned(),
        ));
        return facts;
    }
    let training = &without_history(training);
    let config = &training["config"];
    let known = [
        ("Data", data(training)),
        ("Preset", words_at(training, "preset")),
        ("Epochs", epochs(training)),
        ("Optimizer", optimizer(config)),
        ("Learning rate", learning_rate(config)),
        ("Regularization", regularization(config)),
        ("Initial weights", start(config)),
        ("Test after training", tested(training)),
    ];
    let known = known.into_iter().filter(|(_, value)| !value.is_empty());
    facts.extend(known.map(|(name, value)| (name.to_owned(), value)));
    facts
}

/// All metadata, name by name.
pub(super) fn settings(training: &Value) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    flatten("", &without_history(training), &mut rows);
    rows
}

fn data(training: &Value) -> String {
    let count = |part: &str| training["samples"][part].as_u64();
    let Some(name) = training["data"].as_str() else { return String::new() };
    match (count("train"), count("validation"), count("test")) {
        (Some(train), Some(validation), Some(test)) => {
            let validation = match validation {
                0 => String::new(),
                count => format!("{} for validation, ", grouped(count)),
            };
            let test = if test == 0 { "none".to_owned() } else { grouped(test) };
            let train = grouped(train);
            format!("{name}: {train} samples for training, {validation}{test} for testing")
        }
        _ => name.to_owned(),
    }
}

fn epochs(training: &Value) -> String {
    let config = &training["config"];
    let (Some(run), Some(wanted)) = (training["epochs"].as_u64(), config["epochs"].as_u64()) else {
        return String::new();
    };
    let batches = match &*words(&config["batch_size"]) {
        "" | "full" => "with all samples in every step".to_owned(),
        count => format!("in batches of {count} samples"),
    };
    let best = match training["best_epoch"].as_u64() {
        Some(epoch) => format!("; kept the weights from epoch {epoch}, the best one"),
        None => String::new(),
    };
    let end = match training["outcome"].as_str() {
        Some("finished") | None => String::new(),
        Some(other) => format!(" ({})", spaced(other)),
    };
    match run == wanted {
        true => format!("{run}, {batches}{end}{best}"),
        false => format!("{run} of {wanted}, {batches}{end}{best}"),
    }
}

fn learning_rate(config: &Value) -> String {
    let rate = &config["learning_rate"];
    // L-BFGS has none.
    if rate.is_null() || config["optimizer"] == "lbfgs" {
        return String::new();
    }
    let schedule = words(&config["schedule"]);
    let warm_up = match config["warm_up"].as_f64() {
        Some(epochs) if epochs > 0.0 => format!(", {epochs} epochs of warm-up"),
        _ => String::new(),
    };
    format!("peak {rate}, {schedule}{warm_up}")
}

/// The name of the optimizer and its constants. Its weight decay is listed where it belongs, with the settings that
/// regularize.
fn optimizer(config: &Value) -> String {
    let mut settings = vec![words_at(config, "optimizer")];
    for name in ["momentum", "nesterov", "beta1", "beta2", "epsilon", "max_fun", "tolerance"] {
        if !config[name].is_null() {
            settings.push(named(name, &config[name]));
        }
    }
    settings.join(", ")
}

/// The settings that regularize.
fn regularization(config: &Value) -> String {
    let nothing = TrainConfig { regularization: Regularization::NONE, ..Preset::Quick.config() };
    let regularizes = |it: &&Setting| it.group == Group::Regularization;
    let used = SETTINGS.iter().filter(regularizes).filter_map(|setting| {
        let found = config.get(setting.name)?;
        (setting.get_json(&nothing).as_ref() != Some(found)).then(|| named(setting.name, found))
    });
    let decay = &config["weight_decay"];
    let decays = decay.as_f64().is_some_and(|decay| decay > 0.0);
    let mut settings: Vec<_> =
        decays.then(|| named("weight_decay", decay)).into_iter().chain(used).collect();
    if !config["sample_weights"].is_null() {
        settings.push(named("sample_weights", &config["sample_weights"]));
    }
    match settings.is_empty() {
        _ if config.is_null() => String::new(),
        true => "none".to_owned(),
        false => settings.join(", "),
    }
}

fn start(config: &Value) -> String {
    let seed = &config["seed"];
    let from = words(&config["init"]);
    if from.is_empty() || seed.is_null() {
        return from;
    }
    format!("{from}; seed {seed}")
}

fn tested(training: &Value) -> String {
    let number = |key: &str| training[key].as_f64();
    let loss = number("test_loss").map_or(String::new(), |loss| format!(", loss {loss:.4}"));
    // Models of earlier versions call it by its longer name.
    let error = number("test_rmse").or_else(|| number("test_root_mean_squared_error"));
    if let (Some(error), Some(r2)) = (error, number("test_r2")) {
        let loss = number("test_loss").map_or(String::new(), |it| format!(", loss {}", figure(it)));
        return format!("root mean squared error {}, R^2 {r2:.4}{loss}", figure(error));
    }
    let test = training["samples"]["test"].as_u64().filter(|&count| count > 0);
    let (Some(accuracy), Some(count)) = (number("test_accuracy"), test) else {
        return String::new();
    };
    let correct = (accuracy * count as f64).round() as u64;
    let interval = wilson_interval(correct.min(count), count, Z_95);
    format!("accuracy {}{loss}", with_interval(accuracy, interval))
}

fn words_at(object: &Value, key: &str) -> String {
    words(&object[key])
}

/// A value in words: `no_progress` as `no progress`.
fn words(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => spaced(text),
        other => other.to_string(),
    }
}

fn named(key: &str, value: &Value) -> String {
    let key = spaced(key);
    match value {
        Value::Bool(true) | Value::Null => key,
        Value::Bool(false) => format!("no {key}"),
        other => format!("{key} {}", words(other)),
    }
}

fn spaced(text: &str) -> String {
    text.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn settings_become_words() {
        let config = json!({"optimizer": "adamw", "weight_decay": 0.1, "beta1": 0.9});
        assert_eq!(optimizer(&config), "adamw, beta1 0.9");
        assert_eq!(regularization(&config), "weight decay 0.1");
        assert_eq!(words(&json!("one_cycle")), "one cycle");
        let config = json!({"learning_rate": 0.01, "schedule": "cosine", "warm_up": 1.5});
        assert_eq!(learning_rate(&config), "peak 0.01, cosine, 1.5 epochs of warm-up");
        let mut used = serde_json::to_value(TrainConfig::default()).unwrap();
        assert_eq!(regularization(&used), "weight decay 0.1");
        used["weight_decay"] = 0.into();
        assert_eq!(regularization(&used), "none");
        used["batch_norm"] = true.into();
        used["max_norm"] = 2.5.into();
        used["distort"] = "shift:2".into();
        assert_eq!(regularization(&used), "batch norm, max norm 2.5, distort shift:2");
        let training = json!({"epochs": 3, "outcome": "no_progress", "best_epoch": 1,
            "config": {"epochs": 9, "batch_size": "64"}});
        let expected = "3 of 9, in batches of 64 samples (no progress); kept the weights from epoch 1, the best one";
        assert_eq!(epochs(&training), expected);
    }
}
