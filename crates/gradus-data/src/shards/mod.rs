//! Data beyond memory: a folder of shards in, any of its samples out, read at their places.
//!
//! A shard is an NPY file of inputs and one of targets. `index.json` has the number of samples, their type and shape, the
//! names of their classes or values, the SHA-256 of each file, and what training needs to know about all data: the counts
//! of the classes, the sums for normalization and the digest of the whole set (docs/formats.md). So nothing is read to
//! open a folder but the headers of its files, and the texts of raw columns.
//!
//! | file | what it does |
//! |---|---|
//! | checks.rs | checksums of blocks of rows |
//! | raw.rs | raw columns of tables as rows of doubles |
//! | index.rs | `index.json`, read and checked |
//! | reader.rs | the samples of a folder of shards |
//! | writer.rs | samples, part after part, become shards |
//! | sources.rs | what is packed, in pieces |
//! | pack.rs | shuffles or sorts samples on their way into shards |

mod checks;
mod raw;
mod index;
mod reader;
mod writer;
mod sources;
mod pack;

pub use pack::{Order, PackOptions, pack};
pub use reader::{Shards, is_shards};
pub use sources::Pieces;
pub use writer::{ShardOptions, ShardWriter};
