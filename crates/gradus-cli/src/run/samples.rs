//! Samples to predict: a file or standard input in, inputs for the model out. The kind of a file is
//! detected from its first bytes, not from its name.

use std::path::{Path, PathBuf};

use gradus::classifier::Model;
use gradus::data::csv::{TableOptions, TextForm};
use gradus::data::images::{self, GreyImage, MNIST_SIDE};
use gradus::data::shards::is_shards;
use gradus::data::{Array, Inputs, Task, csv, emnist, idx, npy, npz};
use gradus::files::reading::{self, STREAM_LIMIT};
use gradus::{Error, ErrorKind, Result};

use crate::args::{PredictArgs, TableArgs};
use crate::run::file_kind::FileKind;
use crate::run::output::shape;
use crate::run::scale::to_scale_of;
use crate::run::source::{check_table, fill_of, no_effect, types_of, used_by};

/// The most bytes of a file by default; of a pipe, a device or standard input, [`STREAM_LIMIT`].
const FILE_LIMIT: u64 = 4 << 30;

/// What is said about files that [`emnist`] has turned.
const TURNED: &str =
    "EMNIST's files contain transposed images, by the name this is one: they were turned upright";

/// The samples of one file.
pub(crate) struct Samples {
    /// `samples x features` raw values.
    pub(crate) inputs: Inputs,
    /// What they come from.
    pub(crate) origin: Origin,
    /// How the file was read, and what makes a prediction doubtful: a line each.
    pub(crate) warnings: Vec<String>,
}

/// What the samples of a file are.
pub(crate) enum Origin {
    /// One image with one sample, which needs no number.
    Image,
    /// The digits in an image.
    Digits,
    /// The rows of an array.
    Array,
    /// The rows of a table whose text has this form.
    Table(TextForm),
}

/// The name of a file in messages.
pub(crate) fn name_of(path: &Path) -> String {
    if is_standard_input(path) { "standard input".into() } else { path.display().to_string() }
}

/// Whether a path stands for standard input or output.
pub(crate) fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// A file to predict.
pub(crate) struct File {
    pub(crate) path: PathBuf,
    /// Its name in the output: relative to the folder that was given.
    pub(crate) name: String,
}

/// The files that an argument stands for: itself, or all images in a folder and in the folders below it, with
/// warnings about what else is there. `is_only` says whether there is no other argument; otherwise the names
/// of files in a folder begin with it.
///
/// # Errors
/// If a folder cannot be read or has no images.
pub(crate) fn files_of(path: &Path, is_only: bool) -> Result<(Vec<File>, Vec<String>)> {
    if is_standard_input(path) || !path.is_dir() {
        return Ok((vec![File { path: path.to_owned(), name: name_of(path) }], Vec::new()));
    }
    let (images, warnings) = images::images_below(path)?;
    if images.is_empty() {
        let found = warnings.first().map_or(String::new(), |warning| format!(" ({warning})"));
        return Err(Error::data(
            path,
            format!(
                "no image in this folder or below it{found}; give tables and arrays by the path of their \
                 file"
            ),
        ));
    }
    let file = |image: PathBuf| {
        let whole = path.join(&image);
        let name = name_of(if is_only { &image } else { &whole });
        File { path: whole, name }
    };
    Ok((images.into_iter().map(file).collect(), warnings))
}

/// Checks that the options have an effect on every file; standard input is checked when it is read.
///
/// # Errors
/// `InvalidArgument` if one has none.
pub(crate) fn check_options(args: &PredictArgs, model: &Model) -> Result<()> {
    let files = args.files.iter().filter(|path| !is_standard_input(path));
    for path in files {
        // Of a folder, the images are predicted.
        let kind = match path.is_dir() && !is_shards(path) {
            true => FileKind::ImageFolder,
            false => FileKind::of(path),
        };
        check_kind(path, kind, args)?;
        if kind == FileKind::Shards && (args.out.is_none() || args.files.len() > 1) {
            return Err(Error::argument(format!(
                "{}: shards are predicted one folder at a time, into a file: give --out with a name that ends in .npy or \
                 .csv",
                path.display()
            )));
        }
        if kind == FileKind::ImageFolder {
            image_size(model).map_err(|error| error.context(name_of(path)))?;
        }
    }
    if args.split && !takes_mnist_form(model) {
        return Err(Error::argument(
            "--split has no effect: the model was not trained on digits in MNIST's form; leave it out",
        ));
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

/// Checks that the options have an effect on a file of this kind.
fn check_kind(path: &Path, kind: FileKind, args: &PredictArgs) -> Result<()> {
    let label_column = args.label_column.is_some();
    let is_table = [FileKind::Table, FileKind::Unknown].contains(&kind);
    check_table(&args.table, is_table, name_of(path), kind.name())?;
    for (option, given, wanted, what) in [
        ("--raw", args.raw, FileKind::Image, "is for images"),
        ("--split", args.split, FileKind::Image, "is for images"),
        ("--label-column", label_column, FileKind::Table, "names a column of a table"),
    ] {
        let is_image = wanted == FileKind::Image && kind == FileKind::ImageFolder;
        if given && !is_image && ![wanted, FileKind::Unknown].contains(&kind) {
            let why = format!("it {what}, and this is {}", kind.name());
            return Err(no_effect(option, name_of(path), &why));
        }
    }
    Ok(())
}

/// The samples in the content of a file, for `model`.
///
/// # Errors
/// If the file has an unknown format, or contains samples of a size the model does not take; the message names the file.
pub(crate) fn of_bytes(
    path: &Path,
    bytes: &[u8],
    model: &Model,
    args: &PredictArgs,
) -> Result<Samples> {
    check_kind(path, FileKind::of_bytes(bytes), args)?;
    let mut samples =
        parse(path, bytes, model, args).map_err(|error| error.context(name_of(path)))?;
    for warning in &mut samples.warnings {
        *warning = format!("{}: {warning}", name_of(path));
    }
    check_finite(&samples.inputs, model).map_err(|error| error.context(name_of(path)))?;
    Ok(samples)
}

/// The content of a file or of standard input, of which at most `limit` bytes are read.
///
/// # Errors
/// If it cannot be read, or is larger.
pub(crate) fn read_bytes(path: &Path, limit: Option<u64>) -> Result<Vec<u8>> {
    // Opening /dev/stdin a second time could wait for another writer.
    let is_standard_input = is_standard_input(path) || path.as_os_str() == "/dev/stdin";
    let is_stream = is_standard_input || reading::is_special(path);
    let limit = limit.unwrap_or(if is_stream { STREAM_LIMIT } else { FILE_LIMIT });
    let bytes = match is_standard_input {
        true => reading::read_stream(std::io::stdin().lock(), limit)
            .map_err(|error| Error::io("read", Path::new(&name_of(path)), error)),
        false => reading::read_at_most(path, Some(limit)),
    };
    bytes.map_err(|error| match reading::is_too_large(&error) {
        true => {
            let limit = reading::size(limit);
            let name = name_of(path);
            invalid(format!(
                "{name}: more than {limit}, which is the limit for one file; raise it with --limit, such as \
                 --limit 8GiB"
            ))
        }
        false => error,
    })
}

/// The samples in the content of a file, of which the name says whether it is one of EMNIST's.
fn parse(path: &Path, bytes: &[u8], model: &Model, args: &PredictArgs) -> Result<Samples> {
    let (mut warnings, mut origin) = (Vec::new(), Origin::Array);
    let inputs = match FileKind::of_bytes(bytes) {
        _ if bytes.is_empty() => return Err(invalid("the file is empty")),
        FileKind::Image => return image_samples(bytes, model, args),
        FileKind::Idx => {
            let mut images = idx::parse_idx(bytes)?;
            if emnist::turn_upright(path, &mut images) {
                warnings.push(TURNED.to_owned());
            }
            array(images, model, &mut warnings)?
        }
        FileKind::Npy => array(npy::parse_npy(bytes)?, model, &mut warnings)?,
        FileKind::Npz => {
            let (samples, chosen) = npz::parse_samples(bytes, model.features())?;
            warnings.extend(chosen);
            array(samples, model, &mut warnings)?
        }
        _ => {
            let (mut inputs, of_table, form) =
                of_table(bytes, model, args.label_column.as_deref(), &args.table)?;
            (warnings, origin) = (of_table, Origin::Table(form));
            if emnist::turn_samples_upright(path, &mut inputs) {
                warnings.push(TURNED.to_owned());
            }
            inputs
        }
    };
    let (inputs, mismatch) = to_scale_of(model, inputs)?;
    warnings.extend(mismatch);
    Ok(Samples { inputs, origin, warnings })
}

/// The samples in a table, whatever its targets hold; what the user ought to know; and the form of its text.
fn of_table(
    bytes: &[u8],
    model: &Model,
    label_column: Option<&str>,
    table: &TableArgs,
) -> Result<(Inputs, Vec<String>, TextForm)> {
    let outputs = match model.task() {
        Task::Classification => Vec::new(),
        Task::MultiLabel | Task::Regression => model.target_names(),
    };
    let (types, used, fill) = (types_of(model), used_by(model), fill_of(model));
    let (types, used, fill) = (types.as_deref(), used.as_deref(), fill.as_deref());
    let options = table_options(model, label_column, table);
    let options = TableOptions { types, used, fill, ..options };
    csv::samples_of_bytes(bytes, model.features(), &outputs, &options)
}

/// The rows of a table, which need no targets, and warnings, a line each.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_table(
    path: &Path,
    model: &Model,
    label_column: Option<&str>,
    table: &TableArgs,
) -> Result<(Inputs, Vec<String>)> {
    let read = |bytes: &[u8]| {
        let (inputs, mut warnings, _) = of_table(bytes, model, label_column, table)?;
        let (inputs, mismatch) = to_scale_of(model, inputs)?;
        check_finite(&inputs, model)?;
        warnings.extend(mismatch);
        Ok((inputs, warnings))
    };
    let (inputs, warnings) =
        read(&read_bytes(path, None)?).map_err(|error: Error| error.context(name_of(path)))?;
    let name = name_of(path);
    Ok((inputs, warnings.into_iter().map(|warning| format!("{name}: {warning}")).collect()))
}

/// How a table to predict is read.
pub(crate) fn table_options<'a>(
    model: &'a Model,
    label_column: Option<&'a str>,
    table: &'a TableArgs,
) -> TableOptions<'a> {
    TableOptions {
        label_column,
        drop: &table.drop,
        encoding: table.encoding,
        columns: model.columns.as_ref(),
        doubles: model.transform.takes_doubles(),
        missing: table.missing.as_deref(),
        header: table.header(),
        ..TableOptions::default()
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidData, message)
}

/// Height and width of the images that a model takes.
///
/// # Errors
/// If it does not take images of bytes.
pub(crate) fn image_size(model: &Model) -> Result<(usize, usize)> {
    let Some(size) = model.image_size() else {
        return Err(invalid(format!(
            "this is an image, but the model takes samples of {} numbers",
            shape(&model.sample_shape)
        )));
    };
    model.inputs.divisor()?;
    Ok(size)
}

/// Whether images for this model are converted to the form of MNIST's images.
fn takes_mnist_form(model: &Model) -> bool {
    model.image_size() == Some((MNIST_SIDE, MNIST_SIDE)) && model.inputs.mnist_form != Some(false)
}

/// The grey levels of an image in the form of the model's training images;
/// [`gradus::classifier::InputKind::image`] brings them to the scale of its raw values.
///
/// # Errors
/// Those of [`image_size`]; if the image is blank but must be converted to the form of MNIST's images.
pub(crate) fn image_pixels(image: &GreyImage, model: &Model, raw: bool) -> Result<Vec<u8>> {
    let (height, width) = image_size(model)?;
    if takes_mnist_form(model) && !raw {
        return images::to_mnist_form(image).map(Vec::from);
    }
    Ok(images::to_size(image, height, width)?.into_pixels())
}

/// The samples of an image file: the image, its main digit, or with `--split` each of its digits.
fn image_samples(bytes: &[u8], model: &Model, args: &PredictArgs) -> Result<Samples> {
    let image = images::parse_grey(bytes)?;
    image_size(model)?;
    let scale_warning = model.inputs.image_warning().map(str::to_owned).into_iter();
    if !takes_mnist_form(model) || args.raw {
        let inputs = model.inputs.image(image_pixels(&image, model, args.raw)?)?;
        return Ok(Samples { inputs, origin: Origin::Image, warnings: scale_warning.collect() });
    }
    let digits = images::find_digits(&image)?;
    let (mut pixels, mut warnings) = (Vec::new(), scale_warning.collect::<Vec<_>>());
    for (at, digit) in digits.all.iter().enumerate() {
        if args.split || at == digits.main {
            pixels.extend_from_slice(&digit.pixels);
            let which = if args.split { format!("digit {at}: ") } else { String::new() };
            let doubt = digit.doubt.iter();
            warnings.extend(doubt.map(|why| format!("{which}the prediction is doubtful: {why}")));
        }
    }
    let count = digits.all.len();
    if count > 1 && !args.split {
        warnings.push(format!(
            "several pieces of ink, perhaps {count} digits; predicting the largest (--split predicts \
             each)"
        ));
    }
    let origin = if args.split { Origin::Digits } else { Origin::Image };
    Ok(Samples { inputs: model.inputs.image(pixels)?, origin, warnings })
}

/// The rows of an array; an array of the size of one sample is that sample. Images in colour become grey for a model of
/// grey images, with a line about it.
fn array(array: Array, model: &Model, warnings: &mut Vec<String>) -> Result<Inputs> {
    let features = model.features();
    let found = array.shape.clone();
    let is_one = |array: &Array| array.values.len() == features && array.samples() != 1;
    let size = |shape: &[usize]| shape.iter().product::<usize>();
    // What fits as it is stays so: three grey images are not one in red, green and blue.
    let in_colour = model.image_size().is_some() && size(&found[1.min(found.len())..]) != features;
    let (mut array, converted) = match in_colour {
        // One image without the axis of samples.
        true if found.len() == 3 && found[2] == 3 && size(&found) == 3 * features => {
            let shape = [&[1], &found[..]].concat();
            Array { shape, ..array }.without_colour()?
        }
        true if found.len() == 4 && size(&found[1..]) == 3 * features => array.without_colour()?,
        _ => (array, None),
    };
    warnings.extend(converted);
    if is_one(&array) {
        array.shape.insert(0, 1);
    }
    let sample_size = array.shape.iter().skip(1).product::<usize>();
    if array.values.is_empty() || array.shape.len() < 2 || sample_size != features {
        let what = match &found[..] {
            [] => "a single number".to_owned(),
            _ => format!("an array of shape {}", shape(&found)),
        };
        return Err(invalid(format!(
            "{what} does not contain samples for this model: expected N x {}",
            shape(&model.sample_shape)
        )));
    }
    Ok(array.into_inputs_as(model.transform.takes_doubles())?.0)
}

fn check_finite(inputs: &Inputs, model: &Model) -> Result<()> {
    match inputs.rows().not_finite(model.features()) {
        None => Ok(()),
        Some((value, (sample, _))) => {
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
        parse(Path::new("-"), text.as_bytes(), &model(&[2]), &args).map(|samples| samples.inputs)
    }

    #[test]
    fn tables_come_with_and_without_header_and_label() {
        let floats = Inputs::Floats(vec![1.0, 2.0, 3.5, 4.0]);
        for text in ["1,2\n3.5,4\n", "x;y\n1; 2\n\n3.5;4", "\"1\"\t2\r\n3.5\t4\r\n"] {
            assert_eq!(read_text(text, "").unwrap(), floats, "{text}");
        }
        assert_eq!(read_text("u,v,label\n1,2,a\n3.5,4,b\n", "").unwrap(), floats);
        assert_eq!(read_text("k,x,y\na,1,2\nb,3.5,4\n", "--label-column k").unwrap(), floats);
        for wrong in ["", "1\n", "1,2\n3\n", "x,y\n", "1,2,3,4\n", "\0\u{1}"] {
            assert!(read_text(wrong, "").is_err(), "{wrong:?}");
        }
        assert!(read_text("1,2\n", "--label-column 1").is_err());
    }

    #[test]
    fn an_array_of_the_size_of_one_sample_is_that_sample() {
        let model = model(&[2, 2]);
        let parsed = |shape: &[usize]| {
            let values = vec![1u8; shape.iter().product()];
            let values = gradus::data::Values::U8(values);
            array(Array { shape: shape.to_vec(), values }, &model, &mut Vec::new())
        };
        for (shape, count) in [(&[2, 2][..], 4), (&[4], 4), (&[1, 4], 4), (&[3, 2, 2], 12)] {
            assert_eq!(parsed(shape).unwrap().len(), count, "{shape:?}");
        }
        for shape in [&[3, 3][..], &[5], &[0, 2, 2], &[]] {
            let message = parsed(shape).unwrap_err().to_string();
            assert!(message.contains("expected N x 2 x 2"), "{message}");
        }
    }

    #[test]
    fn images_in_colour_are_told_from_several_grey_ones() {
        let model = model(&[8, 8]);
        for (shape, count, in_colour) in [
            (&[8, 8, 3][..], 1, true),
            (&[2, 8, 8, 3], 2, true),
            (&[2, 3, 8, 8], 2, true),
            (&[3, 8, 8], 3, false),
            (&[3, 8, 8, 1], 3, false),
            (&[3, 1, 8, 8], 3, false),
            (&[8, 8], 1, false),
        ] {
            let values = gradus::data::Values::U8(vec![7; shape.iter().product()]);
            let mut warnings = Vec::new();
            let found = array(Array { shape: shape.to_vec(), values }, &model, &mut warnings);
            assert_eq!(
                (found.unwrap().len(), !warnings.is_empty()),
                (64 * count, in_colour),
                "{shape:?}"
            );
        }
    }
}
