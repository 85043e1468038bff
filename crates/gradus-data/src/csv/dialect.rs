//! Detects the separator of a table from the beginning of its text.

use super::fields::parse_number;
use super::records::{Record, Records};

/// Known separators, the most common first.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Number of records to inspect.
const LOOKED_AT: usize = 50;

/// The separator that a first line `sep=;` names, as spreadsheet programs write it, and the length of the
/// line.
pub(super) fn named_separator(start: &[u8]) -> Option<(u8, usize)> {
    let end = start.iter().position(|byte| matches!(byte, b'\n' | b'\r'))?;
    let line = start[..end].trim_ascii();
    let line = line.strip_prefix(b"\"").and_then(|it| it.strip_suffix(b"\"")).unwrap_or(line);
    let (name, separator) = line.split_at_checked(4)?;
    match (name.eq_ignore_ascii_case(b"sep="), separator) {
        (true, &[separator]) if separator != b'"' => Some((separator, end)),
        (true, b"\\t") => Some((b'\t', end)),
        // A tab has been trimmed.
        (true, []) if start[..end].ends_with(b"\t") => Some((b'\t', end)),
        _ => None,
    }
}

/// The separator of a text that begins with `start`; `is_whole`: whether `start` is the entire text.
///
/// The separator with the same number of fields in most records wins, and among those the one with most
/// fields that are numbers.
pub(super) fn find_separator(start: &[u8], is_whole: bool) -> u8 {
    let mut best = (b',', (0, 0));
    for separator in SEPARATORS {
        let fit = fit(start, is_whole, separator);
        // Of equally good separators, the first wins.
        if fit > best.1 {
            best = (separator, fit);
        }
    }
    best.0
}

/// How well a separator fits, in thousandths: records that have the most frequent number of fields, if that
/// is more than one; and fields that are numbers.
fn fit(start: &[u8], is_whole: bool, separator: u8) -> (usize, usize) {
    let records = first_records(start, is_whole, separator);
    let (mut widths, mut fields, mut numbers) = (std::collections::BTreeMap::new(), 0, 0);
    for record in &records {
        *widths.entry(record.len()).or_insert(0_usize) += 1;
        fields += record.len();
        // A comma between two numbers is not a decimal comma.
        let is_number = |field: &&[u8]| parse_number(field, separator != b',').is_some();
        numbers += record.fields().filter(is_number).count();
    }
    match widths.into_iter().max_by_key(|&(_, count)| count) {
        Some((width, count)) if width > 1 => {
            (1000 * count / records.len(), 1000 * numbers / fields)
        }
        _ => (0, 0),
    }
}

/// The first records, comments excluded.
fn first_records(start: &[u8], is_whole: bool, separator: u8) -> Vec<Record> {
    let mut records = Records::from(start, (0, 1), separator, false);
    let mut found: Vec<Record> = Vec::new();
    let mut record = Record::default();
    while found.len() < LOOKED_AT && records.next(&mut record).unwrap_or(false) {
        found.push(record.clone());
    }
    if !is_whole && found.len() > 1 && found.len() < LOOKED_AT {
        // The last record is incomplete: `start` ends within it.
        found.pop();
    }
    if found.iter().any(|record| !record.is_marked) {
        found.retain(|record| !record.is_marked);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_are_judged_over_several_lines() {
        for (text, expected) in [
            ("a,b\n1,2\n", b','),
            ("a;b\n1;2\n", b';'),
            ("a\tb\n1\t2\n", b'\t'),
            ("a|b\n1|2\n", b'|'),
            // Commas in names, with and without quotation marks, and in numbers.
            ("height, cm;weight, kg;animal\n1;2;ape\n3;4;bee\n", b';'),
            ("\"height; cm\",\"weight; kg; net\"\n1,2\n", b','),
            ("\"a;b;c\",d\n1,2\n", b','),
            ("1,5;2,5;ape\n3,5;4,5;bee\n", b';'),
            ("1,5\t2,5\n", b'\t'),
            ("1,2,a|b\n3,4,c|d\n", b','),
            ("# one, two, three\n# four, five, six\nx;y\n1;2\n", b';'),
            ("one\ntwo\n", b','),
            ("", b','),
            ("1,2\n1,2,3\n", b','),
            ("\"a\nb\";2\n\"c,d\ne\";4\n", b';'),
        ] {
            assert_eq!(find_separator(text.as_bytes(), true), expected, "{text:?}");
        }
        // The last record is truncated.
        assert_eq!(find_separator(b"1;2\n3;4\n5", false), b';');
    }

    #[test]
    fn a_line_may_name_the_separator() {
        for (text, expected) in [
            ("sep=;\na;b\n", Some((b';', 5))),
            ("SEP=,\r\na", Some((b',', 5))),
            ("\"sep=|\"\na|b", Some((b'|', 7))),
            ("sep=\t\na\tb", Some((b'\t', 5))),
            ("sep,b\n1,2", None),
            ("sep=ab\n", None),
            ("sepal\n", None),
        ] {
            assert_eq!(named_separator(text.as_bytes()), expected, "{text:?}");
        }
    }
}
