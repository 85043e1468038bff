//! Fits a schema to the training part of a table.

use std::cmp::{Ordering, Reverse};
use std::collections::HashMap;

use super::calendar::TimePart;
use super::scale::Scale;
use super::{
    CategoryForm, DropReason, MOST_FLAGS, MOST_FREQUENT, MOST_VALUES, Scaled, ScaledPart, Schema,
    SchemaColumn,
};
use crate::error::Result;
use crate::samples::{ColumnType, Inputs, RawColumn, Subset, TEXT_GAP, TIME_GAP, Table};
use crate::transform::normalize::Normalization;
use crate::transform::robust::GROUP_BYTES;

/// A text is an identifier if so large a share of the rows have a text of their own ...
const IDENTIFIER_SHARE: f64 = 0.95;

/// ... and there are more different texts than this.
const FEW_TEXTS: usize = 20;

/// Values that get codes are in at least so many rows: from fewer nothing is learned but these rows. Of the categories of a
/// small table, a hundredth of its rows is enough.
const LEAST_ROWS: usize = 10;

/// Of a number, no more than these get codes, the most frequent.
const MOST_TOLD_APART: usize = 512;

/// Times whose parts are kept: many rows have the same time.
const KEPT_TIMES: usize = 1 << 16;

impl Schema {
    /// What the columns of `table` are, of which `rows` are the training part. Numbers are scaled by `kind`;
    /// `codes` says whether the network takes categories of many values as codes.
    pub fn fit(kind: Normalization, table: &Table, rows: Subset, codes: bool) -> Schema {
        let column = |raw: &RawColumn| {
            let mut found = Found::none(raw);
            found.add(raw, rows.indices());
            found.column(kind, raw, codes, rows.len())
        };
        Schema { columns: table.columns().iter().map(column).collect() }
    }

    /// The same of raw columns that are not in memory, as in `table`, which has one of the rows. The values of a few columns are
    /// in memory at a time; the samples are read once for each such group.
    pub(in crate::transform) fn fit_streamed(
        kind: Normalization,
        table: &Table,
        rows: Subset,
        codes: bool,
    ) -> Result<Schema> {
        let mut columns = Vec::new();
        while columns.len() < table.columns().len() {
            let first = columns.len();
            let group = first..first + group(&table.columns()[first..], rows.len());
            let raw = &table.columns()[group.clone()];
            let mut found: Vec<Found> = raw.iter().map(Found::none).collect();
            rows.each_piece(|piece| {
                if let Inputs::Table(table) = &piece.inputs {
                    for (found, raw) in found.iter_mut().zip(&table.columns()[group.clone()]) {
                        found.add(raw, 0..raw.len());
                    }
                }
                Ok(())
            })?;
            let pairs = found.into_iter().zip(raw);
            columns.extend(pairs.map(|(found, raw)| found.column(kind, raw, codes, rows.len())));
        }
        Ok(Schema { columns })
    }
}

/// How many of these columns are fitted at a time, of so many rows.
fn group(columns: &[RawColumn], rows: usize) -> usize {
    let mut bytes = 0_usize;
    let fits = columns.iter().take_while(|column| {
        let values = match column {
            RawColumn::Text { values, .. } => values.len(),
            RawColumn::Numbers(_) | RawColumn::Times(_) => rows,
        };
        bytes = bytes.saturating_add(8 * values);
        bytes <= GROUP_BYTES
    });
    fits.count().max(1)
}

/// What a column of the training part holds, in any order of its rows.
enum Found {
    /// All numbers; gaps are left out.
    Numbers(Vec<f64>),
    /// How often each text occurs.
    Counts(Vec<usize>),
    /// All times; gaps are left out.
    Times(Vec<i64>),
}

impl Found {
    /// Of no rows yet.
    fn none(raw: &RawColumn) -> Found {
        match raw {
            RawColumn::Numbers(_) => Found::Numbers(Vec::new()),
            RawColumn::Text { values, .. } => Found::Counts(vec![0; values.len()]),
            RawColumn::Times(_) => Found::Times(Vec::new()),
        }
    }

    /// Adds some rows of the column.
    fn add(&mut self, raw: &RawColumn, rows: impl Iterator<Item = usize>) {
        match (self, raw) {
            (Found::Numbers(all), RawColumn::Numbers(values)) => {
                all.extend(rows.map(|row| values[row]).filter(|value| !value.is_nan()));
            }
            (Found::Counts(counts), RawColumn::Text { codes, .. }) => {
                let found = rows.map(|row| codes[row]).filter(|&code| code != TEXT_GAP);
                found.for_each(|code| counts[code as usize] += 1);
            }
            (Found::Times(all), RawColumn::Times(values)) => {
                all.extend(rows.map(|row| values[row]).filter(|&it| it != TIME_GAP));
            }
            // A column has one type.
            _ => {}
        }
    }

    /// What the column is, of a training part of so many rows.
    fn column(
        self,
        kind: Normalization,
        raw: &RawColumn,
        codes: bool,
        rows: usize,
    ) -> SchemaColumn {
        match (self, raw) {
            (Found::Counts(counts), RawColumn::Text { values, is_chosen, .. }) => {
                category(&counts, values, *is_chosen, codes, rows)
            }
            // Text has counts.
            (Found::Counts(_), _) => {
                SchemaColumn::Dropped { kind: raw.kind(), why: DropReason::Empty }
            }
            (Found::Numbers(values), _) => number(kind, values, codes, rows),
            (Found::Times(values), _) => time(kind, &values, rows),
        }
    }
}

/// The column is dropped: it has no value at all, or a single one and no gaps.
fn useless(kind: ColumnType, is_empty: bool, is_constant: bool) -> Option<SchemaColumn> {
    let why = match (is_empty, is_constant) {
        (true, _) => DropReason::Empty,
        (false, true) => DropReason::Constant,
        (false, false) => return None,
    };
    Some(SchemaColumn::Dropped { kind, why })
}

/// A number, of `rows` rows of which some may be gaps, which are not among the `values`.
fn number(kind: Normalization, values: Vec<f64>, codes: bool, rows: usize) -> SchemaColumn {
    let gaps = values.len() < rows;
    let is_constant = values.windows(2).all(|pair| pair[0] == pair[1]);
    if let Some(dropped) = useless(ColumnType::Number, values.is_empty(), is_constant && !gaps) {
        return dropped;
    }
    let typical = Some(median(&mut values.clone(), f64::total_cmp));
    let told_apart = if codes { told_apart(values.clone()) } else { Vec::new() };
    SchemaColumn::Number(Scaled {
        scale: Scale::fit(kind, values),
        gaps,
        typical,
        values: told_apart,
    })
}

/// The values of a number that get codes, in ascending order. Such a column has one value in most rows and single amounts
/// in the others, like the capital gains of a census: what an amount means is known from the rows that have exactly it,
/// and neighbours on the scale of the column are too close for a smooth function. None if the quartiles differ, if there
/// are few such values, or if most of the other rows have values that do not come back.
fn told_apart(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let (count, quarter) = (values.len(), values.len() / 4);
    let usual = values[count / 2];
    if values[quarter] != usual || values[count - 1 - quarter] != usual {
        return Vec::new();
    }
    // The sum makes 0 of -0.
    let runs = values.chunk_by(|a, b| a == b).map(|run| (run[0] + 0.0, run.len()));
    let mut frequent: Vec<_> = runs.filter(|&(_, rows)| rows >= LEAST_ROWS).collect();
    frequent.sort_by_key(|&(_, rows)| Reverse(rows));
    frequent.truncate(MOST_TOLD_APART);
    let others = values.iter().filter(|&&value| value != usual).count();
    let covered = frequent.iter().filter(|(value, _)| *value != usual);
    let covered: usize = covered.map(|(_, rows)| rows).sum();
    if frequent.len() <= MOST_FLAGS || 2 * covered < others {
        return Vec::new();
    }
    let mut found: Vec<f64> = frequent.into_iter().map(|(value, _)| value).collect();
    found.sort_by(f64::total_cmp);
    found
}

fn category(
    counts: &[usize],
    texts: &[String],
    is_chosen: bool,
    codes: bool,
    rows: usize,
) -> SchemaColumn {
    let mut known: Vec<usize> = (0..counts.len()).filter(|&code| counts[code] > 0).collect();
    let filled: usize = counts.iter().sum();
    let is_constant = known.len() == 1 && filled == rows;
    if let Some(dropped) = useless(ColumnType::Text, known.is_empty(), is_constant) {
        return dropped;
    }
    let is_unique = known.len() as f64 >= IDENTIFIER_SHARE * filled as f64;
    if is_unique && known.len() > FEW_TEXTS && !is_chosen {
        return SchemaColumn::Dropped { kind: ColumnType::Text, why: DropReason::Identifier };
    }
    if codes && known.len() > MOST_FLAGS {
        let least = (rows / 100).min(LEAST_ROWS);
        // The others have the code of unknown values, which learns from them what a value means that training has not seen.
        let is_frequent = |code: &usize| counts[*code] >= least;
        if known.iter().any(is_frequent) {
            known.retain(is_frequent);
        }
    }
    let (form, most) = match known.len() {
        2 => (CategoryForm::Binary, 2),
        1..=MOST_FLAGS => (CategoryForm::OneHot, MOST_FLAGS),
        _ if codes => (CategoryForm::Code, MOST_VALUES),
        // Without rarer values in the training part, nothing would be learned about a flag for them.
        0..=MOST_FREQUENT => (CategoryForm::OneHot, MOST_FREQUENT),
        _ => (CategoryForm::Frequent, MOST_FREQUENT),
    };
    // Of equally frequent values the order of their texts decides, so that the order of the rows does not.
    known.sort_by(|&a, &b| counts[b].cmp(&counts[a]).then_with(|| texts[a].cmp(&texts[b])));
    known.truncate(most);
    let typical = known.first().map(|&code| texts[code].clone());
    let mut values: Vec<String> = known.into_iter().map(|code| texts[code].clone()).collect();
    values.sort_by(|a, b| number_of(a).total_cmp(&number_of(b)).then_with(|| a.cmp(b)));
    SchemaColumn::Category { values, form, typical }
}

/// The value in the middle, the lower one of two. There is at least one value.
fn median<T: Copy>(values: &mut [T], order: impl Fn(&T, &T) -> Ordering) -> T {
    let middle = (values.len() - 1) / 2;
    *values.select_nth_unstable_by(middle, order).1
}

/// Numbers come first, by value.
fn number_of(text: &str) -> f64 {
    text.parse().unwrap_or(f64::INFINITY)
}

fn time(kind: Normalization, values: &[i64], rows: usize) -> SchemaColumn {
    let gaps = values.len() < rows;
    let is_constant = values.windows(2).all(|pair| pair[0] == pair[1]);
    if let Some(dropped) = useless(ColumnType::Time, values.is_empty(), is_constant && !gaps) {
        return dropped;
    }
    let mut known: HashMap<i64, [f64; TimePart::ALL.len()]> = HashMap::new();
    for &value in values {
        if known.len() == KEPT_TIMES {
            break;
        }
        known.entry(value).or_insert_with(|| TimePart::ALL.map(|part| part.of(value)));
    }
    let part = |(at, part): (usize, TimePart)| {
        let of = |value: &i64| known.get(value).map_or_else(|| part.of(*value), |it| it[at]);
        let values: Vec<f64> = values.iter().map(of).collect();
        if values.windows(2).all(|pair| pair[0] == pair[1]) {
            return None;
        }
        let scale = match part.is_flag() {
            true => Scale::IDENTITY,
            false => Scale::fit(kind, values),
        };
        Some(ScaledPart { part, scale })
    };
    let parts = TimePart::ALL.into_iter().enumerate().filter_map(part).collect();
    let typical = Some(median(&mut values.to_vec(), i64::cmp));
    SchemaColumn::Time { parts, gaps, typical }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{Cell, Dataset, Targets};
    use crate::transform::columns::EncodedColumn;
    use std::sync::Arc;

    fn text(cells: &[&str]) -> RawColumn {
        let mut values: Vec<String> = Vec::new();
        let code = |cell: &&str| {
            if cell.is_empty() {
                return TEXT_GAP;
            }
            let found = values.iter().position(|value| value == cell);
            found.unwrap_or_else(|| {
                values.push((*cell).to_owned());
                values.len() - 1
            }) as u32
        };
        let codes = cells.iter().map(code).collect();
        RawColumn::Text { codes, values: Arc::new(values), is_chosen: false }
    }

    fn fit_all(columns: Vec<RawColumn>, codes: bool) -> Schema {
        let table = Table::new(columns).unwrap();
        let targets = Targets::Values { values: vec![0.0; table.rows()], names: vec!["y".into()] };
        let shape = vec![table.columns().len()];
        let inputs = Inputs::Table(table.clone());
        let data = Dataset::with_targets(inputs, targets, shape).unwrap();
        Schema::fit(Normalization::Standard, &table, Subset::from(&data), codes)
    }

    #[test]
    fn kinds_follow_the_training_part() {
        let names: Vec<String> = (0..30).map(|at| format!("n{at}")).collect();
        let unique: Vec<&str> = names.iter().map(String::as_str).collect();
        let repeated =
            |count: usize| -> Vec<&str> { (0..30).map(|at| unique[at % count]).collect() };
        let mut with_gap = vec![2.0; 30];
        with_gap[3] = f64::NAN;
        let mut chosen = text(&unique);
        if let RawColumn::Text { is_chosen, .. } = &mut chosen {
            *is_chosen = true;
        }
        let columns = vec![
            RawColumn::Numbers((0..30).map(f64::from).collect()),
            RawColumn::Numbers(vec![5.0; 30]),
            RawColumn::Numbers(vec![f64::NAN; 30]),
            RawColumn::Numbers(with_gap),
            text(&repeated(2)),
            text(&repeated(8)),
            text(&repeated(9)),
            text(&unique),
            chosen,
            text(&repeated(1)),
            RawColumn::Times((0..30).map(|at| at * 86_400).collect()),
        ];
        let schema = fit_all(columns, true);
        let why = |at: usize| match schema.columns()[at] {
            SchemaColumn::Dropped { why, .. } => Some(why),
            _ => None,
        };
        assert_eq!(why(1), Some(DropReason::Constant));
        assert_eq!(why(2), Some(DropReason::Empty));
        assert_eq!(why(7), Some(DropReason::Identifier));
        assert_eq!(why(9), Some(DropReason::Constant));
        use EncodedColumn::{Code, Flag, Number};
        let mut expected = vec![Number, Number, Flag, Flag];
        expected.extend([Flag; 8]);
        expected.extend([Code { values: 9 }, Code { values: 30 }]);
        // All in January 1970, at midnight: day of the week, sine, cosine, elapsed.
        expected.extend([Number, Flag, Flag, Number]);
        assert_eq!(schema.encoded(), expected);
        assert_eq!(schema.width(), expected.len());
        schema.check(11).unwrap();
        let typical = |at: usize| schema.columns()[at].typical();
        assert_eq!(typical(0), Cell::Number(14.0));
        assert_eq!((typical(1), typical(3)), (Cell::Gap, Cell::Number(2.0)));
        assert_eq!((typical(4), typical(10)), (Cell::Text("n0".into()), Cell::Time(14 * 86_400)));
        let text = serde_json::to_string(&schema).unwrap();
        assert_eq!(serde_json::from_str::<Schema>(&text).unwrap(), schema);
    }

    #[test]
    fn rare_categories_count_as_unknown_in_large_tables() {
        // Twelve values in 100 rows and more, one in 10, one in 9, and more in one row each.
        let counts = |single: usize| {
            let mut counts: Vec<usize> = (0..12).map(|at| 100 + at).collect();
            counts.extend([10, 9]);
            counts.extend(vec![1; single]);
            counts
        };
        let texts: Vec<String> = (0..1000).map(|at| format!("v{at:03}")).collect();
        let of = |counts: &[usize], codes: bool, rows: usize| match category(
            counts, &texts, false, codes, rows,
        ) {
            SchemaColumn::Category { values, form, .. } => (values.len(), form),
            other => panic!("{other:?}"),
        };
        assert_eq!(of(&counts(50), true, 10_000), (13, CategoryForm::Code));
        assert_eq!(of(&counts(50), true, 900), (14, CategoryForm::Code));
        // As many as there are in a small table, and as flags of their own where nothing is embedded.
        assert_eq!(of(&counts(50), true, 199), (64, CategoryForm::Code));
        assert_eq!(of(&counts(40), false, 10_000), (54, CategoryForm::OneHot));
        // Few frequent ones need no embedding; where no value is frequent, all are told apart.
        assert_eq!(
            of(&[&[500; 5][..], &[1; 50]].concat(), true, 10_000),
            (5, CategoryForm::OneHot)
        );
        assert_eq!(of(&[5; 500], true, 10_000), (500, CategoryForm::Code));
    }

    #[test]
    fn only_the_rows_of_the_training_part_count() {
        let columns =
            vec![RawColumn::Numbers(vec![1.0, 3.0, 100.0, f64::NAN]), text(&["a", "b", "c", ""])];
        let table = Table::new(columns).unwrap();
        let targets = Targets::Values { values: vec![0.0; 4], names: vec!["y".into()] };
        let inputs = Inputs::Table(table.clone());
        let data = Dataset::with_targets(inputs, targets, vec![2]).unwrap();
        let rows = Subset::new(&data, &[0, 1]).unwrap();
        let schema = Schema::fit(Normalization::Standard, &table, rows, false);
        let SchemaColumn::Number(number) = &schema.columns()[0] else { panic!("no number") };
        assert_eq!((number.scale.mean, number.gaps), (2.0, false));
        let values = vec!["a".to_owned(), "b".to_owned()];
        let form = CategoryForm::Binary;
        assert_eq!(
            schema.columns()[1],
            SchemaColumn::Category { values, form, typical: Some("a".into()) }
        );
    }

    #[test]
    fn amounts_that_come_back_get_codes() {
        // Three quarters and more are 0, as a negative zero, too; twelve amounts are in 10 rows each, others in one.
        let amounts = |different: usize, single: usize| -> Vec<f64> {
            let mut values = vec![0.0; 700];
            values.extend([-0.0; 20]);
            (0..different).for_each(|at| values.extend([1000.0 - at as f64; LEAST_ROWS]));
            values.extend((0..single).map(|at| 0.5 + at as f64));
            values
        };
        let of = |values: Vec<f64>| match number(Normalization::Robust, values, true, 2000) {
            SchemaColumn::Number(number) => number,
            other => panic!("{other:?}"),
        };
        let found = of(amounts(12, 30));
        let mut expected = vec![0.0];
        expected.extend((989..=1000).map(f64::from));
        assert_eq!(found.values, expected);
        let codes = [0.0, -0.0, 989.0, 1000.0, 0.5, 988.5, f64::NAN, f64::INFINITY];
        assert_eq!(codes.map(|it| found.code(it)), [1.0, 1.0, 2.0, 13.0, 0.0, 0.0, 0.0, 0.0]);
        found.check().unwrap();
        // Few amounts; amounts that mostly do not come back; quartiles that differ; no codes.
        assert!(!of(amounts(7, 0)).has_code());
        assert!(!of(amounts(12, 121)).has_code());
        let spread = (0..100).flat_map(|at| [f64::from(at); LEAST_ROWS]).collect();
        assert!(!of(spread).has_code());
        let without = number(Normalization::Robust, amounts(12, 0), false, 2000);
        assert!(matches!(without, SchemaColumn::Number(number) if !number.has_code()));
        // No more than the most frequent.
        let mut many = vec![3.0; 20_000];
        (0..600).for_each(|at| many.extend(vec![10.0 + f64::from(at); 10 + at as usize % 2]));
        let found = of(many);
        assert_eq!(found.values.len(), MOST_TOLD_APART);
        let frequent = (0..600).filter(|at| at % 2 == 1);
        assert!(frequent.clone().all(|at| found.code(10.0 + f64::from(at)) > 0.0));
        let text = serde_json::to_string(&SchemaColumn::Number(found.clone())).unwrap();
        assert_eq!(
            serde_json::from_str::<SchemaColumn>(&text).unwrap(),
            SchemaColumn::Number(found)
        );
    }

    #[test]
    fn numbers_of_older_models_have_no_codes() {
        let text = r#"{"number":{"scale":{"mean":1.0,"deviation":2.0,"fill":0.0},"gaps":false}}"#;
        let SchemaColumn::Number(number) = serde_json::from_str(text).unwrap() else { panic!() };
        assert!(!number.has_code() && number.code(1.0) == 0.0);
        for values in [vec![2.0, 1.0], vec![1.0, 1.0], vec![f64::NAN], vec![f64::INFINITY]] {
            assert!(Scaled { values, ..number.clone() }.check().is_err());
        }
    }

    #[test]
    fn without_codes_frequent_values_have_flags() {
        let texts: Vec<String> = (0..300).map(|at| format!("v{}", at % 100)).collect();
        let mut cells: Vec<&str> = texts.iter().map(String::as_str).collect();
        cells.extend(["v99"; 5]);
        let schema = fit_all(vec![text(&cells)], false);
        // Each twice: values that occur once look like identifiers.
        let few = fit_all(vec![text(&[&cells[..60], &cells[..60]].concat())], false);
        assert_eq!(few.width(), 60);
        let SchemaColumn::Category { values, form, typical } = &schema.columns()[0] else {
            panic!()
        };
        assert_eq!((values.len(), *form, schema.width()), (64, CategoryForm::Frequent, 65));
        assert!(values.contains(&"v99".to_owned()) && typical.as_deref() == Some("v99"));
    }
}
