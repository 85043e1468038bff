//! One sample or one row of raw columns at a time: what predicts it is kept, so that a prediction takes no preparation.

use std::sync::Mutex;

use gradus::classifier::{Model as Trained, Predictor};
use gradus::data::{ColumnType, Columns, RawColumn, RawValue, Rows};
use gradus::transform::columns::{Schema, SchemaColumn};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use crate::errors::guarded;
use crate::table::{Given, infinite};

/// The predictors of a model, created with the first sample of their kind.
#[derive(Default)]
pub(crate) struct Single {
    /// For floats and for bytes.
    predictors: [Mutex<Option<Predictor>>; 2],
    /// The names of the features as Python's strings, once a row has asked for them.
    names: PyOnceLock<Option<Vec<Py<PyString>>>>,
}

impl Single {
    /// `visit(outputs)` of one sample, with the prepared predictor; `None` if another thread is using it.
    pub(crate) fn predict<T>(
        &self,
        model: &Trained,
        sample: Rows,
        visit: impl Fn(&[f32]) -> T,
    ) -> PyResult<Option<T>> {
        let bytes = match sample {
            Rows::Bytes(_) => true,
            Rows::Floats(_) | Rows::Doubles(_) | Rows::Table(_) | Rows::Streamed(_) => false,
            // What is ready takes another way, with sums in another order.
            Rows::Sparse(_) => return Ok(None),
        };
        self.with_predictor(model, bytes, |ready| Ok(visit(ready.predict(sample)?)))
    }

    /// What `work` makes with the prepared predictor for bytes or for anything else; `None` if another thread is using it.
    fn with_predictor<T>(
        &self,
        model: &Trained,
        bytes: bool,
        work: impl FnOnce(&mut Predictor) -> gradus::Result<T>,
    ) -> PyResult<Option<T>> {
        let Ok(mut ready) = self.predictors[usize::from(bytes)].try_lock() else { return Ok(None) };
        guarded(|| {
            let predictor = match &mut *ready {
                Some(predictor) => predictor,
                none => none.insert(model.predictor(bytes)?),
            };
            work(predictor).map(Some)
        })
    }

    /// `visit(outputs)` of one row of raw columns: a dict by name, where the model knows names, or a list or tuple in the
    /// order of the columns, where it knows none. `None` if the row is anything else or has cells of unusual types, or if another
    /// thread is using the predictor.
    pub(crate) fn predict_row<T>(
        &self,
        model: &Trained,
        row: &Bound<PyAny>,
        visit: impl Fn(&[f32]) -> T,
    ) -> PyResult<Option<T>> {
        let Some(schema) = model.transform.schema() else { return Ok(None) };
        let Some(cells) = self.cells(model, row.py(), row)? else { return Ok(None) };
        let found = self.with_predictor(model, false, |ready| {
            predict_row(ready, schema, &cells, model.columns.as_ref(), visit)
        })?;
        Ok(found.flatten())
    }

    /// The cells of a row in the order of the columns; `None` in the cases of [`Self::predict_row`].
    fn cells<'py>(
        &self,
        model: &Trained,
        py: Python<'py>,
        row: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Vec<Bound<'py, PyAny>>>> {
        let strings = || {
            let names = model.columns.as_ref()?.feature_names()?;
            Some(names.into_iter().map(|name| PyString::new(py, name).unbind()).collect())
        };
        let features = model.features();
        let cells: Vec<Bound<PyAny>> = match self.names.get_or_init(py, strings) {
            Some(names) => {
                let Ok(row) = row.cast::<PyDict>() else { return Ok(None) };
                if row.len() != features {
                    return Ok(None);
                }
                let cells: PyResult<Option<_>> =
                    names.iter().map(|name| row.get_item(name.bind(py))).collect();
                match cells? {
                    Some(cells) => cells,
                    None => return Ok(None),
                }
            }
            None => match (row.cast::<PyList>(), row.cast::<PyTuple>()) {
                (Ok(list), _) => list.iter().collect(),
                (_, Ok(tuple)) => tuple.iter().collect(),
                _ => return Ok(None),
            },
        };
        Ok((cells.len() == features).then_some(cells))
    }
}

/// What one row has in a column of a model: a value as it is, or a column of one row where it had to be converted.
enum CellValue<'a> {
    Plain(RawValue<'a>),
    Converted(RawColumn),
}

impl CellValue<'_> {
    fn value(&self) -> RawValue<'_> {
        match self {
            CellValue::Plain(value) => *value,
            CellValue::Converted(column) => column.value(0),
        }
    }
}

/// What `predictor` says of one row of a model with this schema; `None` if a cell is not one of the usual kinds, or not what the
/// model takes there: then [`Table::new`] says more.
fn predict_row<T>(
    predictor: &mut Predictor,
    schema: &Schema,
    cells: &[Bound<PyAny>],
    known: Option<&Columns>,
    visit: impl Fn(&[f32]) -> T,
) -> gradus::Result<Option<T>> {
    let columns = schema.columns().iter().zip(cells).enumerate();
    let values = columns.map(|(at, (column, cell))| of_cell(predictor, at, column, cell, known));
    let Some(values) = values.collect::<Option<Vec<CellValue>>>() else { return Ok(None) };
    let row: Vec<RawValue> = values.iter().map(CellValue::value).collect();
    predictor.predict_row(&row).map(|outputs| Some(visit(outputs)))
}

fn of_cell<'a>(
    predictor: &Predictor,
    at: usize,
    column: &SchemaColumn,
    cell: &'a Bound<PyAny>,
    known: Option<&Columns>,
) -> Option<CellValue<'a>> {
    if cell.is_none() || matches!(column, SchemaColumn::Dropped { .. }) {
        return Some(CellValue::Plain(RawValue::Gap));
    }
    let kind = column.kind();
    let texts = |text: &str| Given::Texts {
        codes: vec![0],
        values: vec![text.to_owned()],
        is_chosen: false,
    };
    let given = if let Ok(text) = cell.cast::<PyString>() {
        let text = text.to_str().ok()?;
        if kind == ColumnType::Text && predictor.knows(at, text) {
            // What the model knows is in the form of tables already.
            return Some(CellValue::Plain(RawValue::Text(text)));
        }
        texts(text)
    } else if let Ok(truth) = cell.cast::<PyBool>() {
        texts(if truth.is_true() { "True" } else { "False" })
    } else {
        let number = match cell.cast::<PyFloat>() {
            Ok(number) => number.value(),
            Err(_) => cell.cast::<PyInt>().ok()?.extract().ok()?,
        };
        if kind == ColumnType::Number {
            let is_infinite = !number.is_nan() && !(number as f32).is_finite();
            return (!is_infinite).then_some(CellValue::Plain(match number.is_nan() {
                true => RawValue::Gap,
                false => RawValue::Number(number),
            }));
        }
        Given::Numbers(vec![number])
    };
    let order = known.and_then(|known| known.date_order(at));
    let (column, _) = given.column(Some(kind), known.and_then(Columns::missing), order).ok()?;
    infinite(&column).is_none().then_some(CellValue::Converted(column))
}
