//! HTML files that gradus writes: how it recognizes them, so that it overwrites nothing else.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Result, anyhow};
use gradus::Error;
use gradus::files::OutputFile;

use crate::run::saving;

/// The beginning of the line in the head of a page that names the program.
const GENERATOR: &str = "<meta name=\"generator\" content=\"gradus ";

/// The line in the head of a page that names the program.
pub(crate) fn generator() -> String {
    format!("{GENERATOR}{}\">", env!("CARGO_PKG_VERSION"))
}

/// Claims the file for a page; only an earlier page of gradus would be overwritten.
///
/// # Errors
/// Where that is not so; `advice` says how to choose another path.
pub(crate) fn claim(path: &Path, advice: &str) -> Result<OutputFile> {
    let output = saving::claim(path)?;
    let mut start = Vec::new();
    if path.exists() {
        File::open(path)
            .and_then(|file| file.take(1024).read_to_end(&mut start))
            .map_err(|error| Error::io("read", path, error))?;
    }
    if start.is_empty() || String::from_utf8_lossy(&start).contains(GENERATOR) {
        return Ok(output);
    }
    Err(anyhow!(
        "{}: this file exists and is not a page of gradus, so it is not overwritten; {advice}, or move the \
         file away",
        path.display()
    ))
}
