//! Folds: samples and a seed in, the fold of each sample out.

use rand::seq::SliceRandom;

use super::{Subset, Targets};
use crate::error::{Error, Result};
use crate::random::{Purpose, stream};

/// Deals samples to `count` folds: the fold of each, from 0. Every sample is in exactly one.
///
/// The samples of a class are dealt one after the other, in shuffled order, and the next class goes on where the last one
/// ended: numbers of samples of two folds, and numbers of samples of a class in two folds, differ by at most one. Samples
/// with values or several labels are dealt as if they were one class. The same seed gives the same folds.
///
/// # Errors
/// `InvalidArgument` for fewer than two folds, and for fewer samples than folds.
pub fn folds<'a>(data: impl Into<Subset<'a>>, count: usize, seed: u64) -> Result<Vec<usize>> {
    let data = data.into();
    let samples = data.len();
    if count < 2 || samples < count {
        return Err(Error::argument(format!(
            "{samples} samples cannot be divided into {count} folds: at least 2 folds are needed, and at least one sample \
             for each"
        )));
    }
    let mut order: Vec<usize> = (0..samples).collect();
    order.shuffle(&mut stream(seed, Purpose::Folds));
    let labels = data.labels();
    if matches!(data.data().targets, Targets::Classes { .. }) {
        // Within a class the order stays shuffled.
        order.sort_by_key(|&at| labels[at]);
    }
    let mut fold_of = vec![0; samples];
    order.into_iter().enumerate().for_each(|(dealt, at)| fold_of[at] = dealt % count);
    Ok(fold_of)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::samples::{Dataset, Inputs};

    fn data(labels: &[u32]) -> Dataset {
        let inputs = Inputs::Floats(vec![0.0; labels.len()]);
        let names = (0..6).map(|class| class.to_string()).collect();
        Dataset::new(inputs, labels.to_vec(), vec![1], names).unwrap()
    }

    proptest! {
        #[test]
        fn folds_have_their_shares(
            labels in proptest::collection::vec(0_u32..6, 2..200),
            count in 2_usize..9,
            seed in any::<u64>(),
        ) {
            prop_assume!(count <= labels.len());
            let found = folds(&data(&labels), count, seed).unwrap();
            prop_assert_eq!(found.len(), labels.len());
            let even = |counts: Vec<usize>| counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1;
            let sizes = (0..count).map(|fold| found.iter().filter(|&&it| it == fold).count());
            prop_assert!(even(sizes.collect()));
            for class in 0..6 {
                let of_class = (0..count).map(|fold| {
                    found.iter().zip(&labels).filter(|&(&it, &label)| it == fold && label == class).count()
                });
                prop_assert!(even(of_class.collect()));
            }
        }
    }

    #[test]
    fn the_seed_decides() {
        let data = data(&[0, 1, 2, 3].repeat(20));
        assert_eq!(folds(&data, 5, 1).unwrap(), folds(&data, 5, 1).unwrap());
        assert_ne!(folds(&data, 5, 1).unwrap(), folds(&data, 5, 2).unwrap());
        let indices: Vec<u32> = (0..40).rev().collect();
        let part = Subset::new(&data, &indices).unwrap();
        assert_eq!(folds(part, 5, 1).unwrap().len(), 40);
    }

    #[test]
    fn too_few_samples_are_refused() {
        let data = data(&[0, 1, 0]);
        for count in [0, 1, 4] {
            let error = folds(&data, count, 0).unwrap_err().to_string();
            assert!(error.contains("3 samples cannot be divided"), "{error}");
        }
        assert!(folds(&data, 3, 0).is_ok());
    }
}
