//! `gradus predict --out` for samples beyond memory: they are predicted piece by piece, and the predictions are written
//! as they come: as a table, or as an array in an NPY file.

use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Result;
use gradus::classifier::{Model, Predictions};
use gradus::data::csv::{Cell, TextForm, Writer};
use gradus::data::shards::is_shards;
use gradus::data::{Inputs, Task, npy};
use gradus::exchange::Ranks;
use gradus::files::reading;
use gradus::network::Workers;
use gradus::{Error, ErrorKind};

use super::predictions_file::{Predicted, Predicting, columns, has_extension, is_parquet, is_tsv};
use super::predictions_target::{Target, Written};
use crate::args::PredictArgs;
use crate::run::output::warn;
use crate::run::pieces::Pieces;
use crate::run::samples::name_of;
use crate::run::stop;
use crate::run::workers::workers;

/// How predictions are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A table whose cells have this separator between them.
    Table(u8),
    /// An array.
    Npy,
}

/// Predicts the samples of the only file and writes the predictions, if they can be read piece by piece; otherwise says so.
///
/// # Errors
/// Those of reading, predicting and writing.
pub(super) fn write(
    out: &Path,
    model: &Model,
    widths: Option<&[f32]>,
    args: &PredictArgs,
    ranks: &Ranks,
) -> Result<bool> {
    let [path] = &args.files[..] else { return Ok(false) };
    if is_parquet(args) {
        return match is_shards(path) {
            true => Err(Error::argument(format!(
                "--out {}: predictions of shards are written as text or as an array: choose a name that ends in .csv or \
                 .npy",
                out.display()
            ))
            .into()),
            false => Ok(false),
        };
    }
    let Some(pieces) = Pieces::of(path, model)? else { return Ok(false) };
    let form = match has_extension(args, "npy") {
        true => Form::Npy,
        false => Form::Table(if is_tsv(args) { b'\t' } else { b',' }),
    };
    check(path, &pieces, form, widths, args)?;
    pieces.compare(ranks)?;
    let model = &Predicting { model, widths: widths.map(<[f32]>::to_vec), ranks };
    let mut target = Target::claim(out, args, ranks)?;
    let written = write_pieces(path, &pieces, form, &mut target, model, args)?;
    target.report(written, args)?;
    Ok(true)
}

/// Predicts all samples and writes the file.
fn write_pieces(
    path: &Path,
    pieces: &Pieces,
    form: Form,
    target: &mut Target,
    model: &Predicting,
    args: &PredictArgs,
) -> Result<Written> {
    let samples = pieces.samples();
    let names: Vec<String> = match form {
        Form::Npy => model.names().to_vec(),
        Form::Table(_) => std::iter::once("index".to_owned()).chain(columns(model)).collect(),
    };
    let header = match form {
        Form::Npy => npy::header("<f4", &[samples, names.len()]),
        Form::Table(separator) => writer(separator).line(names.iter().map(|name| Cell::Text(name))),
    };
    let work = Work { path, pieces, form, model, workers: &workers(args.threads, samples)? };
    match target {
        Target::Nowhere => work.each_piece(&mut |_| Ok(()))?,
        Target::Stdout => target.write(|write| {
            write(&header)?;
            work.each_piece(write)
        })?,
        Target::File(file) => {
            let to = file.path().to_owned();
            let refused = |error| Error::io("write", &to, error);
            let mut out = BufWriter::new(file.create()?);
            out.write_all(&header).map_err(refused)?;
            work.each_piece(&mut |bytes| out.write_all(bytes).map_err(refused))?;
            let file = out.into_inner().map_err(|error| refused(error.into_error()))?;
            // A signal may come before: it may take hours until then.
            stop::saving(|| file.commit())?;
        }
    }
    Ok(Written::new(samples, names, form != Form::Npy))
}

/// Samples to predict.
struct Work<'a> {
    path: &'a Path,
    pieces: &'a Pieces,
    form: Form,
    model: &'a Predicting<'a>,
    workers: &'a Workers,
}

impl Work<'_> {
    /// Hands the bytes of all predictions to `write`.
    fn each_piece(&self, write: &mut dyn FnMut(&[u8]) -> gradus::Result<()>) -> gradus::Result<()> {
        let (model, outputs) = (self.model, self.model.names().len());
        let mut first = 0;
        self.pieces.each_inputs(model, model.ranks, |inputs| {
            self.check_finite(&inputs, first)?;
            // Of the first piece, so that nothing is said twice.
            let warning = (first == 0).then(|| model.mismatch(&inputs)).flatten();
            warning.iter().for_each(|it| warn(format_args!("{}: {it}", name_of(self.path))));
            let values = model.predict_on_ranks(&inputs, self.workers, model.ranks)?;
            let count = values.len() / outputs;
            if model.ranks.rank() > 0 {
                first += count;
                return Ok(());
            }
            let bytes = match self.form {
                Form::Npy => values.into_iter().flat_map(f32::to_le_bytes).collect::<Vec<u8>>(),
                Form::Table(separator) => self.rows(first, values, separator),
            };
            first += count;
            write(&bytes)
        })
    }

    /// The lines of a table for these predictions, of which the first is that of sample `first`.
    fn rows(&self, first: usize, values: Vec<f32>, separator: u8) -> Vec<u8> {
        let names = self.model.names();
        let outputs = names.len();
        let predicted = match self.model.task() {
            Task::Classification => {
                let of = Predictions { classes: outputs, probabilities: values };
                Predicted::Classes { names, of }
            }
            Task::MultiLabel => Predicted::Labels { outputs, probabilities: values },
            Task::Regression => {
                Predicted::Values { outputs, values, widths: self.model.widths.as_deref() }
            }
        };
        let writer = writer(separator);
        let row = |at: usize| {
            writer.line(std::iter::once(Cell::Count(first + at)).chain(predicted.cells(at)))
        };
        (0..predicted.len()).flat_map(row).collect()
    }

    fn check_finite(&self, inputs: &Inputs, first: usize) -> gradus::Result<()> {
        match inputs.rows().not_finite(self.model.features()) {
            None => Ok(()),
            Some((value, (sample, _))) => Err(Error::data(
                self.path,
                format!("value {value} in sample {} is not a finite number", first + sample),
            )),
        }
    }
}

fn writer(separator: u8) -> Writer {
    Writer::new(TextForm { separator, ..TextForm::default() })
}

/// Checks that options have an effect, and that a file is not larger than the limit.
fn check(
    path: &Path,
    pieces: &Pieces,
    form: Form,
    widths: Option<&[f32]>,
    args: &PredictArgs,
) -> Result<(), Error> {
    if form == Form::Npy && widths.is_some() {
        return Err(Error::argument(
            "--interval has no effect on an .npy file, which holds the values alone: choose a name that ends in .csv",
        ));
    }
    match (pieces.file_length(), args.limit) {
        (Some(length), Some(limit)) if length > limit => Err(Error::new(
            ErrorKind::InvalidData,
            format!(
                "{}: more than {}, which is the limit for one file; raise it with --limit, or leave the option out",
                name_of(path),
                reading::size(limit)
            ),
        )),
        _ => Ok(()),
    }
}
