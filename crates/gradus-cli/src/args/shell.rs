//! The arguments of `gradus completions` and `gradus man`.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use clap_complete::Shell;

/// Print completions for a shell.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  gradus completions bash > \
    ~/.local/share/bash-completion/completions/gradus")]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: Shell,
}

/// Print the man page, or write the pages of all commands to a folder.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  gradus man | man -l -\n  gradus man ~/.local/share/man/man1")]
pub(crate) struct ManArgs {
    /// Folder for gradus.1, gradus-train.1, ...
    #[arg(value_hint = ValueHint::DirPath)]
    pub(crate) folder: Option<PathBuf>,
}
