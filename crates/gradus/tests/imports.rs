//! Imports point one way only, across all crates: the table of allowed imports (docs/architecture.md),
//! held by reading the `use` lines and paths of every file of the libraries.

use std::fs;
use std::path::{Path, PathBuf};

/// Each module of a crate and what it may import: modules of its own crate by name, other crates by
/// theirs.
const ALLOWED: [(&str, &str, &[&str]); 19] = [
    ("gradus-core", "error", &[]),
    ("gradus-core", "files", &["error"]),
    ("gradus-core", "random", &["gradus_kernels"]),
    ("gradus-core", "samples", &["error", "random"]),
    ("gradus-core", "transform", &["gradus_kernels", "error", "random", "samples"]),
    ("gradus-core", "network", &["gradus_kernels", "error", "random"]),
    ("gradus-core", "loss", &["gradus_kernels", "samples"]),
    ("gradus-core", "optimizer", &["gradus_kernels"]),
    ("gradus-core", "schedule", &[]),
    ("gradus-core", "regularization", &["error", "samples", "transform"]),
    (
        "gradus-core",
        "engine",
        &[
            "gradus_kernels",
            "error",
            "random",
            "samples",
            "transform",
            "network",
            "loss",
            "optimizer",
            "regularization",
        ],
    ),
    ("gradus-core", "metrics", &["gradus_kernels"]),
    (
        "gradus-core",
        "model",
        &[
            "gradus_kernels",
            "error",
            "samples",
            "transform",
            "network",
            "loss",
            "engine",
            "metrics",
        ],
    ),
    (
        "gradus-core",
        "training",
        &[
            "gradus_kernels",
            "error",
            "files",
            "samples",
            "transform",
            "network",
            "optimizer",
            "schedule",
            "regularization",
            "engine",
            "metrics",
            "model",
            "model_file",
        ],
    ),
    ("gradus-core", "model_file", &["error", "files", "samples", "transform", "network", "model"]),
    ("gradus", "data", &["gradus_core", "gradus_data"]),
    ("gradus", "network", &["gradus_core", "gradus_kernels"]),
    (
        "gradus",
        "model_file",
        &["gradus_core", "error", "files", "classifier", "network", "data", "transform"],
    ),
    ("gradus", "plot", &["data", "network", "metrics", "training"]),
];

/// Crates of which every module may import these crates, and its own crate's modules.
const WHOLE: [(&str, &[&str]); 2] = [("gradus-kernels", &[]), ("gradus-data", &["gradus_core"])];

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

/// What a line names: `crate::samples::split` is `samples`, `gradus_kernels::matrix` the crate.
fn named(line: &str) -> Vec<String> {
    let code = line.split("//").next().unwrap_or("");
    let mut names = Vec::new();
    let word = |rest: &str| -> String {
        rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    names.extend(code.split("crate::").skip(1).map(word));
    for library in ["gradus_kernels", "gradus_core", "gradus_data"] {
        if code.contains(&format!("{library}::")) {
            names.push(library.to_owned());
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// The files of a crate with the module that each belongs to; `lib.rs` is the map and belongs to none.
fn modules(name: &str) -> Vec<(PathBuf, String)> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("src");
    let mut files = Vec::new();
    source_files(&source, &mut files);
    assert!(!files.is_empty(), "the source of {name} was not found");
    files
        .into_iter()
        .map(|file| {
            let inside = file.strip_prefix(&source).unwrap().with_extension("");
            let module = inside.iter().next().unwrap().to_str().unwrap().to_owned();
            (file, module)
        })
        .filter(|(_, module)| module != "lib")
        .collect()
}

fn check(file: &Path, module: &str, allowed: &[&str]) {
    for (number, line) in fs::read_to_string(file).unwrap().lines().enumerate() {
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

#[test]
fn imports_follow_the_table() {
    for name in ["gradus-core", "gradus"] {
        for (file, module) in modules(name) {
            let (.., allowed) = ALLOWED
                .iter()
                .find(|(owner, known, _)| *owner == name && *known == module)
                .unwrap_or_else(|| panic!("{name}: {module} is not in the table of imports"));
            check(&file, &module, allowed);
        }
    }
}

#[test]
fn the_other_libraries_import_only_crates_below_them() {
    for (name, allowed) in WHOLE {
        for (file, _) in modules(name) {
            for (number, line) in fs::read_to_string(&file).unwrap().lines().enumerate() {
                for import in named(line).iter().filter(|import| import.starts_with("gradus_")) {
                    let place = format!("{}:{}", file.display(), number + 1);
                    assert!(allowed.contains(&import.as_str()), "{place}: may not import {import}");
                }
            }
        }
    }
}

/// Rows such as "| core | `files` | `error` |" below "| crate | module | may import |".
#[test]
fn the_table_in_the_documents_is_this_one() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/architecture.md");
    let text = fs::read_to_string(page).unwrap();
    let (_, table) = text.split_once("| crate | module | may import |\n|---|---|---|\n").unwrap();
    let rows: Vec<(&str, &str, Vec<&str>)> = table
        .lines()
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let mut names = line.split('`').skip(1).step_by(2);
            (names.next().unwrap(), names.next().unwrap(), names.collect())
        })
        .collect();
    let expected: Vec<_> =
        ALLOWED.iter().map(|(owner, name, allowed)| (*owner, *name, allowed.to_vec())).collect();
    assert_eq!(rows, expected);
}

#[test]
fn a_forbidden_import_would_be_seen() {
    assert_eq!(named("use crate::network::{Input, Network};"), ["network"]);
    assert_eq!(named("let x = crate::training::train; // crate::plot"), ["training"]);
    assert_eq!(named("use gradus_kernels::sparse::Tile;"), ["gradus_kernels"]);
    assert_eq!(named("/// [`crate::reference::softmax`]"), Vec::<String>::new());
}
