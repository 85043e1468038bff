//! The parts of data: training, validation and test, and the names that files and folders give them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::listing::file_name;
use super::{Dataset, invalid};
use crate::error::Result;

/// The parts of data. All have the same sample shape and the same classes or targets.
#[derive(Debug, Clone, PartialEq)]
pub struct Parts<T = Dataset> {
    /// The training part, or everything if there are no parts.
    pub train: T,
    /// The validation part, if there is one.
    pub validation: Option<T>,
    /// The test part, if there is one.
    pub test: Option<T>,
}

impl<T> Parts<T> {
    /// Data without other parts.
    pub(crate) fn only(train: T) -> Self {
        Parts { train, validation: None, test: None }
    }

    /// The parts with something else in their place.
    ///
    /// # Errors
    /// The first error of `map`.
    pub(crate) fn try_map<U>(self, mut map: impl FnMut(Part, T) -> Result<U>) -> Result<Parts<U>> {
        Ok(Parts {
            train: map(Part::Train, self.train)?,
            validation: self.validation.map(|it| map(Part::Validation, it)).transpose()?,
            test: self.test.map(|it| map(Part::Test, it)).transpose()?,
        })
    }

    /// The part to measure a model on: the one that is wanted, else the other one, else everything.
    pub(crate) fn for_measuring(self, wanted: Part) -> T {
        let Parts { train, validation, test } = self;
        match wanted {
            Part::Validation => validation.or(test),
            Part::Train | Part::Test => test.or(validation),
        }
        .unwrap_or(train)
    }
}

/// A part of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// What is learned from.
    Train,
    /// What settings are chosen by.
    Validation,
    /// What a model is judged by.
    Test,
}

/// What people call the parts, in small letters.
const NAMES: [(Part, &[&str]); 3] = [
    (Part::Train, &["train", "training", "trn"]),
    (
        Part::Validation,
        &["val", "valid", "validation", "validate", "dev", "devel", "development", "eval"],
    ),
    (Part::Test, &["test", "testing", "tst"]),
];

/// Words beside the name of a part that say no more: `training_set`, `test images`.
const FILLERS: [&str; 6] = ["set", "data", "dataset", "part", "split", "images"];

impl Part {
    /// Its name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Part::Train => "training",
            Part::Validation => "validation",
            Part::Test => "test",
        }
    }

    /// Its name in those of arrays and options.
    pub fn short_name(self) -> &'static str {
        match self {
            Part::Train => "train",
            Part::Validation => "val",
            Part::Test => "test",
        }
    }

    /// The part that a word is the name of.
    fn of_word(word: &str) -> Option<Part> {
        let word = word.strip_suffix("set").unwrap_or(word);
        NAMES.iter().find(|(_, names)| names.contains(&word)).map(|(part, _)| *part)
    }

    /// The part that one of the words in a name stands for, and the other words:
    /// `mnist_train` is the training part of `mnist`.
    pub(crate) fn of_name(name: &str) -> Option<(Part, String)> {
        let words = words(name);
        let mut parts = words.iter().filter_map(|word| Part::of_word(word));
        let (Some(part), None) = (parts.next(), parts.next()) else { return None };
        let others = words.iter().map(String::as_str);
        let others = others.filter(|word| Part::of_word(word).is_none() && !FILLERS.contains(word));
        Some((part, others.collect::<Vec<_>>().join(" ")))
    }
}

/// The words of a name in small letters: `trainingSet_2017` has three.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for letter in name.chars() {
        let begins = letter.is_uppercase() && before.is_lowercase()
            || letter.is_numeric() != before.is_numeric();
        if begins || !letter.is_alphanumeric() {
            words.push(String::new());
        }
        if letter.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(letter.to_lowercase());
        }
        before = letter;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The places of the parts among files or folders: a training part and at least one other of the same data.
/// `stem` is the name of a path without its ending; files with the same stem are the same data in other forms,
/// of which the first is taken.
///
/// # Errors
/// `InvalidData` if several could be meant.
pub(crate) fn find(
    paths: &[PathBuf],
    stem: impl Fn(&str) -> Option<String>,
) -> Result<Option<Parts<PathBuf>>> {
    let mut sets: BTreeMap<String, [Vec<(String, &PathBuf)>; 3]> = BTreeMap::new();
    for path in paths {
        let Some(stem) = stem(&file_name(path)) else { continue };
        let Some((part, others)) = Part::of_name(&stem) else { continue };
        let places = &mut sets.entry(others).or_default()[part as usize];
        if !places.iter().any(|(known, _)| *known == stem) {
            places.push((stem, path));
        }
    }
    sets.retain(|_, [train, validation, test]| {
        !train.is_empty() && (!validation.is_empty() || !test.is_empty())
    });
    let several = |one: &PathBuf, other: &PathBuf| {
        let [one, other] = [one, other].map(|path| file_name(path));
        invalid(format!("both {one} and {other} could be meant: move one of them away"))
    };
    let mut found = sets.into_values();
    let Some(set) = found.next() else { return Ok(None) };
    if let Some([other, ..]) = found.next() {
        return Err(several(set[0][0].1, other[0].1));
    }
    if let Some(twins) = set.iter().find(|places| places.len() > 1) {
        return Err(several(twins[0].1, twins[1].1));
    }
    let [train, validation, test] =
        set.map(|places| places.first().map(|(_, path)| (*path).clone()));
    Ok(train.map(|train| Parts { train, validation, test }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_parts() {
        for (name, part, others) in [
            ("train", Part::Train, ""),
            ("Training", Part::Train, ""),
            ("training_set", Part::Train, ""),
            ("trainingSet", Part::Train, ""),
            ("testset", Part::Test, ""),
            ("mnist_train", Part::Train, "mnist"),
            ("val2017", Part::Validation, "2017"),
            ("dev", Part::Validation, ""),
            ("valid-images", Part::Validation, ""),
            ("seg_test", Part::Test, "seg"),
            ("TEST", Part::Test, ""),
        ] {
            assert_eq!(Part::of_name(name), Some((part, others.to_owned())), "{name}");
        }
        for other in ["trains", "bullet", "contest", "train_test", "values", ""] {
            assert_eq!(Part::of_name(other), None, "{other}");
        }
    }

    #[test]
    fn parts_of_the_same_data_belong_together() {
        let find = |names: &[&str]| {
            let paths: Vec<_> = names.iter().map(PathBuf::from).collect();
            let stem = |name: &str| Some(name.trim_end_matches(".gz").to_owned());
            find(&paths, stem).map_err(|error| error.to_string())
        };
        let found = find(&["a_test", "a_train", "a_valid", "b"]).unwrap().unwrap();
        assert_eq!((found.train, found.test), ("a_train".into(), Some("a_test".into())));
        assert_eq!(found.validation, Some("a_valid".into()));
        let found = find(&["train", "train.gz", "dev"]).unwrap().unwrap();
        assert_eq!((found.train, found.validation), ("train".into(), Some("dev".into())));
        for none in [&["train"][..], &["test", "val"], &["a_train", "b_test"], &["cat", "dog"]] {
            assert_eq!(find(none), Ok(None), "{none:?}");
        }
        let twins = find(&["train", "val", "valid"]).unwrap_err();
        assert!(twins.contains("both val and valid could be meant"), "{twins}");
        let sets = find(&["a_train", "a_test", "b_train", "b_test"]).unwrap_err();
        assert!(sets.contains("both a_train and b_train could be meant"), "{sets}");
    }
}
