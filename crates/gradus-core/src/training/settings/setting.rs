//! One setting of a training run: what the table says of it, and what follows from that.
//!
//! In: a [`TrainConfig`] and texts. Out: the setting's value as text, the changed [`TrainConfig`], or the error
//! that names the setting.

use std::ops::{Bound, RangeBounds};

use super::text::Kind;
use crate::error::{Error, Result};
use crate::optimizer::Optimizer;
use crate::training::config::{Preset, TrainConfig};

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

/// In which runs a setting has an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// In all of them.
    Every,
    /// In those of networks with a hidden layer.
    HiddenLayers,
    /// In classification.
    Classification,
    /// In regression.
    Regression,
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

pub(super) type Get = fn(&TrainConfig) -> Option<String>;
/// `None` for a text that cannot be read, `false` if the run has no such setting.
pub(super) type Set = fn(&mut TrainConfig, &str) -> Option<bool>;

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
    /// In which runs it has an effect.
    pub scope: Scope,
    /// Whether it acts on the steps of single batches, or makes the objective another one in each of them: L-BFGS
    /// can only be used with such a setting off.
    pub of_steps: bool,
    pub(super) choices: fn() -> Vec<&'static str>,
    pub(super) details: fn(&str) -> Option<String>,
    pub(super) get: Get,
    pub(super) set: Set,
}

impl Setting {
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

    /// Its value in a run, as text; `None` if the run has no such setting, such as a momentum where
    /// the optimizer is Adam.
    pub fn get(&self, config: &TrainConfig) -> Option<String> {
        (self.get)(config)
    }

    /// Its value in a run that does not use it, as text: what a file that does not contain the setting
    /// means. `None` if such a run has no such setting.
    pub fn off(&self) -> Option<String> {
        self.get(&Preset::Notebook.config())
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
                let number = self.expected.starts_with("a number");
                let fraction = || fraction_of(text).filter(|_| number);
                let details = (self.details)(text).or_else(fraction);
                Err(details.unwrap_or_else(|| format!("expected {}", self.expected)))
            }
        }
    }

    /// Checks its value in a run.
    pub(super) fn validate(&self, config: &TrainConfig) -> Result<()> {
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

/// What to write in place of a percentage: no setting takes one.
pub fn fraction_of(text: &str) -> Option<String> {
    let percent: f64 = text.strip_suffix('%')?.trim().parse().ok()?;
    // Without the digits of the binary fraction: 0.07 for 7 %.
    let fraction: f64 = format!("{:.12}", percent / 100.0).parse().ok()?;
    Some(format!("expected a number without a percent sign: {fraction} for {text}"))
}
