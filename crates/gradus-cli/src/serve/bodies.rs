//! Bodies of requests in, whole and bounded in bytes and time; bodies of responses out, in pieces.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use hyper::body::{Frame, SizeHint};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout};

use super::client::Client;
use super::limits::{
    Admitted, Budget, Charge, Limits, MOST_IMAGE, MOST_JSON, PIECE, REQUEST_TIMEOUT, STALL_TIMEOUT,
};
use super::problem::{Answer, Problem};

/// A request whose body has not been read yet.
pub(super) struct Unread<'a> {
    pub(super) headers: &'a HeaderMap,
    pub(super) body: Body,
    pub(super) client: &'a Client,
    pub(super) limits: &'a Limits,
}

/// The body of a request, and its part of the budget.
pub(super) struct Upload {
    pub(super) bytes: Vec<u8>,
    charge: Option<Charge>,
}

impl Unread<'_> {
    /// Reads an image.
    pub(super) async fn image(self) -> Answer<Upload> {
        self.read(&["image/", "application/octet-stream"], MOST_IMAGE).await
    }

    /// Reads JSON.
    pub(super) async fn json<T: DeserializeOwned>(self) -> Answer<T> {
        let upload = self.read(&["application/json"], MOST_JSON).await?;
        serde_json::from_slice(&upload.bytes)
            .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, format!("the request: {error}")))
    }

    /// Reads the body, unless it has the wrong type, is too large or too slow. Meanwhile the server waits for the
    /// client, whose connection may have to make room for others.
    async fn read(self, types: &[&str], most: usize) -> Answer<Upload> {
        let Unread { headers, body, client, limits } = self;
        check_type(headers, types)?;
        check_length(headers, most)?;
        client.set_waiting();
        let slow = |_| Problem::new(StatusCode::REQUEST_TIMEOUT, "the request took too long");
        let end = Instant::now() + REQUEST_TIMEOUT;
        let mut upload = Upload { bytes: Vec::new(), charge: None };
        let mut body = body.into_data_stream();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let next = timeout(STALL_TIMEOUT.min(left), body.next()).await.map_err(slow)?;
            let Some(bytes) = next else { break };
            let broken = |_| Problem::new(StatusCode::BAD_REQUEST, "the request is incomplete");
            let bytes = bytes.map_err(broken)?;
            if upload.bytes.len() + bytes.len() > most {
                return Err(too_large(most));
            }
            upload.charge(bytes.len(), &limits.images)?;
            upload.bytes.extend_from_slice(&bytes);
        }
        limits.occupy(client)?;
        Ok(upload)
    }
}

impl Upload {
    /// Pays for `count` bytes that are about to be added. The first ones are free, so that there is always room for
    /// drawings and for JSON.
    fn charge(&mut self, count: usize, budget: &Budget) -> Answer<()> {
        let kilobytes = |count: usize| count.saturating_sub(MOST_JSON).div_ceil(1024);
        let more = kilobytes(self.bytes.len() + count) - kilobytes(self.bytes.len());
        let full = || Problem::busy("the server is receiving other images: try again in a moment");
        let charge = budget.take(more * 1024).ok_or_else(full)?;
        match &mut self.charge {
            Some(all) => all.merge(charge),
            none => *none = Some(charge),
        }
        Ok(())
    }
}

fn too_large(most: usize) -> Problem {
    let why = format!("the request is larger than {} kB", most >> 10);
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, why)
}

/// Checks the length that the client announces, before it sends anything.
fn check_length(headers: &HeaderMap, most: usize) -> Answer<()> {
    let declared = headers.get(CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse::<u64>().ok());
    match declared.is_some_and(|length| length > most as u64) {
        true => Err(too_large(most)),
        false => Ok(()),
    }
}

fn check_type(headers: &HeaderMap, types: &[&str]) -> Answer<()> {
    let given = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let given = given.split(';').next().unwrap_or_default().trim();
    let fits = |kind: &&str| given == *kind || (kind.ends_with('/') && given.starts_with(*kind));
    if types.iter().any(fits) {
        return Ok(());
    }
    let why = format!("the request has the type {given:?}; expected {}", types.join(" or "));
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, why))
}

/// A response in JSON. A large one takes its bytes from the budget until it has been written.
///
/// # Errors
/// If the budget is used up by clients that read too slowly.
pub(super) fn json(text: String, budget: &Budget) -> Answer<Response> {
    let charge = match text.len() > PIECE {
        true => {
            let full =
                || Problem::busy("the server is sending other responses: try again in a moment");
            Some(Charged(Arc::new(budget.take(text.len()).ok_or_else(full)?)))
        }
        false => None,
    };
    let mut response = Body::from(text).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    charge.map(|charge| response.extensions_mut().insert(charge));
    Ok(response)
}

/// A response's part of a budget, on its way to [`Outgoing`].
#[derive(Clone)]
struct Charged(#[expect(dead_code, reason = "it counts while it exists")] Arc<Charge>);

/// The body of a response, and what is held until all of it has been passed on.
struct Outgoing {
    body: Body,
    /// What is left of a chunk that was larger than a piece.
    rest: Bytes,
    _admitted: Admitted,
    _charge: Option<Charged>,
}

/// Passes the body on in pieces, so that no more than one of them waits for a client that reads slowly. The
/// request counts as being answered until the last one.
pub(super) fn in_pieces(response: Response, admitted: Admitted) -> Response {
    let (mut parts, body) = response.into_parts();
    let charge = parts.extensions.remove::<Charged>();
    let body = Outgoing { body, rest: Bytes::new(), _admitted: admitted, _charge: charge };
    Response::from_parts(parts, Body::new(body))
}

impl hyper::body::Body for Outgoing {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            let next = ready!(Pin::new(&mut self.body).poll_frame(context));
            match next.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(bytes))) => self.rest = bytes,
                // The server sends no trailers.
                Some(Ok(Err(_))) | None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            }
        }
        let length = self.rest.len().min(PIECE);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        // Asked for before the first piece.
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_takes_its_bytes_from_the_budget() {
        let budget = Budget::new(4 << 10);
        let mut upload = Upload { bytes: Vec::new(), charge: None };
        // As much as JSON may have is free; then every part of a kilobyte counts.
        for (count, charged) in [(MOST_JSON, 0), (1, 1), (1023, 1), (1, 2), (2000, 3), (1071, 4)] {
            upload.charge(count, &budget).unwrap();
            upload.bytes.resize(upload.bytes.len() + count, 0);
            assert_eq!(upload.charge.as_ref().unwrap().num_permits(), charged);
        }
        assert!(upload.charge(1, &budget).is_err());
        assert!(budget.take(1).is_none());
        drop(upload);
        assert!(budget.take(4 << 10).is_some());
    }

    #[test]
    fn large_responses_take_their_bytes_from_the_budget() {
        let budget = Budget::new(100 << 10);
        let text = "x".repeat(60 << 10);
        let first = json(text.clone(), &budget).unwrap();
        assert!(json(text.clone(), &budget).is_err());
        // Small ones are always possible.
        assert!(json("{}".into(), &budget).is_ok());
        drop(first);
        assert!(json(text, &budget).is_ok());
    }
}
