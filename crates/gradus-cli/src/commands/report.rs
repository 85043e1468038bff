//! `gradus report`: a model or a history in, a page or the single plots and tables out.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use gradus::Error;
use gradus::files::OutputFile;

use crate::args::{ReportArgs, ReportFormat};
use crate::report::{PLOTS, Painter, Piece, ReportData, TABLES, page, plots, tables};
use crate::run::output::stdout;
use crate::run::{page_file, saving, stop};

/// Runs the command.
pub(crate) fn run(args: &ReportArgs) -> Result<()> {
    stop::listen()?;
    let out = args.out.clone().unwrap_or_else(|| {
        PathBuf::from(if args.format == ReportFormat::Html { "report.html" } else { "report" })
    });
    check_extension(&out, args.format)?;
    // Claim the files before spending minutes on an evaluation.
    match args.format {
        ReportFormat::Html => {
            let mut output = page_file::claim(&out, "choose another path with --out")?;
            write(&mut output, page(&ReportData::load(args)?).as_bytes())
        }
        _ => {
            let mut folder = PieceFolder::claim(&out, args.format)?;
            let pieces = pieces(&ReportData::load(args)?, args)?;
            write_pieces(&pieces, &mut folder, args.format)
        }
    }
}

/// The plots or tables that there are.
fn pieces(report: &ReportData, args: &ReportArgs) -> Result<Vec<Piece>> {
    let pieces = match args.format {
        ReportFormat::Csv => tables(report)?,
        _ => plots(report),
    };
    match pieces.is_empty() {
        false => Ok(pieces),
        true => Err(anyhow!(
            "{}: nothing to write as {}: there is neither a history nor labelled samples",
            args.input.display(),
            args.format.name()
        )),
    }
}

fn write_pieces(pieces: &[Piece], folder: &mut PieceFolder, format: ReportFormat) -> Result<()> {
    let mut painter = None;
    for Piece { name, text } in pieces {
        let file = folder.files.get_mut(name.as_str());
        let file = file.ok_or_else(|| anyhow!("no file was claimed for {name}"))?;
        match format {
            ReportFormat::Png => {
                let painter = match &painter {
                    Some(painter) => painter,
                    None => painter.insert(Painter::new()?),
                };
                write(file, &painter.paint(text)?)?;
            }
            _ => write(file, text.as_bytes())?,
        }
    }
    Ok(())
}

fn write(output: &mut OutputFile, bytes: &[u8]) -> Result<()> {
    saving::save(output, bytes)?;
    stdout().line(format_args!("Wrote {}", output.path().display()))
}

/// A folder for plots or tables: files of all names that there may be, claimed for this process.
struct PieceFolder {
    /// The folder, if it was created here.
    created: Option<PathBuf>,
    files: BTreeMap<&'static str, OutputFile>,
}

impl PieceFolder {
    fn claim(path: &Path, format: ReportFormat) -> Result<PieceFolder> {
        if path.exists() && !path.is_dir() {
            return Err(anyhow!(
                "{}: this is a file, but plots and tables go to a folder; choose one with --out",
                path.display()
            ));
        }
        let created = (!path.exists()).then(|| path.to_owned());
        fs::create_dir_all(path).map_err(|error| Error::io("create", path, error))?;
        let names: &[&str] = match format {
            ReportFormat::Csv => &TABLES,
            _ => &PLOTS,
        };
        let mut folder = PieceFolder { created, files: BTreeMap::new() };
        for &name in names {
            let file = path.join(format!("{name}.{}", format.name()));
            folder.files.insert(name, saving::claim(&file)?);
        }
        Ok(folder)
    }
}

impl Drop for PieceFolder {
    fn drop(&mut self) {
        // The locks are in the folder.
        self.files.clear();
        if let Some(path) = &self.created {
            // It goes if nothing was written to it; with files in it, it cannot be removed.
            let _ = fs::remove_dir(path);
        }
    }
}

/// Endings of names that are files, not folders.
const FILES: [&str; 9] = ["html", "htm", "svg", "png", "csv", "pdf", "jpg", "jpeg", "json"];

/// Checks that the name is that of what will be written: a page, or a folder.
///
/// # Errors
/// `InvalidArgument` for a name that promises another format.
fn check_extension(out: &Path, format: ReportFormat) -> Result<()> {
    let extension = out.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let (shown, name) = (out.display(), format.name());
    let problem = match format {
        ReportFormat::Html if ["", "html", "htm"].contains(&extension.as_str()) => return Ok(()),
        ReportFormat::Html => match ReportFormat::from_name(&extension) {
            Some(other) => format!(
                "a report is one HTML page; for single plots or tables use --format {} and the name of a folder",
                other.name()
            ),
            None => "a report is one HTML page: expected a name that ends in .html; a browser prints it to \
                     PDF"
            .to_owned(),
        },
        // Existing files are reported when the path is claimed.
        _ if !FILES.contains(&extension.as_str()) || out.exists() => return Ok(()),
        _ => format!(
            "--format {name} writes one file for each plot or table: expected the name of a folder, such as \
             report"
        ),
    };
    Err(Error::argument(format!("--out {shown}: {problem}")).into())
}
