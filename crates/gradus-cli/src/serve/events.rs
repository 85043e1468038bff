//! Server-sent events: changes of the state in, bytes that all streams share out.

use axum::body::Bytes;
use serde::Serialize;

use super::limits::Charge;

/// The largest event that is kept for slow streams; a larger one is replaced by the state.
const MOST_EVENT: usize = 64 << 10;

/// A change.
#[derive(Debug, Clone)]
pub(super) enum Event {
    /// As it is sent.
    Change(Bytes),
    /// Anything may have changed: each stream sends the whole state.
    All,
    /// The server ends.
    End,
}

impl Event {
    pub(super) fn new(name: &str, data: &impl Serialize) -> Event {
        let text = encode(name, &to_json(data));
        if text.len() > MOST_EVENT { Event::All } else { Event::Change(text) }
    }
}

/// The whole state at some time, as it is sent, and its part of the budget.
pub(super) struct Snapshot {
    bytes: Bytes,
    _charge: Charge,
}

impl Snapshot {
    pub(super) fn new(bytes: Bytes, charge: Charge) -> Snapshot {
        Snapshot { bytes, _charge: charge }
    }

    pub(super) fn bytes(&self) -> Bytes {
        self.bytes.clone()
    }
}

/// An event in the format of a stream. JSON contains no line breaks.
pub(super) fn encode(name: &str, data: &str) -> Bytes {
    format!("event: {name}\ndata: {data}\n\n").into()
}

/// Numbers, texts and lists of them, none of which fails to become JSON.
pub(super) fn to_json(data: &impl Serialize) -> String {
    serde_json::to_string(data).unwrap_or_default()
}
