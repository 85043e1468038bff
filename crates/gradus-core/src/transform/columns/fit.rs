//! Fits a schema to the training part of a table.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::calendar::TimePart;
use super::scale::Scale;
use super::{
    CategoryForm, DropReason, MOST_FLAGS, MOST_FREQUENT, MOST_VALUES, Scaled, ScaledPart, Schema,
    SchemaColumn,
};
use crate::samples::{ColumnType, RawColumn, Subset, TEXT_GAP, TIME_GAP, Table};
use crate::transform::normalize::Normalization;

/// A text is an identifier if so large a share of the rows have a text of their own ...
const IDENTIFIER_SHARE: f64 = 0.95;

/// ... and there are more different texts than this.
const FEW_TEXTS: usize = 20;

impl Schema {
    /// What the columns of `table` are, of which `rows` are the training part. Numbers are scaled by `kind`;
    /// `codes` says whether the network takes categories of many values as codes.
    pub fn fit(kind: Normalization, table: &Table, rows: Subset, codes: bool) -> Schema {
        let column = |raw: &RawColumn| match raw {
            RawColumn::Numbers(values) => {
                let all = rows.indices().map(|row| values[row]);
                number(kind, all.filter(|value| !value.is_nan()).collect(), rows.len())
            }
            RawColumn::Text { codes: texts, values, is_chosen } => {
                let mut counts = vec![0_usize; values.len()];
                let found = rows.indices().map(|row| texts[row]).filter(|&code| code != TEXT_GAP);
                found.for_each(|code| counts[code as usize] += 1);
                category(&counts, values, *is_chosen, codes, rows.len())
            }
            RawColumn::Times(values) => {
                let all = rows.indices().map(|row| values[row]);
                time(kind, &all.filter(|&it| it != TIME_GAP).collect::<Vec<_>>(), rows.len())
            }
        };
        Schema { columns: table.columns().iter().map(column).collect() }
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
fn number(kind: Normalization, values: Vec<f64>, rows: usize) -> SchemaColumn {
    let gaps = values.len() < rows;
    let is_constant = values.windows(2).all(|pair| pair[0] == pair[1]);
    if let Some(dropped) = useless(ColumnType::Number, values.is_empty(), is_constant && !gaps) {
        return dropped;
    }
    let typical = Some(median(&mut values.clone(), f64::total_cmp));
    SchemaColumn::Number(Scaled { scale: Scale::fit(kind, values), gaps, typical })
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
    // Many rows have the same time.
    let mut known: HashMap<i64, [f64; TimePart::ALL.len()]> = HashMap::new();
    for &value in values {
        known.entry(value).or_insert_with(|| TimePart::ALL.map(|part| part.of(value)));
    }
    let part = |(at, part): (usize, TimePart)| {
        let values: Vec<f64> = values.iter().map(|value| known[value][at]).collect();
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
    use crate::samples::{Cell, Dataset, Inputs, Targets};
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
