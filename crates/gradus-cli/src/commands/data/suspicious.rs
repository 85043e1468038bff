//! What is suspicious about a column of a table or its target: a line about it.

use std::collections::HashMap;

use gradus::data::{RawColumn, Targets};

/// A number is far out if it is so many times the distance of the quartiles away from the median.
const FAR: f64 = 100.0;

/// A class should have so many rows at least.
const FEW_ROWS: usize = 5;

/// Rows for each value of a column from which on the value can be said to give the target away.
const ROWS_OF_VALUE: usize = 5;

/// A column gives the target away if it explains more than this of it.
const EXPLAINED: f64 = 0.999;

/// What is suspicious about a feature.
pub(super) fn of_column(name: &str, raw: &RawColumn, targets: &Targets) -> Vec<String> {
    let tail = heavy_tail(raw).map(|value| {
        format!(
            "column {name} has values far from all others, such as {value}: check them, or leave the column out \
             with --drop"
        )
    });
    let leak = gives_away(raw, targets).then(|| {
        format!(
            "column {name} gives the target away: is it known before the target is? Leave it out with --drop \
             if not"
        )
    });
    tail.into_iter().chain(leak).collect()
}

/// What is suspicious about the target.
pub(super) fn of_targets(targets: &Targets) -> Vec<String> {
    let Targets::Classes { labels, names } = targets else { return Vec::new() };
    let mut counts = vec![0; names.len()];
    labels.iter().for_each(|&label| counts[label as usize] += 1);
    let few = names.iter().zip(counts).filter(|(_, count)| (1..FEW_ROWS).contains(count));
    let few: Vec<String> = few.map(|(name, count)| format!("{name} ({count})")).collect();
    match few.is_empty() {
        true => Vec::new(),
        false => vec![format!("classes with fewer than {FEW_ROWS} rows: {}", few.join(", "))],
    }
}

/// The number that is farthest out, if it is very far.
fn heavy_tail(raw: &RawColumn) -> Option<f64> {
    let RawColumn::Numbers(values) = raw else { return None };
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    sorted.sort_by(f64::total_cmp);
    let at = |share: usize| sorted.get(share * sorted.len() / 4).copied();
    let (lower, median, upper) = (at(1)?, at(2)?, at(3)?);
    let (least, most) = (*sorted.first()?, *sorted.last()?);
    let far = if most - median > median - least { most } else { least };
    ((far - median).abs() > FAR * (upper - lower) && upper > lower).then_some(far)
}

/// Whether rows with the same value have the same target, or a number is the target on another scale.
fn gives_away(raw: &RawColumn, targets: &Targets) -> bool {
    match targets {
        Targets::Classes { labels, names } => {
            let mut counts: HashMap<u64, HashMap<u32, usize>> = HashMap::new();
            for (row, &label) in labels.iter().enumerate().filter(|(row, _)| !raw.is_gap(*row)) {
                *counts.entry(key(raw, row)).or_default().entry(label).or_default() += 1;
            }
            let rows: usize = counts.values().flat_map(HashMap::values).sum();
            let right: usize = counts.values().filter_map(|it| it.values().max()).sum();
            let classes = labels.iter().collect::<std::collections::HashSet<_>>().len();
            // A column with few values for many classes, or one class alone, explains nothing.
            let is_telling = classes > 1 && names.len() > 1 && counts.len() >= classes;
            is_telling
                && rows >= ROWS_OF_VALUE * counts.len()
                && right as f64 > EXPLAINED * rows as f64
        }
        Targets::Values { values, names } if names.len() == 1 => {
            let RawColumn::Numbers(numbers) = raw else { return false };
            correlation(numbers, values).is_some_and(|it| it * it > EXPLAINED)
        }
        Targets::Labels { .. } | Targets::Values { .. } => false,
    }
}

/// A value of a column, to compare.
fn key(raw: &RawColumn, row: usize) -> u64 {
    match raw {
        RawColumn::Numbers(values) => values[row].to_bits(),
        RawColumn::Text { codes, .. } => codes[row].into(),
        RawColumn::Times(values) => values[row].cast_unsigned(),
    }
}

/// The correlation of numbers with the target, over rows without gaps.
fn correlation(numbers: &[f64], targets: &[f32]) -> Option<f64> {
    let pairs = || {
        let pairs = numbers.iter().zip(targets).filter(|(number, _)| !number.is_nan());
        pairs.map(|(&number, &target)| (number, f64::from(target)))
    };
    let count = pairs().count() as f64;
    let (a, b) = pairs().fold((0.0, 0.0), |(a, b), (x, y)| (a + x / count, b + y / count));
    let (xy, xx, yy) = pairs().fold((0.0, 0.0, 0.0), |(xy, xx, yy), (x, y)| {
        (xy + (x - a) * (y - b), xx + (x - a) * (x - a), yy + (y - b) * (y - b))
    });
    (count > 2.0 && xx > 0.0 && yy > 0.0).then(|| xy / (xx * yy).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn text(codes: Vec<u32>) -> RawColumn {
        let values = Arc::new(vec!["a".to_owned(), "b".to_owned(), "c".to_owned()]);
        RawColumn::Text { codes, values, is_chosen: false }
    }

    #[test]
    fn columns_that_give_the_target_away_are_found() {
        let labels: Vec<u32> = (0..60).map(|row| row % 2).collect();
        let names = vec!["no".to_owned(), "yes".to_owned()];
        let classes = Targets::Classes { labels: labels.clone(), names };
        assert!(gives_away(&text(labels.clone()), &classes));
        assert!(!gives_away(&text((0..60).map(|row| row / 3 % 3).collect()), &classes));
        // Every row has a value of its own.
        assert!(!gives_away(&RawColumn::Numbers((0..60).map(f64::from).collect()), &classes));
        let values: Vec<f32> = (0..60).map(|row| (row * row) as f32).collect();
        let targets = Targets::Values { values: values.clone(), names: vec!["y".into()] };
        let scaled = |noise: f64| {
            let number = |(row, &value): (usize, &f32)| {
                3.0 - 2.0 * f64::from(value) + noise * (row % 2) as f64
            };
            RawColumn::Numbers(values.iter().enumerate().map(number).collect())
        };
        assert!(gives_away(&scaled(0.0), &targets));
        assert!(!gives_away(&scaled(2000.0), &targets));
    }

    #[test]
    fn tails_and_rare_classes_are_found() {
        let mut values: Vec<f64> = (0..100).map(f64::from).collect();
        assert_eq!(heavy_tail(&RawColumn::Numbers(values.clone())), None);
        values[3] = -1e6;
        assert_eq!(heavy_tail(&RawColumn::Numbers(values)), Some(-1e6));
        let names = vec!["often".to_owned(), "once".to_owned()];
        let labels = (0..20).map(|row| u32::from(row == 7)).collect();
        let found = of_targets(&Targets::Classes { labels, names });
        assert_eq!(found, ["classes with fewer than 5 rows: once (1)"]);
    }
}
