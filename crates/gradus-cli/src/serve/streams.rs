//! Streams of server-sent events: changes of the state in, a stream for each page out.
//!
//! A stream that has missed events gets the whole state instead, and streams share that while nothing has
//! changed. The bytes of all states that streams still hold are bounded: a new stream beyond the bound is
//! refused, and a slow one ends, after which its page connects again.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use futures_util::stream::{self, Stream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

use super::events::{Event, Snapshot};
use super::state::SharedState;

/// How often a stream without events sends a comment, so that both sides notice a broken connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A stream of events.
struct Listener {
    shared: Arc<SharedState>,
    receiver: Receiver<Event>,
    /// The state that is to be sent next.
    first: Option<Arc<Snapshot>>,
    /// The state that is being sent. It is held until the next event is asked for: then it is in the connection's
    /// buffers.
    sent: Option<Arc<Snapshot>>,
    _place: OwnedSemaphorePermit,
}

/// The events from now on, beginning with the whole state. `place` is held as long as the stream.
///
/// None if the streams together hold too many bytes.
pub(super) fn listen(
    shared: Arc<SharedState>,
    place: OwnedSemaphorePermit,
) -> Option<impl Stream<Item = Result<Bytes, axum::Error>>> {
    let (first, receiver) = shared.subscribe()?;
    let listener = Listener { shared, receiver, first: Some(first), sent: None, _place: place };
    Some(stream::unfold(listener, |mut listener| async {
        let bytes = listener.next().await?;
        Some((Ok(bytes), listener))
    }))
}

impl Listener {
    /// The next event; none at the end.
    async fn next(&mut self) -> Option<Bytes> {
        self.sent = None;
        if self.first.is_none() {
            match self.receive().await? {
                Event::Change(bytes) => return Some(bytes),
                Event::All => {
                    let (first, receiver) = self.shared.subscribe()?;
                    (self.first, self.receiver) = (Some(first), receiver);
                }
                Event::End => return None,
            }
        }
        self.sent = self.first.take();
        self.sent.as_ref().map(|state| state.bytes())
    }

    async fn receive(&mut self) -> Option<Event> {
        match timeout(KEEP_ALIVE, self.receiver.recv()).await {
            Ok(Ok(event)) => Some(event),
            Ok(Err(RecvError::Lagged(_))) => Some(Event::All),
            Ok(Err(RecvError::Closed)) => None,
            Err(_) => Some(Event::Change(Bytes::from_static(b":\n\n"))),
        }
    }
}
