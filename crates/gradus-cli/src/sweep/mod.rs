//! The runs of a sweep: a command line in, runs that are trained side by side and their results out.
//! `plan.rs` makes the runs, from the values that `draw.rs` gives and the options that `options.rs` allows;
//! `running.rs` trains them, with `halving.rs` to stop the worse ones early; `record.rs` keeps their
//! results, `table.rs` shows them.

mod draw;
mod options;
mod halving;
mod plan;
mod record;
mod running;
mod table;

pub(crate) use plan::{Plan, VALIDATION};
pub(crate) use record::{Record, Results};
pub(crate) use running::{Sweep, begin, epochs};
pub(crate) use table::{rank, show};
