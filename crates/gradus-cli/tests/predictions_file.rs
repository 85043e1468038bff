//! `gradus predict --out`: tables of predictions.

mod common;

use std::fs::{self, File};
use std::path::Path;

use common::{TABLE, gradus, image_classes, json, run, table, text};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use tempfile::TempDir;

/// A folder with a table and a model of it.
fn trained() -> TempDir {
    let folder = TempDir::new().unwrap();
    table(folder.path(), "table.csv");
    run(folder.path(), &format!("train {TABLE} --quiet"));
    folder
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

/// What is printed for each sample, in the form of the cells of a table.
fn printed(folder: &Path, line: &str) -> Vec<(String, Vec<f64>)> {
    let row = |line: &str| {
        let value = json(line);
        let numbers = value["probabilities"].as_object().unwrap().values();
        let label = value["label"].as_str().unwrap().to_owned();
        (label, numbers.map(|number| number.as_f64().unwrap()).collect())
    };
    run(folder, line).lines().map(row).collect()
}

#[test]
fn the_columns_of_a_table_stay_and_predictions_follow() {
    let folder = trained();
    let at = folder.path();
    let said = run(at, "predict model.safetensors table.csv --out out.csv");
    assert_eq!(said, "Wrote out.csv: 300 predictions\n");
    let (before, after) = (read(at, "table.csv"), read(at, "out.csv"));
    let mut lines = after.lines().zip(before.lines());
    let (header, _) = lines.next().unwrap();
    let names = "u,v,label,prediction,probability_blue,probability_green,probability_red";
    assert_eq!(header, names);
    let expected = printed(at, "predict model.safetensors table.csv --json");
    assert_eq!(after.lines().count(), 301);
    for ((line, before), (label, numbers)) in lines.zip(expected) {
        let rest = line.strip_prefix(before).unwrap().strip_prefix(',').unwrap();
        let cells: Vec<&str> = rest.split(',').collect();
        assert_eq!(cells[0], label);
        let found: Vec<f32> = cells[1..].iter().map(|cell| cell.parse().unwrap()).collect();
        assert_eq!(found, numbers.iter().map(|&it| it as f32).collect::<Vec<_>>());
    }
    // Written once more, in one step, and read as any table.
    let about = json(&run(at, "predict model.safetensors table.csv --out out.csv --json"));
    assert_eq!((about["out"].as_str(), about["samples"].as_u64()), (Some("out.csv"), Some(300)));
    assert_eq!(about["columns"][1], "probability_blue");
    assert_eq!(run(at, "predict model.safetensors table.csv --out -"), after);
    run(at, "predict model.safetensors out.csv --out again.csv");
    let again = read(at, "again.csv");
    assert!(again.lines().next().unwrap().ends_with(
        "probability_red,prediction_2,probability_blue_2,probability_green_2,probability_red_2"
    ));
    assert!(
        fs::read_dir(at).unwrap().all(|it| !it
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with('.'))
    );
}

#[test]
fn other_separators_packed_tables_and_tables_without_a_header() {
    let folder = trained();
    let at = folder.path();
    let rows = "v;id;u\r\n0,5;\"a;\"\"b\";4,9\r\n4,8; 07 ;0,1\r\n";
    let predict = |table: &str, options: &str| {
        let line = format!("predict model.safetensors - --out - {options}");
        let done = gradus(at, &line).write_stdin(table.to_owned()).assert().success();
        (text(&done.get_output().stdout), text(&done.get_output().stderr))
    };
    let (out, _) = predict(rows, "");
    let lines: Vec<&str> = out.split("\r\n").collect();
    assert!(lines[0].starts_with("v;id;u;prediction;probability_blue;"), "{out}");
    assert!(lines[1].starts_with("0,5;\"a;\"\"b\";4,9;green;"), "{out}");
    assert!(lines[2].starts_with("4,8; 07 ;0,1;blue;0,9"), "{out}");
    let (out, said) = predict("5,0.1\n0.2,5\n", "");
    assert!(out.starts_with("5,0.1,green,") && out.contains("\n0.2,5,blue,"), "{out}");
    assert!(said.contains("has no header") && said.contains("prediction, probability_blue"));
    // The bytes of an archive.
    let csv = "u,v\n5,0.1\n";
    fs::write(at.join("plain.csv"), csv).unwrap();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, csv.as_bytes()).unwrap();
    fs::write(at.join("packed.csv.gz"), packed.finish().unwrap()).unwrap();
    let out = |name: &str| run(at, &format!("predict model.safetensors {name} --out -"));
    assert_eq!(out("packed.csv.gz"), out("plain.csv"));
}

#[test]
fn images_and_arrays_have_columns_of_their_own() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    image_classes(at, ["bright", "dark, grey"]);
    run(at, "train --data classes --epochs 30 --quiet");
    fs::copy(at.join("classes/bright/0.png"), at.join("a,b.png")).unwrap();
    fs::copy(at.join("classes/dark, grey/0.png"), at.join("d.png")).unwrap();
    run(at, "predict model.safetensors a,b.png d.png --out out.csv");
    let out = read(at, "out.csv");
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], "file,prediction,probability_bright,\"probability_dark, grey\"");
    assert!(
        lines[1].starts_with("\"a,b.png\",bright,")
            && lines[2].starts_with("d.png,\"dark, grey\","),
        "{out}"
    );
    // If one fails, the others are written, and the exit status says so.
    gradus(at, "predict model.safetensors d.png none.png --out out.csv").assert().code(1);
    assert_eq!(read(at, "out.csv").lines().count(), 2);
    let mut array = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    array.extend(
        format!("{:<117}\n", "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 9, 9), }")
            .bytes(),
    );
    array.extend([[200; 81], [20; 81]].concat());
    fs::write(at.join("two.npy"), array).unwrap();
    let out = run(at, "predict model.safetensors two.npy --out -");
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], "index,prediction,probability_bright,\"probability_dark, grey\"");
    assert!(
        lines[1].starts_with("0,bright,") && lines[2].starts_with("1,\"dark, grey\","),
        "{out}"
    );
    run(at, "predict model.safetensors two.npy --out two.tsv");
    assert!(
        read(at, "two.tsv")
            .starts_with("index\tprediction\tprobability_bright\tprobability_dark, grey\n")
    );
}

#[test]
fn values_have_a_column_for_each_output() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let row = |i: i32| format!("{},{},{},{}\n", i % 7, i % 5, i % 7 - i % 5, i % 7);
    let rows: String = (0..60).map(row).collect();
    fs::write(at.join("two.csv"), format!("u,v,a,b\n{rows}")).unwrap();
    let train = "train --data two.csv --loss squared --epochs 2 --quiet --label-column";
    run(at, &format!("{train} a,b"));
    let out = run(at, "predict model.safetensors two.csv --out -");
    assert!(out.starts_with("u,v,a,b,prediction_a,prediction_b\n0,0,0,0,"), "{out}");
    run(at, &format!("{train} a --drop b --out one.safetensors"));
    let out = run(at, "predict one.safetensors two.csv --out -");
    assert!(out.starts_with("u,v,a,b,prediction\n"), "{out}");
    let shown = run(at, "predict one.safetensors two.csv");
    let (shown, cell) = (shown.lines().next().unwrap(), out.lines().nth(1).unwrap());
    assert_eq!(shown.split(": ").nth(1), cell.rsplit(',').next());
}

/// The columns of a Parquet file: name and values.
fn parquet(folder: &Path, name: &str) -> Vec<(String, Vec<Field>)> {
    let reader = SerializedFileReader::new(File::open(folder.join(name)).unwrap()).unwrap();
    let fields = reader.metadata().file_metadata().schema().get_fields();
    let mut columns: Vec<_> =
        fields.iter().map(|field| (field.name().to_owned(), Vec::new())).collect();
    for row in reader.get_row_iter(None).unwrap() {
        for ((_, values), (_, value)) in columns.iter_mut().zip(row.unwrap().get_column_iter()) {
            values.push(value.clone());
        }
    }
    columns
}

#[test]
fn parquet_has_the_values_of_the_table_and_of_the_predictions() {
    let folder = trained();
    let at = folder.path();
    let said = run(at, "predict model.safetensors table.csv --out out.parquet");
    assert_eq!(said, "Wrote out.parquet: 300 predictions\n");
    let columns = parquet(at, "out.parquet");
    let names: Vec<&str> = columns.iter().map(|(name, _)| &name[..]).collect();
    let expected = ["u", "v", "label", "prediction"];
    assert_eq!(names[..4], expected);
    assert_eq!(names[4..], ["probability_blue", "probability_green", "probability_red"]);
    let cells: Vec<Vec<String>> = read(at, "table.csv")
        .lines()
        .skip(1)
        .map(|line| line.split(',').map(str::to_owned).collect())
        .collect();
    let printed = printed(at, "predict model.safetensors table.csv --json");
    for (row, (cells, (label, numbers))) in cells.iter().zip(printed).enumerate() {
        let number = |text: &str| text.parse::<f64>().unwrap();
        for (at, cell) in cells[..2].iter().enumerate() {
            let value = match &columns[at].1[row] {
                Field::Long(value) => *value as f64,
                Field::Double(value) => *value,
                other => panic!("{other:?}"),
            };
            assert_eq!(value, number(cell));
        }
        assert_eq!(columns[2].1[row], Field::Str(cells[2].clone()));
        assert_eq!(columns[3].1[row], Field::Str(label));
        for (at, probability) in numbers.iter().enumerate() {
            assert_eq!(columns[4 + at].1[row], Field::Float(*probability as f32));
        }
    }
    // An earlier file of predictions is replaced; columns of that name get a number.
    fs::write(at.join("more.csv"), "prediction;u;v\n;1,5;2\nx;red;3\n").unwrap();
    let failed =
        gradus(at, "predict model.safetensors more.csv --out out.parquet").assert().code(1);
    let said = text(&failed.get_output().stderr);
    assert!(said.contains("is not a number"), "{said}");
    assert_eq!(parquet(at, "out.parquet"), columns);
    fs::write(at.join("more.csv"), "prediction;u;v\n;1,5;2\nx;0,25;3\n").unwrap();
    run(at, "predict model.safetensors more.csv --out out.parquet");
    let columns = parquet(at, "out.parquet");
    let names: Vec<&str> = columns.iter().map(|(name, _)| &name[..]).collect();
    assert_eq!(names[..4], ["prediction", "u", "v", "prediction_2"]);
    assert_eq!(columns[0].1, [Field::Null, Field::Str("x".into())]);
    assert_eq!(columns[1].1, [Field::Double(1.5), Field::Double(0.25)]);
    assert_eq!(columns[2].1, [Field::Long(2), Field::Long(3)]);
    // Another file is not.
    fs::write(at.join("notes.parquet"), "notes").unwrap();
    let failed =
        gradus(at, "predict model.safetensors table.csv --out notes.parquet").assert().code(1);
    assert!(text(&failed.get_output().stderr).contains("has no column `prediction`"));
    let failed =
        gradus(at, "predict model.safetensors table.csv --out no/such.parquet").assert().code(1);
    assert!(text(&failed.get_output().stderr).contains("does not exist"));
}

#[test]
fn nothing_else_is_overwritten() {
    let folder = trained();
    let at = folder.path();
    fs::write(at.join("notes.csv"), "a,b\n1,2\n").unwrap();
    fs::write(at.join("empty.csv"), "").unwrap();
    fs::write(at.join("kept.npy"), b"\x93NUMPY\x01\0").unwrap();
    for (options, code, words) in [
        ("table.csv --out notes.csv", 1, "has no column `prediction`"),
        ("table.csv --out kept.npy", 1, "arrays do not say whether they are predictions"),
        ("table.csv --out table.csv", 2, "is the file to predict"),
        ("table.csv --out out.xlsx", 2, ".csv, .tsv, .txt, .parquet or .npy"),
        ("table.csv --out out.json", 2, "ends in .csv"),
        ("table.csv --out no/such.csv", 1, "does not exist"),
        ("table.csv --out out.tsv", 2, "not by tabs"),
        ("table.csv table.csv --out out.csv", 2, "one table or array"),
        ("none.csv --out out.csv", 1, "none.csv"),
    ] {
        let before = fs::read_dir(at).unwrap().count();
        let done = gradus(at, &format!("predict model.safetensors {options}")).assert().code(code);
        let said = text(&done.get_output().stderr);
        assert!(said.contains(words), "{options}: {said}");
        assert_eq!(fs::read_dir(at).unwrap().count(), before, "{options}");
    }
    assert_eq!(read(at, "notes.csv"), "a,b\n1,2\n");
    run(at, "predict model.safetensors table.csv --out empty.csv");
    assert_eq!(read(at, "empty.csv").lines().count(), 301);
}
