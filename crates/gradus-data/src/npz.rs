//! NPZ, NumPy's archive of named arrays: a path in, arrays or a pair of data sets out.
//!
//! A data set has Keras's names: `x_train`, `y_train` and, if there is a test part, `x_test`, `y_test`; or others that
//! `npz_names.rs` understands.

use std::fs::File;
use std::io::{Cursor, Read, Seek};
use std::path::Path;

use super::array::Array;
use super::assemble::{labelled_parts, valued_parts};
use super::invalid;
use super::labels::Labels;
use super::npy::{self, Content, into_array, into_content};
use super::npz_names::{Described, Pair, ambiguous, described, pairs, samples_to_predict};
use super::parts::{Part, Parts};
use super::zip::{Archive, Entry};
use crate::error::{Error, Result};
use crate::reading;

pub(crate) mod rows;

/// The arrays of an `.npz` file, read one at a time.
pub struct Npz<R> {
    archive: Archive<R>,
}

impl Npz<File> {
    /// Opens an `.npz` file.
    ///
    /// # Errors
    /// `NotFound` or `Io` if the file cannot be read, `InvalidData` if it is not an archive.
    pub fn open(path: &Path) -> Result<Self> {
        let file = reading::open(path)?;
        Npz::from_file(file).map_err(|error| error.context(path.display()))
    }

    /// Like [`Npz::open`], for a file that is open already.
    ///
    /// # Errors
    /// `InvalidData` if it is not an archive.
    pub fn from_file(file: File) -> Result<Self> {
        Ok(Npz { archive: Archive::open(file)? })
    }
}

impl<'a> Npz<Cursor<&'a [u8]>> {
    /// An `.npz` file in memory.
    ///
    /// # Errors
    /// `InvalidData` if the bytes are not an archive.
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Self> {
        Ok(Npz { archive: Archive::open(Cursor::new(bytes))? })
    }
}

impl<R: Read + Seek> Npz<R> {
    /// As [`Archive::check_expansion`].
    ///
    /// # Errors
    /// As [`Archive::check_expansion`].
    pub fn check_expansion(&self) -> Result<()> {
        self.archive.check_expansion()
    }

    /// The names of the arrays, in the order of the file.
    pub fn names(&self) -> Vec<String> {
        let names = self.archive.entries.iter().map(|entry| entry.name.as_str());
        names.map(|name| name.strip_suffix(".npy").unwrap_or(name).to_owned()).collect()
    }

    /// The array of that name, or `None` if there is none.
    ///
    /// # Errors
    /// `InvalidData` if the array is damaged or does not contain numbers.
    pub fn get(&mut self, name: &str) -> Result<Option<Array>> {
        let Some(bytes) = self.bytes(name)? else { return Ok(None) };
        into_array(bytes).map(Some).map_err(|error| error.context(format!("array {name}")))
    }

    fn bytes(&mut self, name: &str) -> Result<Option<Vec<u8>>> {
        let find = |name: &str| self.archive.find(name);
        let entry = find(&format!("{name}.npy")).or_else(|| find(name));
        entry.map(|entry| self.archive.read(&entry)).transpose()
    }

    /// The names and shapes of the arrays, in the order of the file.
    fn describe(&mut self) -> Vec<Described> {
        let entries = self.archive.entries.clone();
        let describe = |entry: &Entry| {
            let name = entry.name.strip_suffix(".npy").unwrap_or(&entry.name).to_owned();
            // What cannot be read is reported where it is needed.
            let start = self.archive.start(entry, LONGEST_HEADER).unwrap_or_default();
            Described { name, header: npy::described(&start) }
        };
        entries.iter().map(describe).collect()
    }

    /// An array that is there.
    fn array(&mut self, name: &str) -> Result<Array> {
        self.get(name)?.ok_or_else(|| invalid(format!("there is no array {name}")))
    }

    /// The labels or targets in an array that is there.
    fn content(&mut self, name: &str) -> Result<Content> {
        let bytes =
            self.bytes(name)?.ok_or_else(|| invalid(format!("there is no array {name}")))?;
        into_content(bytes).map_err(|error| error.context(format!("array {name}")))
    }

    /// The samples of these names: several must be the same numbers, of which those in the shape of images are
    /// taken, as scikit-learn's digits have them.
    fn samples(&mut self, pair: &Pair, arrays: &[Described]) -> Result<Array> {
        let mut found: Option<Array> = None;
        for name in &pair.samples {
            let next = self.array(name)?;
            found = match found {
                None => Some(next),
                Some(first) if !are_equal(&first, &next) => {
                    return Err(ambiguous(arrays, pair.part, "samples", &pair.samples));
                }
                Some(first) if next.shape.len() > first.shape.len() => Some(next),
                first => first,
            };
        }
        found.ok_or_else(|| invalid("there is no array of samples"))
    }
}

/// Whether two arrays are the same numbers of as many samples.
fn are_equal(one: &Array, other: &Array) -> bool {
    one.samples() == other.samples()
        && one.values.len() == other.values.len()
        && one.values.to_f64() == other.values.to_f64()
}

/// The most bytes of an array's header that are read to see its shape.
const LONGEST_HEADER: usize = 4096;

/// The samples in an `.npz` file for a model that takes `features` values: those of the test part, or of the only part.
/// The second value names the array if there are others that might be meant.
///
/// # Errors
/// `InvalidData` if the bytes are not an archive, or it is not clear which array is meant.
pub fn parse_samples(bytes: &[u8], features: usize) -> Result<(Array, Option<String>)> {
    let mut npz = Npz::from_bytes(bytes)?;
    let arrays = npz.describe();
    let fits = |shape: &[usize]| {
        let size =
            shape.iter().skip(1).try_fold(1_usize, |product, &size| product.checked_mul(size));
        shape.len() > 1 && size == Some(features)
    };
    let (names, has_others) = samples_to_predict(&arrays, fits)?;
    let pair = Pair { samples: names, targets: String::new(), part: None };
    let samples = npz.samples(&pair, &arrays)?;
    let chosen = arrays.iter().find(|array| has_others && pair.samples.contains(&array.name));
    let warning = chosen.map(|chosen| format!("the samples are the array {}", described(chosen)));
    Ok((samples, warning))
}

/// The parts of an `.npz` file.
pub fn read_npz(path: &Path) -> Result<Parts> {
    read_parts(path, NpzOptions::default(), &mut Vec::new())
}

/// How arrays are read as data.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct NpzOptions {
    /// Whether targets are values, `(n,)` or `(n, outputs)`, instead of classes.
    pub(crate) values: bool,
    /// Whether 64-bit samples stay as they are.
    pub(crate) doubles: bool,
    /// Whether images in colour stay so, for a model that takes them.
    pub(crate) colour: bool,
}

/// As [`read_npz`], with options. Adds to `warnings`, one line each.
pub(crate) fn read_parts(
    path: &Path,
    options: NpzOptions,
    warnings: &mut Vec<String>,
) -> Result<Parts> {
    let mut npz = Npz::open(path)?;
    let mut found = Vec::new();
    let read = parts(&mut npz, options, &mut found);
    let path = path.display();
    warnings.extend(found.into_iter().map(|warning| format!("{path}: {warning}")));
    read.map_err(|error| error.context(path))
}

/// Like [`read_npz`], from memory.
pub fn parse_npz(bytes: &[u8]) -> Result<Parts> {
    parts(&mut Npz::from_bytes(bytes)?, NpzOptions::default(), &mut Vec::new())
}

fn parts<R: Read + Seek>(
    npz: &mut Npz<R>,
    options: NpzOptions,
    warnings: &mut Vec<String>,
) -> Result<Parts> {
    let arrays = npz.describe();
    let (parts, by_shape) = pairs(&arrays)?;
    let name = |name: &String| {
        let array = arrays.iter().find(|array| array.name == *name);
        array.map_or_else(|| name.clone(), described)
    };
    let mut samples_of = |part: Part, pair: &Pair, npz: &mut Npz<R>| {
        if by_shape {
            let (samples, targets) = (name(&pair.samples[0]), name(&pair.targets));
            let part = part.name();
            warnings.push(format!(
                "by their shapes, {samples} are the samples of the {part} part and {targets} their targets"
            ));
        }
        let samples = npz.samples(pair, &arrays)?;
        if options.colour {
            return Ok(samples);
        }
        let (samples, converted) = samples.without_colour()?;
        warnings.extend(converted);
        Ok(samples)
    };
    if options.values {
        let read = parts.try_map(|part, pair| {
            let samples = samples_of(part, &pair, npz)?;
            match npz.content(&pair.targets)? {
                Content::Numbers(values) => Ok((samples, values)),
                Content::Texts(_) => Err(texts_as_values(&pair.targets)),
            }
        });
        return valued_parts(read?, options.doubles);
    }
    let mut doubts = Vec::new();
    let read = parts.try_map(|part, pair| {
        let samples = samples_of(part, &pair, npz)?;
        let targets = &pair.targets;
        let labels = Labels::of(npz.content(targets)?);
        let labels = labels.map_err(|error| error.context(format!("array {targets}")))?;
        if part == Part::Train {
            doubts.extend(labels.doubt().map(|doubt| format!("{targets}: {doubt}")));
        }
        doubts.extend(labels.one_hot().map(|classes| of_one_hot(targets, classes)));
        Ok((samples, labels))
    });
    warnings.append(&mut doubts);
    labelled_parts(read?, options.doubles)
}

/// What is said of labels in one-hot rows.
fn of_one_hot(targets: &str, classes: usize) -> String {
    format!(
        "{targets} has one-hot rows: each is read as the class of its 1, from 0 to {}; with `loss` squared they are \
         {classes} values",
        classes - 1
    )
}

fn texts_as_values(name: &str) -> Error {
    Error::argument(format!(
        "the array {name} holds text: `loss` squared needs numbers; leave it out for classification"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{npy_file, zip_file};
    use crate::{Inputs, Targets};
    use ndarray::{Array1, Array3};
    use ndarray_npy::NpzWriter;
    use proptest::prelude::*;

    fn images() -> Vec<u8> {
        npy_file("|u1", "(2, 2, 2)", &[1, 2, 3, 4, 5, 6, 7, 8])
    }

    fn message(entries: &[(&str, &[u8])]) -> String {
        parse_npz(&zip_file(entries, false)).unwrap_err().to_string()
    }

    #[test]
    fn both_parts_of_a_compressed_file() {
        let (x, y) =
            (images(), npy_file("<i8", "(2,)", &[3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
        let test = (npy_file("|u1", "(1, 2, 2)", &[9; 4]), npy_file("|u1", "(1,)", &[1]));
        let entries: [(&str, &[u8]); 4] = [
            ("x_test.npy", &test.0),
            ("x_train.npy", &x),
            ("y_train.npy", &y),
            ("y_test.npy", &test.1),
        ];
        let Parts { train, validation, test } = parse_npz(&zip_file(&entries, true)).unwrap();
        let test = test.unwrap();
        assert_eq!(validation, None);
        assert_eq!(train.inputs, Inputs::Bytes(vec![1, 2, 3, 4, 5, 6, 7, 8]));
        assert_eq!((train.labels(), &train.sample_shape[..]), (&[3, 0][..], &[2, 2][..]));
        assert_eq!((test.labels(), test.class_names().len()), (&[1][..], 4));
    }

    #[test]
    fn a_validation_part_has_many_names() {
        let (x, y) = (images(), npy_file("|u1", "(2,)", &[0, 1]));
        let (other, label) = (npy_file("|u1", "(1, 2, 2)", &[9; 4]), npy_file("|u1", "(1,)", &[1]));
        for [train, train_labels, samples, labels] in [
            ["x_train", "y_train", "x_val", "y_val"],
            ["X_train", "y_train", "X_valid", "y_valid"],
            ["x_train", "y_train", "x_validation", "y_validation"],
            ["X_train", "Y_train", "X_dev", "Y_dev"],
            ["train_x", "train_y", "val_x", "val_y"],
            ["xTrain", "yTrain", "xVal", "yVal"],
            ["train_images", "train_labels", "val_images", "val_labels"],
            ["train_data", "train_labels", "valid_data", "valid_labels"],
        ] {
            let names = [train, train_labels, samples, labels].map(|name| format!("{name}.npy"));
            let arrays = [&x, &y, &other, &label];
            let entries: Vec<_> =
                names.iter().zip(arrays).map(|(name, array)| (&name[..], &array[..])).collect();
            let Parts { train, validation, test } = parse_npz(&zip_file(&entries, false)).unwrap();
            assert_eq!((train.len(), test), (2, None), "{samples}");
            let validation = validation.unwrap();
            assert_eq!((validation.labels(), validation.class_names().len()), (&[1][..], 2));
        }
    }

    #[test]
    fn a_file_as_numpy_and_the_writer_of_models_make_it() {
        let mut writer = NpzWriter::new(Cursor::new(Vec::new()));
        writer.add_array("x_train", &Array3::from_elem((3, 2, 2), 0.5_f32)).unwrap();
        writer.add_array("y_train", &Array1::from(vec![0_u8, 1, 2])).unwrap();
        let bytes = writer.finish().unwrap().into_inner();
        let Parts { train, test, .. } = parse_npz(&bytes).unwrap();
        assert_eq!(train.inputs, Inputs::Floats(vec![0.5; 12]));
        assert!(test.is_none());
        let mut npz = Npz::from_bytes(&bytes).unwrap();
        assert_eq!(npz.names(), ["x_train", "y_train"]);
        assert_eq!(npz.get("x_train").unwrap().unwrap().shape, [3, 2, 2]);
        assert_eq!(npz.get("w1").unwrap(), None);
    }

    #[test]
    fn values_are_read_as_one_or_several_for_each_sample() {
        let x = npy_file("<f4", "(2, 1)", &[0; 8]);
        let floats =
            |values: &[f32]| values.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>();
        let read = |shape: &str, values: &[f32]| {
            let y = npy_file("<f4", shape, &floats(values));
            let options = NpzOptions { values: true, ..NpzOptions::default() };
            let file = zip_file(&[("x_train.npy", &x), ("y_train.npy", &y)], false);
            parts(&mut Npz::from_bytes(&file).unwrap(), options, &mut Vec::new())
                .map(|it| it.train.targets)
        };
        let expected = |names: &[&str], values: &[f32]| Targets::Values {
            values: values.to_vec(),
            names: names.iter().map(|&name| name.to_owned()).collect(),
        };
        assert_eq!(read("(2,)", &[0.5, -3.0]).unwrap(), expected(&["y"], &[0.5, -3.0]));
        let two = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(read("(2, 2)", &two).unwrap(), expected(&["y0", "y1"], &two));
        for (shape, values, words) in [
            ("(2,)", &[0.5, f32::NAN][..], "the target NaN of sample 1 is not a finite"),
            ("(3,)", &[0.5; 3], "2 samples but targets for 3"),
            ("(2, 1, 1)", &[0.5; 2], "not a list of targets"),
        ] {
            let error = read(shape, values).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    /// The parts and the warnings of an archive of these arrays.
    fn read(entries: &[(&str, Vec<u8>)]) -> (Parts, Vec<String>) {
        let entries: Vec<(&str, &[u8])> =
            entries.iter().map(|(name, array)| (*name, &array[..])).collect();
        let (file, mut warnings) = (zip_file(&entries, true), Vec::new());
        let mut npz = Npz::from_bytes(&file).unwrap();
        let parts = parts(&mut npz, NpzOptions::default(), &mut warnings).unwrap();
        (parts, warnings)
    }

    #[test]
    fn other_names_and_labels_are_read() {
        let pixels =
            |count: usize| npy_file("|u1", &format!("({count}, 2, 2)"), &vec![7; 4 * count]);
        let names = npy_file("|S3", "(2,)", b"beeape");
        let (Parts { train, test, .. }, warnings) =
            read(&[("Images.npy", pixels(2)), ("labels.npy", names)]);
        assert_eq!(
            (train.labels(), train.class_names().join(" ")),
            (&[1, 0][..], "ape bee".into())
        );
        assert_eq!((test, warnings.len()), (None, 0));
        let one_hot = |rows: &[u8]| npy_file("|u1", &format!("({}, 3)", rows.len() / 3), rows);
        let (Parts { train, test, .. }, warnings) = read(&[
            ("train_images.npy", pixels(2)),
            ("train_labels.npy", one_hot(&[0, 1, 0, 1, 0, 0])),
            ("test_images.npy", pixels(1)),
            ("test_labels.npy", npy_file("|u1", "(1,)", &[2])),
        ]);
        assert_eq!((train.labels(), train.class_names().len()), (&[1, 0][..], 3));
        assert_eq!(test.unwrap().labels(), [2]);
        assert!(warnings[0].contains("train_labels has one-hot rows"), "{warnings:?}");
        let (Parts { train, .. }, warnings) =
            read(&[("arr_0.npy", npy_file("|u1", "(2,)", &[0, 1])), ("arr_1.npy", pixels(2))]);
        assert_eq!((train.labels(), &train.sample_shape[..]), (&[0, 1][..], &[2, 2][..]));
        assert!(warnings[0].contains("arr_1 (2 x 2 x 2) are the samples"), "{warnings:?}");
    }

    #[test]
    fn images_in_colour_become_grey_unless_they_are_wanted() {
        let colour = npy_file("|u1", "(2, 8, 8, 3)", &[9; 384]);
        let labels = npy_file("|u1", "(2,)", &[0, 1]);
        let (found, warnings) = read(&[("x.npy", colour.clone()), ("y.npy", labels.clone())]);
        assert_eq!(
            (found.train.sample_shape, found.train.inputs),
            (vec![8, 8], Inputs::Bytes(vec![9; 128]))
        );
        assert!(warnings[0].contains("converted to grey"), "{warnings:?}");
        let file = zip_file(&[("x.npy", &colour[..]), ("y.npy", &labels)], false);
        let options = NpzOptions { colour: true, ..NpzOptions::default() };
        let kept = parts(&mut Npz::from_bytes(&file).unwrap(), options, &mut Vec::new()).unwrap();
        assert_eq!(kept.train.sample_shape, [8, 8, 3]);
    }

    #[test]
    fn the_same_samples_may_be_there_twice() {
        let values: Vec<u8> = (0..8).collect();
        let floats: Vec<u8> = values.iter().flat_map(|&it| f32::from(it).to_le_bytes()).collect();
        let arrays = |flat: Vec<u8>| {
            [
                ("data.npy", npy_file("<f4", "(2, 4)", &flat)),
                ("images.npy", npy_file("|u1", "(2, 2, 2)", &values)),
                ("target.npy", npy_file("|u1", "(2,)", &[0, 1])),
            ]
        };
        assert_eq!(read(&arrays(floats.clone())).0.train.sample_shape, [2, 2]);
        let other = arrays(floats.into_iter().rev().collect());
        let other: Vec<(&str, &[u8])> = other.iter().map(|(name, it)| (*name, &it[..])).collect();
        let message = message(&other);
        assert!(message.contains("both data and images could be the samples"), "{message}");
        assert!(message.contains("data (2 x 4), images (2 x 2 x 2)"), "{message}");
    }

    #[test]
    fn the_samples_to_predict_are_chosen() {
        let x = images();
        let file = |entries: &[(&str, &[u8])]| zip_file(entries, false);
        let (array, warning) = parse_samples(&file(&[("pictures.npy", &x)]), 4).unwrap();
        assert_eq!((&array.shape[..], warning), (&[2, 2, 2][..], None));
        let (_, warning) =
            parse_samples(&file(&[("x_train.npy", &x), ("X_test.npy", &x)]), 4).unwrap();
        assert!(warning.unwrap().contains("X_test (2 x 2 x 2)"));
        assert!(parse_samples(&file(&[("a.npy", &x), ("b.npy", &x)]), 4).is_err());
    }

    #[test]
    fn what_is_missing_or_damaged_is_named() {
        let (x, y) = (images(), npy_file("|u1", "(2,)", &[0, 1]));
        assert!(message(&[("w1.npy", &x)]).contains("the file has w1 (2 x 2 x 2)"));
        assert!(message(&[("images.npy", &x)]).contains("the file has images (2 x 2 x 2)"));
        let one: [(&str, &[u8]); 3] =
            [("x_train.npy", &x), ("y_train.npy", &y), ("x_test.npy", &x)];
        assert!(
            message(&one).contains("x_test is alone: the test part needs"),
            "{}",
            message(&one)
        );
        let twins =
            [("x_train.npy", &x[..]), ("y_train.npy", &y), ("X_val.npy", &x), ("x_valid.npy", &x)];
        assert!(message(&twins).contains("both X_val and x_valid could be the samples of the"));
        assert!(
            message(&[("x_train.npy", &x[..99]), ("y_train.npy", &y)]).contains("array x_train")
        );
        let three = npy_file("|u1", "(3,)", &[0, 1, 2]);
        assert!(
            message(&[("x_train.npy", &x), ("y_train.npy", &three)])
                .contains("2 samples but 3 labels")
        );
        let error = read_npz(Path::new("no/such.npz")).unwrap_err();
        assert_eq!(error.kind(), crate::error::ErrorKind::NotFound);
    }

    proptest! {
        #[test]
        fn arbitrary_arrays_never_panic(
            x in proptest::collection::vec(any::<u8>(), 0..16),
            shape in "\\([0-9]{1,3}, [0-4]{0,1}\\)",
            descr in "[|<>][uif][1248]",
        ) {
            let (x, y) = (npy_file(&descr, &shape, &x), npy_file("|u1", "(2,)", &[0, 1]));
            let _ = parse_npz(&zip_file(&[("x_train.npy", &x), ("y_train.npy", &y)], true));
            let _ = parse_npz(&zip_file(&[("y_train.npy", &x), ("x_train.npy", &y)], false));
        }
    }
}
