//! Labels of samples as arrays hold them: numbers, one-hot rows or texts in, indices of classes and their
//! names out.

use std::collections::BTreeSet;

use super::array::{Array, MAX_CLASSES, Values, for_each_type};
use super::csv::TextLabels;
use super::invalid;
use super::npy::{Content, Texts};
use crate::error::Result;

/// Numbers of classes that may be incomplete: digits, letters.
const FEW: usize = 32;

/// The labels of a training or a test part.
pub(crate) enum Labels {
    Numbers {
        numbers: Vec<i32>,
        /// The columns of one-hot rows: each is a class, whether it occurs or not.
        one_hot: Option<usize>,
    },
    Named {
        labels: Vec<u32>,
        names: Vec<String>,
    },
}

impl Labels {
    /// The labels in an array.
    ///
    /// # Errors
    /// `InvalidData` for an array that is neither a list, a column nor one-hot rows, and for a value that is
    /// no class.
    pub(crate) fn of(content: Content) -> Result<Labels> {
        match content {
            Content::Texts(texts) => of_texts(&texts),
            Content::Numbers(array) if matches!(array.shape[..], [_] | [_, 1]) => {
                Ok(Labels::Numbers { numbers: whole_numbers(&array)?, one_hot: None })
            }
            Content::Numbers(array) => of_rows(&array),
        }
    }

    /// Number of classes that one-hot rows have columns for.
    pub(crate) fn one_hot(&self) -> Option<usize> {
        match self {
            Labels::Numbers { one_hot, .. } => *one_hot,
            Labels::Named { .. } => None,
        }
    }
}

impl Labels {
    /// What is doubtful about labels of a training part: among classes from 0 on, -1 often means that a sample has no
    /// label.
    pub(crate) fn doubt(&self) -> Option<String> {
        let Labels::Numbers { numbers, .. } = self else { return None };
        let (least, most) = (numbers.iter().min()?, numbers.iter().max()?);
        let samples = numbers.iter().filter(|&&number| number == -1).count();
        (*least == -1 && *most > 1 && numbers.contains(&0)).then(|| {
            format!(
                "the label -1 of {samples} samples is a class like the others: leave these samples out if it means \
                 that they have none"
            )
        })
    }
}

/// The classes of training data.
pub(crate) struct Classes {
    pub(crate) names: Vec<String>,
    /// The number of each class, ascending, if labels are numbers.
    numbers: Option<Vec<i32>>,
}

impl Classes {
    /// The classes of training labels, and the labels as their indices.
    ///
    /// # Errors
    /// `InvalidData` if there are too many.
    pub(crate) fn of_training(labels: Labels) -> Result<(Vec<u32>, Classes)> {
        match labels {
            Labels::Named { labels, names } => Ok((labels, Classes { names, numbers: None })),
            Labels::Numbers { numbers, one_hot } => {
                let known = match one_hot {
                    Some(columns) => (0..columns as i32).collect(),
                    None => numbers_of_classes(&numbers)?,
                };
                let names = known.iter().map(i32::to_string).collect();
                let labels = indices(numbers, &known)?;
                Ok((labels, Classes { names, numbers: Some(known) }))
            }
        }
    }

    /// The labels of another part as indices, and the names of the classes that these are indices of.
    ///
    /// # Errors
    /// `InvalidData` for a number that is no class of the training part.
    pub(crate) fn of_other(&self, labels: Labels) -> Result<(Vec<u32>, Vec<String>)> {
        match (labels, &self.numbers) {
            (Labels::Numbers { numbers, .. }, Some(known)) => {
                Ok((indices(numbers, known)?, self.names.clone()))
            }
            // Numbers may stand for the places of the named classes.
            (Labels::Numbers { numbers, .. }, None) => {
                let present: BTreeSet<i32> = numbers.iter().copied().collect();
                let known: Vec<i32> = present.into_iter().collect();
                let names = known.iter().map(i32::to_string).collect();
                Ok((indices(numbers, &known)?, names))
            }
            (Labels::Named { labels, names }, _) => Ok((labels, names)),
        }
    }
}

/// The place of each number among the numbers of the classes.
fn indices(numbers: Vec<i32>, known: &[i32]) -> Result<Vec<u32>> {
    let index = |(at, number): (usize, i32)| match known.binary_search(&number) {
        Ok(index) => Ok(index as u32),
        Err(_) => Err(invalid(format!(
            "label {number} of sample {at} is out of range: there are {} classes",
            known.len()
        ))),
    };
    numbers.into_iter().enumerate().map(index).collect()
}

/// The numbers of the classes of training labels: 0 up to the largest, since some may be missing by chance; but
/// only those that occur if most of many numbers do not, such as 0, 500 and 1000, or if one is negative.
fn numbers_of_classes(numbers: &[i32]) -> Result<Vec<i32>> {
    let present: BTreeSet<i32> = numbers.iter().copied().collect();
    let (used, classes) = (present.len(), MAX_CLASSES as usize);
    if used > classes {
        return Err(invalid(format!(
            "more than {classes} different labels; use `loss` squared for regression"
        )));
    }
    let least = present.first().copied().unwrap_or(0);
    let all = present.last().map_or(0, |&most| i64::from(most) + 1);
    match least < 0 || all > FEW.max(2 * used) as i64 {
        true => Ok(present.into_iter().collect()),
        false => Ok((0..all as i32).collect()),
    }
}

/// The values of a list or a column as whole numbers.
///
/// # Errors
/// `InvalidData` for an array of another shape, and for a value that is no whole number.
#[expect(clippy::unnecessary_cast)] // in one of the seven types
pub(crate) fn whole_numbers(array: &Array) -> Result<Vec<i32>> {
    if !matches!(array.shape[..], [_] | [_, 1]) {
        return Err(no_list(&array.shape, ""));
    }
    for_each_type!(&array.values, values => {
        values.iter().enumerate().map(|(at, &value)| to_label(at, value as f64)).collect()
    })
}

fn to_label(at: usize, value: f64) -> Result<i32> {
    if value.fract() == 0.0 && (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&value) {
        Ok(value as i32)
    } else {
        Err(invalid(format!(
            "label {value} of sample {at} is not a class: expected a whole number from {} to {}; use `loss` \
             squared for regression",
            i32::MIN,
            i32::MAX
        )))
    }
}

/// The classes of one-hot rows: the column of the 1 in each.
#[expect(clippy::unnecessary_cast)] // in one of the seven types
fn of_rows(array: &Array) -> Result<Labels> {
    let &[_, columns] = &array.shape[..] else { return Err(no_list(&array.shape, "")) };
    let is_class = (2..=MAX_CLASSES as usize).contains(&columns);
    let is_binary = for_each_type!(&array.values, values => {
        values.iter().all(|&value| value as f64 == 0.0 || value as f64 == 1.0)
    });
    if !is_class || !is_binary {
        let what = ", or one-hot rows of 0 and a single 1";
        return Err(no_list(&array.shape, what));
    }
    let column = |at: usize, row: &mut dyn Iterator<Item = bool>| {
        let ones: Vec<usize> =
            row.enumerate().filter(|(_, is_one)| *is_one).map(|it| it.0).collect();
        match ones[..] {
            [one] => Ok(one as i32),
            _ => Err(invalid(format!(
                "the labels of sample {at} have {} ones: expected one-hot rows with a single 1; several \
                 labels for one sample are not supported",
                ones.len()
            ))),
        }
    };
    let numbers: Result<Vec<i32>> = for_each_type!(&array.values, values => {
        let rows = values.chunks_exact(columns).enumerate();
        rows.map(|(at, row)| column(at, &mut row.iter().map(|&value| value as f64 == 1.0))).collect()
    });
    Ok(Labels::Numbers { numbers: numbers?, one_hot: Some(columns) })
}

/// The classes that texts name.
fn of_texts(texts: &Texts) -> Result<Labels> {
    if !matches!(texts.shape[..], [_] | [_, 1]) {
        return Err(no_list(&texts.shape, ""));
    }
    let mut labels = TextLabels::default();
    for at in 0..texts.len() {
        let pushed = texts.text(at).and_then(|text| labels.push(text.as_bytes()));
        pushed.map_err(|problem| invalid(format!("label of sample {at}: {problem}")))?;
    }
    let (labels, names) = labels.sorted();
    Ok(Labels::Named { labels, names })
}

fn no_list(shape: &[usize], or: &str) -> crate::error::Error {
    let images = if shape.len() > 2 { " (are these images given as labels?)" } else { "" };
    invalid(format!(
        "an array of shape {shape:?} is not a list of labels: expected one class for each sample{or}{images}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::npy_file;

    fn array(shape: &[usize], values: Values) -> Content {
        Content::Numbers(Array { shape: shape.to_vec(), values })
    }

    /// The labels and the names of the classes of a training part.
    fn training(content: Content) -> Result<(Vec<u32>, Vec<String>)> {
        let (labels, classes) = Classes::of_training(Labels::of(content)?)?;
        Ok((labels, classes.names))
    }

    fn message(content: Content) -> String {
        training(content).unwrap_err().to_string()
    }

    fn texts(descr: &str, shape: &str, bytes: &[u8]) -> Content {
        crate::npy::into_content(npy_file(descr, shape, bytes)).unwrap()
    }

    #[test]
    fn whole_numbers_of_any_type_are_classes() {
        let (labels, names) = training(array(&[3], Values::F32(vec![0.0, 9.0, 1.0]))).unwrap();
        assert_eq!((labels, names.len()), (vec![0, 9, 1], 10));
        let (labels, _) = training(array(&[2, 1], Values::I64(vec![3, 4]))).unwrap();
        assert_eq!(labels, [3, 4]);
        for (values, expected) in [
            (Values::I16(vec![0, 500, 1000, 0]), &["0", "500", "1000"][..]),
            (Values::I8(vec![-1, 1, 1]), &["-1", "1"]),
            (Values::I32(vec![20_240_101, 20_230_101]), &["20230101", "20240101"]),
        ] {
            assert_eq!(training(array(&[values.len()], values)).unwrap().1, expected);
        }
        for values in [
            Values::F32(vec![0.5, 0.0]),
            Values::F64(vec![f64::NAN, 0.0]),
            Values::I64(vec![1 << 40, 0]),
        ] {
            let message = message(array(&[2], values));
            assert!(message.contains("of sample 0 is not a class"), "{message}");
        }
        let many = Values::I32((0..70_000).collect());
        assert!(message(array(&[70_000], many)).contains("more than 65536"));
    }

    #[test]
    fn minus_one_among_classes_from_0_on_is_doubtful() {
        let doubt = |values: Vec<i8>| {
            Labels::of(array(&[values.len()], Values::I8(values))).unwrap().doubt()
        };
        assert!(doubt(vec![-1, 0, 2, -1]).unwrap().contains("-1 of 2 samples"));
        for sound in [vec![-1, 1], vec![-1, 0, 1], vec![-2, 0, 2], vec![0, 2]] {
            assert_eq!(doubt(sound), None);
        }
    }

    #[test]
    fn one_hot_rows_are_the_classes_of_their_columns() {
        for values in [
            Values::U8(vec![0, 1, 0, 1, 0, 0]),
            Values::I64(vec![0, 1, 0, 1, 0, 0]),
            Values::F64(vec![0.0, 1.0, 0.0, 1.0, -0.0, 0.0]),
        ] {
            let (labels, names) = training(array(&[2, 3], values)).unwrap();
            assert_eq!((labels, names.len()), (vec![1, 0], 3));
        }
        let two = message(array(&[2, 2], Values::U8(vec![0, 1, 1, 1])));
        assert!(two.contains("sample 1 have 2 ones"), "{two}");
        let none = message(array(&[2, 2], Values::F32(vec![0.0, 1.0, 0.0, 0.0])));
        assert!(none.contains("sample 1 have 0 ones"), "{none}");
        let other = message(array(&[1, 2], Values::F32(vec![0.5, 0.5])));
        assert!(other.contains("or one-hot rows"), "{other}");
        assert!(
            message(array(&[1, 2, 2], Values::U8(vec![0; 4]))).contains("images given as labels")
        );
    }

    #[test]
    fn texts_are_names_of_classes() {
        for shape in ["(3,)", "(3, 1)"] {
            let (labels, names) = training(texts("|S4", shape, b"bee\0apesbee\0")).unwrap();
            assert_eq!(
                (&labels[..], &names[..]),
                (&[1, 0, 1][..], &["apes".into(), "bee".into()][..])
            );
        }
        // As in tables, numbers are one class however they are written.
        let (labels, names) = training(texts("|S3", "(3,)", b"10\x002.02\0\0")).unwrap();
        assert_eq!((&labels[..], names.join(" ")), (&[1, 0, 0][..], "2 10".to_owned()));
    }

    #[test]
    fn gaps_among_texts_are_refused_by_their_place() {
        for (bytes, words) in
            [(b"apenan", "\"nan\" is a missing value"), (b"ape\0\0\0", "is empty")]
        {
            let message = message(texts("|S3", "(2,)", bytes));
            assert!(message.contains("sample 1") && message.contains(words), "{message}");
        }
        assert!(message(texts("|S1", "(1, 2)", b"ab")).contains("not a list of labels"));
    }

    #[test]
    fn labels_of_a_test_part_are_classes_of_the_training_part() {
        let numbers =
            |values: Vec<u8>| Labels::of(array(&[values.len()], Values::U8(values))).unwrap();
        let (_, classes) = Classes::of_training(numbers(vec![0, 2])).unwrap();
        assert_eq!(classes.of_other(numbers(vec![1])).unwrap(), (vec![1], classes.names.clone()));
        let error = classes.of_other(numbers(vec![4])).unwrap_err().to_string();
        assert!(error.contains("label 4 of sample 0 is out of range"), "{error}");
        let named = Labels::of(texts("|S1", "(2,)", b"ba")).unwrap();
        let (_, classes) = Classes::of_training(named).unwrap();
        let (labels, names) = classes.of_other(numbers(vec![1])).unwrap();
        assert_eq!((labels, names), (vec![0], vec!["1".to_owned()]));
    }
}
