//! Reads the model that a command takes.

use anyhow::Result;
use gradus::classifier::Model;
use gradus::model_file::{self, ReadOptions};

use crate::args::ModelArgs;
use crate::run::output::warn;

/// Reads the model, and warns of what was assumed about it.
pub(crate) fn load(args: &ModelArgs) -> Result<Model> {
    let activations = args.activation.clone().map(|it| it.0).unwrap_or_default();
    let options = ReadOptions { activations, normalizer: args.normalize.clone() };
    let loaded = model_file::load_as(&args.model, &options)?;
    loaded.notices.iter().for_each(warn);
    Ok(loaded.model)
}
