//! The scale of raw values: samples in, the same samples on the scale that a model was trained on out,
//! with a warning if they were not.

use gradus::Result;
use gradus::classifier::{Model, ValueRange};
use gradus::data::{Dataset, Inputs};

/// The inputs on the model's scale, and a warning if they were on another. The grey levels of images are
/// converted; anything else stays as it is.
pub(crate) fn to_scale_of(model: &Model, inputs: Inputs) -> Result<(Inputs, Option<String>)> {
    match inputs {
        Inputs::Bytes(levels) if are_grey_levels(model, &levels) => {
            let warning =
                "the model was trained on numbers from 0 to 1: grey levels are divided by 255";
            Ok((model.inputs.image(levels)?, Some(warning.to_owned())))
        }
        inputs => {
            let warning = model.scale_mismatch(&inputs);
            Ok((inputs, warning))
        }
    }
}

/// The same for a data set.
pub(crate) fn dataset_to_scale_of(
    model: &Model,
    mut data: Dataset,
) -> Result<(Dataset, Option<String>)> {
    let (inputs, warning) = to_scale_of(model, data.inputs)?;
    data.inputs = inputs;
    Ok((data, warning))
}

/// Whether the bytes are grey levels for a model of images that takes numbers from 0 to 1.
pub(crate) fn are_grey_levels(model: &Model, bytes: &[u8]) -> bool {
    model.inputs.values == ValueRange::Unit
        && model.takes_images()
        && bytes.iter().any(|&level| level > 1)
}
