//! The data of a training run: options and settings in, training, validation and test sets out.

use std::path::Path;

use anyhow::Result;
use gradus::Error;
use gradus::data::distort::{Distorter, Distortion};
use gradus::data::split::split_samples;
use gradus::data::{Dataset, LoadOptions, Loaded, load_matching};
use gradus::network::Kernels;

use crate::run::output::warn;
use crate::run::settings::Settings;
use crate::run::source;

/// The data of a training run.
pub(crate) struct Data {
    pub(crate) name: String,
    pub(crate) origin: String,
    pub(crate) train: Dataset,
    pub(crate) validation: Option<Dataset>,
    pub(crate) test: Dataset,
}

impl Data {
    pub(crate) fn load(
        wanted: &LoadOptions,
        settings: &Settings,
        weights: Option<&Path>,
    ) -> Result<Data> {
        let Loaded { name, train, test, origin, .. } = source::load(wanted, weights)?;
        let (train, validation) = match &settings.validation_set {
            Some(path) => {
                let (validation, warnings) = load_matching(path, &train, wanted)?;
                warnings.iter().for_each(warn);
                (train, Some(validation))
            }
            None => hold_out(train, settings)?,
        };
        let data = Data { name: source::short_name(&name), origin, train, validation, test };
        data.check_distortion(settings)?;
        Ok(data)
    }

    /// Checks that the data are images where these settings distort them.
    fn check_distortion(&self, settings: &Settings) -> Result<()> {
        let distortion = settings.config.regularization.distortion;
        if distortion != Distortion::NONE {
            let kernels = Kernels::detect().map_err(Error::argument)?;
            Distorter::for_data(distortion, &self.train, kernels)
                .map_err(|error| error.context("--distort"))?;
        }
        Ok(())
    }

    /// The training and validation sets; the test set is dropped.
    pub(crate) fn without_test(self) -> (Dataset, Option<Dataset>) {
        (self.train, self.validation)
    }
}

/// Holds out a fraction of the training data for validation.
fn hold_out(train: Dataset, settings: &Settings) -> Result<(Dataset, Option<Dataset>)> {
    let (fraction, seed) = (settings.config.validation, settings.config.seed);
    if fraction == 0.0 {
        return Ok((train, None));
    }
    let (train_indices, held_out) = split_samples(&train, fraction, seed);
    if train_indices.is_empty() || held_out.is_empty() {
        let samples = train.len();
        return Err(Error::argument(format!(
            "--validation {fraction}: {samples} training samples are too few to hold out this fraction"
        ))
        .into());
    }
    Ok((train.subset(&train_indices), Some(train.subset(&held_out))))
}
