//! Splitting samples into two parts: labels and a seed in, two lists of indices out.

use rand::seq::SliceRandom;

use super::{Dataset, Targets};
use crate::random::{Purpose, stream};

/// Sets `fraction` of a set's samples apart: `(kept, apart)`, both shuffled; each class gives its
/// share ([`stratified_split`]). The same seed gives the same split.
pub fn split_samples(data: &Dataset, fraction: f64, seed: u64) -> (Vec<usize>, Vec<usize>) {
    match &data.targets {
        Targets::Classes { labels, names } => stratified_split(labels, names.len(), fraction, seed),
        Targets::Values { .. } => stratified_split(&vec![0; data.len()], 1, fraction, seed),
    }
}

/// Sets `fraction` of the samples apart: `(kept, apart)`, both shuffled.
///
/// Each class gives its share, rounded so that the shares together make `fraction` of all samples
/// (largest remainders first). A class with two samples or more has at least one on each side; the
/// only sample of a class is kept. `labels` are class indices; the same seed gives the same split.
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
    let (mut kept, mut apart) = (Vec::new(), Vec::new());
    for index in order {
        let left = &mut wanted[labels[index] as usize];
        if *left > 0 {
            *left -= 1;
            apart.push(index);
        } else {
            kept.push(index);
        }
    }
    (kept, apart)
}

/// How many samples of each class go apart.
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

    proptest! {
        #[test]
        fn every_sample_lands_on_one_side(
            labels in proptest::collection::vec(0_u32..6, 0..200),
            fraction in 0.01_f64..0.99,
            seed in any::<u64>(),
        ) {
            let (kept, apart) = stratified_split(&labels, 6, fraction, seed);
            let mut all = [&kept[..], &apart[..]].concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..labels.len()).collect::<Vec<_>>());
            for class in 0..6 {
                let of_class = |side: &[usize]| side.iter().filter(|&&i| labels[i] == class).count();
                let (in_kept, in_apart) = (of_class(&kept), of_class(&apart));
                let count = in_kept + in_apart;
                prop_assert!(count < 2 || (in_kept > 0 && in_apart > 0));
                prop_assert!(count != 1 || in_kept == 1);
                let exact = count as f64 * fraction;
                prop_assert!((in_apart as f64 - exact).abs() <= 1.0 || in_apart == 1);
            }
        }
    }
}
