//! Models as C source: what a C compiler makes of the file predicts what the model predicts.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use gradus::classifier::{Model, Outputs};
use gradus::data::Inputs;
use gradus::loss::Loss;
use gradus::model_file::{self, CSourceOptions, rounded_to_int8, to_c_source};
use gradus::network::{Activation, Init, Network, Workers};
use gradus::transform::Transform;
use gradus::transform::normalize::Affine;
use tempfile::TempDir;

/// A model of 5 features with biases, of classes or of values.
fn model(
    hidden: &[usize],
    activations: &[Activation],
    transform: Transform,
    classes: bool,
) -> Model {
    let mut network = Network::dense(5, hidden, activations, 3).unwrap();
    network.initialize(Init::Normal(0.4), 3);
    for index in 0..network.linears().len() {
        network.bias_mut(index).iter_mut().enumerate().for_each(|(i, b)| *b = 0.2 - 0.1 * i as f32);
    }
    let names = ["a*/b", "??/\"\\\n", "ゆ 3"].map(String::from).to_vec();
    let outputs = if classes { Outputs::classes(names) } else { Outputs::values(names) };
    Model::new(network, transform, vec![5], outputs).unwrap()
}

/// Whether this machine has a C compiler.
fn has_compiler() -> bool {
    let found =
        Command::new("cc").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let found = found.is_ok_and(|status| status.success());
    if !found {
        println!("skipped: there is no C compiler (cc)");
    }
    found
}

/// What the compiled file prints for these samples. Every warning is an error.
fn run(text: &str, folder: &Path, samples: &[f64]) -> Vec<f32> {
    let (source, program) = (folder.join("model.c"), folder.join("program"));
    fs::write(&source, text).unwrap();
    let compiled = Command::new("cc")
        .args([
            "-std=c99",
            "-Wall",
            "-Wextra",
            "-Wmissing-prototypes",
            "-pedantic",
            "-Werror",
            "-O1",
            "-Dmodel_MAIN",
        ])
        .args([&source, Path::new("-o"), &program])
        .arg("-lm")
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let mut child =
        Command::new(&program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for (at, sample) in samples.chunks(5).enumerate() {
        let values: Vec<String> = sample.iter().map(f64::to_string).collect();
        let separator = [", ", " ", ","][at % 3];
        writeln!(stdin, "{}", values.join(separator)).unwrap();
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    printed.split_whitespace().map(|number| number.parse().unwrap()).collect()
}

fn samples() -> Vec<f64> {
    (0..35).map(|at| f64::from((at * 37) % 41) / 8.0 - 2.5).collect()
}

/// Compares a file with what the model, or its rounded form, predicts.
fn compare(model: &Model, samples: &[f64]) {
    let folder = TempDir::new().unwrap();
    let inputs = match model.transform.takes_doubles() {
        true => Inputs::Doubles(samples.to_vec()),
        false => Inputs::Floats(samples.iter().map(|&value| value as f32).collect()),
    };
    for int8 in [false, true] {
        let mut expected = model.clone();
        if int8 {
            expected.network = rounded_to_int8(&model.network);
            expected.others.iter_mut().for_each(|other| *other = rounded_to_int8(other));
        }
        let workers = Workers::new(1).unwrap();
        let expected = expected.predict(&inputs, &workers).unwrap();
        let text = to_c_source(model, &CSourceOptions { name: "model".into(), int8 }).unwrap();
        let found = run(&text, folder.path(), samples);
        assert_eq!(found.len(), expected.len());
        let largest = expected.iter().fold(1.0f32, |most, value| most.max(value.abs()));
        for (found, expected) in found.iter().zip(&expected) {
            assert!(
                (found - expected).abs() <= 2e-6 * largest,
                "{found} {expected} {int8}\n{text}"
            );
        }
    }
}

#[test]
fn every_activation_is_computed() {
    if !has_compiler() {
        return;
    }
    for activation in Activation::ALL.into_iter().chain([Activation::LeakyRelu { slope: 0.3 }]) {
        let standard = Transform::scalar(0.5, 2.0);
        compare(&model(&[6], &[activation], standard, activation == Activation::Relu), &samples());
    }
}

#[test]
fn strengths_are_computed() {
    if !has_compiler() {
        return;
    }
    for activation in [Activation::Selu, Activation::Mish] {
        for classes in [true, false] {
            let mut model = model(&[7, 6], &[activation], Transform::IDENTITY, classes);
            let mut network = model.network.clone().with_strengths().unwrap();
            for index in 0..3 {
                network.weight_mut(index).copy_from_slice(model.network.weight(index));
                network.bias_mut(index).copy_from_slice(model.network.bias(index));
            }
            for index in 0..2 {
                let strengths = network.strengths_mut(index).into_iter().flatten();
                strengths.enumerate().for_each(|(unit, it)| *it = 1.3 - unit as f32 * 0.4);
            }
            model.network = network;
            compare(&model, &samples());
        }
    }
}

#[test]
fn every_normalization_and_depth_is_computed() {
    if !has_compiler() {
        return;
    }
    let (means, stds) = (vec![0.1, -1.5, 0.0, 2.0, 1e-3], vec![1.0, 0.3, 2.5, 7.1, 2.0 / 3.0]);
    let large: Vec<f64> = (0..5).map(|at| 1.7e9 + 1e5 * f64::from(at)).collect();
    let doubles = Transform::Affine(Affine::of_doubles(&large, stds.clone()));
    let affine = Affine::PerFeature { means, stds };
    let relu = [Activation::Relu];
    compare(&model(&[], &[Activation::Identity], Transform::IDENTITY, true), &samples());
    compare(
        &model(
            &[4, 7, 2],
            &[Activation::Tanh, Activation::Relu, Activation::Tanh],
            Transform::IDENTITY,
            false,
        ),
        &samples(),
    );
    compare(&model(&[4, 4], &relu, Transform::Affine(affine.clone()), true), &samples());
    compare(&model(&[4], &relu, Transform::Robust(affine), true), &samples());
    let dates: Vec<f64> =
        samples().iter().zip(large.iter().cycle()).map(|(value, mean)| value + mean).collect();
    compare(&model(&[4], &relu, doubles, false), &dates);
}

#[test]
fn predictions_of_every_loss_are_computed() {
    if !has_compiler() {
        return;
    }
    let three = Loss::Quantile(vec![0.1, 0.5, 0.9]);
    for loss in Loss::examples().into_iter().chain([three]) {
        let mut model = model(&[6], &[Activation::Tanh], Transform::IDENTITY, false);
        model.outputs = Outputs { loss, ..model.outputs };
        compare(&model, &samples());
    }
}

#[test]
fn predictions_are_clipped() {
    if !has_compiler() {
        return;
    }
    let of_values = Loss::examples().into_iter().filter(|loss| loss.can_standardize());
    for loss in of_values.chain([Loss::Poisson]) {
        for members in [1, 2] {
            let mut model = model(&[6], &[Activation::Tanh], Transform::IDENTITY, false);
            for seed in 1..members {
                let mut other = model.network.clone();
                other.initialize(Init::Normal(0.6), seed);
                model.others.push(other);
            }
            let range = [[0.1, 0.3], [0.5, 0.75], [0.0, 1.0 / 3.0]].to_vec();
            model.outputs = Outputs { loss: loss.clone(), range, ..model.outputs };
            compare(&model, &samples());
        }
    }
}

#[test]
fn a_file_is_the_same_each_time_and_replaced() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("My net.c");
    let model = model(&[4], &[Activation::Relu], Transform::IDENTITY, true);
    model_file::export(&model, &path).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("void My_net_predict(const float *input, float *output)"), "{text}");
    assert!(text.contains("int My_net_label(const float *input)"));
    model_file::check_replaceable(&path).unwrap();
    model_file::export(&model, &path).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    fs::write(&path, "int main(void) { return 0; }\n").unwrap();
    let error = model_file::check_replaceable(&path).unwrap_err().to_string();
    assert!(error.contains("was not written by gradus"), "{error}");
}
