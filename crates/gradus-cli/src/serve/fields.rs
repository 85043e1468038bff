//! The settings that a page may choose, from the library's table: how the page shows each, and the option
//! of `gradus train` that it becomes.

use gradus::training::settings::{Group, Kind, SETTINGS, Scope, Setting, spell};
use serde_json::{Value, json};

use crate::args;

/// Settings that a page may not choose: the threads of the machine, and initial weights, which a file may hold.
const WITHHELD: [&str; 2] = ["threads", "init"];

/// What a page may choose. Pages train on named sets, which have classes: nothing that only regression has.
fn offered() -> impl Iterator<Item = &'static Setting> {
    let withheld =
        |setting: &&Setting| WITHHELD.contains(&setting.name) || setting.scope == Scope::Regression;
    SETTINGS.iter().filter(move |setting| !withheld(setting))
}

/// The options of `gradus train` that a page may give. None of them names a file.
pub(super) fn options() -> Vec<&'static str> {
    offered().map(args::option).collect()
}

/// The option for a setting that a page names by its name, by the option, or by an earlier name.
pub(super) fn option(name: &str) -> Option<&'static str> {
    let found = Setting::find(name)?;
    offered().any(|setting| setting.name == found.name).then(|| args::option(found))
}

/// All that a form needs to know of each setting, in the order of the table.
pub(super) fn describe() -> Value {
    offered().map(field).collect()
}

fn field(setting: &Setting) -> Value {
    let title = |name: &str| Setting::find(name).map(Setting::title);
    // What the command line does without the option is not what an empty field means: that is the preset.
    let help = setting.help.split(" [default").next().unwrap_or_default();
    json!({
        "name": setting.name,
        "option": args::option(setting),
        "label": setting.title(),
        "group": match setting.group {
            Group::Data => "Data",
            Group::Training => "Training",
            Group::Network => "Network",
            Group::Regularization => "Regularization",
            Group::Stopping => "Stopping",
        },
        "help": spell(help, title),
        "expected": setting.expected,
        "kind": match setting.kind {
            Kind::Number | Kind::Whole => "number",
            Kind::Flag => "flag",
            Kind::Name => "name",
            Kind::Text => "text",
        },
        "choices": setting.choices(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_options_of_train_and_none_is_a_path() {
        let train = <crate::args::Cli as clap::CommandFactory>::command();
        let train = train.find_subcommand("train").unwrap().clone();
        for name in options() {
            let found = train.get_arguments().find(|it| it.get_long() == Some(name));
            let hint = found.unwrap_or_else(|| panic!("{name}")).get_value_hint();
            assert_eq!(hint, clap::ValueHint::Unknown, "{name}");
        }
    }

    #[test]
    fn earlier_names_are_understood() {
        for (name, expected) in [
            ("learning-rate", Some("learning-rate")),
            ("learning_rate", Some("learning-rate")),
            ("average", Some("ema-decay")),
            ("threads", None),
            ("init", None),
            ("out", None),
        ] {
            assert_eq!(option(name), expected, "{name}");
        }
    }

    #[test]
    fn help_is_for_a_form() {
        for field in describe().as_array().unwrap() {
            let help = field["help"].as_str().unwrap();
            assert!(!help.contains('`') && !help.contains("[default"), "{help}");
        }
    }
}
