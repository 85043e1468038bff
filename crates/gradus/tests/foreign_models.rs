//! Models of other programs: weights of PyTorch, Keras and NumPy, and ONNX. bindings/python/tests has more of
//! it, against the programs themselves.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::golden::Golden;
use gradus::classifier::Classifier;
use gradus::data::Inputs;
use gradus::error::ErrorKind;
use gradus::model_file::{self, Loaded, ReadOptions};
use gradus::network::{Activation, Workers};
use gradus::transform::Transform;
use gradus::transform::normalize::Affine;
use ndarray::{Array1, Array2};
use ndarray_npy::NpzWriter;
use proptest::prelude::*;
use safetensors::tensor::{Dtype, TensorView};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn read(bytes: &[u8]) -> gradus::Result<Loaded> {
    model_file::read(bytes, &ReadOptions::default())
}

#[track_caller]
fn refused(bytes: &[u8], words: &str) {
    let error = read(bytes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
    assert!(error.to_string().contains(words), "{error}");
}

fn probabilities(model: &Classifier, inputs: Vec<f32>) -> Vec<f32> {
    model.predict(&Inputs::Floats(inputs), &Workers::new(1).unwrap()).unwrap().probabilities
}

#[track_caller]
fn close(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 2e-6, "off by {worst}");
}

/// A layer as PyTorch keeps it, `[outputs x inputs]`: name, outputs, inputs.
type Module = (&'static str, usize, usize);

/// The file of these layers, their values 0.01, 0.02, ... from the first.
fn pytorch(modules: &[Module], more: &[(&str, Dtype, Vec<usize>)]) -> Vec<u8> {
    let mut next = 0.0f32;
    let mut tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
    let mut values = |count: usize| -> Vec<u8> {
        (0..count)
            .flat_map(|_| {
                next += 0.01;
                next.to_le_bytes()
            })
            .collect()
    };
    for &(name, outputs, inputs) in modules {
        let weight = values(outputs * inputs);
        tensors.push((format!("{name}.weight"), Dtype::F32, vec![outputs, inputs], weight));
        tensors.push((format!("{name}.bias"), Dtype::F32, vec![outputs], values(outputs)));
    }
    for (name, dtype, shape) in more {
        let bytes = shape.iter().product::<usize>() * dtype.bitsize() / 8;
        tensors.push(((*name).into(), *dtype, shape.clone(), vec![0; bytes]));
    }
    let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
        (name.as_str(), TensorView::new(*dtype, shape.clone(), bytes).unwrap())
    });
    safetensors::serialize(views.collect::<Vec<_>>(), None).unwrap()
}

#[test]
fn weights_of_pytorch_become_a_network() {
    let bytes = pytorch(&[("0", 2, 3), ("2", 4, 2)], &[]);
    let Loaded { model, warnings, .. } = read(&bytes).unwrap();
    let classifier = model.into_classifier().unwrap();
    assert!(warnings[0].contains("relu is assumed"), "{warnings:?}");
    assert!(warnings[1].contains("`normalize`"), "{warnings:?}");
    let network = &classifier.network;
    assert_eq!((network.inputs(), network.outputs()), (3, 4));
    assert_eq!(network.activation_after(0), Activation::Relu);
    // [[.01 .02 .03], [.04 .05 .06]] by columns.
    let hundredths =
        |values: &[f32]| values.iter().map(|x| (100.0 * x).round()).collect::<Vec<_>>();
    assert_eq!(hundredths(network.weight(0)), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    assert_eq!(hundredths(network.bias(0)), [7.0, 8.0]);
    assert_eq!(classifier.class_names(), ["0", "1", "2", "3"]);

    let options = ReadOptions {
        activations: vec![Activation::Tanh],
        transform: Some(Transform::scalar(1.0, 4.0)),
        class_names: ["a", "b", "c", "d"].map(String::from).to_vec(),
    };
    let chosen = model_file::read(&bytes, &options).unwrap();
    assert!(chosen.warnings.is_empty());
    assert_eq!(chosen.model.network.activation_after(0), Activation::Tanh);
    assert_eq!(chosen.model.transform, Transform::scalar(1.0, 4.0));
    assert_eq!(chosen.model.names(), ["a", "b", "c", "d"]);
}

#[test]
fn layers_of_pytorch_are_put_in_order() {
    let order = |modules: &[Module]| -> Vec<usize> {
        let loaded = read(&pytorch(modules, &[])).unwrap();
        let linears = loaded.model.network.linears();
        linears.iter().map(|linear| linear.inputs).collect()
    };
    // fc10 comes after fc2; sizes decide where names do not.
    assert_eq!(order(&[("fc1", 4, 5), ("fc10", 2, 3), ("fc2", 3, 4)]), [5, 4, 3]);
    assert_eq!(order(&[("net.hidden", 4, 4), ("net.inputs", 4, 7), ("net.out", 2, 4)]), [7, 4, 4]);
    refused(&pytorch(&[("a", 4, 4), ("b", 4, 4), ("c", 2, 4)], &[]), "order of its layers");
    refused(&pytorch(&[("0", 4, 5), ("2", 3, 9)], &[]), "9 inputs follows one of 4");
}

#[test]
fn what_is_no_dense_network_of_pytorch_is_refused() {
    let layers = [("0", 2, 3), ("3", 4, 2)];
    let more = |name, dtype, shape: &[usize]| pytorch(&layers, &[(name, dtype, shape.to_vec())]);
    refused(&more("1.running_mean", Dtype::F32, &[2]), "belongs to no dense layer");
    refused(&more("4.weight", Dtype::I64, &[5, 4]), "model.float()");
    refused(&more("conv.weight", Dtype::F32, &[2, 1, 3, 3]), "belongs to no dense layer");
    refused(&more("5.bias", Dtype::F32, &[4]), "no weight");
    let options = ReadOptions { activations: vec![Activation::Tanh; 2], ..ReadOptions::default() };
    let error = model_file::read(&pytorch(&layers, &[]), &options).unwrap_err();
    assert!(error.to_string().contains("2 activations for 1 hidden layers"), "{error}");
    refused(&pytorch(&[], &[]), "no linear layer");
}

#[test]
fn a_single_output_is_a_value() {
    let loaded = read(&pytorch(&[("0", 2, 3), ("2", 1, 2)], &[])).unwrap();
    let regressor = loaded.model.into_regressor().unwrap();
    assert_eq!(regressor.output_names(), ["value"]);
    let values = regressor.predict(&Inputs::Floats(vec![1.0; 3]), &Workers::new(1).unwrap());
    // relu(.01 + .02 + .03 + .07) .09 + relu(.04 + .05 + .06 + .08) .1 + .11
    assert!((values.unwrap().values[0] - (0.13 * 0.09 + 0.23 * 0.1 + 0.11)).abs() < 1e-6);
}

fn npz(arrays: &[(&str, &[usize])]) -> Vec<u8> {
    let mut writer = NpzWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, shape) in arrays {
        let count = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|i| (i as f32).sin()).collect();
        match shape[..] {
            [n] => writer.add_array(*name, &Array1::from_shape_vec(n, values).unwrap()),
            [n, m] => writer.add_array(*name, &Array2::from_shape_vec((n, m), values).unwrap()),
            _ => unreachable!(),
        }
        .unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn arrays_become_a_network() {
    // As numpy.savez(file, *model.get_weights()) names them; the first layer has no bias.
    let bytes = npz(&[("arr_0", &[64, 4]), ("arr_1", &[4, 3]), ("arr_2", &[3])]);
    let Loaded { model, warnings, .. } = read(&bytes).unwrap();
    let classifier = model.into_classifier().unwrap();
    assert_eq!(warnings.len(), 2);
    assert_eq!(classifier.network.bias(0), [0.0; 4]);
    assert_eq!(classifier.network.bias(1)[1], 1f32.sin());
    assert_eq!(classifier.sample_shape, [8, 8]);
    refused(&npz(&[("arr_0", &[4, 3]), ("arr_1", &[3]), ("arr_2", &[3])]), "arr_2");
    refused(&npz(&[("arr_0", &[4, 3]), ("arr_1", &[2, 3])]), "arr_1 has 2 rows, expected 3");
    refused(&npz(&[("x_train", &[4, 3])]), "expected the arrays w1");
    refused(&npz(&[("init_w1", &[4, 3]), ("init_b1", &[3])]), "expected the arrays w1");
}

#[test]
fn exported_arrays_come_back_with_their_normalization() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let mut model = model_file::load(&golden("keras.keras")).unwrap();
    let stds = (1..13).map(|i| i as f32 / 3.0).collect();
    let own = Transform::Affine(Affine::PerFeature { means: vec![0.5; 12], stds });
    for transform in [Transform::scalar(3.5, 78.567_5), own] {
        model.transform = transform.clone();
        model_file::export(&model, &path).unwrap();
        let loaded = model_file::load_as(&path, &ReadOptions::default()).unwrap();
        assert_eq!(loaded.model.transform, transform);
        assert_eq!(loaded.model.network.parameters(), model.network.parameters());
        assert_eq!(loaded.warnings.len(), 1);
    }
}

#[test]
fn keras_predicts_the_same() {
    let arrays = Golden::open("keras.npz");
    let model = model_file::load_as(&golden("keras.keras"), &ReadOptions::default()).unwrap();
    assert!(model.warnings.is_empty());
    let model = model.model.into_classifier().unwrap();
    assert_eq!(model.sample_shape, [4, 3]);
    assert_eq!(model.transform, Transform::scalar(127.5, 127.5));
    assert_eq!(model.network.activation_after(1), Activation::Gelu);
    close(&probabilities(&model, arrays.floats("inputs")), &arrays.floats("probabilities"));

    let options = ReadOptions {
        activations: vec![Activation::Tanh],
        transform: Some(Transform::scalar(0.0, 255.0)),
        ..ReadOptions::default()
    };
    let bare = model_file::load_as(&golden("keras.weights.h5"), &options);
    let bare = bare.unwrap().model.into_classifier().unwrap();
    assert_eq!(bare.network.linears().len(), 11);
    close(&probabilities(&bare, arrays.floats("inputs")), &arrays.floats("probabilities_weights"));
}

#[test]
fn onnx_of_others_predicts_the_same() {
    let arrays = Golden::open("foreign.npz");
    let model = model_file::load_as(&golden("foreign.onnx"), &ReadOptions::default()).unwrap();
    assert!(model.warnings.is_empty());
    let model = model.model.into_classifier().unwrap();
    assert_eq!(model.sample_shape, [2, 4, 3]);
    let sizes: Vec<usize> = model.network.linears().iter().map(|it| it.inputs).collect();
    assert_eq!(sizes, [24, 12, 8]);
    assert_eq!(model.network.activation_after(0), Activation::LEAKY_RELU);
    assert_eq!(model.network.activation_after(1), Activation::Gelu);
    close(&probabilities(&model, arrays.floats("inputs")), &arrays.floats("probabilities"));
    // A normalization of the user's goes before that of the file.
    let halved = Transform::scalar(0.0, 0.5);
    let options = ReadOptions { transform: Some(halved), ..ReadOptions::default() };
    let doubling = model_file::load_as(&golden("foreign.onnx"), &options);
    let doubling = doubling.unwrap().model.into_classifier().unwrap();
    let halves = arrays.floats("inputs").into_iter().map(|value| value / 2.0).collect();
    close(&probabilities(&doubling, halves), &arrays.floats("probabilities"));
}

#[test]
fn strangers_are_told_what_would_be_read() {
    refused(b"", "the file is empty");
    refused(b"<!DOCTYPE html>", "HTML page");
    refused(b"hello, I am a text", ".keras");
    refused(b"\x89HDF\r\n\x1a\n...", "damaged");
    refused(b"PK\x03\x04", "zip");
}

fn mutated(bytes: &[u8], changes: &[(prop::sample::Index, u8)]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (at, value) in changes {
        let at = at.index(bytes.len());
        bytes[at] = *value;
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1500,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn mutated_files_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        cut in any::<prop::sample::Index>(),
    ) {
        let h5 = fs::read(golden("keras.weights.h5")).unwrap();
        let onnx = fs::read(golden("foreign.onnx")).unwrap();
        for bytes in [&h5, &onnx, &npz(&[("arr_0", &[3, 4]), ("arr_1", &[4])]),
            &pytorch(&[("0", 2, 3), ("2", 4, 2)], &[])]
        {
            let _ = read(&mutated(bytes, &changes));
            let _ = read(&bytes[..cut.index(bytes.len())]);
        }
        // Where the structure is: the front of the file, and single changes.
        let _ = read(&[&mutated(&h5[..4096], &changes), &h5[4096..]].concat());
        let _ = read(&mutated(&onnx, &changes[..1]));
    }
}
