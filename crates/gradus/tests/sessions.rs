//! Runs that end early, and runs that are kept in a file and go on: the best epoch's model comes
//! back, and a resumed run gives the bits of the uninterrupted one.

#[path = "common/runs.rs"]
mod runs;

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gradus::data::digits::{Part, generate};
use gradus::data::distort::Distortion;
use gradus::data::normalize::Normalization;
use gradus::data::{Dataset, Inputs, Targets, Task};
use gradus::model_file;
use gradus::network::Workers;
use gradus::optimizer::Optimizer;
use gradus::schedule::{Plateau, PlateauState, Schedule};
use gradus::training::{
    BatchSize, Best, Checkpoint, ClassWeights, Data, EarlyStopping, EpochReport, Monitor, Outcome,
    Regularization, Session, Start, TrainConfig, Trained, train,
};
use runs::{adam, as_floats, digits, resume};
use tempfile::TempDir;

static NEVER: AtomicBool = AtomicBool::new(false);

fn small(epochs: usize) -> TrainConfig {
    adam(&[24], epochs)
}

fn validation() -> Dataset {
    generate(200, 1, Part::Test).unwrap()
}

fn run(config: &TrainConfig, data: &Dataset, validation: Option<&Dataset>) -> Trained {
    train(config, data, validation, None, &NEVER, &mut |_| {}).unwrap()
}

/// The epoch that early stopping must come back to, and after how many epochs it ends, from the figures alone.
fn best_of(epochs: &[EpochReport], monitor: Monitor, stop: EarlyStopping) -> (Best, usize) {
    let sign = if monitor.larger_is_better() { 1.0 } else { -1.0 };
    let value = |epoch: &EpochReport| sign * monitor.of(epoch).unwrap();
    let (mut best, mut waited) = (&epochs[0], 0);
    for (at, epoch) in epochs.iter().enumerate().skip(1) {
        waited = if value(epoch) > value(best) + stop.min_delta { 0 } else { waited + 1 };
        if value(epoch) > value(best) {
            best = epoch;
        }
        if waited == stop.patience {
            return (Best { epoch: best.epoch, monitor, value: sign * value(best) }, at + 1);
        }
    }
    (Best { epoch: best.epoch, monitor, value: sign * value(best) }, epochs.len())
}

#[test]
fn patience_ends_a_run_with_the_model_of_its_best_epoch() {
    let (data, validation) = (digits(300), validation());
    for monitor in
        Monitor::ALL.into_iter().filter(|it| it.problem_with(Task::Classification).is_none())
    {
        for (patience, min_delta, epochs) in [(1, 0.02, 60), (3, 0.01, 60), (50, 0.0, 12)] {
            let early = EarlyStopping { patience, min_delta };
            let config = TrainConfig {
                early_stopping: Some(early),
                monitor: Some(monitor),
                ..small(epochs)
            };
            let trained = run(&config, &data, Some(&validation));
            let what = format!("{monitor:?} {patience} {min_delta}");
            let figures = &trained.history.epochs;
            let (best, ended) = best_of(figures, monitor, early);
            assert_eq!(trained.best, Some(best), "{what}");
            if epochs == 60 {
                assert_eq!(trained.outcome, Outcome::NoProgress, "{what}");
                assert_eq!(figures.len(), ended, "{what}");
            } else {
                assert_eq!((&trained.outcome, figures.len()), (&Outcome::Finished, epochs));
            }
            let workers = Workers::new(2).unwrap();
            let found =
                trained.model.classifier().unwrap().evaluate(&validation, &workers).unwrap();
            let expected = &figures[best.epoch];
            let found = (Some(found.loss), Some(found.accuracy));
            assert_eq!(found, (expected.val_loss, expected.val_accuracy), "{what}");
        }
    }
    // By default the validation loss is watched, without validation data the training loss.
    for (validation, expected) in [(Some(&validation), Monitor::ValLoss), (None, Monitor::Loss)] {
        let early_stopping = Some(EarlyStopping { patience: 1, min_delta: 0.1 });
        let trained = run(&TrainConfig { early_stopping, ..small(30) }, &data, validation);
        assert_eq!(trained.best.unwrap().monitor, expected);
    }
}

/// Inputs so large that losses overflow: such a figure is no progress, and never the best.
#[test]
fn a_figure_that_is_no_number_is_never_the_best() {
    let data = as_floats(&digits(100));
    let mut extreme = data.clone();
    extreme.inputs = Inputs::Floats(vec![f32::MAX; 100 * 784]);
    let config = TrainConfig {
        normalization: Normalization::None,
        learning_rate: 1e-4,
        early_stopping: Some(EarlyStopping { patience: 2, min_delta: 0.0 }),
        ..small(9)
    };
    let mut session = Session::new(&config, (&data, Some(&extreme)), Start::Fresh).unwrap();
    while session.epoch((&data, Some(&extreme)), &NEVER).unwrap().is_some() {}
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    session.checkpoint((&data, Some(&extreme)), ().into()).save(&path).unwrap();
    Checkpoint::load(&path).unwrap();
    let trained = session.finish();
    let figures = trained.history.epochs;
    assert!(figures.iter().all(|epoch| !epoch.val_loss.unwrap().is_finite()), "{figures:?}");
    assert_eq!((trained.outcome, figures.len(), trained.best), (Outcome::NoProgress, 2, None));
}

#[test]
fn a_plateau_reduces_the_learning_rate_of_the_history() {
    let (data, validation) = (digits(300), validation());
    let plateau = Plateau { patience: 1, factor: 0.5 };
    for monitor in
        Monitor::ALL.into_iter().filter(|it| it.problem_with(Task::Classification).is_none())
    {
        let config = TrainConfig {
            schedule: Schedule::Plateau(plateau),
            monitor: Some(monitor),
            learning_rate: 0.1,
            ..small(16)
        };
        let trained = run(&config, &data, Some(&validation));
        let mut state = PlateauState::default();
        for epoch in &trained.history.epochs {
            assert_eq!(epoch.learning_rate, 0.1 * state.factor, "{monitor:?} {}", epoch.epoch);
            let value = monitor.of(epoch).unwrap();
            state.observe(&plateau, value, monitor.larger_is_better());
        }
        assert!(state.factor < 1.0, "{monitor:?}: no plateau in {:?}", trained.history);
    }
}

/// Runs `epochs` epochs of a session, writes it to a file and reads it back.
fn kept(mut session: Session, data: Data, epochs: usize, path: &Path) -> Checkpoint {
    for _ in 0..epochs {
        session.epoch(data, &NEVER).unwrap().unwrap();
    }
    let checkpoint = session.checkpoint(data, "a note".into());
    checkpoint.save(path).unwrap();
    let read = Checkpoint::load(path).unwrap();
    assert!(read == checkpoint, "the file holds something else");
    assert_eq!((read.note(), read.history().epochs.len()), (&"a note".into(), epochs));
    assert!(model_file::load_model(path).unwrap() == *session.model(), "the model differs");
    read
}

fn finished(mut session: Session, data: Data) -> Trained {
    while session.epoch(data, &NEVER).unwrap().is_some() {}
    session.finish()
}

/// Everything of a run but its times.
fn without_times(trained: &Trained) -> (Vec<EpochReport>, &Outcome, Option<Best>) {
    let epochs = trained.history.epochs.iter();
    let epochs = epochs.map(|epoch| EpochReport { seconds: 0.0, ..epoch.clone() });
    (epochs.collect(), &trained.outcome, trained.best)
}

fn configurations() -> Vec<(&'static str, TrainConfig)> {
    let none = Regularization::NONE;
    let base = small(6);
    let momentum = Optimizer::Sgd { momentum: 0.9, nesterov: true, weight_decay: 1e-4 };
    vec![
        ("adam", base.clone()),
        (
            "momentum, full batch",
            TrainConfig {
                optimizer: momentum,
                learning_rate: 0.05,
                schedule: Schedule::OneCycle,
                batch_size: BatchSize::Full,
                normalization: Normalization::Standard,
                ..base.clone()
            },
        ),
        (
            "batch norm, average, plateau, early stopping",
            TrainConfig {
                hidden: vec![70, 20],
                schedule: Schedule::Plateau(Plateau { patience: 0, factor: 0.5 }),
                early_stopping: Some(EarlyStopping { patience: 2, min_delta: 0.05 }),
                monitor: Some(Monitor::ValAccuracy),
                regularization: Regularization {
                    batch_norm: true,
                    ema_decay: Some(0.9),
                    ..none.clone()
                },
                ..base.clone()
            },
        ),
        (
            "muon, max norm, penalties, class weights",
            TrainConfig {
                hidden: vec![70, 20],
                optimizer: Optimizer::MUON,
                schedule: Schedule::Cosine,
                warm_up: 0.5,
                regularization: Regularization {
                    max_norm: Some(1.0),
                    l1: 1e-5,
                    l2: 1e-4,
                    class_weights: ClassWeights::Balanced,
                    ..none.clone()
                },
                ..base.clone()
            },
        ),
        (
            "dropout, noise, clipped",
            TrainConfig {
                optimizer: Optimizer::Lion { beta1: 0.9, beta2: 0.99, weight_decay: 0.1 },
                learning_rate: 0.001,
                regularization: Regularization {
                    dropout: 0.2,
                    noise: 0.2,
                    input_dropout: 0.1,
                    clip_norm: Some(1.0),
                    clip_value: Some(0.1),
                    ..none.clone()
                },
                ..base.clone()
            },
        ),
        (
            "mixup, input noise",
            TrainConfig {
                optimizer: Optimizer::RmsProp {
                    decay: 0.99,
                    momentum: 0.5,
                    epsilon: 1e-8,
                    weight_decay: 0.0,
                },
                learning_rate: 0.001,
                regularization: Regularization {
                    mixup: 0.3,
                    input_noise: 0.1,
                    label_smoothing: 0.1,
                    ..none.clone()
                },
                ..base.clone()
            },
        ),
        (
            "distortion",
            TrainConfig {
                regularization: Regularization { distortion: Distortion::STANDARD, ..none },
                ..base
            },
        ),
    ]
}

#[test]
fn a_resumed_run_gives_the_bits_of_the_uninterrupted_one() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let weights = (0..330).map(|i| (i % 3) as f32).collect();
    let (data, validation) = (digits(330).with_sample_weights(weights).unwrap(), validation());
    let (floats, float_validation) = (as_floats(&data), as_floats(&validation));
    for (name, config) in configurations() {
        let images_only = !config.regularization.distortion.is_none();
        for (data, validation) in [(&data, &validation), (&floats, &float_validation)] {
            if images_only && std::ptr::eq(data, &floats) {
                continue;
            }
            let validation = config.monitor.map(|_| validation);
            let whole = run(&config, data, validation);
            let (epochs, outcome, _) = without_times(&whole);
            assert!(epochs.len() == 6 || *outcome == Outcome::NoProgress, "{name}: {outcome:?}");
            // Begun and resumed by other numbers of threads, at other epochs, also before the first
            // and after the last.
            for (begun, at, resumed) in [(1, 3, 2), (2, 3, 1), (1, 0, 3), (1, epochs.len(), 1)] {
                let first = TrainConfig { threads: Some(begun), ..config.clone() };
                let session = Session::new(&first, (data, validation), Start::Fresh).unwrap();
                let checkpoint = kept(session, (data, validation).into(), at, &path);
                let session = resume(&checkpoint, (data, validation), Some(resumed)).unwrap();
                let trained = finished(session, (data, validation).into());
                let what = format!("{name}, resumed at {at}");
                assert_eq!(without_times(&trained), without_times(&whole), "{what}");
                assert!(trained.model == whole.model, "{what}: another model");
            }
        }
    }
}

#[test]
fn a_run_may_be_resumed_again_and_again() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let data = digits(200);
    let config = small(5);
    let whole = run(&config, &data, None);
    let mut checkpoint =
        kept(Session::new(&config, &data, Start::Fresh).unwrap(), (&data).into(), 0, &path);
    for _ in 0..5 {
        let mut session = resume(&checkpoint, &data, Some(1)).unwrap();
        session.epoch(&data, &NEVER).unwrap().unwrap();
        checkpoint = session.checkpoint(&data, ().into());
    }
    let trained = finished(resume(&checkpoint, &data, None).unwrap(), (&data).into());
    assert_eq!(without_times(&trained), without_times(&whole));
    assert!(trained.model == whole.model);
}

#[test]
fn other_data_and_other_files_are_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let (data, validation) = (digits(100), validation());
    let config = small(3);
    let session = Session::new(&config, (&data, Some(&validation)), Start::Fresh).unwrap();
    let checkpoint = kept(session, (&data, Some(&validation)).into(), 1, &path);
    let mut other_label = data.clone();
    let Targets::Classes { labels, .. } = &mut other_label.targets else { panic!() };
    labels.swap(0, 1);
    let weighted = data.clone().with_sample_weights(vec![1.0; 100]).unwrap();
    for (data, validation) in [
        (&generate(100, 2, Part::Train).unwrap(), Some(&validation)),
        (&digits(110), Some(&validation)),
        (&as_floats(&data), Some(&validation)),
        (&other_label, Some(&validation)),
        (&weighted, Some(&validation)),
        (&data, None),
        (&data, Some(&data)),
    ] {
        let refused = resume(&checkpoint, (data, validation), None).err().unwrap();
        assert!(refused.to_string().contains("are not those that the run was begun with"));
    }
    let message = |path: &Path| Checkpoint::load(path).unwrap_err().to_string();
    model_file::save(checkpoint.model(), &path).unwrap();
    let refused = message(&path);
    assert!(refused.contains("a model, but no checkpoint"), "{refused}");
    assert!(message(&folder.path().join("none.safetensors")).contains("none.safetensors"));
    fs::write(&path, "epoch,loss,accuracy\n").unwrap();
    assert!(message(&path).contains("not a gradus model"));
}

#[test]
fn a_stopped_run_is_resumed_where_it_was() {
    let data = digits(1000);
    let config = TrainConfig { batch_size: BatchSize::Samples(1), ..small(2) };
    let expected = run(&config, &data, None).model;
    let mut session = Session::new(&config, &data, Start::Fresh).unwrap();
    session.epoch(&data, &NEVER).unwrap().unwrap();
    // The flag is seen before the first step: the run is still between two epochs.
    assert!(session.epoch(&data, &AtomicBool::new(true)).unwrap().is_none());
    assert_eq!(session.outcome(), Some(&Outcome::Stopped));
    let checkpoint = session.checkpoint(&data, ().into());
    let resumed = finished(resume(&checkpoint, &data, None).unwrap(), (&data).into());
    assert!(resumed.model == expected);

    // Stopped at any later step, it is in the middle of one.
    let within = (1..1000).find_map(|wait| {
        let mut session = Session::new(&config, &data, Start::Fresh).unwrap();
        let (before, stop) = (session.model().clone(), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_micros(50 * wait));
                stop.store(true, Ordering::Relaxed);
            });
            session.epoch(&data, &stop).unwrap();
        });
        let within = session.history().epochs.is_empty() && *session.model() != before;
        within.then(|| session.checkpoint(&data, ().into()))
    });
    let checkpoint = within.expect("it was never stopped within an epoch");
    let resumed = finished(resume(&checkpoint, &data, None).unwrap(), (&data).into());
    assert!(resumed.model == expected);
}

/// Cut anywhere or with any byte changed, a file is refused or can be worked with: nothing panics.
#[test]
fn damaged_checkpoints_are_errors() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let mut data = digits(20);
    // Few inputs, so that the file is small.
    let Inputs::Bytes(bytes) = &data.inputs else { panic!("no bytes") };
    data.inputs =
        Inputs::Bytes(bytes.chunks(784).flat_map(|row| &row[300..306]).copied().collect());
    data.sample_shape = vec![6];
    let config = TrainConfig {
        hidden: vec![3],
        batch_size: BatchSize::Samples(10),
        schedule: Schedule::Plateau(Plateau { patience: 2, factor: 0.5 }),
        early_stopping: Some(EarlyStopping { patience: 5, min_delta: 0.0 }),
        regularization: Regularization {
            batch_norm: true,
            ema_decay: Some(0.9),
            ..Regularization::NONE
        },
        ..small(9)
    };
    let session = Session::new(&config, (&data, Some(&data)), Start::Fresh).unwrap();
    kept(session, (&data, Some(&data)).into(), 2, &path);
    let whole = fs::read(&path).unwrap();
    let header = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    // Written in place: to begin the file anew each time would wait for the disk.
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    let put = |at: usize, byte: u8| {
        (&file).seek(SeekFrom::Start(at as u64)).unwrap();
        (&file).write_all(&[byte]).unwrap();
    };
    for length in (0..whole.len()).rev().step_by(3) {
        file.set_len(length as u64).unwrap();
        let message = Checkpoint::load(&path).unwrap_err().to_string();
        assert!(message.contains("checkpoint.safetensors"), "{length}: {message}");
    }
    let (mut refused, mut resumed) = (0, 0);
    (&file).rewind().unwrap();
    (&file).write_all(&whole).unwrap();
    assert!(Checkpoint::load(&path).is_ok());
    for (at, flip) in (0..whole.len()).zip([1, 4, 64].into_iter().cycle()) {
        put(at, whole[at] ^ flip);
        let session = Checkpoint::load(&path).and_then(|checkpoint| {
            let mut session = resume(&checkpoint, (&data, Some(&data)), Some(1))?;
            session.epoch((&data, Some(&data)), &NEVER).map(|_| ())
        });
        put(at, whole[at]);
        if at < header {
            *(if session.is_ok() { &mut resumed } else { &mut refused }) += 1;
        }
    }
    // The digits of figures, names and the like can be others; most bytes must be what they are.
    assert!(refused > 2 * resumed, "{refused} refused, {resumed} not");
}
