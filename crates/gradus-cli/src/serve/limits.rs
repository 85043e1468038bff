//! How much the server takes on: places for requests, turns for their work, and bytes that it holds for them. All
//! numbers are listed in docs/page.md.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::client::Client;
use super::problem::{Answer, Problem};

pub(super) const MOST_CONNECTIONS: usize = 300;

/// How many connections may have a request that is being answered. The server waits for the clients of the others,
/// for a request, for the rest of one, or for the end after a refusal, and can close them to make room.
pub(super) const MOST_BUSY: usize = 270;

pub(super) const MOST_STREAMS: usize = 100;
pub(super) const MOST_JSON: usize = 64 << 10;
pub(super) const MOST_IMAGE: usize = 8 << 20;

/// The most bytes of a request's head.
pub(super) const MOST_HEAD: usize = 64 << 10;

/// Timeout for the head of a request, for its body, and for the client to read each [`PIECE`] of the response.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// Timeout for the next bytes of a body.
pub(super) const STALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Responses are passed on in pieces of this size, so that a client that does not read holds only one or two.
pub(super) const PIECE: usize = 32 << 10;

/// Bytes that the operating system keeps for a client until it reads them.
pub(super) const SEND_BUFFER: u32 = 128 << 10;

/// Bytes of images that are held at a time, without the first [`MOST_JSON`] of each.
const MOST_IMAGES: usize = 64 << 20;

/// Bytes of states for event streams, and of other large responses, that are held at a time.
const MOST_STATES: usize = 64 << 20;
const MOST_RESPONSES: usize = 64 << 20;

/// How long a request waits for its turn.
const TURN_TIMEOUT: Duration = Duration::from_secs(20);

/// Threads for the work of all lanes: enough that no lane waits for another one.
pub(super) const WORK_THREADS: usize = 12;

/// What the requests of a server share.
pub(super) struct Limits {
    pub(super) busy: Arc<Semaphore>,
    pub(super) streams: Arc<Semaphore>,
    pub(super) images: Budget,
    pub(super) responses: Budget,
    /// Predictions for drawings and other small images.
    pub(super) drawings: Lane,
    /// Predictions for large images: one takes about a second and 350 MB.
    pub(super) photos: Lane,
    /// Samples of data sets, which may have to be loaded first.
    pub(super) samples: Lane,
    /// Model files, read and written, and new runs.
    pub(super) models: Lane,
    /// The state and the runs as JSON.
    pub(super) states: Lane,
}

/// A request that is being answered.
pub(super) struct Admitted(Client);

impl Limits {
    /// Counts the client's connection as busy until the result is dropped.
    ///
    /// # Errors
    /// If too many connections are busy.
    pub(super) fn admit(&self, client: &Client) -> Answer<Admitted> {
        self.occupy(client)?;
        Ok(Admitted(client.clone()))
    }

    /// Counts the client's connection as busy until the server waits for the client again.
    ///
    /// # Errors
    /// If too many connections are busy.
    pub(super) fn occupy(&self, client: &Client) -> Answer<()> {
        let full = |_| Problem::busy("the server has too many requests: try again in a moment");
        client.set_busy(self.busy.clone().try_acquire_owned().map_err(full)?);
        Ok(())
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.0.set_waiting();
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            busy: Arc::new(Semaphore::new(MOST_BUSY)),
            streams: Arc::new(Semaphore::new(MOST_STREAMS)),
            images: Budget::new(MOST_IMAGES),
            responses: Budget::new(MOST_RESPONSES),
            drawings: Lane::new(4, 64, "predicting other images"),
            photos: Lane::new(1, 16, "predicting other large images"),
            samples: Lane::new(1, 16, "looking up other samples"),
            models: Lane::new(1, 16, "loading or saving other models"),
            states: Lane::new(2, 64, "answering other requests"),
        }
    }
}

/// A number of bytes that may be held at a time.
#[derive(Clone)]
pub(super) struct Budget {
    kilobytes: Arc<Semaphore>,
    most: usize,
}

/// A part of a budget, given back when it is dropped.
pub(super) type Charge = OwnedSemaphorePermit;

impl Budget {
    pub(super) fn new(bytes: usize) -> Budget {
        let most = bytes.div_ceil(1024);
        Budget { kilobytes: Arc::new(Semaphore::new(most)), most }
    }

    /// The budget for the states that event streams hold.
    pub(super) fn for_states() -> Budget {
        Budget::new(MOST_STATES)
    }

    /// Takes `bytes` from the budget, or none if that much is not left. What is larger than the whole budget
    /// takes all of it, so that it is possible at all.
    pub(super) fn take(&self, bytes: usize) -> Option<Charge> {
        let kilobytes = bytes.div_ceil(1024).min(self.most);
        self.kilobytes.clone().try_acquire_many_owned(kilobytes as u32).ok()
    }
}

/// Work of one kind: how many requests may do it at once, and how many may do it or wait for it.
pub(super) struct Lane {
    turns: Arc<Semaphore>,
    places: Arc<Semaphore>,
    /// What the server is busy with if there is no place.
    with: &'static str,
}

/// A request's place in a lane.
pub(super) struct Place(
    #[expect(dead_code, reason = "it counts while it exists")] OwnedSemaphorePermit,
);

impl Lane {
    fn new(turns: usize, places: usize, with: &'static str) -> Lane {
        let [turns, places] = [turns, places].map(|count| Arc::new(Semaphore::new(count)));
        Lane { turns, places, with }
    }

    /// Takes a place, before anything is computed for the request.
    ///
    /// # Errors
    /// If all places are taken.
    pub(super) fn enter(&self) -> Answer<Place> {
        self.places.clone().try_acquire_owned().map(Place).map_err(|_| self.busy())
    }

    /// Waits for a turn, then works on another thread, so that other requests go on. Both the place and the turn
    /// belong to the work: they become free when it ends, even if the client does not wait for it.
    ///
    /// # Errors
    /// If the client has hung up, or other requests take too long; those of the work.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        place: Place,
        client: &Client,
        work: impl FnOnce() -> Answer<T> + Send + 'static,
    ) -> Answer<T> {
        let turn = timeout(TURN_TIMEOUT, self.turns.clone().acquire_owned()).await;
        let turn = turn.map_err(|_| self.busy())?;
        client.check()?;
        let working = spawn_blocking(move || {
            let _held = (place, turn);
            work()
        });
        let failed = |_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "an internal error");
        working.await.map_err(failed)?
    }

    fn busy(&self) -> Problem {
        Problem::busy(format!("the server is busy {}: try again in a moment", self.with))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc;

    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::sleep;

    use super::*;

    #[test]
    fn a_budget_is_given_back() {
        let budget = Budget::new(10 << 10);
        let first = budget.take(6 << 10).unwrap();
        assert!(budget.take(5 << 10).is_none());
        let second = budget.take(4 << 10).unwrap();
        assert!(budget.take(1).is_none());
        drop((first, second));
        // More than all of it is all of it.
        let all = budget.take(99 << 10).unwrap();
        assert!(budget.take(1).is_none());
        drop(all);
        assert!(budget.take(1).is_some());
    }

    /// A connection: the server's side, and the client's.
    async fn connect() -> (Client, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (far, address) = listener.accept().await.unwrap();
        let (read, write) = far.into_split();
        write.forget();
        (Client::new(address.ip(), Arc::new(read)), near)
    }

    #[test]
    fn work_for_clients_that_are_gone_is_dropped() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let lane = Arc::new(Lane::new(1, 3, "testing"));
            let (finish, finished) = mpsc::channel::<()>();
            let (client, _open) = connect().await;
            let place = lane.enter().unwrap();
            let first = {
                let (lane, client) = (lane.clone(), client.clone());
                tokio::spawn(async move {
                    lane.run(place, &client, move || Ok(finished.recv().is_ok())).await
                })
            };
            let worked = Arc::new(AtomicBool::new(false));
            // One hangs up after its request, and one sends more before that, which hides it from hyper.
            for more in [b"" as &[u8], b"GET"] {
                let (gone, near) = connect().await;
                near.writable().await.unwrap();
                near.try_write(more).unwrap();
                drop(near);
                while gone.check().is_ok() {
                    sleep(Duration::from_millis(1)).await;
                }
                let place = lane.enter().unwrap();
                let (lane, worked) = (lane.clone(), worked.clone());
                tokio::spawn(async move {
                    let work = move || {
                        worked.store(true, Ordering::SeqCst);
                        Ok(())
                    };
                    lane.run(place, &gone, work).await
                });
            }
            finish.send(()).unwrap();
            assert!(first.await.unwrap().unwrap());
            // All places become free, and work goes on.
            while lane.places.available_permits() < 3 {
                sleep(Duration::from_millis(1)).await;
            }
            let place = lane.enter().unwrap();
            assert_eq!(lane.run(place, &client, || Ok(7)).await.unwrap(), 7);
            assert!(!worked.load(Ordering::SeqCst), "worked for nobody");
        });
    }

    #[test]
    fn a_lane_has_few_places() {
        let lane = Lane::new(1, 2, "testing");
        let places = [lane.enter().unwrap(), lane.enter().unwrap()];
        assert!(lane.enter().is_err());
        drop(places);
        assert!(lane.enter().is_ok());
    }
}
