//! Ranks whose bytes Python moves: an object with `rank`, `size` and `exchange` in, an [`Exchange`] out.

use std::sync::Arc;

use gradus::exchange::{Exchange, Ranks};
use gradus::{Error, ErrorKind, Result};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes};

use crate::errors::exception;

/// An object of `gradus.communicators`, or one with the same attributes.
#[derive(Debug)]
struct Communicator {
    object: Py<PyAny>,
    rank: usize,
    size: usize,
}

/// The ranks of a run: those of `communicator`, or this process alone.
pub(crate) fn ranks_of(py: Python, communicator: Option<Py<PyAny>>) -> PyResult<Ranks> {
    let Some(object) = communicator else { return Ok(Ranks::ALONE) };
    let number = |name: &str| object.getattr(py, name)?.extract::<usize>(py);
    let (rank, size) = (number("rank")?, number("size")?);
    Ranks::new(Arc::new(Communicator { object, rank, size })).map_err(|error| exception(&error))
}

impl Exchange for Communicator {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn exchange(&self, partner: usize, send: &[u8], receive: &mut [u8]) -> Result<()> {
        let moved = Python::attach(|py| {
            let received = PyByteArray::new(py, receive);
            let arguments = (partner, PyBytes::new(py, send), &received);
            self.object.call_method1(py, "exchange", arguments)?;
            PyResult::Ok(received.to_vec())
        });
        let failed = |why: String| {
            let message = format!("the exchange with rank {partner} failed: {why}");
            Error::new(ErrorKind::Io, message)
        };
        let received = moved.map_err(|error| failed(error.to_string()))?;
        if received.len() != receive.len() {
            let why = format!("it left {} bytes of {}", received.len(), receive.len());
            return Err(failed(why));
        }
        receive.copy_from_slice(&received);
        Ok(())
    }
}
