//! The page: what there is to show in, one HTML text that needs nothing else out.

use gradus::classifier::Model;
use gradus::metrics::Evaluation;
use gradus::plot::{self, Figure, escape, grouped};
use gradus::training::History;

use super::class_rows::{ClassRow, Share};
use super::gallery::{self, Cells};
use super::markup::{facts, paragraph, plots, section, table};
use super::report_data::{Measured, ReportData};
use super::training_facts;
use crate::run::output::{interval, percent_fine, with_interval};
use crate::run::page_file;

/// Of more classes those with the lowest F1 are in the table.
const MOST_ROWS: usize = 300;

/// Unfolds the samples that a cell of the confusion matrix leads to; all is there without it.
const SCRIPT: &str = "function openTarget(){const target=document.getElementById(location.hash.slice(1));\
if(target&&target.tagName===\"DETAILS\")target.open=true}addEventListener(\"hashchange\",openTarget);\
openTarget();";

/// SHA-256 of the script: no other one may run.
const SCRIPT_HASH: &str = "sha256-MZfnV3vWPVCJUooSKZ6L68czQC5nST7Lmn4nZVNahwo=";

const STYLE: &str = include_str!("page.css");

/// The page for this report.
pub(crate) fn page(report: &ReportData) -> String {
    let title = format!("Report on {}", report.name);
    let mut parts = Vec::new();
    if let Some(model) = report.model() {
        parts.push(("training", "How it was trained", training(model)));
    }
    parts.push(("curves", "Learning curves", curves(report.history.as_ref())));
    if let Some(model) = report.model() {
        match &report.measured {
            Ok(measured) => parts.extend(measured_parts(model.names(), measured)),
            Err(why) => parts.push(("samples", "Measured on samples", missing(why))),
        }
        parts.push(("weights", "Weights", weights(model)));
    }
    let link =
        |(id, heading, _): &(&str, &str, String)| format!("<a href=\"#{id}\">{heading}</a>\n");
    let contents: String = parts.iter().map(link).collect();
    let sections: String =
        parts.iter().map(|(id, heading, content)| section(id, heading, content)).collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n{}\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; \
         style-src 'unsafe-inline'; script-src '{SCRIPT_HASH}'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n\
         <h1>{title}</h1>\n{}<nav aria-label=\"Contents\">\n{contents}</nav>\n</header>\n<main>\n{sections}\
         </main>\n<footer>Made by gradus {}.</footer>\n<script>{SCRIPT}</script>\n</body>\n</html>\n",
        page_file::generator(),
        tiles(report),
        env!("CARGO_PKG_VERSION"),
        title = escape(&title),
    )
}

/// The most important figures, large.
fn tiles(report: &ReportData) -> String {
    let mut tiles: Vec<(String, String, &str)> = Vec::new();
    if let Ok(measured) = &report.measured {
        let evaluation = &measured.evaluation;
        let range = format!("{} at 95 %", interval(evaluation.accuracy_interval()));
        tiles.push((percent_fine(evaluation.accuracy), range, "accuracy"));
        let samples = grouped(evaluation.confusion.total());
        let samples = format!("on {samples} samples of {}", measured.name);
        tiles.push((format!("{:.4}", evaluation.loss), samples, "loss"));
    }
    if let Some(history) = &report.history {
        let last = history.epochs.last().and_then(|report| report.accuracy.map(percent_fine));
        let last = last.map_or(String::new(), |last| format!("ending at {last} in training"));
        tiles.push((grouped(history.epochs.len() as u64), last, "epochs"));
    }
    if let Some(model) = report.model() {
        let parameters = grouped(model.network.parameters().len() as u64);
        let layers = format!("in {} layers", model.network.linears().len());
        tiles.push((parameters, layers, "parameters"));
    }
    let tile = |(value, note, name): &(String, String, &str)| {
        let (value, note) = (escape(value), escape(note));
        format!("<div><dt>{name}</dt><dd><strong>{value}</strong> <span>{note}</span></dd></div>\n")
    };
    format!("<dl class=\"tiles\">\n{}</dl>\n", tiles.iter().map(tile).collect::<String>())
}

fn training(model: &Model) -> String {
    let mut text = facts(&training_facts::facts(model));
    let known = model.provenance.to_json();
    if !known.is_null() {
        let settings = facts(&training_facts::settings(&known));
        text += &format!("<details><summary>All settings</summary>\n{settings}</details>\n");
    }
    text
}

fn curves(history: Option<&History>) -> String {
    match history {
        Some(history) => {
            let figures = Figure::of(history).into_iter();
            plots(&figures.map(|figure| plot::curves(history, figure)).collect::<Vec<_>>())
        }
        None => paragraph(
            "The model does not hold the figures of its epochs: it was imported, or trained by an \
             older gradus. A file of train --history can be given in its place.",
        ),
    }
}

fn missing(why: &str) -> String {
    let advice = "Confusions, figures by class, mistakes and calibration need labelled samples:";
    format!("<p class=\"missing\">{} {}.</p>\n", escape(advice), escape(why.trim_end_matches('.')))
}

/// The parts that labelled samples are needed for.
fn measured_parts(
    names: &[String],
    measured: &Measured,
) -> Vec<(&'static str, &'static str, String)> {
    let evaluation = &measured.evaluation;
    vec![
        ("confusions", "Confusions", confusions(measured, names)),
        ("mistakes", "The surest mistakes", mistakes(measured, names)),
        ("classes", "Class by class", classes(evaluation, names)),
        ("calibration", "As sure as it is right?", calibration(evaluation)),
    ]
}

fn confusions(measured: &Measured, names: &[String]) -> String {
    let confusion = &measured.evaluation.confusion;
    let shown = plot::classes_shown(confusion);
    let cells = Cells::new(&measured.results, &shown);
    let link = |label, predicted| cells.link(label, predicted);
    let matrix = plot::confusion_with_links(confusion, names, &link);
    let words = "Each cell counts the samples of the class of its row that were taken for the class of \
                 its column. A cell leads to samples behind it.";
    // On a phone small, but never so small that numbers run into each other.
    let least = 100 + 22 * shown.len();
    format!(
        "{}<div class=\"scroll\"><div class=\"plot wide\" style=\"min-width:{least}px\">{matrix}</div>\
         </div>\n{}",
        paragraph(words),
        cells.html(measured, names)
    )
}

fn mistakes(measured: &Measured, names: &[String]) -> String {
    let confusion = &measured.evaluation.confusion;
    let all = confusion.total() - confusion.correct();
    if all == 0 {
        return paragraph("There is no mistake among these samples.");
    }
    let words = format!(
        "{} of {all}, the highest probability of a wrong class first, with the probability of the true \
         one. A label may be wrong as well.",
        measured.worst.len()
    );
    paragraph(&words) + &gallery::mistakes(&measured.worst, &measured.data, names)
}

fn classes(evaluation: &Evaluation, names: &[String]) -> String {
    let confusion = &evaluation.confusion;
    let mut rows = ClassRow::all(confusion);
    let mut caption =
        format!("Accuracy {}", with_interval(evaluation.accuracy, evaluation.accuracy_interval()));
    if rows.len() > MOST_ROWS {
        rows.sort_by(|a, b| a.f1.total_cmp(&b.f1));
        caption += &format!("; the {MOST_ROWS} of {} classes with the lowest F1", rows.len());
        rows.truncate(MOST_ROWS);
    }
    let range = |share: &Share| interval(share.interval);
    let mut cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            vec![
                names[row.class].clone(),
                percent_fine(row.precision.value),
                range(&row.precision),
                percent_fine(row.recall.value),
                range(&row.recall),
                percent_fine(row.f1),
                row.support.to_string(),
            ]
        })
        .collect();
    for (name, mean) in [
        ("macro average", confusion.macro_average()),
        ("weighted average", confusion.weighted_average()),
    ] {
        let [precision, recall, f1] = [mean.precision, mean.recall, mean.f1].map(percent_fine);
        let [none, nothing] = [String::new(), String::new()];
        cells.push(vec![
            name.into(),
            precision,
            none,
            recall,
            nothing,
            f1,
            mean.support.to_string(),
        ]);
    }
    let headings = ["class", "precision", "(95 %)", "recall", "(95 %)", "F1", "samples"];
    let words = "Precision: of what was taken for the class, the share that is of it. Recall: of what is \
                 of the class, the share that was found. F1: their harmonic mean. In parentheses: 95 % \
                 intervals (Wilson's), how far chance in the choice of the samples may have moved them.";
    paragraph(words) + &table(&caption, &headings, &cells)
}

fn calibration(evaluation: &Evaluation) -> String {
    let words = "Predictions sorted by their probability: on the line they are right as often as their \
                 probability says; below it the model is too sure. The expected calibration error is the \
                 mean distance from the line.";
    paragraph(words) + &plots(&[plot::calibration(&evaluation.calibration)])
}

fn weights(model: &Model) -> String {
    let histograms = plot::weight_histograms(&model.network);
    let (words, drawn) = match plot::weights(&model.network, &model.sample_shape) {
        Some(pictures) => (
            "What each unit of the first layer looks for in an image: blue where light speaks for it, \
             orange where light speaks against it. Where no image has any light, weights stay what they \
             began as, or fade with weight decay.",
            vec![pictures, histograms],
        ),
        None => ("How large the weights of each layer are.", vec![histograms]),
    };
    paragraph(words) + &plots(&drawn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use sha2::{Digest, Sha256};

    #[test]
    fn the_only_script_that_may_run_is_ours() {
        let hash = STANDARD.encode(Sha256::digest(SCRIPT));
        assert_eq!(SCRIPT_HASH, format!("sha256-{hash}"));
    }
}
