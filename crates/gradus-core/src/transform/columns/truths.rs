//! Truth values as texts: the values of a category in, every text that stands for one of them out.
//!
//! Programs spell truth values differently (Python and pandas `True`, Polars and Parquet `true`, R `TRUE`), so that the same
//! column may come in another spelling than the training part had. Arrays of numbers and many databases have 0 and 1.

/// The spellings of each truth value.
const SPELLINGS: [[&str; 3]; 2] = [["False", "false", "FALSE"], ["True", "true", "TRUE"]];

/// The numbers that stand for them, where all values are spelled as above.
const NUMBERS: [&str; 2] = ["0", "1"];

/// The texts that stand for the values of a category, and the numbers of these: the values themselves, and the other spellings
/// of truth values if all values are such. With two spellings of the same truth value they are plain texts.
pub fn texts_of(values: &[String]) -> Vec<(&str, u32)> {
    let mut texts: Vec<(&str, u32)> = values.iter().map(String::as_str).zip(0..).collect();
    let group = |value: &String| SPELLINGS.iter().position(|group| group.contains(&value.as_str()));
    let groups: Option<Vec<usize>> = values.iter().map(group).collect();
    let Some(groups) = groups.filter(|it| it.len() < 2 || it[..] == [0, 1] || it[..] == [1, 0])
    else {
        return texts;
    };
    for (number, group) in (0..).zip(groups) {
        let others = SPELLINGS[group].into_iter().filter(|it| values[number as usize] != *it);
        texts.extend(others.chain([NUMBERS[group]]).map(|it| (it, number)));
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truth_values_have_several_spellings_and_other_texts_one() {
        let texts = |values: &[&str]| {
            let values: Vec<String> = values.iter().map(|&it| it.to_owned()).collect();
            let mut texts: Vec<(String, u32)> =
                texts_of(&values).into_iter().map(|(text, at)| (text.to_owned(), at)).collect();
            texts.sort();
            texts
        };
        let found = texts(&["true", "false"]);
        let expected = [
            ("0", 1),
            ("1", 0),
            ("FALSE", 1),
            ("False", 1),
            ("TRUE", 0),
            ("True", 0),
            ("false", 1),
            ("true", 0),
        ];
        assert_eq!(found, expected.map(|(text, at)| (text.to_owned(), at)));
        assert_eq!(texts(&["True"]).len(), 4);
        for plain in [&["True", "true"][..], &["True", "False", "maybe"], &["yes", "no"], &[]] {
            assert_eq!(texts(plain).len(), plain.len(), "{plain:?}");
        }
    }
}
