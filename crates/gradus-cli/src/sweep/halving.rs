//! Successive halving: metrics of runs in, which runs continue out (K. Jamieson and A. Talwalkar, "Non-stochastic best arm
//! identification and hyperparameter optimization", 2016), with a third in place of the half.
//!
//! All runs are trained to the first rung, the best third of them to the second, and so on: most of
//! the epochs go to good runs. A rung is complete before anything is decided, so that the result
//! does not depend on which run is done first.

use std::cmp::Ordering;

use gradus::training::Monitor;
use serde::{Deserialize, Serialize};

/// One in this many runs continues, for this many times as many epochs.
const THIRD: usize = 3;

/// The metrics of the model of a run.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// Completed epochs.
    pub(crate) epochs: usize,
    /// The epoch of these metrics, with early stopping.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) best_epoch: Option<usize>,
    /// None if the run diverged.
    pub(crate) loss: Option<f64>,
    pub(crate) accuracy: Option<f64>,
    pub(crate) val_loss: Option<f64>,
    pub(crate) val_accuracy: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) val_r2: Option<f64>,
}

impl Figures {
    /// The value of a metric.
    pub(crate) fn of(&self, monitor: Monitor) -> Option<f64> {
        match monitor {
            Monitor::Loss => self.loss,
            Monitor::Accuracy => self.accuracy,
            Monitor::ValLoss => self.val_loss,
            Monitor::ValAccuracy => self.val_accuracy,
            Monitor::ValR2 => self.val_r2,
        }
    }

    /// Orders the better one first; one without the metric is the worst. Ties are broken by the validation
    /// loss.
    pub(crate) fn compare(&self, other: &Figures, monitor: Monitor) -> Ordering {
        let by = |monitor: Monitor| {
            let worst = if monitor.larger_is_better() { f64::NEG_INFINITY } else { f64::INFINITY };
            let [mine, its] = [self, other].map(|it| it.of(monitor).unwrap_or(worst));
            match monitor.larger_is_better() {
                true => its.total_cmp(&mine),
                false => mine.total_cmp(&its),
            }
        };
        by(monitor).then_with(|| by(Monitor::ValLoss))
    }
}

/// The epochs of each rung for runs of `epochs`: a ninth, a third, all. The first rungs coincide if that is
/// less than one epoch.
pub(crate) fn rungs(epochs: usize) -> Vec<usize> {
    let mut rungs = [THIRD * THIRD, THIRD, 1].map(|part| (epochs / part).max(1)).to_vec();
    rungs.dedup();
    rungs
}

/// How many of `count` runs continue.
pub(crate) fn survivors(count: usize) -> usize {
    (count / THIRD).max(1)
}

/// The total number of epochs of all runs after each rung.
pub(crate) fn spent(runs: usize, rungs: &[usize]) -> Vec<usize> {
    let (mut going, mut before, mut sum) = (runs, 0, 0);
    let mut spent = Vec::new();
    for &rung in rungs {
        sum += going * (rung - before);
        spent.push(sum);
        (going, before) = (survivors(going), rung);
    }
    spent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rungs_are_a_ninth_a_third_and_all() {
        assert_eq!(rungs(27), [3, 9, 27]);
        assert_eq!(rungs(10), [1, 3, 10]);
        assert_eq!(rungs(6), [1, 2, 6]);
        assert_eq!(rungs(5), [1, 5]);
        assert_eq!(rungs(1), [1]);
        assert_eq!([27, 10, 3, 2, 1].map(survivors), [9, 3, 1, 1, 1]);
        // 27 runs of an epoch, 9 of two more, 3 of six more: 63 epochs in place of 243.
        assert_eq!(spent(27, &rungs(9)), [27, 45, 63]);
    }

    #[test]
    fn the_better_metrics_come_first() {
        let figures = |val_accuracy: f64, val_loss: f64| Figures {
            val_accuracy: Some(val_accuracy),
            val_loss: Some(val_loss),
            loss: Some(-val_loss),
            ..Figures::default()
        };
        let (good, bad, diverged) = (figures(0.9, 0.5), figures(0.8, 0.4), Figures::default());
        assert_eq!(good.compare(&bad, Monitor::ValAccuracy), Ordering::Less);
        assert_eq!(good.compare(&bad, Monitor::ValLoss), Ordering::Greater);
        assert_eq!(good.compare(&bad, Monitor::Loss), Ordering::Less);
        for monitor in Monitor::ALL.into_iter().filter(|&it| it != Monitor::Accuracy) {
            assert_eq!(bad.compare(&diverged, monitor), Ordering::Less);
            assert_eq!(diverged.compare(&bad, monitor), Ordering::Greater);
        }
        let tied = figures(0.9, 0.6);
        assert_eq!(good.compare(&tied, Monitor::ValAccuracy), Ordering::Less);
        assert_eq!(good.compare(&good, Monitor::ValAccuracy), Ordering::Equal);
    }
}
