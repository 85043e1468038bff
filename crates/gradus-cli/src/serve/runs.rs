//! Training runs that the page starts: a request in, a thread that trains out. The request is turned into a
//! command line of `gradus train`, so that both are parsed and checked by the same code.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use anyhow::{Result, anyhow};
use gradus::network::NumericEmbedding;
use gradus::training::{Session, Start, Trained};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::fields;
use super::reporter::Reporter;
use super::run_state::{Phase, ending};
use super::state::{NewRun, SharedState};
use crate::args::{Command, TrainArgs, spelled};
use crate::run::describe::architecture;
use crate::run::metadata::conclude;
use crate::run::output::with_causes;
use crate::run::settings::Settings;
use crate::run::source;
use crate::run::training_data::Data;

/// Maximum number of epochs: the metrics of all are stored and sent.
const MOST_EPOCHS: usize = 100_000;

/// Maximum number of parameters.
const MOST_PARAMETERS: usize = 50_000_000;

/// A request for a run.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    data: String,
    preset: String,
    #[serde(default)]
    options: Map<String, Value>,
}

/// Starts a run and returns its number.
///
/// # Errors
/// If the request is invalid, with the message of the command line, or if there are too many runs.
pub(super) fn start(shared: &Arc<SharedState>, request: Request) -> Result<usize> {
    let Request { data, preset, options } = request;
    if !shared.datasets.contains(&data.as_str()) {
        let known = shared.datasets.join(", ");
        return Err(anyhow!("data set {data:?} is not available here: expected one of {known}"));
    }
    let args = parse(&data, &preset, &options)?;
    let settings = Settings::resolve(&args)?;
    let config = &settings.config;
    if config.epochs > MOST_EPOCHS {
        let asked = config.epochs;
        return Err(anyhow!("--epochs {asked}: the page allows at most {MOST_EPOCHS}"));
    }
    let new = NewRun {
        data,
        preset: settings.preset.name(),
        options: Value::Object(options),
        epochs: config.epochs,
        stop: Arc::new(AtomicBool::new(false)),
    };
    let stop = new.stop.clone();
    let id = shared.add(new, false).map_err(anyhow::Error::msg)?;
    let reporter = Reporter { shared: shared.clone(), id };
    let spawned = thread::Builder::new().name(format!("run {id}")).spawn(move || {
        if let Err(error) = train(&reporter, &args, &settings, &stop) {
            reporter.end(Phase::Failed, Some(with_causes(&error)), None, None);
        }
    });
    match spawned {
        Ok(_) => Ok(id),
        Err(error) => {
            let message = format!("cannot start a thread: {error}");
            Reporter { shared: shared.clone(), id }.end(
                Phase::Failed,
                Some(message.clone()),
                None,
                None,
            );
            Err(anyhow!(message))
        }
    }
}

/// Parses the request as arguments of `gradus train`.
fn parse(data: &str, preset: &str, options: &Map<String, Value>) -> Result<TrainArgs> {
    let mut words = vec!["gradus".to_owned(), "train".into()];
    words.extend([format!("--data={data}"), format!("--preset={preset}")]);
    for (name, value) in options {
        let Some(name) = fields::option(name) else {
            let known = fields::options().join(", ");
            return Err(anyhow!("--{name} cannot be set here: expected one of {known}"));
        };
        let value = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(yes) => yes.to_string(),
            _ => return Err(anyhow!("--{name}: expected a string, a number or a boolean")),
        };
        if name == "validation" && value.parse::<f64>().is_err() {
            return Err(anyhow!("--validation {value}: expected a fraction such as 0.1"));
        }
        words.push(format!("--{name}={value}"));
    }
    match Command::parse(words) {
        Ok(Command::Train(args)) => Ok(*args),
        Ok(_) => Err(anyhow!("this is not a training run")),
        Err(error) => Err(anyhow!(sentence(&error.to_string()))),
    }
}

/// The first paragraph of an error of the command line, without hints that only help there.
fn sentence(error: &str) -> String {
    let first = error.split("\n\n").next().unwrap_or(error);
    first.trim_start_matches("error: ").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn train(
    reporter: &Reporter,
    args: &TrainArgs,
    settings: &Settings,
    stop: &AtomicBool,
) -> Result<()> {
    if !reporter.begin() {
        let message = "stopped before it started".to_owned();
        reporter.end(Phase::Stopped, Some(message), None, None);
        return Ok(());
    }
    let config = &settings.config;
    let shared = &reporter.shared;
    let mut wanted = source::training_options(args, settings)?;
    (wanted.data_dir, wanted.download) = (shared.data_dir.clone(), !shared.no_download);
    let data = Data::load(gradus::data::Task::Classification, &wanted, settings, None)?;
    let sets = data.training.sets()?;
    let embedded = config.numeric_embedding.map_or(1, NumericEmbedding::outputs);
    let outputs = data.training.samples.targets.outputs();
    let inputs = config.transform(sets.train)?.width(sets.train.features());
    let parameters = count_parameters(inputs.saturating_mul(embedded), &config.hidden, outputs);
    if parameters > MOST_PARAMETERS {
        let millions = MOST_PARAMETERS / 1_000_000;
        return Err(anyhow!(
            "--hidden: the network has {parameters} parameters; the page allows at most {millions} \
             million"
        ));
    }
    let mut session = Session::new(config, sets, Start::Fresh)?;
    reporter.ready(&data.name, architecture(&session.model().network), sets.train.len());
    while let Some(epoch) = session.epoch(sets, stop)? {
        reporter.epoch(epoch);
    }
    let mut trained = session.finish();
    let tested = conclude(&mut trained, &data, settings)?;
    let Trained { model, outcome, best, warnings, .. } = trained;
    let (phase, message) = ending(&outcome);
    let best = best.map(|best| format!("kept the weights from epoch {}, the best one", best.epoch));
    let warnings = warnings.iter().map(|warning| spelled(warning));
    let messages = [message, best].into_iter().flatten().chain(warnings);
    let message = messages.reduce(|a, b| format!("{a}; {b}"));
    reporter.end(phase, message, Some((model, tested.as_ref())), None);
    Ok(())
}

/// The number of parameters of a stack of layers, saturating instead of overflowing.
fn count_parameters(features: usize, hidden: &[usize], outputs: usize) -> usize {
    let sizes: Vec<usize> =
        [features].into_iter().chain(hidden.iter().copied()).chain([outputs]).collect();
    let layer = |pair: &[usize]| pair[0].saturating_add(1).saturating_mul(pair[1]);
    sizes.windows(2).map(layer).fold(0, usize::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parsed(options: Value) -> Result<TrainArgs> {
        parse("digits", "quick", options.as_object().unwrap())
    }

    #[test]
    fn options_are_those_of_the_command_line() {
        let args = parsed(json!({
            "hidden": "64,32", "epochs": 3, "batch-norm": true, "learning-rate": "0.01",
        }));
        let config = Settings::resolve(&args.unwrap()).unwrap().config;
        assert_eq!((config.hidden, config.epochs), (vec![64, 32], 3));
        assert!(config.regularization.batch_norm);
        assert_eq!(config.learning_rate, 0.01);
        let args = parsed(json!({"average": 0.99, "learning_rate": 0.5})).unwrap();
        let config = Settings::resolve(&args).unwrap().config;
        assert_eq!((config.regularization.ema_decay, config.learning_rate), (Some(0.99), 0.5));
    }

    #[test]
    fn no_option_gives_access_to_files() {
        for (name, value) in [
            ("out", "x.safetensors"),
            ("init", "w.npz"),
            ("data", "/etc"),
            ("validation", "held.csv"),
            ("sample-weights", "w.csv"),
            ("checkpoint", "c"),
            ("resume", "c"),
            ("history", "h.json"),
            ("test", "t.csv"),
            ("data-dir", "/"),
            ("watch", ""),
            ("threads", "9"),
        ] {
            assert!(parsed(json!({ name: value })).is_err(), "{name}");
        }
        assert!(
            parse("x --out=y", "quick", &Map::new()).unwrap().out.ends_with("model.safetensors")
        );
    }

    #[test]
    fn errors_are_sentences() {
        let message = parsed(json!({"hidden": "12x"})).unwrap_err().to_string();
        assert!(message.starts_with("invalid value '12x' for '--hidden <UNITS>': expected"));
        assert!(!message.contains('\n') && !message.contains("--help"), "{message}");
    }

    #[test]
    fn parameters_are_counted_without_overflow() {
        assert_eq!(count_parameters(784, &[128], 10), 101_770);
        assert_eq!(count_parameters(784, &[], 10), 7_850);
        assert_eq!(count_parameters(784, &[usize::MAX, 9], 10), usize::MAX);
    }
}
