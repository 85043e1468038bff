//! Errors and panics of the library as exceptions.

use std::error::Error as _;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use gradus::{Error, ErrorKind};
use pyo3::PyErr;
use pyo3::PyResult;
use pyo3::exceptions::{
    PyConnectionError, PyFileNotFoundError, PyOSError, PyPermissionError, PyRuntimeError,
    PyValueError,
};

use crate::error_messages;

/// The exception for an error of the library, with its message.
pub(crate) fn exception(error: &Error) -> PyErr {
    let message = error_messages::of_python(&error.to_string());
    match error.kind() {
        ErrorKind::NotFound => PyFileNotFoundError::new_err(message),
        ErrorKind::Download => PyConnectionError::new_err(message),
        ErrorKind::Io | ErrorKind::InUse | ErrorKind::Conflict => {
            let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
            match source.map(io::Error::kind) {
                Some(io::ErrorKind::PermissionDenied) => PyPermissionError::new_err(message),
                _ => PyOSError::new_err(message),
            }
        }
        _ => PyValueError::new_err(message),
    }
}

/// The result of `work`; its errors and panics become exceptions.
pub(crate) fn guarded<T>(work: impl FnOnce() -> gradus::Result<T>) -> PyResult<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|error| exception(&error)),
        Err(panic) => Err(panicked(&*panic)),
    }
}

/// The exception for a panic, which is a bug in gradus.
pub(crate) fn panicked(panic: &(dyn std::any::Any + Send)) -> PyErr {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    PyRuntimeError::new_err(format!("internal error in gradus: {text}. Please report it"))
}
