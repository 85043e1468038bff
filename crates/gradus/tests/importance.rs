//! Importances, partial dependence and contributions against scikit-learn and NumPy (golden/make_importance.py).

mod common;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use common::golden::Golden;
use gradus::classifier::{DependenceSettings, ImportanceSettings, Model, Outputs, Score};
use gradus::data::{Cell, Dataset, Inputs, RawColumn, Rows, Subset, TEXT_GAP, Table, Targets};
use gradus::network::{Activation, Workers};
use gradus::optimizer::Optimizer;
use gradus::schedule::Schedule;
use gradus::training::{BatchSize, TrainConfig, train};
use gradus::transform::Transform;

const COLUMNS: usize = 3;

/// The model and the samples of one kind.
fn open(golden: &Golden, kind: &str) -> (Model, Dataset) {
    let classes = kind == "classes";
    let names: Vec<String> = if classes { vec!["a", "b", "c"] } else { vec!["y"] }
        .into_iter()
        .map(String::from)
        .collect();
    let sizes = [COLUMNS, 5, names.len()];
    let network = golden.network(&format!("{kind}/"), &sizes, Activation::Tanh);
    let t = golden.floats(&format!("{kind}/t"));
    let targets = match classes {
        true => Targets::Classes {
            labels: t.iter().map(|&it| it as u32).collect(),
            names: names.clone(),
        },
        false => Targets::Values { values: t, names: names.clone() },
    };
    let outputs = if classes { Outputs::classes(names) } else { Outputs::values(names) };
    let model = Model::new(network, Transform::IDENTITY, vec![COLUMNS], outputs).unwrap();
    let inputs = Inputs::Floats(golden.floats(&format!("{kind}/x")));
    (model, Dataset::with_targets(inputs, targets, vec![COLUMNS]).unwrap())
}

fn close(found: f64, expected: f32, what: &str) {
    let expected = f64::from(expected);
    let error = (found - expected).abs();
    assert!(error < 2e-5 * (1.0 + expected.abs()), "{what}: {found}, expected {expected}");
}

#[test]
fn importances_are_those_of_scikit_learn() {
    let golden = Golden::open("importance.npz");
    let workers = Workers::new(2).unwrap();
    for (kind, scores) in
        [("values", [Score::R2, Score::Rmse]), ("classes", [Score::Accuracy, Score::LogLoss])]
    {
        let (model, data) = open(&golden, kind);
        let orders = golden.array::<u32>(&format!("{kind}/orders"));
        let expected = golden.array::<f32>(&format!("{kind}/importances"));
        let repeats = expected.shape()[2];
        let settings = ImportanceSettings { repeats, most_samples: None, seed: 0 };
        let order = |column: usize, repeat: usize, samples: usize| {
            (0..samples).map(|at| orders[[column, repeat, at]] as usize).collect()
        };
        let found = model.importances_by(Subset::from(&data), &settings, &workers, order).unwrap();
        assert_eq!((found.samples, found.columns.len()), (data.len(), COLUMNS));
        for (at, score) in scores.into_iter().enumerate() {
            assert_eq!(found.scores[at].0, score);
            for (column, of_column) in found.columns.iter().enumerate() {
                let importance = &of_column.by_score[at];
                let row: Vec<f32> = (0..repeats).map(|it| expected[[at, column, it]]).collect();
                for (found, expected) in importance.repeats.iter().zip(&row) {
                    close(*found, *expected, &format!("{kind} {score:?} {column}"));
                }
                let mean = row.iter().sum::<f32>() / repeats as f32;
                let variance =
                    row.iter().map(|it| (it - mean).powi(2)).sum::<f32>() / repeats as f32;
                close(importance.mean, mean, "mean");
                close(importance.std, variance.sqrt(), "standard deviation");
            }
        }
        assert_eq!(found.order()[0], 0, "{kind}");
    }
}

#[test]
fn partial_dependence_is_that_of_scikit_learn() {
    let golden = Golden::open("importance.npz");
    let workers = Workers::new(1).unwrap();
    for kind in ["values", "classes"] {
        let (model, data) = open(&golden, kind);
        let grid = golden.floats(&format!("{kind}/grid"));
        let values = grid.iter().map(|&value| Cell::Number(value.into())).collect();
        let found = model.partial_dependence_at(&data, 1, values, &workers).unwrap();
        let expected = golden.floats(&format!("{kind}/dependence"));
        assert_eq!(found.means.len(), expected.len());
        for (found, expected) in found.means.iter().zip(&expected) {
            close(*found, *expected, kind);
        }
    }
}

#[test]
fn contributions_are_integrated_gradients() {
    let golden = Golden::open("importance.npz");
    for kind in ["values", "classes"] {
        let (model, data) = open(&golden, kind);
        let sample = data.sample(0);
        let output = model.names().len() - 1;
        let found = model.contributions(Rows::Floats(&sample), output).unwrap();
        let ends = golden.floats(&format!("{kind}/ends"));
        close(found.neutral, ends[0], "neutral");
        close(found.prediction, ends[1], "prediction");
        for (found, expected) in
            found.columns.iter().zip(golden.floats(&format!("{kind}/contributions")))
        {
            let error = (found - f64::from(expected)).abs();
            assert!(error < 1e-3, "{kind}: {found} {expected}");
        }
    }
}

/// A table with numbers, a category, a time and a constant, in which only the first two columns tell the target.
fn mixed(rows: usize) -> Dataset {
    let text = ["red", "green", "blue"].map(String::from).to_vec();
    let codes: Vec<u32> =
        (0..rows).map(|at| if at % 10 == 9 { TEXT_GAP } else { at as u32 * 7 % 3 }).collect();
    let numbers: Vec<f64> = (0..rows).map(|at| (at * 37 % 101) as f64 / 50.0 - 1.0).collect();
    let target = |at: usize| {
        let of_text = if codes[at] == TEXT_GAP { 0.5 } else { f64::from(codes[at]) };
        (3.0 * numbers[at] + of_text) as f32
    };
    let values = (0..rows).map(target).collect();
    let columns = vec![
        RawColumn::Numbers(numbers.clone()),
        RawColumn::Text { codes: codes.clone(), values: Arc::new(text), is_chosen: false },
        RawColumn::Times((0..rows).map(|at| (at * 13 % 17) as i64 * 86_400).collect()),
        RawColumn::Numbers(vec![1.0; rows]),
    ];
    let targets = Targets::Values { values, names: vec!["y".into()] };
    Dataset::with_targets(Inputs::Table(Table::new(columns).unwrap()), targets, vec![4]).unwrap()
}

fn trained(data: &Dataset) -> Model {
    let config = TrainConfig {
        hidden: vec![16],
        batch_size: BatchSize::Samples(32),
        epochs: 60,
        optimizer: Optimizer::ADAM,
        learning_rate: 0.02,
        schedule: Schedule::Constant,
        threads: Some(1),
        ..TrainConfig::default()
    };
    train(&config, data, None, None, &AtomicBool::new(false), &mut |_| {}).unwrap().model
}

#[test]
fn importances_of_raw_columns() {
    let data = mixed(300);
    let model = trained(&data);
    let settings = ImportanceSettings { repeats: 3, most_samples: Some(200), seed: 4 };
    let found =
        |threads| model.importances(&data, &settings, &Workers::new(threads).unwrap()).unwrap();
    let importances = found(1);
    assert_eq!(importances, found(3));
    assert_eq!((importances.samples, importances.order()[..2].to_vec()), (200, vec![0, 1]));
    let of = |column: usize| &importances.columns[column].by_score[1];
    assert!(of(0).mean > 2.0 * of(1).mean && of(1).mean > 0.3 && of(0).std > 0.0);
    assert!(of(2).mean < 0.2);
    assert_eq!((of(3).mean, of(3).std), (0.0, 0.0));
    let other = ImportanceSettings { seed: 5, ..settings };
    let other = model.importances(&data, &other, &Workers::new(1).unwrap()).unwrap();
    assert_ne!(other.columns[0], importances.columns[0]);
    let none = ImportanceSettings { repeats: 0, ..settings };
    assert!(model.importances(&data, &none, &Workers::new(1).unwrap()).is_err());
}

#[test]
fn partial_dependence_of_raw_columns_is_a_mean_of_predictions() {
    let data = mixed(120);
    let model = trained(&data);
    let workers = Workers::new(2).unwrap();
    let settings = DependenceSettings { points: 5, most_samples: Some(100), seed: 1 };
    let of = |column| model.partial_dependence(&data, column, &settings, &workers);
    let numbers = of(0).unwrap();
    assert_eq!((numbers.values.len(), numbers.samples, numbers.outputs), (5, 100, 1));
    assert!(numbers.means.is_sorted(), "{numbers:?}");
    let colours = of(1).unwrap();
    // In the order of the schema, the gap last.
    let text = |text: &str| Cell::Text(text.to_owned());
    assert_eq!(colours.values, [text("blue"), text("green"), text("red"), Cell::Gap]);
    assert!(colours.means[0] > colours.means[1] && colours.means[1] > colours.means[2]);
    assert_eq!(of(2).unwrap().values.len(), 5);
    assert!(of(3).unwrap_err().to_string().contains("does not use it"));
    assert!(of(4).unwrap_err().to_string().contains("no column 4"));
    // The plain loop.
    let found =
        model.partial_dependence_at(&data, 1, vec![text("red"), Cell::Gap], &workers).unwrap();
    for (at, code) in [(0, 0), (1, TEXT_GAP)] {
        let Inputs::Table(table) = &data.inputs else { panic!() };
        let mut columns = table.columns().to_vec();
        let RawColumn::Text { codes, .. } = &mut columns[1] else { panic!() };
        codes.fill(code);
        let predictions =
            model.predict(&Inputs::Table(Table::new(columns).unwrap()), &workers).unwrap();
        let mean = predictions.iter().map(|&it| f64::from(it)).sum::<f64>() / 120.0;
        assert_eq!(found.means[at], mean);
    }
    let wrong = vec![Cell::Number(1.0)];
    assert!(model.partial_dependence_at(&data, 1, wrong, &workers).is_err());
}

#[test]
fn contributions_follow_the_columns() {
    let data = mixed(300);
    let model = trained(&data);
    // A large first number raises the value, a small one lowers it.
    let Inputs::Table(table) = &data.inputs else { panic!() };
    let RawColumn::Numbers(numbers) = &table.columns()[0] else { panic!() };
    for row in 0..20 {
        let found = model.contributions(data.subset(&[row]).inputs.rows(), 0).unwrap();
        assert_eq!(found.columns[3], 0.0);
        if numbers[row].abs() > 0.3 {
            assert_eq!(found.columns[0] > 0.0, numbers[row] > 0.0, "{found:?}");
        }
    }
}
