//! Files that are written: by one process at a time, never over a foreign file, whole or not at all.

mod common;

use std::fs;
use std::path::Path;

use common::{TABLE, gradus, json, run, table, text};
use gradus::files::OutputFile;
use tempfile::TempDir;

/// The message on standard error of a command that fails with status 1.
fn refused(folder: &Path, arguments: &str) -> String {
    text(&gradus(folder, arguments).assert().code(1).get_output().stderr)
}

/// The names of the files in `folder` that begin with a dot.
fn hidden(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name());
    names
        .map(|name| name.into_string().unwrap())
        .filter(|name| name.starts_with('.') && name != ".cache")
        .collect()
}

#[test]
fn a_file_that_another_process_writes_is_refused_at_the_start() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    table(at, "table.csv");
    run(at, &format!("train {TABLE} --quiet --out m.safetensors --history h.csv --checkpoint c"));
    fs::create_dir(at.join("plots")).unwrap();
    for (file, command) in [
        (
            "o.safetensors",
            "train --preset quick --data table.csv --epochs 1000000 --out o.safetensors",
        ),
        ("k", "train --preset quick --data table.csv --epochs 1000000 --checkpoint k"),
        ("c", "train --resume c"),
        ("h.json", "train --preset quick --data table.csv --epochs 1000000 --history h.json"),
        ("s.jsonl", "sweep --out s.jsonl --vary epochs=100000/100001 -- --data table.csv"),
        ("e.onnx", "export m.safetensors e.onnx"),
        ("e.npz", "export m.safetensors e.npz"),
        ("r.html", "report m.safetensors --data table.csv -o r.html"),
        ("plots/weights.svg", "report m.safetensors --data table.csv --format svg -o plots"),
    ] {
        let claimed = OutputFile::claim(&at.join(file)).unwrap();
        let message = refused(at, command);
        let words = format!("{file} is being written by process {}:", std::process::id());
        assert!(message.contains(&words), "{command}: {message}");
        drop(claimed);
        assert!(!at.join("model.safetensors").exists() && hidden(at).is_empty());
    }
    // A folder of plots that was not there is not left behind empty.
    refused(at, "report none.safetensors --format csv -o tables");
    assert!(!at.join("tables").exists());
    for format in ["svg", "png", "csv"] {
        run(at, &format!("report m.safetensors --data table.csv --format {format} -o all"));
        assert!(hidden(&at.join("all")).is_empty());
    }
}

#[test]
fn one_run_does_not_use_a_file_twice() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    table(at, "table.csv");
    for options in
        ["--out a.safetensors --checkpoint ./a.safetensors", "--history h.csv --checkpoint h.csv"]
    {
        let command = format!("train {TABLE} {options}");
        let output = gradus(at, &command).assert().code(2).get_output().clone();
        assert!(text(&output.stderr).contains("choose different names"));
    }
}

#[cfg(unix)]
mod unix {
    use super::*;
    use common::spawn;
    use std::io::{BufRead, BufReader, Read};
    use std::process::{Child, Command as Process};
    use std::time::{Duration, Instant};

    const LONG: &str = "train --preset quick --data table.csv --epochs 10000000 --hidden 8 --schedule constant --json";

    /// Sends a signal, such as `TERM`.
    fn send(child: &Child, signal: &str) {
        let sent = Process::new("kill").args(["-s", signal, &child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// The program, after its first epoch.
    fn begun(folder: &Path, arguments: &str) -> (Child, BufReader<std::process::ChildStdout>) {
        let mut child = spawn(folder, arguments);
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        if line.is_empty() {
            let output = child.wait_with_output().unwrap();
            panic!("it ended too early: {}", text(&output.stderr));
        }
        (child, stdout)
    }

    /// The status of a run that is stopped, and its messages.
    fn stopped(run: (Child, BufReader<std::process::ChildStdout>)) -> (i32, String) {
        let (child, mut stdout) = run;
        send(&child, "TERM");
        stdout.read_to_end(&mut Vec::new()).unwrap();
        let output = child.wait_with_output().unwrap();
        (output.status.code().unwrap(), text(&output.stderr))
    }

    #[test]
    fn two_runs_never_share_a_file() {
        let folder = TempDir::new().unwrap();
        let at = folder.path();
        table(at, "table.csv");
        let files = "--out o.safetensors --checkpoint c --history h.json";
        let first = begun(at, &format!("{LONG} {files}"));
        let process = format!("is being written by process {}:", first.0.id());
        for options in ["--out o.safetensors", "--checkpoint c", "--history h.json"] {
            let message = refused(at, &format!("train {TABLE} {options}"));
            assert!(message.contains(&process), "{options}: {message}");
        }
        assert!(refused(at, "train --resume c").contains(&process));
        let (mut child, _stdout) = first;
        child.kill().unwrap();
        child.wait().unwrap();
        // The locks died with their process; what it left goes with the next run.
        fs::write(at.join(".o.safetensors.1-0.tmp"), "part").unwrap();
        run(at, &format!("train {TABLE} --quiet {files}"));
        assert_eq!(hidden(at), [] as [&str; 0]);
    }

    #[test]
    fn a_foreign_file_is_kept_and_nothing_is_lost() {
        for (option, name, instead) in [
            ("--out", "o.safetensors", "o-1.safetensors"),
            ("--checkpoint", "c.safetensors", "c-1.safetensors"),
            ("--history", "h.json", "h-1.json"),
        ] {
            for earlier in [false, true] {
                let folder = TempDir::new().unwrap();
                let at = folder.path();
                table(at, "table.csv");
                if earlier {
                    run(at, &format!("train {TABLE} --quiet {option} {name}"));
                }
                let first = begun(at, &format!("{LONG} {option} {name}"));
                fs::write(at.join("precious"), "precious").unwrap();
                fs::rename(at.join("precious"), at.join(name)).unwrap();
                // Time for some checkpoints.
                std::thread::sleep(Duration::from_millis(100));
                let (status, message) = stopped(first);
                assert_eq!(status, 1, "{message}");
                let words = format!("was written to {instead} instead");
                assert_eq!(message.matches(&words).count(), 1, "{message}");
                assert_eq!(fs::read_to_string(at.join(name)).unwrap(), "precious");
                match option {
                    "--history" => drop(json(&fs::read_to_string(at.join(instead)).unwrap())),
                    _ => drop(run(at, &format!("inspect {instead}"))),
                }
                if option == "--checkpoint" {
                    run(at, "inspect model.safetensors");
                }
                assert_eq!(hidden(at), [] as [&str; 0]);
            }
        }
    }

    #[test]
    fn results_of_a_sweep_are_not_lost_to_a_foreign_file() {
        let folder = TempDir::new().unwrap();
        let at = folder.path();
        table(at, "table.csv");
        let options = "sweep --out s.jsonl --jobs 1 --vary epochs=1/2000/2001 -- --data table.csv \
                       --validation 0.1 --schedule constant --hidden 8";
        let mut child = spawn(at, options);
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.starts_with("run 0 finished") {
            line.clear();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "it ended too early");
        }
        fs::write(at.join("s.jsonl"), "precious").unwrap();
        let mut rest = String::new();
        stderr.read_to_string(&mut rest).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{rest}");
        assert!(rest.contains("was written to s-1.jsonl instead"), "{rest}");
        assert!(text(&output.stdout).contains("To train the best run again"));
        assert_eq!(fs::read_to_string(at.join("s.jsonl")).unwrap(), "precious");
        let lines = fs::read_to_string(at.join("s-1.jsonl")).unwrap();
        assert_eq!(lines.lines().map(json).count(), 3);
    }

    /// A second signal ends the program, but not in the middle of a file.
    #[test]
    fn signals_do_not_cut_off_a_file() {
        let folder = TempDir::new().unwrap();
        let at = folder.path();
        table(at, "table.csv");
        let large = "--hidden 1500,1500 --learning-rate 0.0001 --epochs 1 --quiet";
        let mut saved = 0;
        for attempt in 0..6 {
            let out = format!("m{attempt}.safetensors");
            let mut child =
                spawn(at, &format!("train --preset quick --data table.csv {large} --out {out}"));
            let begin = Instant::now();
            // From the moment on when the temporary file is there, the model is being saved.
            while !hidden(at).iter().any(|name| name.ends_with(".tmp")) {
                assert!(begin.elapsed() < Duration::from_secs(60));
                if child.try_wait().unwrap().is_some() {
                    break;
                }
            }
            for signal in ["TERM", "INT", "TERM"] {
                let _ = Process::new("kill").args(["-s", signal, &child.id().to_string()]).output();
                std::thread::sleep(Duration::from_millis(25));
            }
            child.wait().unwrap();
            assert_eq!(hidden(at), [] as [&str; 0]);
            if at.join(&out).exists() {
                run(at, &format!("inspect {out}"));
                saved += 1;
            }
        }
        assert!(saved > 0);
    }

    #[test]
    fn a_hang_up_stops_a_run_but_not_under_nohup() {
        let folder = TempDir::new().unwrap();
        let at = folder.path();
        table(at, "table.csv");
        // Where the tests themselves run under nohup, every child ignores the signal, too.
        let probe = Process::new("sh").args(["-c", "kill -HUP $$; echo alive"]).output().unwrap();
        if probe.stdout.is_empty() {
            let (child, mut stdout) = begun(at, LONG);
            send(&child, "HUP");
            stdout.read_to_end(&mut Vec::new()).unwrap();
            assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
            run(at, "inspect model.safetensors");
        } else {
            eprintln!("SIGHUP is ignored here: its effect on a run is not tested");
        }
        let command = format!("trap '' HUP; exec {} {LONG}", env!("CARGO_BIN_EXE_gradus"));
        let mut child = Process::new("sh")
            .args(["-c", &command])
            .current_dir(at)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        send(&child, "HUP");
        std::thread::sleep(Duration::from_millis(200));
        assert!(child.try_wait().unwrap().is_none(), "the signal was ignored before");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// A limit on the size of files, which stands for a full disk and needs no administrator.
    fn limited(folder: &Path, blocks: u32, arguments: &str) -> Child {
        let program = env!("CARGO_BIN_EXE_gradus");
        let command = format!("ulimit -f {blocks}; exec {program} {arguments}");
        Process::new("sh")
            .args(["-c", &command])
            .current_dir(folder)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    }

    #[test]
    fn a_model_that_does_not_fit_is_an_error_and_the_old_one_stays() {
        let folder = TempDir::new().unwrap();
        let at = folder.path();
        table(at, "table.csv");
        run(at, &format!("train {TABLE} --quiet"));
        let old = fs::read(at.join("model.safetensors")).unwrap();
        // 16 KiB at most, in units of 512 bytes.
        let options = "train --data table.csv --hidden 3000 --learning-rate 0.0001 --json";
        let child = limited(at, 32, &format!("{options} --epochs 2 --history h.csv"));
        let output = child.wait_with_output().unwrap();
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains("cannot write model.safetensors"), "{message}");
        assert!(message.contains("free some space"), "{message}");
        assert!(fs::read(at.join("model.safetensors")).unwrap() == old);
        // What fits is written nevertheless.
        assert!(fs::read_to_string(at.join("h.csv")).unwrap().contains("\n1,"));
        // And so if a signal ends the run.
        let mut child = limited(at, 32, &format!("{options} --epochs 1000000"));
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let (status, message) = stopped((child, stdout));
        assert_eq!(status, 1, "{message}");
        assert!(message.contains("cannot write model.safetensors"), "{message}");
        assert!(fs::read(at.join("model.safetensors")).unwrap() == old);
        assert_eq!(hidden(at), [] as [&str; 0]);
        // Other commands.
        for command in ["report model.safetensors -o r.html", "export model.safetensors e.onnx"] {
            let output = limited(at, 1, command).wait_with_output().unwrap();
            assert_eq!(output.status.code(), Some(1), "{command}");
            assert!(text(&output.stderr).contains("free some space"), "{}", text(&output.stderr));
        }
        assert!(!at.join("r.html").exists() && !at.join("e.onnx").exists());
        assert_eq!(hidden(at), [] as [&str; 0]);
        // Of a sweep, the lines stay that were complete.
        let sweep =
            "sweep --out s.jsonl --vary epochs=1/2/3/4 --jobs 1 -- --data table.csv --hidden 8";
        let output = limited(at, 2, sweep).wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        let lines = fs::read_to_string(at.join("s.jsonl")).unwrap();
        assert!(lines.ends_with('\n') && lines.lines().map(json).count() > 0);
        run(at, sweep);
    }
}
