//! The importances of all columns as a table or JSON.

use anyhow::Result;
use gradus::classifier::{Importance, ImportanceSettings, Importances, Model};
use gradus::data::Dataset;
use serde_json::{Map, Value, json};

use crate::args::ExplainArgs;
use crate::run::describe::names_of_features;
use crate::run::output::{aligned, figure, print_json, stdout, table};
use crate::run::workers::workers;

/// Columns that are listed; `--json` has all of them.
const MOST_LISTED: usize = 50;

pub(super) fn explain(model: &Model, name: &str, data: &Dataset, args: &ExplainArgs) -> Result<()> {
    let default = ImportanceSettings::default();
    let settings = ImportanceSettings {
        repeats: args.repeats.unwrap_or(default.repeats),
        most_samples: args.samples.or(default.most_samples),
        seed: args.seed.unwrap_or(default.seed),
    };
    let found = model.importances(data, &settings, &workers(args.threads, data.len())?)?;
    let names = names_of_features(model);
    if args.json {
        return print_json(&as_json(name, &names, &settings, &found));
    }
    let [(first, before), (second, loss)] = found.scores;
    let (samples, all, repeats) = (found.samples, data.len(), settings.repeats);
    let mut out = stdout();
    out.line(format_args!(
        "{name}: {samples} of {all} samples, {} {}, {} {}",
        first.name(),
        figure(before),
        second.name(),
        figure(loss)
    ))?;
    out.lines(["", "How much worse these become when a column is shuffled"])?;
    out.line(format_args!("(mean and standard deviation of {repeats} shuffles):"))?;
    out.line("")?;
    let heading = ["column", first.name(), "std", second.name(), "std"].map(String::from).to_vec();
    let order = found.order();
    let shown = &order[..order.len().min(MOST_LISTED)];
    let figures = [0, 1].map(|score| {
        let of = |&at: &usize| {
            let it = &found.columns[at].by_score[score];
            [it.mean, it.std]
        };
        aligned(&shown.iter().flat_map(of).collect::<Vec<f64>>())
    });
    let row = |(at, &column): (usize, &usize)| {
        let figures = figures.iter().flat_map(|it| it[2 * at..][..2].to_vec());
        [names[column].clone()].into_iter().chain(figures).collect()
    };
    let rows: Vec<Vec<String>> = shown.iter().enumerate().map(row).collect();
    out.lines(table(&[vec![heading], rows].concat()))?;
    match order.len().saturating_sub(MOST_LISTED) {
        0 => Ok(()),
        more => out.line(format_args!("... and {more} less important columns (--json lists all)")),
    }
}

fn as_json(
    name: &str,
    names: &[String],
    settings: &ImportanceSettings,
    found: &Importances,
) -> Value {
    let keys = found.scores.map(|(score, _)| score.key());
    let importance =
        |it: &Importance| json!({"mean": it.mean, "std": it.std, "repeats": it.repeats});
    let column = |at: usize| {
        let mut fields = Map::new();
        fields.insert("column".into(), json!(names[at]));
        for (key, it) in keys.iter().zip(&found.columns[at].by_score) {
            fields.insert((*key).into(), importance(it));
        }
        Value::Object(fields)
    };
    let mut all = json!({
        "data": name,
        "samples": found.samples,
        "repeats": settings.repeats,
        "seed": settings.seed,
        "importances": found.order().into_iter().map(column).collect::<Vec<_>>(),
    });
    for (score, value) in found.scores {
        all[score.key()] = json!(value);
    }
    all
}
