//! The imports among the files of a crate: its `src` folder in, which file names which out.
//!
//! A file names another if a path leads there: in a `use`, or anywhere else after `crate::`, `self::`,
//! `super::` or a module that the file declares. A `pub use` only hands a name on: whoever uses the name, the
//! handing file included, imports the file that defines it. (A name that `pub use part::*` hands on counts as
//! the handing file's own.) Comments, doc comments and text in quotes are skipped, and so is the module `tests`
//! of a file: tests may import anything.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::sources::source_files;

/// A module's path within its crate: `["data", "npz"]`; empty for the root.
pub(crate) type Module = Vec<String>;

/// A place where one file names another, or another crate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Import {
    pub(crate) from: Module,
    pub(crate) to: Target,
    pub(crate) line: usize,
}

/// What an import leads to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    /// A file of the same crate.
    File(Module),
    /// Another crate.
    Crate(String),
}

/// The files of a crate and what they name.
pub(crate) struct ImportGraph {
    pub(crate) modules: BTreeSet<Module>,
    pub(crate) imports: Vec<Import>,
    /// The names that a `pub use` hands on, each with the path where it leads.
    handed_on: BTreeMap<(Module, String), Vec<String>>,
}

impl ImportGraph {
    /// Reads all files below `src`; the root is `main.rs` or `lib.rs`.
    pub(crate) fn of(src: &Path) -> ImportGraph {
        let files = source_files(src).into_iter().map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            (module_of(path.strip_prefix(src).unwrap()), text)
        });
        ImportGraph::of_texts(files.collect())
    }

    fn of_texts(files: BTreeMap<Module, String>) -> ImportGraph {
        let modules: BTreeSet<Module> = files.keys().cloned().collect();
        let mut graph = ImportGraph { modules, imports: Vec::new(), handed_on: BTreeMap::new() };
        let named: Vec<(Module, Vec<Named>)> = files
            .into_iter()
            .map(|(module, text)| (module, paths(&without_comments(&text))))
            .collect();
        for (module, named) in &named {
            for Named { path, handed_on, .. } in named {
                if let Some(name) = handed_on {
                    graph.handed_on.insert((module.clone(), name.clone()), path.clone());
                }
            }
        }
        for (module, named) in named {
            for Named { line, path, .. } in named.iter().filter(|it| it.handed_on.is_none()) {
                match graph.resolve(&module, path) {
                    Some(Target::File(to)) if to == module => {}
                    Some(to) => {
                        graph.imports.push(Import { from: module.clone(), to, line: *line });
                    }
                    None => {}
                }
            }
        }
        graph
    }

    /// Where a path leads from within `module`: to the longest part of it that is a module, and from there
    /// on along the names that are handed on.
    fn resolve(&self, module: &Module, path: &[String]) -> Option<Target> {
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
            first if self.modules.contains(&child(module, first)) => {}
            first => {
                return match self.handed_on.get(&(module.clone(), first.to_owned())) {
                    Some(path) if path[0] != first => {
                        self.resolve(module, &[path, &rest[1..]].concat())
                    }
                    // A crate, or a name that the file has imported or defines.
                    _ => Some(Target::Crate(first.to_owned())),
                };
            }
        }
        while let [part, others @ ..] = rest
            && self.modules.contains(&child(&at, part))
        {
            at.push(part.clone());
            rest = others;
        }
        if let [name, others @ ..] = rest
            && let Some(path) = self.handed_on.get(&(at.clone(), name.clone()))
        {
            return self.resolve(&at, &[path, others].concat());
        }
        self.modules.contains(&at).then_some(Target::File(at))
    }

    /// The files that `module` imports.
    fn imported_by(&self, module: &Module) -> impl Iterator<Item = &Module> {
        self.imports.iter().filter(move |import| import.from == *module).filter_map(|import| {
            match &import.to {
                Target::File(to) => Some(to),
                Target::Crate(_) => None,
            }
        })
    }

    /// Groups of files that name each other in a circle; each is listed in order of names.
    pub(crate) fn circles(&self) -> Vec<Vec<Module>> {
        let mut reach: BTreeMap<&Module, BTreeSet<&Module>> = BTreeMap::new();
        for module in &self.modules {
            let mut seen = BTreeSet::new();
            let mut open = vec![module];
            while let Some(at) = open.pop() {
                open.extend(self.imported_by(at).filter(|to| seen.insert(*to)));
            }
            reach.insert(module, seen);
        }
        let mut circles: Vec<Vec<Module>> = Vec::new();
        for (module, reached) in &reach {
            if !reached.contains(module) || circles.iter().any(|circle| circle.contains(module)) {
                continue;
            }
            let back = |other: &&&Module| reach[**other].contains(module);
            circles.push(reached.iter().filter(back).map(|&other| other.clone()).collect());
        }
        circles
    }
}

fn child(module: &Module, name: &str) -> Module {
    let mut child = module.clone();
    child.push(name.to_owned());
    child
}

/// The module of a file, by its path in `src`.
fn module_of(path: &Path) -> Module {
    let path = path.with_extension("");
    let mut module: Module = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if module.last().is_some_and(|name| ["mod", "main", "lib"].contains(&name.as_str())) {
        module.pop();
    }
    module
}

/// The code up to the tests, with comments and texts blanked; lines keep their numbers.
fn without_comments(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
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

/// A path in the code.
struct Named {
    line: usize,
    path: Vec<String>,
    /// For a `pub use`, the name under which it hands on what the path leads to.
    handed_on: Option<String>,
}

/// The paths of a code; a `use` with braces is written out into all of its paths.
fn paths(code: &str) -> Vec<Named> {
    let mut found = Vec::new();
    let mut words = Vec::new();
    let tokens = tokens(code);
    let is = |at: usize, wanted: &str| tokens.get(at).is_some_and(|it| it.1 == wanted);
    // How deep the braces are, and how deep those of the modules within the file around this place.
    let (mut depth, mut inner) = (0, Vec::new());
    let mut at = 0;
    while at < tokens.len() {
        let (line, token) = &tokens[at];
        let before = found.len();
        match token.as_str() {
            "{" => {
                depth += 1;
                if at > 1 && is(at - 2, "mod") {
                    inner.push(depth);
                }
            }
            "}" => {
                inner.retain(|it| *it < depth);
                depth -= 1;
            }
            _ => {}
        }
        let starts = token.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_');
        let follows_colons = at > 0 && is(at - 1, "::");
        // `use<'a>` lists the lifetimes of an `impl Trait`.
        if token == "use" && !is(at + 1, "<") {
            // `pub use`, `pub(crate) use`
            let public = at > 0 && (is(at - 1, "pub") || is(at - 1, ")"));
            at = use_paths(&tokens, at + 1, &mut Vec::new(), public, &mut found);
        } else if starts && !follows_colons && is(at + 1, "::") {
            let mut path = vec![token.clone()];
            let mut next = at + 1;
            while is(next, "::") {
                let Some((_, part)) = tokens.get(next + 1) else { break };
                path.push(part.clone());
                next += 2;
            }
            // `pub(in super::super)` names no file.
            if !(at > 0 && is(at - 1, "in")) {
                found.push(Named { line: *line, path, handed_on: None });
            }
            at = next;
        } else {
            if starts && !follows_colons {
                words.push((*line, token.clone()));
            }
            at += 1;
        }
        for Named { path, .. } in &mut found[before..] {
            leave_inner_modules(path, inner.len());
        }
    }
    // Any mention of a name that the file hands on.
    let handed_on: BTreeSet<String> = found.iter().filter_map(|it| it.handed_on.clone()).collect();
    let used = words.into_iter().filter(|(_, word)| handed_on.contains(word));
    found.extend(used.map(|(line, word)| Named { line, path: vec![word], handed_on: None }));
    found
}

/// A path as seen from the file, which is `inner` modules around the place where it stands.
fn leave_inner_modules(path: &mut Vec<String>, inner: usize) {
    let supers = path.iter().take_while(|part| *part == "super").count();
    path.drain(..supers.min(inner));
    if (1..=inner).contains(&supers) {
        path.insert(0, "self".to_owned());
    }
}

/// Reads one branch of a `use` from `at` on; gives the token after it.
fn use_paths(
    tokens: &[(usize, String)],
    mut at: usize,
    prefix: &mut Vec<String>,
    public: bool,
    found: &mut Vec<Named>,
) -> usize {
    let depth = prefix.len();
    let mut alias = None;
    while let Some((line, token)) = tokens.get(at) {
        match token.as_str() {
            "::" => at += 1,
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|it| it.1 != "}") {
                    at = use_paths(tokens, at, prefix, public, found);
                    if tokens.get(at).is_some_and(|it| it.1 == ",") {
                        at += 1;
                    }
                }
                at += 1;
                prefix.truncate(depth);
                return at;
            }
            "as" => {
                alias = tokens.get(at + 1).map(|it| it.1.clone());
                at += 2;
            }
            "," | "}" | ";" => {
                let name = alias.or(prefix.last().cloned());
                let handed_on = name.filter(|_| public);
                found.push(Named { line: *line, path: prefix.clone(), handed_on });
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
                let q = '\"'; draw::draw(q) }\npub(in super::super) fn g() -> impl A + use<'a> {}\n\
                pub(crate) use part::Thing as Other;\n\
                mod inner { use super::{super::up, it}; }\n#[cfg(test)]\nmod tests { use crate::a; }";
    let found: Vec<String> = paths(&without_comments(code))
        .into_iter()
        .map(|Named { line, path, handed_on }| {
            format!("{line} {} {}", path.join("::"), handed_on.unwrap_or_default())
        })
        .collect();
    assert_eq!(
        found,
        [
            "1 crate::run ",
            "1 crate::run::output::say ",
            "1 crate::run::output::warn ",
            "1 crate::run::stop ",
            "2 super::plan::Plan ",
            "3 crate::args::parse ",
            "4 draw::draw ",
            "6 part::Thing Other",
            "7 super::up ",
            "7 self::it ",
        ]
    );
}

fn graph_of(files: &[(&str, &str)]) -> ImportGraph {
    let module =
        |name: &str| name.split('/').filter(|it| !it.is_empty()).map(str::to_owned).collect();
    ImportGraph::of_texts(files.iter().map(|(name, text)| (module(name), (*text).into())).collect())
}

#[test]
fn a_circle_of_files_is_seen() {
    let open = [("a", "use crate::b::B;"), ("b", "fn f(x: super::c::C) {}"), ("c", "use std::fs;")];
    assert!(graph_of(&open).circles().is_empty());
    let closed = [open[0], open[1], ("c", "use crate::a::A;")];
    let module = |name: &str| vec![name.to_owned()];
    assert_eq!(graph_of(&closed).circles(), [["a", "b", "c"].map(module).to_vec()]);
    assert!(graph_of(&open).imports.contains(&Import {
        from: module("c"),
        to: Target::Crate("std".to_owned()),
        line: 1
    }));
}

#[test]
fn names_that_are_handed_on_lead_to_their_file() {
    let parts = ("a/parts", "use super::help;\npub struct Part;");
    let face = ("a", "pub use parts::Part;\npub(super) fn help() {}");
    assert!(graph_of(&[face, parts]).circles().is_empty());
    let user = ("a/user", "use super::Part;");
    let graph = graph_of(&[face, parts, user]);
    let to_parts = |it: &Import| it.to == Target::File(vec!["a".into(), "parts".into()]);
    assert!(graph.imports.iter().any(|it| it.from == ["a", "user"] && to_parts(it)));
    let both = ("a/parts", "use crate::a::user::User;\npub struct Part;");
    assert_eq!(graph_of(&[face, both, user]).circles().len(), 1);
    for code in ["fn f() -> Part {}", "fn f() { Part::new() }", "fn f() { parts::make() }"] {
        let own = format!("pub use parts::Part;\npub fn help() {{}}\n{code}");
        assert_eq!(graph_of(&[("a", &own), parts]).circles().len(), 1, "{code}");
    }
}
