//! Axes: from values to positions between 0 and 1, with ticks at round numbers.

use super::svg::{grouped, width_of};

/// The values along an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scale {
    /// Linear; a tick at each multiple of `step`.
    Linear { low: f64, high: f64, step: f64 },
    /// Logarithmic.
    Log { low: f64, high: f64 },
}

/// The largest end of an axis, so that differences and ratios stay finite.
const HUGE: f64 = 1e300;

/// 1, 2 and 5 in every power of ten: the smallest such number that is not below `value`.
fn round_up(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    let found = [1.0, 2.0, 5.0].into_iter().find(|&first| first * power >= value * (1.0 - 1e-9));
    found.unwrap_or(10.0) * power
}

fn round_down(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    let fits = |first: &f64| first * power <= value * (1.0 + 1e-9);
    [5.0, 2.0, 1.0].into_iter().find(fits).unwrap_or(1.0) * power
}

/// Two different finite ends, whatever was given.
fn ends(low: f64, high: f64) -> (f64, f64) {
    match (low.clamp(-HUGE, HUGE), high.clamp(-HUGE, HUGE)) {
        (low, high) if !low.is_finite() || !high.is_finite() || high < low => (0.0, 1.0),
        (low, high) if high - low <= 1e-12 * low.abs().max(high.abs()) => {
            let half = if low == 0.0 { 0.5 } else { 0.5 * low.abs() };
            (low - half, high + half)
        }
        ends => ends,
    }
}

impl Scale {
    /// From `low` to `high`, each moved outward to a tick; at most about `most` ticks.
    pub(super) fn linear(low: f64, high: f64, most: usize) -> Scale {
        let (low, high) = ends(low, high);
        let step = round_up((high - low) / most as f64);
        let (low, high) = ((low / step + 1e-9).floor() * step, (high / step - 1e-9).ceil() * step);
        Scale::Linear { low, high, step }
    }

    /// Whole numbers from exactly `low` to `high`.
    pub(super) fn whole(low: f64, high: f64, most: usize) -> Scale {
        let (low, high) = if high > low { (low, high) } else { (low - 0.5, low + 0.5) };
        let step = round_up((high - low) / most as f64).max(1.0);
        Scale::Linear { low, high, step }
    }

    /// Logarithmic, for positive numbers; the ends are moved outward to 1, 2 or 5 times a power of ten.
    pub(super) fn log(low: f64, high: f64) -> Scale {
        let (low, high) = (low.clamp(1.0 / HUGE, HUGE / 10.0), high.min(HUGE));
        Scale::Log { low: round_down(low), high: round_up(high.max(low * 1.01)) }
    }

    /// The position of a value: 0 at the lower end, 1 at the upper one.
    pub(super) fn at(&self, value: f64) -> f64 {
        let value = value.clamp(-HUGE, HUGE);
        match *self {
            Scale::Linear { low, high, .. } => (value - low) / (high - low),
            Scale::Log { low, high } => (value / low).ln() / (high / low).ln(),
        }
    }

    /// The width of the widest label.
    pub(super) fn label_width(&self) -> f64 {
        self.ticks().iter().map(|(_, label)| width_of(label)).fold(0.0, f64::max)
    }

    /// The values at which ticks stand, with their labels.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        match *self {
            Scale::Linear { low, high, step } => {
                let first = (low / step - 1e-9).ceil() as i64;
                let last = (high / step + 1e-9).floor() as i64;
                let tick = |at: i64| (at as f64 * step, label(at as f64 * step, step));
                (first..=last).map(tick).collect()
            }
            Scale::Log { low, high } => {
                let (from, to) = (low.log10().floor() as i32, high.log10().ceil() as i32);
                let decades = (high / low).log10();
                let firsts: &[f64] = match decades {
                    few if few <= 2.5 => &[1.0, 2.0, 5.0],
                    _ => &[1.0],
                };
                let sparse = ((decades / 6.0).ceil() as usize).max(1);
                let all = (from..=to)
                    .step_by(sparse)
                    .flat_map(|power| firsts.iter().map(move |first| first * 10f64.powi(power)));
                let inside = |&value: &f64| value >= low * 0.999 && value <= high * 1.001;
                all.filter(inside).map(|value| (value, label(value, round_down(value)))).collect()
            }
        }
    }
}

/// A number with as many decimals as the step between ticks.
fn label(value: f64, step: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    if step < 1e-4 || value.abs() >= 1e9 {
        // As many digits as tell neighbouring ticks apart.
        let power = |number: f64| (number.abs().log10() + 1e-9).floor();
        let digits = (power(value) - power(step)).clamp(0.0, 15.0) as usize;
        return format!("{value:.digits$e}");
    }
    let places = (-step.log10().floor()).max(0.0) as usize;
    match places {
        0 if value >= 0.0 => grouped(value.round() as u64),
        _ => format!("{value:.places$}").replace('-', "\u{2212}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: Scale) -> Vec<String> {
        scale.ticks().into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn ticks_stand_at_round_numbers() {
        assert_eq!(
            labels(Scale::linear(0.0192, 0.3807, 5)),
            ["0.0", "0.1", "0.2", "0.3", "0.4"].map(|t| if t == "0.0" { "0" } else { t })
        );
        assert_eq!(
            labels(Scale::linear(89.6, 99.6, 5)),
            ["88", "90", "92", "94", "96", "98", "100"]
        );
        assert_eq!(labels(Scale::whole(0.0, 5.0, 6)), ["0", "1", "2", "3", "4", "5"]);
        assert_eq!(labels(Scale::whole(0.0, 19_999.0, 5)), ["0", "5,000", "10,000", "15,000"]);
        assert_eq!(
            labels(Scale::log(0.013, 0.9)),
            ["0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1"]
        );
        assert_eq!(
            labels(Scale::linear(-0.31, 0.29, 3)),
            ["\u{2212}0.4", "\u{2212}0.2", "0", "0.2", "0.4"]
        );
        assert_eq!(labels(Scale::linear(0.0, 4e-5, 4)), ["0", "1e-5", "2e-5", "3e-5", "4e-5"]);
        // Large numbers keep the digits in which neighbouring ticks differ.
        assert_eq!(
            labels(Scale::linear(8.01e10, 8.09e10, 5)),
            ["8.00e10", "8.02e10", "8.04e10", "8.06e10", "8.08e10", "8.10e10"]
        );
        for (low, high) in [(7.9e10, 8.4e10), (1e9, 1e9 + 4.0), (1.1e-4, 1.9e-4), (-5e12, 5e12)] {
            let found = labels(Scale::linear(low, high, 5));
            let mut distinct = found.clone();
            distinct.dedup();
            assert_eq!(found, distinct, "{low} to {high}");
        }
    }

    #[test]
    fn places_are_right_and_finite() {
        let scale = Scale::linear(0.0, 4.0, 4);
        assert_eq!([0.0, 1.0, 4.0].map(|value| scale.at(value)), [0.0, 0.25, 1.0]);
        let scale = Scale::log(0.01, 1.0);
        assert!((scale.at(0.1) - 0.5).abs() < 1e-12);
        for (low, high) in
            [(2.0, 2.0), (0.0, 0.0), (f64::NAN, 1.0), (1.0, -1.0), (1e300, 1e300), (-1e308, 1e308)]
        {
            let scale = Scale::linear(low, high, 5);
            let ticks = scale.ticks();
            assert!((1..20).contains(&ticks.len()), "{low} {high}: {ticks:?}");
            assert!(ticks.iter().all(|&(value, _)| scale.at(value).is_finite()));
        }
        for (low, high) in [(1e-12, 1e9), (5e-324, 1e308), (1.0, 1.0)] {
            let scale = Scale::log(low, high);
            let ticks = scale.ticks();
            assert!((1..10).contains(&ticks.len()), "{low} {high}: {ticks:?}");
            assert!(ticks.iter().all(|&(value, _)| scale.at(value).is_finite()));
        }
    }
}
