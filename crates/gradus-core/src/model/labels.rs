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
        let mut results = LabelResults::default();
        self.add_labels_on_ranks(data, (workers, ranks), &mut results)?;
        Ok(results.evaluation())
    }

    /// Adds what is predicted for further samples to `results`, by all ranks as above.
    ///
    /// # Errors
    /// As [`Self::evaluate_labels_on_ranks`].
    pub fn add_labels_on_ranks<'a>(
        &self,
        data: impl Into<Subset<'a>>,
        by: (&Workers, &Ranks),
        results: &mut LabelResults,
    ) -> Result<()> {
        let data = data.into();
        let logits = self.label_logits(data, by)?;
        check_finite(&logits, self.names().len())?;
        results.add(self, logits, data)
    }

    /// The same, also for a model whose predictions are not finite.
    pub(super) fn check_labels(
        &self,
        data: Subset,
        by: (&Workers, &Ranks),
    ) -> Result<LabelEvaluation> {
        let mut results = LabelResults::default();
        results.add(self, self.label_logits(data, by)?, data)?;
        Ok(results.evaluation())
    }

    fn label_logits(&self, data: Subset, by: (&Workers, &Ranks)) -> Result<Vec<f32>> {
        self.check_task(Task::MultiLabel)?;
        self.raw_outputs_on_ranks(data, by)
    }
}

/// What is predicted for samples with several labels, part after part: how well they are ranked is known only of all together, so
/// that every prediction is kept, but no inputs.
#[derive(Debug, Clone, Default)]
pub struct LabelResults {
    logits: Vec<f32>,
    labels: Vec<u8>,
    outputs: usize,
}

impl LabelResults {
    fn add(&mut self, model: &Model, logits: Vec<f32>, data: Subset) -> Result<()> {
        let count = model.names().len();
        let values = match &data.data().targets {
            Targets::Labels { values, names } if names.len() == count => values,
            _ => return Err(model.misfit(data.data())),
        };
        let of_sample = |sample: usize| &values[sample * count..][..count];
        self.labels.extend(data.indices().flat_map(of_sample));
        match self.logits.is_empty() {
            true => self.logits = logits,
            false => self.logits.extend(logits),
        }
        self.outputs = count;
        Ok(())
    }

    /// The figures of all samples.
    pub fn evaluation(&self) -> LabelEvaluation {
        LabelEvaluation::new(self.outputs, &self.logits, &self.labels)
    }
}
