//! Which raw values a model takes: what an image's grey levels must become before the model sees them.

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::samples::{Inputs, Rows, Subset, Sums};
use crate::transform::Transform;

/// Numbers beyond this do not count as numbers from 0 to 1: an unseen sample of scaled data may
/// exceed the training data's range, but not by that much.
const BEYOND_UNIT: f32 = 2.0;

/// A transform that divides by this or more is for raw values in the tens or hundreds.
const STD_OF_BYTES: f32 = 16.0;

/// The raw values that a model was trained on. It is part of the model: the transform alone does not
/// tell whether a grey level goes in as 200 or as 200 / 255.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputKind {
    /// Their range.
    pub values: ValueRange,
    /// Whether the images looked like MNIST's: fitted into a box and centred by mass. If unknown, images
    /// of 28 x 28 are taken to look so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mnist_form: Option<bool>,
}

/// The range of raw values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueRange {
    /// The model does not say: another program or an older gradus wrote it. Images go in as bytes.
    #[default]
    Unknown,
    /// Whole numbers from 0 to 255: an image's grey levels as they are.
    Bytes,
    /// Numbers from 0 to 1: an image's grey levels divided by 255.
    Unit,
    /// Anything else, such as columns of a table or standardized pixels. How the grey levels of an
    /// image would become such numbers is not known.
    Floats,
}

impl ValueRange {
    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            ValueRange::Unknown => "unknown",
            ValueRange::Bytes => "bytes",
            ValueRange::Unit => "unit",
            ValueRange::Floats => "floats",
        }
    }

    /// The range of these values.
    pub fn of(inputs: Rows) -> ValueRange {
        match inputs {
            // Truth values are stored as bytes too.
            Rows::Bytes(values) if values.contains(&1) && values.iter().all(|&it| it <= 1) => {
                ValueRange::Unit
            }
            Rows::Bytes(_) => ValueRange::Bytes,
            Rows::Floats(values) => ValueRange::of_floats(values),
            // Grey levels need no double precision.
            Rows::Doubles(_) | Rows::Table(_) => ValueRange::Floats,
            Rows::Streamed(_) => ValueRange::Unknown,
            Rows::Sparse(rows) => ValueRange::of_floats(rows.values()),
        }
    }

    /// The range of the values of these samples.
    ///
    /// # Errors
    /// Those of reading samples that are not in memory.
    pub(crate) fn of_subset(data: &Subset) -> Result<ValueRange> {
        match data.streamed() {
            Some(streamed) if !matches!(streamed.kind(), Rows::Table(_)) => {
                Ok(ValueRange::of_sums(&data.sums()?, streamed.kind()))
            }
            Some(streamed) => Ok(ValueRange::of(streamed.kind())),
            None => Ok(ValueRange::of(data.data().inputs.rows())),
        }
    }

    /// The range of the values, of the kind of `rows`, that these are the sums of.
    fn of_sums(sums: &Sums, rows: Rows) -> ValueRange {
        match (rows, sums.range()) {
            (Rows::Bytes(_), (_, 1.0)) => ValueRange::Unit,
            (Rows::Bytes(_), _) => ValueRange::Bytes,
            (Rows::Floats(_), (least, most)) if least >= 0.0 && most <= 1.0 => ValueRange::Unit,
            _ => ValueRange::Floats,
        }
    }

    fn of_floats(values: &[f32]) -> ValueRange {
        // Whole blocks without an early exit, so that the compiler can take many values at a time.
        let all = |holds: fn(f32) -> bool| {
            let sound = |block: &[f32]| block.iter().fold(true, |all, &it| all & holds(it));
            values.chunks(256).all(sound)
        };
        if all(|it| (0.0..=1.0).contains(&it)) {
            ValueRange::Unit
        } else if all(|it| (0.0..=255.0).contains(&it) && it.fract() == 0.0) {
            ValueRange::Bytes
        } else {
            ValueRange::Floats
        }
    }
}

impl InputKind {
    /// The kind of these training inputs.
    pub fn of(inputs: Rows) -> InputKind {
        InputKind { values: ValueRange::of(inputs), mnist_form: None }
    }

    /// What a transform tells about the values that it was fitted to, for a model that does not say it.
    pub fn guess(transform: &Transform) -> InputKind {
        let (_, stds) = transform.means_and_stds();
        let values = match stds.iter().any(|&std| std >= STD_OF_BYTES) {
            true => ValueRange::Bytes,
            false => ValueRange::Unknown,
        };
        InputKind { values, mnist_form: None }
    }

    /// What an image's grey levels are divided by: 1, or 255 for numbers from 0 to 1.
    ///
    /// # Errors
    /// `InvalidData` if the model was trained on other numbers.
    pub fn divisor(&self) -> Result<f32> {
        match self.values {
            ValueRange::Unknown | ValueRange::Bytes => Ok(1.0),
            ValueRange::Unit => Ok(255.0),
            ValueRange::Floats => Err(Error::new(
                ErrorKind::InvalidData,
                "the model was trained on other numbers than grey levels from 0 to 255 or from 0 to 1: \
                 save the image in the model's own scale as an .npy file",
            )),
        }
    }

    /// An image's grey levels as the raw values that the model takes.
    ///
    /// # Errors
    /// As [`Self::divisor`].
    pub fn image(&self, pixels: Vec<u8>) -> Result<Inputs> {
        let divisor = self.divisor()?;
        Ok(match self.values {
            ValueRange::Unit => {
                Inputs::Floats(pixels.iter().map(|&level| f32::from(level) / divisor).collect())
            }
            _ => Inputs::Bytes(pixels),
        })
    }

    /// What to tell someone who gives the model an image, if the model does not say what it takes.
    pub fn image_warning(&self) -> Option<&'static str> {
        (self.values == ValueRange::Unknown).then_some(
            "the model does not say whether it was trained on grey levels from 0 to 255 or from 0 to 1: \
             0 to 255 is assumed",
        )
    }

    /// Why these samples look as if they were on another scale than the training data; `image` says
    /// whether samples are images.
    pub fn mismatch(&self, inputs: Rows, image: bool) -> Option<String> {
        match (self.values, inputs) {
            (ValueRange::Unknown | ValueRange::Floats, _)
            | (_, Rows::Table(_) | Rows::Streamed(_)) => {
                return None;
            }
            // The usual case, without looking at all of the values.
            (ValueRange::Bytes, Rows::Bytes(values)) if values.iter().any(|&it| it > 1) => {
                return None;
            }
            _ => {}
        }
        let (least, most, whole) = range(inputs);
        match self.values {
            ValueRange::Bytes if least >= 0.0 && most > 0.0 && most <= 1.0 && (image || !whole) => {
                Some(format!(
                    "the model was trained on bytes, whole numbers from 0 to 255, but these samples have \
                     {least} to {most}: multiply them by 255 if they were divided by it"
                ))
            }
            ValueRange::Unit if most > BEYOND_UNIT => Some(format!(
                "the model was trained on numbers from 0 to 1, but these samples have {least} to \
                 {most}: scale them as the training data were scaled (grey levels are divided by 255)"
            )),
            _ => None,
        }
    }
}

/// The smallest and the largest value, and whether all are whole numbers.
fn range(inputs: Rows) -> (f32, f32, bool) {
    let of_floats = |values: &[f32]| {
        let first = (f32::INFINITY, f32::NEG_INFINITY, true);
        values.iter().fold(first, |(least, most, whole), &value| {
            (least.min(value), most.max(value), whole & (value.fract() == 0.0))
        })
    };
    match inputs {
        Rows::Bytes(values) => {
            let (least, most) = values
                .iter()
                .fold((u8::MAX, 0), |(least, most), &value| (least.min(value), most.max(value)));
            (least.into(), most.into(), true)
        }
        Rows::Floats(values) => of_floats(values),
        Rows::Doubles(values) => {
            of_floats(&values.iter().map(|&value| value as f32).collect::<Vec<_>>())
        }
        // Zeros are left out of sparse rows.
        Rows::Sparse(rows) => {
            let (least, most, whole) = of_floats(rows.values());
            (least.min(0.0), most.max(0.0), whole)
        }
        // Its columns have ranges of their own.
        Rows::Table(_) => (f32::NEG_INFINITY, f32::INFINITY, false),
        // The first sample says nothing about the others, so that nobody is warned.
        Rows::Streamed(_) => (f32::NEG_INFINITY, f32::INFINITY, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f32]) -> ValueRange {
        ValueRange::of(Rows::Floats(values))
    }

    #[test]
    fn training_data_tell_what_an_image_becomes() {
        assert_eq!(ValueRange::of(Rows::Bytes(&[0, 7, 255])), ValueRange::Bytes);
        assert_eq!(ValueRange::of(Rows::Bytes(&[0, 1, 1])), ValueRange::Unit);
        assert_eq!(ValueRange::of(Rows::Bytes(&[0, 0])), ValueRange::Bytes);
        assert_eq!(of(&[0.0, 200.0 / 255.0, 1.0]), ValueRange::Unit);
        assert_eq!(of(&[0.0, 200.0, 255.0]), ValueRange::Bytes);
        assert_eq!(of(&[-0.42, 0.0, 2.82]), ValueRange::Floats);
        assert_eq!(of(&[0.0, 256.0]), ValueRange::Floats);
        let image = |values| InputKind { values, mnist_form: None }.image(vec![0, 51, 255]);
        assert_eq!(image(ValueRange::Bytes).unwrap(), Inputs::Bytes(vec![0, 51, 255]));
        assert_eq!(image(ValueRange::Unknown).unwrap(), Inputs::Bytes(vec![0, 51, 255]));
        assert_eq!(image(ValueRange::Unit).unwrap(), Inputs::Floats(vec![0.0, 0.2, 1.0]));
        assert!(image(ValueRange::Floats).is_err());
    }

    #[test]
    fn samples_on_another_scale_are_noticed() {
        let reported = |values, inputs: &[f32], image| {
            let kind = InputKind { values, mnist_form: None };
            kind.mismatch(Rows::Floats(inputs), image).is_some()
        };
        assert!(reported(ValueRange::Bytes, &[0.0, 0.5, 1.0], false));
        assert!(reported(ValueRange::Bytes, &[0.0, 1.0], true));
        // A row of a table may hold small counts, and an image may be empty.
        assert!(!reported(ValueRange::Bytes, &[0.0, 1.0], false));
        assert!(!reported(ValueRange::Bytes, &[0.0, 0.0], true));
        assert!(!reported(ValueRange::Bytes, &[0.0, 90.0], true));
        assert!(reported(ValueRange::Unit, &[0.0, 255.0], true));
        assert!(!reported(ValueRange::Unit, &[-0.1, 1.2], false));
        for values in [ValueRange::Floats, ValueRange::Unknown] {
            assert!(!reported(values, &[0.0, 255.0], true) && !reported(values, &[0.0, 0.5], true));
        }
    }

    #[test]
    fn a_transform_for_large_numbers_is_for_bytes() {
        let guess = |mean, std| InputKind::guess(&Transform::scalar(mean, std)).values;
        assert_eq!(guess(0.0, 255.0), ValueRange::Bytes);
        assert_eq!(guess(33.3, 78.6), ValueRange::Bytes);
        assert_eq!(guess(0.13, 0.31), ValueRange::Unknown);
        assert_eq!(guess(0.0, 1.0), ValueRange::Unknown);
    }
}
