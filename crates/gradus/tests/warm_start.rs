//! Runs that go on from others with new data or settings: on the same data several runs give the bits
//! of one, and what a run remembers finds its place whatever way the new inputs take.

#[path = "common/runs.rs"]
mod runs;

use std::sync::atomic::AtomicBool;

use gradus::classifier::Classifier;
use gradus::data::Dataset;
use gradus::data::distort::Distortion;
use gradus::optimizer::Optimizer;
use gradus::schedule::Schedule;
use gradus::training::{Checkpoint, Outcome, Regularization, Session, Start, TrainConfig, train};
use runs::{adam, as_floats, digits, everything, resume};

static NEVER: AtomicBool = AtomicBool::new(false);

fn config(epochs: usize) -> TrainConfig {
    adam(&[70, 20], epochs)
}

/// Runs a session to its end; what comes of it goes through the bytes of a file.
fn finished(mut session: Session, data: &Dataset) -> (Classifier, Checkpoint) {
    while session.epoch(data, &NEVER).unwrap().is_some() {}
    assert_eq!(session.outcome(), Some(&Outcome::Finished));
    let state = session.state();
    let read = Checkpoint::from_bytes(&state.to_bytes().unwrap()).unwrap();
    assert!(read == state, "the bytes hold something else");
    (session.finish().model.into_classifier().unwrap(), read)
}

#[test]
fn several_runs_on_the_same_data_give_the_bits_of_one() {
    let none = Regularization::NONE;
    let distorted = Regularization { distortion: Distortion::STANDARD, ..none.clone() };
    let momentum = Optimizer::Sgd { momentum: 0.9, nesterov: true, weight_decay: 1e-4 };
    let (bytes, floats) = (digits(170), as_floats(&digits(170)));
    for (name, data, optimizer, regularization) in [
        ("adam", &bytes, Optimizer::ADAM, none.clone()),
        ("adam", &floats, Optimizer::ADAM, none.clone()),
        ("momentum, distorted", &bytes, momentum, distorted),
        ("muon", &bytes, Optimizer::MUON, none),
        ("everything", &bytes, Optimizer::LION, everything(true, true)),
    ] {
        let with = |epochs| TrainConfig {
            optimizer,
            regularization: regularization.clone(),
            ..config(epochs)
        };
        let whole = train(&with(4), data, None, None, &NEVER, &mut |_| {}).unwrap();
        let mut parts = finished(Session::new(&with(1), data, Start::Fresh).unwrap(), data);
        for epochs in [2, 1] {
            let settings = TrainConfig { threads: Some(2), ..with(epochs) };
            parts =
                finished(Session::new(&settings, data, Start::Continue(&parts.1)).unwrap(), data);
        }
        assert!(parts.0.network == whole.model.network, "{name}: another model");
    }
}

/// Bytes and floats are laid out differently; the way through the other one changes nothing.
#[test]
fn what_a_run_remembers_finds_its_place_in_the_other_layout() {
    let (bytes, floats) = (digits(170), as_floats(&digits(170)));
    let settings = TrainConfig {
        regularization: Regularization {
            batch_norm: true,
            ema_decay: Some(0.9),
            ..Regularization::NONE
        },
        ..config(2)
    };
    for (first, second) in [(&bytes, &floats), (&floats, &bytes)] {
        let (_, state) = finished(Session::new(&settings, first, Start::Fresh).unwrap(), first);
        let through = Session::new(&settings, second, Start::Continue(&state)).unwrap().state();
        let model = |state: &Checkpoint| {
            finished(Session::new(&settings, first, Start::Continue(state)).unwrap(), first).0
        };
        assert!(model(&through) == model(&state));
    }
}

#[test]
fn other_samples_are_learned_too() {
    let (first, second) =
        (digits(500), gradus::data::digits::generate(400, 9, test_part()).unwrap());
    let (model, state) = finished(Session::new(&config(8), &first, Start::Fresh).unwrap(), &first);
    let mut session =
        Session::new(&config(8), (&second, Some(&second)), Start::Continue(&state)).unwrap();
    while session.epoch((&second, Some(&second)), &NEVER).unwrap().is_some() {}
    let figures = &session.history().epochs;
    assert_eq!((figures.len(), figures[0].epoch), (8, 0));
    let workers = gradus::network::Workers::new(1).unwrap();
    let before = model.evaluate(&second, &workers).unwrap().loss;
    let after = figures[7].val_loss.unwrap();
    assert!(after < 0.5 * before, "{before} before, {after} after");
    // It can be kept and resumed like any other run.
    let session = Session::new(&config(3), &second, Start::Continue(&state)).unwrap();
    let whole = finished(session, &second).0;
    let mut session = Session::new(&config(3), &second, Start::Continue(&state)).unwrap();
    session.epoch(&second, &NEVER).unwrap().unwrap();
    let kept = session.checkpoint(&second, ().into());
    assert!(finished(resume(&kept, &second, Some(2)).unwrap(), &second).0 == whole);
    // The schedule is the new run's own.
    let settings = TrainConfig { schedule: Schedule::OneCycle, ..config(2) };
    let mut session = Session::new(&settings, &second, Start::Continue(&state)).unwrap();
    session.epoch(&second, &NEVER).unwrap().unwrap();
    assert!(session.history().epochs[0].learning_rate > 1e-4);
}

/// A model that has no state to go on from keeps what its weights were trained for.
#[test]
fn a_model_keeps_its_normalization() {
    let data = as_floats(&digits(300));
    let standard = gradus::data::normalize::Normalization::Standard;
    let settings = TrainConfig { normalization: standard, ..config(20) };
    let (model, _) = finished(Session::new(&settings, &data, Start::Fresh).unwrap(), &data);
    let few = data.subset(&[0, 1, 2]);
    let mut session = Session::new(&settings, (&few, Some(&data)), Start::Model(&model)).unwrap();
    assert!(session.model().transform == model.transform);
    let figures = session.epoch((&few, Some(&data)), &NEVER).unwrap().unwrap();
    assert!(figures.val_accuracy.unwrap() > 0.9, "{figures:?}");
}

fn test_part() -> gradus::data::digits::Part {
    gradus::data::digits::Part::Test
}

#[test]
fn what_does_not_fit_the_state_is_refused() {
    let data = digits(100);
    let (_, state) = finished(Session::new(&config(1), &data, Start::Fresh).unwrap(), &data);
    let refused = |settings: TrainConfig, data: &Dataset| {
        Session::new(&settings, data, Start::Continue(&state)).err().unwrap().to_string()
    };
    let sgd = TrainConfig { optimizer: Optimizer::SGD, ..config(1) };
    let norm = Regularization { batch_norm: true, ..Regularization::NONE };
    let average = Regularization { ema_decay: Some(0.9), ..Regularization::NONE };
    for (settings, message) in [
        (sgd, "the optimizer cannot change when training continues: it was adam with 2 moments"),
        (TrainConfig { hidden: vec![70], ..config(1) }, "the hidden layers cannot change"),
        (TrainConfig { regularization: norm, ..config(1) }, "batch normalization cannot change"),
        (TrainConfig { regularization: average, ..config(1) }, "averaged cannot change"),
        (TrainConfig { epochs: 0, ..config(1) }, "`epochs` is 0"),
    ] {
        let found = refused(settings, &data);
        assert!(found.contains(message), "{found}");
    }
    let names = data.class_names().iter().cloned().chain(["ten".into()]).collect();
    let (inputs, labels) = (data.inputs.clone(), data.labels().to_vec());
    let wider = Dataset::new(inputs, labels, data.sample_shape.clone(), names).unwrap();
    let found = refused(config(1), &wider);
    assert!(found.contains("a network of 784 inputs and 10 outputs does not fit"), "{found}");
    let error = resume(&state, &data, None).err().unwrap().to_string();
    assert!(error.contains("are not those that the run was begun with"), "{error}");
}
