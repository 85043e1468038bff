//! Regularization settings, and the papers that they come from (docs/maths.md M14, M16 to M18). Their
//! ranges and texts are in [`SETTINGS`](crate::training::settings::SETTINGS).

use crate::error::{Error, Result};
use crate::samples::{Dataset, Subset, Targets, Task};
use crate::transform::distort::Distortion;

/// Weights of the classes in the loss.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum ClassWeights {
    /// 1 for all.
    #[default]
    Equal,
    /// `samples / (classes x samples of the class)`: every class counts the same.
    Balanced,
    /// One weight for each class.
    Each(Vec<f32>),
}

impl ClassWeights {
    /// The factor of each sample's loss: the sample's own times its class's, if it has one. None if all
    /// are 1.
    pub(crate) fn of_samples(&self, data: &Subset) -> Option<Vec<f32>> {
        let given = data.data().sample_weights.as_ref();
        let own = |index: usize| given.map_or(1.0, |weights| weights[index]);
        let Targets::Classes { labels, names } = &data.data().targets else {
            return given.map(|_| data.indices().map(own).collect());
        };
        let factors = match self {
            ClassWeights::Equal => vec![1.0; names.len()],
            ClassWeights::Each(factors) => factors.clone(),
            ClassWeights::Balanced => {
                let mut counts = vec![0usize; names.len()];
                data.indices().for_each(|index| counts[labels[index] as usize] += 1);
                let present = counts.iter().filter(|&&count| count > 0).count();
                let factor = |&count: &usize| data.len() as f32 / (present * count.max(1)) as f32;
                counts.iter().map(factor).collect()
            }
        };
        if *self == ClassWeights::Equal && given.is_none() {
            return None;
        }
        let factor = |index: usize| factors[labels[index] as usize] * own(index);
        Some(data.indices().map(factor).collect())
    }
}

/// All regularization settings; [`Regularization::NONE`] does nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Regularization {
    /// Fraction of hidden activations that are set to 0 (Srivastava et al. 2014).
    pub dropout: f32,
    /// Fraction of inputs, after normalization, that are set to 0.
    pub input_dropout: f32,
    /// Standard deviation of the Gaussian noise added before each hidden activation (Rasmus et al.
    /// 2015).
    pub noise: f32,
    /// Standard deviation of the Gaussian noise added to the inputs after normalization (Bishop
    /// 1995).
    pub input_noise: f32,
    /// Batch normalization of every hidden layer (Ioffe and Szegedy 2015).
    pub batch_norm: bool,
    /// Fraction of the target that is spread over all classes (Szegedy et al. 2016).
    pub label_smoothing: f32,
    /// `alpha` of mixup (Zhang et al. 2018); 0 for none.
    pub mixup: f32,
    /// Penalty on the absolute values of weights: `g += l1 sign(w)`.
    pub l1: f32,
    /// Penalty on the squares of weights: `g += l2 w`, whatever the optimizer.
    pub l2: f32,
    /// Largest Euclidean norm of the incoming weights of a hidden unit (Srivastava et al. 2014).
    pub max_norm: Option<f32>,
    /// Largest Euclidean norm of the gradient of all parameters (Pascanu et al. 2013).
    pub clip_norm: Option<f32>,
    /// Largest absolute value in the gradient.
    pub clip_value: Option<f32>,
    /// Decay per step of an exponential moving average (EMA) of the parameters, which then is the model
    /// (Polyak and Juditsky 1992).
    pub ema_decay: Option<f32>,
    /// Weights of the classes in the loss.
    pub class_weights: ClassWeights,
    /// Random distortions of the images, drawn again in every epoch.
    pub distortion: Distortion,
}

impl Regularization {
    /// Checks that nothing changes the inputs of a network that takes codes of categories among them.
    ///
    /// # Errors
    /// `InvalidArgument`, saying what does.
    pub(crate) fn check_categories(&self) -> Result<()> {
        let changes = [
            ("input_dropout", self.input_dropout),
            ("input_noise", self.input_noise),
            ("mixup", self.mixup),
        ];
        match changes.into_iter().find(|(_, amount)| *amount > 0.0) {
            None => Ok(()),
            Some((name, _)) => Err(Error::argument(format!(
                "`{name}` changes the inputs, but some of them are codes of categories, which would become other categories: \
                 leave it out, or the embedding of categories"
            ))),
        }
    }

    /// No regularization.
    pub const NONE: Regularization = Regularization {
        dropout: 0.0,
        input_dropout: 0.0,
        noise: 0.0,
        input_noise: 0.0,
        batch_norm: false,
        label_smoothing: 0.0,
        mixup: 0.0,
        l1: 0.0,
        l2: 0.0,
        max_norm: None,
        clip_norm: None,
        clip_value: None,
        ema_decay: None,
        class_weights: ClassWeights::Equal,
        distortion: Distortion::NONE,
    };

    /// Checks that the settings fit a network of so many hidden layers, and the data.
    ///
    /// # Errors
    /// `InvalidArgument`, saying what does not fit.
    pub(crate) fn check_fit(&self, hidden_layers: usize, data: &Dataset) -> Result<()> {
        let wrong = |message: String| Err(Error::argument(message));
        let acts_on_hidden_layers =
            self.batch_norm || self.noise > 0.0 || self.dropout > 0.0 || self.max_norm.is_some();
        if hidden_layers == 0 && acts_on_hidden_layers {
            return wrong(
                "dropout, noise, batch normalization and max norm act on hidden layers, but there \
                 is none: leave them out, or give the network a hidden layer"
                    .into(),
            );
        }
        let of_classes = [
            (
                "label smoothing spreads a class's target over all classes",
                self.label_smoothing > 0.0,
            ),
            ("class weights are for classes", self.class_weights != ClassWeights::Equal),
        ];
        for (what, set) in of_classes {
            if set && data.targets.task() == Task::Regression {
                return wrong(format!("{what}, but regression has no classes: leave it out"));
            }
        }
        let labels = data.targets.task() == Task::MultiLabel;
        if labels && self.label_smoothing > 0.0 {
            return wrong("label smoothing is for samples with one class, not for several labels: leave it out".into());
        }
        if labels && self.class_weights == ClassWeights::Balanced {
            return wrong(
                "`class_weights` balanced is for samples with one class; for several labels give one weight for each".into(),
            );
        }
        let classes = data.targets.outputs();
        if let ClassWeights::Each(weights) = &self.class_weights
            && weights.len() != classes
        {
            let found = weights.len();
            let what = data.targets.task().outputs();
            return wrong(format!("{found} class weights, but the data have {classes} {what}"));
        }
        Ok(())
    }
}

/// The part of [`Regularization`] that acts between the linear layers.
#[doc(hidden)] // for the tests of gradus
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HiddenRegularization {
    /// Whether each unit is brought to mean 0 and variance 1 over the batch, then scaled and shifted,
    /// before its activation.
    pub batch_norm: bool,
    /// Standard deviation of the noise. With batch normalization its scale then stays 1: it would grow
    /// until the noise no longer mattered.
    pub noise: f32,
    /// Share of the activations that are set to 0, the others scaled by `1 / (1 - dropout)`.
    pub dropout: f32,
}

impl HiddenRegularization {
    /// The activation alone.
    pub const PLAIN: HiddenRegularization =
        HiddenRegularization { batch_norm: false, noise: 0.0, dropout: 0.0 };
}

impl From<&Regularization> for HiddenRegularization {
    fn from(settings: &Regularization) -> HiddenRegularization {
        let Regularization { batch_norm, noise, dropout, .. } = *settings;
        HiddenRegularization { batch_norm, noise, dropout }
    }
}

impl Default for Regularization {
    fn default() -> Self {
        Regularization::NONE
    }
}
