//! The library's table of settings for the Python files of the package: names, ranges and help out; the
//! texts that the parameters of an estimator stand for in, a [`TrainConfig`] out.

use std::collections::HashMap;

use gradus::Result;
use gradus::data::Task;
use gradus::optimizer::Optimizer;
use gradus::training::settings::{self as table, Kind, SETTINGS, Scope, current};
use gradus::training::{Preset, TrainConfig};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde_json::{Map, Value};

use crate::error_messages;
use crate::errors::exception;

/// A setting of a training run.
#[pyclass(frozen, module = "gradus._core")]
pub(crate) struct Setting {
    setting: &'static table::Setting,
}

#[pymethods]
impl Setting {
    /// Its name: the key in model files.
    #[getter]
    fn name(&self) -> &'static str {
        self.setting.name
    }

    /// Earlier names.
    #[getter]
    fn older(&self) -> Vec<&'static str> {
        self.setting.older.to_vec()
    }

    /// The parameter of an estimator.
    #[getter]
    fn parameter(&self) -> &'static str {
        self.setting.python
    }

    /// `number`, `whole`, `flag`, `name` or `text`.
    #[getter]
    fn kind(&self) -> &'static str {
        match self.setting.kind {
            Kind::Number => "number",
            Kind::Whole => "whole",
            Kind::Flag => "flag",
            Kind::Name => "name",
            Kind::Text => "text",
        }
    }

    /// What it does, in a sentence without its full stop.
    #[getter]
    fn help(&self) -> String {
        error_messages::of_python(self.setting.help)
    }

    /// The values to choose from; often none.
    #[getter]
    fn choices(&self) -> Vec<&'static str> {
        self.setting.choices()
    }

    /// What a value must be, for messages.
    #[getter]
    fn expected(&self) -> &'static str {
        self.setting.expected
    }

    /// The text of the value with which it does nothing; None if a run may be without it.
    #[getter]
    fn off(&self) -> Option<String> {
        self.setting.off()
    }

    /// The only task in which it has an effect, `classification` or `regression`; None for both.
    #[getter]
    fn task(&self) -> Option<&'static str> {
        match self.setting.scope {
            Scope::Classification => Some(Task::Classification.name()),
            Scope::Regression => Some(Task::Regression.name()),
            Scope::Every | Scope::HiddenLayers => None,
        }
    }

    /// Whether a run with this solver uses it: false only for a constant of other optimizers.
    fn is_used_by(&self, solver: &str) -> bool {
        let has = |optimizer: Optimizer| {
            let config = TrainConfig { optimizer, ..Preset::Notebook.config() };
            self.setting.get(&config).is_some()
        };
        !Optimizer::ALL.into_iter().any(has) || Optimizer::from_name(solver).is_none_or(has)
    }

    /// What is wrong with a text, without the setting's name; None if it can be read.
    fn problem(&self, text: &str) -> Option<String> {
        let wrong = self.setting.check_text(text).err()?;
        let wrong =
            wrong.strip_prefix("expected ").map(|it| format!("must be {it}")).unwrap_or(wrong);
        Some(error_messages::of_python(&wrong))
    }
}

/// All settings of a training run, in the order in which they are set.
#[pyfunction]
pub(crate) fn settings() -> Vec<Setting> {
    SETTINGS.iter().map(|setting| Setting { setting }).collect()
}

/// The settings of a run in the form that model files have today, from those that an earlier version wrote.
#[pyfunction]
pub(crate) fn current_settings(json: &str) -> PyResult<String> {
    let older: Map<String, Value> = serde_json::from_str(json).map_err(|error| {
        PyValueError::new_err(format!("the settings are no JSON object: {error}"))
    })?;
    Ok(Value::Object(current(&older)).to_string())
}

/// The texts of the settings of a preset, by the names of the settings; in regression, those for regression.
#[pyfunction]
pub(crate) fn preset_settings(preset: &str, task: &str) -> PyResult<HashMap<&'static str, String>> {
    let all = [Task::Classification, Task::MultiLabel, Task::Regression];
    let task = all.into_iter().find(|known| known.name() == task);
    let (Some(preset), Some(task)) = (Preset::from_name(preset), task) else {
        let names: Vec<&str> = Preset::ALL.iter().map(|preset| preset.name()).collect();
        return Err(PyValueError::new_err(format!(
            "preset is '{preset}', but must be one of {}",
            names.join(", ")
        )));
    };
    let config = preset.config_for(task);
    let texts = SETTINGS.iter().filter_map(|it| Some((it.name, it.get(&config)?)));
    Ok(texts.collect())
}

/// The number of outputs for each target in a run with these texts of settings.
#[pyfunction]
pub(crate) fn outputs_per_target(texts: HashMap<String, String>) -> PyResult<usize> {
    let config = config(&texts).map_err(|error| exception(&error))?;
    Ok(config.loss.map_or(1, |loss| loss.outputs_per_target()))
}

/// The settings of a run: these texts by the names of settings, all else off.
///
/// # Errors
/// `InvalidArgument` for a text that cannot be read, a value out of range, and a setting that the run does
/// not have.
pub(crate) fn config(texts: &HashMap<String, String>) -> Result<TrainConfig> {
    let mut config = Preset::Notebook.config();
    // In the order of the table: an optimizer comes before its constants.
    for setting in SETTINGS {
        if let Some(text) = texts.get(setting.name) {
            setting.set(&mut config, text)?;
        }
    }
    config.validate()?;
    Ok(config)
}
