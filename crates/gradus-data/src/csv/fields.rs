//! Converts the fields of a table to features, regression targets and labels. Errors describe the field;
//! the table adds its position.

use std::collections::HashMap;

use gradus_core::samples::GAP_SPELLINGS;

use crate::array::MAX_CLASSES;

/// Whether a field is a missing value.
pub(super) fn is_missing(field: &[u8]) -> bool {
    let field = field.trim_ascii();
    field.is_empty() || GAP_SPELLINGS.iter().any(|it| it.as_bytes() == field)
}

/// The spellings of a gap in a table. An empty field is always one.
pub(super) struct Gaps<'a> {
    spellings: Option<&'a [String]>,
    /// Whether a gap begins with a byte: most fields are told apart by that.
    begins: [bool; 256],
}

impl<'a> Gaps<'a> {
    /// These spellings, or the usual ones.
    pub(super) fn new(spellings: Option<&'a [String]>) -> Gaps<'a> {
        let mut begins = [false; 256];
        let mut begin = |spelling: &[u8]| {
            if let Some(&first) = spelling.first() {
                begins[usize::from(first)] = true;
            }
        };
        match spellings {
            None => GAP_SPELLINGS.iter().for_each(|it| begin(it.as_bytes())),
            Some(all) => all.iter().for_each(|it| begin(it.trim().as_bytes())),
        }
        Gaps { spellings, begins }
    }

    /// Whether a field is a gap.
    pub(super) fn contain(&self, field: &[u8]) -> bool {
        let field = field.trim_ascii();
        let Some(&first) = field.first() else { return true };
        self.begins[usize::from(first)]
            && match self.spellings {
                None => is_missing(field),
                Some(spellings) => spellings.iter().any(|it| it.trim().as_bytes() == field),
            }
    }
}

/// The marks in the numbers of a table, as far as its fields have shown them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimals {
    /// The decimal mark.
    pub(super) mark: Mark,
    /// Whether a number had marks between thousands.
    pub(super) has_groups: bool,
}

/// Why a field has no number.
enum NoNumber {
    /// It has a decimal point where the table has decimal commas.
    OtherMark,
    /// Anything else.
    Other,
}

/// A decimal mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// No field has shown one yet; a comma may be one.
    Unknown,
    Point,
    Comma,
}

impl Decimals {
    /// Of numbers with a decimal comma.
    pub(super) const COMMA: Decimals = Decimals { mark: Mark::Comma, has_groups: false };

    /// Before any field is read.
    pub(super) fn of(separator: u8) -> Decimals {
        let mark = if separator == b',' { Mark::Point } else { Mark::Unknown };
        Decimals { mark, has_groups: false }
    }

    /// The number in a field, if there is one and its decimal mark is that of the others.
    #[inline]
    pub(super) fn try_number(&mut self, field: &[u8]) -> Option<f64> {
        let begins_so =
            |&byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b',');
        // Most fields of text columns are told apart by their first letter.
        let begins = field.trim_ascii_start().first().is_some_and(begins_so);
        begins.then(|| self.find(field.trim_ascii()).ok()).flatten()
    }

    /// The number in a field, or what is wrong with it.
    #[inline]
    pub(super) fn number(&mut self, field: &[u8]) -> Result<f64, String> {
        let text = field.trim_ascii();
        self.find(text).map_err(|problem| match problem {
            NoNumber::Other => why_no_number(text),
            NoNumber::OtherMark => format!(
                "{} has a decimal point, but other numbers of the table have a decimal comma",
                shown(text)
            ),
        })
    }

    /// The number in a trimmed field. What is wrong with it becomes words only where they are needed.
    #[inline]
    fn find(&mut self, text: &[u8]) -> Result<f64, NoNumber> {
        let (byte, mark) = match self.mark {
            Mark::Comma => (b',', Mark::Comma),
            Mark::Point | Mark::Unknown => (b'.', Mark::Point),
        };
        match parse_short(text, byte) {
            Some((number, has_mark)) => {
                if has_mark {
                    self.mark = mark;
                }
                Ok(number)
            }
            None => self.find_long(text),
        }
    }

    /// The same for a field that is not as most numbers are.
    fn find_long(&mut self, text: &[u8]) -> Result<f64, NoNumber> {
        let (has_comma, has_point) = (text.contains(&b','), text.contains(&b'.'));
        match parse_number(text, has_comma && self.mark != Mark::Point) {
            Some(_) if has_point && self.mark == Mark::Comma => {
                self.grouped_number(text).ok_or(NoNumber::OtherMark)
            }
            Some(number) => {
                match (has_comma, has_point) {
                    (true, _) => self.mark = Mark::Comma,
                    (false, true) => self.mark = Mark::Point,
                    (false, false) => {}
                }
                Ok(number)
            }
            None => self.grouped_number(text).ok_or(NoNumber::Other),
        }
    }

    /// The number in a field with marks between thousands.
    #[cold]
    fn grouped_number(&mut self, text: &[u8]) -> Option<f64> {
        let (number, mark) = parse_grouped(text, self.mark)?;
        self.has_groups = true;
        self.mark = mark;
        Some(number)
    }
}

/// A number whose thousands have marks between them, such as 1,234,567.5 or 1.234,5 or 1\u{2019}234, and the decimal mark that it
/// shows, given the one that is known. None if it may also be another number: `1.234` or `1,234` where the decimal mark is
/// not known, or where the mark is the decimal mark.
fn parse_grouped(field: &[u8], known: Mark) -> Option<(f64, Mark)> {
    let text = str::from_utf8(field).ok()?;
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let between = digits.chars().find(|letter| !letter.is_ascii_digit())?;
    let (decimal, shown) = match between {
        ',' => ('.', Mark::Point),
        '.' => (',', Mark::Comma),
        // An apostrophe, a narrow, a thin or an unbroken space, which stand between nothing else in a number.
        '\'' | '\u{2019}' | '\u{202f}' | '\u{2009}' | '\u{a0}' => match digits.contains(',') {
            true => (',', Mark::Comma),
            false => ('.', Mark::Point),
        },
        _ => return None,
    };
    let (whole, fraction) =
        digits.split_once(decimal).map_or((digits, None), |(a, b)| (a, Some(b)));
    let mut groups = whole.split(between);
    let first = groups.next()?;
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_first = (1..=3).contains(&first.len()) && is_digits(first) && !first.starts_with('0');
    let count = groups.clone().count();
    let are_groups = count > 0 && groups.all(|group| group.len() == 3 && is_digits(group));
    if !is_first || !are_groups || !fraction.is_none_or(is_digits) {
        return None;
    }
    let is_clear =
        count > 1 || fraction.is_some() || !matches!(between, '.' | ',') || known == shown;
    // Without a decimal mark of its own, a number between other marks shows none.
    let shows = fraction.is_some() || matches!(between, '.' | ',');
    if !is_clear || (shows && known != Mark::Unknown && known != shown) {
        return None;
    }
    let plain = format!("{sign}{}.{}", whole.replace(between, ""), fraction.unwrap_or("0"));
    let number = parse_number(plain.as_bytes(), false)?;
    Some((number, if shows { shown } else { known }))
}

/// Whether a field is a number with both marks, one of which is the decimal mark.
pub(super) fn has_both_marks(field: &[u8]) -> bool {
    field.contains(&b',') && field.contains(&b'.') && parse_grouped(field, Mark::Unknown).is_some()
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

/// The regression targets read so far, row by row.
#[derive(Default)]
pub(super) struct Rows {
    /// As they are: only all of them show what single precision would hide.
    pub(super) values: Vec<f64>,
}

impl Rows {
    /// Adds the next target of a row of a table with these marks.
    pub(super) fn push(&mut self, field: &[u8], decimals: &mut Decimals) -> Result<(), String> {
        let value = decimals.number(field)?;
        check_size(value, field)?;
        self.values.push(value);
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

    /// No labels yet, of classes that are known in their order.
    pub(super) fn of_classes(names: &[String]) -> Labels {
        let indices = names.iter().zip(0..).map(|(name, index)| (name.clone().into_bytes(), index));
        let class_indices = indices.collect();
        Labels { labels: Vec::new(), class_names: names.to_vec(), class_indices }
    }

    /// Forgets the labels, but not the classes.
    pub(super) fn forget_rows(&mut self) {
        self.labels.clear();
    }

    /// Adds the labels of later rows.
    ///
    /// # Errors
    /// If there are too many different ones.
    pub(crate) fn append(&mut self, later: Labels) -> Result<(), String> {
        let before = self.labels.len();
        for name in &later.class_names {
            self.push(name.as_bytes())?;
        }
        let indices = self.labels.split_off(before);
        self.labels.extend(later.labels.into_iter().map(|label| indices[label as usize]));
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
pub(super) fn parse_byte(field: &[u8]) -> Option<u8> {
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
    if is_halfway(double)
        && let Ok(single) = text.parse::<f32>()
        && single != double as f32
    {
        let up = f64::from(single) > double;
        return Some(if up { double.next_up() } else { double.next_down() });
    }
    Some(double)
}

/// Powers of ten that are exact.
const TENS: [f64; 16] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// The number in a field of at most 15 digits, perhaps with a sign and a decimal mark, and whether it has one: most numbers are
/// so. None for other fields, which may be numbers, too.
///
/// The digits are a whole number below 2^53 and the power of ten is exact, so that their quotient is the double that is
/// nearest to the number (Clinger, How to read floating point numbers accurately, 1990).
#[inline]
fn parse_short(field: &[u8], mark: u8) -> Option<(f64, bool)> {
    let (is_negative, digits) = match field {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, field),
    };
    if digits.len() > 16 {
        return None;
    }
    let (whole, before) = parse_digits(0, digits);
    let (whole, after) = match digits.get(before) {
        None => (whole, None),
        Some(&byte) if byte == mark => {
            let rest = &digits[before + 1..];
            let (whole, after) = parse_digits(whole, rest);
            if after < rest.len() {
                return None;
            }
            (whole, Some(after))
        }
        Some(_) => return None,
    };
    let count = before + after.unwrap_or(0);
    // A code such as 007 is no number.
    if count == 0 || count > 15 || (after.is_none() && count > 1 && digits[0] == b'0') {
        return None;
    }
    let number = whole as f64 / TENS[after.unwrap_or(0)];
    if is_halfway(number) {
        return None;
    }
    Some((if is_negative { -number } else { number }, after.is_some()))
}

/// Adds the digits at the start of at most 16 bytes to a number; returns it and how many they are.
#[inline]
fn parse_digits(mut number: u64, bytes: &[u8]) -> (u64, usize) {
    for (at, byte) in bytes.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return (number, at);
        }
        number = 10 * number + u64::from(digit);
    }
    (number, bytes.len())
}

/// Whether a number is halfway between two in single precision.
fn is_halfway(number: f64) -> bool {
    number.to_bits() & 0x1fff_ffff == 0x1000_0000
}

/// A finite number, spaces around it allowed; with a decimal comma in place of the point where
/// `decimal_comma` says so.
pub(super) fn parse_number(field: &[u8], decimal_comma: bool) -> Option<f64> {
    let field = field.trim_ascii();
    if let Some((number, _)) = parse_short(field, if decimal_comma { b',' } else { b'.' }) {
        return Some(number);
    }
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
        let mark = if decimal_comma { Mark::Unknown } else { Mark::Point };
        parse_number(field, decimal_comma).is_some()
            || (parse_any_number(field).is_some() && !is_code(field.trim_ascii()))
            || parse_grouped(field.trim_ascii(), mark).is_some()
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
        assert!(decimals.number(b"1.23,5").unwrap_err().contains("thousands"));
        let mut decimals = Decimals::of(b'\t');
        assert_eq!(decimals.number(b"1.5"), Ok(1.5));
        assert!(decimals.number(b"1,5").unwrap_err().contains("decimals with a point"));
        assert!(Decimals::of(b',').number(b"1,5").is_err());
    }

    #[test]
    fn marks_between_thousands_are_read_where_they_are_clear() {
        for (separator, text, number) in [
            (b',', "1,234", Some(1234.0)),
            (b',', "-1,234,567.5", Some(-1_234_567.5)),
            (b',', "1,23", None),
            (b',', "0,123", None),
            (b',', "1234,567", None),
            (b',', "1.234.567", None),
            (b';', "1.234.567", Some(1_234_567.0)),
            (b';', "1.234,5", Some(1234.5)),
            (b';', "1,234.5", Some(1234.5)),
            // Either decimals or thousands: what the decimal mark would be without other numbers.
            (b';', "1.234", Some(1.234)),
            (b';', "1,234", Some(1.234)),
            (b';', "1'234'567.25", Some(1_234_567.25)),
            (b';', "1\u{2019}234", Some(1234.0)),
            (b'\t', "12\u{202f}345,5", Some(12_345.5)),
            (b',', "12\u{a0}345", Some(12_345.0)),
            // A space is also what stands between numbers.
            (b',', "12 345", None),
            (b',', "1,2345", None),
            (b',', ",234", None),
        ] {
            assert_eq!(Decimals::of(separator).number(text.as_bytes()).ok(), number, "{text}");
        }
        let mut decimals = Decimals::of(b';');
        decimals.number(b"1,5").unwrap();
        assert_eq!(decimals.number(b"1.234"), Ok(1234.0));
        assert!(decimals.has_groups);
        assert!(decimals.number(b"1.23").unwrap_err().contains("decimal comma"));
        let mut decimals = Decimals::of(b';');
        decimals.number(b"1.5").unwrap();
        assert_eq!(decimals.number(b"1,234"), Ok(1234.0));
        assert!(decimals.number(b"1.234,5").is_err());
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
