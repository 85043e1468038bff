//! No flipped bit in a file that gradus wrote goes unnoticed: reading it is an error, or gives the same model.

use gradus::classifier::{Classifier, Model, Provenance};
use gradus::data::{Dataset, Inputs};
use gradus::model_file::{self, Loaded, OnnxOptions, ReadOptions, npz, onnx};
use gradus::network::{Activation, Init, Network};
use gradus::training::{Checkpoint, Session, Start, TrainConfig};
use gradus::transform::Transform;
use gradus::transform::normalize::Affine;
use serde_json::json;
use std::sync::atomic::AtomicBool;

fn classifier() -> Model {
    let mut network = Network::dense(3, &[4], &[Activation::Tanh], 2).unwrap();
    network.initialize(Init::Glorot, 7);
    let means = vec![0.1, 12.0, -3.0];
    let transform = Transform::Affine(Affine::PerFeature { means, stds: vec![1.0, 2.0, 4.0] });
    let names = vec!["dog".to_owned(), "cat".to_owned()];
    let mut classifier = Classifier::new(network, transform, vec![3], names).unwrap();
    classifier.provenance = Provenance::from_json(json!({"epochs": 3})).unwrap();
    classifier.into()
}

fn read(bytes: &[u8]) -> gradus::Result<Loaded> {
    model_file::read(bytes, &ReadOptions::default())
}

/// Flips each bit of the file in turn.
fn flip<T: PartialEq + std::fmt::Debug>(bytes: &[u8], read: impl Fn(&[u8]) -> gradus::Result<T>) {
    let whole = read(bytes).unwrap();
    let mut wrong = bytes.to_vec();
    for bit in 0..8 * bytes.len() {
        wrong[bit / 8] ^= 1 << (bit % 8);
        if let Ok(found) = read(&wrong) {
            assert_eq!(found, whole, "bit {} of byte {}", bit % 8, bit / 8);
        }
        wrong[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn in_a_model() {
    let bytes = model_file::to_bytes(&classifier()).unwrap();
    assert!(!read(&bytes).unwrap().is_unprotected);
    flip(&bytes, |bytes| read(bytes).map(|loaded| loaded.model));
}

#[test]
fn in_a_checkpoint() {
    let inputs = Inputs::Floats((0..24).map(|i| (i * 7 % 5) as f32).collect());
    let labels = (0..8).map(|i| i % 2).collect();
    let data = Dataset::new(inputs, labels, vec![3], vec!["a".into(), "b".into()]).unwrap();
    let config =
        TrainConfig { hidden: vec![4], epochs: 2, threads: Some(1), ..TrainConfig::default() };
    let mut session = Session::new(&config, &data, Start::Fresh).unwrap();
    session.epoch(&data, &AtomicBool::new(false)).unwrap();
    let bytes = session.checkpoint(&data, json!({"a": 1})).to_bytes().unwrap();
    flip(&bytes, Checkpoint::from_bytes);
}

#[test]
fn in_an_onnx_model() {
    for options in [OnnxOptions::default(), OnnxOptions { uint8_input: true }] {
        let bytes = onnx::to_bytes(&classifier(), &options).unwrap();
        assert!(!read(&bytes).unwrap().is_unprotected);
        flip(&bytes, |bytes| read(bytes).map(|loaded| loaded.model));
    }
}

#[test]
fn in_arrays() {
    let model = classifier();
    let bytes = npz::write_network(&model.network, &model.transform).unwrap();
    assert!(!read(&bytes).unwrap().is_unprotected);
    flip(&bytes, |bytes| read(bytes).map(|loaded| loaded.model));
    flip(&bytes, |bytes| npz::parse_network(bytes, "", &[Activation::Relu]));
}

/// Files of version 0.1.0 have no digest: they are read, and known as such.
#[test]
fn without_a_digest() {
    let model = classifier();
    // What version 0.1.0 did not write, renamed in place: readers ignore keys that they do not know.
    let old = |mut bytes: Vec<u8>, keys: &[&str]| {
        for key in keys {
            let at = bytes.windows(key.len()).rposition(|window| window == key.as_bytes());
            bytes[at.unwrap()] = b'x';
        }
        bytes
    };
    let onnx = onnx::to_bytes(&model, &OnnxOptions::default()).unwrap();
    let own = model_file::to_bytes(&model).unwrap();
    let npz = npz::write_network(&model.network, &model.transform).unwrap();
    for (name, bytes) in [
        ("onnx", old(onnx.clone(), &["sha256", "inputs"])),
        ("model", old(own, &["sha256", "inputs"])),
        ("npz", old(npz, &["gradus sha256"])),
    ] {
        let loaded = read(&bytes).unwrap();
        assert!(loaded.is_unprotected, "{name}");
        assert_eq!(loaded.model.network.parameters(), model.network.parameters(), "{name}");
    }
    let error = read(&old(onnx, &["sha256"])).unwrap_err().to_string();
    assert!(error.contains("no 'sha256'"), "{error}");
}
