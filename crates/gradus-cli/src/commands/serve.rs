//! `gradus serve`: a model and a folder in, a page for the browser out.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, anyhow};
use gradus::Error;

use crate::args::ServeArgs;
use crate::run::output::{say, stdout, warn};
use crate::run::stop;
use crate::serve::{Address, Served, Server, new_state, newest_model, open};

/// Runs the command.
pub(crate) fn run(args: &ServeArgs) -> Result<()> {
    stop::listen()?;
    let folder = args.folder.clone().unwrap_or_else(|| ".".into());
    check_folder(&folder)?;
    let shared = Arc::new(new_state(folder, &args.named)?);
    let model = match &args.model {
        Some(path) => Some(Served::open_as(path, &args.foreign)?),
        None if !args.foreign.given().is_empty() => {
            return Err(Error::argument(format!(
                "{} is about a model: name its file, as in gradus serve model.pt {}",
                args.foreign.given().join(" and "),
                args.foreign.given()[0]
            ))
            .into());
        }
        None => newest(&shared.folder),
    };
    if let Some(model) = model {
        shared.serve(model);
    }
    let address = Address { host: &args.host, port: args.port, token: args.token.clone() };
    let server = Server::start(shared, &address).map_err(|error| match error.kind {
        ErrorKind::AddrInUse => {
            anyhow!("{error}: choose another port with --port, or 0 for any free one")
        }
        _ => anyhow!("{error}"),
    })?;
    stdout().line(format_args!("{} (press Ctrl-C to stop)", server.url))?;
    if args.open {
        open(&server.url);
    }
    stop::wait();
    server.end();
    Ok(())
}

/// Checks the folder of models.
fn check_folder(folder: &Path) -> Result<()> {
    match folder.is_dir() {
        true => Ok(()),
        false => Err(Error::not_found(format!("there is no folder {}", folder.display())).into()),
    }
}

/// The newest model of the folder. The user did not ask for it, so a failure is only a warning.
fn newest(folder: &Path) -> Option<Served> {
    let path = newest_model(folder)?;
    let name = path.display().to_string();
    match Served::open(&path) {
        Ok(model) => {
            say(format_args!("using {name}, the newest model in the folder"));
            Some(model)
        }
        Err(error) => {
            warn(format_args!("cannot use the newest model in the folder: {error}"));
            None
        }
    }
}
