//! The documents keep what they promise: links lead to files, files that they name exist, figures are
//! those of the benchmarks' results, and the README's seven files are as long as it says.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Endings of source files; names with other endings are often examples (`model.onnx`, `table.csv`).
const SOURCES: [&str; 6] = ["rs", "py", "js", "css", "toml", "ipynb"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The entries of a folder; none where there is no such folder.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Every Markdown page for readers: those at the top, in docs/ and its folders, and each crate's own.
fn documents() -> Vec<PathBuf> {
    let top = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "bindings/python/README.md"];
    let mut found: Vec<PathBuf> = top.map(|name| root().join(name)).to_vec();
    found.push(root().join("benchmarks/README.md"));
    for folder in ["docs", "docs/adding"] {
        let pages = entries(&root().join(folder)).into_iter();
        found.extend(pages.filter(|path| path.extension().is_some_and(|ending| ending == "md")));
    }
    let crates = entries(&root().join("crates")).into_iter();
    found.extend(crates.map(|folder| folder.join("README.md")).filter(|path| path.exists()));
    found
}

/// The targets of `](target)`: a path and the heading after `#`, either of them perhaps empty.
fn links(text: &str) -> Vec<(&str, &str)> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    targets.map(|(target, _)| target.split_once('#').unwrap_or((target, ""))).collect()
}

/// The names under which the headings of a page can be linked to: small letters, hyphens for spaces.
fn headings(text: &str) -> Vec<String> {
    let titles = text.lines().filter(|line| line.starts_with('#'));
    let kept = |c: &char| c.is_alphanumeric() || "_- ".contains(*c);
    let plain = |title: &str| title.trim_start_matches('#').trim().to_lowercase();
    titles
        .map(|title| plain(title).chars().filter(kept).collect::<String>().replace(' ', "-"))
        .collect()
}

#[test]
fn links_lead_to_files() {
    let (mut seen, mut missing) = (0, Vec::new());
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for (target, heading) in links(&text) {
            if target.contains("://") {
                continue;
            }
            let path = match target {
                "" => document.clone(),
                _ => document.with_file_name("").join(target),
            };
            let found = match heading {
                "" => path.exists(),
                _ => fs::read_to_string(path)
                    .is_ok_and(|text| headings(&text).iter().any(|found| found == heading)),
            };
            if !found {
                missing.push(format!("{}: {target}#{heading}", document.display()));
            }
            seen += 1;
        }
    }
    assert!(missing.is_empty(), "links lead nowhere:\n{}", missing.join("\n"));
    assert!(seen > 40, "only {seen} links were found");
}

/// Paths of all files and folders of the repository that documents may name, relative to its root,
/// folders with a slash at their end.
fn repository() -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for path in entries(&folder) {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let built = ["target", "node_modules", "__pycache__"].contains(&name.as_str());
            let hidden = name.starts_with('.') && name != ".ci";
            if built || hidden {
                continue;
            }
            let relative = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
            match path.is_dir() {
                true => {
                    found.push(relative + "/");
                    folders.push(path);
                }
                false => found.push(relative),
            }
        }
    }
    found
}

/// The source files and folders that a text names in `code`: `network/linear.rs`, `docs/adding/`. Folders
/// of one part are often examples, `NAME` stands for a name that a reader chooses.
fn named_files(text: &str) -> Vec<&str> {
    // Within blocks of code, names are a program's own.
    let prose = text.split("```").step_by(2);
    let spans = prose.flat_map(|part| part.split('`').skip(1).step_by(2));
    let is_path = |span: &&str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
        let ending = span.rsplit_once('.').map_or("", |(_, ending)| ending);
        span.chars().all(plain)
            && !span.contains("NAME")
            && (SOURCES.contains(&ending) && !span.starts_with('.')
                || span.ends_with('/') && span.matches('/').count() > 1 && !span.starts_with('/'))
    };
    spans.filter(is_path).collect()
}

#[test]
fn files_that_documents_name_exist() {
    let files = repository();
    let (mut seen, mut missing) = (0, Vec::new());
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for name in named_files(&text) {
            let inside = format!("/{name}");
            if !files.iter().any(|file| file == name || file.ends_with(&inside)) {
                missing.push(format!("{}: {name}", document.display()));
            }
            seen += 1;
        }
    }
    assert!(missing.is_empty(), "documents name missing files:\n{}", missing.join("\n"));
    assert!(seen > 40, "only {seen} names were found");
}

/// Rows such as `| 3 | [`network/linear.rs`](crates/...) | 120 | ... |`.
#[test]
fn seven_files_of_about_a_thousand_lines() {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    let mut counts = Vec::new();
    for row in text.lines().filter(|line| line.starts_with("| ") && line.contains("](crates/")) {
        let stated: usize = row.split('|').nth(3).unwrap().trim().parse().unwrap();
        let (file, _) = links(row)[0];
        let found = fs::read_to_string(root().join(file)).unwrap().lines().count();
        assert!(found.abs_diff(stated) <= 10, "README: {file} has {found} lines, not {stated}");
        counts.push(found);
    }
    assert_eq!(counts.len(), 7);
    let total: usize = counts.iter().sum();
    assert!((900..=1200).contains(&total), "{total} lines");
}

/// The marked tables are those that `benchmarks/figures.py` makes of the results. Without Python, which
/// building and testing do not need otherwise, the check is left to .ci/run.
#[test]
fn figures_are_those_of_the_results() {
    let script = root().join("benchmarks/figures.py");
    match Command::new("python3").arg("-B").arg(script).arg("--check").output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{said}");
        }
        Err(error) => eprintln!("figures were not checked: python3: {error}"),
    }
}

#[test]
fn dead_links_and_missing_files_would_be_found() {
    assert_eq!(
        links("see [a](b.md#c), ![d](e.svg) and [f](https://g)"),
        [("b.md", "c"), ("e.svg", ""), ("https://g", "")]
    );
    assert_eq!(headings("# A\ntext\n## M2 R^2, and `b`\n"), ["a", "m2-r2-and-b"]);
    let text = "in `data/idx.rs` and `src/arch/`, `mine/`, `NAME.rs`; `model.onnx`, `../data`, `.rs`\n```sh\n`no.rs`\n```\n`a.py`";
    assert_eq!(named_files(text), ["data/idx.rs", "src/arch/", "a.py"]);
}
