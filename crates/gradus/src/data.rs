//! Data: from files, named sets or a program's own numbers to samples, and what happens to them on
//! their way into the network.

pub use gradus_core::samples::*;
pub use gradus_core::transform::{distort, normalize};
#[cfg(feature = "data")]
pub use gradus_data::*;
