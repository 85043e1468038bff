//! The settings of a training run as options of `train`, made from the table of the library: names, help
//! and parsers out, and the texts that were typed.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::LazyLock;

use clap::builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, ValueHint};
use gradus::training::settings::{Group, Kind, SETTINGS, Setting};

/// Settings that may come from a file, too: placeholder, and what the help adds.
const FILES: [(&str, &str, &str); 2] = [
    ("validation", "FRACTION|PATH", ", or the path of a data set"),
    (
        "init",
        "NAME|FILE",
        "; or a file to train on from: a model with its normalization, or an .npz file with the arrays w1, b1, \
         w2, b2, ... (also as --start)",
    ),
];

/// The settings that were typed, by name: text, or for those of [`FILES`] perhaps a path.
#[derive(Debug, Clone, Default)]
pub(crate) struct SettingArgs(BTreeMap<&'static str, OsString>);

impl SettingArgs {
    /// What was typed for the setting of this name, if it is text.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.word(name)?.to_str()
    }

    /// What was typed for the setting of this name, which may be a path that is no text.
    pub(crate) fn word(&self, name: &str) -> Option<&OsStr> {
        self.0.get(name).map(OsString::as_os_str)
    }

    /// Sets the setting of this name, as if it had been typed.
    pub(crate) fn set(&mut self, name: &'static str, text: String) {
        self.0.insert(name, text.into());
    }

    /// Whether the setting of this name was typed.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

impl Args for SettingArgs {
    fn augment_args(command: Command) -> Command {
        SETTINGS.iter().fold(command, |command, setting| command.arg(argument(setting)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SettingArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let typed = SETTINGS.iter().filter_map(|setting| {
            let word = match FILES.iter().any(|(name, ..)| *name == setting.name) {
                true => matches.get_one::<OsString>(setting.name)?.clone(),
                false => matches.get_one::<String>(setting.name)?.into(),
            };
            Some((setting.name, word))
        });
        Ok(SettingArgs(typed.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.extend(Self::from_arg_matches(matches)?.0);
        Ok(())
    }
}

/// The option of a setting, without its dashes.
pub(crate) fn option(setting: &Setting) -> &'static str {
    dashed(setting.name)
}

/// A name, current or old, as an option: with dashes in place of underscores.
fn dashed(name: &'static str) -> &'static str {
    // clap wants names that live as long as the program.
    static OPTIONS: LazyLock<BTreeMap<&str, String>> = LazyLock::new(|| {
        let names = SETTINGS.iter().flat_map(|it| it.older.iter().copied().chain([it.name]));
        names.map(|name| (name, name.replace('_', "-"))).collect()
    });
    OPTIONS.get(name).map_or(name, String::as_str)
}

/// Whether a path is that of an archive of arrays.
pub(crate) fn is_array_file(path: &Path) -> bool {
    let ending = path.extension();
    ending.is_some_and(|ending| ending.eq_ignore_ascii_case("npz"))
}

/// Whether a word given as initial weights names a file: by its ending, or because it is there. Names of distributions
/// come first.
pub(crate) fn is_start_file(word: &OsStr) -> bool {
    const ENDINGS: [&str; 5] = ["npz", "safetensors", "onnx", "keras", "h5"];
    let path = Path::new(word);
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let is_name = |init: &Setting| word.to_str().is_some_and(|it| init.check_text(it).is_ok());
    let named = Setting::find("init").is_some_and(is_name);
    !named && (ENDINGS.contains(&ending.as_str()) || path.is_file())
}

fn argument(setting: &'static Setting) -> Arg {
    let file = FILES.iter().find(|(name, ..)| *name == setting.name);
    let (placeholder, more) = file.map_or((setting.placeholder, ""), |&(_, it, more)| (it, more));
    let named = |name: &str| Setting::find(name).map(|it| format!("--{}", option(it)));
    let help = gradus::training::settings::spell(&format!("{}{more}", setting.help), named);
    let mut argument = Arg::new(setting.name)
        .long(option(setting))
        .aliases(setting.older.iter().map(|name| dashed(name)))
        .value_name(placeholder)
        .help(help)
        .help_heading(heading(setting.group))
        .allow_negative_numbers(true);
    if let Some(needed) = setting.needs {
        argument = argument.requires(needed);
    }
    match (setting.kind, setting.name) {
        (Kind::Name, _) => argument.value_parser(PossibleValuesParser::new(setting.choices())),
        (Kind::Flag, _) => argument
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .value_parser(PossibleValuesParser::new(setting.choices())),
        (_, "init") => argument
            .alias("start")
            .value_hint(ValueHint::FilePath)
            .value_parser(OsStringValueParser::new().try_map(init)),
        // Anything that is no number is the path of a data set.
        (_, "validation") => argument.value_parser(OsStringValueParser::new()),
        _ => argument.value_parser(move |text: &str| check(setting, text)),
    }
}

fn check(setting: &Setting, text: &str) -> Result<String, String> {
    setting.check_text(text).map(|()| text.to_owned())
}

fn init(word: OsString) -> Result<OsString, String> {
    match Setting::find("init").map(|setting| setting.check_text(&word.to_string_lossy())) {
        Some(Err(wrong)) if !is_start_file(&word) => {
            Err(format!("{wrong}, or a file: a model, or arrays (.npz)"))
        }
        _ => Ok(word),
    }
}

fn heading(group: Group) -> &'static str {
    match group {
        Group::Data => "Data",
        Group::Training => "Training",
        Group::Network => "Network",
        Group::Regularization => "Regularization",
        Group::Stopping => super::checkpoints::HEADING,
    }
}
