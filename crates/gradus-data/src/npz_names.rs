//! What the arrays of an `.npz` file are, by their names and shapes: names and shapes in, the arrays of samples and
//! targets of each part out.
//!
//! Names are those of Keras (`x_train`, `y_train`, ...) or other usual ones, in any case and with the part before or
//! behind: `X` and `y`, `data` and `target`, `train_images` and `train_labels`, and so on. Arrays that were saved
//! without names (`arr_0`, `arr_1`) are distinguished by their shapes.

use super::invalid;
use super::parts::{Part, Parts};
use crate::error::{Error, Result};

/// Names of samples, without the part and without anything but letters and digits.
const SAMPLES: [&str; 15] = [
    "x", "xs", "data", "image", "images", "img", "imgs", "feature", "features", "input", "inputs",
    "sample", "samples", "pixels", "xdata",
];

/// Names of targets.
const TARGETS: [&str; 13] = [
    "y", "ys", "target", "targets", "label", "labels", "class", "classes", "output", "outputs",
    "ydata", "lbl", "lbls",
];

/// Words for the parts in names that are not divided into words, such as `xtrain`, and short ones; the longer before those
/// that they begin with.
const GLUED: [(&str, Part); 8] = [
    ("training", Part::Train),
    ("train", Part::Train),
    ("tr", Part::Train),
    ("valid", Part::Validation),
    ("val", Part::Validation),
    ("testing", Part::Test),
    ("test", Part::Test),
    ("te", Part::Test),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Samples,
    Targets,
}

/// An array of the file.
#[derive(Debug, Clone)]
pub(crate) struct Described {
    pub(crate) name: String,
    /// Its shape and type as NumPy writes it; `None` where its header cannot be read.
    pub(crate) header: Option<(Vec<usize>, String)>,
}

impl Described {
    pub(crate) fn shape(&self) -> &[usize] {
        self.header.as_ref().map_or(&[], |(shape, _)| shape)
    }
}

/// The names of the samples of a part and of their targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    /// Usually one; several for arrays that may be the same samples, flat and as images.
    pub(crate) samples: Vec<String>,
    pub(crate) targets: String,
    /// The part that the names say.
    pub(crate) part: Option<Part>,
}

/// The part and the kind that a name says, no part if it has no word for one; `None` for other names.
fn role(name: &str) -> Option<(Option<Part>, Kind)> {
    if let Some((part, others)) = Part::of_name(name) {
        let kind = if others.is_empty() { Some(Kind::Samples) } else { kind_of(&others) };
        return kind.map(|kind| (Some(part), kind));
    }
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    let glued = letters.collect::<String>().to_ascii_lowercase();
    if let Some(kind) = kind_of(&glued) {
        return Some((None, kind));
    }
    GLUED.iter().find_map(|&(word, part)| {
        let rest = [glued.strip_prefix(word), glued.strip_suffix(word)];
        rest.into_iter().flatten().find_map(kind_of).map(|kind| (Some(part), kind))
    })
}

fn kind_of(word: &str) -> Option<Kind> {
    match word {
        _ if SAMPLES.contains(&word) => Some(Kind::Samples),
        _ if TARGETS.contains(&word) => Some(Kind::Targets),
        _ => None,
    }
}

/// The arrays of a part, or those without a part, by kind.
fn named(arrays: &[Described], part: Option<Part>, kind: Kind) -> Vec<String> {
    let is_meant = |array: &&Described| role(&array.name) == Some((part, kind));
    let mut names: Vec<String> =
        arrays.iter().filter(is_meant).map(|array| array.name.clone()).collect();
    // Keras's own names are meant, whatever else there is.
    let letter = if kind == Kind::Samples { "x" } else { "y" };
    let usual = part.map(|part| format!("{letter}_{}", part.short_name()));
    if let Some(usual) = usual.filter(|usual| names.contains(usual)) {
        names.retain(|name| *name == usual);
    }
    names
}

/// The samples and targets of a part, if it is there.
///
/// # Errors
/// `InvalidData` if one of the two is missing, or several could be the targets.
fn pair(arrays: &[Described], part: Option<Part>) -> Result<Option<Pair>> {
    let (mut samples, mut targets) =
        (named(arrays, part, Kind::Samples), named(arrays, part, Kind::Targets));
    // Others are something else, such as the names of the classes.
    keep_as_many(arrays, &mut targets, &samples);
    keep_as_many(arrays, &mut samples, &targets);
    match (samples.len(), targets.len()) {
        (0, 0) => Ok(None),
        (1.., 1) => Ok(Some(Pair { samples, targets: targets.remove(0), part })),
        (2.., 0) => Err(ambiguous(arrays, part, "samples", &samples)),
        (_, 2..) => Err(ambiguous(arrays, part, "labels or targets", &targets)),
        _ => Err(lonely(arrays, part, &[samples, targets].concat()[0])),
    }
}

/// Of several names, keeps those of arrays with as many rows as one of `others`, if there is any.
fn keep_as_many(arrays: &[Described], names: &mut Vec<String>, others: &[String]) {
    let rows = |name: &String| {
        let array = arrays.iter().find(|array| array.name == *name)?;
        array.shape().first().copied()
    };
    let counts: Vec<_> = others.iter().map(rows).collect();
    let fits = |name: &String| counts.contains(&rows(name));
    if names.len() > 1 && names.iter().any(fits) {
        names.retain(fits);
    }
}

/// The parts of a file of these arrays, and whether their shapes say what they are instead of their names.
///
/// # Errors
/// `InvalidData` that lists the arrays and says which names are expected.
pub(crate) fn pairs(arrays: &[Described]) -> Result<(Parts<Pair>, bool)> {
    let train = pair(arrays, Some(Part::Train))?;
    // Beside a training part, arrays without a part are something else.
    let whole = if train.is_none() { pair(arrays, None) } else { Ok(None) };
    let validation = pair(arrays, Some(Part::Validation))?;
    let test = pair(arrays, Some(Part::Test))?;
    let parts = match (train, whole, validation, test) {
        (Some(train), _, validation, test) | (None, Ok(Some(train)), validation, test) => {
            Parts { train, validation, test }
        }
        (None, _, None, Some(only)) | (None, _, Some(only), None) => Parts::only(only),
        (None, Err(error), ..) => return Err(error),
        (None, Ok(None), None, None) => return by_shape(arrays).map(|parts| (parts, true)),
        (None, Ok(None), Some(_), Some(_)) => return Err(unexpected(arrays)),
    };
    Ok((parts, false))
}

/// The parts of arrays that were saved without names, in the order of Keras (samples, targets, samples, targets) or
/// that of scikit-learn's `train_test_split` (samples, samples, targets, targets).
fn by_shape(arrays: &[Described]) -> Result<Parts<Pair>> {
    let mut numbered: Vec<(usize, &Described)> = arrays
        .iter()
        .filter_map(|array| Some((array.name.strip_prefix("arr_")?.parse().ok()?, array)))
        .collect();
    numbered.sort_by_key(|(number, _)| *number);
    let arrays_in_order: Vec<&Described> = numbered.into_iter().map(|(_, array)| array).collect();
    let pair = |samples: usize, targets: usize| {
        let (samples, targets) = (arrays_in_order[samples], arrays_in_order[targets]);
        belong_together(samples.shape(), targets.shape()).then(|| Pair {
            samples: vec![samples.name.clone()],
            targets: targets.name.clone(),
            part: None,
        })
    };
    let found = match arrays_in_order.len() {
        _ if arrays_in_order.len() != arrays.len() => None,
        2 => pair(0, 1).or_else(|| pair(1, 0)).map(Parts::only),
        4 => [[0, 1, 2, 3], [0, 2, 1, 3]].into_iter().find_map(|[x, y, test_x, test_y]| {
            let (train, test) = (pair(x, y)?, Some(pair(test_x, test_y)?));
            Some(Parts { train, validation: None, test })
        }),
        _ => None,
    };
    found.ok_or_else(|| unexpected(arrays))
}

/// The error for arrays whose names say nothing.
fn unexpected(arrays: &[Described]) -> Error {
    let found = list(arrays);
    invalid(format!("{EXPECTED}; the file has {found}"))
}

/// Whether arrays of these shapes may be samples and their targets: as many of both, and fewer targets than values of
/// a sample.
fn belong_together(samples: &[usize], targets: &[usize]) -> bool {
    match (samples, targets) {
        ([count, rest @ ..], [others]) => !rest.is_empty() && count == others,
        ([count, rest @ ..], [others, columns]) => {
            let features = rest.iter().fold(1_usize, |product, &size| product.saturating_mul(size));
            !rest.is_empty() && count == others && (*columns == 1 || *columns < features)
        }
        _ => false,
    }
}

const EXPECTED: &str = "expected the arrays x_train and y_train (and x_val, y_val, x_test, y_test for other parts), or X \
    and y, data and target, images and labels, features and targets, inputs and outputs, each also with train, val or \
    test in the name";

/// The samples to predict: those of the only part, or of the test part, as in an evaluation, or the only array that
/// `fits`; and whether there are others.
///
/// # Errors
/// `InvalidData` where it is not clear which array is meant.
pub(crate) fn samples_to_predict(
    arrays: &[Described],
    fits: impl Fn(&[usize]) -> bool,
) -> Result<(Vec<String>, bool)> {
    let parts = [Some(Part::Test), None, Some(Part::Train), Some(Part::Validation)];
    let mut found = parts.map(|part| named(arrays, part, Kind::Samples)).into_iter();
    if let Some(names) = found.find(|names| !names.is_empty()) {
        return Ok((names, found.any(|others| !others.is_empty())));
    }
    let fitting: Vec<&Described> = arrays.iter().filter(|array| fits(array.shape())).collect();
    match fitting[..] {
        [only] => Ok((vec![only.name.clone()], arrays.len() > 1)),
        _ => Err(invalid(format!(
            "which array holds the samples? Expected one that is called x, data, images, features or inputs; the file \
             has {}",
            list(arrays)
        ))),
    }
}

/// The error for samples without targets, or targets without samples.
fn lonely(arrays: &[Described], part: Option<Part>, present: &str) -> Error {
    let (what, names) = match part {
        None => ("data need".to_owned(), "x and y".to_owned()),
        Some(part) => {
            let short = part.short_name();
            (format!("the {} part needs", part.name()), format!("x_{short} and y_{short}"))
        }
    };
    invalid(format!(
        "{present} is alone: {what} samples and labels (such as {names}), and one of them is missing; the file has {}",
        list(arrays)
    ))
}

/// The error for several arrays that may be meant.
pub(crate) fn ambiguous(
    arrays: &[Described],
    part: Option<Part>,
    what: &str,
    names: &[String],
) -> Error {
    let of_part = part.map_or(String::new(), |part| format!(" of the {} part", part.name()));
    let short = part.map_or("train", Part::short_name);
    invalid(format!(
        "both {} could be the {what}{of_part}: rename one of them, such as x_{short} and y_{short} for what is meant; the \
         file has {}",
        names.join(" and "),
        list(arrays)
    ))
}

/// The arrays with their shapes: `x (120 x 8 x 8), y (120)`.
pub(crate) fn list(arrays: &[Described]) -> String {
    const SHOWN: usize = 12;
    let mut all: Vec<String> = arrays.iter().take(SHOWN).map(described).collect();
    if arrays.len() > SHOWN {
        all.push(format!("and {} more", arrays.len() - SHOWN));
    }
    if all.is_empty() { "no arrays".to_owned() } else { all.join(", ") }
}

/// An array with its shape: `x (120 x 8 x 8)`.
pub(crate) fn described(array: &Described) -> String {
    let Some((shape, kind)) = &array.header else { return array.name.clone() };
    let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
    let shape = if sizes.is_empty() { "a single value".to_owned() } else { sizes.join(" x ") };
    let kind = match kind.trim_start_matches(['<', '>', '|', '=']).chars().next() {
        Some('O') => " of Python objects",
        Some('U' | 'S') => " of text",
        _ => "",
    };
    format!("{} ({shape}{kind})", array.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrays(names: &[(&str, &[usize])]) -> Vec<Described> {
        let describe = |(name, shape): &(&str, &[usize])| Described {
            name: (*name).to_owned(),
            header: Some((shape.to_vec(), "<f4".to_owned())),
        };
        names.iter().map(describe).collect()
    }

    fn with_shapes(names: &[&str]) -> Vec<Described> {
        let shape = |name: &str| match role(name) {
            Some((_, Kind::Targets)) => &[9][..],
            _ => &[9, 4],
        };
        arrays(&names.iter().map(|&name| (name, shape(name))).collect::<Vec<_>>())
    }

    /// The names of the parts in one line.
    fn found(arrays: &[Described]) -> String {
        let pair = |pair: Pair| format!("{} {}", pair.samples.join("|"), pair.targets);
        match pairs(arrays) {
            Ok((Parts { train, validation, test }, _)) => {
                let others = [validation, test].into_iter().flatten();
                let names: Vec<String> = std::iter::once(train).chain(others).map(pair).collect();
                names.join(" / ")
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn usual_names_are_understood() {
        for names in [
            &["x_train", "y_train"][..],
            &["X_train", "y_train"],
            &["X", "y"],
            &["x", "Y"],
            &["data", "target"],
            &["data", "labels"],
            &["images", "labels"],
            &["train_images", "train_labels"],
            &["trainX", "trainY"],
            &["XTrain", "YTrain"],
            &["features", "targets"],
            &["Inputs", "Outputs"],
            &["xtrain", "ytrain"],
            &["training_data", "training-labels"],
            &["X_tr", "y_tr"],
            &["x_test", "y_test"],
        ] {
            assert_eq!(found(&with_shapes(names)), names.join(" "));
            let reversed: Vec<&str> = names.iter().rev().copied().collect();
            assert_eq!(found(&with_shapes(&reversed)), names.join(" "));
        }
        for names in [
            ["X_train", "y_train", "X_test", "y_test"],
            ["train_images", "train_labels", "test_images", "test_labels"],
            ["data_train", "target_train", "data_test", "target_test"],
            ["X", "y", "X_test", "y_test"],
        ] {
            let [x, y, test_x, test_y] = names;
            assert_eq!(found(&with_shapes(&names)), format!("{x} {y} / {test_x} {test_y}"));
        }
        // What else is in the file does not matter.
        for (more, expected) in [
            (&["x_train", "y_train", "X_train", "images", "labels"][..], "x_train y_train"),
            (&["data", "target", "target_names", "DESCR"], "data target"),
            (&["data", "images", "target"], "data|images target"),
            (&["x_test", "y_test", "classes"], "x_test y_test"),
            (&["x_train", "y_train", "x_val", "y_val"], "x_train y_train / x_val y_val"),
            (&["Xtr", "ytr", "Xval", "yval", "Xte", "yte"], "Xtr ytr / Xval yval / Xte yte"),
        ] {
            assert_eq!(found(&with_shapes(more)), expected);
        }
        let class_names = arrays(&[("X", &[9, 4]), ("y", &[9]), ("classes", &[3])]);
        assert_eq!(found(&class_names), "X y");
    }

    #[test]
    fn what_is_missing_or_ambiguous_is_listed_with_shapes() {
        for (names, words) in [
            (&["w1", "b1"][..], "the file has w1 (9 x 4), b1 (9 x 4)"),
            (&["x_train", "y_train", "x_test"], "x_test is alone: the test part needs samples"),
            (&["X"], "X is alone: data need samples and labels (such as x and y)"),
            (&["y_train"], "(such as x_train and y_train), and one of them is missing"),
            (
                &["data", "target", "labels"],
                "both target and labels could be the labels or targets",
            ),
            (&["X", "y", "Y"], "both y and Y could"),
            (&["x_train", "y_train", "X_val", "x_valid"], "samples of the validation part"),
            (&[], "no arrays"),
        ] {
            let message = found(&with_shapes(names));
            assert!(message.contains(words), "{names:?}: {message}");
        }
    }

    #[test]
    fn arrays_without_names_are_told_apart_by_their_shapes() {
        let (x, y, test_x, test_y) = (&[9, 4][..], &[9][..], &[5, 4][..], &[5][..]);
        for (shapes, expected) in [
            (&[x, y][..], "arr_0 arr_1"),
            (&[y, x], "arr_1 arr_0"),
            (&[x, &[9, 1]], "arr_0 arr_1"),
            (&[x, &[9, 3]], "arr_0 arr_1"),
            (&[&[9, 3], x], "arr_1 arr_0"),
            (&[&[9, 2, 2], y], "arr_0 arr_1"),
            (&[x, y, test_x, test_y], "arr_0 arr_1 / arr_2 arr_3"),
            (&[x, test_x, y, test_y], "arr_0 arr_2 / arr_1 arr_3"),
        ] {
            let names = ["arr_0", "arr_1", "arr_2", "arr_3"];
            let named: Vec<_> = names.into_iter().zip(shapes.iter().copied()).collect();
            assert_eq!(found(&arrays(&named)), expected);
        }
        for shapes in
            [&[x, x][..], &[x, test_y], &[x], &[x, y, test_x], &[y, y], &[x, y, y, test_x]]
        {
            let names = ["arr_0", "arr_1", "arr_2", "arr_3"];
            let named: Vec<_> = names.into_iter().zip(shapes.iter().copied()).collect();
            assert!(found(&arrays(&named)).contains("expected the arrays x_train"), "{shapes:?}");
        }
    }

    #[test]
    fn samples_to_predict_are_those_of_the_test_part_or_the_only_ones() {
        let fits = |shape: &[usize]| shape.len() == 2;
        let chosen = |names: &[&str]| samples_to_predict(&with_shapes(names), fits);
        for (names, expected) in [
            (&["x_train", "y_train", "x_test", "y_test"][..], ("x_test", true)),
            (&["X", "y"], ("X", false)),
            (&["arr_0"], ("arr_0", false)),
            (&["whatever", "labels"], ("whatever", true)),
        ] {
            let (name, has_others) = expected;
            assert_eq!(chosen(names).unwrap(), (vec![name.to_owned()], has_others));
        }
        assert!(chosen(&["a", "b"]).unwrap_err().to_string().contains("a (9 x 4), b (9 x 4)"));
    }
}
