//! Several pieces of work at a time, each by one thread.

use std::sync::Mutex;
use std::thread;

use crate::engine::cpu::lock;

/// Does `work` on each of the items, on up to `threads` threads, this one included; the results come in the order of the
/// items. Where the operating system refuses threads, those that there are do the work.
pub(super) fn in_parallel<T: Send, R: Send>(
    threads: usize,
    items: Vec<T>,
    work: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    let threads = threads.min(items.len());
    let (waiting, results) = (Mutex::new(items.into_iter().enumerate()), Mutex::new(Vec::new()));
    let next = || lock(&waiting).next();
    let run = || {
        while let Some((at, item)) = next() {
            let result = work(item);
            lock(&results).push((at, result));
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            if thread::Builder::new().spawn_scoped(scope, run).is_err() {
                break;
            }
        }
        run();
    });
    let mut results = results.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_order() {
        for threads in [0, 1, 2, 3, 50] {
            let found = in_parallel(threads, (0..20).collect(), |item: u64| {
                thread::sleep(std::time::Duration::from_micros(20 - item));
                item * item
            });
            assert_eq!(found, (0..20).map(|item| item * item).collect::<Vec<_>>());
        }
        assert!(in_parallel(2, Vec::<u8>::new(), |item| item).is_empty());
    }
}
