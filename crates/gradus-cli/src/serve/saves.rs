//! The order of saves: one at a time, and none after the end of the server, which waits for the one in progress.
//! (That a signal ends the whole program only after a save is the task of `run/stop.rs`.)

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Whether the server has ended; locked while a model is being saved.
#[derive(Default)]
pub(super) struct Saves(Mutex<bool>);

impl Saves {
    /// The right to look at the folder and write to it, until it is dropped; none after the end.
    pub(super) fn begin(&self) -> Option<MutexGuard<'_, bool>> {
        let ended = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (!*ended).then_some(ended)
    }

    /// Waits for the save in progress. No other one begins.
    pub(super) fn end(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_end_waits_for_a_save_and_forbids_further_ones() {
        let saves = Saves::default();
        let (ended, has_ended) = mpsc::channel();
        thread::scope(|scope| {
            let saving = saves.begin().unwrap();
            scope.spawn(|| {
                saves.end();
                ended.send(()).unwrap();
            });
            let early = has_ended.recv_timeout(Duration::from_millis(200));
            assert!(early.is_err(), "did not wait");
            drop(saving);
            has_ended.recv_timeout(Duration::from_secs(60)).unwrap();
        });
        assert!(saves.begin().is_none());
    }
}
