//! The values of a table's cells in words and as JSON.

use gradus::data::Cell;
use gradus::transform::columns::time_text;
use serde_json::{Value, json};

/// What stands for a gap.
pub(crate) const GAP: &str = "missing";

/// A value as text: `2024-05-01 12:30:05` for a time, `missing` for a gap.
pub(crate) fn cell_text(cell: &Cell) -> String {
    match cell {
        // Numbers of single precision with the digits that they have.
        Cell::Number(value) if f64::from(*value as f32) == *value => (*value as f32).to_string(),
        Cell::Number(value) => value.to_string(),
        Cell::Text(text) => text.clone(),
        Cell::Time(seconds) => time_text(*seconds),
        Cell::Gap => GAP.to_owned(),
    }
}

/// A value as JSON: a number, a text, or null.
pub(crate) fn cell_json(cell: &Cell) -> Value {
    match cell {
        Cell::Number(_) => json!(cell_text(cell).parse::<f64>().ok()),
        Cell::Gap => Value::Null,
        Cell::Text(_) | Cell::Time(_) => json!(cell_text(cell)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_short() {
        let cells = [
            Cell::Number(0.1),
            Cell::Number(0.1_f32.into()),
            Cell::Text("a".into()),
            Cell::Gap,
            Cell::Time(86_400),
        ];
        assert_eq!(cells.each_ref().map(cell_text), ["0.1", "0.1", "a", "missing", "1970-01-02"]);
        assert_eq!(
            json!(cells.each_ref().map(cell_json)).to_string(),
            r#"[0.1,0.1,"a",null,"1970-01-02"]"#
        );
    }
}
