//! Samples to look at: predictions and data in, HTML out; the samples in each cell of the confusion matrix,
//! and the most confident mistakes.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use gradus::data::Dataset;
use gradus::metrics::{Mistake, SampleResult};
use gradus::plot::{escape, grouped, image_url};

use super::report_data::MeasuredClasses;
use crate::run::cells::cell_text;
use crate::run::output::percent_fine;

/// Maximum number of off-diagonal cells whose samples are shown: those with most samples.
const MOST_CELLS: usize = 90;

/// Maximum number of samples shown per cell.
const IN_CELL: usize = 8;

/// Maximum number of values shown of a sample that is not an image.
const MOST_VALUES: usize = 12;

/// The samples of one cell of the confusion matrix.
#[derive(Debug, PartialEq)]
struct Cell {
    /// The number of all samples in the cell.
    count: usize,
    /// The indices of those to show.
    shown: Vec<usize>,
}

/// Samples by true and predicted class.
pub(super) struct Cells {
    /// By true and predicted class.
    cells: BTreeMap<(usize, usize), Cell>,
    /// Whether some off-diagonal cells were left out.
    more: bool,
}

impl Cells {
    /// Selects the most confident mistakes and the least confident correct predictions of each cell, for the
    /// classes in `shown`.
    pub(super) fn new(results: &[SampleResult], shown: &[usize]) -> Cells {
        let mut all: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
        for (index, result) in results.iter().enumerate() {
            let cell = (result.label as usize, result.predicted as usize);
            if [cell.0, cell.1].iter().all(|class| shown.binary_search(class).is_ok()) {
                all.entry(cell).or_default().push(index);
            }
        }
        let mut wrong: Vec<_> = all
            .iter()
            .filter(|(cell, _)| cell.0 != cell.1)
            .map(|(&cell, it)| (cell, it.len()))
            .collect();
        wrong.sort_by_key(|&(cell, count)| (Reverse(count), cell));
        let left_out: Vec<_> = wrong.split_off(wrong.len().min(MOST_CELLS));
        left_out.iter().for_each(|(cell, _)| drop(all.remove(cell)));
        let select = |(cell, mut samples): ((usize, usize), Vec<usize>)| {
            let count = samples.len();
            let confidence = |&index: &usize| results[index].confidence;
            match cell.0 == cell.1 {
                true => samples.sort_by(|a, b| confidence(a).total_cmp(&confidence(b))),
                false => samples.sort_by(|a, b| confidence(b).total_cmp(&confidence(a))),
            }
            samples.truncate(IN_CELL);
            (cell, Cell { count, shown: samples })
        };
        Cells { cells: all.into_iter().map(select).collect(), more: !left_out.is_empty() }
    }

    /// The link to the samples of a cell.
    pub(super) fn link(&self, label: usize, predicted: usize) -> Option<String> {
        self.cells.contains_key(&(label, predicted)).then(|| format!("#{}", id(label, predicted)))
    }

    /// A collapsible section for each cell: mistakes first, in order of their number of samples.
    pub(super) fn html(&self, measured: &MeasuredClasses, names: &[String]) -> String {
        let mut cells: Vec<_> = self.cells.iter().collect();
        cells.sort_by_key(|&(&(label, predicted), Cell { count, .. })| {
            (label == predicted, if label == predicted { 0 } else { usize::MAX - count }, label)
        });
        let mut text = String::new();
        for (right, heading) in [
            (false, "Most confident mistakes of each cell"),
            (true, "Correct, but least confident"),
        ] {
            let here = cells.iter().filter(|(cell, _)| (cell.0 == cell.1) == right);
            let parts: String = here
                .map(|&(&(label, predicted), cell)| {
                    details(label, predicted, cell, measured, names)
                })
                .collect();
            if !parts.is_empty() {
                text += &format!(
                    "<div class=\"behind\"><h3>{heading}</h3>\n<div class=\"cells\">\n{parts}</div>\n\
                     </div>\n"
                );
            }
            if !right && self.more {
                text += &format!(
                    "<p>Samples are shown for the {MOST_CELLS} cells with most mistakes.</p>\n"
                );
            }
        }
        text
    }
}

fn id(label: usize, predicted: usize) -> String {
    format!("cell-{label}-{predicted}")
}

fn details(
    label: usize,
    predicted: usize,
    Cell { count, shown: samples }: &Cell,
    measured: &MeasuredClasses,
    names: &[String],
) -> String {
    let (name, other) = (escape(&names[label]), escape(&names[predicted]));
    let title = match label == predicted {
        true => name,
        false => format!("{name} predicted as {other}"),
    };
    let shown = match samples.len() < *count {
        true => format!("{} of {}", samples.len(), grouped(*count as u64)),
        false => count.to_string(),
    };
    let figures: String = samples
        .iter()
        .map(|&index| {
            let sure = percent_fine(measured.results[index].confidence.into());
            let caption = format!("<span>{sure}</span><span class=\"soft\">sample {index}</span>");
            figure(&measured.data, index, &title, &caption)
        })
        .collect();
    let id = id(label, predicted);
    format!(
        "<details id=\"{id}\"><summary>{title}: {shown}</summary>\n<div class=\"gallery\">\n{figures}</div>\n\
         </details>\n"
    )
}

/// The most confident mistakes, each with its class, the predicted class and both probabilities.
pub(super) fn mistakes(worst: &[Mistake], data: &Dataset, names: &[String]) -> String {
    let one = |mistake: &Mistake| {
        let [label, predicted] =
            [mistake.label, mistake.predicted].map(|class| escape(&names[class as usize]));
        let [sure, own] = [mistake.probability, mistake.label_probability]
            .map(|probability| percent_fine(probability.into()));
        let caption = format!(
            "<span><b>{label}</b> predicted as <b>{predicted}</b></span><span>{sure}</span>\
             <span class=\"soft\">true class {own}</span><span class=\"soft\">sample {}</span>",
            mistake.index
        );
        figure(data, mistake.index, &format!("{label} predicted as {predicted}"), &caption)
    };
    format!("<div class=\"gallery\">\n{}</div>\n", worst.iter().map(one).collect::<String>())
}

/// A sample with a caption; `words` and `caption` are already escaped.
fn figure(data: &Dataset, index: usize, words: &str, caption: &str) -> String {
    let sample = match image_url(data, index) {
        Some(address) => {
            format!("<img src=\"{address}\" alt=\"Sample {index}: {words}\">")
        }
        None => format!("<code>{}</code>", escape(&values(data, index))),
    };
    format!("<figure>{sample}<figcaption>{caption}</figcaption></figure>\n")
}

/// The first values of a sample, as text.
pub(super) fn values(data: &Dataset, index: usize) -> String {
    let shown = 0..data.features().min(MOST_VALUES);
    let shown: Vec<String> = shown.map(|at| cell_text(&data.cell(index, at))).collect();
    let more = if data.features() > MOST_VALUES { ", \u{2026}" } else { "" };
    shown.join(", ") + more
}

#[cfg(test)]
mod tests {
    use gradus::data::Inputs;

    use super::*;

    fn result(label: u32, predicted: u32, confidence: f32) -> SampleResult {
        let (rank, label_probability, loss) = (u32::from(label != predicted), 0.1, 1.0);
        SampleResult { label, predicted, rank, confidence, label_probability, loss }
    }

    #[test]
    fn cells_keep_the_most_interesting_samples() {
        let mut results: Vec<_> = (0..20).map(|at| result(0, 1, 0.5 + 0.01 * at as f32)).collect();
        results.extend((0..20).map(|at| result(1, 1, 0.5 + 0.01 * at as f32)));
        results.push(result(2, 0, 0.9));
        let cells = Cells::new(&results, &[0, 1]);
        assert_eq!(cells.cells[&(0, 1)], Cell { count: 20, shown: (12..20).rev().collect() });
        assert_eq!(cells.cells[&(1, 1)], Cell { count: 20, shown: (20..28).collect() });
        assert_eq!(cells.link(0, 1).as_deref(), Some("#cell-0-1"));
        assert_eq!((cells.link(2, 0), cells.more), (None, false));
    }

    #[test]
    fn cells_are_bounded() {
        let results: Vec<_> =
            (0..20).flat_map(|label| (0..20).map(move |other| result(label, other, 0.5))).collect();
        let shown: Vec<usize> = (0..20).collect();
        let cells = Cells::new(&results, &shown);
        assert_eq!((cells.cells.len(), cells.more), (MOST_CELLS + 20, true));
    }

    #[test]
    fn long_samples_are_cut() {
        let names = vec!["a".to_owned()];
        let data = Dataset::new(Inputs::Floats(vec![0.5; 20]), vec![0], vec![20], names).unwrap();
        assert_eq!(values(&data, 0), ["0.5"; 12].join(", ") + ", \u{2026}");
    }
}
