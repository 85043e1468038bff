//! The confusion matrix: counts in, a square of cells out.

use super::svg::{Anchor, FONT, Svg, grouped, shortened, width_of};
use crate::metrics::ConfusionMatrix;

/// If there are more classes, only those with the most mistakes are drawn.
pub const MOST_CLASSES: usize = 30;

/// Letters shown of a class's name.
const LONGEST_NAME: usize = 14;

/// The classes that are drawn, in their order: all, or those with the most mistakes, which are samples
/// of the class that were missed and samples of others that were predicted as it.
pub fn classes_shown(matrix: &ConfusionMatrix) -> Vec<usize> {
    let classes = matrix.classes();
    let mistakes = |class: usize| -> u64 {
        let others = (0..classes).filter(|&other| other != class);
        others.map(|other| matrix.count(class, other) + matrix.count(other, class)).sum()
    };
    let mut shown: Vec<usize> = (0..classes).collect();
    if classes > MOST_CLASSES {
        shown.sort_by_cached_key(|&class| std::cmp::Reverse(mistakes(class)));
        shown.truncate(MOST_CLASSES);
        shown.sort_unstable();
    }
    shown
}

/// True classes in rows, predicted ones in columns; `names` has one for each class.
pub fn confusion(matrix: &ConfusionMatrix, names: &[String]) -> String {
    confusion_with_links(matrix, names, &|_, _| None)
}

/// The same, with a link on each cell (true class, predicted class) for which `link` returns one.
pub fn confusion_with_links(
    matrix: &ConfusionMatrix,
    names: &[String],
    link: &dyn Fn(usize, usize) -> Option<String>,
) -> String {
    let shown = classes_shown(matrix);
    let layout = Layout::new(&shown, names);
    let mut svg = Svg::new(layout.width, layout.height);
    svg.text("title", (10.0, 22.0), Anchor::Start, "Confusion matrix");
    let note = match shown.len() < matrix.classes() {
        true => {
            format!("the {} of {} classes with the most mistakes", shown.len(), matrix.classes())
        }
        false => format!("{} samples", grouped(matrix.total())),
    };
    svg.text("soft", (10.0, 42.0), Anchor::Start, &note);
    layout.headings(&mut svg);
    let strongest = strongest_confusion(matrix, &shown);
    for (row, &label) in shown.iter().enumerate() {
        for (column, &predicted) in shown.iter().enumerate() {
            let link = link(label, predicted);
            let cell = Cell { row, column, label, predicted };
            layout.cell(&mut svg, matrix, names, &cell, strongest, link.as_deref());
        }
    }
    let legend = "blue: correct; orange: mistakes, darker for a larger share of the row";
    svg.text("soft", (10.0, layout.height - 12.0), Anchor::Start, legend);
    let right = 100.0 * matrix.accuracy();
    let description = format!(
        "{note}; true classes in rows, predicted classes in columns. {right:.2} % are correct."
    );
    svg.finish("Confusion matrix", &description)
}

struct Cell {
    row: usize,
    column: usize,
    label: usize,
    predicted: usize,
}

struct Layout {
    names: Vec<String>,
    /// Side of a cell.
    side: f64,
    left: f64,
    top: f64,
    width: f64,
    height: f64,
    turned: bool,
}

impl Layout {
    fn new(shown: &[usize], names: &[String]) -> Layout {
        let count = shown.len() as f64;
        let side = (400.0 / count).clamp(24.0, 44.0);
        let names: Vec<String> =
            shown.iter().map(|&class| shortened(&names[class], LONGEST_NAME)).collect();
        let longest = names.iter().map(|name| width_of(name)).fold(0.0, f64::max);
        let turned = longest > side - 4.0;
        let heading = if turned { 14.0 + 0.75 * longest } else { 20.0 };
        let (left, top) = (34.0 + longest, 72.0 + heading);
        let beyond = if turned { 0.6 * longest } else { 0.0 };
        let width = (left + count * side + 12.0 + beyond).max(480.0);
        Layout { names, side, left, top, width, height: top + count * side + 40.0, turned }
    }

    fn middle(&self, at: usize) -> f64 {
        (at as f64 + 0.5) * self.side
    }

    fn headings(&self, svg: &mut Svg) {
        let size = self.names.len() as f64 * self.side;
        svg.text("soft", (self.left, 64.0), Anchor::Start, "predicted class");
        let middle = (18.0, self.top + size / 2.0);
        svg.turned_text("soft", middle, Anchor::Middle, -90.0, "true class");
        for (at, name) in self.names.iter().enumerate() {
            let x = self.left + self.middle(at);
            match self.turned {
                true => {
                    let place = (x + 2.0, self.top - 8.0);
                    svg.turned_text("", place, Anchor::Start, -45.0, name);
                }
                false => svg.text("", (x, self.top - 8.0), Anchor::Middle, name),
            }
            let y = self.top + self.middle(at) + 4.5;
            svg.text("", (self.left - 8.0, y), Anchor::End, name);
        }
    }

    fn cell(
        &self,
        svg: &mut Svg,
        matrix: &ConfusionMatrix,
        names: &[String],
        cell: &Cell,
        strongest: f64,
        link: Option<&str>,
    ) {
        let &Cell { row, column, label, predicted } = cell;
        let count = matrix.count(label, predicted);
        let share = share_of_row(matrix, label, predicted);
        let corner =
            (self.left + column as f64 * self.side + 1.0, self.top + row as f64 * self.side + 1.0);
        let size = (self.side - 2.0, self.side - 2.0);
        if count == 0 {
            svg.rect("grid", corner, size, 0.0);
            return;
        }
        let (class, opacity, words) = match label == predicted {
            true => {
                let words = format!("{}: {count} correct ({:.2} %)", names[label], 100.0 * share);
                ("blue-fill", 0.1 + 0.4 * share, words)
            }
            false => {
                let (from, to) = (&names[label], &names[predicted]);
                let words = format!("{from} predicted as {to}: {count} ({:.2} %)", 100.0 * share);
                ("orange-fill", 0.12 + 0.45 * (share / strongest).sqrt(), words)
            }
        };
        let text = compact(count);
        let letters = text.chars().count().max(2) as f64;
        let font = FONT.min((self.side - 4.0) / (0.62 * letters));
        svg.group(&words, link, |svg| {
            svg.rect(class, corner, size, opacity);
            let middle = (corner.0 + size.0 / 2.0, corner.1 + size.1 / 2.0);
            svg.sized_text(middle, font, &text);
        });
    }
}

/// The share of a class's samples that are predicted as another class.
fn share_of_row(matrix: &ConfusionMatrix, label: usize, predicted: usize) -> f64 {
    let support: u64 = (0..matrix.classes()).map(|other| matrix.count(label, other)).sum();
    matrix.count(label, predicted) as f64 / support.max(1) as f64
}

fn strongest_confusion(matrix: &ConfusionMatrix, shown: &[usize]) -> f64 {
    let pairs = shown.iter().flat_map(|&label| shown.iter().map(move |&other| (label, other)));
    pairs
        .filter(|(label, other)| label != other)
        .map(|(label, other)| share_of_row(matrix, label, other))
        .fold(0.0, f64::max)
        .max(f64::MIN_POSITIVE)
}

/// A count in at most four letters or so: `980`, `12k`, `3M`.
fn compact(count: u64) -> String {
    match count {
        0..10_000 => count.to_string(),
        10_000..1_000_000 => format!("{}k", count / 1000),
        _ => format!("{}M", count / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_classes_those_with_mistakes_are_shown() {
        let mut matrix = ConfusionMatrix::new(100);
        (0..100).for_each(|class| matrix.add(class, class));
        matrix.add(99, 3);
        matrix.add(50, 98);
        let shown = classes_shown(&matrix);
        assert_eq!(shown.len(), MOST_CLASSES);
        assert!([3, 50, 98, 99].iter().all(|class| shown.contains(class)), "{shown:?}");
        assert!(shown.is_sorted());
        assert_eq!(classes_shown(&ConfusionMatrix::new(3)), [0, 1, 2]);
    }

    #[test]
    fn counts_fit_into_cells() {
        assert_eq!([7, 9999, 12_345, 3_999_999].map(compact), ["7", "9999", "12k", "3M"]);
    }
}
