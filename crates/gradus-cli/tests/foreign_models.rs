//! Models of other programs in every command that reads a model, and the names of their classes.

mod common;

use std::fs;
use std::path::Path;

use common::{gradus, json, run, text};

/// A folder with these files of tests/golden/foreign of the library, and samples.
fn folder(names: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../gradus/tests/golden/foreign");
    for name in names {
        fs::copy(golden.join(name), folder.path().join(name)).unwrap();
    }
    let rows = "0.1,0.2,0.3,0.4,0.5\n1,-1,1,-1,1\n-2,0.5,0,1,2\n";
    fs::write(folder.path().join("x.csv"), rows).unwrap();
    let labelled = "a,b,c,d,e,label\n0.1,0.2,0.3,0.4,0.5,ant\n1,-1,1,-1,1,bee\n-2,0.5,0,1,2,cat\n";
    fs::write(folder.path().join("labelled.csv"), labelled).unwrap();
    fs::write(folder.path().join("names.txt"), "\u{feff}ant\r\nbee\r\ncat\r\n").unwrap();
    folder
}

fn labels(at: &Path, command: &str) -> Vec<String> {
    let output = run(at, command);
    output.lines().map(|line| json(line)["label"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn class_names_reach_every_command() {
    let folder = folder(&["state.pt"]);
    let at = folder.path();
    let numbers = labels(at, "predict --json state.pt x.csv");
    let animals = ["ant", "bee", "cat"];
    let expected: Vec<_> =
        numbers.iter().map(|label| animals[label.parse::<usize>().unwrap()]).collect();
    for names in ["ant,bee,cat", "@names.txt"] {
        assert_eq!(
            labels(at, &format!("predict --json state.pt x.csv --class-names {names}")),
            expected
        );
    }
    let options = "--class-names @names.txt";
    let measured =
        json(&run(at, &format!("evaluate --json state.pt --data labelled.csv {options}")));
    assert_eq!(measured["classes"][2]["name"], "cat");
    assert_eq!(
        json(&run(at, &format!("inspect --json state.pt {options}")))["class_names"],
        serde_json::json!(animals)
    );
    run(at, &format!("export state.pt own.safetensors {options}"));
    assert_eq!(labels(at, "predict --json own.safetensors x.csv"), expected);
    run(at, &format!("report state.pt --data labelled.csv {options} -o r.html"));
    assert!(fs::read_to_string(at.join("r.html")).unwrap().contains("bee"));
    // Own files have names.
    for command in
        ["predict own.safetensors x.csv", "inspect own.safetensors", "report own.safetensors"]
    {
        let output = gradus(at, &format!("{command} {options}")).assert().code(2);
        let error = text(&output.get_output().stderr);
        assert!(
            error.contains("--class-names: own.safetensors: the file has its own class names"),
            "{error}"
        );
    }
}

#[test]
fn wrong_class_names_are_refused() {
    let folder = folder(&["state.pt"]);
    let at = folder.path();
    fs::write(at.join("twice.txt"), "a\nb\na\n").unwrap();
    fs::write(at.join("gap.txt"), "a\n\nb\n").unwrap();
    for (names, words) in [
        ("a,b", "2 class names, but the model has 3 classes"),
        ("a,b,c,d", "4 class names"),
        ("a,b,a", "'a' is there twice"),
        ("a,,b", "a name is empty"),
        ("@twice.txt", "'a' is there twice"),
        ("@gap.txt", "a name is empty"),
        ("@missing.txt", "missing.txt"),
    ] {
        let output =
            gradus(at, &format!("predict state.pt x.csv --class-names {names}")).assert().code(2);
        let error = text(&output.get_output().stderr);
        assert!(error.contains(words), "{names}: {error}");
    }
}

#[test]
fn files_of_other_programs_are_told_apart_by_content() {
    let files = [
        "state.pt",
        "state_old.pth",
        "checkpoint.pth",
        "module.pt",
        "script.pt",
        "three.onnx",
        "old.h5",
        "external.onnx",
        "external.onnx.data",
        "activations.keras",
    ];
    let folder = folder(&files);
    let at = folder.path();
    for file in files.iter().filter(|file| !file.ends_with(".data")) {
        assert_eq!(run(at, &format!("predict {file} x.csv")).lines().count(), 3, "{file}");
        run(at, &format!("export {file} whole.safetensors"));
        run(at, &format!("export {file} whole.onnx"));
        let found = |file: &str| run(at, &format!("predict --json {file} x.csv"));
        assert_eq!(found("whole.safetensors"), found("whole.onnx"), "{file}");
    }
    // Training goes on from it.
    let options = "--hidden 8 --epochs 1 --normalize none --batch-size 3";
    run(at, &format!("train --data labelled.csv --init state.pt --test labelled.csv {options}"));
}

#[test]
fn an_attack_is_named_and_does_nothing() {
    let folder = folder(&[]);
    let at = folder.path();
    fs::write(at.join("evil.pt"), b"\x80\x02cposix\nsystem\nX\x0c\x00\x00\x00touch harmed\x85R.")
        .unwrap();
    for command in
        ["predict evil.pt x.csv", "inspect evil.pt", "export evil.pt a.onnx", "serve evil.pt"]
    {
        let output = gradus(at, command).assert().failure();
        let error = text(&output.get_output().stderr);
        assert!(error.contains("it calls posix.system"), "{command}: {error}");
    }
    assert!(!at.join("harmed").exists());
}
