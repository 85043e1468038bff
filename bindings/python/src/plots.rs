//! The library's plots: metrics and arrays in, SVG text out.

use gradus::metrics::{Calibration, ConfusionMatrix, SampleResult, most_probable, rank};
use gradus::plot::{self, Figure};
use gradus::training::History;
use gradus::{Error, Result};
use numpy::{PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::errors::guarded;
use crate::model::Model;

/// Every learning curve in a history, by the name of its metric. The history is JSON: an array for each
/// metric, with null for values that are not finite.
#[pyfunction]
pub(crate) fn plot_curves(py: Python, history: &str) -> PyResult<Vec<(String, String)>> {
    let history = serde_json::from_str(history)
        .map_err(|error| PyValueError::new_err(format!("the history is not JSON: {error}")))?;
    py.detach(|| {
        guarded(|| {
            let history = History::from_json(&history)?;
            let drawn =
                |figure: Figure| (figure.name().replace(' ', "_"), plot::curves(&history, figure));
            Ok(Figure::of(&history).into_iter().map(drawn).collect())
        })
    })
}

/// The confusion matrix of samples with these labels and these probabilities (samples x classes).
#[pyfunction]
pub(crate) fn plot_confusion(
    py: Python,
    probabilities: PyReadonlyArray2<f32>,
    labels: PyReadonlyArray1<u32>,
    names: Vec<String>,
) -> PyResult<String> {
    let classes = probabilities.shape()[1];
    let (probabilities, labels) = (probabilities.as_slice()?, labels.as_slice()?);
    py.detach(|| {
        guarded(|| {
            if names.len() != classes {
                let found = names.len();
                return Err(Error::argument(format!("{found} names for {classes} classes")));
            }
            let mut matrix = ConfusionMatrix::new(classes);
            for result in results(probabilities, classes, labels)? {
                matrix.add(result.label as usize, result.predicted as usize);
            }
            Ok(plot::confusion(&matrix, &names))
        })
    })
}

/// The calibration plot of samples with these labels and these probabilities.
#[pyfunction]
pub(crate) fn plot_calibration(
    py: Python,
    probabilities: PyReadonlyArray2<f32>,
    labels: PyReadonlyArray1<u32>,
) -> PyResult<String> {
    let classes = probabilities.shape()[1];
    let (probabilities, labels) = (probabilities.as_slice()?, labels.as_slice()?);
    py.detach(|| {
        guarded(|| {
            let results = results(probabilities, classes, labels)?;
            Ok(plot::calibration(&Calibration::new(&results)))
        })
    })
}

/// The weights of the first layer as images of this height and width; `None` if they cannot be drawn.
#[pyfunction]
pub(crate) fn plot_weights(
    py: Python,
    model: Py<Model>,
    height: usize,
    width: usize,
) -> PyResult<Option<String>> {
    let trained = model.get().trained();
    py.detach(|| guarded(|| Ok(plot::weights(&trained.network, &[height, width]))))
}

/// A histogram of the weights of each layer.
#[pyfunction]
pub(crate) fn plot_weight_histograms(py: Python, model: Py<Model>) -> PyResult<String> {
    let trained = model.get().trained();
    py.detach(|| guarded(|| Ok(plot::weight_histograms(&trained.network))))
}

/// The prediction for each sample, with its label.
///
/// # Errors
/// `InvalidArgument` if there is not exactly one label for each row, or a label is not a class.
fn results(probabilities: &[f32], classes: usize, labels: &[u32]) -> Result<Vec<SampleResult>> {
    if classes == 0 || labels.len() * classes != probabilities.len() {
        return Err(Error::argument(format!(
            "{} labels, but {} probabilities of {classes} classes",
            labels.len(),
            probabilities.len()
        )));
    }
    if let Some(label) = labels.iter().find(|&&label| label as usize >= classes) {
        return Err(Error::argument(format!(
            "the label {label} is out of range for {classes} classes"
        )));
    }
    let result = |(row, &label): (&[f32], &u32)| {
        let predicted = most_probable(row);
        let own = row[label as usize];
        SampleResult {
            label,
            predicted: predicted as u32,
            rank: rank(row, label as usize) as u32,
            confidence: row[predicted],
            label_probability: own,
            loss: -own.ln(),
        }
    };
    Ok(probabilities.chunks_exact(classes).zip(labels).map(result).collect())
}
