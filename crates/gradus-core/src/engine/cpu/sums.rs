//! Where the gradients of micro-batches are, and the order in which they are added.
//!
//! In: how many micro-batches a rank has and how groups of threads share them. Out: the gradient of each, and their
//! sum along a binary tree over their numbers, `((0 + 1) + (2 + 3)) + ...`. The tree depends on the number of
//! micro-batches alone; groups decide only who adds when. A group adds two sums as soon as it has both, while they are
//! in its caches, and reuses the memory of the second: it keeps one gradient for each level of the tree, not one for
//! each micro-batch. What no group has alone is added at the end.

use std::ops::Range;

use gradus_kernels::threads::{SharedMatrix, Thread};

use crate::engine::cpu::passes::Executor;

/// The second gradient is added to the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Addition {
    to: usize,
    from: usize,
}

/// The gradients of a rank's micro-batches, and the additions that make one of them.
pub(super) struct Sums {
    gradients: Vec<SharedMatrix>,
    order: Order,
}

/// What is computed where, and what is added when; places are numbers of gradients.
#[derive(Debug, Default, PartialEq, Eq)]
struct Order {
    /// Where each micro-batch computes its gradient.
    places: Vec<usize>,
    /// What the group adds after each micro-batch.
    after: Vec<Vec<Addition>>,
    /// What is added after all of them.
    last: Vec<Addition>,
    /// How many gradients there are.
    gradients: usize,
}

/// The sum of some micro-batches in a row: a node of the tree.
#[derive(Debug, Clone, Copy)]
struct Node {
    first: usize,
    count: usize,
    place: usize,
}

/// Makes nodes that have the same parent one, as long as the last two have.
fn join(nodes: &mut Vec<Node>) -> Vec<Addition> {
    let mut additions = Vec::new();
    while let [.., left, right] = &mut nodes[..]
        && left.count == right.count
        && left.first.is_multiple_of(2 * left.count)
    {
        additions.push(Addition { to: left.place, from: right.place });
        left.count *= 2;
        nodes.pop();
    }
    additions
}

impl Order {
    /// For micro-batches of which each group has a range, in order; their number is a power of two.
    fn new(groups: impl Iterator<Item = Range<usize>>) -> Order {
        let (mut order, mut left) = (Order::default(), Vec::new());
        for group in groups {
            let (mut nodes, begin) = (Vec::new(), order.gradients);
            for number in group {
                let place = begin + nodes.len();
                nodes.push(Node { first: number, count: 1, place });
                order.gradients = order.gradients.max(place + 1);
                order.places.push(place);
                order.after.push(join(&mut nodes));
            }
            left.append(&mut nodes);
        }
        let mut nodes = Vec::new();
        for node in left {
            nodes.push(node);
            order.last.append(&mut join(&mut nodes));
        }
        order
    }
}

impl Sums {
    /// For micro-batches of which each group has a range, in order.
    pub(super) fn new(executor: &Executor, groups: impl Iterator<Item = Range<usize>>) -> Sums {
        let order = Order::new(groups);
        let gradients = (0..order.gradients).map(|_| executor.plan.parameters.zeros()).collect();
        Sums { gradients, order }
    }

    /// Where a micro-batch computes its gradient.
    pub(super) fn of(&self, micro_batch: usize) -> &SharedMatrix {
        &self.gradients[self.order.places[micro_batch]]
    }

    /// The sum over all micro-batches, once [`Sums::finish`] has made it.
    pub(super) fn total(&self) -> &SharedMatrix {
        &self.gradients[0]
    }

    /// Adds what can be added now that a micro-batch is done: the partitions whose gradients this thread of the group
    /// has computed itself.
    pub(super) fn add_after(&self, micro_batch: usize, executor: &Executor, group: &Thread) {
        self.add(&self.order.after[micro_batch], executor, group);
    }

    /// Whether the groups have left something to add.
    pub(super) fn is_unfinished(&self) -> bool {
        !self.order.last.is_empty()
    }

    /// Adds what the groups have left, once all of them are done: this thread's partitions.
    pub(super) fn finish(&self, executor: &Executor, all: &Thread) {
        self.add(&self.order.last, executor, all);
    }

    fn add(&self, additions: &[Addition], executor: &Executor, thread: &Thread) {
        if additions.is_empty() {
            return;
        }
        executor.plan.for_own_partitions(thread, |partition| {
            for &Addition { to, from } in additions {
                let from = self.gradients[from].read_partition(partition);
                executor.kernels().add(self.gradients[to].write(partition).slice(), &from);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use gradus_kernels::threads::ThreadGroup;

    use super::*;
    use crate::engine::cpu::kernels;
    use crate::engine::cpu::portion::share;
    use crate::network::{Activation, Network};

    /// Numbers whose sum depends on the order of its additions.
    fn number(micro_batch: usize) -> f32 {
        [1.0 / 3.0, 2.0 / 7.0, 5.0 / 9.0, 0.1][micro_batch % 4] * (micro_batch + 1) as f32
    }

    /// The sum of the numbers from `first` on, by the definition of the tree.
    fn tree(first: usize, count: usize) -> f32 {
        match count {
            1 => number(first),
            _ => tree(first, count / 2) + tree(first + count / 2, count / 2),
        }
    }

    #[test]
    fn micro_batches_are_summed_along_a_tree_by_any_number_of_groups() {
        let network = Network::dense(3, &[70], &[Activation::Relu], 2).unwrap();
        let executor = Executor::new(kernels().unwrap(), &network, false);
        let (one, partitions) = (ThreadGroup::new(1), &executor.plan.parameters.partitions);
        for count in [1, 2, 4, 8, 64] {
            for groups in (1..=count).filter(|groups| *groups < 20) {
                let ranges = || (0..groups).map(|group| share(count, group, groups));
                let sums = Sums::new(&executor, ranges());
                for micro_batch in ranges().flatten() {
                    for partition in 0..partitions.len() {
                        let mut gradient = sums.of(micro_batch).write(partition);
                        gradient.slice().fill(number(micro_batch));
                    }
                    sums.add_after(micro_batch, &executor, &one.thread(0));
                }
                sums.finish(&executor, &one.thread(0));
                let found = sums.total().read();
                let mut values = partitions.iter().flat_map(|it| &found[it.range.clone()]);
                assert!(values.all(|&value| value == tree(0, count)), "{count} by {groups}");
            }
        }
        let left_to_right = (1..8).fold(number(0), |sum, at| sum + number(at));
        assert_ne!(left_to_right, tree(0, 8));
    }

    #[test]
    fn groups_work_at_the_same_time_and_keep_a_gradient_for_each_level() {
        for (count, groups, gradients) in [(1, 1, 1), (64, 1, 7), (64, 2, 12), (8, 8, 8)] {
            let order = Order::new((0..groups).map(|group| share(count, group, groups)));
            assert_eq!(order.gradients, gradients, "{count} by {groups}");
        }
        for groups in 1..=16 {
            let range = |group| share(16, group, groups);
            let order = Order::new((0..groups).map(range));
            // No group touches the gradients of another one before the end.
            let mut owners = vec![None; order.gradients];
            for group in 0..groups {
                for number in range(group) {
                    let added = order.after[number].iter().flat_map(|it| [it.to, it.from]);
                    for place in added.chain([order.places[number]]) {
                        assert_eq!(*owners[place].get_or_insert(group), group);
                    }
                }
            }
        }
    }
}
