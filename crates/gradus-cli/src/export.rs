//! `gradus export`: a model file in, the same model in another format out.

use std::io::Write;

use anyhow::{Result, anyhow};
use gradus::model_file;

use crate::args::ExportArgs;
use crate::output::stdout;

/// Runs the command.
pub(crate) fn run(args: &ExportArgs) -> Result<()> {
    let model = model_file::load_model(&args.model)?;
    // A file in the way is no wrong usage.
    model_file::check_replaceable(&args.out).map_err(|error| anyhow!("{error}"))?;
    model_file::export(&model, &args.out)?;
    writeln!(stdout(), "Wrote {}", args.out.display())?;
    Ok(())
}
