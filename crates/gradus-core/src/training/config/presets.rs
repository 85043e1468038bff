//! The presets: a name in, settings that go together out.

use crate::network::{Activation, Init, NumericEmbedding, Parametrization};
use crate::optimizer::Optimizer;
use crate::regularization::Regularization;
use crate::samples::Task;
use crate::schedule::Schedule;
use crate::training::config::{BatchSize, CATEGORY_OUTPUTS, KeepBest, TrainConfig};
use crate::training::history::Monitor;
use crate::transform::distort::Distortion;
use crate::transform::normalize::Normalization;

/// A named set of settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// The NumPy notebook's run, number by number.
    Notebook,
    /// 98 % on MNIST's test images within seconds.
    Quick,
    /// The best accuracy without image-specific tricks: some minutes.
    Accurate,
    /// The best on digits, with images distorted differently in every epoch: 15 to 60 minutes.
    Record,
    /// Tables of numbers, by the small recipe of RealMLP (TD-S, Holzmüller et al. 2024).
    TabularSmall,
    /// Tables, by the recipe of RealMLP (TD, Holzmüller et al. 2024), with embeddings of numbers and categories.
    Tabular,
    /// The same with a quarter of the epochs.
    TabularQuick,
}

impl Preset {
    /// All presets.
    pub const ALL: [Preset; 7] = [
        Preset::Quick,
        Preset::Notebook,
        Preset::Accurate,
        Preset::Record,
        Preset::Tabular,
        Preset::TabularSmall,
        Preset::TabularQuick,
    ];

    /// The name used in options.
    pub fn name(self) -> &'static str {
        match self {
            Preset::Notebook => "notebook",
            Preset::Quick => "quick",
            Preset::Accurate => "accurate",
            Preset::Record => "record",
            Preset::Tabular => "tabular",
            Preset::TabularSmall => "tabular-small",
            Preset::TabularQuick => "tabular-quick",
        }
    }

    /// The preset of this name.
    pub fn from_name(name: &str) -> Option<Preset> {
        Preset::ALL.into_iter().find(|preset| preset.name() == name)
    }

    /// Whether it is made for tables.
    pub fn is_tabular(self) -> bool {
        matches!(self, Preset::Tabular | Preset::TabularSmall | Preset::TabularQuick)
    }

    /// Its settings in classification or regression.
    pub fn config_for(self, task: Task) -> TrainConfig {
        let config = self.config();
        match task {
            Task::Regression if self.is_tabular() => TrainConfig {
                activation: vec![Activation::Mish],
                learning_rate: if self == Preset::TabularSmall { 0.07 } else { 0.2 },
                standardize_targets: Some(true),
                // As in RealMLP-TD; TD-S does not clip.
                clip_predictions: (self != Preset::TabularSmall).then_some(true),
                monitor: Some(Monitor::ValLoss),
                regularization: Regularization { label_smoothing: 0.0, ..config.regularization },
                ..config
            },
            // Several labels leave nothing to smooth.
            Task::MultiLabel => TrainConfig {
                regularization: Regularization { label_smoothing: 0.0, ..config.regularization },
                ..config
            },
            _ => config,
        }
    }

    /// Its settings; in classification where [`Self::config_for`] has others for regression.
    pub fn config(self) -> TrainConfig {
        match self {
            Preset::Notebook => TrainConfig {
                hidden: vec![128],
                activation: vec![Activation::Relu],
                parametric: None,
                init: Init::Normal(0.01),
                parametrization: Parametrization::Standard,
                normalization: Normalization::None,
                standardize_targets: None,
                clip_predictions: None,
                numeric_embedding: None,
                category_embedding: None,
                scaling_layer: None,
                loss: None,
                output_weights: None,
                epochs: 200,
                batch_size: BatchSize::Full,
                shuffle: None,
                optimizer: Optimizer::SGD,
                learning_rate: 0.001,
                schedule: Schedule::Constant,
                bias_rate: 1.0,
                scaling_rate: 1.0,
                scaling_decay: 0.0,
                category_decay: 0.0,
                weight_decay_schedule: Schedule::Constant,
                dropout_schedule: Schedule::Constant,
                warm_up: 0.0,
                validation: 0.0,
                members: None,
                refit: None,
                regularization: Regularization::NONE,
                early_stopping: None,
                keep_best: None,
                monitor: None,
                seed: 0,
                micro_batches: None,
                threads: None,
            },
            Preset::Quick => TrainConfig {
                hidden: vec![256],
                init: Init::He,
                normalization: Normalization::Unit,
                epochs: 6,
                batch_size: BatchSize::Samples(128),
                optimizer: Optimizer::AdamW {
                    beta1: 0.9,
                    beta2: 0.999,
                    epsilon: 1e-8,
                    weight_decay: 0.1,
                },
                learning_rate: 0.01,
                schedule: Schedule::OneCycle,
                ..Preset::Notebook.config()
            },
            Preset::Accurate => TrainConfig {
                hidden: vec![1000, 500, 250, 250, 250],
                epochs: 60,
                batch_size: BatchSize::Samples(100),
                optimizer: Optimizer::ADAM,
                learning_rate: 0.002,
                schedule: Schedule::Cosine,
                regularization: Regularization {
                    batch_norm: true,
                    input_noise: 0.3,
                    ..Regularization::NONE
                },
                ..Preset::Quick.config()
            },
            Preset::Record => TrainConfig {
                hidden: vec![2048, 1024, 512],
                activation: vec![Activation::LeakyRelu { slope: 0.1 }],
                epochs: 300,
                batch_size: BatchSize::Samples(256),
                optimizer: Optimizer::ADAMW,
                learning_rate: 0.0015,
                // A rate that falls to 0 learns the images behind the distortions by heart.
                schedule: Schedule::Constant,
                warm_up: 2.0,
                regularization: Regularization {
                    batch_norm: true,
                    ema_decay: Some(0.9999),
                    distortion: Distortion::STRONG,
                    ..Regularization::NONE
                },
                ..Preset::Quick.config()
            },
            Preset::TabularSmall => TrainConfig {
                hidden: vec![256; 3],
                activation: vec![Activation::Selu],
                init: Init::Ntk,
                parametrization: Parametrization::Ntk,
                normalization: Normalization::Robust,
                // Half of RealMLP's: as good, with the batches of `follow_rows` (docs/tables.md).
                epochs: 128,
                batch_size: BatchSize::Samples(256),
                optimizer: Optimizer::Adam {
                    beta1: 0.9,
                    beta2: 0.95,
                    epsilon: 1e-8,
                    weight_decay: 0.0,
                },
                learning_rate: 0.04,
                schedule: Schedule::CosLog4,
                bias_rate: 0.1,
                scaling_layer: Some(true),
                scaling_rate: 6.0,
                validation: 0.2,
                regularization: Regularization { label_smoothing: 0.1, ..Regularization::NONE },
                keep_best: Some(KeepBest::Last),
                monitor: Some(Monitor::ValAccuracy),
                ..Preset::Quick.config()
            },
            Preset::Tabular => TrainConfig {
                parametric: Some(true),
                init: Init::Tabular,
                numeric_embedding: Some(NumericEmbedding::PBLD),
                category_embedding: Some(CATEGORY_OUTPUTS),
                optimizer: Optimizer::AdamW {
                    beta1: 0.9,
                    beta2: 0.95,
                    epsilon: 1e-8,
                    weight_decay: 0.02,
                },
                scaling_decay: 36.0,
                category_decay: 1.0,
                weight_decay_schedule: Schedule::FlatCosine,
                dropout_schedule: Schedule::FlatCosine,
                regularization: Regularization {
                    dropout: 0.15,
                    label_smoothing: 0.1,
                    ..Regularization::NONE
                },
                ..Preset::TabularSmall.config()
            },
            Preset::TabularQuick => TrainConfig { epochs: 32, ..Preset::Tabular.config() },
        }
    }
}

/// Values are embedded by bins in tables of so many training rows and more.
const BINS_FROM: usize = 3_000;

impl TrainConfig {
    /// Adapts those settings of a preset for tables that `is_free` names to the number of training rows (docs/tables.md has the
    /// comparisons): the batch size, because smaller batches make more steps of few rows, and larger ones keep many rows
    /// fast; and, where values are learned, how numbers are embedded, because with enough rows for each of them bins
    /// follow a function more closely than cosines.
    pub fn follow_rows(&mut self, rows: usize, task: Task, is_free: impl Fn(&str) -> bool) {
        if is_free("batch_size") {
            self.batch_size = BatchSize::Samples(match rows {
                ..3_000 => (rows / 4).next_power_of_two().clamp(32, 128),
                3_000..=30_000 => 256,
                30_001..=100_000 => 512,
                _ => 1024,
            });
        }
        let has_cosines = self.numeric_embedding == Some(NumericEmbedding::PBLD);
        if task == Task::Regression
            && has_cosines
            && rows >= BINS_FROM
            && is_free("numeric_embedding")
        {
            self.numeric_embedding = Some(NumericEmbedding::PLE);
        }
    }
}

impl Default for TrainConfig {
    fn default() -> Self {
        Preset::Quick.config()
    }
}
