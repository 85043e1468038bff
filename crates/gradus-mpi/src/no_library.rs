//! Systems on which no library of MPI can be loaded.

use gradus_core::{Error, ErrorKind, Result};

use crate::launcher::Launcher;

/// What is used of MPI.
pub(crate) trait Calls: Send + Sync {
    fn initialize(&self) -> std::result::Result<(), String>;
    fn rank(&self) -> usize;
    fn size(&self) -> usize;
    fn exchange(
        &self,
        partner: usize,
        send: &[u8],
        receive: &mut [u8],
    ) -> std::result::Result<(), i32>;
    fn abort(&self, status: i32);
    fn finalize(&self);
}

/// There is none.
pub(crate) fn load(_: Option<&Launcher>) -> Result<(String, Box<dyn Calls>)> {
    Err(Error::new(
        ErrorKind::NotFound,
        "MPI is supported on Linux, macOS and other Unix systems only",
    ))
}
