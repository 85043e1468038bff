//! What each column contributes to one prediction: a sample in, a number for each column out, by integrated gradients
//! (docs/maths.md M36).

use std::ops::Range;

use gradus_kernels::matrix::{MatMut, MatRef};

use super::Model;
use super::slopes::{Saved, Stack};
use crate::engine::cpu::{Executor, kernels};
use crate::error::{Error, Result};
use crate::network::{Column, ColumnLayer, Network, Role};
use crate::samples::Rows;

/// Steps of the path at first; more where these are too few.
const STEPS: usize = 64;

/// The most steps.
const MOST_STEPS: usize = 4096;

/// The sum of the contributions differs from the difference that they explain by at most this share of the sum of their
/// sizes, unless [`MOST_STEPS`] are too few.
const TOLERANCE: f64 = 1e-3;

/// What each column contributes to one prediction.
///
/// The contributions of all columns sum to `prediction - neutral`, to within a thousandth of the sum of their sizes
/// ([`Self::gap`] says what is missing).
#[derive(Debug, Clone, PartialEq)]
pub struct Contributions {
    /// What is explained: the probability of a class or label, or a value, as [`Model::predict`] predicts it.
    pub prediction: f64,
    /// The prediction for a row that speaks for no value of any column, from which contributions are counted.
    pub neutral: f64,
    /// For each raw column, or each value of a sample, what it adds to the prediction. A column that is not used adds 0.
    pub columns: Vec<f64>,
}

impl Contributions {
    /// What the contributions leave of the difference that they explain.
    pub fn gap(&self) -> f64 {
        self.prediction - self.neutral - self.columns.iter().sum::<f64>()
    }

    /// The columns from the largest contribution to the smallest, of either sign.
    pub fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.columns.len()).collect();
        order.sort_by(|&a, &b| self.columns[b].abs().total_cmp(&self.columns[a].abs()));
        order
    }

    /// Those of the mean of several predictions: the integral of a mean is the mean of the integrals.
    fn mean(each: &[Contributions]) -> Contributions {
        let mean = |of: &dyn Fn(&Contributions) -> f64| {
            each.iter().map(of).sum::<f64>() / each.len().max(1) as f64
        };
        let count = each.first().map_or(0, |it| it.columns.len());
        Contributions {
            prediction: mean(&|it| it.prediction),
            neutral: mean(&|it| it.neutral),
            columns: (0..count).map(|at| mean(&|it| it.columns[at])).collect(),
        }
    }

    fn is_complete(&self) -> bool {
        let sizes: f64 = self.columns.iter().map(|it| it.abs()).sum();
        // Single precision leaves no more digits than this.
        let noise = 1e-5 * self.prediction.abs().max(self.neutral.abs());
        self.gap().abs() <= (TOLERANCE * sizes).max(noise)
    }
}

/// Where a path leads: inputs of the first linear layer.
struct Path {
    from: Vec<f32>,
    to: Vec<f32>,
}

impl Model {
    /// What each column contributes to prediction `output` for one sample: integrated gradients (Sundararajan, Taly and
    /// Yan, "Axiomatic Attribution for Deep Networks", 2017).
    ///
    /// With the inputs `x` of the first linear layer, which are the outputs of the embeddings if the network has any, those
    /// of a neutral row `b`, and the prediction `f`, column `c` contributes
    ///
    /// ```text
    /// sum over its inputs i of (x_i - b_i) integral from 0 to 1 of df/dx_i (b + t (x - b)) dt
    /// ```
    ///
    /// The integral is a sum over at least 64 steps (their midpoints). The path is straight after the embeddings, not
    /// before them: between the numbers of two categories there is nothing. In the neutral row numbers are at the centre of
    /// the training part, and a category is the mean of its values, each embedded or encoded. For samples without a schema
    /// that is 0 after normalization: the mean, the median or the smallest value, whichever the normalization maps to 0.
    ///
    /// Where predictions are clipped, the clipped one is explained: a part of the path beyond the range adds nothing.
    ///
    /// # Errors
    /// `InvalidArgument` if it is not one sample of the model's size and kind, or there is no such output.
    pub fn contributions(&self, sample: Rows, output: usize) -> Result<Contributions> {
        self.check_inputs(sample)?;
        if sample.len() != self.features() {
            return Err(Error::argument(format!(
                "contributions are computed for one sample of {} values, but {} were given",
                self.features(),
                sample.len()
            )));
        }
        let outputs = self.names().len();
        if output >= outputs {
            return Err(Error::argument(format!(
                "there is no output {output}: the model has {outputs}"
            )));
        }
        let width = self.network.inputs();
        let mut encoded = vec![0.0; width];
        self.transform.apply(sample, 0, &mut encoded);
        let schema = self.transform.schema();
        let neutral = schema.map_or_else(|| vec![0.0; width], |schema| schema.neutral());
        let spans = match schema {
            Some(schema) => schema.spans(),
            None => (0..width).map(|at| at..at + 1).collect(),
        };
        let each =
            self.networks().map(|it| self.along_path(it, &encoded, &neutral, &spans, output));
        Ok(Contributions::mean(&each.collect::<Result<Vec<_>>>()?))
    }

    /// Contributions in one network, from encoded rows; `spans` are the encoded columns of each raw column.
    fn along_path(
        &self,
        network: &Network,
        encoded: &[f32],
        neutral: &[f32],
        spans: &[Range<usize>],
        output: usize,
    ) -> Result<Contributions> {
        let stack = Stack { kernels: kernels()?, network };
        let path = path(&stack, encoded, neutral);
        let ends = stack.forward(&[&path.from[..], &path.to].concat(), 2);
        let ends = self.predictions_of(&stack, &ends);
        let [neutral, prediction] =
            [0, 1].map(|row| f64::from(ends[row * self.names().len() + output]));
        let embedded = embedded_spans(network.columns(), spans);
        let mut steps = STEPS;
        loop {
            let inputs = self.integrate(&stack, &path, output, steps);
            let sum = |span: &Range<usize>| inputs[span.clone()].iter().sum::<f64>();
            let columns = embedded.iter().map(sum).collect();
            let found = Contributions { prediction, neutral, columns };
            if found.is_complete() || steps >= MOST_STEPS {
                return Ok(found);
            }
            steps *= 4;
        }
    }

    /// What each input of the first linear layer contributes, with this number of steps, a multiple of [`STEPS`].
    fn integrate(&self, stack: &Stack, path: &Path, output: usize, steps: usize) -> Vec<f64> {
        let (width, outputs) = (path.from.len(), self.names().len());
        let mut sums = vec![0.0; width];
        let mut rows = vec![0.0; STEPS * width];
        for first in (0..steps).step_by(STEPS) {
            for (at, row) in rows.chunks_exact_mut(width).enumerate() {
                let share = (first + at) as f32 + 0.5;
                let share = share / steps as f32;
                for ((value, from), to) in row.iter_mut().zip(&path.from).zip(&path.to) {
                    *value = from + share * (to - from);
                }
            }
            let saved = stack.forward(&rows, STEPS);
            let predictions = self.predictions_of(stack, &saved);
            let of_rows =
                saved.outputs.chunks_exact(outputs).zip(predictions.chunks_exact(outputs));
            let slopes = of_rows.flat_map(|(found, predictions)| {
                self.outputs.prediction_slopes(found, predictions, output)
            });
            let slopes = stack.backward(&saved, slopes.collect());
            for row in slopes.chunks_exact(width) {
                sums.iter_mut().zip(row).for_each(|(sum, &slope)| *sum += f64::from(slope));
            }
        }
        let moved = path.to.iter().zip(&path.from).map(|(to, from)| f64::from(to - from));
        sums.iter().zip(moved).map(|(sum, moved)| moved * sum / steps as f64).collect()
    }

    /// What the model predicts where a network has these outputs.
    fn predictions_of(&self, stack: &Stack, saved: &Saved) -> Vec<f32> {
        let (mut values, outputs) = (saved.outputs.clone(), self.names().len());
        let rows = values.len() / outputs;
        self.outputs.predictions(stack.kernels, MatMut::new(&mut values, rows, outputs));
        values
    }
}

/// The path from a neutral row to another one, both encoded, after the layer of columns.
fn path(stack: &Stack, encoded: &[f32], neutral: &[f32]) -> Path {
    let executor = Executor::new(stack.kernels, stack.network, false);
    let embedded = |row: &[f32]| executor.embedded(MatRef::new(row, 1, row.len()));
    let (mut from, to) = (embedded(neutral), embedded(encoded));
    if let Some(columns) = stack.network.columns() {
        set_categories(stack.network, columns, &mut from);
    }
    Path { from, to }
}

/// Puts the mean of the embeddings of its values in place of each category. The first row of a category's table, for a
/// missing one, does not count: it has learned nothing if the training part has no gaps.
fn set_categories(network: &Network, columns: &ColumnLayer, embedded: &mut [f32]) {
    let tensors = network.tensors();
    let Some(table) = tensors.iter().find(|tensor| tensor.role == Role::CategoryEmbedding) else {
        return;
    };
    let rows = &network.parameters()[table.range.clone()];
    let (mut first, mut at) = (0, 0);
    for &column in columns.columns() {
        let width = columns.outputs_of(column);
        if let Column::Category(size) = column {
            let own = &rows[(first + 1) * width..(first + 1 + size) * width];
            for (place, value) in embedded[at..at + width].iter_mut().enumerate() {
                let values = own.iter().skip(place).step_by(width).map(|&it| f64::from(it));
                *value = (values.sum::<f64>() / size as f64) as f32;
            }
            first += 1 + size;
        }
        at += width;
    }
}

/// Which inputs of the first linear layer each raw column leads to.
fn embedded_spans(columns: Option<&ColumnLayer>, spans: &[Range<usize>]) -> Vec<Range<usize>> {
    let Some(columns) = columns else { return spans.to_vec() };
    let mut starts = vec![0];
    for &column in columns.columns() {
        starts.push(starts[starts.len() - 1] + columns.outputs_of(column));
    }
    spans.iter().map(|span| starts[span.start]..starts[span.end]).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gradus_kernels::threads::Workers;

    use super::*;
    use crate::loss::Loss;
    use crate::model::Outputs;
    use crate::network::{Activation, Init, NumericEmbedding};
    use crate::samples::{Dataset, Inputs, RawColumn, TEXT_GAP, TIME_GAP, Table, Targets};
    use crate::transform::Transform;
    use crate::transform::columns::EncodedColumn;
    use crate::transform::normalize::Normalization;

    /// A table with a column of every kind, one of them constant, and gaps.
    fn table(rows: usize) -> Dataset {
        let text = |values: &[&str], code: &dyn Fn(usize) -> u32| RawColumn::Text {
            codes: (0..rows).map(code).collect(),
            values: Arc::new(values.iter().map(|&it| it.to_owned()).collect()),
            is_chosen: false,
        };
        let letters = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
        let columns = vec![
            RawColumn::Numbers((0..rows).map(|at| (at * 7 % 11) as f64).collect()),
            RawColumn::Numbers(vec![3.0; rows]),
            RawColumn::Numbers(
                (0..rows).map(|at| if at % 5 == 0 { f64::NAN } else { (at % 4) as f64 }).collect(),
            ),
            text(&["no", "yes"], &|at| (at % 2) as u32),
            text(&["x", "y", "z"], &|at| if at % 7 == 6 { TEXT_GAP } else { (at % 3) as u32 }),
            text(&letters, &|at| (at * 5 % 12) as u32),
            RawColumn::Times(
                (0..rows)
                    .map(|at| if at % 9 == 8 { TIME_GAP } else { at as i64 * 40_000 })
                    .collect(),
            ),
        ];
        let shape = vec![columns.len()];
        let targets = Targets::Values { values: vec![0.0; rows], names: vec!["y".into()] };
        Dataset::with_targets(Inputs::Table(Table::new(columns).unwrap()), targets, shape).unwrap()
    }

    fn model(
        data: &Dataset,
        loss: Loss,
        outputs: usize,
        numeric: NumericEmbedding,
        hidden: Activation,
    ) -> Model {
        let transform = Transform::fit_with(Normalization::Robust, data, true);
        let column = |it| match it {
            EncodedColumn::Number => Column::Number,
            EncodedColumn::Flag => Column::Flag,
            EncodedColumn::Code { values } => Column::Category(values),
        };
        let columns = transform.schema().unwrap().encoded().into_iter().map(column).collect();
        let layer = ColumnLayer::new(columns, numeric, 4).unwrap();
        let network = Network::dense(layer.outputs(), &[16, 8], &[hidden], outputs).unwrap();
        let mut network = network.after_columns(layer).unwrap();
        network.initialize(Init::Glorot, 3);
        bend(&mut network);
        // Larger weights, so that predictions bend along the path.
        let first = network.linears()[0].weight();
        network.parameters_mut()[first].iter_mut().for_each(|weight| *weight *= 2.0);
        let names = (0..outputs).map(|at| format!("o{at}")).collect();
        let outputs = Outputs::with_loss(loss, names);
        Model::new(network, transform, vec![data.features()], outputs).unwrap()
    }

    /// Gives the numbers bins that are not straight on.
    fn bend(network: &mut Network) {
        let rows: Vec<f32> =
            (0..50 * network.inputs()).map(|at| (at as f32 * 0.7).sin() * 3.0).collect();
        network.fit_bins(&rows);
        let rise = network.tensors().into_iter().find(|it| it.name == "0.rise");
        let rises = rise.map_or(0..0, |it| it.range);
        let rises = &mut network.parameters_mut()[rises];
        rises.iter_mut().enumerate().for_each(|(at, it)| *it = (at as f32 * 1.9).sin());
    }

    #[test]
    fn contributions_sum_to_the_difference_of_predictions() {
        let (data, workers) = (table(40), Workers::new(1).unwrap());
        for (loss, outputs) in [
            (Loss::SoftmaxCrossEntropy, 3),
            (Loss::BinaryCrossEntropy, 2),
            (Loss::SquaredError, 1),
            (Loss::Poisson, 1),
            (Loss::Quantile(vec![0.1, 0.5, 0.9]), 6),
        ] {
            for (numeric, hidden) in [
                (NumericEmbedding::None, Activation::Relu),
                (NumericEmbedding::PBLD, Activation::Selu),
                (NumericEmbedding::PBLD, Activation::Mish),
                (NumericEmbedding::PLE, Activation::Mish),
            ] {
                let model = model(&data, loss.clone(), outputs, numeric, hidden);
                let predictions = model.predict(&data.inputs, &workers).unwrap();
                for row in [0, 5, 13, 27, 34] {
                    let sample = data.subset(&[row]);
                    for output in 0..outputs {
                        let found = model.contributions(sample.inputs.rows(), output).unwrap();
                        let expected = f64::from(predictions[row * outputs + output]);
                        assert!(
                            (found.prediction - expected).abs() < 1e-5 * expected.abs().max(1.0)
                        );
                        let sizes: f64 = found.columns.iter().map(|it| it.abs()).sum();
                        assert!(sizes > 1e-4, "{found:?}");
                        assert!(
                            found.gap().abs() <= 1e-3 * sizes,
                            "{loss:?} {}: {found:?}",
                            found.gap()
                        );
                        assert_eq!((found.columns.len(), found.columns[1]), (7, 0.0));
                    }
                }
            }
        }
    }

    /// They explain clipped predictions: beyond the range nothing is added.
    #[test]
    fn contributions_sum_to_the_difference_of_clipped_predictions() {
        let (data, workers) = (table(40), Workers::new(1).unwrap());
        for loss in [Loss::SquaredError, Loss::Poisson] {
            let mut model = model(&data, loss, 1, NumericEmbedding::PBLD, Activation::Mish);
            let free = model.predict(&data.inputs, &workers).unwrap();
            let mut sorted = free.clone();
            sorted.sort_by(f32::total_cmp);
            model.outputs.range = vec![[sorted[10].max(0.0), sorted[30]]];
            let clipped = model.predict(&data.inputs, &workers).unwrap();
            assert!(free.iter().zip(&clipped).filter(|(a, b)| a != b).count() >= 9);
            for (row, expected) in clipped.iter().enumerate() {
                let sample = data.subset(&[row]);
                let found = model.contributions(sample.inputs.rows(), 0).unwrap();
                // A prediction may be at the bound 0.
                let difference = (found.prediction - f64::from(*expected)).abs();
                assert!(difference <= 1e-5 * (1.0 + found.prediction.abs()));
                let sizes: f64 = found.columns.iter().map(|it| it.abs()).sum();
                assert!(found.gap().abs() <= 1e-3 * sizes + 1e-5, "{row}: {found:?}");
            }
        }
    }

    /// Of a bag they are the means of its members', for the mean of their predictions.
    #[test]
    fn contributions_in_a_bag_sum_to_the_difference_of_means() {
        let (data, workers) = (table(40), Workers::new(1).unwrap());
        let loss = Loss::SoftmaxCrossEntropy;
        let mut bag = model(&data, loss, 3, NumericEmbedding::PBLD, Activation::Selu);
        for seed in [8, 9] {
            let mut other = bag.network.clone();
            other.initialize(Init::Glorot, seed);
            bag.others.push(other);
        }
        let sample = data.subset(&[7]);
        let predictions = bag.predict(&sample.inputs, &workers).unwrap();
        let found = bag.contributions(sample.inputs.rows(), 2).unwrap();
        assert!((found.prediction - f64::from(predictions[2])).abs() < 1e-5);
        let sizes: f64 = found.columns.iter().map(|it| it.abs()).sum();
        assert!(found.gap().abs() <= 1e-3 * sizes && sizes > 1e-4, "{found:?}");
        let each = |member: usize| {
            bag.member(member).unwrap().contributions(sample.inputs.rows(), 2).unwrap().columns[0]
        };
        let mean = (each(0) + each(1) + each(2)) / 3.0;
        assert!((found.columns[0] - mean).abs() < 1e-12);
    }

    /// For a network of one linear layer they are weight times difference.
    #[test]
    fn contributions_in_a_linear_model_are_exact() {
        let network = Network::dense(3, &[], &[], 2).unwrap();
        let outputs = Outputs::values(vec!["p".into(), "q".into()]);
        let mut model = Model::new(network, Transform::IDENTITY, vec![3], outputs).unwrap();
        model.network.weight_mut(0).copy_from_slice(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        model.network.bias_mut(0).copy_from_slice(&[0.5, -0.5]);
        let found = model.contributions(Rows::Floats(&[1.0, -1.0, 2.0]), 1).unwrap();
        assert_eq!((found.neutral, found.prediction), (-0.5, 9.5));
        assert_eq!((&found.columns[..], found.order()), (&[2.0, -4.0, 12.0][..], vec![2, 1, 0]));
    }

    /// The neutral value of a category is the mean of its embeddings, without that of the missing one.
    #[test]
    fn a_category_at_the_mean_of_its_values_contributes_nothing() {
        let data = table(40);
        let mut model =
            model(&data, Loss::SquaredError, 1, NumericEmbedding::None, Activation::Relu);
        let tensors = model.network.tensors();
        let table =
            tensors.iter().find(|it| it.role == Role::CategoryEmbedding).unwrap().range.clone();
        // All values are embedded alike, the missing one is not.
        let rows = &mut model.network.parameters_mut()[table];
        rows.iter_mut()
            .enumerate()
            .for_each(|(at, value)| *value = if at < 4 { 9.0 } else { at as f32 % 4.0 });
        let contribution =
            |data: &Dataset| model.contributions(data.inputs.rows(), 0).unwrap().columns[5];
        assert_eq!(contribution(&data.subset(&[3])), 0.0);
        let mut missing = data.subset(&[3]);
        missing.fill(5, &crate::samples::Cell::Gap).unwrap();
        assert!(contribution(&missing).abs() > 1e-3);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let data = table(40);
        let model = model(&data, Loss::SquaredError, 1, NumericEmbedding::None, Activation::Relu);
        let two = data.subset(&[0, 1]);
        let error =
            |sample: Rows, output| model.contributions(sample, output).unwrap_err().to_string();
        assert!(error(two.inputs.rows(), 0).contains("14 were given"));
        assert!(error(data.subset(&[0]).inputs.rows(), 1).contains("no output 1"));
        assert!(error(Rows::Floats(&[0.0; 7]), 0).contains("raw columns"));
    }
}
