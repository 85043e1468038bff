//! The other end of a connection, as the work for its requests sees it.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::{Result, anyhow};
use futures_util::FutureExt;
use tokio::io::Interest;
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::{Notify, OwnedSemaphorePermit};

/// A client with its connection.
#[derive(Clone)]
pub(super) struct Client(Arc<Connection>);

struct Connection {
    address: IpAddr,
    read: Arc<OwnedReadHalf>,
    activity: Mutex<Activity>,
    /// Notified when the connection has to make room.
    evicted: Notify,
}

/// What the server does on a connection.
enum Activity {
    /// It waits for a request or for the rest of one, since then.
    Waiting(Instant),
    /// It answers a request.
    Busy(#[expect(dead_code, reason = "it counts while it exists")] OwnedSemaphorePermit),
}

impl Client {
    pub(super) fn new(address: IpAddr, read: Arc<OwnedReadHalf>) -> Client {
        let activity = Mutex::new(Activity::Waiting(Instant::now()));
        Client(Arc::new(Connection { address, read, activity, evicted: Notify::new() }))
    }

    pub(super) fn address(&self) -> IpAddr {
        self.0.address
    }

    /// Stops the work for a client that has hung up.
    ///
    /// # Errors
    /// If it has; nobody reads the message.
    pub(super) fn check(&self) -> Result<()> {
        // hyper drops the work for a client that has hung up, but does not notice that if the client sent more
        // after the request.
        match self.0.read.ready(Interest::READABLE).now_or_never() {
            Some(Ok(ready)) if !ready.is_read_closed() => Ok(()),
            None => Ok(()),
            Some(_) => Err(anyhow!("the client has hung up")),
        }
    }

    /// Since when the server waits for this client; none while it answers.
    pub(super) fn waits_since(&self) -> Option<Instant> {
        match *self.lock() {
            Activity::Waiting(since) => Some(since),
            Activity::Busy(_) => None,
        }
    }

    pub(super) fn set_waiting(&self) {
        *self.lock() = Activity::Waiting(Instant::now());
    }

    pub(super) fn set_busy(&self, permit: OwnedSemaphorePermit) {
        *self.lock() = Activity::Busy(permit);
    }

    /// Closes the connection.
    pub(super) fn evict(&self) {
        self.0.evicted.notify_one();
    }

    /// Ready when the connection has to be closed.
    pub(super) async fn evicted(&self) {
        self.0.evicted.notified().await;
    }

    /// Reads and forgets what the client sends until it closes the connection.
    pub(super) async fn discard(&self) {
        let mut bytes = [0; 4096];
        while self.0.read.readable().await.is_ok() {
            match self.0.read.try_read(&mut bytes) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Activity> {
        self.0.activity.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
