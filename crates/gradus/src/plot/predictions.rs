//! Predictions of a regressor: true and predicted values in, a scatter plot out.

use super::curves::short;
use super::frame::Frame;
use super::scale::Scale;
use super::svg::{Anchor, Svg, grouped, shortened};

/// Of more samples, so many evenly spaced ones are drawn.
const MOST_DOTS: usize = 1000;

/// Predicted values over true ones, a dot for each sample, with the diagonal on which predictions are right. `name` is
/// that of the output. Pairs with a number that is not finite are left out. Panics where the lengths differ.
pub fn predictions(name: &str, truth: &[f32], predicted: &[f32]) -> String {
    let dots = Dots::of(truth, predicted);
    // One scale for both axes: right predictions are on the diagonal. The labels of x need room beside each other.
    let scale = scale_of(dots.shown.iter().flat_map(|dot| [dot.truth, dot.predicted]));
    let title = format!("Predicted against true: {}", shortened(name, 28));
    let (mut svg, frame) = dots.begin(&title, (scale, scale), "exact");
    frame.name_x(&mut svg, "true");
    frame.name_y(&mut svg, "predicted");
    if let Scale::Linear { low, high, .. } = scale {
        svg.line("axis", frame.place(low, low), frame.place(high, high));
    }
    dots.draw(&mut svg, |dot| frame.place(dot.truth, dot.predicted));
    svg.finish(&title, &format!("{} samples; the diagonal shows exact predictions.", dots.all))
}

/// Residuals, true minus predicted values, over predicted ones, with the line on which predictions are right: a slope or a
/// funnel tells what the model has missed. As [`predictions`] otherwise.
pub fn residuals(name: &str, truth: &[f32], predicted: &[f32]) -> String {
    let dots = Dots::of(truth, predicted);
    let x = scale_of(dots.shown.iter().map(|dot| dot.predicted));
    let y = scale_of(dots.shown.iter().map(Dot::residual).chain([0.0]));
    let title = format!("Residuals: {}", shortened(name, 40));
    let (mut svg, frame) = dots.begin(&title, (x, y), "exact");
    frame.name_x(&mut svg, "predicted");
    frame.name_y(&mut svg, "true \u{2212} predicted");
    if let Scale::Linear { low, high, .. } = x {
        svg.line("axis", frame.place(low, 0.0), frame.place(high, 0.0));
    }
    dots.draw(&mut svg, |dot| frame.place(dot.predicted, dot.residual()));
    svg.finish(&title, &format!("{} samples; at 0 predictions are exact.", dots.all))
}

struct Dot {
    truth: f64,
    predicted: f64,
}

impl Dot {
    fn residual(&self) -> f64 {
        self.truth - self.predicted
    }
}

/// The samples that are drawn.
struct Dots {
    shown: Vec<Dot>,
    /// The number of all of them.
    all: String,
    /// What is drawn of them.
    note: String,
}

impl Dots {
    fn of(truth: &[f32], predicted: &[f32]) -> Dots {
        assert_eq!(truth.len(), predicted.len());
        let pairs = || {
            let pairs = truth.iter().zip(predicted);
            let pairs = pairs.map(|(&truth, &predicted)| (f64::from(truth), f64::from(predicted)));
            pairs.filter(|(truth, predicted)| truth.is_finite() && predicted.is_finite())
        };
        let count = pairs().count();
        let step = count.div_ceil(MOST_DOTS).max(1);
        let dot = |(truth, predicted)| Dot { truth, predicted };
        let shown: Vec<Dot> = pairs().step_by(step).map(dot).collect();
        let all = grouped(count as u64);
        let note = match shown.len() < count {
            true => format!("{} of {all} samples", grouped(shown.len() as u64)),
            false => format!("{all} samples"),
        };
        Dots { shown, all, note }
    }

    /// The plot with its axes.
    fn begin(&self, title: &str, (x, y): (Scale, Scale), line: &str) -> (Svg, Frame) {
        let mut svg = Svg::new(480.0, 440.0);
        svg.text("title", (10.0, 22.0), Anchor::Start, title);
        let note = format!("{}; line: {line}", self.note);
        svg.text("soft", (464.0, 50.0), Anchor::End, &note);
        // Half of the last label is to the right of the field.
        let right = 480.0 - (x.label_width() / 2.0 + 4.0).max(16.0);
        let frame = Frame { left: Frame::left_of(&y), right, top: 62.0, bottom: 392.0, x, y };
        frame.draw(&mut svg);
        (svg, frame)
    }

    fn draw(&self, svg: &mut Svg, place: impl Fn(&Dot) -> (f64, f64)) {
        for dot in &self.shown {
            let words = format!("true {}, predicted {}", short(dot.truth), short(dot.predicted));
            svg.dot("blue-fill", place(dot), 2.0, &words);
        }
    }
}

/// An axis with room for the labels of x beside each other.
fn scale_of(values: impl Iterator<Item = f64>) -> Scale {
    let ends = (f64::INFINITY, f64::NEG_INFINITY);
    let (low, high) = values.fold(ends, |(low, high), it| (low.min(it), high.max(it)));
    Scale::linear(low, high, 4)
}
