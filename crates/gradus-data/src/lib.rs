//! Data: from files (or from nothing, for the built-in digits) to a [`Dataset`].
//!
//! In: the name of a set or a path. Out: a training and a test [`Dataset`]. Read [`load`] first: it
//! finds out what a path holds and calls the reader; a named set is looked up by `places`, judged
//! by `named` and, where it is not there, brought by `fetch`.
#![forbid(unsafe_code)]

mod bytes;
mod array;
pub mod idx;
pub mod npy;
pub mod zip;
pub mod npz;
pub mod csv;
pub mod images;
pub mod digits;
mod assemble;
mod weights;
mod sets;
mod places;
mod named;
mod http;
mod fetch;
mod files;
mod load;
#[cfg(test)]
mod testing;

pub use array::{Array, Values};
pub use fetch::FetchProgress;
pub use load::{
    Found, LoadOptions, Loaded, fetch, find, load, load_matching, load_single, sets_at_hand,
};
pub use sets::set_names;
pub use weights::read_sample_weights;

pub use gradus_core::samples::{Dataset, Inputs, Rows, SparseRows, Targets, Task, split};
pub(crate) use gradus_core::samples::{image_shape, invalid};
pub(crate) use gradus_core::{error, random};
