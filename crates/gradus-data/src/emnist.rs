//! EMNIST's files by their path: a file name in, what its images and labels mean out.
//!
//! EMNIST stores its images transposed, and the labels of its letters begin with 1. Nothing in the files says
//! so, but their names do: `emnist-letters-train-images-idx3-ubyte`, or `emnist-letters-train.csv` as Kaggle
//! has them.

use std::fs;
use std::path::{Path, PathBuf};

use super::array::Array;
use super::listing::file_name;
use super::named::{Form, transpose, transpose_images};
use super::sets::{self, NamedSet};
use super::{Dataset, Inputs, Targets, invalid};
use crate::error::{Error, Result};

/// The part of EMNIST that a file of images belongs to, by its name: `emnist-letters`.
fn name_of(images: &Path) -> Option<String> {
    let name = file_name(images).to_lowercase().replace(['.', '_', ' '], "-");
    let (before, _) = name.split_once("-images")?;
    let set = without_part(before);
    set.starts_with("emnist-").then(|| set.to_owned())
}

fn without_part(name: &str) -> &str {
    let parts = ["-train", "-test", "-validation", "-valid", "-val", "-t10k"];
    parts.iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name)
}

/// The part of EMNIST that a table belongs to, by its name: `emnist-letters-train.csv`.
fn table_of(file: &Path) -> Option<&'static NamedSet> {
    let name = file_name(file).to_lowercase();
    let packed = [".gz", ".zip"].iter().find_map(|ending| name.strip_suffix(ending));
    let name = packed.unwrap_or(&name).strip_suffix(".csv")?.replace(['_', ' '], "-");
    sets::find(without_part(&name)).filter(|set| set.folder == "emnist")
}

/// Turns samples upright that were read from one of EMNIST's tables, and returns whether it has; others stay as
/// they are.
pub fn turn_samples_upright(file: &Path, samples: &mut Inputs) -> bool {
    const SIDE: usize = 28;
    if table_of(file).is_none() || !samples.len().is_multiple_of(SIDE * SIDE) {
        return false;
    }
    match samples {
        Inputs::Bytes(values) => {
            values.chunks_exact_mut(SIDE * SIDE).for_each(|image| transpose(image, SIDE));
        }
        Inputs::Floats(values) => {
            values.chunks_exact_mut(SIDE * SIDE).for_each(|image| transpose(image, SIDE));
        }
        Inputs::Doubles(_) | Inputs::Sparse(_) | Inputs::Table(_) | Inputs::Streamed(_) => {
            return false;
        }
    }
    true
}

/// Does to a table of EMNIST what [`Emnist`] does to its IDX files, and returns a line about it.
pub(crate) fn turn_table_upright(file: &Path, data: &mut Dataset) -> Option<String> {
    let set = table_of(file)?;
    if data.features() != 28 * 28 || !turn_samples_upright(file, &mut data.inputs) {
        return None;
    }
    let line = turned(file);
    let classes = set.classes.names();
    let Targets::Classes { labels, names } = &mut data.targets else { return Some(line) };
    let index = |name: &String| {
        let index = name.parse::<u32>().ok()?.checked_sub(set.first_label)?;
        ((index as usize) < classes.len()).then_some(index)
    };
    let Some(indices) = names.iter().map(index).collect::<Option<Vec<u32>>>() else {
        // Somebody has named them.
        return Some(line);
    };
    labels.iter_mut().for_each(|label| *label = indices[*label as usize]);
    *names = classes;
    Some(named(&line, names))
}

fn named(line: &str, classes: &[String]) -> String {
    let names = match classes {
        [first, .., last] => format!("{first} to {last}"),
        names => names.join(", "),
    };
    format!("{line}, and the {} classes are called {names}", classes.len())
}

/// Whether a file is one of EMNIST's by its name.
pub fn is_name(images: &Path) -> bool {
    name_of(images).is_some()
}

/// Turns images upright that were read from one of EMNIST's files, and returns whether it has; images from
/// other files stay as they are.
pub fn turn_upright(file: &Path, images: &mut Array) -> bool {
    if is_name(file) {
        transpose_images(images);
    }
    is_name(file)
}

fn turned(file: &Path) -> String {
    format!(
        "{}: EMNIST's files contain transposed images, by the name this is one: they were turned upright",
        file.display()
    )
}

/// What EMNIST's files mean.
pub(crate) enum Emnist {
    /// A part of EMNIST with its classes.
    Known(Form<'static>),
    /// Another one: its classes are numbers.
    Numbered,
}

impl Emnist {
    /// What a file of images means, if its name is one of EMNIST's. The classes are those of the named set;
    /// of other names, those of a mapping file (`emnist-NAME-mapping.txt`) next to it, if there is one.
    ///
    /// # Errors
    /// If the mapping file cannot be read.
    pub(crate) fn of(images: &Path) -> Result<Option<Emnist>> {
        let Some(name) = name_of(images) else { return Ok(None) };
        let form = |name, classes, first_label| {
            Some(Emnist::Known(Form { name, classes, first_label, transposed: true }))
        };
        match (sets::find(&name), mapping_of(images, &name)) {
            (Some(set), _) => Ok(form(set.name, set.classes.names(), set.first_label)),
            (None, Some(mapping)) => {
                let (classes, first_label) = read_mapping(&mapping)?;
                Ok(form("emnist", classes, first_label))
            }
            (None, None) => Ok(Some(Emnist::Numbered)),
        }
    }

    /// A line about what was done with a file, for the user.
    pub(crate) fn notice(&self, file: &Path) -> String {
        let turned = turned(file);
        match self {
            Emnist::Known(form) => named(&turned, &form.classes),
            Emnist::Numbered => turned,
        }
    }
}

/// The mapping file next to images, or next to the folder around them.
fn mapping_of(images: &Path, name: &str) -> Option<PathBuf> {
    let folder = images.parent()?;
    let file = format!("{name}-mapping.txt");
    let places = [Some(folder), folder.parent()].into_iter().flatten();
    places.map(|folder| folder.join(&file)).find(|path| path.is_file())
}

/// The class names of a mapping file and the first label: lines of a label and the codes of its characters,
/// the capital first.
fn read_mapping(path: &Path) -> Result<(Vec<String>, u32)> {
    let text = fs::read_to_string(path).map_err(|error| Error::io("read", path, error))?;
    let mut classes: Vec<(u32, String)> = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let numbers: Option<Vec<u32>> = line.split_whitespace().map(|it| it.parse().ok()).collect();
        let class = match numbers.as_deref() {
            Some([label, .., code]) => char::from_u32(*code).map(|letter| (*label, letter.into())),
            _ => None,
        };
        classes.push(class.ok_or_else(|| {
            let message = "expected a label and the code of its character, such as 10 65";
            invalid(format!("{}: line {}: {message}", path.display(), at + 1))
        })?);
    }
    classes.sort();
    let first = classes.first().map_or(0, |(label, _)| *label);
    if classes.is_empty() || classes.iter().zip(first..).any(|((label, _), at)| *label != at) {
        return Err(Error::data(path, "expected one line for each label, without gaps"));
    }
    Ok((classes.into_iter().map(|(_, name)| name).collect(), first))
}

#[cfg(test)]
mod tests {
    use super::super::array::Values;
    use super::*;

    #[test]
    fn files_are_recognized_by_their_names() {
        for (file, name) in [
            ("a/emnist-letters-train-images-idx3-ubyte", Some("emnist-letters")),
            ("EMNIST-byclass-test-images.idx3-ubyte.gz", Some("emnist-byclass")),
            ("emnist-own-images-idx3-ubyte", Some("emnist-own")),
            ("emnist/train-images-idx3-ubyte", None),
            ("kmnist-train-images-idx3-ubyte", None),
            ("emnist-letters-train-labels-idx1-ubyte", None),
        ] {
            assert_eq!(name_of(Path::new(file)).as_deref(), name, "{file}");
        }
    }

    #[test]
    fn images_of_other_files_stay() {
        let images = Array { shape: vec![1, 2, 2], values: Values::U8(vec![1, 2, 3, 4]) };
        let turned = |file: &str| {
            let mut images = images.clone();
            let turned = turn_upright(Path::new(file), &mut images);
            (images.values, turned)
        };
        let file = "emnist-digits-test-images-idx3-ubyte.gz";
        assert_eq!(turned(file), (Values::U8(vec![1, 3, 2, 4]), true));
        assert_eq!(turned("t10k-images-idx3-ubyte"), (images.values.clone(), false));
    }

    #[test]
    fn tables_are_turned_and_named_too() {
        let mut pixels = vec![7; 2 * 784];
        pixels[28] = 255; // row 1, column 0 of the first image
        let table = |names: [&str; 2]| {
            let names = names.map(str::to_owned).to_vec();
            Dataset::new(Inputs::Bytes(pixels.clone()), vec![1, 0], vec![28, 28], names).unwrap()
        };
        let mut data = table(["2", "26"]);
        let line = turn_table_upright(Path::new("a/emnist-letters-train.csv"), &mut data).unwrap();
        assert!(line.ends_with("the 26 classes are called a to z"), "{line}");
        assert_eq!((data.labels(), data.class_names().len()), (&[25, 1][..], 26));
        assert!(matches!(&data.inputs, Inputs::Bytes(it) if (it[1], it[28]) == (255, 7)));
        let mut named = table(["b", "z"]);
        let line = turn_table_upright(Path::new("EMNIST_letters_test.csv.gz"), &mut named).unwrap();
        assert!(line.ends_with("turned upright") && named.labels() == [1, 0], "{line}");
        let mut other = table(["2", "26"]);
        assert_eq!(turn_table_upright(Path::new("letters-train.csv"), &mut other), None);
        assert_eq!(other, table(["2", "26"]));
    }

    #[test]
    fn a_mapping_names_classes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("emnist-own-mapping.txt");
        let read = |text: &str| {
            fs::write(&path, text).unwrap();
            read_mapping(&path).map_err(|error| error.to_string())
        };
        assert_eq!(read("2 66 98\n1 65 97\n\n"), Ok((vec!["a".into(), "b".into()], 1)));
        assert_eq!(read("0 48\r\n1 49\r\n"), Ok((vec!["0".into(), "1".into()], 0)));
        assert!(read("0 48\n1\n").unwrap_err().contains("line 2: expected a label"));
        assert!(read("0 48\n2 50\n").unwrap_err().contains("without gaps"));
        assert!(read("").is_err());
    }
}
