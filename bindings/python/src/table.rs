//! Raw columns of a table: arrays of numbers, of text or of times in, the library's table out.

use gradus::data::csv::{column_of_texts, in_type};
use gradus::data::{ColumnType, DateOrder, RawColumn, Table as RawTable};
use numpy::PyReadonlyArray1;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::errors::exception;

/// Rows with a value in each of several columns, which have types of their own and may have gaps.
#[pyclass(frozen, module = "gradus._core")]
pub(crate) struct Table {
    pub(crate) table: RawTable,
    /// For each column what comes first in its dates, if they are text in which that had to be found out.
    pub(crate) date_orders: Vec<Option<DateOrder>>,
}

/// A column as Python gives it.
pub(crate) enum Given {
    Numbers(Vec<f64>),
    Texts { codes: Vec<u32>, values: Vec<String>, is_chosen: bool },
    Times(Vec<i64>),
}

#[pymethods]
impl Table {
    /// A table of these columns: arrays of float64 (gaps are NaN) or of int64 (seconds since 1970; gaps are the least
    /// number), or pairs of an array of uint32 and the list of texts that these are indices into (gaps are the largest
    /// number), with True in the third place where the user wants a category.
    ///
    /// `types` are those that a model takes, `number`, `text` or `time`, or None where the column decides. `names` are for
    /// messages; `missing` the texts that are gaps, in place of the usual ones; `date_orders` those of a model.
    #[new]
    #[pyo3(signature = (columns, types, names, missing, date_orders=None))]
    fn new(
        py: Python,
        columns: Vec<Bound<PyAny>>,
        types: Vec<Option<String>>,
        names: Option<Vec<String>>,
        missing: Option<Vec<String>>,
        date_orders: Option<Vec<Option<String>>>,
    ) -> PyResult<Table> {
        let known = |name: Option<String>| {
            DateOrder::ALL.into_iter().find(|order| name.as_deref() == Some(order.name()))
        };
        let known: Vec<Option<DateOrder>> = date_orders.into_iter().flatten().map(known).collect();
        let wanted: Vec<Option<ColumnType>> = types
            .iter()
            .map(|name| name.as_deref().map(type_named).transpose())
            .collect::<PyResult<_>>()?;
        let given: Vec<Given> = columns.iter().map(Given::of).collect::<PyResult<_>>()?;
        let place = |at: usize, row: usize, problem: String| {
            let name = names.as_ref().and_then(|names| names.get(at));
            let name = name.map_or_else(String::new, |name| format!(" ('{name}')"));
            PyValueError::new_err(format!("X, row {row}, column {at}{name}: {problem}"))
        };
        py.detach(|| {
            let mut columns = Vec::with_capacity(given.len());
            let mut date_orders = Vec::with_capacity(given.len());
            for (at, given) in given.into_iter().enumerate() {
                let wanted = wanted.get(at).copied().flatten();
                let order = known.get(at).copied().flatten();
                let column = given.column(wanted, missing.as_deref(), order);
                let (column, order) = column.map_err(|(row, problem)| place(at, row, problem))?;
                if let Some((row, value)) = infinite(&column) {
                    let problem = format!(
                        "infinity, or a value too large for single precision ({value}): expected finite numbers, or a \
                         gap"
                    );
                    return Err(place(at, row, problem));
                }
                columns.push(column);
                date_orders.push(order);
            }
            let table = RawTable::new(columns).map_err(|error| exception(&error))?;
            Ok(Table { table, date_orders })
        })
    }

    /// Number of rows and of columns.
    #[getter]
    fn shape(&self) -> (usize, usize) {
        (self.table.rows(), self.table.columns().len())
    }

    /// The types of the columns: `number`, `text` or `time`.
    #[getter]
    fn types(&self) -> Vec<&'static str> {
        self.table.types().into_iter().map(type_name).collect()
    }

    fn __len__(&self) -> usize {
        self.table.rows()
    }

    /// The rows at these places, in this order.
    fn take(&self, py: Python, rows: PyReadonlyArray1<i64>) -> PyResult<Table> {
        let count = self.table.rows();
        let row = |&at: &i64| {
            let row = usize::try_from(at).ok().filter(|&row| row < count);
            row.ok_or_else(|| PyValueError::new_err(format!("there is no row {at} among {count}")))
        };
        let rows: Vec<usize> = rows.as_slice()?.iter().map(row).collect::<PyResult<_>>()?;
        if rows.is_empty() {
            return Err(PyValueError::new_err("a table without rows"));
        }
        let table = py.detach(|| self.table.subset(&rows));
        Ok(Table { table, date_orders: self.date_orders.clone() })
    }
}

impl Given {
    fn of(column: &Bound<PyAny>) -> PyResult<Given> {
        if let Ok(pair) = column.cast::<PyTuple>() {
            let (codes, values, is_chosen): (PyReadonlyArray1<u32>, Vec<String>, bool) =
                pair.extract()?;
            let codes = copied(&codes);
            let count = values.len();
            if let Some(code) = codes.iter().find(|&&it| it != u32::MAX && it as usize >= count) {
                return Err(PyValueError::new_err(format!(
                    "there is no text {code} among {count}"
                )));
            }
            return Ok(Given::Texts { codes, values, is_chosen });
        }
        if let Ok(numbers) = column.extract::<PyReadonlyArray1<f64>>() {
            return Ok(Given::Numbers(copied(&numbers)));
        }
        match column.extract::<PyReadonlyArray1<i64>>() {
            Ok(times) => Ok(Given::Times(copied(&times))),
            Err(_) => Err(PyTypeError::new_err(
                "expected a column as an array of float64 or int64, or of uint32 with its texts",
            )),
        }
    }

    /// The column in this type, and what comes first in its dates; or the row of a value that has none, and what is wrong with
    /// it.
    pub(crate) fn column(
        self,
        wanted: Option<ColumnType>,
        missing: Option<&[String]>,
        order: Option<DateOrder>,
    ) -> Result<(RawColumn, Option<DateOrder>), (usize, String)> {
        let column = match (self, wanted) {
            (Given::Texts { codes, values, is_chosen }, None | Some(ColumnType::Text)) => {
                return column_of_texts(&codes, &values, wanted, is_chosen, missing, order);
            }
            (Given::Texts { codes, values, is_chosen }, Some(_)) => {
                RawColumn::Text { codes, values: values.into(), is_chosen }
            }
            (Given::Numbers(values), _) => RawColumn::Numbers(values),
            (Given::Times(values), _) => RawColumn::Times(values),
        };
        Ok((
            match wanted {
                Some(wanted) => in_type(column, wanted, missing, order)?,
                None => column,
            },
            order,
        ))
    }
}

/// The values of an array, whatever its steps in memory.
fn copied<T: numpy::Element + Copy>(array: &PyReadonlyArray1<T>) -> Vec<T> {
    array.as_array().to_vec()
}

/// The first number that is infinite in single precision, and its row.
pub(crate) fn infinite(column: &RawColumn) -> Option<(usize, f64)> {
    let RawColumn::Numbers(values) = column else { return None };
    let row = values.iter().position(|&it| !it.is_nan() && !(it as f32).is_finite())?;
    Some((row, values[row]))
}

/// The name of a type in Python.
pub(crate) fn type_name(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Number => "number",
        ColumnType::Text => "text",
        ColumnType::Time => "time",
    }
}

fn type_named(name: &str) -> PyResult<ColumnType> {
    let all = [ColumnType::Number, ColumnType::Text, ColumnType::Time];
    let found = all.into_iter().find(|&kind| type_name(kind) == name);
    found.ok_or_else(|| PyValueError::new_err(format!("there is no type of columns {name}")))
}
