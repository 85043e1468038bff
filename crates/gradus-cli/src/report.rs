//! `gradus report`: a model or a history in, a page to look at out, or its pieces one by one.
//!
//! `material.rs` gathers what there is to show, `page.rs` makes the page of it, `pieces.rs` the single
//! pictures and tables.

mod material;
mod recipe;
mod markup;
mod tables;
mod gallery;
mod page;
mod pieces;
mod png;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use gradus::{Error, files};

use crate::args::ReportArgs;
use crate::output::stdout;
use crate::page_file;
use material::Material;
use pieces::Piece;

/// What the report is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// One page with everything.
    Html,
    /// The plots, a vector picture each.
    Svg,
    /// The plots, a picture of pixels each.
    Png,
    /// The figures behind the plots, a table each.
    Csv,
}

impl Format {
    pub(crate) const ALL: [Format; 4] = [Format::Html, Format::Svg, Format::Png, Format::Csv];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Format::Html => "html",
            Format::Svg => "svg",
            Format::Png => "png",
            Format::Csv => "csv",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.name() == name)
    }

    pub(crate) fn help(self) -> &'static str {
        match self {
            Format::Html => "one page with everything",
            Format::Svg => "the plots, a vector picture each",
            Format::Png => {
                "the plots, a picture of pixels each; letters need a font of this system"
            }
            Format::Csv => "the figures behind them, a table each",
        }
    }
}

/// Runs the command.
pub(crate) fn run(args: &ReportArgs) -> Result<()> {
    let out = args.out.clone().unwrap_or_else(|| {
        PathBuf::from(if args.format == Format::Html { "report.html" } else { "report" })
    });
    // Before minutes are spent on an evaluation.
    match args.format {
        Format::Html => page_file::check_replaceable(&out, "choose another path with --out")?,
        _ => check_folder(&out)?,
    }
    let material = Material::gather(args)?;
    if args.format == Format::Html {
        return write(&out, page::page(&material).as_bytes());
    }
    let pieces = match args.format {
        Format::Csv => pieces::tables(&material)?,
        _ => pieces::plots(&material),
    };
    if pieces.is_empty() {
        return Err(anyhow!(
            "{}: there is nothing to write as {}: neither a history nor labelled samples were found",
            args.input.display(),
            args.format.name()
        ));
    }
    fs::create_dir_all(&out).map_err(|error| Error::io("create", &out, error))?;
    let mut painter = None;
    for Piece { name, text } in &pieces {
        let path = out.join(format!("{name}.{}", args.format.name()));
        match args.format {
            Format::Png => {
                let painter = match &painter {
                    Some(painter) => painter,
                    None => painter.insert(png::Painter::new()?),
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
    writeln!(stdout(), "Wrote {}", path.display())?;
    Ok(())
}

fn check_folder(path: &Path) -> Result<()> {
    match path.exists() && !path.is_dir() {
        true => Err(anyhow!(
            "{}: a file is there; single pieces go into a folder, whose name --out says",
            path.display()
        )),
        false => Ok(()),
    }
}
