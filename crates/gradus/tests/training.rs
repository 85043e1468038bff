//! Training as a whole: it learns, the number of threads changes nothing, a step allocates nothing,
//! and runs that are stopped or diverge leave a usable model.

#[path = "common/runs.rs"]
mod runs;

use std::alloc::System;
use std::sync::atomic::{AtomicBool, Ordering};

use gradus::classifier::skips_zeros;
use gradus::data::digits::{Part, generate};
use gradus::data::normalize::Normalization;
use gradus::data::{Dataset, Inputs, SparseRows, Subset};
use gradus::network::{Activation, Workers};
use gradus::optimizer::Optimizer;
use gradus::schedule::Schedule;
use gradus::training::{
    BatchSize, Data, Outcome, Regularization, Session, Start, TrainConfig, Trained, train,
};
use gradus::transform::Transform;
use runs::{as_floats, as_sparse, digits, everything, run};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

/// Counts allocations, so that "allocates nothing" can be tested.
#[global_allocator]
static COUNTING: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The tests of this file run one after the other: one of them counts allocations.
static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn small(epochs: usize) -> TrainConfig {
    TrainConfig { epochs, threads: Some(2), ..TrainConfig::default() }
}

#[test]
fn floats_that_were_bytes_are_learnt_as_these() {
    let _one = ONE_AT_A_TIME.lock();
    let data = digits(700);
    let mut floats = as_floats(&data);
    let learnt = |data: &Dataset, normalization, regularization| {
        let config = TrainConfig { normalization, regularization, ..small(2) };
        run(&config, data).model.network.clone()
    };
    let plain = Regularization::default;
    let raw = learnt(&floats, Normalization::None, plain());
    assert!(raw == learnt(&data, Normalization::None, plain()));
    let Inputs::Floats(values) = &mut floats.inputs else { panic!("not floats") };
    values.iter_mut().for_each(|value| *value /= 255.0);
    for input_dropout in [0.0, 0.2] {
        let regularization = || Regularization { input_dropout, ..plain() };
        let unit = learnt(&floats, Normalization::None, regularization());
        assert!(unit == learnt(&data, Normalization::Unit, regularization()));
    }
    // One other number, and they were no bytes.
    let skipped = |data: &Dataset| skips_zeros(&Transform::IDENTITY, data);
    assert!(skipped(&floats));
    let Inputs::Floats(values) = &mut floats.inputs else { panic!("not floats") };
    values[400] = 0.12345;
    assert!(!skipped(&floats));
}

#[test]
fn sparse_rows_are_learnt_as_the_values_that_they_stand_for() {
    let _one = ONE_AT_A_TIME.lock();
    let bytes = digits(700);
    let (floats, sparse) = (as_floats(&bytes), as_sparse(&bytes));
    let learnt = |data: &Dataset, normalization, regularization: &Regularization| {
        let regularization = regularization.clone();
        run(&TrainConfig { normalization, regularization, ..small(2) }, data).model
    };
    let (plain, workers) = (Regularization::default(), Workers::new(2).unwrap());
    // Zeros are skipped as those of bytes are.
    assert!(skips_zeros(&Transform::IDENTITY, &sparse));
    let from_sparse = learnt(&sparse, Normalization::None, &plain).into_classifier().unwrap();
    let from_bytes = learnt(&bytes, Normalization::None, &plain).into_classifier().unwrap();
    assert!(from_sparse.network == from_bytes.network);
    let predicted = |data: &Dataset| from_bytes.predict(&data.inputs, &workers).unwrap();
    assert_eq!(predicted(&sparse).probabilities, predicted(&bytes).probabilities);
    // Where zeros do not stay zeros, or are few, sparse rows take the way of floats.
    let noisy = Regularization { input_noise: 0.1, ..Regularization::default() };
    let dropped = Regularization { input_dropout: 0.1, batch_norm: true, ..plain.clone() };
    for (normalization, regularization) in [
        (Normalization::Standard, &plain),
        (Normalization::Unit, &noisy),
        (Normalization::Unit, &dropped),
    ] {
        let [found, expected] = [&sparse, &floats]
            .map(|data| learnt(data, normalization, regularization).into_classifier().unwrap());
        assert!(found.network == expected.network);
        let [a, b] = [&sparse, &floats].map(|data| found.predict(&data.inputs, &workers).unwrap());
        assert_eq!(a.probabilities, b.probabilities);
    }
    let mut dense = floats.clone();
    let Inputs::Floats(values) = &mut dense.inputs else { panic!("not floats") };
    values.iter_mut().for_each(|value| *value += 1.0);
    assert!(!skips_zeros(&Transform::IDENTITY, &as_sparse(&dense)));
    // One sample of many, and a number that is none.
    let one = sparse.subset(&[5]);
    let mut predictor = from_bytes.predictor(false).unwrap();
    let probabilities = predictor.predict(one.inputs.rows()).unwrap();
    assert!(probabilities.iter().zip(predicted(&one).row(0)).all(|(a, b)| (a - b).abs() < 1e-5));
    let infinite = SparseRows::new(784, vec![0, 0, 2], vec![3, 7], vec![1.0, f32::INFINITY]);
    let inputs = Inputs::Sparse(infinite.unwrap());
    assert_eq!(inputs.rows().not_finite(784), Some((f64::INFINITY, (1, 7))));
    let error = Dataset::new(inputs, vec![0, 1], vec![28, 28], bytes.class_names().to_vec());
    assert!(error.unwrap_err().to_string().contains("value inf in sample 1"));
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let _one = ONE_AT_A_TIME.lock();
    let data = digits(9000);
    let floats = as_floats(&data);
    for (hidden, batch_size) in [
        (vec![], BatchSize::Samples(100)),
        (vec![150], BatchSize::Samples(96)),
        (vec![150], BatchSize::Full),
        (vec![70, 300], BatchSize::Samples(300)),
        (vec![70, 40], BatchSize::Samples(8500)),
    ] {
        for data in [&data, &floats] {
            let config = TrainConfig {
                hidden: hidden.clone(),
                batch_size,
                normalization: Normalization::Standard,
                ..small(2)
            };
            let with = |threads| {
                let trained = run(&TrainConfig { threads: Some(threads), ..config.clone() }, data);
                let losses: Vec<f64> = trained.history.epochs.iter().map(|e| e.loss).collect();
                (trained.model.network.clone(), losses)
            };
            let one = with(1);
            for threads in [2, 3, 5] {
                assert!(one == with(threads), "{hidden:?} {batch_size:?} {threads} threads");
            }
        }
    }
}

/// Eight micro-batches for groups of one and two threads, two for groups of up to six; more than there are tiles in a
/// batch; the last batch of an epoch has fewer tiles than micro-batches.
#[test]
fn the_sizes_of_thread_groups_change_no_bit() {
    let _one = ONE_AT_A_TIME.lock();
    let samples = 33_000;
    let zeros = |at: usize| if at % 5 < 3 { 0 } else { (at * 7919 % 251) as u8 };
    let bytes: Vec<u8> = (0..samples * 6).map(zeros).collect();
    let labels = (0..samples as u32).map(|at| at * at % 3).collect();
    let names = ["a", "b", "c"].map(String::from).to_vec();
    let data = Dataset::new(Inputs::Bytes(bytes), labels, vec![6], names).unwrap();
    let floats = as_floats(&data);
    for (data, batch, micro_batches) in [
        (&data, 8_300, None),
        (&floats, 8_300, None),
        (&data, 32_800, None),
        (&data, 1_024, Some(8)),
        (&floats, 1_000, Some(64)),
    ] {
        let with = |threads| {
            let config = TrainConfig {
                hidden: vec![70, 20],
                batch_size: BatchSize::Samples(batch),
                normalization: Normalization::Standard,
                micro_batches,
                threads: Some(threads),
                ..small(1)
            };
            let trained = run(&config, data);
            (trained.model.network, trained.history.epochs[0].loss)
        };
        let one = with(1);
        for threads in [3, 5, 12] {
            assert!(
                one == with(threads),
                "batches of {batch}, {micro_batches:?}, {threads} threads"
            );
        }
    }
}

/// Samples that are held out where they are train and validate as copies of them do.
#[test]
fn subsets_are_learned_as_copies() {
    let _one = ONE_AT_A_TIME.lock();
    let bytes = digits(700);
    let weights = (0..700).map(|at| 1.0 + (at % 3) as f32).collect();
    let weighted = bytes.clone().with_sample_weights(weights).unwrap();
    let mut scaled = as_floats(&bytes);
    let Inputs::Floats(values) = &mut scaled.inputs else { panic!("not floats") };
    values.iter_mut().for_each(|value| *value -= 0.5);
    let numbers: Vec<u32> = (0..700).map(|at| at * 13 % 700).collect();
    let (train, validation) = numbers.split_at(600);
    let mixed = Regularization { mixup: 0.2, ..Regularization::NONE };
    for (data, regularization) in [
        (&bytes, everything(true, true)),
        (&weighted, Regularization::NONE),
        (&as_floats(&bytes), Regularization::NONE),
        (&scaled, mixed),
        (&as_sparse(&bytes), Regularization::NONE),
    ] {
        for normalization in [Normalization::None, Normalization::Standard] {
            let config = TrainConfig {
                normalization,
                learning_rate: 1e-4,
                regularization: regularization.clone(),
                ..small(2)
            };
            let [train, validation] = [train, validation].map(|it| Subset::new(data, it).unwrap());
            let parts = Data { train, validation: Some(validation) };
            let (train, validation) = (train.to_dataset(), validation.to_dataset());
            let copies = Data::from((&train, Some(&validation)));
            let [found, expected] = [parts, copies].map(|data| {
                let never = AtomicBool::new(false);
                let mut session = Session::new(&config, data, Start::Fresh).unwrap();
                while session.epoch(data, &never).unwrap().is_some() {}
                let Trained { model, history, .. } = session.finish();
                let losses: Vec<_> =
                    history.epochs.iter().map(|epoch| (epoch.loss, epoch.val_loss)).collect();
                (model, losses)
            });
            assert!(found.0 == expected.0, "{normalization:?}: another model");
            assert_eq!(found.1, expected.1);
            assert_eq!(parts.train.sha256(), train.sha256());
        }
    }
    assert!(Subset::new(&bytes, &[700]).unwrap_err().to_string().contains("no sample 700"));
    assert!(Subset::new(&bytes, &[]).is_err());
    let mut session = Session::new(&small(1), &bytes, Start::Fresh).unwrap();
    let other = session.epoch(&digits(100), &AtomicBool::new(false)).unwrap_err().to_string();
    assert!(other.contains("100 samples of 784 values, but the run was begun with 700"), "{other}");
}

#[test]
fn the_sparse_and_the_dense_way_agree() {
    let _one = ONE_AT_A_TIME.lock();
    let data = digits(2000);
    for normalization in [Normalization::None, Normalization::Unit] {
        let learning_rate = if normalization == Normalization::None { 1e-4 } else { 1e-3 };
        let config = TrainConfig { normalization, learning_rate, ..small(2) };
        let sparse = run(&config, &data);
        // Floats of an image are scaled by feature; to the same scale they are brought here.
        let scale = if normalization == Normalization::Unit { 255.0 } else { 1.0 };
        let mut floats = as_floats(&data);
        if let Inputs::Floats(values) = &mut floats.inputs {
            values.iter_mut().for_each(|value| *value /= scale);
        }
        let none = TrainConfig { normalization: Normalization::None, ..config };
        let dense = run(&none, &floats);
        let pairs = sparse.model.network.parameters().iter();
        let pairs = pairs.zip(dense.model.network.parameters());
        let far = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(far < 2e-3, "{normalization:?}: {far}");
        let (a, b) = (&sparse.history.epochs[1], &dense.history.epochs[1]);
        assert!((a.loss - b.loss).abs() < 1e-4, "{} {}", a.loss, b.loss);
    }
}

#[test]
fn every_kind_of_run_learns() {
    let _one = ONE_AT_A_TIME.lock();
    let (data, test) = (digits(6000), generate(1000, 1, Part::Test).unwrap());
    let workers = Workers::new(2).unwrap();
    let sgd = |momentum, nesterov| Optimizer::Sgd { momentum, nesterov, weight_decay: 1e-4 };
    let base = small(5);
    let tanh =
        TrainConfig { activation: vec![Activation::Tanh], hidden: vec![64, 32], ..base.clone() };
    let mixed = TrainConfig {
        activation: vec![Activation::Gelu, Activation::Relu],
        optimizer: Optimizer::ADAMW,
        ..tanh.clone()
    };
    let nesterov = TrainConfig {
        optimizer: sgd(0.9, true),
        learning_rate: 0.1,
        schedule: Schedule::Cosine,
        warm_up: 0.5,
        ..base.clone()
    };
    let full = TrainConfig {
        batch_size: BatchSize::Full,
        epochs: 60,
        learning_rate: 0.01,
        schedule: Schedule::Constant,
        ..base.clone()
    };
    for config in [base, tanh, mixed, nesterov, full] {
        let trained = run(&config, &data);
        let accuracy =
            trained.model.classifier().unwrap().evaluate(&test, &workers).unwrap().accuracy;
        assert!(accuracy > 0.92, "{config:?}: {accuracy}");
        assert_eq!(trained.outcome, Outcome::Finished);
        assert_eq!(trained.history.epochs.len(), config.epochs);
        let predictions =
            trained.model.classifier().unwrap().predict(&test.inputs, &workers).unwrap();
        let right = (0..test.len()).filter(|&i| predictions.label(i) == test.labels()[i] as usize);
        assert_eq!(right.count() as f64 / test.len() as f64, accuracy);
    }
}

#[test]
fn one_activation_for_all_layers_is_the_same_one_for_each() {
    let _one = ONE_AT_A_TIME.lock();
    let data = digits(1000);
    let trained = |activation| {
        let config = TrainConfig { hidden: vec![40, 20], activation, ..small(2) };
        run(&config, &data).model.network
    };
    let all = trained(vec![Activation::Tanh]);
    assert_eq!(all, trained(vec![Activation::Tanh; 2]));
    let mixed = trained(vec![Activation::Tanh, Activation::Relu]);
    assert_eq!(mixed.activation_after(1), Activation::Relu);
    assert_ne!(all, mixed);
}

#[test]
fn more_steps_allocate_no_more() {
    let _one = ONE_AT_A_TIME.lock();
    let bytes = digits(320);
    let (plain, adamw) = (Regularization::NONE, TrainConfig::default().optimizer);
    for (data, regularization, optimizer) in [
        (&bytes, plain.clone(), adamw),
        (&as_floats(&bytes), plain, Optimizer::MUON),
        (&bytes, everything(true, true), Optimizer::MUON),
        (&bytes, everything(true, false), adamw),
    ] {
        for threads in [1, 2] {
            // Five steps an epoch against forty, in the same number of epochs.
            let count = |batch| {
                let config = TrainConfig {
                    hidden: vec![70, 40],
                    batch_size: BatchSize::Samples(batch),
                    optimizer,
                    threads: Some(threads),
                    regularization: regularization.clone(),
                    ..small(2)
                };
                run(&config, data);
                let region = Region::new(COUNTING);
                run(&config, data);
                region.change().allocations
            };
            let (few, many) = (count(64), count(8));
            assert!(many <= few + 8, "{threads} threads: {few} and {many} allocations");
        }
    }
}

#[test]
fn a_stopped_run_keeps_what_it_has() {
    let _one = ONE_AT_A_TIME.lock();
    let data = digits(2000);
    let stop = AtomicBool::new(false);
    let trained = train(&small(50), &data, Some(&data), None, &stop, &mut |report| {
        assert!(report.val_accuracy.is_some());
        stop.store(report.epoch == 2, Ordering::Relaxed);
    })
    .unwrap();
    assert_eq!((trained.outcome, trained.history.epochs.len()), (Outcome::Stopped, 3));
    let accuracy = trained
        .model
        .classifier()
        .unwrap()
        .evaluate(&data, &Workers::new(1).unwrap())
        .unwrap()
        .accuracy;
    assert_eq!(Some(accuracy), trained.history.epochs[2].val_accuracy);
    // Raised before the first step, the flag leaves the initial weights.
    let none = train(&small(5), &data, None, None, &AtomicBool::new(true), &mut |_| {}).unwrap();
    assert_eq!((none.outcome, none.history.epochs.len()), (Outcome::Stopped, 0));
}

#[test]
fn a_run_that_diverges_ends_with_the_last_good_model() {
    let _one = ONE_AT_A_TIME.lock();
    let data = digits(1000);
    let config = TrainConfig {
        optimizer: Optimizer::SGD,
        normalization: Normalization::None,
        learning_rate: 1e10,
        schedule: Schedule::Constant,
        batch_size: BatchSize::Full,
        ..small(20)
    };
    let trained = run(&config, &data);
    let Outcome::Diverged { epoch, message } = trained.outcome else { panic!("it did not") };
    assert!(message.contains("learning rate") && message.contains(&format!("epoch {epoch}")));
    assert_eq!(trained.history.epochs.len(), epoch);
    // The rate that is named works.
    let rate =
        message.split("such as ").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
    let smaller = run(&TrainConfig { learning_rate: rate, ..config.clone() }, &data);
    assert_eq!(smaller.outcome, Outcome::Finished, "{rate}");
    assert!(smaller.learned || smaller.history.epochs[19].loss < smaller.history.epochs[0].loss);
    // Raw inputs could be normalized, too; what is set already is not advised.
    assert!(message.contains("`normalize`"), "{message}");
    let set = TrainConfig { normalization: Normalization::Unit, learning_rate: 1e30, ..config };
    let Outcome::Diverged { message, .. } = run(&set, &data).outcome else { panic!("it did not") };
    assert!(!message.contains("`normalize`"), "{message}");
    assert!(trained.model.network.parameters().iter().all(|p| p.is_finite()));
}

/// The loss of an epoch is that before its last step, so that a single step can overflow unseen.
#[test]
fn a_step_that_overflows_is_found_in_its_own_epoch() {
    let _one = ONE_AT_A_TIME.lock();
    let data = digits(500);
    let config = TrainConfig {
        optimizer: Optimizer::SGD,
        normalization: Normalization::None,
        learning_rate: f32::MAX,
        schedule: Schedule::Constant,
        batch_size: BatchSize::Full,
        ..small(1)
    };
    let trained = run(&config, &data);
    let Outcome::Diverged { epoch: 0, message } = trained.outcome else { panic!("it did not") };
    assert!(message.contains("a weight became") && message.contains("in epoch 0"), "{message}");
    assert!(!trained.learned && trained.history.epochs.is_empty());
    assert!(trained.model.network.parameters().iter().all(|p| p.is_finite()));
}

#[test]
fn a_run_that_ends_in_garbage_says_so() {
    let _one = ONE_AT_A_TIME.lock();
    let data = digits(300);
    let garbage = TrainConfig { learning_rate: 1e6, optimizer: Optimizer::ADAM, ..small(1) };
    let garbage = run(&garbage, &data);
    assert_eq!(garbage.outcome, Outcome::Finished);
    assert!(!garbage.learned);
    assert!(garbage.warnings[0].contains("training ended"), "{:?}", garbage.warnings);
    assert!(
        garbage.warnings[0].contains("`learning_rate`, such as 0.001"),
        "{:?}",
        garbage.warnings
    );
    let good = run(&small(8), &data);
    assert!(good.learned && good.warnings.is_empty(), "{:?}", good.warnings);
}

#[test]
fn batch_normalisation_takes_no_batches_of_one() {
    let _one = ONE_AT_A_TIME.lock();
    let regularization = Regularization { batch_norm: true, ..Regularization::NONE };
    let with =
        |batch_size| TrainConfig { batch_size, regularization: regularization.clone(), ..small(2) };
    for (data, batch_size) in [
        (digits(50), BatchSize::Samples(1)),
        (digits(1), BatchSize::Samples(8)),
        (digits(1), BatchSize::Full),
    ] {
        let error = Session::new(&with(batch_size), &data, Start::Fresh).err().unwrap().to_string();
        assert!(error.contains("`batch_norm` needs at least two samples"), "{error}");
    }
    // A last batch of one is left out: 33 samples make two batches of 16.
    let data = digits(33);
    let session = Session::new(&with(BatchSize::Samples(16)), &data, Start::Fresh).unwrap();
    assert_eq!(session.steps_per_epoch(), 2);
    let trained = run(&TrainConfig { epochs: 30, ..with(BatchSize::Samples(16)) }, &data);
    assert!(trained.learned, "{:?}", trained.history.epochs.last());
}

#[test]
fn data_that_do_not_fit_are_refused() {
    let _one = ONE_AT_A_TIME.lock();
    let data = digits(200);
    let mut table = as_floats(&data);
    table.sample_shape = vec![392];
    table.inputs = Inputs::Floats(vec![0.0; 200 * 392]);
    let error = train(&small(1), &data, Some(&table), None, &AtomicBool::new(false), &mut |_| {});
    assert!(error.unwrap_err().to_string().contains("validation data"));
    let trained = run(&small(1), &data);
    let error = trained
        .model
        .classifier()
        .unwrap()
        .evaluate(&table, &Workers::new(1).unwrap())
        .unwrap_err();
    assert!(error.to_string().contains("shape [392]"), "{error}");
}

#[test]
fn a_prediction_does_not_depend_on_the_samples_beside_it() {
    let _one = ONE_AT_A_TIME.lock();
    let data = digits(1300);
    let workers = Workers::new(2).unwrap();
    for data in [&data, &as_floats(&data)] {
        let classifier = run(&small(1), data).model.into_classifier().unwrap();
        let all = classifier.predict(&data.inputs, &workers).unwrap();
        let mut predictor = classifier.predictor(matches!(data.inputs, Inputs::Bytes(_))).unwrap();
        for index in [0, 1, 127, 128, 700, 1299] {
            let one = data.subset(&[index]);
            assert_eq!(predictor.predict(one.inputs.rows()).unwrap(), all.row(index));
            let few = data.subset(&[5, index, 9]);
            let few = classifier.predict(&few.inputs, &workers).unwrap();
            assert_eq!(few.row(1), all.row(index));
        }
        let region = Region::new(COUNTING);
        let one = data.inputs.rows();
        let one = match one {
            gradus::data::Rows::Bytes(values) => gradus::data::Rows::Bytes(&values[..784]),
            gradus::data::Rows::Floats(values) => gradus::data::Rows::Floats(&values[..784]),
            gradus::data::Rows::Doubles(values) => gradus::data::Rows::Doubles(&values[..784]),
            rows => rows,
        };
        predictor.predict(one).unwrap();
        assert_eq!(region.change().allocations, 0);
        assert!(predictor.predict(data.inputs.rows()).is_err());
    }
}
