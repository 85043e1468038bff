//! A Keras model: the bytes of a `.keras`, `.weights.h5` or `.h5` file in, a model out.
//!
//! A `.keras` file is a zip archive of `config.json`, which has the layers in order, and
//! `model.weights.h5`, which has their arrays. The latter alone knows neither activations nor what
//! stands between dense layers. An `.h5` file of Keras 2 has both: the layers are an attribute of it.

mod hdf5;
mod layers;

use std::collections::BTreeMap;
use std::io::Cursor;

use gradus_core::error::invalid;
use gradus_core::model_file::damaged;
use serde_json::Value;

use super::foreign::{Foreign, HALVES};
use super::scaling::Scaling;
use super::stack::{ReadOptions, Stack, elu, leaky_relu, one_slope};
use crate::data::zip::Archive;
use crate::error::Result;
use crate::files::json;
use crate::network::Activation;
use hdf5::Weights;
use layers::{batch_norm, dense, normalization, numbers};

/// The layers in the archive.
pub(super) const CONFIG: &str = "config.json";

/// The most bytes of [`CONFIG`]: that of a normalization of 100,000 features has about 4 MB.
const LARGEST_CONFIG: u64 = 8 << 20;

/// The arrays in the archive.
const WEIGHTS: &str = "model.weights.h5";

/// Layers that do nothing when predicting.
const TRAINING_ONLY: [&str; 6] = [
    "InputLayer",
    "Dropout",
    "GaussianNoise",
    "GaussianDropout",
    "AlphaDropout",
    "ActivityRegularization",
];

/// The model in a `.keras` file.
///
/// # Errors
/// `InvalidData` if it is damaged, or not a stack of dense layers.
pub(super) fn read_model(
    archive: &mut Archive<Cursor<&[u8]>>,
    options: &ReadOptions,
) -> Result<Foreign> {
    let mut part = |name: &str| match archive.find(name) {
        Some(entry) if name == CONFIG && entry.size > LARGEST_CONFIG => {
            Err(invalid(format!("its {CONFIG} has {} bytes, at most 8 MiB are read", entry.size)))
        }
        Some(entry) => archive.read(&entry),
        None => Err(invalid(format!("the archive has no {name}, as a .keras file has"))),
    };
    let config: Value = json::parse(&part(CONFIG)?)
        .map_err(|error| damaged(format!("its {CONFIG} cannot be read: {error}")))?;
    let weights = Weights::open(&part(WEIGHTS)?)?;
    of_config(&config, weights, options)
}

/// The model in an HDF5 file: a whole one of Keras 2, or the weights of either version.
///
/// # Errors
/// As [`read_model`].
pub(super) fn read_hdf5(bytes: &[u8], options: &ReadOptions) -> Result<Foreign> {
    let Some(text) = Weights::config(bytes)? else { return read_weights(bytes, options) };
    let config: Value = json::parse(&text)
        .map_err(|error| damaged(format!("its model_config cannot be read: {error}")))?;
    of_config(&config, Weights::open(bytes)?, options)
}

/// The model of a configuration and the arrays of its layers.
fn of_config(config: &Value, weights: Weights, options: &ReadOptions) -> Result<Foreign> {
    let kind = text(config, "class_name");
    // Functional models were called Model before Keras 2.4.
    if !["Sequential", "Functional", "Model"].contains(&kind) {
        return Err(invalid(format!(
            "a Keras model of class '{kind}', expected Sequential, or Functional with layers one \
             after the other"
        )));
    }
    let inner = &config["config"];
    let layers = inner["layers"].as_array().or(inner.as_array()).map_or(&[][..], Vec::as_slice);
    if kind != "Sequential" {
        check_chain(layers)?;
    }
    let mut reader =
        Reader { stack: Stack::new(options.transform.as_ref()), weights, seen: BTreeMap::new() };
    for layer in layers {
        let name = text(&layer["config"], "name");
        let what = || format!("layer '{name}' ({})", text(layer, "class_name"));
        reader.layer(layer).map_err(|error| error.context(what()))?;
    }
    let mut found = reader.stack.finish(sample_shape(layers)).map(Foreign::new)?;
    if reader.weights.has_halves {
        found.warnings.push(HALVES.to_owned());
    }
    Ok(found)
}

/// The model of the weights in an HDF5 file.
fn read_weights(bytes: &[u8], options: &ReadOptions) -> Result<Foreign> {
    let mut weights = Weights::open(bytes)?;
    let mut layers = Vec::new();
    for name in weights.names()? {
        let arrays = weights.arrays(&name)?;
        if name == "dense" || name.starts_with("dense_") {
            layers.push(dense(arrays).map_err(|error| error.context(&name))?);
        } else if !arrays.is_empty() {
            return Err(invalid(format!(
                "the layer '{name}' is not dense, and the file does not say where it stands; save \
                 the whole model: model.save(\"model.keras\")"
            )));
        }
    }
    let mut stack = Stack::new(options.transform.as_ref());
    stack.push_all(layers, options.hidden_activations())?;
    let mut found = stack.finish(None).map(Foreign::bare)?;
    if weights.has_halves {
        found.warnings.push(HALVES.to_owned());
    }
    Ok(found)
}

/// Goes through the layers.
struct Reader {
    stack: Stack,
    weights: Weights,
    /// How many layers of each class came before: their arrays are numbered by it.
    seen: BTreeMap<String, usize>,
}

impl Reader {
    fn layer(&mut self, layer: &Value) -> Result<()> {
        let (class, config) = (text(layer, "class_name"), &layer["config"]);
        let number = self.seen.entry(class.to_owned()).or_default();
        let suffix = if *number == 0 { String::new() } else { format!("_{number}") };
        *number += 1;
        let by_name = self.weights.by_name;
        // Keras 3 numbers the layers of a class, whatever their names are.
        let key = |class: &str| match by_name {
            true => text(config, "name").to_owned(),
            false => format!("{class}{suffix}"),
        };
        match class {
            "Dense" => {
                let arrays = self.weights.arrays(&key("dense"))?;
                self.stack.linear(dense(arrays)?)?;
                self.activation(&config["activation"])
            }
            "Activation" => self.activation(&config["activation"]),
            "ReLU" | "LeakyReLU" => self.rectifier(class, config),
            "ELU" => self.stack.activation(elu(config["alpha"].as_f64().unwrap_or(1.0) as f32)?),
            "PReLU" => {
                let arrays = self.weights.arrays(&key("p_re_lu"))?;
                let slopes = arrays.into_iter().next().map(|array| array.values.to_f32());
                self.stack.activation(one_slope(&slopes.unwrap_or_default())?)
            }
            "Softmax" => {
                self.stack.end();
                Ok(())
            }
            "BatchNormalization" => {
                let arrays = self.weights.arrays(&key("batch_normalization"))?;
                self.stack.affine(batch_norm(config, arrays)?)
            }
            "Rescaling" => {
                let (scale, shift) = (numbers(&config["scale"])?, numbers(&config["offset"])?);
                self.stack.affine(Scaling { scale, shift })
            }
            "Normalization" => {
                let arrays = self.weights.arrays(&key("normalization"))?;
                self.stack.affine(normalization(config, arrays)?)
            }
            "Flatten" | "Reshape" => Ok(()),
            other if TRAINING_ONLY.contains(&other) => Ok(()),
            _ => Err(invalid(
                "gradus does not have this layer; a dense network may have Dense, Activation, ReLU, \
                 LeakyReLU, PReLU, ELU, Softmax, BatchNormalization, Normalization, Rescaling, Flatten and \
                 Dropout",
            )),
        }
    }

    fn activation(&mut self, name: &Value) -> Result<()> {
        let activation = match name.as_str() {
            Some("softmax" | "log_softmax") => {
                self.stack.end();
                return Ok(());
            }
            Some("linear") => Activation::Identity,
            // Keras's function of that name has another slope than its layer and than gradus.
            Some("leaky_relu") => leaky_relu(0.2)?,
            Some(name) => Activation::from_name(name).ok_or_else(|| not_known(name))?,
            None => return Err(not_known(&name.to_string())),
        };
        self.stack.activation(activation)
    }

    fn rectifier(&mut self, class: &str, config: &Value) -> Result<()> {
        let number = |key: &str, usual: f64| config[key].as_f64().unwrap_or(usual);
        if config["max_value"].as_f64().is_some() || number("threshold", 0.0) != 0.0 {
            return Err(invalid("it has a largest value or a threshold, gradus's ReLU has none"));
        }
        let usual = if class == "ReLU" { 0.0 } else { 0.3 };
        self.stack.activation(match number("negative_slope", usual) as f32 {
            0.0 => Activation::Relu,
            slope => leaky_relu(slope)?,
        })
    }
}

fn not_known(name: &str) -> crate::error::Error {
    let known = Activation::known();
    invalid(format!("the activation {name}, but gradus's are {known}"))
}

/// The shape of one sample, where the first layer names it.
fn sample_shape(layers: &[Value]) -> Option<Vec<usize>> {
    let config = &layers.first()?["config"];
    let shape = config["batch_shape"].as_array().or(config["batch_input_shape"].as_array())?;
    let sizes = shape.get(1..)?.iter();
    let sizes: Option<Vec<usize>> =
        sizes.map(|size| size.as_u64().and_then(|size| usize::try_from(size).ok())).collect();
    let sizes: Vec<usize> = sizes?.into_iter().filter(|&size| size != 1).collect();
    (!sizes.is_empty()).then_some(sizes)
}

/// Checks that each layer takes the output of the one before it, and nothing else.
fn check_chain(layers: &[Value]) -> Result<()> {
    for (before, layer) in layers.iter().zip(layers.iter().skip(1)) {
        let mut sources = Vec::new();
        histories(&layer["inbound_nodes"], &mut sources);
        let expected = text(&before["config"], "name");
        if sources != [expected] {
            return Err(invalid(format!(
                "layer '{}' takes {}, expected only '{expected}', the layer before it: gradus has \
                 layers one after the other",
                text(&layer["config"], "name"),
                sources.join(", ")
            )));
        }
    }
    Ok(())
}

/// The names of the layers that a layer's inputs come from.
fn histories<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        // As Keras 2 writes it: the name, and two numbers.
        Value::Array(values) => match &values[..] {
            [Value::String(name), Value::Number(_), Value::Number(_), ..] => found.push(name),
            _ => values.iter().for_each(|value| histories(value, found)),
        },
        Value::Object(map) => {
            for (key, value) in map {
                match (key.as_str(), value.get(0).and_then(Value::as_str)) {
                    ("keras_history", Some(name)) => found.push(name),
                    _ => histories(value, found),
                }
            }
        }
        _ => {}
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or("")
}

#[cfg(test)]
#[allow(dead_code)]
#[path = "../../../../gradus-data/src/testing.rs"]
mod testing;

#[cfg(test)]
mod tests {
    use super::testing::zip_file;
    use super::*;
    use crate::classifier::Model;
    use crate::network::Layer;
    use proptest::prelude::*;

    /// The files of tests/golden/keras.keras.
    fn parts() -> (Vec<u8>, Vec<u8>) {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/keras.keras");
        let mut archive = Archive::open(std::fs::File::open(path).unwrap()).unwrap();
        let mut part = |name| {
            let entry = archive.find(name).unwrap();
            archive.read(&entry).unwrap()
        };
        (part(CONFIG), part(WEIGHTS))
    }

    fn read(config: &[u8], weights: &[u8]) -> Result<Model> {
        let file = zip_file(&[(CONFIG, config), (WEIGHTS, weights)], true);
        let mut archive = Archive::open(Cursor::new(&file[..]))?;
        read_model(&mut archive, &ReadOptions::default()).map(|found| found.model)
    }

    #[track_caller]
    fn refused(from: &str, to: &str, words: &str) {
        let (config, weights) = parts();
        let text = String::from_utf8(config).unwrap();
        assert!(text.contains(from), "{text}");
        let message =
            read(text.replacen(from, to, 1).as_bytes(), &weights).unwrap_err().to_string();
        assert!(message.contains(words), "{message}");
    }

    #[test]
    fn leaky_rectifiers_have_keras_s_slopes() {
        let (config, weights) = parts();
        let text = String::from_utf8(config).unwrap();
        for (from, to, slope) in [
            ("\"gelu\"", "\"leaky_relu\"", 0.2),
            ("\"negative_slope\": 0.0", "\"negative_slope\": 0.5", 0.5),
        ] {
            assert!(text.contains(from), "{text}");
            let model = read(text.replacen(from, to, 1).as_bytes(), &weights).unwrap();
            let found = model.network.layers().to_vec();
            let expected = Layer::Activation(Activation::LeakyRelu { slope });
            assert!(found.contains(&expected), "{found:?}");
        }
    }

    #[test]
    fn what_gradus_does_not_have_is_named() {
        let (config, weights) = parts();
        assert_eq!(read(&config, &weights).unwrap().sample_shape, [4, 3]);
        refused("\"Dropout\"", "\"GRU\"", "(GRU): gradus does not have this layer");
        refused("\"gelu\"", "\"softsign\"", "the activation softsign");
        refused("\"softmax\"", "\"sigmoid\"", "ends with sigmoid on 3 outputs");
        refused("\"negative_slope\": 0.0", "\"negative_slope\": 1.5", "slope is 1.5");
        refused("\"max_value\": null", "\"max_value\": 6.0", "largest value");
        refused("\"Sequential\"", "\"Functional\"", "expected only");
        refused("\"Sequential\"", "\"Sub\"", "of class 'Sub'");
        refused("\"use_bias\": true", "\"use_bias\": true,", "cannot be read");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

        #[test]
        fn mutated_files_never_panic(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            word in prop::sample::select(vec!["null", "[]", "{}", "-1", "1e400", "\"relu\"", "0"]),
            place in any::<prop::sample::Index>(),
        ) {
            let (config, weights) = parts();
            let change = |bytes: &[u8]| {
                let mut bytes = bytes.to_vec();
                for (at, value) in &changes {
                    let at = at.index(bytes.len());
                    bytes[at] = *value;
                }
                bytes
            };
            let _ = read(&change(&config), &weights);
            let _ = read(&config, &change(&weights));
            // A value in the place of another.
            let text = String::from_utf8(config).unwrap();
            let colons: Vec<usize> = text.match_indices(": ").map(|(at, _)| at + 2).collect();
            let start = colons[place.index(colons.len())];
            let end = start + text[start..].find([',', '}', ']']).unwrap();
            let _ = read([&text[..start], word, &text[end..]].concat().as_bytes(), &weights);
        }
    }
}
