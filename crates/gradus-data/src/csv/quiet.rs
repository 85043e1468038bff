//! Work in which a crate may panic on damaged files: its panic is an error, of which nothing is printed.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use crate::error::{Result, invalid};

thread_local! {
    /// Whether a panic of this thread is expected.
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

/// The result of `work`, none if it panics; what it was working on must not be used then.
fn quietly<T>(work: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(silence);
    let was_quiet = IS_QUIET.replace(true);
    let found = catch_unwind(AssertUnwindSafe(work));
    IS_QUIET.set(was_quiet);
    found.ok()
}

/// What `work` gives, or an error if a crate that reads these files panics, as some do on damaged ones: what has been read is
/// thrown away then.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    quietly(work)
        .unwrap_or_else(|| Err(invalid("the file is damaged: its parts do not fit together")))
}

/// Panics are reported before they are caught: from now on only those of other work are, as before.
fn silence() {
    let before = take_hook();
    set_hook(Box::new(move |panic| {
        if !IS_QUIET.get() {
            before(panic);
        }
    }));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn only_the_panics_of_such_work_are_silent() {
        let count = Arc::new(AtomicUsize::new(0));
        let (counter, thread) = (count.clone(), std::thread::current().id());
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            // Other tests may panic meanwhile.
            match std::thread::current().id() == thread {
                true => drop(counter.fetch_add(1, Ordering::SeqCst)),
                false => before(panic),
            }
        }));
        // Another test may have called it already.
        silence();
        assert_eq!(quietly(|| 7), Some(7));
        assert_eq!(quietly(|| assert_ne!(count.load(Ordering::SeqCst), 0, "damaged")), None);
        assert!(quietly(|| quietly(|| panic!("within"))).is_some_and(|it| it.is_none()));
        assert_eq!(count.load(Ordering::SeqCst), 0);
        assert!(catch_unwind(|| panic!("another")).is_err());
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }
}
