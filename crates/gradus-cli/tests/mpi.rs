//! Training by several processes of MPI: the same model at any number of ranks, errors that name the rank, and runs that go
//! on after a rank was killed.
//!
//! The launchers are those of common/launchers.rs; without one, the tests that need it say that they were skipped.

mod common;

use std::fs;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::launchers::{
    all_gone, apart, can_see_ranks, digest, expected, launchers, message, on_ranks, ranks_in,
};
use common::{gradus, table, text};
use tempfile::TempDir;

const TRAIN: &str = "train --data digits --hidden 32 --epochs 3 --batch-size 1024 --micro-batches 8 --threads 1 \
                     --out model.safetensors";

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

#[test]
fn a_run_goes_on_after_a_rank_was_killed() {
    if !can_see_ranks() {
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
            all_gone(&place);
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

#[test]
fn ranks_that_differ_end_together_and_say_in_what() {
    for launcher in launchers() {
        let folder = TempDir::new().unwrap();
        let place = folder.path().canonicalize().unwrap();
        table(&place, "table.csv");
        let other = fs::read_to_string(place.join("table.csv")).unwrap().replacen("0.0", "0.1", 1);
        fs::write(place.join("other.csv"), other).unwrap();
        let line = "train --data table.csv --epochs 2 --batch-size 32 --micro-batches 4 --mpi \
                    --checkpoint run.safetensors";
        for (what, isa, second) in [
            ("settings of rank 0: start all ranks", None, line.replace("epochs 2", "epochs 3")),
            ("training data of rank 0: give all", None, line.replace("table.csv", "other.csv")),
            ("instruction set of rank 0: set the environment", Some("portable"), line.to_owned()),
            // It dies at the start: rank 0 must not wait for it.
            (
                "rank 1: there is no file or folder gone.csv",
                None,
                line.replace("table.csv", "gone.csv"),
            ),
        ] {
            let output = apart(&launcher, &place, [(None, line), (isa, &second)]).output().unwrap();
            let said = message(&output);
            assert!(!output.status.success() && said.contains(what), "{what}: {said}");
            assert!(what.starts_with("rank 1") || said.contains("rank 1 does not have"), "{said}");
            all_gone(&place);
            for file in ["model.safetensors", "run.safetensors"] {
                assert!(!place.join(file).exists(), "{what}: {file}");
            }
        }
    }
}

#[test]
fn a_checkpoint_belongs_to_one_job_which_ctrl_c_stops() {
    if !can_see_ranks() {
        return;
    }
    for launcher in launchers() {
        let folder = TempDir::new().unwrap();
        let place = folder.path().canonicalize().unwrap();
        let checkpoint = place.join("run.safetensors");
        let line = TRAIN.replace("--epochs 3", "--epochs 100000");
        let line = format!("{line} --mpi --checkpoint run.safetensors");
        let mut job = on_ranks(&launcher, 2, &place, &line)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begin = Instant::now();
        while !checkpoint.exists() {
            assert!(begin.elapsed() < Duration::from_secs(120), "no checkpoint");
            sleep(Duration::from_millis(10));
        }
        let second = line.replace("model.safetensors", "second.safetensors");
        let output = on_ranks(&launcher, 2, &place, &second).output().unwrap();
        let said = message(&output);
        assert!(!output.status.success(), "{said}");
        assert!(said.contains("run.safetensors") && said.contains("is being written by"), "{said}");
        // The first job goes on, until somebody presses Ctrl-C, which the launcher hands to all ranks.
        assert!(job.try_wait().unwrap().is_none());
        Command::new("kill").args(["-INT", &job.id().to_string()]).status().unwrap();
        let end = Instant::now();
        while job.try_wait().unwrap().is_none() {
            assert!(end.elapsed() < Duration::from_secs(60), "Ctrl-C does not stop the job");
            sleep(Duration::from_millis(20));
        }
        all_gone(&place);
        // What the run had is there, and another job can take it up.
        let resume = "train --resume run.safetensors --epochs 1 --mpi --out model.safetensors";
        let output = on_ranks(&launcher, 2, &place, resume).output().unwrap();
        let said = message(&output);
        assert!(!said.contains("is being written by") && !said.contains("internal"), "{said}");
    }
}
