//! The mean of the predictions of several networks: outputs of each in, outputs of which the mean prediction follows out.
//!
//! Losses, ranks and gradients are computed from outputs, before [`Loss::predictions`] turns them into predictions. So the
//! mean is given as outputs, too: with `p_k` the prediction of network `k` of `K`, and `f` what turns outputs into
//! predictions, these are `f^-1(1/K sum_k p_k)` (docs/maths.md M33). All is computed in double precision, from logarithms: no
//! probability becomes 0 on the way.

use gradus_kernels::matrix::MatMut;

use super::Loss;

impl Loss {
    /// Replaces `mean`, one row for each sample, by the outputs of the mean prediction of the networks whose outputs `members`
    /// holds: as many rows for each of them, network after network. `norms` is for scratch: one number for each network.
    ///
    /// Panics if sizes differ.
    pub(crate) fn mean_outputs(&self, members: &[f32], mut mean: MatMut, norms: &mut [f64]) {
        let (rows, width, count) = (mean.rows(), mean.columns(), norms.len());
        assert_eq!(members.len(), rows * width * count);
        let at = |member: usize, row: usize| &members[(member * rows + row) * width..][..width];
        let mean_of =
            |value: &dyn Fn(usize) -> f64| (0..count).map(value).sum::<f64>() / count as f64;
        for row in 0..rows {
            match self {
                Loss::SoftmaxCrossEntropy => {
                    for (member, norm) in norms.iter_mut().enumerate() {
                        let logits = at(member, row);
                        *norm = log_sum_exp(width, &|class| logits[class].into());
                    }
                }
                Loss::BinaryCrossEntropy
                | Loss::SquaredError
                | Loss::Poisson
                | Loss::Huber { .. }
                | Loss::AbsoluteError
                | Loss::Quantile(_) => {}
            }
            for (column, into) in mean.row_mut(row).iter_mut().enumerate() {
                let output = |member: usize| f64::from(at(member, row)[column]);
                *into = match self {
                    // The logarithm of the mean probability, whose softmax it is.
                    Loss::SoftmaxCrossEntropy => {
                        log_sum_exp(count, &|member| output(member) - norms[member])
                            - (count as f64).ln()
                    }
                    // log(mean p / mean (1 - p)), with log p = -log(1 + e^-z).
                    Loss::BinaryCrossEntropy => {
                        log_sum_exp(count, &|member| -softplus(-output(member)))
                            - log_sum_exp(count, &|member| -softplus(output(member)))
                    }
                    Loss::Poisson => log_sum_exp(count, &output) - (count as f64).ln(),
                    // The means of ordered quantiles are in order.
                    Loss::Quantile(levels) => {
                        let (first, rank) =
                            (column / levels.len() * levels.len(), column % levels.len());
                        mean_of(&|member| {
                            ranked(&at(member, row)[first..][..levels.len()], rank).into()
                        })
                    }
                    Loss::SquaredError | Loss::Huber { .. } | Loss::AbsoluteError => {
                        mean_of(&output)
                    }
                } as f32;
            }
        }
    }
}

/// `log sum_i e^(x_i)` of `count` numbers, without overflow.
fn log_sum_exp(count: usize, value: &dyn Fn(usize) -> f64) -> f64 {
    let most = (0..count).map(value).fold(f64::NEG_INFINITY, f64::max);
    if !most.is_finite() {
        // Nothing is hidden: the sum of what is not finite is not finite either.
        return (0..count).map(value).sum();
    }
    most + (0..count).map(|at| (value(at) - most).exp()).sum::<f64>().ln()
}

/// `log(1 + e^x)`.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// The number of this rank among some: 0 for the smallest. There are few of them, and nothing is allocated.
fn ranked(values: &[f32], rank: usize) -> f32 {
    let is_before = |(at, a): (usize, &f32), (other, b): (usize, &f32)| {
        a.total_cmp(b).then(at.cmp(&other)).is_lt()
    };
    let rank_of =
        |it: (usize, &f32)| values.iter().enumerate().filter(|&other| is_before(other, it)).count();
    values.iter().enumerate().find(|&it| rank_of(it) == rank).map_or(f32::NAN, |(_, &value)| value)
}

#[cfg(test)]
mod tests {
    use gradus_kernels::Kernels;

    use super::*;

    /// The predictions of some outputs.
    fn predictions(loss: &Loss, outputs: &[f32], width: usize) -> Vec<f32> {
        let mut outputs = outputs.to_vec();
        let rows = outputs.len() / width;
        loss.predictions(Kernels::detect().unwrap(), MatMut::new(&mut outputs, rows, width));
        outputs
    }

    #[test]
    fn predictions_are_means() {
        let (rows, members) = (5, 3);
        for loss in Loss::examples() {
            let width = 2 * loss.outputs_per_target();
            let wave = |at: usize| (at as f32 * 1.7).sin() * 6.0;
            let outputs: Vec<f32> = (0..members * rows * width).map(wave).collect();
            let mut mean = vec![0.0; rows * width];
            let mut norms = vec![0.0; members];
            loss.mean_outputs(&outputs, MatMut::new(&mut mean, rows, width), &mut norms);
            let found = predictions(&loss, &mean, width);
            let each: Vec<_> =
                outputs.chunks(rows * width).map(|it| predictions(&loss, it, width)).collect();
            for (at, found) in found.iter().enumerate() {
                let expected = each.iter().map(|it| f64::from(it[at])).sum::<f64>() / 3.0;
                let error = (f64::from(*found) - expected).abs();
                assert!(error < 1e-6 * (1.0 + expected.abs()), "{loss:?} {at}: {found} {expected}");
            }
        }
    }

    /// Probabilities far below what single precision holds still have their logarithm.
    #[test]
    fn nothing_underflows_and_nothing_is_hidden() {
        let mut mean = vec![0.0; 2];
        let mut of = |members: &[f32]| {
            Loss::SoftmaxCrossEntropy.mean_outputs(
                members,
                MatMut::new(&mut mean, 1, 2),
                &mut [0.0; 2],
            );
            mean.clone()
        };
        let found = of(&[0.0, 300.0, 0.0, 500.0]);
        assert!((f64::from(found[0]) - (-300.0 - 2f64.ln())).abs() < 1e-4, "{found:?}");
        assert!(found[1].abs() < 1e-6);
        assert!(of(&[f32::NAN, 1.0, 0.0, 1.0]).iter().all(|value| value.is_nan()));
        assert!(!of(&[f32::INFINITY, 1.0, 0.0, 1.0])[0].is_finite());
    }
}
