//! The arguments of `gradus inspect`.

use clap::Args;

use super::model::ModelArgs;

/// Show the layers, shapes and parameters of a model, and how it was trained.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  gradus inspect model.safetensors")]
pub(crate) struct InspectArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}
