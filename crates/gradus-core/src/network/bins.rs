//! The bins of piecewise-linear embeddings (docs/maths.md M28): training values of a number in, edges of its bins out.

use crate::network::{Column, Network, Role};

/// Bins narrower than this share of all of them together are none: a line from one edge to the other would be too steep to
/// be computed with.
const LEAST_WIDTH: f32 = 1e-6;

impl Network {
    /// Sets the edges of the bins of all embedded numbers, if its embedding has bins, by training samples: rows of its
    /// inputs.
    pub(crate) fn fit_bins(&mut self, rows: &[f32]) {
        let Some(columns) = self.columns() else { return };
        let numbers = columns.columns().iter().enumerate();
        let numbers: Vec<usize> =
            numbers.filter(|(_, it)| **it == Column::Number).map(|(at, _)| at).collect();
        let (width, tensors) = (self.inputs(), self.tensors());
        let Some(edge) = tensors.into_iter().find(|it| it.role == Role::BinEdges) else { return };
        let stored = &mut self.parameters_mut()[edge.range];
        for (stored, column) in stored.chunks_exact_mut(edge.shape[1]).zip(numbers) {
            let values = rows.iter().skip(column).step_by(width).copied().collect();
            stored.copy_from_slice(&edges(values, edge.shape[1] - 1));
        }
    }

    /// Checks that edges of bins are in order.
    pub(crate) fn has_sound_bins(&self) -> bool {
        let edges = self.tensors().into_iter().find(|it| it.role == Role::BinEdges);
        edges.is_none_or(|edge| {
            let rows = &self.parameters()[edge.range];
            rows.chunks_exact(edge.shape[1]).all(|row| row.is_sorted())
        })
    }
}

/// The edges of so many bins of these values, in ascending order. If there are enough bins, there is an edge at each value.
/// Else they hold as many values each, at the quantiles; a value that is more frequent than that counts as one bin, so that the
/// others have the rest. Edges that are not needed are those of bins without width, at the end.
fn edges(mut values: Vec<f32>, bins: usize) -> Vec<f32> {
    values.retain(|value| value.is_finite());
    values.sort_unstable_by(f32::total_cmp);
    let runs: Vec<(f32, f64)> =
        values.chunk_by(|a, b| a == b).map(|run| (run[0], run.len() as f64)).collect();
    let (Some(&(first, _)), Some(&(last, _))) = (runs.first(), runs.last()) else {
        return vec![0.0; bins + 1];
    };
    let inner: Vec<f32> = match runs.len() <= bins + 1 {
        true => runs.iter().map(|(value, _)| *value).collect(),
        false => quantiles(&runs, bins),
    };
    let least = LEAST_WIDTH * (last - first);
    let mut edges = vec![first];
    for edge in inner {
        if edge - edges[edges.len() - 1] > least && last - edge > least {
            edges.push(edge);
        }
    }
    edges.resize(bins + 1, last);
    edges
}

/// The quantiles `1/T, ..., (T - 1)/T` of some values and how often they occur, where no value counts more than one `T`th.
fn quantiles(runs: &[(f32, f64)], bins: usize) -> Vec<f32> {
    let mut counts: Vec<f64> = runs.iter().map(|(_, count)| *count).collect();
    counts.sort_unstable_by(|a, b| b.total_cmp(a));
    // Each of the most frequent values has a bin of its own, as long as it is more than a bin of the rest.
    let (mut rest, mut free) = (counts.iter().sum::<f64>(), bins as f64);
    for count in counts {
        if free <= 1.0 || count <= rest / free {
            break;
        }
        (rest, free) = (rest - count, free - 1.0);
    }
    let each = rest / free;
    let (mut below, mut found) = (0.0, Vec::with_capacity(bins));
    for (value, count) in runs {
        below += count.min(each);
        // What rounding takes from a sum is no sample.
        while found.len() + 1 < bins && below >= (found.len() + 1) as f64 * each - 1e-6 {
            found.push(*value);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Activation, ColumnLayer, NumericEmbedding};

    #[test]
    fn bins_hold_as_many_values_each() {
        // 0 to 479, in any order: quantiles of the inverted distribution, as NumPy's `inverted_cdf`.
        let values = (0..480).map(|at| (at * 7 % 480) as f32).collect();
        let found = edges(values, 48);
        assert_eq!(found.len(), 49);
        assert_eq!((found[0], found[1], found[47], found[48]), (0.0, 9.0, 469.0, 479.0));
        assert!(found.windows(2).skip(1).all(|pair| pair[1] - pair[0] == 10.0));
    }

    #[test]
    fn few_values_have_an_edge_each() {
        assert_eq!(edges(vec![2.0, 5.0, 2.0, 3.0], 6), [2.0, 3.0, 5.0, 5.0, 5.0, 5.0, 5.0]);
        assert_eq!(edges(vec![7.0; 9], 3), [7.0; 4]);
        assert_eq!(edges(vec![], 2), [0.0; 3]);
        assert_eq!(edges(vec![f32::NAN, 1.0, f32::INFINITY, 2.0], 1), [1.0, 2.0]);
        assert_eq!(edges(vec![-0.0, 0.0, 1.0], 2), [0.0, 1.0, 1.0]);
        // As many values as edges.
        assert_eq!(edges(vec![0.0, 1.0, 5.0], 2), [0.0, 1.0, 5.0]);
        assert_eq!(edges(vec![0.0, 1.0, 5.0], 1), [0.0, 5.0]);
    }

    /// Most rows have one value, as where gaps were filled: the others still have all other bins.
    #[test]
    fn a_frequent_value_takes_one_bin() {
        let mut values = vec![0.0; 9200];
        values.extend((0..800).map(|at| 1.0 + at as f32));
        let found = edges(values, 9);
        assert_eq!((found[0], found[9]), (0.0, 800.0));
        let expected: Vec<f32> = (0..8).map(|at| 100.0 * at as f32).collect();
        assert_eq!(found[1..9], [&[100.0], &expected[2..], &[800.0]].concat()[..8]);
        // Two such values.
        let mut values = vec![0.0; 5000];
        values.extend([0.5; 4000]);
        values.extend((0..1000).map(|at| 1.0 + at as f32));
        // The bin of the first value would end where it begins: it is one without width, at the end.
        let hundreds: Vec<f32> = (1..=10).map(|at| 100.0 * at as f32).collect();
        assert_eq!(edges(values, 12), [&[0.0, 0.5], &hundreds[..], &[1000.0]].concat());
    }

    #[test]
    fn what_is_too_narrow_is_no_bin() {
        let found = edges(vec![0.0, 1e-9, 1.0, 1.0 - 1e-7], 8);
        assert_eq!(found, [0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn each_number_has_bins_of_its_own() {
        let columns = vec![Column::Number, Column::Flag, Column::Number];
        let layer =
            ColumnLayer::new(columns, NumericEmbedding::Ple { bins: 2, outputs: 1 }, 1).unwrap();
        let network = Network::dense(layer.outputs(), &[], &[Activation::Identity], 1).unwrap();
        let mut network = network.after_columns(layer).unwrap();
        network.fit_bins(&[1.0, 0.0, -5.0, 2.0, 1.0, -6.0, 4.0, 0.0, -6.0]);
        assert_eq!(network.parameters()[..6], [1.0, 2.0, 4.0, -6.0, -5.0, -5.0]);
        assert!(network.has_sound_bins());
        network.parameters_mut()[1] = 0.5;
        assert!(!network.has_sound_bins());
    }
}
