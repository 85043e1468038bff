//! The one error type of the library.
//!
//! An [`Error`] says in one message what was found, where, what was expected and what to do;
//! its [`ErrorKind`] lets a program choose an exit code and a binding an exception.

use std::path::Path;

/// What sort of thing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A value that the caller chose lies outside its allowed range, or two choices contradict.
    InvalidArgument,
    /// A file, folder or named data set is not there.
    NotFound,
    /// The operating system refused to read or write.
    Io,
    /// A file was read, but its content is not what its format demands.
    InvalidData,
    /// A download failed on every mirror.
    Download,
    /// The loss became NaN or infinite during training.
    Diverged,
    /// Another process is writing the file.
    InUse,
    /// Another program has changed the file meanwhile; what was to be written is next to it.
    Conflict,
}

/// An error of the library: a kind, a message for people, and the cause where there is one.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    message: String,
    setting: Option<&'static str>,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Shorthand for results of the library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of the given kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error { kind, message: message.into(), setting: None, source: None }
    }

    /// A value outside its allowed range.
    pub fn argument(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidArgument, message)
    }

    /// The setting `name` has a value outside its range: "`name` is VALUE, but must be RANGE".
    ///
    /// Programs replace the name by their own spelling
    /// ([`spell`](crate::training::settings::spell)).
    pub fn setting(name: &'static str, value: &str, range: &str) -> Self {
        let message = format!("`{name}` is {value}, but must be {range}");
        Error { setting: Some(name), ..Self::argument(message) }
    }

    /// A file, folder or set that is not there.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    /// Content of `path` that breaks its format: `PATH: problem`.
    pub fn data(path: &Path, problem: impl std::fmt::Display) -> Self {
        Self::new(ErrorKind::InvalidData, format!("{}: {problem}", path.display()))
    }

    /// The operating system refused `action` ("read", "write", ...) on `path`.
    pub fn io(action: &str, path: &Path, source: std::io::Error) -> Self {
        let kind = match source.kind() {
            std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            _ => ErrorKind::Io,
        };
        let message = format!("cannot {action} {}: {source}", path.display());
        Error { kind, message, setting: None, source: Some(Box::new(source)) }
    }

    /// The setting that is out of range, if that is what went wrong.
    pub fn setting_name(&self) -> Option<&'static str> {
        self.setting
    }

    /// What sort of thing went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The same error with `context: ` before its message.
    pub fn context(mut self, context: impl std::fmt::Display) -> Self {
        self.message = format!("{context}: {}", self.message);
        self
    }
}

/// Content that breaks its format ([`ErrorKind::InvalidData`]); whoever reads a file puts its path before the
/// message.
pub fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidData, message)
}
