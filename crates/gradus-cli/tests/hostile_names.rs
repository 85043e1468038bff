//! Names from files and folders never reach the terminal raw: no command lets one start an escape sequence
//! or a line of its own. JSON has them exactly.
#![cfg(unix)]

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::{json, text};

/// Sets the window's title, rings, starts a line, clears the screen (C1), turns the direction of text.
const HOSTILE: &str = "a\u{1b}]0;title\u{7}\r\nForged: 100 %\u{9b}2J\u{202e}\u{7f}é猫";

/// The same as it is shown.
const SHOWN: &str = r"a\u{1b}]0;title\u{7}\r\nForged: 100 %\u{9b}2J\u{202e}\u{7f}é猫";

/// A cell of a table, which may not have the first control characters.
const CELL: &str = "a\r\nForged: 100 %\u{9b}2J\u{202e}\u{7f}é猫";

const SHOWN_CELL: &str = r"a\r\nForged: 100 %\u{9b}2J\u{202e}\u{7f}é猫";

/// The program as on a terminal with colours: nothing that is printed is stripped.
fn gradus(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gradus"));
    command.current_dir(folder).args(words).stdin(Stdio::null());
    command.env("GRADUS_DATA", "").env("HOME", folder).env("XDG_CACHE_HOME", folder);
    command.env("CLICOLOR_FORCE", "1");
    command
}

/// Runs the program, checks what it prints, and returns standard output and standard error.
#[track_caller]
fn checked(folder: &Path, words: &[&str]) -> (Output, [String; 2]) {
    let output = gradus(folder, words).output().unwrap();
    let printed = [&output.stdout, &output.stderr].map(|bytes| text(bytes));
    printed.iter().for_each(|text| check(text, words));
    (output, printed)
}

#[track_caller]
fn check(printed: &str, words: &[&str]) {
    assert!(!printed.contains("internal error"), "{words:?}: {printed}");
    for line in printed.split('\n') {
        assert!(!line.starts_with("Forged"), "{words:?}: {printed:?}");
        // Colours are the program's own.
        let mut rest = line;
        while let Some((_, after)) = rest.split_once('\u{1b}') {
            let style = after.strip_prefix('[').and_then(|after| after.split_once('m'));
            let style =
                style.filter(|(codes, _)| codes.chars().all(|c| c.is_ascii_digit() || c == ';'));
            rest = style.unwrap_or_else(|| panic!("{words:?}: {printed:?}")).1;
        }
        let raw = |c: char| c != '\u{1b}' && (c.is_control() || c == '\u{202e}');
        assert!(!line.contains(raw), "{words:?}: {printed:?}");
    }
}

#[track_caller]
fn succeeds(folder: &Path, words: &[&str]) -> [String; 2] {
    let (output, printed) = checked(folder, words);
    assert!(output.status.success(), "{words:?}: {printed:?}");
    printed
}

#[track_caller]
fn fails(folder: &Path, words: &[&str]) -> String {
    let (output, [_, errors]) = checked(folder, words);
    assert!(matches!(output.status.code(), Some(1 | 2)), "{words:?}: {errors}");
    errors
}

/// A table with two classes, whose name, label column and one class are hostile.
fn table(folder: &Path) -> String {
    let mut rows = format!("u,v,\"{CELL}\"\n");
    for i in 0..60 {
        let class = if i % 2 == 0 { CELL } else { "plain" };
        rows += &format!("{}.5,{},\"{class}\"\n", i % 2, i % 7);
    }
    let name = format!("{HOSTILE}.csv");
    fs::write(folder.join(&name), rows).unwrap();
    name
}

#[test]
fn every_command_escapes_names() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let table = &table(folder);
    let [model, history, report] =
        &["safetensors", "csv", "html"].map(|ending| format!("{HOSTILE}-2.{ending}"));

    let [data, _] = succeeds(folder, &["data", table]);
    assert!(data.lines().any(|line| line.starts_with(SHOWN_CELL)), "{data}");
    succeeds(folder, &["data", table, "--show", "0"]);
    let [out, _] = succeeds(
        folder,
        &[
            "train",
            "--data",
            table,
            "--epochs",
            "2",
            "--hidden",
            "4",
            "--out",
            model,
            "--history",
            history,
            "--verbose",
        ],
    );
    assert!(out.contains(&format!("Wrote {SHOWN}-2.safetensors")), "{out}");
    let [out, _] = succeeds(folder, &["inspect", model]);
    assert!(out.contains(&format!("classes: {SHOWN_CELL}, plain")), "{out}");
    succeeds(folder, &["evaluate", model, "--data", table, "--errors", "99"]);
    succeeds(folder, &["report", model, "--data", table, "--out", report]);
    succeeds(folder, &["export", model, &format!("{HOSTILE}.onnx")]);
    succeeds(folder, &["inspect", &format!("{HOSTILE}.onnx")]);
    let sweep = [
        "sweep",
        "--vary",
        "hidden=2/3",
        "--out",
        &format!("{HOSTILE}.jsonl"),
        "--",
        "--data",
        table,
        "--epochs",
        "1",
    ];
    succeeds(folder, &sweep);

    // A line for each sample, in the table and of an image alike.
    let [out, _] = succeeds(folder, &["predict", model, table, "--top", "2"]);
    assert_eq!(out.lines().count(), 60, "{out}");
    assert!(out.starts_with(&format!("{SHOWN}.csv[0]: ")), "{out}");

    // JSON has the names exactly.
    let [out, _] = succeeds(folder, &["predict", model, table, "--json"]);
    assert_eq!(json(out.lines().next().unwrap())["file"], table.as_str());
    let [out, _] = succeeds(folder, &["inspect", model, "--json"]);
    assert_eq!(json(&out)["class_names"][0], CELL);
    let [out, _] = succeeds(folder, &["data", table, "--json"]);
    assert_eq!(json(&out)["class_names"][0], CELL);
}

#[test]
fn folders_of_classes_are_escaped() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (class, shade) in [(HOSTILE.replace('/', ""), 10), ("plain".into(), 200)] {
        let class = folder.join("images").join(class);
        fs::create_dir_all(&class).unwrap();
        for i in 0..6 {
            let image = gradus::data::images::GreyImage::new(8, 8, vec![shade + i; 64]).unwrap();
            fs::write(class.join(format!("{i}.png")), gradus::data::images::encode_png(&image))
                .unwrap();
        }
    }
    let [out, _] = succeeds(folder, &["data", "images"]);
    assert!(out.contains(SHOWN), "{out}");
}

#[test]
fn errors_and_usage_errors_are_escaped() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join(HOSTILE), format!("a,\"{CELL}\"\n1,2\n\"{CELL}\"\n")).unwrap();
    let missing = &format!("missing {HOSTILE}.safetensors");
    for words in [
        &["data", HOSTILE][..],
        &["data", missing],
        &["data", HOSTILE, "--label-column", HOSTILE],
        &["train", "--data", HOSTILE],
        &["train", "--data", "digits", "--out", &format!("{HOSTILE}/x.safetensors")],
        &["train", "--data", "digits", "--init", missing],
        &["train", "--resume", missing],
        &["evaluate", missing],
        &["predict", missing, missing],
        &["inspect", HOSTILE],
        &["report", missing],
        &["export", missing, "x.onnx"],
        &["serve", missing],
        &["serve", "--folder", HOSTILE],
    ] {
        let errors = fails(folder, words);
        assert!(errors.contains(r"\u{1b}]0;title"), "{words:?}: {errors}");
    }
    for words in [
        &["fetch", HOSTILE][..],
        &[HOSTILE],
        &["train", "--hidden", HOSTILE],
        &["train", &format!("--epochs={HOSTILE}")],
        &["sweep", "--vary", &format!("hidden=1/{HOSTILE}")],
        &["sweep", "--vary", HOSTILE],
        &["data", &format!("--{HOSTILE}")],
    ] {
        let errors = fails(folder, words);
        assert!(errors.contains(r"\u{1b}]0;title"), "{words:?}: {errors}");
    }
}

#[test]
fn serve_escapes_names() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let table = &table(folder);
    let model = &format!("{HOSTILE}.safetensors");
    succeeds(folder, &["train", "--data", table, "--epochs", "1", "--out", model, "--quiet"]);
    let words = ["serve", model, "--port", "0", "--no-download"];
    let mut server =
        gradus(folder, &words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    server.kill().unwrap();
    let errors = text(&server.wait_with_output().unwrap().stderr);
    check(&line, &words);
    check(&errors, &words);
    assert!(line.starts_with("http://127.0.0.1:"), "{line}");
}

#[test]
fn names_of_any_length_are_cut_in_tables() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let long = "x".repeat(70_000);
    let mut rows = format!("u,v,{long}\n");
    for i in 0..60 {
        rows += &format!("{}.5,{},{}\n", i % 2, i % 7, if i % 2 == 0 { &long } else { "b" });
    }
    fs::write(folder.join("long.csv"), rows).unwrap();
    let [out, _] = succeeds(folder, &["data", "long.csv"]);
    assert!(out.lines().all(|line| line.chars().count() < 200), "{out}");
    assert!(out.contains("xxx…  "), "{out}");
    let train = ["train", "--data", "long.csv", "--epochs", "1", "--out", "m.safetensors"];
    succeeds(folder, &train);
    succeeds(folder, &["evaluate", "m.safetensors", "--data", "long.csv", "--errors", "99"]);
    succeeds(folder, &["predict", "m.safetensors", "long.csv"]);
    // A sample of many numbers is a long line, which is placed in a column of drawings.
    let features: Vec<String> = (0..9_000).map(|at| format!("{at}.1234")).collect();
    let row = |class: &str| format!("{},{class}\n", features.join(","));
    fs::write(folder.join("wide.csv"), (row("a") + &row("b")).repeat(10)).unwrap();
    let train =
        ["train", "--data", "wide.csv", "--epochs", "1", "--hidden", "2", "--out", "w.safetensors"];
    succeeds(folder, &train);
    succeeds(folder, &["evaluate", "w.safetensors", "--data", "wide.csv", "--errors", "99"]);
}

#[test]
fn names_in_a_model_are_escaped_and_cut() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let table = &table(folder);
    succeeds(
        folder,
        &["train", "--data", table, "--epochs", "1", "--out", "m.safetensors", "--quiet"],
    );
    let path = folder.join("m.safetensors");
    let (mut model, extras) = gradus::model_file::load_with(&path).unwrap();
    model.outputs = gradus::classifier::Outputs::classes(vec![HOSTILE.into(), "x".repeat(70_000)]);
    model.provenance.more.insert("k".repeat(70_000), 1.into());
    model.provenance.more.insert(HOSTILE.into(), HOSTILE.into());
    fs::write(&path, gradus::model_file::to_bytes_with(&model, &extras).unwrap()).unwrap();
    let [out, _] = succeeds(folder, &["inspect", "m.safetensors"]);
    assert!(out.contains("kkk…  1\n"), "{out}");
    assert!(out.contains(&format!("{SHOWN} ")), "{out}");
    assert!(out.contains(&format!("classes: {SHOWN}, xxx")), "{out}");
    fs::write(folder.join("rows.csv"), "1,2\n0,3\n").unwrap();
    let [out, _] = succeeds(folder, &["predict", "m.safetensors", "rows.csv", "--top", "2"]);
    assert_eq!(out.lines().count(), 2);
    let [out, _] = succeeds(folder, &["inspect", "m.safetensors", "--json"]);
    assert_eq!(json(&out)["class_names"][0], HOSTILE);
}
