//! Reads a table and prints how long that took, the bytes of its columns and the most memory that the process had.
//!
//!     cargo run --release -p gradus --features parquet --example read_table -- table.csv
//!
//! benchmarks/read_tables.py makes tables and calls it.

use std::path::Path;
use std::time::Instant;

use gradus::data::csv::{TableOptions, read_table};
use gradus::data::{Inputs, RawColumn};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("expected the path of a table")?;
    let start = Instant::now();
    let options = TableOptions { label_column: Some("kind"), ..TableOptions::default() };
    let (data, warnings) = read_table(Path::new(&path), &options)?;
    let seconds = start.elapsed().as_secs_f64();
    warnings.iter().for_each(|warning| eprintln!("{warning}"));
    let bytes: usize = match &data.inputs {
        Inputs::Table(table) => table.columns().iter().map(size).sum(),
        // Typed columns would have double precision.
        other => 8 * other.len(),
    };
    let (rows, peak) = (data.len(), peak().unwrap_or(0));
    println!("{{\"seconds\":{seconds},\"rows\":{rows},\"bytes\":{bytes},\"peak\":{peak}}}");
    Ok(())
}

/// The bytes of a column, those of its texts among them.
fn size(column: &RawColumn) -> usize {
    match column {
        RawColumn::Numbers(values) => 8 * values.len(),
        RawColumn::Times(values) => 8 * values.len(),
        RawColumn::Text { codes, values, .. } => {
            4 * codes.len() + values.iter().map(|value| value.len() + 24).sum::<usize>()
        }
    }
}

/// The most memory that the process had, as Linux says.
fn peak() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: usize = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}
