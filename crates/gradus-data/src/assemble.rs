//! From arrays and labels to data sets. Sizes are compared, classes are named, and a test part is
//! converted to the form of its training part.

use gradus_core::samples::blurred_targets;

use super::array::Array;
use super::labels::{Classes, Labels};
use super::npy::Content;
use super::parts::{Part, Parts};
use super::{Dataset, Inputs, Targets, invalid};
use crate::error::{Error, Result};

/// A data set from samples and one class index for each; with `doubles`, 64-bit numbers stay as they are.
///
/// # Errors
/// `InvalidData` if the counts differ, there is no sample, or a label has no class.
pub(crate) fn labelled(
    samples: Array,
    labels: Vec<u32>,
    class_names: Vec<String>,
    doubles: bool,
) -> Result<Dataset> {
    if samples.samples() != labels.len() {
        return Err(invalid(format!(
            "{} samples but {} labels: they do not belong together, or one of them is truncated",
            samples.samples(),
            labels.len()
        )));
    }
    let (inputs, sample_shape) = samples.into_inputs_as(doubles)?;
    Dataset::new(inputs, labels, sample_shape, class_names)
}

/// The parts of data from samples and class numbers ([`labelled_parts`]).
pub(crate) fn numbered_parts(parts: Parts<(Array, Array)>, doubles: bool) -> Result<Parts> {
    let labels = parts.try_map(|part, (samples, numbers)| {
        let labels = Labels::of(Content::Numbers(numbers)).map_err(in_part(part))?;
        Ok((samples, labels))
    });
    labelled_parts(labels?, doubles)
}

/// The parts of data from samples and their labels.
///
/// # Errors
/// `InvalidData` if samples and labels do not belong together, or another part does not have the form of the
/// training part.
pub(crate) fn labelled_parts(parts: Parts<(Array, Labels)>, doubles: bool) -> Result<Parts> {
    let (samples, labels) = parts.train;
    let (labels, classes) = Classes::of_training(labels).map_err(in_part(Part::Train))?;
    let names = classes.names.clone();
    let train = labelled(samples, labels, names, doubles).map_err(in_part(Part::Train))?;
    fitted(train, parts.validation, parts.test, |part, (samples, labels), doubles| {
        let labels = classes.of_other(labels);
        let built = labels.and_then(|(labels, names)| labelled(samples, labels, names, doubles));
        built.map_err(in_part(part))
    })
}

/// Adds the name of a part to an error.
fn in_part(part: Part) -> impl FnOnce(Error) -> Error {
    move |error| error.context(format!("{} part", part.name()))
}

/// The other parts built and brought into the form of the training part.
fn fitted<T>(
    train: Dataset,
    validation: Option<T>,
    test: Option<T>,
    build: impl Fn(Part, T, bool) -> Result<Dataset>,
) -> Result<Parts> {
    let doubles = matches!(train.inputs, Inputs::Doubles(_));
    let fit = |part: Part, pair: Option<T>| match pair {
        Some(pair) => build(part, pair, doubles).and_then(|it| fit_part(&train, it)).map(Some),
        None => Ok(None),
    };
    let validation = fit(Part::Validation, validation)?;
    let test = fit(Part::Test, test)?;
    Ok(Parts { train, validation, test })
}

/// Like [`numbered_parts`], from samples and their regression targets. A single target
/// is named `y`, several are `y0`, `y1`, ...
pub(crate) fn valued_parts(parts: Parts<(Array, Array)>, doubles: bool) -> Result<Parts> {
    let build = |part: Part, (samples, values), doubles| {
        valued(samples, values, doubles).map_err(in_part(part))
    };
    let train = build(Part::Train, parts.train, doubles)?;
    fitted(train, parts.validation, parts.test, build)
}

/// The names of the values in the columns of an array of targets.
///
/// # Errors
/// `InvalidData` for an array that is neither a list nor rows.
pub(crate) fn value_names(values: &Array) -> Result<Vec<String>> {
    match values.shape[..] {
        [_] | [_, 1] => Ok(vec!["y".to_owned()]),
        [_, outputs] => Ok((0..outputs).map(|index| format!("y{index}")).collect()),
        _ => Err(invalid(format!(
            "an array of shape {:?} is not a list of targets: expected one row for each sample",
            values.shape
        ))),
    }
}

fn valued(samples: Array, values: Array, doubles: bool) -> Result<Dataset> {
    let names = value_names(&values)?;
    if samples.samples() != values.samples() {
        return Err(invalid(format!(
            "{} samples but targets for {}: they do not belong together, or one of them is truncated",
            samples.samples(),
            values.samples()
        )));
    }
    if let Some(problem) = blurred_targets(&values.values.to_f64(), names.len()) {
        return Err(invalid(problem));
    }
    let answers = Targets::Values { values: values.values.to_f32(), names };
    let (inputs, sample_shape) = samples.into_inputs_as(doubles)?;
    Dataset::with_targets(inputs, answers, sample_shape)
}

/// Another part in the form of the training part: the same classes in the same order (matched by
/// name) or the same number of targets, the same sample shape, and floats if the training inputs are
/// floats.
///
/// # Errors
/// `InvalidData` if the samples differ in size, or the training part does not have a class.
pub(crate) fn fit_part(train: &Dataset, test: Dataset) -> Result<Dataset> {
    let comparable = match (&train.sample_shape[..], &test.sample_shape[..]) {
        (a, b) if a.len() > 1 && b.len() > 1 => a == b,
        _ => train.features() == test.features(),
    };
    if !comparable {
        return Err(invalid(format!(
            "a test sample has shape {:?} ({} values), but a training sample {:?} ({} values): they \
             must agree",
            test.sample_shape,
            test.features(),
            train.sample_shape,
            train.features()
        )));
    }
    let mut test = test.in_terms_of(&train.targets)?;
    test.inputs = match (&train.inputs, test.inputs) {
        (Inputs::Floats(_), Inputs::Bytes(bytes)) => {
            Inputs::Floats(bytes.into_iter().map(f32::from).collect())
        }
        (Inputs::Doubles(_), Inputs::Bytes(bytes)) => {
            Inputs::Doubles(bytes.into_iter().map(f64::from).collect())
        }
        (Inputs::Doubles(_), Inputs::Floats(values)) => {
            Inputs::Doubles(values.into_iter().map(f64::from).collect())
        }
        (Inputs::Floats(_) | Inputs::Bytes(_), Inputs::Doubles(values)) => {
            Inputs::Floats(values.into_iter().map(|value| value as f32).collect())
        }
        (_, inputs) => inputs,
    };
    test.inputs = match (&train.inputs, test.inputs) {
        (Inputs::Bytes(_), Inputs::Floats(values)) => Inputs::Bytes(to_bytes(&values)?),
        (_, inputs) => inputs,
    };
    test.sample_shape.clone_from(&train.sample_shape);
    Ok(test)
}

fn to_bytes(values: &[f32]) -> Result<Vec<u8>> {
    let to_byte = |&value: &f32| (value == f32::from(value as u8)).then_some(value as u8);
    values.iter().map(to_byte).collect::<Option<_>>().ok_or_else(|| {
        invalid(
            "the training samples are grey levels (whole numbers 0 to 255), but the test samples are \
             not: bring both to the same scale",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::array::Values;
    use super::*;

    fn images(count: usize) -> Array {
        Array { shape: vec![count, 2, 2], values: Values::U8(vec![7; 4 * count]) }
    }

    fn labels(values: &[u8]) -> Array {
        Array { shape: vec![values.len()], values: Values::U8(values.to_vec()) }
    }

    fn named(classes: &[&str], labels: &[u32], inputs: Inputs, shape: &[usize]) -> Dataset {
        let names = classes.iter().map(|&name| name.to_owned()).collect();
        Dataset::new(inputs, labels.to_vec(), shape.to_vec(), names).unwrap()
    }

    #[test]
    fn classes_reach_up_to_the_largest_training_label() {
        let parts = |test| {
            let (train, test) = ((images(2), labels(&[0, 2])), Some((images(1), test)));
            numbered_parts(Parts { train, validation: None, test }, false)
        };
        let Parts { train, test, .. } = parts(labels(&[1])).unwrap();
        assert_eq!(train.class_names(), ["0", "1", "2"]);
        assert_eq!(test.unwrap().class_names(), train.class_names());
        let error = parts(labels(&[4])).unwrap_err().to_string();
        assert!(error.contains("test part: label 4 of sample 0 is out of range"), "{error}");
    }

    #[test]
    fn counts_must_agree() {
        let message = |count, values: &[u8]| {
            let pair = (images(count), labels(values));
            numbered_parts(Parts::only(pair), false).unwrap_err().to_string()
        };
        let error = message(3, &[0, 1]);
        assert!(error.contains("training part: 3 samples but 2 labels"), "{error}");
        let error = message(0, &[]);
        assert!(error.contains("no data"), "{error}");
    }

    #[test]
    fn test_classes_are_matched_by_name() {
        let train = named(&["cat", "cow", "dog"], &[0, 1, 2], Inputs::Floats(vec![0.5; 3]), &[1]);
        let test = named(&["cow", "dog"], &[1, 0], Inputs::Bytes(vec![3, 4]), &[1]);
        let test = fit_part(&train, test).unwrap();
        assert_eq!(test.labels(), [2, 1]);
        assert_eq!(test.class_names(), train.class_names());
        assert_eq!(test.inputs, Inputs::Floats(vec![3.0, 4.0]));
        let numbered = named(&["0", "1", "2"], &[2], Inputs::Floats(vec![1.0]), &[1]);
        assert_eq!(fit_part(&train, numbered).unwrap().labels(), [2]);
        let stranger = named(&["cat", "emu"], &[0], Inputs::Floats(vec![1.0]), &[1]);
        let error = fit_part(&train, stranger).unwrap_err().to_string();
        assert!(error.contains("not in the training data: \"emu\""), "{error}");
        // If all names are numbers, they are not positions among the classes.
        let train = named(&["1", "2"], &[0, 1], Inputs::Floats(vec![0.5; 2]), &[1]);
        let zero = named(&["0", "1"], &[0], Inputs::Floats(vec![1.0]), &[1]);
        let error = fit_part(&train, zero).unwrap_err().to_string();
        assert!(error.contains("not in the training data: \"0\""), "{error}");
    }

    #[test]
    fn test_samples_must_have_the_scale_of_training_samples() {
        let train = named(&["0"], &[0], Inputs::Bytes(vec![0, 9]), &[2]);
        let floats = |values: [f32; 2]| named(&["0"], &[0], Inputs::Floats(values.to_vec()), &[2]);
        let whole = fit_part(&train, floats([0.0, 1.0])).unwrap();
        assert_eq!(whole.inputs, Inputs::Bytes(vec![0, 1]));
        let error = fit_part(&train, floats([0.5, 256.0])).unwrap_err().to_string();
        assert!(error.contains("same scale"), "{error}");
    }

    #[test]
    fn test_samples_must_have_the_size_of_training_samples() {
        let train = named(&["0"], &[0], Inputs::Bytes(vec![0; 4]), &[2, 2]);
        let flat = named(&["0"], &[0], Inputs::Bytes(vec![0; 4]), &[4]);
        assert_eq!(fit_part(&train, flat).unwrap().sample_shape, [2, 2]);
        for shape in [&[4, 1][..], &[3]] {
            let inputs = Inputs::Bytes(vec![0; shape.iter().product()]);
            let error = fit_part(&train, named(&["0"], &[0], inputs, shape)).unwrap_err();
            assert!(error.to_string().contains("must agree"), "{error}");
        }
    }
}
