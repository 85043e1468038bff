//! Samples to predict: a file (or standard input) in, inputs for the model out. What a file holds
//! is told by its first bytes, not by its name.

use std::io::Read;
use std::path::Path;

use gradus::classifier::Model;
use gradus::data::images::{self, GreyImage, MNIST_SIDE};
use gradus::data::{Array, Inputs, Task, csv, idx, npy};
use gradus::{Error, ErrorKind, Result};
use serde_json::Value;

use crate::args::PredictArgs;
use crate::run::file_kind::FileKind;
use crate::run::output::shape;
use crate::run::source::no_effect;

/// What one file holds.
pub(crate) struct Samples {
    /// `samples x features` raw values.
    pub(crate) inputs: Inputs,
    /// Whether the file is one picture, so that its samples need no numbers.
    pub(crate) picture: bool,
    /// A line to the user on how the file was read.
    pub(crate) warning: Option<String>,
}

/// What to call a file.
pub(crate) fn name_of(path: &Path) -> String {
    if is_standard_input(path) { "standard input".into() } else { path.display().to_string() }
}

fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Checks that the options concern every file that can be looked at now: all but standard input.
///
/// # Errors
/// `InvalidArgument` where one could have no effect.
pub(crate) fn check_options(args: &PredictArgs, model: &Model) -> Result<()> {
    let files = args.files.iter().filter(|path| !is_standard_input(path));
    for path in files {
        check_kind(path, FileKind::of(path), args)?;
    }
    if args.raw && !takes_mnist_form(model) {
        return Err(Error::argument(format!(
            "--raw has no effect: images for this model, which takes samples of {}, are scaled anyway; \
             leave it out",
            shape(&model.sample_shape)
        )));
    }
    Ok(())
}

/// Checks that the options concern a file of this kind.
fn check_kind(path: &Path, kind: FileKind, args: &PredictArgs) -> Result<()> {
    let label_column = args.label_column.is_some();
    for (option, given, wanted, what) in [
        ("--raw", args.raw, FileKind::Image, "is for images"),
        ("--label-column", label_column, FileKind::Table, "names a column of a table"),
    ] {
        if given && ![wanted, FileKind::Unknown].contains(&kind) {
            let why = format!("it {what}, and this is {}", kind.name());
            return Err(no_effect(option, name_of(path), &why));
        }
    }
    Ok(())
}

/// Reads the samples of one file for `model`.
///
/// # Errors
/// Where the file cannot be read, is of no known format, or holds samples of another size than the
/// model takes; each names the file.
pub(crate) fn read(path: &Path, model: &Model, args: &PredictArgs) -> Result<Samples> {
    let bytes = if is_standard_input(path) {
        let mut bytes = Vec::new();
        let read = std::io::stdin().lock().read_to_end(&mut bytes);
        read.map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    let bytes = bytes.map_err(|error| Error::io("read", path, error))?;
    check_kind(path, FileKind::of_bytes(&bytes), args)?;
    let mut samples = parse(&bytes, model, args).map_err(|error| error.context(name_of(path)))?;
    samples.warning = samples.warning.map(|warning| format!("{}: {warning}", name_of(path)));
    check_finite(&samples.inputs, model).map_err(|error| error.context(name_of(path)))?;
    Ok(samples)
}

fn parse(bytes: &[u8], model: &Model, args: &PredictArgs) -> Result<Samples> {
    let (inputs, warning) = match FileKind::of_bytes(bytes) {
        _ if bytes.is_empty() => return Err(invalid("the file is empty")),
        FileKind::Image => {
            let pixels = picture(&images::parse_grey(bytes)?, model, args.raw)?;
            return Ok(Samples { inputs: Inputs::Bytes(pixels), picture: true, warning: None });
        }
        FileKind::Idx => (array(idx::parse_idx(bytes)?, model)?, None),
        FileKind::Npy => (array(npy::parse_npy(bytes)?, model)?, None),
        _ if bytes.contains(&0) => {
            return Err(invalid(
                "the file is of no known format: expected PNG, JPEG, IDX (plain or .gz), NPY or CSV",
            ));
        }
        _ => {
            let outputs = match model.task() {
                Task::Classification => &[],
                Task::Regression => model.names(),
            };
            let column = args.label_column.as_deref();
            csv::parse_samples(bytes, model.network.inputs(), column, outputs)?
        }
    };
    Ok(Samples { inputs, picture: false, warning })
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidData, message)
}

/// Height and width of the pictures that a model takes.
///
/// # Errors
/// Where it takes none.
pub(crate) fn size_of_pictures(model: &Model) -> Result<(usize, usize)> {
    let [height, width] = model.sample_shape[..] else {
        return Err(invalid(format!(
            "this is a picture, but the model takes samples of {} numbers",
            shape(&model.sample_shape)
        )));
    };
    if inputs_of(model)["values"] == "float32" {
        return Err(invalid(
            "this is a picture of bytes, but the model was trained on other numbers: save the \
             picture in the model's own scale as an .npy file",
        ));
    }
    Ok((height, width))
}

fn inputs_of(model: &Model) -> Value {
    model.provenance.more.get("inputs").cloned().unwrap_or_default()
}

/// Whether images for this model are brought to MNIST's form.
fn takes_mnist_form(model: &Model) -> bool {
    model.sample_shape == [MNIST_SIDE, MNIST_SIDE]
        && inputs_of(model)["mnist_form"] != Value::Bool(false)
}

/// A picture in the form in which the model saw its training pictures.
///
/// # Errors
/// Those of [`size_of_pictures`]; where the picture must be brought to MNIST's form, and has no ink.
pub(crate) fn picture(image: &GreyImage, model: &Model, raw: bool) -> Result<Vec<u8>> {
    let (height, width) = size_of_pictures(model)?;
    if takes_mnist_form(model) && !raw {
        return images::to_mnist_form(image).map(Vec::from);
    }
    Ok(images::to_size(image, height, width)?.into_pixels())
}

/// The rows of an array; an array of a single sample's size is that sample.
fn array(mut array: Array, model: &Model) -> Result<Inputs> {
    let features = model.network.inputs();
    let found = array.shape.clone();
    if array.values.len() == features && array.samples() != 1 {
        array.shape.insert(0, 1);
    }
    let of_one = array.shape.iter().skip(1).product::<usize>();
    if array.values.is_empty() || array.shape.len() < 2 || of_one != features {
        return Err(invalid(format!(
            "an array of shape {} does not hold samples for this model: expected N x {}",
            shape(&found),
            shape(&model.sample_shape)
        )));
    }
    Ok(array.into_inputs()?.0)
}

fn check_finite(inputs: &Inputs, model: &Model) -> Result<()> {
    let Inputs::Floats(values) = inputs else { return Ok(()) };
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(at) => {
            let (value, sample) = (values[at], at / model.network.inputs());
            Err(invalid(format!("value {value} in sample {sample} is not a finite number")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser;
    use gradus::classifier::Classifier;
    use gradus::network::Network;
    use gradus::transform::Transform;

    fn model(sample_shape: &[usize]) -> Classifier {
        let features = sample_shape.iter().product();
        let network = Network::dense(features, &[], &[], 2).unwrap();
        let names = vec!["a".into(), "b".into()];
        Classifier::new(network, Transform::IDENTITY, sample_shape.to_vec(), names).unwrap()
    }

    fn read_text(text: &str, options: &str) -> Result<Inputs> {
        let line = format!("gradus predict m - {options}");
        let Command::Predict(args) = Cli::parse_from(line.split_whitespace()).command else {
            panic!("another command");
        };
        parse(text.as_bytes(), &model(&[2]), &args).map(|samples| samples.inputs)
    }

    #[test]
    fn tables_come_with_and_without_header_and_label() {
        let floats = Inputs::Floats(vec![1.0, 2.0, 3.5, 4.0]);
        for text in ["1,2\n3.5,4\n", "x;y\n1; 2\n\n3.5;4", "\"1\"\t2\r\n3.5\t4\r\n"] {
            assert_eq!(read_text(text, "").unwrap(), floats, "{text}");
        }
        assert_eq!(read_text("u,v,label\n1,2,a\n3.5,4,b\n", "").unwrap(), floats);
        assert_eq!(read_text("k,x,y\na,1,2\nb,3.5,4\n", "--label-column k").unwrap(), floats);
        for wrong in ["", "1\n", "1,2\n3\n", "1,2\n3,x\n", "x,y\n", "1,2,3,4\n", "\0\u{1}"] {
            assert!(read_text(wrong, "").is_err(), "{wrong:?}");
        }
        assert!(read_text("1,2\n", "--label-column 1").is_err());
    }

    #[test]
    fn an_array_of_one_samples_size_is_that_sample() {
        let model = model(&[2, 2]);
        let parsed = |shape: &[usize]| {
            let values = vec![1u8; shape.iter().product()];
            array(Array { shape: shape.to_vec(), values: gradus::data::Values::U8(values) }, &model)
        };
        for (shape, count) in [(&[2, 2][..], 4), (&[4], 4), (&[1, 4], 4), (&[3, 2, 2], 12)] {
            assert_eq!(parsed(shape).unwrap().len(), count, "{shape:?}");
        }
        for shape in [&[3, 3][..], &[5], &[0, 2, 2]] {
            let message = parsed(shape).unwrap_err().to_string();
            assert!(message.contains("expected N x 2 x 2"), "{message}");
        }
    }
}
