//! Folders of shards of data that memory does not hold: packed within a limit, and damage found while they are read.

mod common;

use std::fs;
use std::io::Write;
use std::path::Path;

use common::{damage, gradus, json, run, text};
use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

fn error(folder: &Path, arguments: &str) -> String {
    text(&gradus(folder, arguments).assert().failure().get_output().stderr)
}

/// A table of small numbers that takes little room in its file, and so many bytes as doubles.
fn table(path: &Path, bytes: usize) {
    const COLUMNS: usize = 40;
    let names: Vec<String> = (0..COLUMNS).map(|at| format!("c{at}")).collect();
    let mut file = GzEncoder::new(fs::File::create(path).unwrap(), Compression::fast());
    writeln!(file, "{},kind", names.join(",")).unwrap();
    for row in 0..bytes / (8 * COLUMNS) {
        let numbers: Vec<String> = (0..COLUMNS).map(|at| (row % 7 * at % 10).to_string()).collect();
        writeln!(file, "{},{}", numbers.join(","), ["red", "green", "blue"][row % 3]).unwrap();
    }
    file.finish().unwrap();
}

/// A command in 320 MB of memory of its own.
#[cfg(target_os = "linux")]
fn limited(folder: &Path, command: &str) -> assert_cmd::assert::Assert {
    let program = env!("CARGO_BIN_EXE_gradus");
    let command = format!("ulimit -d {}; exec {program} {command}", 320_000_000 / 1024);
    let mut shell = assert_cmd::Command::new("sh");
    shell.args(["-c", &command]).current_dir(folder).env("GRADUS_DATA", "");
    // Each thread reads some blocks of text at a time.
    shell.env("RAYON_NUM_THREADS", "2").assert()
}

#[cfg(target_os = "linux")]
#[test]
fn raw_columns_are_trained_on_in_less_memory_than_they_take() {
    const COLUMNS: usize = 24;
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let names: Vec<String> = (0..COLUMNS).map(|at| format!("c{at}")).collect();
    let path = at.join("table.csv.gz");
    let mut file = GzEncoder::new(fs::File::create(path).unwrap(), Compression::fast());
    writeln!(file, "{},day,kind", names.join(",")).unwrap();
    for row in 0..1_000_000_usize {
        let noise = row.wrapping_mul(2_654_435_761) >> 9;
        let field = |at: usize| match at {
            0 => format!("town {}", noise % 500),
            _ if (noise + at).is_multiple_of(31) => String::new(),
            _ => ((noise % 7 * at) % 10).to_string(),
        };
        let fields: Vec<String> = (0..COLUMNS).map(field).collect();
        let kind = ["red", "green"][noise % 7 / 4];
        writeln!(file, "{},2024-0{}-1{},{kind}", fields.join(","), 1 + noise % 9, noise % 10)
            .unwrap();
    }
    file.finish().unwrap();
    limited(at, "data pack table.csv.gz shards").success();
    let train = "train --data shards --hidden 4 --epochs 1 --batch-size 4096 --threads 2 --normalize robust";
    limited(at, train).success();
    let figures = json(&run(at, "evaluate model.safetensors --json"));
    assert!(figures["accuracy"].as_f64().unwrap() > 0.9, "{figures}");
    limited(at, &format!("{train} --in-memory --shuffle=blocks")).failure();
}

#[cfg(target_os = "linux")]
#[test]
fn a_table_is_packed_in_less_memory_than_it_takes() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let bytes = 400_000_000;
    table(&at.join("table.csv.gz"), bytes);
    let limited = |command: &str| limited(at, command);
    limited("data pack table.csv.gz shards").success();
    let facts = json(&run(at, "data shards --json"));
    assert_eq!(facts["samples"], bytes / 320);
    assert_eq!(facts["names"], serde_json::json!(["blue", "green", "red"]));
    // In one go it does not fit.
    limited("data table.csv.gz").failure();
}

#[test]
fn a_flipped_byte_is_found_while_training() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    run(at, "data pack digits shards --samples 20000 --shard-rows 8192 --no-shuffle");
    let train =
        "train --data shards --test shards --validation 0 --hidden 4 --epochs 1 --preset quick";
    run(at, train);
    for file in ["shard-00001.npy", "shard-00002.targets.npy"] {
        let path = at.join("shards").join(file);
        let whole = damage(&path);
        for command in [train, "evaluate model.safetensors --data shards"] {
            let message = error(at, command);
            assert!(message.contains(file) && message.contains("damaged"), "{message}");
        }
        fs::write(&path, &whole).unwrap();
    }
    // A file of the same shape in the place of another.
    let [first, second] =
        ["shard-00000.npy", "shard-00001.npy"].map(|it| at.join("shards").join(it));
    fs::copy(first, second).unwrap();
    let message = error(at, train);
    assert!(message.contains("shard-00001.npy") && message.contains("swapped"), "{message}");
}

#[test]
fn several_labels_are_measured_piece_by_piece() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let mut table = String::from("a,b,c,up,right\n");
    for i in 0..2000 {
        let (a, b) = ((i as f64 * 0.7).sin(), (i as f64 * 1.3).cos());
        table +=
            &format!("{a:.4},{b:.4},{:.3},{},{}\n", a * b, u8::from(a > 0.0), u8::from(b > 0.2));
    }
    fs::write(at.join("t.csv"), &table).unwrap();
    fs::write(at.join("other.csv"), &table).unwrap();
    let options = "--loss binary-cross-entropy --label-column up,right";
    run(at, &format!("data pack t.csv shards {options} --no-shuffle --shard-rows 300"));
    run(at, &format!("train --data t.csv {options} --hidden 8 --epochs 3 --preset quick"));
    let figures = |data: &str| {
        let mut found = json(&run(at, &format!("evaluate model.safetensors --data {data} --json")));
        found["data"] = "".into();
        found
    };
    assert_eq!(figures("shards"), figures("other.csv"));
}

#[test]
fn held_out_samples_leave_the_model_of_samples_in_memory() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    run(at, "data pack digits shards --samples 20000 --shard-rows 8192");
    for parts in ["--validation 0.1", "--test shards --validation 0.2", "--validation 0"] {
        let model = |place: &str, out: &str| {
            let options = "--hidden 4 --epochs 2 --preset quick --normalize standard";
            run(at, &format!("train --data shards {parts} {options} {place} --out {out}"));
            fs::read(at.join(out)).unwrap()
        };
        let streamed = model("", "streamed.safetensors");
        let expected = model("--in-memory --shuffle=blocks", "memory.safetensors");
        assert!(streamed == expected, "{parts}");
    }
}
