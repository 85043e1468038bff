//! Learning curves as text: a history in, lines of braille characters out. Training is a solid line,
//! validation a dotted one.

use anstyle::{AnsiColor, Style};
use gradus::training::{EpochReport, History};

/// Minimum number of epochs for a curve.
const FEWEST_EPOCHS: usize = 3;

/// Lines of characters per chart; each has four dots above one another.
const ROWS: usize = 6;

/// Maximum width of a chart in characters, including its numbers.
const WIDEST: usize = 56;

/// Minimum width of a chart in characters; nothing is drawn in less.
const NARROWEST: usize = 24;

/// Characters for the numbers next to a chart.
const MARGIN: usize = 8;

/// Curves that fall below this fraction of their maximum are drawn on a logarithmic scale.
const LOG_BELOW: f64 = 1.0 / 30.0;

/// The style of the validation curve, for the legend.
const DOTTED: &str = " (dotted)";

/// Columns between two charts.
const GAP: usize = 3;

/// Loss and accuracy side by side in `width` columns, or only the loss if there is no accuracy or no room
/// for both; nothing if there are too few epochs or columns.
pub(crate) fn lines(history: &History, width: usize) -> Vec<String> {
    if history.epochs.len() < FEWEST_EPOCHS || width < NARROWEST {
        return Vec::new();
    }
    let measured = history.epochs.iter().any(|report| report.accuracy.is_some());
    let both = measured && width >= 2 * NARROWEST + GAP;
    let each = if both { (width - GAP) / 2 } else { width };
    let chart = |name, training: fn(&EpochReport) -> Option<f64>, validation| {
        let values = |value: fn(&EpochReport) -> Option<f64>| -> Vec<f64> {
            let finite = |report| value(report).filter(|value| value.is_finite());
            history.epochs.iter().map(|report| finite(report).unwrap_or(f64::NAN)).collect()
        };
        chart(name, [values(training), values(validation)], each.min(WIDEST))
    };
    let loss = chart("loss", |it| Some(it.loss), |it: &EpochReport| it.val_loss);
    if !both {
        return loss;
    }
    let accuracy = chart("accuracy", |it| it.accuracy, |it: &EpochReport| it.val_accuracy);
    let gap = " ".repeat(GAP);
    loss.iter().zip(&accuracy).map(|(left, right)| format!("{left}{gap}{right}")).collect()
}

/// A chart of exactly `width` columns.
fn chart(name: &str, [training, validation]: [Vec<f64>; 2], width: usize) -> Vec<String> {
    let columns = width - MARGIN;
    let all = || training.iter().chain(&validation).copied().filter(|value| value.is_finite());
    let (low, high) =
        (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
    let logarithmic = low > 0.0 && low < LOG_BELOW * high;
    let scaled = |value: f64| if logarithmic { value.ln() } else { value };
    let curve = |values: &[f64], dots| {
        let values: Vec<f64> = values.iter().map(|&value| scaled(value)).collect();
        Dots::new(columns).curve(&values, (scaled(low), scaled(high)), dots)
    };
    let (full, dotted) = (curve(&training, false), curve(&validation, true));
    let name = if logarithmic { format!("{name} (log)") } else { name.to_owned() };
    let mut lines = vec![padded(&legend(name, &training, &validation, width), width)];
    for row in 0..ROWS {
        let number = match row {
            0 if high.is_finite() => format!("{high:.3}"),
            row if row == ROWS - 1 && low.is_finite() => format!("{low:.3}"),
            _ => String::new(),
        };
        let number = if number.len() < MARGIN { number } else { String::new() };
        lines.push(format!("{number:>width$} {}", cells(&full, &dotted, row), width = MARGIN - 1));
    }
    let (from, to) = ("epoch 0".to_owned(), (training.len() - 1).to_string());
    let between = columns.saturating_sub(from.len() + to.len());
    let axis = format!("{}{from}{}{to}", " ".repeat(MARGIN), " ".repeat(between));
    lines.push(padded(&axis, width));
    lines
}

/// The name of a chart, and the last values.
fn legend(name: String, training: &[f64], validation: &[f64], width: usize) -> String {
    let last = |values: &[f64]| values.iter().rfind(|value| value.is_finite()).copied();
    let mut legend = name;
    legend += &last(training).map_or(String::new(), |value| format!(" {value:.4}"));
    let Some(value) = last(validation) else { return legend };
    legend += &format!(", validation {value:.4}");
    if legend.chars().count() + DOTTED.len() <= width {
        legend += DOTTED;
    }
    legend
}

/// The text in exactly `width` columns.
fn padded(text: &str, width: usize) -> String {
    let cut: String = text.chars().take(width).collect();
    format!("{cut:width$}")
}

/// One line of characters with the dots of both curves, in two colours.
fn cells(full: &Dots, dotted: &Dots, row: usize) -> String {
    let style = |color: AnsiColor| Style::new().fg_color(Some(color.into()));
    let row = row * full.columns..(row + 1) * full.columns;
    let both: Vec<(u8, u8)> =
        full.cells[row.clone()].iter().copied().zip(dotted.cells[row].iter().copied()).collect();
    let kind = |&(full, dotted): &(u8, u8)| match (full, dotted) {
        (0, 0) => Style::new(),
        (0, _) => style(AnsiColor::Yellow),
        _ => style(AnsiColor::Blue),
    };
    let letter = |&(full, dotted): &(u8, u8)| match full | dotted {
        0 => ' ',
        dots => char::from_u32(0x2800 + u32::from(dots)).unwrap_or(' '),
    };
    let mut text = String::new();
    for run in both.chunk_by(|a, b| kind(a) == kind(b)) {
        let letters: String = run.iter().map(letter).collect();
        let style = kind(&run[0]);
        text += &format!("{style}{letters}{style:#}");
    }
    text
}

/// A canvas of dots, two by four per character.
struct Dots {
    columns: usize,
    cells: Vec<u8>,
}

impl Dots {
    fn new(columns: usize) -> Dots {
        Dots { columns, cells: vec![0; columns * ROWS] }
    }

    fn set(&mut self, x: usize, y: usize) {
        const BITS: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];
        self.cells[y / 4 * self.columns + x / 2] |= BITS[x % 2][y % 4];
    }

    /// Draws the values over the whole width, with straight lines between them.
    fn curve(mut self, values: &[f64], (low, high): (f64, f64), dotted: bool) -> Dots {
        let (width, height) = (2 * self.columns, 4 * ROWS);
        let mut before: Option<usize> = None;
        for x in 0..width {
            let at = x as f64 / (width - 1) as f64 * (values.len() - 1) as f64;
            let (left, right) = (values[at.floor() as usize], values[at.ceil() as usize]);
            let value = left + at.fract() * (right - left);
            if !value.is_finite() {
                before = None;
                continue;
            }
            let share = if high > low { (high - value) / (high - low) } else { 0.5 };
            let y = (share * (height - 1) as f64).round() as usize;
            match (dotted, before) {
                (true, _) if x % 3 > 0 => {}
                (false, Some(before)) => {
                    let ends = (before.min(y), before.max(y));
                    (ends.0..=ends.1).for_each(|y| self.set(x, y));
                }
                _ => self.set(x, y),
            }
            before = Some(y);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(losses: &[f64], validated: bool) -> History {
        let report = |(epoch, &loss): (usize, &f64)| EpochReport {
            epoch,
            loss,
            accuracy: Some(1.0 - loss),
            val_loss: validated.then_some(loss + 0.1),
            val_accuracy: validated.then_some(0.9 - loss),
            val_r2: None,
            learning_rate: 0.1,
            seconds: 1.0,
        };
        History { epochs: losses.iter().enumerate().map(report).collect() }
    }

    fn plain(line: &str) -> String {
        anstream::adapter::strip_str(line).to_string()
    }

    #[test]
    fn a_straight_line_goes_from_corner_to_corner() {
        let lines = chart("loss", [vec![1.0, 0.5, 0.0], vec![f64::NAN; 3]], 20);
        let lines: Vec<_> = lines.iter().map(|line| plain(line)).collect();
        assert_eq!(lines.len(), ROWS + 2);
        assert!(lines.iter().all(|line| line.chars().count() == 20), "{lines:?}");
        assert_eq!(lines[0].trim_end(), "loss 0.0000");
        assert!(lines[1].starts_with("  1.000 \u{2819}\u{28a6}"), "{}", lines[1]);
        assert!(
            lines[ROWS].starts_with("  0.000 ") && lines[ROWS].ends_with('\u{28a6}'),
            "{lines:?}"
        );
        assert_eq!(lines[ROWS + 1], "        epoch 0    2");
    }

    #[test]
    fn steep_curves_have_a_logarithmic_scale() {
        let lines = chart("loss", [vec![1.0, 0.1, 0.01], vec![f64::NAN; 3]], 30);
        assert_eq!(plain(&lines[0]).trim_end(), "loss (log) 0.0100");
        // A straight line again: each row of characters contains part of it.
        let parts = lines[1..=ROWS].iter().map(|line| plain(line)[MARGIN..].trim().chars().count());
        assert!(
            parts.clone().all(|count| (3..=5).contains(&count)),
            "{:?}",
            parts.collect::<Vec<_>>()
        );
    }

    #[test]
    fn charts_are_drawn_at_every_sufficient_width() {
        let losses = [0.9, 0.5, f64::NAN, 0.3, 0.2];
        for width in [NARROWEST, 60, 80, 200] {
            for validated in [false, true] {
                let lines = lines(&history(&losses, validated), width);
                assert_eq!(lines.len(), ROWS + 2);
                assert!(lines.iter().all(|line| plain(line).chars().count() <= width));
                assert!(
                    lines
                        .iter()
                        .any(|line| line.contains(|c| ('\u{2801}'..='\u{28ff}').contains(&c)))
                );
            }
        }
        assert!(lines(&history(&losses, true), NARROWEST - 1).is_empty());
        assert!(lines(&history(&losses[..2], true), 80).is_empty());
        let flat = lines(&history(&[0.5; 4], false), 80);
        assert_eq!(flat.len(), ROWS + 2);
        let none = lines(&history(&[f64::NAN; 4], false), 80);
        assert_eq!(none.len(), ROWS + 2);
    }
}
