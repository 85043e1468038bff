//! What a model's predictions depend on: samples in; importances, partial dependence, contributions and their plots out.

use gradus::classifier::{DependenceSettings, ImportanceSettings};
use gradus::data::{Cell, Dataset, Targets};
use gradus::network::{Workers, available_cores};
use gradus::transform::columns::time_text;
use gradus::{Error, Result, plot};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::arrays::{Labelled, Samples, TargetArray};
use crate::errors::guarded;
use crate::model::Model;

/// Labelled samples that a run keeps, so that importances can be asked for later.
#[pyclass(frozen, module = "gradus._core")]
pub(crate) struct Kept {
    pub(crate) data: Dataset,
}

#[pymethods]
impl Kept {
    fn __len__(&self) -> usize {
        self.data.len()
    }
}

/// Two figures and what they are with all columns; for each of them the importances, columns x repeats, and their plot;
/// the number of samples that counted.
type Found = (Vec<(String, f64)>, Vec<(Vec<Vec<f64>>, String)>, usize);

/// The importances of the columns with these names, on these samples.
#[pyfunction]
#[pyo3(signature = (model, data, names, *, repeats, most_samples, seed, threads))]
pub(crate) fn importances(
    py: Python,
    model: &Model,
    data: &Kept,
    names: Vec<String>,
    repeats: usize,
    most_samples: Option<usize>,
    seed: u64,
    threads: Option<usize>,
) -> PyResult<Found> {
    let settings = ImportanceSettings { repeats, most_samples, seed };
    let trained = model.trained();
    check_names(&names, trained.features())?;
    py.detach(|| {
        guarded(|| {
            let found = trained.importances(&data.data, &settings, &workers(threads)?)?;
            let by = |at: usize| {
                let repeats = found.columns.iter().map(|it| it.by_score[at].repeats.clone());
                (repeats.collect(), plot::importances(&names, &found, at))
            };
            let scores = found.scores.iter().map(|(score, value)| (score.key().to_owned(), *value));
            Ok((scores.collect(), vec![by(0), by(1)], found.samples))
        })
    })
}

/// Samples and their targets, for `importances`.
#[pyfunction]
pub(crate) fn kept(
    py: Python,
    model: &Model,
    x: Samples,
    y: TargetArray,
    shape: Vec<usize>,
) -> PyResult<Kept> {
    let names = model.trained().target_names();
    let labelled = Labelled::new(py, &x, &y, &names, None, available_cores())?;
    let data = py.detach(|| guarded(|| labelled.into_dataset(shape)))?;
    Ok(Kept { data })
}

/// Values of a column, the mean predictions of each output at these, their plot, and how many samples they are the mean of.
type Dependence<'py> = (Bound<'py, PyList>, Vec<Vec<f64>>, String, usize);

/// The values of a column and the mean predictions at them, values x outputs; their plot for one output; the number of samples
/// that counted. Values are numbers, texts, times as text, or None for a gap.
#[pyfunction]
#[pyo3(signature = (model, x, column, name, *, output, output_name, points, most_samples, seed, threads))]
pub(crate) fn partial_dependence<'py>(
    py: Python<'py>,
    model: &Model,
    x: Samples,
    column: usize,
    name: &str,
    output: usize,
    output_name: &str,
    points: usize,
    most_samples: Option<usize>,
    seed: u64,
    threads: Option<usize>,
) -> PyResult<Dependence<'py>> {
    let trained = model.trained();
    if output >= trained.names().len() {
        return Err(PyValueError::new_err(format!("there is no output {output}")));
    }
    let settings = DependenceSettings { points, most_samples, seed };
    let (features, rows) = (trained.features(), x.shape().0);
    // Targets play no part.
    let targets = Targets::Values { values: vec![0.0; rows], names: vec!["y".to_owned()] };
    let inputs = x.copied(py, available_cores())?;
    let work = || {
        let data = Dataset::with_targets(inputs, targets, vec![features])?;
        let found = trained.partial_dependence(&data, column, &settings, &workers(threads)?)?;
        let drawn = plot::dependence(name, &found, output, output_name);
        Ok((found, drawn))
    };
    let (found, drawn) = py.detach(|| guarded(work))?;
    let values = PyList::empty(py);
    for value in &found.values {
        match value {
            Cell::Number(number) => values.append(number)?,
            Cell::Text(text) => values.append(text)?,
            Cell::Time(time) => values.append(time_text(*time))?,
            Cell::Gap => values.append(py.None())?,
        }
    }
    let means = found.means.chunks(found.outputs).map(<[f64]>::to_vec).collect();
    Ok((values, means, drawn, found.samples))
}

/// The prediction of one output for one sample, the neutral prediction, what each column adds to it, and the plot.
#[pyfunction]
pub(crate) fn contributions(
    py: Python,
    model: &Model,
    x: Samples,
    output: usize,
    names: Vec<String>,
    output_name: &str,
) -> PyResult<(f64, f64, Vec<f64>, String)> {
    check_names(&names, model.trained().features())?;
    let rows = x.rows()?;
    py.detach(|| {
        guarded(|| {
            let found = model.trained().contributions(rows, output)?;
            let drawn = plot::contributions(&names, &found, output_name);
            Ok((found.prediction, found.neutral, found.columns, drawn))
        })
    })
}

fn check_names(names: &[String], features: usize) -> PyResult<()> {
    match names.len() == features {
        true => Ok(()),
        false => {
            Err(PyValueError::new_err(format!("{} names for {features} columns", names.len())))
        }
    }
}

fn workers(threads: Option<usize>) -> Result<Workers> {
    Workers::new(threads.unwrap_or_else(available_cores)).map_err(Error::argument)
}
