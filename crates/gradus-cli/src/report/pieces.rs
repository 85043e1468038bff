//! The plots and tables of a report one by one: the data of the report in, named texts out.

use anyhow::Result;
use gradus::metrics::{LabelEvaluation, LabelFigures};
use gradus::plot::{self, Figure};

use super::class_rows::{ClassRow, Share};
use super::columns::{ColumnData, MOST_DEPENDENCES};
use super::report_data::{Measured, MeasuredClasses, MeasuredValues, ReportData};
use crate::run::cells::cell_text;

/// The names of all plots that [`plots`] may give.
pub(crate) const PLOTS: [&str; 22] = [
    "loss",
    "accuracy",
    "learning-rate",
    "confusion",
    "calibration",
    "mistakes",
    PREDICTIONS[0],
    PREDICTIONS[1],
    PREDICTIONS[2],
    PREDICTIONS[3],
    RESIDUALS[0],
    RESIDUALS[1],
    RESIDUALS[2],
    RESIDUALS[3],
    IMPORTANCES[0],
    IMPORTANCES[1],
    DEPENDENCES[0],
    DEPENDENCES[1],
    DEPENDENCES[2],
    DEPENDENCES[3],
    "first-layer",
    "weights",
];

/// Those of the predictions of a regressor, by output; of more outputs, the first are drawn. Names of outputs may be no
/// names of files.
const PREDICTIONS: [&str; 4] = ["predictions", "predictions-2", "predictions-3", "predictions-4"];

/// The same of the residuals.
const RESIDUALS: [&str; 4] = ["residuals", "residuals-2", "residuals-3", "residuals-4"];

/// Those of the columns of a table, by each of two figures.
const IMPORTANCES: [&str; 2] = ["importances", "importances-2"];

/// Those of the most important columns.
const DEPENDENCES: [&str; MOST_DEPENDENCES] =
    ["dependence", "dependence-2", "dependence-3", "dependence-4"];

/// The names of all tables that [`tables`] may give.
pub(crate) const TABLES: [&str; 10] = [
    "history",
    "classes",
    "confusion",
    "calibration",
    "mistakes",
    "errors",
    "labels",
    "predictions",
    "importances",
    "dependence",
];

/// A plot or a table.
pub(crate) struct Piece {
    /// File name without extension.
    pub(crate) name: String,
    pub(crate) text: String,
}

impl Piece {
    fn new(name: &str, text: String) -> Piece {
        Piece { name: name.to_owned(), text }
    }
}

/// Every plot as SVG.
pub(crate) fn plots(report: &ReportData) -> Vec<Piece> {
    let mut pieces = Vec::new();
    if let Some(history) = &report.history {
        pieces.extend(Figure::of(history).into_iter().map(|figure| {
            Piece::new(&figure.name().replace(' ', "-"), plot::curves(history, figure))
        }));
    }
    let Some(model) = report.model() else { return pieces };
    match &report.measured {
        Ok(Measured::Classes(measured)) => {
            let evaluation = &measured.evaluation;
            let confusion = plot::confusion(&evaluation.confusion, model.names());
            pieces.push(Piece::new("confusion", confusion));
            pieces.push(Piece::new("calibration", plot::calibration(&evaluation.calibration)));
            if let Some(sheet) = mistakes(measured, model.names()) {
                pieces.push(Piece::new("mistakes", sheet));
            }
        }
        Ok(Measured::Values(measured)) => {
            let plots = predictions(measured, model.names());
            let named = PREDICTIONS.iter().zip(plots).map(|(name, plot)| Piece::new(name, plot));
            pieces.extend(named);
            let plots = residuals(measured, model.names());
            let named = RESIDUALS.iter().zip(plots).map(|(name, plot)| Piece::new(name, plot));
            pieces.extend(named);
        }
        Ok(Measured::Labels(_)) | Err(_) => {}
    }
    if let Some(columns) = &report.columns {
        let named = |names: &[&str], plots: Vec<String>| -> Vec<Piece> {
            names.iter().zip(plots).map(|(name, plot)| Piece::new(name, plot)).collect()
        };
        pieces.extend(named(&IMPORTANCES, columns.bars()));
        pieces.extend(named(&DEPENDENCES, columns.curves(model.names())));
    }
    if let Some(images) = plot::weights(&model.network, &model.image_shape()) {
        pieces.push(Piece::new("first-layer", images));
    }
    pieces.push(Piece::new("weights", plot::weight_histograms(&model.network)));
    pieces
}

/// Predicted values over true ones, a plot for each output.
pub(super) fn predictions(measured: &MeasuredValues, names: &[String]) -> Vec<String> {
    let names = names.iter().take(PREDICTIONS.len()).enumerate();
    let plot = |(at, name): (usize, &String)| {
        let [truth, predicted] = measured.output(at);
        plot::predictions(name, &truth, &predicted)
    };
    names.map(plot).collect()
}

/// Residuals over predicted values, a plot for each output.
pub(super) fn residuals(measured: &MeasuredValues, names: &[String]) -> Vec<String> {
    let names = names.iter().take(RESIDUALS.len()).enumerate();
    let plot = |(at, name): (usize, &String)| {
        let [truth, predicted] = measured.output(at);
        plot::residuals(name, &truth, &predicted)
    };
    names.map(plot).collect()
}

/// The most confident mistakes as images; none if there are no mistakes, or the samples are not images.
fn mistakes(measured: &MeasuredClasses, names: &[String]) -> Option<String> {
    let shown: Vec<_> = measured
        .worst
        .iter()
        .map(|mistake| {
            let [label, predicted] =
                [mistake.label, mistake.predicted].map(|it| &names[it as usize]);
            let sure = format!("{:.2} %", 100.0 * mistake.probability);
            (mistake.index, [format!("{label}, not {predicted}"), sure])
        })
        .collect();
    if shown.is_empty() {
        return None;
    }
    plot::images("The most confident mistakes", &measured.data, &shown)
}

/// Every table as CSV.
///
/// # Errors
/// None in practice: it writes to memory.
pub(crate) fn tables(report: &ReportData) -> Result<Vec<Piece>> {
    let mut pieces = Vec::new();
    if let Some(history) = &report.history {
        pieces.push(Piece::new("history", history.to_csv()));
    }
    let (Some(model), Ok(measured)) = (report.model(), &report.measured) else {
        return Ok(pieces);
    };
    let names = model.names();
    if let Some(columns) = &report.columns {
        pieces.push(Piece::new("importances", importances(columns)?));
        pieces.push(Piece::new("dependence", dependence(columns, names)?));
    }
    let measured = match measured {
        Measured::Classes(measured) => measured,
        Measured::Labels(measured) => {
            pieces.push(Piece::new("labels", labels(&measured.evaluation, names)?));
            return Ok(pieces);
        }
        Measured::Values(measured) => {
            pieces.push(Piece::new("errors", errors(measured, names)?));
            pieces.push(Piece::new("predictions", pairs(measured, names)?));
            return Ok(pieces);
        }
    };
    pieces.push(Piece::new("classes", classes(measured, names)?));
    pieces.push(Piece::new("confusion", confusion(measured, names)?));
    pieces.push(Piece::new("calibration", calibration(measured)?));
    pieces.push(Piece::new("mistakes", worst(measured, names)?));
    Ok(pieces)
}

/// Cells as CSV.
fn csv(rows: impl IntoIterator<Item = Vec<String>>) -> Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.write_record(row)?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(String::from).to_vec()
}

/// How much worse each of two figures becomes without a column.
fn importances(columns: &ColumnData) -> Result<String> {
    let found = &columns.importances;
    let figures = found.scores.iter().flat_map(|(score, _)| {
        let key = score.key();
        [key.to_owned(), format!("{key}_std")]
    });
    let heading = ["column".to_owned()].into_iter().chain(figures).collect();
    let rows = found.order().into_iter().map(|at| {
        let figures = found.columns[at].by_score.iter().flat_map(|it| [it.mean, it.std]);
        let name = columns.names[at].clone();
        [name].into_iter().chain(figures.map(|figure| figure.to_string())).collect()
    });
    csv([heading].into_iter().chain(rows))
}

/// The mean predictions at each value of the most important columns.
fn dependence(columns: &ColumnData, names: &[String]) -> Result<String> {
    let heading = [row(["column", "value"]), names.to_vec()].concat();
    let rows = columns.dependences.iter().flat_map(|(found, _)| {
        let name = &columns.names[found.column];
        found.values.iter().zip(found.means.chunks_exact(found.outputs)).map(
            move |(value, means)| {
                let means = means.iter().map(f64::to_string);
                [name.clone(), cell_text(value)].into_iter().chain(means).collect()
            },
        )
    });
    csv([heading].into_iter().chain(rows))
}

/// The errors of each output.
fn errors(measured: &MeasuredValues, names: &[String]) -> Result<String> {
    let heading = row(["output", "root_mean_squared_error", "mean_absolute_error", "r2"]);
    let rows = names.iter().zip(&measured.evaluation.outputs).map(|(name, errors)| {
        let figures = [errors.root_mean_squared, errors.mean_absolute, errors.r2];
        [name.clone()].into_iter().chain(figures.map(|x| x.to_string())).collect()
    });
    csv([heading].into_iter().chain(rows))
}

/// The figures of each label.
fn labels(evaluation: &LabelEvaluation, names: &[String]) -> Result<String> {
    let heading = row(["label", "precision", "recall", "f1", "average_precision", "support"]);
    let rows = names.iter().zip(&evaluation.labels).map(|(name, label)| {
        let LabelFigures { figures, average_precision } = label;
        let shares = [figures.precision, figures.recall, figures.f1, *average_precision];
        let cells = shares.map(|share| share.to_string()).into_iter();
        [name.clone()].into_iter().chain(cells).chain([figures.support.to_string()]).collect()
    });
    csv([heading].into_iter().chain(rows))
}

/// Each sample's true and predicted values.
fn pairs(measured: &MeasuredValues, names: &[String]) -> Result<String> {
    let heading = names.iter().flat_map(|name| [name.clone(), format!("{name}_predicted")]);
    let heading = ["index".to_owned()].into_iter().chain(heading).collect();
    let samples = measured.truth.chunks(names.len()).zip(measured.predicted.chunks(names.len()));
    let rows = samples.enumerate().map(|(index, (truth, predicted))| {
        let pairs = truth.iter().zip(predicted).flat_map(|(a, b)| [a.to_string(), b.to_string()]);
        [index.to_string()].into_iter().chain(pairs).collect()
    });
    csv([heading].into_iter().chain(rows))
}

fn classes(measured: &MeasuredClasses, names: &[String]) -> Result<String> {
    let mut rows = vec![row([
        "class",
        "precision",
        "precision_low",
        "precision_high",
        "recall",
        "recall_low",
        "recall_high",
        "f1",
        "support",
    ])];
    for class in ClassRow::all(&measured.evaluation.confusion) {
        let share = |it: Share| [it.value, it.interval.0, it.interval.1].map(|x| x.to_string());
        let mut cells = vec![names[class.class].clone()];
        cells.extend(share(class.precision));
        cells.extend(share(class.recall));
        cells.extend([class.f1.to_string(), class.support.to_string()]);
        rows.push(cells);
    }
    csv(rows)
}

/// True classes in rows, predicted classes in columns.
fn confusion(measured: &MeasuredClasses, names: &[String]) -> Result<String> {
    let confusion = &measured.evaluation.confusion;
    let heading = [vec!["class".to_owned()], names.to_vec()].concat();
    let rows = names.iter().enumerate().map(|(label, name)| {
        let counts = (0..names.len()).map(|other| confusion.count(label, other).to_string());
        [name.clone()].into_iter().chain(counts).collect()
    });
    csv([heading].into_iter().chain(rows))
}

fn calibration(measured: &MeasuredClasses) -> Result<String> {
    let calibration = &measured.evaluation.calibration;
    let rows = calibration.bins.iter().enumerate().map(|(at, bin)| {
        let (from, to) = calibration.edges(at);
        let figures = [from, to, bin.confidence, bin.accuracy].map(|x| x.to_string());
        let [from, to, confidence, accuracy] = figures;
        vec![from, to, bin.count.to_string(), confidence, accuracy]
    });
    let heading = row(["from", "to", "count", "confidence", "accuracy"]);
    csv([heading].into_iter().chain(rows))
}

fn worst(measured: &MeasuredClasses, names: &[String]) -> Result<String> {
    let rows = measured.worst.iter().map(|mistake| {
        let [label, predicted] =
            [mistake.label, mistake.predicted].map(|class| names[class as usize].clone());
        let [sure, own] = [mistake.probability, mistake.label_probability].map(|x| x.to_string());
        vec![mistake.index.to_string(), label, predicted, sure, own]
    });
    let heading = row(["index", "label", "predicted", "probability", "label_probability"]);
    csv([heading].into_iter().chain(rows))
}
