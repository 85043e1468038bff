//! `gradus serve`: a model and a folder in, a page in the browser out.

use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, anyhow};
use gradus::Error;

use crate::args::ServeArgs;
use crate::run::output::{say, stdout, warn};
use crate::run::stop;
use crate::serve::{Place, Served, Server, new_state, newest_model, open};

/// Runs the command.
pub(crate) fn run(args: &ServeArgs) -> Result<()> {
    stop::listen()?;
    let folder = args.folder.clone().unwrap_or_else(|| ".".into());
    check_folder(&folder)?;
    let shared = Arc::new(new_state(folder, &args.named)?);
    let model = match &args.model {
        Some(path) => Some(Served::open(path)?),
        None => newest(&shared.folder),
    };
    if let Some(model) = model {
        shared.serve(model);
    }
    let place = Place { host: &args.host, port: args.port, token: args.token.clone() };
    let server = Server::start(shared, &place).map_err(|error| match error.kind {
        ErrorKind::AddrInUse => {
            anyhow!("{error}: choose another one with --port, or 0 for any")
        }
        _ => anyhow!("{error}"),
    })?;
    writeln!(stdout(), "{} (Ctrl-C ends it)", server.url)?;
    if args.open {
        open(&server.url);
    }
    stop::wait();
    server.end();
    Ok(())
}

/// The page's models come from here and go here.
fn check_folder(folder: &Path) -> Result<()> {
    match folder.is_dir() {
        true => Ok(()),
        false => Err(Error::not_found(format!("there is no folder {}", folder.display())).into()),
    }
}

/// The newest model of the folder, where one can be read: nobody asked for it.
fn newest(folder: &Path) -> Option<Served> {
    let path = newest_model(folder)?;
    let name = path.display().to_string();
    match Served::open(&path) {
        Ok(model) => {
            say(format_args!("the model is {name}, the newest one in the folder"));
            Some(model)
        }
        Err(error) => {
            warn(format_args!("the newest model in the folder cannot be used: {error}"));
            None
        }
    }
}
