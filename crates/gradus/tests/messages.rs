//! Messages of the libraries name settings, never options of the program: the program and the Python
//! package replace a setting's name by their own spelling.

use std::fs;
use std::path::{Path, PathBuf};

const LIBRARIES: [&str; 4] = ["gradus-kernels", "gradus-core", "gradus-data", "gradus"];

fn source_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            source_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Whether a line of code has an option such as `--learning-rate`; comments may.
fn names_an_option(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or("");
    let words = code.split("--").skip(1);
    words.into_iter().any(|after| after.starts_with(|c: char| c.is_ascii_lowercase()))
}

#[test]
fn no_message_of_a_library_names_an_option_of_the_program() {
    for name in LIBRARIES {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("src");
        let mut files = Vec::new();
        source_files(&source, &mut files);
        assert!(!files.is_empty(), "the source of {name} was not found");
        for file in files {
            for (at, line) in fs::read_to_string(&file).unwrap().lines().enumerate() {
                let place = format!("{}:{}", file.display(), at + 1);
                assert!(!names_an_option(line), "{place}: name the setting between backticks");
            }
        }
    }
}

#[test]
fn an_option_would_be_seen() {
    assert!(names_an_option(r#"    "use a smaller --learning-rate""#));
    assert!(!names_an_option("    // as --learning-rate does"));
    assert!(!names_an_option("    \"a - b -- c\""));
}
