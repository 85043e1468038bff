//! Losses that are sums over outputs: against scikit-learn's (golden/make_losses.py), with standardized targets, at any
//! number of threads, resumed, and in files.

#[path = "common/golden.rs"]
#[allow(dead_code)]
mod golden;
#[path = "common/valued.rs"]
mod valued;

use std::sync::atomic::AtomicBool;

use golden::{Golden, assert_close};
use gradus::classifier::Model;
use gradus::data::normalize::Normalization;
use gradus::data::{Dataset, Inputs, Rows};
use gradus::loss::Loss;
use gradus::model_file;
use gradus::network::{Activation, Init, Workers};
use gradus::optimizer::Optimizer;
use gradus::schedule::Schedule;
use gradus::training::{BatchSize, ClassWeights, Session, Start, TrainConfig, Trained};
use valued::valued;

static NEVER: AtomicBool = AtomicBool::new(false);

/// Full batches, SGD, raw inputs.
fn descent(epochs: usize, learning_rate: f32) -> TrainConfig {
    TrainConfig {
        hidden: vec![7],
        activation: vec![Activation::Tanh],
        normalization: Normalization::None,
        epochs,
        batch_size: BatchSize::Full,
        optimizer: Optimizer::SGD,
        learning_rate,
        schedule: Schedule::Constant,
        threads: Some(2),
        ..TrainConfig::default()
    }
}

/// Runs all epochs.
fn train(
    config: &TrainConfig,
    data: &Dataset,
    start: Start,
    stop: &AtomicBool,
) -> gradus::Result<Trained> {
    let mut session = Session::new(config, data, start)?;
    while session.epoch(data, stop)?.is_some() {}
    Ok(session.finish())
}

fn quantiles(levels: &[f32]) -> Loss {
    Loss::Quantile(levels.to_vec())
}

/// The losses of regression with their names in the golden file.
fn cases() -> Vec<(&'static str, Loss, Option<Vec<f32>>)> {
    let weights = Some(vec![1.0, 3.0]);
    vec![
        ("squared_weighted", Loss::SquaredError, weights.clone()),
        ("poisson", Loss::Poisson, None),
        ("poisson_weighted", Loss::Poisson, weights.clone()),
        ("huber", Loss::Huber { delta: 0.75 }, None),
        ("absolute", Loss::AbsoluteError, None),
        ("quantile", quantiles(&[0.1, 0.5, 0.9]), None),
        ("quantile_weighted", quantiles(&[0.1, 0.5, 0.9]), weights),
    ]
}

#[test]
fn runs_are_those_of_scikit_learns_losses() {
    let golden = Golden::open("losses.npz");
    for (case, loss, output_weights) in cases() {
        let (x, weights) = (golden.floats("x"), golden.floats("weights"));
        let data = valued(x.clone(), 4, golden.floats("values"), &["a", "b"]);
        let data = data.with_sample_weights(weights).unwrap();
        let outputs = 2 * loss.outputs_per_target();
        let start = golden.network(&format!("{case}/start/"), &[4, 7, outputs], Activation::Tanh);
        let config = TrainConfig { loss: Some(loss), output_weights, ..descent(5, 0.1) };
        let trained = train(&config, &data, Start::Network(start), &NEVER).unwrap();
        let losses: Vec<f32> = trained.history.epochs.iter().map(|it| it.loss as f32).collect();
        assert_close(&losses, &golden.floats(&format!("{case}/losses")), 1e-5, case);
        let expected = golden.network(&format!("{case}/"), &[4, 7, outputs], Activation::Tanh);
        assert_close(trained.model.network.parameters(), expected.parameters(), 1e-5, case);
        let workers = Workers::new(2).unwrap();
        let predicted = trained.model.predict(Rows::Floats(&x), &workers).unwrap();
        assert_close(&predicted, &golden.floats(&format!("{case}/predicted")), 1e-5, case);
    }
}

/// Three labels of 0 and 1 for each sample.
fn labelled(x: &[f32], features: usize, labels: &[f32]) -> Dataset {
    let names = ["a", "b", "c"];
    valued(x.to_vec(), features, labels.to_vec(), &names).with_labels().unwrap()
}

#[test]
fn labels_are_learned_as_by_scikit_learns_loss() {
    let golden = Golden::open("losses.npz");
    let (x, weights) = (golden.floats("x"), golden.floats("weights"));
    for (case, class_weights) in [
        ("labels", ClassWeights::Equal),
        ("labels_weighted", ClassWeights::Each(vec![2.0, 1.0, 1.0])),
    ] {
        let data = labelled(&x, 4, &golden.floats("labels"));
        let data = data.with_sample_weights(weights.clone()).unwrap();
        let start = golden.network(&format!("{case}/start/"), &[4, 7, 3], Activation::Tanh);
        let mut config = descent(5, 0.1);
        config.regularization.class_weights = class_weights;
        let trained = train(&config, &data, Start::Network(start), &NEVER).unwrap();
        let losses: Vec<f32> = trained.history.epochs.iter().map(|it| it.loss as f32).collect();
        assert_close(&losses, &golden.floats(&format!("{case}/losses")), 1e-5, case);
        let expected = golden.network(&format!("{case}/"), &[4, 7, 3], Activation::Tanh);
        assert_close(trained.model.network.parameters(), expected.parameters(), 1e-5, case);
        let workers = Workers::new(2).unwrap();
        let predicted = trained.model.predict(Rows::Floats(&x), &workers).unwrap();
        assert_close(&predicted, &golden.floats(&format!("{case}/predicted")), 1e-5, case);
    }
}

#[test]
fn models_for_labels_are_measured_saved_and_resumed() {
    let number = |i: usize| ((i * 7919 % 1009) as f32 / 1009.0 - 0.5) * 4.0;
    let x: Vec<f32> = (0..3 * 200).map(number).collect();
    let labels: Vec<f32> = x.iter().map(|&x| f32::from(u8::from(x > 0.5))).collect();
    let data = labelled(&x, 3, &labels);
    let config = |threads| TrainConfig {
        hidden: vec![16],
        batch_size: BatchSize::Samples(20),
        optimizer: Optimizer::ADAM,
        threads: Some(threads),
        ..descent(30, 0.01)
    };
    let one = train(&config(1), &data, Start::Fresh, &NEVER).unwrap();
    for threads in [2, 16] {
        let other = train(&config(threads), &data, Start::Fresh, &NEVER).unwrap();
        assert_eq!(other.model.network, one.model.network, "{threads}");
    }
    let mut session = Session::new(&config(2), &data, Start::Fresh).unwrap();
    session.epoch(&data, &NEVER).unwrap();
    let bytes = session.checkpoint(&data, serde_json::Value::Null).to_bytes().unwrap();
    let checkpoint = gradus::training::Checkpoint::from_bytes(&bytes).unwrap();
    let resumed = train(&config(2), &data, Start::Resume(&checkpoint), &NEVER).unwrap();
    assert_eq!(resumed.model.network, one.model.network);
    let workers = Workers::new(1).unwrap();
    let found = one.model.evaluate_labels(&data, &workers).unwrap();
    assert!(found.subset_accuracy > 0.9 && found.micro_f1 > 0.95, "{found:?}");
    assert!(one.model.classifier().is_err() && one.model.regressor().is_err());
    let folder = tempfile::tempdir().unwrap();
    let expected = one.model.predict(data.inputs.rows(), &workers).unwrap();
    for name in ["model.safetensors", "model.onnx"] {
        let path = folder.path().join(name);
        model_file::export(&one.model, &path).unwrap();
        let read = model_file::load_model(&path).unwrap();
        assert_eq!(read.outputs, one.model.outputs);
        assert_close(&read.predict(data.inputs.rows(), &workers).unwrap(), &expected, 1e-6, name);
    }
    let wrong = valued(x.clone(), 3, x, &["a", "b", "c"]).with_labels().unwrap_err().to_string();
    assert!(wrong.contains("expected 0 or 1"), "{wrong}");
}

/// Two smooth functions of three numbers, from 0 on and of other sizes.
fn table(samples: usize) -> Dataset {
    let number = |i: usize| ((i * 7919 % 1009) as f32 / 1009.0 - 0.5) * 4.0;
    let inputs: Vec<f32> = (0..3 * samples).map(number).collect();
    let of = |x: &[f32]| [100.0 * (x[0] * x[1] - x[2]).abs(), (2.0 * x[1]).sin() + 3.0];
    let values = inputs.chunks(3).flat_map(of).collect();
    valued(inputs.clone(), 3, values, &["product", "wave"])
}

fn small(epochs: usize, loss: Loss) -> TrainConfig {
    TrainConfig {
        hidden: vec![32],
        batch_size: BatchSize::Samples(32),
        epochs,
        optimizer: Optimizer::ADAM,
        learning_rate: 0.01,
        normalization: Normalization::Standard,
        standardize_targets: Some(loss.can_standardize()),
        init: Init::Glorot,
        loss: Some(loss),
        ..descent(epochs, 0.01)
    }
}

/// On data without noise, where the model does not change, the losses of an epoch are those of an evaluation: the same
/// formula in the targets' own units, whatever they are learned in.
#[test]
fn losses_are_in_own_units() {
    let data = table(300);
    for (case, loss, output_weights) in cases() {
        for standardize in [false, loss.can_standardize()] {
            let config = TrainConfig {
                standardize_targets: Some(standardize),
                output_weights: output_weights.clone(),
                // Steps too small to change anything.
                learning_rate: 1e-12,
                ..small(1, loss.clone())
            };
            let trained = train(&config, &data, Start::Fresh, &NEVER).unwrap();
            let workers = Workers::new(1).unwrap();
            let found = trained.model.regressor().unwrap().evaluate(&data, &workers).unwrap().loss;
            let expected = trained.history.epochs[0].loss;
            // Quantiles are compared in order only once they are predicted, which makes their loss smaller.
            let smaller = matches!(loss, Loss::Quantile(_)) && found < expected;
            let close = (found - expected).abs() < 1e-4 * expected;
            assert!(close || smaller, "{case} {standardize}: {found} {expected}");
        }
    }
}

#[test]
fn every_loss_learns() {
    let data = table(400);
    for (case, loss, output_weights) in cases() {
        let config = TrainConfig { output_weights, ..small(60, loss) };
        let trained = train(&config, &data, Start::Fresh, &NEVER).unwrap();
        let losses: Vec<f64> = trained.history.epochs.iter().map(|it| it.loss).collect();
        assert!(losses[59] < 0.5 * losses[0], "{case}: {} {}", losses[0], losses[59]);
        assert!(trained.learned && trained.warnings.is_empty(), "{case}: {:?}", trained.warnings);
    }
}

/// With a delta beyond every error, Huber's loss is the squared error; delta is in the targets' own units.
#[test]
fn delta_is_in_own_units() {
    let data = table(100);
    let run = |loss: Loss| {
        let config = small(3, loss);
        train(&config, &data, Start::Fresh, &NEVER).unwrap().model.network.parameters().to_vec()
    };
    let squared = run(Loss::SquaredError);
    assert_close(&run(Loss::Huber { delta: 1e4 }), &squared, 1e-4, "huber");
    // Errors of the first target are about 100, and with a delta of 1 their size does not count.
    let robust = run(Loss::Huber { delta: 1.0 });
    assert!(squared.iter().zip(&robust).any(|(a, b)| (a - b).abs() > 0.01 * a.abs()));
}

#[test]
fn quantiles_do_not_cross_and_cover_their_share() {
    let count = 2000;
    let inputs: Vec<f32> = (0..count).map(|i| (i * 769 % 1999) as f32 / 1000.0 - 1.0).collect();
    let noise = |i: usize| (i * 7919 % 4001) as f32 / 2000.0 - 1.0;
    let values = (0..count).map(|i| inputs[i] + noise(i) * (1.5 + inputs[i])).collect();
    let data = valued(inputs.clone(), 1, values, &["y"]);
    let levels = [0.1, 0.5, 0.9];
    let config = TrainConfig { epochs: 100, ..small(100, quantiles(&levels)) };
    let trained = train(&config, &data, Start::Fresh, &NEVER).unwrap();
    let workers = Workers::new(2).unwrap();
    let predicted = trained.model.predict(Rows::Floats(&inputs), &workers).unwrap();
    assert!(predicted.chunks(3).all(|row| row[0] <= row[1] && row[1] <= row[2]));
    let found = trained.model.regressor().unwrap().evaluate(&data, &workers).unwrap();
    for (errors, level) in found.outputs.iter().zip(levels) {
        let coverage = errors.coverage.unwrap();
        assert!((coverage - f64::from(level)).abs() < 0.04, "{level}: {coverage}");
    }
    assert_eq!(trained.model.names(), ["y:0.1", "y:0.5", "y:0.9"]);
    assert_eq!(trained.model.target_names(), ["y"]);
}

#[test]
fn threads_and_resuming_change_no_bit() {
    let data = table(200);
    for (case, loss, output_weights) in cases() {
        let config = |threads| TrainConfig {
            threads: Some(threads),
            output_weights: output_weights.clone(),
            validation: 0.0,
            ..small(4, loss.clone())
        };
        let run = |threads| train(&config(threads), &data, Start::Fresh, &NEVER).unwrap();
        let one = run(1);
        for threads in [3, 16] {
            let other = run(threads);
            assert_eq!(one.model.network, other.model.network, "{case} {threads}");
        }
        let mut session = Session::new(&config(2), &data, Start::Fresh).unwrap();
        session.epoch(&data, &NEVER).unwrap();
        session.epoch(&data, &NEVER).unwrap();
        let bytes = session.checkpoint(&data, serde_json::Value::Null).to_bytes().unwrap();
        let checkpoint = gradus::training::Checkpoint::from_bytes(&bytes).unwrap();
        let mut session = Session::new(&config(2), &data, Start::Resume(&checkpoint)).unwrap();
        while session.epoch(&data, &NEVER).unwrap().is_some() {}
        assert_eq!(session.finish().model.network, one.model.network, "{case}");
    }
}

#[test]
fn files_keep_the_loss() {
    let data = table(60);
    let folder = tempfile::tempdir().unwrap();
    let workers = Workers::new(1).unwrap();
    for (case, loss, output_weights) in cases() {
        let config = TrainConfig { output_weights, ..small(2, loss) };
        let model = train(&config, &data, Start::Fresh, &NEVER).unwrap().model;
        let expected = model.predict(data.inputs.rows(), &workers).unwrap();
        let read: [Model; 2] = ["model.safetensors", "model.onnx"].map(|name| {
            let path = folder.path().join(name);
            model_file::export(&model, &path).unwrap();
            model_file::load_model(&path).unwrap()
        });
        for found in read {
            assert_eq!((found.loss(), found.names()), (model.loss(), model.names()), "{case}");
            assert_eq!(found.outputs, model.outputs, "{case}");
            let predicted = found.predict(data.inputs.rows(), &workers).unwrap();
            assert_close(&predicted, &expected, 1e-6, case);
            // A single sample goes another way.
            let mut predictor = found.predictor(false).unwrap();
            let Inputs::Floats(values) = &data.inputs else { unreachable!() };
            let one = predictor.predict(Rows::Floats(&values[..3])).unwrap();
            assert_close(one, &expected[..one.len()], 1e-5, case);
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let refused = |config: TrainConfig, data: &Dataset| {
        train(&config, data, Start::Fresh, &NEVER).unwrap_err().to_string()
    };
    let data = table(20);
    let negative = valued(vec![0.0; 4], 1, vec![1.0, 2.0, -1.0, 0.0], &["y"]);
    let config = TrainConfig { standardize_targets: None, ..small(1, Loss::Poisson) };
    assert!(refused(config.clone(), &negative).contains("sample 2 is -1"));
    let standardized = TrainConfig { standardize_targets: Some(true), ..config };
    assert!(refused(standardized, &data).contains("`standardize_targets` is true"));
    let classes = small(1, Loss::SoftmaxCrossEntropy);
    assert!(refused(classes, &data).contains("use squared"));
    let wrong = TrainConfig { output_weights: Some(vec![1.0]), ..small(1, Loss::AbsoluteError) };
    assert!(refused(wrong, &data).contains("`output_weights` has 1 numbers, but a sample has 2"));
    let unsorted = small(1, quantiles(&[0.9, 0.1]));
    assert!(refused(unsorted, &data).contains("`loss` is quantile:0.9,0.1"));
    let zero = TrainConfig { output_weights: Some(vec![0.0, 0.0]), ..small(1, Loss::Poisson) };
    assert!(refused(zero, &data).contains("`output_weights`"));
}
