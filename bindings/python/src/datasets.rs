//! Data sets by name or path, as arrays.

use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use gradus::data::csv::Encoding;
use gradus::data::digits::{Part, generate};
use gradus::data::{LoadOptions, set_names};
use gradus::{Result, data};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use crate::arrays::to_arrays;
use crate::errors::guarded;
use crate::words;

/// The time between two checks for Ctrl-C.
const POLL: Duration = Duration::from_millis(25);

type Array<'py> = Bound<'py, PyAny>;

/// The names of all data sets.
#[pyfunction]
pub(crate) fn names() -> Vec<&'static str> {
    set_names()
}

/// Training samples, labels, test samples, labels; class names; warnings. With `values` there are
/// regression targets instead of labels, and their names.
#[pyfunction]
#[pyo3(signature = (
    name, *, data_dir=None, test=None, label_column=None, drop=Vec::new(), encoding=None,
    values=false, image_size=None, seed=0, download=true
))]
pub(crate) fn load<'py>(
    py: Python<'py>,
    name: String,
    data_dir: Option<PathBuf>,
    test: Option<PathBuf>,
    label_column: Option<String>,
    drop: Vec<String>,
    encoding: Option<&str>,
    values: bool,
    image_size: Option<(usize, usize)>,
    seed: u64,
    download: bool,
) -> PyResult<([Array<'py>; 4], Vec<String>, Vec<String>)> {
    let data = Some(name);
    let encoding = encoding.map(encoding_named).transpose()?;
    let options = LoadOptions {
        data,
        data_dir,
        test,
        label_column,
        drop,
        encoding,
        columns: None,
        doubles: false,
        values,
        image_size,
        seed,
        download,
    };
    let loaded = interruptible(py, move || data::load(&options, &mut |_| {}))?;
    let names = loaded.train.targets.names().to_vec();
    let (x_train, y_train) = to_arrays(py, loaded.train)?;
    let (x_test, y_test) = to_arrays(py, loaded.test)?;
    let warnings = loaded.warnings.iter().map(|warning| words::of_python(warning)).collect();
    Ok(([x_train, y_train, x_test, y_test], names, warnings))
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
