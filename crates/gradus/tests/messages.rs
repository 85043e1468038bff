//! Messages of the libraries name settings, never options of the program: the program and the Python
//! package replace a setting's name by their own spelling.

use std::fs;

#[path = "common/sources.rs"]
mod sources;

use sources::{source_files, source_folder};

const LIBRARIES: [&str; 4] =
    ["crates/gradus-kernels", "crates/gradus-core", "crates/gradus-data", "crates/gradus"];

/// Whether a line of code has an option such as `--learning-rate`; comments may.
fn names_an_option(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or("");
    let words = code.split("--").skip(1);
    words.into_iter().any(|after| after.starts_with(|c: char| c.is_ascii_lowercase()))
}

#[test]
fn no_message_of_a_library_names_an_option_of_the_program() {
    for name in LIBRARIES {
        for file in source_files(&source_folder(name)) {
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
