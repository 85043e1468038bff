//! `gradus sweep`: options of `train` and their values in, a ranking of runs out.

use anyhow::Result;
use gradus::data::{Inputs, Subset};
use gradus::exchange::Ranks;
use gradus::files::OutputFile;
use gradus::network::available_cores;
use gradus::training::Data as Sets;
use gradus::{Error, ErrorKind};
use serde_json::Value;

use crate::args::SweepArgs;
use crate::run::output::{Exit, exit_with_usage, say, stdout, warn};
use crate::run::progress::Epochs;
use crate::run::training_data::Data;
use crate::run::{ranks, saving, source, stop};
use crate::sweep::{
    Plan, Record, Results, Sweep, VALIDATION, begin, epochs, rank, rank_files, show,
};

/// Runs the command.
pub(crate) fn run(args: &SweepArgs) -> Result<()> {
    let mut plan = Plan::new(args).map_err(|error| match error.downcast::<clap::Error>() {
        Ok(error) => exit_with_usage(&error),
        Err(error) => error,
    })?;
    stop::listen()?;
    let ranks = ranks::join(args.mpi)?;
    let file = saving::claim(&rank_files::path_of(&args.out, ranks.rank()))?;
    let (first, settings) = (&plan.first, &plan.runs[0].settings);
    let wanted = source::training_options(first, settings)?;
    let data = Data::load(first.task(), &wanted, settings, first.sample_weights.as_deref())?;
    if data.training.has_validation_set() {
        plan.hold_nothing_out();
    }
    if plan.holds_out {
        warn(format_args!(
            "no --validation given: a tenth of the training data is held out to compare the runs, as \
             with -- --validation {VALIDATION}"
        ));
    }
    plan.follow(&data)?.iter().for_each(say);
    let jobs = share_cores(args.jobs, &mut plan);
    check_fit(&plan, &data)?;
    let identity = plan.identity(&data)?;
    let options = serde_json::to_vec(&identity)?;
    ranks.compare(&[("sweep", &options, "start all ranks with the same command and data")])?;
    let progress = known(file, args, &plan, identity, &ranks)?;
    let (mut records, is_displaced) = train(&plan, data, progress, jobs, &ranks)?;
    if ranks.rank() > 0 {
        return Ok(());
    }
    rank(&mut records, plan.monitor);
    print_results(&records, &plan)?;
    if is_displaced { Err(Exit::FAILED.into()) } else { Ok(()) }
}

/// The results of this sweep that its files have, those of all ranks and of earlier ones. The file of rank 0 has all of them
/// then.
fn known(
    file: OutputFile,
    args: &SweepArgs,
    plan: &Plan,
    identity: Value,
    ranks: &Ranks,
) -> Result<Progress> {
    let (results, in_file) = Results::read(file, &identity, &plan.runs)?;
    let (mut known, mut left) = (in_file.clone(), Vec::new());
    if ranks.rank() == 0 {
        left = rank_files::left(&args.out, ranks.size())?;
        rank_files::add(&left, &mut known, &identity, &plan.runs)?;
    }
    for list in ranks.lists(&serde_json::to_vec(&known)?)? {
        rank_files::merge(&mut known, serde_json::from_slice(&list)?);
    }
    if ranks.rank() == 0 {
        let new = known.iter().zip(&in_file).filter(|(_, in_file)| in_file.is_none());
        new.filter_map(|(record, _)| record.as_ref()).try_for_each(|it| results.append(it))?;
        rank_files::remove(&left)?;
    }
    Ok(Progress { results, known, identity })
}

/// The number of runs to train in parallel, which share the cores.
fn share_cores(jobs: Option<usize>, plan: &mut Plan) -> usize {
    let cores = ranks::threads().unwrap_or_else(available_cores);
    let wanted = plan.runs[0].settings.config.threads;
    let jobs = jobs.unwrap_or_else(|| (cores / wanted.unwrap_or(1)).max(1)).min(plan.runs.len());
    for run in &mut plan.runs {
        run.settings.config.threads = Some(wanted.unwrap_or((cores / jobs).max(1)));
    }
    jobs
}

/// Checks that the settings of all runs fit the data. Two samples are enough for that: batch normalization needs two. What the
/// raw columns of a table become depends on all of its rows.
fn check_fit(plan: &Plan, data: &Data) -> Result<()> {
    let samples = &data.training.samples;
    let few = if samples.len() > 1 { &[0, 1][..] } else { &[0] };
    let train = match samples.inputs {
        Inputs::Table(_) => samples.into(),
        _ => Subset::new(samples, few)?,
    };
    let validation = data.training.sets()?.validation.or(Some(train));
    plan.runs.iter().try_for_each(|run| begin(run, Sets { train, validation }).map(drop))
}

/// The results of a sweep so far.
struct Progress {
    /// The file of this rank, which takes more results.
    results: Results,
    /// The record of each run, if a file contains one.
    known: Vec<Option<Record>>,
    /// [`Plan::identity`], which is part of every record.
    identity: Value,
}

/// Trains all runs without known results. Returns the results of all, and whether the file is another one than was
/// wanted.
fn train(
    plan: &Plan,
    data: Data,
    progress: Progress,
    jobs: usize,
    ranks: &Ranks,
) -> Result<(Vec<Record>, bool)> {
    let Progress { results, known, identity } = progress;
    // Drops the test part: a sweep never looks at it.
    let training = data.training;
    let sets = training.sets()?;
    if sets.validation.is_none() {
        return Err(Error::argument("a sweep needs validation data: add --validation 0.1").into());
    }
    let is_here = |record: &&Record| plan.trains(&plan.runs[record.run]);
    let done: Vec<&Record> = known.iter().flatten().filter(is_here).collect();
    if !done.is_empty() {
        let runs = plan.runs.iter().filter(|run| plan.trains(run)).count();
        say(format_args!("{} of {runs} runs are already done", done.len()));
    }
    let (_, sums) = epochs(plan);
    let bar = Epochs::new(sums.last().copied().unwrap_or(0), true);
    bar.set(done.iter().map(|record| record.figures.epochs).sum());
    let stop = stop::hold();
    let ranks = ranks.clone();
    let sweep = Sweep { plan, sets, results, identity, jobs, stop, bar, ranks };
    let records = sweep.run(known);
    sweep.bar.finish();
    if records.as_ref().err().is_none_or(|error| error.is::<Exit>()) {
        // Rank 0 has the results of all of them in its file before the others remove theirs.
        sweep.ranks.any(false)?;
        if sweep.ranks.rank() > 0 {
            sweep.results.remove()?;
        }
    }
    Ok((records?, sweep.results.is_displaced()))
}

/// Prints the table and the command that trains the best run again.
fn print_results(records: &[Record], plan: &Plan) -> Result<()> {
    let Some(best) = records.first() else { return Ok(()) };
    stdout().lines(show(records, &plan.runs, plan.monitor))?;
    if best.figures.of(plan.monitor).is_none() {
        let message = "every run diverged: the steps are probably too large; try smaller learning \
                       rates, or --normalize unit or standard if the inputs are raw";
        return Err(Error::new(ErrorKind::Diverged, message).into());
    }
    stdout().lines(["", "To train the best run again and test it:"])?;
    stdout().line(plan.runs[best.run].command())
}
