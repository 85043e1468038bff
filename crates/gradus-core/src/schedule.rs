//! The learning rate of each step (docs/maths.md M10).

use std::f64::consts::PI;

/// How the learning rate changes in the course of a run.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Always the same.
    Constant,
    /// Multiplied by `factor` after every `epochs` epochs.
    Step {
        /// Epochs between two changes.
        epochs: u32,
        /// What the rate is multiplied by.
        factor: f32,
    },
    /// Along half a cosine to 0 (Loshchilov and Hutter 2017).
    Cosine,
    /// Up from 1/25 during 30 % of the run, then down to 1/250,000 (Smith 2018).
    OneCycle,
    /// Four times up from 0 and down to 0 again, each time over twice as many steps:
    /// `(1 - cos(2 pi log2(1 + 15 t))) / 2` of the rate, `t` from 0 to 1 (Holzmüller et al. 2024).
    CosLog4,
    /// The same during the first half of the run, then along half a cosine to 0 (Holzmüller et al. 2024).
    FlatCosine,
    /// Multiplied by a factor whenever the validation has not got better for some epochs.
    Plateau(Plateau),
    /// `rate / (t + 1)^power` after `t` samples, those of the runs that a run continues included: the same in
    /// all steps of an epoch, and `rate` in the first epoch of each run. scikit-learn's `invscaling`.
    InverseScaling {
        /// The exponent, at least 0.
        power: f32,
    },
    /// Divided by 5 whenever progress has stopped, until the rate is at most 1e-6, when the run ends.
    /// scikit-learn's `adaptive`.
    Adaptive(Adaptive),
}

/// When the learning rate of [`Schedule::Adaptive`] is divided.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Adaptive {
    /// Epochs in a row without progress that are waited for; after one more, the rate is divided.
    pub patience: u32,
    /// An epoch is progress if it is better than the best by at least this much.
    pub min_delta: f64,
}

/// When the learning rate is reduced on a plateau, and by how much.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Plateau {
    /// Epochs in a row that may bring nothing better before the rate is reduced.
    pub patience: u32,
    /// What the rate is multiplied by, above 0 and below 1.
    pub factor: f32,
}

/// How far a run has come on its plateau: what [`PlateauState::observe`] remembers of the epochs.
#[doc(hidden)] // for the tests of gradus
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PlateauState {
    /// The best value so far; none before the first that is a finite number.
    pub best: Option<f64>,
    /// Epochs since then, or since the last reduction.
    pub waited: u32,
    /// What the learning rate is to be multiplied by: the product of all reductions.
    pub factor: f32,
    /// Whether the rate has become so small that the run is to end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub over: bool,
}

/// An epoch is better than the best only by more than this share.
const THRESHOLD: f64 = 1e-4;

/// An adaptive rate is multiplied by this, ...
const ADAPTIVE_FACTOR: f32 = 0.2;
/// ... but not once it is at most so large.
const LEAST_ADAPTIVE_RATE: f32 = 1e-6;

impl Default for PlateauState {
    fn default() -> Self {
        PlateauState { best: None, waited: 0, factor: 1.0, over: false }
    }
}

impl PlateauState {
    /// Takes in the value of one epoch, and reduces `factor` where the plateau has lasted. Says
    /// whether it did. NaN is never better.
    ///
    /// PyTorch's `ReduceLROnPlateau` with its defaults (a relative threshold of 1e-4, no cooldown),
    /// but for its smallest reduction: here the rate may become as small as it likes (M10).
    pub fn observe(&mut self, plateau: &Plateau, value: f64, larger_is_better: bool) -> bool {
        let better = match (self.best, larger_is_better) {
            (None, _) => value.is_finite(),
            (Some(best), false) => value < best * (1.0 - THRESHOLD),
            (Some(best), true) => value > best * (1.0 + THRESHOLD),
        };
        if better {
            self.best = Some(value);
            self.waited = 0;
            return false;
        }
        self.waited += 1;
        let reduced = self.waited > plateau.patience;
        if reduced {
            self.factor *= plateau.factor;
            self.waited = 0;
        }
        reduced
    }

    /// The same for an adaptive rate, which began at `rate`. As in scikit-learn, every better value is the new
    /// best, also one that is not enough progress.
    pub fn adapt(&mut self, adaptive: &Adaptive, value: f64, larger_is_better: bool, rate: f32) {
        let gain = match self.best {
            None if value.is_finite() => f64::INFINITY,
            None => f64::NAN,
            Some(best) if larger_is_better => value - best,
            Some(best) => best - value,
        };
        // NaN is no progress.
        self.waited = if gain >= adaptive.min_delta { 0 } else { self.waited + 1 };
        if gain > 0.0 {
            self.best = Some(value);
        }
        if self.waited > adaptive.patience {
            self.waited = 0;
            self.over = rate * self.factor <= LEAST_ADAPTIVE_RATE;
            if !self.over {
                self.factor *= ADAPTIVE_FACTOR;
            }
        }
    }
}

/// Share of the learning rate at which a warm-up begins.
const WARM_UP_START: f64 = 0.1;
/// Share of a one-cycle run that leads up to the peak.
const RISE: f64 = 0.3;
/// The peak of one cycle is this many times its start.
const START_DIVISOR: f64 = 25.0;
/// The start of one cycle is this many times its end.
const END_DIVISOR: f64 = 1e4;

impl Schedule {
    /// Reads `constant`, `step:EPOCHS:FACTOR`, `cosine`, `one-cycle`, `coslog4`, `flat-cosine`, `plateau:PATIENCE:FACTOR`,
    /// `inverse-scaling:POWER` or `adaptive:PATIENCE:MIN_DELTA`.
    pub fn parse(text: &str) -> Option<Schedule> {
        match text {
            "constant" => Some(Schedule::Constant),
            "cosine" => Some(Schedule::Cosine),
            "one-cycle" => Some(Schedule::OneCycle),
            "coslog4" => Some(Schedule::CosLog4),
            "flat-cosine" => Some(Schedule::FlatCosine),
            _ => {
                let mut parts = text.splitn(3, ':');
                let (name, first) = (parts.next()?, parts.next()?);
                if name == "inverse-scaling" {
                    let power = first.parse().ok().filter(|&it: &f32| it >= 0.0 && it.is_finite());
                    return power
                        .filter(|_| parts.next().is_none())
                        .map(|power| Schedule::InverseScaling { power });
                }
                let (count, factor): (u32, _) = (first.parse().ok()?, parts.next()?);
                if name == "adaptive" {
                    let min_delta =
                        factor.parse().ok().filter(|&it: &f64| it >= 0.0 && it.is_finite())?;
                    return Some(Schedule::Adaptive(Adaptive { patience: count, min_delta }));
                }
                let factor: f32 = factor.parse().ok().filter(|&f| f > 0.0 && f < f32::INFINITY)?;
                match name {
                    "step" if count > 0 => Some(Schedule::Step { epochs: count, factor }),
                    "plateau" if factor < 1.0 => {
                        Some(Schedule::Plateau(Plateau { patience: count, factor }))
                    }
                    _ => None,
                }
            }
        }
    }

    /// The form that [`Schedule::parse`] reads.
    pub fn name(&self) -> String {
        match self {
            Schedule::Constant => "constant".into(),
            Schedule::Step { epochs, factor } => format!("step:{epochs}:{factor}"),
            Schedule::Cosine => "cosine".into(),
            Schedule::OneCycle => "one-cycle".into(),
            Schedule::CosLog4 => "coslog4".into(),
            Schedule::FlatCosine => "flat-cosine".into(),
            Schedule::Plateau(Plateau { patience, factor }) => {
                format!("plateau:{patience}:{factor}")
            }
            Schedule::InverseScaling { power } => format!("inverse-scaling:{power}"),
            Schedule::Adaptive(Adaptive { patience, min_delta }) => {
                format!("adaptive:{patience}:{min_delta}")
            }
        }
    }

    /// The learning rate of `step` (from 0) in a run of `steps`, of which the first `warm_up` lead
    /// up to `base`. Steps past the end keep the last one's rate. What a plateau has taken off is
    /// not known here: `base` has [`PlateauState::factor`] in it.
    pub fn at(&self, base: f32, step: u64, run: &Run) -> f32 {
        let base = f64::from(base);
        let step = step.min(run.steps.saturating_sub(1));
        if step < run.warm_up {
            let done = step as f64 / run.warm_up as f64;
            return (base * (WARM_UP_START + (1.0 - WARM_UP_START) * done)) as f32;
        }
        let (step, steps) = (step - run.warm_up, (run.steps - run.warm_up) as f64);
        let cosine =
            |from: f64, to: f64, done: f64| to + (from - to) * (1.0 + (PI * done).cos()) / 2.0;
        let rate = match *self {
            Schedule::Constant | Schedule::Plateau(_) | Schedule::Adaptive(_) => base,
            Schedule::InverseScaling { power } => {
                let epoch = step / run.steps_per_epoch.max(1);
                let seen = if epoch == 0 { 0 } else { run.seen + epoch * run.samples };
                base / (seen as f64 + 1.0).powf(power.into())
            }
            Schedule::Step { epochs, factor } => {
                let changes = step / (u64::from(epochs) * run.steps_per_epoch.max(1));
                base * f64::from(factor).powf(changes as f64)
            }
            Schedule::Cosine => cosine(base, 0.0, step as f64 / steps),
            Schedule::CosLog4 => {
                let cycles = (1.0 + 15.0 * step as f64 / steps).log2();
                base * (1.0 - (2.0 * PI * cycles).cos()) / 2.0
            }
            Schedule::FlatCosine => cosine(base, 0.0, (2.0 * step as f64 / steps - 1.0).max(0.0)),
            Schedule::OneCycle => {
                let (start, peak) = (base / START_DIVISOR, RISE * steps - 1.0);
                let (step, last) = (step as f64, steps - 1.0);
                if step <= peak {
                    cosine(start, base, step / peak.max(f64::MIN_POSITIVE))
                } else {
                    let done = (step - peak.max(0.0)) / (last - peak.max(0.0)).max(1.0);
                    cosine(base, start / END_DIVISOR, done.min(1.0))
                }
            }
        };
        rate as f32
    }
}

/// What a schedule needs to know of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Steps of the whole run.
    pub steps: u64,
    /// Steps of an epoch.
    pub steps_per_epoch: u64,
    /// Steps of the warm-up, part of the whole.
    pub warm_up: u64,
    /// Samples of an epoch.
    pub samples: u64,
    /// Samples seen in the runs that this one continues.
    pub seen: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        let step = Schedule::Step { epochs: 3, factor: 0.5 };
        let plateau = Schedule::Plateau(Plateau { patience: 0, factor: 0.1 });
        let cosines = [Schedule::Cosine, Schedule::CosLog4, Schedule::FlatCosine];
        let inverse = Schedule::InverseScaling { power: 0.25 };
        let adaptive = Schedule::Adaptive(Adaptive { patience: 10, min_delta: 1e-4 });
        let others = [Schedule::Constant, step, Schedule::OneCycle, plateau, inverse, adaptive];
        for schedule in cosines.into_iter().chain(others) {
            assert_eq!(Schedule::parse(&schedule.name()), Some(schedule));
        }
        for wrong in [
            "",
            "linear",
            "step",
            "step:0:0.5",
            "step:3:-1",
            "step:3:nan",
            "plateau:2:1",
            "plateau:-1:0.5",
            "plateau:2",
            "plateau:2:0.5:1",
            "inverse-scaling",
            "inverse-scaling:-1",
            "inverse-scaling:0.5:1",
            "adaptive",
            "adaptive:10",
            "adaptive:10:-1",
            "adaptive:10:nan",
        ] {
            assert_eq!(Schedule::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_no_number_is_waited_out() {
        let plateau = Plateau { patience: 1, factor: 0.5 };
        let mut state = PlateauState::default();
        assert!(!state.observe(&plateau, f64::NAN, false));
        assert!(state.observe(&plateau, f64::INFINITY, false));
        assert_eq!(state, PlateauState { factor: 0.5, ..PlateauState::default() });
        assert!(!state.observe(&plateau, 3.0, false));
        assert!(!state.observe(&plateau, f64::NAN, false));
        assert!(state.observe(&plateau, 3.0, false));
        assert_eq!(
            state,
            PlateauState { best: Some(3.0), factor: 0.25, ..PlateauState::default() }
        );
        let text = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<PlateauState>(&text).unwrap(), state);
    }

    /// The rates and the end of scikit-learn's SGDOptimizer with the same losses.
    #[test]
    fn an_adaptive_rate_is_divided_until_it_is_small() {
        let adaptive = Adaptive { patience: 1, min_delta: 0.1 };
        let mut state = PlateauState::default();
        let mut factors = Vec::new();
        // 0.95 is better, but not by 0.1, and is the best from then on: 0.86 is no progress, either.
        for loss in [1.0, 0.95, 0.86, 0.7, f64::NAN, 0.7] {
            state.adapt(&adaptive, loss, false, 1e-4);
            factors.push(state.factor);
        }
        assert_eq!(factors, [1.0, 1.0, 0.2, 0.2, 0.2, 0.2 * 0.2]);
        assert_eq!(state.best, Some(0.7));
        // 4e-6, 8e-7, and then the end.
        let mut more = 0;
        while !state.over {
            state.adapt(&adaptive, 0.7, false, 1e-4);
            more += 1;
        }
        assert_eq!(more, 4);
        let mut score = PlateauState::default();
        for value in [0.5, 0.75, 1.0] {
            score.adapt(&adaptive, value, true, 0.1);
        }
        assert_eq!((score.best, score.factor), (Some(1.0), 1.0));
    }

    /// `eta0 / (t + 1)^power` after each epoch, t in samples.
    #[test]
    fn inverse_scaling_counts_samples() {
        let schedule = Schedule::InverseScaling { power: 0.5 };
        let run = Run { steps: 6, steps_per_epoch: 2, warm_up: 0, samples: 4, seen: 0 };
        let rates: Vec<f32> = (0..6).map(|step| schedule.at(0.3, step, &run)).collect();
        let after = |samples: f64| (f64::from(0.3f32) / (samples + 1.0).sqrt()) as f32;
        assert_eq!(rates, [0.3, 0.3, after(4.0), after(4.0), after(8.0), after(8.0)]);
        let later = Run { seen: 10, ..run };
        assert_eq!([0, 2].map(|step| schedule.at(0.3, step, &later)), [0.3, after(14.0)]);
    }

    #[test]
    fn the_cosines_of_realmlp_follow_their_formulas() {
        let run = Run { steps: 60, steps_per_epoch: 10, warm_up: 0, samples: 1, seen: 0 };
        for step in 0..60 {
            let t = step as f64 / 60.0;
            let coslog = 0.5 * (1.0 - (2.0 * PI * (1.0 + 15.0 * t).log2()).cos());
            assert_eq!(Schedule::CosLog4.at(2.0, step, &run), (2.0 * coslog) as f32);
            let flat = if t < 0.5 { 1.0 } else { 0.5 * (1.0 + (PI * (2.0 * t - 1.0)).cos()) };
            assert!((Schedule::FlatCosine.at(2.0, step, &run) - 2.0 * flat as f32).abs() < 1e-6);
        }
        // Between two cycles the rate is 0: at t = 0, 1/15, 3/15, 7/15 and 1.
        for step in [0, 4, 12, 28] {
            assert!(Schedule::CosLog4.at(1.0, step, &run) < 1e-12, "{step}");
        }
    }

    #[test]
    fn every_rate_of_every_length_is_finite_and_not_negative() {
        let step = Schedule::Step { epochs: 1, factor: 0.5 };
        let cosines = [Schedule::Cosine, Schedule::CosLog4, Schedule::FlatCosine];
        let inverse = Schedule::InverseScaling { power: 0.5 };
        let others = [Schedule::Constant, step, Schedule::OneCycle, inverse];
        for schedule in cosines.into_iter().chain(others) {
            for steps in 1..12 {
                for warm_up in 0..=steps {
                    let run = Run { steps, steps_per_epoch: 2, warm_up, samples: 9, seen: 3 };
                    for step in 0..steps + 2 {
                        let rate = schedule.at(0.1, step, &run);
                        assert!(
                            (0.0..=0.1001).contains(&rate),
                            "{schedule:?} {run:?} {step} {rate}"
                        );
                    }
                }
            }
        }
    }
}
