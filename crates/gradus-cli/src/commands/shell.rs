//! `gradus completions` and `gradus man`: the definition of the arguments in, shell completions and man
//! pages out. `gradus licenses` prints the file that licenses/notices.py makes.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_complete::Generator;
use clap_mangen::Man;
use gradus::files;

use crate::args::{Cli, CompletionsArgs, ManArgs};
use crate::run::output::stdout;

/// Prints the completions for a shell, or writes them to a folder.
pub(crate) fn completions(args: &CompletionsArgs) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "gradus", &mut script);
    let Some(folder) = &args.folder else { return stdout().generated(&script) };
    create(folder)?;
    let path = folder.join(args.shell.file_name("gradus"));
    files::write_beside(&path, &script)?;
    stdout().line(format_args!("Wrote {}", path.display()))
}

/// Creates the folder that pages or completions go to.
fn create(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot write to {}", folder.display()))
}

/// Prints the man page of the program, or writes the pages of all commands to a folder.
pub(crate) fn man(args: &ManArgs) -> Result<()> {
    let Some(folder) = &args.folder else {
        return stdout().generated(&page(&Man::new(Cli::command()))?);
    };
    create(folder)?;
    // Building gives the commands the names that their pages have, such as gradus-train.
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    // clap_mangen leaves out the dashes before the options that are passed on.
    let command = command.mut_subcommand("sweep", |sweep| {
        sweep
            .override_usage("gradus sweep [OPTIONS] --vary <OPTION=VALUES> [-- <TRAIN OPTIONS>...]")
    });
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

/// Prints the licenses of the crates and of the page's code that this program contains.
pub(crate) fn licenses() -> Result<()> {
    stdout().generated(include_bytes!("../../NOTICES.txt"))
}
