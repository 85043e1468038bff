//! Many models and many predictions by several processes of MPI: the same figures, files and tables as by one process, and no
//! result of a sweep is lost if the job is killed.
//!
//! The launchers are those of common/launchers.rs; without one, these tests say that they were skipped.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::launchers::{all_gone, apart, can_see_ranks, launchers, message, on_ranks, ranks_in};
use common::{TABLE, gradus, image_classes, json, run, table, text};
use tempfile::TempDir;

#[test]
fn processes_share_the_samples_to_evaluate_and_to_predict() {
    for launcher in launchers() {
        let folder = TempDir::new().unwrap();
        let at = folder.path();
        let train =
            "train --data digits --hidden 16 --epochs 1 --threads 1 --out digits.safetensors -q";
        run(at, train);
        table(at, "table.csv");
        run(at, &format!("train {TABLE} --out table.safetensors -q"));
        let mut rows = fs::read_to_string(at.join("table.csv")).unwrap();
        // More rows than one chunk of 512, and not a multiple of it.
        let more: Vec<String> = rows.lines().skip(1).map(str::to_owned).collect();
        for line in more.iter().cycle().take(1000) {
            rows += line;
            rows.push('\n');
        }
        fs::write(at.join("rows.csv"), rows).unwrap();
        for line in [
            "evaluate digits.safetensors --data digits --errors 3 --json",
            "evaluate table.safetensors --data rows.csv",
            "predict table.safetensors rows.csv gone.csv table.csv --json",
        ] {
            let alone = gradus(at, line).assert().get_output().clone();
            for ranks in [1, 2, 4] {
                let output =
                    on_ranks(&launcher, ranks, at, &format!("{line} --mpi")).output().unwrap();
                assert_eq!(text(&output.stdout), text(&alone.stdout), "{}", message(&output));
                assert_eq!(output.status.code(), alone.status.code(), "{line}");
            }
        }
        for name in ["p.csv", "p.parquet"] {
            let predict = |name: &str| format!("predict table.safetensors rows.csv --out {name}");
            run(at, &predict(name));
            let line = predict(&format!("2{name}")) + " --mpi";
            let output = on_ranks(&launcher, 2, at, &line).output().unwrap();
            assert!(output.status.success(), "{}", message(&output));
            assert_eq!(
                fs::read(at.join(format!("2{name}"))).unwrap(),
                fs::read(at.join(name)).unwrap()
            );
        }
        let output =
            on_ranks(&launcher, 2, at, "predict table.safetensors - --mpi").output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", message(&output));
        assert!(message(&output).contains("standard input reaches only one of several ranks"));
    }
}

#[test]
fn processes_share_images_and_report_what_one_reports() {
    for launcher in launchers() {
        let folder = TempDir::new().unwrap();
        let at = folder.path();
        image_classes(at, ["light", "dark"]);
        run(at, "train --data classes --epochs 3 --hidden 8 --threads 1 --out m.safetensors -q");
        // Neither the first nor the last, so that some rank other than 0 finds it.
        let whole = fs::read(at.join("classes/light/4.png")).unwrap();
        fs::write(at.join("classes/light/4.png"), &whole[..50]).unwrap();
        fs::write(at.join("rows.csv"), "no,image\n1,2\n").unwrap();
        for line in [
            "predict m.safetensors classes",
            "predict m.safetensors classes/dark classes/light --json",
            "predict m.safetensors classes gone.png rows.csv",
        ] {
            let alone = gradus(at, line).assert().failure().get_output().clone();
            for ranks in [2, 4] {
                let output =
                    on_ranks(&launcher, ranks, at, &format!("{line} --mpi")).output().unwrap();
                assert_eq!(text(&output.stdout), text(&alone.stdout), "{}", message(&output));
                assert_eq!(output.status.code(), alone.status.code(), "{line}");
                let said = text(&output.stderr);
                assert!(text(&alone.stderr).lines().all(|line| said.contains(line)), "{said}");
            }
        }
        let line = "predict m.safetensors classes --out";
        gradus(at, &format!("{line} 1.csv")).assert().code(1);
        let output = on_ranks(&launcher, 4, at, &format!("{line} 4.csv --mpi")).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", message(&output));
        assert!(message(&output).contains("4.png"), "{}", message(&output));
        let files = ["1.csv", "4.csv"].map(|name| fs::read_to_string(at.join(name)).unwrap());
        assert_eq!(files[0], files[1]);
        assert_eq!(files[0].lines().count(), 1 + 19);
    }
}

#[test]
fn arrays_that_differ_between_ranks_are_refused() {
    for launcher in launchers() {
        let folder = TempDir::new().unwrap();
        let place = folder.path().canonicalize().unwrap();
        run(&place, "train --data digits --hidden 8 --epochs 1 --threads 1 --out m.safetensors -q");
        let rows: Vec<u8> = (0..784 * 30_000).map(|at| (at % 251) as u8).collect();
        let write = |name: &str, rows: &[u8]| {
            let header = gradus::data::npy::header("|u1", &[rows.len() / 784, 784]);
            fs::write(place.join(name), [&header, rows].concat()).unwrap();
        };
        write("a.npy", &rows);
        let mut others = rows.clone();
        // In the last piece, so that predictions were written before.
        others[784 * 29_999] ^= 1;
        write("b.npy", &others);
        for out in ["p.npy", "p.csv"] {
            let line = |array: &str| format!("predict m.safetensors {array} --out {out} --mpi");
            let lines = [line("a.npy"), line("b.npy")];
            let lines = [(None, lines[0].as_str()), (None, lines[1].as_str())];
            let output = apart(&launcher, &place, lines).output().unwrap();
            let said = message(&output);
            assert!(!output.status.success(), "{said}");
            assert!(said.contains("rank 1 does not have the samples of rank 0"), "{said}");
            all_gone(&place);
            let names = fs::read_dir(&place).unwrap().map(|it| it.unwrap().file_name());
            assert!(names.into_iter().all(|it| !it.to_string_lossy().contains(out)), "{out}");
            let same = on_ranks(&launcher, 2, &place, &line("a.npy")).output().unwrap();
            assert!(same.status.success(), "{}", message(&same));
            fs::remove_file(place.join(out)).unwrap();
        }
    }
}

/// The files of ranks other than 0.
fn left(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name());
    names.filter_map(|name| name.into_string().ok()).filter(|it| it.contains(".rank")).collect()
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
                assert!(left(folder.path()).is_empty(), "{:?}", left(folder.path()));
            }
        }
    }
}

#[test]
fn no_result_of_a_killed_sweep_is_lost() {
    if !can_see_ranks() {
        return;
    }
    for launcher in launchers() {
        let folder = TempDir::new().unwrap();
        let place = folder.path().canonicalize().unwrap();
        table(&place, "table.csv");
        let line = |out: &str| {
            format!(
                "sweep --vary learning-rate=0.0001..0.1:log --runs 9 --jobs 1 --out {out} -- --data table.csv --hidden \
                 8 --epochs 150 --batch-size 4 --validation 0.2 --threads 1"
            )
        };
        let on_mpi = line("s.jsonl").replace(" -- ", " --mpi -- ");
        let alone = run(&place, &line("alone.jsonl"));
        let mut job = on_ranks(&launcher, 4, &place, &on_mpi)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = |name: &str| {
            let text = fs::read_to_string(place.join(name)).unwrap_or_default();
            text.lines().filter(|line| line.ends_with('}')).count()
        };
        let begin = Instant::now();
        while lines("s.jsonl.rank3") == 0 && job.try_wait().unwrap().is_none() {
            assert!(begin.elapsed() < Duration::from_secs(120), "no result");
            sleep(Duration::from_millis(5));
        }
        for id in ranks_in(&place) {
            Command::new("kill").args(["-9", &id.to_string()]).status().unwrap();
        }
        job.wait().unwrap();
        all_gone(&place);
        let kept = ["s.jsonl", "s.jsonl.rank1", "s.jsonl.rank2", "s.jsonl.rank3"].map(lines);
        let kept: usize = kept.iter().sum();
        assert!(kept > 0);
        // Fewer ranks take over what the others have left.
        let output = on_ranks(&launcher, 2, &place, &on_mpi).output().unwrap();
        let said = message(&output);
        assert!(output.status.success(), "{said}");
        assert!(said.contains(&format!("{kept} of 9 runs are already done")), "{kept}: {said}");
        assert_eq!(printed(&output.stdout), printed(alone.as_bytes()));
        assert!(left(&place).is_empty(), "{:?}", left(&place));
    }
}
