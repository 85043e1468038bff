//! `gradus export`: a model file in, the same model in another format, as C source or in a page out.

use anyhow::{Result, anyhow};
use gradus::Error;
use gradus::classifier::Model;
use gradus::model_file::{self, OnnxOptions};

use crate::args::{ExportArgs, SourceArgs};
use crate::run::digit_page::digit_page;
use crate::run::labelled_data::labelled_data;
use crate::run::output::{stdout, warn};
use crate::run::source::no_effect;
use crate::run::test_result::TestResult;
use crate::run::workers::workers;
use crate::run::{model, page_file, saving, stop};

/// Runs the command.
pub(crate) fn run(args: &ExportArgs) -> Result<()> {
    let ends_in =
        |ending: &str| args.out.extension().is_some_and(|it| it.eq_ignore_ascii_case(ending));
    let is_page = ends_in("html") || ends_in("htm");
    if !is_page && !["safetensors", "onnx", "npz", "c"].into_iter().any(ends_in) {
        // Before the model is read: the name decides what is written.
        let found = match args.out.extension() {
            Some(ending) => format!("ends in .{}", ending.display()),
            None => "has no ending".to_owned(),
        };
        return Err(Error::argument(format!(
            "cannot write {}: its name {found}, but must end in .safetensors, .onnx, .npz, .c, or .html or .htm for a page",
            args.out.display()
        ))
        .into());
    }
    if ends_in("npz") {
        let why = "an .npz file contains only weights";
        let options = ["--activation", "--class-names"];
        if let Some(option) = args.model.foreign.given().iter().find(|it| options.contains(it)) {
            return Err(no_effect(option, args.out.display(), why).into());
        }
    }
    stop::listen()?;
    let exact = model::load(&args.model)?;
    let mut model = exact.clone();
    if args.int8 {
        for network in std::iter::once(&mut model.network).chain(&mut model.others) {
            *network = model_file::rounded_to_int8(network);
        }
    }
    let (mut output, bytes) = if is_page {
        if args.uint8 {
            let message = "--uint8 is for ONNX models: a page takes drawings";
            return Err(Error::argument(message).into());
        }
        if model.transform.schema().is_some() {
            let message = "a page is for drawings of digits, but this model takes raw columns of a table; export it to .onnx \
                           or .c, or let `gradus predict` read rows";
            return Err(Error::argument(message).into());
        }
        model.inputs.image_warning().iter().for_each(warn);
        let output = page_file::claim(&args.out, "choose another path")?;
        (output, digit_page(&model.classifier()?)?.into_bytes())
    } else {
        let output = saving::claim(&args.out)?;
        // An existing file is not a usage error.
        model_file::check_replaceable(&args.out).map_err(|error| anyhow!("{error}"))?;
        (output, encode(&model, args)?)
    };
    saving::save(&mut output, &bytes)?;
    stdout().line(format_args!("Wrote {}", args.out.display()))?;
    if args.int8 { report_rounding(&exact, &model, args) } else { Ok(()) }
}

/// Measures a model before and after its weights were rounded to 8 bits.
fn report_rounding(exact: &Model, rounded: &Model, args: &ExportArgs) -> Result<()> {
    let data = args.data.as_deref();
    let (name, data) = match labelled_data(exact, data, &SourceArgs::default()) {
        Ok(found) => found,
        Err(error) if data.is_some() => return Err(error),
        Err(error) => {
            warn(format!("what the rounding costs was not measured: {error:#}"));
            return Ok(());
        }
    };
    let workers = workers(None, data.len())?;
    for (bits, model) in [(32, exact), (8, rounded)] {
        let found = TestResult::of(model, &data, &workers)?.words();
        stdout().line(format_args!("Weights of {bits} bits on {name}: {found}"))?;
    }
    Ok(())
}

/// The model in the format of the file's extension.
fn encode(model: &Model, args: &ExportArgs) -> Result<Vec<u8>> {
    let is_c = args.out.extension().is_some_and(|it| it.eq_ignore_ascii_case("c"));
    Ok(match args.uint8 {
        false if is_c => model_file::encode_c_source(model, &args.out, args.int8)?,
        false => model_file::encode(model, &args.out)?,
        true => {
            let options = OnnxOptions { uint8_input: true };
            model_file::encode_onnx(model, &args.out, &options)
                .map_err(|error| error.context("--uint8 is for ONNX models"))?
        }
    })
}
