//! Samples that are not in memory: training on them gives the bits of training on the same samples in memory, at any number
//! of threads and ranks, and wherever a run is left and taken up again.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use gradus_core::error::{Error, ErrorKind, Result};
use gradus_core::exchange::{Ranks, Threads};
use gradus_core::network::{Init, NumericEmbedding};
use gradus_core::optimizer::Optimizer;
use gradus_core::regularization::{ClassWeights, Regularization};
use gradus_core::samples::{
    DataDigest, Dataset, Inputs, RawColumn, Shuffle, Source, Subset, Sums, TEXT_GAP, TIME_GAP,
    Table, Targets,
};
use gradus_core::training::{BatchSize, Checkpoint, Data, Outcome, Session, Start, TrainConfig};
use gradus_core::transform::distort::Distortion;
use gradus_core::transform::normalize::Normalization;
use gradus_kernels::threads::Workers;

static NEVER: AtomicBool = AtomicBool::new(false);

fn noise(row: usize, at: usize) -> usize {
    (row * 2_654_435_761 + at * 40_503) % 97
}

/// Grey images of 4 x 4, most pixels of which are 0, in three classes.
fn images(samples: usize) -> Dataset {
    let byte = |row: usize, at: usize| match at % 3 == row % 3 {
        true => (100 + noise(row, at)) as u8,
        false => 0,
    };
    let inputs = (0..samples).flat_map(|row| (0..16).map(move |at| byte(row, at))).collect();
    let labels = (0..samples).map(|row| if row % 11 == 0 { 0 } else { row as u32 % 3 }).collect();
    let names = ["a", "b", "c"].map(String::from).to_vec();
    Dataset::new(Inputs::Bytes(inputs), labels, vec![4, 4], names).unwrap()
}

/// Rows of seven numbers with two targets.
fn numbers(samples: usize) -> Dataset {
    let number = |row: usize, at: usize| noise(row, at) as f32 / 9.0 - 3.0;
    let inputs: Vec<f32> =
        (0..samples).flat_map(|row| (0..7).map(move |at| number(row, at))).collect();
    let values = inputs.chunks_exact(7).flat_map(|row| [row[0] - row[3], row[1] + 5.0]).collect();
    let targets = Targets::Values { values, names: vec!["x".into(), "y".into()] };
    Dataset::with_targets(Inputs::Floats(inputs), targets, vec![7]).unwrap()
}

/// Raw columns with gaps: numbers, most of which are 0, texts of few and of many values, an identifier, and times.
fn columns(samples: usize) -> Dataset {
    let text = |values: usize, is_chosen: bool| {
        let code = |row: usize| match noise(row, values) % 13 {
            0 => TEXT_GAP,
            _ => (noise(row, 7) * 31 + row % 5 * values) as u32 % values as u32,
        };
        let names = (0..values).map(|at| format!("{at}")).collect();
        let codes = (0..samples).map(code).collect();
        RawColumn::Text { codes, values: Arc::new(names), is_chosen }
    };
    let number = |row: usize| match noise(row, 1) % 9 {
        0 => f64::NAN,
        at => noise(row, at) as f64 / 3.0,
    };
    let amount =
        |row: usize| if row.is_multiple_of(3) { (noise(row, 4) / 6 * 100) as f64 } else { 0.0 };
    let time =
        |row: usize| if row % 50 == 7 { TIME_GAP } else { (row * row % 70_001) as i64 * 9000 };
    let identifier = RawColumn::Text {
        codes: (0..samples as u32).collect(),
        values: Arc::new((0..samples).map(|at| format!("id {at}")).collect()),
        is_chosen: false,
    };
    let table = Table::new(vec![
        RawColumn::Numbers((0..samples).map(number).collect()),
        text(3, false),
        text(41, true),
        RawColumn::Times((0..samples).map(time).collect()),
        RawColumn::Numbers((0..samples).map(amount).collect()),
        identifier,
    ]);
    let labels = (0..samples).map(|row| (noise(row, 7) % 2) as u32).collect();
    let names = ["a", "b"].map(String::from).to_vec();
    Dataset::new(Inputs::Table(table.unwrap()), labels, vec![6], names).unwrap()
}

fn config() -> TrainConfig {
    TrainConfig {
        hidden: vec![9],
        batch_size: BatchSize::Samples(500),
        epochs: 2,
        optimizer: Optimizer::ADAM,
        learning_rate: 0.01,
        shuffle: Some(Shuffle::Blocks),
        normalization: Normalization::Standard,
        threads: Some(1),
        ..TrainConfig::default()
    }
}

fn streamed(data: &Dataset) -> Dataset {
    let weights = data.sample_weights.clone();
    let source = Dataset { sample_weights: None, ..data.clone() };
    let streamed = Dataset::streamed(source).unwrap();
    Dataset { sample_weights: weights, ..streamed }
}

/// The bits of what a run comes to: the parameters and the figures of each epoch.
fn result(session: Session) -> Vec<u64> {
    assert!(matches!(session.outcome(), Some(Outcome::Finished)), "{:?}", session.outcome());
    let trained = session.finish();
    let parameters = trained.model.network.parameters().iter().map(|it| u64::from(it.to_bits()));
    let losses = trained.history.epochs.iter().flat_map(|epoch| {
        [Some(epoch.loss), epoch.accuracy, epoch.val_loss].map(|it| it.unwrap_or(-1.0).to_bits())
    });
    parameters.chain(losses).collect()
}

fn run(config: &TrainConfig, data: Data, ranks: &Ranks) -> Result<Vec<u64>> {
    let mut session = Session::on_ranks(config, data, Start::Fresh, ranks)?;
    while session.epoch(data, &NEVER)?.is_some() {}
    Ok(result(session))
}

/// The result on several ranks, which are threads here.
fn on_ranks(config: &TrainConfig, data: Data, size: usize) -> Vec<Vec<u64>> {
    std::thread::scope(|scope| {
        let ranks: Vec<_> = Threads::new(size)
            .into_iter()
            .map(|it| {
                scope.spawn(|| run(config, data, &Ranks::new(Arc::new(it)).unwrap()).unwrap())
            })
            .collect();
        ranks.into_iter().map(|it| it.join().unwrap()).collect()
    })
}

/// The run, left after each step and taken up from the bytes of its checkpoint.
fn in_pieces(config: &TrainConfig, data: Data, most: usize) -> Vec<u64> {
    let mut session = Session::new(config, data, Start::Fresh).unwrap();
    let mut left = 0;
    loop {
        let pause = (left < most).then(Instant::now);
        // A moment that has passed would leave the epoch before its next step: one step is made first.
        let pause = pause.map(|it| it + std::time::Duration::from_micros(300));
        if session.epoch_until(data, &NEVER, pause).unwrap().is_some() {
            continue;
        }
        if session.outcome().is_some() {
            break;
        }
        left += 1;
        let bytes = session.checkpoint(data, serde_json::Value::Null).to_bytes().unwrap();
        let checkpoint = Checkpoint::from_bytes(&bytes).unwrap();
        session = Session::new(config, data, Start::Resume(&checkpoint)).unwrap();
    }
    assert!(left > 0);
    result(session)
}

/// Checks that all ways of training give one result.
fn same_everywhere(name: &str, config: &TrainConfig, memory: &Dataset) {
    let source = streamed(memory);
    let expected = run(config, memory.into(), &Ranks::ALONE).unwrap();
    for threads in [1, 2, 3] {
        let config = TrainConfig { threads: Some(threads), ..config.clone() };
        let found = run(&config, (&source).into(), &Ranks::ALONE).unwrap();
        assert!(found == expected, "{name}: streamed on {threads} threads");
    }
    for ranks in [2, 4].into_iter().filter(|&ranks| config.micro_batches >= Some(ranks)) {
        for found in on_ranks(config, (&source).into(), ranks) {
            assert!(found == expected, "{name}: streamed on {ranks} ranks");
        }
    }
    assert!(in_pieces(config, memory.into(), 3) == expected, "{name}: resumed in memory");
    assert!(in_pieces(config, (&source).into(), 3) == expected, "{name}: resumed, streamed");
}

#[test]
fn images_in_classes() {
    let data = images(20_000);
    same_everywhere("bytes", &config(), &data);
    let four = TrainConfig { micro_batches: Some(4), ..config() };
    same_everywhere("four micro-batches", &four, &data);
    let even = TrainConfig { batch_size: BatchSize::Samples(1024), ..four.clone() };
    same_everywhere("micro-batches of whole tiles", &even, &data);
    let with = |regularization| TrainConfig { regularization, ..four.clone() };
    let none = Regularization::NONE;
    let distorted = Regularization { distortion: Distortion::STANDARD, ..none.clone() };
    same_everywhere("distortion", &with(distorted), &data);
    let dropped = Regularization { dropout: 0.2, input_dropout: 0.1, ..none.clone() };
    same_everywhere("dropout", &with(dropped), &data);
    let mixed = Regularization { mixup: 0.3, label_smoothing: 0.1, ..none.clone() };
    same_everywhere("mixup", &with(mixed), &data);
    let balanced = Regularization { class_weights: ClassWeights::Balanced, ..none };
    same_everywhere("class weights", &with(balanced), &data);
}

#[test]
fn numbers_with_values() {
    let data = numbers(17_000);
    let regression =
        TrainConfig { standardize_targets: Some(true), micro_batches: Some(2), ..config() };
    same_everywhere("floats", &regression, &data);
    let weights = (0..data.len()).map(|row| (row % 5) as f32).collect();
    let weighted = data.clone().with_sample_weights(weights).unwrap();
    same_everywhere("sample weights", &regression, &weighted);
    let tabular = TrainConfig { init: Init::Tabular, ..config() };
    same_everywhere("weights that depend on the data", &tabular, &data);
    let Inputs::Floats(values) = &data.inputs else { unreachable!() };
    let doubles = values.iter().map(|&value| f64::from(value) + 1.7e9).collect();
    let doubles = Dataset { inputs: Inputs::Doubles(doubles), ..data.clone() };
    same_everywhere("doubles", &regression, &doubles);
}

#[test]
fn raw_columns_with_a_schema() {
    let data = columns(20_000);
    let robust = TrainConfig { normalization: Normalization::Robust, ..config() };
    let embedded = TrainConfig {
        category_embedding: Some(4),
        numeric_embedding: Some(NumericEmbedding::Ple { bins: 5, outputs: 2 }),
        init: Init::Tabular,
        micro_batches: Some(2),
        ..robust.clone()
    };
    same_everywhere("raw columns", &config(), &data);
    same_everywhere("embedded", &embedded, &data);
    same_everywhere("medians of numbers", &robust, &numbers(17_000));
    let source = streamed(&data);
    let numbers: Vec<u32> = (0..20_000).map(|at| at * 7919 % 20_000).collect();
    let (train, held_out) = numbers.split_at(18_000);
    let parts = |data| Data {
        train: Subset::new(data, train).unwrap(),
        validation: Some(Subset::new(data, held_out).unwrap()),
    };
    assert_eq!(
        robust.transform(parts(&source).train).unwrap(),
        robust.transform(parts(&data).train).unwrap()
    );
    let expected = run(&robust, parts(&data), &Ranks::ALONE).unwrap();
    assert!(run(&robust, parts(&source), &Ranks::ALONE).unwrap() == expected);
    let digest = |data| Subset::new(data, held_out).unwrap().digest();
    assert_eq!(digest(&source), digest(&data));
    // Predictions and measures.
    let workers = Workers::new(2).unwrap();
    let session = Session::new(&robust, &data, Start::Fresh).unwrap();
    let model = session.model();
    let all = model.predict(&data.inputs, &workers).unwrap();
    assert_eq!(model.predict(&source.inputs, &workers).unwrap(), all);
    assert_eq!(
        model.check_on(&source, &workers).unwrap(),
        model.check_on(&data, &workers).unwrap()
    );
    // Other types of columns are refused.
    let Inputs::Table(table) = &data.inputs else { unreachable!() };
    let mut other = table.columns().to_vec();
    other.swap(0, 1);
    let other = Dataset { inputs: Inputs::Table(Table::new(other).unwrap()), ..data.clone() };
    let error = model.predict(&streamed(&other).inputs, &workers).unwrap_err().to_string();
    assert!(error.contains("feature column 0 has text"), "{error}");
}

/// Groups of eight blocks, and several windows.
#[test]
fn more_than_a_group() {
    let (samples, features) = (80_000, 1024);
    let inputs = (0..samples).flat_map(|row| (0..features).map(move |at| (row ^ at) as u8));
    let labels = (0..samples).map(|row| row as u32 % 3).collect();
    let names = ["a", "b", "c"].map(String::from).to_vec();
    let data = Dataset::new(Inputs::Bytes(inputs.collect()), labels, vec![32, 32], names).unwrap();
    let config = TrainConfig {
        hidden: vec![2],
        batch_size: BatchSize::Samples(2048),
        epochs: 1,
        threads: Some(2),
        ..config()
    };
    let expected = run(&config, (&data).into(), &Ranks::ALONE).unwrap();
    let source = streamed(&data);
    assert!(run(&config, (&source).into(), &Ranks::ALONE).unwrap() == expected);
    assert!(in_pieces(&config, (&source).into(), 2) == expected);
}

#[test]
fn validation_is_read_in_pieces() {
    let data = images(20_000);
    let source = streamed(&data);
    let numbers: Vec<u32> = (0..20_000).collect();
    let (train, held_out) = numbers.split_at(18_000);
    let parts = |data| Data {
        train: Subset::new(data, train).unwrap(),
        validation: Some(Subset::new(data, held_out).unwrap()),
    };
    let expected = run(&config(), parts(&data), &Ranks::ALONE).unwrap();
    assert!(run(&config(), parts(&source), &Ranks::ALONE).unwrap() == expected);
    assert!(in_pieces(&config(), parts(&source), 2) == expected);
    for numbers in [train, held_out] {
        let digest = |data| Subset::new(data, numbers).unwrap().digest();
        assert_eq!(digest(&source), digest(&data));
    }
    // Samples in any order are found, too.
    let mixed: Vec<usize> = (0..500).map(|at| at * 7919 % 20_000).collect();
    let (picked, found) = (data.subset(&mixed), source.subset(&mixed));
    assert_eq!(Subset::from(&found).read(0..500).unwrap(), picked);
    assert_eq!(Subset::from(&found).sums().unwrap(), Sums::of(&picked));
    assert_eq!(Subset::from(&found).digest(), Subset::from(&picked).digest());
    let workers = Workers::new(1).unwrap();
    let mut session = Session::new(&config(), &data, Start::Fresh).unwrap();
    session.epoch(&data, &NEVER).unwrap();
    let model = session.model();
    let all = model.predict(&data.inputs, &workers).unwrap();
    assert_eq!(model.predict(&source.inputs, &workers).unwrap(), all);
    assert_eq!(
        model.check_on(&found, &workers).unwrap(),
        model.check_on(&picked, &workers).unwrap()
    );
}

#[test]
fn a_run_moves_between_memory_and_files() {
    let data = images(9_000);
    let source = streamed(&data);
    assert_eq!(Subset::from(&source).digest(), Subset::from(&data).digest());
    let config = config();
    let expected = run(&config, (&data).into(), &Ranks::ALONE).unwrap();
    let mut session = Session::new(&config, &data, Start::Fresh).unwrap();
    session.epoch(&data, &NEVER).unwrap();
    let checkpoint = session.checkpoint(&data, serde_json::Value::Null);
    let mut session = Session::new(&config, &source, Start::Resume(&checkpoint)).unwrap();
    while session.epoch(&source, &NEVER).unwrap().is_some() {}
    assert!(result(session) == expected);
    // Another order of the same samples is noticed without reading them.
    let other = streamed(&data.subset(&(0..9_000).rev().collect::<Vec<_>>()));
    let error = Session::new(&config, &other, Start::Resume(&checkpoint)).err().unwrap();
    assert!(error.to_string().contains("the values of the inputs and the targets"), "{error}");
}

/// A source whose reads fail after some of them.
struct Failing {
    data: Dataset,
    left: AtomicUsize,
}

impl Source for Failing {
    fn samples(&self) -> usize {
        self.data.len()
    }

    fn read(&self, rows: Range<usize>) -> Result<Dataset> {
        let left =
            self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |it| it.checked_sub(1));
        match left {
            Ok(_) => Source::read(&self.data, rows),
            Err(_) => Err(Error::new(ErrorKind::Io, "shard-00003.npy: truncated")),
        }
    }

    fn targets(&self) -> Result<Targets> {
        Ok(self.data.targets.clone())
    }

    fn digest(&self) -> DataDigest {
        Subset::from(&self.data).digest()
    }

    fn sums(&self) -> Result<Sums> {
        Ok(Sums::of(&self.data))
    }
}

#[test]
fn what_cannot_be_read_is_reported() {
    for (reads, threads) in [(1, 1), (2, 3), (4, 2)] {
        let left = AtomicUsize::new(reads);
        let data = Dataset::streamed(Failing { data: images(40_000), left }).unwrap();
        let config = TrainConfig { threads: Some(threads), ..config() };
        let mut session = Session::new(&config, &data, Start::Fresh).unwrap();
        let error = session.epoch(&data, &NEVER).unwrap_err();
        assert_eq!(error.to_string(), "shard-00003.npy: truncated");
    }
}

#[test]
fn what_needs_all_samples_at_once_is_refused() {
    let data = streamed(&images(9_000));
    let refused = |change: fn(&mut TrainConfig), reported: &str| {
        let mut config = config();
        change(&mut config);
        let error = Session::new(&config, &data, Start::Fresh).err().unwrap().to_string();
        assert!(error.contains(reported), "{error}");
    };
    refused(|it| it.shuffle = None, "`shuffle` to blocks");
    refused(|it| it.batch_size = BatchSize::Full, "smaller `batch_size`");
    refused(|it| it.normalization = Normalization::Robust, "`normalize` is robust");
    refused(|it| it.members = Some(3), "load them into memory");
}
