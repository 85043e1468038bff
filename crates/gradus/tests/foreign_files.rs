//! Models that PyTorch, scikit-learn, Keras and ONNX wrote (tests/golden/make_foreign.py), against what these programs
//! predict; and files made to do harm.

mod common;
#[allow(dead_code)]
#[path = "../../gradus-data/src/testing.rs"]
mod testing;

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use common::golden::Golden;
use gradus::data::Inputs;
use gradus::error::ErrorKind;
use gradus::model_file::{self, Loaded, ReadOptions};
use gradus::network::{Activation, Workers};
use proptest::prelude::*;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/foreign").join(name)
}

fn load(name: &str, options: &ReadOptions) -> Loaded {
    model_file::load_as(&golden(name), options).unwrap_or_else(|error| panic!("{error}"))
}

/// Loads the file and compares its predictions; the warnings and the names of the classes.
#[track_caller]
fn predicts(name: &str) -> (Vec<String>, Vec<String>) {
    let arrays = Golden::open("foreign/predictions.npz");
    let Loaded { model, warnings, .. } = load(name, &ReadOptions::default());
    let classifier = model.into_classifier().unwrap();
    let inputs = Inputs::Floats(arrays.floats("x"));
    let found = classifier.predict(&inputs, &Workers::new(1).unwrap()).unwrap().probabilities;
    let expected = arrays.floats(name);
    assert_eq!(found.len(), expected.len(), "{name}");
    let worst = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 3e-6, "{name}: off by {worst}");
    (warnings, classifier.class_names().to_vec())
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[track_caller]
fn reported(warnings: &[String], words: &str) {
    assert!(warnings.iter().any(|warning| warning.contains(words)), "{words}: {warnings:?}");
}

#[test]
fn files_of_torch_save_predict_the_same() {
    for name in ["state.pt", "state_old.pth", "checkpoint.pth"] {
        let (warnings, classes) = predicts(name);
        reported(&warnings, "relu is assumed");
        reported(&warnings, "raw values are assumed");
        assert_eq!(classes, ["0", "1", "2"]);
    }
    for name in ["half.pt", "brain.pt"] {
        reported(&predicts(name).0, "half precision");
    }
    reported(&predicts("nested.pt").0, "1e-5 is assumed");
}

#[test]
fn whole_modules_of_pytorch_have_their_activations() {
    for name in ["module.pt", "activations.pt"] {
        let (warnings, _) = predicts(name);
        assert!(
            !warnings.iter().any(|warning| warning.contains("relu is assumed")),
            "{warnings:?}"
        );
    }
    reported(&predicts("program.pt").0, "the code of the class Program is not in the file");
    let options = ReadOptions { activations: vec![Activation::Tanh], ..ReadOptions::default() };
    let error = model_file::load_as(&golden("module.pt"), &options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("its own activations"), "{error}");
}

#[test]
fn torchscript_predicts_the_same() {
    for name in ["script.pt", "trace.pt", "frozen.pt"] {
        let (warnings, _) = predicts(name);
        assert!(
            !warnings.iter().any(|warning| warning.contains("relu is assumed")),
            "{warnings:?}"
        );
    }
}

#[test]
fn scikit_learn_keeps_its_class_names() {
    assert_eq!(predicts("three.onnx").1, ["ant", "bee", "cat"]);
    assert_eq!(predicts("scaled.onnx").1, ["ant", "bee", "cat"]);
    assert_eq!(predicts("two.onnx").1, ["3", "7"]);
    let error = model_file::load(&golden("normalizer.onnx")).unwrap_err().to_string();
    assert!(error.contains("ai.onnx.ml.Normalizer") && error.contains("own length"), "{error}");
}

#[test]
fn keras_of_both_versions_predicts_the_same() {
    predicts("activations.keras");
    assert!(predicts("old.h5").0.is_empty());
    reported(&predicts("halves.keras").0, "half precision");
}

#[test]
fn class_names_are_for_files_without_them() {
    let with = |file: &str, given: &[&str]| {
        let options = ReadOptions { class_names: names(given), ..ReadOptions::default() };
        model_file::load_as(&golden(file), &options)
    };
    assert_eq!(with("state.pt", &["x", "y", "z"]).unwrap().model.names(), ["x", "y", "z"]);
    for (file, given, words) in [
        ("state.pt", &["x", "y"][..], "2 class names, but the model has 3 classes"),
        ("state.pt", &["x", "y", "x"], "two classes are named 'x'"),
        ("state.pt", &["x", "", "z"], "a class name is empty"),
        ("three.onnx", &["x", "y", "z"], "its own class names"),
        ("two.onnx", &["x", "y"], "its own class names"),
    ] {
        let error = with(file, given).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn onnx_in_half_precision_predicts_the_same() {
    reported(&predicts("halves.onnx").0, "half precision");
}

#[test]
fn onnx_reads_its_weights_from_its_own_folder_alone() {
    assert!(predicts("external.onnx").0.is_empty());
    let model = fs::read(golden("external.onnx")).unwrap();
    let data = fs::read(golden("external.onnx.data")).unwrap();
    let error = model_file::read(&model, &ReadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("stand in another file, 'external.onnx.data'"), "{error}");

    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    fs::create_dir(&home).unwrap();
    let path = home.join("m.onnx");
    fs::write(folder.path().join("secret"), &data).unwrap();
    fs::write(&path, &model).unwrap();
    let message = || model_file::load(&path).unwrap_err().to_string();
    assert!(message().contains("keep both files in one folder"), "{}", message());
    fs::write(home.join("external.onnx.data"), &data[..100]).unwrap();
    assert!(message().contains("which has 100"), "{}", message());
    fs::remove_file(home.join("external.onnx.data")).unwrap();
    fs::create_dir(home.join("external.onnx.data")).unwrap();
    assert!(message().contains("no plain file"), "{}", message());
    fs::remove_dir(home.join("external.onnx.data")).unwrap();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("../secret", home.join("external.onnx.data")).unwrap();
        assert!(message().contains("not in the folder of the model"), "{}", message());
        fs::remove_file(home.join("external.onnx.data")).unwrap();
    }
    // Names of the same length, so that the messages around them stay whole.
    for name in ["../../secret.data1", "/etc/passwd-.12345", "home/../../secret1"] {
        let changed = replaced(&model, b"external.onnx.data", name.as_bytes());
        fs::write(&path, changed).unwrap();
        assert!(message().contains("not in the folder of the model"), "{name}: {}", message());
    }
    fs::write(&path, replaced(&model, b"external.onnx.data", b"sub/12345678901.bi")).unwrap();
    fs::create_dir(home.join("sub")).unwrap();
    fs::write(home.join("sub/12345678901.bi"), &data).unwrap();
    model_file::load(&path).unwrap();
}

/// The bytes with one text in place of another of the same length.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes.to_vec();
    let places: Vec<usize> =
        (0..=bytes.len() - from.len()).filter(|&at| bytes[at..].starts_with(from)).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    bytes
}

/// A zip archive of these entries, stored as PyTorch stores them.
fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    testing::zip_file(entries, false)
}

fn torch_file(pickle: &[u8], storage: &[u8]) -> Vec<u8> {
    archive(&[("m/data.pkl", pickle), ("m/byteorder", b"little"), ("m/data/0", storage)])
}

#[track_caller]
fn refused(bytes: &[u8], words: &str) {
    let error = model_file::read(bytes, &ReadOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
    assert!(error.to_string().contains(words), "{words}: {error}");
}

/// The pickle of a state dictionary with one array of these sizes and strides, in a storage of floats.
fn state(offset: u32, sizes: [u32; 2], strides: [u32; 2]) -> Vec<u8> {
    let mut pickle =
        b"\x80\x02}(X\x08\x00\x00\x000.weightctorch._utils\n_rebuild_tensor_v2\n(".to_vec();
    pickle.extend(b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000");
    pickle.extend(b"X\x03\x00\x00\x00cpuJ\x06\x00\x00\x00tQ");
    let mut whole = |value: u32| {
        let bytes = value.to_le_bytes();
        pickle.push(b'J');
        pickle.extend(bytes);
    };
    whole(offset);
    for value in sizes {
        whole(value);
    }
    pickle.push(0x86);
    for value in strides {
        pickle.push(b'J');
        pickle.extend(value.to_le_bytes());
    }
    pickle.extend(b"\x86\x89}tRu.");
    pickle
}

#[test]
fn arrays_of_pytorch_stay_within_their_storages() {
    let storage: Vec<u8> = (0..6).flat_map(|i| (i as f32).to_le_bytes()).collect();
    let weights = |pickle: &[u8]| {
        let loaded = model_file::read(&torch_file(pickle, &storage), &ReadOptions::default());
        loaded.unwrap().model.network.weight(0).to_vec()
    };
    // In memory a weight is inputs x outputs.
    assert_eq!(weights(&state(0, [2, 3], [3, 1])), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    assert_eq!(weights(&state(0, [2, 3], [1, 2])), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!(weights(&state(2, [2, 2], [2, 1])), [2.0, 4.0, 3.0, 5.0]);
    for (offset, sizes, strides) in [
        (1, [2, 3], [3, 1]),
        (0, [2, 3], [4, 1]),
        (0, [1 << 30, 1 << 30], [1, 1]),
        (u32::MAX >> 1, [2, 3], [3, 1]),
    ] {
        refused(&torch_file(&state(offset, sizes, strides), &storage), "outside of its storage");
    }
    // One number again and again takes no space in the file, and much in memory.
    refused(&torch_file(&state(0, [1 << 15, 1 << 15], [0, 0]), &storage), "more than once");
    refused(&torch_file(&state(0, [0x8000_0000, 1], [1, 1]), &storage), "does not write");
    refused(&torch_file(&state(0, [2, 0], [1, 1]), &storage), "is empty");
}

#[test]
fn pickles_that_would_run_something_are_named_and_not_run() {
    let system = b"cos\nsystem\n(X\x09\x00\x00\x00touch /x1tR.";
    for (pickle, words) in [
        (&b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R."[..], "it calls os.system"),
        (&b"\x80\x02}X\x01\x00\x00\x00acposix\nsystem\n)Rs."[..], "it calls posix.system"),
        (&b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R."[..], "it calls builtins.eval"),
        (&b"\x80\x02(i__builtin__\nexec\n."[..], "it calls __builtin__.exec"),
        (&b"(csubprocess\nPopen\no."[..], "it calls subprocess.Popen"),
        (&system[..], "it calls os.system"),
        (&b"\x80\x02cbuiltins\ngetattr\n)R."[..], "it calls builtins.getattr"),
    ] {
        refused(&torch_file(pickle, b""), words);
    }
    // Outside of an archive, too.
    refused(b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.", "it calls os.system");
    refused(b"\x80\x02}.", "PyTorch did not write");
}

#[test]
fn broken_pickles_are_refused() {
    let many = |front: &[u8], instruction: &[u8], count: usize| {
        [b"\x80\x02", front, &instruction.repeat(count), b"."].concat()
    };
    for (pickle, words) in [
        (many(b"N", b"\x85", 1_000_000), "instructions"),
        (many(b"", b"(", 1_000_000), "instructions"),
        (many(b"", b"]", 1_000_000), "instructions"),
        (many(b"]", b"2a", 150_000), "without a model"),
        (many(b"N", b"\x85", 300_000), "without a model"),
        (many(b"N", b"}N2s0", 50_000), "without a model"),
        (b"\x80\x02".to_vec(), "truncated"),
        (b"\x80\x02X\xff\xff\xff\xff".to_vec(), "truncated"),
        (b"\x80\x02\x8d\xff\xff\xff\xff\xff\xff\xff\xffN.".to_vec(), "truncated"),
        (b"\x80\x02h\x07.".to_vec(), "before it is there"),
        (b"\x80\x02r\xff\xff\xff\xff.".to_vec(), "empty stack"),
        (b"\x80\x02Nr\xff\xff\xff\xff.".to_vec(), "without a model"),
        (b"\x80\x02.".to_vec(), "empty stack"),
        (b"\x80\x02t.".to_vec(), "a mark is missing"),
        (b"\x80\x02}(Nu.".to_vec(), "a key has no value"),
        (b"\x80\x02NNs.".to_vec(), "empty stack"),
        (b"\x80\x02\xfe.".to_vec(), "instruction 0xfe"),
        (b"\x80\x02K\x01)R.".to_vec(), "no class and no function"),
    ] {
        refused(&torch_file(&pickle, b""), words);
    }
    let (pickle, storage) = (state(0, [2, 3], [3, 1]), vec![0; 24]);
    for length in 0..pickle.len() {
        assert!(
            model_file::read(&torch_file(&pickle[..length], &storage), &ReadOptions::default())
                .is_err()
        );
    }
    let without = archive(&[("m/data.pkl", &pickle)]);
    refused(&without, "no storage '0'");
    let big = archive(&[("m/data.pkl", &pickle), ("m/byteorder", b"big"), ("m/data/0", &storage)]);
    refused(&big, "big-endian");
}

/// Bytes of a name and an object in a module that contains itself.
#[test]
fn modules_inside_of_themselves_end() {
    let mut pickle = b"\x80\x02ctorch.nn.modules.container\nSequential\n)\x81q\x00}".to_vec();
    pickle.extend(b"X\x08\x00\x00\x00_modules}(X\x01\x00\x00\x000h\x00X\x01\x00\x00\x001h\x00usb.");
    refused(&torch_file(&pickle, b""), "modules inside each other");
}

#[test]
fn damage_to_files_of_pytorch_is_noticed() {
    let whole = fs::read(golden("state.pt")).unwrap();
    // Each storage has a checksum; so has the pickle.
    let place = whole.windows(8).position(|part| part == b"0.weight").unwrap();
    for at in [place, place + 100] {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        refused(&changed, "fails its checksum");
    }
    for length in (0..whole.len()).step_by(7) {
        assert!(model_file::read(&whole[..length], &ReadOptions::default()).is_err(), "{length}");
    }
}

#[test]
fn a_state_dictionary_is_read_only_where_its_order_is_clear() {
    let read = |name: &str, classes: &[&str]| {
        let options = ReadOptions { class_names: names(classes), ..ReadOptions::default() };
        load(name, &options).model
    };
    let network = read("nested.pt", &["a", "b", "c"]).network;
    let sizes: Vec<usize> = network.linears().iter().map(|linear| linear.inputs).collect();
    assert_eq!(sizes, [5, 6, 6]);
}

/// A file with some of its bytes changed, and the checksums of the archive made right.
fn mended(bytes: &[u8], changes: &[(prop::sample::Index, u8)], names: &[&str]) -> Vec<u8> {
    let mut found = gradus::data::zip::Archive::open(Cursor::new(bytes)).unwrap();
    let entries = found.entries.clone();
    let parts: Vec<(String, Vec<u8>)> = entries
        .iter()
        .map(|entry| {
            let mut content = found.read(entry).unwrap();
            if names.iter().any(|name| entry.name.ends_with(name)) {
                for (at, value) in changes {
                    let at = at.index(content.len());
                    content[at] = *value;
                }
            }
            (entry.name.clone(), content)
        })
        .collect();
    let views: Vec<(&str, &[u8])> =
        parts.iter().map(|(name, content)| (name.as_str(), &content[..])).collect();
    archive(&views)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn mutated_files_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        single in any::<u8>(),
    ) {
        let options = ReadOptions::default();
        for name in ["state.pt", "checkpoint.pth", "activations.pt", "program.pt", "script.pt", "frozen.pt"] {
            let whole = fs::read(golden(name)).unwrap();
            let _ = model_file::read(&mended(&whole, &changes, &["data.pkl"]), &options);
            let one = [(changes[0].0, single)];
            let _ = model_file::read(&mended(&whole, &one, &["data.pkl", ".py"]), &options);
        }
        let mut old = fs::read(golden("state_old.pth")).unwrap();
        for (at, value) in &changes {
            let at = at.index(old.len());
            old[at] = *value;
        }
        let _ = model_file::read(&old, &options);
        let mut old = fs::read(golden("old.h5")).unwrap();
        for (at, value) in &changes {
            let at = at.index(old.len());
            old[at] = *value;
        }
        let _ = model_file::read(&old, &options);
    }

    #[test]
    fn arbitrary_pickles_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let options = ReadOptions::default();
        let _ = model_file::read(&torch_file(&bytes, &[0; 64]), &options);
        let _ = model_file::read(&[&b"\x80\x02"[..], &bytes].concat(), &options);
    }
}
