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
    assert_eq!(truth.len(), predicted.len());
    let pairs: Vec<(f64, f64)> = truth
        .iter()
        .zip(predicted)
        .map(|(&truth, &predicted)| (f64::from(truth), f64::from(predicted)))
        .filter(|(truth, predicted)| truth.is_finite() && predicted.is_finite())
        .collect();
    let step = pairs.len().div_ceil(MOST_DOTS).max(1);
    let shown: Vec<(f64, f64)> = pairs.iter().copied().step_by(step).collect();
    let ends = || shown.iter().flat_map(|&(truth, predicted)| [truth, predicted]);
    let (low, high) =
        (ends().fold(f64::INFINITY, f64::min), ends().fold(f64::NEG_INFINITY, f64::max));
    // One scale for both axes: right predictions are on the diagonal. The labels of x need room beside each other.
    let scale = Scale::linear(low, high, 4);
    let title = format!("Predicted against true: {}", shortened(name, 28));
    let mut svg = Svg::new(480.0, 440.0);
    svg.text("title", (10.0, 22.0), Anchor::Start, &title);
    let all = grouped(pairs.len() as u64);
    let note = match shown.len() < pairs.len() {
        true => format!("{} of {all} samples; line: exact", grouped(shown.len() as u64)),
        false => format!("{all} samples; line: exact"),
    };
    svg.text("soft", (464.0, 50.0), Anchor::End, &note);
    // Half of the last label is to the right of the field.
    let right = 480.0 - (scale.label_width() / 2.0 + 4.0).max(16.0);
    let frame =
        Frame { left: Frame::left_of(&scale), right, top: 62.0, bottom: 392.0, x: scale, y: scale };
    frame.draw(&mut svg);
    frame.name_x(&mut svg, "true");
    frame.name_y(&mut svg, "predicted");
    if let Scale::Linear { low, high, .. } = scale {
        svg.line("axis", frame.place(low, low), frame.place(high, high));
    }
    for &(truth, predicted) in &shown {
        let words = format!("true {}, predicted {}", short(truth), short(predicted));
        svg.dot("blue-fill", frame.place(truth, predicted), 2.0, &words);
    }
    svg.finish(&title, &format!("{all} samples; the diagonal shows exact predictions."))
}
