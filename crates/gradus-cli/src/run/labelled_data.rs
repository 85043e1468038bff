//! Labelled samples to measure a model on: a model and options in, samples with its classes or targets
//! out.

use std::fmt::Display;
use std::path::Path;

use anyhow::Result;
use gradus::classifier::Model;
use gradus::data::{Dataset, Found, LoadOptions, Task, is_set_name, load_single};
use gradus::{Error, ErrorKind};

use crate::args::SourceArgs;
use crate::run::output::{shape, warn};
use crate::run::scale::dataset_to_scale_of;
use crate::run::source::{self, DataRequest};

/// The labelled samples to evaluate with, and what to call them: those of `data`, else of the set
/// that the model was trained on.
pub(crate) fn labelled_data(
    model: &Model,
    data: Option<&Path>,
    reading: &SourceArgs,
) -> Result<(String, Dataset)> {
    let (trained_on, is_given) = (data_of(model), data.is_some());
    let data = match (data, trained_on.map(Path::new)) {
        (Some(data), _) => data,
        // The model records no folders: a file is found if it is in the current one.
        (None, Some(data)) if is_set_name(data) || data.exists() => data,
        (None, Some(data)) => {
            return Err(Error::argument(format!(
                "the model was trained on {}, which is not in this folder: give its path with \
                 --data, or other data",
                data.display()
            ))
            .into());
        }
        (None, None) => Path::new("mnist"),
    };
    let shown = data.display();
    let seed = model.provenance.seed().unwrap_or(0);
    let request = DataRequest::new(model.task(), Some(data), seed);
    let mut options = source::options(&request, reading)?;
    options.columns = model.columns.clone();
    options.doubles = model.transform.takes_doubles();
    options.types = source::types_of(model);
    options.used = source::used_by(model);
    options.fill = source::fill_of(model);
    options.colour = model.sample_shape.len() == 3 && model.image_size().is_none();
    let knows_targets = model.columns.as_ref().is_some_and(|it| !it.targets().is_empty());
    if model.task() != Task::Classification && options.label_column.is_none() && !knows_targets {
        options.label_column = Some(model.target_names().join(","));
    }
    if is_set_name(data) {
        let samples = measured_part(source::load(&options, None)?);
        return Ok((shown.to_string(), with_targets_of(samples, model, &shown)?));
    }
    options.image_size = options.image_size.or(model.image_size());
    let name = source::short_name(data);
    let held_out = match trained_on == Some(&name) {
        true => held_out_part(model, &options)?,
        false => None,
    };
    let data_set = match held_out {
        Some(test) => test,
        None if !is_given => {
            return Err(Error::argument(format!(
                "{shown} in this folder has no test part like the one the model was tested on: give \
                 other data with --data"
            ))
            .into());
        }
        None => {
            let (samples, warnings) = load_single(data, &options)?;
            warnings.iter().for_each(warn);
            samples
        }
    };
    Ok((name, with_targets_of(data_set, model, &shown)?))
}

/// The test part of the data, else their validation part.
fn measured_part(loaded: Found) -> Dataset {
    loaded.test.or(loaded.validation).unwrap_or(loaded.train)
}

/// On the data the model was trained on, only the held-out test set is informative; without one, the validation
/// part, with a note.
fn held_out_part(model: &Model, options: &LoadOptions) -> Result<Option<Dataset>> {
    let counts = model.provenance.samples.unwrap_or_default();
    let Ok(found) = gradus::data::find(options, &mut |_| {}) else { return Ok(None) };
    let loaded = match found.validation {
        Some(_) => found,
        None => match found.with_test_part(options.seed) {
            Ok(loaded) => loaded.into(),
            Err(_) => return Ok(None),
        },
    };
    let count = |part: &Option<Dataset>| part.as_ref().map_or(0, Dataset::len);
    // Held-out validation samples are a share of the training part, or a part of their own.
    let rest = [loaded.train.len(), loaded.train.len() + count(&loaded.validation)];
    let same =
        count(&loaded.test) == counts.test && rest.contains(&(counts.train + counts.validation));
    if !same {
        return Ok(None);
    }
    loaded.warnings.iter().for_each(warn);
    if loaded.test.is_none() {
        warn(format_args!(
            "{} has no test part: the model is measured on the validation part, which may have decided when \
             training ended",
            loaded.name
        ));
    }
    Ok(Some(measured_part(loaded)))
}

/// The samples with targets like the model's: labels are indices of its classes.
fn with_targets_of(
    samples: Dataset,
    model: &Model,
    from: &impl Display,
) -> gradus::Result<Dataset> {
    if samples.features() != model.features() {
        let (found, expected) = (&samples.sample_shape, &model.sample_shape);
        let message = format!(
            "{from}: its samples are {}, but the model takes {}: use data like the training data",
            shape(found),
            shape(expected)
        );
        return Err(Error::new(ErrorKind::InvalidData, message));
    }
    let (samples, warning) = dataset_to_scale_of(model, samples)?;
    warning.iter().for_each(warn);
    match model.task() {
        Task::Classification => {
            samples.with_classes(model.names()).map_err(|error| error.context(from))
        }
        Task::MultiLabel => samples.with_labels().map_err(|error| error.context(from)),
        Task::Regression => Ok(samples),
    }
}

/// The name of the data that a model was trained on, which are the default data to evaluate it on.
pub(crate) fn data_of(model: &Model) -> Option<&str> {
    model.provenance.data.as_deref()
}
