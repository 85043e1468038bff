//! Models of runs, and their files.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, anyhow};
use gradus::classifier::Model;
use gradus::model_file;
use serde::Deserialize;

use super::model::path_of;
use super::state::SharedState;

/// What a page asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    name: String,
    /// Whether a model that is there may be replaced.
    #[serde(default)]
    replace: bool,
}

/// Why nothing was saved.
pub(super) enum Refused {
    /// A file is there: the page may ask whether to replace it.
    Exists(String),
    Wrong(anyhow::Error),
}

impl From<anyhow::Error> for Refused {
    fn from(error: anyhow::Error) -> Refused {
        Refused::Wrong(error)
    }
}

/// The model that a run has left, and what to call it.
///
/// # Errors
/// Where there is no such run, or it has left none.
pub(super) fn model_of(shared: &SharedState, id: usize) -> Result<(Arc<Model>, String)> {
    let mut state = shared.lock();
    let run = state.run(id).ok_or_else(|| anyhow!("there is no run {id}"))?;
    let model = run.model.clone();
    let none = || anyhow!("{}: there is no model before the run has ended", run.name());
    Ok((model.ok_or_else(none)?, run.name()))
}

/// Writes a run's model into the folder and gives the name of its file.
///
/// # Errors
/// Where the name is none for a model, the run has none, a file is in the way, or it cannot be written.
pub(super) fn save(shared: &SharedState, id: usize, wanted: &Wanted) -> Result<String, Refused> {
    let Wanted { name, replace } = wanted;
    let (model, _) = model_of(shared, id)?;
    let path = path_of(&shared.folder, name)?;
    if path.exists() && !replace {
        return Err(Refused::Exists(format!("{name} is there already")));
    }
    write(&model, &path)?;
    shared.change(id, |run| run.saved = Some(name.clone()));
    shared.send_state(&shared.lock());
    Ok(name.clone())
}

/// Writes the models of runs that the server's end has stopped, each to a name that is free, and gives
/// the names.
pub(super) fn save_stopped(shared: &SharedState, runs: &[usize]) -> Vec<Result<String>> {
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
            write(&model, &shared.folder.join(&name)).map(|()| name)
        })
        .collect()
}

fn write(model: &Model, path: &Path) -> Result<()> {
    model_file::check_replaceable(path)?;
    Ok(model_file::save(model, path)?)
}
