//! Plots with a row for each of several names: a bar or a dot, on one axis below all of them.

use super::frame::Frame;
use super::scale::Scale;
use super::svg::{Anchor, Svg, grouped, shortened, width_of};

/// Of more rows the first ones are drawn.
pub(super) const MOST_ROWS: usize = 40;

/// Height of a row.
const ROW: f64 = 22.0;

/// Letters of a name.
const LETTERS: usize = 24;

/// A row.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) value: f64,
    /// Half the length of the line through the end of the bar.
    pub(super) spread: f64,
    /// What is shown when it is pointed at.
    pub(super) words: String,
}

/// Whether a row is a bar from 0 or a dot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// Blue to the right of 0, orange to the left.
    Bar,
    /// Where only differences count.
    Dot,
}

/// A plot of these rows; `axis` names the values.
pub(super) fn rows(title: &str, note: &str, axis: &str, mark: Mark, rows: &[Row]) -> String {
    let shown: Vec<&Row> =
        rows.iter().filter(|row| row.value.is_finite()).take(MOST_ROWS).collect();
    let ends = || shown.iter().flat_map(|row| [row.value - row.spread, row.value + row.spread]);
    let zero = if mark == Mark::Bar { 0.0 } else { f64::INFINITY };
    let low = ends().fold(zero, f64::min);
    let high = ends().fold(if mark == Mark::Bar { 0.0 } else { f64::NEG_INFINITY }, f64::max);
    let names: Vec<String> = shown.iter().map(|row| shortened(&row.name, LETTERS)).collect();
    let widest = names.iter().map(|name| width_of(name)).fold(40.0, f64::max);
    let top = 66.0;
    let bottom = top + ROW * shown.len().max(1) as f64;
    let mut svg = Svg::new(480.0, bottom + 48.0);
    svg.text("title", (10.0, 22.0), Anchor::Start, &shortened(title, 52));
    let note = match shown.len() < rows.len() {
        true => format!("{note}; the first {} of {}", shown.len(), grouped(rows.len() as u64)),
        false => note.to_owned(),
    };
    svg.text("soft", (10.0, 42.0), Anchor::Start, &shortened(&note, 64));
    let x = Scale::linear(low, high, 4);
    // Half of the last label is to the right of the field.
    let right = 480.0 - (x.label_width() / 2.0 + 4.0).max(16.0);
    let y = Scale::Linear { low: 0.0, high: shown.len().max(1) as f64, step: 1.0 };
    let frame = Frame { left: 10.0 + widest + 8.0, right, top, bottom, x, y };
    for (value, _) in frame.x.ticks() {
        let (x, _) = frame.place(value, 0.0);
        svg.line("grid", (x, top), (x, bottom));
    }
    for (at, (row, name)) in shown.iter().zip(&names).enumerate() {
        let middle = top + ROW * (at as f64 + 0.5);
        svg.text("", (frame.left - 8.0, middle + 4.5), Anchor::End, name);
        let place = |value: f64| frame.place(value, 0.0).0;
        let class = if row.value < 0.0 && mark == Mark::Bar { "orange" } else { "blue" };
        let fill = format!("{class}-fill");
        match mark {
            Mark::Bar => svg.group(&row.words, None, |svg| {
                let (from, to) = (place(row.value.min(0.0)), place(row.value.max(0.0)));
                svg.rect(&fill, (from, middle - 7.0), ((to - from).max(0.5), 14.0), 0.8);
            }),
            Mark::Dot => svg.dot(&fill, (place(row.value), middle), 4.5, &row.words),
        }
        if row.spread > 0.0 {
            let [from, to] = [row.value - row.spread, row.value + row.spread].map(place);
            svg.line("axis", (from, middle), (to, middle));
        }
    }
    if mark == Mark::Bar {
        let (x, _) = frame.place(0.0, 0.0);
        svg.line("axis", (x, top), (x, bottom));
    }
    frame.draw_x(&mut svg);
    frame.name_x(&mut svg, axis);
    let words: Vec<&str> = shown.iter().map(|row| row.words.as_str()).collect();
    svg.finish(title, &format!("{}.", words.join("; ")))
}
