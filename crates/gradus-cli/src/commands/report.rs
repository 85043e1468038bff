//! `gradus report`: a model or a history in, a page or the single plots and tables out.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use gradus::{Error, files};

use crate::args::{ReportArgs, ReportFormat};
use crate::report::{Painter, Piece, ReportData, page, plots, tables};
use crate::run::output::stdout;
use crate::run::page_file;

/// Runs the command.
pub(crate) fn run(args: &ReportArgs) -> Result<()> {
    let out = args.out.clone().unwrap_or_else(|| {
        PathBuf::from(if args.format == ReportFormat::Html { "report.html" } else { "report" })
    });
    // Check before spending minutes on an evaluation.
    match args.format {
        ReportFormat::Html => page_file::check_replaceable(&out, "choose another path with --out")?,
        _ => check_folder(&out)?,
    }
    let report = ReportData::load(args)?;
    if args.format == ReportFormat::Html {
        return write(&out, page(&report).as_bytes());
    }
    let pieces = match args.format {
        ReportFormat::Csv => tables(&report)?,
        _ => plots(&report),
    };
    if pieces.is_empty() {
        return Err(anyhow!(
            "{}: nothing to write as {}: there is neither a history nor labelled samples",
            args.input.display(),
            args.format.name()
        ));
    }
    fs::create_dir_all(&out).map_err(|error| Error::io("create", &out, error))?;
    let mut painter = None;
    for Piece { name, text } in &pieces {
        let path = out.join(format!("{name}.{}", args.format.name()));
        match args.format {
            ReportFormat::Png => {
                let painter = match &painter {
                    Some(painter) => painter,
                    None => painter.insert(Painter::new()?),
                };
                write(&path, &painter.paint(text)?)?;
            }
            _ => write(&path, text.as_bytes())?,
        }
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    files::write_beside(path, bytes)?;
    stdout().line(format_args!("Wrote {}", path.display()))
}

fn check_folder(path: &Path) -> Result<()> {
    match path.exists() && !path.is_dir() {
        true => Err(anyhow!(
            "{}: this is a file, but plots and tables go to a folder; choose one with --out",
            path.display()
        )),
        false => Ok(()),
    }
}
