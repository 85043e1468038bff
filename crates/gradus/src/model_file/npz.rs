//! The bare arrays, as a NumPy script keeps them: a [`Network`] from an `.npz` file, and back.
//!
//! `w1` is `inputs x outputs`, `b1` is `(outputs, 1)`, `w2` follows on `w1`, and so on. What the
//! arrays do not say, an `.npz` does not keep: activations, class names, the shape of a sample.

use std::fs::File;
use std::io::{Cursor, Read, Seek};
use std::path::Path;

use gradus_core::error::invalid;
use gradus_core::model_file::open;
use ndarray::{ArrayView2, aview0};
use ndarray_npy::NpzWriter;

use super::foreign::Foreign;
use super::npz_seal;
use super::scaling::Scaling;
use super::stack::{Dense, ReadOptions, Stack};
use crate::data::npz::Npz;
use crate::data::{Array, Values};
use crate::error::{Error, ErrorKind, Result};
use crate::network::{Activation, MOST_PARAMETERS, Network};
use crate::transform::Transform;
use crate::transform::robust::CLIP;

/// Reads `w1, b1, w2, b2, ...`, each name after `prefix`, with `activations` after the hidden
/// layers, one for all or one for each. Weights are `inputs x outputs`; biases `(outputs, 1)`, `(1, outputs)` or
/// `(outputs,)`; all of them float32 or float64, in C or Fortran order; other arrays are ignored.
/// Where `prefix` is empty and there is no `w1`, but an `init_w1`, the prefix is `init_`.
///
/// # Errors
/// `NotFound` or `Io` if the file cannot be read; `InvalidData` if an array is missing, has
/// another shape or type, does not fit the one before, or holds a number that is not finite;
/// `InvalidArgument` if the activations do not fit the number of layers.
pub fn read_network(path: &Path, prefix: &str, activations: &[Activation]) -> Result<Network> {
    let mut file = open(path)?;
    npz_seal::check(&mut file)
        .and_then(|()| Npz::from_file(file))
        .and_then(|mut npz| network(&mut npz, prefix, activations))
        .map_err(|error| error.context(path.display()))
}

/// As [`read_network`], from memory.
pub fn parse_network(bytes: &[u8], prefix: &str, activations: &[Activation]) -> Result<Network> {
    npz_seal::check(&mut Cursor::new(bytes))?;
    network(&mut Npz::from_bytes(bytes)?, prefix, activations)
}

/// The `.npz` file of this network: `w1, b1, w2, b2, ...` in float32, biases as `(outputs, 1)`; and
/// of its normalization: `mean` and `deviation`, numbers or `(inputs, 1)`. With samples as columns,
/// the first layer's value is `w1.T @ ((x - mean) / deviation) + b1`. A robust normalization adds the number `clip`:
/// `u / sqrt(1 + (u / clip)^2)` takes the place of `u = (x - mean) / deviation`.
///
/// # Errors
/// `Io` if the archive cannot be written, for one above 4 GiB; `InvalidArgument` for a network that embeds columns or has
/// strengths of activations.
pub fn write_network(network: &Network, transform: &Transform) -> Result<Vec<u8>> {
    if network.columns().is_some() {
        return Err(Error::argument(
            "this model cannot be exported as arrays: they hold weights and biases alone, but it embeds the columns of a \
             table; use .safetensors or .onnx",
        ));
    }
    if network.has_strengths() {
        return Err(Error::argument(
            "this model cannot be exported as arrays: they hold weights and biases alone, but its activations have \
             strengths; use .safetensors or .onnx, or train without `parametric`",
        ));
    }
    let mut npz = NpzWriter::new(Cursor::new(Vec::new()));
    let mut add = |name: String, rows: usize, columns: usize, values: &[f32]| {
        let array = ArrayView2::from_shape((rows, columns), values).map_err(unwritten)?;
        npz.add_array(name, &array).map_err(unwritten)
    };
    for (index, linear) in network.linears().iter().enumerate() {
        let number = index + 1;
        add(format!("w{number}"), linear.inputs, linear.outputs, network.weight(index))?;
        add(format!("b{number}"), linear.outputs, 1, network.bias(index))?;
    }
    let (means, stds) = transform.means_and_stds();
    let clip = transform.is_clipped();
    match transform.as_scalar() {
        Some((mean, std)) => {
            npz.add_array("mean", &aview0(&mean)).map_err(unwritten)?;
            npz.add_array("deviation", &aview0(&std)).map_err(unwritten)?;
        }
        None => {
            if transform.takes_doubles() {
                add("deviation".into(), stds.len(), 1, stds)?;
                let means = ndarray::Array2::from_shape_vec((means.len(), 1), transform.means());
                npz.add_array("mean", &means.map_err(unwritten)?).map_err(unwritten)?;
            } else {
                add("mean".into(), means.len(), 1, means)?;
                add("deviation".into(), stds.len(), 1, stds)?;
            }
        }
    }
    if clip {
        npz.add_array("clip", &aview0(&CLIP)).map_err(unwritten)?;
    }
    let mut archive = npz.finish().map_err(unwritten)?.into_inner();
    npz_seal::add(&mut archive);
    Ok(archive)
}

/// Whether the file holds the arrays that [`write_network`] writes, and no others.
pub(super) fn is_exported(file: File) -> bool {
    Npz::from_file(file).is_ok_and(|npz| has_our_names(&npz))
}

/// Whether gradus wrote the file when it added no digest.
pub(super) fn is_unprotected(bytes: &[u8]) -> Result<bool> {
    Ok(!npz_seal::is_there(bytes) && has_our_names(&Npz::from_bytes(bytes)?))
}

fn has_our_names<R: Read + Seek>(npz: &Npz<R>) -> bool {
    let mut names = npz.names();
    names.retain(|name| name != "clip");
    names.sort();
    let layers = names.len().saturating_sub(2) / 2;
    let numbered = (1..=layers).flat_map(|number| [format!("w{number}"), format!("b{number}")]);
    let mut expected: Vec<_> = numbered.chain(["mean".into(), "deviation".into()]).collect();
    expected.sort();
    layers > 0 && names == expected
}

fn unwritten(cause: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Io, format!("the arrays cannot be put into an .npz file: {cause}"))
}

fn network<R: Read + Seek>(
    npz: &mut Npz<R>,
    prefix: &str,
    activations: &[Activation],
) -> Result<Network> {
    npz.check_expansion()?;
    let names = npz.names();
    let has = |name: &str| names.iter().any(|other| other == name);
    let prefix = match prefix {
        "" if !has("w1") && has("init_w1") => "init_",
        other => other,
    };
    let layers = numbered(npz, &names, prefix)?;
    let hidden: Vec<usize> = layers[1..].iter().map(|layer| layer.inputs).collect();
    let (inputs, outputs) = (layers[0].inputs, layers[layers.len() - 1].outputs);
    let mut network = Network::dense(inputs, &hidden, activations, outputs)?;
    for (index, layer) in layers.into_iter().enumerate() {
        network.weight_mut(index).copy_from_slice(&layer.weight);
        network.bias_mut(index).copy_from_slice(&layer.bias);
    }
    Ok(network)
}

/// The layers of the arrays `w1, b1, w2, b2, ...`, each name after `prefix`; at least one.
fn numbered<R: Read + Seek>(
    npz: &mut Npz<R>,
    names: &[String],
    prefix: &str,
) -> Result<Vec<Dense>> {
    let mut layers: Vec<Dense> = Vec::new();
    let mut parameters = 0;
    for number in 1.. {
        let (weight, bias) = (format!("{prefix}w{number}"), format!("{prefix}b{number}"));
        let Some(array) = npz.get(&weight)? else { break };
        let before = layers.last().map(|layer| layer.outputs);
        let (inputs, outputs) = weight_shape(&weight, &array, before)?;
        let values = finite(&weight, array)?;
        let Some(array) = npz.get(&bias)? else {
            return Err(invalid(format!("there is an array {weight}, but no {bias}")));
        };
        if !matches!(array.shape[..], [n] | [n, 1] | [1, n] if n == outputs) {
            return Err(invalid(format!(
                "{bias} has shape {:?}, expected ({outputs}, 1) or ({outputs},): one bias for each \
                 column of {weight}",
                array.shape
            )));
        }
        layers.push(Dense { inputs, outputs, weight: values, bias: finite(&bias, array)? });
        parameters += (inputs + 1) * outputs;
        check_count(parameters)?;
    }
    let first_missing = layers.len() + 1;
    complete(names, prefix, first_missing)?;
    Ok(layers)
}

/// A model from an `.npz` file in memory: `w1, b1, w2, b2, ...`, with `mean` and `deviation` where
/// they are there, or `arr_0, arr_1, ...`, the weights of a Keras model as `numpy.savez` keeps them.
pub(super) fn read_model(bytes: &[u8], options: &ReadOptions) -> Result<Foreign> {
    npz_seal::check(&mut Cursor::new(bytes))?;
    let mut npz = Npz::from_bytes(bytes)?;
    let names = npz.names();
    let mut stack = Stack::new(options.transform.as_ref());
    let layers = if names.iter().any(|name| name == "arr_0") {
        unnamed(&mut npz)?
    } else {
        let layers = numbered(&mut npz, &names, "")
            .map_err(|error| error.context("no arrays of a model"))?;
        if let Some(affine) = normalization(&mut npz)? {
            stack.affine(affine)?;
            if let Some(clip) = npz.get("clip")? {
                match finite("clip", clip)?[..] {
                    [CLIP] => stack.smooth_clip()?,
                    _ => return Err(invalid(format!("clip is not the number {CLIP}"))),
                }
            }
        }
        layers
    };
    stack.push_all(layers, options.hidden_activations())?;
    stack.finish(None).map(Foreign::bare)
}

/// What the arrays `mean` and `deviation` do to raw values.
fn normalization<R: Read + Seek>(npz: &mut Npz<R>) -> Result<Option<Scaling>> {
    let (Some(mean), Some(deviation)) = (npz.get("mean")?, npz.get("deviation")?) else {
        return Ok(None);
    };
    let means = mean.values.to_f64();
    let stds = finite("deviation", deviation)?;
    finite("mean", mean)?;
    if means.len() != stds.len() || stds.contains(&0.0) {
        return Err(invalid(
            "mean and deviation differ in size, or a deviation is 0: expected numbers to take off and \
             to divide by",
        ));
    }
    let pairs = || means.iter().zip(&stds).map(|(&mean, &std)| (mean, f64::from(std)));
    Ok(Some(Scaling {
        scale: pairs().map(|(_, std)| 1.0 / std).collect(),
        shift: pairs().map(|(mean, std)| -mean / std).collect(),
    }))
}

/// The layers of the arrays `arr_0, arr_1, ...`: each matrix begins a layer, a vector is its bias.
fn unnamed<R: Read + Seek>(npz: &mut Npz<R>) -> Result<Vec<Dense>> {
    let mut layers: Vec<Dense> = Vec::new();
    let mut has_bias = true;
    let mut parameters = 0;
    for number in 0.. {
        let name = format!("arr_{number}");
        let Some(array) = npz.get(&name)? else { break };
        parameters += array.values.len();
        check_count(parameters)?;
        match (&array.shape[..], layers.last_mut()) {
            ([_, _], before) => {
                let before = before.map(|layer| layer.outputs);
                let (inputs, outputs) = weight_shape(&name, &array, before)?;
                let weight = finite(&name, array)?;
                layers.push(Dense { inputs, outputs, weight, bias: vec![0.0; outputs] });
                has_bias = false;
            }
            (&[n], Some(layer)) if n == layer.outputs && !has_bias => {
                layer.bias = finite(&name, array)?;
                has_bias = true;
            }
            (shape, _) => {
                return Err(invalid(format!(
                    "{name} has shape {shape:?}, expected the weights of dense layers in order: \
                     matrices of inputs x outputs, each with its bias or without; a model with \
                     other layers (batch normalization) is read from a .keras file"
                )));
            }
        }
    }
    Ok(layers)
}

fn check_count(parameters: usize) -> Result<()> {
    match parameters > MOST_PARAMETERS {
        false => Ok(()),
        true => Err(invalid(format!("it holds more than {MOST_PARAMETERS} parameters"))),
    }
}

/// Inputs and outputs of a layer; `before` is the number of outputs of the one before.
fn weight_shape(name: &str, array: &Array, before: Option<usize>) -> Result<(usize, usize)> {
    let &[inputs, outputs] = &array.shape[..] else {
        return Err(invalid(format!(
            "{name} has shape {:?}, expected two dimensions: inputs x outputs",
            array.shape
        )));
    };
    if inputs == 0 || outputs == 0 {
        return Err(invalid(format!("{name} is empty: its shape is {:?}", array.shape)));
    }
    match before {
        Some(width) if width != inputs => Err(invalid(format!(
            "{name} has {inputs} rows, expected {width}, as the layer before has {width} outputs; \
             weights are inputs x outputs (transpose those of PyTorch)"
        ))),
        _ => Ok((inputs, outputs)),
    }
}

/// The values in single precision.
fn finite(name: &str, array: Array) -> Result<Vec<f32>> {
    let values: Vec<f32> = match array.values {
        Values::F32(values) => values,
        Values::F64(values) => values.into_iter().map(|value| value as f32).collect(),
        other => {
            return Err(invalid(format!(
                "{name} holds {} values, expected float32 or float64",
                other.type_name()
            )));
        }
    };
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(values),
        Some(at) => {
            Err(invalid(format!("value {at} of {name} is not a finite number of single precision")))
        }
    }
}

/// Checks that there is a first layer, and no array left over of a layer further on.
fn complete(names: &[String], prefix: &str, missing: usize) -> Result<()> {
    if missing == 1 {
        return Err(invalid(format!(
            "expected the arrays {prefix}w1 (inputs x outputs), {prefix}b1, {prefix}w2, ...; the \
             file has {}",
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        )));
    }
    let number = |name: &String| name.strip_prefix(prefix)?.strip_prefix(['w', 'b'])?.parse().ok();
    match names.iter().find(|name| number(name).is_some_and(|number: usize| number >= missing)) {
        None => Ok(()),
        Some(name) => Err(invalid(format!(
            "there is an array {name}, but no {prefix}w{missing} before it: a layer is missing"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::normalize::Affine;
    use ndarray::{Array1, Array2, ShapeBuilder};
    use ndarray_npy::WriteNpyExt;
    use proptest::prelude::*;

    /// An archive under construction.
    struct File(NpzWriter<Cursor<Vec<u8>>>);

    impl File {
        fn new() -> File {
            File(NpzWriter::new(Cursor::new(Vec::new())))
        }

        fn with(mut self, name: &str, array: &impl WriteNpyExt) -> File {
            self.0.add_array(name, array).unwrap();
            self
        }

        fn read(self, prefix: &str) -> Result<Network> {
            let bytes = self.0.finish().unwrap().into_inner();
            parse_network(&bytes, prefix, &[Activation::Relu])
        }

        #[track_caller]
        fn refused(self, words: &str) {
            let error = self.read("").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
    }

    fn weight(inputs: usize, outputs: usize) -> Array2<f64> {
        Array2::from_shape_fn((inputs, outputs), |(i, j)| i as f64 + j as f64 / 8.0)
    }

    #[test]
    fn types_orders_and_shapes_of_biases() {
        let turned = Array2::from_shape_fn((3, 2).f(), |(i, j)| (i + 10 * j) as f32);
        let network = File::new()
            .with("b3", &Array2::from_elem((1, 4), -0.5f32))
            .with("w1", &weight(5, 3))
            .with("b1", &Array2::from_shape_fn((3, 1), |(i, _)| i as f64 / 3.0))
            .with("w2", &turned)
            .with("b2", &Array1::from(vec![0.25f32, 0.5]))
            .with("w3", &weight(2, 4))
            .with("accuracy", &Array1::from(vec![1u8]))
            .read("")
            .unwrap();
        assert_eq!((network.inputs(), network.outputs()), (5, 4));
        assert_eq!(network.weight(0)[..5], [0.0, 0.125, 0.25, 1.0, 1.125]);
        assert_eq!(network.bias(0), [0.0, 1.0 / 3.0, 2.0 / 3.0]);
        assert_eq!(network.weight(1), [0.0, 10.0, 1.0, 11.0, 2.0, 12.0]);
        assert_eq!(network.bias(1), [0.25, 0.5]);
        assert_eq!(network.bias(2), [-0.5; 4]);
        assert_eq!(network.activation_after(1), Activation::Relu);
        assert_eq!(network.activation_after(2), Activation::Identity);
    }

    #[test]
    fn a_prefix_chooses_among_several_networks() {
        let file = || {
            let mut file = File::new();
            for (prefix, bias) in [("init_", 0.0), ("final_", 7.0)] {
                file = file
                    .with(&format!("{prefix}w1"), &weight(2, 2))
                    .with(&format!("{prefix}b1"), &Array1::from(vec![bias; 2]));
            }
            file
        };
        assert_eq!(file().read("").unwrap().bias(0), [0.0, 0.0]);
        assert_eq!(file().read("final_").unwrap().bias(0), [7.0, 7.0]);
        let both = file().with("w1", &weight(2, 1)).with("b1", &Array1::from(vec![3.0]));
        assert_eq!(both.read("").unwrap().bias(0), [3.0]);
        let message = file().read("best_").unwrap_err().to_string();
        assert!(message.contains("best_w1") && message.contains("init_w1"), "{message}");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let bias = |n: usize| Array1::<f32>::zeros(n);
        let first = || File::new().with("w1", &weight(3, 2)).with("b1", &bias(2));
        File::new().refused("the file has none");
        File::new().with("weights", &bias(2)).refused("the file has weights");
        File::new().with("w1", &bias(6)).with("b1", &bias(2)).refused("two dimensions");
        File::new().with("w1", &weight(0, 2)).with("b1", &bias(2)).refused("empty");
        File::new().with("w1", &weight(3, 2)).refused("no b1");
        File::new().with("w1", &weight(3, 2)).with("b1", &bias(3)).refused("b1 has shape [3]");
        let square = Array2::<f32>::zeros((2, 2));
        File::new().with("w1", &weight(3, 2)).with("b1", &square).refused("expected (2, 1)");
        first().with("w2", &weight(4, 2)).with("b2", &bias(2)).refused("w2 has 4 rows, expected 2");
        first().with("w3", &weight(2, 2)).refused("w3, but no w2");
        first().with("b2", &bias(2)).refused("b2, but no w2");
        let integers = Array2::from_elem((3, 2), 1i64);
        File::new().with("w1", &integers).with("b1", &bias(2)).refused("int64");
        let large = Array2::from_elem((3, 2), 1e300);
        File::new().with("w1", &large).with("b1", &bias(2)).refused("value 0 of w1");
        let undefined = Array1::from(vec![0.0, f32::NAN]);
        File::new().with("w1", &weight(3, 2)).with("b1", &undefined).refused("value 1 of b1");
    }

    /// An array file with this text as its header and these bytes as its values.
    struct Raw(&'static str, Vec<u8>);

    impl WriteNpyExt for Raw {
        fn write_npy<W: std::io::Write>(
            &self,
            mut writer: W,
        ) -> std::result::Result<(), ndarray_npy::WriteNpyError> {
            let length = (self.0.len() as u16).to_le_bytes();
            writer.write_all(
                &[&b"\x93NUMPY\x01\x00"[..], &length, self.0.as_bytes(), &self.1].concat(),
            )?;
            Ok(writer.flush()?)
        }
    }

    #[test]
    fn arrays_that_promise_more_than_the_file_holds_are_refused() {
        let file = |shape: &'static str| {
            File::new()
                .with("w1", &Raw(shape, vec![0; 24]))
                .with("b1", &Array1::from(vec![0f32; 2]))
        };
        let whole = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2)}\n";
        assert_eq!(file(whole).read("").unwrap().inputs(), 3);
        file("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 2)}\n").refused("w1");
        file("{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 2)}\n")
            .refused("w1");
    }

    proptest! {
        #[test]
        fn networks_come_back(
            widths in prop::collection::vec(1usize..6, 2..5),
            seed in any::<u64>(),
            scalar in any::<bool>(),
            clipped in any::<bool>(),
        ) {
            let [inputs, hidden @ .., outputs] = &widths[..] else { unreachable!() };
            let mut network = Network::dense(*inputs, hidden, &[Activation::Tanh], *outputs).unwrap();
            network.initialize(crate::network::Init::Glorot, seed);
            network.bias_mut(0).fill(0.1);
            let transform = if scalar {
                Transform::IDENTITY
            } else {
                let ones = vec![1.0; *inputs];
                Transform::Affine(Affine::PerFeature { means: ones.clone(), stds: ones })
            };
            let transform = if clipped { transform.clipped(*inputs) } else { transform };
            let bytes = write_network(&network, &transform).unwrap();
            let read = read_model(&bytes, &ReadOptions::default()).unwrap().model;
            prop_assert_eq!(read.transform.is_clipped(), clipped);
            prop_assert_eq!(&parse_network(&bytes, "", &[Activation::Tanh]).unwrap(), &network);
            prop_assert_eq!(write_network(&network, &transform).unwrap(), bytes);
        }

        #[test]
        fn mutated_archives_never_panic(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        ) {
            let network = Network::dense(3, &[2], &[Activation::Relu], 2).unwrap();
            let mut bytes = write_network(&network, &Transform::IDENTITY).unwrap();
            for (at, value) in changes {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            let _ = parse_network(&bytes, "", &[Activation::Relu]);
        }
    }
}
