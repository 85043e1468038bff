//! Whether predictions are right as often as their probabilities say.

use super::results::SampleResult;

/// Predictions sorted by their confidence, the probability of the predicted class.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    /// Bins of equal width: of `m` bins, bin `i` holds the confidences above `i / m` and up to
    /// `(i + 1) / m`.
    pub bins: Vec<CalibrationBin>,
}

/// The predictions of one bin; all 0 where it is empty.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CalibrationBin {
    /// Predictions in the bin.
    pub count: u64,
    /// Their mean confidence.
    pub confidence: f64,
    /// The share of them that are right.
    pub accuracy: f64,
}

impl Calibration {
    /// Number of bins, as in Guo et al. 2017.
    pub const BINS: usize = 15;

    /// Sorts the results into [`Self::BINS`] bins.
    pub fn new(results: &[SampleResult]) -> Calibration {
        let mut calibration = Calibration::empty();
        results.iter().for_each(|result| calibration.add(result));
        calibration.into_means()
    }

    /// Empty bins, which hold sums until they become means.
    pub(super) fn empty() -> Calibration {
        Calibration { bins: vec![CalibrationBin::default(); Self::BINS] }
    }

    /// Adds a result to the sums.
    pub(super) fn add(&mut self, result: &SampleResult) {
        let confidence = f64::from(result.confidence);
        // Exact: a single-precision number times 15 has fewer than 53 bits.
        let above = (confidence * Self::BINS as f64).ceil() as usize;
        let bin = &mut self.bins[above.clamp(1, Self::BINS) - 1];
        bin.count += 1;
        bin.confidence += confidence;
        bin.accuracy += f64::from(u8::from(result.is_correct()));
    }

    /// The means in place of the sums.
    pub(super) fn into_means(mut self) -> Calibration {
        for bin in self.bins.iter_mut().filter(|bin| bin.count > 0) {
            bin.confidence /= bin.count as f64;
            bin.accuracy /= bin.count as f64;
        }
        self
    }

    /// Expected calibration error (docs/maths.md M20): the mean distance between confidence and
    /// accuracy, `sum_i count_i / n |accuracy_i - confidence_i|`. 0 without any sample.
    /// Guo et al. 2017.
    pub fn expected_error(&self) -> f64 {
        let samples: u64 = self.bins.iter().map(|bin| bin.count).sum();
        let distance =
            |bin: &CalibrationBin| bin.count as f64 * (bin.accuracy - bin.confidence).abs();
        self.bins.iter().map(distance).sum::<f64>() / samples.max(1) as f64
    }

    /// The confidences between which bin `index` lies.
    pub fn edges(&self, index: usize) -> (f64, f64) {
        let edge = |at: usize| at as f64 / self.bins.len() as f64;
        (edge(index), edge(index + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(confidence: f32, correct: bool) -> SampleResult {
        let rank = u32::from(!correct);
        SampleResult {
            label: rank,
            predicted: 0,
            rank,
            confidence,
            label_probability: if correct { confidence } else { 0.0 },
            loss: 0.0,
        }
    }

    /// Bin 13 (0.8667 to 0.9333) holds 0.9, 0.9 and 0.92, two of them right; bin 8 (0.5333 to 0.6)
    /// holds 0.55, wrong; bin 14 holds 1.0, right. The error is
    /// (3 |2/3 - 2.72/3| + |0 - 0.55| + |1 - 1|) / 5 = (0.72 + 0.55) / 5 = 0.254.
    #[test]
    fn the_error_of_five_predictions_by_hand() {
        let results = [(0.9, true), (0.55, false), (0.92, false), (1.0, true), (0.9, true)];
        let calibration = Calibration::new(&results.map(|(p, correct)| result(p, correct)));
        let counts: Vec<u64> = calibration.bins.iter().map(|bin| bin.count).collect();
        assert_eq!(counts, [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 3, 1]);
        let bin = calibration.bins[13];
        assert!((bin.confidence - 2.72 / 3.0).abs() < 1e-7 && bin.accuracy == 2.0 / 3.0);
        assert_eq!(calibration.edges(13), (13.0 / 15.0, 14.0 / 15.0));
        let error = calibration.expected_error();
        assert!((error - 0.254).abs() < 1e-7, "{error}");
    }

    #[test]
    fn an_edge_belongs_to_the_bin_below() {
        let bin_of = |confidence| {
            let bins = Calibration::new(&[result(confidence, true)]).bins;
            bins.iter().position(|bin| bin.count == 1).unwrap()
        };
        // 0.2 in single precision lies just above 3/15, its lower neighbour below.
        assert_eq!([0.0, 0.2_f32.next_down(), 0.2, 1.0].map(bin_of), [0, 2, 3, 14]);
        assert_eq!(bin_of(f32::NAN), 0);
    }

    #[test]
    fn nothing_is_well_calibrated() {
        assert_eq!(Calibration::new(&[]).expected_error(), 0.0);
    }
}
