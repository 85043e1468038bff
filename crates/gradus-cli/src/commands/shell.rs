//! `gradus completions` and `gradus man`: the definition of the arguments in, shell completions and man
//! pages out.

use anyhow::Result;
use clap::CommandFactory;
use clap_mangen::Man;
use gradus::files;

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
    let Some(folder) = &args.folder else {
        return stdout().generated(&page(&Man::new(Cli::command()))?);
    };
    // Building gives the commands the names that their pages have, such as gradus-train.
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let commands = command.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    for command in commands.chain([command.clone()]) {
        let man = Man::new(command);
        files::write_beside(&folder.join(man.get_filename()), &page(&man)?)?;
    }
    Ok(())
}

fn page(man: &Man) -> Result<Vec<u8>> {
    let mut page = Vec::new();
    man.render(&mut page)?;
    Ok(page)
}
