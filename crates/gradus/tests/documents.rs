//! The documents keep what they promise: links lead to files, and the README's seven files are as
//! long as it says.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn documents() -> Vec<PathBuf> {
    let top = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "bindings/python/README.md"]
        .map(|name| root().join(name));
    let docs = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = docs.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    top.into_iter().chain(pages).collect()
}

/// The targets of `](target)`, without what stands behind `#`.
fn links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    targets.map(|(target, _)| target.split('#').next().unwrap_or("")).collect()
}

#[test]
fn links_lead_to_files() {
    let mut seen = 0;
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for target in links(&text).into_iter().filter(|target| !target.contains("://")) {
            let path = document.with_file_name("").join(target);
            assert!(path.exists(), "{}: there is no {target}", document.display());
            seen += 1;
        }
    }
    assert!(seen > 40, "only {seen} links were found");
}

/// Rows such as `| 3 | [`network/linear.rs`](crates/...) | 120 | ... |`.
#[test]
fn seven_files_of_about_a_thousand_lines() {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    let mut counts = Vec::new();
    for row in text.lines().filter(|line| line.starts_with("| ") && line.contains("](crates/")) {
        let told: usize = row.split('|').nth(3).unwrap().trim().parse().unwrap();
        let file = links(row)[0];
        let found = fs::read_to_string(root().join(file)).unwrap().lines().count();
        assert!(found.abs_diff(told) <= 10, "README: {file} has {found} lines, not {told}");
        counts.push(found);
    }
    assert_eq!(counts.len(), 7);
    let total: usize = counts.iter().sum();
    assert!((900..=1200).contains(&total), "{total} lines");
}

#[test]
fn a_dead_link_would_be_seen() {
    assert_eq!(
        links("see [a](b.md#c), ![d](e.svg) and [f](https://g)"),
        ["b.md", "e.svg", "https://g"]
    );
}
