//! Runs that fail leave what was there, and say what can work; models are trained on; defaults follow the data.

mod common;

use std::fs;
use std::path::Path;

use common::{TABLE, gradus, json, run, table, text};
use gradus::data::images::{GreyImage, encode_png};
use tempfile::TempDir;

fn stderr(folder: &Path, arguments: &str, status: i32) -> String {
    text(&gradus(folder, arguments).assert().code(status).get_output().stderr)
}

fn bytes(folder: &Path, name: &str) -> Vec<u8> {
    fs::read(folder.join(name)).unwrap()
}

/// What a message calls a rate that worked.
fn named_rate(message: &str) -> f64 {
    let word = message.split("such as ").nth(1).unwrap_or_else(|| panic!("{message}"));
    word.split([',', ' ']).next().unwrap().parse().unwrap()
}

#[test]
fn a_run_without_a_good_epoch_leaves_the_model() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    table(at, "table.csv");
    // Nothing is written where nothing was.
    let hopeless = "--learning-rate 1e37 --optimizer sgd --schedule constant";
    let reported = stderr(at, &format!("train --preset quick --data table.csv {hopeless}"), 1);
    assert!(reported.contains("No epoch was completed; no model was written"), "{reported}");
    assert!(!at.join("model.safetensors").exists());
    run(at, &format!("train {TABLE} --quiet"));
    let model = bytes(at, "model.safetensors");
    for (options, words) in [
        (hopeless, "No epoch was completed; model.safetensors is unchanged"),
        // Some epochs of garbage before the numbers overflow.
        (
            "--learning-rate 1e4 --optimizer sgd --schedule constant --hidden 32,32,32,32 --epochs 30",
            "is unchanged",
        ),
    ] {
        for quiet in ["", " --quiet", " --json", " --history h.csv"] {
            let reported = stderr(at, &format!("train --data table.csv {options}{quiet}"), 1);
            assert!(reported.contains(words), "{options}: {reported}");
            assert!(bytes(at, "model.safetensors") == model, "{options}");
            assert!(!at.join("h.csv").exists());
        }
    }
}

#[test]
fn the_advice_works_and_names_nothing_that_is_set() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    table(at, "table.csv");
    let rest =
        "--normalize standard --optimizer sgd --schedule constant --batch-size 16 --epochs 30";
    let reported = stderr(at, &format!("train --data table.csv {rest} --learning-rate 1e30"), 1);
    assert!(!reported.contains("--normalize"), "{reported}");
    let rate = named_rate(&reported);
    run(at, &format!("train --data table.csv {rest} --learning-rate {rate}"));
    let raw = "--normalize none --optimizer sgd --schedule constant --batch-size 16 --epochs 30";
    let rows = fs::read_to_string(at.join("table.csv")).unwrap();
    let large: String = rows
        .lines()
        .enumerate()
        .map(|(line, row)| match (line, row.split_once(',')) {
            (0, _) | (_, None) => format!("{row}\n"),
            (_, Some((first, others))) => {
                format!("{},{others}\n", 1e6 * first.parse::<f64>().unwrap())
            }
        })
        .collect();
    fs::write(at.join("large.csv"), large).unwrap();
    let reported = stderr(at, &format!("train --data large.csv {raw} --learning-rate 10"), 1);
    assert!(reported.contains("or --normalize standard"), "{reported}");
}

#[test]
fn garbage_is_told() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    table(at, "table.csv");
    let garbage = "--optimizer adam --learning-rate 1e6 --epochs 1 --hidden 32 --weight-decay 0";
    let reported = stderr(at, &format!("train --data digits {garbage}"), 0);
    assert!(
        reported.contains("training ended") && reported.contains("--learning-rate, such as 0.001"),
        "{reported}"
    );
    let reported = stderr(at, &format!("train {TABLE}"), 0);
    assert!(!reported.contains("guessing"), "{reported}");
}

#[test]
fn batch_normalisation_gets_batches_of_two() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    table(at, "table.csv");
    let reported = stderr(at, "train --data table.csv --batch-norm --batch-size 1 --epochs 3", 0);
    assert!(
        reported.contains("--batch-size is 2 in place of 1") && reported.contains("120 steps"),
        "{reported}"
    );
    assert!(!reported.contains("guessing"), "{reported}");
}

#[test]
fn a_run_says_what_begins_and_what_it_replaces() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    table(at, "table.csv");
    let reported = stderr(at, &format!("train {TABLE}"), 0);
    let line =
        "Training 2-8-3, relu, 51 parameters on table.csv: 240 samples, 10 epochs of 15 steps";
    assert!(reported.contains(line) && !reported.contains("will be replaced"), "{reported}");
    let reported = stderr(at, &format!("train {TABLE}"), 0);
    assert!(reported.contains("model.safetensors exists and will be replaced"), "{reported}");
    assert_eq!(stderr(at, &format!("train {TABLE} --quiet"), 0).matches("Training").count(), 0);
}

#[test]
fn a_resumed_run_writes_where_it_wrote() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    table(at, "table.csv");
    let options = "--out here.safetensors --history h.csv --checkpoint c --checkpoint-every 4";
    run(at, &format!("train {TABLE} {options} --quiet"));
    let whole = bytes(at, "here.safetensors");
    fs::remove_file(at.join("here.safetensors")).unwrap();
    let reported = stderr(at, "train --resume c", 0);
    assert!(bytes(at, "here.safetensors") == whole && !at.join("model.safetensors").exists());
    assert!(reported.contains("10 epochs of 15 steps, from epoch 8"), "{reported}");
    assert_eq!(fs::read_to_string(at.join("h.csv")).unwrap().lines().count(), 11);
    run(at, "train --resume c --out there.safetensors --quiet");
    assert!(bytes(at, "there.safetensors") == whole);
}

#[test]
fn a_finished_run_takes_more_epochs() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    table(at, "table.csv");
    let constant = format!("train {TABLE} --schedule constant --quiet");
    run(at, &format!("{constant} --checkpoint c"));
    run(at, "train --resume c --epochs 20 --out on.safetensors --quiet");
    let longer = constant.replace("--epochs 10", "--epochs 20");
    run(at, &format!("{longer} --out whole.safetensors"));
    let weights = |name| gradus::model_file::load_model(&at.join(name)).unwrap().network;
    assert!(weights("on.safetensors") == weights("whole.safetensors"));
    let reported = stderr(at, "train --resume c --epochs 19", 2);
    assert!(reported.contains("has made 20 epochs already"), "{reported}");
}

#[test]
fn a_model_is_trained_on() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    table(at, "table.csv");
    run(at, &format!("train {TABLE} --quiet"));
    let accuracy = |line: &str| json(line)["test_accuracy"].as_f64().unwrap();
    for file in ["model.safetensors", "model.onnx"] {
        if file.ends_with("onnx") {
            run(at, "export model.safetensors model.onnx");
        }
        for option in ["--start", "--init"] {
            // A rate of nearly 0 leaves the model as it is.
            let options =
                "--epochs 1 --learning-rate 1e-30 --weight-decay 0 --json --out on.safetensors";
            let printed = run(at, &format!("train --data table.csv {option} {file} {options}"));
            assert!(accuracy(printed.lines().last().unwrap()) > 0.95, "{printed}");
        }
    }
    let weights = |name| gradus::model_file::load_model(&at.join(name)).unwrap();
    assert!(weights("on.safetensors").network == weights("model.safetensors").network);
    assert!(weights("on.safetensors").transform == weights("model.safetensors").transform);
    // Classes are matched by name: here they come in another order.
    let rows = fs::read_to_string(at.join("table.csv")).unwrap();
    let swapped = rows.replace("red", "zinc").replace("blue", "red").replace("zinc", "blue");
    fs::write(at.join("swapped.csv"), swapped).unwrap();
    let on =
        "--start model.safetensors --epochs 1 --learning-rate 1e-30 --json --out s.safetensors";
    let printed = run(at, &format!("train --preset quick --data swapped.csv {on}"));
    assert!(accuracy(printed.lines().last().unwrap()) < 0.5, "{printed}");
    for (options, words) in [
        ("--start model.safetensors --hidden 9", "--hidden 9 contradicts"),
        ("--start model.safetensors --activation tanh", "--activation"),
        ("--start model.safetensors --normalize unit", "which has its normalization"),
        ("--start model.safetensors --loss squared --label-column u", "a model for classification"),
        ("--start none.safetensors", "none.safetensors"),
        ("--resume model.safetensors", "use --start model.safetensors"),
    ] {
        let failed = gradus(at, &format!("train --data table.csv {options}")).assert().failure();
        let reported = text(&failed.get_output().stderr);
        assert!(reported.contains(words), "{options}: {reported}");
    }
}

/// A table of `count` rows in three classes, for tests of defaults.
fn few(folder: &Path, count: usize) {
    table(folder, "all.csv");
    let rows = fs::read_to_string(folder.join("all.csv")).unwrap();
    let few: Vec<_> = rows.lines().take(count + 1).collect();
    fs::write(folder.join("few.csv"), few.join("\n")).unwrap();
}

#[test]
fn defaults_follow_the_data() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    few(at, 60);
    let output = gradus(at, "train --activation relu --data few.csv --json").assert().success();
    let reported = text(&output.get_output().stderr);
    let line = reported.lines().find(|line| line.starts_with("Defaults for these data:")).unwrap();
    for option in ["--normalize standard", "--batch-size", "--epochs"] {
        assert!(line.contains(option), "{line}");
    }
    let printed = text(&output.get_output().stdout);
    assert!(
        json(printed.lines().last().unwrap())["test_accuracy"].as_f64().unwrap() > 0.9,
        "{printed}"
    );
    let by_default = bytes(at, "model.safetensors");
    // What it says is what it did: the same options give the same weights.
    let options = line.split_once(": ").unwrap().1.replace("(a table)", "");
    run(
        at,
        &format!("train --preset quick --data few.csv {options} --out same.safetensors --quiet"),
    );
    let network = |name| gradus::model_file::load_model(&at.join(name)).unwrap().network;
    assert!(network("same.safetensors") == network("model.safetensors"));
    assert!(!by_default.is_empty());
    // Options and presets win.
    let reported =
        stderr(at, "train --data few.csv --epochs 3 --batch-size 10 --normalize none", 0);
    assert!(
        !reported.contains("Defaults for these data") && reported.contains("3 epochs of 5 steps"),
        "{reported}"
    );
    let reported = stderr(at, "train --data few.csv --preset quick", 0);
    assert!(
        !reported.contains("Defaults for these data") && reported.contains("6 epochs of 1 steps"),
        "{reported}"
    );
    // A warm-up may be as long as the run then is.
    run(at, "train --data few.csv --warm-up 9 --quiet");
    // A sweep has the same defaults, and the command that it prints gives the same run.
    let swept = gradus(at, "sweep --vary hidden=4/8 -- --data few.csv").assert().success();
    assert!(
        text(&swept.get_output().stderr).contains("Defaults for these data: --normalize standard")
    );
    // Named sets have those of the preset.
    let reported = stderr(at, "train --data digits --epochs 1", 0);
    assert!(!reported.contains("Defaults for these data"), "{reported}");
}

#[test]
fn images_dark_on_light_are_centred() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    for (set, light) in [("dark", false), ("light", true)] {
        for (class, at_row) in [("bar", 3usize), ("dash", 5)] {
            fs::create_dir_all(at.join(set).join(class)).unwrap();
            for number in 0..12u8 {
                let pixel = |index: usize| match (index / 8 == at_row) != light {
                    true => 200 + number,
                    false => number,
                };
                let pixels: Vec<u8> = (0..64).map(pixel).collect();
                let image = GreyImage::new(8, 8, pixels).unwrap();
                let file = at.join(set).join(class).join(format!("{number}.png"));
                fs::write(file, encode_png(&image)).unwrap();
            }
        }
    }
    let reported = stderr(at, "train --data light --epochs 2", 0);
    assert!(reported.contains("--normalize standard (dark on light)"), "{reported}");
    let reported = stderr(at, "train --data dark --epochs 2", 0);
    assert!(!reported.contains("--normalize"), "{reported}");
}

#[test]
fn regression_standardises_its_targets() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let rows = (0..400).map(|i| {
        let (rooms, area) = (1 + i % 7, 20 + (i * 37) % 113);
        format!("{rooms},{area},{}\n", 60_000 + 2_500 * area + 12_000 * rooms)
    });
    fs::write(at.join("h.csv"), format!("rooms,area,price\n{}", rows.collect::<String>())).unwrap();
    let command = "train --data h.csv --loss squared --label-column price --normalize standard";
    let output =
        gradus(at, &format!("{command} --checkpoint c --checkpoint-every 50")).assert().success();
    let printed = text(&output.get_output().stdout);
    assert!(printed.contains(", RMSE = "), "{printed}");
    let r2 = |line: &str| json(line)["r2"].as_f64().unwrap();
    let measured = run(at, "evaluate model.safetensors --data h.csv --json");
    assert!(r2(&measured) > 0.9, "{measured}");
    let whole = bytes(at, "model.safetensors");
    run(at, "train --resume c --quiet");
    assert!(bytes(at, "model.safetensors") == whole);
    // Exports predict in the same units.
    run(at, "export model.safetensors model.onnx");
    assert!(r2(&run(at, "evaluate model.onnx --data h.csv --label-column price --json")) > 0.9);
    // It can be turned off, and the program says what would help.
    let reported = stderr(at, &format!("{command} --standardize-targets=false --epochs 6"), 0);
    assert!(
        reported.contains("guessing") && reported.contains("--standardize-targets"),
        "{reported}"
    );
    let reported = stderr(at, "train --data h.csv --label-column rooms --standardize-targets", 2);
    assert!(reported.contains("--standardize-targets has no effect"), "{reported}");
}
