//! What exports need of a model of raw columns: names for the columns, and codes for texts.

use std::collections::HashSet;

use crate::classifier::Model;
use crate::data::GAP_SPELLINGS;
use crate::transform::columns::{CategoryForm, texts_of};

/// The names of the raw columns: no two are equal, none is empty. `form` makes of a name what the export allows.
pub(super) fn column_names(model: &Model, form: impl Fn(&str) -> String) -> Vec<String> {
    let given = model.columns.as_ref().and_then(|columns| columns.feature_names());
    let mut taken = HashSet::new();
    let unique = |at: usize| {
        let given = given.as_ref().map_or("", |names| names[at]);
        let name = if given.is_empty() { format!("column_{at}") } else { form(given) };
        let numbered = (2..).map(|number| format!("{name}_{number}"));
        let mut candidates = std::iter::once(name.clone()).chain(numbered);
        candidates.find(|it| taken.insert(it.clone())).unwrap_or(name)
    };
    (0..model.features()).map(unique).collect()
}

/// The spellings of a gap in a column of text; the empty text is one.
pub(super) fn gap_spellings(model: &Model) -> Vec<String> {
    let given = model.columns.as_ref().and_then(|columns| columns.missing());
    let spellings: Vec<String> = match given {
        Some(given) => given.iter().map(|it| it.trim().to_owned()).collect(),
        None => GAP_SPELLINGS.map(str::to_owned).to_vec(),
    };
    let mut seen = HashSet::from([String::new()]);
    let others = spellings.into_iter().filter(|it| seen.insert(it.clone()));
    std::iter::once(String::new()).chain(others.collect::<Vec<_>>()).collect()
}

/// Numbers that stand for texts.
pub(super) struct TextCodes<'a> {
    /// Texts, no two of them equal, and their numbers: -1 and 1 for the two of a binary category, else 1 to K for the
    /// values, and 0 for gaps where they differ from unknown texts.
    pub(super) known: Vec<(&'a str, f32)>,
    /// The number of any other text.
    pub(super) other: f32,
    /// Flags that follow: one for each number from 1 up. Without flags, the number itself is the input.
    pub(super) flags: usize,
}

impl<'a> TextCodes<'a> {
    /// Of a category with these values, where these are the spellings of gaps.
    pub(super) fn new(
        values: &'a [String],
        form: CategoryForm,
        gaps: &'a [String],
    ) -> TextCodes<'a> {
        let number = |at: usize| match form {
            CategoryForm::Binary => 2.0 * at as f32 - 1.0,
            CategoryForm::OneHot | CategoryForm::Frequent | CategoryForm::Code => (at + 1) as f32,
        };
        let texts = texts_of(values).into_iter();
        // What the table counts among its gaps is no other spelling of a value.
        let texts = texts.filter(|(text, at)| {
            values[*at as usize] == *text || !gaps.iter().any(|gap| gap == text)
        });
        let mut known: Vec<(&str, f32)> =
            texts.map(|(text, at)| (text, number(at as usize))).collect();
        let (other, flags) = match form {
            CategoryForm::Binary | CategoryForm::Code => (0.0, 0),
            CategoryForm::OneHot => (0.0, values.len()),
            CategoryForm::Frequent => {
                let different = gaps.iter().filter(|gap| !values.contains(gap));
                known.extend(different.map(|gap| (gap.as_str(), 0.0)));
                ((values.len() + 1) as f32, values.len() + 1)
            }
        };
        TextCodes { known, other, flags }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_spellings_of_truth_values_have_their_codes_unless_they_are_gaps() {
        let values = ["false", "true"].map(String::from);
        let gaps = ["", "True"].map(String::from);
        let codes = TextCodes::new(&values, CategoryForm::Binary, &gaps);
        let mut known = codes.known;
        known.sort_by_key(|it| it.0);
        let expected = [
            ("0", -1.0),
            ("1", 1.0),
            ("FALSE", -1.0),
            ("False", -1.0),
            ("TRUE", 1.0),
            ("false", -1.0),
            ("true", 1.0),
        ];
        assert_eq!(known, expected);
    }
}
