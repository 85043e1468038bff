//! The runs of a sweep: arguments in, parallel runs and their ranked results out. `draw.rs` selects the
//! values of each run, `options.rs` checks which options a sweep accepts, `plan.rs` creates the runs;
//! `running.rs` trains them, and `halving.rs` decides which ones stop early; `record.rs` stores the results,
//! `rank_files.rs` those of several ranks, `table.rs` ranks and prints them.

mod draw;
mod options;
mod halving;
mod plan;
mod record;
pub(crate) mod rank_files;
mod running;
mod table;

pub(crate) use plan::{Plan, VALIDATION};
pub(crate) use record::{Record, Results};
pub(crate) use running::{Sweep, begin, epochs};
pub(crate) use table::{rank, show};
