//! The processes of one run: `--mpi` in, the ranks that train together out; how they end together.

use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use gradus::Error;
use gradus::exchange::{Exchange, Ranks};
use gradus::network::available_cores;
use gradus_mpi::{Launcher, Mpi, launcher};

use crate::run::output::{self, Exit};

/// The job that this process has joined.
static JOB: OnceLock<Arc<Mpi>> = OnceLock::new();

/// How long another rank waits before it reports an error that rank 0 may have, too: rank 0 reports it first, and ends all.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a launcher is given to hand a message on.
const FORWARDING: Duration = Duration::from_millis(300);

/// Joins the job if `--mpi` says so. From then on only rank 0 prints.
///
/// # Errors
/// `InvalidArgument` without `--mpi` if a launcher started several processes, which would write the same files, and for a
/// number of ranks that is no power of two; those of [`Mpi::start`].
pub(crate) fn join(mpi: bool) -> Result<Ranks> {
    match (mpi, launcher()) {
        (false, Some(launcher)) if launcher.is_parallel() => Err(missing_option(&launcher).into()),
        (false, _) => Ok(Ranks::ALONE),
        (true, _) => {
            let job = Mpi::start()?;
            if job.rank() > 0 {
                output::be_silent(job.rank());
            }
            let ranks = Ranks::new(job.clone());
            let _ = JOB.set(job);
            Ok(ranks?)
        }
    }
}

fn missing_option(Launcher { variable, .. }: &Launcher) -> Error {
    Error::argument(format!(
        "a launcher of MPI started this process ({variable} is set), but --mpi is not given: every process would train by \
         itself and write the same files. Add --mpi, or start gradus without the launcher"
    ))
}

/// The threads of this rank, if nothing else says it: the cores of the machine are shared by its ranks.
pub(crate) fn threads() -> Option<usize> {
    let local = launcher()?.local_size?;
    Some((available_cores() / local).max(1))
}

/// What the ranks are, for the announcement of a run.
pub(crate) fn describe() -> Option<String> {
    let job = JOB.get()?;
    Some(format!("Ranks: {}, by {}", job.size(), job.library()))
}

/// Leaves the job at the end of a command: together with the other ranks, or, after an error, with all of them at once.
pub(crate) fn leave(result: Result<()>) -> Result<()> {
    let Some(job) = JOB.get() else { return result };
    match &result {
        // An outcome that was reported is that of all ranks, or came after the last exchange.
        Err(error) if !error.is::<Exit>() && !output::is_closed_pipe(error) => {
            if job.rank() > 0 {
                thread::sleep(PATIENCE);
            }
            output::print_error(error);
            // The launcher ends with the job and may not have read the message before.
            thread::sleep(FORWARDING);
            job.abort(output::exit_status(error));
        }
        _ => job.finish(),
    }
    result
}
