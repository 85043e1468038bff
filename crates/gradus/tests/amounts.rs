//! Numbers of single amounts: what depends on the exact value is learned by its code, and the saved model knows it.

#[path = "common/runs.rs"]
mod runs;

use gradus::classifier::Model;
use gradus::data::normalize::Normalization;
use gradus::data::{Dataset, Inputs, RawColumn, Table, Targets};
use gradus::model_file;
use gradus::network::{Activation, Column, Init, NumericEmbedding, Workers};
use gradus::training::TrainConfig;
use runs::{adam, run};

/// 0 in 1,200 rows, 12 neighbouring amounts in 20 rows each, and a large one in 10; the target is 1 or -1 by the parity of
/// the neighbours, and 0 for the other two.
fn amounts() -> Dataset {
    let amount = |at: usize| match at {
        0..1200 => 0.0,
        1200..1440 => (1000 + at % 12) as f64,
        _ => 99_999.0,
    };
    let amounts: Vec<f64> = (0..1450).map(amount).collect();
    let value = |&amount: &f64| match amount {
        0.0 | 99_999.0 => 0.0,
        odd if odd % 2.0 == 1.0 => 1.0,
        _ => -1.0,
    };
    let values = amounts.iter().map(value).collect();
    let table = Inputs::Table(Table::new(vec![RawColumn::Numbers(amounts)]).unwrap());
    let targets = Targets::Values { values, names: vec!["y".into()] };
    Dataset::with_targets(table, targets, vec![1]).unwrap()
}

#[test]
fn exact_values_are_learned_by_their_codes() {
    let data = amounts();
    let config = TrainConfig {
        activation: vec![Activation::Mish],
        normalization: Normalization::Robust,
        numeric_embedding: Some(NumericEmbedding::PBLD),
        category_embedding: Some(4),
        init: Init::Tabular,
        learning_rate: 0.01,
        ..adam(&[16], 30)
    };
    let trained = run(&config, &data).model;
    let columns = trained.network.columns().unwrap().columns();
    assert_eq!(columns, [Column::Number, Column::Category(14)]);
    let workers = Workers::new(2).unwrap();
    let r2 =
        |model: &Model| model.regressor().unwrap().evaluate(&data, &workers).unwrap().outputs[0].r2;
    assert!(r2(&trained) > 0.95, "{}", r2(&trained));
    // The scale alone does not tell neighbours apart.
    let without = run(&TrainConfig { category_embedding: None, ..config }, &data).model;
    assert_eq!(without.network.columns().unwrap().columns(), [Column::Number]);
    assert!(r2(&without) < 0.3, "{}", r2(&without));
    let bytes = model_file::to_bytes(&trained).unwrap();
    let read = model_file::model_from_bytes(&bytes).unwrap();
    assert_eq!(r2(&read), r2(&trained));
    // Amounts that training did not have are no error.
    let new = Inputs::Table(Table::new(vec![RawColumn::Numbers(vec![1000.5, -3.0])]).unwrap());
    let found = read.predict(&new, &workers).unwrap();
    assert!(found.len() == 2 && found.iter().all(|value| value.is_finite()));
}
