//! The scale of raw values: samples in, the same samples on the scale that a model was trained on out,
//! with a warning if they were not.

use gradus::Result;
use gradus::classifier::{Model, ValueRange};
use gradus::data::{Dataset, Inputs};

/// The inputs on the model's scale, and a warning if they were on another. The grey levels of images are
/// converted, from bytes and to them; anything else stays as it is.
pub(crate) fn to_scale_of(model: &Model, inputs: Inputs) -> Result<(Inputs, Option<String>)> {
    match inputs {
        Inputs::Bytes(levels) if are_grey_levels(model, &levels) => {
            let warning =
                "the model was trained on numbers from 0 to 1: grey levels are divided by 255";
            Ok((model.inputs.image(levels)?, Some(warning.to_owned())))
        }
        Inputs::Floats(values) if are_shares(model, &values) => {
            let warning = "the model was trained on grey levels from 0 to 255: numbers from 0 to 1 are multiplied by 255";
            Ok((grey_levels(&values), Some(warning.to_owned())))
        }
        inputs => {
            let warning = model.mismatch(&inputs);
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
        && model.image_size().is_some()
        && bytes.iter().any(|&level| level > 1)
}

/// Whether the numbers are grey levels divided by 255, for a model of images that takes bytes.
fn are_shares(model: &Model, values: &[f32]) -> bool {
    model.inputs.values == ValueRange::Bytes
        && model.image_size().is_some()
        && values.iter().all(|value| (0.0..=1.0).contains(value))
        && values.iter().any(|&value| value > 0.0)
}

/// Numbers from 0 to 1 as grey levels: bytes if they were bytes before, which half precision may have rounded.
fn grey_levels(values: &[f32]) -> Inputs {
    const ROUNDED: f32 = 0.2;
    let levels = || values.iter().map(|value| value * 255.0);
    match levels().all(|level| (level - level.round()).abs() < ROUNDED) {
        true => Inputs::Bytes(levels().map(|level| level.round() as u8).collect()),
        false => Inputs::Floats(levels().collect()),
    }
}
