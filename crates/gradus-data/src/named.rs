//! A named set on this machine: a folder in, its two data sets out, provided that the files are
//! genuine.
//!
//! The content decides, not the name: a file whose SHA-256 is in the table is accepted or refused by
//! it. A file that was compressed again is checked by the SHA-256 of its content if the table has one
//! (MNIST), otherwise by its shape, number of images and labels.

use std::path::{Path, PathBuf};
use std::thread;

use sha2::{Digest as _, Sha256};

use super::array::{Array, Values};
use super::assemble::labelled;
use super::bytes::{self, Digest};
use super::idx::{byte_header, parse_idx, parse_idx_hashed, read_idx_hashed};
use super::labels::whole_numbers;
use super::npz::Npz;
use super::search_path::Candidate;
use super::sets::{self, NamedSet};
use super::zip::Archive;
use super::{Dataset, invalid};
use crate::error::{Error, Result};
use crate::reading;

/// The names of the archive that contains EMNIST: its own, and torchvision's.
const ARCHIVES: [&str; 2] = ["gzip.zip", "emnist.zip"];

/// The place of one file of a set.
#[derive(Debug, Clone, PartialEq)]
enum Source {
    File(PathBuf),
    /// An entry of a zip archive.
    Entry(PathBuf, String),
}

/// The places of the files of a set.
enum Files {
    /// In the order of [`NamedSet::parts`].
    Parts([Source; 4]),
    /// Keras's single file.
    Npz(PathBuf),
}

/// The training and the test part of `set` from the files in `folder`, or `None` if it has none of
/// them; `named` says whether the folder has the set's name.
///
/// # Errors
/// `NotFound` if some of the files are missing, `InvalidData` if one is damaged or belongs to
/// another set.
pub(crate) fn read_from(
    set: &NamedSet,
    folder: &Path,
    named: bool,
) -> Result<Option<(Dataset, Dataset)>> {
    let parts = match find(set, folder, named)? {
        None => return Ok(None),
        Some(Files::Parts(sources)) => read_parts(set, &sources, named)?,
        Some(Files::Npz(path)) => read_keras(set, &path, named)?,
    };
    let [train_images, train_labels, test_images, test_labels] = parts;
    let train = build(set, "training", 0, train_images, train_labels)?;
    let test = build(set, "test", 1, test_images, test_labels)?;
    Ok(Some((train, test)))
}

/// Whether the files of `set` are in a place. If that has the set's name, their content is not checked.
pub(crate) fn is_in(set: &NamedSet, place: &Candidate) -> bool {
    let there = matches!(find(set, &place.folder, place.named), Ok(Some(_)));
    there && (place.named || matches!(read_from(set, &place.folder, false), Ok(Some(_))))
}

fn find(set: &NamedSet, folder: &Path, named: bool) -> Result<Option<Files>> {
    if !folder.is_dir() {
        return Ok(None);
    }
    let sources = set.parts.map(|part| find_part(folder, part));
    let missing: Vec<_> = set.parts.iter().zip(&sources).filter(|(_, it)| it.is_none()).collect();
    let missing: Vec<_> = missing.iter().map(|(part, _)| format!("{part}[.gz]")).collect();
    if let [Some(a), Some(b), Some(c), Some(d)] = sources {
        return Ok(Some(Files::Parts([a, b, c, d])));
    }
    let archive = ARCHIVES.map(|name| folder.join(name)).into_iter().find(|it| it.is_file());
    if let Some(archive) = archive.filter(|_| set.folder == "emnist") {
        let entry = |part| Source::Entry(archive.clone(), format!("gzip/{part}.gz"));
        return Ok(Some(Files::Parts(set.parts.map(entry))));
    }
    let npz = folder.join("mnist.npz");
    if set.name == "mnist" && npz.is_file() {
        return Ok(Some(Files::Npz(npz)));
    }
    if named && missing.len() < set.parts.len() {
        let message = format!("{}: {} is missing", folder.display(), missing.join(", "));
        return Err(Error::not_found(message));
    }
    Ok(None)
}

/// The file of a part: plain before gzip, and `images.idx3` for `images-idx3`, as in a widespread
/// copy of MNIST, which also has each file in a folder of its name.
fn find_part(folder: &Path, part: &str) -> Option<Source> {
    let dotted = part.replace("-idx", ".idx");
    let names = [part.to_owned(), dotted.clone(), format!("{part}.gz"), format!("{dotted}.gz")];
    let around = names.iter().map(|name| folder.join(name)).filter(|path| path.is_dir());
    let folders: Vec<_> = [folder.to_owned()].into_iter().chain(around).collect();
    let mut places = folders.iter().flat_map(|folder| names.iter().map(|name| folder.join(name)));
    places.find(|path| path.is_file()).map(Source::File)
}

/// Reads all four files in parallel; the training images take longest.
fn read_parts(set: &NamedSet, sources: &[Source; 4], named: bool) -> Result<[Array; 4]> {
    let read = |at: usize| move || read_part(set, set.parts[at], &sources[at], named);
    thread::scope(|scope| {
        let others = [1, 2, 3].map(|at| scope.spawn(read(at)));
        let first = read(0)();
        let [b, c, d] = others.map(|thread| {
            thread.join().unwrap_or_else(|_| Err(invalid("a thread that read a file failed")))
        });
        Ok([first?, b?, c?, d?])
    })
}

fn read_part(set: &NamedSet, part: &str, source: &Source, named: bool) -> Result<Array> {
    let in_file = |error: Error| error.context(source.describe());
    if let Some(bytes) = source.bytes_of_known_size()?
        && let Some((owner, file)) = sets::by_download(&bytes::sha256(&bytes))
    {
        is_this_part(set, part, owner, file.name).map_err(in_file)?;
        return parse_idx(&bytes).map_err(in_file);
    }
    let (array, digest) = source.read_hashed()?;
    judge_content(set, part, &digest, named).map_err(in_file)?;
    Ok(array)
}

/// Accepts or refuses a file whose own SHA-256 is not in the table, by the SHA-256 of its content.
fn judge_content(set: &NamedSet, part: &str, digest: &Digest, named: bool) -> Result<()> {
    if let Some((owner, file)) = sets::by_content(digest) {
        return is_this_part(set, part, owner, file.name);
    }
    let content_is_known = set.downloads.iter().any(|file| file.content_sha256.is_some());
    if content_is_known || (!named && set.parts[0].starts_with("train")) {
        return Err(invalid(format!(
            "this is not the {part} of {}: its content has a different SHA-256; to use these data as \
             they are, give their folder as a path",
            set.name
        )));
    }
    Ok(())
}

fn is_this_part(set: &NamedSet, part: &str, owner: &NamedSet, file: &str) -> Result<()> {
    let name = file.trim_end_matches(".gz");
    if owner.name == set.name && name == part {
        return Ok(());
    }
    Err(invalid(format!(
        "this is {name} of {}, not {part} of {}: the wrong file has this name; remove it, or \
         give its folder as a path",
        owner.name, set.name
    )))
}

/// Keras's `mnist.npz` contains the arrays of the four files. Its own SHA-256 is in the table. If it was
/// packed again, each array is checked: with an IDX header before it, it has the SHA-256 of the file.
fn read_keras(set: &NamedSet, path: &Path, named: bool) -> Result<[Array; 4]> {
    let in_file = |error: Error| error.context(path.display());
    let bytes = reading::read(path)?;
    let is_original = bytes::hex(&bytes::sha256(&bytes)) == sets::KERAS_MNIST_SHA256;
    let mut npz = Npz::from_bytes(&bytes).map_err(in_file)?;
    let mut read = |name: &str, part: &str| {
        let missing = || invalid(format!("there is no array {name}"));
        let array = npz.get(name)?.ok_or_else(missing)?;
        let Values::U8(values) = &array.values else {
            return Err(invalid(format!(
                "array {name} is {}, but MNIST's is uint8",
                array.values.type_name()
            )));
        };
        if !is_original {
            let hash = Sha256::new_with_prefix(byte_header(&array.shape)).chain_update(values);
            judge_content(set, part, &hash.finalize().into(), named)?;
        }
        Ok(array)
    };
    let [a, b, c, d] = set.parts;
    let arrays = [("x_train", a), ("y_train", b), ("x_test", c), ("y_test", d)];
    let [a, b, c, d] = arrays.map(|(name, part)| read(name, part).map_err(in_file));
    Ok([a?, b?, c?, d?])
}

/// The data set of a part of the set: 0 training, 1 test.
fn build(set: &NamedSet, name: &str, part: usize, images: Array, labels: Array) -> Result<Dataset> {
    if let Some(samples) = set.samples
        && samples[part] != images.samples()
    {
        return Err(invalid(format!(
            "{}, {name} part: there are {} images: expected {}",
            set.name,
            images.samples(),
            samples[part]
        )));
    }
    let form = Form {
        name: set.name,
        classes: set.classes.names(),
        first_label: set.first_label,
        transposed: set.transposed,
    };
    form.build(name, images, labels)
}

/// What a file of images and one of labels mean.
pub(crate) struct Form<'a> {
    /// The name of the set, for messages.
    pub(crate) name: &'a str,
    pub(crate) classes: Vec<String>,
    /// The label of the first class.
    pub(crate) first_label: u32,
    /// Whether the images are transposed in their file.
    pub(crate) transposed: bool,
}

impl Form<'_> {
    /// The data set of a part of this name.
    ///
    /// # Errors
    /// `InvalidData` if the images are not MNIST's size, or a label is out of range.
    pub(crate) fn build(&self, part: &str, mut images: Array, labels: Array) -> Result<Dataset> {
        let fail = |problem: String| Err(invalid(format!("{}, {part} part: {problem}", self.name)));
        let (Values::U8(_), [_, 28, 28]) = (&images.values, &images.shape[..]) else {
            let kind = images.values.type_name();
            return fail(format!(
                "the images have shape {:?} and type {kind}: expected [samples, 28, 28] and uint8",
                images.shape
            ));
        };
        let names = &self.classes;
        let first = self.first_label;
        let mut indices = Vec::new();
        for label in whole_numbers(&first_column(labels))? {
            let index = u32::try_from(i64::from(label) - i64::from(first)).ok();
            let Some(index) = index.filter(|&index| (index as usize) < names.len()) else {
                let last = first as usize + names.len() - 1;
                return fail(format!("label {label} is out of range: expected {first} to {last}"));
            };
            indices.push(index);
        }
        if self.transposed {
            transpose_images(&mut images);
        }
        labelled(images, indices, names.clone(), false)
            .map_err(|error| error.context(format!("{}, {part} part", self.name)))
    }
}

/// QMNIST's labels have eight columns (class, writer, ...): the class is the first.
pub(crate) fn first_column(labels: Array) -> Array {
    match (labels.values, &labels.shape[..]) {
        (Values::I32(values), &[rows, columns]) if columns > 1 => Array {
            values: Values::I32(values.chunks_exact(columns).map(|row| row[0]).collect()),
            shape: vec![rows],
        },
        (values, _) => Array { values, shape: labels.shape },
    }
}

/// Transposes square images of bytes; others stay.
pub(crate) fn transpose_images(images: &mut Array) {
    let (Values::U8(pixels), [_, side, other]) = (&mut images.values, &images.shape[..]) else {
        return;
    };
    if side == other && *side > 0 {
        pixels.chunks_exact_mut(side * side).for_each(|image| transpose(image, *side));
    }
}

pub(crate) fn transpose<T>(image: &mut [T], side: usize) {
    for row in 0..side {
        for column in row + 1..side {
            image.swap(side * row + column, side * column + row);
        }
    }
}

impl Source {
    /// The bytes of the file, if its size is that of a known download.
    fn bytes_of_known_size(&self) -> Result<Option<Vec<u8>>> {
        match self {
            Source::File(path) => {
                let size = path.metadata().map_err(|error| Error::io("read", path, error))?.len();
                let known = sets::is_download_size(size);
                known.then(|| reading::read(path)).transpose()
            }
            Source::Entry(..) => Ok(None),
        }
    }

    /// The array, and the SHA-256 of the decompressed file.
    fn read_hashed(&self) -> Result<(Array, Digest)> {
        let Source::Entry(path, name) = self else { return read_idx_hashed(self.path()) };
        let in_file = |error: Error| error.context(path.display());
        let file = reading::open(path)?;
        let mut archive = Archive::open(file).map_err(in_file)?;
        let missing = || invalid(format!("there is no {name} in the archive"));
        let entry = archive.find(name).ok_or_else(missing).map_err(in_file)?;
        let bytes = archive.read(&entry).map_err(in_file)?;
        parse_idx_hashed(&bytes).map_err(|error| error.context(self.describe()))
    }

    fn path(&self) -> &Path {
        match self {
            Source::File(path) | Source::Entry(path, _) => path,
        }
    }

    fn describe(&self) -> String {
        match self {
            Source::File(path) => path.display().to_string(),
            Source::Entry(path, name) => format!("{}, {name}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Inputs;
    use crate::sets::{Classes, RemoteFile};
    use crate::testing::{gzip, idx_file, npy_file, zip_file};
    use std::fs;

    const PARTS: [&str; 4] =
        ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"];

    fn toy_set(downloads: &'static [RemoteFile]) -> NamedSet {
        NamedSet {
            name: "toy",
            folder: "toy",
            torchvision: "Toy",
            mirrors: &[],
            downloads,
            parts: PARTS,
            samples: Some([2, 1]),
            classes: Classes::Words(&["no", "yes"]),
            first_label: 0,
            transposed: false,
        }
    }

    fn images(count: u32) -> Vec<u8> {
        let values: Vec<u8> = (0..count * 784).map(|at| (at % 251) as u8).collect();
        idx_file(8, &[count, 28, 28], &values)
    }

    fn write(folder: &Path, files: &[(&str, Vec<u8>)]) {
        for (name, bytes) in files {
            fs::write(folder.join(name), bytes).unwrap();
        }
    }

    fn toy_files() -> [(&'static str, Vec<u8>); 4] {
        [
            ("train-images-idx3.gz", gzip(&images(2))),
            ("train-labels.idx1", idx_file(8, &[2], &[1, 0])),
            ("t10k-images-idx3", images(1)),
            ("t10k-labels-idx1.gz", gzip(&idx_file(8, &[1], &[1]))),
        ]
    }

    #[test]
    fn plain_gzip_and_dotted_names() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &toy_files());
        let (train, test) = read_from(&toy_set(&[]), folder.path(), true).unwrap().unwrap();
        assert_eq!(train.labels(), [1, 0]);
        assert_eq!(train.class_names(), ["no", "yes"]);
        assert_eq!((test.len(), test.sample_shape), (1, vec![28, 28]));
    }

    #[test]
    fn each_file_may_lie_in_a_folder_of_its_name() {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in toy_files() {
            let around = folder.path().join(name);
            fs::create_dir(&around).unwrap();
            fs::write(around.join(name), bytes).unwrap();
        }
        let (train, _) = read_from(&toy_set(&[]), folder.path(), true).unwrap().unwrap();
        assert_eq!(train.labels(), [1, 0]);
    }

    #[test]
    fn a_missing_file_is_named_where_the_folder_has_the_name() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read_from(&toy_set(&[]), folder.path(), true).unwrap().is_none());
        write(folder.path(), &toy_files()[..3]);
        let error = read_from(&toy_set(&[]), folder.path(), true).unwrap_err().to_string();
        assert!(error.contains("t10k-labels-idx1[.gz] is missing"), "{error}");
        assert!(read_from(&toy_set(&[]), folder.path(), false).unwrap().is_none());
    }

    #[test]
    fn an_unnamed_folder_must_prove_what_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &toy_files());
        let error = read_from(&toy_set(&[]), folder.path(), false).unwrap_err().to_string();
        assert!(error.contains("this is not the train-images-idx3 of toy"), "{error}");
    }

    #[test]
    fn where_the_content_is_known_other_content_is_refused() {
        static KNOWN: [RemoteFile; 1] = [RemoteFile {
            name: "train-images-idx3.gz",
            bytes: 1,
            sha256: "",
            content_sha256: Some(""),
        }];
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &toy_files());
        let error = read_from(&toy_set(&KNOWN), folder.path(), true).unwrap_err().to_string();
        assert!(error.contains("different SHA-256"), "{error}");
    }

    #[test]
    fn files_of_another_set_are_recognized() {
        let [mnist, fashion] = ["mnist", "fashion-mnist"].map(|name| sets::find(name).unwrap());
        let digest = |hex: &str| -> Digest {
            let byte = |at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap();
            std::array::from_fn(byte)
        };
        let content = digest(mnist.downloads[0].content_sha256.unwrap());
        judge_content(mnist, mnist.parts[0], &content, false).unwrap();
        for (set, part) in [(mnist, mnist.parts[2]), (fashion, mnist.parts[0])] {
            let error = judge_content(set, part, &content, true).unwrap_err().to_string();
            assert!(error.contains("this is train-images-idx3-ubyte of mnist, not"), "{error}");
        }
        let (owner, file) = sets::by_download(&digest(fashion.downloads[1].sha256)).unwrap();
        assert!(is_this_part(fashion, fashion.parts[1], owner, file.name).is_ok());
        assert!(is_this_part(mnist, mnist.parts[1], owner, file.name).is_err());
    }

    #[test]
    fn sizes_shapes_and_labels_are_checked() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |name: &str, bytes: Vec<u8>| {
            write(folder.path(), &toy_files());
            fs::write(folder.path().join(name), bytes).unwrap();
            read_from(&toy_set(&[]), folder.path(), true).unwrap_err().to_string()
        };
        let error = refused("t10k-images-idx3", images(2));
        assert!(error.contains("test part: there are 2 images: expected 1"), "{error}");
        let error = refused("train-labels.idx1", idx_file(8, &[2], &[0, 2]));
        assert!(
            error.contains("training part: label 2 is out of range: expected 0 to 1"),
            "{error}"
        );
        let error = refused("train-labels.idx1", idx_file(8, &[1], &[0]));
        assert!(error.contains("2 samples but 1 labels"), "{error}");
        let error = refused("train-labels.idx1", images(2));
        assert!(error.contains("images given as labels"), "{error}");
        let error = refused("t10k-images-idx3", idx_file(8, &[1, 2, 2], &[0; 4]));
        assert!(error.contains("shape [1, 2, 2]"), "{error}");
        let error = refused("t10k-images-idx3", b"<html>".to_vec());
        assert!(error.contains("t10k-images-idx3: not an IDX file"), "{error}");
    }

    #[test]
    fn emnist_comes_in_an_archive_transposed_and_counts_from_one() {
        let mut one = images(1);
        one[16 + 28] = 255; // row 1, column 0 of the file
        let labels = gzip(&idx_file(8, &[1], &[26]));
        let letters = sets::find("emnist-letters").unwrap();
        let names = letters.parts.map(|part| format!("gzip/{part}.gz"));
        let entries: Vec<(&str, Vec<u8>)> = vec![
            (&names[0], gzip(&one)),
            (&names[1], labels.clone()),
            (&names[2], gzip(&one)),
            (&names[3], labels),
        ];
        let entries: Vec<_> = entries.iter().map(|(name, bytes)| (*name, &bytes[..])).collect();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("gzip.zip"), zip_file(&entries, true)).unwrap();
        let (train, _) = read_from(letters, folder.path(), true).unwrap().unwrap();
        assert_eq!((train.labels()[0], train.class_names()[25].as_str()), (25, "z"));
        let Inputs::Bytes(pixels) = train.inputs else { panic!("no bytes") };
        assert_eq!((pixels[1], pixels[28]), (255, 1)); // row 0, column 1 and back
    }

    #[test]
    fn the_first_of_qmnist_s_eight_columns_is_the_class() {
        let columns: Vec<u8> = (0..16_i32).flat_map(i32::to_be_bytes).collect();
        let labels = super::super::idx::parse_idx(&idx_file(0x0c, &[2, 8], &columns)).unwrap();
        assert_eq!(whole_numbers(&first_column(labels)).unwrap(), [0, 8]);
    }

    #[test]
    fn keras_s_file_must_be_mnist() {
        let folder = tempfile::tempdir().unwrap();
        let array = npy_file("|u1", "(1,)", &[0]);
        let arrays = [("x_train.npy", &array[..])];
        fs::write(folder.path().join("mnist.npz"), zip_file(&arrays, true)).unwrap();
        let mnist = sets::find("mnist").unwrap();
        let error = read_from(mnist, folder.path(), true).unwrap_err().to_string();
        assert!(error.contains("mnist.npz: this is not the train-images-idx3-ubyte"), "{error}");
    }
}
