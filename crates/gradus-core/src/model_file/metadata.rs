//! What a model file contains besides the weights: a [`Model`] in, one text for each key out, and
//! back. docs/formats.md shows every key with an example.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::error::{Error, Result, invalid};
use crate::files::json;
use crate::loss::Loss;
use crate::model::{InputKind, MOST_MEMBERS, Model, Outputs, Provenance, ValueRange};
use crate::network::{
    Activation, Column, ColumnLayer, Layer, Linear, Network, NumericEmbedding, Parametric, Tensor,
};
use crate::samples::Task;
use crate::transform::Transform;

/// The newest version of the model file: that of models whose predictions are clipped, or whose numbers are embedded in bins.
pub const FORMAT_VERSION: u32 = 7;

/// The version of bags of networks, and of models with errors for intervals.
const BAGS_VERSION: u32 = 6;

/// The version of models for several labels, with another loss than the usual one, which decides what becomes of
/// their outputs, with a layer of columns or strengths of activations, or with raw columns of tables. Those with a robust normalization are as they were
/// in version 4, those that take double precision as in version 3, other regressors as in version 2, other classifiers as
/// in version 1, and are written so. All are read.
const COLUMNS_VERSION: u32 = 5;

/// The version that introduced robust normalization.
const CLIPPED_VERSION: u32 = 4;

/// The version that introduced double precision.
const DOUBLES_VERSION: u32 = 3;

/// The key of the loss, where it is not the usual one of the outputs.
const LOSS: &str = "loss";

/// The key of the weights of the targets in the loss, where they are not the same.
const WEIGHTS: &str = "output_weights";

/// The key of the range of the predictions of each output, where they are clipped.
const RANGE: &str = "prediction_range";

/// The value of the key `format`.
const FORMAT: &str = "gradus";

/// The key of the layers.
const ARCHITECTURE: &str = "architecture";

/// The key of the raw values that the model takes. Every file has it since it was introduced, so that a
/// file with it and without a digest is damaged.
pub const INPUTS: &str = "inputs";

/// The key of the columns of the table that the model was trained on.
const COLUMNS: &str = "columns";

/// The key of the number of networks of a bag.
const MEMBERS: &str = "members";

/// The key of the errors that intervals are made from.
const INTERVALS: &str = "intervals";

/// Keys and their values, JSON texts except for the first two.
pub type Metadata = BTreeMap<String, String>;

/// One layer as `architecture` has it: `{"linear":{"inputs":784,"outputs":128}}` or `"relu"`, and for tables
/// `{"columns":{"kinds":["number",{"category":12}],"numeric":"pbld","category_outputs":8}}`.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum StoredLayer {
    Linear { linear: Size },
    Columns { columns: Columns },
    Parametric { parametric: String },
    Activation(String),
}

#[derive(Serialize, Deserialize)]
struct Size {
    inputs: usize,
    outputs: usize,
}

#[derive(Serialize, Deserialize)]
struct Columns {
    kinds: Vec<Column>,
    numeric: String,
    category_outputs: usize,
}

impl Columns {
    fn of(layer: &ColumnLayer) -> Columns {
        Columns {
            kinds: layer.columns().to_vec(),
            numeric: layer.numeric().name(),
            category_outputs: layer.category_outputs(),
        }
    }

    fn read(self) -> Result<ColumnLayer> {
        let Columns { kinds, numeric, category_outputs } = self;
        let numeric = NumericEmbedding::parse(&numeric).ok_or_else(|| {
            damaged(format!("its architecture names the numeric embedding '{numeric}'"))
        })?;
        ColumnLayer::new(kinds, numeric, category_outputs).map_err(damaged)
    }
}

/// The version in which models of a kind are written, and the key of their outputs' names.
fn version_and_names(task: Task) -> (u32, &'static str) {
    match task {
        Task::Classification => (1, "class_names"),
        Task::MultiLabel => (COLUMNS_VERSION, "label_names"),
        Task::Regression => (2, "output_names"),
    }
}

/// Whether numbers are embedded as lines that bend at the edges of bins.
fn has_bins(model: &Model) -> bool {
    let columns = model.network.columns();
    columns.is_some_and(|it| matches!(it.numeric(), NumericEmbedding::Ple { .. }))
}

/// The metadata of this model.
pub fn write(model: &Model) -> Result<Metadata> {
    let (version, names_key) = version_and_names(model.task());
    let version = match &model.transform {
        _ if !model.outputs.range.is_empty() || has_bins(model) => FORMAT_VERSION,
        _ if model.members() > 1 || model.intervals.is_some() => BAGS_VERSION,
        _ if model.task() == Task::MultiLabel => COLUMNS_VERSION,
        _ if !model.loss().is_usual() || model.network.columns().is_some() => COLUMNS_VERSION,
        _ if model.network.has_strengths() => COLUMNS_VERSION,
        transform if transform.schema().is_some() => COLUMNS_VERSION,
        transform if transform.is_clipped() => CLIPPED_VERSION,
        transform if transform.takes_doubles() => DOUBLES_VERSION,
        _ => version,
    };
    let layers = model.network.layers().iter().map(|layer| match layer {
        Layer::Columns(columns) => StoredLayer::Columns { columns: Columns::of(columns) },
        Layer::Linear(linear) => {
            StoredLayer::Linear { linear: Size { inputs: linear.inputs, outputs: linear.outputs } }
        }
        Layer::Activation(activation) => StoredLayer::Activation(activation.name().into()),
        Layer::Parametric(parametric) => {
            StoredLayer::Parametric { parametric: parametric.activation.name().into() }
        }
    });
    let mut metadata: Metadata = [
        ("format", FORMAT.to_owned()),
        ("gradus_version", version.to_string()),
        (ARCHITECTURE, json(&layers.collect::<Vec<_>>())?),
        ("normalization", json(&model.transform)?),
        ("sample_shape", json(&model.sample_shape)?),
        (names_key, json(&model.names())?),
        (INPUTS, json(&model.inputs)?),
        ("training", json(&model.provenance.to_json())?),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    if model.members() > 1 {
        metadata.insert(MEMBERS.to_owned(), json(&model.members())?);
    }
    if let Some(intervals) = &model.intervals {
        metadata.insert(INTERVALS.to_owned(), json(intervals)?);
    }
    if let Some(columns) = &model.columns {
        metadata.insert(COLUMNS.to_owned(), json(columns)?);
    }
    if !model.loss().is_usual() {
        metadata.insert(LOSS.to_owned(), json(&model.loss().name())?);
    }
    if !model.outputs.weights.is_empty() {
        metadata.insert(WEIGHTS.to_owned(), json(&model.outputs.weights)?);
    }
    if !model.outputs.range.is_empty() {
        metadata.insert(RANGE.to_owned(), json(&model.outputs.range)?);
    }
    Ok(metadata)
}

/// Which raw values the model takes: what the file says, or what a file of version 0.1.0 says in
/// `training`, or what the transform tells.
fn inputs(
    metadata: &Metadata,
    provenance: &Provenance,
    transform: &Transform,
) -> Result<InputKind> {
    if metadata.contains_key(INPUTS) {
        return value(metadata, INPUTS);
    }
    let old = provenance.more.get("inputs").unwrap_or(&serde_json::Value::Null);
    let values = match old["values"].as_str() {
        Some("bytes") => ValueRange::Bytes,
        Some("float32" | "sparse float32") => ValueRange::Floats,
        _ => InputKind::guess(transform).values,
    };
    Ok(InputKind { values, mnist_form: old["mnist_form"].as_bool() })
}

/// Whether these are the metadata of a gradus model of any version. Either key is enough: with one flipped bit, the file
/// would pass for that of another program, whose damage goes unnoticed.
#[doc(hidden)] // for the other crates of gradus
pub fn is_gradus(metadata: &Metadata) -> bool {
    metadata.get("format").is_some_and(|format| format == FORMAT)
        || metadata.contains_key("gradus_version")
}

/// Checks that this program can read what these metadata belong to.
///
/// # Errors
/// `InvalidData` if it is no gradus model, or one of a newer gradus.
pub(crate) fn check_version(metadata: &Metadata) -> Result<()> {
    if !is_gradus(metadata) {
        return Err(invalid(
            "a safetensors file, but not a gradus model: its metadata do not say how the layers \
             and the normalization are built; expected a file written by gradus",
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
pub(crate) fn read_layers(metadata: &Metadata) -> Result<Vec<Layer>> {
    let layers: Vec<StoredLayer> = value(metadata, ARCHITECTURE)?;
    let activation = |name: &str| {
        Activation::from_name(name).ok_or_else(|| {
            let known = Activation::known();
            damaged(format!("its architecture names the layer '{name}', known are {known}"))
        })
    };
    let read = |layer| match layer {
        StoredLayer::Columns { columns } => columns.read().map(Layer::Columns),
        StoredLayer::Linear { linear } => {
            Ok(Layer::Linear(Linear::new(linear.inputs, linear.outputs)))
        }
        StoredLayer::Activation(name) => activation(&name).map(Layer::Activation),
        StoredLayer::Parametric { parametric } => {
            activation(&parametric).map(|found| Layer::Parametric(Parametric::new(found)))
        }
    };
    layers.into_iter().map(read).collect()
}

/// How many networks the file holds.
///
/// # Errors
/// `InvalidData` for an impossible number.
pub fn read_members(metadata: &Metadata) -> Result<usize> {
    match metadata.contains_key(MEMBERS) {
        false => Ok(1),
        true => {
            let members = value(metadata, MEMBERS)?;
            let possible = 2..=MOST_MEMBERS;
            match possible.contains(&members) {
                true => Ok(members),
                false => {
                    Err(damaged(format!("it has {members} members, expected 2 to {MOST_MEMBERS}")))
                }
            }
        }
    }
}

/// The model of these metadata, if they name its layers; `tensor` gives the values of each tensor by the number of
/// its network in a bag, counted from 1, and its name. There are at most `stored` values in all. An ONNX file names the layers only where its graph does not tell.
///
/// # Errors
/// `InvalidData` if a tensor or a key is missing or does not fit.
#[doc(hidden)] // for the other crates of gradus
pub fn read_with_tensors(
    metadata: &Metadata,
    stored: usize,
    tensor: impl Fn(Option<usize>, &str) -> Result<Vec<f32>>,
) -> Result<Option<Model>> {
    if !metadata.contains_key(ARCHITECTURE) {
        return Ok(None);
    }
    check_version(metadata)?;
    let (layers, members) = (read_layers(metadata)?, read_members(metadata)?);
    // Before memory is taken for the network.
    let parameters = layers.iter().try_fold(0usize, |sum, layer| match layer {
        Layer::Columns(columns) => sum.checked_add(columns.parameters()),
        Layer::Linear(linear) => sum.checked_add(linear.inputs.checked_mul(linear.outputs)?),
        // Those of a linear layer are more than its strengths.
        Layer::Activation(_) | Layer::Parametric(_) => Some(sum),
    });
    let parameters = parameters.and_then(|count| count.checked_mul(members));
    if parameters.is_none_or(|wanted| wanted > stored) {
        return Err(damaged(format!("its layers need more weights than the {stored} in the file")));
    }
    let read_network = |member: Option<usize>| {
        let mut network = Network::from_layers(layers.clone()).map_err(damaged)?;
        for Tensor { name, range, .. } in network.tensors() {
            let (found, target) = (tensor(member, &name)?, &mut network.parameters_mut()[range]);
            if found.len() != target.len() {
                let (found, wanted) = (found.len(), target.len());
                return Err(damaged(format!("'{name}' has {found} values, expected {wanted}")));
            }
            target.copy_from_slice(&found);
        }
        Ok(network)
    };
    let networks = (1..=members).map(|at| read_network((members > 1).then_some(at)));
    read(metadata, networks.collect::<Result<_>>()?).map(Some)
}

/// The model around these networks, of which there is at least one.
pub(crate) fn read(metadata: &Metadata, mut networks: Vec<Network>) -> Result<Model> {
    let transform = value(metadata, "normalization")?;
    let others = networks.split_off(1);
    let network = networks.remove(0);
    let intervals =
        metadata.contains_key(INTERVALS).then(|| value(metadata, INTERVALS)).transpose()?;
    let model = Model { others, intervals, ..assemble(metadata, network, transform)? };
    check(&model).map_err(damaged)?;
    Ok(model)
}

/// The model of this network and transform that these metadata describe: a regression model if its
/// outputs have names, else a classifier. It is a single network, whatever the metadata say of members.
pub fn assemble(metadata: &Metadata, network: Network, transform: Transform) -> Result<Model> {
    let sample_shape = value(metadata, "sample_shape")?;
    let provenance = Provenance::from_json(value(metadata, "training")?).map_err(damaged)?;
    let kinds = [Task::Classification, Task::MultiLabel, Task::Regression];
    let mut found =
        kinds.into_iter().filter(|&task| metadata.contains_key(version_and_names(task).1));
    let task = found.next().unwrap_or(Task::Classification);
    let key = version_and_names(task).1;
    if let Some(other) = found.next() {
        let other = version_and_names(other).1;
        return Err(damaged(format!("its metadata have both '{key}' and '{other}'")));
    }
    let outputs = match task {
        Task::Classification => Outputs::classes(value(metadata, key)?),
        Task::MultiLabel => Outputs::labels(value(metadata, key)?),
        Task::Regression => Outputs::values(value(metadata, key)?),
    };
    let outputs = with_loss(metadata, outputs)?;
    let inputs = inputs(metadata, &provenance, &transform)?;
    let columns = metadata.contains_key(COLUMNS).then(|| value(metadata, COLUMNS)).transpose()?;
    let (others, intervals) = (Vec::new(), None);
    let model = Model {
        network,
        others,
        intervals,
        transform,
        sample_shape,
        outputs,
        inputs,
        columns,
        provenance,
    };
    check(&model).map_err(damaged)?;
    Ok(model)
}

/// The outputs with the loss, the weights and the range that the file says they have.
fn with_loss(metadata: &Metadata, outputs: Outputs) -> Result<Outputs> {
    let loss = match metadata.contains_key(LOSS) {
        false => outputs.loss.clone(),
        true => {
            let name: String = value(metadata, LOSS)?;
            let found = Loss::from_name(&name).filter(|loss| loss.task() == outputs.loss.task());
            found.ok_or_else(|| {
                damaged(format!("its loss is '{name}', expected {}", Loss::EXPECTED))
            })?
        }
    };
    let weights = match metadata.contains_key(WEIGHTS) {
        false => Vec::new(),
        true => value(metadata, WEIGHTS)?,
    };
    let range = match metadata.contains_key(RANGE) {
        false => Vec::new(),
        true => value(metadata, RANGE)?,
    };
    Ok(Outputs { loss, weights, range, ..outputs })
}

/// Checks that the parts of a model fit together and hold only finite numbers, so that every
/// file that is written can be read.
pub fn check(model: &Model) -> Result<()> {
    let Model { network, sample_shape, transform, .. } = model;
    let wrong = |message: String| Err(Error::argument(message));
    let features = sample_shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
    let inputs = network.inputs();
    let Some(features) = features.filter(|&it| transform.width(it) == inputs) else {
        return wrong(format!("samples of shape {sample_shape:?} do not fit {inputs} inputs"));
    };
    if network.columns().is_some() && sample_shape.len() != 1 {
        return wrong(format!(
            "a layer of columns takes the rows of a table, but the samples have the shape {sample_shape:?}"
        ));
    }
    let (names, outputs) = (model.names().len(), network.outputs());
    if names != outputs {
        let what = match model.task() {
            Task::Classification => "class names",
            Task::MultiLabel => "label names",
            Task::Regression => "output names",
        };
        return wrong(format!("{names} {what} do not fit {outputs} outputs"));
    }
    let per_target = model.loss().outputs_per_target();
    let (targets, weights) = (outputs / per_target, &model.outputs.weights);
    if outputs % per_target != 0 {
        return wrong(format!("{outputs} outputs do not make rows of {per_target} quantiles"));
    }
    let sound = weights.iter().all(|&weight| weight.is_finite() && weight >= 0.0);
    let fit = sound && weights.len() == targets && weights.iter().any(|&it| it > 0.0);
    if !fit && !weights.is_empty() {
        return wrong(format!("the weights {weights:?} do not fit {targets} targets"));
    }
    model.outputs.check_range()?;
    transform.check(features)?;
    if let Some(columns) = &model.columns {
        columns.check(features)?;
    }
    if model.others.iter().any(|other| other.layers() != network.layers()) {
        return wrong("the networks of a bag must have the same layers".into());
    }
    if model.members() > MOST_MEMBERS {
        return wrong(format!(
            "{} members, but at most {MOST_MEMBERS} are possible",
            model.members()
        ));
    }
    if let Some(intervals) = &model.intervals {
        if model.task() != Task::Regression {
            return wrong("errors for intervals are for models that predict values".into());
        }
        intervals.check(outputs)?;
    }
    if !model.networks().all(Network::has_sound_bins) {
        return wrong("the edges of the bins of its numbers are not in ascending order".into());
    }
    let parameters =
        || model.networks().flat_map(|network| network.parameters().iter().enumerate());
    if let Some((at, weight)) = parameters().find(|(_, weight)| !weight.is_finite()) {
        return wrong(format!(
            "parameter {at} is {weight}, but all must be finite: the training that it comes from \
             diverged"
        ));
    }
    Ok(())
}

/// As [`check`], for formats without a place for a schema.
///
/// # Errors
/// `InvalidArgument` naming what is wrong.
pub fn check_for_export(model: &Model) -> Result<()> {
    let checked = match model.transform.schema() {
        None => check(model),
        Some(_) => Err(Error::argument(
            "it takes raw columns of a table, with text, dates or gaps, for which this format has no place; use \
             .safetensors, .onnx or .c",
        )),
    };
    checked.map_err(|error| error.context("this model cannot be exported"))
}

/// Checks that a model is a single network, for forms that have no place for more.
///
/// # Errors
/// `InvalidArgument` for a bag.
pub fn check_single(model: &Model) -> Result<()> {
    match model.members() {
        1 => Ok(()),
        members => Err(Error::argument(format!(
            "this model cannot be exported: it is a bag of {members} networks, which this form has no place for; use \
             .safetensors, .onnx or .c, or train without `members`"
        ))),
    }
}

/// The text of a metadata value.
pub fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::argument(error.to_string()))
}

fn text<'a>(metadata: &'a Metadata, key: &str) -> Result<&'a str> {
    let found = metadata.get(key).map(String::as_str);
    found.ok_or_else(|| damaged(format!("its metadata have no '{key}'")))
}

fn value<T: DeserializeOwned>(metadata: &Metadata, key: &str) -> Result<T> {
    json::parse(text(metadata, key)?.as_bytes())
        .map_err(|error| damaged(format!("'{key}' in its metadata cannot be read: {error}")))
}

/// A gradus model that is broken.
pub fn damaged(problem: impl std::fmt::Display) -> Error {
    invalid(format!(
        "the model is damaged: {problem}; copy the file again, or train the model anew"
    ))
}
