//! The worker threads of a command.

use anyhow::Result;
use gradus::network::{Workers, available_cores};

use crate::run::ranks;

/// `count` threads, or one per core, but at most `most`: not more than there is work for. The ranks of a machine share its
/// cores.
pub(crate) fn workers(count: Option<usize>, most: usize) -> Result<Workers> {
    let default = || ranks::threads().unwrap_or_else(available_cores);
    Workers::new(count.unwrap_or_else(default).min(most)).map_err(anyhow::Error::msg)
}
