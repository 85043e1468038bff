//! NumPy arrays and sparse rows as the library's samples, and back.

use gradus::data::{self, Dataset, DateOrder, Inputs, Rows, Targets};
use gradus::network::in_parts;
use numpy::{
    IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2,
    PyUntypedArrayMethods,
};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

use crate::errors::guarded;
use crate::file_rows::FileRows;
use crate::table::Table;

/// Sparse samples: only the values other than 0 are stored.
#[pyclass(frozen, module = "gradus._core")]
pub(crate) struct SparseRows {
    rows: data::SparseRows,
}

#[pymethods]
impl SparseRows {
    /// From the arrays of a CSR matrix in canonical form: sample i has the values
    /// `values[starts[i]:starts[i + 1]]`, at the features in the same positions of `columns`.
    #[new]
    fn new(
        py: Python,
        features: usize,
        starts: PyReadonlyArray1<u64>,
        columns: PyReadonlyArray1<u32>,
        values: PyReadonlyArray1<f32>,
    ) -> PyResult<SparseRows> {
        let starts = starts.as_slice()?.iter().map(|&start| start as usize).collect();
        let (columns, values) = (columns.to_vec()?, values.to_vec()?);
        let make = || data::SparseRows::new(features, starts, columns, values);
        Ok(SparseRows { rows: py.detach(|| guarded(make))? })
    }

    /// Number of samples, and of values in each.
    #[getter]
    fn shape(&self) -> (usize, usize) {
        (self.rows.len(), self.rows.features())
    }

    fn __len__(&self) -> usize {
        self.rows.len()
    }
}

/// Samples as rows of an array, sparse samples, or raw columns.
pub(crate) enum Samples<'py> {
    Bytes(PyReadonlyArray2<'py, u8>),
    Floats(PyReadonlyArray2<'py, f32>),
    Doubles(PyReadonlyArray2<'py, f64>),
    Sparse(Bound<'py, SparseRows>),
    Table(Bound<'py, Table>),
    /// Rows that stay in their file.
    File(Bound<'py, FileRows>),
}

impl<'py> Samples<'py> {
    /// The samples of sparse rows or of a two-dimensional array; `None` for anything else.
    fn of(array: &Bound<'py, PyAny>) -> Option<Samples<'py>> {
        if let Ok(array) = array.cast::<PyArray2<f32>>() {
            return array.try_readonly().ok().map(Samples::Floats);
        }
        if let Ok(array) = array.cast::<PyArray2<f64>>() {
            return array.try_readonly().ok().map(Samples::Doubles);
        }
        if let Ok(rows) = array.cast::<SparseRows>() {
            return Some(Samples::Sparse(rows.clone()));
        }
        if let Ok(table) = array.cast::<Table>() {
            return Some(Samples::Table(table.clone()));
        }
        if let Ok(rows) = array.cast::<FileRows>() {
            return Some(Samples::File(rows.clone()));
        }
        array.cast::<PyArray2<u8>>().ok()?.try_readonly().ok().map(Samples::Bytes)
    }

    /// Number of samples, and of values in each.
    pub(crate) fn shape(&self) -> (usize, usize) {
        let shape = match self {
            Samples::Bytes(array) => array.shape(),
            Samples::Floats(array) => array.shape(),
            Samples::Doubles(array) => array.shape(),
            Samples::Sparse(rows) => return rows.get().shape(),
            Samples::File(rows) => return rows.get().size(),
            Samples::Table(table) => {
                let table = &table.get().table;
                return (table.rows(), table.columns().len());
            }
        };
        (shape[0], shape[1])
    }

    /// The values, row after row.
    ///
    /// For each column of a table what comes first in its dates, if that had to be found out.
    pub(crate) fn date_orders(&self) -> Vec<Option<DateOrder>> {
        match self {
            Samples::Table(table) => table.get().date_orders.clone(),
            _ => Vec::new(),
        }
    }

    /// # Errors
    /// `ValueError` if the array is not C-contiguous, or its rows are not in memory.
    pub(crate) fn rows(&self) -> PyResult<Rows<'_>> {
        let wrong = || PyValueError::new_err("the array is not C-contiguous");
        match self {
            Samples::Bytes(array) if array.is_c_contiguous() => {
                array.as_slice().map(Rows::Bytes).map_err(|_| wrong())
            }
            Samples::Floats(array) if array.is_c_contiguous() => {
                array.as_slice().map(Rows::Floats).map_err(|_| wrong())
            }
            Samples::Doubles(array) if array.is_c_contiguous() => {
                array.as_slice().map(Rows::Doubles).map_err(|_| wrong())
            }
            Samples::Sparse(rows) => Ok(Rows::Sparse(&rows.get().rows)),
            Samples::Table(table) => Ok(Rows::Table(&table.get().table)),
            _ => Err(wrong()),
        }
    }

    /// A copy of the samples, made by so many threads.
    pub(crate) fn copied(&self, py: Python, threads: usize) -> PyResult<Inputs> {
        let rows = self.rows()?;
        Ok(py.detach(|| match rows {
            Rows::Bytes(values) => Inputs::Bytes(values.to_vec()),
            Rows::Floats(values) => {
                let mut copy = vec![0.0; values.len()];
                in_parts(threads, values, &mut copy, |from, to| to.copy_from_slice(from));
                Inputs::Floats(copy)
            }
            Rows::Doubles(values) => Inputs::Doubles(values.to_vec()),
            Rows::Sparse(rows) => Inputs::Sparse(rows.clone()),
            Rows::Table(table) => Inputs::Table(table.clone()),
            Rows::Streamed(rows) => Inputs::Streamed(rows.clone()),
        }))
    }

    /// A single sample of this many values; `None` for anything else.
    pub(crate) fn one(array: &Bound<'py, PyAny>, features: usize) -> Option<Samples<'py>> {
        let samples = Samples::of(array)?;
        // Doubles must first be brought into the precision that the model takes.
        let is_ready = !matches!(samples, Samples::Doubles(_));
        (is_ready && samples.shape() == (1, features)).then_some(samples)
    }
}

impl<'py> FromPyObject<'_, 'py> for Samples<'py> {
    type Error = PyErr;

    fn extract(array: Borrowed<'_, 'py, PyAny>) -> PyResult<Samples<'py>> {
        Samples::of(&array).ok_or_else(|| {
            PyTypeError::new_err(
                "expected an array of float32, float64 or uint8, of two dimensions, sparse rows, or a table",
            )
        })
    }
}

/// Checks that all values are finite; bytes always are.
///
/// # Errors
/// `ValueError` naming the first value that is none, and its column by name if that is known.
pub(crate) fn check_finite(rows: Rows, features: usize, names: Option<&[&str]>) -> PyResult<()> {
    let Some((value, (row, column))) = rows.not_finite(features) else { return Ok(()) };
    let what = match value.is_nan() {
        true => "NaN",
        false => "infinity, or a value too large for single precision",
    };
    let name = names.and_then(|names| names.get(column));
    let name = name.map_or_else(String::new, |name| format!(" ('{name}')"));
    Err(PyValueError::new_err(format!(
        "X has {what} in row {row}, column {column}{name}; expected finite numbers only: fill the gap or \
         leave the row out"
    )))
}

/// Whether single precision would blur a column of these numbers.
#[pyfunction]
pub(crate) fn needs_doubles(py: Python, values: PyReadonlyArray2<f64>) -> PyResult<bool> {
    let features = values.shape()[1];
    let values = values.as_slice()?;
    Ok(py.detach(|| data::needs_doubles(values, features)))
}

/// The targets of samples, as an array.
pub(crate) enum TargetArray<'py> {
    /// The index of each sample's class.
    Labels(PyReadonlyArray1<'py, u32>),
    /// Whether each sample has each of several labels: 0 or 1.
    Indicators(PyReadonlyArray2<'py, u8>),
    /// The regression targets of each sample.
    Values(PyReadonlyArray2<'py, f32>),
}

impl TargetArray<'_> {
    /// The targets, with the names of the classes or of the regression targets.
    pub(crate) fn targets(&self, names: Vec<String>) -> PyResult<Targets> {
        Ok(match self {
            TargetArray::Labels(labels) => Targets::Classes { labels: labels.to_vec()?, names },
            TargetArray::Indicators(values) => Targets::Labels { values: values.to_vec()?, names },
            TargetArray::Values(values) => Targets::Values { values: values.to_vec()?, names },
        })
    }
}

impl<'py> FromPyObject<'_, 'py> for TargetArray<'py> {
    type Error = PyErr;

    fn extract(array: Borrowed<'_, 'py, PyAny>) -> PyResult<TargetArray<'py>> {
        if let Ok(labels) = array.cast::<PyArray1<u32>>() {
            return Ok(TargetArray::Labels(labels.try_readonly()?));
        }
        if let Ok(values) = array.cast::<PyArray2<u8>>() {
            return Ok(TargetArray::Indicators(values.try_readonly()?));
        }
        let Ok(values) = array.cast::<PyArray2<f32>>() else {
            return Err(PyTypeError::new_err(
                "expected labels as a vector of uint32 or a two-dimensional array of uint8, or targets as a \
                 two-dimensional array of float32",
            ));
        };
        Ok(TargetArray::Values(values.try_readonly()?))
    }
}

/// A copy of the samples and targets that Python gives.
pub(crate) struct Labelled {
    inputs: Values,
    targets: Targets,
    weights: Option<Vec<f32>>,
}

/// The samples themselves, or where they are.
enum Values {
    Memory(Inputs),
    File(Py<FileRows>),
}

impl Labelled {
    pub(crate) fn new(
        py: Python,
        samples: &Samples,
        targets: &TargetArray,
        names: &[String],
        weights: Option<&PyReadonlyArray1<f32>>,
        threads: usize,
    ) -> PyResult<Labelled> {
        Ok(Labelled {
            inputs: match samples {
                Samples::File(rows) => Values::File(rows.clone().unbind()),
                samples => Values::Memory(samples.copied(py, threads)?),
            },
            targets: targets.targets(names.to_vec())?,
            weights: weights.map(|weights| weights.to_vec()).transpose()?,
        })
    }

    pub(crate) fn into_dataset(self, shape: Vec<usize>) -> gradus::Result<Dataset> {
        let data = match self.inputs {
            Values::Memory(inputs) => Dataset::with_targets(inputs, self.targets, shape)?,
            Values::File(rows) => rows.get().dataset(self.targets, shape)?,
        };
        match self.weights {
            Some(weights) => data.with_sample_weights(weights),
            None => Ok(data),
        }
    }
}

/// Samples as an array of their shape, and their labels or regression targets (samples x targets). Only
/// labels are copied, if there are at most 256 classes: they become bytes.
pub(crate) fn to_arrays<'py>(
    py: Python<'py>,
    data: Dataset,
) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    let shape: Vec<usize> = std::iter::once(data.len()).chain(data.sample_shape).collect();
    let samples = match data.inputs {
        Inputs::Bytes(values) => values.into_pyarray(py).reshape(shape)?.into_any(),
        Inputs::Floats(values) => values.into_pyarray(py).reshape(shape)?.into_any(),
        Inputs::Doubles(values) => values.into_pyarray(py).reshape(shape)?.into_any(),
        Inputs::Sparse(rows) => Py::new(py, SparseRows { rows })?.into_bound(py).into_any(),
        Inputs::Streamed(_) => {
            return Err(PyValueError::new_err(
                "the samples are not in memory: load them before they become an array",
            ));
        }
        Inputs::Table(_) => {
            return Err(PyValueError::new_err(
                "the table has text, dates or gaps, which an array of numbers cannot hold: read it as a data frame",
            ));
        }
    };
    Ok((samples, targets_to_array(py, data.targets)?))
}

/// Labels or regression targets as [`to_arrays`] gives them.
pub(crate) fn targets_to_array(py: Python, targets: Targets) -> PyResult<Bound<PyAny>> {
    Ok(match targets {
        Targets::Classes { labels, names } if names.len() <= 256 => {
            let bytes: Vec<u8> = labels.iter().map(|&label| label as u8).collect();
            PyArray1::from_vec(py, bytes).into_any()
        }
        Targets::Classes { labels, .. } => labels.into_pyarray(py).into_any(),
        Targets::Labels { values, names } => {
            let shape = [values.len() / names.len(), names.len()];
            values.into_pyarray(py).reshape(shape)?.into_any()
        }
        Targets::Values { values, names } => {
            let shape = [values.len() / names.len(), names.len()];
            values.into_pyarray(py).reshape(shape)?.into_any()
        }
    })
}
