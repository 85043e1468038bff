//! Ctrl-C and termination: signals in, one flag out.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::run::output::STOPPED;

/// Whether the run should stop. While the flag is set, a signal ends the program immediately: before
/// training, when there is nothing to save, and after a first signal, if stopping takes too long.
static STOP: LazyLock<Arc<AtomicBool>> = LazyLock::new(|| Arc::new(AtomicBool::new(true)));

/// From now on SIGINT and SIGTERM end the program with status 130.
pub(crate) fn listen() -> Result<()> {
    for signal in [SIGINT, SIGTERM] {
        // The order matters: at the first signal the flag is not yet set, so it only sets the flag.
        flag::register_conditional_shutdown(signal, STOPPED.into(), STOP.clone())
            .and_then(|_| flag::register(signal, STOP.clone()))
            .context("cannot listen for signals")?;
    }
    Ok(())
}

/// From now on the first signal only sets the flag.
pub(crate) fn hold() -> &'static Arc<AtomicBool> {
    STOP.store(false, Ordering::SeqCst);
    &STOP
}

/// The flag itself, for code that stops a run like a signal.
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
