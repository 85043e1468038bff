//! Training by several processes of MPI: the same model at any number of ranks, errors that name the rank, and runs that go
//! on after a rank was killed.
//!
//! The launchers are those of the environment variable `GRADUS_TEST_MPIEXEC`, separated by `:`, else `mpiexec` on the path;
//! without one, the tests that need it say that they were skipped.

mod common;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::{gradus, json, table, text};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

const TRAIN: &str = "train --data digits --hidden 32 --epochs 3 --batch-size 1024 --micro-batches 8 --threads 1 \
                     --out model.safetensors";

/// The launchers of MPI on this machine.
fn launchers() -> Vec<PathBuf> {
    let named = env::var_os("GRADUS_TEST_MPIEXEC");
    let found: Vec<PathBuf> = match &named {
        Some(paths) => env::split_paths(paths).collect(),
        None => env::var_os("PATH")
            .iter()
            .flat_map(|path| env::split_paths(path).collect::<Vec<_>>())
            .map(|folder| folder.join("mpiexec"))
            .find(|path| path.is_file())
            .into_iter()
            .collect(),
    };
    assert!(named.is_none() || found.iter().all(|path| path.is_file()), "{found:?}");
    if found.is_empty() {
        eprintln!("skipped: there is no mpiexec on the path, and GRADUS_TEST_MPIEXEC is not set");
    }
    found
}

/// The program as `ranks` processes of a launcher; more of them than cores are allowed.
fn on_ranks(launcher: &Path, ranks: usize, folder: &Path, arguments: &str) -> Command {
    let mut command = Command::new(launcher);
    let beside = launcher.parent().unwrap().to_owned();
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(std::iter::once(beside).chain(env::split_paths(&path))).unwrap();
    command
        .args(["-n", &ranks.to_string(), env!("CARGO_BIN_EXE_gradus")])
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .env("PATH", path)
        .env("HOME", folder)
        .env("GRADUS_DATA", "")
        .env("OMPI_ALLOW_RUN_AS_ROOT", "1")
        .env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")
        .env("PRTE_MCA_rmaps_default_mapping_policy", ":oversubscribe")
        .stdin(Stdio::null());
    command
}

fn message(output: &Output) -> String {
    text(&output.stderr) + &text(&output.stdout)
}

/// The digest of a model, without what it notes about when and by how many it was trained: that of its tensors.
fn digest(path: &Path) -> String {
    let bytes = fs::read(path).unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    format!("{:x?}", Sha256::digest(&bytes[8 + header..]))
}

/// The model of one process.
fn expected(folder: &Path, arguments: &str) -> String {
    let arguments = arguments.replace("model.safetensors", "alone.safetensors");
    gradus(folder, &arguments).assert().success();
    digest(&folder.join("alone.safetensors"))
}

#[test]
fn any_number_of_processes_gives_the_model_of_one() {
    for launcher in launchers() {
        let folder = TempDir::new().unwrap();
        let alone = expected(folder.path(), TRAIN);
        for ranks in [1, 2, 4, 8] {
            let output = on_ranks(&launcher, ranks, folder.path(), &format!("{TRAIN} --mpi"))
                .output()
                .unwrap();
            assert!(output.status.success(), "{}: {}", launcher.display(), message(&output));
            let found = digest(&folder.path().join("model.safetensors"));
            assert_eq!(found, alone, "{} ranks of {}", ranks, launcher.display());
            // Only rank 0 prints.
            let lines = text(&output.stdout);
            assert_eq!(lines.matches("Test: ").count(), 1, "{lines}");
            assert!(
                message(&output).contains(&format!("Ranks: {ranks}, by ")),
                "{}",
                message(&output)
            );
        }
    }
}

#[test]
fn a_launcher_without_the_option_is_refused() {
    let folder = TempDir::new().unwrap();
    for (variable, size) in [("OMPI_COMM_WORLD_SIZE", "4"), ("PMI_SIZE", "2"), ("PMIX_RANK", "1")] {
        let mut command = gradus(folder.path(), "train --data digits --epochs 1");
        let output = command.env(variable, size).assert().code(2).get_output().clone();
        let said = text(&output.stderr);
        assert!(said.contains(&format!("({variable} is set), but --mpi is not given")), "{said}");
    }
    assert!(!folder.path().join("model.safetensors").exists());
}

#[test]
fn a_library_that_is_none_is_refused() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("libmpi.so.12"), "no library").unwrap();
    let mut command = gradus(folder.path(), "train --data digits --epochs 1 --mpi");
    let output = command.env("GRADUS_MPI", folder.path().join("libmpi.so.12")).assert().code(1);
    let said = text(&output.get_output().stderr);
    assert!(said.contains("libmpi.so.12: this library cannot be loaded"), "{said}");
}

#[test]
fn what_processes_cannot_share_is_an_error_of_rank_0() {
    for launcher in launchers() {
        let folder = TempDir::new().unwrap();
        let line = "train --data digits --hidden 32 --epochs 1 --batch-size 64 --mpi";
        let output = on_ranks(&launcher, 2, folder.path(), line).output().unwrap();
        let said = message(&output);
        assert!(!output.status.success(), "{said}");
        assert!(
            said.contains("2 ranks cannot share 1 micro-batch: set --micro-batches to 2"),
            "{said}"
        );
        let three = line.replace("64", "64 --micro-batches 4");
        let output = on_ranks(&launcher, 3, folder.path(), &three).output().unwrap();
        let said = message(&output);
        assert!(!output.status.success(), "{said}");
        assert!(said.contains("3 ranks: their number must be a power of two"), "{said}");
        assert!(!folder.path().join("model.safetensors").exists());
    }
}

/// The table of a sweep without its column of seconds, and what follows it.
fn printed(output: &[u8]) -> Vec<Vec<String>> {
    let lines = text(output);
    let words = lines.lines().map(|line| line.split_whitespace().map(str::to_owned).collect());
    let cut = |mut words: Vec<String>| {
        if words.len() == 8 && words[0].parse::<usize>().is_ok() {
            words.remove(5);
        }
        words
    };
    words.map(cut).filter(|words: &Vec<String>| !words.is_empty()).collect()
}

#[test]
fn processes_share_the_runs_of_a_sweep() {
    for launcher in launchers() {
        for halve in ["", "--halve"] {
            let folder = TempDir::new().unwrap();
            table(folder.path(), "table.csv");
            let sweep = |out: &str, mpi: &str| {
                format!(
                    "sweep --vary learning-rate=0.0001..0.1:log --runs 13 --jobs 1 {halve} {mpi} --out {out} -- --data \
                     table.csv --hidden 8 --epochs 9 --batch-size 16 --validation 0.2 --threads 1"
                )
            };
            // The file has the seconds and the order in which runs ended; the figures must be the same.
            let results = |name: &str| {
                let text = fs::read_to_string(folder.path().join(name)).unwrap();
                let mut lines: Vec<_> = text.lines().map(json).collect();
                lines.sort_by_key(|line| line["run"].as_u64());
                for line in &mut lines {
                    line.as_object_mut().unwrap().remove("seconds");
                }
                lines
            };
            let alone = gradus(folder.path(), &sweep("alone.jsonl", "")).assert().success();
            let alone = printed(&alone.get_output().stdout);
            for ranks in [2, 4] {
                let name = format!("{ranks}.jsonl");
                let output = on_ranks(&launcher, ranks, folder.path(), &sweep(&name, "--mpi"))
                    .output()
                    .unwrap();
                assert!(output.status.success(), "{}", message(&output));
                assert_eq!(printed(&output.stdout), alone, "{ranks} ranks {halve}");
                assert_eq!(results(&name), results("alone.jsonl"), "{ranks} ranks {halve}");
                // A file that is complete takes no training.
                let again =
                    on_ranks(&launcher, 2, folder.path(), &sweep(&name, "--mpi")).output().unwrap();
                assert_eq!(printed(&again.stdout), alone);
                assert!(text(&again.stderr).contains("13 of 13 runs are already done"));
            }
        }
    }
}

/// The processes of the program that work in a folder.
fn ranks_in(folder: &Path) -> Vec<u32> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let ids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    ids.filter(|id| {
        let at = |name: &str| fs::read_link(format!("/proc/{id}/{name}")).unwrap_or_default();
        at("cwd") == folder && at("exe") == Path::new(env!("CARGO_BIN_EXE_gradus"))
    })
    .collect()
}

#[test]
fn a_run_goes_on_after_a_rank_was_killed() {
    if !Path::new("/proc/self/exe").exists() {
        eprintln!("skipped: there is no /proc to find the ranks by");
        return;
    }
    for launcher in launchers() {
        let folder = TempDir::new().unwrap();
        let place = folder.path().canonicalize().unwrap();
        let line = TRAIN.replace("--epochs 3", "--epochs 12");
        let alone = expected(&place, &line);
        let line = format!("{line} --checkpoint run.safetensors --continue --mpi");
        for (ranks, victim) in [(4, 3), (2, 0)] {
            let mut job = on_ranks(&launcher, ranks, &place, &line)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let begin = Instant::now();
            let checkpoint = place.join("run.safetensors");
            let before = checkpoint.metadata().and_then(|it| it.modified()).ok();
            while checkpoint.metadata().and_then(|it| it.modified()).ok() == before
                && job.try_wait().unwrap().is_none()
            {
                assert!(begin.elapsed() < Duration::from_secs(120), "no checkpoint");
                sleep(Duration::from_millis(10));
            }
            let ids = ranks_in(&place);
            if let Some(id) = ids.get(victim.min(ids.len().saturating_sub(1))) {
                Command::new("kill").args(["-9", &id.to_string()]).status().unwrap();
            }
            job.wait().unwrap();
            let end = Instant::now();
            while !ranks_in(&place).is_empty() {
                assert!(end.elapsed() < Duration::from_secs(20), "ranks are left");
                sleep(Duration::from_millis(50));
            }
        }
        let output = on_ranks(&launcher, 1, &place, &line).output().unwrap();
        assert!(output.status.success(), "{}", message(&output));
        assert_eq!(digest(&place.join("model.safetensors")), alone, "{}", launcher.display());
        let other = line.replace("--hidden 32", "--hidden 33");
        let output = on_ranks(&launcher, 2, &place, &other).output().unwrap();
        let said = message(&output);
        assert!(
            said.contains("was begun with --hidden 32, and this command is with --hidden 33"),
            "{said}"
        );
    }
}
