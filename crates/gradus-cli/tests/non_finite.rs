//! Weights that are NaN or infinite are refused in every kind of file, and so is a prediction that is not
//! finite, by every command and by the page.

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;

use common::{TABLE, gradus, run, spawn, table, text};
use flate2::Crc;
use gradus::model_file::{self, load_model};

/// The file with other bytes in the place of these, which must be there.
#[track_caller]
fn replaced(file: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let found: Vec<_> =
        file.windows(from.len()).enumerate().filter(|(_, it)| *it == from).collect();
    assert!(!found.is_empty() && from.len() == to.len());
    let mut file = file.to_vec();
    for (at, _) in found {
        file[at..at + to.len()].copy_from_slice(to);
    }
    file
}

/// A model of PyTorch for two features and three classes, with these values as its weights.
fn pytorch(weights: [f32; 6]) -> Vec<u8> {
    let header = "{\"0.weight\":{\"dtype\":\"F32\",\"shape\":[3,2],\"data_offsets\":[0,24]},\
                  \"0.bias\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[24,36]}}";
    let data: Vec<u8> =
        weights.iter().chain(&[0.0; 3]).flat_map(|value| value.to_le_bytes()).collect();
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat()
}

#[track_caller]
fn refused(folder: &Path, arguments: &str, words: &str) {
    let output = gradus(folder, arguments).assert().code(1);
    let output = output.get_output();
    assert!(text(&output.stderr).contains(words), "{arguments}: {}", text(&output.stderr));
    let printed = text(&output.stdout).to_lowercase();
    assert!(!printed.contains("nan") && !printed.contains("inf"), "{arguments}: {printed}");
}

#[test]
fn weights_that_are_not_finite_are_refused_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    table(folder, "table.csv");
    run(folder, &format!("train {TABLE} --quiet"));
    run(folder, "export model.safetensors model.onnx");
    let model = load_model(&folder.join("model.safetensors")).unwrap();
    let first = |model: &gradus::classifier::Model| model.network.weight(0)[0].to_le_bytes();
    // As if another program had written it: without a digest that would be wrong before any weight is looked at.
    let onnx = replaced(&fs::read(folder.join("model.onnx")).unwrap(), b"gradus", b"others");
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../gradus/tests/golden");
    let weights = fs::read(golden.join("keras.weights.h5")).unwrap();
    let weight = first(&load_model(&golden.join("keras.weights.h5")).unwrap());
    let keras = fs::read(golden.join("keras.keras")).unwrap();
    // The weights are stored in the archive as they are, with their checksum beside them.
    let start = keras.windows(8).position(|it| it == b"\x89HDF\r\n\x1a\n").unwrap();
    let inner = &keras[start..start + 29_488];
    let checksum = |bytes: &[u8]| {
        let mut crc = Crc::new();
        crc.update(bytes);
        crc.sum().to_le_bytes()
    };
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let bytes = value.to_le_bytes();
        let mut network = model.network.clone();
        network.parameters_mut()[0] = value;
        let arrays = model_file::npz::write_network(&network, &model.transform).unwrap();
        let mut broken = inner.to_vec();
        // Any weight will do: the last floats of the file are the values of an array.
        let at = last_float(&broken);
        broken[at..at + 4].copy_from_slice(&bytes);
        let archive = replaced(&keras, inner, &broken);
        let archive = replaced(&archive, &checksum(inner), &checksum(&broken));
        for (name, file) in [
            ("torch.safetensors", pytorch([1.0, 2.0, value, 0.5, 0.25, 3.0])),
            ("foreign.onnx", replaced(&onnx, &first(&model), &bytes)),
            ("foreign.weights.h5", replaced(&weights, &weight, &bytes)),
            ("foreign.keras", archive),
            ("foreign.npz", arrays),
        ] {
            fs::write(folder.join(name), file).unwrap();
            for line in [
                format!("inspect {name}"),
                format!("predict {name} table.csv"),
                format!("evaluate {name} --data table.csv"),
                format!("report {name} --data table.csv"),
                format!("export {name} out.safetensors"),
            ] {
                refused(folder, &line, "finite");
            }
        }
        assert!(!folder.join("out.safetensors").exists());
    }
}

/// The place of the last float of the file that is neither 0 nor beyond 10, as trained weights are.
fn last_float(bytes: &[u8]) -> usize {
    let is_weight = |&at: &usize| {
        let value = f32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        (0.01..10.0).contains(&value.abs())
    };
    (0..bytes.len() - 3).rev().step_by(4).find(is_weight).unwrap()
}

#[test]
fn a_prediction_that_is_not_finite_is_an_error_of_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    table(folder, "named.csv");
    // The classes of a model of PyTorch are numbers.
    let rows = fs::read_to_string(folder.join("named.csv")).unwrap();
    let numbers = rows.replace("red", "0").replace("green", "1").replace("blue", "2");
    fs::write(folder.join("table.csv"), numbers).unwrap();
    // Every weight is finite, but sums of their products are not.
    fs::write(folder.join("large.safetensors"), pytorch([3e38; 6])).unwrap();
    for line in [
        "predict large.safetensors table.csv",
        "predict large.safetensors table.csv --json",
        "evaluate large.safetensors --data table.csv",
        "evaluate large.safetensors --data table.csv --json",
        "report large.safetensors --data table.csv",
    ] {
        refused(folder, line, "the prediction for sample");
    }
}

#[test]
fn the_page_refuses_a_prediction_that_is_not_finite() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let image = |shade: u8| {
        let image = gradus::data::images::GreyImage::new(8, 8, vec![shade; 64]).unwrap();
        gradus::data::images::encode_png(&image)
    };
    for (class, shade) in [("a", 10), ("b", 200)] {
        fs::create_dir_all(folder.join("images").join(class)).unwrap();
        for i in 0..6 {
            fs::write(folder.join(format!("images/{class}/{i}.png")), image(shade + i)).unwrap();
        }
    }
    run(folder, "train --data images --epochs 1 --hidden 4 --quiet");
    let path = folder.join("model.safetensors");
    let mut model = load_model(&path).unwrap();
    model.network.parameters_mut().fill(3e38);
    model_file::save(&model, &path).unwrap();
    fs::write(folder.join("x.png"), image(200)).unwrap();
    refused(folder, "predict model.safetensors x.png", "the prediction for sample 0");

    let mut server = spawn(folder, "serve model.safetensors --port 0 --no-download");
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.split('/').nth(2).unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let body = image(200);
    let head = format!(
        "POST /api/answer HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: image/png\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), &body].concat()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("the prediction for sample 0"), "{answer}");
}
