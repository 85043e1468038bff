//! Models to ONNX and back: what gradus writes it reads, with the same predictions.

use std::fs;
use std::path::Path;

use gradus::classifier::{Classifier, Model, Provenance, Regressor};
use gradus::data::Inputs;
use gradus::error::ErrorKind;
use gradus::model_file::{self, OnnxOptions, ReadOptions, onnx};
use gradus::network::{Activation, Init, Layer, Linear, Network, Workers};
use gradus::transform::Transform;
use gradus::transform::normalize::Affine;
use proptest::prelude::*;
use serde_json::json;

fn classifier(hidden: &[usize], activation: Activation, transform: Transform) -> Classifier {
    let mut network = Network::dense(6, hidden, &[activation], 3).unwrap();
    network.initialize(Init::Glorot, 7);
    for index in 0..network.linears().len() {
        network.bias_mut(index).iter_mut().enumerate().for_each(|(i, b)| *b = 0.1 / (i + 3) as f32);
    }
    let names = ["T-shirt/top", "ゆ \"quoted\"", "\u{1F642}\n"].map(String::from).to_vec();
    let mut classifier = Classifier::new(network, transform, vec![2, 3], names).unwrap();
    classifier.provenance =
        Provenance::from_json(json!({"epochs": 3, "learning_rate": 0.004f32})).unwrap();
    classifier
}

fn transforms() -> [Transform; 6] {
    let means = vec![0.1, 0.0, 1e-40, f32::MAX, 1.0 / 3.0, 16_777_217.0];
    let stds = vec![1.0, 0.3, f32::MIN_POSITIVE, 7.1, 1e30, 2.0 / 3.0];
    [
        Transform::IDENTITY,
        Transform::scalar(0.0, 255.0),
        Transform::scalar(33.318_42, 78.567_5),
        Transform::Affine(Affine::PerFeature { means: vec![0.0; 6], stds: vec![1.0; 6] }),
        Transform::Affine(Affine::PerFeature { means: means.clone(), stds: stds.clone() }),
        Transform::Robust(Affine::PerFeature { means, stds }),
    ]
}

fn read_model(bytes: &[u8]) -> gradus::Result<Model> {
    let loaded = model_file::read(bytes, &ReadOptions::default())?;
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    Ok(loaded.model)
}

fn read(bytes: &[u8]) -> gradus::Result<Classifier> {
    read_model(bytes)?.into_classifier()
}

/// Each, and one with a constant of its own.
fn activations() -> impl Iterator<Item = Activation> {
    Activation::ALL.into_iter().chain([Activation::LeakyRelu { slope: 0.3 }])
}

#[test]
fn every_kind_of_model_comes_back_whole() {
    for activation in activations() {
        for hidden in [&[][..], &[4], &[5, 4, 2]] {
            for transform in transforms() {
                for uint8_input in [false, true] {
                    let saved = classifier(hidden, activation, transform.clone());
                    let options = OnnxOptions { uint8_input };
                    let bytes = onnx::to_bytes(&saved, &options).unwrap();
                    let found = read(&bytes).unwrap();
                    assert_eq!(found, saved, "{activation:?} {hidden:?}");
                    assert_eq!(onnx::to_bytes(&found, &options).unwrap(), bytes);
                }
            }
        }
    }
}

#[test]
fn layers_of_all_kinds_predict_the_same() {
    let linear = |inputs, outputs| Layer::Linear(Linear::new(inputs, outputs));
    let mut layers = vec![linear(6, 4), Layer::Activation(Activation::Identity), linear(4, 5)];
    for activation in activations() {
        layers.extend([linear(5, 5), Layer::Activation(activation)]);
    }
    layers.push(linear(5, 3));
    let mut saved = classifier(&[], Activation::Relu, Transform::IDENTITY);
    saved.network = Network::from_layers(layers).unwrap();
    saved.network.initialize(Init::He, 1);
    let found = read(&onnx::to_bytes(&saved, &OnnxOptions::default()).unwrap()).unwrap();
    let inputs = Inputs::Floats((0..600).map(|i| (i as f32).sin()).collect());
    let predict = |model: &Classifier| model.predict(&inputs, &Workers::new(1).unwrap()).unwrap();
    assert_eq!(predict(&found), predict(&saved));
}

#[test]
fn regressors_come_back_whole() {
    for outputs in 1..4 {
        let mut network =
            Network::dense(6, &[4, 3], &[Activation::Gelu, Activation::Tanh], outputs).unwrap();
        network.initialize(Init::Glorot, 7);
        let names = (0..outputs).map(|output| format!("height {output}")).collect();
        let transform = transforms()[2].clone();
        let saved = Model::from(Regressor::new(network, transform, vec![6], names).unwrap());
        let bytes = onnx::to_bytes(&saved, &OnnxOptions::default()).unwrap();
        assert_eq!(read_model(&bytes).unwrap(), saved);
    }
}

#[test]
fn names_decide_and_only_own_files_are_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.onnx");
    let model = classifier(&[4], Activation::Gelu, Transform::IDENTITY);
    for _ in 0..2 {
        model_file::check_replaceable(&path).unwrap();
        model_file::export(&model, &path).unwrap();
        assert_eq!(model_file::load(&path).unwrap(), model);
    }
    // Any name will do for reading.
    let renamed = folder.path().join("m.bin");
    fs::rename(&path, &renamed).unwrap();
    assert_eq!(model_file::load(&renamed).unwrap(), model);
    let mut other = fs::read(&renamed).unwrap();
    other[5] = b'G';
    fs::write(&path, other).unwrap();
    let message = model_file::check_replaceable(&path).unwrap_err().to_string();
    assert!(message.contains("lost"), "{message}");
    let error = model_file::export_onnx(&model, Path::new("m.npz"), &OnnxOptions::default());
    assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidArgument);
    let mut broken = model;
    broken.network.parameters_mut()[0] = f32::NAN;
    let error = onnx::to_bytes(&broken, &OnnxOptions::default()).unwrap_err();
    assert!(error.to_string().contains("cannot be exported"), "{error}");
}

#[test]
fn options_that_contradict_the_file_are_refused() {
    let model = classifier(&[4], Activation::Tanh, Transform::IDENTITY);
    let onnx = onnx::to_bytes(&model, &OnnxOptions::default()).unwrap();
    let own = model_file::to_bytes(&model).unwrap();
    for bytes in [onnx, own] {
        for options in [
            ReadOptions { activations: vec![Activation::Tanh], ..ReadOptions::default() },
            ReadOptions { transform: Some(Transform::IDENTITY), ..ReadOptions::default() },
        ] {
            let error = model_file::read(&bytes, &options).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
        }
    }
}

#[test]
fn damage_is_an_error() {
    let model = classifier(&[4], Activation::Gelu, transforms()[2].clone());
    let whole = onnx::to_bytes(&model, &OnnxOptions::default()).unwrap();
    for length in 0..whole.len() {
        if let Ok(found) = read(&whole[..length]) {
            // Cut between two of the metadata, which stand at the end.
            panic!("{length} of {} bytes gave {found:?}", whole.len());
        }
    }
    let cut = read(&whole[..whole.len() / 2]).unwrap_err().to_string();
    assert!(cut.contains("cannot be read as one"), "{cut}");
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn mutated_files_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
        shorten in any::<bool>(),
    ) {
        let model = classifier(&[4], Activation::Gelu, transforms()[4].clone());
        let mut bytes = onnx::to_bytes(&model, &OnnxOptions { uint8_input: true }).unwrap();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if shorten {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(loaded) = model_file::read(&bytes, &ReadOptions::default()) {
            let options = OnnxOptions::default();
            if let Ok(saved) = onnx::to_bytes(&loaded.model, &options) {
                let again = read_model(&saved).unwrap();
                prop_assert_eq!(again.network, loaded.model.network);
            }
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let options = ReadOptions::default();
        let _ = model_file::read(&bytes, &options);
        for front in [&b"\x08\x08"[..], b"\x08\x08\x3a\x7f", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"] {
            let _ = model_file::read(&[front, &bytes].concat(), &options);
        }
    }
}
