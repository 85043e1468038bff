//! Pieces of ink: pixels that touch, also by a corner.
//!
//! In: grey values and a threshold. Out: the pieces with their boxes, and the runs of pixels
//! of each. Rows are first cut into runs, which are then joined to those of the row above: a photo has
//! some thousand runs, but a million pixels.

use super::bounds::Bounds;

/// Pixels `start..end` of a row, all in one piece.
#[derive(Clone, Copy)]
pub(super) struct Run {
    pub(super) row: usize,
    pub(super) start: usize,
    pub(super) end: usize,
    piece: usize,
}

/// One piece of ink.
pub(super) struct Piece {
    pub(super) bounds: Bounds,
    /// Number of pixels.
    pub(super) area: usize,
    /// Sum of the pixels' values.
    pub(super) mass: u64,
}

/// All pieces of an image.
pub(super) struct Pieces {
    runs: Vec<Run>,
    pub(super) list: Vec<Piece>,
}

impl Pieces {
    /// The pieces of all values of at least `least`, in the order of their first pixels.
    pub(super) fn of(values: &[u8], width: usize, least: u8) -> Self {
        let mut runs: Vec<Run> = Vec::new();
        let mut parents = Vec::new();
        let mut above = 0..0;
        for (row, line) in values.chunks_exact(width).enumerate() {
            let first = runs.len();
            let mut at = 0;
            while let Some(skipped) = line[at..].iter().position(|&value| value >= least) {
                let start = at + skipped;
                let length = line[start..].iter().position(|&value| value < least);
                at = length.map_or(width, |length| start + length);
                parents.push(runs.len());
                runs.push(Run { row, start, end: at, piece: 0 });
            }
            join(&runs, &mut parents, above, first);
            above = first..runs.len();
        }
        let mut pieces = Pieces { runs, list: Vec::new() };
        pieces.measure(&mut parents, values, width);
        pieces
    }

    /// Numbers the pieces and adds up their runs.
    fn measure(&mut self, parents: &mut [usize], values: &[u8], width: usize) {
        let mut numbers = vec![usize::MAX; parents.len()];
        for (at, run) in self.runs.iter_mut().enumerate() {
            let root = root(parents, at);
            let (row, start, length) = (run.row, run.start, run.end - run.start);
            let bounds = Bounds { top: row, left: start, height: 1, width: length };
            let line = &values[row * width..][start..run.end];
            let mass = line.iter().map(|&value| u64::from(value)).sum();
            if numbers[root] == usize::MAX {
                numbers[root] = self.list.len();
                self.list.push(Piece { bounds, area: length, mass });
            } else {
                let piece = &mut self.list[numbers[root]];
                piece.bounds = piece.bounds.union(&bounds);
                piece.area += length;
                piece.mass += mass;
            }
            run.piece = numbers[root];
        }
    }

    /// The runs of the given pieces.
    pub(super) fn runs_of(&self, pieces: &[usize]) -> Vec<Run> {
        let mut wanted = vec![false; self.list.len()];
        pieces.iter().for_each(|&piece| wanted[piece] = true);
        self.runs.iter().filter(|run| wanted[run.piece]).copied().collect()
    }
}

/// Joins each run from `first` on with the runs of the row above that it touches.
fn join(runs: &[Run], parents: &mut [usize], above: std::ops::Range<usize>, first: usize) {
    let mut up = above.start;
    for at in first..runs.len() {
        while up < above.end && runs[up].end < runs[at].start {
            up += 1;
        }
        let touching = (up..above.end).take_while(|&other| runs[other].start <= runs[at].end);
        for other in touching {
            let (one, two) = (root(parents, other), root(parents, at));
            // The first run of a piece is its root, so that numbers follow the order of pixels.
            parents[one.max(two)] = one.min(two);
        }
    }
}

/// The first run of the piece that a run belongs to; halves the path there for the next search.
fn root(parents: &mut [usize], mut at: usize) -> usize {
    while parents[at] != at {
        parents[at] = parents[parents[at]];
        at = parents[at];
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &[&str]) -> Vec<(Bounds, usize)> {
        let values: Vec<u8> = text.concat().bytes().map(|byte| byte - b'0').collect();
        let pieces = Pieces::of(&values, text[0].len(), 1);
        pieces.list.iter().map(|piece| (piece.bounds, piece.area)).collect()
    }

    fn bounds(top: usize, left: usize, height: usize, width: usize) -> Bounds {
        Bounds { top, left, height, width }
    }

    #[test]
    fn corners_touch_and_arms_meet_below() {
        let found = pieces(&["1010", "0100", "0000", "1101"]);
        let expected = [(bounds(0, 0, 2, 3), 3), (bounds(3, 0, 1, 2), 2), (bounds(3, 3, 1, 1), 1)];
        assert_eq!(found, expected);
        assert_eq!(pieces(&["10101", "10101", "11111"]), [(bounds(0, 0, 3, 5), 11)]);
        assert_eq!(pieces(&["11111", "10001", "10101", "10001", "11111"]).len(), 2);
        assert_eq!(pieces(&["000"]), []);
    }
}
