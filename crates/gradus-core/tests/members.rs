//! Bags: several networks on folds, whose mean is one model. Every part against what its members do alone.

use std::sync::atomic::AtomicBool;

use gradus_core::loss::Loss;
use gradus_core::model::Model;
use gradus_core::model_file;
use gradus_core::optimizer::Optimizer;
use gradus_core::samples::{Dataset, Inputs, Rows, Subset, Targets, folds};
use gradus_core::schedule::{Plateau, Schedule};
use gradus_core::training::{
    BatchSize, Checkpoint, Data, EarlyStopping, KeepBest, OutOfFoldFigures, Outcome, Session,
    Start, TrainConfig, Trained, member_seed, train,
};
use gradus_core::transform::normalize::Normalization;
use gradus_kernels::threads::Workers;

static NEVER: AtomicBool = AtomicBool::new(false);

/// Adam at a constant rate, in batches of 50, on one thread.
fn adam(hidden: &[usize], epochs: usize) -> TrainConfig {
    TrainConfig {
        hidden: hidden.to_vec(),
        batch_size: BatchSize::Samples(50),
        epochs,
        optimizer: Optimizer::ADAM,
        learning_rate: 0.005,
        schedule: Schedule::Constant,
        threads: Some(1),
        ..TrainConfig::default()
    }
}

/// The run of a checkpoint, with another number of threads.
fn resume(
    checkpoint: &Checkpoint,
    data: &Dataset,
    threads: Option<usize>,
) -> gradus_core::error::Result<Session> {
    let config = TrainConfig { threads, ..checkpoint.config().clone() };
    Session::new(&config, data, Start::Resume(checkpoint))
}

/// Rows of ten bytes, in four classes that overlap.
fn digits(samples: usize) -> Dataset {
    let class = |row: usize| row * 7 % 4;
    let byte = |row: usize, at: usize| {
        let noise = (row * 2_654_435_761 + at * 40_503) % 97;
        (at % 4 == class(row)) as usize * 60 + noise
    };
    let inputs = (0..samples).flat_map(|row| (0..10).map(move |at| byte(row, at) as u8)).collect();
    let labels = (0..samples).map(|row| class(row) as u32).collect();
    let names = ["a", "b", "c", "d"].map(String::from).to_vec();
    Dataset::new(Inputs::Bytes(inputs), labels, vec![10], names).unwrap()
}

fn bag(members: usize, epochs: usize) -> TrainConfig {
    TrainConfig { members: Some(members), ..adam(&[12], epochs) }
}

fn run(config: &TrainConfig, data: &Dataset) -> Trained {
    train(config, data, None, None, &NEVER, &mut |_| {}).unwrap()
}

/// Two features, and what is to be learned with noise of a standard deviation of 0.5.
fn noisy(samples: usize, seed: u64) -> Dataset {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut uniform = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f32 / (1u64 << 53) as f32
    };
    let (mut inputs, mut targets) = (Vec::new(), Vec::new());
    for _ in 0..samples {
        let (x, y) = (2.0 * uniform() - 1.0, 2.0 * uniform() - 1.0);
        let noise = (0..12).map(|_| uniform()).sum::<f32>() - 6.0;
        inputs.extend([x, y]);
        targets.push(10.0 + 2.0 * x - y * y + 0.5 * noise);
    }
    let targets = Targets::Values { values: targets, names: vec!["z".into()] };
    Dataset::with_targets(Inputs::Floats(inputs), targets, vec![2]).unwrap()
}

fn regression(members: usize, epochs: usize) -> TrainConfig {
    TrainConfig {
        normalization: Normalization::Standard,
        standardize_targets: Some(true),
        ..bag(members, epochs)
    }
}

/// The samples of a member: those it learns from, and its fold.
fn parts(data: &Dataset, config: &TrainConfig, member: usize) -> (Vec<u32>, Vec<u32>) {
    let fold_of = folds(data, config.members.unwrap(), config.seed).unwrap();
    (0..data.len() as u32).partition(|&at| fold_of[at as usize] != member)
}

/// Each member is the run of one network with its own seed on its own samples; normalization `None` depends on no samples.
#[test]
fn members_are_single_runs_on_their_folds() {
    let data = digits(300);
    let config = TrainConfig { normalization: Normalization::Unit, ..bag(3, 4) };
    let trained = run(&config, &data);
    assert_eq!((trained.model.members(), &trained.outcome), (3, &Outcome::Finished));
    let temperature = trained.out_of_fold.unwrap().temperature.unwrap();
    for member in 0..3 {
        let alone = TrainConfig {
            members: None,
            seed: member_seed(config.seed, member),
            keep_best: Some(KeepBest::Last),
            ..config.clone()
        };
        let (train, held_out) = parts(&data, &config, member);
        let sets = Data {
            train: Subset::new(&data, &train).unwrap(),
            validation: Some(Subset::new(&data, &held_out).unwrap()),
        };
        let mut session = Session::new(&alone, sets, Start::Fresh).unwrap();
        while session.epoch(sets, &NEVER).unwrap().is_some() {}
        let expected = session.finish().model.network;
        let found = trained.model.networks().nth(member).unwrap();
        assert_eq!(found.weight(0), expected.weight(0), "member {member}");
        for (found, expected) in found.weight(1).iter().zip(expected.weight(1)) {
            assert_eq!(*found, (f64::from(*expected) / temperature) as f32, "member {member}");
        }
    }
    assert_ne!(member_seed(0, 1), member_seed(1, 0));
    assert_eq!(member_seed(7, 0), 7);
}

#[test]
fn predictions_are_means_of_the_members() {
    let workers = Workers::new(2).unwrap();
    for (config, data) in [(bag(3, 3), digits(200)), (regression(4, 5), noisy(150, 1))] {
        let model = run(&config, &data).model;
        let found = model.predict(&data.inputs, &workers).unwrap();
        let each: Vec<_> = (0..model.members())
            .map(|at| model.member(at).unwrap().predict(&data.inputs, &workers).unwrap())
            .collect();
        assert_ne!(each[0], each[1]);
        for (at, &found) in found.iter().enumerate() {
            let mean = each.iter().map(|it| f64::from(it[at])).sum::<f64>() / each.len() as f64;
            assert!((f64::from(found) - mean).abs() < 1e-6 * (1.0 + mean.abs()), "{at}");
        }
        // One by one, the same bits.
        let bytes = matches!(data.inputs, Inputs::Bytes(_));
        let mut predictor = model.predictor(bytes).unwrap();
        let (width, outputs) = (data.features(), model.names().len());
        for at in 0..20 {
            let sample = match data.inputs.rows() {
                Rows::Bytes(values) => Rows::Bytes(&values[at * width..][..width]),
                Rows::Floats(values) => Rows::Floats(&values[at * width..][..width]),
                _ => unreachable!(),
            };
            assert_eq!(predictor.predict(sample).unwrap(), &found[at * outputs..][..outputs]);
        }
        assert!(model.member(model.members()).is_err());
    }
}

#[test]
fn bits_do_not_depend_on_threads() {
    for (config, data) in [(bag(4, 3), digits(200)), (regression(3, 5), noisy(100, 2))] {
        for refit in [false, true] {
            let files: Vec<_> = [1, 2, 3]
                .map(|threads| {
                    let config = TrainConfig {
                        threads: Some(threads),
                        refit: Some(refit),
                        ..config.clone()
                    };
                    model_file::to_bytes(&run(&config, &data).model).unwrap()
                })
                .into();
            assert!(files[0] == files[1] && files[0] == files[2]);
        }
    }
}

/// The out-of-fold figures are those of the members on their folds, and what validation has measured.
#[test]
fn out_of_fold_figures_are_those_of_the_folds() {
    let data = digits(240);
    let config = bag(3, 1);
    let trained = run(&config, &data);
    let found = trained.out_of_fold.clone().unwrap();
    let OutOfFoldFigures::Classes(figures) = &found.figures else { panic!("not classes") };
    let workers = Workers::new(1).unwrap();
    let (mut right, mut loss) = (0.0, 0.0);
    for member in 0..3 {
        let (_, held_out) = parts(&data, &config, member);
        let model = trained.model.member(member).unwrap().into_classifier().unwrap();
        let fold = model.evaluate(Subset::new(&data, &held_out).unwrap(), &workers).unwrap();
        right += fold.accuracy * held_out.len() as f64;
        loss += fold.loss * held_out.len() as f64;
    }
    assert!((figures.accuracy - right / 240.0).abs() < 1e-12);
    assert!((figures.loss - loss / 240.0).abs() < 1e-9);
    // After one epoch, that of the history; the temperature only makes the loss smaller.
    let epoch = &trained.history.epochs[0];
    assert!((epoch.val_accuracy.unwrap() - figures.accuracy).abs() < 1e-12);
    assert!(figures.loss < epoch.val_loss.unwrap());
    let json = found.to_json();
    assert_eq!(json["out_of_fold_accuracy"].as_f64(), Some(figures.accuracy));
    assert_eq!(trained.model.provenance.more["out_of_fold_loss"], json["out_of_fold_loss"]);
    assert_eq!(trained.model.provenance.more["temperature"], json["temperature"]);
}

/// New samples fall into the intervals as often as these say: with a bag of small networks and noise that no network can
/// learn, within five standard deviations of the binomial distribution and some share for what the mean is better.
#[test]
fn intervals_cover_new_samples() {
    let (data, test) = (noisy(600, 3), noisy(4000, 4));
    let trained = run(&regression(5, 30), &data);
    let Some(OutOfFoldFigures::Values(figures)) = trained.out_of_fold.map(|it| it.figures) else {
        panic!("no values")
    };
    let error = figures.mean().root_mean_squared;
    assert!((0.45..0.7).contains(&error), "{error}");
    let intervals = trained.model.intervals.as_ref().unwrap();
    assert_eq!(intervals.samples(), 600);
    let workers = Workers::new(2).unwrap();
    let predicted = trained.model.predict(&test.inputs, &workers).unwrap();
    let Targets::Values { values, .. } = &test.targets else { unreachable!() };
    for level in [0.5, 0.8, 0.9, 0.95] {
        let width = intervals.half_widths(level).unwrap()[0];
        let inside = predicted.iter().zip(values).filter(|(a, b)| (*a - *b).abs() <= width).count();
        let share = inside as f64 / 4000.0;
        // Both the 600 errors and the 4000 samples are drawn.
        let spread = (level * (1.0 - level) * (1.0 / 600.0 + 1.0 / 4000.0)).sqrt();
        assert!((share - level).abs() < 5.0 * spread, "{level}: {share}");
    }
}

#[test]
fn members_are_trained_once_more_on_all_samples() {
    let data = noisy(120, 5);
    let config = TrainConfig { refit: Some(true), ..regression(3, 12) };
    let again = run(&config, &data);
    let before = run(&TrainConfig { refit: None, ..config.clone() }, &data);
    let about = &again.model.provenance.more["members"];
    assert_eq!(about["refitted"], true);
    assert_eq!(before.model.provenance.more["members"]["refitted"], false);
    // Folds and what follows from them are the same; the networks are those of runs on all samples.
    assert_eq!(again.out_of_fold, before.out_of_fold);
    assert_eq!(again.model.intervals, before.model.intervals);
    for member in 0..3 {
        let alone = TrainConfig {
            members: None,
            refit: None,
            seed: member_seed(config.seed, member),
            ..config.clone()
        };
        let epochs = about["best_epochs"][member].as_u64().unwrap() + 1;
        let mut session = Session::new(&alone, &data, Start::Fresh).unwrap();
        for _ in 0..epochs {
            session.epoch(&data, &NEVER).unwrap().unwrap();
        }
        let found = again.model.networks().nth(member).unwrap();
        assert_eq!(found.parameters(), session.finish().model.network.parameters());
    }
    let plateau = Schedule::Plateau(Plateau { patience: 1, factor: 0.5 });
    for wrong in [
        TrainConfig { schedule: plateau, ..config.clone() },
        TrainConfig { members: None, ..config.clone() },
    ] {
        let error = Session::new(&wrong, &data, Start::Fresh).err().unwrap().to_string();
        assert!(error.contains("`refit` is true"), "{error}");
    }
}

#[test]
fn files_hold_all_members() {
    for (config, data) in [(bag(3, 2), digits(100)), (regression(2, 3), noisy(60, 6))] {
        let model = run(&config, &data).model;
        let bytes = model_file::to_bytes(&model).unwrap();
        let read = model_file::model_from_bytes(&bytes).unwrap();
        assert!(read == model);
        assert!(read.intervals.is_some() == matches!(data.targets, Targets::Values { .. }));
        // A single network is written as ever.
        let single = Model { intervals: None, ..model.member(1).unwrap() };
        let single = model_file::to_bytes(&single).unwrap();
        assert!(!String::from_utf8_lossy(&single).contains("members.1."));
        let other =
            model_file::to_bytes(&Model { others: model.others[1..].to_vec(), ..model.clone() });
        assert!(other.unwrap().len() < bytes.len());
    }
    let mut model = run(&bag(2, 1), &digits(50)).model;
    model.others[0] = run(&adam(&[5], 1), &digits(50)).model.network;
    let error = model_file::to_bytes(&model).unwrap_err().to_string();
    assert!(error.contains("the same layers"), "{error}");
}

/// A bag that goes on from a checkpoint gives the bits of the uninterrupted one, whatever the number of threads.
#[test]
fn a_resumed_bag_gives_the_same_bits() {
    let early = EarlyStopping { patience: 2, min_delta: 0.0 };
    for (config, data) in [
        (bag(3, 6), digits(150)),
        (TrainConfig { refit: Some(true), ..regression(3, 8) }, noisy(90, 7)),
        (TrainConfig { early_stopping: Some(early), ..regression(4, 40) }, noisy(80, 8)),
    ] {
        let expected = run(&config, &data);
        for epochs in [1, 3] {
            let mut session = Session::new(&config, &data, Start::Fresh).unwrap();
            for _ in 0..epochs {
                session.epoch(&data, &NEVER).unwrap().unwrap();
            }
            let bytes = session.checkpoint(&data, "note".into()).to_bytes().unwrap();
            let checkpoint = Checkpoint::from_bytes(&bytes).unwrap();
            assert_eq!(checkpoint.history(), session.history());
            let mut session = resume(&checkpoint, &data, Some(2)).unwrap();
            while session.epoch(&data, &NEVER).unwrap().is_some() {}
            let found = session.finish();
            assert!(
                model_file::to_bytes(&found.model).unwrap()
                    == model_file::to_bytes(&expected.model).unwrap()
            );
            assert_eq!(found.out_of_fold, expected.out_of_fold);
            // Other data, and other settings, are another run.
            let error = resume(&checkpoint, &noisy(90, 9), None).err().unwrap().to_string();
            assert!(error.contains("the data are not those"), "{error}");
            let other = TrainConfig { members: Some(2), ..config.clone() };
            assert!(Session::new(&other, &data, Start::Resume(&checkpoint)).is_err());
            let single = TrainConfig { members: None, refit: None, ..config.clone() };
            let error = Session::new(&single, &data, Start::Continue(&checkpoint)).err().unwrap();
            assert!(error.to_string().contains("a bag of networks"), "{error}");
        }
    }
}

#[test]
fn a_stopped_bag_is_a_model() {
    let (data, config) = (noisy(80, 10), regression(3, 50));
    let stop = AtomicBool::new(false);
    let mut session = Session::new(&config, &data, Start::Fresh).unwrap();
    for _ in 0..3 {
        session.epoch(&data, &stop).unwrap().unwrap();
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(session.epoch(&data, &stop).unwrap().is_none());
    let trained = session.finish();
    assert_eq!((trained.outcome, trained.history.epochs.len()), (Outcome::Stopped, 3));
    assert_eq!(trained.model.members(), 3);
    assert!(trained.out_of_fold.is_some() && trained.model.intervals.is_some());
}

#[test]
fn what_does_not_fit_is_refused() {
    let data = noisy(4, 11);
    let begin = |config: &TrainConfig, data: Data, start: Start| {
        Session::new(config, data, start).err().unwrap().to_string()
    };
    let error = begin(&regression(5, 1), (&data).into(), Start::Fresh);
    assert!(error.contains("`members` is 5") && error.contains("4 samples"), "{error}");
    let error = begin(&regression(2, 1), (&data, Some(&data)).into(), Start::Fresh);
    assert!(error.contains("`members` makes validation data itself"), "{error}");
    let error = begin(&regression(101, 1), (&data).into(), Start::Fresh);
    assert!(error.contains("between 1 and 100"), "{error}");
    let model = run(&regression(2, 1), &data).model;
    for config in [regression(2, 1), TrainConfig { members: None, ..regression(2, 1) }] {
        let error = begin(&config, (&data).into(), Start::Model(&model));
        assert!(
            error.contains("weights of their own") || error.contains("a bag of networks"),
            "{error}"
        );
    }
    // As many members as samples are possible.
    let trained = run(&TrainConfig { keep_best: None, ..regression(4, 1) }, &data);
    assert_eq!(trained.model.intervals.unwrap().samples(), 4);
}

#[test]
fn rare_classes_are_told() {
    let labels = vec![0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 0, 1];
    let inputs = Inputs::Floats((0..24).map(|at| (at * 7 % 5) as f32).collect());
    let names = ["a", "b", "c"].map(String::from).to_vec();
    let data = Dataset::new(inputs, labels, vec![2], names).unwrap();
    let trained = run(&bag(3, 1), &data);
    let warning = &trained.warnings[0];
    assert!(
        warning.contains("'c' has 1 of the training samples")
            && warning.contains("never predicted"),
        "{warning}"
    );
    assert_eq!(trained.out_of_fold.unwrap().to_json().len(), 3);
}

/// Losses with other predictions than outputs, and several labels.
#[test]
fn all_losses_have_bags() {
    for loss in [Loss::Poisson, Loss::AbsoluteError, Loss::Quantile(vec![0.1, 0.9])] {
        let data = noisy(60, 12);
        let standardize = loss.can_standardize().then_some(true);
        let config = TrainConfig {
            loss: Some(loss.clone()),
            standardize_targets: standardize,
            ..regression(3, 3)
        };
        let model = run(&config, &data).model;
        assert_eq!(model.intervals.is_some(), loss.outputs_per_target() == 1);
        let bytes = model_file::to_bytes(&model).unwrap();
        assert!(model_file::model_from_bytes(&bytes).unwrap() == model);
    }
    let values = (0..120).map(|at| (at % 3 == 0) as u8 as f32).collect();
    let targets = Targets::Values { values, names: vec!["a".into(), "b".into()] };
    let inputs = Inputs::Floats((0..120).map(|at| (at * 5 % 7) as f32).collect());
    let data = Dataset::with_targets(inputs, targets, vec![2]).unwrap().with_labels().unwrap();
    let config = TrainConfig { loss: Some(Loss::BinaryCrossEntropy), ..bag(3, 2) };
    let trained = run(&config, &data);
    let found = trained.out_of_fold.unwrap();
    assert!(matches!(found.figures, OutOfFoldFigures::Labels(_)) && found.temperature.is_none());
    assert!(trained.model.intervals.is_none());
}
