//! Data sets by name or path, as arrays.

use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use gradus::data::csv::Encoding;
use gradus::data::digits::{Part, generate};
use gradus::data::{Dataset, Found, LoadOptions, set_names};
use gradus::{Error, Result, data};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use crate::arrays::to_arrays;
use crate::error_messages;
use crate::errors::guarded;

/// The time between two checks for Ctrl-C.
const POLL: Duration = Duration::from_millis(25);

type Array<'py> = Bound<'py, PyAny>;

/// The names of all data sets.
#[pyfunction]
pub(crate) fn names() -> Vec<&'static str> {
    set_names()
}

/// Samples and their labels.
type Pair<'py> = (Array<'py>, Array<'py>);

/// The training, validation and test part, as far as they exist; names of classes or targets; warnings.
type LoadedArrays<'py> = ([Option<Pair<'py>>; 3], Vec<String>, Vec<String>);

/// The training part and, if there are such parts, the validation and the test part; class names; warnings. With
/// `values` there are regression targets instead of labels, and their names. Without `validation` there is always
/// a second part to test with, and no validation part.
#[pyfunction]
#[pyo3(signature = (
    name, *, data_dir=None, test=None, label_column=None, drop=Vec::new(), encoding=None,
    values=false, image_size=None, seed=0, download=true, validation=false
))]
pub(crate) fn load<'py>(
    py: Python<'py>,
    name: PathBuf,
    data_dir: Option<PathBuf>,
    test: Option<PathBuf>,
    label_column: Option<String>,
    drop: Vec<String>,
    encoding: Option<&str>,
    values: bool,
    image_size: Option<(usize, usize)>,
    seed: u64,
    download: bool,
    validation: bool,
) -> PyResult<LoadedArrays<'py>> {
    let data = Some(name);
    let encoding = encoding.map(encoding_named).transpose()?;
    let options = LoadOptions {
        data,
        data_dir,
        test,
        label_column,
        drop,
        encoding,
        values,
        image_size,
        seed,
        download,
        ..LoadOptions::default()
    };
    let found = interruptible(py, move || parts(&options, validation))?;
    let names = found.train.targets.names().to_vec();
    let pair = |part: Option<Dataset>| part.map(|part| to_arrays(py, part)).transpose();
    let parts = [pair(Some(found.train))?, pair(found.validation)?, pair(found.test)?];
    let warnings =
        found.warnings.iter().map(|warning| error_messages::of_python(warning)).collect();
    Ok((parts, names, warnings))
}

/// The data as they are, if their validation part is wanted; else a training part and one to test with.
fn parts(options: &LoadOptions, validation: bool) -> Result<Found> {
    let mut found = data::find(options, &mut |_| {})?;
    if validation && found.validation.is_none() {
        return Err(Error::argument(format!(
            "validation is True, but {} has no validation part: leave it out, and hold samples out \
             with the `validation_fraction` of an estimator",
            found.name
        )));
    }
    if validation {
        return Ok(found);
    }
    match (found.validation.take(), found.test.is_some()) {
        (None, _) => Ok(found.with_test_part(options.seed)?.into()),
        (Some(part), true) => {
            found.warnings.push(format!(
                "{} has a validation part of {} samples, which is not returned: set `validation=True` to get it",
                found.name,
                part.len()
            ));
            Ok(found)
        }
        (Some(part), false) => {
            found.warnings.push(format!(
                "{} has no test part: its validation part of {} samples is returned in its place",
                found.name,
                part.len()
            ));
            found.test = Some(part);
            Ok(found)
        }
    }
}

fn encoding_named(name: &str) -> PyResult<Encoding> {
    Encoding::from_name(name).ok_or_else(|| {
        let names = Encoding::ALL.map(Encoding::name).join(", ");
        PyValueError::new_err(format!("encoding is '{name}', but must be one of {names}"))
    })
}

/// Digits drawn by gradus itself, and their labels.
#[pyfunction]
pub(crate) fn digits(
    py: Python<'_>,
    samples: usize,
    seed: u64,
    test: bool,
) -> PyResult<(Array<'_>, Array<'_>)> {
    let part = if test { Part::Test } else { Part::Train };
    let data = py.detach(|| guarded(|| generate(samples, seed, part)))?;
    to_arrays(py, data)
}

/// The result of `work`, which runs on a thread of its own so that this one can check for Ctrl-C. The thread
/// of an interrupted download is abandoned, which is safe: a file only becomes visible when it is complete.
fn interruptible<T: Send + 'static>(
    py: Python,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> PyResult<T> {
    let (sender, mut inbox) = channel();
    thread::Builder::new()
        .name("gradus-load".into())
        .spawn(move || sender.send(guarded(work)))
        .map_err(|error| PyRuntimeError::new_err(format!("cannot start a thread: {error}")))?;
    loop {
        let (back, event) = py.detach(move || {
            let event = inbox.recv_timeout(POLL);
            (inbox, event)
        });
        inbox = back;
        match event {
            Ok(result) => return result,
            Err(RecvTimeoutError::Timeout) => py.check_signals()?,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(PyRuntimeError::new_err("the thread that loads the data ended early"));
            }
        }
    }
}
