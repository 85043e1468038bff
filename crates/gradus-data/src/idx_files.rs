//! IDX files by their names: a folder or one file of images in, data sets out.
//!
//! Names say which part a file is of and whether it holds images or labels. A file may lie in a folder of its
//! own name, as in a widespread copy of MNIST.

use std::path::{Path, PathBuf};

use super::array::Array;
use super::assemble::{fit_part, numbered_parts};
use super::emnist::{self, Emnist};
use super::idx::read_idx;
use super::labels::{Classes, Labels};
use super::listing::{Listing, file_name};
use super::named::{first_column, transpose_images};
use super::npy::Content;
use super::parts::{Part, Parts};
use super::{Dataset, Targets, invalid};
use crate::error::{Error, Result};

/// The part in the name of a file; of none if it names no part.
type NamedPart = Option<Part>;

/// What may be named, in this order; without a training part, the first that is there takes its place.
const PARTS: [NamedPart; 4] = [Some(Part::Train), Some(Part::Test), None, Some(Part::Validation)];

/// The IDX files of a folder: images and labels of each of [`PARTS`].
pub(crate) struct IdxFiles([[Option<PathBuf>; 2]; 4]);

/// Images and their labels.
struct Pair {
    images: PathBuf,
    labels: PathBuf,
}

impl IdxFiles {
    /// Sorts in the IDX files of a folder by their names.
    ///
    /// # Errors
    /// If two files could be meant.
    pub(crate) fn of(folder: &Path, listing: &Listing) -> Result<Self> {
        let mut found = IdxFiles(Default::default());
        let around = listing.folders.iter().filter(|path| role(&file_name(path)).is_some());
        let inside: Vec<_> = around.map(|path| Listing::of(path)).collect::<Result<_>>()?;
        let files = listing.files.iter().chain(inside.iter().flat_map(|it| &it.files));
        for path in files {
            let Some((part, kind)) = role(&file_name(path)) else { continue };
            let place = &mut found.0[part][kind];
            match place {
                None => *place = Some(path.clone()),
                // Sorted by name, a plain file comes before its gzip twin and is faster to read.
                Some(first) if plain_name(first) == plain_name(path) => {}
                Some(first) => {
                    return Err(Error::data(
                        folder,
                        format!(
                            "both {} and {} could be meant: keep one set in a folder, or choose a \
                             named set (emnist-digits ...)",
                            file_name(first),
                            file_name(path)
                        ),
                    ));
                }
            }
        }
        Ok(found)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().flatten().all(Option::is_none)
    }

    /// Reads the files of `folder`.
    ///
    /// # Errors
    /// If images or labels are missing, or a file cannot be read.
    pub(crate) fn read(self, folder: &Path, warnings: &mut Vec<String>) -> Result<Parts> {
        self.pairs()
            .and_then(|pairs| read_parts(pairs, warnings))
            .map_err(|error| error.context(folder.display()))
    }

    /// The images and the labels of the training part, and which other parts there are.
    ///
    /// # Errors
    /// If images or labels are missing.
    pub(crate) fn training(self, folder: &Path) -> Result<(PathBuf, PathBuf, Vec<Part>)> {
        let Parts { train, validation, test } =
            self.pairs().map_err(|error| error.context(folder.display()))?;
        let others = [validation.map(|_| Part::Validation), test.map(|_| Part::Test)];
        Ok((train.images, train.labels, others.into_iter().flatten().collect()))
    }

    fn pairs(self) -> Result<Parts<Pair>> {
        let (mut others, mut validation) = (Vec::new(), None);
        for (part, files) in PARTS.into_iter().zip(self.0) {
            let name = part.map_or(String::new(), |part| format!("{} ", part.name()));
            let pair = match files {
                [Some(images), Some(labels)] => Pair { images, labels },
                [None, None] => continue,
                [Some(images), None] => return Err(lonely(&name, "labels", &images)),
                [None, Some(labels)] => return Err(lonely(&name, "images", &labels)),
            };
            match part {
                Some(Part::Validation) => validation = Some(pair),
                _ => others.push(pair),
            }
        }
        let mut others = others.into_iter();
        match (others.next(), others.next(), others.next()) {
            (_, _, Some(third)) => Err(invalid(format!(
                "besides training and test files there is {}: move it away, or call it a validation part",
                file_name(&third.images)
            ))),
            (Some(train), test, None) => Ok(Parts { train, validation, test }),
            (None, ..) => match validation {
                Some(only) => Ok(Parts::only(only)),
                None => Err(invalid("there are no IDX files")),
            },
        }
    }
}

fn lonely(part: &str, missing: &str, present: &Path) -> Error {
    Error::not_found(format!(
        "the {part}{missing} are missing: there is only {}",
        file_name(present)
    ))
}

/// The name of a file, the same for all its copies: plain or gzip, `images-idx3` or `images.idx3`.
fn plain_name(path: &Path) -> String {
    let name = file_name(path).to_lowercase();
    name.strip_suffix(".gz").unwrap_or(&name).replace(".idx", "-idx")
}

/// The role of an IDX file, from its name: its place in [`PARTS`], and 0 for images or 1 for labels.
fn role(name: &str) -> Option<(usize, usize)> {
    let name = name.to_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    if !(name.contains("idx") || name.ends_with("ubyte")) {
        return None;
    }
    let kind = ["image", "label"].iter().position(|kind| name.contains(kind))?;
    let part = match name {
        _ if name.contains("train") => Some(Part::Train),
        _ if name.contains("t10k") || name.contains("test") => Some(Part::Test),
        _ => Part::of_name(name).map(|(part, _)| part),
    };
    Some((PARTS.iter().position(|it| *it == part)?, kind))
}

fn read_parts(pairs: Parts<Pair>, warnings: &mut Vec<String>) -> Result<Parts> {
    let Parts { train, validation, test } = pairs;
    let read_other = |pair: &Option<Pair>| pair.as_ref().map(Pair::read).transpose();
    let (first, (second, third)) = rayon::join(
        || train.read(),
        || rayon::join(|| read_other(&validation), || read_other(&test)),
    );
    let arrays = Parts { train: first?, validation: second?, test: third? };
    let form = Emnist::of(&train.images)?;
    let others = validation.iter().chain(&test);
    if others.into_iter().any(|pair| emnist::is_name(&pair.images) != form.is_some()) {
        return Err(invalid(
            "some of the files are EMNIST's by their names, and others are not: keep one set in a folder",
        ));
    }
    let Some(form) = form else { return numbered_parts(arrays, false) };
    warnings.push(form.notice(&train.images));
    match form {
        Emnist::Known(form) => {
            let train = form.build("training", arrays.train.0, arrays.train.1)?;
            let build = |part: Part, pair: Option<(Array, Array)>| -> Result<Option<Dataset>> {
                let Some((images, labels)) = pair else { return Ok(None) };
                let data = form.build(part.name(), images, labels)?;
                fit_part(&train, data).map(Some)
            };
            let validation = build(Part::Validation, arrays.validation)?;
            let test = build(Part::Test, arrays.test)?;
            Ok(Parts { train, validation, test })
        }
        Emnist::Numbered => {
            let turned = |(mut images, labels): (Array, Array)| {
                transpose_images(&mut images);
                (images, labels)
            };
            let Parts { train, validation, test } = arrays;
            let (validation, test) = (validation.map(turned), test.map(turned));
            numbered_parts(Parts { train: turned(train), validation, test }, false)
        }
    }
}

impl Pair {
    fn read(&self) -> Result<(Array, Array)> {
        let (images, labels) = rayon::join(|| read_idx(&self.images), || read_idx(&self.labels));
        Ok((images?, first_column(labels?)))
    }
}

/// A single file of images: its labels are in a file next to it with the matching name.
///
/// # Errors
/// If there are no labels, or a file cannot be read.
pub(crate) fn read_single(path: &Path, warnings: &mut Vec<String>) -> Result<Parts> {
    let labels = labels_of(path);
    // What is no IDX file at all is named before labels are missed.
    let labels = match labels {
        Ok(labels) => labels,
        Err(expected) => {
            read_idx(path)?;
            return Err(Error::data(
                path,
                format!(
                    "there are no labels next to this file: expected {expected} for images, or give \
                     the folder"
                ),
            ));
        }
    };
    let pair = Pair { images: path.to_owned(), labels };
    read_parts(Parts::only(pair), warnings).map_err(|error| error.context(path.display()))
}

/// The labels of IDX images, as classes.
///
/// # Errors
/// If they cannot be read, or are no classes.
pub(crate) fn targets_in(labels: &Path) -> Result<Targets> {
    let numbers = first_column(read_idx(labels)?);
    let classes = Labels::of(Content::Numbers(numbers)).and_then(Classes::of_training);
    let (labels, classes) = classes.map_err(|error| error.context(labels.display()))?;
    Ok(Targets::Classes { labels, names: classes.names })
}

/// The file of the labels for a file of images, or the name that it should have.
pub(crate) fn labels_of(images: &Path) -> Result<PathBuf, String> {
    let name = file_name(images);
    let stem = name.strip_suffix(".gz").unwrap_or(&name);
    let labels = stem.replace("images", "labels").replace("image", "label");
    let mut names =
        vec![labels.replace("idx3", "idx1"), labels.replace("idx3-ubyte", "idx2-int"), labels];
    let other = |name: &String| match name.contains(".idx") {
        true => name.replace(".idx", "-idx"),
        false => name.replace("-idx", ".idx"),
    };
    let others: Vec<_> = names.iter().map(other).collect();
    let expected = names[0].clone();
    names.extend(others);
    names.retain(|labels| labels != stem);
    let names: Vec<_> = names.iter().flat_map(|it| [it.clone(), format!("{it}.gz")]).collect();
    let names = &names;
    let beside = names.iter().map(|name| images.with_file_name(name));
    // Or each file lies in a folder of its own.
    let around = images.parent().and_then(Path::parent).into_iter().flat_map(|above| {
        names.iter().flat_map(move |folder| {
            let folder = above.join(folder);
            names.iter().map(move |name| folder.join(name))
        })
    });
    beside.chain(around).find(|path| path.is_file()).ok_or(expected)
}
