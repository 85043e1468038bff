//! Splitting samples into two parts: labels and a seed in, two lists of indices out.

use rand::seq::SliceRandom;

use super::permute::{permute_rows, split_off};
use super::{Dataset, Inputs, Targets};
use crate::random::{Purpose, stream};

/// Holds out `fraction` of a set's samples: `(training, held_out)`, both shuffled; each class gives its
/// share ([`stratified_split`]). The same seed gives the same split.
pub fn split_samples(data: &Dataset, fraction: f64, seed: u64) -> (Vec<usize>, Vec<usize>) {
    match &data.targets {
        Targets::Classes { labels, names } => stratified_split(labels, names.len(), fraction, seed),
        Targets::Labels { .. } | Targets::Values { .. } => {
            stratified_split(&vec![0; data.len()], 1, fraction, seed)
        }
    }
}

/// Holds out `fraction` of the samples: `(training, held_out)`, both shuffled.
///
/// Each class gives its share, rounded so that the shares together make `fraction` of all samples
/// (largest remainders first). A class with two samples or more has at least one on each side; the
/// only sample of a class stays in the training part. `labels` are class indices; the same seed gives the same split.
pub fn stratified_split(
    labels: &[u32],
    classes: usize,
    fraction: f64,
    seed: u64,
) -> (Vec<usize>, Vec<usize>) {
    let classes = labels.iter().map(|&label| label as usize + 1).fold(classes, usize::max);
    let mut counts = vec![0; classes];
    labels.iter().for_each(|&label| counts[label as usize] += 1);
    let mut wanted = shares(&counts, fraction);
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.shuffle(&mut stream(seed, Purpose::Split));
    let (mut training, mut held_out) = (Vec::new(), Vec::new());
    for index in order {
        let left = &mut wanted[labels[index] as usize];
        if *left > 0 {
            *left -= 1;
            held_out.push(index);
        } else {
            training.push(index);
        }
    }
    (training, held_out)
}

impl Dataset {
    /// Divides the set in two: the samples at `first` and those at `second`, in these orders. If every sample
    /// is in one of the two, dense inputs are moved, not copied: no more memory is needed than for the set.
    pub fn divide(self, first: &[usize], second: &[usize]) -> (Dataset, Dataset) {
        let order = [first, second].concat();
        if !is_permutation(&order, self.len()) {
            return (self.subset(first), self.subset(second));
        }
        let features = self.features();
        let (inputs, others) = match self.inputs {
            Inputs::Bytes(mut values) => {
                permute_rows(&mut values, features, &order);
                let (values, others) = split_off(values, first.len() * features);
                (Inputs::Bytes(values), Inputs::Bytes(others))
            }
            Inputs::Floats(mut values) => {
                permute_rows(&mut values, features, &order);
                let (values, others) = split_off(values, first.len() * features);
                (Inputs::Floats(values), Inputs::Floats(others))
            }
            Inputs::Doubles(mut values) => {
                permute_rows(&mut values, features, &order);
                let (values, others) = split_off(values, first.len() * features);
                (Inputs::Doubles(values), Inputs::Doubles(others))
            }
            Inputs::Sparse(rows) => {
                (Inputs::Sparse(rows.subset(first)), Inputs::Sparse(rows.subset(second)))
            }
            Inputs::Table(table) => {
                let (first, second) = table.divide(&order, first.len());
                (Inputs::Table(first), Inputs::Table(second))
            }
            Inputs::Streamed(rows) => {
                (Inputs::Streamed(rows.pick(first)), Inputs::Streamed(rows.pick(second)))
            }
        };
        let part = |inputs: Inputs, indices: &[usize]| Dataset {
            inputs,
            targets: self.targets.subset(indices),
            sample_shape: self.sample_shape.clone(),
            sample_weights: self
                .sample_weights
                .as_ref()
                .map(|weights| indices.iter().map(|&index| weights[index]).collect()),
            columns: self.columns.clone(),
        };
        (part(inputs, first), part(others, second))
    }
}

/// Whether each of the numbers below `count` is there once.
fn is_permutation(order: &[usize], count: usize) -> bool {
    let mut seen = vec![false; count];
    let new = |&at: &usize| seen.get_mut(at).is_some_and(|seen| !std::mem::replace(seen, true));
    order.len() == count && order.iter().all(new)
}

/// Number of held-out samples of each class.
fn shares(counts: &[usize], fraction: f64) -> Vec<usize> {
    let fraction = if fraction.is_finite() { fraction.clamp(0.0, 1.0) } else { 0.0 };
    let exact = |class: usize| counts[class] as f64 * fraction;
    let mut shares: Vec<_> = (0..counts.len()).map(|class| exact(class).floor() as usize).collect();
    let total = (counts.iter().sum::<usize>() as f64 * fraction).round() as usize;
    let missing = total.saturating_sub(shares.iter().sum());
    let mut by_remainder: Vec<usize> = (0..counts.len()).collect();
    by_remainder.sort_by(|&a, &b| exact(b).fract().total_cmp(&exact(a).fract()));
    by_remainder.iter().take(missing).for_each(|&class| shares[class] += 1);
    if fraction > 0.0 && fraction < 1.0 {
        for (share, &count) in shares.iter_mut().zip(counts) {
            *share = if count < 2 { 0 } else { (*share).clamp(1, count - 1) };
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn shares_add_up() {
        assert_eq!(
            shares(&[5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949], 0.1)
                .iter()
                .sum::<usize>(),
            6000
        );
        assert_eq!(shares(&[5, 5], 0.2), [1, 1]);
        assert_eq!(shares(&[3, 1, 0], 0.2), [1, 0, 0]);
        assert_eq!(shares(&[3, 4], 0.0), [0, 0]);
        assert_eq!(shares(&[3, 4], 1.0), [3, 4]);
    }

    #[test]
    fn the_seed_decides() {
        let labels: Vec<u32> = (0..1000).map(|i| i / 500).collect();
        let split = |seed| stratified_split(&labels, 2, 0.2, seed);
        assert_eq!(split(1), split(1));
        assert_ne!(split(1), split(2));
        assert!(!split(1).1.is_sorted());
    }

    #[test]
    fn a_divided_set_is_its_two_subsets() {
        use crate::samples::SparseRows;
        let count = 50;
        let bytes: Vec<u8> = (0..count * 3).map(|at| (at * 7 % 251) as u8).collect();
        let floats = bytes.iter().map(|&byte| f32::from(byte) / 3.0).collect();
        let starts = (0..=count).collect();
        let columns = (0..count as u32).map(|at| at % 3).collect();
        let sparse = SparseRows::new(3, starts, columns, vec![2.5; count]).unwrap();
        let labels: Vec<u32> = (0..count as u32).map(|at| at % 4).collect();
        let names = ["a", "b", "c", "d"].map(String::from).to_vec();
        let (training, held_out) = stratified_split(&labels, 4, 0.3, 7);
        for inputs in [Inputs::Bytes(bytes), Inputs::Floats(floats), Inputs::Sparse(sparse)] {
            let data = Dataset::new(inputs, labels.clone(), vec![3], names.clone()).unwrap();
            let weights = (0..count).map(|at| at as f32 + 1.0).collect();
            let data = data.with_sample_weights(weights).unwrap();
            // All samples, and some of them, one twice.
            for (first, second) in
                [(&training[..], &held_out[..]), (&training, &training[..3]), (&[4, 4], &[1])]
            {
                let expected = (data.subset(first), data.subset(second));
                assert!(data.clone().divide(first, second) == expected);
            }
        }
    }

    proptest! {
        #[test]
        fn every_sample_lands_on_one_side(
            labels in proptest::collection::vec(0_u32..6, 0..200),
            fraction in 0.01_f64..0.99,
            seed in any::<u64>(),
        ) {
            let (training, held_out) = stratified_split(&labels, 6, fraction, seed);
            let mut all = [&training[..], &held_out[..]].concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..labels.len()).collect::<Vec<_>>());
            for class in 0..6 {
                let of_class = |side: &[usize]| side.iter().filter(|&&i| labels[i] == class).count();
                let (in_training, in_held_out) = (of_class(&training), of_class(&held_out));
                let count = in_training + in_held_out;
                prop_assert!(count < 2 || (in_training > 0 && in_held_out > 0));
                prop_assert!(count != 1 || in_training == 1);
                let exact = count as f64 * fraction;
                prop_assert!((in_held_out as f64 - exact).abs() <= 1.0 || in_held_out == 1);
            }
        }
    }
}
