//! The data of a training run: options and settings in, training, validation and test sets out.

use std::path::Path;

use anyhow::Result;
use gradus::Error;
use gradus::classifier::Model;
use gradus::data::distort::{Distorter, Distortion};
use gradus::data::{
    Dataset, Found, Inputs, LoadOptions, SampleOrder, Subset, Targets, Task, held_out, is_set_name,
    load_validation,
};
use gradus::network::Kernels;
use gradus::training::Data as Sets;

use crate::run::output::warn;
use crate::run::scale::dataset_to_scale_of;
use crate::run::settings::Settings;
use crate::run::source;

/// The data of a training run.
pub(crate) struct Data {
    pub(crate) name: String,
    pub(crate) origin: String,
    /// Whether the data are a named set.
    pub(crate) named: bool,
    pub(crate) training: TrainingSamples,
    /// None if the data have a validation part, but no test part.
    pub(crate) test: Option<Dataset>,
}

/// The samples to train with and to validate on. Those that are held out stay where they are: their inputs
/// are not copied.
pub(crate) struct TrainingSamples {
    /// The samples to train with, and those that are held out of them.
    pub(crate) samples: Dataset,
    split: Option<Split>,
    /// Validation samples of their own.
    validation_set: Option<Dataset>,
}

/// Which of the samples are trained with, and which are held out.
struct Split {
    train: Vec<u32>,
    held_out: Vec<u32>,
}

impl Data {
    pub(crate) fn load(
        task: Task,
        wanted: &LoadOptions,
        settings: &Settings,
        weights: Option<&Path>,
    ) -> Result<Data> {
        let mut found = source::load(wanted, weights)?;
        if task == Task::MultiLabel {
            found = with_labels(found)?;
        }
        let Found { name, train: samples, validation, test, origin, order, .. } = found;
        let part = |part: Option<Dataset>| match (settings.model(), part) {
            (Some(model), Some(part)) => for_model(model, part).map(Some),
            (_, part) => Ok(part),
        };
        let (validation, test) = (part(validation)?, part(test)?);
        let samples = match settings.model() {
            Some(model) => for_model(model, samples)?,
            None => samples,
        };
        let (split, validation_set) = match (&settings.validation_set, validation) {
            (Some(path), part) => {
                if part.is_some() {
                    warn(format_args!(
                        "--validation {}: used in place of the validation part of {name}",
                        path.display()
                    ));
                }
                let (validation, warnings) = validation_of(path, &samples, wanted)?;
                warnings.iter().for_each(warn);
                (None, Some(validation))
            }
            (None, Some(part)) => {
                check_share(&name, &part, settings)?;
                let count = part.len();
                let no_test = if test.is_none() { "; there is no test part" } else { "" };
                warn(format_args!(
                    "{name} has a validation part: its {count} samples validate the run{no_test}"
                ));
                (None, Some(part))
            }
            (None, None) => (hold_out(&samples, order, settings)?, None),
        };
        let name = match &wanted.data {
            Some(data) => source::short_name(data),
            None => name,
        };
        let training = TrainingSamples { samples, split, validation_set };
        training.check_distortion(settings)?;
        let named = wanted.data.as_deref().is_none_or(is_set_name);
        Ok(Data { name, origin, named, training, test })
    }
}

impl TrainingSamples {
    /// Whether the validation samples were not held out of the training samples.
    pub(crate) fn has_validation_set(&self) -> bool {
        self.validation_set.is_some()
    }

    /// The training samples and the validation samples.
    ///
    /// # Errors
    /// Those of [`Subset::new`]; none for what `hold_out` has made.
    pub(crate) fn sets(&self) -> Result<Sets<'_>> {
        Ok(match &self.split {
            Some(Split { train, held_out }) => Sets {
                train: Subset::new(&self.samples, train)?,
                validation: Some(Subset::new(&self.samples, held_out)?),
            },
            None => Sets {
                train: (&self.samples).into(),
                validation: self.validation_set.as_ref().map(Subset::from),
            },
        })
    }

    /// Whether the samples are read piece by piece.
    pub(crate) fn are_streamed(&self) -> bool {
        matches!(self.samples.inputs, Inputs::Streamed(_))
    }

    /// Checks that the data are images where these settings distort them.
    fn check_distortion(&self, settings: &Settings) -> Result<()> {
        let distortion = settings.config.regularization.distortion;
        if distortion != Distortion::NONE {
            let kernels = Kernels::detect().map_err(Error::argument)?;
            Distorter::for_data(distortion, &self.samples, kernels)
                .map_err(|error| error.context("--distort"))?;
        }
        Ok(())
    }
}

/// The data with labels in place of the numbers 0 and 1.
pub(crate) fn with_labels(found: Found) -> gradus::Result<Found> {
    let part = |part: Option<Dataset>| part.map(Dataset::with_labels).transpose();
    Ok(Found {
        train: found.train.with_labels()?,
        validation: part(found.validation)?,
        test: part(found.test)?,
        ..found
    })
}

/// A validation set with targets like those of the samples.
fn validation_of(
    path: &Path,
    samples: &Dataset,
    wanted: &LoadOptions,
) -> Result<(Dataset, Vec<String>)> {
    let Targets::Labels { values, names } = &samples.targets else {
        return Ok(load_validation(path, samples, wanted)?);
    };
    // It is read with the numbers 0 and 1, as the samples were.
    let values = values.iter().map(|&value| f32::from(value)).collect();
    let targets = Targets::Values { values, names: names.clone() };
    let numbers = Dataset { targets, ..samples.clone() };
    let (validation, warnings) = load_validation(path, &numbers, wanted)?;
    Ok((validation.with_labels()?, warnings))
}

/// The samples as a model that is trained on takes them: of its size, on its scale, and with its classes.
fn for_model(model: &Model, samples: Dataset) -> Result<Dataset> {
    let (found, expected) = (samples.features(), model.features());
    if found != expected {
        return Err(Error::argument(format!(
            "the model to train on takes {expected} values per sample, but the data have {found}"
        ))
        .into());
    }
    let (samples, warning) = dataset_to_scale_of(model, samples)?;
    warning.iter().for_each(warn);
    if model.task() != Task::Classification {
        return Ok(samples);
    }
    // A model of another program may not know its classes: it numbers them.
    let numbered = model.names().iter().enumerate().all(|(at, name)| *name == at.to_string());
    if numbered && samples.class_names().len() == model.names().len() {
        return Ok(samples);
    }
    let samples = samples.with_classes(model.names());
    Ok(samples.map_err(|error| error.context("the model to train on has other classes"))?)
}

/// Refuses a share to hold out if the data have a validation part: one of the two would not be used.
fn check_share(name: &str, part: &Dataset, settings: &Settings) -> Result<()> {
    match &settings.share {
        Some(share) => Err(Error::argument(format!(
            "--validation {share}: {name} has a validation part of {} samples; leave the option out to use it, or \
             give the training part alone as the data",
            part.len()
        ))
        .into()),
        None => Ok(()),
    }
}

/// Of fewer samples none are held out where nobody asks for it: they are needed to learn.
const LEAST_TO_HOLD_OUT: usize = 20;

/// Holds out a fraction of the samples for validation; none if the settings want none.
fn hold_out(samples: &Dataset, order: SampleOrder, settings: &Settings) -> Result<Option<Split>> {
    let (fraction, seed) = (settings.config.held_out_share(), settings.config.seed);
    let few = samples.len() < LEAST_TO_HOLD_OUT && settings.free.contains(&"validation");
    if fraction == 0.0 || few {
        return Ok(None);
    }
    let (train, held_out) = held_out(samples, order, fraction, seed);
    let numbers = |indices: Vec<usize>| indices.into_iter().map(u32::try_from).collect();
    let split = match (numbers(train), numbers(held_out)) {
        (Ok(train), Ok(held_out)) => Split { train, held_out },
        _ => {
            let samples = samples.len();
            let message = format!("{samples} samples are more than can be divided");
            return Err(Error::argument(message).into());
        }
    };
    if split.train.is_empty() || split.held_out.is_empty() {
        let samples = samples.len();
        return Err(Error::argument(format!(
            "--validation {fraction}: {samples} training samples are too few to hold out this fraction"
        ))
        .into());
    }
    Ok(Some(split))
}
