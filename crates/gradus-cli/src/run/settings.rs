//! Arguments of `train` in, settings out: a preset gives the defaults, options override them, and
//! contradictions are refused before anything is loaded.

use std::path::{Path, PathBuf};

use anyhow::Result;
use gradus::Error;
use gradus::model_file::npz;
use gradus::network::{Activation, Init, Network};
use gradus::training::{Checkpoint, EarlyStopping, Preset, TrainConfig};

use crate::args::{StoppingArgs, TrainArgs};
use crate::run::describe::hidden_of;
use crate::run::effects::{self, Run};
use crate::run::{optimizer, regularization};

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
        let mut validation_set = None;
        set(&mut config.hidden, args.hidden.as_ref().map(|hidden| hidden.0.clone()));
        set(&mut config.activation, args.activation.as_ref().map(|given| given.0.clone()));
        set(&mut config.normalization, args.normalize);
        set(&mut config.epochs, args.epochs);
        set(&mut config.batch_size, args.batch_size);
        set(&mut config.learning_rate, args.learning_rate);
        set(&mut config.schedule, args.schedule);
        // A run may be shorter than the warm-up of the preset.
        config.warm_up = args.warm_up.unwrap_or(config.warm_up.min(config.epochs as f32));
        set(&mut config.seed, args.seed);
        set(&mut config.threads, args.threads.map(Some));
        config.optimizer = optimizer::resolve(args, config.optimizer)?;
        regularization::apply(&args.regularization, &mut config.regularization);
        config.early_stopping = early_stopping(&args.stopping);
        config.monitor = args.stopping.monitor;
        match args.validation.as_deref().map(|text| (text, text.parse())) {
            Some((_, Ok(share))) => config.validation = share,
            Some((path, Err(_))) => validation_set = Some(path.into()),
            None => {}
        }
        let mut start = None;
        match args.init.as_deref() {
            Some(file) if is_array_file(file) => {
                let network = start_from(Path::new(file), args, &config.activation)?;
                config.hidden = hidden_of(&network);
                start = Some(network);
            }
            Some(name) => config.init = Init::parse(name)?,
            None => {}
        }
        let validated = config.validation > 0.0 || validation_set.is_some();
        effects::check(&Run { args, preset, config: &config, validated })?;
        config.validate()?;
        Ok(Settings { preset, config, start, validation_set, checkpoint: None })
    }
}

fn set<T>(setting: &mut T, option: Option<T>) {
    if let Some(value) = option {
        *setting = value;
    }
}

/// The early stopping that the arguments ask for.
fn early_stopping(args: &StoppingArgs) -> Option<EarlyStopping> {
    let patience = args.patience?;
    Some(EarlyStopping { patience, min_delta: args.min_delta.unwrap_or(0.0) })
}

fn is_array_file(init: &str) -> bool {
    Path::new(init).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("npz"))
}

fn start_from(file: &Path, args: &TrainArgs, activations: &[Activation]) -> Result<Network> {
    let network = npz::read_network(file, "", activations)?;
    let found = hidden_of(&network);
    match &args.hidden {
        Some(wanted) if wanted.0 != found => Err(Error::argument(format!(
            "--hidden {} contradicts {}, whose hidden layers have {} units: leave out --hidden",
            units(&wanted.0),
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
            "--init magic",
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
