//! Every setting of a training run, once: its name, range, help, text form, and how it is read from and
//! written into a [`TrainConfig`].
//!
//! In: a [`TrainConfig`], or names and texts. Out: texts, checks (`validate`) and errors that name the
//! setting. Files (`file.rs`), the options of the program, the fields of the page and the checks of the
//! Python package all follow from [`SETTINGS`]; `table.rs` is the file to edit.
//!
//! Messages of the library name a setting between backticks: "`learning_rate` is -1, but must be ...".
//! Programs replace that by their own spelling with [`spell`].

use std::ops::{Bound, RangeBounds};

use crate::error::{Error, Result};
use crate::network::check_activations;
use crate::optimizer::Optimizer;
use crate::training::config::TrainConfig;

mod table;
mod text;
mod file;

pub use file::current;
pub use table::SETTINGS;
pub use text::Kind;

/// What a setting is about: where help and forms list it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Which samples are used.
    Data,
    /// Steps and their size.
    Training,
    /// Layers and inputs.
    Network,
    /// What keeps the network from learning its samples by heart.
    Regularization,
    /// When a run ends before its last epoch.
    Stopping,
}

/// Which values of a setting are allowed.
#[derive(Debug, Clone, Copy)]
pub enum Range {
    /// All that can be read.
    All,
    /// Numbers between two ends, and how messages put it.
    Numbers(&'static str, (Bound<f64>, Bound<f64>)),
    /// What depends on more than the value.
    Check(&'static str, fn(&TrainConfig) -> bool),
}

type Get = fn(&TrainConfig) -> Option<String>;
/// `None` for a text that cannot be read, `false` where the run has no such setting.
type Set = fn(&mut TrainConfig, &str) -> Option<bool>;

/// One setting of a training run.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its name, in the words of the field, joined by underscores: the key in files.
    pub name: &'static str,
    /// Earlier names. They are still understood, and never shown.
    pub older: &'static [&'static str],
    /// The parameter of the Python package; most have the setting's own name.
    pub python: &'static str,
    /// A title for people.
    pub label: Option<&'static str>,
    /// Where help lists it.
    pub group: Group,
    /// What stands for its value in help, such as `RATE`.
    pub placeholder: &'static str,
    /// What it does, in a line or two.
    pub help: &'static str,
    /// How its value looks.
    pub kind: Kind,
    /// What a text must be to be read.
    pub expected: &'static str,
    /// Which values are allowed.
    pub range: Range,
    /// Another setting without which this one has no effect.
    pub needs: Option<&'static str>,
    choices: fn() -> Vec<&'static str>,
    details: fn(&str) -> Option<String>,
    get: Get,
    set: Set,
}

impl Setting {
    /// The setting of this name, or of this earlier name; dashes count as underscores.
    pub fn find(name: &str) -> Option<&'static Setting> {
        let name = name.replace('-', "_");
        SETTINGS.iter().find(|it| it.name == name || it.older.contains(&name.as_str()))
    }

    /// A title for people: `Learning rate`.
    pub fn title(&self) -> String {
        let mut letters = self.label.unwrap_or(self.name).chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>().replace('_', " ")
    }

    /// The values to choose from: all where [`Kind::Name`] says so, else the usual ones; often none.
    pub fn choices(&self) -> Vec<&'static str> {
        (self.choices)()
    }

    /// Its value in a run, as text; `None` where the run has no such setting, such as a momentum where
    /// the optimizer is Adam.
    pub fn get(&self, config: &TrainConfig) -> Option<String> {
        (self.get)(config)
    }

    /// Sets it from its text form.
    ///
    /// # Errors
    /// `InvalidArgument` for a text that cannot be read, or where the run has no such setting. Whether
    /// the value is in range is left to `validate`: it may depend on settings that are yet to come.
    pub fn set(&self, config: &mut TrainConfig, text: &str) -> Result<()> {
        match (self.set)(config, text) {
            Some(true) => Ok(()),
            Some(false) => Err(self.without_effect(config)),
            None => Err(self.unreadable(text)),
        }
    }

    /// Checks that `text` can be read as this setting.
    ///
    /// # Errors
    /// What is wrong with it, without the setting's name.
    pub fn check_text(&self, text: &str) -> Result<(), String> {
        match (self.set)(&mut TrainConfig::default(), text) {
            Some(_) => Ok(()),
            None => {
                Err((self.details)(text).unwrap_or_else(|| format!("expected {}", self.expected)))
            }
        }
    }

    /// Checks its value in a run.
    fn validate(&self, config: &TrainConfig) -> Result<()> {
        let Some(text) = self.get(config) else { return Ok(()) };
        match self.range {
            Range::Numbers(range, ends) => {
                // What is no number is off, such as "none".
                if text.parse().is_ok_and(|number: f64| !ends.contains(&number)) {
                    return Err(Error::setting(self.name, &text, range));
                }
            }
            Range::Check(range, holds) if !holds(config) => {
                return Err(Error::setting(self.name, &text, range));
            }
            Range::Check(..) | Range::All => {}
        }
        // A value from code, not from a text, may be one that no text stands for.
        match (self.set)(&mut config.clone(), &text) {
            Some(_) => Ok(()),
            None => Err(self.unreadable(&text)),
        }
    }

    fn unreadable(&self, text: &str) -> Error {
        match (self.details)(text) {
            Some(details) => Error::argument(format!("`{}`: {details}", self.name)),
            None => Error::setting(self.name, text, self.expected),
        }
    }

    /// The run has no such setting: its optimizer has no such constant, or what it needs is not set.
    fn without_effect(&self, config: &TrainConfig) -> Error {
        let name = self.name;
        if let Some(needed) = self.needs {
            return Error::argument(format!("`{name}` has no effect without `{needed}`"));
        }
        let has = |optimizer: &&Optimizer| {
            self.get(&TrainConfig { optimizer: **optimizer, ..config.clone() }).is_some()
        };
        let owners: Vec<_> = Optimizer::ALL.iter().filter(has).map(Optimizer::name).collect();
        let belongs = match owners.as_slice() {
            [all @ .., last] if !all.is_empty() => {
                format!("optimizers {} and {last}", all.join(", "))
            }
            _ => format!("optimizer {}", owners.concat()),
        };
        Error::argument(format!(
            "`{name}` is for the {belongs}, but this run uses {}: add `optimizer` {}, or leave \
             out `{name}`",
            config.optimizer.name(),
            owners.first().unwrap_or(&"that has it")
        ))
    }
}

/// Checks every setting against its range.
///
/// # Errors
/// [`Error::setting`], with the setting, its value and the range.
pub(super) fn validate(config: &TrainConfig) -> Result<()> {
    SETTINGS.iter().try_for_each(|setting| setting.validate(config))?;
    check_activations(&config.activation, config.hidden.len())
}

/// `message` with every name between backticks that `word` knows replaced by what it gives, and
/// without the backticks; others stay as they are.
pub fn spell(message: &str, word: impl Fn(&str) -> Option<String>) -> String {
    let parts: Vec<&str> = message.split('`').collect();
    let mut spoken = String::new();
    let mut at = 0;
    while at < parts.len() {
        spoken += parts[at];
        at += 1;
        // A pair of backticks needs a part after it.
        if at + 1 < parts.len() {
            match word(parts[at]) {
                Some(name) => spoken += &name,
                None => spoken += &format!("`{}`", parts[at]),
            }
            at += 1;
        } else if at < parts.len() {
            spoken.push('`');
        }
    }
    spoken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::training::Preset;

    #[test]
    fn names_are_told_apart() {
        let mut names: Vec<&str> = SETTINGS.iter().flat_map(|it| it.older).copied().collect();
        names.extend(SETTINGS.iter().map(|it| it.name));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "a name is used twice");
        for setting in SETTINGS {
            assert!(!setting.help.is_empty() && !setting.help.ends_with('.'), "{}", setting.name);
            for name in setting.older.iter().copied().chain([setting.name]) {
                assert_eq!(Setting::find(name).unwrap().name, setting.name);
            }
        }
        assert_eq!(Setting::find("learning-rate").unwrap().title(), "Learning rate");
        assert!(Setting::find("magic").is_none());
    }

    #[test]
    fn every_setting_of_every_preset_is_read_back() {
        for preset in Preset::ALL {
            let config = preset.config();
            let mut other = Preset::Notebook.config();
            for setting in SETTINGS {
                if let Some(text) = setting.get(&config) {
                    setting.check_text(&text).unwrap();
                    setting.set(&mut other, &text).unwrap();
                    assert_eq!(setting.get(&other), Some(text), "{}", setting.name);
                }
            }
            assert_eq!(other, config);
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let set = |name: &str, text: &str| {
            let mut config = TrainConfig::default();
            let set = Setting::find(name).unwrap().set(&mut config, text);
            set.and_then(|()| config.validate()).unwrap_err()
        };
        let error = set("learning_rate", "-1");
        assert_eq!(error.setting_name(), Some("learning_rate"));
        assert_eq!(error.to_string(), "`learning_rate` is -1, but must be above 0 and finite");
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        let message = |name, text| set(name, text).to_string();
        assert_eq!(message("epochs", "x"), "`epochs` is x, but must be a whole number from 1");
        assert!(message("distort", "shift:2000").contains("shift is 2000"));
        assert_eq!(
            message("momentum", "0.9"),
            "`momentum` is for the optimizers sgd, rmsprop and muon, but this run uses adamw: add \
             `optimizer` sgd, or leave out `momentum`"
        );
        assert_eq!(message("min_delta", "0.1"), "`min_delta` has no effect without `patience`");
    }

    #[test]
    fn messages_are_spelled() {
        let option = |name: &str| Setting::find(name).map(|it| format!("[{}]", it.name));
        let spelled = |text| spell(text, option);
        assert_eq!(spelled("`seed` is 1; use `x` or `epochs`"), "[seed] is 1; use `x` or [epochs]");
        for text in ["", "plain", "a ` alone", "`open", "``"] {
            assert_eq!(spelled(text), text);
        }
    }
}
