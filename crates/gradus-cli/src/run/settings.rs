//! Arguments of `train` in, settings out: a preset gives the defaults, options override them, and
//! contradictions are refused before anything is loaded.

use std::path::{Path, PathBuf};

use anyhow::Result;
use gradus::classifier::Model;
use gradus::data::normalize::Normalization;
use gradus::data::{Task, is_set_name};
use gradus::loss::Loss;
use gradus::model_file::{self, ReadOptions, npz};
use gradus::network::{ColumnLayer, Network, NumericEmbedding};
use gradus::schedule::Schedule;
use gradus::training::settings::{SETTINGS, fraction_of};
use gradus::training::{BatchSize, Checkpoint, Preset, Start, TrainConfig};
use gradus::{Error, ErrorKind};

use crate::args::{TrainArgs, is_array_file, is_start_file};
use crate::run::describe::{activations_of, hidden_of};
use crate::run::effects::{self, Run};
use crate::run::output::warn;

/// The settings of a training run.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) preset: Preset,
    pub(crate) config: TrainConfig,
    /// What a file holds to start from.
    pub(crate) initial: Option<Initial>,
    /// The path of a separate validation set.
    pub(crate) validation_set: Option<PathBuf>,
    /// The share of the training data to hold out, as it was asked for: of data with a validation part none is.
    pub(crate) share: Option<String>,
    /// The run to resume.
    pub(crate) checkpoint: Option<Checkpoint>,
    /// Settings that neither an option nor a preset decides: they follow the data.
    pub(crate) free: Vec<&'static str>,
}

/// Settings that follow the data where nothing else decides them.
const FOLLOW: [&str; 3] = ["normalize", "batch_size", "epochs"];

/// The same of the presets for tables.
const FOLLOW_IN_TABLES: [&str; 5] =
    ["batch_size", "numeric_embedding", "validation", "keep_best", "monitor"];

/// What a new run starts from in place of drawn weights.
#[derive(Debug)]
pub(crate) enum Initial {
    /// Arrays of weights and biases.
    Network(Network),
    /// A trained model, whose normalization is kept.
    Model(Box<Model>),
}

impl Initial {
    pub(crate) fn network(&self) -> &Network {
        match self {
            Initial::Network(network) => network,
            Initial::Model(model) => &model.network,
        }
    }
}

impl Settings {
    /// Where the run begins.
    pub(crate) fn start(&self) -> Start<'_> {
        match (&self.checkpoint, &self.initial) {
            (Some(checkpoint), _) => Start::Resume(checkpoint),
            (None, Some(Initial::Network(network))) => Start::Network(network.clone()),
            (None, Some(Initial::Model(model))) => Start::Model(model),
            (None, None) => Start::Fresh,
        }
    }

    /// The model that the run starts from, if any.
    pub(crate) fn model(&self) -> Option<&Model> {
        match &self.initial {
            Some(Initial::Model(model)) => Some(model),
            _ => None,
        }
    }

    /// Determines every setting.
    ///
    /// # Errors
    /// `InvalidArgument` if options contradict each other, have no effect or are out of range; errors
    /// of reading the file of `--init`.
    pub(crate) fn resolve(args: &TrainArgs) -> Result<Settings> {
        let preset = args.preset.unwrap_or(Preset::Quick);
        let mut config = preset.config_for(args.task());
        let (mut file, mut validation_set, mut share) = (None, None, None);
        for setting in SETTINGS {
            let Some(word) = args.settings.word(setting.name) else { continue };
            let text = &*word.to_string_lossy();
            match setting.name {
                "init" if is_start_file(word) => file = Some(Path::new(word)),
                "validation" if text.parse::<f64>().is_err() => {
                    if let (Some(tip), false) = (fraction_of(text), Path::new(word).exists()) {
                        return Err(Error::argument(format!("--validation {text}: {tip}")).into());
                    }
                    validation_set = Some(word.into());
                }
                _ => {
                    if setting.name == "validation" {
                        share = Some(text.to_owned());
                    }
                    setting.set(&mut config, text)?;
                }
            }
        }
        if !config.optimizer.is_stochastic() {
            full_batch(args, &mut config)?;
        }
        if !args.settings.has("warm_up") {
            // A preset's warm-up is no longer than the run that is asked for.
            config.warm_up = config.warm_up.min(config.epochs as f32);
        }
        if !args.settings.has("dropout_schedule") && config.regularization.dropout == 0.0 {
            config.dropout_schedule = Schedule::Constant;
        }
        // Before what depends on the network's parts: the file decides them.
        let initial = file.map(|file| start_from(file, args, &mut config)).transpose()?;
        let scales = config.scaling_layer == Some(true);
        let decays = config.optimizer.weight_decay() > 0.0;
        if !args.settings.has("scaling_rate") && !scales {
            config.scaling_rate = 1.0;
        }
        if !(args.settings.has("scaling_decay") || scales && decays) {
            config.scaling_decay = 0.0;
        }
        if !(args.settings.has("category_decay") || config.category_embedding.is_some() && decays) {
            config.category_decay = 0.0;
        }
        if preset.is_tabular() && config.validation == 0.0 && validation_set.is_none() {
            forget_validation(&mut config, |name| !args.settings.has(name));
        }
        if !args.settings.has("weight_decay_schedule") && !decays {
            config.weight_decay_schedule = Schedule::Constant;
        }
        if config.regularization.batch_norm && config.batch_size == BatchSize::Samples(1) {
            warn(
                "batch normalization needs at least two samples in a batch: `batch_size` is 2 in place of 1",
            );
            config.batch_size = BatchSize::Samples(2);
        }
        // The usual loss is what settings without one mean, in this version and in earlier ones.
        config.loss = config.loss.filter(|loss| !loss.is_usual());
        let can_standardize = config.loss.as_ref().is_none_or(Loss::can_standardize);
        if !can_standardize && !args.settings.has("standardize_targets") {
            config.standardize_targets = None;
        }
        if args.task() == Task::Regression
            && config.standardize_targets.is_none()
            && can_standardize
        {
            // Whatever their units, targets are learned on the scale that initial weights and learning rates are made for.
            config.standardize_targets = Some(true);
        }
        // Whether data at a path have a validation part is seen when they are read.
        let is_path = args.data.as_deref().is_some_and(|data| !is_set_name(data));
        let validated = config.validation > 0.0
            || config.networks() > 1
            || validation_set.is_some()
            || (is_path && share.is_none());
        effects::check(&Run { args, preset, config: &config, validated })?;
        let follow: &[&str] = match (preset.is_tabular(), args.preset) {
            (true, _) => &FOLLOW_IN_TABLES,
            (false, None) => &FOLLOW,
            (false, Some(_)) => &[],
        };
        let untyped = |name: &&str| !args.settings.has(name);
        let mut free: Vec<_> = follow.iter().copied().filter(untyped).collect();
        if !config.optimizer.is_stochastic() {
            free.retain(|name| *name == "normalize");
        }
        if matches!(initial, Some(Initial::Model(_))) {
            free.retain(|name| *name != "normalize");
        }
        if initial.is_some() {
            // The file has the first layer.
            free.retain(|name| *name != "numeric_embedding");
        }
        let epochs = match free.contains(&"epochs") {
            // How long the warm-up may be is decided with the data.
            true => config.epochs.max(config.warm_up as usize + 1),
            false => config.epochs,
        };
        TrainConfig { epochs, ..config.clone() }.validate()?;
        Ok(Settings { preset, config, initial, validation_set, share, checkpoint: None, free })
    }
}

/// Without validation data nothing watches them, and the model is that of the last epoch.
pub(crate) fn forget_validation(config: &mut TrainConfig, is_free: impl Fn(&str) -> bool) {
    if is_free("keep_best") && is_free("monitor") {
        (config.keep_best, config.monitor) = (None, None);
    }
}

/// Epochs of L-BFGS where nothing else decides them; scikit-learn's number of iterations.
const FULL_BATCH_EPOCHS: usize = 200;

/// L-BFGS takes all samples at once and has no learning rate: what a preset says of batches and schedules is not for it.
fn full_batch(args: &TrainArgs, config: &mut TrainConfig) -> Result<()> {
    for setting in SETTINGS {
        let of_preset = ["batch_size", "schedule", "warm_up"].contains(&setting.name);
        if let (true, false, Some(off)) =
            (of_preset, args.settings.has(setting.name), setting.off())
        {
            setting.set(config, &off)?;
        }
    }
    if args.preset.is_none() && !args.settings.has("epochs") {
        config.epochs = FULL_BATCH_EPOCHS;
    }
    Ok(())
}

/// Reads what a run starts from, and sets what it decides: the layers, and for a model the normalization.
fn start_from(file: &Path, args: &TrainArgs, config: &mut TrainConfig) -> Result<Initial> {
    let initial = match is_array_file(file) {
        true => Initial::Network(npz::read_network(file, "", &config.activation)?),
        false => {
            // Files of bare weights do not say what their activations are.
            let typed = args.settings.has("activation");
            let activations = if typed { config.activation.clone() } else { Vec::new() };
            let options = ReadOptions { activations, ..ReadOptions::default() };
            let loaded = model_file::load_as(file, &options).map_err(|error| match typed {
                true if error.kind() == ErrorKind::InvalidArgument => error.context("--activation"),
                _ => error,
            })?;
            loaded.warnings.iter().for_each(warn);
            if loaded.model.members() > 1 {
                return Err(Error::argument(format!(
                    "--init {}: a bag of {} networks cannot be trained further; start from a single network, or leave \
                     --init out",
                    file.display(),
                    loaded.model.members()
                ))
                .into());
            }
            if loaded.model.task() != args.task() {
                return Err(Error::argument(format!(
                    "{} is a model for {}, but this run is for {}: choose the loss with --loss",
                    file.display(),
                    loaded.model.task().name(),
                    args.task().name()
                ))
                .into());
            }
            match args.settings.has("normalize") && loaded.model.transform.is_identity() {
                true => Initial::Network(loaded.model.network),
                false => Initial::Model(Box::new(loaded.model)),
            }
        }
    };
    let found = hidden_of(initial.network());
    let contradicts = |option: &str, wanted: &str, what: String| {
        let file = file.display();
        Err(Error::argument(format!(
            "{option} {wanted} contradicts {file}, {what}: leave out {option}"
        ))
        .into())
    };
    if let (Some(wanted), true) = (args.settings.get("hidden"), config.hidden != found) {
        let units = units(&found);
        return contradicts("--hidden", wanted, format!("whose hidden layers have {units} units"));
    }
    config.hidden = found;
    let columns = initial.network().columns();
    let numeric = columns.map_or(NumericEmbedding::None, ColumnLayer::numeric);
    if let (Some(wanted), true) =
        (args.settings.get("numeric_embedding"), config.numeric_embedding != Some(numeric))
    {
        let what = format!("whose numeric embedding is {}", numeric.name());
        return contradicts("--numeric-embedding", wanted, what);
    }
    if columns.is_some() || config.numeric_embedding.is_some() {
        config.numeric_embedding = Some(numeric);
    }
    let categories = columns.filter(|columns| columns.has_categories());
    let categories = categories.map(ColumnLayer::category_outputs);
    if let (Some(wanted), true) =
        (args.settings.get("category_embedding"), config.category_embedding != categories)
    {
        let found = categories.map_or("none".to_owned(), |outputs| outputs.to_string());
        let what = format!("whose category embedding is {found}");
        return contradicts("--category-embedding", wanted, what);
    }
    config.category_embedding = categories;
    if let Initial::Model(model) = &initial {
        if let Some(wanted) = args.settings.get("normalize") {
            return contradicts("--normalize", wanted, "which has its normalization".to_owned());
        }
        config.normalization = normalization_of(model);
    }
    config.activation = activations_of(initial.network());
    let parametric = initial.network().has_strengths();
    if let (Some(wanted), true) =
        (args.settings.get("parametric"), config.parametric.unwrap_or(false) != parametric)
    {
        let what = match parametric {
            true => "whose activations have strengths".to_owned(),
            false => "whose activations have no strengths".to_owned(),
        };
        return contradicts("--parametric", wanted, what);
    }
    config.parametric = parametric.then_some(true);
    Ok(initial)
}

/// The kind of a model's normalization, for its metadata: as the model says, else as its transform looks.
fn normalization_of(model: &Model) -> Normalization {
    let named = model.provenance.settings["normalize"].as_str().and_then(Normalization::from_name);
    named.unwrap_or(match &model.transform {
        transform if transform.is_identity() => Normalization::None,
        transform if transform.is_clipped() => Normalization::Robust,
        transform if transform.as_scalar().is_some() => Normalization::Unit,
        _ => Normalization::Standard,
    })
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
        let error = resolve("--validation 10%").unwrap_err().to_string();
        assert!(error.contains("0.1 for 10%"), "{error}");
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
