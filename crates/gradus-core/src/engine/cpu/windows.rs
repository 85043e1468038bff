//! Windows: the inputs of the coming batches, read ahead by a thread of its own while the engine computes.
//!
//! In: samples that are not in memory, and the order of an epoch. Out: [`Window`]s, one after the other, each with the
//! blocks that some consecutive batches take samples from: nothing is copied. The reader keeps those blocks in memory whose
//! samples are still to come, about two groups for each stream ([`Batches`]): the one that is being used up, and as much of
//! the next.

use std::collections::VecDeque;
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::Builder;

use crate::engine::cpu::lock;
use crate::error::{Error, Result};
use crate::samples::batches::Batches;
use crate::samples::blocks::BLOCK;
use crate::samples::{Inputs, Rows, Subset};

/// About how many bytes the samples of a window have, but at least one batch.
const WINDOW_BYTES: usize = 8 << 20;

/// Windows that are ready or in use at a time. They share their blocks, so that eight of them take little memory more than two; how much
/// longer a disk may hesitate before the threads that compute wait for it was not measured.
const READY: usize = 8;

/// At most so many blocks are read at the same time: each takes memory, and few disks give more to more readers.
const MOST_READERS: usize = 4;

/// The inputs of some consecutive batches.
pub(super) struct Window {
    batches: Range<usize>,
    blocks: Vec<Arc<Inputs>>,
    /// Where the samples of these batches are, batch after batch; that of a sample that is not needed has no meaning.
    places: Vec<BlockRow>,
}

/// Where a sample is: in which of a window's blocks, and in which of the block's rows.
#[derive(Clone, Copy, Default)]
struct BlockRow {
    block: u32,
    row: u32,
}

/// The inputs of a batch.
#[derive(Clone, Copy)]
pub(super) struct Stored<'a> {
    blocks: &'a [Arc<Inputs>],
    places: &'a [BlockRow],
}

impl<'a> Stored<'a> {
    /// The rows that hold the sample at a place of the batch, and which of them it is.
    pub(super) fn sample(&self, place: usize) -> (Rows<'a>, usize) {
        let BlockRow { block, row } = self.places[place];
        (self.blocks[block as usize].rows(), row as usize)
    }
}

impl Window {
    /// The inputs of a batch.
    pub(super) fn batch(&self, batch: usize, order: &Batches) -> Stored<'_> {
        let start = (batch - self.batches.start) * order.batch_size();
        let places = &self.places[start..][..order.batch(batch).len()];
        Stored { blocks: &self.blocks, places }
    }
}

/// What a reader is to read.
pub(super) struct Plan<'a> {
    pub(super) data: Subset<'a>,
    pub(super) order: &'a Batches,
    /// The batches of the epoch that are left.
    pub(super) batches: Range<usize>,
    /// A window holds a multiple of so many batches.
    pub(super) round: usize,
    /// Which samples of a batch of so many are needed, by their places in it.
    pub(super) needed: &'a (dyn Fn(usize) -> Range<usize> + Sync),
    /// How many threads compute meanwhile.
    pub(super) threads: usize,
}

/// Windows on their way from the reader to the threads that compute.
#[derive(Default)]
pub(super) struct Windows {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    ready: VecDeque<Arc<Window>>,
    /// Nobody takes windows any more.
    is_closed: bool,
    /// No window will follow.
    has_ended: bool,
    error: Option<Error>,
}

/// Tells the other side that there is nothing more to wait for, however this side ends.
pub(super) struct Ending<'a>(&'a Windows, fn(&mut Queue));

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        (self.1)(&mut lock(&self.0.queue));
        self.0.changed.notify_all();
    }
}

impl Windows {
    /// The window with this batch, which may take a while; none if it could not be read. Threads ask for the windows in
    /// their order: whoever asks for one has all threads past those before it.
    pub(super) fn with(&self, batch: usize) -> Option<Arc<Window>> {
        let mut queue = lock(&self.queue);
        loop {
            while queue.ready.front().is_some_and(|window| window.batches.end <= batch) {
                queue.ready.pop_front();
                self.changed.notify_all();
            }
            match queue.ready.front() {
                Some(window) => return Some(Arc::clone(window)),
                None if queue.has_ended => return None,
                None => queue = self.wait(queue),
            }
        }
    }

    /// When it is dropped, the reader stops.
    pub(super) fn closing(&self) -> Ending<'_> {
        Ending(self, |queue| queue.is_closed = true)
    }

    /// Why the reader has stopped, if it failed.
    pub(super) fn check(&self) -> Result<()> {
        lock(&self.queue).error.take().map_or(Ok(()), Err)
    }

    /// Reads all windows, until nobody takes them any more.
    pub(super) fn read(&self, plan: &Plan) {
        let _ending = Ending(self, |queue| queue.has_ended = true);
        if let Err(error) = self.read_all(plan) {
            lock(&self.queue).error = Some(error);
        }
    }

    fn read_all(&self, plan: &Plan) -> Result<()> {
        let mut blocks = Blocks::new(plan);
        let bytes_of_batch = plan.order.batch_size() * plan.data.row_bytes();
        let rounds = WINDOW_BYTES / (bytes_of_batch * plan.round).max(1);
        let count = rounds.max(1) * plan.round;
        for first in plan.batches.clone().step_by(count) {
            let batches = first..(first + count).min(plan.batches.end);
            let (window, rows) = blocks.window(plan, batches)?;
            let mut queue = lock(&self.queue);
            while queue.ready.len() >= READY && !queue.is_closed {
                queue = self.wait(queue);
            }
            if queue.is_closed {
                return Ok(());
            }
            queue.ready.push_back(Arc::new(window));
            drop(queue);
            self.changed.notify_all();
            blocks.read_ahead(plan, rows)?;
        }
        Ok(())
    }

    fn wait<'q>(
        &self,
        queue: std::sync::MutexGuard<'q, Queue>,
    ) -> std::sync::MutexGuard<'q, Queue> {
        self.changed.wait(queue).unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// The blocks of which some samples are still needed.
struct Blocks {
    /// Those that are not read yet, in the order in which they are needed first.
    coming: VecDeque<u32>,
    blocks: Vec<Block>,
    /// The numbers of those that the last window has, in its order.
    listed: Vec<usize>,
    /// How many rows may be read ahead.
    credit: usize,
    /// Those of which no sample is needed any more, as long as no other block has taken their memory.
    spent: Vec<Arc<Inputs>>,
}

#[derive(Default, Clone)]
struct Block {
    /// None before it is read, and when no sample is needed any more: windows that have it keep it as long as they need it.
    inputs: Option<Arc<Inputs>>,
    /// How many samples are still needed.
    left: u32,
    /// Its place among those of the last window, if that has it.
    listed: Option<u32>,
}

impl Blocks {
    fn new(plan: &Plan) -> Blocks {
        let mut blocks = vec![Block::default(); plan.data.len().div_ceil(BLOCK)];
        let mut coming = VecDeque::new();
        for batch in plan.batches.clone() {
            let samples = plan.order.batch(batch);
            for &sample in &samples[(plan.needed)(samples.len())] {
                let number = sample as usize / BLOCK;
                if blocks[number].left == 0 {
                    coming.push_back(number as u32);
                }
                blocks[number].left += 1;
            }
        }
        Blocks { coming, blocks, listed: Vec::new(), credit: 0, spent: Vec::new() }
    }

    /// The window of these batches, and how many samples it has.
    fn window(&mut self, plan: &Plan, batches: Range<usize>) -> Result<(Window, usize)> {
        for number in self.listed.drain(..) {
            self.blocks[number].listed = None;
        }
        let mut window =
            Window { batches: batches.clone(), blocks: Vec::new(), places: Vec::new() };
        let mut rows = 0;
        for batch in batches {
            let samples = plan.order.batch(batch);
            let needed = (plan.needed)(samples.len());
            rows += needed.len();
            for (place, &sample) in samples.iter().enumerate() {
                window.places.push(match needed.contains(&place) {
                    true => self.take(plan, sample as usize, &mut window.blocks)?,
                    false => BlockRow::default(),
                });
            }
        }
        Ok((window, rows))
    }

    /// The place of a sample, which is then no longer needed, among the blocks of a window; adds its block if it is missing.
    fn take(
        &mut self,
        plan: &Plan,
        sample: usize,
        window: &mut Vec<Arc<Inputs>>,
    ) -> Result<BlockRow> {
        let (number, row) = (sample / BLOCK, (sample % BLOCK) as u32);
        let listed = match self.blocks[number].listed {
            Some(listed) => listed,
            None => {
                let inputs = loop {
                    match &self.blocks[number].inputs {
                        Some(inputs) => break Arc::clone(inputs),
                        None => self.read_next(plan)?,
                    }
                };
                let listed = window.len() as u32;
                window.push(inputs);
                self.listed.push(number);
                *self.blocks[number].listed.insert(listed)
            }
        };
        let block = &mut self.blocks[number];
        block.left -= 1;
        if block.left == 0 {
            self.spent.extend(block.inputs.take());
        }
        Ok(BlockRow { block: listed, row })
    }

    /// Reads about as many rows of the next blocks as have been used, so that no group has to be read at once.
    fn read_ahead(&mut self, plan: &Plan, used: usize) -> Result<()> {
        self.credit += used;
        while !self.coming.is_empty() && self.credit >= self.at_a_time(plan) * BLOCK {
            self.credit -= self.at_a_time(plan) * BLOCK;
            self.read_next(plan)?;
        }
        Ok(())
    }

    /// How many blocks are read next.
    fn at_a_time(&self, plan: &Plan) -> usize {
        plan.threads.min(MOST_READERS).min(self.coming.len())
    }

    /// Reads the next blocks, at least one, all at the same time. Where the threads that compute have all cores, a reader stops one
    /// of them, and the others wait for it: so it is better that several readers stop all of them, for a shorter time.
    fn read_next(&mut self, plan: &Plan) -> Result<()> {
        let count = self.at_a_time(plan);
        let numbers: Vec<u32> = self.coming.drain(..count).collect();
        let read: Vec<Result<Inputs>> = std::thread::scope(|scope| {
            let mut work = numbers.iter().map(|&number| {
                let memory = self.memory();
                move || read(plan, number as usize, memory)
            });
            let own = work.next();
            let others: Vec<_> = work.map(|work| reader().spawn_scoped(scope, work)).collect();
            let own = own.map(|work| work());
            let others = others.into_iter().map(|other| match other {
                Ok(other) => other.join().unwrap_or_else(|panic| resume_unwind(panic)),
                Err(error) => Err(no_reader(error)),
            });
            own.into_iter().chain(others).collect()
        });
        if read.is_empty() {
            return Err(Error::argument("a sample is in none of the blocks that were to come"));
        }
        for (number, inputs) in numbers.into_iter().zip(read) {
            self.blocks[number as usize].inputs = Some(Arc::new(inputs?));
        }
        Ok(())
    }

    /// The memory of a block that no window has any more, so that no pages have to be asked for.
    fn memory(&mut self) -> Option<Inputs> {
        let free = self.spent.iter().position(|it| Arc::strong_count(it) == 1)?;
        Arc::into_inner(self.spent.swap_remove(free))
    }
}

/// A thread that reads.
pub(super) fn reader() -> Builder {
    Builder::new().name("reader".into())
}

/// The error of a thread that the operating system refused.
pub(super) fn no_reader(error: std::io::Error) -> Error {
    Error::argument(format!("no thread to read data: {error}"))
}

/// The inputs of a block, in memory that may have held another.
fn read(plan: &Plan, number: usize, memory: Option<Inputs>) -> Result<Inputs> {
    let samples = number * BLOCK..((number + 1) * BLOCK).min(plan.data.len());
    let Some(streamed) = plan.data.streamed() else {
        return Err(Error::argument("the samples are in memory: nothing is to be read"));
    };
    let mut inputs = streamed.none_in(memory, samples.len());
    streamed.read(samples.map(|sample| plan.data.index(sample)), &mut inputs)?;
    Ok(inputs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{DataDigest, Dataset, Source, Sums, Targets};

    /// A window has about a block of such rows.
    const FEATURES: usize = WINDOW_BYTES / BLOCK;

    const SAMPLES: usize = 7 * BLOCK + 100;

    /// What each value of a sample is.
    fn value(sample: usize) -> u8 {
        (sample % 251) as u8
    }

    /// Samples that are written into the memory that is offered.
    struct Written;

    impl Source for Written {
        fn samples(&self) -> usize {
            SAMPLES
        }

        fn read(&self, rows: Range<usize>) -> Result<Dataset> {
            let inputs = self.inputs(rows.clone(), Inputs::Bytes(Vec::new()))?;
            Dataset::with_targets(
                inputs,
                self.targets()?.subset(&rows.collect::<Vec<_>>()),
                vec![FEATURES],
            )
        }

        fn inputs(&self, rows: Range<usize>, memory: Inputs) -> Result<Inputs> {
            let Inputs::Bytes(mut values) = memory else { panic!("bytes are read into bytes") };
            assert!(values.is_empty());
            values.extend(rows.flat_map(|sample| std::iter::repeat_n(value(sample), FEATURES)));
            Ok(Inputs::Bytes(values))
        }

        fn targets(&self) -> Result<Targets> {
            Ok(Targets::Classes { labels: vec![0; SAMPLES], names: vec!["a".into()] })
        }

        fn digest(&self) -> DataDigest {
            unreachable!("nobody asks for it")
        }

        fn sums(&self) -> Result<Sums> {
            unreachable!("nobody asks for them")
        }
    }

    #[test]
    fn windows_have_their_samples_in_memory_that_is_used_again() {
        let data = Dataset::streamed(Written).unwrap();
        let order = Batches::new(SAMPLES, 1000).unwrap();
        for threads in [1, 2, 3] {
            let plan = Plan {
                data: (&data).into(),
                order: &order,
                batches: 0..order.len(),
                round: 2,
                needed: &|samples| samples / 4..samples,
                threads,
            };
            let mut blocks = Blocks::new(&plan);
            for first in (0..order.len()).step_by(4) {
                let (window, rows) =
                    blocks.window(&plan, first..(first + 4).min(order.len())).unwrap();
                for batch in window.batches.clone() {
                    let (samples, stored) = (order.batch(batch), window.batch(batch, &order));
                    for place in samples.len() / 4..samples.len() {
                        let (Rows::Bytes(values), row) = stored.sample(place) else {
                            panic!("not bytes")
                        };
                        let found = &values[row * FEATURES..][..FEATURES];
                        assert!(found.iter().all(|&it| it == value(samples[place] as usize)));
                    }
                }
                drop(window);
                blocks.read_ahead(&plan, rows).unwrap();
            }
            assert!(blocks.coming.is_empty());
            // Without that, all eight.
            assert!(blocks.spent.len() <= 2 + threads, "{threads}: {}", blocks.spent.len());
        }
    }
}
