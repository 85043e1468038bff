//! The server of `gradus serve` and `gradus train --watch`: requests of the page in, answers and events out.
//! `state.rs` holds the runs, the model in use and the listeners behind one lock; `runs.rs` trains,
//! `model.rs` predicts, `samples.rs` lists samples; `http.rs` has the routes, and `guard.rs` decides which
//! requests are allowed. The page itself is in web/.

mod assets;
mod guard;
mod fields;
mod model;
mod run_state;
mod state;
mod reporter;
mod samples;
mod saving;
mod runs;
mod http;
mod server;
mod watch;

pub(crate) use model::{Served, newest as newest_model};
pub(crate) use server::{Address, Server, new_state, open};
pub(crate) use watch::Watch;
