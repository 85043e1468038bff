//! Tables of many blocks: the result is that of reading row by row, at any number of threads.

use std::fmt::Write;

use super::*;

/// Reads with so many threads.
fn with_threads(
    threads: usize,
    text: &str,
    options: &TableOptions,
) -> Result<(Dataset, Vec<String>)> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| read(text, options))
}

/// The same at one and several threads, whatever it is.
fn same_at_any_number_of_threads(
    text: &str,
    options: &TableOptions,
) -> Result<(Dataset, Vec<String>)> {
    let shown = |threads| match with_threads(threads, text, options) {
        Ok((data, warnings)) => format!("{:?} {warnings:?}", data),
        Err(error) => error.to_string(),
    };
    let one = shown(1);
    for threads in [2, 3, 7] {
        assert!(shown(threads) == one, "{threads} threads");
    }
    with_threads(2, text, options)
}

/// So many rows, of some 40 bytes each, of which `odd` gives those that are not like the others.
fn table(rows: usize, odd: impl Fn(usize) -> Option<&'static str>) -> String {
    let mut text = "x,colour,note,kind\n".to_owned();
    for row in 0..rows {
        match odd(row) {
            Some(line) => text += line,
            None => {
                let colour = ["red", "green", "blue"][row % 3];
                let note =
                    if row % 5 == 0 { "\"two,\nlines\"" } else { "a longer note of one line" };
                writeln!(text, "{}.25,{colour},{note},{}", row % 1000, ["p", "q"][row % 2])
                    .unwrap();
            }
        }
    }
    text
}

const ROWS: usize = 120_000;

#[test]
fn blocks_give_what_rows_give() {
    let text = table(ROWS, |_| None);
    assert!(text.len() > 4 << 20);
    let (data, _) = same_at_any_number_of_threads(&text, &TableOptions::default()).unwrap();
    assert_eq!((data.len(), data.class_names()), (ROWS, &["p".to_owned(), "q".to_owned()][..]));
    let columns = raw_columns(&data);
    let RawColumn::Numbers(numbers) = &columns[0] else { panic!() };
    assert!(numbers.iter().enumerate().all(|(row, &number)| number == (row % 1000) as f64 + 0.25));
    let RawColumn::Text { codes, values, .. } = &columns[2] else { panic!() };
    assert_eq!((values[codes[0] as usize].as_str(), values.len()), ("two,\nlines", 2));
}

#[test]
fn a_late_text_or_gap_changes_the_column() {
    let text = table(ROWS, |row| (row >= 100_000).then_some("y,red,n,p\n"));
    let (data, _) = same_at_any_number_of_threads(&text, &TableOptions::default()).unwrap();
    let RawColumn::Text { codes, values, .. } = &raw_columns(&data)[0] else { panic!() };
    assert_eq!((values.len(), values[codes[ROWS - 1] as usize].as_str()), (1001, "y"));
    assert_eq!(values[codes[99_999] as usize], "999.25");
    let text = table(ROWS, |row| (row == ROWS - 5).then_some(",red,n,p\n"));
    let (data, _) = same_at_any_number_of_threads(&text, &TableOptions::default()).unwrap();
    assert!(raw_columns(&data)[0].is_gap(ROWS - 5));
    // Among so many numbers, a text is a mistake.
    let text = table(ROWS, |row| (row == ROWS - 5).then_some("12o,red,n,p\n"));
    let error =
        same_at_any_number_of_threads(&text, &TableOptions::default()).unwrap_err().to_string();
    let line = ROWS - 5 + 2 + (ROWS - 5).div_ceil(5);
    assert!(
        error.contains(&format!("line {line}, column 0 (\"x\"): \"12o\" is not a number")),
        "{error}"
    );
}

#[test]
fn errors_name_the_first_line() {
    let late = ROWS - 5;
    let line = late + 2 + late.div_ceil(5);
    for (odd, words) in [
        ("1,2\n", "has 2 fields, the first line has 4"),
        ("\"1,red,n,p\n", "a quotation mark opens a field"),
    ] {
        let text = table(ROWS, |row| (row == late || row == late + 2).then_some(odd));
        let error =
            same_at_any_number_of_threads(&text, &TableOptions::default()).unwrap_err().to_string();
        assert!(error.contains(&format!("line {line}")) && error.contains(words), "{error}");
    }
    // Numbers with the other decimal mark.
    let mut text = "a;b;y\n".to_owned();
    for row in 0..200_000 {
        let fraction = if row > 150_000 {
            ".5"
        } else if row > 100_000 {
            ",5"
        } else {
            ""
        };
        writeln!(text, "{row}{fraction};1;{}", ["p", "q"][row % 2]).unwrap();
    }
    let error =
        same_at_any_number_of_threads(&text, &TableOptions::default()).unwrap_err().to_string();
    assert!(
        error.contains("line 150003, column 0 (\"a\"): \"150001.5\" has a decimal point"),
        "{error}"
    );
}

#[test]
fn rows_without_a_target_are_left_out() {
    let text = table(ROWS, |row| (row % 10 == 3).then_some("1,red,n,\n"));
    let (data, warnings) = same_at_any_number_of_threads(&text, &TableOptions::default()).unwrap();
    assert_eq!(data.len(), ROWS - ROWS / 10);
    assert!(warnings.contains(&"12000 rows without a target left out".to_owned()), "{warnings:?}");
    // They are counted among those that an index counts, also where blocks begin with them.
    let mut text = ",x,kind\n".to_owned();
    for row in 0..ROWS {
        let kind = if row % 4000 < 3000 { "" } else { ["p", "q"][row % 2] };
        writeln!(text, "{row},{row}.{:030},{kind}", row % 1000).unwrap();
    }
    assert!(text.len() > 4 << 20);
    let options = TableOptions { label_column: Some("kind"), ..TableOptions::default() };
    let (data, _) = same_at_any_number_of_threads(&text, &options).unwrap();
    assert_eq!((data.features(), data.len()), (1, ROWS / 4));
}
