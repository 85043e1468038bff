//! Tables from text to samples, and the errors for malformed tables.

mod large;
mod oddities;
mod several;
#[cfg(feature = "parquet")]
mod stored;

use super::*;
use crate::Targets;
use crate::{Columns, RawColumn};
use proptest::prelude::*;

fn parse(text: &str) -> Dataset {
    parse_csv(text.as_bytes(), None).unwrap()
}

fn message(text: &str) -> String {
    parse_csv(text.as_bytes(), None).unwrap_err().to_string()
}

/// The error for a table whose column `name` must hold numbers.
fn message_of_numbers(text: &str, name: &str) -> String {
    let numeric = [name.to_owned()];
    let options = TableOptions { numeric: &numeric, ..TableOptions::default() };
    parse_table(text.as_bytes(), &options).unwrap_err().to_string()
}

/// The raw columns of a table, as far as it has any.
fn raw_columns(data: &Dataset) -> &[RawColumn] {
    match &data.inputs {
        Inputs::Table(table) => table.columns(),
        other => panic!("{}", other.rows().kind()),
    }
}

/// Samples to predict for a model without column names.
fn samples(
    text: &str,
    features: usize,
    outputs: &[String],
    label_column: Option<&str>,
) -> Result<(Inputs, Vec<String>)> {
    let options = TableOptions { label_column, ..TableOptions::default() };
    parse_samples(text.as_bytes(), features, outputs, &options)
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
fn whole_numbers_are_a_table_unless_names_or_mnist_say_pixels() {
    let rows = format!("1{}\n2{}\n", ",3".repeat(64), ",255".repeat(64));
    let named = |name: fn(usize) -> String| {
        let names: Vec<String> = (0..64).map(name).collect();
        parse(&format!("label,{}\n{rows}", names.join(",")))
    };
    for pixels in [
        |at| format!("pixel{at}"),
        |at| format!("pixel_{}_{}", at / 8, at % 8),
        |at| format!("{}x{}", at / 8 + 1, at % 8 + 1),
        |at| format!("PX {at}"),
    ] {
        let data = named(pixels);
        assert_eq!(data.sample_shape, [8, 8]);
        assert!(matches!(data.inputs, Inputs::Bytes(_)));
    }
    for table in [parse(&rows), named(|at| format!("q{at}")), named(|at| format!("x{at}"))] {
        assert_eq!(table.sample_shape, [64]);
        assert_eq!(floats(&table)[63..65], [3.0, 255.0]);
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
    let reported = |text: &str, label_column| {
        let options = TableOptions { label_column, ..TableOptions::default() };
        parse_table(text.as_bytes(), &options).unwrap().1
    };
    let notice = "label column: \"a\" (the first; name another with `label_column`)";
    assert_eq!(reported("a,b\n1,2\n3,4\n", None), [notice]);
    let of_samples = |text: &str, column| samples(text, 1, &[], column).unwrap().1;
    assert_eq!(of_samples("a,b\n1,2\n", None), [notice]);
    for (text, column) in [
        ("a,b\n1,2\n", Some("a")), // asked for
        ("a,b\n1,2\n", Some("0")),
        ("a,y\n1,2\n", None), // a common name
        ("a,b\n1,x\n", None), // the only text
        ("1,2\n3,4\n", None), // as the usual tables of MNIST
    ] {
        assert!(reported(text, column).is_empty(), "{text}");
        assert!(of_samples(text, column).is_empty(), "{text}");
    }
    assert!(samples("a,b\n1,2\n", 2, &[], None).unwrap().1.is_empty());
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
    assert_eq!(usual.targets, Targets::Values { values: vec![2.0, 4.5], names: vec!["y".into()] });
    let with_comma = parse_values("\"a,b\",c\n1,2\n".as_bytes(), Some("a,b")).unwrap();
    assert_eq!(with_comma.targets.names(), ["a,b"]);

    let refused = |text: &str, columns, words: &str| {
        let error = parse_values(text.as_bytes(), columns).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    // The last one, if none is named.
    assert_eq!(values(None), values(Some("price")));
    refused(text, Some("price,weight"), "no label column \"weight\": expected one of \"a\"");
    refused(text, Some("price,3"), "column 3 (\"price\") is named twice");
    refused(text, Some("0,1,2,3"), "at least one more to learn from");
    refused("a,y\n1,x\n", Some("y"), "line 2, column 1 (\"y\"): \"x\" is not a number");
    refused("a,y\n1,inf\n", Some("y"), "not a finite number");
    refused("a,y\n1,\n", Some("y"), "missing in all rows");
}

#[test]
fn columns_of_values_are_left_out_of_samples_to_predict() {
    let names = ["u".to_owned(), "v".to_owned()];
    let samples = |text: &str, column| samples(text, 2, &names, column).map(|(inputs, _)| inputs);
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
    assert!(error.contains("has 3 columns, but the model takes 2 features; targets can"));
}

#[test]
fn a_first_row_with_a_missing_value_is_not_a_header() {
    for text in ["a,nan\nb,1\n", "a,\nb,1\n"] {
        let data = parse(text);
        assert_eq!(data.class_names(), ["a", "b"], "{text}");
        assert!(raw_columns(&data)[0].is_gap(0) && !raw_columns(&data)[0].is_gap(1), "{text}");
    }
}

#[test]
fn samples_to_predict_need_no_label() {
    let samples = |text: &str, column| samples(text, 2, &[], column).map(|(inputs, _)| inputs);
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
    refused("1\n", None, "has 1 column, but the model takes 2 features");
    refused("1,2,3,4\n", None, "has 4 columns");
    refused("1,2\n", Some("1"), "has 2 columns, but the model takes 2 features; 1 of the columns");
    refused("1,2\n3\n", None, "line 2 has 1 fields");
    // What is no number is for the model to judge, which may have learned from text and gaps.
    for text in ["1,2\n3,x\n", "1,\n3,4\n"] {
        assert!(matches!(samples(text, None), Ok(Inputs::Table(_))), "{text}");
    }
    refused("x,y\n", None, "no rows");
    refused("", None, "empty");
}

#[test]
fn spaces_byte_order_marks_and_line_ends_do_not_matter() {
    let data = parse("\u{feff}label,a\r\n3.0, 1\r\n3 ,2.5e1\r\n");
    assert_eq!(data.class_names(), ["3"]);
    assert_eq!(floats(&data), [1.0, 25.0]);
}

#[test]
fn errors_give_line_and_column() {
    let error = message_of_numbers("label,a\n1,2\n1,x\n", "a");
    assert!(error.contains("line 3, column 1 (\"a\"): \"x\" is not a number"), "{error}");
    let error = message_of_numbers("label,u\n1,\"2,5\"\n", "u");
    assert!(error.contains("\"2,5\" is not a number (write decimals"), "{error}");
    assert!(message("1,2\n1,2,3\n").contains("line 2 has 3 fields, the first line has 2"));
    assert!(message("0.5,2\n").contains("line 1, column 0: the label 0.5 has a fraction"));
    assert!(message("label,a\n,2\n").contains("the target is missing in all rows"));
}

#[test]
fn what_is_no_table_is_named() {
    assert!(message("").contains("empty"));
    assert!(message("label,a\n").contains("no rows"));
    assert!(message("1\n2\n").contains("one column"));
    let titled = message("My table\n\na,b,kind\n1,2,x\n3,4,y\n");
    assert!(titled.contains("line 1 has 1 field, but most lines have 3"), "{titled}");
    assert!(message("<!doctype html>\n").contains("HTML page"));
    assert!(message("PK\u{3}\u{4}\0\0").contains("zip"));
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
        let _ = samples(&text, column, &[], None);
        let _ = parse_values(text.as_bytes(), Some(&column.to_string()));
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

/// The columns of a table with this header, whose last column is the label.
fn known(header: &str) -> Columns {
    let names: Vec<String> = header.split(',').map(str::to_owned).collect();
    Columns::new(names.len(), Some(names.clone()), vec![names.len() - 1], vec![]).unwrap()
}

fn predicted(text: &str, columns: &Columns, drop: &[&str]) -> Result<(Inputs, Vec<String>)> {
    let drop: Vec<String> = drop.iter().map(|&it| it.to_owned()).collect();
    let options = TableOptions { columns: Some(columns), drop: &drop, ..TableOptions::default() };
    parse_samples(text.as_bytes(), 2, &[], &options)
}

#[test]
fn features_are_found_by_name_in_any_order() {
    let columns = known("len,wid,animal");
    let expected = Inputs::Floats(vec![1.0, 2.0, 3.0, 4.0]);
    for text in [
        "len,wid\n1,2\n3,4\n",
        "wid,len\n2,1\n4,3\n",
        "animal,wid,len\nape,2,1\n,4,3\n",
        "animal,wid,len\n,2,1\n7,4,3\n",
        // Without a header, by position, with and without the label.
        "1,2\n3,4\n",
        "1,2,ape\n3,4,\n",
        "1,2,0\n3,4,1\n",
    ] {
        assert_eq!(predicted(text, &columns, &[]).unwrap(), (expected.clone(), vec![]), "{text}");
    }
    let (inputs, warnings) = predicted("a,wid,b,len\nx,2,9,1\ny,4,9,3\n", &columns, &[]).unwrap();
    assert_eq!(inputs, expected);
    assert!(warnings[0].contains("columns \"a\", \"b\" are ignored") && warnings.len() == 1);
    let (_, warnings) = predicted("a,wid,len\nx,2,1\n", &columns, &["a"]).unwrap();
    assert!(warnings.is_empty());
    for (text, words) in [
        ("len,animal\n1,ape\n", "no column \"wid\""),
        ("x,y,animal\n1,2,ape\n", "no columns \"len\", \"wid\""),
        ("len,wid,len\n1,2,3\n", "columns 0 and 2 are all named \"len\""),
        ("1,2,3,4\n", "has 4 columns, but the model takes 2"),
        ("1\n", "has 1 column, but"),
    ] {
        let error = predicted(text, &columns, &[]).unwrap_err().to_string();
        assert!(error.contains(words), "{text}: {error}");
    }
    assert!(
        predicted("len,wid\n1,2\n", &columns, &["wid"]).unwrap_err().to_string().contains("wid")
    );
    // Names that are numbers, as pandas writes them, are a header where the model knows them.
    let numbered = known("0,1,2");
    let (inputs, _) = predicted("1,0\n2,1\n4,3\n", &numbered, &[]).unwrap();
    assert_eq!(inputs, expected);
}

#[test]
fn columns_of_one_name_are_told_apart_by_their_order() {
    let columns = known("x,x,label");
    let (inputs, _) = predicted("label,x,x\na,1,2\nb,3,4\n", &columns, &[]).unwrap();
    assert_eq!(inputs, Inputs::Floats(vec![1.0, 2.0, 3.0, 4.0]));
    let warnings =
        parse_table("x,x,label\n1,2,a\n".as_bytes(), &TableOptions::default()).unwrap().1;
    assert!(warnings[0].contains("columns 0 and 1 are both named \"x\""), "{warnings:?}");
}

#[test]
fn the_model_knows_which_column_it_left_out() {
    // Also without a header: by position.
    let data = parse_csv("1,ape,2\n3,bee,4\n".as_bytes(), Some("1")).unwrap();
    let columns = data.columns.clone().unwrap();
    assert_eq!((columns.names(), columns.targets()), (None, &[1][..]));
    for text in ["1,7,2\n3,8,4\n", "1,,2\n3,x,4\n", "1,2\n3,4\n", "a,b,c\n1,7,2\n3,8,4\n"] {
        let (inputs, _) = predicted(text, &columns, &[]).unwrap();
        assert_eq!(inputs, data.inputs, "{text}");
    }
    let with_drop = TableOptions { drop: &["id".to_owned()], ..TableOptions::default() };
    let (data, _) = parse_table("id,a,kind,b\n9,1,x,2\n8,3,y,4\n".as_bytes(), &with_drop).unwrap();
    let columns = data.columns.clone().unwrap();
    assert_eq!(columns.feature_names().unwrap(), ["a", "b"]);
    for text in ["id,a,kind,b\n,1,,2\n,3,,4\n", "b,a\n2,1\n4,3\n", "9,1,,2\n8,3,,4\n"] {
        let (inputs, warnings) = predicted(text, &columns, &[]).unwrap();
        assert_eq!((inputs, warnings.len()), (data.inputs.clone(), 0), "{text}");
    }
}

#[test]
fn labelled_tables_are_matched_by_name() {
    let columns = known("len,wid,animal");
    let options = TableOptions { columns: Some(&columns), ..TableOptions::default() };
    let read = |text: &str| parse_table(text.as_bytes(), &options).map(|(data, _)| data);
    for text in [
        "animal,wid,len\nbee,2,1\nape,4,3\n",
        "1,2,bee\n3,4,ape\n",
        // The label under another name: the only other column, or a usual name.
        "species,wid,len\nbee,2,1\nape,4,3\n",
        "species,class,wid,len\n1,bee,2,1\n2,ape,4,3\n",
    ] {
        let data = read(text).unwrap();
        assert_eq!(floats(&data), [1.0, 2.0, 3.0, 4.0], "{text}");
        assert_eq!((data.labels(), data.class_names().len()), (&[1, 0][..], 2), "{text}");
        assert_eq!(data.columns.as_ref(), Some(&columns));
    }
    let error = |text: &str| read(text).unwrap_err().to_string();
    assert!(error("p,q,wid,len\na,b,2,1\n").contains("no label column \"animal\""));
    assert!(error("animal,len\nape,1\n").contains("no column \"wid\""));
}

#[test]
fn a_second_column_of_the_labels_name_is_refused() {
    let text = "label,x,label\na,1,2\nb,3,4\n";
    for column in [None, Some("label"), Some("0")] {
        let error = parse_csv(text.as_bytes(), column).unwrap_err().to_string();
        assert!(error.contains("columns 0 and 2 are all named \"label\""), "{error}");
    }
    let options = TableOptions { drop: &["2".to_owned()], ..TableOptions::default() };
    let (data, _) = parse_table(text.as_bytes(), &options).unwrap();
    assert_eq!(floats(&data), [1.0, 3.0]);
    let error = message("label,x,Label\na,1,2\nb,3,4\n");
    assert!(error.contains("columns 0 and 2"), "{error}");
}

#[test]
fn text_among_the_features_makes_raw_columns() {
    let table = "price,wid,animal,n\n$1.5,2,ape,1\n$3,,bee,2\n";
    let (data, warnings) = parse_table(table.as_bytes(), &TableOptions::default()).unwrap();
    assert_eq!(data.columns.as_ref().unwrap().targets(), [3]);
    assert!(warnings[0].contains("column 3 (\"n\") (the last"), "{warnings:?}");
    let kinds: Vec<_> = raw_columns(&data).iter().map(|column| column.kind().plural()).collect();
    assert_eq!(kinds, ["text", "numbers", "text"]);
    assert!(raw_columns(&data)[1].is_gap(1));
    let of = |text: &str| parse_csv(text.as_bytes(), Some("animal")).unwrap();
    let kind = |text: &str| raw_columns(&of(text))[0].kind().plural();
    assert_eq!(kind("day,animal\n2024-05-01,ape\n"), "dates");
    assert_eq!(kind("plz,animal\n01067,ape\n"), "text");
    assert_eq!(kind("a,animal\n1,ape\nNA,bee\n"), "numbers");
    // Numbers without gaps stay as they were.
    assert_eq!(floats(&of("a,animal\n1,ape\n2,bee\n")), [1.0, 2.0]);
}

#[test]
fn headers_of_numbers_and_index_columns_are_noticed() {
    let read = |text: &str, column| {
        let options = TableOptions { label_column: column, ..TableOptions::default() };
        parse_table(text.as_bytes(), &options).unwrap()
    };
    for text in ["0,1,2\n1.5,2.5,1\n3.5,4.5,0\n", ",0,1,2\n0,1.5,2.5,1\n1,3.5,4.5,0\n"] {
        let (data, warnings) = read(text, Some("2"));
        assert_eq!((data.len(), data.class_names()), (2, &["0".to_owned(), "1".to_owned()][..]));
        assert!(warnings.iter().any(|it| it.contains("header that pandas writes")), "{warnings:?}");
    }
    // Two columns that begin with 0 and 1 may be a sample.
    assert_eq!(read("0,1\n1,0\n", None).0.len(), 2);
    assert_eq!(read("0,1\n1,ape\n0,bee\n", None).0.len(), 2);
    let rows = |first: &dyn Fn(usize) -> usize| {
        (0..9)
            .map(|row| format!("{},{}.5,{}\n", first(row), row * 7, ["a", "b"][row % 2]))
            .collect::<String>()
    };
    let warned =
        |text: String| read(&text, None).1.iter().any(|it| it.contains("numbers of the rows"));
    // Without a name it is nothing else, and is left out.
    for first in [0, 1] {
        let (data, warnings) = read(&format!(",x,kind\n{}", rows(&|row| row + first)), None);
        assert!(warnings[0].contains("counts the rows"), "{warnings:?}");
        assert_eq!((data.features(), data.columns.unwrap().dropped()), (1, &[0][..]));
    }
    // Rows without a target and comments change nothing: the former are rows, the latter are not.
    let gaps = rows(&|row| row).replace("0,0.5,a", "0,0.5,").replace("5,35.5,b", "# one\n5,35.5,");
    for name in ["", "Unnamed: 0"] {
        let (data, warnings) = read(&format!("{name},x,kind\n{gaps}"), None);
        assert!(warnings.iter().any(|it| it.contains("counts the rows")), "{warnings:?}");
        assert_eq!((data.features(), data.len()), (1, 7));
    }
    // That does not make the numbers of the other rows count.
    let others = gaps.replace("5,35.5", "4,35.5").replace("6,42.5", "5,42.5");
    assert_eq!(read(&format!(",x,kind\n{others}"), None).0.features(), 2);
    assert!(warned(format!("Unnamed: 0,x,kind\n{}", rows(&|row| row * 5 % 9))));
    assert!(warned(format!("id,x,kind\n{}", rows(&|row| row + 1))));
    assert!(warned(rows(&|row| row)));
    assert!(!warned(format!("t,x,kind\n{}", rows(&|row| row))));
    assert!(!warned(format!("id,x,kind\n{}", rows(&|row| row * 5 % 9))));
}

#[test]
fn comments_separators_and_decimal_commas() {
    for text in [
        "# made by hand, twice\n#\nx;z;kind\n1;2;a\n# between\n3;4;b\n",
        "sep=;\nx;z;kind\n1;2;a\n3;4;b\n",
        "# x,z,kind\n1,2,a\n3,4,b\n",
        "x|z|kind\n1|2|a\n3|4|b\n",
        "x\tz\tkind\r1\t2\ta\r3\t4\tb",
    ] {
        let data = parse(text);
        assert_eq!(floats(&data), [1.0, 2.0, 3.0, 4.0], "{text}");
        assert_eq!(data.columns.as_ref().unwrap().names().unwrap(), ["x", "z", "kind"], "{text}");
    }
    // Rows that begin with # are no comments if they have all fields.
    let colours = parse("colour,x\n#ff0000,1\n#00ff00,2\n");
    assert_eq!(colours.class_names(), ["#00ff00", "#ff0000"]);
    assert_eq!(parse("#a,1\n#b,2\n").len(), 2);
    let (data, warnings) =
        parse_table("x;z;kind\n1,5;2;a\n3;4,25;b\n".as_bytes(), &TableOptions::default()).unwrap();
    assert_eq!(floats(&data), [1.5, 2.0, 3.0, 4.25]);
    assert!(warnings[0].contains("decimal comma"), "{warnings:?}");
    let error = message("x;kind\n1,5;a\n2.5;b\n");
    assert!(error.contains("line 3, column 0 (\"x\"): \"2.5\" has a decimal point"), "{error}");
    let values = parse_values("x;y\n1;2,5\n".as_bytes(), Some("y")).unwrap();
    assert_eq!(values.targets, Targets::Values { values: vec![2.5], names: vec!["y".into()] });
    let table = "label;x\r\n1;2\r\n# c\r\n\"1\r\n\";3\r\n1;x\r\n";
    let error = message_of_numbers(table, "x");
    assert!(error.contains("line 6, column 1"), "{error}");
}

/// The raw columns of a table that is read with these options.
fn read(text: &str, options: &TableOptions) -> Result<(Dataset, Vec<String>)> {
    parse_table(text.as_bytes(), options)
}

#[test]
fn options_decide_the_kinds_of_columns() {
    let text = "zip,code,day,y\n10,1,2024-05-01,a\n20,2,2024-05-02,b\n";
    let names = |names: &[&str]| names.iter().map(|&it| it.to_owned()).collect::<Vec<_>>();
    let (zip, code, day) = (names(&["zip", "1"]), names(&["code"]), names(&["day"]));
    let options = TableOptions { categorical: &zip, dates: &day, ..TableOptions::default() };
    let (data, _) = read(text, &options).unwrap();
    let kinds: Vec<_> = raw_columns(&data).iter().map(|column| column.kind().plural()).collect();
    assert_eq!(kinds, ["text", "text", "dates"]);
    let twice = TableOptions { categorical: &zip, numeric: &code, ..TableOptions::default() };
    assert!(read(text, &twice).unwrap_err().to_string().contains("named by two of"));
    let target = names(&["y"]);
    let wrong = TableOptions { numeric: &target, ..TableOptions::default() };
    assert!(read(text, &wrong).unwrap_err().to_string().contains("is the target"));
    let unknown = names(&["no"]);
    let wrong = TableOptions { dates: &unknown, ..TableOptions::default() };
    assert!(read(text, &wrong).unwrap_err().to_string().contains("column for `dates` \"no\""));
    let wrong = TableOptions { dates: &code, ..TableOptions::default() };
    assert!(read(text, &wrong).unwrap_err().to_string().contains("\"1\" is not a date"));
}

#[test]
fn gaps_have_the_spellings_that_are_asked_for() {
    let text = "a,b,y\n-999,NA,u\n2,x,v\n,x,\n";
    let missing = vec!["-999".to_owned()];
    let options = TableOptions { missing: Some(&missing), ..TableOptions::default() };
    let (data, warnings) = read(text, &options).unwrap();
    let columns = raw_columns(&data);
    assert!(columns[0].is_gap(0) && !columns[0].is_gap(1));
    // NA is a text like any other then.
    assert!(!columns[1].is_gap(0));
    assert_eq!(data.len(), 2);
    assert!(warnings.iter().any(|it| it == "1 row without a target left out"), "{warnings:?}");
    // Other tables are read as the first one was.
    let known = data.columns.clone().unwrap();
    assert_eq!(known.missing(), Some(&missing[..]));
    let types: Vec<_> = columns.iter().map(RawColumn::kind).collect();
    let options =
        TableOptions { columns: Some(&known), types: Some(&types), ..TableOptions::default() };
    let (other, _) = read("y,b,extra,a\nu,7,5,-999\nv,8,5,1\n", &options).unwrap();
    let columns = raw_columns(&other);
    assert!(columns[0].is_gap(0) && !columns[0].is_gap(1));
    // A column of text stays one, even if it holds numbers now; a column of numbers must hold numbers.
    assert_eq!(columns[1].kind().plural(), "text");
    let error = read("y,b,a\nu,7,x\n", &options).unwrap_err().to_string();
    assert!(error.contains("line 2, column 2 (\"a\"): \"x\" is not a number"), "{error}");
    let error = read("y,b\nu,7\n", &options).unwrap_err().to_string();
    assert!(error.contains("no column \"a\""), "{error}");
}

#[test]
fn text_or_a_gap_may_come_after_the_first_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("late.csv");
    let mut text = "a,y\n".to_owned();
    (0..200).for_each(|row| text += &format!("{row}.5,{}\n", ["u", "v"][row % 2]));
    std::fs::write(&path, text.clone() + ",u\n").unwrap();
    let (data, _) = read_table(&path, &TableOptions::default()).unwrap();
    assert!(raw_columns(&data)[0].is_gap(200));
    // A row without a target alone leaves the numbers as they are.
    std::fs::write(&path, text + "3,\n").unwrap();
    let (data, warnings) = read_table(&path, &TableOptions::default()).unwrap();
    assert_eq!((floats(&data).len(), warnings.len()), (200, 1));
}
