//! What a model file says besides the weights: a [`Model`] in, one text for each key out, and
//! back. docs/formats.md shows every key with an example.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{damaged, invalid};
use crate::error::{Error, Result};
use crate::model::{Classifier, Model, ModelRef, Regressor};
use crate::network::{Activation, Layer, Linear, Network};
use crate::samples::Task;
use crate::transform::normalize::Normalizer;

/// The newest version of the model file: that of regressors. Classifiers are as they were in version
/// 1, and are written so. Both are read.
pub const FORMAT_VERSION: u32 = 2;

/// The value of the key `format`.
const FORMAT: &str = "gradus";

/// Keys and their values, JSON texts except for the first two.
pub type Metadata = BTreeMap<String, String>;

/// One layer as `architecture` has it: `{"linear":{"inputs":784,"outputs":128}}` or `"relu"`.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum StoredLayer {
    Linear { linear: Size },
    Activation(String),
}

#[derive(Serialize, Deserialize)]
struct Size {
    inputs: usize,
    outputs: usize,
}

/// The normalizer as `normalization` has it: `{"scalar":{"mean":0.0,"deviation":255.0}}`. Tagged
/// by its only key it is read without a detour over `f64`: every `f32` comes back bit by bit.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredNormalizer {
    Scalar { mean: f32, deviation: f32 },
    PerFeature { means: Vec<f32>, deviations: Vec<f32> },
}

/// The version in which models of a kind are written, and the key of their outputs' names.
fn version_and_names(task: Task) -> (u32, &'static str) {
    match task {
        Task::Classes => (1, "class_names"),
        Task::Values => (2, "output_names"),
    }
}

/// The metadata of this model.
pub fn write(model: ModelRef) -> Result<Metadata> {
    let (version, names_key) = version_and_names(model.task());
    let layers = model.network().layers().iter().map(|layer| match layer {
        Layer::Linear(linear) => {
            StoredLayer::Linear { linear: Size { inputs: linear.inputs, outputs: linear.outputs } }
        }
        Layer::Activation(activation) => StoredLayer::Activation(activation.name().into()),
    });
    let normalizer = match model.normalizer().clone() {
        Normalizer::Scalar { mean, deviation } => StoredNormalizer::Scalar { mean, deviation },
        Normalizer::PerFeature { means, deviations } => {
            StoredNormalizer::PerFeature { means, deviations }
        }
    };
    Ok([
        ("format", FORMAT.to_owned()),
        ("gradus_version", version.to_string()),
        ("architecture", json(&layers.collect::<Vec<_>>())?),
        ("normalization", json(&normalizer)?),
        ("sample_shape", json(&model.sample_shape())?),
        (names_key, json(&model.names())?),
        ("training", json(model.training())?),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into())
}

/// Whether these are the metadata of a gradus model of any version.
pub fn is_gradus(metadata: &Metadata) -> bool {
    metadata.get("format").is_some_and(|format| format == FORMAT)
}

/// Checks that this program can read what these metadata belong to.
///
/// # Errors
/// `InvalidData` where it is no gradus model, or one of a newer gradus.
pub fn check_version(metadata: &Metadata) -> Result<()> {
    if !is_gradus(metadata) {
        return Err(invalid(
            "a safetensors file, but not a gradus model: its metadata do not say how the layers \
             and the normalisation are built; expected a file written by gradus",
        ));
    }
    let version = text(metadata, "gradus_version")?;
    match version.parse::<u32>() {
        Ok(1..=FORMAT_VERSION) => Ok(()),
        Ok(newer) if newer > FORMAT_VERSION => Err(invalid(format!(
            "written by a newer gradus: format {newer}, this program reads {FORMAT_VERSION}; \
             update gradus"
        ))),
        _ => Err(damaged(format!("gradus_version is '{version}', expected 1 to {FORMAT_VERSION}"))),
    }
}

/// The layers that `architecture` names.
pub fn read_layers(metadata: &Metadata) -> Result<Vec<Layer>> {
    let layers: Vec<StoredLayer> = value(metadata, "architecture")?;
    let read = |layer| match layer {
        StoredLayer::Linear { linear } => {
            Ok(Layer::Linear(Linear::new(linear.inputs, linear.outputs)))
        }
        StoredLayer::Activation(name) => {
            Activation::from_name(&name).map(Layer::Activation).ok_or_else(|| {
                let known = Activation::known();
                damaged(format!("its architecture names the layer '{name}', known are {known}"))
            })
        }
    };
    layers.into_iter().map(read).collect()
}

/// The model around this network: a regressor where its outputs have names, else a classifier.
pub fn read(metadata: &Metadata, network: Network) -> Result<Model> {
    let normalizer = match value(metadata, "normalization")? {
        StoredNormalizer::Scalar { mean, deviation } => Normalizer::Scalar { mean, deviation },
        StoredNormalizer::PerFeature { means, deviations } => {
            Normalizer::PerFeature { means, deviations }
        }
    };
    assemble(metadata, network, normalizer)
}

/// The model of this network and normalisation that these metadata describe.
pub fn assemble(metadata: &Metadata, network: Network, normalizer: Normalizer) -> Result<Model> {
    let (sample_shape, training) = (value(metadata, "sample_shape")?, value(metadata, "training")?);
    let (classes, values) = (version_and_names(Task::Classes).1, version_and_names(Task::Values).1);
    let model = match (metadata.contains_key(classes), metadata.contains_key(values)) {
        (true, true) => {
            return Err(damaged(format!("its metadata have both '{classes}' and '{values}'")));
        }
        (false, true) => {
            let output_names = value(metadata, values)?;
            Regressor { network, normalizer, sample_shape, output_names, training }.into()
        }
        (_, false) => {
            let class_names = value(metadata, classes)?;
            Model::from(Classifier { network, normalizer, sample_shape, class_names, training })
        }
    };
    check(model.as_ref()).map_err(damaged)?;
    Ok(model)
}

/// Checks that the parts of a model fit together and hold only finite numbers, so that every
/// file that is written can be read.
pub fn check(model: ModelRef) -> Result<()> {
    let (network, sample_shape) = (model.network(), model.sample_shape());
    let wrong = |message: String| Err(Error::argument(message));
    let features = sample_shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
    if features != Some(network.inputs()) {
        let inputs = network.inputs();
        return wrong(format!("samples of shape {sample_shape:?} do not fit {inputs} inputs"));
    }
    let (names, outputs) = (model.names().len(), network.outputs());
    if names != outputs {
        let what = match model.task() {
            Task::Classes => "class names",
            Task::Values => "output names",
        };
        return wrong(format!("{names} {what} do not fit {outputs} outputs"));
    }
    let (means, deviations) = match model.normalizer() {
        Normalizer::Scalar { mean, deviation } => {
            (std::slice::from_ref(mean), std::slice::from_ref(deviation))
        }
        Normalizer::PerFeature { means, deviations } => {
            let (found, expected) = ((means.len(), deviations.len()), network.inputs());
            if found != (expected, expected) {
                return wrong(format!(
                    "a normalisation of {} means and {} deviations does not fit {expected} inputs",
                    found.0, found.1
                ));
            }
            (&means[..], &deviations[..])
        }
    };
    if let Some(mean) = means.iter().find(|mean| !mean.is_finite()) {
        return wrong(format!("the normalisation has the mean {mean}, which is not finite"));
    }
    if let Some(deviation) = deviations.iter().find(|&&x| !x.is_finite() || x == 0.0) {
        return wrong(format!(
            "the normalisation divides by {deviation}, which must be finite and not 0"
        ));
    }
    if let Some(at) = network.parameters().iter().position(|weight| !weight.is_finite()) {
        let weight = network.parameters()[at];
        return wrong(format!(
            "parameter {at} is {weight}, but all must be finite: the training that it comes from \
             diverged"
        ));
    }
    Ok(())
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::argument(error.to_string()))
}

fn text<'a>(metadata: &'a Metadata, key: &str) -> Result<&'a str> {
    let found = metadata.get(key).map(String::as_str);
    found.ok_or_else(|| damaged(format!("its metadata have no '{key}'")))
}

fn value<T: DeserializeOwned>(metadata: &Metadata, key: &str) -> Result<T> {
    serde_json::from_str(text(metadata, key)?)
        .map_err(|error| damaged(format!("'{key}' in its metadata cannot be read: {error}")))
}
