//! Refuses options of `train` that have no effect given the others, before anything is loaded. What
//! depends on the data is checked when they are known.

use std::ffi::OsStr;

use gradus::Error;
use gradus::data::Task;
use gradus::optimizer::Optimizer;
use gradus::schedule::Schedule;
use gradus::training::settings::{Kind, SETTINGS, Scope, Setting};
use gradus::training::{BatchSize, Preset, TrainConfig};

use crate::args::{TrainArgs, is_start_file, option};

/// A run of `train` before it starts.
pub(crate) struct Run<'a> {
    pub(crate) args: &'a TrainArgs,
    pub(crate) preset: Preset,
    pub(crate) config: &'a TrainConfig,
    /// Whether there will be validation data.
    pub(crate) validated: bool,
}

/// Checks that every option has an effect in this run.
///
/// # Errors
/// `InvalidArgument` for the first one that has none.
pub(crate) fn check(run: &Run) -> Result<(), Error> {
    check_nesterov(run)?;
    check_full_batch(run)?;
    check_hidden_layers(run)?;
    check_task(run)?;
    check_members(run)?;
    check_monitor(run)?;
    if run.args.checkpoints.checkpoint_every.is_some() && run.args.checkpoints.path().is_none() {
        return Err(Error::argument(
            "--checkpoint-every has no effect: there is no checkpoint to write; add --checkpoint FILE",
        ));
    }
    Ok(())
}

fn check_nesterov(run: &Run) -> Result<(), Error> {
    match run.config.optimizer {
        Optimizer::Sgd { momentum: 0.0, nesterov: true, .. } => Err(Error::argument(
            "--nesterov has no effect without momentum: add --momentum, such as --momentum 0.9",
        )),
        _ => Ok(()),
    }
}

/// One batch of all samples has no order, and L-BFGS takes nothing else.
fn check_full_batch(run: &Run) -> Result<(), Error> {
    let has = |name: &str| run.args.settings.has(name);
    if !run.config.optimizer.is_stochastic() {
        if has("learning_rate") {
            return Err(Error::argument(
                "--learning-rate has no effect: --optimizer lbfgs finds the length of each step by itself; \
                 leave it out",
            ));
        }
        let why = "--optimizer lbfgs minimizes one smooth function of all samples";
        refuse(|it| it.of_steps, "cannot be used", run, why)?;
    }
    if has("shuffle") && run.config.batch_size == BatchSize::Full {
        return Err(Error::argument(
            "--shuffle has no effect: every batch holds all samples; leave it out, or add --batch-size",
        ));
    }
    Ok(())
}

/// Some settings act on hidden layers.
fn check_hidden_layers(run: &Run) -> Result<(), Error> {
    if !run.config.hidden.is_empty() {
        return Ok(());
    }
    if run.args.settings.has("activation") {
        return Err(Error::argument(
            "--activation has no effect: there is no hidden layer; leave it out, or add a layer with \
             --hidden",
        ));
    }
    refuse(|it| it.scope == Scope::HiddenLayers, NO_EFFECT, run, "there is no hidden layer")
}

/// Some settings are about classes, which regression does not have, and others about its targets.
fn check_task(run: &Run) -> Result<(), Error> {
    match run.args.task() {
        Task::Classification => {
            let why = "classification has no targets that are numbers (--loss squared learns such)";
            refuse(|it| it.scope == Scope::Regression, NO_EFFECT, run, why)
        }
        Task::MultiLabel => {
            let why = "labels are no targets that are numbers (--loss squared learns such)";
            refuse(|it| it.scope == Scope::Regression, NO_EFFECT, run, why)
        }
        Task::Regression => {
            let why = "regression (--loss squared) has no classes";
            refuse(|it| it.scope == Scope::Classification, NO_EFFECT, run, why)
        }
    }
}

const NO_EFFECT: &str = "has no effect";

/// Refuses the first of some settings that this run would use; `problem` says what follows from that.
fn refuse(some: fn(&Setting) -> bool, problem: &str, run: &Run, why: &str) -> Result<(), Error> {
    // The loss says which task a run has.
    let used = |it: &&Setting| some(it) && it.name != "loss" && it.get(run.config) != it.off();
    let Some(setting) = SETTINGS.iter().find(used) else { return Ok(()) };
    let (name, off) = (option(setting), setting.off().unwrap_or_default());
    if run.args.settings.has(setting.name) {
        return Err(Error::argument(format!("--{name} {problem}: {why}; leave it out")));
    }
    // The preset sets it. A flag takes its value after an equals sign only.
    let gap = if setting.kind == Kind::Flag { '=' } else { ' ' };
    Err(Error::argument(format!(
        "--preset {} includes --{name}, which {problem}: {why}; switch it off with \
         --{name}{gap}{off}",
        run.preset.name()
    )))
}

/// The members of a bag validate each other, and begin with weights of their own.
fn check_members(run: &Run) -> Result<(), Error> {
    let members = run.config.networks();
    if members == 1 {
        return Ok(());
    }
    if let Some(validation) = run.args.settings.get("validation") {
        return Err(Error::argument(format!(
            "--validation {validation} cannot be used with --members {members}: each member is validated on its fold of \
             the training data; leave one of them out"
        )));
    }
    if let Some(file) = run.args.settings.get("init").filter(|it| is_start_file(OsStr::new(it))) {
        return Err(Error::argument(format!(
            "--init {file} cannot be used with --members {members}: each member begins with weights of its own; leave one \
             of them out"
        )));
    }
    Ok(())
}

/// A monitored metric must be watched by something, and must exist.
fn check_monitor(run: &Run) -> Result<(), Error> {
    let Some(monitor) = run.config.monitor else { return Ok(()) };
    let name = monitor.name();
    let watches = matches!(run.config.schedule, Schedule::Plateau(_) | Schedule::Adaptive(_));
    if run.config.early_stopping.is_none() && run.config.keep_best.is_none() && !watches {
        return Err(Error::argument(
            "--monitor has no effect: only early stopping, --keep-best and the schedules plateau and adaptive watch a \
             metric; add --patience N, --keep-best last or --schedule plateau:PATIENCE:FACTOR",
        ));
    }
    if let Some(problem) = monitor.problem_with(run.args.task()) {
        return Err(Error::argument(format!("--monitor {name}: {problem}")));
    }
    if monitor.needs_validation() && !run.validated {
        return Err(Error::argument(format!(
            "--monitor {name}: there are no validation data; add --validation, such as --validation 0.1, \
             or watch loss or accuracy"
        )));
    }
    Ok(())
}
