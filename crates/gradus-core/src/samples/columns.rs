//! The columns of a table: which are features, which targets, and what they are called.
//!
//! In: what a reader finds in a header, or what a model file says. Out: where a model's features are in its
//! own table, and what they are called, so that other tables can be matched by name.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Spellings of a gap in a cell of a table, besides the empty cell.
pub const GAP_SPELLINGS: [&str; 11] =
    ["NA", "N/A", "#N/A", "NaN", "nan", "null", "NULL", "None", "?", "<NA>", "NaT"];

/// The columns of the table that samples come from. Samples have one feature for each column that is
/// neither a target nor dropped, in the order of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Columns {
    /// Number of columns.
    count: usize,
    /// Their names, if the table has a header; an unnamed column is "".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    names: Option<Vec<String>>,
    /// Positions of the targets, in the order of the model's outputs for values.
    #[serde(default)]
    targets: Vec<usize>,
    /// Positions of columns that are neither features nor targets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    dropped: Vec<usize>,
    /// Spellings of gaps in place of the usual ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    missing: Option<Vec<String>>,
    /// What comes first in the dates of columns, by their positions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    date_orders: Vec<(usize, DateOrder)>,
}

/// What comes first in dates such as 05/01/2024.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateOrder {
    /// The day.
    DayFirst,
    /// The month.
    MonthFirst,
}

impl DateOrder {
    /// Both.
    pub const ALL: [DateOrder; 2] = [DateOrder::DayFirst, DateOrder::MonthFirst];

    /// The name used in options.
    pub fn name(self) -> &'static str {
        match self {
            DateOrder::DayFirst => "day-first",
            DateOrder::MonthFirst => "month-first",
        }
    }
}

impl Columns {
    /// The columns of a table of `count` columns.
    ///
    /// # Errors
    /// `InvalidArgument` if there is not one name for each column, or a position is out of range or given
    /// twice.
    pub fn new(
        count: usize,
        names: Option<Vec<String>>,
        targets: Vec<usize>,
        dropped: Vec<usize>,
    ) -> Result<Columns> {
        let (missing, date_orders) = (None, Vec::new());
        let columns = Columns { count, names, targets, dropped, missing, date_orders };
        columns.check_positions()?;
        Ok(columns)
    }

    /// The columns of a table of features alone, such as a data frame.
    pub fn of_features(names: Vec<String>) -> Columns {
        let count = names.len();
        Columns {
            count,
            names: Some(names),
            targets: vec![],
            dropped: vec![],
            missing: None,
            date_orders: vec![],
        }
    }

    /// The same columns, in whose cells these texts are gaps, in place of the usual ones.
    pub fn with_missing(self, missing: Option<Vec<String>>) -> Columns {
        Columns { missing, ..self }
    }

    /// The same columns, with what comes first in the dates of each feature.
    pub fn with_date_orders(self, orders: Vec<Option<DateOrder>>) -> Columns {
        let orders = self.features().into_iter().zip(orders);
        let date_orders = orders.filter_map(|(at, order)| Some((at, order?))).collect();
        Columns { date_orders, ..self }
    }

    /// What comes first in the dates of a feature, if the table had such dates.
    pub fn date_order(&self, feature: usize) -> Option<DateOrder> {
        if self.date_orders.is_empty() {
            return None;
        }
        let at = *self.features().get(feature)?;
        self.date_orders.iter().find(|(place, _)| *place == at).map(|(_, order)| *order)
    }

    /// The texts that are gaps, if they are not the usual ones.
    pub fn missing(&self) -> Option<&[String]> {
        self.missing.as_deref()
    }

    /// The same columns, without one that is a feature.
    ///
    /// # Errors
    /// `InvalidArgument` if it is no feature.
    pub fn without(&self, feature: usize) -> Result<Columns> {
        let mut columns = self.clone();
        columns.dropped.push(feature);
        columns.dropped.sort_unstable();
        columns.check_positions()?;
        Ok(columns)
    }

    /// Number of columns.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The names of all columns, if the table has a header.
    pub fn names(&self) -> Option<&[String]> {
        self.names.as_deref()
    }

    /// Positions of the targets.
    pub fn targets(&self) -> &[usize] {
        &self.targets
    }

    /// Positions of columns that are neither features nor targets.
    pub fn dropped(&self) -> &[usize] {
        &self.dropped
    }

    /// Positions of the features, in order.
    pub fn features(&self) -> Vec<usize> {
        let is_feature = |at: &usize| !self.targets.contains(at) && !self.dropped.contains(at);
        (0..self.count).filter(is_feature).collect()
    }

    /// The names of the features in order, if the table has a header.
    pub fn feature_names(&self) -> Option<Vec<&str>> {
        let names = self.names.as_ref()?;
        Some(self.features().into_iter().map(|at| names[at].as_str()).collect())
    }

    /// Checks that there are this many features, and that the parts fit together.
    ///
    /// # Errors
    /// `InvalidArgument` naming what is wrong.
    pub fn check(&self, features: usize) -> Result<()> {
        self.check_positions()?;
        let found = self.count - self.targets.len() - self.dropped.len();
        match found == features {
            true => Ok(()),
            false => Err(Error::argument(format!(
                "its columns make {found} features, but it takes {features}"
            ))),
        }
    }

    fn check_positions(&self) -> Result<()> {
        let Columns { count, names, targets, dropped, .. } = self;
        if names.as_ref().is_some_and(|names| names.len() != *count) {
            return Err(Error::argument(format!("the names do not fit {count} columns")));
        }
        let mut positions = [&targets[..], dropped].concat();
        positions.sort_unstable();
        let twice = positions.windows(2).any(|pair| pair[0] == pair[1]);
        match positions.last().is_some_and(|last| last >= count) || twice {
            true => Err(Error::argument(format!(
                "the positions of targets and dropped columns do not fit {count} columns"
            ))),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Option<Vec<String>> {
        Some(names.iter().map(|&name| name.to_owned()).collect())
    }

    #[test]
    fn features_are_what_is_neither_target_nor_dropped() {
        let all = names(&["id", "b", "kind", "a"]);
        let columns = Columns::new(4, all, vec![2], vec![0]).unwrap();
        assert_eq!(columns.features(), [1, 3]);
        assert_eq!(columns.feature_names().unwrap(), ["b", "a"]);
        columns.check(2).unwrap();
        assert!(columns.check(3).is_err());
        let text = serde_json::to_string(&columns).unwrap();
        let expected = r#"{"count":4,"names":["id","b","kind","a"],"targets":[2],"dropped":[0]}"#;
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<Columns>(&text).unwrap(), columns);
        let unnamed = Columns::new(2, None, vec![0], vec![]).unwrap();
        assert_eq!(serde_json::to_string(&unnamed).unwrap(), r#"{"count":2,"targets":[0]}"#);
        assert_eq!(unnamed.feature_names(), None);
    }

    #[test]
    fn positions_must_fit() {
        assert!(Columns::new(2, names(&["a"]), vec![], vec![]).is_err());
        assert!(Columns::new(2, None, vec![2], vec![]).is_err());
        assert!(Columns::new(2, None, vec![1], vec![1]).is_err());
    }
}
