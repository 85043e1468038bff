//! Predictions for rows of a table that are typed into a form: the model in, the fields of the form out; their texts in, a
//! prediction and what each column adds to it out.

use anyhow::{Result, anyhow};
use gradus::classifier::{Model, Predictor};
use gradus::data::csv::read_field;
use gradus::data::{Cell, ColumnType, Inputs, RawColumn, Table, Task};
use gradus::metrics::most_probable;
use gradus::transform::columns::{SchemaColumn, TimePart};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::run::cells::cell_text;
use crate::run::describe::names_of_features;
use crate::run::source::fill_of;

/// The most fields of a form.
const MOST_FIELDS: usize = 300;

/// A category of more values is typed, not chosen.
const MOST_CHOICES: usize = 200;

/// Values of a row, as typed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    /// The number of the model that the form is for.
    pub(super) model: usize,
    /// A text for each column; empty for a missing value.
    values: Vec<String>,
    /// The number of the output that is explained; the prediction if none is given.
    #[serde(default)]
    output: Option<usize>,
}

/// The prediction for a row.
#[derive(Serialize)]
pub(super) struct RowPrediction {
    /// Probabilities, or values.
    values: Vec<f32>,
    /// The output that is explained.
    output: usize,
    /// Its prediction for a neutral row.
    neutral: f64,
    /// What each column adds to that.
    contributions: Vec<f64>,
}

/// Whether the model takes rows of a table with few enough columns for a form.
///
/// # Errors
/// If it does not.
pub(super) fn check(model: &Model) -> Result<()> {
    let (columns, schema) = (&model.columns, model.transform.schema());
    if columns.is_none() && schema.is_none() {
        return Err(anyhow!("the model was not trained on the columns of a table"));
    }
    match model.features() {
        0..=MOST_FIELDS => Ok(()),
        features => Err(anyhow!(
            "the model takes {features} columns, and a form has at most {MOST_FIELDS} fields"
        )),
    }
}

/// The fields of the form, in the order of the columns.
pub(super) fn fields(model: &Model) -> Value {
    let names = names_of_features(model);
    let fields: Vec<Value> = match model.transform.schema() {
        Some(schema) => {
            names.iter().zip(schema.columns()).map(|(name, column)| field(name, column)).collect()
        }
        None => {
            let means = model.transform.means();
            let typical = |at: usize| means.get(at).or(means.first()).copied().unwrap_or(0.0);
            let number = |(at, name): (usize, &String)| {
                let typical = cell_text(&Cell::Number(rounded(typical(at))));
                json!({"name": name, "kind": "number", "typical": typical})
            };
            names.iter().enumerate().map(number).collect()
        }
    };
    Value::Array(fields)
}

fn field(name: &str, column: &SchemaColumn) -> Value {
    let typical = match column.typical() {
        Cell::Gap => String::new(),
        Cell::Number(value) => cell_text(&Cell::Number(rounded(value))),
        other => cell_text(&other),
    };
    match column {
        SchemaColumn::Number(_) => json!({"name": name, "kind": "number", "typical": typical}),
        SchemaColumn::Category { values, .. } => {
            let values = (values.len() <= MOST_CHOICES).then_some(values);
            json!({"name": name, "kind": "category", "values": values, "typical": typical})
        }
        SchemaColumn::Time { parts, .. } => {
            let has_hours = parts.iter().any(|it| it.part == TimePart::Hour);
            json!({"name": name, "kind": "date", "time": has_hours, "typical": typical})
        }
        SchemaColumn::Dropped { why, .. } => {
            json!({"name": name, "kind": "unused", "why": why.words()})
        }
    }
}

/// A number with as many digits as a person would type.
fn rounded(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

/// The prediction for a row.
///
/// # Errors
/// If there is not a value for each column, one cannot be read, or the prediction is not finite.
pub(super) fn predict(
    model: &Model,
    predictor: &mut Predictor,
    row: &Row,
) -> Result<RowPrediction> {
    check(model)?;
    let (found, expected) = (row.values.len(), model.features());
    if found != expected {
        return Err(anyhow!("{found} values were sent, but the model takes {expected} columns"));
    }
    let inputs = inputs(model, &row.values)?;
    let values = predictor.predict(inputs.rows())?.to_vec();
    let output = row.output.unwrap_or_else(|| match model.task() {
        Task::Regression => 0,
        Task::Classification | Task::MultiLabel => most_probable(&values),
    });
    let explained = model.contributions(inputs.rows(), output)?;
    Ok(RowPrediction {
        values,
        output,
        neutral: explained.neutral,
        contributions: explained.columns,
    })
}

/// The texts as the raw values that the model takes.
fn inputs(model: &Model, texts: &[String]) -> Result<Inputs> {
    let names = names_of_features(model);
    let missing = model.columns.as_ref().and_then(|columns| columns.missing());
    let read = |at: usize, kind| {
        read_field(&texts[at], kind, missing).map_err(|why| anyhow!("{}: {why}", names[at]))
    };
    if let Some(schema) = model.transform.schema() {
        let column = |(at, column): (usize, &SchemaColumn)| match column {
            // Whatever it is, it is not looked at.
            SchemaColumn::Dropped { .. } => Ok(RawColumn::Numbers(vec![f64::NAN])),
            _ => read(at, column.kind()),
        };
        let columns = schema.columns().iter().enumerate().map(column).collect::<Result<_>>()?;
        return Ok(Inputs::Table(Table::new(columns)?));
    }
    let fill = fill_of(model);
    let number = |at: usize| match read(at, ColumnType::Number)?.cell(0) {
        Cell::Number(value) => Ok(value),
        _ => match &fill {
            Some(fill) => Ok(fill[at]),
            None => Err(anyhow!("{}: a number is missing", names[at])),
        },
    };
    let numbers = (0..texts.len()).map(number).collect::<Result<Vec<f64>>>()?;
    Ok(match model.transform.takes_doubles() {
        true => Inputs::Doubles(numbers),
        false => Inputs::Floats(numbers.into_iter().map(|value| value as f32).collect()),
    })
}
