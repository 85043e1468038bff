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

/// A model ready for single predictions: its parameters are laid out, its buffers allocated.
pub struct Predictor {
    loss: Loss,
    transform: Transform,
    executor: Executor,
    density: Density,
    bytes: bool,
    pass: Pass,
}

impl Model {
    /// The model made ready for predicting single samples again and again, bytes or floats.
    ///
    /// # Errors
    /// `InvalidArgument` if `GRADUS_ISA` does not name an instruction set of this machine.
    pub fn predictor(&self, bytes: bool) -> Result<Predictor> {
        let kind = if bytes { Rows::Bytes(&[]) } else { Rows::Floats(&[]) };
        let density = Density::for_predictions(&self.network, &self.transform, kind);
        let executor = Executor::new(kernels()?, &self.network, density.is_sparse());
        let pass = Pass::new(&executor, &density, 1);
        let (loss, transform) = (self.loss().clone(), self.transform.clone());
        Ok(Predictor { loss, transform, executor, density, bytes, pass })
    }
}

impl Predictor {
    /// The probabilities of every class, or the values, for one sample of raw values; allocates
    /// nothing after the first call. They are the same bits as those of [`Model::predict`].
    ///
    /// # Errors
    /// `InvalidArgument` if the sample does not have the model's size, or is not of the kind that this
    /// predictor was made for; `InvalidData` if a prediction is NaN or infinite.
    pub fn predict(&mut self, sample: Rows) -> Result<&[f32]> {
        let features = self.executor.plan.inputs();
        if sample.len() != features || matches!(sample, Rows::Bytes(_)) != self.bytes {
            return Err(Error::argument(format!(
                "a sample of {} {}, but this predictor takes {features} {}",
                sample.len(),
                sample.kind(),
                if self.bytes { "bytes" } else { "floats" }
            )));
        }
        let Predictor { loss, transform, executor, density, pass, .. } = self;
        let forward = Forward { executor, density, transform };
        let logits = pass.logits(&forward, Samples { rows: sample, subset: None, count: 1 }, 0..1);
        loss.predictions(executor.kernels(), MatMut::new(logits, 1, logits.len()));
        check_finite(pass.output(), pass.output().len())?;
        Ok(pass.output())
    }
}
