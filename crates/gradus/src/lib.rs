//! gradus
#![forbid(unsafe_code)]

pub mod error;
pub mod random;
pub mod data;
pub mod network;

pub use error::{Error, ErrorKind, Result};
