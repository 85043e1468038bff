//! Ctrl-C and its like: signals in, one flag out.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::run::output::STOPPED;

/// Whether the run is to stop. While it is raised a signal ends the program at once: before
/// training, when there is nothing to save, and when a first signal was not quick enough.
static STOP: LazyLock<Arc<AtomicBool>> = LazyLock::new(|| Arc::new(AtomicBool::new(true)));

/// From here on Ctrl-C and a request to terminate end the program with status 130.
pub(crate) fn listen() -> Result<()> {
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal only raises the flag.
        flag::register_conditional_shutdown(signal, STOPPED.into(), STOP.clone())
            .and_then(|_| flag::register(signal, STOP.clone()))
            .context("cannot listen for signals")?;
    }
    Ok(())
}

/// From here on the first signal only raises the flag.
pub(crate) fn hold() -> &'static Arc<AtomicBool> {
    STOP.store(false, Ordering::SeqCst);
    &STOP
}

/// The flag itself, for who may stop a run in a signal's place.
pub(crate) fn flag() -> Arc<AtomicBool> {
    STOP.clone()
}

/// Waits for a signal.
pub(crate) fn wait() {
    let stop = hold();
    while !stop.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(50));
    }
}
