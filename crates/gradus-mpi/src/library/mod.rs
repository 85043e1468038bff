//! The library of an MPI installation, on systems where it can be loaded.

#[cfg(unix)]
mod unix;

#[cfg(unix)]
pub(crate) use unix::load;

/// Refused: there is no library to load.
#[cfg(not(unix))]
pub(crate) fn load(
    _: Option<&crate::launcher::Launcher>,
) -> gradus_core::Result<(String, Box<dyn crate::calls::Calls>)> {
    Err(gradus_core::Error::new(
        gradus_core::ErrorKind::NotFound,
        "MPI is supported on Linux, macOS and other Unix systems only",
    ))
}
