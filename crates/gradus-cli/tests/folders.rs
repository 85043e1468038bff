//! Folders as people have them: with parts of their own names, packed twice, with what operating systems leave
//! in them, and with names that are no text.

mod common;

use std::fs;
use std::path::Path;

use common::{gradus, json, run, text};
use gradus::data::images::{GreyImage, encode_png};
use tempfile::TempDir;

/// A short run.
const SHORT: &str = "--hidden 4 --batch-size 8";

/// Writes bars of either direction, 8 x 8 pixels, as images of two classes below `place`.
fn write_images(folder: &Path, place: &str, count: usize) {
    for at in 0..count {
        for (class, step) in [("across", 1), ("down", 8)] {
            let mut pixels = vec![0; 64];
            let start = if step == 1 { 8 * (at % 8) } else { at % 8 };
            (0..8).for_each(|cell| pixels[start + step * cell] = 200 + at as u8);
            let image = GreyImage::new(8, 8, pixels).unwrap();
            let path = folder.join(place).join(class).join(format!("{at}.png"));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, encode_png(&image)).unwrap();
        }
    }
}

/// The last JSON line of a training run, and its messages.
fn train(folder: &Path, arguments: &str) -> (serde_json::Value, String) {
    let epochs = if arguments.contains("--epochs") { "" } else { "--epochs 2" };
    let command = format!("train --json {SHORT} {epochs} {arguments}");
    let output = gradus(folder, &command).assert().success();
    let lines = text(&output.get_output().stdout);
    (json(lines.lines().last().unwrap()), text(&output.get_output().stderr))
}

fn error(folder: &Path, arguments: &str) -> String {
    text(&gradus(folder, arguments).assert().failure().get_output().stderr)
}

#[test]
fn a_validation_part_validates() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    for (part, count) in [("train", 12), ("valid", 5), ("test", 4)] {
        write_images(at, &format!("set/{part}"), count);
    }
    let (done, messages) = train(at, "--data set --patience 5");
    assert!(messages.contains("set has a validation part: its 10 samples validate"), "{messages}");
    assert!(done["val_accuracy"].is_f64() && done["test_accuracy"].is_f64(), "{done}");
    assert!(done["best_epoch"].is_u64(), "{done}");
    let model = json(&run(at, "inspect model.safetensors --json"));
    let samples = &model["training"]["samples"];
    assert_eq!(samples["train"], 24, "{model}");
    assert_eq!((&samples["validation"], &samples["test"]), (&10.into(), &8.into()));
    let table = run(at, "data set");
    assert!(table.contains("val") && table.contains("test"), "{table}");
    // A share besides is ambiguous; a set of one's own takes the place of the part.
    let refused = error(at, "train --data set --validation 0.2");
    assert!(refused.contains("set has a validation part of 10 samples"), "{refused}");
    let (_, messages) = train(at, "--data set --validation set/test");
    assert!(messages.contains("used in place of the validation part of set"), "{messages}");
    // Of data with parts, --validation takes the validation part, and --test the test part.
    write_images(at, "plain", 6);
    train(at, "--data plain --validation set --test set");
    let model = json(&run(at, "inspect model.safetensors --json"));
    let samples = &model["training"]["samples"];
    assert_eq!((&samples["validation"], &samples["test"]), (&10.into(), &8.into()));
    let evaluated = json(&run(at, "evaluate model.safetensors --json --data set"));
    assert_eq!(evaluated["samples"], 8, "{evaluated}");
}

#[test]
fn without_a_test_part_nothing_is_split_off() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    write_images(at, "set/train", 12);
    write_images(at, "set/val", 5);
    let (done, messages) = train(at, "--data set");
    assert!(
        messages.contains("its 10 samples validate the run; there is no test part"),
        "{messages}"
    );
    assert!(done["val_accuracy"].is_f64() && done["test_accuracy"].is_null(), "{done}");
    let model = json(&run(at, "inspect model.safetensors --json"));
    assert_eq!(model["training"]["samples"]["train"], 24, "{model}");
    let text_of = run(at, &format!("train --data set --quiet --epochs 2 {SHORT}"));
    assert!(text_of.starts_with("Validation (no test data): loss = "), "{text_of}");
    // Without --data, the same part is the one to measure on, and that is said.
    let output = gradus(&at.join("."), "evaluate model.safetensors --json").assert().success();
    let said = text(&output.get_output().stderr);
    assert!(
        said.contains("set has no test part: the model is measured on the validation part"),
        "{said}"
    );
    assert_eq!(json(&text(&output.get_output().stdout))["samples"], 10);
    run(at, "report model.safetensors");
    // A run that is interrupted and resumed validates on the same part.
    let (whole, _) = train(at, "--data set --checkpoint run.safetensors");
    let resumed = run(at, "train --resume run.safetensors --epochs 3 --json");
    let resumed = json(resumed.lines().last().unwrap());
    assert!(whole["val_loss"].is_f64() && resumed["val_loss"].is_f64(), "{resumed}");
    // A sweep compares its runs on the part, and says how to train the best one again.
    let output = gradus(at, "sweep --vary hidden=4/8 -- --data set --epochs 2").assert().success();
    let (printed, said) = (text(&output.get_output().stdout), text(&output.get_output().stderr));
    assert!(said.contains("set has a validation part") && !said.contains("a tenth"), "{said}");
    assert!(!printed.contains("--validation"), "{printed}");
    run(at, printed.lines().last().unwrap().trim_start_matches("gradus "));
}

#[test]
fn tables_in_a_folder_are_its_parts() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    common::table(at, "train.csv");
    common::table(at, "dev.csv");
    common::table(at, "test.csv");
    let (done, messages) = train(at, "--data . --label-column label");
    assert!(messages.contains("its 300 samples validate"), "{messages}");
    assert!(done["test_accuracy"].is_f64(), "{done}");
    let wrong = error(at, "train --data . --image-size 8");
    assert!(wrong.contains("--image-size has no effect"), "{wrong}");
}

#[test]
fn a_set_s_name_says_which_data_were_meant() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    common::table(at, "digits");
    let output = gradus(at, "data digits --json").assert().success();
    let said = text(&output.get_output().stderr);
    assert!(
        said.contains("not the file in the current folder: for the file write ./digits"),
        "{said}"
    );
    assert_eq!(
        json(&text(&output.get_output().stdout))["class_names"].as_array().unwrap().len(),
        10
    );
    let refused = error(at, "train --data digits --label-column label");
    assert!(
        refused.contains("a named data set; leave it out; digits is the data set of"),
        "{refused}"
    );
    // A model that was trained on the file is evaluated on the file, too.
    train(at, "--data ./digits");
    let evaluated = json(&run(at, "evaluate model.safetensors --json"));
    assert_eq!((&evaluated["samples"], &evaluated["data"]), (&60.into(), &"./digits".into()));
}

#[test]
fn images_are_what_they_contain() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    write_images(at, "set", 8);
    fs::rename(at.join("set/down/0.png"), at.join("set/down/0.jpg")).unwrap();
    fs::write(at.join("set/down/text.png"), "no image").unwrap();
    fs::write(at.join("set/across/a.heic"), b"\0\0\0\x18ftypheic").unwrap();
    for clutter in ["set/Thumbs.db", "set/.DS_Store", "set/down/desktop.ini"] {
        fs::write(at.join(clutter), "").unwrap();
    }
    write_images(at, "set/__MACOSX", 1);
    write_images(at, "set/.ipynb_checkpoints", 1);
    let output = gradus(at, "data set --json").assert().success();
    let said = text(&output.get_output().stderr);
    assert_eq!(json(&text(&output.get_output().stdout))["train"]["samples"], 16);
    assert!(
        said.contains("2 files that are no images") && said.contains("a.heic, down/text.png"),
        "{said}"
    );
    assert!(
        said.contains("1 image has the ending of another format") && said.contains("down/0.jpg"),
        "{said}"
    );
    assert!(!said.contains("__MACOSX") && !said.contains("Thumbs"), "{said}");
}

#[test]
fn folders_of_images_are_predicted() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    write_images(at, "set", 8);
    train(at, "--data set --out m.safetensors");
    fs::write(at.join("set/notes.txt"), "no image").unwrap();
    fs::write(at.join("set/.DS_Store"), "").unwrap();
    fs::copy(at.join("set/down/3.png"), at.join("set/loose.png")).unwrap();
    let lines = run(at, "predict m.safetensors set --json");
    let found: Vec<_> = lines.lines().map(json).collect();
    let names: Vec<_> = found.iter().map(|it| it["file"].as_str().unwrap()).collect();
    assert_eq!(
        (names.len(), names[0], names[8], names[16]),
        (17, "across/0.png", "down/0.png", "loose.png")
    );
    let one = json(&run(at, "predict m.safetensors set/down/3.png --json"));
    assert_eq!(
        (&found[11]["label"], &found[11]["probabilities"]),
        (&one["label"], &one["probabilities"])
    );
    let output = gradus(at, "predict m.safetensors set/down").assert().success();
    let printed = text(&output.get_output().stdout);
    assert!(printed.starts_with("0.png: ") && printed.lines().count() == 8, "{printed}");
    // With several arguments the names say which folder is meant.
    let both = run(at, "predict m.safetensors set/down set/loose.png");
    assert!(both.starts_with("set/down/0.png: ") && both.contains("set/loose.png: "), "{both}");
    let said =
        text(&gradus(at, "predict m.safetensors set").assert().success().get_output().stderr);
    assert!(
        said.contains("1 file that is no image in a supported format")
            && said.contains("notes.txt"),
        "{said}"
    );
    run(at, "predict m.safetensors set --out p.csv");
    let table = fs::read_to_string(at.join("p.csv")).unwrap();
    assert!(
        table.lines().count() == 18 && table.lines().nth(1).unwrap().starts_with("across/0.png,"),
        "{table}"
    );
    fs::create_dir(at.join("empty")).unwrap();
    let none = error(at, "predict m.safetensors empty");
    assert!(none.contains("empty: no image in this folder or below it"), "{none}");
    let column = error(at, "predict m.safetensors set --label-column a");
    assert!(column.contains("--label-column has no effect"), "{column}");
    // A model of a table takes no images: this is said once.
    common::table(at, "table.csv");
    train(at, "--data table.csv --label-column label --out t.safetensors");
    let refused = error(at, "predict t.safetensors set");
    assert_eq!(refused.lines().count(), 1, "{refused}");
}

#[test]
fn emnist_s_files_are_predicted_upright() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let idx = |shape: &[u32], values: &[u8]| {
        let sizes = shape.iter().flat_map(|size| size.to_be_bytes());
        [0, 0, 8, shape.len() as u8]
            .into_iter()
            .chain(sizes)
            .chain(values.to_vec())
            .collect::<Vec<_>>()
    };
    // Bars across in the file: bars down once they are upright.
    let mut pixels = vec![0; 20 * 784];
    for at in 0..20 {
        let (start, step) = if at % 2 == 0 { (28 * (at / 2), 1) } else { (at / 2, 28) };
        (0..28).for_each(|cell| pixels[784 * at + start + step * cell] = 255);
    }
    let labels: Vec<u8> = (0..20).map(|at| at % 2 + 1).collect();
    for part in ["train", "test"] {
        let name = |what: &str| format!("emnist-letters-{part}-{what}-ubyte");
        fs::write(at.join(name("images-idx3")), idx(&[20, 28, 28], &pixels)).unwrap();
        fs::write(at.join(name("labels-idx1")), idx(&[20], &labels)).unwrap();
    }
    let (_, messages) = train(at, "--data . --epochs 30 --out m.safetensors");
    assert!(
        messages.contains("turned upright, and the 26 classes are called a to z"),
        "{messages}"
    );
    let file = "emnist-letters-test-images-idx3-ubyte";
    let output = gradus(at, &format!("predict m.safetensors {file} --json")).assert().success();
    assert!(text(&output.get_output().stderr).contains("were turned upright"));
    fs::copy(at.join(file), at.join("other-idx3")).unwrap();
    let label =
        |lines: &str| json(lines.lines().next().unwrap())["label"].as_str().unwrap().to_owned();
    let turned = label(&text(&output.get_output().stdout));
    let other = run(at, "predict m.safetensors other-idx3 --json");
    assert_eq!((turned, label(&other)), ("a".to_owned(), "b".to_owned()));
    // The same as Kaggle's table.
    let row = |at: usize| {
        let cells = pixels[784 * at..][..784].iter().map(u8::to_string);
        [labels[at].to_string()].into_iter().chain(cells).collect::<Vec<_>>().join(",") + "\n"
    };
    let rows: String = (0..20).map(row).collect();
    fs::write(at.join("emnist-letters-test.csv"), rows).unwrap();
    let evaluate = "evaluate m.safetensors --json --data emnist-letters-test.csv --label-column 0";
    assert_eq!(json(&run(at, evaluate))["accuracy"], 1.0);
    let table = "predict m.safetensors emnist-letters-test.csv --label-column 0 --json";
    assert_eq!(label(&run(at, table)), "a");
}

#[test]
fn exports_say_what_endings_there_are() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    train(at, "--data digits --epochs 1");
    assert_eq!(run(at, "export model.safetensors page.htm"), "Wrote page.htm\n");
    assert!(fs::read_to_string(at.join("page.htm")).unwrap().contains("<html"));
    for (name, found) in [("m.pt", "ends in .pt"), ("m", "has no ending"), ("m.h5", "ends in .h5")]
    {
        let refused = error(at, &format!("export model.safetensors {name}"));
        let expected =
            format!("its name {found}, but must end in .safetensors, .onnx, .npz, .c, or .html");
        assert!(refused.contains(&expected), "{refused}");
        assert!(!at.join(name).exists());
    }
}

/// Names that are no UTF-8, in every place that takes a path.
#[cfg(target_os = "linux")]
#[test]
fn paths_need_not_be_text() {
    use std::ffi::{OsStr, OsString};
    use std::os::unix::ffi::OsStrExt;

    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let bad = |name: &str| {
        let (stem, ending) = name.split_once('.').unwrap_or((name, ""));
        OsStr::from_bytes(&[stem.as_bytes(), b"\xff.", ending.as_bytes()].concat()).to_owned()
    };
    common::table(at, "t.csv");
    fs::rename(at.join("t.csv"), at.join(bad("t.csv"))).unwrap();
    // `@name` is the name with a byte that is no text.
    let words = |line: &str| -> Vec<OsString> {
        let word = |word: &str| match word.split_once('@') {
            Some((before, name)) => {
                let mut word = OsString::from(before);
                word.push(bad(name));
                word
            }
            None => word.into(),
        };
        line.split_whitespace().map(word).collect()
    };
    let run = |line: &str| {
        let output = gradus(at, "").args(words(line)).assert().success();
        (text(&output.get_output().stdout), text(&output.get_output().stderr))
    };
    let data = "--label-column label --hidden 4 --epochs 2";
    run(&format!(
        "train --data @t.csv --test=@t.csv --validation @t.csv -o @m.safetensors --history @h.json \
         --checkpoint @c.safetensors {data}"
    ));
    for made in ["m.safetensors", "h.json", "c.safetensors"] {
        assert!(at.join(bad(made)).is_file(), "{made}");
    }
    let (resumed, _) = run("train --resume @c.safetensors --epochs 3 --json");
    assert!(json(resumed.lines().last().unwrap())["val_loss"].is_f64(), "{resumed}");
    run(
        "train --data @t.csv --init @m.safetensors --epochs 1 -o n.safetensors --label-column label",
    );
    run("evaluate @m.safetensors --data @t.csv");
    let (lines, _) = run("predict @m.safetensors @t.csv --json");
    assert_eq!(json(lines.lines().next().unwrap())["file"], "t\u{fffd}.csv");
    run("inspect @m.safetensors --json");
    run("data @t.csv --label-column label --json");
    run("report @m.safetensors --data @t.csv -o @r.html");
    run("report @h.json -o @curves.html");
    run("export @m.safetensors @m.onnx");
    let (printed, _) = run(&format!("sweep --vary hidden=4/5 -o @s.jsonl -- --data @t.csv {data}")
        .replace("--hidden 4 ", ""));
    assert!(printed.contains(r"--data $'t\xff.csv'"), "{printed}");
    // What cannot be found is named as far as it is text.
    let output = gradus(at, "train").args(words("--data @none.csv")).assert().failure();
    assert!(text(&output.get_output().stderr).contains("none\u{fffd}.csv"));
    // A folder of classes and images with such names.
    write_images(at, "set", 4);
    fs::rename(at.join("set/down"), at.join("set").join(bad("down"))).unwrap();
    fs::rename(at.join("set/across/0.png"), at.join("set/across").join(bad("0.png"))).unwrap();
    run("train --data set --hidden 4 --epochs 1 -o i.safetensors");
    let (lines, _) = run("predict i.safetensors set");
    assert!(lines.contains("across/0\u{fffd}.png: "), "{lines}");
}

#[cfg(unix)]
#[test]
fn names_with_line_breaks_stay_on_their_line() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    write_images(at, "set", 4);
    fs::rename(at.join("set/down"), at.join("set/do\nwn")).unwrap();
    fs::rename(at.join("set/across/0.png"), at.join("set/across/a\nForged: 1.png")).unwrap();
    train(at, "--data set");
    let lines = run(at, "predict model.safetensors set");
    assert!(lines.contains(r"across/a\nForged: 1.png: ") && lines.lines().count() == 8, "{lines}");
    assert!(lines.contains(r"do\nwn/0.png: "), "{lines}");
    let first = json(run(at, "predict model.safetensors set --json").lines().last().unwrap());
    assert_eq!(first["file"], "do\nwn/3.png");
    for command in ["data set", "evaluate model.safetensors --data set"] {
        let printed = run(at, command);
        assert!(
            printed.contains(r"do\nwn") && !printed.lines().any(|line| line.starts_with("wn")),
            "{printed}"
        );
    }
}
