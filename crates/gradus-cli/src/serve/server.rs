//! The server: shared state and an address in, a running HTTP server with its own threads out.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use gradus::Error;
use gradus::data::sets_at_hand;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::access::{Access, draw_key};
use super::connections::accept;
use super::guard::Guard;
use super::http::{Site, router};
use super::limits::{SEND_BUFFER, WORK_THREADS};
use super::saving;
use super::state::SharedState;
use crate::args::{LOOPBACK, NamedSetArgs};
use crate::run::output::{print_error, say, warn};

/// Data sets that are small enough to be downloaded when the user chooses them.
const DOWNLOADABLE: [&str; 2] = ["mnist", "fashion-mnist"];

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;

/// How long responses may still be written after the server has ended.
const LAST_RESPONSES: Duration = Duration::from_secs(2);

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
    /// Becomes true when the server ends.
    stopping: watch::Sender<bool>,
    /// Closed when no connection is left.
    open: mpsc::Receiver<()>,
    last_save: LastSave,
}

/// Waits for a save in progress when it is dropped, whether the server ends or the command fails.
struct LastSave(Arc<SharedState>);

impl Drop for LastSave {
    fn drop(&mut self) {
        self.0.saves.end();
    }
}

impl Server {
    pub(crate) fn start(shared: Arc<SharedState>, at: &Address) -> Result<Server, Unreachable> {
        let Address { host, port, token } = at;
        let refused = |error: io::Error| Unreachable {
            kind: error.kind(),
            message: format!("cannot listen on {host} port {port}: {error}"),
        };
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let addresses = (bare, *port).to_socket_addrs().map_err(refused)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(WORK_THREADS)
            .thread_name("page")
            .enable_all()
            .build()
            .map_err(refused)?;
        let listener = {
            let _inside = runtime.enter();
            bind(addresses).map_err(refused)?
        };
        let address = listener.local_addr().map_err(refused)?;
        let token = match (token, address.ip().is_loopback()) {
            (None, false) => Some(draw_key().map_err(refused)?),
            (token, _) => token.clone(),
        };
        let url = url(address, token.as_deref());
        let guard = Guard::new(address, (*host).into());
        let access = Access::new(token, address.port()).map_err(refused)?;
        let router = router(Site::new(shared.clone(), guard, access));
        let (stopping, stops) = watch::channel(false);
        let (connected, open) = mpsc::channel(1);
        runtime.spawn(accept(listener, router, stops, connected));
        let last_save = LastSave(shared.clone());
        Ok(Server { shared, url, runtime, stopping, open, last_save })
    }

    /// Stops all runs, saves their models and ends the server: a save in progress is finished, and responses that
    /// are ready are still sent.
    pub(crate) fn end(mut self) {
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
        drop(self.last_save);
        self.stopping.send_replace(true);
        self.shared.end_events();
        // Nothing is sent through this channel: it is closed by the last connection.
        let _ = self.runtime.block_on(async { timeout(LAST_RESPONSES, self.open.recv()).await });
        self.runtime.shutdown_background();
    }
}

/// Listens on the first address that can be used.
fn bind(addresses: impl Iterator<Item = SocketAddr>) -> io::Result<TcpListener> {
    let mut refused = io::ErrorKind::AddrNotAvailable.into();
    for address in addresses {
        match listen(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // As the standard library does, so that a new server can take the port of one that has just ended.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    // Connections inherit it: without a limit, the system keeps megabytes for each client that does not read.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
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

pub(crate) fn open(url: &str) {
    // Why is of no use to the user: on a machine without a desktop it is the exit status of some helper program.
    if open::that_detached(url).is_err() {
        warn(format_args!("no browser could be opened here: open {url} yourself"));
    }
}
