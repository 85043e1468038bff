//! NPZ, NumPy's archive of named arrays: a path in, arrays or a pair of data sets out.
//!
//! A data set has Keras's names: `x_train`, `y_train` and, if there are such parts, `x_test`, `y_test` and
//! `x_val`, `y_val`; or MedMNIST's, `train_images`, `train_labels` and so on.

use std::fs::File;
use std::io::{Cursor, Read, Seek};
use std::path::Path;

use super::array::Array;
use super::assemble::{numbered_parts, valued_parts};
use super::invalid;
use super::npy::into_array;
use super::parts::{Part, Parts};
use super::zip::Archive;
use crate::error::Result;
use crate::reading;

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
        let find = |name: &str| self.archive.find(name);
        let Some(entry) = find(&format!("{name}.npy")).or_else(|| find(name)) else {
            return Ok(None);
        };
        let bytes = self.archive.read(&entry)?;
        into_array(bytes).map(Some).map_err(|error| error.context(format!("array {name}")))
    }
}

/// The parts of an `.npz` file.
pub fn read_npz(path: &Path) -> Result<Parts> {
    read_parts(path, false, false)
}

/// As [`read_npz`]; with `values`, `y_train` and so on are the values that samples are answered
/// with, `(n,)` or `(n, outputs)`, instead of class numbers; with `doubles`, 64-bit samples stay as they are.
pub(crate) fn read_parts(path: &Path, values: bool, doubles: bool) -> Result<Parts> {
    let mut npz = Npz::open(path)?;
    parts(&mut npz, values, doubles).map_err(|error| error.context(path.display()))
}

/// Like [`read_npz`], from memory.
pub fn parse_npz(bytes: &[u8]) -> Result<Parts> {
    parts(&mut Npz::from_bytes(bytes)?, false, false)
}

/// What arrays of samples are called, besides the name of the part; and what those of labels or targets.
const ROLES: [&[&str]; 2] = [
    &["x", "", "input", "inputs", "feature", "features", "sample", "samples"],
    &["y", "label", "labels", "target", "targets"],
];

fn parts<R: Read + Seek>(npz: &mut Npz<R>, values: bool, doubles: bool) -> Result<Parts> {
    let mut pair = |part: Part| {
        let names = names_of(&npz.names(), part)?;
        let get = |name: Option<String>| match name {
            Some(name) => npz.get(&name),
            None => Ok(None),
        };
        let [first, second] = names.clone().map(get);
        match (first?, second?, names) {
            (Some(samples), Some(targets), _) => Ok(Some((samples, targets))),
            (None, None, _) => Ok(None),
            (_, _, [samples, targets]) => Err(invalid(format!(
                "{} is alone: the {} part needs samples and labels (such as x_{part} and y_{part}), \
                 and one of them is missing",
                samples.or(targets).unwrap_or_default(),
                part.name(),
                part = part.short_name()
            ))),
        }
    };
    let Some(train) = pair(Part::Train)? else {
        return Err(invalid(format!(
            "expected the arrays x_train and y_train (and x_val, y_val, x_test, y_test for other \
             parts); the file has {}",
            npz.names().join(", ")
        )));
    };
    let (validation, test) = (pair(Part::Validation)?, pair(Part::Test)?);
    let parts = Parts { train, validation, test };
    match values {
        true => valued_parts(parts, doubles),
        false => numbered_parts(parts, doubles),
    }
}

/// The names of the samples and of the labels of a part among the names of arrays.
fn names_of(arrays: &[String], part: Part) -> Result<[Option<String>; 2]> {
    let find = |role: usize| {
        let usual = format!("{}_{}", ["x", "y"][role], part.short_name());
        if arrays.contains(&usual) {
            return Ok(Some(usual));
        }
        let is_it = |name: &&String| match Part::of_name(name) {
            Some((found, others)) => found == part && ROLES[role].contains(&others.as_str()),
            None => false,
        };
        let mut found = arrays.iter().filter(is_it);
        match (found.next(), found.next()) {
            (Some(one), Some(other)) => Err(invalid(format!(
                "both {one} and {other} could be the {} {} part: rename one of them",
                ["samples of the", "labels of the"][role],
                part.name()
            ))),
            (one, _) => Ok(one.cloned()),
        }
    };
    Ok([find(0)?, find(1)?])
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
            let file = zip_file(&[("x_train.npy", &x), ("y_train.npy", &y)], false);
            parts(&mut Npz::from_bytes(&file).unwrap(), true, false).map(|it| it.train.targets)
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

    #[test]
    fn what_is_missing_or_damaged_is_named() {
        let (x, y) = (images(), npy_file("|u1", "(2,)", &[0, 1]));
        assert!(message(&[("images.npy", &x)]).contains("the file has images"));
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
