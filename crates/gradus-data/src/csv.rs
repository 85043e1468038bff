//! CSV tables with a class label in one column, or values to learn in some, and numbers in all
//! others: text in, a [`Dataset`] out; or tables of numbers alone, for a model to predict.
//!
//! - Fields are separated by the most frequent of comma, semicolon and tab in the first line.
//! - The first line is a header where it has text above a column of numbers, or nothing but text.
//! - The label column is the one asked for, by name or by position from 0; else the column named
//!   `label`, `class`, `target` or `y`, in this order; else the only column of text; else the
//!   first, as in the usual tables of MNIST; under a header that is worth a notice. Labels are any
//!   text, or whole numbers.
//! - Columns of values are the ones asked for, in that order, with commas between them; else the
//!   column of a usual name. They are finite numbers.
//! - Whole numbers in 0..=255 (not only 0 and 1) in at least 8 x 8 columns whose number is a square
//!   are the pixels of square pictures and stay bytes; everything else becomes floats.
//!
//! `csv/table.rs` knows rows and columns, `csv/fields.rs` what a field becomes.

mod fields;
mod table;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::image_shape;
use super::{Dataset, Inputs, Targets, invalid};
use crate::error::{Error, Result};

use fields::{Labels, Rows};
use table::Table;

/// Reads a CSV file; `label_column` is a name from its header or a position from 0.
///
/// # Errors
/// `NotFound` or `Io` where the file cannot be read; `InvalidArgument` where there is no such label
/// column; `InvalidData` with line and column where the file does not hold what the module's first
/// lines say.
pub fn read_csv(path: &Path, label_column: Option<&str>) -> Result<Dataset> {
    read_with_notice(path, label_column, false).map(|(data, _)| data)
}

/// As [`read_csv`], or with columns of `values`; with a line to the user where the label column is a
/// mere guess.
pub(crate) fn read_with_notice(
    path: &Path,
    label_column: Option<&str>,
    values: bool,
) -> Result<(Dataset, Option<String>)> {
    let file = File::open(path).map_err(|error| Error::io("open", path, error))?;
    let read = match values {
        true => parse_values(file, label_column).map(|data| (data, None)),
        false => parse_with_notice(file, label_column),
    };
    let (data, notice) = read.map_err(|error| error.context(path.display()))?;
    Ok((data, notice.map(|notice| format!("{}: {notice}", path.display()))))
}

/// As [`read_csv`], from any source of bytes.
///
/// # Errors
/// As [`read_csv`].
pub fn parse_csv(source: impl Read, label_column: Option<&str>) -> Result<Dataset> {
    parse_with_notice(source, label_column).map(|(data, _)| data)
}

fn parse_with_notice(
    source: impl Read,
    label_column: Option<&str>,
) -> Result<(Dataset, Option<String>)> {
    let mut table = Table::open(source)?;
    if table.columns < 2 {
        return Err(invalid("the table has one column: expected a label and at least one number"));
    }
    let (label_at, notice) = table.label_column(label_column)?;
    let mut labels = Labels::default();
    let inputs = table.read_numbers(&[label_at], |_, field| labels.push(field))?;
    let (labels, class_names) = labels.sorted();
    let sample_shape = shape_of(&inputs, table.columns - 1);
    Ok((Dataset::new(inputs, labels, sample_shape, class_names)?, notice))
}

/// As [`parse_csv`], with values to learn in the columns that `columns` names.
///
/// # Errors
/// As [`read_csv`], and `InvalidArgument` where it is not told which columns these are.
pub fn parse_values(source: impl Read, columns: Option<&str>) -> Result<Dataset> {
    let mut table = Table::open(source)?;
    let places = table.value_columns(columns)?;
    let mut values = Rows::new(places.len());
    let inputs = table.read_numbers(&places, |place, field| values.set(place, field))?;
    let names = places.iter().map(|&at| table.name(at)).collect();
    let sample_shape = shape_of(&inputs, table.columns - places.len());
    Dataset::with_targets(inputs, Targets::Values { values: values.values, names }, sample_shape)
}

fn shape_of(inputs: &Inputs, features: usize) -> Vec<usize> {
    match inputs {
        Inputs::Bytes(_) => image_shape(&[features]).unwrap_or(vec![features]),
        _ => vec![features],
    }
}

/// The samples of a table for a model that takes `features` numbers: all columns, or all but a
/// label column, whose content does not matter. With a line to the user where that column is a mere
/// guess. `outputs` names the values that the model answers with, none for classes: their columns are
/// left out where the table has them.
///
/// # Errors
/// As [`read_csv`], and `InvalidData` where the table has another number of columns.
pub fn parse_samples(
    source: impl Read,
    features: usize,
    label_column: Option<&str>,
    outputs: &[String],
) -> Result<(Inputs, Option<String>)> {
    let mut table = Table::open(source)?;
    let (left_out, notice) = match label_column {
        None if table.columns == features => (Vec::new(), None),
        Some(wanted) if !outputs.is_empty() => (table.value_columns(Some(wanted))?, None),
        None if !outputs.is_empty() => (table.columns_named(outputs), None),
        None if table.columns != features + 1 => (Vec::new(), None),
        wanted => {
            let (at, notice) = table.label_column(wanted)?;
            (vec![at], notice)
        }
    };
    let (expected, what) = match left_out.len() {
        0 if outputs.is_empty() => {
            (features, "the numbers of a sample, or one more where there is a label")
        }
        0 => (features, "the numbers of a sample; name other columns with `label_column`"),
        1 => (features + 1, "the numbers of a sample and the label"),
        count => (features + count, "the numbers of a sample and the columns left out"),
    };
    if table.columns != expected {
        let found = table.columns;
        let problem = format!("the table has {found} columns: the model takes {expected}, {what}");
        return Err(invalid(problem));
    }
    Ok((table.read_numbers(&left_out, |_, _| Ok(()))?, notice))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Dataset {
        parse_csv(text.as_bytes(), None).unwrap()
    }

    fn message(text: &str) -> String {
        parse_csv(text.as_bytes(), None).unwrap_err().to_string()
    }

    fn floats(data: &Dataset) -> &[f32] {
        match &data.inputs {
            Inputs::Floats(values) => values,
            _ => panic!("no floats"),
        }
    }

    #[test]
    fn a_table_of_pixels() {
        let header: Vec<_> = (0..784).map(|at| format!("pixel{at}")).collect();
        let row = |label: u32, value: u32| format!("{label}{}\n", format!(",{value}").repeat(784));
        let rows = row(5, 255) + &row(0, 7) + &row(10, 0);
        for text in [format!("label,{}\n{rows}", header.join(",")), rows.clone()] {
            let data = parse(&text);
            assert_eq!(data.sample_shape, [28, 28]);
            assert_eq!(data.class_names(), ["0", "5", "10"]); // by value, not by text
            assert_eq!(data.labels(), [1, 0, 2]);
            let Inputs::Bytes(bytes) = &data.inputs else { panic!("no bytes") };
            assert_eq!((bytes[0], bytes[784], bytes[2 * 784]), (255, 7, 0));
        }
    }

    #[test]
    fn pixels_that_turn_out_to_be_fractions_become_floats() {
        let text = format!("1{}\n2{},0.5\n", ",3".repeat(64), ",255".repeat(63));
        let data = parse(&text);
        assert_eq!(data.sample_shape, [64]);
        assert_eq!(floats(&data)[63..66], [3.0, 255.0, 255.0]);
        assert_eq!(floats(&data)[127], 0.5);
    }

    #[test]
    fn zeros_and_ones_are_no_grey_levels() {
        let data = parse(&format!("1{}\n2{}\n", ",1".repeat(64), ",0".repeat(64)));
        assert_eq!(data.sample_shape, [64]);
        assert_eq!(floats(&data)[0], 1.0);
    }

    #[test]
    fn iris_without_a_header() {
        let data = parse("5.1,3.5,setosa\n7.0,3.2,versicolor\n4.9,3.0,setosa\n");
        assert_eq!(data.class_names(), ["setosa", "versicolor"]);
        assert_eq!(data.labels(), [0, 1, 0]);
        assert_eq!(floats(&data), [5.1, 3.5, 7.0, 3.2, 4.9, 3.0]);
    }

    #[test]
    fn the_label_column_is_found_by_name_and_chosen_by_name_or_position() {
        let text = "a;Target;b\n1;x;2\n3;y;4\n";
        assert_eq!(parse(text).labels(), [0, 1]);
        assert_eq!(floats(&parse(text)), [1.0, 2.0, 3.0, 4.0]);
        let text = "a\tb\tc\n1\t2\t3\n4\t5\t6\n";
        let of = |column| parse_csv(text.as_bytes(), Some(column)).unwrap().class_names().to_vec();
        assert_eq!(of("b"), ["2", "5"]);
        assert_eq!(of("2"), ["3", "6"]);
        let error = parse_csv(text.as_bytes(), Some("d")).unwrap_err();
        assert_eq!(error.kind(), crate::error::ErrorKind::InvalidArgument);
        assert!(error.to_string().contains("one of \"a\", \"b\", \"c\""), "{error}");
        assert!(parse_csv("1,2\n".as_bytes(), Some("2")).is_err());
    }

    #[test]
    fn of_two_usual_names_the_surer_one_is_the_label() {
        let data = parse("x,y,label\n1,2,a\n3,4,b\n");
        assert_eq!(data.class_names(), ["a", "b"]);
        assert_eq!(data.labels(), [0, 1]);
    }

    #[test]
    fn a_label_column_that_a_header_leaves_to_a_guess_is_told() {
        let told = |text: &str, column| parse_with_notice(text.as_bytes(), column).unwrap().1;
        let notice = "label column: \"a\" (the first; name another with `label_column`)";
        assert_eq!(told("a,b\n1,2\n3,4\n", None).as_deref(), Some(notice));
        let samples =
            |text: &str, column| parse_samples(text.as_bytes(), 1, column, &[]).unwrap().1;
        assert_eq!(samples("a,b\n1,2\n", None).as_deref(), Some(notice));
        for (text, column) in [
            ("a,b\n1,2\n", Some("a")), // asked for
            ("a,b\n1,2\n", Some("0")),
            ("a,y\n1,2\n", None), // a usual name
            ("a,b\n1,x\n", None), // the only text
            ("1,2\n3,4\n", None), // as the usual tables of MNIST
        ] {
            assert_eq!(told(text, column), None, "{text}");
            assert_eq!(samples(text, column), None, "{text}");
        }
        assert_eq!(parse_samples("a,b\n1,2\n".as_bytes(), 2, None, &[]).unwrap().1, None);
    }

    #[test]
    fn values_come_from_one_or_several_columns_in_the_order_asked_for() {
        let text = "a,size,b,price\n1,10,2,0.5\n3,20,4,-1e3\n";
        let values = |columns| {
            let data = parse_values(text.as_bytes(), columns).unwrap();
            let Targets::Values { values, names } = data.targets.clone() else { panic!() };
            (names.join("|"), values, floats(&data).to_vec())
        };
        let (names, found, inputs) = values(Some("price, size"));
        assert_eq!((names.as_str(), &found[..]), ("price|size", &[0.5, 10.0, -1e3, 20.0][..]));
        assert_eq!(inputs, [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(values(Some("3")).1, [0.5, -1e3]);
        let headless = parse_values("1,2\n3,4\n".as_bytes(), Some("1")).unwrap();
        assert_eq!(headless.targets.names(), ["1"]);
        let usual = parse_values("x,y\n1,2\n3,4.5\n".as_bytes(), None).unwrap();
        assert_eq!(
            usual.targets,
            Targets::Values { values: vec![2.0, 4.5], names: vec!["y".into()] }
        );
        let with_comma = parse_values("\"a,b\",c\n1,2\n".as_bytes(), Some("a,b")).unwrap();
        assert_eq!(with_comma.targets.names(), ["a,b"]);

        let refused = |text: &str, columns, words: &str| {
            let error = parse_values(text.as_bytes(), columns).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        };
        refused(text, None, "Name them with `label_column`");
        refused(text, Some("price,weight"), "no label column \"weight\": expected one of \"a\"");
        refused(text, Some("price,3"), "column 3 (\"price\") is named twice");
        refused(text, Some("0,1,2,3"), "at least one more to learn from");
        refused("a,y\n1,x\n", Some("y"), "line 2, column 1 (\"y\"): \"x\" is no finite number");
        refused("a,y\n1,inf\n", Some("y"), "no finite number");
        refused("a,y\n1,\n", Some("y"), "is empty");
    }

    #[test]
    fn columns_of_values_are_left_out_of_samples_to_predict() {
        let names = ["u".to_owned(), "v".to_owned()];
        let samples = |text: &str, column| {
            parse_samples(text.as_bytes(), 2, column, &names).map(|(inputs, _)| inputs)
        };
        let expected = Inputs::Floats(vec![1.0, 2.0]);
        for (text, column) in [
            ("1,2\n", None),
            ("a,b\n1,2\n", None),
            ("u,a,v,b\n0,1,?,2\n", None),
            ("p,q,a,b\n0,0,1,2\n", Some("p,q")),
        ] {
            assert_eq!(samples(text, column).unwrap(), expected, "{text}");
        }
        let error = samples("p,a,b\n0,1,2\n", None).unwrap_err().to_string();
        assert!(error.contains("has 3 columns: the model takes 2, the numbers of a sample; name"));
    }

    #[test]
    fn a_first_row_with_a_gap_is_no_header() {
        for (text, found) in [("a,nan\nb,1\n", "\"nan\" is no finite"), ("a,\nb,1\n", "is empty")] {
            assert!(message(text).contains(&format!("line 1, column 1: {found}")), "{text}");
        }
    }

    #[test]
    fn samples_to_predict_need_no_label() {
        let samples = |text: &str, column| {
            parse_samples(text.as_bytes(), 2, column, &[]).map(|(inputs, _)| inputs)
        };
        let expected = Inputs::Floats(vec![1.0, 2.0, 3.5, 4.0]);
        for text in [
            "1,2\n3.5,4\n",
            "x;y\n1; 2\n\n3.5;4",
            "\u{feff}\"1\"\t2\r\n3.5\t4\r\n",
            "u,v,label\n1,2,\n3.5,4,\n",
            "a,1,2\nb,3.5,4\n",
        ] {
            assert_eq!(samples(text, None).unwrap(), expected, "{text}");
        }
        assert_eq!(samples("x,k,y\n1,a,2\n3.5,b,4\n", Some("k")).unwrap(), expected);
        let refused = |text: &str, column, words: &str| {
            let error = samples(text, column).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        };
        refused("1\n", None, "has 1 columns: the model takes 2, the numbers");
        refused("1,2,3,4\n", None, "has 4 columns");
        refused("1,2\n", Some("1"), "has 2 columns: the model takes 3");
        refused("1,2\n3\n", None, "line 2 has 1 fields");
        refused(
            "1,2\n3,x\n",
            None,
            "line 2, column 1: \"x\" is no finite number; every column must",
        );
        refused("1,\n3,4\n", None, "line 1, column 1: is empty");
        refused("x,y\n", None, "no rows");
        refused("", None, "empty");
    }

    #[test]
    fn spaces_byte_order_marks_and_line_ends_do_not_matter() {
        let data = parse("\u{feff}label,a\r\n3.0, 1\r\n03 ,2.5e1\r\n");
        assert_eq!(data.class_names(), ["3"]);
        assert_eq!(floats(&data), [1.0, 25.0]);
    }

    #[test]
    fn errors_give_line_and_column() {
        assert!(
            message("label,a\n1,2\n1,x\n").contains("line 3, column 1 (\"a\"): \"x\" is no finite")
        );
        assert!(message("1,2\n1,\n").contains("line 2, column 1: is empty"));
        assert!(message("1,2\n1,nan\n").contains("no finite number"));
        assert!(message("label;u\n1;2,5\n").contains("\"2,5\" is no number (decimals are"));
        assert!(message("1,2\n1,2,3\n").contains("line 2 has 3 fields, the first line has 2"));
        assert!(message("0.5,2\n").contains("line 1, column 0: the label 0.5 has a fraction"));
        assert!(
            message("label,a\n,2\n").contains("line 2, column 0 (\"label\"): the label is empty")
        );
    }

    #[test]
    fn what_is_no_table_is_named() {
        assert!(message("").contains("empty"));
        assert!(message("label,a\n").contains("no rows"));
        assert!(message("1\n2\n").contains("one column"));
        assert!(message("<!doctype html>\n").contains("HTML page"));
        assert!(message("PK\u{3}\u{4}\0\0").contains("zip"));
        let utf16 = parse_csv(&b"\xff\xfel\0,\0a\0"[..], None).unwrap_err().to_string();
        assert!(utf16.contains("UTF-16"), "{utf16}");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse_csv(&bytes[..], None);
        }

        #[test]
        fn arbitrary_tables_never_panic(text in "[a-c0-9.,;\t\"\n\r -]{0,200}", column in 0_usize..5) {
            let _ = parse_csv(text.as_bytes(), None);
            let _ = parse_csv(text.as_bytes(), Some(&column.to_string()));
            let _ = parse_samples(text.as_bytes(), column, None, &[]);
        }

        #[test]
        fn round_trip(
            rows in proptest::collection::vec((0_u32..4, any::<f32>(), any::<f32>()), 1..20),
        ) {
            let rows: Vec<_> =
                rows.into_iter().filter(|row| row.1.is_finite() && row.2.is_finite()).collect();
            prop_assume!(!rows.is_empty());
            let lines: Vec<_> = rows.iter().map(|(label, a, b)| format!("{a},c{label},{b}\n")).collect();
            let data = parse_csv(format!("u,class,v\n{}", lines.concat()).as_bytes(), None).unwrap();
            for (at, (label, a, b)) in rows.iter().enumerate() {
                prop_assert_eq!(&data.class_names()[data.labels()[at] as usize], &format!("c{label}"));
                prop_assert_eq!(&floats(&data)[2 * at..2 * at + 2], [*a, *b]);
            }
        }
    }
}
