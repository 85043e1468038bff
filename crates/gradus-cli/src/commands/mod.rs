//! The commands: arguments in, printed results and written files out.

pub(crate) mod train;
pub(crate) mod sweep;
pub(crate) mod evaluate;
pub(crate) mod explain;
pub(crate) mod report;
pub(crate) mod predict;
mod parquet_file;
mod predictions_target;
mod predictions_file;
mod predictions_pieces;
pub(crate) mod data;
pub(crate) mod fetch;
pub(crate) mod inspect;
pub(crate) mod export;
pub(crate) mod serve;
pub(crate) mod bench;
pub(crate) mod shell;
