//! The plan of a sweep: arguments in, the runs with their settings out. Everything that `train` would refuse
//! is refused before the first run starts.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use anyhow::{Context, Result};
use clap::CommandFactory;
use gradus::Error;
use gradus::data::{Subset, Task};
use gradus::loss::Loss;
use gradus::training::Monitor;
use serde_json::{Value, json};

use super::draw::draws;
use super::halving::rungs;
use super::options::{check_given, check_varied};
use crate::args::{Cli, Command, Part, SweepArgs, TrainArgs};
use crate::run::defaults;
use crate::run::escape::is_unprintable;
use crate::run::output::say;
use crate::run::settings::Settings;
use crate::run::target;
use crate::run::training_data::Data;

/// Default fraction of the training data that is held out to compare the runs.
pub(crate) const VALIDATION: &str = "0.1";

/// Options that do not affect results: an interrupted sweep can be continued with others.
const NO_MATTER: [&str; 3] = ["threads", "data_dir", "no_download"];

/// A run of the sweep.
#[derive(Debug)]
pub(crate) struct Run {
    /// Counted from 0.
    pub(crate) number: usize,
    /// The options that differ between runs, in their order, with their values.
    pub(crate) options: Vec<(String, String)>,
    pub(crate) settings: Settings,
    /// The command line of `train`, without its beginning.
    words: Vec<OsString>,
}

/// The plan of a sweep.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) runs: Vec<Run>,
    /// The metric that runs are compared by.
    pub(crate) monitor: Monitor,
    /// The rungs of successive halving, if enabled.
    pub(crate) rungs: Option<Vec<usize>>,
    /// The arguments of the first run; those about data are the same for all runs.
    pub(crate) first: TrainArgs,
    /// Whether [`VALIDATION`] was added to the arguments.
    pub(crate) holds_out: bool,
    /// The runs that are trained; all without it.
    part: Option<Part>,
    vary: Vec<String>,
    /// Seed of the random samples; none for a grid.
    seed: Option<u64>,
}

impl Plan {
    /// Plans all runs.
    ///
    /// # Errors
    /// A `clap::Error` or `InvalidArgument` for a problem with any run or with the sweep.
    pub(crate) fn new(args: &SweepArgs) -> Result<Plan> {
        let train = Cli::command();
        let train = train.find_subcommand("train").context("there is no command train")?;
        check_varied(args, train)?;
        let draws = draws(args)?;
        let mut common = args.train.clone();
        let words = |common: &[OsString], values: &[String]| -> Vec<OsString> {
            let varied = args.vary.iter().zip(values);
            let varied = varied.map(|(vary, value)| format!("--{}={value}", vary.option).into());
            common.iter().cloned().chain(varied).collect()
        };
        let mut first = train_args(&words(&common, &draws[0]))?;
        check_given(&first, train)?;
        if let Some(members) = first.settings.get("members") {
            return Err(Error::argument(format!(
                "--members {members}: a sweep compares single networks on the same validation data; leave it out, and \
                 train the best settings with --members afterwards"
            ))
            .into());
        }
        let holds_out = !first.given.contains_key("validation");
        if holds_out {
            common.extend(["--validation".into(), VALIDATION.into()]);
            first = train_args(&words(&common, &draws[0]))?;
        }
        let decided = decided(&first);
        if !decided.is_empty() {
            common.extend(decided);
            first = train_args(&words(&common, &draws[0]))?;
        }
        let run = |(number, values): (usize, Vec<String>)| -> Result<Run> {
            let words = words(&common, &values);
            let options: Vec<_> = args.vary.iter().map(|vary| vary.option.clone()).collect();
            let options: Vec<_> = options.into_iter().zip(values).collect();
            let mut settings = Settings::resolve(&train_args(&words)?)
                .with_context(|| format!("run {number} ({})", spelled(&options)))?;
            if holds_out {
                // Nobody has asked for it: the validation part of the data comes first.
                settings.share = None;
            }
            Ok(Run { number, options, settings, words })
        };
        let runs: Vec<Run> = draws.into_iter().enumerate().map(run).collect::<Result<_>>()?;
        let settings = &runs[0].settings;
        if settings.config.validation == 0.0 && settings.validation_set.is_none() {
            let message = "--validation 0: a sweep compares its runs on validation data; give a \
                           fraction such as 0.1, or the path of a data set";
            return Err(Error::argument(message).into());
        }
        let monitor = args.monitor.or(settings.config.monitor).unwrap_or(match first.task() {
            Task::Classification | Task::MultiLabel => Monitor::ValAccuracy,
            Task::Regression => Monitor::ValLoss,
        });
        if let Some(problem) = monitor.problem_with(first.task()) {
            let message = format!("--monitor {}: {problem}", monitor.name());
            return Err(Error::argument(message).into());
        }
        if let Some(part) = args.part
            && !runs.iter().any(|run| part.contains(run.number))
        {
            let message =
                format!("--part: this part of the {} runs has none; use fewer parts", runs.len());
            return Err(Error::argument(message).into());
        }
        let rungs = if args.halve { Some(rungs_of(&runs)?) } else { None };
        Ok(Plan {
            monitor,
            rungs,
            first,
            holds_out,
            part: args.part,
            vary: args.vary.iter().map(|vary| vary.text.clone()).collect(),
            seed: args.runs.map(|_| args.seed.unwrap_or(0)),
            runs,
        })
    }

    /// Whether this sweep trains the run.
    pub(crate) fn trains(&self, run: &Run) -> bool {
        self.part.is_none_or(|part| part.contains(run.number))
    }

    /// Takes back the [`VALIDATION`] that was added: the data have a validation part.
    pub(crate) fn hold_nothing_out(&mut self) {
        if !self.holds_out {
            return;
        }
        self.holds_out = false;
        self.first.given.remove("validation");
        for run in &mut self.runs {
            run.settings.config.validation = 0.0;
            let added = run.words.windows(2).position(|it| it == ["--validation", VALIDATION]);
            if let Some(at) = added {
                run.words.drain(at..at + 2);
            }
        }
    }

    /// Lets the settings that are free follow the data, and returns a line about those of the first run.
    ///
    /// # Errors
    /// `InvalidArgument` if runs that are halved then have different numbers of epochs.
    pub(crate) fn follow(&mut self, data: &Data) -> Result<Option<String>> {
        let follow = |run: &mut Run| defaults::follow(&mut run.settings, data);
        let lines = self.runs.iter_mut().map(follow).collect::<Result<Vec<_>>>()?;
        if self.rungs.is_some() {
            self.rungs = Some(rungs_of(&self.runs)?);
        }
        Ok(lines.into_iter().next().flatten())
    }

    /// The identity of this sweep: everything that its results depend on. Without halving this includes
    /// neither the number of runs nor the metric, so that a sweep can be extended and its runs ranked by
    /// another metric.
    ///
    /// # Errors
    /// Those of [`TrainingSamples::sets`].
    ///
    /// [`TrainingSamples::sets`]: crate::run::training_data::TrainingSamples::sets
    pub(crate) fn identity(&self, data: &Data) -> Result<Value> {
        let sets = data.training.sets()?;
        let varied: Vec<_> =
            self.runs[0].options.iter().map(|(option, _)| option.replace('-', "_")).collect();
        let matters = |id: &&String| !varied.contains(id) && !NO_MATTER.contains(&id.as_str());
        let given = &self.first.given;
        let common: BTreeMap<_, _> = given.iter().filter(|(id, _)| matters(id)).collect();
        Ok(json!({
            "gradus": env!("CARGO_PKG_VERSION"),
            "vary": self.vary,
            "seed": self.seed,
            "halve": self.rungs.as_ref().map(|_| self.runs.len()),
            "monitor": self.rungs.as_ref().map(|_| self.monitor.name()),
            "train": common,
            "data": {
                "name": data.name,
                "train": content(&sets.train),
                "validation": sets.validation.as_ref().map(content),
            },
        }))
    }
}

impl Run {
    /// The command that trains this run again, quoted for a shell.
    pub(crate) fn command(&self) -> String {
        let program = ["gradus", "train"].into_iter().map(OsStr::new);
        let words = program.chain(self.words.iter().map(OsString::as_os_str));
        words.map(quoted).collect::<Vec<_>>().join(" ")
    }

    /// The options that differ between runs, as typed.
    pub(crate) fn spelled(&self) -> String {
        spelled(&self.options)
    }
}

/// The identity of a data set.
fn content(data: &Subset) -> Value {
    json!({"samples": data.len(), "sha256": data.sha256()})
}

fn spelled(options: &[(String, String)]) -> String {
    let words = options.iter().map(|(option, value)| format!("--{option} {value}"));
    words.collect::<Vec<_>>().join(" ")
}

/// The rungs, which all runs share.
fn rungs_of(runs: &[Run]) -> Result<Vec<usize>> {
    let epochs = |run: &Run| run.settings.config.epochs;
    let first = epochs(&runs[0]);
    if let Some(other) = runs.iter().find(|run| epochs(run) != first) {
        return Err(Error::argument(format!(
            "--halve needs the same number of epochs in all runs, but run 0 ({}) has {first} and run \
             {} ({}) has {}: add --epochs after --",
            runs[0].spelled(),
            other.number,
            other.spelled(),
            epochs(other)
        ))
        .into());
    }
    let rungs = rungs(first);
    if rungs.len() == 1 {
        let message = "--halve has no effect: a run of one epoch cannot stop earlier; train for more epochs, \
                       such as -- --epochs 9";
        return Err(Error::argument(message).into());
    }
    Ok(rungs)
}

/// Parses the command line of `train`.
fn train_args(words: &[OsString]) -> Result<TrainArgs> {
    let program = ["gradus", "train"].into_iter();
    match Command::parse(program.map(OsStr::new).chain(words.iter().map(OsString::as_os_str)))? {
        Command::Train(args) => Ok(*args),
        _ => Err(Error::argument("expected options of train after --, not another command").into()),
    }
}

/// `word`, quoted if a shell would split or change it.
fn quoted(word: &OsStr) -> String {
    let word = match word.to_str() {
        Some(word) if !word.contains(is_unprintable) => word,
        _ => return quoted_bytes(word.as_encoded_bytes()),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// Bytes that a terminal does not show or that are no text, as bash and zsh read them: `$'bad\xff.csv'`.
fn quoted_bytes(word: &[u8]) -> String {
    let shown = word.iter().map(|&byte| match byte {
        b'\'' | b'\\' => format!("\\{}", char::from(byte)),
        b' '..=b'~' => char::from(byte).to_string(),
        _ => format!("\\x{byte:02x}"),
    });
    format!("$'{}'", shown.collect::<String>())
}

/// The options that say what is learned from a table and how, if neither an option nor the range of one does.
fn decided(first: &TrainArgs) -> Vec<OsString> {
    let mut source = first.source.clone();
    let mut options: Vec<OsString> = Vec::new();
    if let Some((preset, line)) = target::recipe(first) {
        say(line);
        options.extend(["--preset".into(), preset.name().into()]);
    }
    if first.settings.has("loss") {
        return options;
    }
    let Some((task, line)) = target::decide(first.data.as_deref(), &mut source) else {
        return options;
    };
    if task == Task::Regression {
        say(line);
        options.extend(["--loss".into(), Loss::SquaredError.name().into()]);
    }
    if source.label_column != first.source.label_column {
        options.extend(source.label_column.map(|name| format!("--label-column={name}").into()));
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus::ErrorKind;

    fn plan(words: &[&str]) -> Result<Plan> {
        match Command::parse([&["gradus", "sweep"], words].concat())? {
            Command::Sweep(args) => Plan::new(&args),
            other => panic!("{other:?}"),
        }
    }

    fn of(text: &str) -> Result<Plan> {
        plan(&text.split_whitespace().collect::<Vec<_>>())
    }

    #[test]
    fn lists_make_a_grid() {
        let plan =
            of("--vary hidden=8/16,8 --vary batch-norm=true/false --vary nesterov=true/false \
                       -- --optimizer sgd --momentum 0.9 --learning-rate 0.1 --epochs 3")
            .unwrap();
        assert_eq!(plan.runs.len(), 8);
        let texts: Vec<_> = plan.runs.iter().map(Run::spelled).collect();
        assert_eq!(texts[0], "--hidden 8 --batch-norm true --nesterov true");
        assert_eq!(texts[1], "--hidden 8 --batch-norm true --nesterov false");
        assert_eq!(texts[6], "--hidden 16,8 --batch-norm false --nesterov true");
        let config = &plan.runs[6].settings.config;
        assert_eq!((&config.hidden[..], config.epochs), (&[16, 8][..], 3));
        assert!(!config.regularization.batch_norm && config.validation == 0.1);
        assert_eq!(
            plan.runs[6].command(),
            "gradus train --optimizer sgd --momentum 0.9 --learning-rate 0.1 --epochs 3 \
             --validation 0.1 --hidden=16,8 --batch-norm=false --nesterov=true"
        );
        assert_eq!(plan.monitor, Monitor::ValAccuracy);
    }

    #[test]
    fn runs_are_compared_by_the_metric_of_the_sweep_or_of_train() {
        for (text, expected) in [
            ("--vary hidden=8/16 --monitor loss", Monitor::Loss),
            ("--vary hidden=8/16 -- --patience 2 --monitor val_loss", Monitor::ValLoss),
            (
                "--vary hidden=8/16 --monitor accuracy -- --patience 2 --monitor val_loss",
                Monitor::Accuracy,
            ),
            ("--vary hidden=8/16 -- --data x.csv --loss squared", Monitor::ValLoss),
            ("--vary hidden=8/16 --monitor loss -- --data x.csv --loss squared", Monitor::Loss),
        ] {
            let plan = of(text).unwrap();
            assert_eq!(plan.monitor, expected, "{text}");
            // The option of the sweep is not passed to train.
            let trains = text.contains("-- --patience 2 --monitor");
            assert_eq!(plan.runs[0].command().contains("--monitor"), trains, "{text}");
        }
    }

    #[test]
    fn a_draw_depends_on_its_number_and_the_seed_only() {
        let options = |text: &str| -> Vec<_> {
            of(text).unwrap().runs.into_iter().map(|run| run.options).collect()
        };
        let vary = "--vary dropout=0..0.5 --vary learning-rate=0.001..0.1:log --vary hidden=8/16";
        let few = options(&format!("{vary} --runs 3"));
        let more = options(&format!("{vary} --runs 9 -- --epochs 2"));
        assert_eq!(few, more[..3]);
        assert_ne!(more[0], more[1]);
        assert_ne!(few, options(&format!("{vary} --runs 3 --seed 1")));
    }

    #[test]
    fn what_train_refuses_is_refused_before_anything_is_trained() {
        for (text, words) in [
            ("--vary nesterov=yes", "invalid value 'yes'"),
            ("--vary epochs=3/0", "invalid value '0' for '--epochs <N>'"),
            ("--vary learning-rat=1/2", "unexpected argument '--learning-rat'"),
            ("--vary hidden=8/16 -- --batch 3", "unexpected argument '--batch'"),
            ("--vary optimizer=sgd/adam -- --momentum 0.9", "run 1 (--optimizer adam)"),
            ("--vary dropout=0..2 --runs 9", "run "),
            ("--vary hidden=8/16 -- model", "unexpected argument 'model'"),
        ] {
            let error = of(text).unwrap_err();
            let found = format!("{error:#}");
            assert!(found.contains(words), "{text}: {found}");
            let kind = error.downcast_ref::<Error>().map(Error::kind);
            let refused = kind == Some(ErrorKind::InvalidArgument);
            assert!(refused || error.is::<clap::Error>(), "{text}: {found}");
        }
    }

    #[test]
    fn options_that_make_no_sense_in_a_sweep_are_refused() {
        for (text, words) in [
            ("--vary hidden=8/16 -- --out m.safetensors", "-- --out: the runs of a sweep write"),
            ("--vary hidden=8/16 -- --history h.csv", "-- --history"),
            ("--vary hidden=8/16 -- --json", "-- --json"),
            ("--vary hidden=8/16 -- -q", "-- --quiet"),
            ("--vary hidden=8/16 -- -v", "-- --verbose"),
            ("--vary hidden=8/16 -- --checkpoint c", "-- --checkpoint: the runs"),
            ("--vary hidden=8/16 -- --resume c", "-- --resume"),
            ("--vary hidden=8/16 -- --validation 0", "compares its runs on validation data"),
            ("--vary hidden=8/16 -- --hidden 3", "also given after --"),
            ("--vary hidden=8/16 -- --hidden=3", "also given after --"),
            ("--vary hidden=8 --vary hidden=16", "varied twice"),
            ("--vary ema-decay=0.9 --vary average=0.99", "varied twice"),
            ("--vary ema-decay=0.9 -- --average 0.99", "also given after --"),
            ("--vary out=a/b", "write no files of their own"),
            ("--vary data=mnist/digits", "share their data"),
            ("--vary sample-weights=a", "share their data"),
            ("--vary seed=1/2", "the seed decides"),
            ("--vary threads=1/2", "does not depend"),
            ("--vary monitor=loss/val_loss", "same metric"),
            ("--vary dropout=0..0.5", "--runs N"),
            ("--vary epochs=3/3/4 --halve", "run 2 (--epochs 4) has 4: add --epochs"),
            ("--vary preset=quick/notebook --halve", "run 1 (--preset notebook) has 200"),
            ("--vary hidden=8/16 --halve -- --epochs 1", "--halve has no effect"),
            ("--vary hidden=8/16 --runs 10001", "more than the maximum"),
            (
                "--vary hidden=8/16 --monitor accuracy -- --data x.csv --loss squared",
                "expected loss, val_loss or val_r2",
            ),
        ] {
            let error = of(text).unwrap_err();
            let kind = error.downcast_ref::<Error>().map(Error::kind);
            assert_eq!(kind, Some(ErrorKind::InvalidArgument), "{text}: {error}");
            assert!(error.to_string().contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        let plan = plan(&["--vary", "hidden=8/16", "--", "--data", "my 'own' data.csv"]).unwrap();
        let command = plan.runs[0].command();
        let expected = r"gradus train --data 'my '\''own'\'' data.csv' --validation 0.1 --hidden=8";
        assert_eq!(command, expected);
        let quoted = |word: &str| super::quoted(OsStr::new(word));
        assert_eq!([quoted(""), quoted("a*")], ["''", "'a*'"]);
        assert_eq!(quoted("it's\na \\猫"), r"$'it\'s\x0aa \\\xe7\x8c\xab'");
        assert_eq!(quoted_bytes(b"bad\xff.csv"), r"$'bad\xff.csv'");
    }
}
