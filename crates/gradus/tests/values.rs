//! Learning values by squared error: against NumPy's run (golden/make_values.py), against central
//! differences, at any number of threads, resumed, and in files.

#[path = "common/golden.rs"]
#[allow(dead_code)]
mod golden;
#[path = "common/runs.rs"]
mod runs;
#[path = "common/valued.rs"]
mod valued;

use std::sync::atomic::AtomicBool;

use golden::{Golden, assert_close};
use gradus::classifier::{Model, Regressor};
use gradus::data::normalize::Normalization;
use gradus::data::split::split_samples;
use gradus::data::{Dataset, Inputs, Rows, Targets};
use gradus::model_file;
use gradus::network::{Activation, Init, Network, Workers};
use gradus::optimizer::Optimizer;
use gradus::schedule::Schedule;
use gradus::training::{
    BatchSize, Checkpoint, ClassWeights, EarlyStopping, Monitor, Outcome, Regularization, Session,
    Start, TrainConfig, train,
};
use runs::{as_floats, digits, everything, resume, run};
use tempfile::TempDir;
use valued::valued;

static NEVER: AtomicBool = AtomicBool::new(false);

/// Full batches, SGD, raw inputs.
fn descent(epochs: usize, learning_rate: f32) -> TrainConfig {
    TrainConfig {
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

/// Digits whose values are the digit itself and whether it is even.
fn valued_digits(samples: usize) -> Dataset {
    let data = digits(samples);
    let values = |&label: &u32| [label as f32, f32::from(u8::from(label % 2 == 0))];
    let values = data.labels().iter().flat_map(values).collect();
    let names = vec!["digit".into(), "even".into()];
    Dataset { targets: Targets::Values { values, names }, ..data }
}

/// Two smooth functions of three numbers.
fn table(samples: usize) -> Dataset {
    let number = |i: usize| ((i * 7919 % 1009) as f32 / 1009.0 - 0.5) * 4.0;
    let inputs: Vec<f32> = (0..3 * samples).map(number).collect();
    let values = inputs.chunks(3).flat_map(|x| [x[0] * x[1] - x[2], (2.0 * x[1]).sin() + 3.0]);
    valued(inputs.clone(), 3, values.collect(), &["product", "wave"])
}

fn small(epochs: usize) -> TrainConfig {
    TrainConfig {
        hidden: vec![32, 16],
        activation: vec![Activation::Tanh, Activation::Relu],
        batch_size: BatchSize::Samples(32),
        epochs,
        optimizer: Optimizer::ADAM,
        learning_rate: 0.01,
        normalization: Normalization::Standard,
        threads: Some(2),
        ..TrainConfig::default()
    }
}

fn regressor(model: Model) -> Regressor {
    model.into_regressor().unwrap()
}

#[test]
fn ten_steps_are_those_of_numpy() {
    let golden = Golden::open("values.npz");
    let data = valued(golden.floats("x"), 6, golden.floats("t"), &["a", "b", "c"]);
    let weighted = data.clone().with_sample_weights(golden.floats("weights")).unwrap();
    for (case, data) in [("plain", &data), ("weighted", &weighted)] {
        let start = golden.network("", &[6, 9, 3], Activation::Tanh);
        let config = TrainConfig { hidden: vec![9], ..descent(10, 0.3) };
        let trained = train(&config, data, None, Some(start), &NEVER, &mut |_| {}).unwrap();
        let losses: Vec<f32> = trained.history.epochs.iter().map(|e| e.loss as f32).collect();
        assert_close(&losses, &golden.floats(&format!("{case}/losses")), 1e-6, case);
        assert!(trained.history.epochs.iter().all(|epoch| epoch.accuracy.is_none()));
        let network = &regressor(trained.model).network;
        for index in 0..2 {
            let key = |letter: &str| golden.floats(&format!("{case}/{letter}{}", index + 1));
            assert_close(network.weight(index), &key("w"), 2e-6, case);
            assert_close(network.bias(index), &key("b"), 2e-6, case);
        }
    }
}

/// A step of gradient descent with a learning rate of 1 takes the gradient off the parameters.
#[test]
fn gradients_match_central_differences() {
    let data = table(50);
    let workers = Workers::new(1).unwrap();
    for (hidden, activation) in [
        (vec![], vec![]),
        (vec![7], vec![Activation::Gelu]),
        (vec![6, 5], vec![Activation::Tanh, Activation::Sigmoid]),
    ] {
        let mut start = Network::dense(3, &hidden, &activation, 2).unwrap();
        start.initialize(Init::Glorot, 3);
        let config = TrainConfig { hidden, activation, ..descent(1, 1.0) };
        let trained =
            train(&config, &data, None, Some(start.clone()), &NEVER, &mut |_| {}).unwrap();
        let mut model = regressor(trained.model);
        let after = model.network.parameters().to_vec();
        model.network = start;
        let step = 1.0 / 128.0;
        for (at, after) in after.into_iter().enumerate() {
            let kept = model.network.parameters()[at];
            let mut loss_at = |offset: f32| {
                model.network.parameters_mut()[at] = kept + offset;
                let loss = model.evaluate(&data, &workers).unwrap().loss;
                model.network.parameters_mut()[at] = kept;
                loss as f32
            };
            let expected = (loss_at(step) - loss_at(-step)) / (2.0 * step);
            let found = kept - after;
            assert!((found - expected).abs() < 1e-4 + 1e-3 * expected.abs(), "{found} {expected}");
        }
    }
}

#[test]
fn a_smooth_function_is_learned_and_its_best_epoch_kept() {
    let data = table(1200);
    let (training, held_out) = split_samples(&data, 0.25, 1);
    assert_eq!((training.len(), held_out.len()), (900, 300));
    let (data, test) = (data.subset(&training), data.subset(&held_out));
    let early_stopping = Some(EarlyStopping { patience: 30, min_delta: 0.0 });
    let config = TrainConfig { early_stopping, ..small(60) };
    let trained = train(&config, &data, Some(&test), None, &NEVER, &mut |_| {}).unwrap();
    let best = trained.best.unwrap();
    assert_eq!(best.monitor, Monitor::ValLoss);
    let workers = Workers::new(2).unwrap();
    let found = trained.model.regressor().unwrap().evaluate(&test, &workers).unwrap();
    assert_eq!(found.loss, best.value);
    assert!(found.outputs.iter().all(|errors| errors.r2 > 0.95), "{found:?}");
    assert!(trained.model.classifier().is_err());
}

#[test]
fn runs_have_the_same_bits_at_any_number_of_threads_and_when_resumed() {
    let of_values = |regularization: Regularization| Regularization {
        label_smoothing: 0.0,
        class_weights: ClassWeights::Equal,
        ..regularization
    };
    let bytes = valued_digits(500);
    let weighted = bytes.clone().with_sample_weights((0..500).map(|i| (i % 3) as f32).collect());
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("run.safetensors");
    for (data, regularization) in [
        (bytes.clone(), Regularization::NONE),
        (weighted.unwrap(), of_values(everything(true, false))),
        (bytes, of_values(everything(false, true))),
        (table(300), Regularization { mixup: 0.4, ..Regularization::NONE }),
    ] {
        let config = TrainConfig { regularization, ..small(4) };
        let whole = run(&TrainConfig { threads: Some(1), ..config.clone() }, &data);
        for threads in [2, 3] {
            let again = run(&TrainConfig { threads: Some(threads), ..config.clone() }, &data);
            assert!(again.model == whole.model, "{threads} threads");
        }
        let mut session = Session::new(&config, &data, Start::Fresh).unwrap();
        session.epoch(&data, &NEVER).unwrap();
        session.epoch(&data, &NEVER).unwrap();
        session.checkpoint(&data, serde_json::Value::Null).save(&path).unwrap();
        let checkpoint = Checkpoint::load(&path).unwrap();
        assert!(model_file::load_model(&path).unwrap() == *session.model());
        let mut resumed = resume(&checkpoint, &data, Some(1)).unwrap();
        while resumed.epoch(&data, &NEVER).unwrap().is_some() {}
        let resumed = resumed.finish();
        assert_eq!(resumed.outcome, Outcome::Finished);
        assert!(resumed.model == whole.model, "another model");
        let mut other = data.clone();
        let Targets::Values { values, .. } = &mut other.targets else { panic!() };
        values[7] += 1.0;
        let error = resume(&checkpoint, &other, None).err().unwrap();
        assert!(error.to_string().contains("not those that the run was begun with"), "{error}");
    }
}

/// A network whose parameters are all 0 answers 0: its first loss is half the mean square of what it
/// is asked for.
#[test]
fn mixup_mixes_values() {
    let config = TrainConfig {
        hidden: vec![4],
        regularization: Regularization { mixup: 1.0, ..Regularization::NONE },
        ..descent(1, 0.1)
    };
    let loss = |values: Vec<f32>| {
        let data = valued(vec![1.0; 40], 1, values, &["y"]);
        let start = Network::dense(1, &[4], &[Activation::Tanh], 1).unwrap();
        let trained = train(&config, &data, None, Some(start), &NEVER, &mut |_| {}).unwrap();
        trained.history.epochs[0].loss
    };
    let constant = loss(vec![3.0; 40]);
    assert!((constant - 4.5).abs() < 1e-5, "{constant}");
    // Of 1 and -1 in turn, those that are mixed with the other are smaller.
    let unmixed = TrainConfig { regularization: Regularization::NONE, ..config.clone() };
    let alternating: Vec<f32> = (0..40).map(|i| if i % 4 < 2 { 1.0 } else { -1.0 }).collect();
    let mixed = loss(alternating.clone());
    assert!(mixed > 0.0 && mixed < 0.499, "{mixed}");
    let data = valued(vec![1.0; 40], 1, alternating, &["y"]);
    let start = Network::dense(1, &[4], &[Activation::Tanh], 1).unwrap();
    let plain = train(&unmixed, &data, None, Some(start), &NEVER, &mut |_| {}).unwrap();
    assert_eq!(plain.history.epochs[0].loss, 0.5);
}

#[test]
fn what_needs_classes_is_refused() {
    let data = table(40);
    let refused = |config: TrainConfig, validation: Option<&Dataset>, words: &str| {
        let error = Session::new(&config, (&data, validation), Start::Fresh).err().unwrap();
        assert_eq!(error.kind(), gradus::ErrorKind::InvalidArgument);
        assert!(error.to_string().contains(words), "{error}");
    };
    for (monitor, validation) in [(Monitor::Accuracy, None), (Monitor::ValAccuracy, Some(&data))] {
        let words = "but regression has no accuracy";
        refused(TrainConfig { monitor: Some(monitor), ..small(1) }, validation, words);
    }
    let classes = as_floats(&digits(20));
    let config = TrainConfig { monitor: Some(Monitor::ValR2), ..small(1) };
    let error = Session::new(&config, (&classes, Some(&classes)), Start::Fresh).err().unwrap();
    assert!(error.to_string().contains("but classification has no R^2"), "{error}");
    let with = |regularization| TrainConfig { regularization, ..small(1) };
    let smoothed = Regularization { label_smoothing: 0.1, ..Regularization::NONE };
    refused(with(smoothed), None, "label smoothing spreads a class's target");
    let class_weights = ClassWeights::Balanced;
    let weights = Regularization { class_weights, ..Regularization::NONE };
    refused(with(weights), None, "class weights are for classes");
    refused(small(1), Some(&classes), "in 10 classes, but the training data [3] with 2 values");

    let model = regressor(run(&small(1), &data).model);
    let workers = Workers::new(1).unwrap();
    let names = vec!["a".into(), "b".into()];
    let classes = Dataset::new(Inputs::Floats(vec![0.0; 6]), vec![0, 1], vec![3], names).unwrap();
    let error = model.evaluate(&classes, &workers).unwrap_err().to_string();
    assert!(
        error.contains("[3] in 2 classes, but the model takes shape [3] with 2 values"),
        "{error}"
    );
    let one = valued(vec![0.0; 3], 3, vec![0.0], &["y"]);
    let error = model.evaluate(&one, &workers).unwrap_err().to_string();
    assert!(error.contains("[3] with 1 value, but"), "{error}");
}

#[test]
fn models_keep_their_values_in_files_and_predict_one_by_one() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("model.safetensors");
    let workers = Workers::new(2).unwrap();
    for data in [table(700), valued_digits(700)] {
        let config = TrainConfig { normalization: Normalization::Unit, ..small(1) };
        let model = regressor(run(&config, &data).model);
        model_file::save(&model, &path).unwrap();
        let loaded = model_file::load_model(&path).unwrap();
        assert_eq!(loaded, *model);
        assert_eq!(model.output_names(), data.targets.names());
        let error = model_file::load(&path).unwrap_err().to_string();
        assert!(error.contains("predicts values (regression); expected one that predicts classes"));
        let bytes = std::fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&bytes[8..2000]);
        assert!(text.contains("\"gradus_version\":\"2\"") && !text.contains("class_names"));

        let all = model.predict(&data.inputs, &workers).unwrap();
        assert_eq!((all.len(), all.outputs), (700, 2));
        let mut predictor = model.predictor(matches!(data.inputs, Inputs::Bytes(_))).unwrap();
        for index in [0, 128, 699] {
            let one = data.subset(&[index]);
            assert_eq!(predictor.predict(one.inputs.rows()).unwrap(), all.row(index));
        }
        assert!(predictor.predict(Rows::Floats(&[1.0])).is_err());
    }
}
