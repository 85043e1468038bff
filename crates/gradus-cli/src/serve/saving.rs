//! Saves models: a run and a name in, a model file out.

use std::sync::Arc;

use anyhow::{Result, anyhow};
use gradus::classifier::Model;
use gradus::files::OutputFile;
use gradus::{ErrorKind, model_file};
use serde::Deserialize;

use super::model::path_of;
use super::state::SharedState;
use crate::run::saving;

/// A request to save a model.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SaveRequest {
    name: String,
    /// Whether an existing model may be replaced.
    #[serde(default)]
    replace: bool,
}

/// Why a model was not saved.
pub(super) enum Refused {
    /// The file exists, or another program is writing it: the page asks the user whether to replace it.
    Exists(String),
    /// The server is shutting down.
    Ending,
    Wrong(anyhow::Error),
}

impl From<anyhow::Error> for Refused {
    fn from(error: anyhow::Error) -> Refused {
        Refused::Wrong(error)
    }
}

/// The model of a finished run, and its name.
///
/// # Errors
/// If there is no such run, or it has no model.
pub(super) fn model_of(shared: &SharedState, id: usize) -> Result<(Arc<Model>, String)> {
    let mut state = shared.lock();
    let run = state.run(id).ok_or_else(|| anyhow!("there is no run {id}"))?;
    let model = run.model.clone();
    let none = || anyhow!("{}: the model is available when the run has ended", run.name());
    Ok((model.ok_or_else(none)?, run.name()))
}

/// Saves the model of a run to the folder and returns the file name.
///
/// # Errors
/// If the name is not that of a model, the run has no model, the file exists, or it cannot be written.
pub(super) fn save(
    shared: &SharedState,
    id: usize,
    request: &SaveRequest,
) -> Result<String, Refused> {
    let SaveRequest { name, replace } = request;
    let (model, _) = model_of(shared, id)?;
    let path = path_of(&shared.folder, name)?;
    // Held until the file is complete.
    let _saving = shared.saves.begin().ok_or(Refused::Ending)?;
    let mut output = OutputFile::claim(&path).map_err(|error| match error.kind() {
        ErrorKind::InUse => Refused::Exists(error.to_string()),
        _ => Refused::Wrong(error.into()),
    })?;
    if output.seen().is_some() && !replace {
        return Err(Refused::Exists(format!("{name} already exists")));
    }
    write(&model, &mut output)?;
    shared.saved(id, name);
    Ok(name.clone())
}

/// Saves the models of runs that were stopped when the server ended, each under a new name, and returns the
/// names.
pub(super) fn save_stopped(shared: &SharedState, runs: &[usize]) -> Vec<Result<String>> {
    let _saving = shared.saves.begin();
    let models = runs.iter().filter_map(|&id| Some((id, model_of(shared, id).ok()?.0)));
    models
        .map(|(id, model)| {
            let name = (1..)
                .map(|number| match number {
                    1 => format!("stopped-run-{id}.safetensors"),
                    _ => format!("stopped-run-{id}-{number}.safetensors"),
                })
                .find(|name| !shared.folder.join(name).exists())
                .unwrap_or_default();
            let mut output = saving::claim(&shared.folder.join(&name))?;
            write(&model, &mut output).map(|()| name)
        })
        .collect()
}

fn write(model: &Model, output: &mut OutputFile) -> Result<()> {
    model_file::check_replaceable(output.path())?;
    Ok(saving::save(output, &model_file::to_bytes(model)?)?)
}
