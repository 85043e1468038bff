//! EMNIST's files by their path: a file name in, what its images and labels mean out.
//!
//! EMNIST stores its images transposed, and the labels of its letters begin with 1. Nothing in the files says
//! so, but their names do: `emnist-letters-train-images-idx3-ubyte`.

use std::fs;
use std::path::{Path, PathBuf};

use super::array::Array;
use super::listing::file_name;
use super::named::{Form, transpose_images};
use super::{invalid, sets};
use crate::error::{Error, Result};

/// The part of EMNIST that a file of images belongs to, by its name: `emnist-letters`.
fn name_of(images: &Path) -> Option<String> {
    let name = file_name(images).to_lowercase().replace(['.', '_', ' '], "-");
    let (before, _) = name.split_once("-images")?;
    let set = ["-train", "-test", "-validation", "-valid", "-val", "-t10k"]
        .iter()
        .find_map(|part| before.strip_suffix(part))
        .unwrap_or(before);
    set.starts_with("emnist-").then(|| set.to_owned())
}

/// Whether a file is one of EMNIST's by its name.
pub(crate) fn is_name(images: &Path) -> bool {
    name_of(images).is_some()
}

/// Turns images upright that were read from one of EMNIST's files, and returns a line about it; images from
/// other files stay as they are.
pub fn turn_upright(file: &Path, images: &mut Array) -> Option<String> {
    name_of(file)?;
    transpose_images(images);
    Some(turned(file))
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
            Emnist::Known(form) => {
                let names = match &form.classes[..] {
                    [first, .., last] => format!("{first} to {last}"),
                    names => names.join(", "),
                };
                format!("{turned}, and the {} classes are called {names}", form.classes.len())
            }
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
            let line = turn_upright(Path::new(file), &mut images);
            (images.values, line.is_some())
        };
        let file = "emnist-digits-test-images-idx3-ubyte.gz";
        assert_eq!(turned(file), (Values::U8(vec![1, 3, 2, 4]), true));
        assert_eq!(turned("t10k-images-idx3-ubyte"), (images.values.clone(), false));
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
