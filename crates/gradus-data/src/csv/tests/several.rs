//! Tables in several files: what they are as one, and which do not belong together.

use std::fs;
use std::path::PathBuf;

use gradus_core::samples::RawColumn;
use tempfile::{TempDir, tempdir};

use super::super::*;
use crate::{Inputs, Targets};

fn files(texts: &[&str]) -> (TempDir, Vec<PathBuf>) {
    let folder = tempdir().unwrap();
    let path = |(at, text): (usize, &&str)| {
        let path = folder.path().join(format!("part-{at}.csv"));
        fs::write(&path, text).unwrap();
        path
    };
    let paths = texts.iter().enumerate().map(path).collect();
    (folder, paths)
}

fn read(texts: &[&str], options: &TableOptions) -> Result<Dataset> {
    let (_folder, paths) = files(texts);
    read_tables(&paths, options).map(|(data, _)| data)
}

fn options(label_column: &str) -> TableOptions<'_> {
    TableOptions { label_column: Some(label_column), ..TableOptions::default() }
}

#[test]
fn the_rows_of_all_files_are_those_of_one() {
    // A category, a number, a class and a date that only one of the files has; gaps alone in another; digits in a column of text.
    let parts = [
        "town,n,day,code,y\nulm,1.5,2024-01-02,7,a\nulm,,2024-01-03,8,b\n",
        "y,code,day,n,town\na,x9,,1000000.25,bonn\nc,7,2024-02-01,2,köln\n",
        "town,n,day,code,y\n,3,2023-05-06,10,b\n",
    ];
    let whole = "town,n,day,code,y\nulm,1.5,2024-01-02,7,a\nulm,,2024-01-03,8,b\nbonn,1000000.25,,x9,a\n\
                 köln,2,2024-02-01,7,c\n,3,2023-05-06,10,b\n";
    let found = read(&parts, &options("y")).unwrap();
    let expected = read(&[whole], &options("y")).unwrap();
    assert_eq!(found.targets, expected.targets);
    assert_eq!(found.columns, expected.columns);
    let (Inputs::Table(table), Inputs::Table(expected)) = (&found.inputs, &expected.inputs) else {
        panic!()
    };
    assert_eq!(table.types(), expected.types());
    for (column, expected) in table.columns().iter().zip(expected.columns()) {
        for row in 0..5 {
            assert_eq!(column.cell(row), expected.cell(row), "{column:?}");
        }
    }
    let RawColumn::Text { values, .. } = &table.columns()[0] else { panic!() };
    assert_eq!(values.len(), 3);
}

#[test]
fn plain_numbers_values_and_files_without_headers() {
    let parts = read(&["1,2,0.5\n3,4,1.5\n", "5,6,2.5\n"], &options("2"));
    // As classes, fractions are refused.
    assert!(parts.unwrap_err().to_string().contains("part-0.csv"));
    let values = TableOptions { values: true, ..options("2") };
    let parts = read(&["1,2,0.5\n3,4,1.5\n", "5,6,2.5\n"], &values).unwrap();
    let Targets::Values { values, .. } = &parts.targets else { panic!() };
    assert_eq!(values, &[0.5, 1.5, 2.5]);
    assert_eq!(parts.inputs, Inputs::Floats(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
}

#[test]
fn what_differs_is_named_with_its_file() {
    let refused = |texts: &[&str]| read(texts, &options("y")).unwrap_err().to_string();
    let first = "a,b,y\n1,2,u\n3,4,v\n";
    for (second, words) in [
        ("a,y\n1,u\n", "part-1.csv: the columns differ from those of"),
        ("a,y\n1,u\n", "part-0.csv: \"b\" is missing"),
        ("a,b,c,y\n1,2,3,u\n", "\"c\" is not there"),
        ("a,b,b,y\n1,2,3,u\n", "\"b\" is not there"),
        (
            "a,b,y\n1,2024-05-01,u\n",
            "part-1.csv: column 1 (\"b\"): dates where earlier files have numbers",
        ),
        ("a,b,y\n1,2\n", "part-1.csv: line 2 has 2 fields"),
    ] {
        let error = refused(&[first, second]);
        assert!(error.contains(words), "{words}: {error}");
    }
    assert!(read_tables(&[], &TableOptions::default()).is_err());
}
