//! Patterns of file names: a path such as `part-*.csv` in, the files that it stands for out.

use std::path::{Path, PathBuf};

use super::listing::{Listing, file_name};
use crate::error::{Error, Result};

/// The files that a path with `*` or `?` in its last part stands for, sorted by name; none for any other path, and for one
/// that is the name of a file itself. `*` stands for any letters, `?` for one.
///
/// # Errors
/// `NotFound` if there is no such file; `Io` if the folder cannot be read.
pub(crate) fn files_matching(path: &Path) -> Result<Option<Vec<PathBuf>>> {
    let pattern = file_name(path);
    if !pattern.contains(['*', '?']) || path.exists() {
        return Ok(None);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut files = Listing::of(folder.unwrap_or(Path::new(".")))?.files;
    let pattern: Vec<char> = pattern.chars().collect();
    files.retain(|file| matches(&file_name(file).chars().collect::<Vec<_>>(), &pattern));
    if files.is_empty() {
        return Err(Error::not_found(format!("no file matches {}", path.display())));
    }
    // Named as the path is.
    let named = |file: PathBuf| match folder {
        Some(_) => file,
        None => PathBuf::from(file_name(&file)),
    };
    Ok(Some(files.into_iter().map(named).collect()))
}

/// Whether a name is of a pattern. The last `*` takes as few letters as the rest allows.
fn matches(name: &[char], pattern: &[char]) -> bool {
    let (mut at, mut place, mut last) = (0, 0, None);
    while at < name.len() {
        match pattern.get(place) {
            Some('*') => {
                last = Some((at, place));
                place += 1;
            }
            Some(&letter) if letter == '?' || letter == name[at] => {
                (at, place) = (at + 1, place + 1)
            }
            _ => {
                let Some((from, star)) = last else { return false };
                last = Some((from + 1, star));
                (at, place) = (from + 1, star + 1);
            }
        }
    }
    pattern[place..].iter().all(|&letter| letter == '*')
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn names_of_patterns() {
        let is = |name: &str, pattern: &str| {
            matches(&name.chars().collect::<Vec<_>>(), &pattern.chars().collect::<Vec<_>>())
        };
        for (name, pattern) in [
            ("part-0.csv", "part-*.csv"),
            ("part-.csv", "part-*.csv"),
            ("a.csv.csv", "*.csv"),
            ("abcbc", "a*bc"),
            ("part-7", "part-?"),
            ("x", "*"),
            ("", "*"),
        ] {
            assert!(is(name, pattern), "{name} {pattern}");
        }
        for (name, pattern) in
            [("part-0.csv.gz", "part-*.csv"), ("part-10", "part-?"), ("b", "a*"), ("", "?")]
        {
            assert!(!is(name, pattern), "{name} {pattern}");
        }
    }

    #[test]
    fn files_of_a_pattern_are_sorted_and_a_file_of_that_name_is_itself() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.csv", "a.csv", "c.txt"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let found = |name: &str| files_matching(&folder.path().join(name));
        let expected = ["a.csv", "b.csv"].map(|name| folder.path().join(name)).to_vec();
        assert_eq!(found("*.csv").unwrap(), Some(expected));
        assert_eq!(found("a.csv").unwrap(), None);
        assert!(found("*.tsv").unwrap_err().to_string().contains("no file matches"));
        #[cfg(unix)]
        {
            fs::write(folder.path().join("?.csv"), "").unwrap();
            assert_eq!(found("?.csv").unwrap(), None);
        }
    }
}
