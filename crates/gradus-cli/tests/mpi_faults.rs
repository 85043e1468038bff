//! What goes wrong while several processes of MPI train: ranks that are killed while a file is written, signals, files of
//! other runs, and folders that go. Nothing is lost, nothing hangs, and the same command goes on to the same bits.
//!
//! The launchers are those of common/launchers.rs; without one, these tests say that they were skipped.

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use common::launchers::{
    all_gone, apart, can_see_ranks, digest, expected, launchers, message, on_ranks, ranks_in,
};
use common::{run, table};
use tempfile::TempDir;

/// A network so large that writing it takes some time.
const LARGE: &str = "train --data table.csv --normalize standard --hidden 1500,1000 --epochs 4 --batch-size full \
                     --micro-batches 4 --optimizer adam --threads 1 --out model.safetensors --json";

/// Many steps of a small one; more of them would take long where ranks have no cores of their own.
const SMALL: &str = "train --data table.csv --normalize standard --hidden 256,256 --epochs 150 --batch-size 32 \
                     --micro-batches 4 --threads 1 --out model.safetensors --json";

/// A job, running, and what it prints.
fn start(launcher: &Path, ranks: usize, folder: &Path, line: &str) -> Child {
    on_ranks(launcher, ranks, folder, line)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits until something holds: whether it did before the job was over.
fn wait(job: &mut Child, holds: impl Fn() -> bool) -> bool {
    let begin = Instant::now();
    while !holds() {
        if job.try_wait().unwrap().is_some() {
            return false;
        }
        assert!(begin.elapsed() < Duration::from_secs(120), "it does not come");
    }
    true
}

/// The end of a job, which must come.
fn end(mut job: Child, folder: &Path) -> Output {
    let begin = Instant::now();
    while job.try_wait().unwrap().is_none() {
        assert!(begin.elapsed() < Duration::from_secs(120), "the job does not end");
        sleep(Duration::from_millis(10));
    }
    all_gone(folder);
    job.wait_with_output().unwrap()
}

fn send(signal: &str, id: u32) {
    Command::new("kill").args(["-s", signal, &id.to_string()]).status().unwrap();
}

/// Whether a file is being written.
fn is_being_written(folder: &Path, name: &str) -> bool {
    let names =
        fs::read_dir(folder).unwrap().filter_map(|it| it.ok()?.file_name().into_string().ok());
    names.into_iter().any(|it| it.starts_with(&format!(".{name}.")) && it.ends_with(".tmp"))
}

fn remove(folder: &Path, names: &[&str]) {
    for name in names {
        let _ = fs::remove_file(folder.join(name));
    }
}

/// What a job leaves behind beside its files.
fn hidden(folder: &Path) -> Vec<String> {
    let names =
        fs::read_dir(folder).unwrap().filter_map(|it| it.ok()?.file_name().into_string().ok());
    names
        .filter(|it| it.starts_with('.') && (it.ends_with(".tmp") || it.ends_with(".lock")))
        .collect()
}

#[test]
fn ranks_that_die_while_a_file_is_written_lose_nothing() {
    if !can_see_ranks() {
        return;
    }
    for launcher in launchers() {
        let folder = TempDir::new().unwrap();
        let place = folder.path().canonicalize().unwrap();
        table(&place, "table.csv");
        let alone = expected(&place, LARGE);
        let line = format!("{LARGE} --checkpoint run.safetensors --continue --mpi");
        // While a checkpoint is written, and at the end, when the other ranks have nothing left to do.
        for (file, ranks, victim) in [
            ("run.safetensors", 2, 0),
            ("run.safetensors", 4, 3),
            ("model.safetensors", 2, 0),
            ("model.safetensors", 4, 1),
        ] {
            let what = format!("{}: rank {victim} of {ranks}, {file}", launcher.display());
            // On a machine with much else to do, the moment may be missed.
            let is_hit = (0..10).any(|_| {
                let mut job = start(&launcher, ranks, &place, &line);
                let is_seen = wait(&mut job, || is_being_written(&place, file));
                let ids = ranks_in(&place);
                if is_seen && ids.len() == ranks {
                    // The launcher starts the ranks in their order.
                    send("KILL", ids[victim]);
                }
                let output = end(job, &place);
                if output.status.success() {
                    remove(&place, &["run.safetensors", "model.safetensors"]);
                }
                !output.status.success()
            });
            assert!(is_hit, "{what}: never in time");
            for name in ["run.safetensors", "model.safetensors"] {
                if place.join(name).exists() {
                    run(&place, &format!("inspect {name}"));
                }
            }
            if file == "model.safetensors" && place.join(file).exists() {
                assert_eq!(digest(&place.join(file)), alone, "{what}");
            }
            if file == "model.safetensors" {
                // All epochs are in the checkpoint: the same command has only the model left to write.
                let output = on_ranks(&launcher, 2, &place, &line).output().unwrap();
                assert!(output.status.success(), "{what}: {}", message(&output));
                assert_eq!(digest(&place.join(file)), alone, "{what}");
                assert!(hidden(&place).is_empty(), "{what}: {:?}", hidden(&place));
                remove(&place, &["run.safetensors", "model.safetensors"]);
            }
        }
    }
}

#[test]
fn ctrl_c_saves_where_the_run_is() {
    if !can_see_ranks() {
        return;
    }
    for launcher in launchers() {
        let folder = TempDir::new().unwrap();
        let place = folder.path().canonicalize().unwrap();
        table(&place, "table.csv");
        let alone = expected(&place, SMALL);
        // Only the signal makes a checkpoint.
        let line = format!(
            "{SMALL} --checkpoint run.safetensors --checkpoint-every 999m --continue --mpi"
        );
        // A launcher may kill its ranks soon after the signal, before they have saved: such a job only begins again.
        let (mut saved, mut jobs) = (0, 0);
        while saved < 2 {
            jobs += 1;
            assert!(jobs <= 8, "the signal saves nothing");
            let mut job = start(&launcher, 2, &place, &line);
            let mut lines = BufReader::new(job.stdout.take().unwrap()).lines();
            let Some(first) = lines.next() else { panic!("{}", message(&end(job, &place))) };
            let first = first.unwrap();
            assert!(first.contains("\"epoch\":"), "{first}");
            send("INT", job.id());
            // A pipe that nobody reads would stop the job.
            let rest = spawn(move || lines.count());
            let output = end(job, &place);
            rest.join().unwrap();
            assert!(!output.status.success(), "{}", message(&output));
            if place.join("run.safetensors").exists() {
                run(&place, "inspect run.safetensors");
                saved += 1;
            }
        }
        let output = on_ranks(&launcher, 1, &place, &line).output().unwrap();
        assert!(output.status.success(), "{}", message(&output));
        assert_eq!(digest(&place.join("model.safetensors")), alone, "{}", launcher.display());
        assert!(hidden(&place).is_empty(), "{:?}", hidden(&place));
    }
}

#[test]
fn a_checkpoint_of_other_data_is_refused_on_all_ranks() {
    for launcher in launchers() {
        let folder = TempDir::new().unwrap();
        let place = folder.path().canonicalize().unwrap();
        table(&place, "table.csv");
        let other = fs::read_to_string(place.join("table.csv")).unwrap().replace("5.", "6.");
        fs::write(place.join("other.csv"), other).unwrap();
        let train = |data: &str, seed: usize| {
            format!(
                "train --data {data} --epochs 4 --batch-size 32 --micro-batches 4 --seed {seed} --mpi --checkpoint \
                 {seed}.safetensors --continue --out model.safetensors"
            )
        };
        for seed in [1, 2] {
            let output =
                on_ranks(&launcher, 2, &place, &train("table.csv", seed)).output().unwrap();
            assert!(output.status.success(), "{}", message(&output));
        }
        fs::remove_file(place.join("model.safetensors")).unwrap();
        let before = fs::read(place.join("1.safetensors")).unwrap();
        let resume = "train --resume 1.safetensors --epochs 6 --mpi";
        let others = resume.replace("1.safe", "2.safe");
        let all = train("other.csv", 1).replace("epochs 4", "epochs 6");
        let lines = [
            // All ranks have other data than the checkpoint, or one of them.
            ([all.clone(), all], "the data are not those that the run was begun with"),
            (
                [resume.into(), format!("{resume} --data other.csv")],
                "rank 1 does not have the training data of rank 0",
            ),
            // The checkpoints themselves differ: folders of two machines under one name.
            ([resume.into(), others], "rank 1 does not have the"),
        ];
        for ([first, second], words) in lines {
            let output =
                apart(&launcher, &place, [(None, &first), (None, &second)]).output().unwrap();
            let said = message(&output);
            assert!(!output.status.success() && said.contains(words), "{second}: {said}");
            all_gone(&place);
            assert!(fs::read(place.join("1.safetensors")).unwrap() == before, "{second}");
            assert!(!place.join("model.safetensors").exists(), "{second}");
        }
    }
}

#[test]
fn a_folder_that_goes_while_ranks_train_is_named() {
    if !can_see_ranks() {
        return;
    }
    for launcher in launchers() {
        for (option, name) in [("--out", "model.safetensors"), ("--checkpoint", "run.safetensors")]
        {
            let folder = TempDir::new().unwrap();
            let place = folder.path().canonicalize().unwrap();
            table(&place, "table.csv");
            fs::create_dir(place.join("sub")).unwrap();
            let line = SMALL.replace("--out model.safetensors --json", "-q");
            let mut job = start(&launcher, 2, &place, &format!("{line} {option} sub/{name} --mpi"));
            let lock = place.join("sub").join(format!(".{name}.lock"));
            assert!(wait(&mut job, || lock.exists()), "{}", message(&end(job, &place)));
            fs::rename(place.join("sub"), place.join("gone")).unwrap();
            let output = end(job, &place);
            let said = message(&output);
            assert!(said.contains("the folder sub does not exist"), "{option}: {said}");
            // Without its model a run has failed; without checkpoints it goes on.
            let is_model = option == "--out";
            assert_eq!(output.status.success(), !is_model, "{option}: {said}");
            assert_eq!(place.join("model.safetensors").exists(), !is_model, "{option}: {said}");
            assert!(!place.join("gone").join(name).exists() || !is_model, "{option}: {said}");
        }
    }
}
