//! The network: its layers and parameters, and the threads and kernels that compute with it.

pub use gradus_core::network::*;
pub use gradus_kernels::Kernels;
pub use gradus_kernels::threads::{Workers, available_cores, in_parts};
