//! A trained model, which predicts and is saved.

use std::ffi::CString;
use std::path::PathBuf;

use gradus::classifier::{Model as Trained, Outputs, Predictions, Provenance};
use gradus::data::{Columns, DateOrder, Rows, Task};
use gradus::loss::Loss;
use gradus::model_file::{self, OnnxOptions, ReadOptions};
use gradus::network::{Network, Workers, available_cores};
use gradus::training::settings::current;
use gradus::transform::Transform;
use gradus::transform::columns::SchemaColumn;
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1};
use pyo3::exceptions::{PyAttributeError, PyUserWarning, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::arrays::{Samples, check_finite};
use crate::error_messages;
use crate::errors::{exception, guarded};
use crate::parameters::{known, network_of, set_parameters};
use crate::single::Single;
use crate::table::type_name;

/// The number of samples that justifies another worker.
const SAMPLES_A_WORKER: usize = 512;

/// A trained model; it never changes.
#[pyclass(frozen, module = "gradus._core")]
pub(crate) struct Model {
    trained: Trained,
    single: Single,
}

impl Model {
    pub(crate) fn new(trained: Trained) -> Model {
        Model { trained, single: Single::default() }
    }

    pub(crate) fn trained(&self) -> &Trained {
        &self.trained
    }

    /// Raises AttributeError for a bag: it has no single network whose weights could be shown.
    fn check_single(&self) -> PyResult<()> {
        match self.trained.members() {
            1 => Ok(()),
            members => Err(PyAttributeError::new_err(format!(
                "the model is a bag of {members} networks: it has no weights of a single one"
            ))),
        }
    }

    fn network(&self) -> &Network {
        &self.trained.network
    }

    /// The outputs for each sample, row after row: the probabilities of a classifier, or the predicted
    /// targets of a regressor.
    fn predict(&self, py: Python, samples: &Samples, threads: Option<usize>) -> PyResult<Vec<f32>> {
        let (count, features) = samples.shape();
        let expected = self.trained.features();
        if features != expected {
            return Err(PyValueError::new_err(format!(
                "X has {features} features, but the model takes {expected}"
            )));
        }
        let rows = samples.rows()?;
        check_finite(rows, features, self.feature_names().as_deref())?;
        self.warn_of_scale(py, rows)?;
        if count == 1
            && let Some(outputs) = self.single.predict(&self.trained, rows, <[f32]>::to_vec)?
        {
            return Ok(outputs);
        }
        let threads = threads.unwrap_or_else(available_cores);
        let threads = threads.min(count.div_ceil(SAMPLES_A_WORKER)).max(1);
        py.detach(|| {
            guarded(|| {
                let workers = Workers::new(threads).map_err(gradus::Error::argument)?;
                self.trained.predict(rows, &workers)
            })
        })
    }

    /// Checks that the model is for this task.
    fn check_task(&self, task: Task) -> PyResult<()> {
        let found = self.trained.task();
        match found == task {
            true => Ok(()),
            false => Err(PyValueError::new_err(format!(
                "this is a {} model; expected one for {}",
                found.name(),
                task.name()
            ))),
        }
    }

    /// Warns about samples that seem to be on a different scale than the training data.
    fn warn_of_scale(&self, py: Python, rows: Rows) -> PyResult<()> {
        let Some(mismatch) = self.trained.mismatch(rows) else { return Ok(()) };
        let message = CString::new(format!("X: {mismatch}")).unwrap_or_default();
        PyErr::warn(py, &py.get_type::<PyUserWarning>(), &message, 2)
    }

    /// `x` as a single sample; `None` if it is not a C-contiguous row of bytes or floats that fits the
    /// model.
    fn sample<'py>(&self, x: &Bound<'py, PyAny>) -> PyResult<Option<Samples<'py>>> {
        if self.trained.transform.schema().is_some() {
            return Ok(None);
        }
        let features = self.trained.features();
        let Some(sample) = Samples::one(x, features) else { return Ok(None) };
        let Ok(rows) = sample.rows() else { return Ok(None) };
        check_finite(rows, features, self.feature_names().as_deref())?;
        self.warn_of_scale(x.py(), rows)?;
        Ok(Some(sample))
    }
}

#[pymethods]
impl Model {
    /// The class of one sample; `None` if `x` is not a C-contiguous row of bytes or floats that fits the
    /// model.
    fn label(&self, x: &Bound<'_, PyAny>) -> PyResult<Option<usize>> {
        self.check_task(Task::Classification)?;
        let Some(sample) = self.sample(x)? else { return Ok(None) };
        self.single.predict(&self.trained, sample.rows()?, |probabilities| {
            // The first of equals, as in `Predictions::label`.
            let better = |best: usize, at: usize| match probabilities[at] > probabilities[best] {
                true => at,
                false => best,
            };
            (0..probabilities.len()).fold(0, better)
        })
    }

    /// The class of each sample.
    #[pyo3(signature = (x, threads=None))]
    fn labels<'py>(
        &self,
        py: Python<'py>,
        x: Samples<'py>,
        threads: Option<usize>,
    ) -> PyResult<Bound<'py, PyArray1<i64>>> {
        let predictions = self.predictions(py, &x, threads)?;
        let labels = (0..predictions.len()).map(|row| predictions.label(row) as i64);
        Ok(labels.collect::<Vec<_>>().into_pyarray(py))
    }

    /// The probabilities of all classes for each sample.
    #[pyo3(signature = (x, threads=None))]
    fn probabilities<'py>(
        &self,
        py: Python<'py>,
        x: Samples<'py>,
        threads: Option<usize>,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let predictions = self.predictions(py, &x, threads)?;
        let shape = [predictions.len(), predictions.classes];
        predictions.probabilities.into_pyarray(py).reshape(shape)
    }

    /// The probabilities of all labels for each sample, of a model for several labels.
    #[pyo3(signature = (x, threads=None))]
    fn label_probabilities<'py>(
        &self,
        py: Python<'py>,
        x: Samples<'py>,
        threads: Option<usize>,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        self.check_task(Task::MultiLabel)?;
        let probabilities = self.predict(py, &x, threads)?;
        let outputs = self.network().outputs();
        let shape = [probabilities.len() / outputs, outputs];
        probabilities.into_pyarray(py).reshape(shape)
    }

    /// The predicted targets of one sample; `None` in the cases of `label`.
    fn value<'py>(
        &self,
        py: Python<'py>,
        x: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyArray2<f64>>>> {
        self.check_task(Task::Regression)?;
        let Some(sample) = self.sample(x)? else { return Ok(None) };
        let values = self.single.predict(&self.trained, sample.rows()?, double)?;
        values.map(|values| self.in_rows(py, values)).transpose()
    }

    /// The predicted targets of each sample.
    #[pyo3(signature = (x, threads=None))]
    fn values<'py>(
        &self,
        py: Python<'py>,
        x: Samples<'py>,
        threads: Option<usize>,
    ) -> PyResult<Bound<'py, PyArray2<f64>>> {
        self.check_task(Task::Regression)?;
        let values = self.predict(py, &x, threads)?;
        self.in_rows(py, double(&values))
    }

    /// The outputs for one row of raw columns: a dict by name, where the model knows names, or a list or tuple in the order of
    /// the columns, where it knows none. `None` if the row is anything else or has cells of unusual types: [`Self::predict`]
    /// takes these, or says what is wrong.
    fn row_outputs<'py>(
        &self,
        py: Python<'py>,
        row: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyArray1<f32>>>> {
        let array = |outputs: &[f32]| PyArray1::from_slice(py, outputs);
        self.single.predict_row(&self.trained, row, array)
    }

    /// The weight of each layer, inputs x outputs.
    fn weights<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyArray2<f32>>>> {
        self.check_single()?;
        let network = self.network();
        let layers = network.linears().iter().enumerate();
        layers
            .map(|(index, layer)| {
                let weight = network.weight(index).to_vec().into_pyarray(py);
                weight.reshape([layer.inputs, layer.outputs])
            })
            .collect()
    }

    /// The bias of each layer.
    fn biases<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyArray1<f32>>>> {
        self.check_single()?;
        let network = self.network();
        let layers = 0..network.linears().len();
        Ok(layers.map(|index| network.bias(index).to_vec().into_pyarray(py)).collect())
    }

    /// How many networks it has: more than one for a bag, whose predictions are their means.
    #[getter]
    fn members(&self) -> usize {
        self.trained.members()
    }

    /// Half the widths of intervals of this level, one for each value; `None` if the model has none.
    fn half_widths<'py>(
        &self,
        py: Python<'py>,
        level: f64,
    ) -> PyResult<Option<Bound<'py, PyArray1<f32>>>> {
        let Some(intervals) = &self.trained.intervals else { return Ok(None) };
        let widths = guarded(|| intervals.half_widths(level))?;
        Ok(Some(widths.into_pyarray(py)))
    }

    /// The task: `classification`, `multi-label classification` or `regression`.
    #[getter]
    fn task(&self) -> &'static str {
        self.trained.task().name()
    }

    /// The names of the classes or of the regression targets.
    #[getter]
    fn names(&self) -> Vec<String> {
        self.trained.names().to_vec()
    }

    /// The names of the targets that it was trained on; a name of an output for each quantile is in `names`.
    #[getter]
    fn target_names(&self) -> Vec<String> {
        self.trained.target_names()
    }

    /// The loss that it was trained with.
    #[getter]
    fn loss(&self) -> String {
        self.trained.loss().name()
    }

    /// The names of the features, if it was trained on a table with names.
    #[getter]
    fn feature_names(&self) -> Option<Vec<&str>> {
        self.trained.columns.as_ref()?.feature_names()
    }

    /// Shape of one sample.
    #[getter]
    fn sample_shape(&self) -> Vec<usize> {
        self.trained.sample_shape.to_vec()
    }

    /// The number of features.
    #[getter]
    fn features(&self) -> usize {
        self.trained.features()
    }

    /// The types of the raw columns that it takes, `number`, `text` or `time`, None for those that it does not use; None if
    /// it takes numbers alone.
    #[getter]
    fn column_types(&self) -> Option<Vec<Option<&'static str>>> {
        let schema = self.trained.transform.schema()?;
        let is_used = |column: &SchemaColumn| !matches!(column, SchemaColumn::Dropped { .. });
        let name = |column: &SchemaColumn| is_used(column).then(|| type_name(column.kind()));
        Some(schema.columns().iter().map(name).collect())
    }

    /// For each raw column its kind, `number`, `category`, `date` or `dropped`, and what becomes of it, in words.
    #[getter]
    fn columns(&self) -> Option<Vec<(&'static str, String)>> {
        let schema = self.trained.transform.schema()?;
        Some(schema.columns().iter().map(|column| (column.name(), column.inputs())).collect())
    }

    /// The texts that are gaps, if they are not the usual ones.
    #[getter]
    fn missing(&self) -> Option<Vec<String>> {
        Some(self.trained.columns.as_ref()?.missing()?.to_vec())
    }

    /// For each raw column what comes first in dates such as 05/01/2024, `day-first` or `month-first`, if its dates were such.
    #[getter]
    fn date_orders(&self) -> Vec<Option<&'static str>> {
        let columns = self.trained.columns.as_ref();
        let order = |at| columns?.date_order(at).map(DateOrder::name);
        (0..self.trained.features()).map(order).collect()
    }

    /// Units of each hidden layer.
    #[getter]
    fn hidden(&self) -> Vec<usize> {
        let linears = self.network().linears();
        linears[..linears.len() - 1].iter().map(|layer| layer.outputs).collect()
    }

    /// Whether hidden units have strengths of their activation.
    #[getter]
    fn parametric(&self) -> bool {
        self.network().has_strengths()
    }

    /// The activation after each hidden layer.
    #[getter]
    fn activations(&self) -> Vec<String> {
        let network = self.network();
        let hidden = 0..network.linears().len() - 1;
        hidden.map(|index| network.activation_after(index).name().into_owned()).collect()
    }

    /// The kind of raw values that it takes: `bytes`, `unit`, `floats` or `unknown`.
    #[getter]
    fn input_range(&self) -> &'static str {
        self.trained.inputs.values.name()
    }

    /// Whether it takes samples in double precision: single precision would blur them.
    #[getter]
    fn takes_doubles(&self) -> bool {
        self.trained.transform.takes_doubles()
    }

    /// How it was trained, as JSON.
    #[getter]
    fn training(&self) -> String {
        let mut provenance = self.trained.provenance.clone();
        if let Some(settings) = provenance.settings.as_object() {
            provenance.settings = current(settings).into();
        }
        provenance.to_json().to_string()
    }

    /// Writes the model file, with `training` (JSON) as its metadata.
    fn save(&self, py: Python, path: PathBuf, training: &str) -> PyResult<()> {
        let model = self.with_training(training)?;
        py.detach(|| guarded(|| model_file::save(&model, &path)))
    }

    /// The bytes of the ONNX file; its input takes bytes if `uint8` is true.
    fn to_onnx<'py>(&self, py: Python<'py>, uint8: bool) -> PyResult<Bound<'py, PyBytes>> {
        let options = OnnxOptions { uint8_input: uint8 };
        let bytes =
            py.detach(|| guarded(|| model_file::onnx::to_bytes(&self.trained, &options)))?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// Writes the ONNX file.
    fn save_onnx(&self, py: Python, path: PathBuf, uint8: bool) -> PyResult<()> {
        let options = OnnxOptions { uint8_input: uint8 };
        py.detach(|| guarded(|| model_file::export_onnx(&self.trained, &path, &options)))
    }

    /// Reads a model file, also of other programs, and returns the model and warnings. `activations` and
    /// `scale` (mean and standard deviation) are for bare weights, `class_names` for files without names; by default, the
    /// core decides.
    #[staticmethod]
    fn load(
        py: Python,
        path: PathBuf,
        activations: Vec<String>,
        scale: Option<(f32, f32)>,
        class_names: Vec<String>,
    ) -> PyResult<(Model, Vec<String>)> {
        let activations = known(activations)?;
        let transform = scale.map(|(mean, std)| Transform::scalar(mean, std));
        let options = ReadOptions { activations, transform, class_names };
        let loaded = py.detach(|| guarded(|| model_file::load_as(&path, &options)))?;
        let warnings =
            loaded.warnings.iter().map(|warning| error_messages::of_python(warning)).collect();
        Ok((Model::new(loaded.model), warnings))
    }

    /// A model that is trained with this loss: `parameters` are weight and bias of the first layer, of the second,
    /// ...; `sizes` the features, the units of each hidden layer and the outputs; `activations` one for each hidden
    /// layer.
    #[staticmethod]
    fn of_parameters(
        loss: &str,
        sizes: Vec<usize>,
        activations: Vec<String>,
        parameters: PyReadonlyArray1<f32>,
        names: Vec<String>,
        feature_names: Option<Vec<String>>,
    ) -> PyResult<Model> {
        let Some(loss) = Loss::from_name(loss) else {
            return Err(PyValueError::new_err(format!("there is no loss {loss}")));
        };
        let parameters = parameters.as_slice()?;
        let network = network_of(&sizes, known(activations)?, parameters)?;
        let make = || {
            let outputs = Outputs { loss, ..Outputs::values(names) };
            let shape = vec![network.inputs()];
            let mut model = Trained::new(network, Transform::IDENTITY, shape, outputs)?;
            model.columns = feature_names.map(Columns::of_features);
            Ok(model)
        };
        guarded(make).map(Model::new)
    }

    /// The same model with other parameters, in the order of `of_parameters`.
    fn with_parameters(&self, parameters: PyReadonlyArray1<f32>) -> PyResult<Model> {
        self.check_single()?;
        let mut model = self.trained.clone();
        let parameters = parameters.as_slice()?;
        guarded(|| set_parameters(&mut model.network, parameters))?;
        Ok(Model::new(model))
    }

    /// What the first layer takes is `(x - mean) / deviation`: the means and the deviations, one number for all
    /// features or one for each. ValueError if it is more than that.
    fn normalization(&self) -> PyResult<(Vec<f64>, Vec<f32>)> {
        let transform = &self.trained.transform;
        if transform.schema().is_some() {
            let message = "the model takes raw columns of a table: text, dates and gaps, which no first layer can take";
            return Err(PyValueError::new_err(message));
        }
        if transform.is_clipped() {
            let message = "the normalization is robust: it ends with a smooth clip, which no first layer can do";
            return Err(PyValueError::new_err(message));
        }
        Ok((transform.means(), transform.means_and_stds().1.to_vec()))
    }

    /// The bytes of the model file.
    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = py.detach(|| guarded(|| model_file::to_bytes(&self.trained)))?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// Reads the bytes of a model file.
    #[staticmethod]
    fn from_bytes(py: Python, bytes: &[u8]) -> PyResult<Model> {
        py.detach(|| guarded(|| model_file::model_from_bytes(bytes))).map(Model::new)
    }

    /// For pickling and copying.
    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyBytes>,))> {
        let read = slf.get_type().getattr("from_bytes")?;
        Ok((read, (slf.get().to_bytes(slf.py())?,)))
    }
}

impl Model {
    fn predictions(
        &self,
        py: Python,
        samples: &Samples,
        threads: Option<usize>,
    ) -> PyResult<Predictions> {
        self.check_task(Task::Classification)?;
        let probabilities = self.predict(py, samples, threads)?;
        Ok(Predictions { classes: self.network().outputs(), probabilities })
    }

    /// Predicted targets as an array of samples x targets.
    fn in_rows<'py>(
        &self,
        py: Python<'py>,
        values: Vec<f64>,
    ) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let outputs = self.network().outputs();
        let shape = [values.len() / outputs, outputs];
        values.into_pyarray(py).reshape(shape)
    }

    fn with_training(&self, training: &str) -> PyResult<Trained> {
        let training = serde_json::from_str(training).map_err(|error| {
            exception(&gradus::Error::argument(format!("training is not JSON: {error}")))
        })?;
        let mut model = self.trained.clone();
        model.provenance = Provenance::from_json(training).map_err(|error| exception(&error))?;
        Ok(model)
    }
}

fn double(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}
