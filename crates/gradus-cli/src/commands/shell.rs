//! `gradus completions` and `gradus man`: the definition of the arguments in, shell completions and man
//! pages out.

use anyhow::{Context, Result};
use clap::CommandFactory;

use crate::args::{Cli, CompletionsArgs, ManArgs};
use crate::run::output::stdout;

/// Prints the completions for a shell.
pub(crate) fn completions(args: &CompletionsArgs) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "gradus", &mut script);
    stdout().generated(&script)
}

/// Prints the man page of the program, or writes the pages of all commands to a folder.
pub(crate) fn man(args: &ManArgs) -> Result<()> {
    let command = Cli::command();
    if let Some(folder) = &args.folder {
        return clap_mangen::generate_to(command, folder)
            .with_context(|| format!("cannot write the man pages to {}", folder.display()));
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    stdout().generated(&page)
}
