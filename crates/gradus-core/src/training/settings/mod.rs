//! Every setting of a training run, once: its name, range, help, text form, and how it is read from and
//! written into a [`TrainConfig`].
//!
//! In: a [`TrainConfig`], or names and texts. Out: texts, checks ([`TrainConfig::validate`]) and errors that name the
//! setting. Files (`file.rs`), the options of the program, the fields of the page and the checks of the
//! Python package all follow from [`SETTINGS`]; `table.rs` is the file to edit.
//!
//! Messages of the library name a setting between backticks: "`learning_rate` is -1, but must be ...".
//! Programs replace that by their own spelling with [`spell`].

use crate::error::{Error, Result};
use crate::network::check_activations;
use crate::training::config::TrainConfig;

mod text;
mod setting;
mod table;
mod file;

pub use file::current;
#[doc(hidden)] // for the other crates of gradus
pub use setting::{Group, Range, Scope};
pub use setting::{Setting, fraction_of};
pub use table::SETTINGS;
#[doc(hidden)] // for the other crates of gradus
pub use text::Kind;

impl Setting {
    /// The setting of this name, or of this earlier name; dashes count as underscores.
    pub fn find(name: &str) -> Option<&'static Setting> {
        let name = name.replace('-', "_");
        SETTINGS.iter().find(|it| it.name == name || it.older.contains(&name.as_str()))
    }
}

impl TrainConfig {
    /// Checks every setting against its range.
    ///
    /// # Errors
    /// [`Error::setting`](crate::error::Error::setting), with the setting, its value and the range.
    pub fn validate(&self) -> Result<()> {
        SETTINGS.iter().try_for_each(|setting| setting.validate(self))?;
        self.check_full_batch()?;
        check_activations(&self.activation, self.hidden.len())
    }

    /// That L-BFGS has an objective that stays the same and has a gradient everywhere.
    fn check_full_batch(&self) -> Result<()> {
        let set = |it: &&Setting| it.of_steps && it.get(self) != it.off();
        match SETTINGS.iter().find(set) {
            Some(setting) if !self.optimizer.is_stochastic() => Err(Error::argument(format!(
                "`{}` cannot be used with `optimizer` lbfgs, which minimizes one smooth function of all samples: \
                 set it to {}, or use another `optimizer`",
                setting.name,
                setting.off().unwrap_or_default()
            ))),
            _ => Ok(()),
        }
    }
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
        let percent = Setting::find("dropout").unwrap().check_text("7%").unwrap_err();
        assert_eq!(percent, "expected a number without a percent sign: 0.07 for 7%");
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
