//! The table of settings, in the order in which they are set: an optimizer comes before its constants.
//!
//! A new setting is a field of [`TrainConfig`] or of
//! [`Regularization`](crate::training::Regularization), an entry here, and the code that acts on it.

use std::ops::Bound::{Excluded, Included};

use super::setting::{Get, Group, Range, Scope, Set, Setting};
use super::text::TextForm;
use crate::engine::MOST_MICRO_BATCHES;
use crate::loss::Loss;
use crate::model::MOST_MEMBERS;
use crate::network::{Activation, Init, NumericEmbedding, Parametrization};
use crate::optimizer::Optimizer;
use crate::regularization::ClassWeights;
use crate::samples::Shuffle;
use crate::schedule::Schedule;
use crate::training::config::{BatchSize, EarlyStopping, KeepBest, MOST_THREADS, TrainConfig};
use crate::training::history::Monitor;
use crate::transform::distort::Distortion;
use crate::transform::normalize::Normalization;

const SHARE: Range = Range::Numbers("at least 0 and below 1", (Included(0.0), Excluded(1.0)));
const POSITIVE: Range =
    Range::Numbers("above 0 and finite", (Excluded(0.0), Excluded(f64::INFINITY)));
const NOT_NEGATIVE: Range =
    Range::Numbers("at least 0 and finite", (Included(0.0), Excluded(f64::INFINITY)));
const COUNT: Range = Range::Numbers("at least 1", (Included(1.0), Excluded(f64::INFINITY)));
const THREADS: Range =
    Range::Numbers("between 1 and 1024", (Included(1.0), Included(MOST_THREADS as f64)));

/// A field of [`TrainConfig`] that every run has.
macro_rules! field {
    ($($name:ident).+) => {
        (
            |config| Some(config.$($name).+.text()),
            |config, text| {
                config.$($name).+ = TextForm::read(text)?;
                Some(true)
            },
        )
    };
}

/// A field that a run has only once it is set.
macro_rules! optional {
    ($name:ident) => {
        (
            |config| config.$name.as_ref().map(TextForm::text),
            |config, text| {
                config.$name = Some(TextForm::read(text)?);
                Some(true)
            },
        )
    };
}

/// A constant that some optimizers have.
macro_rules! constant {
    ($name:literal) => {
        (
            |config| config.optimizer.constant($name).map(|value| value.text()),
            |config, text| {
                let value = TextForm::read(text)?;
                let constant = config.optimizer.constant_mut($name);
                Some(constant.map(|constant| *constant = value).is_some())
            },
        )
    };
}

/// All settings of a training run.
pub static SETTINGS: &[Setting] = &[
    Setting::new::<f64>("validation", field!(validation))
        .about(
            Group::Data,
            "FRACTION",
            "Validation data, evaluated after each epoch: a fraction of the training data \
             to hold out (such as 0.1)",
        )
        .range(SHARE)
        .python("validation_fraction"),
    Setting::new::<usize>("members", optional!(members))
        .about(
            Group::Data,
            "N",
            "Networks of a bag, one per core, each trained without one of N folds of the training data and validated on it; \
             predictions are means of theirs [default: 1, a single network]",
        )
        .expects("a whole number from 1 to 100")
        .range(Range::Numbers("between 1 and 100", (Included(1.0), Included(MOST_MEMBERS as f64)))),
    Setting::new::<bool>("refit", optional!(refit))
        .about(
            Group::Data,
            "BOOL",
            "Train each member of the bag once more on all training data, for as many epochs as its best one took",
        )
        .range(Range::Check(
            "false without `members`, and with the schedules plateau and adaptive, which follow figures of validation",
            |config| config.refit != Some(true) || config.networks() > 1 && !config.follows_figures(),
        )),
    Setting::new::<Loss>("loss", optional!(loss))
        .about(
            Group::Training,
            "NAME",
            "Loss to minimize: cross-entropy for classification, binary-cross-entropy for several labels per sample (columns of \
             0 and 1), for regression squared (half the squared error), poisson \
             (counts; predictions are exponentials), huber:DELTA (in units of the targets), absolute (medians) or \
             quantile:LEVELS (such as quantile:0.1,0.5,0.9) [default: for a table as its target suggests, else cross-entropy]",
        )
        // Classes have one loss, which the data decide.
        .scope(Scope::Regression),
    Setting::new::<Vec<f32>>("output_weights", optional!(output_weights))
        .about(
            Group::Training,
            "WEIGHTS",
            "Weights of the targets in the loss of regression, one per target (such as 1,0.5)",
        )
        .range(Range::Check("at least 0, finite and not all 0", |config| {
            let weights = config.output_weights.as_deref().unwrap_or(&[1.0]);
            let sound = weights.iter().all(|&weight| weight.is_finite() && weight >= 0.0);
            sound && weights.iter().sum::<f32>() > 0.0
        }))
        .scope(Scope::Regression),
    Setting::new::<usize>("epochs", field!(epochs))
        .about(Group::Training, "N", "Passes over the training data")
        .range(COUNT)
        .python("max_iter"),
    Setting::new::<BatchSize>("batch_size", field!(batch_size)).about(
        Group::Training,
        "N|full",
        "Samples per step, or full for all of them in every step",
    )
    .of_steps(),
    Setting::new::<Shuffle>("shuffle", optional!(shuffle)).about(
        Group::Training,
        "ORDER",
        "Shuffle the samples in every epoch; false takes batches in the order of the data, blocks shuffles blocks of \
         8192 samples, then the samples of about 64 MB of blocks [default: true]",
    ),
    Setting::new::<Optimizer>("optimizer", field!(optimizer))
        .about(Group::Training, "NAME", "Optimizer")
        .python("solver"),
    Setting::new::<f32>("learning_rate", field!(learning_rate))
        .about(
            Group::Training,
            "RATE",
            "Peak learning rate of the schedule (lion needs about a tenth of adamw's)",
        )
        .range(POSITIVE)
        .python("learning_rate_init"),
    Setting::new::<f32>("momentum", constant!("momentum"))
        .about(Group::Training, "NUMBER", "Momentum coefficient, such as 0.9 (sgd, rmsprop, muon)")
        .range(SHARE),
    Setting::new::<bool>(
        "nesterov",
        (
            |config| config.optimizer.nesterov().map(|it| it.text()),
            |config, text| {
                let value = TextForm::read(text)?;
                Some(config.optimizer.nesterov_mut().map(|it| *it = value).is_some())
            },
        ),
    )
    .about(Group::Training, "BOOL", "Nesterov momentum (sgd with momentum, muon)")
    .range(Range::Check("false where `momentum` is 0", looks_along_momentum))
    .python("nesterovs_momentum"),
    Setting::new::<f32>("beta1", constant!("beta1"))
        .about(
            Group::Training,
            "NUMBER",
            "Decay rate of the gradient average (adam, adamw, muon); its weight in the \
             update direction (lion)",
        )
        .range(SHARE)
        .python("beta_1"),
    Setting::new::<f32>("beta2", constant!("beta2"))
        .about(
            Group::Training,
            "NUMBER",
            "Decay rate of the squared-gradient average (adam, adamw, rmsprop, muon) or of \
             the gradient average (lion)",
        )
        .range(SHARE)
        .python("beta_2"),
    Setting::new::<f32>("epsilon", constant!("epsilon"))
        .about(
            Group::Training,
            "NUMBER",
            "Added to the denominator of the update for numerical stability (adam, adamw, \
             rmsprop, muon)",
        )
        .range(POSITIVE),
    Setting::new::<f32>("weight_decay", constant!("weight_decay"))
        .about(
            Group::Training,
            "FACTOR",
            "L2 penalty on the weights (sgd, adam, rmsprop), or decoupled weight decay \
             (adamw, lion, muon)",
        )
        .range(NOT_NEGATIVE),
    Setting::new::<usize>(
        "max_fun",
        (
            |config| config.optimizer.max_fun().map(|it| it.to_string()),
            |config, text| {
                let value = usize::read(text)?.try_into().ok()?;
                Some(config.optimizer.max_fun_mut().map(|it| *it = value).is_some())
            },
        ),
    )
    .label("Most evaluations")
    .about(
        Group::Training,
        "N",
        "End the run when more than N evaluations of loss and gradient were made (lbfgs)",
    )
    .expects("a whole number from 1 to 4294967295"),
    Setting::new::<f32>("tolerance", constant!("tolerance"))
        .about(
            Group::Training,
            "NUMBER",
            "End the run when no component of the gradient is larger in absolute value (lbfgs)",
        )
        .range(NOT_NEGATIVE)
        .python("tol"),
    Setting::new::<Schedule>("schedule", field!(schedule)).about(
        Group::Training,
        "NAME",
        "Learning rate schedule: constant, step:EPOCHS:FACTOR, cosine, one-cycle, coslog4, flat-cosine, \
             plateau:PATIENCE:FACTOR, inverse-scaling:POWER or adaptive:PATIENCE:MIN_DELTA",
    )
    .of_steps(),
    Setting::new::<f32>("bias_rate", field!(bias_rate))
        .about(
            Group::Training,
            "FACTOR",
            "Factor of the learning rate of biases, such as 0.1 [default: 1]",
        )
        .range(NOT_NEGATIVE)
        .of_steps(),
    Setting::new::<f32>("scaling_rate", field!(scaling_rate))
        .about(
            Group::Training,
            "FACTOR",
            "Factor of the learning rate of the scaling layer, such as 6 [default: 1]",
        )
        .range(Range::Check("at least 0 and finite, and 1 without `scaling_layer`", |config| {
            let rate = config.scaling_rate;
            rate >= 0.0 && rate.is_finite() && (rate == 1.0 || config.scaling_layer == Some(true))
        }))
        .of_steps(),
    Setting::new::<f32>("scaling_decay", field!(scaling_decay))
        .about(
            Group::Training,
            "FACTOR",
            "Factor of the weight decay of the scaling layer, such as 36; weights have 1 [default: 0]",
        )
        .range(Range::Check(
            "at least 0 and finite, and 0 without `scaling_layer` and `weight_decay`",
            |config| {
                let used = config.scaling_layer == Some(true) && config.optimizer.weight_decay() > 0.0;
                is_factor(config.scaling_decay, used)
            },
        ))
        .of_steps(),
    Setting::new::<f32>("category_decay", field!(category_decay))
        .about(
            Group::Training,
            "FACTOR",
            "Factor of the weight decay of embedded categories, such as 1; weights have 1 [default: 0]",
        )
        .range(Range::Check(
            "at least 0 and finite, and 0 without `category_embedding` and `weight_decay`",
            |config| {
                let used = config.category_embedding.is_some() && config.optimizer.weight_decay() > 0.0;
                is_factor(config.category_decay, used)
            },
        ))
        .of_steps(),
    Setting::new::<Schedule>("weight_decay_schedule", field!(weight_decay_schedule))
        .about(
            Group::Training,
            "NAME",
            "Schedule of the weight decay, such as flat-cosine: that of the learning rate, but for plateau and adaptive",
        )
        .range(Range::Check("a schedule other than plateau and adaptive, and constant without `weight_decay`", |config| {
            let used = config.optimizer.weight_decay() > 0.0;
            fits(config.weight_decay_schedule, used)
        }))
        .of_steps(),
    Setting::new::<f32>("warm_up", field!(warm_up))
        .label("Warm-up")
        .about(
            Group::Training,
            "EPOCHS",
            "Epochs over which the learning rate rises to its peak; may be a fraction",
        )
        .range(Range::Check("between 0 and the number of epochs", |config| {
            (0.0..=config.epochs as f32).contains(&config.warm_up)
        }))
        .of_steps(),
    Setting::new::<u64>("seed", field!(seed))
        .about(
            Group::Training,
            "N",
            "Seed of all random numbers: same seed, same model [default: 0]",
        )
        .python("random_state"),
    Setting::new::<usize>("micro_batches", optional!(micro_batches))
        .label("Micro-batches")
        .about(
            Group::Training,
            "N",
            "Parts of a batch whose gradients are computed apart and summed along a tree: a power of two up to 64 \
             [default: 1 below 8192 samples, else one for every 4096]",
        )
        .expects("a power of two from 1 to 64")
        .range(Range::Check("a power of two from 1 to 64, and 1 with `batch_norm`", |config| {
            let most = if config.regularization.batch_norm { 1 } else { MOST_MICRO_BATCHES };
            config.micro_batches.is_none_or(|count| count.is_power_of_two() && count <= most)
        })),
    Setting::new::<usize>("threads", optional!(threads))
        .about(
            Group::Training,
            "N",
            "Worker threads; the model does not depend on them [default: up to one per \
             core, at most OMP_NUM_THREADS]",
        )
        .expects("a whole number from 1 to 1024")
        .range(THREADS)
        .python("n_jobs"),
    Setting::new::<Vec<usize>>("hidden", field!(hidden))
        .label("Hidden layers")
        .about(
            Group::Network,
            "UNITS",
            "Units of each hidden layer, such as 128 or 256,64; none for no hidden layer",
        )
        .python("hidden_layer_sizes"),
    Setting::new::<Vec<Activation>>("activation", field!(activation)).about(
        Group::Network,
        "NAME",
        "Activation function of the hidden layers, one for all or one per layer, such \
             as relu or relu,tanh: identity, relu, leaky_relu (slope 0.01), \
             leaky_relu:SLOPE, tanh, sigmoid, gelu, elu (alpha 1), elu:ALPHA, selu, silu or mish",
    ),
    Setting::new::<bool>("parametric", optional!(parametric))
        .about(
            Group::Network,
            "BOOL",
            "Give each hidden unit a trainable strength s of its activation f: x + s (f(x) - x), with s = 1 at the start",
        )
        .scope(Scope::HiddenLayers),
    Setting::new::<Init>("init", field!(init)).label("Initial weights").about(
        Group::Network,
        "NAME",
        "Initial weights: auto, he, glorot, sklearn (scikit-learn's, with biases), ntk (normal, with biases, the last \
             layer 0), tabular (on the scale of the data, with biases) or normal:STD (a \
             standard deviation)",
    ),
    Setting::new::<Parametrization>("parametrization", field!(parametrization))
        .about(
            Group::Network,
            "NAME",
            "Weights that the learning rate is of: standard, those that inputs are multiplied by; ntk, these \
             times the root of the number of inputs (init ntk draws for it)",
        )
        .range(Range::Check("standard for the optimizer muon", |config| {
            let muon = matches!(config.optimizer, Optimizer::Muon { .. });
            !muon || config.parametrization == Parametrization::Standard
        }))
        .of_steps(),
    Setting::new::<Normalization>("normalize", field!(normalization))
        .older(&["normalization"])
        .label("Normalization")
        .about(
            Group::Network,
            "NAME",
            "Input normalization: none, unit scales to [0, 1], standard to mean 0 and \
             standard deviation 1, robust by median and quartiles with a smooth clip to (-3, 3)",
        )
        .python("normalization"),
    Setting::new::<bool>("standardize_targets", optional!(standardize_targets))
        .about(
            Group::Network,
            "BOOL",
            "In regression, learn targets of mean 0 and standard deviation 1, and fold their scale into the last \
             layer of the saved model",
        )
        .scope(Scope::Regression),
    Setting::new::<bool>("clip_predictions", optional!(clip_predictions))
        .about(
            Group::Network,
            "BOOL",
            "In regression, clip what the saved model predicts to the range of the targets that it was trained and \
             validated on",
        )
        .scope(Scope::Regression),
    Setting::new::<NumericEmbedding>("numeric_embedding", optional!(numeric_embedding)).about(
        Group::Network,
        "NAME",
        "Embedding of the numbers of a table: none, pbld (16 cosines of each number, mapped to 3 values next to it), \
         pbld:FREQUENCIES:OUTPUTS:SCALE (SCALE is the standard deviation of the initial frequencies), ple (4 lines that \
         bend at the edges of 48 bins with as many samples each) or ple:BINS:OUTPUTS",
    ),
    Setting::new::<Option<usize>>("category_embedding", field!(category_embedding))
        .about(
            Group::Network,
            "N",
            "Numbers that each category of more than 8 values is embedded as, such as 8; none for flags of the most \
             frequent values",
        )
        .range(Range::Check("none, or 1 to 256", |config| {
            config.category_embedding.is_none_or(|outputs| (1..=256).contains(&outputs))
        })),
    Setting::new::<bool>("scaling_layer", optional!(scaling_layer)).about(
        Group::Network,
        "BOOL",
        "Train a factor for each input of the first layer, and fold the factors into that layer's weights in the saved \
         model",
    ),
    Setting::new::<f32>("dropout", field!(regularization.dropout))
        .about(Group::Regularization, "FRACTION", "Fraction of hidden activations set to 0")
        .range(SHARE)
        .scope(Scope::HiddenLayers)
        .of_steps(),
    Setting::new::<Schedule>("dropout_schedule", field!(dropout_schedule))
        .about(
            Group::Regularization,
            "NAME",
            "Schedule of the dropout, such as flat-cosine: that of the learning rate, but for plateau and adaptive",
        )
        .range(Range::Check("a schedule other than plateau and adaptive, and constant without `dropout`", |config| {
            fits(config.dropout_schedule, config.regularization.dropout > 0.0)
        }))
        .scope(Scope::HiddenLayers)
        .of_steps(),
    Setting::new::<f32>("input_dropout", field!(regularization.input_dropout))
        .about(Group::Regularization, "FRACTION", "Fraction of inputs set to 0")
        .range(SHARE)
        .of_steps(),
    Setting::new::<f32>("noise", field!(regularization.noise))
        .about(
            Group::Regularization,
            "STD",
            "Standard deviation of the Gaussian noise added before each hidden activation",
        )
        .range(NOT_NEGATIVE)
        .scope(Scope::HiddenLayers)
        .of_steps(),
    Setting::new::<f32>("input_noise", field!(regularization.input_noise))
        .about(
            Group::Regularization,
            "STD",
            "Standard deviation of the Gaussian noise added to the normalized inputs",
        )
        .range(NOT_NEGATIVE)
        .of_steps(),
    Setting::new::<bool>("batch_norm", field!(regularization.batch_norm))
        .label("Batch normalization")
        .about(
            Group::Regularization,
            "BOOL",
            "Batch normalization of the hidden layers; folded into the weights of the saved \
             model",
        )
        .scope(Scope::HiddenLayers)
        .of_steps(),
    Setting::new::<f32>("label_smoothing", field!(regularization.label_smoothing))
        .about(
            Group::Regularization,
            "FRACTION",
            "Fraction of each target that is spread over all classes",
        )
        .range(SHARE)
        .scope(Scope::Classification),
    Setting::new::<f32>("mixup", field!(regularization.mixup))
        .about(
            Group::Regularization,
            "ALPHA",
            "Mix pairs of samples with weights drawn from Beta(ALPHA, ALPHA)",
        )
        .range(NOT_NEGATIVE)
        .of_steps(),
    Setting::new::<f32>("l1", field!(regularization.l1))
        .about(Group::Regularization, "FACTOR", "L1 penalty on the weights")
        .range(NOT_NEGATIVE)
        .of_steps(),
    Setting::new::<f32>("l2", field!(regularization.l2))
        .about(
            Group::Regularization,
            "FACTOR",
            "L2 penalty on the weights, added to the gradient for every optimizer",
        )
        .range(NOT_NEGATIVE)
        .python("alpha"),
    Setting::new::<Option<f32>>("max_norm", field!(regularization.max_norm))
        .about(
            Group::Regularization,
            "NORM",
            "Largest norm of the incoming weights of a hidden unit; 0 for none",
        )
        .range(POSITIVE)
        .scope(Scope::HiddenLayers)
        .of_steps(),
    Setting::new::<Option<f32>>("clip_norm", field!(regularization.clip_norm))
        .about(
            Group::Regularization,
            "NORM",
            "Clip the norm of the gradient to this value; 0 for none",
        )
        .range(POSITIVE)
        .of_steps(),
    Setting::new::<Option<f32>>("clip_value", field!(regularization.clip_value))
        .about(
            Group::Regularization,
            "VALUE",
            "Clip each component of the gradient to this absolute value; 0 for none",
        )
        .range(POSITIVE)
        .of_steps(),
    Setting::new::<Option<f32>>("ema_decay", field!(regularization.ema_decay))
        .older(&["average"])
        .label("EMA decay")
        .about(
            Group::Regularization,
            "DECAY",
            "Save the exponential moving average (EMA) of the weights, with this decay per \
             step (such as 0.999); 0 for none",
        )
        .range(SHARE)
        .of_steps(),
    Setting::new::<ClassWeights>("class_weights", field!(regularization.class_weights))
        .about(
            Group::Regularization,
            "WEIGHTS",
            "Weights of the classes in the loss: equal, balanced, or one per class \
             (1,1,2.5)",
        )
        .range(Range::Check("at least 0, finite and not all 0", |config| {
            match &config.regularization.class_weights {
                ClassWeights::Each(weights) => {
                    let sound = weights.iter().all(|&weight| weight.is_finite() && weight >= 0.0);
                    sound && weights.iter().sum::<f32>() > 0.0
                }
                ClassWeights::Equal | ClassWeights::Balanced => true,
            }
        }))
        .scope(Scope::Classification)
        .python("class_weight"),
    Setting::new::<Distortion>("distort", field!(regularization.distortion))
        .older(&["distortion"])
        .label("Distortion")
        .about(
            Group::Regularization,
            "SPEC",
            "Distort the images differently in every epoch: none, standard, strong, or some \
             of shift:2,rotate:10,scale:0.1,shear:0.1,elastic:36:6",
        )
        .of_steps(),
    Setting::new::<usize>(
        "patience",
        (
            |config| config.early_stopping.map(|it| it.patience.text()),
            |config, text| {
                let patience = TextForm::read(text)?;
                let min_delta = config.early_stopping.map_or(0.0, |it| it.min_delta);
                config.early_stopping = Some(EarlyStopping { patience, min_delta });
                Some(true)
            },
        ),
    )
    .about(
        Group::Stopping,
        "N",
        "Stop after N epochs without improvement, and keep the weights of the best \
             epoch",
    )
    .range(COUNT)
    .python("n_iter_no_change"),
    Setting::new::<f64>(
        "min_delta",
        (
            |config| config.early_stopping.map(|it| it.min_delta.text()),
            |config, text| {
                let value = TextForm::read(text)?;
                let early = config.early_stopping.as_mut();
                Some(early.map(|early| early.min_delta = value).is_some())
            },
        ),
    )
    .about(
        Group::Stopping,
        "DIFFERENCE",
        "Smallest improvement over the best epoch that counts as progress [default: 0]",
    )
    .range(NOT_NEGATIVE)
    .needs("patience")
    .python("tol"),
    Setting::new::<KeepBest>("keep_best", optional!(keep_best)).about(
        Group::Stopping,
        "WHICH",
        "Keep the weights of the best epoch, also without early stopping: of several equally good ones the first or \
             the last [default: with early stopping first, else those of the last epoch]",
    ),
    Setting::new::<Monitor>("monitor", optional!(monitor)).about(
        Group::Stopping,
        "METRIC",
        "Metric that `patience` and the schedules plateau and adaptive watch [default: val_loss with \
             validation data, else loss]",
    ),
];

/// Whether a schedule can be that of a value which is in use or not: plateau and adaptive are for the learning rate alone.
fn fits(schedule: Schedule, used: bool) -> bool {
    match schedule {
        Schedule::Constant => true,
        Schedule::Plateau(_) | Schedule::Adaptive(_) => false,
        _ => used,
    }
}

/// Whether a factor of weight decay can be that of something which is in use or not.
fn is_factor(factor: f32, used: bool) -> bool {
    factor >= 0.0 && factor.is_finite() && (factor == 0.0 || used)
}

/// SGD has nothing to look ahead along without momentum.
fn looks_along_momentum(config: &TrainConfig) -> bool {
    !matches!(config.optimizer, Optimizer::Sgd { momentum: 0.0, nesterov: true, .. })
}

impl Setting {
    const fn new<T: TextForm>(name: &'static str, (get, set): (Get, Set)) -> Setting {
        Setting {
            name,
            older: &[],
            python: name,
            label: None,
            group: Group::Training,
            placeholder: "",
            help: "",
            kind: T::KIND,
            expected: T::EXPECTED,
            range: Range::All,
            needs: None,
            scope: Scope::Every,
            of_steps: false,
            choices: T::choices,
            details: T::details,
            get,
            set,
        }
    }

    const fn about(self, group: Group, placeholder: &'static str, help: &'static str) -> Setting {
        Setting { group, placeholder, help, ..self }
    }

    const fn range(self, range: Range) -> Setting {
        Setting { range, ..self }
    }

    const fn python(self, parameter: &'static str) -> Setting {
        Setting { python: parameter, ..self }
    }

    const fn older(self, older: &'static [&'static str]) -> Setting {
        Setting { older, ..self }
    }

    const fn label(self, label: &'static str) -> Setting {
        Setting { label: Some(label), ..self }
    }

    const fn needs(self, needs: &'static str) -> Setting {
        Setting { needs: Some(needs), ..self }
    }

    const fn scope(self, scope: Scope) -> Setting {
        Setting { scope, ..self }
    }

    /// It has no place in L-BFGS, which makes no steps of single batches.
    const fn of_steps(self) -> Setting {
        Setting { of_steps: true, ..self }
    }

    const fn expects(self, expected: &'static str) -> Setting {
        Setting { expected, ..self }
    }
}
