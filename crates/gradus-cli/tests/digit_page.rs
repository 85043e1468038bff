//! `gradus export MODEL page.html`: the content of the file, and what is refused. Tests in a browser
//! (web/tests) check that the page predicts like the program.

mod common;

use std::fs;

use common::{TABLE, gradus, run, table, text};
use tempfile::TempDir;

/// The error message of a command that fails.
fn refused(folder: &TempDir, arguments: &str, code: i32) -> String {
    let output = gradus(folder.path(), arguments).assert().code(code);
    text(&output.get_output().stderr)
}

#[test]
fn a_page_is_self_contained_and_replaces_only_pages() {
    let folder = TempDir::new().unwrap();
    run(folder.path(), "train --data digits --epochs 1 --hidden 128 --quiet");
    assert_eq!(run(folder.path(), "export model.safetensors digit.html"), "Wrote digit.html\n");
    let page = fs::read_to_string(folder.path().join("digit.html")).unwrap();
    assert!(page.len() < 1_000_000, "{}", page.len());
    assert!(page.contains("default-src 'none'") && page.contains("784-128-10, relu"));
    for word in ["://", "<link", "@import", "import(", "{model}", "{style}", "{about}"] {
        assert!(!page.contains(word), "{word}");
    }
    run(folder.path(), "export model.safetensors digit.html");

    fs::write(folder.path().join("mine.html"), "<p>mine").unwrap();
    let message = refused(&folder, "export model.safetensors mine.html", 1);
    assert!(message.contains("not a page of gradus"), "{message}");
    assert_eq!(fs::read_to_string(folder.path().join("mine.html")).unwrap(), "<p>mine");
    let message = refused(&folder, "export model.safetensors digit.html --uint8", 2);
    assert!(message.contains("--uint8"), "{message}");
}

#[test]
fn a_model_that_does_not_take_digits_has_no_page() {
    let folder = TempDir::new().unwrap();
    table(folder.path(), "table.csv");
    run(folder.path(), &format!("train {TABLE} --quiet"));
    let message = refused(&folder, "export model.safetensors page.html", 1);
    assert!(message.contains("28 x 28"), "{message}");
    assert!(!folder.path().join("page.html").exists());
}
