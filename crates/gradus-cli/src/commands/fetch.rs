//! `gradus fetch`: names of data sets in, their files in the cache out.

use anyhow::Result;

use crate::args::FetchArgs;
use crate::run::output::{Exit, print_error, stdout};
use crate::run::progress::Downloads;
use crate::run::stop;

/// Runs the command. If one data set fails, the others are fetched nevertheless.
pub(crate) fn run(args: &FetchArgs) -> Result<()> {
    stop::listen()?;
    let mut failed = false;
    for name in &args.names {
        match Downloads::watch(|progress| gradus::data::fetch(name, progress)) {
            Ok(folder) => stdout().line(format_args!("{name}: {}", folder.display()))?,
            Err(error) => {
                print_error(&error.into());
                failed = true;
            }
        }
    }
    if failed { Err(Exit::FAILED.into()) } else { Ok(()) }
}
