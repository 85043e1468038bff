//! The processes of one run: `--mpi` in, the ranks that train together out; how they end together.

use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use gradus::classifier::Model;
use gradus::exchange::{Exchange, Ranks};
use gradus::network::available_cores;
use gradus::{Error, model_file};
use gradus_mpi::{Launcher, Mpi, launcher};

use crate::run::output::{self, Exit, percent};

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
        "a launcher of MPI started this process ({variable} is set), but --mpi is not given: every process would do \
         all of the work and write the same files. Add --mpi, or start gradus without the launcher"
    ))
}

/// The threads of this rank, if nothing else says it: the cores of the machine are shared by its ranks.
pub(crate) fn threads() -> Option<usize> {
    let local = launcher()?.local_size?;
    Some((available_cores() / local).max(1))
}

/// Checks that all ranks have the same model, so that the predictions of one are those of any.
///
/// # Errors
/// Those of [`Ranks::compare`].
pub(crate) fn compare_models(ranks: &Ranks, model: &Model) -> gradus::Result<()> {
    if ranks.is_alone() {
        return Ok(());
    }
    let model = model_file::to_bytes(model)?;
    ranks.compare(&[("model", &model, "give all ranks the same file")])
}

/// What the ranks are, for the announcement of a run.
pub(crate) fn describe() -> Option<String> {
    let job = JOB.get()?;
    Some(format!("Ranks: {}, by {}", job.size(), job.library()))
}

/// What the exchange between ranks has cost: `share` of the time, in steps of this many samples of all ranks together; and
/// the samples of a rank at which computing a step takes as long as its exchange, and those of a step that are worth it
/// (docs/scale.md).
pub(crate) fn exchange_line(share: f64, in_step: f64, ranks: &Ranks) -> String {
    exchange_of(share, in_step, ranks.size() as f64)
}

fn exchange_of(share: f64, in_step: f64, ranks: f64) -> String {
    let line = format!("Exchange between ranks: {} of the time", percent(share));
    let equal = in_step / ranks * share / (1.0 - share);
    if ranks == 1.0 || !equal.is_finite() || equal < 1.0 {
        return line;
    }
    let worth = equal * ranks * WORTH / (1.0 - WORTH);
    format!(
        "{line}; a step takes as long as its exchange at b* = {equal:.0} samples a rank. Batches of {worth:.0} samples \
         would spend {} in it",
        percent(1.0 - WORTH)
    )
}

/// The share of the time in which ranks compute, with a batch that is worth them.
const WORTH: f64 = 0.9;

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
    match &result {
        // A launcher ends the whole job when one rank exits with an error, and may lose what rank 0 has printed. So only
        // rank 0 exits with the status of an outcome that all ranks have.
        Err(error) if job.rank() > 0 && error.is::<Exit>() => Ok(()),
        _ => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_batch_that_is_worth_it_follows_from_the_share_of_the_exchange() {
        // 4,096 samples a rank: 4,096 x 0.12 / 0.88 = 558.5; at 9 times that, a tenth of the time is exchange.
        assert_eq!(
            exchange_of(0.12, 8192.0, 2.0),
            "Exchange between ranks: 12.0 % of the time; a step takes as long as its exchange at b* = 559 samples a rank. \
             Batches of 10054 samples would spend 10.0 % in it"
        );
        for nothing in [exchange_of(0.0, 8192.0, 2.0), exchange_of(0.0, 8192.0, 1.0)] {
            assert_eq!(nothing, "Exchange between ranks: 0.0 % of the time");
        }
        assert_eq!(exchange_of(1.0, 64.0, 4.0), "Exchange between ranks: 100.0 % of the time");
    }
}
