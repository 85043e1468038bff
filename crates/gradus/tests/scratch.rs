//! The example that writes the notebook out by hand against the reference run in double precision.

use std::path::PathBuf;

use gradus::data::npz::Npz;
use gradus::data::{Inputs, LoadOptions, load};

#[path = "../examples/01_mnist_scratch.rs"]
#[allow(dead_code, unreachable_pub)]
mod scratch;

/// Epochs that are compared: the accuracy goes from 9 to 50 % in these.
const EPOCHS: usize = 5;

#[test]
fn the_example_is_the_notebook() {
    let Some(folder) = std::env::var_os("GRADUS_DATA").map(PathBuf::from) else {
        return eprintln!("skipped: GRADUS_DATA does not say where MNIST is");
    };
    let file = folder.join("reference/notebook.npz");
    if !file.exists() {
        return eprintln!("skipped: there is no {}", file.display());
    }
    let options =
        LoadOptions { data: Some("mnist".into()), download: false, ..LoadOptions::default() };
    let train = load(&options, &mut |_| {}).unwrap().train;
    let Inputs::Bytes(x) = &train.inputs else { panic!("MNIST must stay bytes") };
    let mut npz = Npz::open(&file).unwrap();
    let accuracy: Vec<f32> = npz.get("accuracy").unwrap().expect("accuracy").values.to_f32();

    let start = scratch::read_start(&file, "init_").unwrap();
    let mut seen = 0;
    scratch::train(x, train.labels(), start, EPOCHS, |epoch, correct| {
        let images = correct as f64 - f64::from(accuracy[epoch]) * 60_000.0;
        assert!(images.abs() <= 2.01, "epoch {epoch}: {images} images apart");
        seen += 1;
    });
    assert_eq!(seen, EPOCHS);
}
