//! Imports of the program point downwards only, and no files import each other in a circle. The map is in
//! `src/main.rs`.

use std::path::Path;

#[path = "common/import_graph.rs"]
mod import_graph;

use import_graph::{ImportGraph, Module};

/// The modules at the top of the crate and those that each may import, from top to bottom.
const ALLOWED: [(&str, &[&str]); 6] = [
    ("commands", &["sweep", "report", "serve", "run", "args"]),
    ("sweep", &["run", "args"]),
    ("report", &["run", "args"]),
    ("serve", &["run", "args"]),
    ("run", &["args"]),
    ("args", &[]),
];

fn graph() -> ImportGraph {
    let graph = ImportGraph::of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(graph.modules.len() > 40, "the source of the program was not found");
    assert!(graph.imports.len() > 150, "only {} imports were found", graph.imports.len());
    graph
}

fn name(module: &Module) -> String {
    if module.is_empty() { "main".into() } else { module.join("/") }
}

#[test]
fn imports_point_downwards() {
    for import in graph().imports {
        let (from, to) = (import.from.first(), import.to.first());
        let allowed = match (from, to) {
            // main is the top: it may import everything, and nothing imports it.
            (None, _) => true,
            (_, None) => false,
            (Some(from), Some(to)) if from == to => true,
            (Some(from), Some(to)) => {
                let (_, allowed) = ALLOWED
                    .iter()
                    .find(|(module, _)| module == from)
                    .unwrap_or_else(|| panic!("{from} is not in the table of allowed imports"));
                allowed.contains(&to.as_str())
            }
        };
        assert!(
            allowed,
            "{}, line {}: may not import {}",
            name(&import.from),
            import.line,
            name(&import.to)
        );
    }
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let cycles: Vec<String> = graph()
        .cycles()
        .iter()
        .map(|cycle| cycle.iter().map(name).collect::<Vec<_>>().join(", "))
        .collect();
    assert!(cycles.is_empty(), "circles of files: {cycles:#?}");
}
