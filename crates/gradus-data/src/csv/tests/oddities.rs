//! Tables as they are found: each oddity is read right or refused with what to do.

use super::*;

fn with_dates(text: &str, dates: &[&str]) -> Result<(Dataset, Vec<String>)> {
    let dates: Vec<String> = dates.iter().map(|&it| it.to_owned()).collect();
    read(text, &TableOptions { dates: &dates, ..TableOptions::default() })
}

/// A table of one column of dates.
fn of_dates(dates: &[&str]) -> String {
    let rows = dates.iter().enumerate();
    "day,y\n".to_owned()
        + &rows.map(|(row, day)| format!("{day},{}\n", ["a", "b"][row % 2])).collect::<String>()
}

fn seconds(data: &Dataset) -> Vec<i64> {
    match &raw_columns(data)[0] {
        RawColumn::Times(times) => times.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn marks_between_thousands() {
    for (text, warning) in [
        ("price,kind\n\"1,234\",a\n\"1,234,567.5\",b\n", "1,234 is read as 1234"),
        ("price;kind\n1.234,0;a\n1.234.567,5;b\n", "1.234 is read as 1234"),
        ("price\tkind\n1'234\ta\n1'234'567.5\tb\n", "marks between thousands"),
        ("price;kind\n1\u{2009}234;a\n1\u{2009}234\u{2009}567,5;b\n", "marks between thousands"),
    ] {
        let (data, warnings) = read(text, &TableOptions::default()).unwrap();
        assert_eq!(floats(&data), [1234.0, 1_234_567.5], "{text}");
        assert!(warnings.iter().any(|it| it.contains(warning)), "{text}: {warnings:?}");
    }
    let error = message("price,kind\n\"1,5\",a\n");
    assert!(error.contains("write decimals with a point"), "{error}");
}

#[test]
fn the_first_decimal_mark_may_come_late() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.csv");
    // What looks like decimals are thousands, as a later row shows.
    std::fs::write(&path, "price;kind\n1.234;a\n2.345;b\n1.234,5;b\n").unwrap();
    let (data, warnings) = read_table(&path, &TableOptions::default()).unwrap();
    assert_eq!(floats(&data), [1234.0, 2345.0, 1234.5]);
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    // Both marks as decimal marks remain an error.
    std::fs::write(&path, "price;kind\n1.234;a\n2.5;b\n1,5;b\n").unwrap();
    let error = read_table(&path, &TableOptions::default()).unwrap_err().to_string();
    assert!(error.contains("line 4") && error.contains("\"1,5\" is not a number"), "{error}");
}

#[test]
fn days_and_months_are_told_apart_by_the_column() {
    let day = |month: i64, day: i64| {
        (19_723 + day - 1 + [0, 31, 60, 91, 121][month as usize - 1]) * 86_400
    };
    let (data, _) = with_dates(&of_dates(&["05/01/2024", "13/01/2024"]), &[]).unwrap();
    assert_eq!(seconds(&data), [day(1, 5), day(1, 13)]);
    let columns = data.columns.unwrap();
    let (data, _) = with_dates(&of_dates(&["05/01/2024", "01/13/2024"]), &[]).unwrap();
    assert_eq!(seconds(&data), [day(5, 1), day(1, 13)]);
    // Nothing tells.
    let unclear = of_dates(&["05/01/2024", "", "02/03/2024"]);
    let error = with_dates(&unclear, &[]).unwrap_err().to_string();
    assert!(
        error.contains("line 2, column 0 (\"day\"): \"05/01/2024\" is a date in which"),
        "{error}"
    );
    for (option, first) in [("day:day-first", day(1, 5)), ("0:month-first", day(5, 1))] {
        assert_eq!(seconds(&with_dates(&unclear, &[option]).unwrap().0)[0], first);
    }
    let error = with_dates(&unclear, &["day"]).unwrap_err().to_string();
    assert!(error.contains("COLUMN:day-first"), "{error}");
    let error =
        with_dates(&of_dates(&["13/01/2024"]), &["day:month-first"]).unwrap_err().to_string();
    assert!(error.contains("\"13/01/2024\" is not a date"), "{error}");
    // Both orders: text. A column of another type: text, too.
    for mixed in [["13/01/2024", "01/13/2024"], ["05/01/2024", "none"]] {
        let (data, _) = with_dates(&of_dates(&mixed), &[]).unwrap();
        assert_eq!(raw_columns(&data)[0].kind().plural(), "text", "{mixed:?}");
    }
    // Other tables have the order of the first one.
    let types = [gradus_core::samples::ColumnType::Time];
    let options =
        TableOptions { columns: Some(&columns), types: Some(&types), ..TableOptions::default() };
    let (data, _) = read(&unclear, &options).unwrap();
    assert_eq!(seconds(&data)[0], day(1, 5));
}

#[test]
fn a_table_without_a_header_may_look_as_if_it_had_one() {
    let text = "a,b,x\nc,d,y\na,d,x\n";
    let rows = |header| {
        let options = TableOptions { header, label_column: Some("2"), ..TableOptions::default() };
        read(text, &options).unwrap().0.len()
    };
    assert_eq!((rows(None), rows(Some(true)), rows(Some(false))), (2, 2, 3));
}

#[test]
fn the_same_table_in_every_form() {
    let plain = "x,text,kind\n1,u v,a\n2.5,\"w, \"\"q\"\"\nr\",b\n,u v,a\n";
    let expected = parse(plain);
    let utf_16 = |mark: &str| Encoding::Utf16Le.encode(&(mark.to_owned() + plain)).unwrap();
    for (bytes, encoding) in [
        (plain.replace('\n', "\r\n").replace("\"\"\r\nr", "\"\"\nr").into_bytes(), None),
        (utf_16("\u{feff}"), None),
        (utf_16(""), Some(Encoding::Utf16Le)),
        (format!("# made by hand\n{plain}# the end\n").into_bytes(), None),
        (format!("\u{feff}{plain}").into_bytes(), None),
    ] {
        let options = TableOptions { encoding, ..TableOptions::default() };
        let (data, _) = parse_table(&bytes[..], &options).unwrap();
        assert_eq!(format!("{:?}", data.inputs), format!("{:?}", expected.inputs));
        assert_eq!(data.targets, expected.targets);
    }
    let error = parse_table(&utf_16("")[..], &TableOptions::default()).unwrap_err().to_string();
    assert!(error.contains("utf-16le"), "{error}");
}

#[test]
fn a_date_among_texts_is_a_mistake_where_nearly_all_are_dates() {
    let days: Vec<String> = (0..60).map(|at| format!("2020-0{}-1{}", at % 9 + 1, at % 7)).collect();
    let mut wrong: Vec<&str> = days.iter().map(String::as_str).collect();
    wrong[40] = "unknown";
    let error = message(&of_dates(&wrong));
    assert!(
        error.contains("line 42") && error.contains("\"unknown\" is not a date, but 98.3 %"),
        "{error}"
    );
    // Where many are none, it is text.
    for at in 0..10 {
        wrong[6 * at] = "unknown";
    }
    let (data, _) = read(&of_dates(&wrong), &TableOptions::default()).unwrap();
    assert!(matches!(raw_columns(&data)[0], RawColumn::Text { .. }));
}

#[test]
fn targets_that_single_precision_hides_are_refused() {
    let rows = |origin: f64| -> String {
        (0..50).map(|at| format!("{at},{}\n", origin + f64::from(at % 5))).collect()
    };
    let values = TableOptions { values: true, ..TableOptions::default() };
    let found = |origin| read(&("x,y\n".to_owned() + &rows(origin)), &values);
    assert!(found(1e6).is_ok());
    let error = found(1e9).unwrap_err().to_string();
    assert!(error.contains("subtract 1000000000 from all of them"), "{error}");
}

#[test]
fn a_packed_table_that_is_cut_off_is_refused() {
    let text: String = (0..3000).map(|at| format!("{at}.5,{}\n", at * 7919 % 1000)).collect();
    let packed = crate::testing::gzip(("x,y\n".to_owned() + &text).as_bytes());
    let read = |bytes: &[u8]| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv.gz");
        std::fs::write(&path, bytes).unwrap();
        read_table(&path, &TableOptions { values: true, ..TableOptions::default() })
    };
    assert_eq!(read(&packed).unwrap().0.len(), 3000);
    for end in [packed.len() - 1, packed.len() - 8, packed.len() - 9, packed.len() / 2] {
        let error = read(&packed[..end]).unwrap_err().to_string();
        assert!(error.contains("t.csv.gz") && error.contains("ends too early"), "{error}");
    }
}

#[test]
fn targets_have_the_decimal_mark_of_the_table() {
    let values = TableOptions { values: true, ..TableOptions::default() };
    let found = |text: &str| {
        let (data, warnings) = read(text, &values).unwrap();
        let Targets::Values { values, .. } = &data.targets else { panic!() };
        (values.clone(), floats(&data).to_vec(), warnings)
    };
    let (targets, inputs, warnings) = found("x;y\n0,5;1.100\n1,5;1.101\n");
    assert_eq!((&targets[..], &inputs[..]), (&[1100.0, 1101.0][..], &[0.5, 1.5][..]));
    assert!(warnings.iter().any(|it| it.contains("1.234 is read as 1234")), "{warnings:?}");
    let (targets, ..) = found("x\ty\n0.5\t1,000\n1.5\t1,007\n");
    assert_eq!(targets, [1000.0, 1007.0]);
    // A comma in the target alone, behind points that may have been decimal ones: files are read a second time.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    std::fs::write(&path, "a;y\n1.100;3,5\n1.200;4,5\n").unwrap();
    let (data, _) = read_table(&path, &values).unwrap();
    let Targets::Values { values, .. } = &data.targets else { panic!() };
    assert_eq!((&values[..], floats(&data)), (&[3.5, 4.5][..], &[1100.0, 1200.0][..]));
}
