//! Predictions clipped to the range of the targets: wherever a model predicts, in files, and in what is watched while it is
//! trained.

use std::sync::atomic::AtomicBool;

use gradus::classifier::{Model, Outputs};
use gradus::data::normalize::Normalization;
use gradus::data::{Dataset, Inputs, Rows, Targets};
use gradus::loss::Loss;
use gradus::model_file::{self, OnnxOptions, ReadOptions, onnx};
use gradus::network::{Activation, Init, Network, Workers};
use gradus::optimizer::Optimizer;
use gradus::schedule::Schedule;
use gradus::training::{BatchSize, Checkpoint, Session, Start, TrainConfig};
use gradus::transform::Transform;

static NEVER: AtomicBool = AtomicBool::new(false);

/// Two targets that grow with one input, for inputs from `from` on.
fn slope(samples: usize, from: f32) -> Dataset {
    let inputs: Vec<f32> = (0..samples).map(|at| from + (at * 37 % 101) as f32 / 101.0).collect();
    let values = inputs.iter().flat_map(|x| [10.0 + 4.0 * x, 1.0 + x * x]).collect();
    let targets = Targets::Values { values, names: vec!["a".into(), "b".into()] };
    Dataset::with_targets(Inputs::Floats(inputs), targets, vec![1]).unwrap()
}

fn config(loss: Option<Loss>, clips: bool) -> TrainConfig {
    TrainConfig {
        hidden: vec![],
        batch_size: BatchSize::Samples(20),
        epochs: 6,
        optimizer: Optimizer::ADAM,
        learning_rate: 0.05,
        schedule: Schedule::Constant,
        normalization: Normalization::None,
        loss,
        clip_predictions: clips.then_some(true),
        threads: Some(1),
        ..TrainConfig::default()
    }
}

fn losses() -> [Option<Loss>; 5] {
    [
        None,
        Some(Loss::Poisson),
        Some(Loss::Huber { delta: 0.5 }),
        Some(Loss::AbsoluteError),
        Some(Loss::Quantile(vec![0.1, 0.5, 0.9])),
    ]
}

fn predict(model: &Model, data: &Dataset) -> Vec<f32> {
    model.predict(&data.inputs, &Workers::new(1).unwrap()).unwrap()
}

/// The least and the largest of each target.
fn bounds(sets: &[&Dataset]) -> Vec<[f32; 2]> {
    let mut found = vec![[f32::MAX, f32::MIN]; 2];
    for set in sets {
        let Targets::Values { values, .. } = &set.targets else { panic!() };
        for (at, &value) in values.iter().enumerate() {
            let [least, most] = &mut found[at % 2];
            (*least, *most) = (least.min(value), most.max(value));
        }
    }
    found
}

/// Rows far from those of training, on both sides.
fn far() -> Dataset {
    let inputs: Vec<f32> = (-20..20).map(|at| at as f32).collect();
    let targets = Targets::Values { values: vec![1.0; 80], names: vec!["a".into(), "b".into()] };
    Dataset::with_targets(Inputs::Floats(inputs), targets, vec![1]).unwrap()
}

#[test]
fn what_is_predicted_stays_in_the_range_of_the_targets() {
    // The validation targets reach further than those of the training part.
    let (train, validation) = (slope(120, 0.0), slope(30, 0.5));
    let range = bounds(&[&train, &validation]);
    for loss in losses() {
        let run = |clips| {
            let config = config(loss.clone(), clips);
            let data = (&train, Some(&validation));
            let mut session = Session::new(&config, data, Start::Fresh).unwrap();
            while session.epoch(data, &NEVER).unwrap().is_some() {}
            session.finish()
        };
        let (clipped, free) = (run(true), run(false));
        // The steps are the same: clipping is no part of the training loss.
        assert_eq!(clipped.model.network, free.model.network, "{loss:?}");
        let per_target = clipped.model.loss().outputs_per_target();
        let of_outputs: Vec<[f32; 2]> =
            range.iter().flat_map(|it| std::iter::repeat_n(*it, per_target)).collect();
        assert_eq!(clipped.model.outputs.range, of_outputs);
        let (found, unbounded) = (predict(&clipped.model, &far()), predict(&free.model, &far()));
        let mut at_bounds = 0;
        for (at, (found, unbounded)) in found.iter().zip(&unbounded).enumerate() {
            let [least, most] = of_outputs[at % of_outputs.len()];
            assert_eq!(*found, unbounded.max(least).min(most), "{loss:?}");
            at_bounds += usize::from(found != unbounded);
        }
        assert!(at_bounds > found.len() / 4, "{loss:?} {at_bounds}");
        // What is watched is what the model predicts.
        let evaluate = |model: &Model| {
            let found = model.regressor().unwrap();
            found.evaluate(&validation, &Workers::new(1).unwrap()).unwrap().loss
        };
        let watched = clipped.history.epochs.last().unwrap().val_loss.unwrap();
        assert_eq!(watched, evaluate(&clipped.model), "{loss:?}");
        assert_ne!(watched, free.history.epochs.last().unwrap().val_loss.unwrap(), "{loss:?}");
        // Single rows are the same bits.
        let mut predictor = clipped.model.predictor(false).unwrap();
        let Inputs::Floats(rows) = &far().inputs else { panic!() };
        for (row, expected) in rows.iter().zip(found.chunks(of_outputs.len())) {
            assert_eq!(predictor.predict(Rows::Floats(&[*row])).unwrap(), expected);
        }
    }
}

#[test]
fn samples_of_no_weight_do_not_count_and_later_runs_widen_the_range() {
    let first = slope(50, 0.0);
    let mut weights = vec![1.0; 50];
    weights[7] = 0.0;
    let mut with_outlier = first.clone();
    let Targets::Values { values, .. } = &mut with_outlier.targets else { panic!() };
    (values[14], values[15]) = (1e6, -1e6);
    let with_outlier = with_outlier.with_sample_weights(weights).unwrap();
    let config = config(None, true);
    let mut session = Session::new(&config, &with_outlier, Start::Fresh).unwrap();
    while session.epoch(&with_outlier, &NEVER).unwrap().is_some() {}
    let kept: Vec<usize> = (0..50).filter(|&at| at != 7).collect();
    assert_eq!(session.model().outputs.range, bounds(&[&first.subset(&kept)]));
    // A run that goes on with other data has learned both.
    let state: Checkpoint = session.state();
    let second = slope(50, 3.0);
    let next = Session::new(&config, &second, Start::Continue(&state)).unwrap();
    let both = bounds(&[&first.subset(&kept), &second]);
    assert_eq!(next.model().outputs.range, both);
    let trained = session.finish();
    let next = Session::new(&config, &second, Start::Model(&trained.model)).unwrap();
    assert_eq!(next.model().outputs.range, both);
    // One without the setting does not clip.
    let free = TrainConfig { clip_predictions: None, ..config };
    let next = Session::new(&free, &second, Start::Model(&trained.model)).unwrap();
    assert!(next.model().outputs.range.is_empty());
}

/// A model of these members whose outputs go far beyond its range.
fn model(loss: Loss, members: usize) -> Model {
    let width = 2 * loss.outputs_per_target();
    let mut networks = (0..members).map(|seed| {
        let mut network = Network::dense(1, &[6], &[Activation::Tanh], width).unwrap();
        network.initialize(Init::Normal(0.8), seed as u64);
        network
    });
    let outputs = Outputs {
        range: [[0.25, 1.5], [0.0, 0.75]]
            .into_iter()
            .flat_map(|it| std::iter::repeat_n(it, width / 2))
            .collect(),
        ..Outputs::with_loss(loss.clone(), loss.output_names(&["a".into(), "b".into()]))
    };
    let network = networks.next().unwrap();
    let mut model = Model::new(network, Transform::IDENTITY, vec![1], outputs).unwrap();
    model.others = networks.collect();
    model
}

#[test]
fn a_bag_predicts_the_mean_of_clipped_predictions() {
    for loss in losses().map(|loss| loss.unwrap_or(Loss::SquaredError)) {
        let bag = model(loss.clone(), 3);
        let each: Vec<Vec<f32>> =
            (0..3).map(|at| predict(&bag.member(at).unwrap(), &far())).collect();
        let mut inside = 0;
        for (at, found) in predict(&bag, &far()).into_iter().enumerate() {
            let mean = each.iter().map(|it| f64::from(it[at])).sum::<f64>() / 3.0;
            assert!((f64::from(found) - mean).abs() < 1e-6, "{loss:?} {found} {mean}");
            let [least, most] = bag.outputs.range[at % bag.outputs.range.len()];
            assert!((least..=most).contains(&found));
            inside += usize::from(found != least && found != most);
        }
        assert!(inside > 0);
    }
}

#[test]
fn files_keep_the_range() {
    for loss in losses().map(|loss| loss.unwrap_or(Loss::SquaredError)) {
        for members in [1, 3] {
            let model = model(loss.clone(), members);
            let bytes = model_file::to_bytes(&model).unwrap();
            assert!(String::from_utf8_lossy(&bytes).contains("\"gradus_version\":\"7\""));
            let in_onnx = onnx::to_bytes(&model, &OnnxOptions::default()).unwrap();
            for bytes in [&bytes, &in_onnx] {
                let found = model_file::read(bytes, &ReadOptions::default()).unwrap().model;
                assert_eq!(found.outputs, model.outputs, "{loss:?}");
                assert_eq!(predict(&found, &far()), predict(&model, &far()));
            }
            assert_eq!(model_file::to_bytes(&model).unwrap(), bytes);
        }
    }
}

#[test]
fn what_is_no_range_is_refused() {
    let refused = |change: fn(&mut Outputs)| {
        let mut model = model(Loss::SquaredError, 1);
        change(&mut model.outputs);
        let message = model_file::to_bytes(&model).unwrap_err().to_string();
        assert!(message.contains("that predictions are clipped to"), "{message}");
    };
    refused(|outputs| outputs.range.truncate(1));
    refused(|outputs| outputs.range[1] = [1.0, 0.5]);
    refused(|outputs| outputs.range[0][1] = f32::INFINITY);
    refused(|outputs| outputs.range[0][0] = f32::NAN);
    refused(|outputs| outputs.loss = Loss::SoftmaxCrossEntropy);
    refused(|outputs| (outputs.loss, outputs.range[0][0]) = (Loss::Poisson, -1.0));
}
