//! The program and small data for tests of complete workflows.

#![allow(dead_code)] // not every test file uses all of it
use std::fs;
use std::path::Path;
use std::process::{Child, Command as Process, Stdio};

use assert_cmd::Command;
use gradus::data::images::{GreyImage, encode_png};
use serde_json::Value;

pub(crate) mod launchers;
pub(crate) mod server;

/// The program, started in `folder`, isolated from the data of this machine.
pub(crate) fn gradus(folder: &Path, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gradus"));
    command.current_dir(folder).args(arguments.split_whitespace());
    command.env("GRADUS_DATA", "").env("HOME", folder).env("XDG_CACHE_HOME", folder);
    command
}

/// The standard output of a command that must succeed.
pub(crate) fn run(folder: &Path, arguments: &str) -> String {
    let output = gradus(folder, arguments).assert().success();
    String::from_utf8(output.get_output().stdout.clone()).unwrap()
}

pub(crate) fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// 300 points in three well-separated classes.
pub(crate) fn table(folder: &Path, name: &str) {
    let mut text = String::from("u,v,label\n");
    for i in 0..300 {
        let (class, turn) = (i % 3, i as f64 * 0.7);
        let centre = [(0.0, 0.0), (5.0, 0.0), (0.0, 5.0)][class];
        let (u, v) = (centre.0 + turn.sin(), centre.1 + turn.cos());
        text += &format!("{u:.3},{v:.3},{}\n", ["red", "green", "blue"][class]);
    }
    fs::write(folder.join(name), text).unwrap();
}

/// A short run on that table.
pub(crate) const TABLE: &str = "--data table.csv --normalize standard --hidden 8 --batch-size 16 --epochs 10 \
                     --learning-rate 0.02";

/// A folder `classes` of two classes with ten images of 9 x 9 pixels each: a light one and a dark one.
pub(crate) fn image_classes(folder: &Path, names: [&str; 2]) {
    for (class, level) in names.into_iter().zip([200, 20]) {
        let place = folder.join("classes").join(class);
        fs::create_dir_all(&place).unwrap();
        for index in 0..10 {
            let mut pixels = vec![level; 81];
            pixels[index] = 90;
            let png = encode_png(&GreyImage::new(9, 9, pixels).unwrap());
            fs::write(place.join(format!("{index}.png")), png).unwrap();
        }
    }
}

/// The program, running.
pub(crate) fn spawn(folder: &Path, arguments: &str) -> Child {
    Process::new(env!("CARGO_BIN_EXE_gradus"))
        .current_dir(folder)
        .args(arguments.split_whitespace())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Changes a bit in the middle of a file, and returns what it held.
pub(crate) fn damage(path: &Path) -> Vec<u8> {
    let whole = fs::read(path).unwrap();
    let mut content = whole.clone();
    content[whole.len() / 2] ^= 1;
    fs::write(path, content).unwrap();
    whole
}

/// 300 rows with targets that are functions of two columns.
pub(crate) fn valued_table(folder: &Path, name: &str) {
    let mut text = String::from("height,u,v,width\n");
    for i in 0..300 {
        let (u, v) = ((i as f64 * 0.7).sin(), (i as f64 * 1.3).cos());
        text += &format!("{:.4},{u:.4},{v:.4},{:.4}\n", 10.0 + 2.0 * u - v, u * v);
    }
    fs::write(folder.join(name), text).unwrap();
}
