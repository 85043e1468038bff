//! `gradus train`: data and settings in, a model file out.

mod report;
mod terminal_curve;

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use gradus::classifier::skips_zeros;
use gradus::data::{Dataset, Task};
use gradus::network::{Kernels, Network};
use gradus::training::{Outcome, Preset, Session, Trained};
use gradus::transform::Transform;
use gradus::{Error, model_file};

use report::{Summary, TrainReport};

use crate::args::TrainArgs;
use crate::run::checkpoints::{self, CheckpointWriter};
use crate::run::describe::{architecture, value_type};
use crate::run::metadata::conclude;
use crate::run::output::{Exit, STOPPED, print_error, say, shape};
use crate::run::settings::Settings;
use crate::run::training_data::Data;
use crate::run::{outputs, source, stop};
use crate::serve::Watch;

/// Runs the command.
pub(crate) fn run(args: &TrainArgs, begin: Instant) -> Result<()> {
    let (args, settings) = match &args.checkpoints.resume {
        Some(path) => checkpoints::restore(args, path)?,
        None => (args.clone(), Settings::resolve(args)?),
    };
    let args = &args;
    let wanted = source::training_options(args, &settings)?;
    outputs::check(args)?;
    stop::listen()?;
    let watch = args.watch.map(|port| Watch::start(args, &settings, port)).transpose()?;
    let data = Data::load(&wanted, &settings, args.regularization.sample_weights.as_deref())?;
    if args.verbose {
        describe(&data, &settings)?;
    }

    let classes = args.task() == Task::Classification;
    let like_notebook = classes && settings.preset == Preset::Notebook && data.validation.is_none();
    let (train, validation) = (&data.train, data.validation.as_ref());
    let session = match &settings.checkpoint {
        Some(checkpoint) => Session::resume(checkpoint, train, validation, args.threads)?,
        None => Session::new(&settings.config, train, validation, settings.start.clone())?,
    };
    let done = session.history().epochs.len();
    let before = session.seconds();
    let mut report =
        TrainReport::new(args, settings.config.epochs - done, train.len(), like_notebook);
    let checkpoints = CheckpointWriter::new(args, &settings)?;
    if let Some(watch) = &watch {
        watch.ready(&data.name, train.len(), &session);
    }
    let trained = run_epochs(session, &mut report, checkpoints, watch.as_ref());
    report.end_of_epochs();
    let mut trained = trained?;
    let tested = conclude(&mut trained, &data, &settings)?;
    let Trained { model, history, outcome, best, seconds } = trained;
    model_file::save(&model, &args.out)?;
    let told = report.result(&Summary {
        history: &history,
        train_seconds: seconds,
        total_seconds: before + begin.elapsed().as_secs_f64(),
        tested: &tested,
        best,
        model: &args.out,
    });
    // The result is told before, so that a history that cannot be written does not hide the model.
    if let Some(path) = &args.history {
        outputs::write_history(path, &history)?;
    }
    let epochs = history.epochs.len();
    let ended = |outcome| end(outcome, best.map(|best| best.epoch), &args.out, epochs, told);
    let Some(watch) = watch else { return ended(outcome) };
    // A run that the page stopped is no run that Ctrl-C stopped.
    let (stopped, by_page) = (outcome == Outcome::Stopped, watch.has_stopped_it());
    watch.ended(&outcome, model, &tested, &args.out);
    let ended = ended(outcome);
    if !stopped || by_page {
        say(format_args!("the page stays at {} until Ctrl-C", watch.url()));
        stop::wait();
    }
    watch.end();
    if stopped && by_page { Ok(()) } else { ended }
}

/// Runs what is left of a session.
fn run_epochs(
    mut session: Session,
    report: &mut TrainReport,
    mut checkpoints: CheckpointWriter,
    watch: Option<&Watch>,
) -> Result<Trained> {
    let stop = stop::hold();
    while let Some(epoch) = session.epoch(stop)? {
        report.epoch(epoch);
        if let Some(watch) = watch {
            watch.epoch(epoch);
        }
        checkpoints.epoch(&session);
    }
    Ok(session.finish())
}

/// The exit status that fits the outcome, with a word on it.
fn end(
    outcome: Outcome,
    best: Option<usize>,
    out: &Path,
    epochs: usize,
    told: Result<()>,
) -> Result<()> {
    let out = out.display();
    match outcome {
        Outcome::Finished | Outcome::NoProgress => told,
        Outcome::Stopped => {
            let model = match best {
                Some(best) => format!("of epoch {best}, the best,"),
                None => "as it was then".to_owned(),
            };
            let unit = if epochs == 1 { "epoch" } else { "epochs" };
            say(format_args!("stopped after {epochs} {unit}; the model {model} is in {out}"));
            Err(Exit(STOPPED).into())
        }
        Outcome::Diverged { message, .. } => {
            print_error(&anyhow::anyhow!("{message}, in {out}"));
            Err(Exit::FAILED.into())
        }
    }
}

/// What was found where and how it is computed, on standard error.
fn describe(data: &Data, settings: &Settings) -> Result<()> {
    let Data { name, origin, train, validation, test } = data;
    let config = &settings.config;
    say(format_args!(
        "data: {name} from {origin}: {} training, {} validation and {} test samples of {} {}, {} {}",
        train.len(),
        validation.as_ref().map_or(0, Dataset::len),
        test.len(),
        shape(&train.sample_shape),
        value_type(&train.inputs),
        train.targets.outputs(),
        train.targets.task().outputs()
    ));
    let outputs = train.targets.outputs();
    let network = match &settings.start {
        Some(network) => network.clone(),
        None => Network::dense(train.features(), &config.hidden, &config.activation, outputs)?,
    };
    say(format_args!("network: {}", architecture(&network)));
    say(format_args!("settings: {}", serde_json::to_string(config)?));
    let isa = Kernels::detect().map_err(Error::argument)?.isa().name();
    let transform = Transform::fit(config.normalization, train);
    let sparse = skips_zeros(&transform, train.inputs.rows());
    say(format_args!(
        "machine: instruction set {isa}, {} threads; the first layer {}",
        config.workers(&network, train.len()),
        if sparse { "skips zeros" } else { "is computed densely" }
    ));
    Ok(())
}
