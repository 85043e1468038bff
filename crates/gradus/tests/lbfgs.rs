//! L-BFGS against SciPy's numbers (golden/make_lbfgs.py), its promises about bits, and what it refuses.

mod common;
#[path = "common/runs.rs"]
mod runs;

use std::sync::atomic::{AtomicBool, Ordering};

use common::golden::{Golden, assert_close};
use gradus::data::{Dataset, Inputs, Targets};
use gradus::network::{Activation, Network};
use gradus::optimizer::Optimizer;
use gradus::optimizer::lbfgs::{End, Evaluation, Lbfgs, Limits};
use gradus::schedule::Schedule;
use gradus::training::settings::Setting;
use gradus::training::{
    BatchSize, Checkpoint, Outcome, Preset, Regularization, Session, Start, TrainConfig,
};
use runs::{as_sparse, digits, resume, run};

/// A function of parameters: its value and gradient.
type Function = fn(&[f64]) -> (f64, Vec<f64>);

fn quadratic(x: &[f64]) -> (f64, Vec<f64>) {
    let factor = |at: usize| ((at + 1) * (at + 1)) as f64 / 4.0;
    let gradient = x.iter().enumerate().map(|(at, x)| factor(at) * (x - 1.0)).collect();
    (x.iter().enumerate().map(|(at, x)| 0.5 * factor(at) * (x - 1.0).powi(2)).sum(), gradient)
}

fn rosenbrock(x: &[f64]) -> (f64, Vec<f64>) {
    let (mut value, mut gradient) = (0.0, Vec::new());
    for pair in x.chunks_exact(2) {
        let (a, b) = (pair[0], pair[1]);
        value += 100.0 * (b - a * a).powi(2) + (1.0 - a).powi(2);
        gradient.push(-400.0 * a * (b - a * a) - 2.0 * (1.0 - a));
        gradient.push(200.0 * (b - a * a));
    }
    (value, gradient)
}

/// Evaluates in double precision at parameters in single precision.
fn evaluation(function: Function, x: &[f32]) -> Evaluation<()> {
    let x: Vec<f64> = x.iter().map(|&x| x.into()).collect();
    let (objective, gradient) = function(&x);
    let gradient = gradient.into_iter().map(|it| it as f32).collect();
    Evaluation { objective, gradient, figures: () }
}

#[test]
fn iterates_are_those_of_scipy() {
    let golden = Golden::open("lbfgs.npz");
    for (name, function) in [("quadratic", quadratic as Function), ("rosenbrock", rosenbrock)] {
        let mut x = golden.floats(&format!("{name}/start"));
        let iterates = golden.floats(&format!("{name}/iterates"));
        let values = golden.floats(&format!("{name}/values"));
        let counts = golden.labels(&format!("{name}/counts"));
        let mut method = Lbfgs::new();
        let limits = Limits { tolerance: 1e-4, evaluations: 1000 };
        let mut iterations = 0;
        loop {
            let done = method.iterate(&mut x, &limits, &mut |x| Some(evaluation(function, x)));
            if let Some(expected) = iterates.chunks_exact(x.len()).nth(iterations) {
                assert_close(&x, expected, 2e-4, &format!("{name} {iterations}"));
                let value = evaluation(function, &x).objective as f32;
                assert_close(&[value], &values[iterations..][..1], 1e-3, name);
            }
            iterations += 1;
            if let Some(end) = done.unwrap().end {
                assert_eq!(end, End::Converged, "{name}");
                break;
            }
        }
        assert_close(&x, &vec![1.0; x.len()], 1e-3, name);
        let close = |found: u64, expected: u32| found.abs_diff(expected.into()) <= 4;
        assert!(close(iterations as u64, counts[0]), "{name}: {iterations} of {counts:?}");
        assert!(close(method.evaluations(), counts[1]), "{name}: {:?}", method.evaluations());
    }
}

/// What is no number far away shortens the step, as often as it must.
#[test]
fn a_wall_of_nan_is_backed_away_from() {
    fn wall(x: &[f64]) -> (f64, Vec<f64>) {
        match x[0] > 3.0 {
            true => (f64::NAN, vec![f64::NAN]),
            false => (-(3.1 - x[0]).ln() - 0.1 * x[0], vec![1.0 / (3.1 - x[0]) - 0.1]),
        }
    }
    fn downwards(x: &[f64]) -> (f64, Vec<f64>) {
        let (value, gradient) = wall(&[-x[0]]);
        (value, vec![-gradient[0]])
    }
    for (function, start) in [(wall as Function, -80.0f32), (downwards, 2.9)] {
        let (mut x, mut method) = (vec![start], Lbfgs::new());
        let limits = Limits { tolerance: 1e-6, evaluations: 1000 };
        let evaluate = &mut |x: &[f32]| Some(evaluation(function, x));
        let mut last = evaluation(function, &x).objective;
        for _ in 0..100 {
            let done = method.iterate(&mut x, &limits, evaluate).unwrap();
            let now = evaluation(function, &x).objective;
            assert!(now <= last && now.is_finite(), "{x:?}: {last} {now}");
            last = now;
            if done.end.is_some() {
                break;
            }
        }
        assert!((x[0].abs() - 6.9).abs() < 1e-3, "{x:?}");
    }
}

/// At the end of single precision a search finds nothing better: the run ends, whatever the tolerance.
#[test]
fn rounding_ends_a_run() {
    let rough = |x: &[f64]| {
        let (value, gradient) = quadratic(x);
        // As coarse as a sum of single-precision losses around 1.
        (f64::from((1.0 + value) as f32), gradient)
    };
    let (mut x, mut method) = (vec![0.0f32; 10], Lbfgs::new());
    let limits = Limits { tolerance: 0.0, evaluations: 100_000 };
    let mut iterations = 0;
    loop {
        let evaluate = &mut |x: &[f32]| Some(evaluation(rough, x));
        iterations += 1;
        if method.iterate(&mut x, &limits, evaluate).unwrap().end.is_some() {
            break;
        }
        assert!(iterations < 200);
    }
    assert_close(&x, &[1.0; 10], 2e-3, "minimum");
}

fn config(hidden: &[usize], l2: f32, tolerance: f32, epochs: usize) -> TrainConfig {
    TrainConfig {
        hidden: hidden.to_vec(),
        activation: vec![Activation::Tanh],
        optimizer: Optimizer::Lbfgs { max_fun: 15_000, tolerance },
        regularization: Regularization { l2, ..Regularization::NONE },
        epochs,
        threads: Some(1),
        ..Preset::Notebook.config()
    }
}

/// Whole runs of a convex and of another network: the first iterations, and the minimum of the convex one.
#[test]
fn networks_are_trained_as_by_scipy() {
    let golden = Golden::open("lbfgs.npz");
    let names = ["a", "b", "c"].map(String::from).to_vec();
    let inputs = Inputs::Floats(golden.floats("samples"));
    let data = Dataset::new(inputs, golden.labels("labels"), vec![5], names).unwrap();
    for (name, hidden) in [("logistic", vec![]), ("network", vec![8])] {
        let mut start = Network::dense(5, &hidden, &[Activation::Tanh], 3).unwrap();
        start.parameters_mut().copy_from_slice(&golden.floats(&format!("{name}/start")));
        let settings = config(&hidden, 0.01, 1e-5, 300);
        let mut session = Session::new(&settings, &data, Start::Network(start)).unwrap();
        let iterates = golden.floats(&format!("{name}/iterates"));
        let size = session.model().network.parameters().len();
        for (at, expected) in iterates.chunks_exact(size).enumerate() {
            session.epoch(&data, &AtomicBool::new(false)).unwrap();
            let found = session.model().network.parameters();
            assert_close(found, expected, 1e-3, &format!("{name}, iteration {at}"));
        }
        while session.epoch(&data, &AtomicBool::new(false)).unwrap().is_some() {}
        assert_eq!(session.outcome(), Some(&Outcome::NoProgress), "{name}");
        let found = session.model().network.parameters();
        let squares = |linear: &gradus::network::Linear| {
            found[linear.weight()].iter().map(|&it| f64::from(it).powi(2)).sum::<f64>()
        };
        let penalty = 0.005 * session.model().network.linears().iter().map(squares).sum::<f64>();
        let loss = session.history().epochs.last().unwrap().loss + penalty;
        let least = f64::from(golden.number(&format!("{name}/least")));
        assert!((loss - least).abs() < 1e-5 * least, "{name}: {loss}, SciPy {least}");
        if hidden.is_empty() {
            assert_close(found, &golden.floats(&format!("{name}/minimum")), 1e-3, name);
        }
    }
}

/// Values of two outputs on very different scales.
fn values(samples: usize) -> Dataset {
    let at = |index: usize| ((index * 37) % 101) as f32 / 50.0 - 1.0;
    let inputs = (0..3 * samples).map(at).collect();
    let row = |sample: usize| {
        let [a, b, c] = [at(3 * sample), at(3 * sample + 1), at(3 * sample + 2)];
        [1000.0 + 300.0 * (a * b + c), 0.01 * (a - b * c)]
    };
    let values = (0..samples).flat_map(row).collect();
    let targets = Targets::Values { values, names: vec!["a".into(), "b".into()] };
    Dataset::with_targets(Inputs::Floats(inputs), targets, vec![3]).unwrap()
}

/// Standardized outputs count the same, and the reported loss is in own units.
#[test]
fn several_standardized_targets_are_learned() {
    let data = values(200);
    let settings =
        TrainConfig { standardize_targets: Some(true), ..config(&[20], 1e-6, 1e-5, 300) };
    let trained = run(&settings, &data);
    let model = trained.model.regressor().unwrap();
    let workers = gradus::network::Workers::new(1).unwrap();
    let report = model.evaluate(&data, &workers).unwrap();
    assert!(report.outputs.iter().all(|errors| errors.r2 > 0.99), "{:?}", report.outputs);
    let reported = trained.history.epochs.last().unwrap().loss;
    assert!((reported - report.loss).abs() < 0.01 * report.loss, "{reported} {}", report.loss);
}

#[test]
fn bits_do_not_depend_on_threads_and_a_resumed_run_gives_them() {
    let bytes = digits(10_000);
    let small = digits(300);
    let sparse = as_sparse(&small);
    let table = values(100);
    let runs: [(&Dataset, &[usize], usize); 4] =
        [(&bytes, &[12], 5), (&small, &[30, 9], 14), (&sparse, &[], 8), (&table, &[7], 14)];
    for (data, hidden, epochs) in runs {
        let standardize_targets = data.class_names().is_empty().then_some(true);
        let settings = |threads| TrainConfig {
            threads: Some(threads),
            standardize_targets,
            ..config(hidden, 1e-4, 0.0, epochs)
        };
        let whole = run(&settings(1), data);
        assert_eq!(whole.history.epochs.len(), epochs);
        for threads in [2, 5] {
            let other = run(&settings(threads), data);
            assert_eq!(other.model.network.parameters(), whole.model.network.parameters());
        }
        for cut in [1, epochs - 2] {
            let mut first = Session::new(&settings(1), data, Start::Fresh).unwrap();
            for _ in 0..cut {
                first.epoch(data, &AtomicBool::new(false)).unwrap();
            }
            let bytes = first.checkpoint(data, serde_json::Value::Null).to_bytes().unwrap();
            let checkpoint = Checkpoint::from_bytes(&bytes).unwrap();
            let mut second = resume(&checkpoint, data, Some(3)).unwrap();
            while second.epoch(data, &AtomicBool::new(false)).unwrap().is_some() {}
            let figures = |history: &gradus::training::History| {
                let of =
                    |it: &gradus::training::EpochReport| (it.loss, it.accuracy, it.learning_rate);
                history.epochs.iter().map(of).collect::<Vec<_>>()
            };
            assert_eq!(figures(second.history()), figures(&whole.history), "resumed after {cut}");
            let found = second.finish();
            assert_eq!(found.model.network.parameters(), whole.model.network.parameters());
        }
    }
}

#[test]
fn evaluations_end_a_run_also_over_a_checkpoint() {
    let data = digits(200);
    let settings = TrainConfig {
        optimizer: Optimizer::Lbfgs { max_fun: 10, tolerance: 0.0 },
        ..config(&[10], 0.0, 0.0, 100)
    };
    let whole = run(&settings, &data);
    assert_eq!(whole.outcome, Outcome::Finished);
    assert!((5..=10).contains(&whole.history.epochs.len()), "{}", whole.history.epochs.len());
    let mut first = Session::new(&settings, &data, Start::Fresh).unwrap();
    for _ in 0..4 {
        first.epoch(&data, &AtomicBool::new(false)).unwrap();
    }
    let checkpoint = first.checkpoint(&data, serde_json::Value::Null);
    let mut second = resume(&checkpoint, &data, None).unwrap();
    while second.epoch(&data, &AtomicBool::new(false)).unwrap().is_some() {}
    assert_eq!(second.history().epochs.len(), whole.history.epochs.len());
    // Another run begins without what this one remembers, and counts its own evaluations.
    let again = Session::new(&settings, &data, Start::Continue(&checkpoint));
    let mut again = again.unwrap();
    while again.epoch(&data, &AtomicBool::new(false)).unwrap().is_some() {}
    assert!(again.history().epochs.len() >= 5);
    assert!(again.history().epochs[0].loss <= checkpoint.history().epochs[3].loss);
}

/// A stop in the middle of an iteration leaves the parameters of the one before.
#[test]
fn a_stopped_iteration_is_undone() {
    let data = digits(200);
    let mut session = Session::new(&config(&[10], 0.0, 0.0, 100), &data, Start::Fresh).unwrap();
    session.epoch(&data, &AtomicBool::new(false)).unwrap();
    let before = session.model().network.parameters().to_vec();
    let stop = AtomicBool::new(false);
    stop.store(true, Ordering::Relaxed);
    assert!(session.epoch(&data, &stop).unwrap().is_none());
    assert_eq!(session.outcome(), Some(&Outcome::Stopped));
    assert_eq!(session.model().network.parameters(), before);
}

#[test]
fn a_start_that_is_not_finite_is_told() {
    let mut network = Network::dense(3, &[], &[Activation::Tanh], 2).unwrap();
    network.parameters_mut().fill(3e38);
    let data = values(50);
    let mut session =
        Session::new(&config(&[], 0.0, 0.0, 9), &data, Start::Network(network)).unwrap();
    assert!(session.epoch(&data, &AtomicBool::new(false)).unwrap().is_none());
    let Some(Outcome::Diverged { message, .. }) = session.outcome() else { panic!() };
    assert!(message.contains("initial weights are probably too large"), "{message}");
    assert!(!message.contains("learning"), "{message}");
}

#[test]
fn what_needs_steps_of_batches_is_refused() {
    for (name, text) in [
        ("batch_size", "32"),
        ("schedule", "cosine"),
        ("warm_up", "0.5"),
        ("dropout", "0.1"),
        ("input_dropout", "0.1"),
        ("noise", "0.1"),
        ("input_noise", "0.1"),
        ("batch_norm", "true"),
        ("mixup", "0.1"),
        ("l1", "0.1"),
        ("max_norm", "1"),
        ("clip_norm", "1"),
        ("clip_value", "1"),
        ("ema_decay", "0.9"),
        ("distort", "standard"),
    ] {
        let mut settings = config(&[4], 0.0, 0.0, 3);
        settings.validate().unwrap();
        let setting = Setting::find(name).unwrap();
        setting.set(&mut settings, text).unwrap();
        let message = settings.validate().unwrap_err().to_string();
        let named = message.contains(&format!("`{name}`")) && message.contains("`optimizer` lbfgs");
        assert!(named, "{name}: {message}");
    }
    let preset = TrainConfig {
        optimizer: Optimizer::LBFGS,
        batch_size: BatchSize::Full,
        schedule: Schedule::Constant,
        ..TrainConfig::default()
    };
    preset.validate().unwrap();
}
