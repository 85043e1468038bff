//! Folders of shards in the program: packed, described, verified, trained on, evaluated and predicted.

mod common;

use std::fs;
use std::path::Path;

use common::{TABLE, gradus, json, run, table, text};
use tempfile::TempDir;

fn error(folder: &Path, arguments: &str) -> String {
    text(&gradus(folder, arguments).assert().failure().get_output().stderr)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A short run on drawn digits.
const SHORT: &str = "--hidden 8 --epochs 2 --batch-size 100";

#[test]
fn a_set_is_packed_described_and_verified() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let packed = run(at, "data pack digits shards --samples 1000 --shard-rows 300 --seed 3");
    assert!(packed.contains("Packed 1000 samples") && packed.contains("4 shards"), "{packed}");
    assert_eq!(names(at), ["shards"]);
    let described = run(at, "data shards --verify");
    for words in ["1000 samples in 4 shards", "shuffled with seed 3", "28 x 28 uint8", "Verified"] {
        assert!(described.contains(words), "{described}");
    }
    let facts = json(&run(at, "data shards --json"));
    assert_eq!((&facts["samples"], &facts["shards"]), (&1000.into(), &4.into()));
    assert_eq!(facts["counts"], serde_json::json!(vec![100; 10]));
    assert_eq!(
        (&facts["min"], &facts["max"], &facts["verified"]),
        (&0.0.into(), &255.0.into(), &false.into())
    );
    assert!(run(at, "data shards --show 999").contains("x_train[999]: 28 x 28"));
    assert!(error(at, "data shards --show 1000").contains("samples 0 to 999"));
    for option in ["--label-column a", "--loss squared", "--image-size 8x8", "--no-download"] {
        let message = error(at, &format!("data shards {option}"));
        assert!(message.contains("has no effect on shards"), "{message}");
    }
    assert!(error(at, "data digits --verify").contains("no effect"));
    let file = at.join("shards/shard-00002.npy");
    let mut content = fs::read(&file).unwrap();
    content[1000] ^= 1;
    fs::write(&file, &content).unwrap();
    let message = error(at, "data shards --verify");
    assert!(message.contains("shard-00002.npy") && message.contains("damaged"), "{message}");
    assert!(
        error(at, &format!("train --data shards {SHORT} --in-memory")).contains("shard-00002.npy")
    );
    fs::write(&file, &content[..1000]).unwrap();
    let message = error(at, "data shards");
    assert!(message.contains("shard-00002.npy") && message.contains("truncated"), "{message}");
}

#[test]
fn orders_and_sources() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    run(at, "data pack digits sorted --samples 50 --sorted");
    run(at, "data pack digits plain --samples 50 --no-shuffle");
    run(at, "data pack sorted again --no-shuffle --shard-size 10kB");
    let sha = |name: &str| json(&run(at, &format!("data {name} --json")))["sha256"].clone();
    assert_eq!(sha("sorted"), sha("again"));
    assert_ne!(sha("sorted"), sha("plain"));
    assert_eq!(json(&run(at, "data again --json"))["shards"], 5);
    table(at, "table.csv");
    let packed = json(&run(at, "data pack table.csv table --json"));
    assert_eq!((&packed["samples"], &packed["shards"]), (&300.into(), &1.into()));
    let facts = json(&run(at, "data table --json"));
    assert_eq!(facts["names"], serde_json::json!(["blue", "green", "red"]));
    // The digits have a test part of their own.
    let output = gradus(at, "data pack digits digits-test --part test").assert().success();
    assert!(!text(&output.get_output().stderr).contains("--part"));
    assert_eq!(json(&run(at, "data digits-test --json"))["samples"], 10_000);
    for (arguments, words) in [
        ("data pack digits sorted --samples 50", "exists already"),
        ("data pack digits a --samples 50 --distort strong", "--distort has no effect"),
        ("data pack digits a --samples 50 --label-column x", "--label-column has no effect"),
        ("data pack sorted a --samples 50", "--samples has no effect"),
        ("data pack table.csv a --seed 1 --no-shuffle", "--seed has no effect"),
        ("data pack table.csv a --samples 10", "distortions are for grey images"),
        ("data pack table.csv a --part val", "no validation part"),
        ("data pack nothing a", "nothing"),
        ("data pack digits no/such --samples 10", "does not exist"),
    ] {
        let message = error(at, arguments);
        assert!(message.contains(words), "{arguments}: {message}");
    }
    fs::write(at.join("mixed.csv"), "a,b,label\n1,x,p\n2,,q\n3,z,p\n4,x,q\n").unwrap();
    run(at, "data pack mixed.csv mixed --sorted");
    assert!(run(at, "data mixed").contains("2 raw columns (1 of numbers, 1 of text), 2 classes"));
}

#[test]
fn training_on_shards_is_training_on_their_samples() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    table(at, "table.csv");
    run(at, "data pack table.csv shards --no-shuffle");
    let train = |data: &str, out: &str| {
        let command = format!("train {TABLE} --test table.csv --out {out} --json")
            .replace("table.csv --norm", &format!("{data} --norm"));
        let lines = run(at, &command);
        json(lines.lines().last().unwrap())["test_accuracy"].clone()
    };
    // In memory, where every sample is shuffled by itself.
    let shards = train("shards --in-memory", "b.safetensors");
    assert_eq!(train("table.csv", "a.safetensors"), shards);
    let predicted = |model: &str| {
        run(at, &format!("predict {model}.safetensors table.csv --out {model}.csv"));
        fs::read(at.join(format!("{model}.csv"))).unwrap()
    };
    assert_eq!(predicted("a"), predicted("b"));
}

#[test]
fn shards_are_evaluated_and_predicted_as_samples_in_memory() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    run(at, &format!("train --data digits {SHORT}"));
    // More than one piece: 16 MiB hold 21,399 digits.
    run(at, "data pack digits shards --samples 30000 --shard-rows 9000 --seed 7");
    run(at, "data pack shards one --no-shuffle --shard-rows 30000");
    fs::copy(at.join("one/shard-00000.npy"), at.join("x.npy")).unwrap();
    let x = fs::read(at.join("x.npy")).unwrap();
    let y = fs::read(at.join("one/shard-00000.targets.npy")).unwrap();
    write_npz(&at.join("set.npz"), &[("x_train.npy", &x), ("y_train.npy", &y)]);
    let figures = |data: &str| {
        let mut found =
            json(&run(at, &format!("evaluate model.safetensors --data {data} --errors 5 --json")));
        found["data"] = "".into();
        found
    };
    assert_eq!(figures("shards"), figures("set.npz"));
    let shown = |data: &str| {
        let text = run(at, &format!("evaluate model.safetensors --data {data} --errors 3"));
        text.replacen(data, "", 1)
    };
    assert_eq!(shown("shards"), shown("set.npz"));
    run(at, "predict model.safetensors shards --out p.npy");
    run(at, "predict model.safetensors x.npy --out q.npy");
    let predicted = fs::read(at.join("p.npy")).unwrap();
    assert_eq!(predicted, fs::read(at.join("q.npy")).unwrap());
    assert_eq!(predicted.len(), 128 + 30_000 * 10 * 4);
    run(at, "predict model.safetensors shards --out p.csv");
    run(at, "predict model.safetensors set.npz --out q.csv");
    assert_eq!(fs::read(at.join("p.csv")).unwrap(), fs::read(at.join("q.csv")).unwrap());
    for (arguments, words) in [
        ("predict model.safetensors shards", "give --out"),
        ("predict model.safetensors shards --out p.parquet", "choose a name that ends in"),
        (
            "predict model.safetensors set.npz --out r.npy",
            "predictions are written as an array for",
        ),
        ("predict model.safetensors x.npy --out r.npy --limit 1MB", "--limit"),
        ("predict model.safetensors shards --out x.npy", "not overwritten"),
    ] {
        let message = error(at, arguments);
        assert!(message.contains(words), "{arguments}: {message}");
    }
    assert!(!at.join("r.npy").exists());
    table(at, "table.csv");
    run(at, "data pack table.csv table");
    let message = error(at, "evaluate model.safetensors --data table");
    assert!(message.contains("the model takes 28 x 28"), "{message}");
}

#[test]
fn regression_on_shards() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let mut text = String::from("a,b,h,w\n");
    for i in 0..400 {
        let (a, b) = ((i as f64 * 0.7).sin(), (i as f64 * 1.3).cos());
        text += &format!("{a:.4},{b:.4},{:.4},{:.4}\n", a + 2.0 * b, a * b);
    }
    fs::write(at.join("t.csv"), text).unwrap();
    let options = "--loss squared --label-column h,w";
    run(at, &format!("data pack t.csv shards {options} --no-shuffle --shard-rows 150"));
    run(at, &format!("train --data t.csv {options} --hidden 8 --epochs 5 --preset quick"));
    let figures = |data: &str| {
        let mut found = json(&run(at, &format!("evaluate model.safetensors --data {data} --json")));
        found["data"] = "".into();
        found
    };
    fs::copy(at.join("t.csv"), at.join("other.csv")).unwrap();
    assert_eq!(figures("shards"), figures("other.csv"));
    assert!(run(at, "data shards").contains("2 targets"));
    let message = error(at, "data pack t.csv a --loss squared --label-column h --sorted");
    assert!(message.contains("sorted by class"), "{message}");
}

#[cfg(unix)]
#[test]
fn a_full_disk_leaves_nothing() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let program = env!("CARGO_BIN_EXE_gradus");
    let command = format!("ulimit -f 2000; exec {program} data pack digits shards --samples 5000");
    let mut shell = assert_cmd::Command::new("sh");
    let output = shell.args(["-c", &command]).current_dir(at).assert().code(1);
    let message = text(&output.get_output().stderr);
    assert!(message.contains("free some space"), "{message}");
    assert!(names(at).is_empty(), "{:?}", names(at));
}

#[cfg(unix)]
#[test]
fn a_killed_packing_leaves_nothing_that_is_taken_for_whole() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let arguments = "data pack digits shards --samples 400000";
    let mut killed = common::spawn(at, arguments);
    while names(at).iter().all(|name| !name.ends_with(".tmp")) {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(!at.join("shards").exists());
    // The next one removes what it has left.
    run(at, "data pack digits shards --samples 100");
    assert_eq!(names(at), ["shards"]);
}

/// Writes an archive of stored entries.
fn write_npz(path: &Path, entries: &[(&str, &[u8])]) {
    let (mut archive, mut contents) = (Vec::new(), Vec::new());
    for (name, bytes) in entries {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        let sizes = (bytes.len() as u32).to_le_bytes();
        let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        common.extend(crc.sum().to_le_bytes());
        common.extend([sizes, sizes].concat());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        let offset = (archive.len() as u32).to_le_bytes();
        contents.extend(
            [b"PK\x01\x02\x14\x00", &common[..], &[0; 10], &offset, name.as_bytes()].concat(),
        );
        archive.extend([b"PK\x03\x04", &common[..], name.as_bytes(), bytes].concat());
    }
    let (start, size) =
        ((archive.len() as u32).to_le_bytes(), (contents.len() as u32).to_le_bytes());
    let count = (entries.len() as u16).to_le_bytes();
    archive.extend(contents);
    archive.extend([b"PK\x05\x06\0\0\0\0", &count[..], &count, &size, &start, &[0, 0]].concat());
    fs::write(path, archive).unwrap();
}
