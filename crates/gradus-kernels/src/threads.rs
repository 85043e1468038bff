//! The one place that knows about cores: a pool whose workers run one closure together, the
//! barrier at which they meet, and matrices that they share.

use std::cell::UnsafeCell;
use std::ops::{Deref, Range};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};

use crate::matrix::{Line, MatMut, MatRef};

/// Worker threads, started once and used for many calls.
pub struct Workers {
    pool: Option<rayon::ThreadPool>,
    count: usize,
}

impl Workers {
    /// `count` workers; one worker is the calling thread itself.
    ///
    /// # Errors
    /// Where the operating system refuses the threads.
    pub fn new(count: usize) -> Result<Self, String> {
        let count = count.max(1);
        let pool = (count > 1)
            .then(|| {
                rayon::ThreadPoolBuilder::new()
                    .num_threads(count)
                    .thread_name(|i| format!("gradus-{i}"))
                    .build()
                    .map_err(|error| format!("cannot start {count} threads: {error}"))
            })
            .transpose()?;
        Ok(Workers { pool, count })
    }

    /// Number of workers.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Runs `work(index)` once on every worker at the same time, and waits for all.
    pub fn run(&self, work: impl Fn(usize) + Sync) {
        match &self.pool {
            None => work(0),
            Some(pool) => {
                pool.broadcast(|context| work(context.index()));
            }
        }
    }
}

/// Environment variables that limit the threads of a process: OpenMP's, which joblib and others set for each of
/// their processes so that together they take each core once, and that of joblib's process pool.
const THREAD_LIMITS: [&str; 2] = ["OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT"];

/// How many cores this process may use: those that the operating system gives it (by affinity and by the quota of its
/// control group), at most the numbers in `OMP_NUM_THREADS` and `LOKY_MAX_CPU_COUNT`.
pub fn available_cores() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, |count| count.get());
    let limits = THREAD_LIMITS.iter().filter_map(|name| thread_limit(&std::env::var(name).ok()?));
    limits.fold(cores, usize::min)
}

/// The number of threads that the value of such a variable allows. OpenMP's may have a number for each level of nesting;
/// the first is for the outermost. What is not a number from 1 is ignored, as OpenMP's libraries do.
fn thread_limit(value: &str) -> Option<usize> {
    value.split(',').next()?.trim().parse().ok().filter(|&count| count > 0)
}

/// Values that are worth a thread of their own.
const LEAST_PART: usize = 1 << 20;

/// Runs `work(part of from, part of to)` for parts at the same places of both, on up to `threads`
/// threads: for work that memory bounds, on new memory above all, whose pages each thread then asks
/// for itself.
///
/// Panics where the lengths differ.
pub fn in_parts<A: Sync, B: Send>(
    threads: usize,
    from: &[A],
    to: &mut [B],
    work: impl Fn(&[A], &mut [B]) + Sync,
) {
    assert_eq!(from.len(), to.len());
    let part = from.len().div_ceil(threads.max(1)).max(LEAST_PART);
    let work = &work;
    std::thread::scope(|scope| {
        let mut parts = from.chunks(part).zip(to.chunks_mut(part));
        let own = parts.next();
        for (from, to) in parts {
            scope.spawn(move || work(from, to));
        }
        if let Some((from, to)) = own {
            work(from, to);
        }
    });
}

/// Where `threads` threads meet: a generation counter, spun on briefly, then slept on.
pub struct ThreadGroup {
    threads: usize,
    arrived: AtomicUsize,
    generation: AtomicUsize,
    broken: AtomicBool,
    sleepers: Mutex<usize>,
    wake: Condvar,
}

/// Rounds of spinning before a waiting thread sleeps: about 50 microseconds, many times what the
/// threads of a training step usually wait for each other.
const SPINS: usize = 4_000;

impl ThreadGroup {
    /// A meeting place for `threads` threads.
    pub fn new(threads: usize) -> Self {
        ThreadGroup {
            threads: threads.max(1),
            arrived: AtomicUsize::new(0),
            generation: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
            sleepers: Mutex::new(0),
            wake: Condvar::new(),
        }
    }

    /// Number of threads.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Thread `index` of this group. While it lives, the others may wait for it; if it is dropped
    /// by a panic, they are woken and panic too instead of waiting for ever.
    pub fn thread(&self, index: usize) -> Thread<'_> {
        assert!(index < self.threads);
        Thread { group: self, index }
    }

    fn barrier(&self) {
        if self.threads == 1 {
            return;
        }
        // The generation first: whoever misses the mark of a broken group is then woken by it.
        let generation = self.generation.load(Ordering::Acquire);
        self.check();
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
            self.arrived.store(0, Ordering::Relaxed);
            self.advance();
            return;
        }
        for _ in 0..SPINS {
            if self.generation.load(Ordering::Acquire) != generation {
                return self.check();
            }
            std::hint::spin_loop();
        }
        let mut sleepers = self.lock();
        *sleepers += 1;
        while self.generation.load(Ordering::Acquire) == generation {
            sleepers = self.wake.wait(sleepers).unwrap_or_else(|broken| broken.into_inner());
        }
        *sleepers -= 1;
        drop(sleepers);
        self.check();
    }

    /// Opens the barrier. The lock orders this after a sleeper's last look at the generation.
    fn advance(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
        let sleepers = self.lock();
        if *sleepers > 0 {
            self.wake.notify_all();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, usize> {
        self.sleepers.lock().unwrap_or_else(|broken| broken.into_inner())
    }

    fn check(&self) {
        assert!(!self.broken.load(Ordering::Acquire), "another worker of this group panicked");
    }
}

/// One thread's place in a [`ThreadGroup`].
pub struct Thread<'a> {
    group: &'a ThreadGroup,
    index: usize,
}

impl Thread<'_> {
    /// Which thread this is, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Waits until every thread of the group has called this. What each wrote before is visible to
    /// all afterwards.
    pub fn barrier(&self) {
        self.group.barrier();
    }

    /// This thread's share of `count` partitions: neighbouring ones, shares as equal as can be.
    pub fn share(&self, count: usize) -> Range<usize> {
        let threads = self.group.threads;
        count * self.index / threads..count * (self.index + 1) / threads
    }
}

impl Drop for Thread<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.group.broken.store(true, Ordering::Release);
            self.group.advance();
        }
    }
}

/// One matrix, cut into rectangular partitions, that several workers use in turns. A partition is either
/// being written by one worker or read by any number; the whole can be read while no partition is
/// being written.
///
/// The schedule (who writes what between two meetings) makes sure of that; a mistake in it is
/// found at run time and panics, so that no data race can come of it.
pub struct SharedMatrix {
    rows: usize,
    columns: usize,
    stride: usize,
    partitions: Vec<Partition>,
    /// Guards of the whole.
    readers: AtomicUsize,
    /// Guards that write a partition.
    writers: AtomicUsize,
    data: Box<[UnsafeCell<Line>]>,
}

struct Partition {
    rows: Range<usize>,
    columns: Range<usize>,
    /// Guards that read this partition, or [`WRITTEN`].
    state: AtomicUsize,
}

/// The state of a partition that is being written.
const WRITTEN: usize = usize::MAX;

// SAFETY: the data are reached only through guards. A partition has either one writing guard or any
// number of reading ones (its `state` goes from 0 to WRITTEN, or from n to n + 1, in one atomic
// step), and partitions do not overlap (checked when built). The whole is read only while no writer is
// counted, and a writer proceeds only while no reader of the whole is counted; both count
// themselves before they look at the other, with sequential consistency, so of two conflicting
// guards at least one sees the other and panics before it touches the data.
unsafe impl Sync for SharedMatrix {}

impl SharedMatrix {
    /// Zeros, `rows x columns`, cut into ranges of columns. Rows start on cache lines, and never a
    /// power of two apart: a walk down a column would fall into few sets of the cache.
    pub fn by_columns(rows: usize, columns: usize, parts: &[Range<usize>]) -> Self {
        let partitions = parts.iter().map(|part| (0..rows, part.clone())).collect();
        let mut stride = columns.next_multiple_of(16);
        if stride.is_multiple_of(128) {
            stride += 16;
        }
        Self::new(rows, columns, stride, partitions)
    }

    /// Zeros, `rows x columns` without gaps, cut into ranges of rows.
    pub fn by_rows(rows: usize, columns: usize, parts: &[Range<usize>]) -> Self {
        let partitions = parts.iter().map(|part| (part.clone(), 0..columns)).collect();
        Self::new(rows, columns, columns, partitions)
    }

    /// A vector of zeros, cut into ranges.
    pub fn vector(len: usize, parts: &[Range<usize>]) -> Self {
        Self::by_columns(1, len, parts)
    }

    fn new(
        rows: usize,
        columns: usize,
        stride: usize,
        partitions: Vec<(Range<usize>, Range<usize>)>,
    ) -> Self {
        for (i, (r, c)) in partitions.iter().enumerate() {
            assert!(r.start <= r.end && r.end <= rows && c.start <= c.end && c.end <= columns);
            let meets = |a: &Range<usize>, b: &Range<usize>| a.start < b.end && b.start < a.end;
            assert!(
                partitions[..i].iter().all(|(r2, c2)| !(meets(r, r2) && meets(c, c2))),
                "partitions of a shared matrix overlap"
            );
        }
        let partitions = partitions
            .into_iter()
            .map(|(rows, columns)| Partition { rows, columns, state: AtomicUsize::new(0) })
            .collect();
        let lines = (rows * stride).div_ceil(16);
        SharedMatrix {
            rows,
            columns,
            stride,
            partitions,
            readers: AtomicUsize::new(0),
            writers: AtomicUsize::new(0),
            data: (0..lines).map(|_| UnsafeCell::new(Line([0.0; 16]))).collect(),
        }
    }

    /// Number of partitions.
    pub fn partitions(&self) -> usize {
        self.partitions.len()
    }

    /// Rows and columns of a partition.
    pub fn partition(&self, index: usize) -> (Range<usize>, Range<usize>) {
        let partition = &self.partitions[index];
        (partition.rows.clone(), partition.columns.clone())
    }

    fn start(&self) -> *mut f32 {
        // UnsafeCell<Line> has the layout of Line, which is 16 floats.
        self.data.as_ptr() as *mut f32
    }

    /// Where a partition starts. A partition lies inside the matrix (checked when built), so this is inside
    /// the allocation or, for an empty partition, at most at its end.
    fn start_of(&self, partition: &Partition) -> *mut f32 {
        let offset = partition.rows.start * self.stride + partition.columns.start;
        // SAFETY: see above.
        unsafe { self.start().add(offset) }
    }

    /// The whole, read-only. Panics while a partition is being written.
    pub fn read(&self) -> Reading<'_> {
        self.readers.fetch_add(1, Ordering::SeqCst);
        let held = Held::Whole(self);
        assert!(
            self.writers.load(Ordering::SeqCst) == 0,
            "a shared matrix is read while it is written"
        );
        // SAFETY: the allocation holds rows * stride values; see the Sync reason above.
        let view = unsafe { MatRef::from_raw(self.start(), self.rows, self.columns, self.stride) };
        Reading { view, _held: held }
    }

    /// Partition `index`, read-only. Panics while it is being written.
    pub fn read_partition(&self, index: usize) -> Reading<'_> {
        let partition = &self.partitions[index];
        let more = |n: usize| (n != WRITTEN).then(|| n + 1);
        let counted = partition.state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more);
        assert!(counted.is_ok(), "a partition of a shared matrix is read while it is written");
        // SAFETY: the extent of a partition; see the Sync reason above.
        let view = unsafe {
            let (rows, columns) = (partition.rows.len(), partition.columns.len());
            MatRef::from_raw(self.start_of(partition), rows, columns, self.stride)
        };
        Reading { view, _held: Held::Partition(partition) }
    }

    /// Partition `index`, writable. Panics while it or the whole is being read, or it is written.
    pub fn write(&self, index: usize) -> Writing<'_> {
        let partition = &self.partitions[index];
        let free = partition
            .state
            .compare_exchange(0, WRITTEN, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok();
        assert!(free, "a partition of a shared matrix is written while it is in use");
        self.writers.fetch_add(1, Ordering::SeqCst);
        let held = Held::Written(self, partition);
        assert!(
            self.readers.load(Ordering::SeqCst) == 0,
            "a shared matrix is written while it is read"
        );
        // SAFETY: the extent of a partition; see the Sync reason above.
        let view = unsafe {
            let (rows, columns) = (partition.rows.len(), partition.columns.len());
            MatMut::from_raw(self.start_of(partition), rows, columns, self.stride)
        };
        Writing { view, _held: held }
    }
}

/// What a guard has counted; dropping it takes the count back, also when a check panics.
enum Held<'a> {
    Whole(&'a SharedMatrix),
    Partition(&'a Partition),
    Written(&'a SharedMatrix, &'a Partition),
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        match self {
            Held::Whole(matrix) => {
                matrix.readers.fetch_sub(1, Ordering::SeqCst);
            }
            Held::Partition(partition) => {
                partition.state.fetch_sub(1, Ordering::SeqCst);
            }
            Held::Written(matrix, partition) => {
                matrix.writers.fetch_sub(1, Ordering::SeqCst);
                partition.state.store(0, Ordering::SeqCst);
            }
        }
    }
}

/// The whole or a partition of a [`SharedMatrix`], read-only.
pub struct Reading<'a> {
    view: MatRef<'a>,
    _held: Held<'a>,
}

impl Reading<'_> {
    /// The matrix; the view cannot outlive this guard.
    pub fn view(&self) -> MatRef<'_> {
        self.view
    }
}

impl Deref for Reading<'_> {
    type Target = [f32];

    /// The first row: the whole of a vector.
    fn deref(&self) -> &[f32] {
        self.view.row(0)
    }
}

/// One partition of a [`SharedMatrix`], writable.
pub struct Writing<'a> {
    view: MatMut<'a>,
    _held: Held<'a>,
}

impl Writing<'_> {
    /// The partition; the view cannot outlive this guard.
    pub fn view(&mut self) -> MatMut<'_> {
        self.view.reborrow()
    }

    /// The first row of the partition: the whole of a partition of a vector.
    pub fn slice(&mut self) -> &mut [f32] {
        self.view.row_mut(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_threads_are_numbers_from_one() {
        for (value, expected) in [
            ("3", Some(3)),
            (" 2 ", Some(2)),
            ("4,2", Some(4)),
            ("0", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(thread_limit(value), expected, "{value:?}");
        }
    }

    #[test]
    fn parts_are_all_of_it() {
        for (len, parts) in [(0, 0), (7, 1), (LEAST_PART + 1, 2), (5 * LEAST_PART, 3)] {
            let from: Vec<u32> = (0..len as u32).collect();
            let (mut to, calls) = (vec![0; len], AtomicUsize::new(0));
            in_parts(3, &from, &mut to, |from, to| {
                calls.fetch_add(1, Ordering::Relaxed);
                to.copy_from_slice(from);
            });
            assert!(to == from);
            assert_eq!(calls.into_inner(), parts);
        }
    }

    #[test]
    fn members_meet_and_see_each_others_writes() {
        let (workers, group) = (Workers::new(4).unwrap(), ThreadGroup::new(4));
        let parts: Vec<_> = (0..4).map(|i| i * 10..(i + 1) * 10).collect();
        let shared = SharedMatrix::vector(40, &parts);
        workers.run(|index| {
            let thread = group.thread(index);
            for round in 0..500 {
                shared.write(index).slice().fill((round * 4 + index) as f32);
                thread.barrier();
                let expected: usize = (0..4).map(|i| 10 * (round * 4 + i)).sum();
                assert_eq!(shared.read().iter().sum::<f32>(), expected as f32);
                thread.barrier();
            }
        });
    }

    #[test]
    fn shares_cover_everything_once() {
        for threads in 1..6 {
            let group = ThreadGroup::new(threads);
            let mut all = Vec::new();
            for index in 0..threads {
                all.extend(group.thread(index).share(13));
            }
            assert_eq!(all, (0..13).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_panic_of_one_worker_ends_all() {
        let (workers, group) = (Workers::new(2).unwrap(), ThreadGroup::new(2));
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            workers.run(|index| {
                let thread = group.thread(index);
                assert_ne!(index, 1, "on purpose");
                thread.barrier();
            });
        }));
        assert!(outcome.is_err());
    }

    #[test]
    #[should_panic(expected = "written while it is read")]
    fn writing_while_reading_is_refused() {
        let shared = SharedMatrix::vector(4, &[0..2, 2..4]);
        let _reading = shared.read();
        shared.write(0);
    }

    #[test]
    #[should_panic(expected = "written while it is in use")]
    fn writing_a_piece_twice_is_refused() {
        let shared = SharedMatrix::vector(4, &[0..2, 2..4]);
        let (_first, _other) = (shared.write(0), shared.write(1));
        shared.write(0);
    }

    #[test]
    fn a_piece_is_read_while_another_is_written() {
        let shared = SharedMatrix::by_columns(3, 40, &[0..20, 20..40]);
        shared.write(1).view().fill(2.0);
        let reading = shared.read_partition(1);
        shared.write(0).view().fill(1.0);
        assert!(reading.view().row(2).iter().all(|&value| value == 2.0));
        drop(reading);
        assert_eq!(shared.read().view().row(1)[19..21], [1.0, 2.0]);
    }

    #[test]
    #[should_panic(expected = "read while it is written")]
    fn reading_a_piece_that_is_written_is_refused() {
        let shared = SharedMatrix::vector(4, &[0..2, 2..4]);
        let _writing = shared.write(0);
        shared.read_partition(0);
    }

    #[test]
    #[should_panic(expected = "overlap")]
    fn overlapping_pieces_are_refused() {
        SharedMatrix::vector(4, &[0..3, 2..4]);
    }
}
