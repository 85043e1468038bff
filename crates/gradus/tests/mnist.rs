//! The real MNIST, where `GRADUS_DATA` says that it is at hand.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use gradus::data::npz::Npz;
use gradus::data::{Dataset, Inputs, LoadOptions, Loaded, load};
use gradus::model_file;
use gradus::network::{Activation, Workers};
use gradus::optimizer::Optimizer;
use gradus::training::{Preset, Regularization, TrainConfig, train};

/// MNIST, or nothing (and a word about it) where it is not at hand.
fn mnist() -> Option<Loaded> {
    if std::env::var_os("GRADUS_DATA").is_none() {
        eprintln!("skipped: GRADUS_DATA does not say where MNIST is");
        return None;
    }
    let options =
        LoadOptions { data: Some("mnist".into()), download: false, ..LoadOptions::default() };
    Some(load(&options, &mut |_| {}).expect("MNIST under GRADUS_DATA"))
}

fn pixels(data: &Dataset) -> &[u8] {
    match &data.inputs {
        Inputs::Bytes(pixels) => pixels,
        _ => panic!("MNIST must stay bytes"),
    }
}

#[test]
fn mnist_is_what_it_is_known_to_be() {
    let start = Instant::now();
    let Some(loaded) = mnist() else { return };
    eprintln!("loaded from {} in {:?}", loaded.origin, start.elapsed());
    assert_eq!(loaded.warnings, Vec::<String>::new());
    assert_eq!((loaded.train.len(), loaded.test.len()), (60_000, 10_000));
    assert_eq!(loaded.train.sample_shape, [28, 28]);
    assert_eq!(loaded.test.sample_shape, [28, 28]);
    assert_eq!(loaded.train.class_names(), ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    assert_eq!((loaded.train.labels()[0], loaded.test.labels()[0]), (5, 7));

    let pixels = pixels(&loaded.train);
    let count = pixels.len() as f64;
    let sum: f64 = pixels.iter().map(|&pixel| f64::from(pixel)).sum();
    let squares: f64 = pixels.iter().map(|&pixel| f64::from(pixel).powi(2)).sum();
    let zeros = pixels.iter().filter(|&&pixel| pixel == 0).count() as f64;
    let (mean, share_of_zeros) = (sum / count, zeros / count);
    let deviation = (squares / count - mean * mean).sqrt();
    assert!((mean - 33.318).abs() < 1e-3, "{mean}");
    assert!((deviation - 78.567).abs() < 1e-3, "{deviation}");
    assert!((share_of_zeros - 0.809).abs() < 5e-4, "{share_of_zeros}");
}

/// The notebook's run, number by number: from the same start the accuracy of each of 200 epochs
/// within 2 images of 60,000 of the run in double precision, and its final weights within 1e-4.
#[test]
fn the_notebook_is_reproduced() {
    let Some(loaded) = mnist() else { return };
    let folder = PathBuf::from(std::env::var_os("GRADUS_DATA").expect("checked by mnist()"));
    let file = folder.join("reference/notebook.npz");
    if !file.exists() {
        eprintln!("skipped: there is no {}", file.display());
        return;
    }
    let read = |prefix| model_file::npz::read_network(&file, prefix, &[Activation::Relu]).unwrap();
    let accuracy: Vec<f32> =
        Npz::open(&file).unwrap().get("accuracy").unwrap().expect("accuracy").values.to_f32();
    let config = Preset::Notebook.config();
    let stop = AtomicBool::new(false);
    let mut worst = 0.0f64;
    let start = Some(read("init_"));
    let trained = train(&config, &loaded.train, None, start, &stop, &mut |report| {
        let images =
            (report.accuracy.unwrap() - f64::from(accuracy[report.epoch])).abs() * 60_000.0;
        assert!(images <= 2.01, "epoch {}: {images} images apart", report.epoch);
        worst = worst.max(images);
    })
    .unwrap();
    let (found, expected) = (trained.model.network.clone(), read("final_"));
    let pairs = found.parameters().iter().zip(expected.parameters());
    let square = |x: f32| f64::from(x) * f64::from(x);
    let distance: f64 = pairs.map(|(f, e)| square(f - e)).sum();
    let norm: f64 = expected.parameters().iter().map(|&e| square(e)).sum();
    let relative = (distance / norm).sqrt();
    eprintln!("at most {worst:.0} images apart, weights by {relative:.1e}");
    assert_eq!(trained.history.epochs.len(), 200);
    assert!(relative <= 1e-4, "{relative}");
}

/// Accuracy on the test images after training with these settings.
fn tested(config: &TrainConfig, loaded: &Loaded) -> f64 {
    let stop = AtomicBool::new(false);
    let trained = train(config, &loaded.train, None, None, &stop, &mut |_| {}).unwrap();
    let workers = Workers::new(2).unwrap();
    let accuracy =
        trained.model.classifier().unwrap().evaluate(&loaded.test, &workers).unwrap().accuracy;
    eprintln!("seed {}: {accuracy}", config.seed);
    accuracy
}

/// The default preset on the test images.
#[test]
fn quick_reaches_98_percent() {
    let Some(loaded) = mnist() else { return };
    for seed in [0, 1] {
        let config = TrainConfig { seed, ..Preset::Quick.config() };
        assert!(tested(&config, &loaded) >= 0.98, "seed {seed}");
    }
}

/// The notebook's network, with noise on its inputs.
#[test]
fn noise_takes_128_units_further() {
    let Some(loaded) = mnist() else { return };
    let regularization = Regularization { input_noise: 0.3, ..Regularization::NONE };
    let quick = Preset::Quick.config();
    let config = TrainConfig {
        hidden: vec![128],
        epochs: 20,
        optimizer: Optimizer::ADAMW,
        learning_rate: 0.005,
        regularization,
        ..quick
    };
    assert!(tested(&config, &loaded) >= 0.983);
}

/// The first epochs of the presets for accuracy, at a schedule of their own length.
#[test]
fn the_accurate_presets_are_on_their_way() {
    let Some(loaded) = mnist() else { return };
    for (preset, hidden, floor) in
        [(Preset::Accurate, vec![500, 250, 250], 0.975), (Preset::Record, vec![512, 256], 0.978)]
    {
        let config = TrainConfig { hidden, epochs: 3, ..preset.config() };
        assert!(tested(&config, &loaded) >= floor, "{preset:?}");
    }
}
