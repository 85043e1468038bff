//! HTML files that gradus writes: how it recognises them, so that it overwrites nothing else.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Result, anyhow};
use gradus::{Error, files};

/// The beginning of the line in the head of a page that names the program.
const GENERATOR: &str = "<meta name=\"generator\" content=\"gradus ";

/// The line in the head of a page that names the program.
pub(crate) fn generator() -> String {
    format!("{GENERATOR}{}\">", env!("CARGO_PKG_VERSION"))
}

/// Checks that the page can be written and that only an earlier page of gradus would be overwritten.
///
/// # Errors
/// Where that is not so; `advice` says how to choose another path.
pub(crate) fn check_replaceable(path: &Path, advice: &str) -> Result<()> {
    // The command line is fine; the file system is not. So this is not a usage error.
    files::check_writable(path).map_err(|error| anyhow!("{error}"))?;
    let mut start = Vec::new();
    if path.exists() {
        File::open(path)
            .and_then(|file| file.take(1024).read_to_end(&mut start))
            .map_err(|error| Error::io("read", path, error))?;
    }
    if start.is_empty() || String::from_utf8_lossy(&start).contains(GENERATOR) {
        return Ok(());
    }
    Err(anyhow!(
        "{}: this file exists and is not a page of gradus, so it is not overwritten; {advice}, or move the \
         file away",
        path.display()
    ))
}
