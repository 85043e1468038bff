//! Imports point one way, in all crates: modules follow the table of docs/architecture.md, each imports only
//! modules that `lib.rs` or `main.rs` declares above it, and no files import each other in a circle.

use std::fs;
use std::path::Path;

#[path = "common/import_graph.rs"]
mod import_graph;
#[path = "common/sources.rs"]
mod sources;

use import_graph::{Import, ImportGraph, Module, Target};
use sources::source_folder;

/// All crates, from the lowest to those that nothing imports, with the crates that each may import.
const CRATES: [(&str, &[&str]); 7] = [
    ("crates/gradus-kernels", &[]),
    ("crates/gradus-core", &["gradus_kernels"]),
    ("crates/gradus-data", &["gradus_core"]),
    ("crates/gradus", &["gradus_kernels", "gradus_core", "gradus_data"]),
    ("crates/gradus-mpi", &["gradus_core"]),
    ("crates/gradus-cli", &["gradus", "gradus_mpi"]),
    ("bindings/python", &["gradus"]),
];

/// Each module of a crate and what it may import: modules of its own crate by name, other crates by theirs.
/// The other crates have one rule for all modules (`CRATES`).
const ALLOWED: [(&str, &str, &[&str]); 26] = [
    ("gradus-core", "error", &[]),
    ("gradus-core", "files", &["error"]),
    ("gradus-core", "exchange", &["gradus_kernels", "error"]),
    ("gradus-core", "random", &["gradus_kernels"]),
    ("gradus-core", "samples", &["error", "random"]),
    ("gradus-core", "transform", &["gradus_kernels", "error", "random", "samples"]),
    ("gradus-core", "network", &["gradus_kernels", "error", "random"]),
    ("gradus-core", "loss", &["gradus_kernels", "error", "samples"]),
    ("gradus-core", "optimizer", &["gradus_kernels"]),
    ("gradus-core", "schedule", &[]),
    ("gradus-core", "regularization", &["error", "samples", "transform"]),
    (
        "gradus-core",
        "engine",
        &[
            "gradus_kernels",
            "error",
            "exchange",
            "random",
            "samples",
            "transform",
            "network",
            "loss",
            "optimizer",
            "regularization",
        ],
    ),
    ("gradus-core", "metrics", &["gradus_kernels", "loss"]),
    (
        "gradus-core",
        "model",
        &[
            "gradus_kernels",
            "error",
            "exchange",
            "random",
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
        "model_file",
        &["error", "files", "samples", "transform", "network", "loss", "model"],
    ),
    (
        "gradus-core",
        "training",
        &[
            "gradus_kernels",
            "error",
            "files",
            "exchange",
            "random",
            "samples",
            "transform",
            "network",
            "loss",
            "optimizer",
            "schedule",
            "regularization",
            "engine",
            "metrics",
            "model",
            "model_file",
        ],
    ),
    ("gradus", "data", &["gradus_core", "gradus_data"]),
    ("gradus", "network", &["gradus_core", "gradus_kernels"]),
    ("gradus", "model_file", &["gradus_core", "data", "network"]),
    ("gradus", "plot", &["gradus_core", "data", "network"]),
    ("gradus-cli", "args", &["gradus"]),
    ("gradus-cli", "run", &["gradus", "gradus_mpi", "args"]),
    ("gradus-cli", "sweep", &["gradus", "args", "run"]),
    ("gradus-cli", "report", &["gradus", "args", "run"]),
    ("gradus-cli", "serve", &["gradus", "args", "run"]),
    ("gradus-cli", "commands", &["gradus", "args", "run", "sweep", "report", "serve"]),
];

/// The crates, each with its imports.
fn graphs() -> impl Iterator<Item = (&'static str, ImportGraph)> {
    CRATES.into_iter().map(|(name, _)| {
        let graph = ImportGraph::of(&source_folder(name));
        assert!(graph.modules.contains(&Module::new()), "{name}: its lib.rs was not found");
        (name, graph)
    })
}

/// Whether a module, by its name at the top of the crate, may import another one or another crate.
type Rule<'a> = &'a dyn Fn(&str, &Target) -> bool;

/// Checks the imports of all files but the root, which is the map of its crate and imports as it likes.
fn check(name: &str, graph: &ImportGraph, allowed: Rule) {
    for Import { from, to, line } in &graph.imports {
        let Some(module) = from.first() else { continue };
        assert!(
            allowed(module, to),
            "{name}/src/{}, line {line}: {module} may not import {}",
            from.join("/"),
            match to {
                Target::File(to) if to.is_empty() => "the root",
                Target::File(to) => &to[0],
                Target::Crate(name) => name,
            }
        );
    }
}

fn is_ours(name: &str) -> bool {
    name == "gradus" || name.starts_with("gradus_")
}

#[test]
fn crates_import_only_those_below_them() {
    for ((name, graph), (_, below)) in graphs().zip(CRATES) {
        check(name, &graph, &|_, to| match to {
            Target::Crate(other) => !is_ours(other) || below.contains(&other.as_str()),
            Target::File(_) => true,
        });
    }
}

#[test]
fn imports_follow_the_table() {
    for (name, graph) in graphs() {
        let rows: Vec<_> =
            ALLOWED.iter().filter(|row| Some(row.0) == name.strip_prefix("crates/")).collect();
        if rows.is_empty() {
            continue;
        }
        check(name, &graph, &|module, to| {
            let (.., allowed) = rows
                .iter()
                .find(|row| row.1 == module)
                .unwrap_or_else(|| panic!("{name}: {module} is not in the table of imports"));
            match to {
                Target::File(to) => {
                    to.first().is_some_and(|to| to == module || allowed.contains(&to.as_str()))
                }
                Target::Crate(other) => !is_ours(other) || allowed.contains(&other.as_str()),
            }
        });
    }
}

/// The names in the lines `mod name;` of a `lib.rs` or `main.rs`, in order.
fn declared(root: &str) -> Vec<&str> {
    let names = root.lines().filter_map(|line| {
        let line = line.trim_start_matches("pub ").trim_start_matches("pub(crate) ");
        line.strip_prefix("mod ")?.strip_suffix(';')
    });
    names.collect()
}

#[test]
fn modules_import_only_those_declared_above_them() {
    for (name, graph) in graphs().filter(|(name, _)| name.starts_with("crates/")) {
        let root =
            ["lib.rs", "main.rs"].map(|root| fs::read_to_string(source_folder(name).join(root)));
        let root = root.into_iter().find_map(Result::ok).unwrap();
        let order = declared(&root);
        let place = |module: &str| order.iter().position(|it| *it == module);
        check(name, &graph, &|module, to| match to {
            Target::File(to) => to.first().is_some_and(|to| place(to) <= place(module)),
            Target::Crate(_) => true,
        });
    }
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    for (name, graph) in graphs() {
        let circles: Vec<String> = graph
            .circles()
            .iter()
            .map(|circle| circle.iter().map(|it| it.join("/")).collect::<Vec<_>>().join(", "))
            .collect();
        assert!(circles.is_empty(), "{name} has circles of files: {circles:#?}");
    }
}

/// Rows such as "| `core` | `files` | `error` |" below "| crate | module | may import |".
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
