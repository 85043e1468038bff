//! The settings of a training run as options of `train`, made from the table of the library: names, help
//! and parsers out, and the texts that were typed.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use clap::builder::PossibleValuesParser;
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

/// The settings that were typed, by name, as text.
#[derive(Debug, Clone, Default)]
pub(crate) struct SettingArgs(BTreeMap<&'static str, String>);

impl SettingArgs {
    /// What was typed for the setting of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
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
            let text = matches.get_one::<String>(setting.name)?;
            Some((setting.name, text.clone()))
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

/// Whether a text is the path of an archive of arrays.
pub(crate) fn is_array_file(text: &str) -> bool {
    let ending = std::path::Path::new(text).extension();
    ending.is_some_and(|ending| ending.eq_ignore_ascii_case("npz"))
}

/// Whether a text given as initial weights names a file: by its ending, or because it is there. Names of distributions
/// come first.
pub(crate) fn is_start_file(text: &str) -> bool {
    const ENDINGS: [&str; 5] = ["npz", "safetensors", "onnx", "keras", "h5"];
    let path = std::path::Path::new(text);
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let named = Setting::find("init").is_some_and(|init| init.check_text(text).is_ok());
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
        (_, "init") => argument.alias("start").value_hint(ValueHint::FilePath).value_parser(init),
        // Anything that is no number is the path of a data set.
        (_, "validation") => argument,
        _ => argument.value_parser(move |text: &str| check(setting, text)),
    }
}

fn check(setting: &Setting, text: &str) -> Result<String, String> {
    setting.check_text(text).map(|()| text.to_owned())
}

fn init(text: &str) -> Result<String, String> {
    match Setting::find("init").map(|setting| setting.check_text(text)) {
        Some(Err(wrong)) if !is_start_file(text) => {
            Err(format!("{wrong}, or a file: a model, or arrays (.npz)"))
        }
        _ => Ok(text.to_owned()),
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
