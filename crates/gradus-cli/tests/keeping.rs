//! Early stopping, checkpoints and resumed runs; weights of samples and classes.

mod common;

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use common::{TABLE, gradus, json, run, table, text};
use tempfile::TempDir;

/// The message on standard error of a command that fails with this status.
fn refused(command: &mut Command, status: i32) -> String {
    text(&command.assert().code(status).get_output().stderr)
}

fn bytes(folder: &Path, name: &str) -> Vec<u8> {
    fs::read(folder.join(name)).unwrap()
}

#[test]
fn a_resumed_run_takes_few_options_and_gives_the_same_file() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    table(at, "table.csv");
    let options = "--batch-norm --average 0.9 --schedule plateau:1:0.5 --validation 0.2";
    run(at, &format!("train {TABLE} {options} --quiet --history whole.csv --checkpoint c"));
    let whole = bytes(at, "model.safetensors");
    // Every third epoch: the last checkpoint is that of epoch 8, the ninth of ten.
    let every = "--checkpoint d --checkpoint-every 3 --out other.safetensors";
    run(at, &format!("train {TABLE} {options} --quiet {every}"));
    assert!(bytes(at, "other.safetensors") == whole);
    let allowed = "--threads 2 --json --verbose --history h.csv --checkpoint e --out r.safetensors";
    let printed = run(at, &format!("train --resume d {allowed}"));
    assert!(bytes(at, "r.safetensors") == whole);
    let events: Vec<_> = printed.lines().map(json).collect();
    assert_eq!(
        (events.len(), &events[0]["epoch"], &events[1]["epochs"]),
        (2, &9.into(), &10.into())
    );
    // Except for times, the history is that of the whole run.
    let figures = |name| -> Vec<String> {
        let text = String::from_utf8(bytes(at, name)).unwrap();
        text.lines().map(|line| line.rsplit_once(',').unwrap().0.to_owned()).collect()
    };
    assert_eq!(figures("h.csv"), figures("whole.csv"));
    // Resuming a finished run only writes the model again.
    for finished in ["c", "e"] {
        run(at, &format!("train --resume {finished} --quiet --out again.safetensors"));
        assert!(bytes(at, "again.safetensors") == whole, "{finished}");
    }
    // The data may have moved.
    fs::create_dir(at.join("moved")).unwrap();
    fs::rename(at.join("table.csv"), at.join("moved/table.csv")).unwrap();
    let gone = refused(&mut gradus(at, "train --resume d"), 1);
    assert!(gone.contains("table.csv"), "{gone}");
    run(at, "train --resume d --data moved/table.csv --quiet --out moved.safetensors");
    assert!(bytes(at, "moved.safetensors") == whole);
}

#[test]
fn what_contradicts_a_checkpoint_is_refused() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    table(at, "table.csv");
    run(at, &format!("train {TABLE} --quiet --checkpoint c --checkpoint-every 4"));
    let model = bytes(at, "model.safetensors");
    for option in [
        "--preset quick",
        "--batch-size 16",
        "--optimizer adamw",
        "--learning-rate 0.02",
        "--momentum 0.9",
        "--nesterov",
        "--schedule cosine",
        "--warm-up 1",
        "--seed 0",
        "--hidden 8",
        "--activation relu",
        "--init he",
        "--normalize standard",
        "--validation 0.1",
        "--dropout 0",
        "--batch-norm",
        "--mixup 0.1",
        "--clip-norm 1",
        "--ema-decay 0.9",
        "--class-weights balanced",
        "--distort none",
        "--patience 3",
        "--monitor loss",
    ] {
        let message = refused(&mut gradus(at, &format!("train --resume c {option}")), 2);
        let name = option.split(' ').next().unwrap();
        assert!(message.contains(&format!("{name} cannot be given with --resume")), "{message}");
    }
    fs::write(at.join("ones.txt"), "1\n".repeat(300)).unwrap();
    let rows = fs::read_to_string(at.join("table.csv")).unwrap();
    fs::write(at.join("other.csv"), rows.replacen("green", "blue", 1)).unwrap();
    for other in ["--data other.csv", "--sample-weights ones.txt"] {
        let message = refused(&mut gradus(at, &format!("train --resume c {other}")), 2);
        let words = "the data are not those that the run was begun with";
        assert!(message.contains(words), "{other}: {message}");
    }
    for (options, status, words) in [
        ("--resume model.safetensors --out m.safetensors", 1, "a model, but no checkpoint"),
        ("--resume none", 1, "none"),
        ("--resume table.csv", 1, "not a gradus model"),
        ("--resume c --out c.txt", 2, ".safetensors"),
        ("--checkpoint-every 3", 2, "--checkpoint-every has no effect: there is no checkpoint"),
        ("--checkpoint c --checkpoint-every 0", 2, "expected a number of epochs"),
        ("--checkpoint c --checkpoint-every 0m", 2, "expected a number of epochs"),
        ("--checkpoint a.safetensors --out a.safetensors", 2, "choose different names"),
        ("--checkpoint ./a.safetensors --out a.safetensors", 2, "choose different names"),
        ("--checkpoint table.csv", 1, "would be lost"),
        ("--min-delta 0.1", 2, "--patience"),
        ("--patience 0", 2, "expected a whole number from 1"),
        ("--hidden 8 --patience 3 --monitor val_loss", 2, "there are no validation data"),
    ] {
        let command = format!("train --data table.csv {options}");
        let message = refused(&mut gradus(at, &command), status);
        assert!(message.contains(words), "{options}: {message}");
    }
    assert!(bytes(at, "model.safetensors") == model);
    // Any number of minutes.
    run(at, &format!("train {TABLE} --quiet --checkpoint m --checkpoint-every 1e300m"));
    assert!(!at.join("m").exists());
    run(at, &format!("train {TABLE} --quiet --checkpoint m --checkpoint-every 1e-9m"));
    run(at, "inspect m");
}

/// Every kind of change to the data is noticed on resume, and named.
#[test]
fn changed_data_are_refused_and_the_change_is_named() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    table(at, "table.csv");
    fs::write(at.join("test.csv"), "u,v,label\n5,0,green\n0,0,red\n0,5,blue\n").unwrap();
    let options = format!("train {TABLE} --validation 0.2 --quiet --checkpoint-every 4");
    run(at, &format!("{options} --checkpoint d --test test.csv"));
    run(at, &format!("{options} --checkpoint c --out other.safetensors"));
    let rows = fs::read_to_string(at.join("table.csv")).unwrap();
    let swapped = {
        let mut lines: Vec<&str> = rows.lines().collect();
        // Two rows of the same class.
        lines.swap(1, 4);
        lines.join("\n") + "\n"
    };
    let mut without = rows.clone();
    without.truncate(without.trim_end().rfind('\n').unwrap() + 1);
    for (name, content, words) in [
        ("class", rows.replace("green", "grass"), "'green' is now called 'grass'"),
        ("value", rows.replacen("0.000", "0.001", 1), "data: the values of the inputs"),
        ("order", swapped, "the order of the samples"),
        ("label", rows.replacen("green", "blue", 1), "the targets"),
        ("row", without, "there were 192 samples, and now"),
        ("length", rows.replace("5.", "6."), "data: the values of the inputs"),
    ] {
        assert!(content != rows, "{name}");
        fs::write(at.join("table.csv"), content).unwrap();
        let message = refused(&mut gradus(at, "train --resume c --quiet"), 2);
        let first = "the data are not those that the run was begun with: ";
        assert!(message.contains(first) && message.contains(words), "{name}: {message}");
    }
    // Columns are matched by name already when the table is read.
    fs::write(at.join("table.csv"), rows.replacen("u,v,", "u,w,", 1)).unwrap();
    let message = refused(&mut gradus(at, "train --resume c --quiet"), 1);
    assert!(message.contains("the table has no column \"v\""), "{message}");
    fs::write(at.join("table.csv"), &rows).unwrap();
    let message = refused(&mut gradus(at, "train --resume c --label-column u"), 1);
    assert!(message.contains("the table has no column"), "{message}");
    // Other test data change no model, but the result is not comparable.
    let resume = "train --resume d --quiet --out again.safetensors";
    let reported =
        |command: &str| text(&gradus(at, command).assert().success().get_output().stderr);
    let words = "the test data are not those that the run was begun with";
    assert!(!reported(resume).contains(words));
    assert!(bytes(at, "again.safetensors") == bytes(at, "model.safetensors"));
    fs::write(at.join("test.csv"), "u,v,label\n5,0,green\n").unwrap();
    assert!(reported(resume).contains(words));
}

#[test]
fn patience_keeps_and_names_the_best_epoch() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    table(at, "table.csv");
    let options =
        format!("train {TABLE} --validation 0.2 --patience 2 --min-delta 0.05 --epochs 500");
    let options = options.replace("--epochs 10 ", "");
    let printed = run(at, &format!("{options} --history h.json"));
    let history = json(&fs::read_to_string(at.join("h.json")).unwrap());
    let losses: Vec<f64> = serde_json::from_value(history["val_loss"].clone()).unwrap();
    let lowest = |until: usize| losses[..until].iter().copied().fold(f64::INFINITY, f64::min);
    let best = losses.iter().position(|&loss| loss == lowest(losses.len())).unwrap();
    // Two epochs in a row that are not better than all before them by 0.05, for the first time.
    let progress = |at: usize| at == 0 || losses[at] < lowest(at) - 0.05;
    let waited = |at: usize| at > 1 && !progress(at) && !progress(at - 1);
    assert_eq!((0..500).find(|&at| waited(at)), Some(losses.len() - 1));
    let reported = format!(
        "\nKept the weights from epoch {best}, the best one (val_loss = {:.4})\n",
        losses[best]
    );
    assert!(printed.contains(&reported), "{reported}: {printed}");
    let done = json(run(at, &format!("{options} --json")).lines().last().unwrap());
    assert_eq!((&done["best_epoch"], &done["epochs"]), (&best.into(), &losses.len().into()));
    let training = &json(&run(at, "inspect model.safetensors --json"))["training"];
    assert_eq!(
        (&training["best_epoch"], &training["outcome"]),
        (&best.into(), &"no_progress".into())
    );
}

#[test]
fn a_run_that_diverges_says_which_model_is_kept() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    // A penalty that makes all weights grow until they overflow; the first epoch is the best.
    let options = "train --data digits --hidden 16 --optimizer sgd --learning-rate 0.001 --l2 2005 \
                   --schedule constant --epochs 60 --quiet";
    let kept =
        refused(&mut gradus(at, &format!("{options} --patience 59 --out best.safetensors")), 1);
    assert!(kept.contains("best.safetensors holds the weights from epoch 0"), "{kept}");
    let kept = refused(&mut gradus(at, options), 1);
    let last = json(&run(at, "inspect model.safetensors --json"))["training"]["epochs"].as_u64();
    let last = last.unwrap() - 1;
    let words = format!("in epoch {}: the steps", last + 1);
    let weights = format!("model.safetensors holds the weights from epoch {last}");
    assert!(kept.contains(&words) && kept.contains(&weights), "{kept}");
    // The last epochs were worse than guessing: they do not replace a model.
    let model = bytes(at, "model.safetensors");
    let kept = refused(&mut gradus(at, options), 1);
    assert!(
        kept.contains("No epoch did better than guessing; model.safetensors is unchanged"),
        "{kept}"
    );
    assert!(bytes(at, "model.safetensors") == model);
}

#[test]
fn weights_of_classes_and_samples_are_used_and_checked() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    table(at, "table.csv");
    fs::write(at.join("few.csv"), "u,v,label\n5,0,green\n0,0,red\n0,5,blue\n").unwrap();
    fs::write(at.join("points.csv"), "u,v\n0,5\n1,5\n5,0\n0,0\n").unwrap();
    let train = format!("train {TABLE} --test few.csv --quiet");
    // Red, green and blue alternate; blue is the first class. Without the losses of blue samples, the
    // network cannot learn blue.
    fs::write(at.join("no-blue.txt"), "1\n1\n0\n".repeat(100)).unwrap();
    run(at, &format!("{train} --sample-weights no-blue.txt --out samples.safetensors"));
    run(at, &format!("{train} --class-weights 0,1,1 --out classes.safetensors"));
    let [samples, classes] = ["samples", "classes"]
        .map(|model| run(at, &format!("predict {model}.safetensors points.csv --json")));
    assert_eq!(samples, classes);
    let recipe = |model: &str| json(&run(at, &format!("inspect {model}.safetensors --json")));
    let reported = |model| recipe(model)["training"]["config"]["sample_weights"].take();
    assert_eq!(reported("samples"), "file");
    assert!(reported("classes").is_null());
    // Weights stay with their rows when some samples are held out for testing.
    let table =
        format!("train {TABLE} --quiet --sample-weights no-blue.txt --out split.safetensors");
    run(at, &table);
    let split = run(at, "predict split.safetensors points.csv --json");
    assert!(!split.contains(r#""label":"blue""#), "{split}");
    assert!(!samples.contains(r#""label":"blue""#), "{samples}");
    run(at, &format!("{train} --class-weights balanced"));
    let balanced = run(at, "predict model.safetensors points.csv --json");
    assert!(balanced.lines().next().unwrap().contains(r#""label":"blue""#), "{balanced}");

    for (name, content, words) in [
        ("few.txt", "1\n2\n3\n".to_owned(), "3 sample weights for 300 samples"),
        ("words.txt", "1\nmuch\n".to_owned(), "line 2 is 'much'; expected one number"),
        ("negative.txt", "1\n-1\n1\n".repeat(100), "the weight of sample 1 is -1"),
        ("nan.txt", "1\nnan\n1\n".repeat(100), "the weight of sample 1 is NaN"),
        ("zeros.txt", "0\n".repeat(300), "all sample weights are 0"),
        ("empty.txt", String::new(), "0 sample weights for 300 samples"),
        ("damaged.npy", "NUMPY".to_owned(), "damaged.npy"),
    ] {
        fs::write(at.join(name), content).unwrap();
        let message = refused(&mut gradus(at, &format!("{train} --sample-weights {name}")), 1);
        assert!(message.contains(words) && message.contains(name), "{name}: {message}");
    }
    let few = format!("train {TABLE} --sample-weights few.txt");
    assert!(refused(&mut gradus(at, &few), 1).contains("3 sample weights for 300 samples"));
    let message = refused(&mut gradus(at, &format!("{train} --sample-weights none.txt")), 1);
    assert!(message.contains("none.txt"), "{message}");
    for (weights, words) in [
        ("1,2", "2 class weights, but the data have 3 classes"),
        ("1,2,x", "expected equal, balanced, or numbers"),
        ("1,2,-1", "--class-weights is 1,2,-1, but must be at least 0"),
        ("0,0,0", "not all 0"),
    ] {
        let message = refused(&mut gradus(at, &format!("{train} --class-weights {weights}")), 2);
        assert!(message.contains(words), "{weights}: {message}");
    }
}

#[cfg(unix)]
mod unix {
    use super::*;
    use common::spawn;
    use std::io::{BufRead, BufReader, Read};
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    /// Kills the program after a while.
    fn killed(folder: &Path, arguments: &str, after: Duration) {
        let mut child = spawn(folder, arguments);
        sleep(after);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Whenever the run is killed, the checkpoint is complete, and resuming gives the same bytes.
    #[test]
    fn a_killed_run_loses_nothing_but_its_last_epoch() {
        let folder = TempDir::new().unwrap();
        let at = folder.path();
        table(at, "table.csv");
        let options = format!(
            "train {} --epochs 30 --batch-norm --average 0.9 --dropout 0.1 --validation 0.2 \
             --patience 20 --monitor val_accuracy --quiet",
            TABLE.replace("--epochs 10 ", "")
        );
        run(at, &format!("{options} --out whole.safetensors"));
        let whole = bytes(at, "whole.safetensors");
        let begin = Instant::now();
        run(at, &format!("{options} --checkpoint c --out same.safetensors"));
        let time = begin.elapsed();
        assert!(bytes(at, "same.safetensors") == whole);
        let mut resumed = 0;
        for attempt in 0..20 {
            for file in ["c", "model.safetensors"] {
                let _ = fs::remove_file(at.join(file));
            }
            killed(at, &format!("{options} --checkpoint c"), time * attempt / 20);
            if !at.join("c").exists() {
                continue;
            }
            run(at, "inspect c");
            // And again, while resumed.
            killed(at, "train --resume c --quiet", time * (attempt * 7 % 20) / 40);
            run(at, "inspect c");
            run(at, "train --resume c --quiet");
            assert!(bytes(at, "model.safetensors") == whole, "attempt {attempt}");
            resumed += 1;
        }
        assert!(resumed > 3, "{resumed} of 20 left a checkpoint");
    }

    #[test]
    fn a_checkpoint_that_could_not_be_written_is_refused_at_the_start() {
        let folder = TempDir::new().unwrap();
        let at = folder.path();
        table(at, "table.csv");
        fs::create_dir(at.join("folder")).unwrap();
        fs::write(at.join("kept"), "").unwrap();
        let mut permissions = fs::metadata(at.join("kept")).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(at.join("kept"), permissions).unwrap();
        let mut cases = vec![
            ("none/c", "the folder none does not exist"),
            ("folder", "it is a folder"),
            ("kept", "read-only"),
            ("/dev/null", "device"),
        ];
        if cfg!(target_os = "linux") {
            // Nobody can write there, not even root.
            cases.push(("/sys/c", "cannot write /sys/c"));
        }
        for (path, words) in cases {
            let command = format!(
                "train --preset quick --data table.csv --epochs 1000000 --checkpoint {path}"
            );
            let output = gradus(at, &command).assert().code(1).get_output().clone();
            assert!(text(&output.stderr).contains(words), "{path}: {}", text(&output.stderr));
            assert!(output.stdout.is_empty() && !at.join("model.safetensors").exists());
        }
    }

    #[test]
    fn a_checkpoint_that_cannot_be_written_any_more_is_a_warning() {
        let folder = TempDir::new().unwrap();
        let at = folder.path();
        table(at, "table.csv");
        fs::create_dir(at.join("sub")).unwrap();
        let long = TABLE.replace("--epochs 10 ", "--epochs 150 ");
        let mut child = spawn(at, &format!("train {long} --json --checkpoint sub/c"));
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        fs::rename(at.join("sub"), at.join("gone")).unwrap();
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).unwrap();
        let output = child.wait_with_output().unwrap();
        let warnings = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{warnings}");
        assert!(warnings.contains("the folder sub does not exist"), "{warnings}");
        // Once per reason (the file may have been partly written), not after every epoch.
        let reported = warnings.matches("; the run continues without it").count();
        assert!(reported == 1 || reported == 2, "{warnings}");
        assert_eq!(json(rest.lines().last().unwrap())["epochs"], 150);
        // The earlier checkpoint is intact.
        if at.join("gone/c").exists() {
            run(at, "train --resume gone/c --quiet --out resumed.safetensors");
            assert!(bytes(at, "resumed.safetensors") == bytes(at, "model.safetensors"));
        }
    }

    /// A disk of 64 KiB, if the system allows creating one.
    #[cfg(target_os = "linux")]
    struct SmallDisk(std::path::PathBuf);

    #[cfg(target_os = "linux")]
    impl SmallDisk {
        fn mount(path: std::path::PathBuf) -> Option<SmallDisk> {
            fs::create_dir(&path).unwrap();
            let mut mount = std::process::Command::new("mount");
            mount.args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(&path);
            mount.output().is_ok_and(|output| output.status.success()).then_some(SmallDisk(path))
        }
    }

    #[cfg(target_os = "linux")]
    impl Drop for SmallDisk {
        fn drop(&mut self) {
            let _ = std::process::Command::new("umount").arg(&self.0).status();
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_reported_and_nothing_is_lost() {
        let folder = TempDir::new().unwrap();
        let at = folder.path();
        let Some(_disk) = SmallDisk::mount(at.join("disk")) else {
            eprintln!("skipped: only the administrator can make a small disk");
            return;
        };
        table(at, "table.csv");
        let large =
            TABLE.replace("--hidden 8 ", "--hidden 8000 ").replace("--epochs 10", "--epochs 2");
        let names = || fs::read_dir(at.join("disk")).unwrap().count();
        // Checkpoints fail, but the model is written.
        let output =
            gradus(at, &format!("train {large} --quiet --checkpoint disk/c")).assert().success();
        let warnings = text(&output.get_output().stderr);
        assert!(warnings.contains("cannot write disk/c: "), "{warnings}");
        assert!(warnings.contains("free some space or choose another path"), "{warnings}");
        assert_eq!(names(), 0);
        run(at, "inspect model.safetensors");
        // An earlier model survives if a larger one does not fit.
        run(at, &format!("train {TABLE} --quiet --out disk/m.safetensors"));
        let small = bytes(at, "disk/m.safetensors");
        let message =
            refused(&mut gradus(at, &format!("train {large} --out disk/m.safetensors")), 1);
        assert!(message.contains("free some space or choose another path"), "{message}");
        assert!(bytes(at, "disk/m.safetensors") == small);
        assert_eq!(names(), 1);
        // If there is no room for the history, the model and its test result are still reported.
        let full = at.join("disk/full");
        let _ = fs::write(&full, vec![0; 65536]);
        let output =
            gradus(at, &format!("train {TABLE} --out kept.safetensors --history disk/h.csv"))
                .assert()
                .code(1);
        let (reported, message) =
            (text(&output.get_output().stdout), text(&output.get_output().stderr));
        assert!(
            reported.contains("Wrote kept.safetensors") && reported.contains("\nTest: "),
            "{reported}"
        );
        assert!(message.contains("cannot write disk/h.csv"), "{message}");
    }
}
