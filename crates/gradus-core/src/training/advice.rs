//! What to change after a run that failed: its settings and its data in, a sentence out. It names nothing that is set
//! already, and a learning rate only if a short run with it went well.

use crate::loss::Loss;
use crate::optimizer::Optimizer;
use crate::samples::{Rows, Subset, Targets};
use crate::schedule::Schedule;
use crate::training::baseline::Baseline;
use crate::training::config::{BatchSize, TrainConfig};
use crate::training::history::EpochReport;
use crate::training::outcome::Outcome;
use crate::transform::normalize::Normalization;

/// Most samples of a trial run, and about so many steps.
const TRIAL_SAMPLES: usize = 8192;
const TRIAL_STEPS: usize = 40;

/// So many rates are tried, each a tenth of the one before.
const TRIALS: i32 = 10;

/// Rates above this multiple of the optimizer's usual one may do well for some steps, but seldom for a whole run.
const MOST_OF_USUAL: f32 = 10.0;

/// Samples that are looked at to judge the scale of the inputs.
const LOOKED_AT: usize = 1000;

/// Features differ much in scale if the largest is so many times the smallest ...
const VERY_DIFFERENT: f64 = 100.0;

/// ... and at least so large. Inputs of the order of 1 train well.
const LARGE: f64 = 10.0;

/// Makes a short run with these settings on these samples; its last epoch, none if it fails.
pub(super) type Trial<'a> = &'a dyn Fn(&TrainConfig, Subset) -> Option<EpochReport>;

/// What a run needs to know of its data to judge its result.
pub(super) struct Judge {
    pub(super) baseline: Baseline,
    /// That features are on very different scales.
    warning: Option<String>,
    /// [`scales`]
    scales: String,
}

impl Judge {
    pub(super) fn new(config: &TrainConfig, data: &Subset) -> Judge {
        let warning = different_scales(config, data);
        Judge { baseline: Baseline::of(config, data), warning, scales: scales(config, data) }
    }

    /// What to do after a run diverged; `trial` makes short runs from where it began.
    pub(super) fn after_divergence(
        &self,
        config: &TrainConfig,
        data: &Subset,
        trial: Trial,
    ) -> String {
        let scales = &self.scales;
        if !config.optimizer.is_stochastic() {
            return format!("Check the data{scales}");
        }
        match smaller_rate(config, data, trial) {
            Some(rate) => {
                format!(
                    "Use a smaller `learning_rate`, such as {rate}, which worked in a short trial{scales}"
                )
            }
            None => format!("Short trials with smaller rates failed, too: check the data{scales}"),
        }
    }

    /// What the user should know at the end of a run that kept the epoch `kept`.
    pub(super) fn warnings(
        &self,
        config: &TrainConfig,
        kept: Option<&EpochReport>,
        outcome: &Outcome,
    ) -> Vec<String> {
        // A divergence has its own message.
        let diverged = matches!(outcome, Outcome::Diverged { .. });
        let kept = kept.filter(|kept| !diverged && !self.baseline.is_beaten_by(kept));
        let nothing_learned = kept.map(|kept| {
            let complaint = self.baseline.complaint(kept);
            if !config.optimizer.is_stochastic() {
                return format!("{complaint}; try another `seed` or a smaller `l2`{}", self.scales);
            }
            let usual = usual_rate(&config.optimizer);
            let advice = match self.baseline.is_far_below(kept) && config.learning_rate > usual {
                true => {
                    format!("the steps were probably too large: use a smaller `learning_rate`, such as {usual}")
                }
                false if *outcome == Outcome::Finished => {
                    "try more `epochs` or another `learning_rate`".to_owned()
                }
                false => "try another `learning_rate`".to_owned(),
            };
            format!("{complaint}; {advice}{}", self.scales)
        });
        self.warning.clone().into_iter().chain(nothing_learned).collect()
    }
}

/// What else to try with large inputs or targets, beginning with ", or "; empty if there is nothing.
fn scales(config: &TrainConfig, data: &Subset) -> String {
    let mut advice = String::new();
    if config.normalization == Normalization::None && InputScale::of(data).most >= LARGE {
        advice += ", or `normalize` standard for inputs of this size";
    }
    let can_standardize = config.loss.as_ref().is_none_or(Loss::can_standardize);
    if config.standardize_targets != Some(true) && can_standardize && target_size(data) >= LARGE {
        advice += ", or `standardize_targets` for targets of this size";
    }
    advice
}

/// Why features are on very different scales, if they are and nothing is done about it.
fn different_scales(config: &TrainConfig, data: &Subset) -> Option<String> {
    // Pixels share one scale.
    let table = data.data().sample_shape.len() == 1
        && matches!(data.data().inputs.kind(), Rows::Floats(_) | Rows::Doubles(_));
    if config.normalization != Normalization::None || !table {
        return None;
    }
    let InputScale { least, most } = InputScale::of(data);
    (most >= LARGE && most >= VERY_DIFFERENT * least).then(|| {
        format!(
            "the features are on very different scales, from about {least:.1e} to {most:.1e}: the small ones are hardly \
             learned; use `normalize` standard"
        )
    })
}

/// The largest root mean square of a feature, and the smallest standard deviation other than 0. What is 0 in most
/// samples, such as a pixel near the border, has no scale of its own.
struct InputScale {
    least: f64,
    most: f64,
}

impl InputScale {
    fn of(data: &Subset) -> InputScale {
        let features = data.features();
        let step = data.len().div_ceil(LOOKED_AT).max(1);
        if data.streamed().is_some() {
            // What cannot be read is reported where it is needed: this is only for advice.
            return match data.read((0..data.len()).step_by(step)) {
                Ok(read) => InputScale::of(&(&read).into()),
                Err(_) => InputScale { least: f64::INFINITY, most: 0.0 },
            };
        }
        let mut sums = vec![(0.0, 0.0, 0.0); features];
        let mut count = 0.0;
        let first = data.data().sample(data.index(0));
        for index in data.indices().step_by(step) {
            let row = data.data().sample(index);
            count += 1.0;
            for ((sum, squares, zeros), (value, first)) in
                sums.iter_mut().zip(row.iter().zip(&first))
            {
                *zeros += if *value == 0.0 { 1.0 } else { 0.0 };
                // Around the first sample, so that large values with small differences keep their digits.
                let value = f64::from(*value) - f64::from(*first);
                *sum += value;
                *squares += value * value;
            }
        }
        let scale = InputScale { least: f64::INFINITY, most: 0.0 };
        sums.iter().zip(&first).fold(scale, |scale, (&(sum, squares, zeros), &first)| {
            let mean = sum / count;
            let variance = (squares / count - mean * mean).max(0.0);
            let size = ((f64::from(first) + mean).powi(2) + variance).sqrt();
            let has_scale = variance > 0.0 && 2.0 * zeros <= count;
            let std = if has_scale { variance.sqrt() } else { f64::INFINITY };
            InputScale { least: scale.least.min(std), most: scale.most.max(size) }
        })
    }
}

/// The largest root mean square of an output's targets; 0 in classification.
fn target_size(data: &Subset) -> f64 {
    let Targets::Values { values, names } = &data.data().targets else { return 0.0 };
    let square = |output: usize| {
        let of = |index: usize| f64::from(values[index * names.len() + output]).powi(2);
        data.indices().map(of).sum::<f64>() / data.len() as f64
    };
    (0..names.len()).map(square).fold(0.0, f64::max).sqrt()
}

/// The learning rate that is usual for an optimizer.
fn usual_rate(optimizer: &Optimizer) -> f32 {
    match optimizer {
        Optimizer::Sgd { .. } | Optimizer::Muon { .. } => 0.01,
        Optimizer::Adam { .. } | Optimizer::AdamW { .. } | Optimizer::RmsProp { .. } => 0.001,
        Optimizer::Lion { .. } => 1e-4,
        // It has none: 1 is the full step of Newton's method.
        Optimizer::Lbfgs { .. } => 1.0,
    }
}

/// A smaller learning rate with which training works: the first of a tenth, at most ten times the usual one, a tenth of
/// that, ..., at which a short run on some of the samples ends better than guessing; else the one that ends best. None if no rate helps.
fn smaller_rate(config: &TrainConfig, data: &Subset, trial: Trial) -> Option<f32> {
    let step = data.len().div_ceil(TRIAL_SAMPLES).max(1);
    let indices: Vec<u32> = data.indices().step_by(step).map(|index| index as u32).collect();
    // Of streamed samples a copy, which short runs go through many times.
    let read = match data.streamed() {
        Some(_) => Some(data.read((0..data.len()).step_by(step)).ok()?),
        None => None,
    };
    let some = match &read {
        Some(read) => read.into(),
        None => Subset::new(data.data(), &indices).ok()?,
    };
    let batch = match config.batch_size {
        BatchSize::Full => some.len(),
        BatchSize::Samples(count) => count.min(some.len()),
    };
    let short = TrainConfig {
        epochs: (TRIAL_STEPS / some.len().div_ceil(batch)).clamp(2, TRIAL_STEPS),
        schedule: Schedule::Constant,
        warm_up: 0.0,
        validation: 0.0,
        early_stopping: None,
        keep_best: None,
        monitor: None,
        ..config.clone()
    };
    let guess = Baseline::of(config, &some);
    let most = (config.learning_rate / 10.0).min(MOST_OF_USUAL * usual_rate(&config.optimizer));
    let mut best: Option<(f64, f32)> = None;
    for power in 0..TRIALS {
        let rate = shortened(f64::from(most) / 10f64.powi(power));
        let config = TrainConfig { learning_rate: rate, ..short.clone() };
        let Some(last) = trial(&config, some) else { continue };
        if guess.is_beaten_by(&last) {
            return Some(rate);
        }
        if best.is_none_or(|(loss, _)| last.loss < loss) {
            best = Some((last.loss, rate));
        }
    }
    best.map(|(_, rate)| rate)
}

/// Two digits, without those of the binary fraction.
fn shortened(rate: f64) -> f32 {
    format!("{rate:.1e}").parse().unwrap_or(rate as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{Dataset, Inputs};

    /// A table of one row for each sample; the label is whether the first value is large.
    fn table(columns: &[(f32, f32)]) -> Dataset {
        let rows = (0..200).flat_map(|at| {
            columns.iter().enumerate().map(move |(column, &(mean, spread))| {
                mean + spread * ((at * (2 * column + 3)) % 7) as f32
            })
        });
        let labels = (0..200).map(|at| u32::from((at * 3) % 7 > 3)).collect();
        let names = vec!["a".into(), "b".into()];
        let inputs = Inputs::Floats(rows.collect());
        Dataset::new(inputs, labels, vec![columns.len()], names).unwrap()
    }

    #[test]
    fn features_of_very_different_scales_are_noticed() {
        let raw = TrainConfig { normalization: Normalization::None, ..TrainConfig::default() };
        let reported = |columns: &[(f32, f32)], config: &TrainConfig| {
            different_scales(config, &(&table(columns)).into()).is_some()
        };
        assert!(reported(&[(0.0, 1.0), (0.0, 1e4)], &raw));
        // A year, of which all are large, beside small numbers; its own differences keep their digits.
        assert!(reported(&[(0.0, 0.1), (2020.0, 1.0)], &raw));
        assert!(reported(&[(0.0, 1.0), (1.7e9, 60.0)], &raw));
        assert!(!reported(&[(0.0, 1.0), (0.0, 1e4)], &TrainConfig::default()));
        assert!(!reported(&[(0.0, 1.0), (5.0, 0.3)], &raw));
        // A constant has no scale, and rare small values are not large ones.
        assert!(!reported(&[(7.0, 0.0), (1.0, 3.0)], &raw));
        assert!(!reported(&[(0.0, 1e-6), (0.0, 0.5)], &raw));
    }
}
