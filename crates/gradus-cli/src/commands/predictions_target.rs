//! Where `gradus predict --out` writes: the option in, a file that only replaces earlier predictions, or standard output.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;

use anyhow::{Result, anyhow};
use gradus::Error;
use gradus::data::csv::Column;
use gradus::exchange::Ranks;
use gradus::files::OutputFile;
use serde::Serialize;

use super::parquet_file;
use crate::args::PredictArgs;
use crate::run::file_kind::FileKind;
use crate::run::output::{buffered_stdout, print_json, stdout};
use crate::run::samples::{is_standard_input, name_of};
use crate::run::{saving, stop};

/// What was written.
#[derive(Serialize)]
pub(super) struct Written {
    out: String,
    pub(super) samples: usize,
    /// The names of the columns that are not of the input.
    columns: Vec<String>,
    /// Whether the first line has these names.
    header: bool,
}

impl Written {
    pub(super) fn new(samples: usize, columns: Vec<String>, header: bool) -> Written {
        Written { out: String::new(), samples, columns, header }
    }
}

/// Where the table goes.
pub(super) enum Target {
    Stdout,
    File(OutputFile),
    /// Another rank writes it.
    Nowhere,
}

impl Target {
    /// Takes possession of the file, on rank 0.
    ///
    /// # Errors
    /// If it cannot be written for these inputs, or something else is there.
    pub(super) fn claim(out: &Path, args: &PredictArgs, ranks: &Ranks) -> Result<Target> {
        check(out, args)?;
        stop::listen()?;
        Ok(match is_standard_input(out) {
            _ if ranks.rank() > 0 => Target::Nowhere,
            true => Target::Stdout,
            false => Target::File(claim(out, args)?),
        })
    }

    /// Prints what was written to the file.
    pub(super) fn report(&self, written: Written, args: &PredictArgs) -> Result<()> {
        let Target::File(file) = self else { return Ok(()) };
        let file = file.path().display();
        match args.json {
            true => print_json(&Written { out: file.to_string(), ..written }),
            false => stdout().line(format_args!("Wrote {file}: {} predictions", written.samples)),
        }
    }

    /// Writes all that `content` gives, in one step in place of an earlier file.
    pub(super) fn write<T>(
        &mut self,
        content: impl FnOnce(&mut dyn FnMut(&[u8]) -> gradus::Result<()>) -> gradus::Result<T>,
    ) -> Result<T> {
        match self {
            Target::Stdout => {
                let (mut out, mut failed) = (buffered_stdout(), None);
                let done = content(&mut |bytes| {
                    out.generated(bytes).map_err(|error| {
                        let message = error.to_string();
                        failed = Some(error);
                        Error::argument(message)
                    })
                });
                match failed {
                    // A closed pipe is recognized by the type of its error.
                    Some(error) => Err(error),
                    None => {
                        let done = done?;
                        out.flush()?;
                        Ok(done)
                    }
                }
            }
            Target::Nowhere => unreachable!("ranks that write nothing end before"),
            Target::File(file) => stop::saving(|| {
                let path = file.path().to_owned();
                let refused = |error| Error::io("write", &path, error);
                let mut out = BufWriter::new(file.create()?);
                let done = content(&mut |bytes| out.write_all(bytes).map_err(refused))?;
                let file = out.into_inner().map_err(|error| refused(error.into_error()))?;
                file.commit()?;
                Ok(done)
            }),
        }
    }
}

impl Target {
    /// Writes these columns as Parquet, in one step in place of an earlier file.
    pub(super) fn write_columns(&mut self, columns: &[(String, Column)]) -> Result<()> {
        // `check` refuses Parquet on standard output.
        let Target::File(file) = self else { unreachable!("Parquet has a file") };
        stop::saving(|| {
            let path = file.path().to_owned();
            let written = parquet_file::write(file.create()?, columns);
            let file = written.map_err(|error| parquet_file::explain(error, &path))?;
            file.commit()?;
            Ok(())
        })
    }
}

/// Checks that this file can be written for these inputs.
///
/// # Errors
/// `InvalidArgument` if the extension is another, or several files are not all images.
fn check(out: &Path, args: &PredictArgs) -> Result<(), Error> {
    let extension = out.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let shown = out.display();
    if is_standard_input(out) {
        return match args.json {
            true => Err(Error::argument(
                "--json has no effect with --out -: standard output gets the CSV table; leave one out",
            )),
            false => Ok(()),
        };
    }
    if !["csv", "tsv", "txt", "parquet", "npy"].contains(&extension.as_str()) {
        return Err(Error::argument(format!(
            "--out {shown}: expected a name that ends in .csv, .tsv, .txt, .parquet or .npy, or - for CSV on standard \
             output"
        )));
    }
    if let [_, _, ..] = args.files[..]
        && let Some(other) = args.files.iter().find(|file| !may_be_image(file))
    {
        return Err(several(other));
    }
    Ok(())
}

fn may_be_image(file: &Path) -> bool {
    // Of a folder, the images are predicted.
    file.is_dir() || matches!(FileKind::of(file), FileKind::Image | FileKind::Unknown)
}

pub(super) fn several(other: &Path) -> Error {
    Error::argument(format!(
        "--out takes one table or array, or any number of images: {} is not an image; predict the files one by one",
        name_of(other)
    ))
}

/// Takes possession of the file; only earlier predictions would be overwritten, and no file that is predicted.
fn claim(out: &Path, args: &PredictArgs) -> Result<OutputFile> {
    let place = out.canonicalize().ok();
    if place.is_some() && args.files.iter().any(|file| file.canonicalize().ok() == place) {
        return Err(Error::argument(format!(
            "--out {} is the file to predict, which would be overwritten; choose another name",
            out.display()
        ))
        .into());
    }
    let output = saving::claim(out)?;
    match is_replaceable(out)? {
        true => Ok(output),
        false => {
            let why = match FileKind::of(out) {
                FileKind::Npy => "and arrays do not say whether they are predictions",
                _ => "and has no column `prediction`",
            };
            Err(anyhow!(
                "{}: this file exists {why}, so it is not overwritten; choose another path with --out, or move the file \
                 away",
                out.display()
            ))
        }
    }
}

/// Whether a file is missing, empty or a table with a column for predictions.
fn is_replaceable(path: &Path) -> Result<bool> {
    const LOOKED_AT: u64 = 1 << 20;
    if !path.exists() {
        return Ok(true);
    }
    let is_prediction = |name: &[u8]| {
        let rest = name.strip_prefix(b"prediction");
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"_"))
    };
    if let Some(names) = parquet_file::column_names(path) {
        return Ok(names.iter().any(|name| is_prediction(name.as_bytes())));
    }
    let mut start = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LOOKED_AT).read_to_end(&mut start))
        .map_err(|error| Error::io("read", path, error))?;
    // Names of columns are in ASCII letters, which UTF-16 pads with zeros.
    start.retain(|&byte| byte != 0);
    let mut lines = start.split(|byte| matches!(byte, b'\n' | b'\r')).filter(|it| !it.is_empty());
    let header = lines.find(|line| !line.starts_with(b"sep=")).unwrap_or_default();
    let cells = header.split(|byte| matches!(byte, b',' | b';' | b'\t' | b'|' | b'"'));
    Ok(start.is_empty() || cells.into_iter().any(is_prediction))
}
