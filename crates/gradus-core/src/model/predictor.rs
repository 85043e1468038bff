//! A model made ready for single samples: one sample in, its predictions out, nothing allocated.

use gradus_kernels::matrix::MatMut;

use super::forward::{Forward, Pass, Samples};
use super::parts::check_finite;
use super::{Model, Outputs};
use crate::engine::cpu::{Density, Executor, kernels};
use crate::error::{Error, Result};
use crate::samples::{RawValue, Rows};
use crate::transform::Transform;
use crate::transform::columns::RowEncoder;

/// A model ready for single predictions: its parameters are laid out, its buffers allocated.
pub struct Predictor {
    outputs: Outputs,
    transform: Transform,
    executors: Vec<Executor>,
    density: Density,
    bytes: bool,
    pass: Pass,
    /// For raw columns, what encodes a row, and the encoded row.
    rows: Option<(RowEncoder, Vec<f32>)>,
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
        let (outputs, transform) = (self.outputs.clone(), self.transform.clone());
        let rows = self.transform.schema().map(|schema| {
            let encoder = RowEncoder::new(schema);
            let encoded = vec![0.0; encoder.width()];
            (encoder, encoded)
        });
        Ok(Predictor { outputs, transform, executors, density, bytes, pass, rows })
    }
}

impl Predictor {
    /// The predictor with 16-bit whole numbers in place of the weights between hidden layers, which a prediction reads in half of
    /// the time. Pre-activations are off by some ten-thousandths of their spread, and predictions by as much: compare them with
    /// those of [`Model::predict`] before you use it.
    ///
    /// # Errors
    /// `InvalidArgument` for a predictor of bytes that are mostly zeros: it skips zeros, and keeps the weights.
    pub fn quantized(mut self) -> Result<Predictor> {
        if self.density.is_sparse() {
            return Err(Error::argument(
                "this predictor skips the zeros of bytes, which quantized weights do not: make one for floats",
            ));
        }
        self.executors.iter_mut().for_each(Executor::quantize);
        Ok(self)
    }

    /// The probabilities of every class, or the values, for one sample of raw values; allocates
    /// nothing after the first call. They are the same bits as those of [`Model::predict`].
    ///
    /// # Errors
    /// `InvalidArgument` if the sample does not have the model's size, or is not of the kind that this
    /// predictor was made for; `InvalidData` if a prediction is NaN or infinite.
    pub fn predict(&mut self, sample: Rows) -> Result<&[f32]> {
        if let (Some(schema), Rows::Table(table)) = (self.transform.schema(), sample) {
            if table.rows() != 1 {
                let rows = table.rows();
                return Err(Error::argument(format!("a sample of {rows} rows; expected one")));
            }
            schema.check_table(table)?;
            return self.predict_values(table.columns().iter().map(|column| column.value(0)));
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
        let Predictor { outputs, transform, executors, density, pass, .. } = self;
        let forward = Forward { executors, density, transform, outputs };
        let logits = pass.logits(&forward, Samples::all(sample, 1), 0..1);
        outputs.predictions(forward.kernels(), MatMut::new(logits, 1, logits.len()));
        check_finite(pass.output(), pass.output().len())?;
        Ok(pass.output())
    }

    /// The same for a row of raw values, one for each column of the model's schema in its order; texts are as in the table,
    /// without spaces around them. Allocates nothing.
    ///
    /// # Errors
    /// `InvalidArgument` for a model without a schema, or if the values are not those of its columns; `InvalidData` if a number
    /// is infinite, or a prediction is NaN or infinite.
    pub fn predict_row(&mut self, row: &[RawValue]) -> Result<&[f32]> {
        self.predict_values(row.iter().copied())
    }

    /// Whether a text stands for a value that a column of the model's schema had in training.
    pub fn knows(&self, column: usize, text: &str) -> bool {
        self.rows.as_ref().is_some_and(|(encoder, _)| encoder.knows(column, text))
    }

    fn predict_values<'v>(
        &mut self,
        row: impl ExactSizeIterator<Item = RawValue<'v>>,
    ) -> Result<&[f32]> {
        let Predictor { outputs, executors, density, pass, rows, .. } = self;
        let Some((encoder, encoded)) = rows else {
            return Err(Error::argument(
                "the model takes numbers, not raw values of columns: use `predict`",
            ));
        };
        encoder.encode_into(row, encoded)?;
        let forward = Forward { executors, density, transform: &Transform::IDENTITY, outputs };
        let samples = Samples::all(Rows::Floats(encoded), 1);
        let logits = pass.logits(&forward, samples, 0..1);
        outputs.predictions(forward.kernels(), MatMut::new(logits, 1, logits.len()));
        check_finite(pass.output(), pass.output().len())?;
        Ok(pass.output())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gradus_kernels::threads::Workers;

    use super::*;
    use crate::network::{Activation, Init, Network};
    use crate::samples::{Inputs, RawColumn, TEXT_GAP, TIME_GAP, Table};
    use crate::transform::columns::{
        CategoryForm, Scale, Scaled, ScaledPart, Schema, SchemaColumn, TimePart,
    };

    #[test]
    fn a_row_gives_the_bits_of_the_table() {
        let scale = Scale { mean: 1.5, deviation: 0.5, fill: 0.0, clip: true };
        let values = ["a", "b", "c"].map(String::from).to_vec();
        let schema = Schema::new(vec![
            SchemaColumn::Number(Scaled {
                scale,
                gaps: true,
                typical: None,
                values: vec![-1.0, 0.25, 2.0],
            }),
            SchemaColumn::Category {
                values: values.clone(),
                form: CategoryForm::OneHot,
                typical: None,
            },
            SchemaColumn::Time {
                parts: vec![ScaledPart { part: TimePart::Month, scale }],
                gaps: false,
                typical: None,
            },
        ]);
        let mut network = Network::dense(7, &[5], &[Activation::Mish], 2).unwrap();
        network.initialize(Init::He, 1);
        let outputs = Outputs::classes(["x", "y"].map(String::from).to_vec());
        let transform = Transform::Columns(schema.unwrap());
        let model = Model::new(network, transform, vec![3], outputs.clone()).unwrap();
        let table = Table::new(vec![
            RawColumn::Numbers(vec![0.25, f64::NAN, 9.0]),
            RawColumn::Text {
                codes: vec![2, TEXT_GAP, 0],
                values: Arc::new(values),
                is_chosen: false,
            },
            RawColumn::Times(vec![86_400 * 200, 0, TIME_GAP]),
        ]);
        let inputs = Inputs::Table(table.unwrap());
        let all = model.predict(&inputs, &Workers::new(1).unwrap()).unwrap();
        let Inputs::Table(table) = &inputs else { panic!() };
        let mut predictor = model.predictor(false).unwrap();
        for (row, expected) in all.chunks(2).enumerate() {
            let values: Vec<RawValue> = table.columns().iter().map(|it| it.value(row)).collect();
            assert_eq!(predictor.predict_row(&values).unwrap(), expected);
        }
        let error = predictor.predict_row(&[RawValue::Gap; 2]).unwrap_err().to_string();
        assert!(error.contains("a row of 2 values"), "{error}");
        let network = Network::dense(1, &[], &[], 2).unwrap();
        let plain = Model::new(network, Transform::IDENTITY, vec![1], outputs).unwrap();
        let mut plain = plain.predictor(false).unwrap();
        let error = plain.predict_row(&[RawValue::Number(1.0)]).unwrap_err();
        assert!(error.to_string().contains("use `predict`"));
    }

    #[test]
    fn quantized_predictions_are_near() {
        let mut network = Network::dense(6, &[64, 48, 19], &[Activation::Selu; 3], 3).unwrap();
        network.initialize(Init::Glorot, 1);
        let outputs = Outputs::classes(["x", "y", "z"].map(String::from).to_vec());
        let model = Model::new(network, Transform::IDENTITY, vec![6], outputs).unwrap();
        let mut exact = model.predictor(false).unwrap();
        let mut quantized = model.predictor(false).unwrap().quantized().unwrap();
        let mut furthest: f32 = 0.0;
        for seed in 0..50 {
            let row: Vec<f32> =
                (0..6).map(|i| (seed * 7 + i * 3) as f32 * 0.37).map(f32::sin).collect();
            let expected = exact.predict(Rows::Floats(&row)).unwrap().to_vec();
            let found = quantized.predict(Rows::Floats(&row)).unwrap();
            let off = found.iter().zip(&expected).map(|(found, expected)| (found - expected).abs());
            furthest = off.fold(furthest, f32::max);
        }
        // Not the weights in single precision after all, either.
        assert!((1e-8..1e-4).contains(&furthest), "{furthest}");

        let error = model.predictor(true).unwrap().quantized().err().unwrap();
        assert!(error.to_string().contains("skips the zeros of bytes"), "{error}");
    }
}
