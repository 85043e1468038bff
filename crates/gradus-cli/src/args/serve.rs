//! The arguments of `gradus serve`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::model::ForeignArgs;
use super::source::NamedSetArgs;

/// The default port of the page.
pub(crate) const USUAL_PORT: u16 = 7428;

/// The address that only this machine can reach.
pub(crate) const LOOPBACK: &str = "127.0.0.1";

/// Serve a page for the browser: draw digits, train and watch, look at data.
///
/// Only this machine can open the page unless --host is given; then the page needs a token, which is part
/// of the printed address.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    gradus serve --open\n  \
    gradus serve model.safetensors\n  \
    gradus serve --folder models --port 8000\n\n\
    Ctrl-C stops the server. Runs in progress are stopped and their models saved to the folder; unsaved \
    models of finished runs are lost.")]
pub(crate) struct ServeArgs {
    /// The model that recognizes drawings [default: the newest one in the folder]
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) model: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) foreign: ForeignArgs,
    /// Folder of models: the page lists it and saves to it [default: the current folder]
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub(crate) folder: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) named: NamedSetArgs,
    /// Address to listen on; 0.0.0.0 for all addresses of this machine
    #[arg(long, value_name = "ADDRESS", default_value = LOOPBACK, help_heading = "Network")]
    pub(crate) host: String,
    /// Port to listen on; 0 for any free one
    #[arg(long, value_name = "PORT", default_value_t = USUAL_PORT, help_heading = "Network")]
    pub(crate) port: u16,
    /// Token required in every request [default: none on this machine only, else a random one]
    #[arg(long, value_name = "TOKEN", help_heading = "Network", value_parser = token)]
    pub(crate) token: Option<String>,
    /// Open the page in the browser
    #[arg(long, help_heading = "Network")]
    pub(crate) open: bool,
}

/// A token that is valid in a URL and in a cookie.
fn token(text: &str) -> Result<String, String> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.~".contains(letter);
    // A shorter one can be guessed in spite of the delay after wrong ones.
    match text.len() >= 16 && text.len() <= 200 && text.chars().all(plain) {
        true => Ok(text.to_owned()),
        false => Err("expected 16 to 200 letters, digits or the characters - _ . ~".into()),
    }
}
