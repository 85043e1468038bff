//! What is predicted for one sample: logits or probabilities of all classes in, the predicted class and the rank
//! of the sample's own out.

/// What is predicted for one sample, and its class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SampleResult {
    /// The sample's class.
    pub label: u32,
    /// The most probable class; the first of equals.
    pub predicted: u32,
    /// How many classes come before the sample's own in the order of their probabilities
    /// ([`rank`]); 0 if the prediction is correct.
    pub rank: u32,
    /// Probability of the predicted class.
    pub confidence: f32,
    /// Probability of the sample's class.
    pub label_probability: f32,
    /// Cross-entropy in nats, `-log` of that probability, computed from the logits.
    pub loss: f32,
}

impl SampleResult {
    /// Whether the prediction is the sample's class.
    pub fn is_correct(&self) -> bool {
        self.predicted == self.label
    }
}

/// The class of the largest logit (or probability); the first of equals. NaN counts as the smallest
/// of all.
pub fn most_probable(values: &[f32]) -> usize {
    let first = (0, f32::NEG_INFINITY);
    let better = |best: (usize, f32), (at, &value)| if value > best.1 { (at, value) } else { best };
    values.iter().enumerate().fold(first, better).0
}

/// The rank of class `label` by its logit (or probability), counted from 0: the classes with a larger
/// one, and those before it with the same. It is 0 for the [`most_probable`] class and for no other.
pub fn rank(values: &[f32], label: usize) -> usize {
    // `max` takes the number if the other one is NaN.
    let value = |class: usize| values[class].max(f32::NEG_INFINITY);
    let own = value(label);
    let before = |&class: &usize| value(class) > own || (value(class) == own && class < label);
    (0..values.len()).filter(before).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_an_order_whose_first_is_the_prediction() {
        let nan = f32::NAN;
        for (values, ranks) in [
            (&[0.5, 2.0, 1.0][..], &[2, 0, 1][..]),
            (&[1.0, 3.0, 1.0, 3.0], &[2, 0, 3, 1]),
            (&[0.0, -0.0], &[0, 1]),
            (&[7.0], &[0]),
            (&[nan, 1.0, 2.0, nan], &[2, 1, 0, 3]),
            (&[nan, nan], &[0, 1]),
            (&[f32::NEG_INFINITY, nan, f32::INFINITY], &[1, 2, 0]),
        ] {
            let found: Vec<usize> = (0..values.len()).map(|class| rank(values, class)).collect();
            assert_eq!(found, ranks, "{values:?}");
            assert_eq!(found[most_probable(values)], 0, "{values:?}");
        }
    }
}
