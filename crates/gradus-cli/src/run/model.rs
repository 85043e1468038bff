//! Reads the model of a command: arguments in, a model out. Also checks options that only classifiers
//! have a use for.

use std::path::Path;

use anyhow::Result;
use gradus::classifier::Model;
use gradus::data::Task;
use gradus::model_file::{self, Loaded, ReadOptions};
use gradus::{Error, ErrorKind};

use crate::args::{ForeignArgs, ModelArgs};
use crate::run::output::warn;

/// Reads the model, and warns about assumptions.
///
/// # Errors
/// Those of reading it; `InvalidArgument` for an option about something that the file contains.
pub(crate) fn load(args: &ModelArgs) -> Result<Model> {
    read(args).map(|loaded| loaded.model)
}

/// As [`load`], with a note if damage to the file would go unnoticed.
///
/// # Errors
/// As [`load`].
pub(crate) fn load_with_note(args: &ModelArgs) -> Result<Model> {
    let loaded = read(args)?;
    if loaded.is_unprotected {
        warn_of_missing_digest(&args.model);
    }
    Ok(loaded.model)
}

fn read(args: &ModelArgs) -> Result<Loaded> {
    load_from(&args.model, &args.foreign)
}

/// Reads a model file, with what the options say about it, and warns about assumptions.
///
/// # Errors
/// As [`load`].
pub(crate) fn load_from(path: &Path, args: &ForeignArgs) -> Result<Loaded> {
    let options = ReadOptions {
        activations: args.activation.clone().map(|it| it.0).unwrap_or_default(),
        transform: args.normalize.clone(),
        class_names: args.class_names.clone().map(|it| it.0).unwrap_or_default(),
    };
    let loaded = model_file::load_as(path, &options).map_err(|error| refusal(error, args))?;
    loaded.warnings.iter().for_each(warn);
    Ok(loaded)
}

/// Tells that the file is of a version that wrote no digests.
pub(crate) fn warn_of_missing_digest(path: &Path) {
    warn(format_args!(
        "{}: written by an earlier version, without a SHA-256 of its content, so damage to it may go unnoticed",
        path.display()
    ));
}

/// Adds the options that an error is about.
fn refusal(error: Error, args: &ForeignArgs) -> Error {
    let given = args.given();
    match (error.kind(), given.is_empty()) {
        (ErrorKind::InvalidArgument, false) => error.context(given.join(" and ")),
        _ => error,
    }
}

/// Checks that a model can report the `top` most probable classes.
///
/// # Errors
/// `InvalidArgument` if it has fewer classes, or none.
pub(crate) fn check_top(top: Option<usize>, model: &Model) -> Result<(), Error> {
    let Some(top) = top else { return Ok(()) };
    check_classes("--top", model)?;
    let classes = model.names().len();
    match top > classes {
        true => Err(Error::argument(format!(
            "--top {top}: the model has {classes} classes; expected a number up to that"
        ))),
        false => Ok(()),
    }
}

/// Checks that an option about classes is given for a classifier.
///
/// # Errors
/// `InvalidArgument` for a model of another task.
pub(crate) fn check_classes(option: &str, model: &Model) -> Result<(), Error> {
    match model.task() {
        Task::Classification => Ok(()),
        task => Err(Error::argument(format!(
            "{option} has no effect: this is a {} model, which has no classes; leave it out",
            task.name()
        ))),
    }
}
