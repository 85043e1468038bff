//! What a network takes of some training samples, for what the data decide before the first step: samples in, rows of floats out.

use crate::error::Result;
use crate::samples::{Rows, Subset};
use crate::transform::Transform;
use crate::transform::columns::Encoder;

/// The network's inputs for up to `most` of the samples, evenly spread over them, row after row.
///
/// # Errors
/// Those of reading samples that are not in memory.
pub(super) fn some_inputs(transform: &Transform, data: &Subset, most: usize) -> Result<Vec<f32>> {
    let count = data.len().min(most);
    let features = transform.width(data.features());
    let indices: Vec<usize> = data.indices().collect();
    if let (Some(schema), Rows::Table(table)) = (transform.schema(), data.rows())
        && let Ok(encoder) = Encoder::new(schema, table)
    {
        return Ok(encoder.encode((0..count).map(|at| indices[at * indices.len() / count])));
    }
    if data.streamed().is_some() {
        let read = data.read((0..count).map(|at| at * data.len() / count))?;
        return some_inputs(transform, &(&read).into(), count);
    }
    let mut values = vec![0.0; count * features];
    for (at, row) in values.chunks_exact_mut(features).enumerate() {
        transform.apply(data.rows(), indices[at * indices.len() / count], row);
    }
    Ok(values)
}
