//! Tables as people have them: columns in another order, the label somewhere else or empty, other letters
//! and other containers. What the program cannot read it refuses, and says where.

mod common;

use std::fs;
use std::io::Write;
use std::path::Path;

use common::{gradus, json, run, text};
use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

/// A run that learns the points of [`points`].
const TRAIN: &str = "train --normalize standard --hidden 8 --batch-size 16 --epochs 20 --learning-rate 0.02 \
                     --quiet";

/// 150 points in three classes: length, width, class. The two numbers have different ranges.
fn points() -> Vec<(f64, f64, usize)> {
    let point = |i: usize| {
        let (class, turn) = (i % 3, i as f64 * 0.7);
        let centre = [(0.0, 50.0), (5.0, 50.0), (0.0, 58.0)][class];
        (centre.0 + turn.sin(), centre.1 + turn.cos(), class)
    };
    (0..150).map(point).collect()
}

const CLASSES: [&str; 3] = ["ape", "bee", "cat"];

/// Writes a table: the columns that `header` names, in this order.
fn write(folder: &Path, name: &str, header: &[&str]) {
    let cell = |column: &str, at: usize, &(length, width, class): &(f64, f64, usize)| match column {
        "length" => format!("{length:.3}"),
        "width" => format!("{width:.3}"),
        "animal" => CLASSES[class].to_owned(),
        "number" => class.to_string(),
        "empty" => String::new(),
        "id" => (2000 - 7 * at).to_string(),
        other => panic!("{other}"),
    };
    let mut table = header.join(",").replace("empty", "animal") + "\n";
    for (at, point) in points().iter().enumerate() {
        let cells: Vec<_> = header.iter().map(|column| cell(column, at, point)).collect();
        table += &(cells.join(",") + "\n");
    }
    fs::write(folder.join(name), table).unwrap();
}

/// How many of the samples in a table are predicted right, by the names in `classes`.
fn right(folder: &Path, arguments: &str, classes: [&str; 3]) -> usize {
    let lines = run(folder, &format!("predict model.safetensors --json {arguments}"));
    let labels: Vec<String> =
        lines.lines().map(|line| json(line)["label"].as_str().unwrap().to_owned()).collect();
    assert_eq!(labels.len(), points().len());
    points().iter().zip(labels).filter(|((_, _, class), label)| classes[*class] == label).count()
}

fn accuracy(folder: &Path, arguments: &str) -> f64 {
    json(&run(folder, &format!("evaluate model.safetensors --json {arguments}")))["accuracy"]
        .as_f64()
        .unwrap()
}

fn error(folder: &Path, arguments: &str) -> String {
    text(&gradus(folder, arguments).assert().failure().get_output().stderr)
}

fn warnings(folder: &Path, arguments: &str) -> String {
    text(&gradus(folder, arguments).assert().success().get_output().stderr)
}

#[test]
fn columns_are_matched_by_name_in_every_command() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    write(at, "table.csv", &["length", "width", "animal"]);
    write(at, "other.csv", &["animal", "width", "length"]);
    write(at, "more.csv", &["id", "width", "animal", "length"]);
    write(at, "swapped.csv", &["width", "length"]);
    write(at, "less.csv", &["width", "animal"]);
    run(at, &format!("{TRAIN} --data table.csv"));
    assert!(run(at, "inspect model.safetensors").contains("\nfeatures: length, width\n"));
    let inspected = json(&run(at, "inspect model.safetensors --json"));
    assert_eq!(inspected["columns"]["targets"], serde_json::json!([2]));
    for table in ["table.csv", "other.csv", "more.csv", "swapped.csv"] {
        assert!(right(at, table, CLASSES) > 145, "{table}");
    }
    for table in ["other.csv", "more.csv"] {
        assert!(accuracy(at, &format!("--data {table}")) > 0.95, "{table}");
    }
    let warned = warnings(at, "predict model.safetensors more.csv");
    assert_eq!(warned.matches("column \"id\" is ignored").count(), 1, "{warned}");
    for command in ["predict model.safetensors", "evaluate model.safetensors --data"] {
        let message = error(at, &format!("{command} less.csv"));
        assert!(message.contains("no column \"length\""), "{message}");
    }
    run(at, "report model.safetensors --data other.csv -o report --format csv");
    let classes = fs::read_to_string(at.join("report/classes.csv")).unwrap();
    assert!(classes.contains("ape,1.0") || classes.contains("ape,1,"), "{classes}");

    // Test and validation data, and a resumed run: the same figures as with the columns in order.
    let figures = |options: &str| {
        let last = run(at, &format!("{TRAIN} --json {options}"));
        let last = json(last.lines().last().unwrap());
        (
            last["test_accuracy"].clone(),
            last["test_loss"].clone(),
            fs::read(at.join("model.safetensors")).unwrap(),
        )
    };
    let expected = figures("--data table.csv --test table.csv --validation table.csv");
    assert!(figures("--data table.csv --test other.csv --validation more.csv") == expected);
    run(
        at,
        &format!(
            "{TRAIN} --data table.csv --test table.csv --checkpoint c.safetensors --checkpoint-every 15"
        ),
    );
    let resumed = |data: &str| {
        fs::copy(at.join("c.safetensors"), at.join("d.safetensors")).unwrap();
        run(
            at,
            &format!("train --resume d.safetensors --data {data} --out model.safetensors --quiet"),
        );
        fs::read(at.join("model.safetensors")).unwrap()
    };
    let through = resumed("table.csv");
    fs::rename(at.join("other.csv"), at.join("moved.csv")).unwrap();
    fs::rename(at.join("table.csv"), at.join("first.csv")).unwrap();
    fs::rename(at.join("moved.csv"), at.join("table.csv")).unwrap();
    assert!(resumed("table.csv") == through);
}

#[test]
fn the_label_column_is_remembered_whatever_it_holds() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    write(at, "table.csv", &["length", "width", "number"]);
    run(at, &format!("{TRAIN} --data table.csv --label-column number"));
    assert!(right(at, "table.csv", ["0", "1", "2"]) > 145);
    assert!(accuracy(at, "--data table.csv") > 0.95);
    // Without a header, by its position.
    let body = fs::read_to_string(at.join("table.csv")).unwrap();
    fs::write(at.join("bare.csv"), body.split_once('\n').unwrap().1).unwrap();
    run(at, &format!("{TRAIN} --data bare.csv --label-column 2"));
    assert!(right(at, "bare.csv", ["0", "1", "2"]) > 145);
    assert!(accuracy(at, "--data bare.csv") > 0.95);

    write(at, "named.csv", &["length", "animal", "width"]);
    write(at, "empty.csv", &["length", "empty", "width"]);
    run(at, &format!("{TRAIN} --data named.csv"));
    for table in ["named.csv", "empty.csv"] {
        assert!(right(at, table, CLASSES) > 145, "{table}");
    }
    let targets =
        "train --data table.csv --loss squared --label-column width,length --epochs 1 --quiet";
    run(at, targets);
    let predicted = run(at, "predict model.safetensors table.csv --json");
    assert!(predicted.lines().count() == 150 && predicted.contains("\"width\""));
    let found = json(&run(at, "evaluate model.safetensors --data table.csv --json"));
    assert_eq!(found["outputs"][0]["name"], "width");
}

#[test]
fn dropped_columns_stay_dropped() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    write(at, "table.csv", &["id", "length", "width", "animal"]);
    write(at, "other.csv", &["animal", "width", "length", "id"]);
    write(at, "without.csv", &["width", "length"]);
    run(at, &format!("{TRAIN} --data table.csv --drop id"));
    for table in ["table.csv", "other.csv", "without.csv"] {
        assert!(right(at, table, CLASSES) > 145, "{table}");
        assert!(!warnings(at, &format!("predict model.safetensors {table}")).contains("ignored"));
    }
    assert!(accuracy(at, "--data other.csv") > 0.95);
    let described = json(&run(at, "data table.csv --json --drop id --drop width"));
    assert_eq!(described["sample_shape"], serde_json::json!([1]));
    let message = error(at, "train --preset quick --data table.csv --drop size");
    assert!(
        message.contains("no column to drop \"size\"") && message.contains("\"length\""),
        "{message}"
    );
    // A column that the model takes cannot be left out.
    let message = error(at, "predict model.safetensors table.csv --drop width");
    assert!(message.contains("no column \"width\""), "{message}");
}

#[test]
fn letters_are_never_replaced() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let rows: String =
        (0..40).map(|i| format!("{i},{},{}\n", i % 7, ["né", "nè"][i % 2])).collect();
    let table = format!("größe,b,word\n{rows}");
    let utf16 = |bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        format!("\u{feff}{table}").encode_utf16().flat_map(bytes).collect()
    };
    let latin: Vec<u8> = table.chars().map(|letter| letter as u8).collect();
    for (name, bytes) in [
        ("utf8.csv", table.clone().into_bytes()),
        ("marked.csv", format!("\u{feff}{table}").into_bytes()),
        ("le.csv", utf16(u16::to_le_bytes)),
        ("be.csv", utf16(u16::to_be_bytes)),
        ("latin.csv", latin),
    ] {
        fs::write(at.join(name), bytes).unwrap();
        let assert = gradus(at, &format!("data {name} --json")).assert().success();
        let found = json(&text(&assert.get_output().stdout));
        assert_eq!(found["class_names"], serde_json::json!(["nè", "né"]), "{name}");
        let warned = text(&assert.get_output().stderr).contains("--encoding");
        assert_eq!(warned, name == "latin.csv", "{name}");
        assert_eq!(found["train"]["samples"], 40);
    }
    // A model of one encoding predicts tables of another.
    run(at, "train --data utf8.csv --epochs 1 --quiet");
    for table in ["le.csv", "latin.csv --encoding latin-1"] {
        assert_eq!(run(at, &format!("predict model.safetensors {table}")).lines().count(), 40);
    }
    assert!(error(at, "data latin.csv --encoding utf-8").contains("not UTF-8"));
    fs::write(at.join("mixed.csv"), [table.as_bytes(), b"1,2,n\xe9\n"].concat()).unwrap();
    assert!(error(at, "data mixed.csv").contains("line 42 has the byte e9"));
    fs::write(at.join("codes.csv"), "a,code\n1,01\n2,1\n3,001\n4,01067\n").unwrap();
    let found = json(&run(at, "data codes.csv --label-column code --json"));
    assert_eq!(found["class_names"], serde_json::json!(["001", "01", "1", "01067"]));
}

#[test]
fn tables_are_read_from_gzip_and_zip_files() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    write(at, "table.csv", &["length", "width", "animal"]);
    let table = fs::read(at.join("table.csv")).unwrap();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&table).unwrap();
    fs::write(at.join("table.csv.gz"), gzip.finish().unwrap()).unwrap();
    run(at, &format!("{TRAIN} --data table.csv.gz --label-column animal"));
    assert!(right(at, "table.csv.gz --label-column animal", CLASSES) > 145);
    assert!(accuracy(at, "--data table.csv.gz") > 0.95);
    run(at, "report model.safetensors --data table.csv.gz --out report.html");
    let all = "--data table.csv --test table.csv.gz --validation table.csv.gz";
    let on = "--label-column animal --init model.safetensors --epochs 2 --quiet";
    run(at, &format!("train {all} {on}"));
    fs::write(at.join("book.xls"), b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1").unwrap();
    for command in ["data", "predict model.safetensors"] {
        let message = error(at, &format!("{command} book.xls"));
        assert!(message.contains("export the table as CSV"), "{message}");
    }
}

#[test]
fn suspicious_labels_are_warned_of() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let rows: String = (0..200).map(|i| format!("{},{}\n", i % 9, 50_000 + 37 * i)).collect();
    fs::write(at.join("prices.csv"), format!("rooms,price\n{rows}")).unwrap();
    let warned = warnings(at, "data prices.csv --label-column price --loss cross-entropy");
    assert!(
        warned.contains("200 classes for 200 samples") && warned.contains("--loss squared"),
        "{warned}"
    );
    let rows: String = (0..20).map(|i| format!("0,{},{}\n", i, i % 3)).collect();
    fs::write(at.join("bare.csv"), rows).unwrap();
    let warned = warnings(at, "train --preset quick --data bare.csv --epochs 1 --quiet");
    assert!(warned.contains("one class, \"0\"") && warned.contains("--label-column"), "{warned}");
    for gap in ["", "NA", "null", "nan"] {
        fs::write(at.join("gap.csv"), format!("a,label\r\n1,x\r\n2,{gap}\r\n")).unwrap();
        let said = warnings(at, "data gap.csv");
        assert!(said.contains("1 row without a target left out"), "{said}");
    }
}

#[test]
fn numbers_far_from_0_keep_their_digits() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let seconds = |i: usize| 1_700_000_000 + 60 * (i % 2) + i * 7 % 30;
    let rows: String =
        (0..400).map(|i| format!("{},{}.5,{}\n", seconds(i), i % 9, ["a", "b"][i % 2])).collect();
    fs::write(at.join("times.csv"), format!("t,x,kind\n{rows}")).unwrap();
    run(at, &format!("{TRAIN} --data times.csv --validation 0.1"));
    assert_eq!(accuracy(at, "--data times.csv"), 1.0);
    // A table of one row has no spread of its own: the model says what it takes.
    for i in [0, 1, 7] {
        fs::write(at.join("one.csv"), format!("t,x\n{},{}.5\n", seconds(i), i % 9)).unwrap();
        let predicted = json(&run(at, "predict model.safetensors one.csv --json"));
        assert_eq!(predicted["label"], ["a", "b"][i % 2]);
    }
    // Through ONNX and NPZ, whose means are in double precision too.
    for file in ["model.onnx", "model.npz"] {
        run(at, &format!("export model.safetensors {file}"));
        let model = if file == "model.npz" { "model.npz --activation relu" } else { file };
        let lines = run(at, &format!("predict {model} times.csv --json --label-column kind"));
        let right = lines.lines().zip(0..).filter(|(line, i)| {
            let label = json(line)["label"].as_str().unwrap().to_owned();
            label == ["a", "b"][i % 2] || label == ["0", "1"][i % 2]
        });
        assert_eq!(right.count(), 400, "{file}");
    }
}

#[test]
fn the_file_that_a_model_was_trained_on_is_found_again() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    write(at, "table.csv", &["length", "width", "animal"]);
    run(at, &format!("{TRAIN} --data table.csv"));
    let found = json(&run(at, "evaluate model.safetensors --json"));
    assert_eq!(found["samples"], 30); // the test part
    run(at, "report model.safetensors");
    assert!(fs::read_to_string(at.join("report.html")).unwrap().contains("Confusion matrix"));
    // Another file of the same name is not taken for it.
    let table = fs::read_to_string(at.join("table.csv")).unwrap();
    fs::write(at.join("table.csv"), table.clone() + "1,2,ape\n").unwrap();
    assert!(error(at, "evaluate model.safetensors").contains("--data"));
    fs::remove_file(at.join("table.csv")).unwrap();
    let message = error(at, "evaluate model.safetensors");
    assert!(message.contains("trained on table.csv, which is not in this folder"), "{message}");
}

#[test]
fn values_of_large_tables_are_embedded_by_bins() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let row = |row: u32| format!("{},{}\n", f64::from(row * 37 % 1000) / 8.0, row % 91);
    let rows = |count: u32| (0..count).map(row).collect::<String>();
    fs::write(at.join("large.csv"), format!("x,y\n{}", rows(4_000))).unwrap();
    fs::write(at.join("small.csv"), format!("x,y\n{}", rows(2_000))).unwrap();
    let quick = "train --test small.csv --loss squared --preset tabular-quick --epochs 1";
    let defaults = |options: &str| warnings(at, &format!("{quick} {options}"));
    let embedded = || {
        let facts = json(&run(at, "inspect model.safetensors --json"));
        facts["training"]["config"]["numeric_embedding"].clone()
    };
    let said = defaults("--data large.csv --hidden 4");
    assert!(
        said.contains("Defaults for these data: --numeric-embedding ple (3200 rows)"),
        "{said}"
    );
    assert_eq!(embedded(), "ple");
    let said = defaults("--data small.csv --hidden 4");
    assert!(said.contains("Defaults for these data: --batch-size 128 (1600 rows)"), "{said}");
    assert_eq!(embedded(), "pbld");
    let said = defaults("--data large.csv --hidden 4 --numeric-embedding pbld");
    assert!(!said.contains("Defaults for these data"), "{said}");
    // A model that training goes on from has its embedding, and none of categories, which had a decay.
    let said = defaults("--data large.csv --init model.safetensors --out again.safetensors");
    assert!(!said.contains("Defaults for these data"), "{said}");
}

#[test]
fn presets_for_tables_learn_classes_and_numbers() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    write(at, "table.csv", &["length", "width", "animal"]);
    let short = "train --data table.csv --preset tabular-quick --hidden 16,16 --epochs 20";
    let said = warnings(at, &format!("{short} --label-column animal"));
    // 96 of the 150 rows are trained with: 30 are the test part, 24 are held out.
    assert!(said.contains("Defaults for these data: --batch-size 32 (96 rows)"), "{said}");
    assert!(accuracy(at, "--data table.csv") > 0.95);
    let inspected = run(at, "inspect model.safetensors --json");
    let training = json(&inspected)["training"]["config"].clone();
    assert_eq!(training["parametrization"], "ntk");
    assert_eq!(training["keep_best"], "last");
    assert_eq!(training["label_smoothing"], 0.1);
    // The width of the points follows from nothing, but the class's centres are 8 apart.
    write(at, "numbers.csv", &["length", "number", "width"]);
    warnings(
        at,
        &format!("{short} --data numbers.csv --label-column width --loss squared").replacen(
            "--data table.csv ",
            "",
            1,
        ),
    );
    let found =
        json(&run(at, "evaluate model.safetensors --data numbers.csv --label-column width --json"));
    assert!(found["r2"].as_f64().unwrap() > 0.9, "{found}");
    let training = json(&run(at, "inspect model.safetensors --json"))["training"]["config"].clone();
    assert_eq!(
        (&training["activation"], &training["learning_rate"]),
        (&"mish".into(), &0.2.into())
    );
    // Counts are not standardized.
    let counts = format!("{short} --data numbers.csv --label-column number --loss poisson");
    warnings(at, &counts.replacen("--data table.csv ", "", 1));
    // A preset only sets defaults: what its own parts need may be switched off.
    warnings(
        at,
        &format!("{short} --dropout 0 --weight-decay 0 --scaling-layer=false --batch-size 64"),
    );
    let training = json(&run(at, "inspect model.safetensors --json"))["training"]["config"].clone();
    assert_eq!(training["dropout_schedule"], "constant");
    assert_eq!((&training["scaling_rate"], &training["batch_size"]), (&1.into(), &"64".into()));
}
