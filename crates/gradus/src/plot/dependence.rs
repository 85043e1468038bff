//! Partial dependence on a column: values and mean predictions in, a curve or a row for each value out.

use super::curves::short;
use super::frame::Frame;
use super::rows::{Mark, Row, rows};
use super::scale::Scale;
use super::svg::{Anchor, Svg, grouped, shortened};
use crate::classifier::PartialDependence;
use crate::data::Cell;
use crate::transform::columns::time_text;

/// The mean prediction of one output at each value of the column `name`: a curve for numbers, a row for each category or
/// date. Panics where there is no such output.
pub fn dependence(
    name: &str,
    dependence: &PartialDependence,
    output: usize,
    output_name: &str,
) -> String {
    let means = dependence.output(output);
    let samples = grouped(dependence.samples as u64);
    let title = format!("{}: mean prediction", shortened(name, 30));
    let note = format!("{} of {samples} samples with the same value", shortened(output_name, 24));
    let numbers: Option<Vec<f64>> = dependence.values.iter().map(number).collect();
    let Some(numbers) = numbers.filter(|numbers| numbers.len() > 1) else {
        let row = |(value, &mean): (&Cell, &f64)| {
            let name = text(value);
            let words = format!("{name}: {}", short(mean));
            Row { name, value: mean, spread: 0.0, words }
        };
        let found: Vec<Row> = dependence.values.iter().zip(&means).map(row).collect();
        return rows(&title, &note, "mean prediction", Mark::Dot, &found);
    };
    let mut svg = Svg::new(480.0, 340.0);
    svg.text("title", (10.0, 22.0), Anchor::Start, &title);
    svg.text("soft", (10.0, 42.0), Anchor::Start, &note);
    let scale = |values: &[f64], most: usize| {
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        (Scale::linear(low, high, most), low, high)
    };
    let (y, low, high) = scale(&means, 5);
    let (x, first, last) = scale(&numbers, 4);
    let right = 480.0 - (x.label_width() / 2.0 + 4.0).max(16.0);
    let frame = Frame { left: Frame::left_of(&y), right, top: 82.0, bottom: 290.0, x, y };
    frame.draw(&mut svg);
    frame.name_x(&mut svg, &shortened(name, 40));
    frame.name_y(&mut svg, "mean prediction");
    let points: Vec<(f64, f64)> =
        numbers.iter().zip(&means).map(|(&x, &y)| frame.place(x, y)).collect();
    svg.curve("blue", &points);
    for ((&at, &mean), &point) in numbers.iter().zip(&means).zip(&points) {
        let words = format!("{} at {}", short(mean), short(at));
        svg.dot("blue-fill", point, 3.0, &words);
    }
    let description = format!(
        "Mean predictions between {} and {} for values from {} to {}.",
        short(low),
        short(high),
        short(first),
        short(last)
    );
    svg.finish(&title, &description)
}

fn number(cell: &Cell) -> Option<f64> {
    match cell {
        Cell::Number(value) => Some(*value),
        Cell::Text(_) | Cell::Time(_) | Cell::Gap => None,
    }
}

fn text(cell: &Cell) -> String {
    match cell {
        Cell::Number(value) => short(*value),
        Cell::Text(text) => text.clone(),
        Cell::Time(seconds) => time_text(*seconds),
        Cell::Gap => "(missing)".to_owned(),
    }
}
