//! The server: shared state and an address in, a running HTTP server with its own threads out.

use std::net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use gradus::Error;
use gradus::data::sets_at_hand;
use tokio::runtime::Runtime;

use super::guard::Guard;
use super::http::{self, Site};
use super::saving;
use super::state::SharedState;
use crate::args::{LOOPBACK, NamedSetArgs};
use crate::run::output::{print_error, say, warn};

/// Data sets that are small enough to be downloaded when the user chooses them.
const DOWNLOADABLE: [&str; 2] = ["mnist", "fashion-mnist"];

/// Number of threads for slow requests.
const SLOW_REQUEST_THREADS: usize = 4;

/// The state of a new server, with the data sets that it offers.
///
/// # Errors
/// If `data_dir` does not exist.
pub(crate) fn new_state(folder: PathBuf, args: &NamedSetArgs) -> Result<SharedState> {
    let NamedSetArgs { data_dir, no_download } = args;
    if let Some(data_dir) = data_dir
        && !data_dir.is_dir()
    {
        let message = format!("there is no data folder {}", data_dir.display());
        return Err(Error::not_found(message).into());
    }
    let at_hand = sets_at_hand(data_dir.as_deref());
    let offered =
        |name: &&str| at_hand.contains(name) || (!no_download && DOWNLOADABLE.contains(name));
    let datasets = gradus::data::set_names().into_iter().filter(offered).collect();
    Ok(SharedState::new(folder, data_dir.clone(), *no_download, datasets))
}

/// The address of a server.
pub(crate) struct Address<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) token: Option<String>,
}

/// Why a server cannot start.
pub(crate) struct Unreachable {
    pub(crate) kind: std::io::ErrorKind,
    message: String,
}

impl std::fmt::Display for Unreachable {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        formatter.write_str(&self.message)
    }
}

/// A running server.
pub(crate) struct Server {
    shared: Arc<SharedState>,
    pub(crate) url: String,
    runtime: Runtime,
}

impl Server {
    pub(crate) fn start(shared: Arc<SharedState>, at: &Address) -> Result<Server, Unreachable> {
        let Address { host, port, token } = at;
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
        let site = Arc::new(Site::new(shared.clone(), Guard::new(address, (*host).into(), token)));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(SLOW_REQUEST_THREADS)
            .thread_name("page")
            .enable_all()
            .build()
            .map_err(refused)?;
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(refused)?
        };
        runtime.spawn(http::accept(listener, site));
        Ok(Server { shared, url, runtime })
    }

    /// Stops all runs, saves their models and ends the server.
    pub(crate) fn end(self) {
        let stopped = self.shared.end();
        for saved in saving::save_stopped(&self.shared, &stopped) {
            match saved {
                Ok(name) => {
                    let path = self.shared.folder.join(name);
                    say(format_args!("stopped a run; saved its model to {}", path.display()));
                }
                Err(error) => print_error(&error),
            }
        }
        self.runtime.shutdown_background();
    }
}

/// The URL to open in a browser.
fn url(address: SocketAddr, token: Option<&str>) -> String {
    let host = match address.ip() {
        // The server listens on all addresses; on this machine, the loopback address works.
        ip if ip.is_unspecified() => LOOPBACK.to_owned(),
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    let token = token.map_or(String::new(), |token| format!("?token={token}"));
    format!("http://{host}:{}/{token}", address.port())
}

/// A random token of 128 bits.
fn draw_token() -> std::io::Result<String> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

pub(crate) fn open(url: &str) {
    if let Err(error) = open::that_detached(url) {
        warn(format_args!("cannot open a browser ({error}): open {url} yourself"));
    }
}
