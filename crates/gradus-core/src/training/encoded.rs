//! Raw columns of a table, encoded once for a whole run: data and a transform in, rows of floats out.
//!
//! The engine sees floats and no transform: text, dates and gaps are looked up once, not in every step. Columns that are not in
//! memory are encoded whenever they are read.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::samples::{Dataset, Inputs, Rows, Subset};
use crate::training::data::Data;
use crate::transform::Transform;
use crate::transform::columns::{Encoder, Schema};

/// The samples of a run as the network takes them.
#[derive(Debug, Clone)]
pub(super) struct Encoded {
    train: Part,
    validation: Option<Part>,
}

/// Some encoded samples; the members of a bag share them.
#[derive(Debug, Clone)]
struct Part {
    samples: Arc<Dataset>,
    /// None for all of them.
    indices: Option<Vec<u32>>,
}

impl Part {
    fn subset(&self) -> Result<Subset<'_>> {
        match &self.indices {
            Some(indices) => Subset::new(&self.samples, indices),
            None => Ok((&*self.samples).into()),
        }
    }
}

impl Encoded {
    /// The encoded samples; none for a transform that the engine applies itself.
    ///
    /// # Errors
    /// Those of [`Transform::check_rows`].
    pub(super) fn of(transform: &Transform, data: &Data) -> Result<Option<Encoded>> {
        transform.check_rows(data.train.rows())?;
        let Some(schema) = transform.schema() else { return Ok(None) };
        let part = |subset: &Subset| {
            Ok::<_, Error>(Part { samples: Arc::new(encode(schema, subset)?), indices: None })
        };
        let train = part(&data.train)?;
        let validation = data.validation.as_ref().map(part).transpose()?;
        Ok(Some(Encoded { train, validation }))
    }

    /// Some of the training samples, and others to validate on: both by their numbers among the training samples.
    pub(super) fn divided(&self, train: Vec<u32>, validation: Vec<u32>) -> Encoded {
        let part =
            |indices| Part { samples: Arc::clone(&self.train.samples), indices: Some(indices) };
        Encoded { train: part(train), validation: Some(part(validation)) }
    }

    /// All of them.
    ///
    /// # Errors
    /// Those of [`Subset::new`]; none for the samples of a data set.
    pub(super) fn data(&self) -> Result<Data<'_>> {
        let validation = self.validation.as_ref().map(Part::subset).transpose()?;
        Ok(Data { train: self.train.subset()?, validation })
    }
}

/// The samples as rows of floats.
fn encode(schema: &Schema, subset: &Subset) -> Result<Dataset> {
    let indices: Vec<usize> = subset.indices().collect();
    // `check_rows` has seen that these are raw columns.
    let inputs = match subset.rows() {
        Rows::Table(table) => Inputs::Floats(Encoder::new(schema, table)?.encode(subset.indices())),
        Rows::Streamed(streamed) => Inputs::Streamed(match subset.is_whole() {
            true => schema.encode_streamed(streamed)?,
            false => schema.encode_streamed(&streamed.pick(&indices))?,
        }),
        _ => Inputs::Floats(Vec::new()),
    };
    let data = subset.data();
    let weights = data.sample_weights.as_ref();
    Ok(Dataset {
        inputs,
        targets: data.targets.subset(&indices),
        sample_shape: vec![schema.width()],
        sample_weights: weights.map(|weights| indices.iter().map(|&at| weights[at]).collect()),
        columns: None,
    })
}
