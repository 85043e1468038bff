//! Ctrl-C and termination: signals in, one flag out; no signal cuts off a file that is being saved.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use gradus::files;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::run::output::STOPPED;

/// How long a signal may wait to be noticed.
const INTERVAL: Duration = Duration::from_millis(20);

/// Whether the run should stop. While the flag is set, a signal ends the program immediately: before
/// training, when there is nothing to save, and after a first signal, if stopping takes too long.
static STOP: LazyLock<Arc<AtomicBool>> = LazyLock::new(|| Arc::new(AtomicBool::new(true)));

/// Held for reading while a file is being saved. A signal that ends the program takes it for writing, so that it waits
/// for what is being saved and nothing else begins.
static SAVING: RwLock<()> = RwLock::new(());

/// From now on the signals that end a program end this one with status 130: at once, or after what is being saved.
pub(crate) fn listen() -> Result<()> {
    let received = Arc::new(AtomicBool::new(false));
    let register = |signal| flag::register(signal, received.clone());
    let listen = || -> std::io::Result<()> {
        register(SIGINT)?;
        register(SIGTERM)?;
        #[cfg(unix)]
        {
            use signal_hook::consts::{SIGHUP, SIGXFSZ};
            if hang_up_ends_programs() {
                register(SIGHUP)?;
            }
            // A file above the limit on its size shall be an error with a message, as on a full disk.
            flag::register(SIGXFSZ, Arc::default())?;
        }
        let received = received.clone();
        // A handler may only set a flag; waiting for what is being saved takes a thread.
        thread::Builder::new().name("signals".into()).spawn(move || {
            loop {
                if received.swap(false, Ordering::SeqCst) && STOP.swap(true, Ordering::SeqCst) {
                    exit();
                }
                thread::sleep(INTERVAL);
            }
        })?;
        Ok(())
    };
    listen().context("cannot listen for signals")
}

/// Whether SIGHUP has its usual effect: under nohup it is ignored, and must stay so. Where that cannot be seen, the
/// signal is left alone.
#[cfg(unix)]
fn hang_up_ends_programs() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // Bit 0 is that of signal 1, SIGHUP.
    ignored.is_some_and(|mask| mask & 1 == 0)
}

/// Ends the program as soon as nothing is being saved.
fn exit() -> ! {
    let _nothing = SAVING.write().unwrap_or_else(PoisonError::into_inner);
    files::remove_hidden_files();
    std::process::exit(STOPPED.into())
}

/// Runs `save` to its end, whatever signals come.
pub(crate) fn saving<T>(save: impl FnOnce() -> T) -> T {
    let _saving = SAVING.read().unwrap_or_else(PoisonError::into_inner);
    save()
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
