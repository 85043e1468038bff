//! Imports point one way only: the table of allowed imports (docs/architecture.md), held by reading
//! the `use` lines of every file of the library, and that the kernels know nothing of it.

use std::fs;
use std::path::{Path, PathBuf};

/// Each module and the modules of this crate that it may import; `kernels` is the kernels' crate.
const ALLOWED: [(&str, &[&str]); 13] = [
    ("error", &[]),
    ("random", &["kernels"]),
    ("files", &["error"]),
    ("data", &["kernels", "error", "random"]),
    ("network", &["kernels", "error", "random"]),
    ("loss", &["kernels"]),
    ("optimizer", &["kernels"]),
    ("schedule", &[]),
    ("metrics", &["kernels"]),
    ("classifier", &["error", "data", "network", "loss", "metrics"]),
    (
        "training",
        &[
            "error",
            "files",
            "random",
            "data",
            "network",
            "loss",
            "optimizer",
            "schedule",
            "metrics",
            "classifier",
            "model_file",
        ],
    ),
    ("model_file", &["error", "files", "classifier", "network", "data"]),
    ("plot", &["data", "network", "metrics", "training"]),
];

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

/// The modules that a line names: `crate::data::idx` is `data`, `gradus_kernels` is `kernels`.
fn named(line: &str) -> Vec<String> {
    let code = line.split("//").next().unwrap_or("");
    let mut modules = Vec::new();
    for (prefix, fixed) in [("crate::", None), ("gradus_kernels::", Some("kernels"))] {
        for rest in code.split(prefix).skip(1) {
            let first = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or("");
            modules.push(fixed.unwrap_or(first).to_owned());
        }
    }
    modules
}

#[test]
fn imports_follow_the_table() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    source_files(&source, &mut files);
    assert!(files.len() > 20, "the source of the library was not found");
    for file in files {
        let inside = file.strip_prefix(&source).unwrap().with_extension("");
        let module = inside.iter().next().unwrap().to_str().unwrap();
        if module == "lib" {
            continue;
        }
        let (_, allowed) = ALLOWED
            .iter()
            .find(|(name, _)| *name == module)
            .unwrap_or_else(|| panic!("{module} is not in the table of allowed imports"));
        for (number, line) in fs::read_to_string(&file).unwrap().lines().enumerate() {
            for import in named(line) {
                assert!(
                    import == module || allowed.contains(&import.as_str()),
                    "{}:{}: {module} may not import {import}",
                    file.display(),
                    number + 1
                );
            }
        }
    }
}

/// Rows such as "| `files` | `error` |" below "| module | may import |".
#[test]
fn the_table_in_the_documents_is_this_one() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/architecture.md");
    let text = fs::read_to_string(page).unwrap();
    let (_, table) = text.split_once("| module | may import |\n|---|---|\n").unwrap();
    let rows: Vec<(&str, Vec<&str>)> = table
        .lines()
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let mut names = line.split('`').skip(1).step_by(2);
            (names.next().unwrap(), names.collect())
        })
        .collect();
    let expected: Vec<_> =
        ALLOWED.iter().map(|(name, allowed)| (*name, allowed.to_vec())).collect();
    assert_eq!(rows, expected);
}

#[test]
fn a_forbidden_import_would_be_seen() {
    assert_eq!(named("use crate::network::{Input, Network};"), ["network"]);
    assert_eq!(named("let x = crate::training::train; // crate::plot"), ["training"]);
    assert_eq!(named("use gradus_kernels::sparse::Tile;"), ["kernels"]);
    assert_eq!(named("/// [`crate::reference::softmax`]"), Vec::<String>::new());
}
