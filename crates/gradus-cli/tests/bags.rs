//! Bags from `train --members` to `predict --interval`: one model file, everywhere.

mod common;

use std::fmt::Write;
use std::fs;
use std::path::Path;

use common::{TABLE, gradus, json, run, table, text};
use serde_json::Value;
use tempfile::TempDir;

/// A table of values with a text column and gaps, whose target is a sum with noise.
fn values(rows: usize) -> String {
    let mut text = "colour,size,price\n".to_owned();
    for row in 0..rows {
        let colour = row % 3;
        let size = (row * 37 % 101) as f64 / 10.0;
        let noise = ((row * 7919 % 997) as f64 / 997.0 - 0.5) * 2.0;
        let shown = if row % 13 == 0 { "NA".to_owned() } else { format!("{size}") };
        let name = ["red", "green", "blue"][colour];
        writeln!(text, "{name},{shown},{:.3}", 20.0 + 5.0 * colour as f64 + size + noise).unwrap();
    }
    text
}

const VALUES: &str = "--data values.csv --loss squared --hidden 8 --batch-size 16 --epochs 12 --learning-rate 0.02 --schedule constant";

fn with_values() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("values.csv"), values(260)).unwrap();
    folder
}

fn last(lines: &str) -> Value {
    json(lines.lines().last().unwrap())
}

fn refused(folder: &Path, arguments: &str) -> String {
    text(&gradus(folder, arguments).assert().failure().get_output().stderr)
}

#[test]
fn a_bag_of_values_has_intervals() {
    let folder = with_values();
    let at = folder.path();
    let done = last(&run(at, &format!("train {VALUES} --members 3 --json --history history.json")));
    let number = |key: &str| done[key].as_f64().unwrap_or_else(|| panic!("{key}: {done}"));
    let (found, tested) = (number("out_of_fold_rmse"), number("test_rmse"));
    assert!(found > 0.0 && (0.5..2.0).contains(&(found / tested)), "{done}");
    assert!(done.get("temperature").is_none() && done.get("best_epoch").is_none());
    let history = json(&fs::read_to_string(at.join("history.json")).unwrap());
    assert_eq!(history["val_loss"].as_array().unwrap().len(), 12);
    let said = run(at, &format!("train {VALUES} --members 3 --out again.safetensors"));
    let line = said.lines().find(|line| line.starts_with("Out of fold: ")).unwrap();
    assert!(line.contains("root mean squared error = "), "{line}");
    assert!(said.lines().any(|line| line.starts_with("Test: ")), "{said}");
    let file = |name: &str| fs::read(at.join(name)).unwrap();
    assert!(file("model.safetensors") == file("again.safetensors"));
    // Lines, JSON, CSV and Parquet say the same.
    let lines = run(at, "predict model.safetensors values.csv --interval 0.9");
    let first = lines.lines().next().unwrap().strip_prefix("values.csv[0]: ").unwrap();
    let objects = run(at, "predict model.safetensors values.csv --interval 0.9 --json");
    let objects: Vec<Value> = objects.lines().map(json).collect();
    let (value, interval) = (&objects[0]["values"]["price"], &objects[0]["intervals"]["price"]);
    assert_eq!(first, format!("{value} ({} to {})", interval[0], interval[1]));
    run(at, "predict model.safetensors values.csv --interval 0.9 --out out.csv");
    let table = fs::read_to_string(at.join("out.csv")).unwrap();
    assert!(table.starts_with("colour,size,price,prediction,prediction_lower,prediction_upper\n"));
    let mut inside = 0;
    for (line, object) in table.lines().skip(1).zip(&objects) {
        let cells: Vec<f32> = line.split(',').skip(2).map(|it| it.parse().unwrap()).collect();
        let interval = &object["intervals"]["price"];
        let ends = [&interval[0], &interval[1]].map(|end| end.as_f64().unwrap() as f32);
        assert_eq!(cells[2..], ends);
        assert!(cells[2] < cells[1] && cells[1] < cells[3]);
        inside += usize::from((cells[2]..=cells[3]).contains(&cells[0]));
    }
    assert!(inside > 260 * 8 / 10, "{inside}");
    run(at, "predict model.safetensors values.csv --interval 0.9 --out out.parquet");
    let again = run(at, "predict model.safetensors out.parquet --interval 0.9 --json");
    assert_eq!(json(again.lines().next().unwrap())["intervals"], objects[0]["intervals"]);
    // A wider level is a wider interval; one that needs more samples is none.
    let wide = run(at, "predict model.safetensors values.csv --interval 0.99 --json");
    let wide = &json(wide.lines().next().unwrap())["intervals"]["price"];
    assert!(wide[0].as_f64() < interval[0].as_f64());
    let message = refused(at, "predict model.safetensors values.csv --interval 0.9999");
    assert!(
        message.contains("--interval 0.9999: intervals of level 0.9999 take at least 9999"),
        "{message}"
    );
}

#[test]
fn a_bag_of_classes_is_one_model() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    table(at, "table.csv");
    let done = last(&run(at, &format!("train {TABLE} --members 3 --refit --json")));
    assert!(done["out_of_fold_accuracy"].as_f64().unwrap() > 0.9, "{done}");
    assert!(done["temperature"].as_f64().unwrap() > 0.0);
    let about = run(at, "inspect model.safetensors");
    assert!(about.contains("members: 3 networks of these layers"), "{about}");
    let about = json(&run(at, "inspect model.safetensors --json"));
    assert_eq!(
        (about["members"].as_u64(), &about["training"]["members"]["refitted"]),
        (Some(3), &true.into())
    );
    let measured = json(&run(at, "evaluate model.safetensors --data table.csv --json"));
    assert!(measured["accuracy"].as_f64().unwrap() > 0.9);
    run(at, "report model.safetensors --data table.csv --out report.html");
    assert!(fs::read_to_string(at.join("report.html")).unwrap().contains("3 members of 2-8-3"));
    run(at, "export model.safetensors model.onnx");
    run(at, "export model.safetensors model.c");
    for (form, words) in
        [("model.npz", "bag of 3 networks"), ("model.html", "expected a model for 28 x 28")]
    {
        let message = refused(at, &format!("export model.safetensors {form}"));
        assert!(message.contains(words) || message.contains("a bag of 3"), "{form}: {message}");
        assert!(!at.join(form).exists());
    }
    let predicted = |model: &str| run(at, &format!("predict {model} table.csv --out -"));
    assert_eq!(predicted("model.onnx"), predicted("model.safetensors"));
    let message = refused(at, "train --data table.csv --init model.safetensors");
    assert!(message.contains("--init model.safetensors: a bag of 3 networks"), "{message}");
    let message = refused(at, "sweep --vary hidden=4/8 -- --data table.csv --members 3");
    assert!(message.contains("--members 3: a sweep compares single networks"), "{message}");
}

/// Stopped between two epochs, a bag goes on to the bits of the uninterrupted one.
#[test]
fn a_bag_is_resumed() {
    let folder = with_values();
    let at = folder.path();
    run(at, &format!("train {VALUES} --members 3 --quiet --out whole.safetensors"));
    let short = VALUES.replace("--epochs 12", "--epochs 5");
    run(
        at,
        &format!(
            "train {short} --members 3 --quiet --checkpoint c.safetensors --out part.safetensors"
        ),
    );
    run(at, "train --resume c.safetensors --epochs 12 --quiet --threads 1");
    let file = |name: &str| fs::read(at.join(name)).unwrap();
    assert!(file("part.safetensors") == file("whole.safetensors"));
    // A checkpoint is a model, too.
    assert_eq!(run(at, "predict c.safetensors values.csv").lines().count(), 260);
}
