//! Regression on standardized targets: models, losses and files are in the targets' own units, and everything that
//! copies the network (resumed and continued runs, averages, early stopping) agrees on the scale.

#[path = "common/runs.rs"]
mod runs;

use std::sync::atomic::AtomicBool;

use gradus::data::normalize::Normalization;
use gradus::data::split::split_samples;
use gradus::data::{Dataset, Inputs, Targets};
use gradus::network::Workers;
use gradus::optimizer::Optimizer;
use gradus::schedule::Schedule;
use gradus::training::{
    BatchSize, Checkpoint, EarlyStopping, Regularization, Session, Start, TrainConfig, Trained,
};
use gradus::{classifier::Model, model_file};
use runs::run;

static NEVER: AtomicBool = AtomicBool::new(false);

/// Prices and fractions of something: two functions of three numbers, on scales far apart.
fn houses(samples: usize) -> Dataset {
    let number = |i: usize| (i * 7919 % 1009) as f32 / 1009.0 - 0.5;
    let inputs: Vec<f32> = (0..3 * samples).map(number).collect();
    let values = inputs
        .chunks(3)
        .flat_map(|x| [300_000.0 + 90_000.0 * x[0] * x[1] - 50_000.0 * x[2], 0.01 * x[1] - 7.0]);
    let names = vec!["price".into(), "share".into()];
    let targets = Targets::Values { values: values.collect(), names };
    Dataset::with_targets(Inputs::Floats(inputs), targets, vec![3]).unwrap()
}

fn config(epochs: usize) -> TrainConfig {
    TrainConfig {
        hidden: vec![24],
        batch_size: BatchSize::Samples(32),
        epochs,
        optimizer: Optimizer::ADAM,
        learning_rate: 0.01,
        schedule: Schedule::Constant,
        normalization: Normalization::Standard,
        standardize_targets: Some(true),
        threads: Some(1),
        ..TrainConfig::default()
    }
}

fn r2(model: &Model, data: &Dataset) -> Vec<f64> {
    let found = model.regressor().unwrap().evaluate(data, &Workers::new(1).unwrap()).unwrap();
    found.outputs.iter().map(|output| output.r2).collect()
}

fn loss(model: &Model, data: &Dataset) -> f64 {
    model.regressor().unwrap().evaluate(data, &Workers::new(1).unwrap()).unwrap().loss
}

#[test]
fn targets_of_any_scale_are_learned() {
    let (data, test) = (houses(600), houses(900).subset(&(600..900).collect::<Vec<_>>()));
    let trained = run(&config(40), &data);
    assert!(trained.learned && trained.warnings.is_empty(), "{:?}", trained.warnings);
    assert!(
        r2(&trained.model, &test).iter().all(|&r2| r2 > 0.95),
        "{:?}",
        r2(&trained.model, &test)
    );
    // A file holds the same model: nothing in it knows about the scale.
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("model.safetensors");
    model_file::save(&trained.model, &file).unwrap();
    assert_eq!(r2(&model_file::load_model(&file).unwrap(), &test), r2(&trained.model, &test));
    // In their own units the same run learns nothing of the prices, and says what would help.
    let raw = run(&TrainConfig { standardize_targets: None, ..config(40) }, &data);
    assert!(r2(&raw.model, &test)[0] < 0.0);
    assert!(
        !raw.learned && raw.warnings[0].contains("`standardize_targets`"),
        "{:?}",
        raw.warnings
    );
}

#[test]
fn losses_are_those_of_the_model_in_own_units() {
    let weights = (0..200).map(|at| (at % 3) as f32).collect();
    let weighted = houses(200).with_sample_weights(weights).unwrap();
    let single = {
        let Targets::Values { values, .. } = houses(200).targets else { panic!("no values") };
        let prices = values.into_iter().step_by(2).collect();
        let targets = Targets::Values { values: prices, names: vec!["price".into()] };
        Dataset { targets, ..houses(200) }
    };
    let full = TrainConfig { batch_size: BatchSize::Full, ..config(1) };
    for data in [houses(200), single, weighted] {
        let mut session = Session::new(&full, (&data, Some(&data)), Start::Fresh).unwrap();
        let before = session.model().clone();
        let report = session.epoch((&data, Some(&data)), &NEVER).unwrap().unwrap().clone();
        // The training loss is that of the pass before the step.
        let expected = match &data.sample_weights {
            None => loss(&before, &data),
            Some(weights) => {
                let Targets::Values { values, .. } = &data.targets else { panic!("no values") };
                let workers = Workers::new(1).unwrap();
                let found = before.regressor().unwrap().predict(&data.inputs, &workers).unwrap();
                let errors = found.values.iter().zip(values);
                let squares: Vec<f64> =
                    errors.map(|(a, b)| f64::from(a - b) * f64::from(a - b)).collect();
                let sum = weights.iter().zip(squares.chunks(2)).map(|(weight, squares)| {
                    f64::from(*weight) * squares.iter().sum::<f64>() / 4.0
                });
                sum.sum::<f64>() / weights.iter().map(|&w| f64::from(w)).sum::<f64>()
            }
        };
        assert!((report.loss / expected - 1.0).abs() < 1e-4, "{} {expected}", report.loss);
        let after = loss(session.model(), &data);
        assert!((report.val_loss.unwrap() / after - 1.0).abs() < 1e-6);
    }
}

/// A run with everything that copies the network.
fn copying(epochs: usize) -> TrainConfig {
    TrainConfig {
        regularization: Regularization {
            ema_decay: Some(0.9),
            batch_norm: true,
            mixup: 0.3,
            dropout: 0.1,
            clip_norm: Some(1.0),
            ..Regularization::NONE
        },
        early_stopping: Some(EarlyStopping { patience: 3, min_delta: 0.0 }),
        ..config(epochs)
    }
}

#[test]
fn a_resumed_run_has_the_same_bits() {
    let data = houses(300).with_sample_weights((0..300).map(|at| 1.0 + (at % 2) as f32).collect());
    let data = data.unwrap();
    let (train, held_out) = split_samples(&data, 0.2, 1);
    let (train, held_out) = data.divide(&train, &held_out);
    let sets = (&train, Some(&held_out));
    let finish = |mut session: Session| -> Trained {
        while session.epoch(sets, &NEVER).unwrap().is_some() {}
        session.finish()
    };
    let whole = finish(Session::new(&copying(8), sets, Start::Fresh).unwrap());
    for at in [0, 1, 5] {
        let mut session = Session::new(&copying(8), sets, Start::Fresh).unwrap();
        for _ in 0..at {
            session.epoch(sets, &NEVER).unwrap().unwrap();
        }
        let checkpoint = session.checkpoint(sets, serde_json::Value::Null);
        let read = Checkpoint::from_bytes(&checkpoint.to_bytes().unwrap()).unwrap();
        assert!(read == checkpoint);
        let resumed = TrainConfig { threads: Some(3), ..copying(8) };
        let trained = finish(Session::new(&resumed, sets, Start::Resume(&read)).unwrap());
        assert!(trained.model.network == whole.model.network, "resumed at {at}");
        assert_eq!(trained.best, whole.best);
    }
}

#[test]
fn continued_runs_keep_the_scale() {
    let data = houses(200);
    let one = run(&config(4), &data);
    let mut session = Session::new(&config(1), &data, Start::Fresh).unwrap();
    for _ in 1..4 {
        while session.epoch(&data, &NEVER).unwrap().is_some() {}
        let state = session.state();
        session = Session::new(&config(1), &data, Start::Continue(&state)).unwrap();
    }
    while session.epoch(&data, &NEVER).unwrap().is_some() {}
    assert!(session.model().network == one.model.network);
    // Other data do not move the scale, and a run in other units cannot go on from it.
    let state = session.state();
    let few = data.subset(&[0, 1, 2]);
    let next = Session::new(&config(1), &few, Start::Continue(&state)).unwrap();
    assert!(next.model().network == one.model.network);
    let raw = TrainConfig { standardize_targets: None, ..config(1) };
    let error = Session::new(&raw, &data, Start::Continue(&state)).err().unwrap();
    assert!(error.to_string().contains("targets are standardized"), "{error}");
}

#[test]
fn a_model_trains_on_from_where_it_was() {
    let data = houses(200);
    let before = run(&config(10), &data).model;
    let on = TrainConfig { batch_size: BatchSize::Full, epochs: 1, ..config(1) };
    for standardize_targets in [Some(true), None] {
        let on = TrainConfig { standardize_targets, ..on.clone() };
        let mut session = Session::new(&on, &data, Start::Model(&before)).unwrap();
        let report = session.epoch(&data, &NEVER).unwrap().unwrap();
        let expected = loss(&before, &data);
        assert!((report.loss / expected - 1.0).abs() < 1e-3, "{} {expected}", report.loss);
    }
}

#[test]
fn constant_targets_are_learned_at_once() {
    let names = vec!["same".into(), "y".into()];
    let values = (0..100).flat_map(|at| [1234.5, (at % 5) as f32]).collect();
    let targets = Targets::Values { values, names };
    let inputs = Inputs::Floats((0..100).map(|at| (at % 5) as f32).collect());
    let data = Dataset::with_targets(inputs, targets, vec![1]).unwrap();
    let trained = run(&config(60), &data);
    let workers = Workers::new(1).unwrap();
    let found = trained.model.regressor().unwrap().predict(&data.inputs, &workers).unwrap();
    assert!(found.values.chunks(2).all(|row| (row[0] - 1234.5).abs() < 0.5), "{:?}", found.row(0));
    assert!(r2(&trained.model, &data)[1] > 0.9);
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let data = houses(500);
    let models = [1, 2, 5].map(|threads| {
        run(
            &TrainConfig {
                threads: Some(threads),
                batch_size: BatchSize::Samples(300),
                ..copying(3)
            },
            &data,
        )
        .model
        .network
    });
    assert!(models.iter().all(|network| *network == models[0]));
}

#[test]
fn a_finished_run_resumes_with_more_epochs() {
    let data = houses(150);
    let short = {
        let mut session = Session::new(&config(3), &data, Start::Fresh).unwrap();
        while session.epoch(&data, &NEVER).unwrap().is_some() {}
        session.checkpoint(&data, serde_json::Value::Null)
    };
    // At a constant learning rate it is the longer run, to the bit.
    let mut session = Session::new(&config(7), &data, Start::Resume(&short)).unwrap();
    while session.epoch(&data, &NEVER).unwrap().is_some() {}
    let whole = run(&config(7), &data);
    assert!(session.model().network == whole.model.network);
    assert_eq!(session.history().epochs.len(), 7);
    let error = Session::new(&config(2), &data, Start::Resume(&short)).err().unwrap();
    assert!(error.to_string().contains("has made 3 epochs already"), "{error}");
}
