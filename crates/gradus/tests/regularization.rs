//! Regularization in whole runs: the number of threads changes no bit with all of it on, each kind
//! does what it says and still learns, and the losses reported are those of the formulas.

#[path = "common/runs.rs"]
mod runs;

use std::sync::atomic::AtomicBool;

use gradus::classifier::Model;
use gradus::data::digits::{Part, generate};
use gradus::data::distort::{Distortion, Elastic};
use gradus::data::normalize::Normalization;
use gradus::data::{Dataset, Inputs, Targets};
use gradus::network::{Init, Network, Workers};
use gradus::optimizer::Optimizer;
use gradus::random::{Purpose, numbered_stream};
use gradus::schedule::Schedule;
use gradus::training::{
    BatchSize, ClassWeights, EpochReport, Monitor, Regularization, Session, Start, TrainConfig,
    train,
};
use gradus::transform::Transform;
use rand_distr::Distribution;
use runs::{accuracy, as_floats, digits, everything, run};

const NONE: Regularization = Regularization::NONE;

fn test_digits() -> Dataset {
    generate(600, 1, Part::Test).unwrap()
}

/// Mini-batches that learn within seconds.
fn small(epochs: usize, regularization: Regularization) -> TrainConfig {
    TrainConfig {
        hidden: vec![48],
        batch_size: BatchSize::Samples(64),
        epochs,
        optimizer: Optimizer::ADAM,
        learning_rate: 0.004,
        schedule: Schedule::Cosine,
        threads: Some(2),
        regularization,
        ..TrainConfig::default()
    }
}

/// One step of plain descent with all samples: every parameter moves by its gradient.
fn descent(regularization: Regularization) -> TrainConfig {
    TrainConfig {
        hidden: vec![32],
        batch_size: BatchSize::Full,
        epochs: 1,
        optimizer: Optimizer::SGD,
        learning_rate: 1.0,
        schedule: Schedule::Constant,
        threads: Some(2),
        regularization,
        ..TrainConfig::default()
    }
}

/// The networks before and after the first epoch, and its figures.
fn first_epoch(config: &TrainConfig, data: &Dataset) -> (Network, Network, EpochReport) {
    let mut session = Session::new(config, data, Start::Fresh).unwrap();
    let before = session.model().network.clone();
    let report = session.epoch(data, &AtomicBool::new(false)).unwrap().unwrap().clone();
    (before, session.model().network.clone(), report)
}

/// By how much each parameter changed.
fn changes(before: &Network, after: &Network) -> Vec<f64> {
    let pairs = before.parameters().iter().zip(after.parameters());
    pairs.map(|(&before, &after)| f64::from(after) - f64::from(before)).collect()
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

fn with_weights(data: &Dataset, weight: impl Fn(usize) -> f32) -> Dataset {
    let weights = (0..data.len()).map(weight).collect();
    data.clone().with_sample_weights(weights).unwrap()
}

#[test]
fn the_number_of_threads_changes_no_bit_with_everything_on() {
    let all = with_weights(&digits(8300), |i| 0.5 + (i % 4) as f32);
    let few = all.subset(&(0..700).collect::<Vec<_>>());
    let mini = BatchSize::Samples(96);
    for (data, hidden, batch_size, batch_norm, optimizer, threads) in [
        (&few, vec![150, 40], mini, true, Optimizer::ADAMW, vec![2, 3]),
        (&few, vec![150, 40], mini, false, Optimizer::MUON, vec![2, 3]),
        (&few, vec![70], BatchSize::Full, true, Optimizer::RMSPROP, vec![2, 3]),
        // Several lanes; three threads do not share them evenly, four make teams.
        (&all, vec![70, 20], BatchSize::Samples(8200), false, Optimizer::ADAM, vec![2, 3, 4]),
        (&all, vec![70], BatchSize::Full, false, Optimizer::LION, vec![3]),
    ] {
        for sparse in [true, false] {
            let config = TrainConfig {
                hidden: hidden.clone(),
                batch_size,
                optimizer,
                learning_rate: 0.001,
                normalization: Normalization::Unit,
                ..small(2, everything(batch_norm, sparse))
            };
            let with = |threads| {
                let config = TrainConfig { threads: Some(threads), ..config.clone() };
                let trained = run(&config, data);
                let figures = trained.history.epochs.iter().map(|e| (e.loss, e.accuracy));
                (trained.model.network.clone(), figures.collect::<Vec<_>>())
            };
            let one = with(1);
            for &threads in &threads {
                let what = format!("{hidden:?} {batch_size:?} {threads} threads, sparse {sparse}");
                assert!(one == with(threads), "{what}");
            }
        }
    }
}

#[test]
fn each_kind_alone_learns() {
    let (data, test) = (digits(1500), test_digits());
    for (name, regularization) in [
        ("none", NONE),
        ("dropout", Regularization { dropout: 0.3, ..NONE }),
        ("input dropout", Regularization { input_dropout: 0.2, ..NONE }),
        ("noise", Regularization { noise: 0.5, ..NONE }),
        ("input noise", Regularization { input_noise: 0.2, ..NONE }),
        ("batch norm", Regularization { batch_norm: true, ..NONE }),
        ("batch norm, noise", Regularization { batch_norm: true, noise: 0.3, ..NONE }),
        ("label smoothing", Regularization { label_smoothing: 0.1, ..NONE }),
        ("mixup", Regularization { mixup: 0.3, ..NONE }),
        ("l1", Regularization { l1: 1e-4, ..NONE }),
        ("l2", Regularization { l2: 1e-3, ..NONE }),
        ("max norm", Regularization { max_norm: Some(1.0), ..NONE }),
        ("clip norm", Regularization { clip_norm: Some(0.1), ..NONE }),
        ("clip value", Regularization { clip_value: Some(0.01), ..NONE }),
        ("average", Regularization { ema_decay: Some(0.98), ..NONE }),
        ("class weights", Regularization { class_weights: ClassWeights::Balanced, ..NONE }),
        ("distortion", Regularization { distortion: Distortion::STANDARD, ..NONE }),
    ] {
        let trained = run(&small(6, regularization), &data);
        let found = accuracy(&trained, &test);
        assert!(found > 0.85, "{name}: {found}");
    }
}

/// What disturbs training is not there in predictions: on its own samples the model does better
/// than the passes that it was trained by.
#[test]
fn disturbances_are_those_of_training_alone() {
    let data = digits(1000);
    for regularization in [
        Regularization { dropout: 0.5, ..NONE },
        Regularization { input_dropout: 0.4, ..NONE },
        Regularization { noise: 1.0, ..NONE },
        Regularization { input_noise: 0.4, ..NONE },
        Regularization { distortion: Distortion::STANDARD, ..NONE },
    ] {
        let trained = run(&small(6, regularization.clone()), &data);
        let reported = trained.history.epochs.last().unwrap().loss;
        let workers = Workers::new(2).unwrap();
        let found = trained.model.classifier().unwrap().evaluate(&data, &workers).unwrap().loss;
        assert!(found < 0.8 * reported, "{regularization:?}: {found} {reported}");
    }
}

#[test]
fn with_batch_normalisation_predictions_are_those_of_training() {
    let data = digits(1500);
    let config = small(6, Regularization { batch_norm: true, ..NONE });
    let trained = run(&TrainConfig { hidden: vec![48, 24], ..config }, &data);
    let reported = trained.history.epochs.last().unwrap();
    let found =
        trained.model.classifier().unwrap().evaluate(&data, &Workers::new(2).unwrap()).unwrap();
    let accuracy = reported.accuracy.unwrap();
    assert!((found.accuracy - accuracy).abs() < 0.02, "{} {accuracy}", found.accuracy);
    assert!((found.loss - reported.loss).abs() < 0.05, "{} {}", found.loss, reported.loss);
}

#[test]
fn max_norm_limits_the_weights_of_every_hidden_unit() {
    let data = digits(1000);
    for data in [&data, &as_floats(&data)] {
        let config = |max_norm| TrainConfig {
            hidden: vec![70, 30],
            normalization: Normalization::Standard,
            ..small(3, Regularization { max_norm, ..NONE })
        };
        let norms = |max_norm| -> Vec<f64> {
            let network = run(&config(max_norm), data).model.network.clone();
            let units = (0..2).flat_map(|index| {
                let outputs = network.linears()[index].outputs;
                (0..outputs)
                    .map(|unit| {
                        let column = network.weight(index).iter().skip(unit).step_by(outputs);
                        norm(&column.map(|&weight| f64::from(weight)).collect::<Vec<_>>())
                    })
                    .collect::<Vec<_>>()
            });
            units.collect()
        };
        let (free, limited) = (norms(None), norms(Some(0.75)));
        assert_eq!(limited.len(), 100);
        assert!(free.iter().all(|&norm| norm > 0.76), "{free:?}");
        assert!(limited.iter().all(|&norm| norm < 0.75 * (1.0 + 1e-6)), "{limited:?}");
        assert!(limited.iter().filter(|&&norm| norm > 0.749).count() > 20, "{limited:?}");
    }
}

#[test]
fn penalties_shrink_weights_and_no_biases() {
    let data = digits(1000);
    let weights = |regularization| {
        let network = run(&small(6, regularization), &data).model.network.clone();
        [network.weight(0), network.weight(1)].concat()
    };
    let (free, l1, l2) = (
        weights(NONE),
        weights(Regularization { l1: 1e-3, ..NONE }),
        weights(Regularization { l2: 1e-2, ..NONE }),
    );
    let small = |weights: &[f32]| weights.iter().filter(|weight| weight.abs() < 1e-3).count();
    let squares = |weights: &[f32]| weights.iter().map(|w| w * w).sum::<f32>();
    eprintln!(
        "{} {} of {}; {} {}",
        small(&l1),
        small(&free),
        free.len(),
        squares(&l2),
        squares(&free)
    );
    assert!(small(&l1) > 5 * small(&free), "{} {} of {}", small(&l1), small(&free), free.len());
    assert!(squares(&l2) < 0.7 * squares(&free), "{} {}", squares(&l2), squares(&free));

    // One step: the gradient grows by the slope of the penalty.
    let (before, plain, _) = first_epoch(&descent(NONE), &data);
    for (l1, l2) in [(1e-3, 0.0), (0.0, 1e-2), (1e-3, 1e-2)] {
        let (_, after, _) = first_epoch(&descent(Regularization { l1, l2, ..NONE }), &data);
        for index in 0..2 {
            let triples = before.weight(index).iter().zip(plain.weight(index));
            for ((&start, &plain), &after) in triples.zip(after.weight(index)) {
                let slope = if start == 0.0 { 0.0 } else { l1 * start.signum() } + l2 * start;
                assert!((plain - after - slope).abs() < 1e-6, "{plain} {after} {slope}");
            }
            assert_eq!(plain.bias(index), after.bias(index));
        }
    }
}

#[test]
fn clipping_limits_a_step() {
    let data = digits(500);
    for data in [&data, &as_floats(&data)] {
        let step = |regularization| {
            let config =
                TrainConfig { normalization: Normalization::Standard, ..descent(regularization) };
            let (before, after, _) = first_epoch(&config, data);
            changes(&before, &after)
        };
        let free = step(NONE);
        let clipped = step(Regularization { clip_norm: Some(0.1), ..NONE });
        assert!(norm(&free) > 0.2, "{}", norm(&free));
        assert!((norm(&clipped) - 0.1).abs() < 1e-4, "{}", norm(&clipped));
        // The direction stays; a limit that is not reached changes nothing.
        let factor = 0.1 / norm(&free);
        assert!(free.iter().zip(&clipped).all(|(f, c)| (f * factor - c).abs() < 1e-6));
        assert_eq!(step(Regularization { clip_norm: Some(1e3), ..NONE }), free);

        let clipped = step(Regularization { clip_value: Some(0.002), ..NONE });
        assert!(free.iter().any(|change| change.abs() > 0.01));
        for (free, clipped) in free.iter().zip(&clipped) {
            assert!((free.clamp(-0.002, 0.002) - clipped).abs() < 1e-7, "{free} {clipped}");
        }
    }
}

#[test]
fn the_average_follows_the_parameters() {
    let data = digits(300);
    let config = |epochs, ema_decay| TrainConfig {
        epochs,
        learning_rate: 0.1,
        ..descent(Regularization { ema_decay, batch_norm: true, ..NONE })
    };
    let plain = run(&config(5, None), &data);
    assert_eq!(plain.model.network, run(&config(5, Some(0.0)), &data).model.network);

    // Without batch normalization the model is the average itself: from the initial parameters on,
    // with the decay of each step.
    let config = |ema_decay| TrainConfig {
        epochs: 5,
        learning_rate: 0.1,
        ..descent(Regularization { ema_decay, ..NONE })
    };
    let (free, averaged) = (config(None), config(Some(0.25)));
    let mut free = Session::new(&free, &data, Start::Fresh).unwrap();
    let mut averaged = Session::new(&averaged, &data, Start::Fresh).unwrap();
    let stop = AtomicBool::new(false);
    let mut expected = free.model().network.parameters().to_vec();
    for step in 0..5 {
        free.epoch(&data, &stop).unwrap().unwrap();
        averaged.epoch(&data, &stop).unwrap().unwrap();
        let decay = ((1 + step) as f32 / (10 + step) as f32).min(0.25);
        for (average, &now) in expected.iter_mut().zip(free.model().network.parameters()) {
            *average = decay * *average + (1.0 - decay) * now;
        }
        for (found, expected) in averaged.model().network.parameters().iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-6, "step {step}: {found} {expected}");
        }
    }
}

/// Most labels are wrong: with weights of 0 for those, the others are learned from alone.
#[test]
fn samples_of_weight_zero_are_not_learned_from() {
    let (data, test) = (digits(2000), test_digits());
    let is_wrong = |i: usize| i % 5 < 3;
    let mut wrong = data.clone();
    let Targets::Classes { labels, .. } = &mut wrong.targets else { panic!() };
    for (_, label) in labels.iter_mut().enumerate().filter(|(i, _)| is_wrong(*i)) {
        *label = (*label + 1) % 10;
    }
    let clean: Vec<usize> = (0..2000).filter(|&i| !is_wrong(i)).collect();
    let config = small(8, NONE);
    let found = |data: &Dataset| accuracy(&run(&config, data), &test);
    let clean = found(&data.subset(&clean));
    let weighted = found(&with_weights(&wrong, |i| f32::from(!is_wrong(i))));
    let unweighted = found(&wrong);
    assert!(weighted > clean - 0.03, "{clean} {weighted} {unweighted}");
    assert!(weighted > unweighted + 0.3, "{clean} {weighted} {unweighted}");
}

#[test]
fn a_weight_of_k_counts_as_k_samples() {
    let data = digits(200);
    let repeated: Vec<usize> = (0..200).flat_map(|i| vec![i; i % 4]).collect();
    let repeated = data.subset(&repeated);
    let weighted = with_weights(&data, |i| (i % 4) as f32);
    // The decay of a batch norm's statistics counts samples, hence without.
    for label_smoothing in [0.0, 0.1] {
        let config = descent(Regularization { label_smoothing, ..NONE });
        let (_, expected, reported) = first_epoch(&config, &repeated);
        let (_, found, weighted) = first_epoch(&config, &weighted);
        assert!(
            (reported.loss - weighted.loss).abs() < 1e-6,
            "{} {}",
            reported.loss,
            weighted.loss
        );
        assert!(changes(&expected, &found).iter().all(|change| change.abs() < 1e-5));
    }
    // The weight of a class is that of its samples.
    let factors: Vec<f32> = (0..10).map(|class| 0.5 + class as f32 / 4.0).collect();
    let by_sample = with_weights(&data, |i| factors[data.labels()[i] as usize]);
    let config = descent(Regularization { class_weights: ClassWeights::Each(factors), ..NONE });
    let found = first_epoch(&config, &data).1;
    assert_eq!(found, first_epoch(&descent(NONE), &by_sample).1);
}

#[test]
fn balanced_classes_raise_the_recall_of_a_rare_one() {
    let (all, test) = (digits(2000), generate(2000, 1, Part::Test).unwrap());
    let is_rare = |i: usize| all.labels()[i] == 8;
    let kept: Vec<usize> = (0..2000).filter(|&i| !is_rare(i) || i % 20 == 0).collect();
    let data = all.subset(&kept);
    let recall = |class_weights| {
        let config =
            TrainConfig { hidden: vec![], ..small(3, Regularization { class_weights, ..NONE }) };
        let classifier = run(&config, &data).model.into_classifier().unwrap();
        let evaluation = classifier.evaluate(&test, &Workers::new(2).unwrap()).unwrap();
        evaluation.confusion.class(8).recall
    };
    let (equal, balanced) = (recall(ClassWeights::Equal), recall(ClassWeights::Balanced));
    assert!(balanced > equal + 0.1, "{equal} {balanced}");
}

/// Mean of the losses of predictions against target distributions, in plain loops.
fn loss_by_hand(
    classifier: &Model,
    inputs: &Inputs,
    target: impl Fn(usize, usize) -> f64,
    weight: impl Fn(usize) -> f64,
) -> f64 {
    let predictions =
        classifier.classifier().unwrap().predict(inputs, &Workers::new(1).unwrap()).unwrap();
    let (mut sum, mut total) = (0.0, 0.0);
    for i in 0..predictions.len() {
        for (class, &p) in predictions.row(i).iter().enumerate() {
            sum -= weight(i) * target(i, class) * f64::from(p).ln();
        }
        total += weight(i);
    }
    sum / total
}

#[test]
fn losses_are_those_of_the_formulas() {
    let (s, count) = (0.2f32, 150);
    let data = with_weights(&digits(count), |i| (i % 3) as f32);
    let factors: Vec<f32> = (0..10).map(|class| 1.0 + class as f32).collect();
    let class_weights = ClassWeights::Each(factors.clone());
    let labels = data.labels().to_vec();
    let weight = |i: usize| f64::from(factors[labels[i] as usize]) * (i % 3) as f64;
    let one_hot = |i: usize, class: usize| f64::from(u8::from(labels[i] as usize == class));
    let smooth = |target: f64| f64::from(1.0 - s) * target + f64::from(s) / 10.0;
    let settings = Regularization { label_smoothing: s, class_weights, ..NONE };

    let config = TrainConfig { init: Init::Glorot, seed: 7, ..descent(settings.clone()) };
    let session = Session::new(&config, &data, Start::Fresh).unwrap();
    let expected =
        loss_by_hand(session.model(), &data.inputs, |i, c| smooth(one_hot(i, c)), weight);
    let reported = first_epoch(&config, &data).2;
    assert!((reported.loss - expected).abs() < 1e-5, "{} {expected}", reported.loss);

    // Mixup: in step 0 a share from Beta(alpha, alpha), the same for all samples, and the partner so
    // many places further in the batch, which here holds all samples in order.
    let alpha = 0.4f32;
    let mut rng = numbered_stream(7, Purpose::Mixup, 0);
    let share = rand_distr::Beta::new(f64::from(alpha), f64::from(alpha)).unwrap().sample(&mut rng);
    let share = share.max(1.0 - share);
    let offset = 1 + rand::RngExt::random_range(&mut rng, 0..count - 1);
    let partner = |i: usize| (i + offset) % count;
    let mixed_target =
        |i: usize, c: usize| smooth(share * one_hot(i, c) + (1.0 - share) * one_hot(partner(i), c));
    let Inputs::Bytes(bytes) = &data.inputs else { panic!("no bytes") };
    let unit = |i: usize, at: usize| f64::from(bytes[i * 784 + at]) / 255.0;
    let mixed = (0..count * 784).map(|at| {
        let (i, at) = (at / 784, at % 784);
        (share * unit(i, at) + (1.0 - share) * unit(partner(i), at)) as f32
    });
    let mut classifier = session.model().clone();
    classifier.transform = Transform::scalar(0.0, 1.0);
    let expected =
        loss_by_hand(&classifier, &Inputs::Floats(mixed.collect()), mixed_target, weight);
    let config = TrainConfig {
        regularization: Regularization { mixup: alpha, ..settings },
        ..config.clone()
    };
    let reported = first_epoch(&config, &data).2;
    assert!(share < 0.99, "another seed is needed: {share}");
    assert!((reported.loss - expected).abs() < 1e-5, "{} {expected}", reported.loss);
}

#[test]
fn every_wrong_setting_is_named() {
    let data = digits(20);
    let refused = |config: &TrainConfig, data: &Dataset, name: &str| {
        let result = train(config, data, None, None, &AtomicBool::new(false), &mut |_| {});
        let message = result.err().unwrap_or_else(|| panic!("{name} is taken")).to_string();
        assert!(message.contains(name), "{name}: {message}");
    };
    let wrong = |name: &str, regularization: Regularization| {
        refused(&small(1, regularization), &data, name);
    };
    for value in [-0.1, 1.0, f32::NAN] {
        wrong("`dropout` is", Regularization { dropout: value, ..NONE });
        wrong("`input_dropout` is", Regularization { input_dropout: value, ..NONE });
        wrong("`label_smoothing` is", Regularization { label_smoothing: value, ..NONE });
        wrong("`ema_decay` is", Regularization { ema_decay: Some(value), ..NONE });
    }
    for value in [-0.1, f32::INFINITY, f32::NAN] {
        wrong("`noise` is", Regularization { noise: value, ..NONE });
        wrong("`input_noise` is", Regularization { input_noise: value, ..NONE });
        wrong("`mixup` is", Regularization { mixup: value, ..NONE });
        wrong("`l1` is", Regularization { l1: value, ..NONE });
        wrong("`l2` is", Regularization { l2: value, ..NONE });
    }
    for value in [0.0, -1.0, f32::INFINITY, f32::NAN] {
        wrong("`max_norm` is", Regularization { max_norm: Some(value), ..NONE });
        wrong("`clip_norm` is", Regularization { clip_norm: Some(value), ..NONE });
        wrong("`clip_value` is", Regularization { clip_value: Some(value), ..NONE });
    }
    let each = |weights: &[f32]| Regularization {
        class_weights: ClassWeights::Each(weights.to_vec()),
        ..NONE
    };
    wrong("`class_weights` is", each(&[0.0; 10]));
    wrong("`class_weights` is", each(&[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, -1.0]));
    wrong("`class_weights` is", each(&[f32::NAN; 10]));
    wrong("3 class weights, but the data have 10 classes", each(&[1.0; 3]));
    let distortion = |change: fn(&mut Distortion)| {
        let mut distortion = Distortion::NONE;
        change(&mut distortion);
        Regularization { distortion, ..NONE }
    };
    wrong("shift", distortion(|it| it.shift = -1.0));
    wrong("rotate", distortion(|it| it.rotate = 181.0));
    wrong("scale", distortion(|it| it.scale = f32::NAN));
    wrong("shear", distortion(|it| it.shear = 3.0));
    wrong("alpha", distortion(|it| it.elastic = Some(Elastic { alpha: -1.0, sigma: 5.0 })));
    wrong("sigma", distortion(|it| it.elastic = Some(Elastic { alpha: 1.0, sigma: 0.0 })));
    let floats = as_floats(&data);
    let distorted = small(1, Regularization { distortion: Distortion::STANDARD, ..NONE });
    refused(&distorted, &floats, "distort");
    for regularization in [
        Regularization { dropout: 0.1, ..NONE },
        Regularization { noise: 0.1, ..NONE },
        Regularization { batch_norm: true, ..NONE },
        Regularization { max_norm: Some(1.0), ..NONE },
    ] {
        let flat = TrainConfig { hidden: vec![], ..small(1, regularization) };
        refused(&flat, &data, "there is none");
    }
    let watching = TrainConfig { monitor: Some(Monitor::ValAccuracy), ..small(1, NONE) };
    refused(&watching, &data, "`monitor` is val_accuracy, but there are no validation data");
}
