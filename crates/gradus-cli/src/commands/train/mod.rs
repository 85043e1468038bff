//! `gradus train`: data and settings in, a model file out.

mod report;
mod terminal_curve;

use std::path::Path;
use std::time::Instant;

use anyhow::{Result, anyhow};
use gradus::classifier::{Model, skips_zeros};
use gradus::data::{Dataset, Task};
use gradus::exchange::Ranks;
use gradus::files::OutputFile;
use gradus::loss::Loss;
use gradus::network::{Column, Kernels};
use gradus::training::{Best, Data as Sets, History, Outcome, Preset, Session, Trained};
use gradus::{Error, model_file};

use report::{Summary, TrainReport};

use crate::args::TrainArgs;
use crate::run::checkpoints::{self, CheckpointWriter};
use crate::run::describe::{architecture, names_of_features, value_type};
use crate::run::metadata::conclude;
use crate::run::output::{Exit, STOPPED, print_error, say, shape, warn};
use crate::run::outputs::{self, Outputs};
use crate::run::settings::Settings;
use crate::run::test_result::TestResult;
use crate::run::training_data::Data;
use crate::run::{defaults, ranks, saving, source, stop, target};
use crate::serve::Watch;

/// Runs the command.
pub(crate) fn run(args: &TrainArgs, begin: Instant) -> Result<()> {
    stop::listen()?;
    let ranks = ranks::join(args.mpi)?;
    let args = &checkpoints::goes_on(args)?;
    if ranks.rank() > 0 {
        return follow(args, &ranks);
    }
    // Before the checkpoint is read, so that no other run writes it meanwhile.
    let checkpoint = outputs::claim_checkpoint(args)?;
    let (args, mut settings) = resolve(args)?;
    let args = &args;
    let Outputs { mut model, mut history } = Outputs::claim(args)?;
    let wanted = source::training_options(args, &settings)?;
    let watch = args.watch.map(|port| Watch::start(args, &settings, port)).transpose()?;
    let data = Data::load(args.task(), &wanted, &settings, args.sample_weights.as_deref())?;
    let chosen = defaults::follow(&mut settings, &data)?;
    if args.verbose {
        describe(&data, &settings)?;
    }
    let sets = data.training.sets()?;
    let session = Session::on_ranks(&settings.config, sets, settings.start(), &ranks);
    let session = session.map_err(|error| needs_memory(error, &data))?;
    check_category_embedding(args, &session)?;
    if !args.quiet {
        chosen.iter().for_each(say);
        ranks::describe().iter().for_each(say);
        announce_columns(&session);
        announce(args, &data.name, sets, &session);
    }
    let earlier_seconds = session.seconds();
    let mut report = new_report(args, &settings, sets, &session);
    if let Some(watch) = &watch {
        watch.ready(&data.name, sets.train.len(), &session);
    }
    let mut checkpoints = CheckpointWriter::new(args, &settings, data.test.as_ref(), checkpoint)?;
    let trained =
        run_epochs(session, sets, &mut report, &mut checkpoints, watch.as_ref(), args, &ranks);
    // Remove the progress bar even if training failed.
    report.end_of_epochs();
    let mut trained = trained?;
    trained.warnings.iter().for_each(warn);
    if !is_worth_saving(&trained, &args.out) {
        let status = without_model(&trained, args);
        return match watch {
            None => status,
            Some(watch) => keep_page(watch, &trained.outcome, None, status),
        };
    }
    let tested = conclude(&mut trained, &data, &settings)?;
    // Every file is written before the first failure is reported.
    let saved = saving::save(&mut model, &model_file::to_bytes(&trained.model)?);
    let history = history.as_mut().map_or(Ok(()), |file| save_history(file, &trained.history));
    let in_place = saving::is_in_place(saved)?;
    let out = model.path();
    let printed = report.result(&Summary {
        history: &trained.history,
        train_seconds: trained.seconds,
        total_seconds: earlier_seconds + begin.elapsed().as_secs_f64(),
        tested: tested.as_ref(),
        out_of_fold: trained.out_of_fold.as_ref(),
        best: trained.best,
        model: out,
    });
    // The result comes first, so that a history that cannot be written does not hide the model.
    let history = saving::is_in_place(history).unwrap_or_else(|error| {
        print_error(&error.into());
        false
    });
    let status = match in_place && history && !checkpoints.is_displaced() {
        true => printed,
        false => Err(Exit::FAILED.into()),
    };
    let status = exit(&trained, args, out, status);
    match watch {
        None => status,
        Some(watch) => {
            let left = (trained.model, tested.as_ref(), out);
            keep_page(watch, &trained.outcome, Some(left), status)
        }
    }
}

/// The arguments and settings of a run: those of its checkpoint, if it goes on, else those that were typed.
fn resolve(args: &TrainArgs) -> Result<(TrainArgs, Settings)> {
    let (args, mut settings) = match &args.checkpoints.resume {
        Some(path) => checkpoints::restore(args, path)?,
        None => {
            let mut args = args.clone();
            decide_task(&mut args);
            decide_preset(&mut args);
            let settings = Settings::resolve(&args)?;
            (args, settings)
        }
    };
    if args.mpi {
        // Of a run that goes on, too: threads change no result.
        let threads = &mut settings.config.threads;
        *threads = threads.or_else(ranks::threads);
    }
    Ok((args, settings))
}

/// What ranks other than 0 do: they train along, but print and write nothing.
fn follow(args: &TrainArgs, ranks: &Ranks) -> Result<()> {
    let (args, mut settings) = resolve(args)?;
    let wanted = source::training_options(&args, &settings)?;
    let data = Data::load(args.task(), &wanted, &settings, args.sample_weights.as_deref())?;
    defaults::follow(&mut settings, &data)?;
    let sets = data.training.sets()?;
    let mut session = Session::on_ranks(&settings.config, sets, settings.start(), ranks)?;
    let stop = stop::hold();
    // Rank 0 may leave an epoch for a checkpoint.
    while session.epoch(sets, stop)?.is_some() || session.outcome().is_none() {}
    match session.outcome() {
        Some(Outcome::Stopped) => Err(Exit(STOPPED).into()),
        Some(Outcome::Diverged { .. }) => Err(Exit::FAILED.into()),
        Some(Outcome::Finished | Outcome::NoProgress) | None => Ok(()),
    }
}

/// The error with the option that helps, if samples that are read piece by piece cannot be trained on so.
fn needs_memory(error: Error, data: &Data) -> Error {
    match data.training.are_streamed() && error.to_string().ends_with("load them into memory") {
        true => Error::argument(format!("{error} (--in-memory)")),
        false => error,
    }
}

/// Refuses embeddings of categories that nothing has: whether a column has many values is known once the schema is fitted.
fn check_category_embedding(args: &TrainArgs, session: &Session) -> Result<()> {
    let wanted =
        args.settings.has("category_embedding") && session.config().category_embedding.is_some();
    let columns = session.model().network.columns();
    let is_category = |column: &Column| matches!(column, Column::Category(_));
    if !wanted || columns.is_some_and(|layer| layer.columns().iter().any(is_category)) {
        return Ok(());
    }
    let why = "no column of text has more than eight values";
    Err(source::no_effect("--category-embedding", "these data", why).into())
}

/// Decides whether classes or values are learned from a table if no loss says it.
fn decide_task(args: &mut TrainArgs) {
    if args.settings.has("loss") {
        return;
    }
    let Some((task, line)) = target::decide(args.data.as_deref(), &mut args.source) else { return };
    if task == Task::Regression {
        args.settings.set("loss", Loss::SquaredError.name());
    }
    if !args.quiet {
        say(line);
    }
}

/// Takes the recipe for tables where the options name no other settings.
fn decide_preset(args: &mut TrainArgs) {
    let Some((preset, line)) = target::recipe(args) else { return };
    args.preset = Some(preset);
    if !args.quiet {
        say(line);
    }
}

/// Writes the history.
fn save_history(file: &mut OutputFile, history: &History) -> Result<(), Error> {
    let bytes = outputs::history_bytes(file.path(), history);
    saving::save(file, &bytes)
}

/// Says what begins: the network, the data and the steps, and whether a model will be replaced.
fn announce(args: &TrainArgs, data: &str, sets: Sets, session: &Session) {
    let (epochs, done) = (session.config().epochs, session.history().epochs.len());
    let unit = if epochs == 1 { "epoch" } else { "epochs" };
    let from = if done == 0 { String::new() } else { format!(", from epoch {done}") };
    say(format_args!(
        "Training {} on {data}: {} samples, {epochs} {unit} of {} steps{from}",
        architecture(&session.model().network),
        sets.train.len(),
        session.steps_per_epoch(),
    ));
    let members = session.config().networks();
    if members > 1 {
        let again = match session.config().refit {
            Some(true) => ", then once more on all of them",
            _ => "",
        };
        say(format_args!(
            "{members} members, each trained without one of {members} folds of the samples{again}; figures are means"
        ));
    }
    if args.checkpoints.resume.is_none() && args.out.exists() {
        say(format_args!("{} exists and will be replaced", args.out.display()));
    }
}

/// Says what the network gets of the raw columns of a table, and which of them are not used.
fn announce_columns(session: &Session) {
    let model = session.model();
    let Some(schema) = model.transform.schema() else { return };
    say(format_args!("Columns: {}", schema.summary()));
    let names = names_of_features(model);
    schema.notes(|at| names[at].clone()).iter().for_each(say);
}

/// Whether the model of a run is to be written. A run without a good epoch must not replace an earlier model, and initial
/// weights are no model at all.
fn is_worth_saving(trained: &Trained, out: &Path) -> bool {
    let none = trained.history.epochs.is_empty();
    match trained.outcome {
        Outcome::Diverged { .. } => !none && (trained.learned || !out.exists()),
        Outcome::Stopped if none => !out.exists(),
        _ => true,
    }
}

/// The output of a run; the preset `notebook` prints its epochs like the notebook, which has no validation.
fn new_report(args: &TrainArgs, settings: &Settings, sets: Sets, session: &Session) -> TrainReport {
    let like_notebook = args.task() == Task::Classification
        && settings.preset == Preset::Notebook
        && sets.validation.is_none();
    TrainReport::new(args, session, sets.train.len(), like_notebook)
}

/// Trains the remaining epochs of a session.
fn run_epochs(
    mut session: Session,
    sets: Sets,
    report: &mut TrainReport,
    checkpoints: &mut CheckpointWriter,
    watch: Option<&Watch>,
    args: &TrainArgs,
    ranks: &Ranks,
) -> Result<Trained> {
    let (stop, before) = (stop::hold(), session.seconds());
    loop {
        if let Some(epoch) = session.epoch_until(sets, stop, checkpoints.due())? {
            report.epoch(epoch);
            if let Some(watch) = watch {
                watch.epoch(epoch);
            }
            checkpoints.epoch(&session, sets);
            continue;
        }
        if session.outcome().is_some() {
            break;
        }
        checkpoints.save(&session, sets);
    }
    if matches!(session.outcome(), Some(Outcome::Stopped)) {
        checkpoints.save(&session, sets);
    }
    if args.mpi && !args.quiet {
        let seconds = (session.seconds() - before).max(f64::MIN_POSITIVE);
        let share = session.exchange_seconds() / seconds;
        let in_step = sets.train.len() as f64 / session.steps_per_epoch() as f64;
        report.end_of_epochs();
        say(ranks::exchange_line(share, in_step, ranks));
    }
    Ok(session.finish())
}

/// The exit status for the outcome, which is reported if it is not the expected one; `status` is that of the output.
fn exit(trained: &Trained, args: &TrainArgs, out: &Path, status: Result<()>) -> Result<()> {
    let out = out.display();
    let epochs = trained.history.epochs.len();
    match &trained.outcome {
        Outcome::Finished | Outcome::NoProgress => status,
        Outcome::Stopped => {
            let unit = if epochs == 1 { "epoch" } else { "epochs" };
            let weights = match trained.best {
                Some(Best { epoch, .. }) => {
                    format!("the weights from epoch {epoch}, the best one,")
                }
                None => "the current weights".to_owned(),
            };
            say(format_args!("Stopped after {epochs} {unit}; saved {weights} to {out}"));
            say_how_to_resume(args);
            // A file that is not where it was wanted is a failure; a closed standard output is not.
            match status.as_ref().err().and_then(|error| error.downcast_ref::<Exit>()) {
                Some(_) => status,
                None => Err(Exit(STOPPED).into()),
            }
        }
        Outcome::Diverged { message, .. } => {
            let kept = trained.best.map_or(epochs.saturating_sub(1), |best| best.epoch);
            print_error(&anyhow!("{message}. {out} holds the weights from epoch {kept}"));
            Err(Exit::FAILED.into())
        }
    }
}

/// The exit status of a run whose model is not written.
fn without_model(trained: &Trained, args: &TrainArgs) -> Result<()> {
    let out = args.out.display();
    let left = match args.out.exists() {
        true => format!("{out} is unchanged"),
        false => "no model was written".to_owned(),
    };
    match &trained.outcome {
        Outcome::Diverged { message, .. } => {
            let why = match trained.history.epochs.is_empty() {
                true => "No epoch was completed",
                false => "No epoch did better than guessing",
            };
            print_error(&anyhow!("{message}. {why}; {left}"));
            Err(Exit::FAILED.into())
        }
        _ => {
            say(format_args!("Stopped in the first epoch; {left}"));
            say_how_to_resume(args);
            Err(Exit(STOPPED).into())
        }
    }
}

/// A run that writes checkpoints can go on.
fn say_how_to_resume(args: &TrainArgs) {
    if let Some(path) = args.checkpoints.path().filter(|path| path.exists()) {
        say(format_args!("To continue: gradus train --resume {}", path.display()));
    }
}

/// Keeps the page of `--watch` until Ctrl-C, and returns the exit status.
fn keep_page(
    watch: Watch,
    outcome: &Outcome,
    left: Option<(Model, Option<&TestResult>, &Path)>,
    status: Result<()>,
) -> Result<()> {
    // Stopping a run from the page is not the same as pressing Ctrl-C.
    let stopped = *outcome == Outcome::Stopped;
    let by_page = watch.has_stopped_it();
    watch.ended(outcome, left);
    if !stopped || by_page {
        say(format_args!("the page remains at {} until Ctrl-C", watch.url()));
        stop::wait();
    }
    watch.end();
    match status.as_ref().err().and_then(|error| error.downcast_ref()) {
        Some(Exit(STOPPED)) if by_page => Ok(()),
        _ => status,
    }
}

/// Prints the data, the settings and the machine on standard error.
fn describe(data: &Data, settings: &Settings) -> Result<()> {
    let Data { name, origin, training, test, .. } = data;
    let (samples, Sets { train, validation }) = (&training.samples, training.sets()?);
    let config = &settings.config;
    say(format_args!(
        "data: {name} from {origin}: {} training, {} validation and {} test samples of {} {}, {} {}",
        train.len(),
        validation.map_or(0, |set| set.len()),
        test.as_ref().map_or(0, Dataset::len),
        shape(&samples.sample_shape),
        value_type(&samples.inputs),
        samples.targets.outputs(),
        samples.targets.task().outputs()
    ));
    let transform = config.transform(train)?;
    let network = match &settings.initial {
        Some(initial) => initial.network().clone(),
        None => config.network(train, &transform)?,
    };
    say(format_args!("network: {}", architecture(&network)));
    say(format_args!("settings: {}", serde_json::to_string(config)?));
    let isa = Kernels::detect().map_err(Error::argument)?.isa().name();
    let acts_on_columns = config.scaling_layer == Some(true) || network.columns().is_some();
    let sparse = !acts_on_columns && skips_zeros(&transform, train);
    say(format_args!(
        "machine: instruction set {isa}, {} threads; the first layer {}",
        config.workers(&network, train.len()),
        if sparse { "skips zeros" } else { "is computed densely" }
    ));
    Ok(())
}
