//! Sweeps: runs that are pruned, interrupted, divided and merged, and ranked.

mod common;

use std::fs;
use std::path::Path;

use common::{gradus, json, run, table, text, valued_table};
use serde_json::Value;
use tempfile::TempDir;

/// The lines of the file of a sweep, sorted by run, without times.
fn results(file: &Path) -> Vec<Value> {
    let mut lines: Vec<Value> = fs::read_to_string(file).unwrap().lines().map(json).collect();
    lines.iter_mut().for_each(|line| line["seconds"] = Value::Null);
    lines.sort_by_key(|line| line["run"].as_u64());
    lines
}

#[test]
fn a_sweep_prunes_bad_runs_and_continues_after_an_interruption() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    table(at, "table.csv");
    let sweep = |out: &str, jobs: usize| {
        let options = format!(
            "sweep --vary learning-rate=0.0001..0.1:log --vary hidden=4/8 --runs 6 --halve \
             --jobs {jobs} --out {out} -- --data table.csv --normalize standard --batch-size 16 \
             --epochs 9"
        );
        let output = gradus(at, &options).assert().success().get_output().clone();
        (text(&output.stdout), text(&output.stderr))
    };
    let (printed, reported) = sweep("whole.jsonl", 1);
    assert!(reported.contains("no --validation given"), "{reported}");
    assert!(reported.contains("after 1 epoch: 2 of 6 runs continue"), "{reported}");
    let whole = results(&at.join("whole.jsonl"));
    let mut ends: Vec<_> = whole
        .iter()
        .map(|line| (line["epochs"].as_u64().unwrap(), line["outcome"].as_str().unwrap()))
        .collect();
    ends.sort_unstable();
    let given_up = (1, "given_up");
    let expected = [given_up, given_up, given_up, given_up, (3, "given_up"), (9, "finished")];
    assert_eq!(ends, expected);
    let best = whole.iter().find(|line| line["outcome"] == "finished").unwrap();
    assert_eq!(best["rungs"].as_array().unwrap().len(), 2);
    let rows: Vec<&str> = printed.lines().collect();
    let header: Vec<&str> = rows[0].split_whitespace().collect();
    let figures = ["rank", "run", "val_accuracy", "val_loss", "epochs", "seconds", "outcome"];
    assert_eq!(header, [&figures[..], &["learning-rate", "hidden"]].concat());
    assert!(rows[1].contains(" finished ") && rows[6].contains(" pruned "), "{printed}");

    // The command at the end reproduces the metrics of the best run.
    let command = rows.last().unwrap().strip_prefix("gradus ").unwrap();
    let again = run(at, &format!("{command} --json"));
    let last = json(again.lines().nth(8).unwrap());
    for key in ["loss", "accuracy", "val_loss", "val_accuracy"] {
        assert_eq!(last[key], best[key], "{key}");
    }

    // Neither the number of jobs nor an interruption changes the result.
    sweep("jobs.jsonl", 3);
    assert_eq!(results(&at.join("jobs.jsonl")), whole);
    let lines = fs::read_to_string(at.join("whole.jsonl")).unwrap();
    for count in 0..=6 {
        let kept: usize = lines.split_inclusive('\n').take(count).map(str::len).sum();
        fs::write(at.join("cut.jsonl"), &lines[..(kept + 30).min(lines.len())]).unwrap();
        let (resumed, reported) = sweep("cut.jsonl", 2);
        assert_eq!(results(&at.join("cut.jsonl")), whole, "after {count} lines");
        assert_eq!(resumed.lines().last(), Some(*rows.last().unwrap()));
        let done = format!("{count} of 6 runs are already done");
        assert_eq!(reported.contains(&done), count > 0, "{reported}");
    }

    // A sweep without halving can be extended; the first runs are kept.
    let long = |options: &str| {
        let common = "--out long.jsonl -- --data table.csv --epochs 1 --validation 0.1";
        format!("sweep --vary dropout=0..0.5 {options} {common}")
    };
    let longer = |options| {
        let printed = run(at, &long(options));
        (printed, fs::read_to_string(at.join("long.jsonl")).unwrap())
    };
    let ((_, two), (_, four)) = (longer("--runs 2"), longer("--runs 4"));
    assert!(two.lines().count() == 2 && four.lines().count() == 4 && four.starts_with(&two));
    // It can be ranked by another metric without new runs.
    let (printed, ranked) = longer("--runs 4 --monitor loss");
    let losses: Vec<f64> = printed.lines().skip(1).take(4).map(|row| number(row, 2)).collect();
    assert!(losses.is_sorted() && ranked == four, "{printed}");

    // Results of another sweep are not mixed with this one.
    let other = "sweep --vary hidden=4/8 --out whole.jsonl -- --data table.csv --epochs 1";
    let failed = gradus(at, other).assert().code(1).get_output().clone();
    assert!(text(&failed.stderr).contains("does not belong to this sweep"));
    assert_eq!(fs::read_to_string(at.join("whole.jsonl")).unwrap(), lines);
    // Nor are those on other samples, even with the same name and number.
    let rows = fs::read_to_string(at.join("table.csv")).unwrap();
    fs::write(at.join("table.csv"), rows.replacen("green", "blue", 1)).unwrap();
    let failed = gradus(at, &long("--runs 4")).assert().code(1).get_output().clone();
    assert!(text(&failed.stderr).contains(r#""data" of its sweep is"#), "{}", text(&failed.stderr));
    assert_eq!(fs::read_to_string(at.join("long.jsonl")).unwrap(), four);
}

#[test]
fn parts_of_a_sweep_make_the_whole() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    table(at, "table.csv");
    let sweep = |more: &str| {
        let options = format!(
            "sweep --vary learning-rate=0.001..0.1:log --runs 5 {more} -- --data table.csv --epochs 2"
        );
        let output = gradus(at, &options).assert().success().get_output().clone();
        (text(&output.stdout), text(&output.stderr))
    };
    let (whole, _) = sweep("--out whole.jsonl");
    for part in 1..=3 {
        let (printed, _) = sweep(&format!("--part {part}/3 --out part{part}.jsonl"));
        let runs = results(&at.join(format!("part{part}.jsonl")));
        let numbers: Vec<_> = runs.iter().map(|run| run["run"].as_u64().unwrap()).collect();
        assert_eq!(numbers, (part - 1..5).step_by(3).collect::<Vec<_>>());
        assert!(printed.contains("To train the best run again"), "{printed}");
    }
    let parts = [1, 2, 3].map(|part| fs::read(at.join(format!("part{part}.jsonl"))).unwrap());
    fs::write(at.join("merged.jsonl"), parts.concat()).unwrap();
    let (merged, reported) = sweep("--out merged.jsonl");
    assert!(reported.contains("5 of 5 runs are already done"), "{reported}");
    assert_eq!(results(&at.join("merged.jsonl")), results(&at.join("whole.jsonl")));
    // The tables have times, the last lines the command of the winner.
    assert_eq!(merged.lines().last(), whole.lines().last());
    for (part, words) in [("0/3", "K from 1 to N"), ("4/3", "K from 1 to N"), ("6/7", "has none")] {
        let options = format!("sweep --vary hidden=4/8 --part {part} -- --data table.csv");
        let failed = gradus(at, &options).assert().code(2);
        assert!(text(&failed.get_output().stderr).contains(words));
    }
}

/// The number in a column of a row.
fn number(row: &str, column: usize) -> f64 {
    row.split_whitespace().nth(column).unwrap().parse().unwrap()
}

#[test]
fn a_run_of_a_sweep_may_diverge() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    table(at, "table.csv");
    let train = "-- --data table.csv --optimizer sgd --schedule constant --epochs 2";
    let printed = run(at, &format!("sweep --vary learning-rate=1e30/0.01 {train}"));
    let rows: Vec<&str> = printed.lines().collect();
    assert!(rows[1].contains(" finished ") && rows[2].contains(" diverged "), "{printed}");
    assert!(rows.last().unwrap().ends_with("--learning-rate=0.01"), "{printed}");
    let all = format!("sweep --vary learning-rate=1e30/2e30 --out all.jsonl {train}");
    let failed = gradus(at, &all).assert().code(1).get_output().clone();
    assert!(text(&failed.stderr).contains("every run diverged"));
    // Settings that do not fit the data are reported before anything is trained.
    let wrong = format!("sweep --vary class-weights=1,1,1/1,1 --out wrong.jsonl {train}");
    let failed = gradus(at, &wrong).assert().code(2).get_output().clone();
    let expected = "run 1 (--class-weights 1,1): 2 class weights, but the data have 3 classes";
    assert!(text(&failed.stderr).contains(expected), "{}", text(&failed.stderr));
    assert!(!at.join("wrong.jsonl").exists());
}

#[test]
fn a_sweep_of_a_regression_is_ranked_by_loss() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    valued_table(at, "sizes.csv");
    let reported = run(
        at,
        "sweep --vary activation=tanh/relu,tanh -- --data sizes.csv --loss squared --label-column width \
         --hidden 4,4 --epochs 2 --validation 0.2",
    );
    assert!(reported.contains("val_loss") && reported.contains("relu,tanh"), "{reported}");
}

#[cfg(unix)]
mod unix {
    use super::*;
    use common::spawn;
    use std::io::{BufRead, BufReader, Read};
    use std::process::Command as Process;

    #[test]
    fn a_signal_stops_a_sweep_and_keeps_its_results() {
        let folder = TempDir::new().unwrap();
        let at = folder.path();
        table(at, "table.csv");
        let options = "sweep --vary epochs=1/10000000/10000001 --jobs 2 \
                       -- --data table.csv --validation 0.1 --schedule constant";
        let mut child = spawn(at, options);
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.starts_with("run 0 finished") {
            line.clear();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "it ended too early");
        }
        let sent = Process::new("kill").args(["-INT", &child.id().to_string()]).status();
        assert!(sent.unwrap().success());
        let mut rest = String::new();
        stderr.read_to_string(&mut rest).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130));
        assert!(rest.contains("Stopped; the results of 1 of 3 runs are saved"), "{rest}");
        let kept = results(&at.join("sweep.jsonl"));
        assert_eq!((kept.len(), &kept[0]["run"]), (1, &0.into()));
    }
}
