//! What an array becomes as samples: its shape and its values in parts in, the form of the samples out.
//!
//! Bytes stay bytes. Other numbers become bytes, too, if the samples have the shape of images and all values are grey levels; all
//! else becomes single-precision floats, or stays double where single precision would blur it.

use std::collections::HashSet;

use gradus_core::samples::Precision;

use super::array::{Array, Values, for_each_type, without_channel};
use super::{Inputs, image_shape, invalid};
use crate::error::Result;

/// What all values have in common, as far as it says whether they are light.
#[derive(Debug, Clone)]
pub(crate) struct Light {
    /// Whether all are whole numbers from 0 to 255.
    are_levels: bool,
    /// Whether one is above 1.
    exceed_one: bool,
    /// Whether all are from 0 to 1.
    are_shares: bool,
    are_bytes: bool,
    are_floats: bool,
}

impl Default for Light {
    fn default() -> Light {
        let (are_levels, exceed_one, are_shares) = (true, false, true);
        Light { are_levels, exceed_one, are_shares, are_bytes: false, are_floats: false }
    }
}

impl Light {
    /// Adds values, all of one type.
    #[expect(clippy::unnecessary_cast)]
    pub(crate) fn add(&mut self, values: &Values) {
        self.are_bytes = matches!(values, Values::U8(_));
        self.are_floats = matches!(values, Values::F32(_) | Values::F64(_));
        if let Values::U8(values) = values {
            self.exceed_one = self.exceed_one || values.iter().any(|&value| value > 1);
            return;
        }
        for_each_type!(values, values => {
            let is_level = |value: f64| (0.0..=255.0).contains(&value) && value.fract() == 0.0;
            self.are_levels = self.are_levels && values.iter().all(|&it| is_level(it as f64));
            self.exceed_one = self.exceed_one || values.iter().any(|&it| it as f64 > 1.0);
            self.are_shares =
                self.are_shares && values.iter().all(|&it| (0.0..=1.0).contains(&(it as f64)));
        });
    }

    /// Whether the values are grey levels: whole numbers in 0..=255, not only 0 and 1.
    fn are_grey_levels(&self) -> bool {
        self.are_levels && self.exceed_one
    }

    /// Whether the values may be intensities of light: bytes, or from 0 to 1.
    pub(crate) fn is_intensity(&self) -> bool {
        match (self.are_bytes, self.are_floats) {
            (true, _) => true,
            (_, true) => self.are_shares,
            _ => self.are_grey_levels(),
        }
    }
}

/// What all samples of an array have in common.
#[derive(Debug, Clone)]
pub(crate) struct ArrayTraits {
    sample_shape: Vec<usize>,
    /// The shape as images; none for samples that cannot be any.
    image: Option<Vec<usize>>,
    light: Light,
    /// Different values from 0 to 1 among the first ones, ...
    levels: HashSet<u64>,
    /// ... of which so many were looked at.
    looked_at: usize,
    /// Of samples that come in parts.
    precision: Option<Precision>,
}

impl ArrayTraits {
    /// Of no samples yet, which are the rows of an array of this shape and will be added at once.
    ///
    /// # Errors
    /// `InvalidData` for an array that holds no samples.
    pub(crate) fn of_samples(shape: &[usize]) -> Result<ArrayTraits> {
        let Some((_, sample_shape)) = shape.split_first().filter(|(_, rest)| !rest.is_empty())
        else {
            return Err(invalid(format!(
                "an array of shape {shape:?} holds no samples: expected samples x features, or samples x height x width"
            )));
        };
        let sample_shape = without_channel(sample_shape);
        let (image, light) = (image_shape(&sample_shape), Light::default());
        let (levels, looked_at, precision) = (HashSet::new(), 0, None);
        Ok(ArrayTraits { sample_shape, image, light, levels, looked_at, precision })
    }

    /// As [`Self::of_samples`], for samples that will be added in parts.
    ///
    /// # Errors
    /// As [`Self::of_samples`].
    pub(crate) fn of_parts(shape: &[usize]) -> Result<ArrayTraits> {
        let traits = ArrayTraits::of_samples(shape)?;
        Ok(ArrayTraits { precision: Some(Precision::default()), ..traits })
    }

    /// Adds the values of samples.
    pub(crate) fn add(&mut self, values: &Values) {
        if self.image.is_some() {
            self.light.add(values);
            match values {
                Values::F32(values) => self.add_levels(values),
                Values::F64(values) => self.add_levels(values),
                _ => {}
            }
        }
        if let Some(precision) = &mut self.precision
            && matches!(values, Values::F64(_) | Values::I64(_) | Values::I32(_))
        {
            precision.add(&values.to_f64(), self.sample_shape.iter().product());
        }
    }

    fn add_levels<T: Copy + Into<f64>>(&mut self, values: &[T]) {
        // Enough to tell.
        const LOOKED_AT: usize = 1 << 20;
        if self.sample_shape.len() > 1 || !self.light.are_shares {
            return;
        }
        for &value in values.iter().take(LOOKED_AT - self.looked_at) {
            if self.levels.len() > MOST_LEVELS {
                return;
            }
            self.levels.insert(value.into().to_bits());
            self.looked_at += 1;
        }
    }

    /// Whether rows are grey levels that were scaled to 0 to 1: no more different values than bytes have, or as many pixels as
    /// MNIST's images. A table whose columns were scaled has more.
    fn are_shares_of_white(&self) -> bool {
        let levels = self.levels.len();
        self.light.are_floats
            && self.light.are_shares
            && match self.image.as_deref() {
                Some([28, 28]) => levels > 1,
                _ => levels <= MOST_LEVELS && levels > 2,
            }
    }

    /// What the samples become; with `doubles`, 64-bit numbers stay so in any case.
    pub(crate) fn form(&self, doubles: bool) -> ArrayForm {
        let (light, is_row) = (&self.light, self.sample_shape.len() == 1);
        let are_levels = self.image.is_some() && !light.are_bytes && light.are_grey_levels();
        // Rows of grey levels from 0 to 1 are images as those of bytes are.
        let are_images = is_row
            && match light.are_bytes {
                true => light.exceed_one,
                false => self.are_shares_of_white(),
            };
        let sample_shape = match &self.image {
            Some(image) if are_images || are_levels => image.clone(),
            _ => self.sample_shape.clone(),
        };
        let doubles = match &self.precision {
            _ if doubles => Some(true),
            Some(precision) => Some(precision.needs_doubles()),
            None => None,
        };
        ArrayForm { sample_shape, are_levels, doubles }
    }
}

/// The most different values that are grey levels.
const MOST_LEVELS: usize = 256;

/// The form of samples.
#[derive(Debug, Clone)]
pub(crate) struct ArrayForm {
    pub(crate) sample_shape: Vec<usize>,
    /// Whether numbers become bytes.
    are_levels: bool,
    /// Whether 64-bit numbers, and whole ones of 32 bits, stay in double precision; if it is none, the values decide.
    doubles: Option<bool>,
}

impl ArrayForm {
    /// Values as inputs of this form.
    #[expect(clippy::unnecessary_cast)]
    pub(crate) fn inputs(&self, values: Values) -> Inputs {
        match values {
            Values::U8(bytes) => Inputs::Bytes(bytes),
            values if self.are_levels => Inputs::Bytes(for_each_type!(values, values => {
                values.iter().map(|&value| value as u8).collect()
            })),
            Values::F32(values) => Inputs::Floats(values),
            Values::F64(values) => self.of_doubles(values),
            values @ (Values::I64(_) | Values::I32(_)) => self.of_doubles(values.to_f64()),
            values => Inputs::Floats(values.to_f32()),
        }
    }

    fn of_doubles(&self, values: Vec<f64>) -> Inputs {
        match self.doubles {
            Some(true) => Inputs::Doubles(values),
            Some(false) => Inputs::Floats(values.into_iter().map(|value| value as f32).collect()),
            None => Inputs::of_doubles(values, self.sample_shape.iter().product()),
        }
    }
}

impl Array {
    /// The rows as inputs of a data set, with the shape of one sample.
    ///
    /// Bytes stay bytes. Other numbers become bytes, too, if the samples have the shape of images
    /// and all values are grey levels (whole numbers in 0..=255, not only 0 and 1); all else becomes
    /// `f32`, or stays `f64` if single precision would blur it or `doubles` says so. A single colour channel is dropped. Rows of a square number of
    /// grey levels, as bytes or from 0 to 1, get the shape of an image.
    pub fn into_inputs(self) -> Result<(Inputs, Vec<usize>)> {
        self.into_inputs_as(false)
    }

    /// As [`Self::into_inputs`]; with `doubles`, 64-bit numbers stay `f64` in any case.
    ///
    /// # Errors
    /// As [`Self::into_inputs`].
    pub fn into_inputs_as(self, doubles: bool) -> Result<(Inputs, Vec<usize>)> {
        let mut traits = ArrayTraits::of_samples(&self.shape)?;
        traits.add(&self.values);
        let form = traits.form(doubles);
        Ok((form.inputs(self.values), form.sample_shape))
    }
}

/// The least height and width of images in colour.
const MIN_COLOUR_SIDE: usize = 8;

impl Array {
    /// Images in colour as grey ones, as images in files are read: red, green and blue are the last axis of each sample
    /// or the first, in bytes or in numbers from 0 to 1. The second value says what was done; other arrays stay as they
    /// are.
    ///
    /// # Errors
    /// `InvalidData` for images with transparency.
    pub fn without_colour(self) -> Result<(Array, Option<String>)> {
        match colour_of(&self.shape) {
            Some(colour) if is_intensity(&self.values) => {
                let message = colour.conversion()?;
                let shape = vec![self.samples(), colour.height, colour.width];
                Ok((Array { values: colour.to_grey(self.values), shape }, Some(message)))
            }
            _ => Ok((self, None)),
        }
    }
}

/// How images in colour lie in an array.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Colour {
    pub(crate) height: usize,
    pub(crate) width: usize,
    channels: usize,
    /// Whether the channels are the last axis, not the first of a sample.
    is_last: bool,
}

/// How images in colour lie in an array of this shape; none for one of other samples.
pub(crate) fn colour_of(shape: &[usize]) -> Option<Colour> {
    let is_side = |side: usize| side >= MIN_COLOUR_SIDE;
    // Of two axes that may be the channels, the last one is taken.
    match *shape {
        [_, height, width, channels @ (3 | 4)] if is_side(height) && is_side(width) => {
            Some(Colour { height, width, channels, is_last: true })
        }
        [_, channels @ (3 | 4), height, width] if is_side(height) && is_side(width) => {
            Some(Colour { height, width, channels, is_last: false })
        }
        _ => None,
    }
}

impl Colour {
    /// What is done to such images.
    ///
    /// # Errors
    /// `InvalidData` for images with transparency.
    pub(crate) fn conversion(&self) -> Result<String> {
        let Colour { height, width, channels, .. } = self;
        let found = format!("images of {height} x {width} in {channels} channels");
        match channels {
            4 => Err(invalid(format!(
                "{found}: transparency is not supported in arrays; save them in grey, or in red, green and blue"
            ))),
            _ => Ok(format!("{found} are converted to grey: 0.299 red + 0.587 green + 0.114 blue")),
        }
    }

    /// Values of red, green and blue, bytes or from 0 to 1, as grey ones.
    #[expect(clippy::unnecessary_cast)]
    pub(crate) fn to_grey(self, values: Values) -> Values {
        let pixels = self.height * self.width;
        let places = |sample: usize, pixel: usize| match self.is_last {
            true => [0, 1, 2].map(|channel| (sample * pixels + pixel) * 3 + channel),
            false => [0, 1, 2].map(|channel| (sample * 3 + channel) * pixels + pixel),
        };
        let shape = [values.len() / (3 * pixels), pixels];
        match values {
            Values::U8(values) => Values::U8(grey(&places, shape, |[red, green, blue]| {
                let [red, green, blue] = [values[red], values[green], values[blue]].map(u32::from);
                ((299 * red + 587 * green + 114 * blue + 500) / 1000) as u8
            })),
            other @ (Values::F32(_) | Values::F64(_)) => {
                let values = other.to_f32();
                Values::F32(grey(&places, shape, |[red, green, blue]| {
                    0.299 * values[red] + 0.587 * values[green] + 0.114 * values[blue]
                }))
            }
            other => self.to_grey(Values::U8(for_each_type!(other, values => {
                values.iter().map(|&value| value as u8).collect()
            }))),
        }
    }
}

/// The grey values of the pixels of all samples.
fn grey<T>(
    places: &impl Fn(usize, usize) -> [usize; 3],
    [samples, pixels]: [usize; 2],
    luma: impl Fn([usize; 3]) -> T,
) -> Vec<T> {
    let all = (0..samples).flat_map(|sample| (0..pixels).map(move |pixel| (sample, pixel)));
    all.map(|(sample, pixel)| luma(places(sample, pixel))).collect()
}

/// Whether values may be intensities of light: bytes, or from 0 to 1.
fn is_intensity(values: &Values) -> bool {
    let mut light = Light::default();
    light.add(values);
    light.is_intensity()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(shape: &[usize], values: Values) -> Array {
        Array { shape: shape.to_vec(), values }
    }

    #[test]
    fn bytes_stay_bytes_and_a_single_channel_is_dropped() {
        let (inputs, shape) =
            array(&[2, 1, 2, 1], Values::U8(vec![1, 2, 3, 4])).into_inputs().unwrap();
        assert_eq!((inputs, shape), (Inputs::Bytes(vec![1, 2, 3, 4]), vec![1, 2]));
    }

    #[test]
    fn rows_of_grey_levels_are_images() {
        let shape = |shape: &[usize], values| array(shape, values).into_inputs().unwrap().1;
        let shares =
            |levels: u32| (0..1568).map(move |at| (at % levels) as f32 / (levels - 1) as f32);
        assert_eq!(shape(&[2, 784], Values::F32(shares(256).collect())), [28, 28]);
        assert_eq!(shape(&[2, 784], Values::F64(shares(700).map(f64::from).collect())), [28, 28]);
        assert_eq!(shape(&[2, 784], Values::U8(vec![7; 1568])), [28, 28]);
        let first = |count: usize| shares(200).take(count).collect::<Vec<_>>();
        assert_eq!(shape(&[2, 64], Values::F32(first(128))), [8, 8]);
        assert_eq!(shape(&[2, 8, 8, 1], Values::F32(first(128))), [8, 8]);
        assert_eq!(shape(&[2, 1, 8, 8], Values::F32(first(128))), [8, 8]);
        // Tables: scaled columns, truth values, another width, other numbers.
        let scaled = (0..784).map(|at| at as f32 / 1000.0).collect();
        assert_eq!(shape(&[1, 784], Values::F32(vec![0.5; 784])), [784]);
        assert_eq!(shape(&[49, 16], Values::F32(scaled)), [16]);
        assert_eq!(shape(&[7, 81], Values::F32(shares(567).take(567).collect())), [81]);
        assert_eq!(shape(&[2, 64], Values::F32(vec![1.0; 128])), [64]);
        assert_eq!(shape(&[1, 64], Values::F32(vec![-0.5; 64])), [64]);
    }

    #[test]
    fn colour_becomes_grey_as_in_files() {
        let colours = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]];
        let levels = [76, 150, 29, 9];
        let last: Vec<u8> = (0..128).flat_map(|at| colours[at % 4]).collect();
        // Of each sample all reds, then all greens, then all blues.
        let first: Vec<u8> = (0..2)
            .flat_map(|_| {
                (0..3).flat_map(|channel| (0..64).map(move |at| colours[at % 4][channel]))
            })
            .collect();
        let expected: Vec<u8> = (0..128).map(|at| levels[at % 4]).collect();
        for (shape, values) in [([2, 8, 8, 3], &last), ([2, 3, 8, 8], &first)] {
            let bytes = array(&shape, Values::U8(values.clone()));
            let (grey, message) = bytes.without_colour().unwrap();
            assert_eq!(grey, array(&[2, 8, 8], Values::U8(expected.clone())));
            assert!(message.unwrap().contains("converted to grey"));
            let whole = values.iter().map(|&it| i64::from(it)).collect();
            let (grey, _) = array(&shape, Values::I64(whole)).without_colour().unwrap();
            assert_eq!(grey.values, Values::U8(expected.clone()));
            let shares = values.iter().map(|&it| f64::from(it) / 255.0).collect();
            let (grey, _) = array(&shape, Values::F64(shares)).without_colour().unwrap();
            let Values::F32(grey) = grey.values else { panic!("no floats") };
            for (grey, expected) in grey.iter().zip(&expected) {
                assert!((grey * 255.0 - f32::from(*expected)).abs() < 0.51);
            }
        }
        let error = array(&[1, 8, 8, 4], Values::U8(vec![0; 256])).without_colour().unwrap_err();
        assert!(error.to_string().contains("transparency"));
        for other in [
            array(&[1, 2, 2, 3], Values::U8(vec![0; 12])),
            array(&[1, 8, 8, 3], Values::F32(vec![-1.0; 192])),
            array(&[1, 8, 8], Values::U8(vec![0; 64])),
        ] {
            assert_eq!(other.clone().without_colour().unwrap(), (other, None));
        }
    }

    #[test]
    fn images_in_another_type_become_bytes() {
        let (inputs, shape) = array(&[1, 64], Values::F64(vec![16.0; 64])).into_inputs().unwrap();
        assert_eq!((inputs, shape), (Inputs::Bytes(vec![16; 64]), vec![8, 8]));
        let (inputs, _) = array(&[1, 1, 2], Values::I64(vec![0, 255])).into_inputs().unwrap();
        assert_eq!(inputs, Inputs::Bytes(vec![0, 255]));
    }

    #[test]
    fn everything_else_becomes_floats() {
        let floats = |shape: &[usize], values| match array(shape, values).into_inputs().unwrap() {
            (Inputs::Floats(values), _) => values,
            other => panic!("bytes: {other:?}"),
        };
        assert_eq!(floats(&[1, 2], Values::I16(vec![3, 4])), [3.0, 4.0]); // a table, not an image
        assert_eq!(floats(&[1, 1, 2], Values::I16(vec![-3, 4])), [-3.0, 4.0]);
        assert_eq!(floats(&[1, 1, 2], Values::F32(vec![0.5, 4.0])), [0.5, 4.0]);
        assert_eq!(floats(&[1, 1, 2], Values::F32(vec![0.0, 1.0])), [0.0, 1.0]); // already 0..1
    }
}
