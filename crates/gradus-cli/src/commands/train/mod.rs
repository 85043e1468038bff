//! `gradus train`: data and settings in, a model file out.

mod report;
mod terminal_curve;

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use gradus::classifier::skips_zeros;
use gradus::data::Task;
use gradus::files::OutputFile;
use gradus::network::{Kernels, Network};
use gradus::training::{Best, Data as Sets, History, Outcome, Preset, Session, Start, Trained};
use gradus::transform::Transform;
use gradus::{Error, model_file};

use report::{Summary, TrainReport};

use crate::args::TrainArgs;
use crate::run::checkpoints::{self, CheckpointWriter};
use crate::run::describe::{architecture, value_type};
use crate::run::metadata::conclude;
use crate::run::output::{Exit, STOPPED, print_error, say, shape};
use crate::run::outputs::{self, Outputs};
use crate::run::settings::Settings;
use crate::run::test_result::TestResult;
use crate::run::training_data::Data;
use crate::run::{saving, source, stop};
use crate::serve::Watch;

/// Runs the command.
pub(crate) fn run(args: &TrainArgs, begin: Instant) -> Result<()> {
    stop::listen()?;
    // Before a checkpoint is read, so that no other run writes it meanwhile.
    let Outputs { mut model, checkpoint, mut history } = Outputs::claim(args)?;
    let (args, settings) = match &args.checkpoints.resume {
        Some(path) => checkpoints::restore(args, path)?,
        None => (args.clone(), Settings::resolve(args)?),
    };
    let args = &args;
    let wanted = source::training_options(args, &settings)?;
    let watch = args.watch.map(|port| Watch::start(args, &settings, port)).transpose()?;
    let data = Data::load(&wanted, &settings, args.sample_weights.as_deref())?;
    if args.verbose {
        describe(&data, &settings)?;
    }
    let sets = data.training.sets()?;
    let session = start(sets, &settings)?;
    let earlier_seconds = session.seconds();
    let mut report = new_report(args, &settings, sets, &session);
    if let Some(watch) = &watch {
        watch.ready(&data.name, sets.train.len(), &session);
    }
    let mut checkpoints = CheckpointWriter::new(args, &settings, checkpoint)?;
    let trained = run_epochs(session, sets, &mut report, &mut checkpoints, watch.as_ref());
    // Remove the progress bar even if training failed.
    report.end_of_epochs();
    let mut trained = trained?;
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
        tested: &tested,
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
    match watch {
        None => exit(&trained, out, status),
        Some(watch) => keep_page(watch, trained, &tested, &out.to_owned(), status),
    }
}

/// Writes the history.
fn save_history(file: &mut OutputFile, history: &History) -> Result<(), Error> {
    let bytes = outputs::history_bytes(file.path(), history);
    saving::save(file, &bytes)
}

/// Starts a run, or resumes one.
fn start(sets: Sets, settings: &Settings) -> Result<Session> {
    let start = match &settings.checkpoint {
        Some(checkpoint) => Start::Resume(checkpoint),
        None => settings.start.clone().into(),
    };
    Ok(Session::new(&settings.config, sets, start)?)
}

/// The output of a run; the preset `notebook` prints its epochs like the notebook, which has no validation.
fn new_report(args: &TrainArgs, settings: &Settings, sets: Sets, session: &Session) -> TrainReport {
    let like_notebook = args.task() == Task::Classification
        && settings.preset == Preset::Notebook
        && sets.validation.is_none();
    let remaining = settings.config.epochs - session.history().epochs.len();
    TrainReport::new(args, remaining, sets.train.len(), like_notebook)
}

/// Trains the remaining epochs of a session.
fn run_epochs(
    mut session: Session,
    sets: Sets,
    report: &mut TrainReport,
    checkpoints: &mut CheckpointWriter,
    watch: Option<&Watch>,
) -> Result<Trained> {
    let stop = stop::hold();
    while let Some(epoch) = session.epoch(sets, stop)? {
        report.epoch(epoch);
        if let Some(watch) = watch {
            watch.epoch(epoch);
        }
        checkpoints.epoch(&session, sets);
    }
    Ok(session.finish())
}

/// The exit status for the outcome, which is reported if it is not the expected one; `status` is that of the output.
fn exit(trained: &Trained, out: &Path, status: Result<()>) -> Result<()> {
    let out = out.display();
    match &trained.outcome {
        Outcome::Finished | Outcome::NoProgress => status,
        Outcome::Stopped => {
            let epochs = trained.history.epochs.len();
            let unit = if epochs == 1 { "epoch" } else { "epochs" };
            let weights = match trained.best {
                Some(Best { epoch, .. }) => {
                    format!("the weights from epoch {epoch}, the best one,")
                }
                None => "the current weights".to_owned(),
            };
            say(format_args!("Stopped after {epochs} {unit}; saved {weights} to {out}"));
            // A file that is not where it was wanted is a failure; a closed standard output is not.
            match status.as_ref().err().and_then(|error| error.downcast_ref::<Exit>()) {
                Some(_) => status,
                None => Err(Exit(STOPPED).into()),
            }
        }
        Outcome::Diverged { message, .. } => {
            print_error(&anyhow::anyhow!("{message}, in {out}"));
            Err(Exit::FAILED.into())
        }
    }
}

/// Keeps the page of `--watch` until Ctrl-C, and returns the exit status.
fn keep_page(
    watch: Watch,
    trained: Trained,
    tested: &TestResult,
    out: &Path,
    status: Result<()>,
) -> Result<()> {
    // Stopping a run from the page is not the same as pressing Ctrl-C.
    let stopped = trained.outcome == Outcome::Stopped;
    let by_page = watch.has_stopped_it();
    let status = exit(&trained, out, status);
    watch.ended(&trained.outcome, trained.model, tested, out);
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
    let Data { name, origin, training, test } = data;
    let (samples, Sets { train, validation }) = (&training.samples, training.sets()?);
    let config = &settings.config;
    say(format_args!(
        "data: {name} from {origin}: {} training, {} validation and {} test samples of {} {}, {} {}",
        train.len(),
        validation.map_or(0, |set| set.len()),
        test.len(),
        shape(&samples.sample_shape),
        value_type(&samples.inputs),
        samples.targets.outputs(),
        samples.targets.task().outputs()
    ));
    let outputs = samples.targets.outputs();
    let network = match &settings.start {
        Some(network) => network.clone(),
        None => Network::dense(train.features(), &config.hidden, &config.activation, outputs)?,
    };
    say(format_args!("network: {}", architecture(&network)));
    say(format_args!("settings: {}", serde_json::to_string(config)?));
    let isa = Kernels::detect().map_err(Error::argument)?.isa().name();
    let transform = Transform::fit(config.normalization, train);
    let sparse = skips_zeros(&transform, train);
    say(format_args!(
        "machine: instruction set {isa}, {} threads; the first layer {}",
        config.workers(&network, train.len()),
        if sparse { "skips zeros" } else { "is computed densely" }
    ));
    Ok(())
}
