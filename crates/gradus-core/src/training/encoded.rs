//! Raw columns of a table, encoded once for a whole run: data and a transform in, rows of floats out.
//!
//! The engine sees floats and no transform: text, dates and gaps are looked up once, not in every step.

use crate::error::Result;
use crate::samples::{Dataset, Inputs, Rows, Subset};
use crate::training::data::Data;
use crate::transform::Transform;
use crate::transform::columns::{Encoder, Schema};

/// The samples of a run as the network takes them.
pub(super) struct Encoded {
    train: Dataset,
    validation: Option<Dataset>,
}

impl Encoded {
    /// The encoded samples; none for a transform that the engine applies itself.
    ///
    /// # Errors
    /// Those of [`Transform::check_rows`].
    pub(super) fn of(transform: &Transform, data: &Data) -> Result<Option<Encoded>> {
        transform.check_rows(data.train.rows())?;
        let Some(schema) = transform.schema() else { return Ok(None) };
        let train = encode(schema, &data.train)?;
        let validation = data.validation.map(|it| encode(schema, &it)).transpose()?;
        Ok(Some(Encoded { train, validation }))
    }

    /// All of them.
    pub(super) fn data(&self) -> Data<'_> {
        Data::from((&self.train, self.validation.as_ref()))
    }
}

/// The samples as rows of floats.
fn encode(schema: &Schema, subset: &Subset) -> Result<Dataset> {
    // `check_rows` has seen that these are raw columns.
    let inputs = match subset.rows() {
        Rows::Table(table) => Encoder::new(schema, table)?.encode(subset.indices()),
        _ => Vec::new(),
    };
    let data = subset.data();
    let indices: Vec<usize> = subset.indices().collect();
    let weights = data.sample_weights.as_ref();
    Ok(Dataset {
        inputs: Inputs::Floats(inputs),
        targets: data.targets.subset(&indices),
        sample_shape: vec![schema.width()],
        sample_weights: weights.map(|weights| indices.iter().map(|&at| weights[at]).collect()),
        columns: None,
    })
}
