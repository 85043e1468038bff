//! `gradus export`: a model file in, the same model in another format out.

use std::io::Write;

use anyhow::{Result, anyhow};
use gradus::model_file::{self, OnnxOptions};

use crate::args::ExportArgs;
use crate::output::stdout;

/// Runs the command.
pub(crate) fn run(args: &ExportArgs) -> Result<()> {
    let model = args.model.load()?;
    // A file in the way is no wrong usage.
    model_file::check_replaceable(&args.out).map_err(|error| anyhow!("{error}"))?;
    match args.uint8 {
        false => model_file::export(&model, &args.out)?,
        true => {
            let options = OnnxOptions { uint8_input: true };
            model_file::export_onnx(&model, &args.out, &options)
                .map_err(|error| error.context("--uint8 is for ONNX models"))?;
        }
    }
    writeln!(stdout(), "Wrote {}", args.out.display())?;
    Ok(())
}
