//! `gradus export`: a model file in, the same model in another format or in a page out.

use anyhow::{Result, anyhow};
use gradus::model_file::{self, OnnxOptions};
use gradus::{Error, files};

use crate::args::ExportArgs;
use crate::run::digit_page::digit_page;
use crate::run::output::{stdout, warn};
use crate::run::source::no_effect;
use crate::run::{model, page_file};

/// Runs the command.
pub(crate) fn run(args: &ExportArgs) -> Result<()> {
    let ends_in =
        |ending: &str| args.out.extension().is_some_and(|it| it.eq_ignore_ascii_case(ending));
    if args.model.activation.is_some() && ends_in("npz") {
        let why = "an .npz file contains only weights";
        return Err(no_effect("--activation", args.out.display(), why).into());
    }
    let model = model::load(&args.model)?;
    if ends_in("html") {
        if args.uint8 {
            let message = "--uint8 is for ONNX models: a page takes drawings";
            return Err(Error::argument(message).into());
        }
        model.inputs.image_warning().iter().for_each(warn);
        page_file::check_replaceable(&args.out, "choose another path")?;
        files::write_beside(&args.out, digit_page(&model.classifier()?)?.as_bytes())?;
        return stdout().line(format_args!("Wrote {}", args.out.display()));
    }
    // An existing file is not a usage error.
    model_file::check_replaceable(&args.out).map_err(|error| anyhow!("{error}"))?;
    match args.uint8 {
        false => model_file::export(&model, &args.out)?,
        true => {
            let options = OnnxOptions { uint8_input: true };
            model_file::export_onnx(&model, &args.out, &options)
                .map_err(|error| error.context("--uint8 is for ONNX models"))?;
        }
    }
    stdout().line(format_args!("Wrote {}", args.out.display()))
}
