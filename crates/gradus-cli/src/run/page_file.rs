//! Files of HTML that gradus writes: how they are known again, so that nothing else is overwritten.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Result, anyhow};
use gradus::{Error, files};

/// What the head of a page says of its maker begins with.
const GENERATOR: &str = "<meta name=\"generator\" content=\"gradus ";

/// The line of a page's head that says who made it.
pub(crate) fn generator() -> String {
    format!("{GENERATOR}{}\">", env!("CARGO_PKG_VERSION"))
}

/// Checks that the page can be written and takes the place of nothing but an earlier page of gradus;
/// else `advice` says how to name another place.
pub(crate) fn check_replaceable(path: &Path, advice: &str) -> Result<()> {
    // The options are as they should be; it is the place that fails them: no wrong usage.
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
        "{}: the file that is there is no page of gradus and would be lost; {advice}, or move the file \
         away",
        path.display()
    ))
}
