//! Learning curves: a history in, loss, accuracy or learning rate over the epochs out.

use super::frame::Frame;
use super::scale::Scale;
use super::svg::{Anchor, Svg, grouped};
use crate::training::{EpochReport, History};

/// What a plot of curves shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// Loss in training and validation.
    Loss,
    /// Accuracy in training and validation, in percent.
    Accuracy,
    /// The learning rate of each epoch's last step.
    LearningRate,
}

/// If there are more points, only the smallest and the largest of every stretch of epochs are drawn.
const MOST_POINTS: usize = 800;

/// Up to this many epochs, each has a dot.
const MOST_DOTS: usize = 40;

/// A loss that falls to less than this share of its largest value is drawn on a logarithmic axis.
const LOG_BELOW: f64 = 1.0 / 30.0;

/// Lines of text between two labels.
const LABEL_HEIGHT: f64 = 33.0;

struct Series {
    name: &'static str,
    class: &'static str,
    points: Vec<(f64, f64)>,
}

impl Figure {
    /// All of them.
    pub const ALL: [Figure; 3] = [Figure::Loss, Figure::Accuracy, Figure::LearningRate];

    /// Those that a history has: regression has no accuracy.
    pub fn of(history: &History) -> Vec<Figure> {
        let has = |figure: &Figure| !figure.series(history)[0].points.is_empty();
        Figure::ALL.into_iter().filter(has).collect()
    }

    /// A name for files and headings.
    pub fn name(self) -> &'static str {
        match self {
            Figure::Loss => "loss",
            Figure::Accuracy => "accuracy",
            Figure::LearningRate => "learning rate",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Figure::Loss => "Loss",
            Figure::Accuracy => "Accuracy",
            Figure::LearningRate => "Learning rate",
        }
    }

    fn series(self, history: &History) -> Vec<Series> {
        let points = |value: fn(&EpochReport) -> Option<f64>, factor: f64| {
            let point = |report: &EpochReport| {
                value(report).map(|value| (report.epoch as f64, factor * value))
            };
            history.epochs.iter().filter_map(point).collect::<Vec<_>>()
        };
        let (train, validation) = match self {
            Figure::Loss => (points(|it| Some(it.loss), 1.0), points(|it| it.val_loss, 1.0)),
            Figure::Accuracy => {
                (points(|it| it.accuracy, 100.0), points(|it| it.val_accuracy, 100.0))
            }
            Figure::LearningRate => {
                (points(|it| Some(f64::from(it.learning_rate)), 1.0), Vec::new())
            }
        };
        let name = if self == Figure::LearningRate { "" } else { "training" };
        let mut series = vec![Series { name, class: "blue", points: train }];
        if !validation.is_empty() {
            let points = validation;
            series.push(Series { name: "validation", class: "orange second", points });
        }
        series
    }

    /// A value as text.
    fn text_of(self, value: f64) -> String {
        match self {
            Figure::Loss => short(value),
            Figure::Accuracy => format!("{value:.2} %"),
            Figure::LearningRate if value != 0.0 && value.abs() < 1e-4 => format!("{value:.1e}"),
            Figure::LearningRate => {
                let rounded: f64 = format!("{value:.2e}").parse().unwrap_or(value);
                rounded.to_string()
            }
        }
    }

    fn scale(self, series: &[Series]) -> Scale {
        let values = || series.iter().flat_map(|it| &it.points).map(|point| point.1);
        let finite = || values().filter(|value| value.is_finite());
        let low = finite().fold(f64::INFINITY, f64::min);
        let high = finite().fold(f64::NEG_INFINITY, f64::max);
        match self {
            Figure::Loss if low > 0.0 && low < LOG_BELOW * high => Scale::log(low, high),
            Figure::LearningRate => Scale::linear(0.0, if high > 0.0 { high } else { 1.0 }, 5),
            _ => Scale::linear(low, high, 5),
        }
    }

    /// What the plot shows, in words.
    fn words(self, series: &[Series]) -> String {
        let of = |it: &Series| {
            let (Some(first), Some(last)) = (it.points.first(), it.points.last()) else {
                return String::new();
            };
            let better = |a: f64, b: f64| match self {
                Figure::Accuracy => a > b,
                _ => a < b,
            };
            let best = it.points.iter().filter(|point| point.1.is_finite()).fold(
                None,
                |best: Option<&(f64, f64)>, point| match best {
                    Some(best) if !better(point.1, best.1) => Some(best),
                    _ => Some(point),
                },
            );
            let name = if it.name.is_empty() { self.name() } else { it.name };
            let ends = format!("{name} {} to {}", self.text_of(first.1), self.text_of(last.1));
            match best {
                Some(best) if self != Figure::LearningRate => {
                    format!("{ends}, best {} in epoch {}", self.text_of(best.1), best.0)
                }
                _ => ends,
            }
        };
        series.iter().map(of).filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ")
    }
}

/// One metric of a history over its epochs.
pub fn curves(history: &History, figure: Figure) -> String {
    let (width, height) = (480.0, 300.0);
    let mut svg = Svg::new(width, height);
    let series = figure.series(history);
    let words = figure.words(&series);
    svg.text("title", (10.0, 22.0), Anchor::Start, figure.title());
    let last = history.epochs.last().map_or(0.0, |report| report.epoch as f64);
    let first = history.epochs.first().map_or(0.0, |report| report.epoch as f64);
    let y = figure.scale(&series);
    let (x, right) = (Scale::whole(first, last, 6), width - 84.0);
    let frame = Frame { left: Frame::left_of(&y), right, top: 62.0, bottom: height - 48.0, x, y };
    frame.draw(&mut svg);
    frame.name_x(&mut svg, "epoch");
    frame.name_y(&mut svg, unit(figure, &y, history));
    let mut ends = Vec::new();
    for it in &series {
        let place = |point: &(f64, f64)| frame.place(point.0, point.1);
        let places: Vec<_> = thinned(&it.points).iter().map(place).collect();
        svg.curve(it.class, &places);
        let fill = if it.class == "blue" { "blue-fill" } else { "orange-fill" };
        if it.points.len() <= MOST_DOTS {
            for &(epoch, value) in it.points.iter().filter(|point| point.1.is_finite()) {
                let words = format!("{} epoch {epoch}: {}", it.name, figure.text_of(value));
                svg.dot(fill, frame.place(epoch, value), 2.5, words.trim_start());
            }
        }
        if let Some(&(epoch, value)) = it.points.iter().rfind(|point| point.1.is_finite()) {
            ends.push((frame.place(epoch, value).1, it.name, fill, figure.text_of(value)));
        }
    }
    label_ends(&mut svg, &frame, ends);
    let count = grouped(history.epochs.len() as u64);
    svg.finish(figure.title(), &format!("{count} epochs: {words}."))
}

/// A number with four decimals; very small and large ones, such as losses of regression, with about four digits, which
/// have room beside the curve.
pub(super) fn short(value: f64) -> String {
    match value.abs() {
        size if size > 0.0 && size < 5e-4 => format!("{value:.3e}"),
        size if size < 1e3 => format!("{value:.4}"),
        size if size < 1e6 => format!("{value:.0}"),
        _ => format!("{value:.3e}"),
    }
}

/// What the axis counts. Of samples with values there is no accuracy, and their loss is another one.
fn unit(figure: Figure, y: &Scale, history: &History) -> &'static str {
    let classes = history.epochs.iter().any(|report| report.accuracy.is_some());
    match (figure, y) {
        (Figure::Loss, Scale::Log { .. }) if classes => "cross-entropy (nats), logarithmic scale",
        (Figure::Loss, _) if classes => "cross-entropy (nats)",
        (Figure::Loss, Scale::Log { .. }) => "loss, logarithmic scale",
        (Figure::Loss, _) => "loss",
        (Figure::Accuracy, _) => "accuracy (%)",
        (Figure::LearningRate, _) => "of the epoch's last step",
    }
}

/// Name and last value of each line at its end, moved apart if they would overlap.
fn label_ends(svg: &mut Svg, frame: &Frame, mut ends: Vec<(f64, &str, &str, String)>) {
    ends.sort_by(|a, b| a.0.total_cmp(&b.0));
    if let [first, second] = &mut ends[..] {
        let overlap = LABEL_HEIGHT - (second.0 - first.0);
        if overlap > 0.0 {
            first.0 -= overlap / 2.0;
            second.0 += overlap / 2.0;
        }
        let above = frame.top - first.0;
        let below = second.0 - frame.bottom + 8.0;
        let shift = if above > 0.0 { above } else { -below.max(0.0) };
        first.0 += shift;
        second.0 += shift;
    }
    for (y, name, class, value) in ends {
        let x = frame.right + 8.0;
        match name {
            "" => svg.text(class, (x, y + 4.5), Anchor::Start, &value),
            name => {
                svg.text(class, (x, y - 3.0), Anchor::Start, name);
                svg.text(class, (x, y + 12.0), Anchor::Start, &value);
            }
        }
    }
}

/// The smallest and the largest of each stretch of points, in their order, and the last point.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if points.len() <= MOST_POINTS {
        return points.to_vec();
    }
    let stretch = points.len().div_ceil(MOST_POINTS / 2);
    let mut kept = Vec::with_capacity(MOST_POINTS + 1);
    for part in points.chunks(stretch) {
        let by = |pick: fn(&f64, &f64) -> std::cmp::Ordering| {
            (0..part.len()).min_by(|&a, &b| pick(&part[a].1, &part[b].1)).unwrap_or(0)
        };
        let (low, high) = (by(f64::total_cmp), by(|a, b| b.total_cmp(a)));
        kept.push(part[low.min(high)]);
        if low != high {
            kept.push(part[low.max(high)]);
        }
    }
    kept.extend(points.last().filter(|last| kept.last() != Some(last)).copied());
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_points_of_many_keep_the_extremes() {
        let mut points: Vec<(f64, f64)> =
            (0..10_000).map(|at| (at as f64, (at as f64).sin())).collect();
        points[4321].1 = 50.0;
        let kept = thinned(&points);
        assert!(kept.len() <= MOST_POINTS + 1, "{}", kept.len());
        assert!(kept.contains(&(4321.0, 50.0)) && kept.last() == points.last());
        assert!(kept.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(thinned(&points[..9]), points[..9]);
    }
}
