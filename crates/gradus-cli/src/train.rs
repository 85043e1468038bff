//! `gradus train`: data and settings in, a model file out.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use gradus::classifier::{ModelRef, skips_zeros};
use gradus::data::images::{GreyImage, MNIST_PIXELS, MNIST_SIDE, to_mnist_form};
use gradus::data::normalize::Normalizer;
use gradus::data::split::split_samples;
use gradus::data::{Dataset, Inputs, LoadOptions, Loaded, Task, load_matching};
use gradus::network::{Kernels, Network, Workers, available_cores};
use gradus::training::{Best, EpochReport, History, Outcome, Preset, Session, Trained};
use gradus::{Error, model_file};
use serde_json::{Value, json};

use crate::args::TrainArgs;
use crate::output::{Exit, STOPPED, print_error, say, shape, warn};
use crate::resume::{self, Keeper};
use crate::serve::Watch;
use crate::settings::{Settings, hidden_of};
use crate::train_report::{Summary, Tested, TrainReport};
use crate::values::Loss;
use crate::{destination, source, stop};

/// Runs the command.
pub(crate) fn run(args: &TrainArgs, begin: Instant) -> Result<()> {
    let (args, settings) = match &args.keeping.resume {
        Some(path) => resume::restore(args, path)?,
        None => (args.clone(), Settings::resolve(args)?),
    };
    let args = &args;
    let seed = settings.config.seed;
    let wanted = args.data_options(seed)?;
    destination::check(args)?;
    stop::listen()?;
    let watch = args.watch.map(|port| Watch::start(args, &settings, port)).transpose()?;
    let data = Data::load(&wanted, &settings, args.regularization.sample_weights.as_deref())?;
    if args.verbose {
        describe(&data, &settings)?;
    }

    let classes = args.task() == Task::Classes;
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
    let keeper = Keeper::new(args, &settings)?;
    if let Some(watch) = &watch {
        watch.ready(&data.name, train.len(), &session);
    }
    let trained = run_epochs(session, &mut report, keeper, watch.as_ref());
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
        destination::write_history(path, &history)?;
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

/// Tests what a run left, and writes into the model how it came about.
pub(crate) fn conclude(trained: &mut Trained, data: &Data, settings: &Settings) -> Result<Tested> {
    let Trained { model, history, outcome, best, .. } = trained;
    let tested = Tested::of(model, &data.test, &workers(settings.config.threads, usize::MAX)?)?;
    *model.training_mut() = recipe(data, settings, (history, outcome, best.as_ref()), &tested)?;
    Ok(tested)
}

/// Runs what is left of a session.
fn run_epochs(
    mut session: Session,
    report: &mut TrainReport,
    mut keeper: Keeper,
    watch: Option<&Watch>,
) -> Result<Trained> {
    let stop = stop::hold();
    while let Some(epoch) = session.epoch(stop)? {
        report.epoch(epoch);
        if let Some(watch) = watch {
            watch.reporter().epoch(epoch);
        }
        keeper.epoch(&session);
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

/// `count` threads, or one for each core, but not more than there is work for.
pub(crate) fn workers(count: Option<usize>, most: usize) -> Result<Workers> {
    Workers::new(count.unwrap_or_else(available_cores).min(most)).map_err(anyhow::Error::msg)
}

/// The parts of the data.
pub(crate) struct Data {
    pub(crate) name: String,
    origin: String,
    pub(crate) train: Dataset,
    pub(crate) validation: Option<Dataset>,
    test: Dataset,
}

impl Data {
    pub(crate) fn load(
        wanted: &LoadOptions,
        settings: &Settings,
        weights: Option<&Path>,
    ) -> Result<Data> {
        let Loaded { name, train, test, origin, .. } = source::load(wanted, weights)?;
        let (train, validation) = match &settings.validation_set {
            Some(path) => {
                let (validation, notices) = load_matching(path, &train, wanted)?;
                notices.iter().for_each(warn);
                (train, Some(validation))
            }
            None => set_apart(train, settings)?,
        };
        Ok(Data { name: source::short_name(&name), origin, train, validation, test })
    }

    /// The parts that training sees; the test part is let go.
    pub(crate) fn without_test(self) -> (Dataset, Option<Dataset>) {
        (self.train, self.validation)
    }
}

/// Sets the share of the training data apart that the settings want for validation.
fn set_apart(train: Dataset, settings: &Settings) -> Result<(Dataset, Option<Dataset>)> {
    let (share, seed) = (settings.config.validation, settings.config.seed);
    if share == 0.0 {
        return Ok((train, None));
    }
    let (kept, apart) = split_samples(&train, share, seed);
    if kept.is_empty() || apart.is_empty() {
        let samples = train.len();
        return Err(Error::argument(format!(
            "--validation {share}: {samples} training samples are too few to be divided so"
        ))
        .into());
    }
    Ok((train.subset(&kept), Some(train.subset(&apart))))
}

/// How the model came about: what a second run needs to give the same bits, and what it gave.
/// No times and no folders: same seed, same file, on any machine.
fn recipe(
    data: &Data,
    settings: &Settings,
    (history, outcome, best): (&History, &Outcome, Option<&Best>),
    tested: &Tested,
) -> Result<Value> {
    // By way of text, in which single-precision numbers are short.
    let mut config: Value = serde_json::from_str(&serde_json::to_string(&settings.config)?)?;
    if let Some(config) = config.as_object_mut() {
        config.remove("threads");
        if settings.start.is_some() {
            config.insert("init".into(), "file".into());
        }
        if data.train.sample_weights.is_some() {
            config["regularization"]["sample_weights"] = "file".into();
        }
    }
    let mut recipe = json!({
        "gradus": env!("CARGO_PKG_VERSION"),
        "data": data.name,
        "samples": {
            "train": data.train.len(),
            "validation": data.validation.as_ref().map_or(0, Dataset::len),
            "test": data.test.len(),
        },
        "inputs": {
            "values": value_type(&data.train.inputs),
            "mnist_form": is_in_mnist_form(&data.train),
        },
        "preset": settings.preset.name(),
        "config": config,
        "epochs": history.epochs.len(),
        "outcome": match outcome {
            Outcome::Finished => "finished",
            Outcome::NoProgress => "no_progress",
            Outcome::Stopped => "stopped",
            Outcome::Diverged { .. } => "diverged",
        },
        "best_epoch": best.map(|best| best.epoch),
        "history": without_times(history).to_json(),
    });
    if let Some(recipe) = recipe.as_object_mut() {
        if data.train.answers.task() == Task::Values {
            recipe.insert("loss".into(), Loss::Squared.name().into());
        }
        let figures = tested.figures().into_iter();
        recipe.extend(figures.map(|(key, value)| (key.to_owned(), value)));
    }
    Ok(recipe)
}

/// The figures that are the same on every machine.
fn without_times(history: &History) -> History {
    let epochs = history.epochs.iter();
    let epochs = epochs.map(|report| EpochReport { seconds: f64::NAN, ..report.clone() });
    History { epochs: epochs.collect() }
}

/// Whether pictures look as MNIST's do, fitted into a box and centred by mass: then one that is to
/// be predicted must be brought to that form. A hundred of them tell.
fn is_in_mnist_form(data: &Dataset) -> bool {
    let Inputs::Bytes(values) = &data.inputs else { return false };
    if data.sample_shape != [MNIST_SIDE, MNIST_SIDE] {
        return false;
    }
    let pictures = values.chunks_exact(MNIST_PIXELS).take(100);
    let unchanged = |pixels: &&[u8]| {
        GreyImage::new(MNIST_SIDE, MNIST_SIDE, pixels.to_vec())
            .and_then(|image| to_mnist_form(&image))
            .is_ok_and(|formed| formed == **pixels)
    };
    2 * pictures.clone().filter(unchanged).count() > pictures.count()
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
        train.answers.outputs(),
        train.answers.task().name()
    ));
    let outputs = train.answers.outputs();
    let network = match &settings.start {
        Some(network) => network.clone(),
        None => Network::dense(train.features(), &config.hidden, &config.activation, outputs)?,
    };
    say(format_args!("network: {}", architecture(&network)));
    say(format_args!("settings: {}", serde_json::to_string(config)?));
    let isa = Kernels::detect().map_err(Error::argument)?.isa().name();
    let normalizer = Normalizer::fit(config.normalization, train);
    let sparse = skips_zeros(&normalizer, train.inputs.rows());
    say(format_args!(
        "machine: instruction set {isa}, {} threads; the first layer {}",
        config.workers(&network, train.len()),
        if sparse { "skips zeros" } else { "is computed densely" }
    ));
    Ok(())
}

/// What the values are.
pub(crate) fn value_type(inputs: &Inputs) -> &'static str {
    match inputs {
        Inputs::Bytes(_) => "bytes",
        Inputs::Floats(_) => "float32",
        Inputs::Sparse(_) => "sparse float32",
    }
}

/// `784-128-10, relu, 101770 parameters`; the activations one after the other where they differ.
pub(crate) fn architecture(network: &Network) -> String {
    let mut sizes = vec![network.inputs()];
    sizes.extend(hidden_of(network));
    sizes.push(network.outputs());
    let sizes = sizes.iter().map(ToString::to_string).collect::<Vec<_>>().join("-");
    let hidden = 0..network.linears().len() - 1;
    let mut names: Vec<_> = hidden.map(|index| network.activation_after(index).name()).collect();
    if names.iter().all(|name| *name == names[0]) {
        names.truncate(1);
    }
    let activations: String = names.iter().map(|name| format!(", {name}")).collect();
    format!("{sizes}{activations}, {} parameters", network.parameters().len())
}

/// Data to evaluate a model on when nothing else is said: those that it was trained on.
pub(crate) fn data_of<'a>(model: ModelRef<'a>) -> Option<&'a str> {
    model.training()["data"].as_str()
}
