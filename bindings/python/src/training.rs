//! Training: settings and arrays in; a model, the state of the run and its history out.
//!
//! The run has a thread of its own. The caller's thread waits for it without holding the interpreter,
//! passes its reports to Python, and regularly checks for Ctrl-C.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use gradus::data::images::is_in_mnist_form;
use gradus::data::{Columns, Dataset, SampleOrder, Shuffle, held_out};
use gradus::exchange::Ranks;
use gradus::network::{Network, available_cores};
use gradus::training::{Checkpoint, EpochReport, Outcome, Session, TrainConfig, Trained};
use gradus::{Error, Result};
use numpy::{PyArrayMethods, PyReadonlyArray1};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::arrays::{Labelled, Samples, TargetArray, check_finite};
use crate::errors::{exception, guarded, panicked};
use crate::exchange::ranks_of;
use crate::explanations::Kept;
use crate::model::Model;
use crate::parameters::set_parameters;
use crate::{error_messages, settings};

/// The time between two checks for Ctrl-C.
const POLL: Duration = Duration::from_millis(25);

/// The most samples that a run keeps for importances.
const MOST_KEPT: usize = 2_000;

/// The state of a run, from which training can continue with other data.
#[pyclass(frozen, module = "gradus._core")]
pub(crate) struct State {
    checkpoint: Checkpoint,
}

#[pymethods]
impl State {
    /// The state as bytes.
    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = py.detach(|| guarded(|| self.checkpoint.to_bytes()))?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// Reads the bytes of a state.
    #[staticmethod]
    fn from_bytes(py: Python, bytes: &[u8]) -> PyResult<State> {
        let checkpoint = py.detach(|| guarded(|| Checkpoint::from_bytes(bytes)))?;
        Ok(State { checkpoint })
    }

    /// For pickling and copying.
    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyBytes>,))> {
        let read = slf.get_type().getattr("from_bytes")?;
        Ok((read, (slf.get().to_bytes(slf.py())?,)))
    }
}

/// The result of a run.
#[pyclass(frozen, get_all, module = "gradus._core")]
pub(crate) struct Run {
    /// The model, which is usable however the run ended.
    model: Py<Model>,
    /// The state to continue from; `None` if the run diverged.
    state: Option<Py<State>>,
    /// One list for each metric of the epochs.
    history: Py<PyDict>,
    /// `finished`, `no_progress`, `stopped` or `diverged`.
    outcome: &'static str,
    /// Why it diverged.
    message: Option<String>,
    /// The epoch that the weights come from, with early stopping.
    best_epoch: Option<usize>,
    /// Samples seen in whole epochs.
    samples: usize,
    /// Wall time.
    seconds: f64,
    /// The exception of a callback, or the interruption.
    error: Option<Py<PyAny>>,
    /// What the user should know of the run.
    warnings: Vec<String>,
    /// Of a table: samples for importances, from those that were held out, or else trained on.
    kept: Option<Py<Kept>>,
}

/// Where a run starts.
enum Start {
    /// From random weights, drawn as the settings say.
    Fresh,
    /// From these weights and biases, layer after layer.
    Parameters(Vec<f32>),
    /// From this model.
    Model(Py<Model>),
    /// From the state of another run.
    State(Py<State>),
}

/// Ends a run when the training loss stops improving, like scikit-learn: an epoch counts as progress if it
/// is better than the best so far by more than `tol`.
struct Patience {
    tol: f64,
    epochs: usize,
    best: f64,
    waited: usize,
}

impl Patience {
    /// Whether the run should end after an epoch with this loss.
    fn is_over(&mut self, loss: f64) -> bool {
        self.waited = if loss > self.best - self.tol { self.waited + 1 } else { 0 };
        self.best = self.best.min(loss);
        self.waited > self.epochs
    }
}

/// Everything that the thread of a run needs.
struct Job {
    config: TrainConfig,
    /// What the model says beside its settings, such as that samples had weights.
    notes: HashMap<String, String>,
    data: Dataset,
    validation: Option<Dataset>,
    start: Start,
    patience: Option<Patience>,
    /// Whether samples are kept for importances.
    keeps: bool,
    /// Sends reports and receives whether to stop; `None` without a listener.
    listener: Option<(Sender<EpochReport>, Receiver<bool>)>,
    /// The processes that train together.
    ranks: Ranks,
}

/// The result of a [`Job`].
struct Done {
    trained: Trained,
    state: Option<Checkpoint>,
    samples: usize,
    no_progress: bool,
    kept: Option<Dataset>,
}

impl Job {
    fn run(mut self, stop: &AtomicBool) -> Result<Done> {
        let (config, data) = (&self.config, (&self.data, self.validation.as_ref()));
        let start = match &self.start {
            Start::Fresh => gradus::training::Start::Fresh,
            Start::Parameters(parameters) => {
                gradus::training::Start::Network(network(config, &self.data, parameters)?)
            }
            Start::Model(model) => gradus::training::Start::Model(model.get().trained()),
            Start::State(state) => gradus::training::Start::Continue(&state.get().checkpoint),
        };
        let mut session = Session::on_ranks(config, data, start, &self.ranks)?;
        let scale = session.model().inputs.divisor();
        let mnist_form = scale.is_ok_and(|scale| is_in_mnist_form(&self.data, scale));
        let mut no_progress = false;
        while let Some(report) = session.epoch(data, stop)? {
            no_progress = self.patience.as_mut().is_some_and(|it| it.is_over(report.loss));
            let stopped = match &self.listener {
                Some((reports, answers)) => {
                    // Without the listener, nothing receives the result.
                    reports.send(report.clone()).is_err() || answers.recv().unwrap_or(true)
                }
                None => false,
            };
            if no_progress || self.ranks.any(stopped)? {
                // A bag that ends early is measured on its folds nevertheless.
                if config.networks() > 1 {
                    session.epoch(data, &AtomicBool::new(true))?;
                }
                break;
            }
        }
        let diverged = matches!(session.outcome(), Some(Outcome::Diverged { .. }));
        // No run goes on from a bag.
        let state = (!diverged && config.networks() == 1).then(|| session.state());
        let samples = session.history().epochs.len() * self.data.len();
        let mut trained = session.finish();
        trained.model.set_mnist_form(mnist_form);
        if let Some(settings) = trained.model.provenance.settings.as_object_mut() {
            settings.extend(self.notes.into_iter().map(|(key, note)| (key, note.into())));
        }
        let kept = self.keeps.then(|| some_of(self.validation.unwrap_or(self.data)));
        Ok(Done { trained, state, samples, no_progress, kept })
    }
}

/// At most [`MOST_KEPT`] of the samples, evenly spaced.
fn some_of(data: Dataset) -> Dataset {
    let count = data.len();
    if count <= MOST_KEPT {
        return data;
    }
    let rows: Vec<usize> = (0..MOST_KEPT).map(|at| at * count / MOST_KEPT).collect();
    data.subset(&rows)
}

/// The network of the settings and the data, with these parameters.
fn network(config: &TrainConfig, data: &Dataset, parameters: &[f32]) -> Result<Network> {
    let transform = config.transform(data)?;
    let mut network = config.network(data, &transform)?;
    set_parameters(&mut network, parameters)?;
    Ok(network)
}

/// Trains a model: a classifier if `y` holds labels, a regressor if it holds targets. `settings` are the
/// texts of the settings by their names, `names` those of the classes or of the targets; the model keeps
/// `feature_names`, and `notes` among its settings. `free` names the settings of a preset for tables that follow the rows that
/// are trained on, as in the program; then samples are kept for importances.
#[pyfunction]
#[pyo3(signature = (
    settings, x, y, names, *, notes, shape, feature_names=None, weights=None, validation=None,
    parameters=None, model=None, state=None, patience=None, report=None, communicator=None, free=None
))]
pub(crate) fn train<'py>(
    py: Python<'py>,
    settings: HashMap<String, String>,
    x: Samples<'py>,
    y: TargetArray<'py>,
    names: Vec<String>,
    notes: HashMap<String, String>,
    shape: Vec<usize>,
    feature_names: Option<Vec<String>>,
    weights: Option<PyReadonlyArray1<'py, f32>>,
    validation: Option<(Samples<'py>, TargetArray<'py>)>,
    parameters: Option<PyReadonlyArray1<'py, f32>>,
    model: Option<Py<Model>>,
    state: Option<Py<State>>,
    patience: Option<(f64, usize)>,
    report: Option<Py<PyAny>>,
    communicator: Option<Py<PyAny>>,
    free: Option<Vec<String>>,
) -> PyResult<Run> {
    // Before anything is copied.
    let mut config = settings::config(&settings).map_err(|error| exception(&error))?;
    let threads = config.threads.unwrap_or_else(available_cores);
    let given_names: Option<Vec<&str>> =
        feature_names.as_ref().map(|names| names.iter().map(String::as_str).collect());
    match &x {
        // They are checked where they are read, in an order in which that takes no jumps between samples.
        Samples::File(_) => config.shuffle = Some(Shuffle::Blocks),
        x => check_finite(x.rows()?, x.shape().1, given_names.as_deref())?,
    }
    let labelled = Labelled::new(py, &x, &y, &names, weights.as_ref(), threads)?;
    let set = validation.map(|(x, y)| Labelled::new(py, &x, &y, &names, None, threads));
    let set = set.transpose()?;
    let date_orders = x.date_orders();
    let sets = || {
        let mut data = labelled.into_dataset(shape.clone())?;
        if let Some(names) = feature_names {
            let columns = Columns::of_features(names).with_date_orders(date_orders);
            data = data.with_columns(columns)?;
        }
        match set {
            Some(set) => Ok((data, Some(set.into_dataset(shape)?))),
            None => hold_out(data, &config),
        }
    };
    let (data, validation) = py.detach(|| guarded(sets))?;
    if let Some(free) = &free {
        let is_free = |name: &str| free.iter().any(|it| it == name);
        config.follow_rows(data.len(), data.targets.task(), is_free);
    }
    let start = match (state, model, parameters) {
        (Some(state), ..) => Start::State(state),
        (None, Some(model), _) => Start::Model(model),
        (None, None, Some(parameters)) => Start::Parameters(parameters.to_vec()?),
        (None, None, None) => Start::Fresh,
    };
    let patience =
        patience.map(|(tol, epochs)| Patience { tol, epochs, best: f64::INFINITY, waited: 0 });
    let ranks = ranks_of(py, communicator)?;
    let (keeps, listener) = (free.is_some(), None);
    let job = Job { config, notes, data, validation, start, patience, keeps, listener, ranks };
    carry_out(py, job, report)
}

/// Runs the job on a thread of its own, and serves it.
fn carry_out(py: Python, mut job: Job, report: Option<Py<PyAny>>) -> PyResult<Run> {
    let (reports, inbox) = channel();
    let (answers, verdicts) = channel();
    job.listener = report.is_some().then(|| (reports.clone(), verdicts));
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let thread = thread::Builder::new().name("gradus-fit".into()).spawn(move || {
        // Dropped when the run is over, which tells the other end.
        let _reports = reports;
        job.run(&flag)
    });
    let thread = thread
        .map_err(|error| PyRuntimeError::new_err(format!("cannot start a thread: {error}")))?;
    let error = attend(py, inbox, &answers, report, &stop);
    match py.detach(|| thread.join()) {
        Ok(Ok(done)) => Run::new(py, done, error),
        Ok(Err(error)) => Err(exception(&error)),
        Err(panic) => Err(panicked(&*panic)),
    }
}

/// Waits for the run; passes its reports to `report` and the answers back. The first exception stops the
/// run.
fn attend(
    py: Python,
    mut inbox: Receiver<EpochReport>,
    answers: &Sender<bool>,
    report: Option<Py<PyAny>>,
    stop: &AtomicBool,
) -> Option<PyErr> {
    let mut error = None;
    let mut raise = |found: PyErr| {
        stop.store(true, Ordering::Relaxed);
        error.get_or_insert(found);
    };
    loop {
        let (back, event) = py.detach(move || {
            let event = inbox.recv_timeout(POLL);
            (inbox, event)
        });
        inbox = back;
        let found = match event {
            Ok(epoch) => {
                let stop = report.as_ref().map_or(Ok(false), |report| call(py, report, &epoch));
                // If the run is already over, nothing receives the answer.
                let _: std::result::Result<(), mpsc::SendError<bool>> =
                    answers.send(*stop.as_ref().unwrap_or(&true));
                stop.map(|_| ())
            }
            Err(RecvTimeoutError::Timeout) => py.check_signals(),
            Err(RecvTimeoutError::Disconnected) => return error,
        };
        if let Err(found) = found {
            raise(found);
        }
    }
}

/// Calls `report` with the metrics of an epoch, and returns whether it wants to stop.
fn call(py: Python, report: &Py<PyAny>, epoch: &EpochReport) -> PyResult<bool> {
    let figures = PyDict::new(py);
    figures.set_item("epoch", epoch.epoch)?;
    for (key, value) in figures_of(epoch) {
        if let Some(value) = value {
            figures.set_item(key, value)?;
        }
    }
    report.bind(py).call1((figures,))?.is_truthy()
}

/// The metrics of an epoch under the names of the history.
fn figures_of(epoch: &EpochReport) -> [(&'static str, Option<f64>); 7] {
    [
        ("loss", Some(epoch.loss)),
        ("accuracy", epoch.accuracy),
        ("val_loss", epoch.val_loss),
        ("val_accuracy", epoch.val_accuracy),
        ("val_r2", epoch.val_r2),
        // The shortest decimal of the single-precision number.
        ("learning_rate", epoch.learning_rate.to_string().parse().ok()),
        ("seconds", Some(epoch.seconds)),
    ]
}

impl Run {
    fn new(py: Python, done: Done, error: Option<PyErr>) -> PyResult<Run> {
        let Done { trained, state, samples, no_progress, kept } = done;
        let history = PyDict::new(py);
        let columns: Vec<_> = trained.history.epochs.iter().map(figures_of).collect();
        for at in 0..7 {
            let values: Option<Vec<f64>> = columns.iter().map(|figures| figures[at].1).collect();
            if let (Some(values), Some(first)) = (values, columns.first()) {
                history.set_item(first[at].0, values)?;
            }
        }
        let (outcome, message) = match trained.outcome {
            Outcome::Finished => ("finished", None),
            Outcome::NoProgress => ("no_progress", None),
            Outcome::Stopped if no_progress => ("no_progress", None),
            Outcome::Stopped => ("stopped", None),
            Outcome::Diverged { message, .. } => {
                ("diverged", Some(error_messages::of_python(&message)))
            }
        };
        Ok(Run {
            model: Py::new(py, Model::new(trained.model))?,
            state: state.map(|checkpoint| Py::new(py, State { checkpoint })).transpose()?,
            history: history.unbind(),
            outcome,
            message,
            best_epoch: trained.best.map(|best| best.epoch),
            samples,
            seconds: trained.seconds,
            warnings: trained
                .warnings
                .iter()
                .map(|warning| error_messages::of_python(warning))
                .collect(),
            error: error.map(|error| error.into_value(py).into_any()),
            kept: kept.map(|data| Py::new(py, Kept { data })).transpose()?,
        })
    }
}

/// Holds out the share of the samples that the settings want for validation.
fn hold_out(data: Dataset, config: &TrainConfig) -> Result<(Dataset, Option<Dataset>)> {
    let share = config.held_out_share();
    if share == 0.0 {
        return Ok((data, None));
    }
    let (train, held_out) = held_out(&data, SampleOrder::Unknown, share, config.seed);
    if train.is_empty() || held_out.is_empty() {
        return Err(Error::argument(format!(
            "`validation` is {share}, but {} samples are too few for that",
            data.len()
        )));
    }
    let (train, validation) = data.divide(&train, &held_out);
    Ok((train, Some(validation)))
}
