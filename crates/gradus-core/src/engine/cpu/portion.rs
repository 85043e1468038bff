//! Which part of a batch belongs to whom.

use std::ops::Range;

/// Share number `index` of `shares` of `count` things in a row.
pub(super) fn share(count: usize, index: usize, shares: usize) -> Range<usize> {
    count * index / shares..count * (index + 1) / shares
}

/// The micro-batches of a rank, among those of all ranks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Portion {
    /// Numbers of this rank's.
    own: Range<usize>,
    /// Micro-batches of a batch.
    all: usize,
}

impl Portion {
    /// What rank `rank` of `ranks` has of `all` micro-batches.
    pub(super) fn of(rank: usize, ranks: usize, all: usize) -> Portion {
        Portion { own: share(all, rank, ranks), all }
    }

    /// How many micro-batches a batch has.
    pub(super) fn all(&self) -> usize {
        self.all
    }

    /// The numbers of this rank's micro-batches.
    pub(super) fn numbers(&self) -> Range<usize> {
        self.own.clone()
    }

    /// How many micro-batches this rank has.
    pub(super) fn len(&self) -> usize {
        self.own.len()
    }

    /// Which of the `tiles` of a batch belong to the `nth` of this rank's micro-batches.
    pub(super) fn tiles_of(&self, nth: usize, tiles: usize) -> Range<usize> {
        share(tiles, self.own.start + nth, self.all)
    }

    /// Which of the `tiles` of a batch belong to this rank.
    pub(super) fn tiles(&self, tiles: usize) -> Range<usize> {
        self.tiles_of(0, tiles).start..self.tiles_of(self.len() - 1, tiles).end
    }

    /// The most tiles that belong to this rank, of any batch of up to `tiles`: the shares of ranks differ by a tile.
    pub(super) fn most_tiles(&self, tiles: usize) -> usize {
        match self.own.len() == self.all {
            true => tiles,
            false => self.tiles(tiles).len() + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_divide_every_batch() {
        for (ranks, all) in [(1, 1), (1, 8), (2, 2), (2, 8), (4, 8), (8, 8)] {
            for tiles in 0..40 {
                let portions = (0..ranks).map(|rank| Portion::of(rank, ranks, all));
                let mut next = 0;
                for portion in portions {
                    assert_eq!(portion.tiles(tiles).start, next);
                    next = portion.tiles(tiles).end;
                    for smaller in 0..=tiles {
                        assert!(portion.tiles(smaller).len() <= portion.most_tiles(tiles));
                    }
                }
                assert_eq!(next, tiles);
            }
        }
    }
}
