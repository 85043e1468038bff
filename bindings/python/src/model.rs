//! A trained model: what predicts, and what is saved.

use std::path::PathBuf;
use std::sync::Mutex;

use gradus::classifier::{Classifier, Predictions, Predictor};
use gradus::data::Rows;
use gradus::model_file;
use gradus::network::{Workers, available_cores};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::arrays::{Samples, check_finite};
use crate::errors::{exception, guarded};

/// Samples that are worth a worker of their own.
const SAMPLES_A_WORKER: usize = 512;

/// A trained model; it never changes.
#[pyclass(frozen, module = "gradus._core")]
pub(crate) struct Model {
    classifier: Classifier,
    /// Ready for single samples of floats and of bytes, once such a one was asked for.
    ready: [Mutex<Option<Predictor>>; 2],
}

impl Model {
    pub(crate) fn new(classifier: Classifier) -> Model {
        Model { classifier, ready: Default::default() }
    }

    pub(crate) fn classifier(&self) -> &Classifier {
        &self.classifier
    }

    fn predict(
        &self,
        py: Python,
        samples: &Samples,
        threads: Option<usize>,
    ) -> PyResult<Predictions> {
        let (count, features) = samples.shape();
        let expected = self.classifier.network.inputs();
        if features != expected {
            return Err(PyValueError::new_err(format!(
                "X has {features} features, but the model takes {expected}"
            )));
        }
        let rows = samples.rows()?;
        check_finite(rows, features)?;
        if count == 1
            && let Some(probabilities) = self.predict_one(rows, <[f32]>::to_vec)?
        {
            return Ok(Predictions { classes: probabilities.len(), probabilities });
        }
        let threads = threads.unwrap_or_else(available_cores);
        let threads = threads.min(count.div_ceil(SAMPLES_A_WORKER)).max(1);
        py.detach(|| {
            guarded(|| {
                let workers = Workers::new(threads).map_err(gradus::Error::argument)?;
                self.classifier.predict(rows, &workers)
            })
        })
    }

    /// `visit(probabilities)` of one sample, by way of what is ready; none where another thread
    /// uses that.
    fn predict_one<T>(&self, sample: Rows, visit: impl Fn(&[f32]) -> T) -> PyResult<Option<T>> {
        let bytes = matches!(sample, Rows::Bytes(_));
        let Ok(mut ready) = self.ready[usize::from(bytes)].try_lock() else { return Ok(None) };
        guarded(|| {
            let predictor = match &mut *ready {
                Some(predictor) => predictor,
                none => none.insert(self.classifier.predictor(bytes)?),
            };
            Ok(Some(visit(predictor.predict(sample)?)))
        })
    }
}

#[pymethods]
impl Model {
    /// The class of one sample; none where `x` is not a C-contiguous row of bytes or floats that
    /// fits the model.
    fn label(&self, x: &Bound<'_, PyAny>) -> PyResult<Option<usize>> {
        let features = self.classifier.network.inputs();
        let Some(sample) = Samples::one(x, features) else { return Ok(None) };
        let Ok(rows) = sample.rows() else { return Ok(None) };
        check_finite(rows, features)?;
        self.predict_one(rows, |probabilities| {
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
        let predictions = self.predict(py, &x, threads)?;
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
        let predictions = self.predict(py, &x, threads)?;
        let shape = [predictions.len(), predictions.classes];
        predictions.probabilities.into_pyarray(py).reshape(shape)
    }

    /// The weight of each layer, inputs x outputs.
    fn weights<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyArray2<f32>>>> {
        let network = &self.classifier.network;
        let layers = network.linears().iter().enumerate();
        layers
            .map(|(index, layer)| {
                let weight = network.weight(index).to_vec().into_pyarray(py);
                weight.reshape([layer.inputs, layer.outputs])
            })
            .collect()
    }

    /// The bias of each layer.
    fn biases<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyArray1<f32>>> {
        let network = &self.classifier.network;
        let layers = 0..network.linears().len();
        layers.map(|index| network.bias(index).to_vec().into_pyarray(py)).collect()
    }

    /// One name for each class.
    #[getter]
    fn class_names(&self) -> Vec<String> {
        self.classifier.class_names.clone()
    }

    /// Shape of one sample.
    #[getter]
    fn sample_shape(&self) -> Vec<usize> {
        self.classifier.sample_shape.clone()
    }

    /// Values of one sample.
    #[getter]
    fn features(&self) -> usize {
        self.classifier.network.inputs()
    }

    /// Units of each hidden layer.
    #[getter]
    fn hidden(&self) -> Vec<usize> {
        let linears = self.classifier.network.linears();
        linears[..linears.len() - 1].iter().map(|layer| layer.outputs).collect()
    }

    /// The activation after each hidden layer.
    #[getter]
    fn activations(&self) -> Vec<&'static str> {
        let network = &self.classifier.network;
        let hidden = 0..network.linears().len() - 1;
        hidden.map(|index| network.activation_after(index).name()).collect()
    }

    /// How it was trained, as JSON.
    #[getter]
    fn training(&self) -> String {
        self.classifier.training.to_string()
    }

    /// Writes the model file; `training` is JSON and stands in it.
    fn save(&self, py: Python, path: PathBuf, training: &str) -> PyResult<()> {
        let classifier = self.with_training(training)?;
        py.detach(|| guarded(|| model_file::save(&classifier, &path)))
    }

    /// Reads a model file.
    #[staticmethod]
    fn load(py: Python, path: PathBuf) -> PyResult<Model> {
        py.detach(|| guarded(|| model_file::load(&path))).map(Model::new)
    }

    /// The bytes of the model file.
    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = py.detach(|| guarded(|| model_file::to_bytes(&self.classifier)))?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// Reads the bytes of a model file.
    #[staticmethod]
    fn from_bytes(py: Python, bytes: &[u8]) -> PyResult<Model> {
        py.detach(|| guarded(|| model_file::from_bytes(bytes))).map(Model::new)
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
    fn with_training(&self, training: &str) -> PyResult<Classifier> {
        let training = serde_json::from_str(training).map_err(|error| {
            exception(&gradus::Error::argument(format!("training is no JSON: {error}")))
        })?;
        Ok(Classifier { training, ..self.classifier.clone() })
    }
}
