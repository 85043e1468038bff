//! Histograms: sets of numbers in, a row with the histogram of each set out.

use super::frame::Frame;
use super::scale::Scale;
use super::svg::{Anchor, Svg, grouped, shortened};
use crate::network::Network;

/// If there are more sets, only the first ones are drawn.
const MOST_SETS: usize = 12;

const BINS: usize = 60;

/// Numbers more than this many standard deviations from the mean are counted in the bars at the edges.
const REACH: f64 = 4.0;

/// Height of the plot of one set.
const ROW: f64 = 140.0;

/// The weights of each linear layer.
pub fn weight_histograms(network: &Network) -> String {
    let layers = network.linears().iter().enumerate();
    let sets: Vec<(String, &[f32])> = layers
        .map(|(at, linear)| {
            let name = format!("Layer {}: {} to {}", at + 1, linear.inputs, linear.outputs);
            (name, network.weight(at))
        })
        .collect();
    histograms("Weights by layer", "weight", &sets)
}

/// A histogram for each named set of numbers, one below the other, each on its own scale. Counts are on
/// a logarithmic scale, which keeps a few large numbers visible among many near 0.
pub fn histograms(title: &str, value_name: &str, sets: &[(String, &[f32])]) -> String {
    let shown = &sets[..sets.len().min(MOST_SETS)];
    let mut svg = Svg::new(480.0, 68.0 + ROW * shown.len() as f64 + 24.0);
    svg.text("title", (10.0, 22.0), Anchor::Start, title);
    let note = match shown.len() < sets.len() {
        true => format!("counts, logarithmic scale; the first {} of {}", shown.len(), sets.len()),
        false => "counts, logarithmic scale".to_owned(),
    };
    svg.text("soft", (10.0, 42.0), Anchor::Start, &note);
    let mut words = Vec::new();
    for (at, (name, values)) in shown.iter().enumerate() {
        let top = 68.0 + ROW * at as f64;
        let counts = Counts::of(values);
        counts.draw(&mut svg, top, &shortened(name, 28));
        words.push(format!("{name}: {}", counts.summary()));
        if at + 1 == shown.len() {
            svg.text("soft", (266.0, top + ROW), Anchor::Middle, value_name);
        }
    }
    svg.finish(title, &(words.join("; ") + "."))
}

/// The height of a bar.
fn tall(count: f64) -> f64 {
    (1.0 + count).log10()
}

struct Counts {
    bins: [u64; BINS],
    low: f64,
    high: f64,
    mean: f64,
    std: f64,
    all: usize,
    outside: usize,
}

impl Counts {
    fn of(values: &[f32]) -> Counts {
        let finite = || values.iter().map(|&x| f64::from(x)).filter(|x| x.is_finite());
        let count = finite().count().max(1) as f64;
        let mean = finite().sum::<f64>() / count;
        let std = (finite().map(|x| (x - mean).powi(2)).sum::<f64>() / count).sqrt();
        let low = finite().fold(f64::INFINITY, f64::min).max(mean - REACH * std);
        let high = finite().fold(f64::NEG_INFINITY, f64::max).min(mean + REACH * std);
        let (low, high) = if low < high { (low, high) } else { (mean - 0.5, mean + 0.5) };
        let mut bins = [0; BINS];
        let mut outside = 0;
        for x in finite() {
            let at = (x - low) / (high - low) * BINS as f64;
            outside += usize::from(x < low || x > high);
            // The conversion saturates: negative numbers become 0.
            bins[(at as usize).min(BINS - 1)] += 1;
        }
        Counts { bins, low, high, mean, std, all: values.len(), outside }
    }

    fn summary(&self) -> String {
        let Counts { mean, std, all, .. } = self;
        let mean = format!("{mean:.4}").replace('-', "\u{2212}");
        format!("{} numbers, mean {mean}, std {std:.4}", grouped(*all as u64))
    }

    /// The share of the numbers that lie beyond the edges and are counted in the bars there.
    fn beyond(&self) -> String {
        let share = 100.0 * self.outside as f64 / self.all.max(1) as f64;
        match self.outside {
            0 => String::new(),
            _ => format!("{share:.2} % beyond the edges"),
        }
    }

    fn draw(&self, svg: &mut Svg, top: f64, name: &str) {
        let most = self.bins.iter().copied().max().unwrap_or(0).max(1) as f64;
        let x = match Scale::linear(self.low, self.high, 7) {
            // Ticks are at round numbers; the bars reach from edge to edge.
            Scale::Linear { step, .. } => Scale::Linear { low: self.low, high: self.high, step },
            other => other,
        };
        let y = Scale::Linear { low: 0.0, high: tall(most), step: tall(most) };
        let frame =
            Frame { left: 58.0, right: 464.0, top: top + 34.0, bottom: top + ROW - 42.0, x, y };
        svg.text("", (10.0, top + 8.0), Anchor::Start, name);
        svg.text("soft", (frame.right, top + 8.0), Anchor::End, &self.beyond());
        svg.text("soft", (10.0, top + 24.0), Anchor::Start, &self.summary());
        for (value, label) in [(0.0, "0".to_owned()), (tall(most), grouped(most as u64))] {
            let y = frame.place(self.low, value).1;
            svg.line("grid", (frame.left, y), (frame.right, y));
            svg.text("soft", (frame.left - 7.0, y + 4.5), Anchor::End, &label);
        }
        frame.draw_x(svg);
        let width = (frame.right - frame.left) / BINS as f64;
        for (at, &count) in self.bins.iter().enumerate().filter(|(_, count)| **count > 0) {
            let y = frame.place(self.low, tall(count as f64)).1;
            let corner = (frame.left + width * at as f64, y);
            svg.rect("blue-fill", corner, (width - 0.5, frame.bottom - y), 1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_counted_once() {
        let mut values: Vec<f32> = (0..1000).map(|at| (at % 10) as f32).collect();
        values.push(1e6);
        let counts = Counts::of(&values);
        assert_eq!(counts.bins.iter().sum::<u64>(), 1001);
        assert_eq!((counts.all, counts.outside, counts.bins[BINS - 1]), (1001, 1, 1));
        let counts = Counts::of(&[2.0, 2.0]);
        assert_eq!((counts.bins.iter().sum::<u64>(), counts.mean, counts.std), (2, 2.0, 0.0));
        assert_eq!(Counts::of(&[]).bins, [0; BINS]);
    }
}
