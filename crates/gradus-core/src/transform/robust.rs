//! Robust scaling: columns of training data in, a centre and a scale for each out; and the smooth clip that
//! follows (docs/maths.md M6). Outliers move neither median nor quartiles, and the clip bounds what they become.

use crate::error::Result;
use crate::samples::{Inputs, Subset};

/// Inputs stay between -CLIP and CLIP (Holzmüller et al. 2024).
pub const CLIP: f32 = 3.0;

/// Divides a column that never changes: it becomes 0 when predicting, too, whatever value comes then.
const NEVER_CHANGES: f32 = f32::MAX;

/// `x / sqrt(1 + (x / 3)^2)`: near 0 almost `x`, far from it almost -3 or 3.
pub fn smooth_clip(x: f32) -> f32 {
    let part = x / CLIP;
    // The square of what single precision still holds may overflow: the limit is CLIP with the sign of x.
    match part.abs() < 1e9 {
        true => x / (1.0 + part * part).sqrt(),
        false => CLIP.copysign(x),
    }
}

/// The derivative of [`smooth_clip`]: `(1 + (x / 3)^2)^(-3/2)`.
pub(crate) fn smooth_clip_slope(x: f32) -> f32 {
    let part = f64::from(x / CLIP);
    (1.0 + part * part).powf(-1.5) as f32
}

/// The median of a column, and what its distances from there are divided by: the distance between the quartiles;
/// half of that between the smallest and the largest value if the quartiles are equal; so large a number that 0 remains
/// if all values are. Sorts the values; without any, it is `(0, 1)`.
pub fn centre_and_scale(values: &mut [f64]) -> (f64, f32) {
    let (Some(last), true) = (values.len().checked_sub(1), !values.is_empty()) else {
        return (0.0, 1.0);
    };
    values.sort_unstable_by(f64::total_cmp);
    let quantile = |share: f64| {
        let place = share * last as f64;
        let (below, part) = (place.floor() as usize, place.fract());
        let next = values[(below + 1).min(last)];
        values[below] + part * (next - values[below])
    };
    let quartiles = quantile(0.75) - quantile(0.25);
    let range = values[last] - values[0];
    let scale = if quartiles > 0.0 { quartiles } else { range / 2.0 };
    let usable = (scale as f32) > 0.0 && scale.is_finite();
    (quantile(0.5), if usable { (scale as f32).min(NEVER_CHANGES) } else { NEVER_CHANGES })
}

/// The centres and the scales of all features.
pub(super) fn fit(data: &Subset) -> (Vec<f64>, Vec<f32>) {
    let features = data.features();
    let mut column = Vec::with_capacity(data.len());
    let mut pairs = |fill: &mut dyn FnMut(usize, &mut Vec<f64>)| -> Vec<(f64, f32)> {
        let mut pair = |at| {
            column.clear();
            fill(at, &mut column);
            centre_and_scale(&mut column)
        };
        (0..features).map(&mut pair).collect()
    };
    let pairs = match &data.data().inputs {
        Inputs::Bytes(values) => {
            let rows: Vec<&[u8]> = rows(data, values);
            pairs(&mut |at, column| column.extend(rows.iter().map(|row| f64::from(row[at]))))
        }
        Inputs::Floats(values) => {
            let rows: Vec<&[f32]> = rows(data, values);
            pairs(&mut |at, column| column.extend(rows.iter().map(|row| f64::from(row[at]))))
        }
        Inputs::Doubles(values) => {
            let rows: Vec<&[f64]> = rows(data, values);
            pairs(&mut |at, column| column.extend(rows.iter().map(|row| row[at])))
        }
        Inputs::Sparse(rows) => {
            let mut columns = vec![Vec::new(); features];
            for sample in data.indices() {
                let (places, values) = rows.row(sample);
                for (&place, &value) in places.iter().zip(values) {
                    columns[place as usize].push(f64::from(value));
                }
            }
            pairs(&mut |at, column| {
                column.append(&mut columns[at]);
                column.resize(data.len(), 0.0);
            })
        }
        // Raw columns have a schema, and what is not in memory is read.
        Inputs::Table(_) | Inputs::Streamed(_) => Vec::new(),
    };
    pairs.into_iter().unzip()
}

/// Bytes of the values of columns that are sorted at a time, where they have to be read; more only for a single column.
pub(super) const GROUP_BYTES: usize = 128 << 20;

/// The same for rows of a table that are not in memory: a few columns at a time, for each of which all rows are read once.
pub(super) fn fit_streamed(data: &Subset) -> Result<(Vec<f64>, Vec<f32>)> {
    let features = data.features();
    let count = (GROUP_BYTES / (8 * data.len()).max(1)).max(1);
    let mut pairs = Vec::with_capacity(features);
    for first in (0..features).step_by(count) {
        let group = first..(first + count).min(features);
        let mut columns = vec![Vec::with_capacity(data.len()); group.len()];
        data.each_piece(|piece| {
            for (at, column) in group.clone().zip(&mut columns) {
                let places = || (at..piece.inputs.len()).step_by(features);
                match &piece.inputs {
                    Inputs::Bytes(values) => {
                        column.extend(places().map(|place| f64::from(values[place])));
                    }
                    Inputs::Floats(values) => {
                        column.extend(places().map(|place| f64::from(values[place])));
                    }
                    Inputs::Doubles(values) => column.extend(places().map(|place| values[place])),
                    // Nothing else is read piece by piece, but raw columns, which have a schema.
                    Inputs::Sparse(_) | Inputs::Table(_) | Inputs::Streamed(_) => {}
                }
            }
            Ok(())
        })?;
        pairs.extend(columns.iter_mut().map(|column| centre_and_scale(column)));
    }
    Ok(pairs.into_iter().unzip())
}

/// The samples of the subset, one slice each.
fn rows<'v, T>(data: &Subset, values: &'v [T]) -> Vec<&'v [T]> {
    let features = data.features();
    data.indices().map(|sample| &values[sample * features..][..features]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{Dataset, Inputs, Rows, SparseRows};
    use crate::transform::Transform;
    use crate::transform::normalize::Normalization;

    fn set(inputs: Inputs, features: usize) -> Dataset {
        let samples = inputs.len() / features;
        Dataset::new(inputs, vec![0; samples], vec![features], vec!["a".into()]).unwrap()
    }

    #[test]
    fn quartiles_are_those_of_numpy() {
        // np.quantile([3, 1, 4, 1, 5, 9], [0.25, 0.5, 0.75]) is [1.5, 3.5, 4.75].
        assert_eq!(centre_and_scale(&mut [3.0, 1.0, 4.0, 1.0, 5.0, 9.0]), (3.5, 3.25));
        // Equal quartiles: half the range.
        assert_eq!(centre_and_scale(&mut [0.0, 0.0, 0.0, 0.0, 0.0, 8.0]), (0.0, 4.0));
        assert_eq!(centre_and_scale(&mut [7.0, 7.0, 7.0]), (7.0, NEVER_CHANGES));
        assert_eq!(centre_and_scale(&mut [2.5]), (2.5, NEVER_CHANGES));
        assert_eq!(centre_and_scale(&mut []), (0.0, 1.0));
    }

    #[test]
    fn the_clip_and_its_slope_follow_the_formula() {
        for x in [0.0f32, -0.5, 1.0, 3.0, -12.0, 1e4, -1e20, f32::MAX] {
            let part = f64::from(x) / 3.0;
            let expected = f64::from(x) / (1.0 + part * part).sqrt();
            assert!((f64::from(smooth_clip(x)) - expected).abs() < 1e-6, "{x}");
            let slope = (1.0 + part * part).powf(-1.5);
            assert!((f64::from(smooth_clip_slope(x)) - slope).abs() < 1e-6, "{x}");
        }
    }

    #[test]
    fn outliers_and_constant_columns_stay_in_bounds() {
        let values = vec![1.0, 7.0, 2.0, 7.0, 3.0, 7.0, 4.0, 7.0, 1e30, 7.0];
        let transform = Transform::fit(Normalization::Robust, &set(Inputs::Floats(values), 2));
        let mut row = [0.0; 2];
        transform.apply(Rows::Floats(&[1e30, -1e6]), 0, &mut row);
        assert_eq!(row[0], 3.0);
        // Another value than training saw means nothing.
        assert!(row[1].abs() < 1e-30, "{}", row[1]);
        transform.apply(Rows::Floats(&[5.0, 7.0]), 0, &mut row);
        assert_eq!(row, [smooth_clip(1.0), 0.0]);
        assert!(transform.as_scalar().is_none() && transform.check(2).is_ok());
        let text = serde_json::to_string(&transform).unwrap();
        assert!(text.starts_with("{\"robust\":{\"per_feature\":{\"means\":[3.0,7.0]"), "{text}");
        assert_eq!(serde_json::from_str::<Transform>(&text).unwrap(), transform);
    }

    #[test]
    fn all_kinds_of_inputs_are_scaled_alike() {
        let bytes = vec![0u8, 9, 30, 0, 8, 20, 0, 0, 10, 5, 0, 0];
        let floats: Vec<f32> = bytes.iter().map(|&it| it.into()).collect();
        let doubles = bytes.iter().map(|&it| it.into()).collect();
        let expected = fit(&(&set(Inputs::Floats(floats.clone()), 3)).into());
        let columns = (0..12u32).filter(|&at| bytes[at as usize] > 0).map(|at| at % 3).collect();
        let values = floats.iter().copied().filter(|&it| it > 0.0).collect();
        let sparse = SparseRows::new(3, vec![0, 2, 4, 5, 6], columns, values).unwrap();
        for inputs in [Inputs::Bytes(bytes), Inputs::Doubles(doubles), Inputs::Sparse(sparse)] {
            assert_eq!(fit(&(&set(inputs, 3)).into()), expected);
        }
    }

    #[test]
    fn units_change_nothing() {
        let values = vec![1.0, 7.0, 2.0, 7.0, 3.0, 7.0, 4.0, 7.0, 1e30, 7.0];
        let transform = Transform::fit(Normalization::Robust, &set(Inputs::Floats(values), 2));
        let (mut own, mut other) = ([0.0; 2], [0.0; 2]);
        transform.apply(Rows::Floats(&[2.5, 7.0]), 0, &mut own);
        let in_units = transform.in_units_of(255.0);
        assert!(in_units.check(2).is_ok());
        in_units.apply(Rows::Floats(&[2.5 * 255.0, 7.0 * 255.0]), 0, &mut other);
        assert!(own.iter().zip(other).all(|(a, b)| (a - b).abs() < 1e-6));
    }
}
