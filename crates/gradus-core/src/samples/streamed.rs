//! Inputs that are not in memory: a handle to where they are, which `stream.rs` makes and reads from.

use std::any::Any;
use std::sync::Arc;

/// Inputs that are read when they are asked for.
///
/// What they are read from gives whole data sets, of whose types this one is a part: it is known to `stream.rs` alone.
#[derive(Clone)]
pub struct Streamed(pub(super) Arc<dyn Any + Send + Sync>);
