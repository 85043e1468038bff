//! The worker threads of a command.

use anyhow::Result;
use gradus::network::{Workers, available_cores};

/// `count` threads, or one per core, but at most `most`: not more than there is work for.
pub(crate) fn workers(count: Option<usize>, most: usize) -> Result<Workers> {
    Workers::new(count.unwrap_or_else(available_cores).min(most)).map_err(anyhow::Error::msg)
}
