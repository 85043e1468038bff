//! The calibration plot (docs/maths.md M20): accuracy against confidence, and below it the number of
//! predictions in each bin of confidence.

use super::frame::Frame;
use super::scale::Scale;
use super::svg::{Anchor, Svg, grouped};
use crate::metrics::{Calibration, CalibrationBin, Z_95, wilson_interval};

/// Accuracy against confidence for each bin, with Wilson's intervals of 95 %, above the counts.
pub fn calibration(calibration: &Calibration) -> String {
    let mut svg = Svg::new(480.0, 460.0);
    let error = format!("{:.2} %", 100.0 * calibration.expected_error());
    svg.text("title", (10.0, 22.0), Anchor::Start, "Calibration");
    let note = format!("expected calibration error {error}");
    svg.text("soft", (10.0, 42.0), Anchor::Start, &note);
    let percent = || Scale::linear(0.0, 100.0, 5);
    let (left, right) = (58.0, 464.0);
    let frame = Frame { left, right, top: 82.0, bottom: 310.0, x: percent(), y: percent() };
    frame.draw(&mut svg);
    frame.name_y(&mut svg, "accuracy (%)");
    svg.line("axis", frame.place(0.0, 0.0), frame.place(100.0, 100.0));
    let legend = "line: accuracy equals confidence; bars: 95 % intervals";
    svg.text("soft", (right, frame.top - 12.0), Anchor::End, legend);
    for bin in calibration.bins.iter().filter(|bin| bin.count > 0) {
        draw_bin(&mut svg, &frame, bin);
    }
    counts(&mut svg, calibration, (left, right));
    let samples: u64 = calibration.bins.iter().map(|bin| bin.count).sum();
    let description =
        format!("{} predictions; expected calibration error {error}.", grouped(samples));
    svg.finish("Calibration", &description)
}

fn draw_bin(svg: &mut Svg, frame: &Frame, bin: &CalibrationBin) {
    let (sure, right) = (100.0 * bin.confidence, 100.0 * bin.accuracy);
    let correct = (bin.accuracy * bin.count as f64).round() as u64;
    let (low, high) = wilson_interval(correct.min(bin.count), bin.count, Z_95);
    svg.line("blue", frame.place(sure, 100.0 * low), frame.place(sure, 100.0 * high));
    let words = format!(
        "{} of {} correct at a confidence of {sure:.1} %",
        grouped(correct),
        grouped(bin.count)
    );
    svg.dot("blue-fill", frame.place(sure, right), 4.0, &words);
}

/// The number of predictions in each bin.
fn counts(svg: &mut Svg, calibration: &Calibration, (left, right): (f64, f64)) {
    let most = calibration.bins.iter().map(|bin| bin.count).max().unwrap_or(0).max(1) as f64;
    let frame = Frame {
        left,
        right,
        top: 366.0,
        bottom: 412.0,
        x: Scale::linear(0.0, 100.0, 5),
        y: Scale::Linear { low: 0.0, high: most.log10().ceil().max(1.0), step: 1.0 },
    };
    svg.text("soft", (10.0, frame.top - 12.0), Anchor::Start, "predictions, logarithmic scale");
    for (at, bin) in calibration.bins.iter().enumerate().filter(|(_, bin)| bin.count > 0) {
        let (from, to) = calibration.edges(at);
        // A single prediction stays visible.
        let height = (bin.count as f64).log10().max(0.0) + 0.08;
        let (x1, y1) = frame.place(100.0 * from, height);
        let (x2, y2) = frame.place(100.0 * to, 0.0);
        svg.group(&grouped(bin.count), None, |svg| {
            svg.rect("blue-fill", (x1 + 1.0, y1), (x2 - x1 - 2.0, y2 - y1), 1.0);
        });
    }
    for value in [0.0, frame_top(&frame.y)] {
        let label = grouped(10f64.powf(value) as u64);
        let y = frame.place(0.0, value).1;
        svg.text("soft", (left - 7.0, y + 4.5), Anchor::End, &label);
    }
    frame.draw_x(svg);
    frame.name_x(svg, "confidence: probability of the predicted class (%)");
}

fn frame_top(scale: &Scale) -> f64 {
    match *scale {
        Scale::Linear { high, .. } | Scale::Log { high, .. } => high,
    }
}
