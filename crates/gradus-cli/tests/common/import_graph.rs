//! The imports among the files of a crate: its `src` folder in, which file names which out.
//!
//! A file names another where a path leads there: in a `use`, or anywhere else after `crate::`,
//! `self::`, `super::` or a module that the file declares. Comments, doc comments and text in quotes
//! are skipped, and so is everything from `#[cfg(test)]` on: tests may look wherever they like.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A module's path within its crate: `["data", "npz"]`; empty for the root.
pub(crate) type Module = Vec<String>;

/// A place where one file names another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Import {
    pub(crate) from: Module,
    pub(crate) to: Module,
    pub(crate) line: usize,
}

/// The files of a crate and what they name.
pub(crate) struct ImportGraph {
    pub(crate) modules: BTreeSet<Module>,
    pub(crate) imports: Vec<Import>,
    /// Names of other crates that files mention, with the file: `("data", "gradus_kernels")`.
    pub(crate) crates: BTreeSet<(Module, String)>,
}

impl ImportGraph {
    /// Reads all files below `src`; the root is `main.rs` or `lib.rs`.
    pub(crate) fn of(src: &Path) -> ImportGraph {
        let mut files = BTreeMap::new();
        collect(src, src, &mut files);
        let modules: BTreeSet<Module> = files.keys().cloned().collect();
        let mut graph = ImportGraph { modules, imports: Vec::new(), crates: BTreeSet::new() };
        for (module, path) in &files {
            let text = fs::read_to_string(path).unwrap();
            graph.read(module, &text);
        }
        graph
    }

    fn read(&mut self, module: &Module, text: &str) {
        let code = without_comments(text);
        for (line, path) in paths(&code) {
            match self.resolve(module, &path) {
                Target::File(to) if to != *module => {
                    self.imports.push(Import { from: module.clone(), to, line });
                }
                Target::File(_) | Target::Nothing => {}
                Target::Crate(name) => {
                    self.crates.insert((module.clone(), name));
                }
            }
        }
    }

    /// The file that a path leads to from within `module`: the longest part of it that is a module.
    fn resolve(&self, module: &Module, path: &[String]) -> Target {
        let mut at = module.clone();
        let mut rest = path;
        match path[0].as_str() {
            "crate" => {
                at = Module::new();
                rest = &path[1..];
            }
            "self" => rest = &path[1..],
            "super" => {
                while rest.first().is_some_and(|part| part == "super") {
                    at.pop();
                    rest = &rest[1..];
                }
            }
            first => {
                let mut child = module.clone();
                child.push(first.to_owned());
                if !self.modules.contains(&child) {
                    return Target::Crate(first.to_owned());
                }
            }
        }
        for part in rest {
            let mut deeper = at.clone();
            deeper.push(part.clone());
            if !self.modules.contains(&deeper) {
                break;
            }
            at = deeper;
        }
        if self.modules.contains(&at) { Target::File(at) } else { Target::Nothing }
    }

    /// Groups of files that name each other in a circle; each is listed in order of names.
    pub(crate) fn cycles(&self) -> Vec<Vec<Module>> {
        let mut reach: BTreeMap<&Module, BTreeSet<&Module>> = BTreeMap::new();
        for module in &self.modules {
            let mut seen = BTreeSet::new();
            let mut open = vec![module];
            while let Some(at) = open.pop() {
                let named = self.imports.iter().filter(|import| import.from == *at);
                open.extend(named.map(|import| &import.to).filter(|to| seen.insert(*to)));
            }
            reach.insert(module, seen);
        }
        let mut cycles: Vec<Vec<Module>> = Vec::new();
        for (module, reached) in &reach {
            if !reached.contains(module) || cycles.iter().any(|cycle| cycle.contains(module)) {
                continue;
            }
            let back = |other: &&&Module| reach[**other].contains(module);
            cycles.push(reached.iter().filter(back).map(|&other| other.clone()).collect());
        }
        cycles
    }
}

enum Target {
    File(Module),
    Crate(String),
    Nothing,
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<Module, PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let inside = path.strip_prefix(root).unwrap().with_extension("");
            let mut module: Module =
                inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
            if module.last().is_some_and(|name| ["mod", "main", "lib"].contains(&name.as_str())) {
                module.pop();
            }
            files.insert(module, path);
        }
    }
}

/// The code up to the tests, with comments and texts blanked; lines keep their numbers.
fn without_comments(text: &str) -> String {
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let mut code = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '/' if chars.peek() == Some(&'/') => {
                while chars.peek().is_some_and(|&c| c != '\n') {
                    chars.next();
                }
            }
            '"' => {
                code.push('"');
                while let Some(c) = chars.next() {
                    match c {
                        // The character behind a backslash is read here, whatever it is.
                        '\\' if chars.next() == Some('\n') => code.push('\n'),
                        '"' => break,
                        '\n' => code.push('\n'),
                        _ => {}
                    }
                }
                code.push('"');
            }
            // A character such as '"' or '\''; a lifetime has no second quote.
            '\'' => {
                let ahead: Vec<char> = chars.clone().take(3).collect();
                match ahead[..] {
                    ['\\', _, '\''] => drop(chars.nth(2)),
                    [c, '\'', ..] if c != '\'' => drop(chars.nth(1)),
                    _ => {}
                }
            }
            c => code.push(c),
        }
    }
    code
}

/// The paths of a code with their lines; a `use` with braces is written out into all of its paths.
fn paths(code: &str) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    let tokens = tokens(code);
    let mut at = 0;
    while at < tokens.len() {
        let (line, token) = &tokens[at];
        let starts = token.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_');
        let follows_colons = at > 0 && tokens[at - 1].1 == "::";
        if token == "use" {
            at = use_paths(&tokens, at + 1, &mut Vec::new(), &mut found);
        } else if starts && !follows_colons && tokens.get(at + 1).is_some_and(|it| it.1 == "::") {
            let mut path = vec![token.clone()];
            let mut next = at + 1;
            while tokens.get(next).is_some_and(|it| it.1 == "::") {
                let Some((_, part)) = tokens.get(next + 1) else { break };
                path.push(part.clone());
                next += 2;
            }
            found.push((*line, path));
            at = next;
        } else {
            at += 1;
        }
    }
    found
}

/// Reads one branch of a `use` from `at` on; gives the token after it.
fn use_paths(
    tokens: &[(usize, String)],
    mut at: usize,
    prefix: &mut Vec<String>,
    found: &mut Vec<(usize, Vec<String>)>,
) -> usize {
    let depth = prefix.len();
    while let Some((line, token)) = tokens.get(at) {
        match token.as_str() {
            "::" => at += 1,
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|it| it.1 != "}") {
                    at = use_paths(tokens, at, prefix, found);
                    if tokens.get(at).is_some_and(|it| it.1 == ",") {
                        at += 1;
                    }
                }
                at += 1;
                prefix.truncate(depth);
                return at;
            }
            "as" => at += 2,
            "," | "}" | ";" => {
                found.push((*line, prefix.clone()));
                prefix.truncate(depth);
                return at;
            }
            "self" if depth > 0 && prefix.len() == depth => at += 1,
            part => {
                prefix.push(part.to_owned());
                at += 1;
            }
        }
    }
    at
}

/// Words, `::` and single other characters, each with its line.
fn tokens(code: &str) -> Vec<(usize, String)> {
    let mut tokens = Vec::new();
    for (number, line) in code.lines().enumerate() {
        let mut rest = line;
        while let Some(first) = rest.chars().next() {
            let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            let length = match word {
                0 if rest.starts_with("::") => 2,
                0 => first.len_utf8(),
                word => word,
            };
            if !first.is_whitespace() {
                tokens.push((number + 1, rest[..length].to_owned()));
            }
            rest = &rest[length..];
        }
    }
    tokens
}

#[test]
fn every_kind_of_import_is_seen() {
    let code = "use crate::run::{self, output::{say, warn}, stop};\nuse super::plan::Plan as P;\n\
                fn f() { crate::args::parse(\"crate::no\"); // crate::comment\n\
                let q = '\"'; draw::draw(q) }\n#[cfg(test)]\nuse crate::tests;";
    let found: Vec<String> = paths(&without_comments(code))
        .into_iter()
        .map(|(line, path)| format!("{line} {}", path.join("::")))
        .collect();
    assert_eq!(
        found,
        [
            "1 crate::run",
            "1 crate::run::output::say",
            "1 crate::run::output::warn",
            "1 crate::run::stop",
            "2 super::plan::Plan",
            "3 crate::args::parse",
            "4 draw::draw",
        ]
    );
}

#[test]
fn a_cycle_of_files_is_seen() {
    let module = |name: &str| vec![name.to_owned()];
    let mut graph = ImportGraph {
        modules: ["a", "b", "c"].map(module).into(),
        imports: Vec::new(),
        crates: BTreeSet::new(),
    };
    graph.read(&module("a"), "use crate::b::B;");
    graph.read(&module("b"), "fn f(x: super::c::C) {}");
    assert!(graph.cycles().is_empty());
    graph.read(&module("c"), "use std::fs;\nuse crate::a::A;");
    assert_eq!(graph.cycles(), [["a", "b", "c"].map(module).to_vec()]);
    assert!(graph.crates.contains(&(module("c"), "std".to_owned())));
}
