//! Folders of shards: data beyond memory, packed and read piece by piece.

use std::collections::HashMap;
use std::path::PathBuf;

use gradus::data::shards::{self, Order, PackOptions};
use gradus::data::{ColumnType, Dataset, Inputs, RawColumn, Rows, Task};
use gradus::{Error, Result};
use numpy::PyArray1;
use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};

use crate::arrays::{Samples, TargetArray, targets_to_array, to_arrays};
use crate::errors::guarded;

/// Bytes of a piece that is packed.
const PIECE: usize = 4 << 20;

/// A folder of shards, whose samples stay in their files.
#[pyclass(frozen, module = "gradus._core")]
pub(crate) struct Shards(shards::Shards);

#[pymethods]
impl Shards {
    #[new]
    fn new(py: Python, path: PathBuf) -> PyResult<Shards> {
        py.detach(|| guarded(|| shards::Shards::open(&path))).map(Shards)
    }

    fn __len__(&self) -> usize {
        self.0.samples()
    }

    /// The shape of a sample.
    #[getter]
    fn sample_shape(&self) -> Vec<usize> {
        self.0.sample_shape().to_vec()
    }

    /// The type of the inputs, as NumPy names it.
    #[getter]
    fn dtype(&self) -> &'static str {
        self.0.type_name()
    }

    /// The names and the types of raw columns; none for other samples.
    #[getter]
    fn raw_columns(&self) -> Option<Vec<(String, &'static str)>> {
        let kind = |kind: &ColumnType| match kind {
            ColumnType::Number => "number",
            ColumnType::Text => "text",
            ColumnType::Time => "time",
        };
        let types = self.0.raw_types()?;
        let known = self.0.columns().and_then(|columns| columns.feature_names());
        let name = |at: usize| known.as_ref().map_or(format!("f{at}"), |it| it[at].to_owned());
        Some(types.iter().enumerate().map(|(at, it)| (name(at), kind(it))).collect())
    }

    /// The names of the classes, labels or values.
    #[getter]
    fn names(&self) -> Vec<String> {
        self.0.output_names().to_vec()
    }

    /// Whether each sample has one class.
    #[getter]
    fn has_classes(&self) -> bool {
        self.0.task() == Task::Classification
    }

    /// Samples and targets from `start` to before `stop`; of raw columns a list of arrays and lists of texts, one for each.
    fn read<'py>(
        &self,
        py: Python<'py>,
        start: usize,
        stop: usize,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        if start >= stop || stop > self.0.samples() {
            let samples = self.0.samples();
            return Err(PyIndexError::new_err(format!(
                "no samples {start} to {stop} among {samples}"
            )));
        }
        let data = py.detach(|| guarded(|| self.0.read(start..stop)))?;
        match &data.inputs {
            Inputs::Table(table) => {
                let columns = table.columns().iter().map(|column| to_column(py, column));
                let columns = PyList::new(py, columns.collect::<PyResult<Vec<_>>>()?)?;
                Ok((columns.into_any(), targets_to_array(py, data.targets)?))
            }
            _ => to_arrays(py, data),
        }
    }

    /// Compares all files with the digests in the index.
    fn verify(&self, py: Python) -> PyResult<()> {
        py.detach(|| guarded(|| self.0.verify(&mut |_| {})))
    }
}

/// A raw column: an array of numbers, or of seconds in which a gap is NumPy's not-a-time; a list of texts, None for gaps.
fn to_column<'py>(py: Python<'py>, column: &RawColumn) -> PyResult<Bound<'py, PyAny>> {
    Ok(match column {
        RawColumn::Numbers(values) => PyArray1::from_slice(py, values).into_any(),
        RawColumn::Times(values) => PyArray1::from_slice(py, values).into_any(),
        RawColumn::Text { codes, values, .. } => {
            // Of many texts few may occur; rows share the strings.
            let mut known: HashMap<u32, Bound<PyString>> = HashMap::new();
            let mut text = |code: u32| {
                let value = values.get(code as usize)?;
                Some(known.entry(code).or_insert_with(|| PyString::new(py, value)).clone())
            };
            PyList::new(py, codes.iter().map(|&code| text(code)))?.into_any()
        }
    })
}

/// Packs samples into a folder of shards: shuffled by `seed`, or in their order without one.
#[pyfunction]
#[pyo3(signature = (path, x, y, names, *, shape, seed=None, shard_rows=None))]
pub(crate) fn pack_shards(
    py: Python,
    path: PathBuf,
    x: Samples,
    y: TargetArray,
    names: Vec<String>,
    shape: Vec<usize>,
    seed: Option<u64>,
    shard_rows: Option<usize>,
) -> PyResult<()> {
    let targets = y.targets(names)?;
    let (samples, features) = x.shape();
    let rows = x.rows()?;
    let each = (PIECE / (8 * features.max(1))).max(1);
    if targets.samples() != samples {
        let found = targets.samples();
        return Err(PyValueError::new_err(format!("X has {samples} samples, but y has {found}")));
    }
    let piece = |first: usize| -> Result<Dataset> {
        let last = (first + each).min(samples);
        let values = first * features..last * features;
        let inputs = match rows {
            Rows::Bytes(all) => Inputs::Bytes(all[values].to_vec()),
            Rows::Floats(all) => Inputs::Floats(all[values].to_vec()),
            Rows::Doubles(all) => Inputs::Doubles(all[values].to_vec()),
            _ => {
                return Err(Error::argument(
                    "X is sparse or has columns of text: expected an array",
                ));
            }
        };
        Dataset::with_targets(inputs, targets.rows(first..last), shape.clone())
    };
    let order = seed.map_or(Order::Source, Order::Shuffled);
    let options = PackOptions { order, shard_rows };
    py.detach(|| {
        guarded(|| {
            let pieces = (0..samples).step_by(each).map(piece);
            shards::pack(&path, samples, pieces, &options, &mut |_| true)
        })
    })
}
