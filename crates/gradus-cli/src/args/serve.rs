//! The arguments of `gradus serve`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

/// The port that the page gets unless another one is asked for.
pub(crate) const USUAL_PORT: u16 = 7428;

/// The address that only this machine reaches.
pub(crate) const LOOPBACK: &str = "127.0.0.1";

/// Show a page in the browser: draw digits, train and watch, look at data.
///
/// The page is for this machine alone unless --host says otherwise; then it needs a token, which is
/// part of the address that is printed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    gradus serve --open\n  \
    gradus serve model.safetensors\n  \
    gradus serve --folder models --port 8000\n\n\
    Ctrl-C ends it. Runs that are in progress then are stopped, and their models are written into the \
    folder; models of runs that had ended and were not saved are gone.")]
pub(crate) struct ServeArgs {
    /// The model to draw for [default: the newest one in the folder]
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) model: Option<PathBuf>,
    /// Folder in which the page finds and saves models [default: the current one]
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub(crate) folder: Option<PathBuf>,
    /// Folder in which named data sets are looked for first
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath, help_heading = "Data")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Never download a data set that is not on this machine
    #[arg(long, help_heading = "Data")]
    pub(crate) no_download: bool,
    /// Address to listen on; 0.0.0.0 for all of this machine's
    #[arg(long, value_name = "ADDRESS", default_value = LOOPBACK, help_heading = "Network")]
    pub(crate) host: String,
    /// Port to listen on; 0 for any that is free
    #[arg(long, value_name = "PORT", default_value_t = USUAL_PORT, help_heading = "Network")]
    pub(crate) port: u16,
    /// Word without which nothing is answered [default: none for this machine alone, else drawn]
    #[arg(long, value_name = "WORD", help_heading = "Network", value_parser = token)]
    pub(crate) token: Option<String>,
    /// Open the page in the browser
    #[arg(long, help_heading = "Network")]
    pub(crate) open: bool,
}

/// A word that can stand in an address and in a cookie.
fn token(text: &str) -> Result<String, String> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.~".contains(letter);
    match text.len() >= 8 && text.len() <= 200 && text.chars().all(plain) {
        true => Ok(text.to_owned()),
        false => Err("expected 8 to 200 letters and digits, - _ . and ~ among them".into()),
    }
}
