//! The importances of columns, and what columns contribute to a prediction: figures in, bars out.

use super::curves::short;
use super::rows::{Mark, Row, rows};
use crate::classifier::{Contributions, Importances};

/// The importances of the columns with these names, the most important first, by one of the two figures of
/// [`Importances::scores`]; lines show one standard deviation to each side. Panics if there is not a name for each column, or
/// `score` is not 0 or 1.
pub fn importances(names: &[String], importances: &Importances, score: usize) -> String {
    assert_eq!(names.len(), importances.columns.len());
    let figure = importances.scores[score].0.name();
    let row = |at: usize| {
        let importance = &importances.columns[at].by_score[score];
        let (mean, std) = (short(importance.mean), short(importance.std));
        let words = format!("{}: {mean}, std {std}", names[at]);
        Row { name: names[at].clone(), value: importance.mean, spread: importance.std, words }
    };
    let repeats = importances.columns.first().map_or(0, |it| it.by_score[score].repeats.len());
    let note = format!("each shuffled {repeats} times; line: standard deviation");
    let axis = match score {
        0 => format!("loss of {figure}"),
        _ => format!("rise of {figure}"),
    };
    let found: Vec<Row> = importances.order().into_iter().map(row).collect();
    rows(&format!("Importance by {figure}"), &note, &axis, Mark::Bar, &found)
}

/// What each column adds to a prediction, the largest first. `names` are those of the columns, perhaps with their values, and
/// `output` is that of the prediction. Panics if there is not a name for each column.
pub fn contributions(names: &[String], contributions: &Contributions, output: &str) -> String {
    assert_eq!(names.len(), contributions.columns.len());
    let row = |at: usize| {
        let value = contributions.columns[at];
        let words =
            format!("{}: {}{}", names[at], if value > 0.0 { "+" } else { "" }, short(value));
        Row { name: names[at].clone(), value, spread: 0.0, words }
    };
    let note =
        format!("{} in place of {}", short(contributions.prediction), short(contributions.neutral));
    let found: Vec<Row> = contributions.order().into_iter().map(row).collect();
    rows(&format!("What adds to {output}"), &note, "adds to the prediction", Mark::Bar, &found)
}
