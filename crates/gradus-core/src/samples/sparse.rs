//! Samples of which only the values other than 0 are kept: compressed sparse rows.

use crate::error::{Result, invalid};

/// Samples as compressed sparse rows: for each the features whose values may be other than 0, and
/// these values. All other values are 0.
#[derive(Debug, Clone, PartialEq)]
pub struct SparseRows {
    features: usize,
    /// Sample `i` has the pairs `starts[i]..starts[i + 1]`.
    starts: Vec<usize>,
    /// In rising order within a sample.
    columns: Vec<u32>,
    values: Vec<f32>,
}

impl SparseRows {
    /// Samples of so many `features`: sample `i` has the values `values[starts[i]..starts[i + 1]]` at
    /// the features that stand at the same places of `columns`.
    ///
    /// # Errors
    /// `InvalidData` if `starts` does not begin with 0, rise, and end with the number of values,
    /// there is not a feature for each value, or the features of a sample are not in rising order
    /// and below `features`.
    pub fn new(
        features: usize,
        starts: Vec<usize>,
        columns: Vec<u32>,
        values: Vec<f32>,
    ) -> Result<SparseRows> {
        let (pairs, found) = (values.len(), columns.len());
        if found != pairs {
            return Err(invalid(format!("{found} features for {pairs} values of sparse rows")));
        }
        if starts.first() != Some(&0) || starts.last() != Some(&pairs) || !starts.is_sorted() {
            return Err(invalid(format!(
                "the starts of sparse rows must rise from 0 to {pairs}, the number of values"
            )));
        }
        let rows = SparseRows { features, starts, columns, values };
        for sample in 0..rows.len() {
            let (columns, _) = rows.row(sample);
            let rising = columns.is_sorted_by(|a, b| a < b);
            if !rising || columns.last().is_some_and(|&last| last as usize >= features) {
                return Err(invalid(format!(
                    "the features of sparse row {sample} must rise and be below {features}"
                )));
            }
        }
        Ok(rows)
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Values of a sample, zeros counted.
    pub fn features(&self) -> usize {
        self.features
    }

    /// The values that are kept, sample after sample.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The features of a sample whose values are kept, and these values.
    pub fn row(&self, sample: usize) -> (&[u32], &[f32]) {
        let range = self.starts[sample]..self.starts[sample + 1];
        (&self.columns[range.clone()], &self.values[range])
    }

    /// The sample and the feature of the kept value number `at`.
    pub fn place(&self, at: usize) -> (usize, usize) {
        let sample = self.starts.partition_point(|&start| start <= at) - 1;
        (sample, self.columns[at] as usize)
    }

    /// All values of a sample.
    pub(crate) fn dense_row(&self, sample: usize) -> Vec<f32> {
        let mut dense = vec![0.0; self.features];
        let (columns, values) = self.row(sample);
        for (&column, &value) in columns.iter().zip(values) {
            dense[column as usize] = value;
        }
        dense
    }

    /// The samples at `indices`, in that order.
    pub(crate) fn subset(&self, indices: &[usize]) -> SparseRows {
        let mut starts = Vec::with_capacity(indices.len() + 1);
        starts.push(0);
        let (mut columns, mut values) = (Vec::new(), Vec::new());
        for &sample in indices {
            let (of_sample, at) = self.row(sample);
            columns.extend_from_slice(of_sample);
            values.extend_from_slice(at);
            starts.push(values.len());
        }
        SparseRows { features: self.features, starts, columns, values }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> SparseRows {
        let values = vec![5.0, 6.0, 7.0, 8.0];
        SparseRows::new(4, vec![0, 2, 2, 4], vec![0, 3, 1, 2], values).unwrap()
    }

    #[test]
    fn samples_are_found_and_taken() {
        let rows = rows();
        assert_eq!((rows.len(), rows.features(), rows.is_empty()), (3, 4, false));
        assert_eq!(rows.row(0), (&[0, 3][..], &[5.0, 6.0][..]));
        assert_eq!(rows.dense_row(2), [0.0, 7.0, 8.0, 0.0]);
        assert_eq!([0, 1, 2, 3].map(|at| rows.place(at)), [(0, 0), (0, 3), (2, 1), (2, 2)]);
        let some = rows.subset(&[2, 1, 2]);
        assert_eq!((some.len(), some.dense_row(0)), (3, rows.dense_row(2)));
        assert_eq!((some.dense_row(1), some.dense_row(2)), (vec![0.0; 4], rows.dense_row(2)));
    }

    #[test]
    fn what_does_not_fit_together_is_told() {
        let new = |starts: &[usize], columns: &[u32], values: &[f32]| {
            SparseRows::new(4, starts.to_vec(), columns.to_vec(), values.to_vec())
                .map_err(|error| error.to_string())
        };
        for (starts, columns, reported) in [
            (&[0, 2][..], &[0][..], "1 features for 2 values"),
            (&[], &[0, 1], "rise from 0 to 2"),
            (&[1, 2], &[0, 1], "rise from 0 to 2"),
            (&[0, 1], &[0, 1], "rise from 0 to 2"),
            (&[0, 2, 1, 2], &[0, 1], "rise from 0 to 2"),
            (&[0, 0, 2], &[1, 0], "sparse row 1 must rise"),
            (&[0, 2], &[1, 1], "sparse row 0 must rise"),
            (&[0, 2], &[1, 4], "below 4"),
        ] {
            let error = new(starts, columns, &[1.0, 2.0]).unwrap_err();
            assert!(error.contains(reported), "{error}");
        }
        assert_eq!(new(&[0], &[], &[]).unwrap().len(), 0);
    }
}
