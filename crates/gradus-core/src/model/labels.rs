//! A model for several labels of a sample: how good its predictions are.

use gradus_kernels::threads::Workers;

use super::Model;
use super::parts::check_finite;
use crate::error::Result;
use crate::exchange::Ranks;
use crate::metrics::LabelEvaluation;
use crate::samples::{Subset, Targets, Task};

impl Model {
    /// Loss, subset accuracy, Hamming loss, F1 and more of a model for several labels, on labelled data.
    ///
    /// # Errors
    /// `InvalidArgument` if it is another model, or the data do not have its shape and labels; `InvalidData` if a prediction
    /// is not finite.
    pub fn evaluate_labels<'a>(
        &self,
        data: impl Into<Subset<'a>>,
        workers: &Workers,
    ) -> Result<LabelEvaluation> {
        self.evaluate_labels_on_ranks(data, workers, &Ranks::ALONE)
    }

    /// The same by all ranks, which have the same data: each computes a part of the samples, and all get the figures of one
    /// process.
    ///
    /// # Errors
    /// As [`Self::evaluate_labels`]; those of the exchange.
    pub fn evaluate_labels_on_ranks<'a>(
        &self,
        data: impl Into<Subset<'a>>,
        workers: &Workers,
        ranks: &Ranks,
    ) -> Result<LabelEvaluation> {
        let data = data.into();
        let logits = self.label_logits(data, (workers, ranks))?;
        check_finite(&logits, self.names().len())?;
        self.measure_labels(&logits, data)
    }

    /// The same, also for a model whose predictions are not finite.
    pub(super) fn check_labels(
        &self,
        data: Subset,
        by: (&Workers, &Ranks),
    ) -> Result<LabelEvaluation> {
        self.measure_labels(&self.label_logits(data, by)?, data)
    }

    fn label_logits(&self, data: Subset, by: (&Workers, &Ranks)) -> Result<Vec<f32>> {
        self.check_task(Task::MultiLabel)?;
        self.raw_outputs_on_ranks(data, by)
    }

    fn measure_labels(&self, logits: &[f32], data: Subset) -> Result<LabelEvaluation> {
        let Targets::Labels { values, .. } = &data.data().targets else {
            return Err(self.misfit(data.data()));
        };
        let count = self.names().len();
        let of_sample = |sample: usize| &values[sample * count..][..count];
        let labels: Vec<u8> = data.indices().flat_map(of_sample).copied().collect();
        Ok(LabelEvaluation::new(count, logits, &labels))
    }
}
