//! Rows moved within their memory: values and an order in, the same values in that order, or two parts of them, out.

/// Moves rows of `width` values so that row `i` is the one that was at `order[i]`, a permutation: along its
/// cycles, with room for a single row.
pub(super) fn permute_rows<T: Copy>(values: &mut [T], width: usize, order: &[usize]) {
    let mut done = vec![false; order.len()];
    for start in 0..order.len() {
        if done[start] {
            continue;
        }
        let first = values[start * width..][..width].to_vec();
        let mut at = start;
        loop {
            done[at] = true;
            let from = order[at];
            if from == start {
                values[at * width..][..width].copy_from_slice(&first);
                break;
            }
            values.copy_within(from * width..(from + 1) * width, at * width);
            at = from;
        }
    }
}

/// Values that are moved between two returns of memory to the system.
const PIECE: usize = 1 << 24;

/// Splits off the values from `at` on. They are moved in pieces from the end, whose memory is returned at
/// once: both parts together take little more than the whole.
pub(super) fn split_off<T: Copy + Default>(mut values: Vec<T>, at: usize) -> (Vec<T>, Vec<T>) {
    let mut others = vec![T::default(); values.len() - at];
    while values.len() > at {
        let start = values.len().saturating_sub(PIECE).max(at);
        others[start - at..][..values.len() - start].copy_from_slice(&values[start..]);
        values.truncate(start);
        values.shrink_to_fit();
    }
    (values, others)
}
