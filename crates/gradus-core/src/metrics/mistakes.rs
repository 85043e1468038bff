//! The predictions that are most surely wrong.

use super::results::SampleResult;

/// A sample that was predicted as another class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mistake {
    /// Index of the sample in the data.
    pub index: usize,
    /// Its class.
    pub label: u32,
    /// The class predicted.
    pub predicted: u32,
    /// Probability of the class predicted.
    pub probability: f32,
    /// Probability of its own class.
    pub label_probability: f32,
}

impl Mistake {
    /// The order of mistakes: the highest probability of a wrong class first, of equals the one with the lower probability
    /// of its own class.
    pub fn by_confidence(a: &Mistake, b: &Mistake) -> std::cmp::Ordering {
        b.probability
            .total_cmp(&a.probability)
            .then(a.label_probability.total_cmp(&b.label_probability))
    }
}

/// Of the results for a data set at most `most` mistakes, the highest probability of a wrong class
/// first; of equals the one with the lower probability of its own class, then the earlier sample.
pub fn most_confident_mistakes(results: &[SampleResult], most: usize) -> Vec<Mistake> {
    let wrong = results.iter().enumerate().filter(|(_, result)| !result.is_correct());
    let mut mistakes: Vec<Mistake> = wrong
        .map(|(index, result)| Mistake {
            index,
            label: result.label,
            predicted: result.predicted,
            probability: result.confidence,
            label_probability: result.label_probability,
        })
        .collect();
    // Stable: the earlier of equals stays first.
    mistakes.sort_by(Mistake::by_confidence);
    mistakes.truncate(most);
    mistakes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_come_first_and_ties_have_an_order() {
        let result = |label, predicted, confidence, label_probability| SampleResult {
            label,
            predicted,
            rank: u32::from(label != predicted),
            confidence,
            label_probability,
            loss: 0.0,
        };
        let results = [
            result(0, 1, 0.75, 0.125),
            result(2, 2, 0.999, 0.999), // right
            result(0, 2, 0.75, 0.25),
            result(1, 0, 0.875, 0.0),
            result(2, 1, 0.75, 0.125),
            result(1, 2, 0.5, 0.375),
        ];
        let order = |most| -> Vec<usize> {
            most_confident_mistakes(&results, most).iter().map(|mistake| mistake.index).collect()
        };
        assert_eq!(order(10), [3, 0, 4, 2, 5]);
        assert_eq!(order(2), [3, 0]);
        assert!(order(0).is_empty());
        let worst = most_confident_mistakes(&results, 1)[0];
        let expected = (3, 1, 0, 0.875, 0.0);
        let Mistake { index, label, predicted, probability, label_probability } = worst;
        assert_eq!((index, label, predicted, probability, label_probability), expected);
    }
}
