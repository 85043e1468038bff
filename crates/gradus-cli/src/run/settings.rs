//! Arguments of `train` in, settings out: a preset gives the defaults, options override them, and
//! contradictions are refused before anything is loaded.

use std::path::{Path, PathBuf};

use anyhow::Result;
use gradus::Error;
use gradus::model_file::npz;
use gradus::network::Network;
use gradus::training::settings::SETTINGS;
use gradus::training::{Checkpoint, Preset, TrainConfig};

use crate::args::{TrainArgs, is_array_file};
use crate::run::describe::hidden_of;
use crate::run::effects::{self, Run};

/// The settings of a training run.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) preset: Preset,
    pub(crate) config: TrainConfig,
    /// Initial parameters from a file.
    pub(crate) start: Option<Network>,
    /// The path of a separate validation set.
    pub(crate) validation_set: Option<PathBuf>,
    /// The run to resume.
    pub(crate) checkpoint: Option<Checkpoint>,
}

impl Settings {
    /// Determines every setting.
    ///
    /// # Errors
    /// `InvalidArgument` where options contradict each other, have no effect or are out of range; errors
    /// of reading the file of `--init`.
    pub(crate) fn resolve(args: &TrainArgs) -> Result<Settings> {
        let preset = args.preset.unwrap_or(Preset::Quick);
        let mut config = preset.config();
        let (mut file, mut validation_set) = (None, None);
        for setting in SETTINGS {
            let Some(text) = args.settings.get(setting.name) else { continue };
            match setting.name {
                "init" if is_array_file(text) => file = Some(Path::new(text)),
                "validation" if text.parse::<f64>().is_err() => validation_set = Some(text.into()),
                _ => setting.set(&mut config, text)?,
            }
        }
        if !args.settings.has("warm_up") {
            // A preset's warm-up is no longer than the run that is asked for.
            config.warm_up = config.warm_up.min(config.epochs as f32);
        }
        let start = file.map(|file| start_from(file, args, &config)).transpose()?;
        if let Some(network) = &start {
            config.hidden = hidden_of(network);
        }
        let validated = config.validation > 0.0 || validation_set.is_some();
        effects::check(&Run { args, preset, config: &config, validated })?;
        config.validate()?;
        Ok(Settings { preset, config, start, validation_set, checkpoint: None })
    }
}

fn start_from(file: &Path, args: &TrainArgs, config: &TrainConfig) -> Result<Network> {
    let network = npz::read_network(file, "", &config.activation)?;
    let found = hidden_of(&network);
    match args.settings.get("hidden") {
        Some(wanted) if config.hidden != found => Err(Error::argument(format!(
            "--hidden {wanted} contradicts {}, whose hidden layers have {} units: leave out --hidden",
            file.display(),
            units(&found)
        ))
        .into()),
        _ => Ok(network),
    }
}

fn units(hidden: &[usize]) -> String {
    match hidden {
        [] => "none".into(),
        _ => hidden.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser;
    use gradus::ErrorKind;
    use gradus::network::{Activation, Init};
    use gradus::optimizer::Optimizer;
    use gradus::training::BatchSize;

    fn resolve(options: &str) -> Result<Settings> {
        let words = ["gradus", "train"].into_iter().chain(options.split_whitespace());
        match Cli::try_parse_from(words)?.command {
            Command::Train(args) => Settings::resolve(&args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_preset_only_sets_defaults() {
        assert_eq!(resolve("").unwrap().config, Preset::Quick.config());
        assert_eq!(resolve("--preset notebook").unwrap().config, Preset::Notebook.config());
        // A warm-up of two epochs is cut to a shorter run.
        assert_eq!(resolve("--preset record --epochs 1").unwrap().config.warm_up, 1.0);
        let plain = resolve("--preset record --hidden none --batch-norm=false").unwrap();
        assert!(plain.config.hidden.is_empty());
        let settings = resolve(
            "--preset notebook --hidden 64,32 --activation tanh --init glorot --epochs 3 \
             --batch-size 32 --optimizer adamw --weight-decay 0.1 --learning-rate 0.5 \
             --schedule step:2:0.5 --warm-up 0.5 --validation 0.25 --seed 9 --threads 2 \
             --normalize standard",
        )
        .unwrap();
        let config = settings.config;
        assert_eq!(config.hidden, [64, 32]);
        assert_eq!(config.activation, [Activation::Tanh]);
        assert_eq!(config.init, Init::Glorot);
        assert_eq!(config.batch_size, BatchSize::Samples(32));
        assert_eq!(config.optimizer.name(), "adamw");
        assert_eq!(config.optimizer.weight_decay(), 0.1);
        assert_eq!((config.epochs, config.seed, config.threads), (3, 9, Some(2)));
        assert_eq!((config.validation, config.warm_up), (0.25, 0.5));
        let sgd = resolve("--optimizer sgd --momentum 0.9 --nesterov").unwrap().config.optimizer;
        assert_eq!(sgd, Optimizer::Sgd { momentum: 0.9, nesterov: true, weight_decay: 0.0 });
        let rmsprop = resolve("--optimizer rmsprop --momentum 0.5 --beta2 0.9 --epsilon 1e-6");
        let (momentum, decay, epsilon, weight_decay) = (0.5, 0.9, 1e-6, 0.0);
        let expected = Optimizer::RmsProp { decay, momentum, epsilon, weight_decay };
        assert_eq!(rmsprop.unwrap().config.optimizer, expected);
        let lion = resolve("--optimizer lion --beta1 0.8 --beta2 0.9 --weight-decay 1");
        let expected = Optimizer::Lion { beta1: 0.8, beta2: 0.9, weight_decay: 1.0 };
        assert_eq!(lion.unwrap().config.optimizer, expected);
        let mixed = resolve("--hidden 64,32 --activation relu,tanh").unwrap().config;
        assert_eq!(mixed.activation, [Activation::Relu, Activation::Tanh]);
        assert!(resolve("--hidden none").unwrap().config.hidden.is_empty());
    }

    #[test]
    fn validation_is_a_fraction_or_a_path() {
        assert_eq!(
            resolve("--validation held.csv").unwrap().validation_set,
            Some("held.csv".into())
        );
        assert_eq!(resolve("--validation 0.1").unwrap().validation_set, None);
    }

    #[test]
    fn contradictions_are_usage_errors() {
        for options in [
            "--momentum 0.9",
            "--optimizer adam --nesterov",
            "--optimizer lion --epsilon 1e-8",
            "--optimizer lion --momentum 0.9",
            "--optimizer rmsprop --beta1 0.9",
            "--optimizer sgd --beta2 0.9",
            "--beta2 1",
            "--epsilon 0",
            "--optimizer sgd --nesterov",
            "--hidden none --activation relu",
            "--hidden 64,32,16 --activation relu,tanh",
            "--validation 1.5",
            "--validation -0.1",
            "--learning-rate -1",
            "--learning-rate nan",
            "--monitor accuracy",
            "--checkpoint-every 5",
            "--hidden none --activation tanh",
            "--preset record --hidden none",
            "--preset record --epochs 1 --warm-up 2",
            "--loss squared --label-smoothing 0.1",
            "--patience 2 --monitor val_loss",
        ] {
            let error = resolve(options).unwrap_err();
            let kind = error.downcast_ref::<Error>().map(Error::kind);
            assert_eq!(kind, Some(ErrorKind::InvalidArgument), "{options}: {error}");
        }
    }
}
