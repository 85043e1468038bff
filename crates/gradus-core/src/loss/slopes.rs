//! How predictions change with the outputs of the last layer, for explanations.

use super::Loss;

impl Loss {
    /// The derivatives of prediction `of` of a sample with respect to the outputs `z` of the last layer, where `y` are the
    /// predictions that [`Self::predictions`] makes of them:
    ///
    /// | predictions | derivative with respect to `z_j` |
    /// |---|---|
    /// | probabilities of classes | `y_k (1{j = k} - y_j)` |
    /// | probabilities of labels | `1{j = k} y_k (1 - y_k)` |
    /// | `e^z` (Poisson) | `1{j = k} y_k` |
    /// | quantiles in ascending order | 1 for the output that became the prediction |
    /// | values | `1{j = k}` |
    pub(crate) fn prediction_slopes(
        &self,
        outputs: &[f32],
        predictions: &[f32],
        of: usize,
    ) -> Vec<f32> {
        let own = predictions[of];
        let mut slopes = vec![0.0; outputs.len()];
        match self {
            Loss::SoftmaxCrossEntropy => {
                slopes.iter_mut().zip(predictions).for_each(|(slope, other)| *slope = -own * other);
                // Not 1 - y: what is left of the others has more digits where y is close to 1.
                let others = predictions.iter().enumerate().filter(|(at, _)| *at != of);
                slopes[of] = own * others.map(|(_, other)| other).sum::<f32>();
            }
            Loss::BinaryCrossEntropy => slopes[of] = own * (1.0 - own),
            Loss::Poisson => slopes[of] = own,
            Loss::Quantile(levels) => {
                let first = of - of % levels.len();
                let mut order: Vec<usize> = (first..first + levels.len()).collect();
                order.sort_by(|&a, &b| outputs[a].total_cmp(&outputs[b]));
                slopes[order[of - first]] = 1.0;
            }
            Loss::SquaredError | Loss::Huber { .. } | Loss::AbsoluteError => slopes[of] = 1.0,
        }
        slopes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_kernels::Kernels;
    use gradus_kernels::matrix::MatMut;

    #[test]
    fn slopes_are_differences() {
        let kernels = Kernels::detect().unwrap();
        let predict = |loss: &Loss, outputs: &[f32]| {
            let mut values = outputs.to_vec();
            loss.predictions(kernels, MatMut::new(&mut values, 1, outputs.len()));
            values
        };
        for loss in Loss::examples().into_iter().chain([Loss::Quantile(vec![0.1, 0.5, 0.9])]) {
            // As many as are a multiple of the levels of quantiles.
            let count = 2 * loss.outputs_per_target().max(2);
            let outputs: Vec<f32> =
                (0..count).map(|at| ((7 * at) % 5) as f32 / 3.0 - 0.6).collect();
            let predictions = predict(&loss, &outputs);
            for of in 0..count {
                let found = loss.prediction_slopes(&outputs, &predictions, of);
                for at in 0..count {
                    let moved = |change: f32| {
                        let mut outputs = outputs.clone();
                        outputs[at] += change;
                        predict(&loss, &outputs)[of]
                    };
                    let expected = (moved(0.01) - moved(-0.01)) / 0.02;
                    let error = (found[at] - expected).abs();
                    assert!(error < 1e-3, "{loss:?} {of} {at}: {} {expected}", found[at]);
                }
            }
        }
    }
}
