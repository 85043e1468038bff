//! The columns of a schema in words.

use super::{CategoryForm, DropReason, Schema, SchemaColumn};

/// A column whose text is left out of messages after so many letters.
const LETTERS: usize = 60;

impl SchemaColumn {
    /// `number`, `category`, `date` or `dropped`.
    pub fn name(&self) -> &'static str {
        match self {
            SchemaColumn::Number(_) => "number",
            SchemaColumn::Category { .. } => "category",
            SchemaColumn::Time { .. } => "date",
            SchemaColumn::Dropped { .. } => "dropped",
        }
    }

    /// What the network gets of it: a few words.
    pub fn inputs(&self) -> String {
        let with_flag = |text: String, gaps: bool| match gaps {
            true => format!("{text}, flag of gaps"),
            false => text,
        };
        match self {
            SchemaColumn::Number(number) => {
                let inputs = with_flag("scaled".to_owned(), number.gaps);
                match number.values.len() {
                    0 => inputs,
                    values => format!("{inputs}, code of one of {values} values"),
                }
            }
            SchemaColumn::Category { values, form, .. } => match form {
                CategoryForm::Binary => format!("-1 for {}, 1 for {}", values[0], values[1]),
                CategoryForm::OneHot => {
                    let shown: String = values.join(", ");
                    match shown.chars().count() <= LETTERS {
                        true => format!("flags: {shown}"),
                        false => format!("flags of {} values", values.len()),
                    }
                }
                CategoryForm::Frequent => {
                    format!("flags of the {} most frequent values and of the others", values.len())
                }
                CategoryForm::Code => format!("code of one of {} values", values.len()),
            },
            SchemaColumn::Time { parts, gaps, .. } => {
                let parts: Vec<&str> = parts.iter().map(|it| it.part.name()).collect();
                with_flag(parts.join(", "), *gaps)
            }
            SchemaColumn::Dropped { why, .. } => why.words().to_owned(),
        }
    }
}

impl DropReason {
    /// Why, in a few words.
    pub fn words(self) -> &'static str {
        match self {
            DropReason::Constant => "the same value in all rows",
            DropReason::Empty => "no value in any row",
            DropReason::Identifier => "nearly every row has a text of its own, like an identifier",
        }
    }
}

impl Schema {
    /// A line for each column that is not used; `name` gives its name.
    pub fn notes(&self, name: impl Fn(usize) -> String) -> Vec<String> {
        let note = |(at, column): (usize, &SchemaColumn)| match column {
            SchemaColumn::Dropped { why, .. } => {
                let keep = match why {
                    DropReason::Identifier => " (`categorical` keeps it)",
                    DropReason::Constant | DropReason::Empty => "",
                };
                Some(format!("column {} is not used: {}{keep}", name(at), why.words()))
            }
            _ => None,
        };
        self.columns.iter().enumerate().filter_map(note).collect()
    }

    /// `9 numbers, 3 categories and 1 date as 41 inputs`.
    pub fn summary(&self) -> String {
        let count = |name: &str, plural: &str| {
            let count = self.columns.iter().filter(|column| column.name() == name).count();
            match count {
                0 => None,
                1 => Some(format!("1 {name}")),
                _ => Some(format!("{count} {plural}")),
            }
        };
        let found = [("number", "numbers"), ("category", "categories"), ("date", "dates")];
        let found: Vec<String> =
            found.into_iter().filter_map(|(name, plural)| count(name, plural)).collect();
        let found = match &found[..] {
            [.., _, _] => {
                let (last, others) = found.split_last().unwrap_or((&found[0], &[]));
                format!("{} and {last}", others.join(", "))
            }
            _ => found.concat(),
        };
        let width = self.width();
        format!("{found} as {width} input{}", if width == 1 { "" } else { "s" })
    }
}
