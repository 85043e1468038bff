//! The table of results: records in, ranked and printed best first.

use std::cmp::Reverse;

use gradus::training::Monitor;

use super::plan::Run;
use super::record::{End, Record};
use crate::run::output::table;

/// Sorts results, the best first; pruned runs come after the others.
pub(crate) fn rank(records: &mut [Record], monitor: Monitor) {
    let reached = |record: &Record| match record.outcome {
        End::GivenUp => record.figures.epochs,
        _ => usize::MAX,
    };
    records.sort_by(|a, b| {
        let diverged = |record: &Record| record.outcome == End::Diverged;
        let by_rung = (diverged(a), Reverse(reached(a))).cmp(&(diverged(b), Reverse(reached(b))));
        let by_figures = || a.figures.compare(&b.figures, monitor);
        by_rung.then_with(by_figures).then(a.run.cmp(&b.run))
    });
}

/// The lines of a table of the results, in their order.
pub(crate) fn show(records: &[Record], runs: &[Run], monitor: Monitor) -> Vec<String> {
    let mut monitors = vec![Monitor::ValAccuracy, Monitor::ValLoss];
    if !monitors.contains(&monitor) {
        monitors.insert(0, monitor);
    }
    let mut header: Vec<String> = vec!["rank".into(), "run".into()];
    header.extend(monitors.iter().map(|monitor| monitor.name().to_owned()));
    header.extend(["epochs", "seconds", "outcome"].map(String::from));
    header.extend(runs[0].options.iter().map(|(option, _)| option.clone()));
    let mut rows = vec![header];
    for (rank, record) in records.iter().enumerate() {
        let mut row = vec![(rank + 1).to_string(), record.run.to_string()];
        row.extend(monitors.iter().map(|&monitor| {
            record.figures.of(monitor).map_or("-".to_owned(), |value| format!("{value:.4}"))
        }));
        row.push(record.figures.epochs.to_string());
        row.push(format!("{:.2}", record.seconds));
        row.push(record.outcome.name().to_owned());
        row.extend(runs[record.run].options.iter().map(|(_, value)| value.clone()));
        rows.push(row);
    }
    table(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::halving::Figures;

    #[test]
    fn pruned_runs_come_last_by_how_far_they_came() {
        let record = |run, outcome, epochs, val_accuracy: f64| Record {
            run,
            outcome,
            options: [].into(),
            figures: Figures {
                epochs,
                val_accuracy: (outcome != End::Diverged).then_some(val_accuracy),
                ..Figures::default()
            },
            seconds: 0.0,
            rungs: Vec::new(),
            sweep: serde_json::Value::Null,
        };
        let mut records = vec![
            record(0, End::Diverged, 8, 0.0),
            record(1, End::GivenUp, 1, 0.99),
            record(2, End::GivenUp, 3, 0.5),
            record(3, End::Finished, 9, 0.7),
            record(4, End::GivenUp, 3, 0.6),
            record(5, End::NoProgress, 4, 0.8),
            record(6, End::Finished, 9, 0.7),
        ];
        rank(&mut records, Monitor::ValAccuracy);
        let order: Vec<_> = records.iter().map(|record| record.run).collect();
        assert_eq!(order, [5, 3, 6, 4, 2, 1, 0]);
    }
}
