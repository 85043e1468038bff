//! Connections: a listener in, connections with their limits out. None is held for ever: a client has a time to
//! send the head of a request and a time to read the response, a refusal closes the connection, and when there
//! are too many, the one that the server has waited for longest makes room.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use futures_util::future::{Either, select};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use super::client::Client;
use super::limits::{MOST_CONNECTIONS, MOST_HEAD, REQUEST_TIMEOUT};
use super::wire::Wire;

/// How long a closed connection still accepts what the client is sending. If the server stopped reading at once,
/// the client's system would discard the response that explains why.
const LINGER: Duration = Duration::from_secs(2);

/// The open connections, in the order in which they were accepted.
#[derive(Clone, Default)]
struct Connections(Arc<Mutex<BTreeMap<u64, Client>>>);

impl Connections {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Client>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a connection; if there are too many, the one that the server has waited for longest is closed.
    fn add(&self, number: u64, client: Client) {
        let mut all = self.lock();
        if all.len() >= MOST_CONNECTIONS {
            let waiting = all.iter().filter_map(|(&number, it)| Some((it.waits_since()?, number)));
            if let Some(evicted) = waiting.min().and_then(|(_, number)| all.remove(&number)) {
                evicted.evict();
            }
        }
        all.insert(number, client);
    }
}

/// Accepts connections and serves them until `stopping` is true. Each connection holds a clone of `open`.
pub(super) async fn accept(
    listener: TcpListener,
    router: Router,
    stopping: watch::Receiver<bool>,
    open: mpsc::Sender<()>,
) {
    let connections = Connections::default();
    for number in 0.. {
        let accepted = match select(pin!(listener.accept()), pin!(stopped(&stopping))).await {
            Either::Left((accepted, _)) => accepted,
            Either::Right(_) => return,
        };
        let Ok((stream, address)) = accepted else {
            // Out of file handles, or the client has already disconnected: try again later.
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        // Events are small and should arrive immediately.
        let _ = stream.set_nodelay(true);
        let (read, write) = stream.into_split();
        let read = Arc::new(read);
        let client = Client::new(address.ip(), read.clone());
        let wire = Wire::new(read, write, REQUEST_TIMEOUT);
        connections.add(number, client.clone());
        let (connections, router) = (connections.clone(), router.clone());
        let (stopping, open) = (stopping.clone(), open.clone());
        tokio::spawn(async move {
            let served = serve(wire, &client, router, stopping);
            let _ = select(pin!(served), pin!(client.evicted())).await;
            connections.lock().remove(&number);
            drop(open);
        });
    }
}

/// Waits for the end of the server.
async fn stopped(stopping: &watch::Receiver<bool>) {
    // An error means that the sender, the server, is gone.
    let _ = stopping.clone().wait_for(|it| *it).await;
}

/// Serves one connection.
async fn serve(wire: Wire, client: &Client, router: Router, stopping: watch::Receiver<bool>) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(|mut request: Request<Incoming>| {
        request.extensions_mut().insert(client.clone());
        router.call(request)
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(REQUEST_TIMEOUT)
        .max_header_size(MOST_HEAD)
        .max_buf_size(MOST_HEAD);
    // Errors of a broken connection cannot be reported to the client.
    {
        let mut connection = pin!(http.serve_connection(TokioIo::new(wire), service));
        if let Either::Right(_) = select(connection.as_mut(), pin!(stopped(&stopping))).await {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
            return;
        }
    }
    let _ = timeout(LINGER, client.discard()).await;
}
