//! Hostile files cost no more memory than docs/formats.md says, and nothing makes the program wait for ever.
//! Each run of the program has a limit for its address space.
#![cfg(target_os = "linux")]

mod common;

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::{TABLE, run, table, text};
use flate2::Crc;
use flate2::write::DeflateEncoder;

/// Address space that the program takes by itself, with its threads.
const OWN_MB: usize = 200;

/// Runs a shell's command line in `folder`, in which `gradus` is the program, for at most 60 seconds and
/// with `megabytes` besides its own.
fn limited(folder: &Path, megabytes: usize, line: &str, input: Stdio) -> Output {
    let limit = 1024 * (OWN_MB + megabytes);
    let line = format!("gradus() {{ timeout 60 \"$0\" \"$@\"; }}; ulimit -v {limit}; {line}");
    let mut bash = Command::new("bash");
    bash.args(["-c", &line, env!("CARGO_BIN_EXE_gradus")]).current_dir(folder).stdin(input);
    bash.env("GRADUS_DATA", "").env("HOME", folder).env("XDG_CACHE_HOME", folder);
    bash.output().unwrap()
}

/// Checks that a command line fails with a message that has these words and is no longer than a page.
#[track_caller]
fn refused(folder: &Path, megabytes: usize, line: &str, words: &str) {
    let output = limited(folder, megabytes, line, Stdio::null());
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{line}: {}", &errors[..errors.len().min(999)]);
    assert!(errors.len() < 4096, "{line}: a message of {} bytes", errors.len());
    assert!(errors.contains(words), "{line}: {errors}");
}

/// A zip archive of one deflated entry, `begin` followed by `repeats` times `more`.
fn zip(name: &str, begin: &[u8], more: &[u8], repeats: usize) -> Vec<u8> {
    let (mut content, mut crc) =
        (DeflateEncoder::new(Vec::new(), flate2::Compression::best()), Crc::new());
    let mut size = 0;
    for part in [begin].into_iter().chain(std::iter::repeat_n(more, repeats)) {
        content.write_all(part).unwrap();
        crc.update(part);
        size += part.len() as u32;
    }
    let content = content.finish().unwrap();
    let sizes = [crc.sum(), content.len() as u32, size].map(u32::to_le_bytes).concat();
    let about =
        [&[20, 0, 0, 0, 8, 0, 0, 0, 0, 0][..], &sizes, &[name.len() as u8, 0, 0, 0]].concat();
    let local = [b"PK\x03\x04", &about[..], name.as_bytes(), &content].concat();
    let entry = [b"PK\x01\x02\x14\0", &about[..], &[0; 14], name.as_bytes()].concat();
    let places = [entry.len() as u32, local.len() as u32].map(u32::to_le_bytes).concat();
    [&local[..], &entry, b"PK\x05\x06\0\0\0\0\x01\0\x01\0", &places, &[0, 0]].concat()
}

fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

#[test]
fn archives_that_expand_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let spaces = vec![b' '; 1 << 20];
    fs::write(folder.join("m.keras"), zip("config.json", b"{}", &spaces, 600)).unwrap();
    refused(folder, 64, "gradus inspect m.keras", "expands from");
    fs::write(folder.join("m.keras"), zip("config.json", b"{}", &spaces, 9)).unwrap();
    refused(folder, 64, "gradus inspect m.keras", "at most 8 MiB are read");
    let zeros = vec![0; 1 << 20];
    fs::write(folder.join("m.npz"), zip("w1.npy", b"\x93NUMPY", &zeros, 600)).unwrap();
    refused(folder, 64, "gradus inspect m.npz", "expands from");
    refused(folder, 64, "gradus train --data digits --init m.npz", "expands from");
}

#[test]
fn headers_and_metadata_take_no_more_than_four_times_their_size() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let tensors: Vec<String> = (0..700_000)
        .map(|at| format!("\"{at:07}\":{{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}"))
        .collect();
    let header = format!("{{{}}}", tensors.join(","));
    let megabytes = header.len() >> 20;
    fs::write(folder.join("many.safetensors"), safetensors(&header, &[])).unwrap();
    for command in ["inspect", "evaluate", "train --data digits --resume"] {
        refused(
            folder,
            4 * megabytes,
            &format!("gradus {command} many.safetensors"),
            "more than 200000 values",
        );
    }
    let header = format!(
        "{{\"a.weight\":{{\"dtype\":\"F32\",\"shape\":[{}1],\"data_offsets\":[0,0]}}}}",
        "1,".repeat(20 << 20)
    );
    fs::write(folder.join("deep.safetensors"), safetensors(&header, &[])).unwrap();
    refused(folder, 4 * 40, "gradus inspect deep.safetensors", "more than 200000 values");

    // A model of gradus whose training is a list of zeros.
    let metadata = |training: &str| {
        let entries = [
            ("format", "gradus"),
            ("gradus_version", "1"),
            ("architecture", "[{\"linear\":{\"inputs\":1,\"outputs\":2}}]"),
            ("normalization", "{\"scalar\":{\"mean\":0.0,\"deviation\":1.0}}"),
            ("sample_shape", "[1]"),
            ("class_names", "[\"a\",\"b\"]"),
            ("training", training),
        ];
        let entries: Vec<String> = entries
            .iter()
            .map(|(key, value)| format!("\"{key}\":{}", serde_json::json!(value)))
            .collect();
        format!(
            "{{\"__metadata__\":{{{}}},\
             \"0.weight\":{{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[0,8]}},\
             \"0.bias\":{{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]}}}}",
            entries.join(",")
        )
    };
    fs::write(folder.join("small.safetensors"), safetensors(&metadata("null"), &[0; 16])).unwrap();
    assert!(
        limited(folder, 64, "gradus inspect small.safetensors", Stdio::null()).status.success()
    );
    let header = metadata(&format!("{{\"history\":{{\"loss\":[{}0]}}}}", "0,".repeat(20 << 20)));
    fs::write(folder.join("zeros.safetensors"), safetensors(&header, &[0; 16])).unwrap();
    refused(
        folder,
        4 * 40,
        "gradus inspect zeros.safetensors",
        "'training' in its metadata cannot be read",
    );
}

#[test]
fn histories_and_results_take_no_more_than_four_times_their_size() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let numbers = "0.5,".repeat(7 << 20);
    let history = format!("{{\"loss\":[{numbers}1],\"learning_rate\":[{numbers}1]}}");
    fs::write(folder.join("h.json"), &history).unwrap();
    refused(folder, 4 * (history.len() >> 20), "gradus report h.json", "more than 1000000 epochs");
    let unknown = format!("{{\"x\":[{numbers}1],\"loss\":[1],\"learning_rate\":[1]}}");
    fs::write(folder.join("u.json"), &unknown).unwrap();
    let output = limited(folder, 4 * 32, "gradus report u.json", Stdio::null());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let cells = format!("loss,learning_rate{}\n1,2\n", ",".repeat(30 << 20));
    fs::write(folder.join("h.csv"), cells).unwrap();
    refused(folder, 4 * 30, "gradus report h.csv", "more than 1000 columns");
    let epochs = format!("loss,learning_rate\n{}", "1,1\n".repeat(8 << 20));
    fs::write(folder.join("e.csv"), epochs).unwrap();
    refused(folder, 4 * 32, "gradus report e.csv", "more than 1000000 epochs");

    table(folder, "table.csv");
    let line = format!("{{\"run\":0,\"sweep\":[{}0]}}\n", "0,".repeat(20 << 20));
    fs::write(folder.join("r.jsonl"), line).unwrap();
    let sweep =
        "gradus sweep --vary hidden=2 --out r.jsonl -- --data table.csv --epochs 1 --threads 1";
    refused(folder, 4 * 40, sweep, "does not belong to this sweep");
}

#[test]
fn messages_of_onnx_take_no_more_than_four_times_their_size() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (name, tag) in [("nodes", 0x0a), ("tensors", 0x2a), ("inputs", 0x5a)] {
        let graph = [tag, 0].repeat(10 << 20);
        let mut file = b"\x08\x08\x3a".to_vec();
        prost::encoding::encode_varint(graph.len() as u64, &mut file);
        file.extend(graph);
        file.extend([0x42, 2, 0x10, 17]);
        fs::write(folder.join(format!("{name}.onnx")), file).unwrap();
        refused(
            folder,
            4 * 20,
            &format!("gradus inspect {name}.onnx"),
            "more than any dense network needs",
        );
    }
}

#[test]
fn lines_of_tables_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (name, begin, more, times, words) in [
        ("commas", "", ",", 40 << 20, "line 1 has more than 16 MiB"),
        ("columns", "label", ",a", 20 << 20, "line 1 has more than 16 MiB"),
        ("row", "label,a\n1,2\n", ",1", 20 << 20, "line 3 has more than 16 MiB"),
        ("fields", "label,a\n1,2\n", ",1", 4 << 20, "line 3 has more than 1000000 fields"),
        ("quote", "label,a\n1,\"", "x,1\n", 10 << 20, "is a quotation mark not closed?"),
    ] {
        let mut file = File::create(folder.join(format!("{name}.csv"))).unwrap();
        file.write_all(begin.as_bytes()).unwrap();
        file.write_all(more.repeat(times).as_bytes()).unwrap();
        refused(folder, 4 * 40, &format!("gradus data {name}.csv"), words);
    }
}

/// A folder with a model for three classes of rows.
fn with_model() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    table(folder.path(), "table.csv");
    run(folder.path(), &format!("train {TABLE} --quiet"));
    folder
}

#[test]
fn what_has_no_end_is_read_up_to_a_limit() {
    let folder = with_model();
    let folder = folder.path();
    symlink("/dev/zero", folder.join("zero.png")).unwrap();
    let limit = "more than 256 MiB, which is the limit for one file; raise it with --limit";
    refused(folder, 600, "gradus predict model.safetensors zero.png", limit);
    refused(folder, 600, "gradus predict model.safetensors - < /dev/zero", limit);
    refused(folder, 600, "gradus predict model.safetensors /dev/stdin < /dev/zero", limit);
    refused(folder, 600, "gradus predict model.safetensors <(yes 1,2)", limit);
    refused(
        folder,
        600,
        "gradus predict model.safetensors - --limit 1MiB < /dev/zero",
        "more than 1 MiB",
    );
    // A plain file, too, and the limit can be raised.
    refused(
        folder,
        64,
        "gradus predict model.safetensors table.csv --limit 1KiB",
        "more than 1 KiB",
    );
    let line = "tail -n +2 table.csv | gradus predict model.safetensors - --limit 1KiB";
    refused(folder, 64, line, "standard input: more than 1 KiB");
    let line = "gradus predict model.safetensors table.csv --limit 100KiB | wc -l";
    assert_eq!(text(&limited(folder, 64, line, Stdio::null()).stdout), "300\n");
    // A hole of eight terabytes.
    File::create(folder.join("hole.bin")).unwrap().set_len(8 << 40).unwrap();
    refused(folder, 64, "gradus predict model.safetensors hole.bin", "more than 4 GiB");

    refused(folder, 600, "gradus data <(yes 1,2)", "the limit of 256 MiB");
    refused(folder, 600, "gradus data /dev/zero", "the limit of 256 MiB");
    refused(folder, 64, "gradus inspect /dev/zero", "no model that gradus reads");
    refused(
        folder,
        600,
        "gradus inspect <(head -c 9999 model.safetensors; cat /dev/zero)",
        "limit of 256 MiB",
    );
    refused(
        folder,
        600,
        "gradus train --data table.csv --sample-weights /dev/zero",
        "the limit of 256 MiB",
    );
    fs::create_dir(folder.join("idx")).unwrap();
    symlink("/dev/zero", folder.join("idx/train-images-idx3-ubyte")).unwrap();
    symlink("/dev/zero", folder.join("idx/train-labels-idx1-ubyte")).unwrap();
    // Images and labels are read at the same time.
    refused(folder, 1200, "gradus data idx", "the limit of 256 MiB");
    let (loss, history) = ("gradus report /dev/zero", "gradus report zero.json");
    refused(folder, 64, loss, "no model that gradus reads");
    symlink("/dev/zero", folder.join("zero.json")).unwrap();
    refused(folder, 600, history, "the limit of 64 MiB");
}

#[test]
fn pipes_that_are_open_are_read() {
    let folder = with_model();
    let folder = folder.path();
    let answers = |line: &str| {
        let output = limited(folder, 600, line, Stdio::null());
        assert!(output.status.success(), "{line}: {}", text(&output.stderr));
        let lines = text(&output.stdout);
        // Without the name of the file.
        lines.lines().map(|line| line.rsplit_once(": ").unwrap().1.to_owned()).collect::<Vec<_>>()
    };
    let expected = answers("gradus predict model.safetensors table.csv");
    assert_eq!(expected.len(), 300);
    for line in [
        "gradus predict model.safetensors - < table.csv",
        "gradus predict model.safetensors /dev/stdin < table.csv",
        "cat table.csv | gradus predict model.safetensors /dev/stdin",
        "gradus predict model.safetensors <(cat table.csv)",
        "gradus predict <(cat model.safetensors) table.csv",
    ] {
        assert_eq!(answers(line), expected, "{line}");
    }
    for line in ["gradus data <(cat table.csv)", "cat table.csv | gradus data /dev/stdin"] {
        let output = limited(folder, 600, line, Stdio::null());
        assert!(
            text(&output.stdout).contains("train      300"),
            "{line}: {}",
            text(&output.stdout)
        );
    }
}

#[test]
fn named_pipes_and_sockets_are_never_waited_for() {
    let folder = with_model();
    let folder = folder.path();
    for name in ["pipe.csv", "pipe.npz"] {
        assert!(Command::new("mkfifo").arg(folder.join(name)).status().unwrap().success());
    }
    let _socket = std::os::unix::net::UnixListener::bind(folder.join("socket")).unwrap();
    for line in [
        "gradus data pipe.csv",
        "gradus train --data pipe.csv",
        "gradus train --data table.csv --test pipe.csv",
        "gradus train --data table.csv --validation pipe.csv",
        "gradus train --data table.csv --sample-weights pipe.csv",
        "gradus evaluate model.safetensors --data pipe.csv",
        "gradus evaluate pipe.csv",
        "gradus predict model.safetensors pipe.csv",
        "gradus predict pipe.csv table.csv",
        "gradus inspect pipe.csv",
        "gradus report pipe.csv",
        "gradus export pipe.csv x.onnx",
    ] {
        refused(folder, 600, line, "this is a named pipe");
        refused(folder, 600, &line.replace("pipe.csv", "socket"), "this is a socket");
    }
    refused(folder, 600, "gradus train --data table.csv --init pipe.npz", "this is a named pipe");
    for (line, words) in [
        ("gradus train --resume pipe.csv", "pipe.csv"),
        ("gradus train --data table.csv --out pipe.csv", "pipe.csv"),
        ("gradus train --data table.csv --history pipe.csv", "pipe.csv"),
        ("gradus export model.safetensors pipe.csv", "pipe.csv"),
    ] {
        let output = limited(folder, 600, line, Stdio::null());
        assert!(matches!(output.status.code(), Some(1 | 2)), "{line}: {:?}", output.status);
        assert!(text(&output.stderr).contains(words), "{line}");
    }
}

#[test]
fn folders_of_images_may_hold_pipes() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (class, shade) in [("a", 10), ("b", 200)] {
        fs::create_dir_all(folder.join("images").join(class)).unwrap();
        for i in 0..6 {
            let image = gradus::data::images::GreyImage::new(8, 8, vec![shade + i; 64]).unwrap();
            let bytes = gradus::data::images::encode_png(&image);
            fs::write(folder.join(format!("images/{class}/{i}.png")), bytes).unwrap();
        }
    }
    assert!(Command::new("mkfifo").arg(folder.join("images/a/x.png")).status().unwrap().success());
    symlink("/dev/zero", folder.join("images/b/z.png")).unwrap();
    let output = limited(folder, 600, "gradus data images", Stdio::null());
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("train       12"), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("images: skipped 2 pipes, sockets or devices"));
}
