//! Folders as people have them: with parts of their own names, packed twice, with what operating systems leave
//! in them, and with names that are no text.

mod common;

use std::fs;
use std::path::Path;

use common::{gradus, json, run, text};
use gradus::data::images::{GreyImage, encode_png};
use tempfile::TempDir;

/// A short run.
const SHORT: &str = "--hidden 4 --epochs 2 --batch-size 8";

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
    let output = gradus(folder, &format!("train --json {SHORT} {arguments}")).assert().success();
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
    let text_of = run(at, &format!("train --data set --quiet {SHORT}"));
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
