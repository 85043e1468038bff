//! A model made ready for single samples: one sample in, its predictions out, nothing allocated.

use gradus_kernels::matrix::MatMut;

use super::Model;
use super::forward::{Forward, Pass, Samples};
use super::parts::check_finite;
use crate::engine::cpu::{Density, Executor, kernels};
use crate::error::{Error, Result};
use crate::loss::Loss;
use crate::samples::Rows;
use crate::transform::Transform;
use crate::transform::columns::{Encoder, Places, Schema};

/// A model ready for single predictions: its parameters are laid out, its buffers allocated.
pub struct Predictor {
    loss: Loss,
    transform: Transform,
    executors: Vec<Executor>,
    density: Density,
    bytes: bool,
    pass: Pass,
    /// The encoded sample, of raw columns.
    encoded: Vec<f32>,
    /// Where its texts are in the schema.
    places: Option<Places>,
}

impl Model {
    /// The model made ready for predicting single samples again and again: bytes or floats, or rows of raw columns for a
    /// model that takes these.
    ///
    /// # Errors
    /// `InvalidArgument` if `GRADUS_ISA` does not name an instruction set of this machine.
    pub fn predictor(&self, bytes: bool) -> Result<Predictor> {
        let kind = if bytes { Rows::Bytes(&[]) } else { Rows::Floats(&[]) };
        let density = Density::for_predictions(&self.network, &self.transform, kind);
        let kernels = kernels()?;
        let executor = |network| Executor::new(kernels, network, density.is_sparse());
        let executors: Vec<_> = self.networks().map(executor).collect();
        let pass = Pass::new(&executors, &density, 1);
        let (loss, transform) = (self.loss().clone(), self.transform.clone());
        let encoded = vec![0.0; self.transform.schema().map_or(0, Schema::width)];
        let places = transform.schema().map(Places::of);
        Ok(Predictor { loss, transform, executors, density, bytes, pass, encoded, places })
    }
}

impl Predictor {
    /// The probabilities of every class, or the values, for one sample of raw values; allocates
    /// nothing after the first call, except to look up the texts of raw columns. They are the same bits as those of [`Model::predict`].
    ///
    /// # Errors
    /// `InvalidArgument` if the sample does not have the model's size, or is not of the kind that this
    /// predictor was made for; `InvalidData` if a prediction is NaN or infinite.
    pub fn predict(&mut self, sample: Rows) -> Result<&[f32]> {
        if let (Some(schema), Some(places), Rows::Table(table)) =
            (self.transform.schema(), &self.places, sample)
        {
            if table.rows() != 1 {
                let rows = table.rows();
                return Err(Error::argument(format!("a sample of {rows} rows; expected one")));
            }
            let encoder = Encoder::with_places(schema, places, table)?;
            encoder.encode_into(0..1, &mut self.encoded);
            return self.predict_encoded();
        }
        self.transform.check_rows(sample)?;
        let features = self.executors[0].plan.inputs();
        if sample.len() != features || matches!(sample, Rows::Bytes(_)) != self.bytes {
            return Err(Error::argument(format!(
                "a sample of {} {}, but this predictor takes {features} {}",
                sample.len(),
                sample.kind(),
                if self.bytes { "bytes" } else { "floats" }
            )));
        }
        let Predictor { loss, transform, executors, density, pass, .. } = self;
        let forward = Forward { executors, density, transform, loss };
        let logits = pass.logits(&forward, Samples { rows: sample, subset: None, count: 1 }, 0..1);
        loss.predictions(forward.kernels(), MatMut::new(logits, 1, logits.len()));
        check_finite(pass.output(), pass.output().len())?;
        Ok(pass.output())
    }

    /// The same for the sample in `encoded`.
    fn predict_encoded(&mut self) -> Result<&[f32]> {
        let Predictor { loss, executors, density, pass, encoded, .. } = self;
        let forward = Forward { executors, density, transform: &Transform::IDENTITY, loss };
        let samples = Samples { rows: Rows::Floats(encoded), subset: None, count: 1 };
        let logits = pass.logits(&forward, samples, 0..1);
        loss.predictions(forward.kernels(), MatMut::new(logits, 1, logits.len()));
        check_finite(pass.output(), pass.output().len())?;
        Ok(pass.output())
    }
}
