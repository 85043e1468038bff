//! Windows: the inputs of the coming batches, read ahead by a thread of its own while the engine computes.
//!
//! In: samples that are not in memory, and the order of an epoch. Out: [`Window`]s, one after the other, each with the inputs
//! of some consecutive batches. The reader keeps those blocks in memory whose samples are still to come, about two groups
//! for each stream ([`Batches`]): the one that is being used up, and as much of the next.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex};

use crate::engine::cpu::lock;
use crate::error::{Error, Result};
use crate::samples::batches::Batches;
use crate::samples::blocks::BLOCK;
use crate::samples::{Inputs, Rows, Subset};

/// About how many bytes a window takes, but at least one batch.
const WINDOW_BYTES: usize = 8 << 20;

/// Windows that are ready or in use at a time.
const READY: usize = 2;

/// The place of a sample in a window that does not have it.
const NOWHERE: u32 = u32::MAX;

/// The inputs of some consecutive batches.
pub(super) struct Window {
    batches: Range<usize>,
    inputs: Inputs,
    /// Where in `inputs` the samples of these batches are, batch after batch.
    places: Vec<u32>,
}

/// The inputs of a batch: the rows that they are among, and for each sample of the batch which of them.
#[derive(Clone, Copy)]
pub(super) struct Stored<'a> {
    pub(super) rows: Rows<'a>,
    pub(super) places: &'a [u32],
}

impl Window {
    /// The inputs of a batch.
    pub(super) fn batch(&self, batch: usize, order: &Batches) -> Stored<'_> {
        let start = (batch - self.batches.start) * order.batch_size();
        let places = &self.places[start..][..order.batch(batch).len()];
        Stored { rows: self.inputs.rows(), places }
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
        let Some(streamed) = plan.data.streamed() else { return Ok(()) };
        let mut blocks = Blocks::new(plan);
        let bytes_of_batch = plan.order.batch_size() * plan.data.row_bytes();
        let rounds = WINDOW_BYTES / (bytes_of_batch * plan.round).max(1);
        let count = rounds.max(1) * plan.round;
        // Windows that nobody holds any more are used again.
        let mut pool: Vec<Arc<Window>> = Vec::new();
        for first in plan.batches.clone().step_by(count) {
            let batches = first..(first + count).min(plan.batches.end);
            let free = pool.iter_mut().position(|window| Arc::get_mut(window).is_some());
            let free = free.and_then(|at| Arc::into_inner(pool.swap_remove(at)));
            let mut window = free.unwrap_or_else(|| {
                let (batches, places) = (0..0, Vec::new());
                let rows = count * (plan.needed)(plan.order.batch_size()).len();
                Window { batches, inputs: streamed.none(rows), places }
            });
            let rows = blocks.fill(plan, batches, &mut window)?;
            let window = Arc::new(window);
            pool.push(Arc::clone(&window));
            let mut queue = lock(&self.queue);
            while queue.ready.len() >= READY && !queue.is_closed {
                queue = self.wait(queue);
            }
            if queue.is_closed {
                return Ok(());
            }
            queue.ready.push_back(window);
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
    /// In the order in which they are needed first.
    coming: VecDeque<u32>,
    blocks: Vec<Block>,
    /// How many rows may be read ahead.
    credit: usize,
}

#[derive(Default, Clone)]
struct Block {
    /// None before it is read, and when no sample is needed any more.
    inputs: Option<Inputs>,
    /// How many samples are still needed.
    left: u32,
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
        Blocks { coming, blocks, credit: 0 }
    }

    /// Makes the window of these batches, and says how many samples it has.
    fn fill(&mut self, plan: &Plan, batches: Range<usize>, window: &mut Window) -> Result<usize> {
        let features = plan.data.features();
        window.batches = batches.clone();
        window.inputs.clear();
        window.places.clear();
        let mut rows = 0;
        for batch in batches {
            let samples = plan.order.batch(batch);
            let needed = (plan.needed)(samples.len());
            for (place, &sample) in samples.iter().enumerate() {
                if !needed.contains(&place) {
                    window.places.push(NOWHERE);
                    continue;
                }
                window.places.push(rows as u32);
                rows += 1;
                let (number, row) = (sample as usize / BLOCK, sample as usize % BLOCK);
                self.add(plan, number, row * features..(row + 1) * features, &mut window.inputs)?;
            }
        }
        Ok(rows)
    }

    /// Adds the values of a sample, which is then no longer needed.
    fn add(
        &mut self,
        plan: &Plan,
        number: usize,
        values: Range<usize>,
        to: &mut Inputs,
    ) -> Result<()> {
        let block = &mut self.blocks[number];
        let inputs = match &mut block.inputs {
            Some(inputs) => inputs,
            none => none.insert(read(plan, number)?),
        };
        to.append_values(inputs, values);
        block.left -= 1;
        if block.left == 0 {
            block.inputs = None;
        }
        Ok(())
    }

    /// Reads about as many rows of the next blocks as have been used, so that no group has to be read at once.
    fn read_ahead(&mut self, plan: &Plan, used: usize) -> Result<()> {
        self.credit += used;
        while let Some(&number) = self.coming.front() {
            let block = &mut self.blocks[number as usize];
            if block.inputs.is_none() && block.left > 0 {
                if self.credit < BLOCK {
                    return Ok(());
                }
                self.credit -= BLOCK;
                block.inputs = Some(read(plan, number as usize)?);
            }
            self.coming.pop_front();
        }
        Ok(())
    }
}

/// The inputs of a block.
fn read(plan: &Plan, number: usize) -> Result<Inputs> {
    let samples = number * BLOCK..((number + 1) * BLOCK).min(plan.data.len());
    let Some(streamed) = plan.data.streamed() else {
        return Err(Error::argument("the samples are in memory: nothing is to be read"));
    };
    let mut inputs = streamed.none(samples.len());
    streamed.read(samples.map(|sample| plan.data.index(sample)), &mut inputs)?;
    Ok(inputs)
}
