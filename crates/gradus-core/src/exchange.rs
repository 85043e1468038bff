//! Several processes ("ranks") that train one model together: what moves bytes between them, and the sums and lists
//! that are made of it.
//!
//! In: numbers of this rank. Out: the same numbers on every rank. Whoever runs the processes brings an [`Exchange`], one
//! primitive: two ranks send each other bytes. The order of additions is decided here, along a binary tree over the
//! numbers of the ranks, so that a sum over ranks has the bits of the sum over the micro-batches of one process
//! (docs/architecture.md, Ranks).

use std::fmt::Debug;
use std::ops::Range;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use gradus_kernels::Kernels;
use gradus_kernels::bytes::{bytes_of, bytes_of_mut};
use sha2::{Digest, Sha256};

use crate::error::{Error, ErrorKind, Result};

/// Moves bytes between the ranks of a run; one rank is one process, or in tests one thread.
pub trait Exchange: Debug + Send + Sync {
    /// The number of this rank, from 0.
    fn rank(&self) -> usize;

    /// How many ranks there are: a power of two.
    fn size(&self) -> usize;

    /// Sends `send` to the rank `partner` and fills `receive` with what that one sends at the same time. All ranks call
    /// it in pairs and in the same order, never from two threads at a time; the lengths agree: what one sends is as
    /// long as what the other receives.
    ///
    /// # Errors
    /// `Io` if the partner is lost. An implementation may end the process instead.
    fn exchange(&self, partner: usize, send: &[u8], receive: &mut [u8]) -> Result<()>;
}

/// The ranks of a run: one, or those that an [`Exchange`] connects.
#[derive(Debug, Clone, Default)]
pub struct Ranks {
    exchange: Option<Arc<dyn Exchange>>,
}

impl Ranks {
    /// A run of one process.
    pub const ALONE: Ranks = Ranks { exchange: None };

    /// Those that `exchange` connects.
    ///
    /// # Errors
    /// `InvalidArgument` if their number is no power of two.
    pub fn new(exchange: Arc<dyn Exchange>) -> Result<Ranks> {
        let size = exchange.size();
        if !size.is_power_of_two() {
            return Err(Error::argument(format!(
                "{size} ranks: their number must be a power of two (1, 2, 4, 8, ...), because sums are made along a \
                 binary tree over them"
            )));
        }
        Ok(Ranks { exchange: (size > 1).then_some(exchange) })
    }

    /// The number of this rank.
    pub fn rank(&self) -> usize {
        self.exchange.as_ref().map_or(0, |it| it.rank())
    }

    /// How many there are.
    pub fn size(&self) -> usize {
        self.exchange.as_ref().map_or(1, |it| it.size())
    }

    /// Whether there is one rank only: nothing is exchanged then.
    pub fn is_alone(&self) -> bool {
        self.exchange.is_none()
    }

    /// Replaces `values` by their sums over all ranks, each added along the binary tree
    /// `((0 + 1) + (2 + 3)) + ...`: every rank gets the same bits. `received` is memory of the same length.
    ///
    /// Recursive halving, nearest ranks first, then doubling back (Thakur, Rabenseifner and Gropp 2005): each rank sends
    /// 2 (P - 1) / P of the values in 2 log2 P messages.
    ///
    /// # Errors
    /// Those of [`Exchange::exchange`].
    pub(crate) fn sum(
        &self,
        kernels: Kernels,
        values: &mut [f32],
        received: &mut [f32],
    ) -> Result<()> {
        let Some(exchange) = &self.exchange else { return Ok(()) };
        let levels = exchange.size().ilog2();
        let mut own = 0..values.len();
        let mut halves: Vec<(usize, [Range<usize>; 2])> = Vec::new();
        for level in 0..levels {
            let partner = exchange.rank() ^ (1 << level);
            let middle = own.start + own.len() / 2;
            let parts = [own.start..middle, middle..own.end];
            let [kept, given] = if exchange.rank() < partner {
                parts
            } else {
                let [first, second] = parts;
                [second, first]
            };
            let received = &mut received[..kept.len()];
            exchange.exchange(partner, bytes_of(&values[given.clone()]), bytes_of_mut(received))?;
            // Two numbers have the same sum in either order: both halves of the tree are added as one process would.
            kernels.add(&mut values[kept.clone()], received);
            own = kept.clone();
            halves.push((partner, [kept, given]));
        }
        for (partner, [kept, given]) in halves.into_iter().rev() {
            let received = &mut received[..given.len()];
            exchange.exchange(partner, bytes_of(&values[kept]), bytes_of_mut(received))?;
            values[given].copy_from_slice(received);
        }
        Ok(())
    }

    /// What all ranks have, one after the other; what each has is as long as `own`.
    ///
    /// # Errors
    /// Those of [`Exchange::exchange`].
    pub(crate) fn gather(&self, own: &[u8]) -> Result<Vec<u8>> {
        let Some(exchange) = &self.exchange else { return Ok(own.to_vec()) };
        let (rank, length) = (exchange.rank(), own.len());
        let mut all = vec![0; length * exchange.size()];
        all[rank * length..(rank + 1) * length].copy_from_slice(own);
        for level in 0..exchange.size().ilog2() {
            // A block of ranks that know of each other, and the block beside it.
            let (width, partner) = (1 << level, rank ^ (1 << level));
            let block = |rank: usize| {
                let first = rank / width * width;
                first * length..(first + width) * length
            };
            let mut received = vec![0; width * length];
            exchange.exchange(partner, &all[block(rank)], &mut received)?;
            all[block(partner)].copy_from_slice(&received);
        }
        Ok(all)
    }

    /// What all ranks have, a list for each; they may be of any length.
    ///
    /// # Errors
    /// Those of [`Exchange::exchange`].
    pub fn lists(&self, own: &[u8]) -> Result<Vec<Vec<u8>>> {
        let lengths = self.gather(&(own.len() as u64).to_le_bytes())?;
        let (lengths, _) = lengths.as_chunks::<8>();
        let lengths: Vec<usize> =
            lengths.iter().map(|&it| u64::from_le_bytes(it) as usize).collect();
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let mut padded = own.to_vec();
        padded.resize(longest, 0);
        let all = self.gather(&padded)?;
        // Of no width if nobody has anything.
        let list = |(rank, length): (usize, &usize)| all[rank * longest..][..*length].to_vec();
        Ok(lengths.iter().enumerate().map(list).collect())
    }

    /// Checks that all ranks have the same version of gradus, instruction set, and `things`: what each is, its value on this
    /// rank, and what to do if that of another rank differs.
    ///
    /// # Errors
    /// `InvalidArgument` with the number of the first rank that differs from rank 0, in what, and what to do; it is the same on
    /// all ranks. Those of [`Exchange::exchange`].
    pub fn compare(&self, things: &[(&str, &[u8], &str)]) -> Result<()> {
        if self.is_alone() {
            return Ok(());
        }
        let isa = Kernels::detect().map_err(Error::argument)?.isa().name();
        let program = [
            (
                "version of gradus",
                env!("CARGO_PKG_VERSION").as_bytes(),
                "install the same version everywhere",
            ),
            (
                "instruction set",
                isa.as_bytes(),
                "set the environment variable GRADUS_ISA=avx2 (the one that all machines have) on all ranks",
            ),
        ];
        let compared = || program.iter().chain(things);
        let own: Vec<u8> = compared().flat_map(|(_, value, _)| Sha256::digest(value)).collect();
        let all = self.gather(&own)?;
        let (first, length) = (&all[..own.len()], own.len() / compared().count());
        for (rank, other) in all.chunks_exact(own.len()).enumerate() {
            for (at, (what, _, remedy)) in compared().enumerate() {
                let place = at * length..(at + 1) * length;
                if first[place.clone()] != other[place] {
                    return Err(Error::argument(format!(
                        "rank {rank} does not have the {what} of rank 0: {remedy}"
                    )));
                }
            }
        }
        Ok(())
    }

    /// Whether any rank says so.
    ///
    /// # Errors
    /// Those of [`Exchange::exchange`].
    pub fn any(&self, own: bool) -> Result<bool> {
        Ok(self.gather(&[own.into()])?.contains(&1))
    }
}

/// Ranks that are threads of this process: for tests, and for trying what a run on several machines computes.
#[derive(Debug)]
pub struct Threads {
    rank: usize,
    /// To each rank.
    to: Vec<Sender<Vec<u8>>>,
    /// From each rank.
    from: Vec<Mutex<Receiver<Vec<u8>>>>,
}

impl Threads {
    /// `size` ranks, which may be moved to threads of their own.
    pub fn new(size: usize) -> Vec<Threads> {
        let mut senders: Vec<Vec<_>> = Vec::new();
        let mut receivers: Vec<Vec<_>> = (0..size).map(|_| Vec::new()).collect();
        for _from in 0..size {
            let mut row = Vec::new();
            for to in &mut receivers {
                let (sender, receiver) = channel();
                row.push(sender);
                to.push(receiver.into());
            }
            senders.push(row);
        }
        let ranks = senders.into_iter().zip(receivers).enumerate();
        ranks.map(|(rank, (to, from))| Threads { rank, to, from }).collect()
    }
}

impl Exchange for Threads {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.to.len()
    }

    fn exchange(&self, partner: usize, send: &[u8], receive: &mut [u8]) -> Result<()> {
        let lost = || Error::new(ErrorKind::Io, format!("rank {partner} has gone"));
        self.to[partner].send(send.to_vec()).map_err(|_| lost())?;
        let from = self.from[partner].lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let received = from.recv().map_err(|_| lost())?;
        if received.len() != receive.len() {
            return Err(Error::new(
                ErrorKind::Io,
                format!(
                    "rank {partner} sent {} bytes, expected {}: the ranks do not run the same training",
                    received.len(),
                    receive.len()
                ),
            ));
        }
        receive.copy_from_slice(&received);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers whose sum depends on the order of its additions.
    fn number(rank: usize, at: usize) -> f32 {
        [1.0 / 3.0, 2.0 / 7.0, 5.0 / 9.0, 0.1][rank % 4] * (rank + 1) as f32 * (at + 1) as f32
    }

    /// The sum over ranks `first..first + count`, by the definition of the tree.
    fn tree(first: usize, count: usize, at: usize) -> f32 {
        match count {
            1 => number(first, at),
            _ => tree(first, count / 2, at) + tree(first + count / 2, count / 2, at),
        }
    }

    /// What each rank makes.
    fn on_ranks<T: Send>(size: usize, make: impl Fn(&Ranks) -> T + Sync) -> Vec<T> {
        std::thread::scope(|scope| {
            let make = &make;
            let ranks = Threads::new(size)
                .into_iter()
                .map(|rank| scope.spawn(move || make(&Ranks::new(Arc::new(rank)).unwrap())));
            let ranks: Vec<_> = ranks.collect();
            ranks.into_iter().map(|rank| rank.join().unwrap()).collect()
        })
    }

    #[test]
    fn sums_are_those_of_the_tree_on_every_rank() {
        for size in [1, 2, 4, 8, 16] {
            // Fewer values than ranks too: some have nothing to add.
            for length in [0, 1, 3, 16, 1001] {
                let found = on_ranks(size, |ranks| {
                    let mut values: Vec<f32> =
                        (0..length).map(|at| number(ranks.rank(), at)).collect();
                    let mut received = vec![0.0; length];
                    ranks.sum(Kernels::detect().unwrap(), &mut values, &mut received).unwrap();
                    values
                });
                let expected: Vec<f32> = (0..length).map(|at| tree(0, size, at)).collect();
                assert!(
                    found.iter().all(|values| *values == expected),
                    "{size} ranks, {length} values"
                );
            }
        }
        let left_to_right = (1..8).fold(number(0, 0), |sum, rank| sum + number(rank, 0));
        assert_ne!(left_to_right, tree(0, 8, 0));
    }

    #[test]
    fn lists_are_in_the_order_of_the_ranks() {
        for size in [1, 2, 8] {
            let found = on_ranks(size, |ranks| ranks.gather(&[ranks.rank() as u8, 7]).unwrap());
            let expected: Vec<u8> = (0..size as u8).flat_map(|rank| [rank, 7]).collect();
            assert_eq!(found, vec![expected; size]);
            let lists = on_ranks(size, |ranks| ranks.lists(&vec![9; 3 * ranks.rank()]).unwrap());
            let expected: Vec<Vec<u8>> = (0..size).map(|rank| vec![9; 3 * rank]).collect();
            assert_eq!(lists, vec![expected; size]);
            let one = on_ranks(size, |ranks| ranks.any(ranks.rank() + 1 == size).unwrap());
            assert_eq!(one, vec![true; size]);
        }
        assert_eq!(on_ranks(4, |ranks| ranks.any(false).unwrap()), vec![false; 4]);
    }

    #[test]
    fn three_ranks_are_refused() {
        let rank = Threads::new(3).remove(0);
        let error = Ranks::new(Arc::new(rank)).unwrap_err();
        assert!(
            error.to_string().starts_with("3 ranks: their number must be a power of two"),
            "{error}"
        );
    }

    #[test]
    fn a_lost_rank_is_an_error() {
        let mut ranks = Threads::new(2);
        drop(ranks.pop());
        let first = Ranks::new(Arc::new(ranks.remove(0))).unwrap();
        let error = first.any(true).unwrap_err();
        assert_eq!(error.to_string(), "rank 1 has gone");
    }
}
