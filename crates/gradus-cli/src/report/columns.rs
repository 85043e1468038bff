//! What a report says about the columns of a table: a model and labelled samples in; importances, partial dependence and the
//! worst predictions with their raw values out.

use gradus::classifier::{
    DependenceSettings, ImportanceSettings, Importances, Model, PartialDependence,
};
use gradus::data::{Dataset, Targets, Task};
use gradus::network::Workers;
use gradus::plot;

use super::markup::{paragraph, plots, table};
use crate::run::cells::cell_text;
use crate::run::describe::names_of_features;
use crate::run::output::{figure, percent_fine, warn};

/// More columns take too long.
const MOST_COLUMNS: usize = 500;

/// Predictions for importances, about.
const PREDICTIONS: usize = 250_000;

/// Columns whose partial dependence is shown.
pub(super) const MOST_DEPENDENCES: usize = 4;

/// Samples for partial dependence.
const DEPENDENCE_SAMPLES: usize = 500;

/// Samples in the table of the worst.
const MOST_WORST: usize = 20;

/// Their columns, the most important.
const MOST_CELLS: usize = 12;

/// What the columns of a table mean to a model.
pub(crate) struct ColumnData {
    /// The names of all columns.
    pub(super) names: Vec<String>,
    pub(super) importances: Importances,
    /// Of the most important columns, each with the output that varies most.
    pub(super) dependences: Vec<(PartialDependence, usize)>,
    /// The samples with the largest losses.
    worst: Vec<Worst>,
}

/// A sample and how wrong its prediction is.
struct Worst {
    index: usize,
    truth: String,
    predicted: String,
    /// The raw values of the most important columns.
    cells: Vec<String>,
}

impl ColumnData {
    /// For a model of the columns of a table; none for other models.
    ///
    /// # Errors
    /// If the model and the samples do not fit, which has been checked.
    pub(super) fn new(
        model: &Model,
        data: &Dataset,
        workers: &Workers,
    ) -> gradus::Result<Option<ColumnData>> {
        let is_table = model.columns.is_some() || model.transform.schema().is_some();
        let features = model.features();
        if !is_table || model.image_size().is_some() {
            return Ok(None);
        }
        if features > MOST_COLUMNS {
            warn(format_args!(
                "{features} columns take too long to measure; the report omits their importances"
            ));
            return Ok(None);
        }
        let mut settings = ImportanceSettings::default();
        let most = PREDICTIONS / (settings.repeats * features);
        settings.most_samples = Some(most.clamp(200, 2_000));
        let importances = model.importances(data, &settings, workers)?;
        let order = importances.order();
        let settings =
            DependenceSettings { most_samples: Some(DEPENDENCE_SAMPLES), ..Default::default() };
        let matters = |&&at: &&usize| importances.columns[at].by_score[1].mean > 0.0;
        let dependence = |&at: &usize| {
            let found = model.partial_dependence(data, at, &settings, workers).ok()?;
            let spread = |output: &usize| {
                let means = found.output(*output);
                let low = means.iter().copied().fold(f64::INFINITY, f64::min);
                means.iter().copied().fold(f64::NEG_INFINITY, f64::max) - low
            };
            let output = match found.outputs {
                // Two probabilities vary alike: the second class is the positive one by convention.
                2 if model.task() == Task::Classification => 1,
                outputs => (0..outputs).max_by(|a, b| spread(a).total_cmp(&spread(b)))?,
            };
            Some((found, output))
        };
        let shown = order.iter().filter(matters).take(MOST_DEPENDENCES);
        let dependences = shown.filter_map(dependence).collect();
        let shown = &order[..order.len().min(MOST_CELLS)];
        let worst = worst(model, data, shown, workers)?;
        let names = names_of_features(model);
        Ok(Some(ColumnData { names, importances, dependences, worst }))
    }

    /// The bars of both figures.
    pub(super) fn bars(&self) -> Vec<String> {
        // The second figure, the loss, orders the columns.
        [1, 0].map(|score| plot::importances(&self.names, &self.importances, score)).into()
    }

    /// The plots of partial dependence.
    pub(super) fn curves(&self, outputs: &[String]) -> Vec<String> {
        let curve = |(found, output): &(PartialDependence, usize)| {
            plot::dependence(&self.names[found.column], found, *output, &outputs[*output])
        };
        self.dependences.iter().map(curve).collect()
    }

    /// The sections of a page: anchor, heading and content.
    pub(super) fn sections(&self, outputs: &[String]) -> Vec<(&'static str, &'static str, String)> {
        let words = format!(
            "How much worse predictions of {} samples become when the values of one column are shuffled among them. Columns \
             that say the same share their importance.",
            self.importances.samples
        );
        let mut sections =
            vec![("importances", "Importances", paragraph(&words) + &plots(&self.bars()))];
        if !self.dependences.is_empty() {
            let words = "The mean prediction if all samples had the same value in one of the most important columns and kept \
                         their others (partial dependence). It shows what the model does, not what causes what.";
            let content = paragraph(words) + &plots(&self.curves(outputs));
            sections.push(("dependence", "Partial dependence", content));
        }
        if !self.worst.is_empty() {
            sections.push(("worst", "Worst predictions", self.worst_rows()));
        }
        sections
    }

    fn worst_rows(&self) -> String {
        let order = self.importances.order();
        let shown = order.iter().take(MOST_CELLS).map(|&at| self.names[at].as_str());
        let headings: Vec<&str> =
            ["sample", "true", "predicted"].into_iter().chain(shown).collect();
        let row = |it: &Worst| {
            let first = [it.index.to_string(), it.truth.clone(), it.predicted.clone()];
            first.into_iter().chain(it.cells.clone()).collect()
        };
        let rows: Vec<Vec<String>> = self.worst.iter().map(row).collect();
        let words = "The samples with the largest losses, with their raw values: unusual ones, or mistakes in the data.";
        let caption = match self.names.len() > MOST_CELLS {
            true => format!("Worst predictions, and the {MOST_CELLS} most important columns"),
            false => "Worst predictions".to_owned(),
        };
        paragraph(words) + &table(&caption, &headings, &rows)
    }
}

/// The samples with the largest losses; none for several labels.
fn worst(
    model: &Model,
    data: &Dataset,
    columns: &[usize],
    workers: &Workers,
) -> gradus::Result<Vec<Worst>> {
    let outputs = model.names().len();
    let (predicted, truth) = match (&data.targets, model.task()) {
        (Targets::Classes { labels, .. }, _) => (model.predict(&data.inputs, workers)?, labels),
        (Targets::Values { .. }, Task::Regression) => {
            return worst_values(model, data, columns, workers);
        }
        _ => return Ok(Vec::new()),
    };
    let probability = |at: usize| predicted[at * outputs + truth[at] as usize];
    let mut order: Vec<usize> = (0..data.len()).collect();
    order.sort_by(|&a, &b| probability(a).total_cmp(&probability(b)));
    let row = |index: usize| {
        let row = &predicted[index * outputs..][..outputs];
        let best = gradus::metrics::most_probable(row);
        let class =
            |at: usize| format!("{} ({})", model.names()[at], percent_fine(f64::from(row[at])));
        let (truth, predicted) = (class(truth[index] as usize), class(best));
        Worst { index, truth, predicted, cells: cells(data, index, columns) }
    };
    let is_wrong = |&index: &usize| {
        let row = &predicted[index * outputs..][..outputs];
        gradus::metrics::most_probable(row) != truth[index] as usize
    };
    Ok(order.into_iter().filter(is_wrong).take(MOST_WORST).map(row).collect())
}

/// Those of a regression model: with the largest squared errors, each output's as a share of its mean squared error.
fn worst_values(
    model: &Model,
    data: &Dataset,
    columns: &[usize],
    workers: &Workers,
) -> gradus::Result<Vec<Worst>> {
    let regressor = model.regressor()?;
    let predicted = regressor.predict(&data.inputs, workers)?;
    let (truth, outputs) = (regressor.targets_of_outputs(data)?, model.names().len());
    let squared = |at: usize| f64::from(truth[at] - predicted.values[at]).powi(2);
    let means: Vec<f64> = (0..outputs)
        .map(|output| (0..data.len()).map(|row| squared(row * outputs + output)).sum::<f64>())
        .collect();
    let error = |row: usize| -> f64 {
        (0..outputs).map(|it| squared(row * outputs + it) / means[it].max(f64::MIN_POSITIVE)).sum()
    };
    let errors: Vec<f64> = (0..data.len()).map(error).collect();
    let mut order: Vec<usize> = (0..data.len()).filter(|&row| errors[row] > 0.0).collect();
    order.sort_by(|&a, &b| errors[b].total_cmp(&errors[a]));
    let text = |values: &[f32]| {
        values.iter().map(|&value| figure(value.into())).collect::<Vec<_>>().join(", ")
    };
    let row = |index: usize| Worst {
        index,
        truth: text(&truth[index * outputs..][..outputs]),
        predicted: text(predicted.row(index)),
        cells: cells(data, index, columns),
    };
    Ok(order.into_iter().take(MOST_WORST).map(row).collect())
}

fn cells(data: &Dataset, index: usize, columns: &[usize]) -> Vec<String> {
    columns.iter().map(|&column| cell_text(&data.cell(index, column))).collect()
}
