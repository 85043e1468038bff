//! What the program does whatever it is asked to: messages, threads, files that are not replaced, signals, licences, man pages.

mod common;

use std::fs;
use std::process::Output;

use common::{TABLE, gradus, json, run, table, text};
use serde_json::Value;
use tempfile::TempDir;

#[test]
fn only_models_are_replaced() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    table(at, "table.csv");
    run(at, &format!("train {TABLE} --quiet"));
    run(at, &format!("train {TABLE} --quiet --seed 1"));
    fs::write(at.join("model.safetensors"), "my notes").unwrap();
    let failed = gradus(at, &format!("train {TABLE}")).assert().code(1);
    assert!(failed.get_output().stdout.is_empty());
    assert!(text(&failed.get_output().stderr).contains("would be lost"));
    assert_eq!(fs::read_to_string(at.join("model.safetensors")).unwrap(), "my notes");
    // An export or a history does not replace other files either.
    run(at, &format!("train {TABLE} --quiet --out other.safetensors --history h.csv"));
    run(at, &format!("train {TABLE} --quiet --out other.safetensors --history h.csv"));
    for name in ["w.npz", "w.onnx", "copy.safetensors"] {
        run(at, &format!("export other.safetensors {name}"));
        run(at, &format!("export other.safetensors {name}"));
        fs::write(at.join(name), "my notes").unwrap();
        let failed = gradus(at, &format!("export other.safetensors {name}")).assert().code(1);
        assert!(text(&failed.get_output().stderr).contains("would be lost"));
        assert_eq!(fs::read_to_string(at.join(name)).unwrap(), "my notes");
    }
    let failed = gradus(at, &format!("train {TABLE} --out new.safetensors --history table.csv"))
        .assert()
        .code(1);
    assert!(text(&failed.get_output().stderr).contains("--history"));
}

#[test]
fn messages_go_to_standard_error() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    table(at, "table.csv");
    let output = gradus(at, &format!("train {TABLE} --verbose --json")).assert().success();
    let Output { stdout, stderr, .. } = output.get_output().clone();
    text(&stdout).lines().for_each(|line| assert!(json(line)["event"].is_string()));
    let stderr = text(&stderr);
    for words in ["note: table.csv has no test part", "240 training", "2-8-3", "instruction set"] {
        assert!(stderr.contains(words), "{words}: {stderr}");
    }
}

#[test]
fn threads_keep_to_the_limits_of_the_environment() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    // Steps large enough for all cores.
    let training = "train --data digits --epochs 1 --batch-size 20000 --hidden 64 --verbose";
    let threads = |arguments: &str, limit: Option<&str>| {
        let mut command = gradus(at, arguments);
        for name in ["OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT"] {
            command.env_remove(name);
        }
        if let Some(name) = limit {
            command.env(name, "1");
        }
        let stderr = text(&command.assert().success().get_output().stderr);
        let line = stderr.lines().find(|line| line.starts_with("machine: ")).unwrap();
        let number = line
            .split(", ")
            .find_map(|part| part.strip_suffix(" threads; the first layer skips zeros"));
        number.unwrap_or_else(|| panic!("{line}")).parse::<usize>().unwrap()
    };
    assert_eq!(threads(training, None), std::thread::available_parallelism().unwrap().get());
    for name in ["OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT"] {
        assert_eq!(threads(training, Some(name)), 1, "{name}");
    }
    // What is asked for is given.
    assert_eq!(threads(&format!("{training} --threads 2"), Some("OMP_NUM_THREADS")), 2);
}

#[test]
fn licenses_name_every_crate_of_the_program() {
    let folder = TempDir::new().unwrap();
    let text = run(folder.path(), "licenses");
    for name in ["uPlot", "clap", "safetensors", "hdf5-reader", "axum", "ring", "Leon Sorokin"] {
        assert!(text.contains(name), "{name}");
    }
    // What only builds and tests the program is not part of it.
    for name in ["trycmd", "proptest", "serde_derive_internals"] {
        assert!(!text.contains(&format!("\n{name} ")), "{name}");
    }
    // A crate that was added or updated is missing here until licenses/notices.py has run.
    let cargo = std::process::Command::new(env!("CARGO"))
        .args([
            "tree",
            "--package",
            "gradus-cli",
            "--edges",
            "normal,no-proc-macro",
            "--prefix",
            "none",
        ])
        .args(["--offline", "--locked", "--format", "{p}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let tree = String::from_utf8(cargo.stdout).unwrap();
    let crates: Vec<&str> =
        tree.lines().filter(|line| !line.contains("(/") && !line.is_empty()).collect();
    assert!(crates.len() > 100, "{}", String::from_utf8_lossy(&cargo.stderr));
    for line in crates {
        let [name, version] = [0, 1].map(|at| line.split(' ').nth(at).unwrap());
        let entry = format!("\n{name} {}: ", version.trim_start_matches('v'));
        assert!(text.contains(&entry), "{entry:?}: run python3 licenses/notices.py");
    }
}

#[test]
fn completions_and_man_pages_are_made() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(run(at, &format!("completions {shell}")).contains("learning-rate"), "{shell}");
    }
    assert!(run(at, "man").contains(".TH gradus 1"));
    // Folders that are missing are created.
    run(at, "man pages/man1");
    assert!(fs::read_to_string(at.join("pages/man1/gradus-train.1")).unwrap().contains("momentum"));
    let sweep = fs::read_to_string(at.join("pages/man1/gradus-sweep.1")).unwrap().replace('\\', "");
    let synopsis = sweep.split(".SH").find(|part| part.trim_start().starts_with("SYNOPSIS"));
    assert!(synopsis.unwrap().contains("-- <TRAIN OPTIONS>"), "{sweep}");
    let wrote = run(at, "completions bash shell/completions");
    assert_eq!(wrote.trim(), "Wrote shell/completions/gradus.bash");
    assert!(
        fs::read_to_string(at.join("shell/completions/gradus.bash")).unwrap().contains("train")
    );
    fs::write(at.join("file"), "").unwrap();
    for command in ["man file/man1", "completions zsh file"] {
        let reported = text(&gradus(at, command).assert().code(1).get_output().stderr);
        assert!(reported.contains("cannot write") && reported.contains("file"), "{reported}");
    }
}

#[cfg(unix)]
mod unix {
    use super::*;
    use common::spawn;
    use std::io::{BufRead, BufReader, Read};
    use std::process::Command as Process;

    #[test]
    fn a_signal_stops_training_and_saves_the_model() {
        for (signal, patience) in [("-INT", ""), ("-TERM", " --patience 9999999")] {
            let folder = TempDir::new().unwrap();
            let at = folder.path();
            table(at, "table.csv");
            let options =
                "train --preset quick --data table.csv --epochs 10000000 --json --history h.json";
            let mut child = spawn(at, &format!("{options}{patience}"));
            let mut stdout = BufReader::new(child.stdout.take().unwrap());
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            assert_eq!(json(&line)["event"], "epoch");
            let sent = Process::new("kill").args([signal, &child.id().to_string()]).status();
            assert!(sent.unwrap().success());
            let mut rest = String::new();
            stdout.read_to_string(&mut rest).unwrap();
            let output = child.wait_with_output().unwrap();
            assert_eq!(output.status.code(), Some(130));
            let done = json(rest.lines().last().unwrap());
            assert_eq!(done["event"], "done");
            let model = match &done["best_epoch"] {
                Value::Null => "the current weights".to_owned(),
                best => format!("the weights from epoch {best}, the best one,"),
            };
            let reported = text(&output.stderr);
            let words = format!("; saved {model} to model.safetensors");
            assert!(reported.contains("Stopped after ") && reported.contains(&words), "{reported}");
            assert_eq!(done["best_epoch"].is_null(), patience.is_empty());
            let history = json(&fs::read_to_string(at.join("h.json")).unwrap());
            let epochs = history["loss"].as_array().unwrap().len();
            assert_eq!(done["epochs"], epochs);
            assert!(run(at, "inspect model.safetensors").contains("stopped"));
        }
    }

    #[test]
    fn a_closed_pipe_is_not_an_error() {
        let folder = TempDir::new().unwrap();
        let at = folder.path();
        table(at, "table.csv");
        run(at, &format!("train {TABLE} --quiet"));
        fs::write(at.join("many.csv"), "u,v\n".to_owned() + &"1,2\n".repeat(50_000)).unwrap();
        let predict =
            ["predict model.safetensors many.csv", "predict model.safetensors many.csv --json"];
        let train = "train --preset quick --data table.csv --epochs 2000 --out trained.safetensors";
        for arguments in predict.into_iter().chain([train]) {
            let mut child = spawn(at, arguments);
            let mut line = String::new();
            BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
            let output = child.wait_with_output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{arguments}");
            let stderr = text(&output.stderr);
            assert!(!stderr.contains("error"), "{arguments}: {stderr}");
        }
        // The model is written although the reader has closed the pipe.
        assert!(run(at, "inspect trained.safetensors").contains("finished"));
    }
}
