//! The arguments of `gradus fetch`.

use clap::Args;

/// Download data sets by name, verify checksums, print where they are stored.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  gradus fetch mnist fashion-mnist")]
pub(crate) struct FetchArgs {
    /// Names of data sets
    #[arg(required = true, value_name = "NAME")]
    pub(crate) names: Vec<String>,
}
