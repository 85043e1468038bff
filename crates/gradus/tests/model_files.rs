//! Model files as their users meet them: written, read back, refused.

use std::fs;
use std::path::Path;

use gradus::classifier::{Classifier, InputKind, Provenance, ValueRange};
use gradus::data::{Dataset, Inputs};
use gradus::error::ErrorKind;
use gradus::model_file::{self, from_bytes, npz, to_bytes};
use gradus::network::{Activation, Init, Layer, Linear, Network, Workers};
use gradus::transform::Transform;
use gradus::transform::normalize::Affine;
use proptest::prelude::*;
use serde_json::json;

/// A classifier with weights that are no round numbers, and biases that are not 0.
fn classifier(hidden: &[usize], activation: Activation, transform: Transform) -> Classifier {
    let mut network = Network::dense(6, hidden, &[activation], 3).unwrap();
    network.initialize(Init::Glorot, 7);
    for index in 0..network.linears().len() {
        network.bias_mut(index).iter_mut().enumerate().for_each(|(i, b)| *b = 0.1 / (i + 3) as f32);
    }
    let names = ["T-shirt/top", "ゆ \"quoted\"", "\u{1F642}\n"].map(String::from).to_vec();
    let mut classifier = Classifier::new(network, transform, vec![2, 3], names).unwrap();
    classifier.provenance = Provenance::from_json(
        json!({"epochs": 3, "learning_rate": 0.004f32, "schedule": "one_cycle"}),
    )
    .unwrap();
    classifier
}

fn standard() -> Transform {
    Transform::scalar(33.318_42, 78.567_5)
}

fn per_feature() -> Transform {
    let means = vec![0.1, -0.0, 1e-40, f32::MAX, 1.0 / 3.0, 16_777_217.0];
    let stds = vec![1.0, 0.3, f32::MIN_POSITIVE, 7.1, 1e30, 2.0 / 3.0];
    Transform::Affine(Affine::PerFeature { means, stds })
}

/// The bits of every number, because -0.0 equals 0.0.
fn bits(classifier: &Classifier) -> Vec<u32> {
    let (means, stds) = classifier.transform.means_and_stds();
    [classifier.network.parameters(), means, stds].concat().iter().map(|x| x.to_bits()).collect()
}

/// Each, and one with a constant of its own.
fn activations() -> impl Iterator<Item = Activation> {
    Activation::ALL.into_iter().chain([Activation::LeakyRelu { slope: 0.3 }])
}

#[test]
fn every_kind_of_model_comes_back_with_the_same_bits() {
    for activation in activations() {
        for hidden in [&[][..], &[4], &[5, 4, 2]] {
            for transform in
                [Transform::IDENTITY, standard(), per_feature(), per_feature().clipped(6)]
            {
                let saved = classifier(hidden, activation, transform);
                let bytes = to_bytes(&saved).unwrap();
                let read = from_bytes(&bytes).unwrap();
                assert_eq!(read, saved);
                assert_eq!(bits(&read), bits(&saved));
                assert_eq!(to_bytes(&read).unwrap(), bytes, "{activation:?} {hidden:?}");
            }
        }
    }
}

#[test]
fn layers_keep_their_places() {
    let layers = vec![
        Layer::Linear(Linear::new(6, 4)),
        Layer::Activation(Activation::Identity),
        Layer::Linear(Linear::new(4, 5)),
        Layer::Linear(Linear::new(5, 2)),
        Layer::Activation(Activation::Gelu),
        Layer::Linear(Linear::new(2, 3)),
    ];
    let mut saved = classifier(&[], Activation::Relu, standard());
    saved.network = Network::from_layers(layers).unwrap();
    saved.network.initialize(Init::He, 1);
    let bytes = to_bytes(&saved).unwrap();
    assert_eq!(from_bytes(&bytes).unwrap(), saved);
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut names = file.names();
    names.sort();
    let expected =
        ["0.bias", "0.weight", "2.bias", "2.weight", "3.bias", "3.weight", "5.bias", "5.weight"];
    assert_eq!(names, expected);
    let weight = file.tensor("2.weight").unwrap();
    assert_eq!(weight.shape(), [5, 4]);
    // Row 1, column 2 of the file is the weight from unit 2 to unit 1.
    assert_eq!(weight.data()[4 * 6..4 * 7], saved.network.weight(1)[2 * 5 + 1].to_le_bytes());
}

#[test]
fn files_are_replaced_only_by_models() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let first = classifier(&[4], Activation::Relu, standard());
    let second = classifier(&[], Activation::Relu, per_feature());
    model_file::check_replaceable(&path).unwrap();
    model_file::save(&first, &path).unwrap();
    model_file::check_replaceable(&path).unwrap();
    model_file::save(&second, &path).unwrap();
    assert_eq!(model_file::load(&path).unwrap(), second);

    for content in ["", "thesis", "\x10\0\0\0\0\0\0\0{\"x\": {}}"] {
        fs::write(&path, content).unwrap();
        let message = model_file::check_replaceable(&path).unwrap_err().to_string();
        assert!(message.contains("model.safetensors") && message.contains("lost"), "{message}");
    }
    // Arrays that were exported may be exported anew; a NumPy script's own may not.
    let arrays = folder.path().join("arrays.npz");
    for model in [&first, &second] {
        model_file::export(model, &arrays).unwrap();
        model_file::check_replaceable(&arrays).unwrap();
    }
    let mut own = ndarray_npy::NpzWriter::new(fs::File::create(&arrays).unwrap());
    for name in ["w1", "b1", "w2", "b2"] {
        own.add_array(name, &ndarray::arr2(&[[1.0_f32]])).unwrap();
    }
    own.finish().unwrap();
    assert!(model_file::check_replaceable(&arrays).is_err());
    assert!(model_file::check_replaceable(folder.path()).is_err());
    model_file::check_replaceable(&folder.path().join("none.safetensors")).unwrap();
}

#[test]
fn names_decide_what_is_written() {
    let model = classifier(&[4], Activation::Relu, standard());
    for name in ["model", "model.h5", "model.pt", ""] {
        let error = model_file::save(&model, Path::new(name)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().contains(".safetensors"), "{error}");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("Model.SafeTensors");
    model_file::save(&model, &path).unwrap();
    assert_eq!(model_file::load(&path).unwrap(), model);
}

#[test]
fn models_that_could_not_be_read_back_are_not_written() {
    let model = || classifier(&[4], Activation::Relu, standard());
    let refused = |change: fn(&mut Classifier), words: &str| {
        let mut model = model();
        change(&mut model);
        let error = to_bytes(&model).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().contains(words), "{error}");
    };
    refused(|m| m.network.parameters_mut()[5] = f32::NAN, "parameter 5 is NaN");
    refused(|m| m.network.bias_mut(1)[0] = f32::INFINITY, "is inf");
    refused(|m| m.transform = Transform::scalar(0.0, 0.0), "not 0");
    refused(|m| m.transform = Transform::scalar(f32::NAN, 1.0), "mean NaN");
    let short = |m: &mut Classifier| {
        m.transform =
            Transform::Affine(Affine::PerFeature { means: vec![0.0; 5], stds: vec![1.0; 6] });
    };
    refused(short, "does not fit 6 inputs");
    refused(|m| drop(m.outputs.names.pop()), "2 class names");
    refused(|m| m.sample_shape = vec![usize::MAX, 3], "do not fit 6 inputs");
}

#[test]
fn exports_choose_their_form_by_name() {
    let model = classifier(&[4], Activation::Relu, per_feature());
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    model_file::export(&model, &path("a.safetensors")).unwrap();
    assert_eq!(model_file::load(&path("a.safetensors")).unwrap(), model);
    model_file::export(&model, &path("a.npz")).unwrap();
    let read = npz::read_network(&path("a.npz"), "", &[Activation::Relu]).unwrap();
    assert_eq!(read, model.network);
    let loaded = model_file::load(&path("a.npz")).unwrap();
    assert_eq!((&loaded.network, &loaded.transform), (&model.network, &model.transform));
    model_file::export(&model, &path("a.onnx")).unwrap();
    assert_eq!(model_file::load(&path("a.onnx")).unwrap(), model);
    let message = model_file::export(&model, &path("a.html")).unwrap_err().to_string();
    assert!(message.contains(".safetensors, .onnx, .npz or .c"), "{message}");
    let mut broken = model;
    broken.network.parameters_mut()[0] = f32::NAN;
    assert!(model_file::export(&broken, &path("b.npz")).is_err());
}

/// The header of such a file begins with the bytes of a pickle.
#[test]
fn a_length_of_the_header_is_no_sign_of_another_format() {
    let mut model = classifier(&[4], Activation::Relu, per_feature());
    let bytes = (65_000..66_400).find_map(|length| {
        model.outputs.names[0] = "n".repeat(length);
        let bytes = model_file::to_bytes(&model).unwrap();
        bytes.starts_with(&[0x80, 2]).then_some(bytes)
    });
    let read =
        model_file::read(&bytes.unwrap(), &model_file::ReadOptions::default()).unwrap().model;
    assert_eq!(read, model.into_model());
}

/// The notebook's own arrays, where `GRADUS_DATA` says that they are at hand.
#[test]
fn the_notebook_is_read() {
    let Some(data) = std::env::var_os("GRADUS_DATA") else {
        return eprintln!("skipped: GRADUS_DATA does not say where the notebook's arrays are");
    };
    let path = Path::new(&data).join("reference/notebook.npz");
    let start = npz::read_network(&path, "", &[Activation::Relu]).unwrap();
    let end = npz::read_network(&path, "final_", &[Activation::Relu]).unwrap();
    for network in [&start, &end] {
        assert_eq!((network.inputs(), network.outputs()), (784, 10));
        assert_eq!(network.bias(0).len(), 128);
    }
    assert!(start.bias(0).iter().all(|&bias| bias == 0.0));
    assert!(end.bias(0).iter().all(|&bias| bias != 0.0));
}

/// PyTorch predicts the same, where `GRADUS_PYTHON` names a Python that has it.
#[test]
fn pytorch_predicts_the_same() {
    let Some(python) = std::env::var_os("GRADUS_PYTHON") else {
        return eprintln!("skipped: GRADUS_PYTHON does not name a Python with torch");
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/check_pytorch_load.py");
    let folder = tempfile::tempdir().unwrap();
    let (model, predictions) = (folder.path().join("m.safetensors"), folder.path().join("p.npz"));
    let each_its_own = Transform::Affine(Affine::PerFeature {
        means: vec![1.0, 50.0, 99.5, 3.0, 120.0, 0.1],
        stds: vec![7.0, 80.0, 99.0, 30.0, 111.0, 60.0],
    });
    for activation in activations() {
        for (hidden, transform) in [
            (&[16, 5][..], standard()),
            (&[], Transform::scalar(0.0, 255.0)),
            (&[40], each_its_own.clone()),
        ] {
            let saved = classifier(hidden, activation, transform);
            model_file::save(&saved, &model).unwrap();
            let inputs: Vec<u8> = (0..600u32).map(|i| (i * i * 31 % 256) as u8).collect();
            let found =
                saved.predict(&Inputs::Bytes(inputs.clone()), &Workers::new(1).unwrap()).unwrap();
            let mut arrays = ndarray_npy::NpzWriter::new(fs::File::create(&predictions).unwrap());
            let inputs = ndarray::Array2::from_shape_vec((100, 6), inputs).unwrap();
            arrays.add_array("inputs", &inputs).unwrap();
            let rows = ndarray::Array2::from_shape_vec((100, 3), found.probabilities).unwrap();
            arrays.add_array("probabilities", &rows).unwrap();
            arrays.finish().unwrap();
            let mut command = std::process::Command::new(&python);
            let output = command.arg(&script).args([&model, &predictions]).output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
            eprint!("{activation:?} {hidden:?}: {text}");
        }
    }
}

/// A model file with another header: `change` gets it as JSON.
/// It has neither the digest nor the other keys that 0.1.0 did not write.
fn with_header(change: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
    let bytes = to_bytes(&classifier(&[4], Activation::Relu, standard())).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let metadata = header["__metadata__"].as_object_mut().unwrap();
    metadata.remove("sha256").unwrap();
    metadata.remove("inputs").unwrap();
    change(&mut header);
    let header = header.to_string().into_bytes();
    [&(header.len() as u64).to_le_bytes()[..], &header, &bytes[8 + length..]].concat()
}

/// A model file with another value for one key of its metadata.
fn with_metadata(key: &str, value: &str) -> Vec<u8> {
    with_header(|header| header["__metadata__"][key] = value.into())
}

#[track_caller]
fn refused(bytes: &[u8], words: &str) {
    let error = from_bytes(bytes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
    assert!(error.to_string().contains(words), "{error}");
}

#[test]
fn strangers_are_named() {
    refused(b"", "empty");
    refused(b"PK\x03\x04....", "zip archive");
    refused(b"\x80\x02}q\x00.....", "pickle");
    refused(b"<!DOCTYPE html>", "HTML page");
    refused(b"\x89HDF\r\n\x1a\n...", "HDF5");
    refused(b"hello, I am a text", "plain text");
    refused(&[0xff; 64], "of an unknown kind");
    let bare = with_header(|header| drop(header.as_object_mut().unwrap().remove("__metadata__")));
    refused(&bare, "not a gradus model");
    // Either key makes it a model of gradus, so that no flipped bit makes it one of another program.
    let foreign = with_header(|header| {
        header["__metadata__"]["format"] = "pt".into();
        header["__metadata__"].as_object_mut().unwrap().remove("gradus_version");
    });
    refused(&foreign, "not a gradus model");
    let folder = tempfile::tempdir().unwrap();
    assert!(model_file::load(folder.path()).unwrap_err().to_string().contains("folder"));
    let missing = folder.path().join("none.safetensors");
    assert_eq!(model_file::load(&missing).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn newer_files_are_named_before_they_are_understood() {
    let newer = with_header(|header| {
        header["__metadata__"] = json!({"format": "gradus", "gradus_version": "8"});
    });
    refused(&newer, "format 8, this program reads 7; update gradus");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("newer.safetensors");
    fs::write(&path, &newer).unwrap();
    model_file::check_replaceable(&path).unwrap();
    let message = model_file::load(&path).unwrap_err().to_string();
    assert!(message.contains("newer.safetensors: written by a newer gradus"), "{message}");
    refused(&with_metadata("gradus_version", "one"), "'one'");
    refused(&with_metadata("gradus_version", "0"), "expected 1 to 7");
    refused(&with_metadata("output_names", "[\"a\"]"), "both 'class_names' and 'output_names'");
}

#[test]
fn every_flipped_bit_is_noticed() {
    let whole = to_bytes(&classifier(&[4], Activation::Relu, standard())).unwrap();
    let header = 8 + u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    for at in 0..whole.len() {
        // Every bit of the header, and one of each byte of the tensors.
        for bit in if at < header { 0..8 } else { at % 8..at % 8 + 1 } {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << bit;
            assert!(from_bytes(&flipped).is_err(), "bit {bit} of byte {at}");
        }
    }
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    refused(&flipped, "its SHA-256 does not match its content");
    // A file of 0.1.0 has no digest and is read; one that lost it is not.
    assert!(from_bytes(&with_header(|_| {})).is_ok());
    let lost = with_metadata("inputs", "{\"values\":\"bytes\"}");
    refused(&lost, "no 'sha256'");
}

#[test]
fn what_the_raw_values_are_comes_back() {
    let mut saved = classifier(&[4], Activation::Relu, Transform::IDENTITY);
    assert_eq!(saved.inputs.values, ValueRange::Unknown);
    for values in [ValueRange::Bytes, ValueRange::Unit, ValueRange::Floats, ValueRange::Unknown] {
        for mnist_form in [None, Some(true), Some(false)] {
            saved.inputs = InputKind { values, mnist_form };
            assert_eq!(from_bytes(&to_bytes(&saved).unwrap()).unwrap().inputs, saved.inputs);
        }
    }
    // What 0.1.0 wrote, and what its transforms tell.
    let old = |training: &str| from_bytes(&with_metadata("training", training)).unwrap().inputs;
    let bytes = InputKind { values: ValueRange::Bytes, mnist_form: Some(true) };
    assert_eq!(old(r#"{"inputs":{"values":"bytes","mnist_form":true}}"#), bytes);
    let floats = InputKind { values: ValueRange::Floats, mnist_form: Some(false) };
    assert_eq!(old(r#"{"inputs":{"values":"float32","mnist_form":false}}"#), floats);
    assert_eq!(old("null"), InputKind { values: ValueRange::Bytes, mnist_form: None });
}

#[test]
fn predictions_that_are_not_finite_are_errors() {
    let mut model = classifier(&[], Activation::Relu, Transform::IDENTITY);
    model.network.parameters_mut().fill(3e38);
    let workers = Workers::new(1).unwrap();
    let sample = Inputs::Floats(vec![3e38; 6]);
    let error = model.predict(&sample, &workers).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert!(error.to_string().contains("the prediction for sample 0 is NaN"), "{error}");
    assert!(model.predictor(false).unwrap().predict(sample.rows()).is_err());
    let data = Dataset::new(sample, vec![0], vec![2, 3], model.class_names().to_vec()).unwrap();
    assert!(model.evaluate(&data, &workers).is_err());
}

#[test]
fn damage_is_named() {
    let whole = to_bytes(&classifier(&[4], Activation::Relu, standard())).unwrap();
    for length in 1..whole.len() {
        assert!(from_bytes(&whole[..length]).is_err(), "{length}");
    }
    refused(&whole[..100], "truncated");
    refused(&whole[..whole.len() - 1], "bytes of weights");
    refused(&[&whole[..], b"\0"].concat(), "bytes of weights");
    let tensor = |name: &str, key: &str, value: serde_json::Value| {
        with_header(|header| header[name][key] = value)
    };
    refused(&tensor("0.bias", "data_offsets", json!([0, 16])), "offset");
    refused(&tensor("0.bias", "dtype", json!("I32")), "type I32, expected [4] and F32");
    refused(&tensor("0.bias", "shape", json!([2, 2])), "shape [2, 2]");
    refused(&tensor("0.bias", "shape", json!([1u64 << 40, 1u64 << 40])), "overflow");
    let huge = json!([112, u64::MAX]);
    refused(&tensor("2.bias", "data_offsets", huge), "promises 18446744073709551615 bytes");
    let missing = with_header(|header| {
        let bias = header.as_object_mut().unwrap().remove("2.bias").unwrap();
        header["renamed"] = bias;
    });
    refused(&missing, "2.bias of shape [3] is missing");
    refused(
        &with_metadata("architecture", "[{\"linear\":{\"inputs\":6,\"outputs\":3}}]"),
        "0.weight",
    );
    refused(&with_metadata("architecture", "[\"softplus\"]"), "'softplus'");
    refused(&with_metadata("architecture", "[]"), "it holds 4 tensors");
    let largest = usize::MAX;
    let absurd = format!("[{{\"linear\":{{\"inputs\":{largest},\"outputs\":{largest}}}}}]");
    refused(&with_metadata("architecture", &absurd), "0.weight");
    refused(&with_metadata("sample_shape", "[4294967296, 4294967296]"), "do not fit 6 inputs");
    refused(&with_metadata("class_names", "[\"a\"]"), "1 class names");
    refused(&with_metadata("normalization", "{\"scalar\":{\"mean\":0,\"deviation\":0}}"), "not 0");
    refused(
        &with_metadata("normalization", "{\"scalar\":{\"mean\":1e99,\"deviation\":1}}"),
        "damaged",
    );
    refused(&with_metadata("training", "{"), "'training'");
    // A file of version 0.1.0 has no digest, but its weights are checked all the same.
    let mut bytes = with_header(|_| ());
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    refused(&bytes, "NaN");
    let mut bytes = whole.clone();
    let end = bytes.len();
    bytes[end - 4] ^= 1;
    refused(&bytes, "SHA-256");
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Whatever happened to a file on its way, reading it ends with a model or an error.
    #[test]
    fn mutated_files_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
        shorten in any::<bool>(),
    ) {
        let mut bytes = to_bytes(&classifier(&[4], Activation::Tanh, per_feature())).unwrap();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if shorten {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(read) = from_bytes(&bytes) {
            // What is read can be written and read again.
            let saved = to_bytes(&read).unwrap();
            prop_assert_eq!(from_bytes(&saved).unwrap(), read);
        }
    }

    #[test]
    fn mutated_metadata_never_panic(
        key in prop::sample::select(vec![
            "architecture", "normalization", "sample_shape", "class_names", "training",
            "gradus_version", "format",
        ]),
        value in prop::sample::select(vec![
            "[]", "{}", "null", "[1e400]", "[-1]", "[18446744073709551615, 2]", "\"relu\"",
            "[{\"linear\":{\"inputs\":0,\"outputs\":0}}]", "[[[[[[[[]]]]]]]]", "1", "2", "", "\0",
            "[\"relu\",\"relu\"]", "{\"scalar\":{\"mean\":null,\"deviation\":1}}",
            "{\"per_feature\":{\"means\":[],\"stds\":[]}}",
        ]),
    ) {
        let _ = from_bytes(&with_metadata(key, value));
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        length in 0u64..400,
        header in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let _ = from_bytes(&header);
        let _ = from_bytes(&[&length.to_le_bytes()[..], b"{", &header].concat());
    }

    /// Every weight survives, whatever its bits.
    #[test]
    fn weights_keep_their_bits(values in prop::collection::vec(any::<f32>(), 17)) {
        prop_assume!(values.iter().all(|value| value.is_finite()));
        let mut network = Network::dense(2, &[3], &[Activation::Gelu], 2).unwrap();
        network.parameters_mut().copy_from_slice(&values);
        let transform = Transform::Affine(Affine::PerFeature {
            means: values[..2].to_vec(),
            stds: values[2..4].iter().map(|&x| if x == 0.0 { 1.0 } else { x }).collect(),
        });
        let names = vec!["a".into(), "b".into()];
        let saved = Classifier::new(network, transform, vec![2], names).unwrap();
        prop_assert_eq!(bits(&from_bytes(&to_bytes(&saved).unwrap()).unwrap()), bits(&saved));
    }
}
