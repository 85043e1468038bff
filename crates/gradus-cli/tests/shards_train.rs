//! Training on folders of shards that are read piece by piece, and checkpoints within an epoch.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command as Process;
use std::time::Duration;

use common::{TABLE, gradus, run, spawn, table, text};
use tempfile::TempDir;

fn error(folder: &Path, arguments: &str) -> String {
    text(&gradus(folder, arguments).assert().failure().get_output().stderr)
}

fn bytes(folder: &Path, name: &str) -> Vec<u8> {
    fs::read(folder.join(name)).unwrap()
}

/// Some 700 steps on the built-in digits.
const SHARDS: &str =
    "train --data shards --hidden 8 --epochs 3 --batch-size 64 --validation 0.1 --threads 2";

/// Several blocks of samples in several shards.
fn pack(folder: &Path) {
    run(folder, "data pack digits shards --samples 20000 --shard-rows 8192 --seed 3");
}

#[test]
fn shards_are_read_piece_by_piece_to_the_bits_of_memory() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    pack(at);
    let said = gradus(at, &format!("{SHARDS} --out streamed.safetensors")).assert().success();
    let said = text(&said.get_output().stderr);
    assert!(said.contains("4000 of its 20000 samples (the last 20 %)"), "{said}");
    let in_memory = "--in-memory --shuffle=blocks --quiet --out memory.safetensors";
    run(at, &format!("{SHARDS} {in_memory}"));
    assert!(bytes(at, "streamed.safetensors") == bytes(at, "memory.safetensors"));
    // With parts of their own nothing is read before the first step, and micro-batches change the sums.
    let parts = SHARDS.replace("--validation 0.1", "--test shards --validation shards");
    let parts = format!("{parts} --micro-batches 4 --normalize standard");
    run(at, &format!("{parts} --quiet --out streamed.safetensors"));
    run(at, &format!("{parts} {in_memory}"));
    assert!(bytes(at, "streamed.safetensors") == bytes(at, "memory.safetensors"));
}

#[test]
fn what_cannot_be_streamed_says_what_to_do() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    pack(at);
    table(at, "table.csv");
    for (options, words) in [
        ("--shuffle=true", "--shuffle"),
        ("--optimizer lbfgs --batch-size full", "--in-memory"),
        ("--normalize robust", "--normalize"),
    ] {
        let command = SHARDS.replace("--batch-size 64", "");
        let message = error(at, &format!("{command} {options}"));
        assert!(message.contains(words), "{message}");
    }
    let message = error(at, &format!("train {TABLE} --in-memory"));
    assert!(message.contains("--in-memory has no effect on table.csv"), "{message}");
    let file = at.join("shards/shard-00001.npy");
    let content = fs::read(&file).unwrap();
    fs::write(&file, &content[..content.len() / 2]).unwrap();
    let message = error(at, SHARDS);
    assert!(message.contains("shard-00001.npy") && message.contains("truncated"), "{message}");
}

/// A run that is killed, or stopped, again and again goes on from its last checkpoint, within an epoch, to the same file.
#[test]
#[cfg(unix)]
fn a_run_that_is_killed_goes_on_within_an_epoch() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    pack(at);
    run(at, &format!("{SHARDS} --quiet --out whole.safetensors"));
    let command = format!(
        "{SHARDS} --quiet --checkpoint c --checkpoint-every 0.0005m --continue --out r.safetensors"
    );
    let mut within = 0;
    for (number, signal) in
        ["-KILL", "-INT", "-KILL", "-TERM"].into_iter().cycle().take(12).enumerate()
    {
        let mut child = spawn(at, &command);
        std::thread::sleep(Duration::from_millis(250 + 60 * number as u64));
        let _ = Process::new("kill").args([signal, &child.id().to_string()]).status();
        let status = child.wait().unwrap();
        if status.success() {
            break;
        }
        let checkpoint = text(&fs::read(at.join("c")).unwrap_or_default());
        within += usize::from(checkpoint.contains("\"partial\"") || checkpoint.contains("partial"));
    }
    assert!(within > 0, "no checkpoint was made within an epoch");
    run(at, &command);
    assert!(bytes(at, "r.safetensors") == bytes(at, "whole.safetensors"));
}
