//! The server of `gradus serve` and `gradus train --watch`: requests of the page in, answers and events out.
//! `state.rs` holds the runs, the model in use and the listeners behind one lock; `runs.rs` trains,
//! `model.rs` predicts, for rows of tables with `form.rs`, `samples.rs` lists samples, `saving.rs` writes models, and `streams.rs` sends events.
//!
//! A request passes `connections.rs`, then `guard.rs` (where may it come from?) and `access.rs` (does it have the
//! token?), and reaches the routes in `http.rs`. `limits.rs` has the numbers of everything that a client could ask
//! too much of, and `bodies.rs` reads and writes within them. The page itself is in web/.

mod problem;
mod attempts;
mod access;
mod guard;
mod client;
mod limits;
mod wire;
mod connections;
mod bodies;
mod assets;
mod fields;
mod form;
mod model;
mod events;
mod saves;
mod run_state;
mod state;
mod streams;
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
