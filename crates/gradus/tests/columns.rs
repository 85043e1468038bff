//! What acts on the input columns before the first linear layer: gradients against central differences, the same
//! bits for any number of threads and across resuming, and the saved network against the trained one.

use std::path::Path;
use std::sync::Arc;

mod common;
#[path = "common/runs.rs"]
mod runs;

use common::golden::{Golden, assert_close};
use common::pass;
use gradus::classifier::{Classifier, Model};
use gradus::data::normalize::Normalization;
use gradus::data::{Dataset, Inputs, RawColumn, Rows, TEXT_GAP, Table, Targets};
use gradus::engine::cpu::{Executor, Input, RngKey};
use gradus::model_file;
use gradus::network::Workers;
use gradus::network::{Activation, Column, ColumnLayer, Init, Network, NumericEmbedding};
use gradus::optimizer::Optimizer;
use gradus::training::regularization::{HiddenRegularization, Regularization};
use gradus::training::{BatchSize, Checkpoint, Session, Start, TrainConfig};
use gradus::transform::Transform;
use gradus_kernels::Kernels;
use gradus_kernels::matrix::MatRef;
use runs::{adam, as_sparse, digits, everything, resume, run};

const DRAW: Option<RngKey> = Some(RngKey { seed: 3, step: 5, first: 0 });

const NORMALIZED: HiddenRegularization =
    HiddenRegularization { batch_norm: true, ..HiddenRegularization::PLAIN };

/// Numbers in -2..2 that repeat late.
fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i * 7919 % 4001) as f32 / 1000.0 - 2.0).collect()
}

fn labels(count: usize) -> Vec<u32> {
    (0..count as u32).map(|i| i * i % 3).collect()
}

/// An executor with a scaling layer whose factors differ from 1.
fn scaled(kernels: Kernels, network: &Network, hidden: HiddenRegularization) -> Executor {
    let executor = Executor::with_scaling(kernels, network, hidden);
    for block in &executor.plan.columns.as_ref().unwrap().blocks {
        let mut scale = executor.parameters.write(block.scale.unwrap());
        let factors = scale.slice().iter_mut().zip(block.outputs.clone());
        factors.for_each(|(factor, at)| *factor = 0.5 + at as f32 % 7.0 / 4.0);
    }
    executor
}

fn dense(inputs: usize, hidden: &[usize]) -> Network {
    let mut network = Network::dense(inputs, hidden, &[Activation::Tanh], 3).unwrap();
    network.initialize(Init::Glorot, 5);
    network
}

/// Every `stride`th gradient of every partition against a central difference.
fn check_gradients(executor: &Executor, input: Input, labels: &[u32], stride: usize) {
    let gradients = pass(executor, input, labels, 2, DRAW).gradients;
    let step = 1.0 / 256.0;
    for (number, partition) in executor.plan.parameters.partitions.iter().enumerate() {
        for at in (0..partition.range.len()).step_by(stride) {
            let loss_at = |offset: f32| {
                let before = executor.parameters.read_partition(number)[at];
                executor.parameters.write(number).slice()[at] = before + offset;
                let loss = pass(executor, input, labels, 1, DRAW).loss;
                executor.parameters.write(number).slice()[at] = before;
                loss
            };
            let found = gradients[partition.range.start + at];
            let name = &executor.plan.parameters.tensor(number).name;
            if name == "0.edge" {
                // Training leaves the edges of bins alone.
                assert_eq!(found, 0.0);
                continue;
            }
            let expected = (loss_at(step) - loss_at(-step)) / (2.0 * step);
            assert!(
                (found - expected).abs() < 3e-4 + 2e-3 * expected.abs(),
                "{name} at {at}: {found} {expected}"
            );
        }
    }
}

#[test]
fn gradients_match_central_differences() {
    let kernels = Kernels::detect().unwrap();
    for (hidden, treatment) in [
        (&[][..], HiddenRegularization::PLAIN),
        (&[9], HiddenRegularization::PLAIN),
        (&[9, 6], NORMALIZED),
    ] {
        let x = numbers(30 * 40);
        let executor = scaled(kernels, &dense(40, hidden), treatment);
        let input = Input::Dense(MatRef::new(&x, 30, 40));
        check_gradients(&executor, input, &labels(30), 3);
    }
}

const PIECEWISE: NumericEmbedding = NumericEmbedding::Ple { bins: 6, outputs: 3 };

const EMBEDDINGS: [NumericEmbedding; 2] = [NumericEmbedding::PBLD, PIECEWISE];

/// Numbers, flags and categories side by side; enough of them for several blocks.
fn mixed(columns: usize, numeric: NumericEmbedding) -> ColumnLayer {
    let kinds = [
        Column::Number,
        Column::Number,
        Column::Category(4),
        Column::Flag,
        Column::Number,
        Column::Flag,
        Column::Flag,
        Column::Category(1),
    ];
    let columns = (0..columns).map(|at| kinds[at % 8]).collect();
    ColumnLayer::new(columns, numeric, 5).unwrap()
}

/// A network over mixed columns; of bins some numbers have all, others fewer or none.
fn embedding(layer: &ColumnLayer, hidden: &[usize]) -> Network {
    let mut network = dense(layer.outputs(), hidden).after_columns(layer.clone()).unwrap();
    network.initialize(Init::Glorot, 5);
    for tensor in network.tensors() {
        let values = &mut network.parameters_mut()[tensor.range];
        match tensor.name.as_str() {
            "0.edge" => {
                for (row, edges) in values.chunks_mut(tensor.shape[1]).enumerate() {
                    let used = [6, 3, 1, 0][row % 4];
                    let edge = |at: usize| 0.7 * at.min(used) as f32 - 1.8 + row as f32 / 40.0;
                    edges.iter_mut().enumerate().for_each(|(at, it)| *it = edge(at));
                }
            }
            "0.rise" => {
                values.iter_mut().enumerate().for_each(|(at, it)| *it = (at as f32 * 1.3).sin());
            }
            _ => {}
        }
    }
    network
}

/// Samples with codes for categories, some of them unknown.
fn rows(layer: &ColumnLayer, samples: usize) -> Vec<f32> {
    let columns = layer.columns();
    let mut x = numbers(samples * columns.len());
    for (at, value) in x.iter_mut().enumerate() {
        match columns[at % columns.len()] {
            Column::Number => {}
            Column::Flag => *value = f32::from(u8::from(*value > 0.0)),
            Column::Category(size) => *value = (at * 31 % (size + 3)) as f32,
        }
    }
    x
}

#[test]
fn gradients_of_embeddings_match_central_differences() {
    let kernels = Kernels::detect().unwrap();
    for numeric in EMBEDDINGS {
        let layer = mixed(17, numeric);
        for hidden in [&[][..], &[9], &[9, 6]] {
            let (x, network) = (rows(&layer, 30), embedding(&layer, hidden));
            let input = Input::Dense(MatRef::new(&x, 30, 17));
            check_gradients(&Executor::new(kernels, &network, false), input, &labels(30), 3);
            let executor = scaled(kernels, &network, HiddenRegularization::PLAIN);
            check_gradients(&executor, input, &labels(30), 3);
        }
    }
}

#[test]
fn embeddings_have_the_same_bits_at_any_number_of_threads() {
    let kernels = Kernels::available();
    for (kernels, numeric) in
        kernels.into_iter().flat_map(|it| EMBEDDINGS.map(|numeric| (it, numeric)))
    {
        for (columns, samples) in [(1, 1), (8, 33), (90, 150)] {
            let layer = mixed(columns, numeric);
            let (x, network) = (rows(&layer, samples), embedding(&layer, &[70]));
            let input = Input::Dense(MatRef::new(&x, samples, columns));
            let run = |threads| {
                let executor = scaled(kernels, &network, HiddenRegularization::PLAIN);
                let found = pass(&executor, input, &labels(samples), threads, DRAW);
                (found.logits, found.gradients)
            };
            let one = run(1);
            assert!([2, 3, 7].into_iter().all(|threads| run(threads) == one));
            let mut stored = network.clone();
            scaled(kernels, &network, HiddenRegularization::PLAIN).store(&mut stored);
            let plain = Executor::new(kernels, &stored, false);
            let predicted = pass(&plain, input, &labels(samples), 2, None).logits;
            assert_close(&predicted, &one.0, 2e-5, "logits");
        }
    }
}

#[test]
fn logits_and_gradients_are_those_of_numpy() {
    let pbld = NumericEmbedding::Pbld { frequencies: 6, outputs: 2, scale: 0.5 };
    let ple = NumericEmbedding::Ple { bins: 5, outputs: 2 };
    for (file, numeric) in [("columns.npz", pbld), ("piecewise.npz", ple)] {
        compare_with_numpy(&Golden::open(file), numeric);
    }
}

fn compare_with_numpy(golden: &Golden, numeric: NumericEmbedding) {
    let columns = vec![
        Column::Number,
        Column::Category(5),
        Column::Flag,
        Column::Number,
        Column::Category(2),
    ];
    let layer = ColumnLayer::new(columns, numeric, 3).unwrap();
    let (x, labels) = (golden.floats("x"), golden.labels("labels"));
    let mut network = dense(layer.outputs(), &[8]).after_columns(layer).unwrap();
    let tensors = network.tensors();
    for tensor in &tensors {
        let values = golden.floats(&tensor.name);
        network.parameters_mut()[tensor.range.clone()].copy_from_slice(&values);
    }
    for kernels in Kernels::available() {
        let executor = Executor::new(kernels, &network, false);
        let input = Input::Dense(MatRef::new(&x, labels.len(), 5));
        let found = pass(&executor, input, &labels, 2, None);
        assert_close(&found.logits, &golden.floats("logits"), 2e-6, "logits");
        let gradients = executor.plan.parameters.from_memory(&found.gradients);
        for tensor in &tensors {
            let expected = golden.floats(&format!("grad.{}", tensor.name));
            assert_close(&gradients[tensor.range.clone()], &expected, 2e-6, &tensor.name);
        }
    }
}

/// A classifier of three classes over these columns.
fn classifier(network: Network, shape: Vec<usize>) -> Classifier {
    let names = ["a", "b", "c"].map(String::from).to_vec();
    Classifier::new(network, Transform::IDENTITY, shape, names).unwrap()
}

#[test]
fn files_hold_the_embeddings() {
    EMBEDDINGS.into_iter().for_each(save_and_read);
    // Edges in disorder are no bins.
    let mut model = classifier(embedding(&mixed(3, PIECEWISE), &[]), vec![3]);
    model.network.parameters_mut()[2] = -9.0;
    let error = model_file::to_bytes(&model).unwrap_err().to_string();
    assert!(error.contains("edges of the bins"), "{error}");
}

fn save_and_read(numeric: NumericEmbedding) {
    let layer = mixed(17, numeric);
    let model = classifier(embedding(&layer, &[9]), vec![17]);
    let read = model_file::from_bytes(&model_file::to_bytes(&model).unwrap()).unwrap();
    assert_eq!(read, model);
    let (x, workers) = (rows(&layer, 40), Workers::new(2).unwrap());
    let found = read.predict(Rows::Floats(&x), &workers).unwrap();
    let executor = Executor::new(Kernels::detect().unwrap(), &model.network, false);
    let input = Input::Dense(MatRef::new(&x, 40, 17));
    let logits = pass(&executor, input, &labels(40), 1, None).logits;
    let mut predictor = read.predictor(false).unwrap();
    for (sample, logits) in logits.chunks(3).enumerate() {
        let exp: Vec<f32> = logits.iter().map(|z| z.exp()).collect();
        let sum: f32 = exp.iter().sum();
        let expected: Vec<f32> = exp.iter().map(|e| e / sum).collect();
        assert_close(found.row(sample), &expected, 1e-5, "probabilities");
        // One sample at a time gives the same bits.
        let single = predictor.predict(Rows::Floats(&x[sample * 17..][..17])).unwrap();
        assert_eq!(single, found.row(sample));
    }
    // 100 numeric columns stay small.
    let wide = ColumnLayer::new(vec![Column::Number; 100], numeric, 8).unwrap();
    let model = classifier(embedding(&wide, &[256, 256, 256]), vec![100]);
    assert!(model_file::to_bytes(&model).unwrap().len() < 1_100_000);
}

#[test]
fn what_cannot_hold_embeddings_refuses() {
    for numeric in EMBEDDINGS {
        let model = classifier(embedding(&mixed(17, numeric), &[9]), vec![17]);
        let error = model_file::encode(&model, Path::new("m.npz")).unwrap_err().to_string();
        assert!(error.contains("embeds the columns"), "{error}");
        assert!(model_file::encode(&model, Path::new("m.c")).is_ok());
        let onnx = model_file::encode(&model, Path::new("m.onnx")).unwrap();
        let read = model_file::read(&onnx, &model_file::ReadOptions::default()).unwrap().model;
        assert_eq!(read, *model);
    }
    let network = embedding(&mixed(17, PIECEWISE), &[9]);
    let model = classifier(network.clone(), vec![17]);
    let error = model.explain(Rows::Floats(&[0.0; 17]), 0).unwrap_err().to_string();
    assert!(error.contains("embeds the columns"), "{error}");
    let error = model_file::to_bytes(&classifier(network, vec![1, 17])).unwrap_err().to_string();
    assert!(error.contains("rows of a table"), "{error}");
    for numeric in EMBEDDINGS {
        let config = TrainConfig { numeric_embedding: Some(numeric), ..config() };
        let error = Session::new(&config, &digits(40), Start::Fresh).err().unwrap().to_string();
        assert!(error.contains("is for tables"), "{error}");
    }
}

#[test]
fn threads_change_no_bit_and_the_stored_network_predicts_the_same() {
    for kernels in Kernels::available() {
        for (inputs, hidden) in [(1, vec![5]), (70, vec![129, 17]), (300, vec![])] {
            let (x, network) = (numbers(150 * inputs), dense(inputs, &hidden));
            let input = Input::Dense(MatRef::new(&x, 150, inputs));
            let one = pass(&scaled(kernels, &network, NORMALIZED), input, &labels(150), 1, DRAW);
            for threads in [2, 3, 5] {
                let executor = scaled(kernels, &network, NORMALIZED);
                let found = pass(&executor, input, &labels(150), threads, DRAW);
                assert!(found.logits == one.logits && found.gradients == one.gradients);
            }
            let executor = scaled(kernels, &network, HiddenRegularization::PLAIN);
            let trained = pass(&executor, input, &labels(150), 1, None).logits;
            let mut stored = network.clone();
            executor.store(&mut stored);
            assert_ne!(stored, network);
            let plain = Executor::new(kernels, &stored, false);
            let predicted = pass(&plain, input, &labels(150), 1, None).logits;
            assert_close(&predicted, &trained, 1e-5, "logits");
        }
    }
}

/// Three numbers on different scales, and a smooth function of them.
fn table(samples: usize) -> Dataset {
    let x = numbers(3 * samples);
    let values = x.chunks(3).map(|x| (2.0 * x[0]).sin() + 0.3 * x[1] * x[2]).collect();
    let targets = Targets::Values { values, names: vec!["y".into()] };
    Dataset::with_targets(Inputs::Floats(x), targets, vec![3]).unwrap()
}

fn config() -> TrainConfig {
    TrainConfig {
        normalization: Normalization::Standard,
        scaling_layer: Some(true),
        ..adam(&[70, 10], 4)
    }
}

#[test]
fn runs_have_the_same_bits_at_any_number_of_threads_and_across_resuming() {
    let (table, digits) = (table(400), digits(300));
    let sparse = as_sparse(&digits);
    let full = TrainConfig { batch_size: BatchSize::Full, ..config() };
    let embedded = TrainConfig {
        numeric_embedding: Some(NumericEmbedding::PBLD),
        init: Init::Tabular,
        ..config()
    };
    let piecewise = TrainConfig { numeric_embedding: Some(PIECEWISE), ..embedded.clone() };
    let mut regularized = config();
    regularized.regularization = everything(true, false);
    for (config, data) in [
        (config(), &table),
        (embedded, &table),
        (piecewise, &table),
        (full, &sparse),
        (regularized, &digits),
    ] {
        let whole = run(&config, data).model;
        for threads in [2, 7, 16] {
            let config = TrainConfig { threads: Some(threads), ..config.clone() };
            assert_eq!(run(&config, data).model.network, whole.network, "{threads} threads");
        }
        let half = run_for(&config, data, 2);
        let checkpoint = Checkpoint::from_bytes(&half.to_bytes().unwrap()).unwrap();
        let mut session = resume(&checkpoint, data, Some(3)).unwrap();
        while session.epoch(data, &runs_forever()).unwrap().is_some() {}
        assert_eq!(session.model().network, whole.network);
    }
}

/// A text of twelve values, some missing, and a number; the target depends on both.
fn texts(samples: usize) -> Dataset {
    let code = |at: usize| if at.is_multiple_of(29) { TEXT_GAP } else { (at * 7 % 12) as u32 };
    let codes: Vec<u32> = (0..samples).map(code).collect();
    let numbers: Vec<f64> = numbers(samples).into_iter().map(f64::from).collect();
    let pairs = codes.iter().zip(&numbers);
    let values = pairs.map(|(code, x)| (code % 5) as f32 + x.sin() as f32).collect();
    let words: Vec<String> = (0..12).map(|word| format!("word {word}")).collect();
    let columns = vec![
        RawColumn::Text { codes, values: Arc::new(words), is_chosen: false },
        RawColumn::Numbers(numbers),
    ];
    let table = Inputs::Table(Table::new(columns).unwrap());
    let targets = Targets::Values { values, names: vec!["y".into()] };
    Dataset::with_targets(table, targets, vec![2]).unwrap()
}

#[test]
fn categories_of_tables_are_embedded() {
    let data = texts(500);
    let config = TrainConfig {
        numeric_embedding: Some(NumericEmbedding::PBLD),
        category_embedding: Some(3),
        init: Init::Tabular,
        ..TrainConfig { epochs: 40, ..config() }
    };
    let trained = run(&config, &data);
    let layer = trained.model.network.columns().unwrap();
    assert_eq!(layer.columns(), [Column::Category(12), Column::Number]);
    assert_eq!(layer.outputs(), 3 + 4);
    let workers = Workers::new(2).unwrap();
    let error = |model: &Model| {
        let found = model.regressor().unwrap().evaluate(&data, &workers).unwrap();
        found.outputs[0].r2
    };
    assert!(error(&trained.model) > 0.9, "{}", error(&trained.model));
    let bytes = model_file::to_bytes(&trained.model).unwrap();
    let read = model_file::model_from_bytes(&bytes).unwrap();
    assert_eq!(error(&read), error(&trained.model));
    let threads = TrainConfig { threads: Some(5), ..config.clone() };
    assert_eq!(run(&threads, &data).model.network, trained.model.network);
    // Without the setting there are flags.
    let flags = TrainConfig { category_embedding: None, ..config.clone() };
    let flags = run(&TrainConfig { epochs: 1, ..flags }, &data).model.network;
    assert_eq!(flags.columns().unwrap().columns()[0], Column::Flag);
    // Codes of categories must stay what they are.
    let mut noisy = config;
    noisy.regularization.input_noise = 0.1;
    let error = Session::new(&noisy, &data, Start::Fresh).err().unwrap().to_string();
    assert!(error.contains("codes of categories"), "{error}");
}

/// What an edge stands for is decided before training: no step, no decay and no average moves it, and more bins bend more.
#[test]
fn bins_stay_where_the_data_put_them() {
    let data = table(600);
    let edges = |network: &Network| {
        let tensor = network.tensors().into_iter().find(|it| it.name == "0.edge").unwrap();
        network.parameters()[tensor.range].to_vec()
    };
    let config = |bins: usize| TrainConfig {
        numeric_embedding: Some(NumericEmbedding::Ple { bins, outputs: 4 }),
        hidden: vec![],
        scaling_layer: None,
        epochs: 60,
        learning_rate: 0.05,
        ..config()
    };
    let mut errors = Vec::new();
    for bins in [1, 16] {
        let mut config = config(bins);
        let fresh = Session::new(&config, &data, Start::Fresh).unwrap().model().network.clone();
        let trained = run(&config, &data);
        assert_eq!(edges(&trained.model.network), edges(&fresh));
        let first = &edges(&fresh)[..=bins];
        assert!(first.windows(2).all(|pair| pair[0] < pair[1]), "{first:?}");
        let Inputs::Floats(values) = &data.inputs else { panic!() };
        let normalized = |value: f32| {
            let mut row = [value, 0.0, 0.0];
            trained.model.transform.apply(Rows::Floats(&row.clone()), 0, &mut row);
            row[0]
        };
        let column: Vec<f32> = values.chunks(3).map(|row| normalized(row[0])).collect();
        assert_eq!(first[0], column.iter().copied().fold(f32::MAX, f32::min));
        assert_eq!(first[bins], column.iter().copied().fold(f32::MIN, f32::max));
        errors.push(trained.history.epochs.last().unwrap().loss);
        // Whatever the optimizer, its decay and its averages.
        config.regularization = Regularization {
            dropout: 0.2,
            mixup: 0.3,
            l2: 1e-4,
            max_norm: Some(1.0),
            clip_norm: Some(0.5),
            ema_decay: Some(0.9),
            ..Regularization::NONE
        };
        for optimizer in Optimizer::ALL.into_iter().filter(|it| it.is_stochastic()) {
            let config = TrainConfig { optimizer, epochs: 2, hidden: vec![8], ..config.clone() };
            let (fresh, trained) = (
                Session::new(&config, &data, Start::Fresh).unwrap().model().network.clone(),
                run(&config, &data).model.network,
            );
            assert_eq!(edges(&trained), edges(&fresh), "{optimizer:?}");
        }
    }
    // The target is a sine of the first number: a linear model needs the bins for it.
    assert!(errors[1] < 0.5 * errors[0], "{errors:?}");
}

fn runs_forever() -> std::sync::atomic::AtomicBool {
    false.into()
}

/// The checkpoint after some epochs of a run.
fn run_for(config: &TrainConfig, data: &Dataset, epochs: usize) -> Checkpoint {
    let mut session = Session::new(config, data, Start::Fresh).unwrap();
    for _ in 0..epochs {
        session.epoch(data, &runs_forever()).unwrap();
    }
    session.checkpoint(data, serde_json::Value::Null)
}

#[test]
fn the_scaling_layer_and_categories_decay_by_their_factors() {
    let data = texts(500);
    let (rate, decay) = (0.1, 0.5);
    let adamw = Optimizer::AdamW { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: decay };
    let config = TrainConfig {
        category_embedding: Some(3),
        optimizer: adamw,
        learning_rate: rate,
        batch_size: BatchSize::Full,
        ..TrainConfig { epochs: 1, ..config() }
    };
    let network = |scaling_decay, category_decay| {
        run(&TrainConfig { scaling_decay, category_decay, ..config.clone() }, &data).model.network
    };
    let (plain, scaling, category) = (network(0.0, 0.0), network(3.0, 0.0), network(0.0, 2.0));
    // The first step of Adam has the length of the rate: the factors are then 1.1 or 0.9, and 0.15 less with decay.
    let ratios =
        scaling.weight(0).iter().zip(plain.weight(0)).map(|(with, without)| with / without);
    let mut found = [0; 2];
    for ratio in ratios {
        let at = [0.95 / 1.1, 0.75 / 0.9].iter().position(|wanted| (ratio - wanted).abs() < 1e-4);
        found[at.unwrap_or_else(|| panic!("{ratio}"))] += 1;
    }
    assert!(found.iter().sum::<usize>() == plain.weight(0).len());
    assert_eq!(category.weight(0), plain.weight(0));
    let start = Session::new(&config, &data, Start::Fresh).unwrap().model().network.clone();
    let table = start.columns().unwrap().parameters();
    let tables = [&start, &plain, &category].map(|network| &network.parameters()[..table]);
    for ((start, plain), found) in tables[0].iter().zip(tables[1]).zip(tables[2]) {
        assert!((found - (plain - rate * decay * 2.0 * start)).abs() < 1e-6);
    }
    assert_eq!(&scaling.parameters()[..table], tables[1]);
}
