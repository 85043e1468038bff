//! Several ranks train one model: the same bits as one process, whatever their number and that of their threads; they
//! stop together, and they refuse to train different models.

#[path = "common/runs.rs"]
mod runs;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use gradus::data::digits::{Part, generate};
use gradus::data::{Dataset, Shuffle, Targets};
use gradus::exchange::{Ranks, Threads};
use gradus::loss::Loss;
use gradus::network::Workers;
use gradus::optimizer::Optimizer;
use gradus::training::{
    BatchSize, Checkpoint, Data, EpochReport, Outcome, Regularization, Session, Start, TrainConfig,
    Trained,
};
use gradus::{Error, model_file};
use runs::{adam, as_floats, as_sparse, digits, everything};

static NEVER: AtomicBool = AtomicBool::new(false);

/// What each of `size` ranks makes.
fn on_ranks<T: Send>(size: usize, make: impl Fn(&Ranks) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let make = &make;
        let ranks: Vec<_> = Threads::new(size)
            .into_iter()
            .map(|rank| scope.spawn(move || make(&Ranks::new(Arc::new(rank)).unwrap())))
            .collect();
        ranks.into_iter().map(|rank| rank.join().unwrap()).collect()
    })
}

fn run(
    config: &TrainConfig,
    data: Data,
    start: Start,
    ranks: &Ranks,
    stop: &AtomicBool,
) -> Result<Trained, Error> {
    let mut session = Session::on_ranks(config, data, start, ranks)?;
    while session.epoch(data, stop)?.is_some() {}
    Ok(session.finish())
}

/// All that must be the same on all ranks; not the seconds.
fn figures(trained: &Trained) -> (Vec<u32>, Vec<EpochReport>) {
    let bits = trained.model.network.parameters().iter().map(|value| value.to_bits()).collect();
    let epochs = trained.history.epochs.iter().map(|it| EpochReport { seconds: 0.0, ..it.clone() });
    (bits, epochs.collect())
}

/// Batches of which the last is not full, cut into eight.
fn shared(optimizer: Optimizer, batch_size: BatchSize) -> TrainConfig {
    TrainConfig { optimizer, batch_size, micro_batches: Some(8), ..adam(&[24, 16], 3) }
}

#[test]
fn any_number_of_ranks_gives_the_bits_of_one() {
    let (sparse, validation) = (digits(700), generate(100, 1, Part::Test).unwrap());
    let (floats, float_validation) = (as_floats(&sparse), as_floats(&validation));
    let full = shared(Optimizer::SGD, BatchSize::Full);
    let adamw = shared(Optimizer::ADAMW, BatchSize::Samples(192));
    let muon = shared(Optimizer::MUON, BatchSize::Samples(256));
    let with = |regularization| TrainConfig { regularization, ..adamw.clone() };
    let configs = [
        ("full", full, &sparse),
        ("AdamW", adamw.clone(), &sparse),
        ("blocks", TrainConfig { shuffle: Some(Shuffle::Blocks), ..adamw.clone() }, &sparse),
        ("dense", adamw.clone(), &floats),
        ("Muon", muon, &floats),
        ("everything sparse", with(everything(false, true)), &sparse),
        ("everything dense", with(everything(false, false)), &sparse),
    ];
    for (name, config, data) in configs {
        let is_float = std::ptr::eq(data, &floats);
        let validation = if is_float { &float_validation } else { &validation };
        let data = Data::from((data, Some(validation)));
        let expected = run(&config, data, Start::Fresh, &Ranks::ALONE, &NEVER).unwrap();
        for (size, threads) in [(1, 2), (2, 1), (2, 3), (4, 1), (4, 2), (8, 1)] {
            let config = TrainConfig { threads: Some(threads), ..config.clone() };
            let trained =
                on_ranks(size, |ranks| run(&config, data, Start::Fresh, ranks, &NEVER).unwrap());
            for (rank, trained) in trained.iter().enumerate() {
                assert_eq!(
                    figures(trained),
                    figures(&expected),
                    "{name}: rank {rank} of {size}, {threads} threads"
                );
            }
        }
    }
}

#[test]
fn a_run_goes_on_with_another_number_of_ranks() {
    let data = digits(300);
    let set = Data::from((&data, None));
    let config = TrainConfig { epochs: 4, ..shared(Optimizer::ADAM, BatchSize::Samples(64)) };
    let expected = run(&config, set, Start::Fresh, &Ranks::ALONE, &NEVER).unwrap();
    let half = TrainConfig { epochs: 2, ..config.clone() };
    let checkpoints = on_ranks(4, |ranks| {
        let mut session = Session::on_ranks(&half, set, Start::Fresh, ranks).unwrap();
        while session.epoch(set, &NEVER).unwrap().is_some() {}
        session.checkpoint(set, serde_json::Value::Null).to_bytes().unwrap()
    });
    let checkpoint = Checkpoint::from_bytes(&checkpoints[3]).unwrap();
    for size in [1, 2] {
        let resumed = on_ranks(size, |ranks| {
            run(&config, set, Start::Resume(&checkpoint), ranks, &NEVER).unwrap()
        });
        for trained in resumed {
            assert_eq!(figures(&trained), figures(&expected), "{size} ranks");
            let (found, expected) = (&trained.model, &expected.model);
            let network = |model: &gradus::classifier::Model| model.network.parameters().to_vec();
            assert_eq!(network(found), network(expected));
            assert!(model_file::to_bytes(found).is_ok());
        }
    }
}

#[test]
fn ranks_stop_together_when_one_is_asked_to() {
    let data = digits(300);
    let set = Data::from((&data, None));
    let config = TrainConfig { epochs: 100_000, ..shared(Optimizer::ADAM, BatchSize::Samples(64)) };
    let stopped = on_ranks(4, |ranks| {
        let stop = AtomicBool::new(false);
        let mut session = Session::on_ranks(&config, set, Start::Fresh, ranks).unwrap();
        while let Some(epoch) = session.epoch(set, &stop).unwrap() {
            if epoch.epoch == 2 && ranks.rank() == 2 {
                stop.store(true, Ordering::Relaxed);
            }
        }
        let trained = session.finish();
        (trained.outcome.clone(), figures(&trained))
    });
    assert!(stopped.iter().all(|it| it == &stopped[0]));
    assert_eq!(stopped[0].0, Outcome::Stopped);
    assert_eq!(stopped[0].1.1.len(), 3);
}

#[test]
fn ranks_that_differ_are_refused_by_all() {
    let (data, others) = (digits(300), generate(300, 9, Part::Train).unwrap());
    let config = shared(Optimizer::ADAM, BatchSize::Samples(64));
    let seeded = TrainConfig { seed: 9, ..config.clone() };
    let threads = TrainConfig { threads: Some(3), ..config.clone() };
    let refused = |differs: usize, config_of: &TrainConfig, data_of: &Dataset| {
        on_ranks(4, |ranks| {
            let own = ranks.rank() == differs;
            let (config, data) = if own { (config_of, data_of) } else { (&config, &data) };
            Session::on_ranks(config, data, Start::Fresh, ranks).err().map(|it| it.to_string())
        })
    };
    let settings =
        "rank 2 does not have the settings of rank 0: start all ranks with the same command";
    assert_eq!(refused(2, &seeded, &data), vec![Some(settings.to_owned()); 4]);
    let set = "rank 3 does not have the training data of rank 0: give all ranks the same data";
    assert_eq!(refused(3, &config, &others), vec![Some(set.to_owned()); 4]);
    assert_eq!(refused(1, &threads, &data), vec![None; 4]);
}

#[test]
fn what_ranks_cannot_share_is_refused() {
    let data = digits(300);
    let refused = |config: &TrainConfig| {
        let found = on_ranks(4, |ranks| {
            Session::on_ranks(config, &data, Start::Fresh, ranks).err().map(|it| it.to_string())
        });
        assert!(found.iter().all(|it| it == &found[0]));
        found[0].clone().unwrap()
    };
    let config = shared(Optimizer::ADAM, BatchSize::Samples(64));
    let two = refused(&TrainConfig { micro_batches: Some(2), ..config.clone() });
    assert!(
        two.starts_with("4 ranks cannot share 2 micro-batches: set `micro_batches` to 4"),
        "{two}"
    );
    let lbfgs = refused(&TrainConfig {
        optimizer: Optimizer::LBFGS,
        batch_size: BatchSize::Full,
        ..TrainConfig { micro_batches: None, ..config.clone() }
    });
    assert!(lbfgs.starts_with("L-BFGS runs on one rank"), "{lbfgs}");
    let regularization = Regularization { batch_norm: true, ..Regularization::NONE };
    let norm = refused(&TrainConfig { regularization, micro_batches: None, ..config });
    assert!(norm.starts_with("`batch_norm` takes all samples"), "{norm}");
}

#[test]
fn a_rank_that_is_lost_ends_the_epoch_of_the_others() {
    let data = digits(300);
    let set = Data::from((&data, None));
    let config = TrainConfig { epochs: 50, ..shared(Optimizer::ADAM, BatchSize::Samples(64)) };
    let errors = on_ranks(2, |ranks| {
        let mut session = Session::on_ranks(&config, set, Start::Fresh, ranks).unwrap();
        for _ in 0..3 {
            session.epoch(set, &NEVER).unwrap();
        }
        if ranks.rank() == 1 {
            return None;
        }
        session.epoch(set, &NEVER).err().map(|error| error.to_string())
    });
    assert_eq!(errors, [Some("rank 1 has gone".to_owned()), None]);
}

/// The same digits with other targets: the digit itself as a value, and whether it is even or large as labels.
fn other_targets(data: &Dataset) -> [Dataset; 2] {
    let digits = data.labels();
    let values = digits.iter().map(|&label| label as f32).collect();
    let labels = digits.iter().flat_map(|label| [u8::from(label % 2 == 0), u8::from(*label > 4)]);
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    [
        Targets::Values { values, names: names(&["digit"]) },
        Targets::Labels { values: labels.collect(), names: names(&["even", "large"]) },
    ]
    .map(|targets| Dataset { targets, ..data.clone() })
}

#[test]
fn ranks_share_predictions_and_find_the_figures_of_one() {
    // Two whole chunks of 512 samples and a part of one: of 4 and 8 ranks some have none.
    let samples = generate(1300, 1, Part::Test).unwrap();
    let [values, labels] = other_targets(&samples);
    let (sparse, floats) = (as_sparse(&samples), as_floats(&samples));
    let train = |data: &Dataset, loss: Option<Loss>, members| {
        let config = TrainConfig { loss, members, ..adam(&[24], 2) };
        run(&config, Data::from((data, None)), Start::Fresh, &Ranks::ALONE, &NEVER).unwrap().model
    };
    let bytes = digits(300);
    let [valued, labelled] = other_targets(&bytes);
    let workers = |count| Workers::new(count).unwrap();
    let bits = |values: Vec<f32>| values.iter().map(|it| it.to_bits()).collect::<Vec<_>>();
    for (name, model, data) in [
        ("bytes", train(&bytes, None, None), &samples),
        ("sparse", train(&as_sparse(&bytes), None, None), &sparse),
        ("floats", train(&as_floats(&bytes), None, None), &floats),
        ("bag", train(&bytes, None, Some(3)), &samples),
        ("values", train(&valued, Some(Loss::SquaredError), None), &values),
        ("labels", train(&labelled, Some(Loss::BinaryCrossEntropy), None), &labels),
    ] {
        let figures = |threads, ranks: &Ranks| {
            let workers = &workers(threads);
            let predicted = bits(model.predict_on_ranks(&data.inputs, workers, ranks).unwrap());
            let measured = match data.targets {
                Targets::Classes { .. } => {
                    let classifier = model.classifier().unwrap();
                    let results = classifier.results_on_ranks(data, workers, ranks).unwrap();
                    format!("{results:?}")
                }
                Targets::Values { .. } => {
                    let regressor = model.regressor().unwrap();
                    format!("{:?}", regressor.evaluate_on_ranks(data, workers, ranks).unwrap())
                }
                Targets::Labels { .. } => {
                    format!("{:?}", model.evaluate_labels_on_ranks(data, workers, ranks).unwrap())
                }
            };
            (predicted, measured)
        };
        let alone = figures(1, &Ranks::ALONE);
        assert_eq!(bits(model.predict(&data.inputs, &workers(2)).unwrap()), alone.0, "{name}");
        for size in [2, 4, 8] {
            for (rank, found) in on_ranks(size, |ranks| figures(2, ranks)).iter().enumerate() {
                assert!(*found == alone, "{name}: rank {rank} of {size}");
            }
        }
    }
}

#[test]
fn ranks_compare_what_they_have() {
    let found = on_ranks(4, |ranks| {
        let own = if ranks.rank() == 2 { "another" } else { "model" };
        let same = ranks.compare(&[("model", b"model", "give all the same")]);
        let other = ranks.compare(&[("size", b"1", "?"), ("model", own.as_bytes(), "give it")]);
        (same.is_ok(), other.unwrap_err().to_string())
    });
    let said = "rank 2 does not have the model of rank 0: give it".to_owned();
    assert_eq!(found, vec![(true, said); 4]);
}
