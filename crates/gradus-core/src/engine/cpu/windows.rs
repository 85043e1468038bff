//! Windows: the inputs of the coming batches, read ahead by a thread of its own while the engine computes.
//!
//! In: samples that are not in memory, and the order of an epoch. Out: [`Window`]s, one after the other, each with the
//! blocks that some consecutive batches take samples from: nothing is copied. The reader keeps those blocks in memory whose
//! samples are still to come, about two groups for each stream ([`Batches`]): the one that is being used up, and as much of
//! the next.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex};

use crate::engine::cpu::lock;
use crate::error::{Error, Result};
use crate::samples::batches::Batches;
use crate::samples::blocks::BLOCK;
use crate::samples::{Inputs, Rows, Subset};

/// About how many bytes the samples of a window have, but at least one batch.
const WINDOW_BYTES: usize = 8 << 20;

/// Windows that are ready or in use at a time.
const READY: usize = 2;

/// The inputs of some consecutive batches.
pub(super) struct Window {
    batches: Range<usize>,
    blocks: Vec<Arc<Inputs>>,
    /// Where the samples of these batches are, batch after batch; that of a sample that is not needed has no meaning.
    places: Vec<Place>,
}

/// A sample: which of a window's blocks, and which of the block's rows.
#[derive(Clone, Copy, Default)]
struct Place {
    block: u32,
    row: u32,
}

/// The inputs of a batch.
#[derive(Clone, Copy)]
pub(super) struct Stored<'a> {
    blocks: &'a [Arc<Inputs>],
    places: &'a [Place],
}

impl<'a> Stored<'a> {
    /// The rows that hold the sample at a place of the batch, and which of them it is.
    pub(super) fn sample(&self, place: usize) -> (Rows<'a>, usize) {
        let Place { block, row } = self.places[place];
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
    /// In the order in which they are needed first.
    coming: VecDeque<u32>,
    blocks: Vec<Block>,
    /// The numbers of those that the last window has, in its order.
    listed: Vec<usize>,
    /// How many rows may be read ahead.
    credit: usize,
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
        Blocks { coming, blocks, listed: Vec::new(), credit: 0 }
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
                    false => Place::default(),
                });
            }
        }
        Ok((window, rows))
    }

    /// The place of a sample, which is then no longer needed, among the blocks of a window; adds its block if it is missing.
    fn take(&mut self, plan: &Plan, sample: usize, window: &mut Vec<Arc<Inputs>>) -> Result<Place> {
        let (number, row) = (sample / BLOCK, (sample % BLOCK) as u32);
        let block = &mut self.blocks[number];
        let listed = match block.listed {
            Some(listed) => listed,
            None => {
                let inputs = match &mut block.inputs {
                    Some(inputs) => inputs,
                    none => none.insert(Arc::new(read(plan, number)?)),
                };
                let listed = window.len() as u32;
                window.push(Arc::clone(inputs));
                self.listed.push(number);
                *block.listed.insert(listed)
            }
        };
        block.left -= 1;
        if block.left == 0 {
            block.inputs = None;
        }
        Ok(Place { block: listed, row })
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
                block.inputs = Some(Arc::new(read(plan, number as usize)?));
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
