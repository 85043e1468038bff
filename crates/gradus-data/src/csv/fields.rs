//! Converts the fields of a table to features, regression targets and labels. Errors describe the field;
//! the table adds its position.

use std::collections::HashMap;

use gradus_core::samples::GAP_SPELLINGS;

use crate::Inputs;
use crate::array::MAX_CLASSES;

/// Whether a field is a missing value.
pub(super) fn is_missing(field: &[u8]) -> bool {
    let field = field.trim_ascii();
    field.is_empty() || GAP_SPELLINGS.iter().any(|it| it.as_bytes() == field)
}

/// The spellings of a gap in a table. An empty field is always one.
pub(super) struct Gaps<'a>(Option<&'a [String]>);

impl<'a> Gaps<'a> {
    /// These spellings, or the usual ones.
    pub(super) fn new(spellings: Option<&'a [String]>) -> Gaps<'a> {
        Gaps(spellings)
    }

    /// Whether a field is a gap.
    pub(super) fn contain(&self, field: &[u8]) -> bool {
        let field = field.trim_ascii();
        match self.0 {
            None => is_missing(field),
            Some(spellings) => {
                field.is_empty() || spellings.iter().any(|it| it.trim().as_bytes() == field)
            }
        }
    }
}

/// The decimal mark of a table, as far as its fields have shown it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decimals {
    /// No field has shown one yet; a comma may be one.
    Unknown,
    Point,
    Comma,
}

impl Decimals {
    /// Before any field is read.
    pub(super) fn of(separator: u8) -> Decimals {
        if separator == b',' { Decimals::Point } else { Decimals::Unknown }
    }

    /// The number in a field, if there is one and its decimal mark is that of the others.
    pub(super) fn try_number(&mut self, field: &[u8]) -> Option<f64> {
        let begins_so =
            |&byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b',');
        // Most fields of text columns are told apart by their first letter.
        let begins = field.trim_ascii_start().first().is_some_and(begins_so);
        begins.then(|| self.number(field).ok()).flatten()
    }

    /// The number in a field, or what is wrong with it.
    pub(super) fn number(&mut self, field: &[u8]) -> Result<f64, String> {
        let text = field.trim_ascii();
        let (has_comma, has_point) = (text.contains(&b','), text.contains(&b'.'));
        match parse_number(text, has_comma && *self != Decimals::Point) {
            Some(_) if has_point && *self == Decimals::Comma => Err(format!(
                "{} has a decimal point, but other numbers of the table have a decimal comma",
                shown(text)
            )),
            Some(number) => {
                match (has_comma, has_point) {
                    (true, _) => *self = Decimals::Comma,
                    (false, true) => *self = Decimals::Point,
                    (false, false) => {}
                }
                Ok(number)
            }
            None => Err(why_no_number(text)),
        }
    }
}

/// Why a field is not a number.
fn why_no_number(text: &[u8]) -> String {
    let shown = shown(text);
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    let mut parts = text.split(|byte| matches!(byte, b'-' | b'/' | b'.'));
    let is_date = text.iter().filter(|byte| matches!(byte, b'-' | b'/' | b'.')).count() == 2
        && text.first().is_some_and(is_digit)
        && parts.all(|part| part.first().is_some_and(is_digit));
    match text {
        [] => "the field is empty, a missing value".to_owned(),
        _ if is_missing(text) => format!("{shown} is a missing value"),
        _ if is_code(text) => format!("{shown} begins with 0, so it is text, not a number"),
        _ if is_date => format!("{shown} is a date, not a number"),
        _ if text
            .iter()
            .all(|byte| is_digit(byte) || matches!(byte, b',' | b'.' | b'-' | b' ')) =>
        {
            format!(
                "{shown} is not a number (write decimals with a point, and thousands without marks)"
            )
        }
        _ if parse_any_number(text).is_some() => format!("{shown} is not a finite number"),
        _ => format!("{shown} is not a number"),
    }
}

/// A field for a message, shortened if it is long.
pub(super) fn shown(text: &[u8]) -> String {
    const LETTERS: usize = 80;
    let text = String::from_utf8_lossy(&text[..text.len().min(4 * LETTERS)]);
    match text.char_indices().nth(LETTERS) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}...", &text[..end]),
    }
}

/// The features read so far: of what may be pixels, bytes until a number rules that out.
pub(super) struct Numbers {
    values: Values,
    pub(super) decimals: Decimals,
}

enum Values {
    Bytes(Vec<u8>),
    Doubles(Vec<f64>),
}

impl Numbers {
    pub(super) fn new(may_be_pixels: bool, decimals: Decimals) -> Self {
        let values = match may_be_pixels {
            true => Values::Bytes(Vec::new()),
            false => Values::Doubles(Vec::new()),
        };
        Numbers { values, decimals }
    }

    pub(super) fn push(&mut self, field: &[u8]) -> Result<(), String> {
        if let (Values::Bytes(values), Some(byte)) = (&mut self.values, parse_byte(field)) {
            values.push(byte);
            return Ok(());
        }
        let value = self.decimals.number(field)?;
        check_size(value, field)?;
        self.push_number(value);
        Ok(())
    }

    /// Adds a number that single precision can hold.
    pub(super) fn push_number(&mut self, value: f64) {
        match &mut self.values {
            Values::Doubles(values) => values.push(value),
            Values::Bytes(values) if value == f64::from(value as u8) => values.push(value as u8),
            Values::Bytes(values) => {
                let bytes = values.iter().map(|&byte| f64::from(byte));
                self.values = Values::Doubles(bytes.chain([value]).collect());
            }
        }
    }

    /// The features; zeros and ones alone are not grey levels.
    pub(super) fn finish(self, features: usize, doubles: bool) -> Inputs {
        match self.values {
            Values::Bytes(values) if values.iter().all(|&value| value <= 1) => {
                Inputs::Floats(values.into_iter().map(f32::from).collect())
            }
            Values::Bytes(values) => Inputs::Bytes(values),
            Values::Doubles(values) if doubles => Inputs::Doubles(values),
            Values::Doubles(values) => Inputs::of_doubles(values, features),
        }
    }
}

/// The regression targets read so far, row by row.
pub(super) struct Rows {
    pub(super) values: Vec<f32>,
    pub(super) decimals: Decimals,
}

impl Rows {
    pub(super) fn new(decimals: Decimals) -> Self {
        Rows { values: Vec::new(), decimals }
    }

    /// Adds the next target of a row.
    pub(super) fn push(&mut self, field: &[u8]) -> Result<(), String> {
        let value = self.decimals.number(field)?;
        check_size(value, field)?;
        self.values.push(value as f32);
        Ok(())
    }
}

/// Checks that a number is finite in single precision, too.
pub(super) fn check_size(value: f64, field: &[u8]) -> Result<(), String> {
    match (value as f32).is_finite() {
        true => Ok(()),
        false => Err(format!("{} is not a finite number in single precision", shown(field))),
    }
}

/// The labels read so far.
#[derive(Default)]
pub(crate) struct Labels {
    labels: Vec<u32>,
    /// Class names in order of appearance.
    class_names: Vec<String>,
    /// The index of each class by its name and by every spelling found.
    class_indices: HashMap<Vec<u8>, u32>,
}

impl Labels {
    pub(crate) fn push(&mut self, field: &[u8]) -> Result<(), String> {
        let field = field.trim_ascii();
        if let Some(&index) = self.class_indices.get(field) {
            self.labels.push(index);
            return Ok(());
        }
        let name = class_name(field)?;
        let known = self.class_indices.get(name.as_bytes()).copied();
        let index = known.unwrap_or(self.class_names.len() as u32);
        if index >= MAX_CLASSES {
            return Err(format!(
                "more than {MAX_CLASSES} different labels (`loss` squared learns values)"
            ));
        }
        self.class_indices.insert(field.to_vec(), index);
        if known.is_none() {
            self.class_indices.insert(name.clone().into_bytes(), index);
            self.class_names.push(name);
        }
        self.labels.push(index);
        Ok(())
    }

    /// The labels and the names of the classes in order: by value where all are numbers, else by
    /// text.
    pub(crate) fn sorted(self) -> (Vec<u32>, Vec<String>) {
        let names = self.class_names;
        let numbers: Option<Vec<i64>> = names.iter().map(|name| name.parse().ok()).collect();
        let mut sorted: Vec<usize> = (0..names.len()).collect();
        match numbers {
            Some(numbers) => sorted.sort_by_key(|&at| (numbers[at], &names[at])),
            None => sorted.sort_by_key(|&at| &names[at]),
        }
        let mut new_index = vec![0; names.len()];
        sorted.iter().enumerate().for_each(|(new, &old)| new_index[old] = new as u32);
        let labels = self.labels.into_iter().map(|label| new_index[label as usize]).collect();
        (labels, sorted.into_iter().map(|at| names[at].clone()).collect())
    }
}

/// The name of the class that a label means: "3" and "3.0" are one class, "03" is another one.
fn class_name(field: &[u8]) -> Result<String, String> {
    let text = String::from_utf8_lossy(field).into_owned();
    match parse_number(field, false) {
        _ if text.is_empty() => Err("the label is empty, a missing value".to_owned()),
        _ if is_missing(field) => Err(format!("the label {text:?} is a missing value")),
        Some(number) if number.fract() != 0.0 => Err(format!(
            "the label {text} has a fraction, so it is no class (`loss` squared learns values)"
        )),
        Some(number) if number.abs() < 1e15 => Ok((number as i64).to_string()),
        _ => Ok(text),
    }
}

/// One to three digits that make a number up to 255: nearly every cell of a table of pixels.
fn parse_byte(field: &[u8]) -> Option<u8> {
    if field.is_empty() || field.len() > 3 || (field.len() > 1 && field[0] == b'0') {
        return None;
    }
    let mut number = 0_u32;
    for &digit in field {
        if !digit.is_ascii_digit() {
            return None;
        }
        number = 10 * number + u32::from(digit - b'0');
    }
    u8::try_from(number).ok()
}

/// Whether a field of digits begins with 0, such as a post code: text, whose zeros must not be lost.
pub(super) fn is_code(field: &[u8]) -> bool {
    let digits = field.strip_prefix(b"-").unwrap_or(field);
    digits.len() > 1 && digits[0] == b'0' && digits.iter().all(u8::is_ascii_digit)
}

/// A number, spaces around it allowed, infinity and NaN among them.
fn parse_any_number(field: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(field.trim_ascii()).ok()?;
    let double: f64 = text.parse().ok()?;
    // Halfway between two single-precision numbers, the text itself decides which is nearer: rounding twice
    // must give what rounding once gives.
    if double.to_bits() & 0x1fff_ffff == 0x1000_0000
        && let Ok(single) = text.parse::<f32>()
        && single != double as f32
    {
        let up = f64::from(single) > double;
        return Some(if up { double.next_up() } else { double.next_down() });
    }
    Some(double)
}

/// A finite number, spaces around it allowed; with a decimal comma in place of the point where
/// `decimal_comma` says so.
pub(super) fn parse_number(field: &[u8], decimal_comma: bool) -> Option<f64> {
    let field = field.trim_ascii();
    if is_code(field) {
        return None;
    }
    let found = match decimal_comma && field.iter().filter(|&&byte| byte == b',').count() == 1 {
        true if field.contains(&b'.') => None,
        true => {
            let point = |&byte: &u8| if byte == b',' { b'.' } else { byte };
            parse_any_number(&field.iter().map(point).collect::<Vec<_>>())
        }
        false => parse_any_number(field),
    };
    found.filter(|value| value.is_finite())
}

/// Neither a number of any kind nor a missing value.
pub(super) fn is_text(field: &[u8], decimal_comma: bool) -> bool {
    let is_number = || {
        parse_number(field, decimal_comma).is_some()
            || (parse_any_number(field).is_some() && !is_code(field.trim_ascii()))
    };
    !is_missing(field) && !is_number()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_keep_their_leading_zeros() {
        let sorted = |labels: &[&str]| {
            let mut all = Labels::default();
            labels.iter().for_each(|label| all.push(label.as_bytes()).unwrap());
            all.sorted()
        };
        let (labels, names) = sorted(&["01", "1", "001", "1.0", " 1", "01"]);
        assert_eq!(names, ["001", "01", "1"]);
        assert_eq!(labels, [1, 2, 0, 2, 2, 1]);
        assert_eq!(sorted(&["01067", "1067", "10", "0"]).1, ["0", "10", "01067", "1067"]);
        assert_eq!(sorted(&["20240101123456", "b"]).1, ["20240101123456", "b"]);
    }

    #[test]
    fn missing_values_are_not_labels() {
        for missing in ["", " ", "NA", "N/A", "nan", "NaN", "null", "NULL", "None", "?", "<NA>"] {
            let error = Labels::default().push(missing.as_bytes()).unwrap_err();
            assert!(error.contains("missing value"), "{error}");
        }
        Labels::default().push(b"Nancy").unwrap();
    }

    #[test]
    fn numbers_are_read_as_single_precision_reads_them() {
        // Halfway between 1 and its neighbour, and a little above and below.
        let half = "1.000000059604644775390625";
        for text in [half, "1.0000000596046447753906250001", "1.00000005960464477539062499", "0.1"]
        {
            let double = parse_number(text.as_bytes(), false).unwrap();
            assert_eq!(double as f32, text.parse::<f32>().unwrap(), "{text}");
        }
        assert_eq!(parse_number(b"1700000000.5", false), Some(1_700_000_000.5));
    }

    #[test]
    fn decimal_commas_and_points_do_not_mix() {
        let mut decimals = Decimals::of(b';');
        assert_eq!(decimals.number(b"12"), Ok(12.0));
        assert_eq!(decimals.number(b"-1,5"), Ok(-1.5));
        assert_eq!(decimals.number(b"1,5e3"), Ok(1500.0));
        assert!(decimals.number(b"1.5").unwrap_err().contains("decimal comma"));
        assert!(decimals.number(b"1.234,5").unwrap_err().contains("thousands"));
        let mut decimals = Decimals::of(b'\t');
        assert_eq!(decimals.number(b"1.5"), Ok(1.5));
        assert!(decimals.number(b"1,5").unwrap_err().contains("decimals with a point"));
        assert!(Decimals::of(b',').number(b"1,234").is_err());
    }

    #[test]
    fn what_is_no_number_is_said() {
        let why = |text: &str| Decimals::of(b',').number(text.as_bytes()).unwrap_err();
        for (text, words) in [
            ("", "is empty"),
            ("NA", "\"NA\" is a missing value"),
            ("01067", "begins with 0"),
            ("2024-05-01", "is a date"),
            ("1.5.2024", "is a date"),
            ("2024-05-01 12:00", "is a date"),
            ("$5", "\"$5\" is not a number"),
            ("inf", "not a finite number"),
            ("1 000", "thousands"),
        ] {
            assert!(why(text).contains(words), "{text}: {}", why(text));
        }
        assert_eq!(Decimals::of(b',').number(b" 0.5 "), Ok(0.5));
        assert_eq!(Decimals::of(b',').number(b"0"), Ok(0.0));
    }
}
