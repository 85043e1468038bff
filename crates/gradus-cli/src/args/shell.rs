//! The arguments of `gradus completions`, `gradus man` and `gradus licenses`.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use clap_complete::Shell;

/// Print completions for a shell, or write them to a folder.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gradus completions bash ~/.local/share/bash-completion/completions\n  \
    gradus completions fish > ~/.config/fish/completions/gradus.fish"
)]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: Shell,
    /// Folder for gradus.bash, _gradus or what the shell calls it; created if it is missing
    #[arg(value_hint = ValueHint::DirPath)]
    pub(crate) folder: Option<PathBuf>,
}

/// Print the man page, or write the pages of all commands to a folder.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  gradus man | man -l -\n  gradus man ~/.local/share/man/man1")]
pub(crate) struct ManArgs {
    /// Folder for gradus.1, gradus-train.1, ...; created if it is missing
    #[arg(value_hint = ValueHint::DirPath)]
    pub(crate) folder: Option<PathBuf>,
}

/// Print the licenses of the software that gradus contains.
#[derive(Debug, Args)]
pub(crate) struct LicensesArgs {}
