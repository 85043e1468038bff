//! `gradus serve`: a model and a folder in, a page in the browser out. Its parts are in serve/: the
//! hub knows what there is and tells of changes, runs.rs trains, model.rs answers, samples.rs lists,
//! http.rs and guard.rs stand at the door. The page itself is in web/.

use std::io::Write;
use std::net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, anyhow};
use clap::{Args, ValueHint};
use gradus::Error;
use gradus::classifier::Model;
use gradus::data::sets_at_hand;
use gradus::training::{Outcome, Session};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::args::TrainArgs;
use crate::output::{print_error, say, stdout, warn};
use crate::settings::Settings;
use crate::stop;
use crate::train::architecture;
use crate::train_report::Tested;

mod assets;
mod guard;
mod http;
mod hub;
mod model;
mod runs;
mod samples;
mod saving;

use guard::Guard;
use http::Site;
use hub::{Hub, NewRun, Phase, Reporter};
use model::Served;

/// Where the page is looked for first.
pub(crate) const USUAL_PORT: u16 = 7428;

const LOOPBACK: &str = "127.0.0.1";

/// Sets that are small enough to be downloaded when they are chosen.
const DOWNLOADED: [&str; 2] = ["mnist", "fashion-mnist"];

/// Threads that answer requests which take longer than a moment.
const ANSWERERS: usize = 4;

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

/// Runs the command.
pub(crate) fn run(args: &ServeArgs) -> Result<()> {
    stop::listen()?;
    let folder = args.folder.clone().unwrap_or_else(|| ".".into());
    check_folder(&folder)?;
    let hub = Arc::new(hub(folder, args.data_dir.clone(), args.no_download)?);
    let model = match &args.model {
        Some(path) => Some(Served::open(path)?),
        None => newest(&hub.folder),
    };
    if let Some(model) = model {
        hub.serve(model);
    }
    let place = Place { host: &args.host, port: args.port, token: args.token.clone() };
    let server = Server::start(hub, &place).map_err(|error| match error.kind {
        std::io::ErrorKind::AddrInUse => {
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
    let path = model::newest(folder)?;
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

fn hub(folder: PathBuf, data_dir: Option<PathBuf>, no_download: bool) -> Result<Hub> {
    if let Some(data_dir) = &data_dir
        && !data_dir.is_dir()
    {
        let message = format!("there is no data folder {}", data_dir.display());
        return Err(Error::not_found(message).into());
    }
    let at_hand = sets_at_hand(data_dir.as_deref());
    let offered =
        |name: &&str| at_hand.contains(name) || (!no_download && DOWNLOADED.contains(name));
    let datasets = gradus::data::set_names().into_iter().filter(offered).collect();
    Ok(Hub::new(folder, data_dir, no_download, datasets))
}

/// Where a server is to be reached.
struct Place<'a> {
    host: &'a str,
    port: u16,
    token: Option<String>,
}

/// Why a server cannot start.
struct Unreachable {
    kind: std::io::ErrorKind,
    message: String,
}

impl std::fmt::Display for Unreachable {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        formatter.write_str(&self.message)
    }
}

/// A server that answers in threads of its own.
struct Server {
    hub: Arc<Hub>,
    url: String,
    runtime: Runtime,
}

impl Server {
    fn start(hub: Arc<Hub>, place: &Place) -> Result<Server, Unreachable> {
        let Place { host, port, token } = place;
        let refused = |error: std::io::Error| Unreachable {
            kind: error.kind(),
            message: format!("cannot listen on {host} port {port}: {error}"),
        };
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let addresses = (bare, *port).to_socket_addrs().map_err(refused)?;
        let listener = TcpListener::bind(&addresses.collect::<Vec<_>>()[..]).map_err(refused)?;
        listener.set_nonblocking(true).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let token = match (token, address.ip().is_loopback()) {
            (None, false) => Some(draw_token().map_err(refused)?),
            (token, _) => token.clone(),
        };
        let url = url(address, token.as_deref());
        let site = Arc::new(Site::new(hub.clone(), Guard::new(address, (*host).into(), token)));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(ANSWERERS)
            .thread_name("page")
            .enable_all()
            .build()
            .map_err(refused)?;
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(refused)?
        };
        runtime.spawn(http::accept(listener, site));
        Ok(Server { hub, url, runtime })
    }

    /// Stops runs, keeps their models and ends.
    fn end(self) {
        let stopped = self.hub.end();
        for saved in saving::save_stopped(&self.hub, &stopped) {
            match saved {
                Ok(name) => {
                    let path = self.hub.folder.join(name);
                    say(format_args!("a run was stopped; its model is in {}", path.display()));
                }
                Err(error) => print_error(&error),
            }
        }
        self.runtime.shutdown_background();
    }
}

/// What to open in a browser.
fn url(address: SocketAddr, token: Option<&str>) -> String {
    let host = match address.ip() {
        // All addresses of this machine; from elsewhere one of its names takes the place.
        ip if ip.is_unspecified() => LOOPBACK.to_owned(),
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    let token = token.map_or(String::new(), |token| format!("?token={token}"));
    format!("http://{host}:{}/{token}", address.port())
}

/// 128 random bits.
fn draw_token() -> std::io::Result<String> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn open(url: &str) {
    if let Err(error) = open::that_detached(url) {
        warn(format_args!("no browser can be opened ({error}): open {url} yourself"));
    }
}

/// A run of `gradus train` that the page shows.
pub(crate) struct Watch {
    server: Server,
    reporter: Reporter,
}

impl Watch {
    /// Starts a server on `port`, else on the usual port or, where that is taken, any.
    ///
    /// # Errors
    /// Where the port is taken.
    pub(crate) fn start(args: &TrainArgs, settings: &Settings, port: Option<u16>) -> Result<Watch> {
        let folder = args.out.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new(".")).to_owned();
        let hub = Arc::new(hub(folder, args.source.data_dir.clone(), args.source.no_download)?);
        let listen =
            |port| Server::start(hub.clone(), &Place { host: LOOPBACK, port, token: None });
        let server = match port {
            Some(port) => listen(port),
            None => listen(USUAL_PORT).or_else(|_| listen(0)),
        };
        let server =
            server.map_err(|error| anyhow!("{error}: choose another one with --watch PORT"))?;
        let given = args.given.iter().filter(|(name, _)| *name != "watch");
        let options =
            given.map(|(name, value)| (name.replace('_', "-"), Value::from(value.clone())));
        let new = NewRun {
            data: args.data.clone().unwrap_or_else(|| "mnist".into()),
            preset: settings.preset.name(),
            options: options.collect::<serde_json::Map<_, _>>().into(),
            epochs: settings.config.epochs,
            stop: stop::flag(),
        };
        let id = hub.add(new, true).map_err(anyhow::Error::msg)?;
        say(format_args!("watch this run at {}#train", server.url));
        open(&format!("{}#train", server.url));
        Ok(Watch { server, reporter: Reporter { hub, id } })
    }

    pub(crate) fn url(&self) -> &str {
        &self.server.url
    }

    pub(crate) fn reporter(&self) -> &Reporter {
        &self.reporter
    }

    /// The data are there; of a resumed run also its earlier epochs.
    pub(crate) fn ready(&self, data: &str, samples: usize, session: &Session) {
        let network = session.model().as_ref().network();
        self.reporter.ready(data, architecture(network), samples);
        session.history().epochs.iter().for_each(|epoch| self.reporter.epoch(epoch));
    }

    /// Whether the page has stopped the run.
    pub(crate) fn has_stopped_it(&self) -> bool {
        let mut state = self.reporter.hub.state();
        state.run(self.reporter.id).is_some_and(|run| run.phase == Phase::Stopping)
    }

    /// The run is over, its model is in `file`.
    pub(crate) fn ended(&self, outcome: &Outcome, model: Model, tested: &Tested, file: &Path) {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (phase, message) = ending(outcome);
        let served = Served::new(model.clone(), name.clone(), Some(self.reporter.id));
        self.reporter.end(phase, message, Some((model, tested)), Some(name));
        // A model of values is saved, but nothing to draw for.
        if let Ok(served) = served {
            self.reporter.hub.serve(served);
        }
    }

    /// Runs that the page has started are stopped, and kept.
    pub(crate) fn end(self) {
        self.server.end();
    }
}

/// What a run's outcome is called on the page, with a word on it.
fn ending(outcome: &Outcome) -> (Phase, Option<String>) {
    match outcome {
        Outcome::Finished => (Phase::Finished, None),
        Outcome::NoProgress => (Phase::Finished, Some("no more progress".to_owned())),
        Outcome::Stopped => (Phase::Stopped, None),
        Outcome::Diverged { message, .. } => (Phase::Diverged, Some(message.clone())),
    }
}
