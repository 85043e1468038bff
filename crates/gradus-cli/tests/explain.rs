//! `gradus explain`: importances, partial dependence and contributions of the columns of tables.

mod common;

use std::fs;
use std::path::Path;

use common::{gradus, json, run, text};
use serde_json::Value;
use tempfile::TempDir;

/// A table whose label depends on `n` and `colour`, and not on `noise`; some cells are empty.
fn write_table(at: &Path) {
    let row = |i: usize| {
        let n = if i % 17 == 5 { String::new() } else { (i * 31 % 60).to_string() };
        let colour = ["red", "blue", "green", ""][i % 4];
        let kind = if i * 31 % 60 > 25 + 20 * (i % 2) { "yes" } else { "no" };
        format!("{n},{colour},{},2024-01-{:02},{kind}\n", i * 7 % 5, 1 + i * 5 % 28)
    };
    let rows: String = (0..240).map(row).collect();
    fs::write(at.join("t.csv"), format!("n,colour,noise,day,kind\n{rows}")).unwrap();
    run(at, "train --data t.csv --label-column kind --epochs 40 --learning-rate 0.02 --quiet");
}

fn refused(at: &Path, options: &str, status: i32) -> String {
    let output = gradus(at, &format!("explain {options}")).assert().code(status);
    text(&output.get_output().stderr)
}

#[test]
fn importances_find_the_columns_that_matter() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    write_table(at);
    let found = json(&run(at, "explain model.safetensors --data t.csv --json"));
    let measured = json(&run(at, "evaluate model.safetensors --data t.csv --json"));
    assert_eq!(
        (&found["samples"], &found["accuracy"]),
        (&measured["samples"], &measured["accuracy"])
    );
    let columns = found["importances"].as_array().unwrap();
    let names: Vec<&str> = columns.iter().map(|it| it["column"].as_str().unwrap()).collect();
    assert_eq!((names.len(), names[0]), (4, "n"));
    let mean = |at: usize| columns[at]["log_loss"]["mean"].as_f64().unwrap();
    assert!((1..4).all(|at| mean(at) <= mean(at - 1)) && mean(0) > 0.3);
    assert_eq!(columns[0]["accuracy"]["repeats"].as_array().unwrap().len(), 5);
    // The same at any number of threads, others with another seed.
    let threads = json(&run(at, "explain model.safetensors --data t.csv --json --threads 3"));
    assert_eq!(threads, found);
    let seed = json(&run(at, "explain model.safetensors --data t.csv --json --seed 1"));
    assert_ne!(seed["importances"], found["importances"]);
    let shown = run(at, "explain model.safetensors --data t.csv --repeats 2 --samples 20");
    assert!(shown.contains(": 20 of ") && shown.contains("of 2 shuffles"), "{shown}");
    assert!(shown.contains("\ncolumn  accuracy") && shown.contains("\nn "), "{shown}");
}

#[test]
fn partial_dependence_has_a_line_for_each_value() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    write_table(at);
    let found = json(&run(at, "explain model.safetensors --data t.csv --column colour --json"));
    assert_eq!(found["values"], serde_json::json!(["blue", "green", "red", null]));
    let [no, yes] = ["no", "yes"].map(|name| found["predictions"][name].as_array().unwrap());
    for (no, yes) in no.iter().zip(yes) {
        assert!((no.as_f64().unwrap() + yes.as_f64().unwrap() - 1.0).abs() < 1e-6);
    }
    let shown = run(at, "explain model.safetensors --data t.csv --column 0 --samples 30");
    assert!(shown.contains("if n had the same value in all of 30 samples"), "{shown}");
    let last = shown.lines().last().unwrap();
    let means: Vec<&str> = last.split_whitespace().collect();
    // The largest numbers are yes.
    assert!(means[2].parse::<f64>().unwrap() > 0.7, "{shown}");
}

#[test]
fn contributions_sum_to_the_prediction() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    write_table(at);
    let found = json(&run(at, "explain model.safetensors --data t.csv --row 5 --json"));
    let number = |value: &Value| value.as_f64().unwrap();
    let parts = found["contributions"].as_array().unwrap();
    let sum: f64 = parts.iter().map(|it| number(&it["contribution"])).sum();
    let difference = number(&found["prediction"]) - number(&found["neutral"]);
    let sizes: f64 = parts.iter().map(|it| number(&it["contribution"]).abs()).sum();
    assert!((sum - difference).abs() <= 1e-3 * sizes, "{found}");
    // The other class gets the opposite.
    let other = if found["output"] == "yes" { "no" } else { "yes" };
    let options = format!("explain model.safetensors --data t.csv --row 5 --class {other} --json");
    let opposite = json(&run(at, &options));
    assert!((number(&opposite["prediction"]) + number(&found["prediction"]) - 1.0).abs() < 1e-6);
    let shown = run(at, "explain model.safetensors --data t.csv --row 5");
    assert!(shown.contains("[5]: probability of ") && shown.contains("\ncolumn"), "{shown}");
    // Rows without targets, in another order of the columns, are explained in the same way.
    let table = fs::read_to_string(at.join("t.csv")).unwrap();
    let turned = |line: &str| {
        let mut cells: Vec<&str> = line.split(',').take(4).collect();
        cells.reverse();
        cells.join(",")
    };
    let rows: Vec<String> = table.lines().map(turned).collect();
    fs::write(at.join("rows.csv"), rows.join("\n")).unwrap();
    fs::write(at.join("labelled.csv"), &table).unwrap();
    let of = |name: &str| {
        json(&run(at, &format!("explain model.safetensors --data {name} --row 7 --json")))
    };
    let (plain, labelled) = (of("rows.csv"), of("labelled.csv"));
    for key in ["row", "output", "prediction", "neutral", "contributions"] {
        assert_eq!(plain[key], labelled[key], "{key}");
    }
    fs::write(at.join("less.csv"), "n,colour\n3,red\n").unwrap();
    let less = refused(at, "model.safetensors --data less.csv --row 0", 1);
    assert!(less.contains("less.csv") && less.contains("\"noise\""), "{less}");
    let without = refused(at, "model.safetensors --data rows.csv", 2);
    assert!(without.contains("kind"), "{without}");
    assert!(
        refused(at, "model.safetensors --data t.csv --row 900", 2)
            .contains("expected a number below")
    );
    assert!(
        refused(at, "model.safetensors --data t.csv --column x", 2).contains("expected n, colour")
    );
}

#[test]
fn plain_columns_and_regression_are_explained_too() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let rows: String =
        (0..80).map(|i| format!("{},{},{}\n", i % 9, i % 7, 3 * (i % 9) + i % 7)).collect();
    fs::write(at.join("v.csv"), format!("a,b,y\n{rows}")).unwrap();
    let options =
        "--loss squared --label-column y --normalize standard --epochs 60 --learning-rate 0.02";
    run(at, &format!("train --data v.csv {options} --quiet"));
    let found = json(&run(at, "explain model.safetensors --data v.csv --json"));
    assert_eq!(found["importances"][0]["column"], "a");
    assert!(found["r2"].as_f64().unwrap() > 0.5 && found["rmse"].as_f64().is_some());
    let found = json(&run(at, "explain model.safetensors --data v.csv --row 0 --json"));
    assert_eq!(
        (&found["output"], found["contributions"].as_array().unwrap().len()),
        (&"y".into(), 2)
    );
    let shown = run(at, "explain model.safetensors --data v.csv --column b");
    assert!(shown.contains("b     ") || shown.contains("\nb  "), "{shown}");
}
