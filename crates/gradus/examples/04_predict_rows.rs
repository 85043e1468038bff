//! Predicts the rows of a table one at a time, from raw values, as a server does, and says how long a row takes:
//! `cargo run --release --example 04_predict_rows MODEL.safetensors TABLE.csv`.
//!
//! The table has the columns that the model was trained on, the target among them. The same follows with quantized weights,
//! and how far their predictions are from the others.

use std::time::Instant;

use gradus::classifier::Predictor;
use gradus::data::{Inputs, LoadOptions, RawValue, Task, load_single};
use gradus::transform::columns::Schema;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(model), Some(table)) = (arguments.next(), arguments.next()) else {
        return Err("expected MODEL.safetensors TABLE.csv".into());
    };
    let model = gradus::model_file::load_model(model.as_ref())?;
    let options = LoadOptions {
        types: model.transform.schema().map(Schema::types),
        values: model.task() == Task::Regression,
        columns: model.columns.clone(),
        ..LoadOptions::default()
    };
    let (data, _) = load_single(table.as_ref(), &options)?;
    let Inputs::Table(table) = &data.inputs else {
        return Err("the model does not take raw columns".into());
    };

    // A row is a value for each column: RawValue::Number(39.0), RawValue::Text("Private"), RawValue::Gap, ...
    let row = |at: usize| table.columns().iter().map(move |column| column.value(at));
    let first: Vec<RawValue> = row(0).collect();
    let mut predictor = model.predictor(false)?;
    println!("{first:?}\n{:?}: {:?}", model.names(), predictor.predict_row(&first)?);
    let mut quantized = model.predictor(false)?.quantized()?;

    let rows: Vec<Vec<RawValue>> = (0..table.rows()).map(|at| row(at).collect()).collect();
    let (mut furthest, mut largest): (f32, f32) = (0.0, 0.0);
    for row in &rows {
        let exact = predictor.predict_row(row)?;
        for (exact, near) in exact.iter().zip(quantized.predict_row(row)?) {
            furthest = furthest.max((exact - near).abs());
            largest = largest.max(exact.abs());
        }
    }
    println!("{:.2} microseconds a row", best_time(&mut predictor, &rows)?);
    println!(
        "{:.2} microseconds a row with quantized weights; predictions differ by {furthest:.1e} at most (the largest is {largest:.1e})",
        best_time(&mut quantized, &rows)?
    );
    Ok(())
}

/// Microseconds a row in the fastest of some rounds.
fn best_time(predictor: &mut Predictor, rows: &[Vec<RawValue>]) -> gradus::Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let start = Instant::now();
        for row in rows {
            predictor.predict_row(row)?;
        }
        best = best.min(start.elapsed().as_secs_f64());
    }
    Ok(1e6 * best / rows.len() as f64)
}
