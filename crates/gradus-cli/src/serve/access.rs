//! Who may send requests to a server with a token: the headers of a request in, access or a rejection out.
//!
//! The token is what a user types or a script sends; it may be as weak as its owner chose it, so it must not be
//! guessed quickly (`attempts.rs`). It opens a session: the cookie of the page holds a random key of 128 bits,
//! which nobody can guess, so that nobody who guesses tokens can slow down a page that is already open.

use std::net::IpAddr;

use axum::http::header::{AUTHORIZATION, COOKIE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};

use super::attempts::{Attempts, is_same};
use super::problem::{Answer, Problem};

/// The beginning of every session key. It tells the key of an earlier server from a wrong token, which counts
/// as a guess.
const SESSION: &str = "session-";

/// The token of a server and the session that it opens.
pub(super) struct Access {
    /// None if everyone who reaches the server may use it.
    token: Option<String>,
    session: String,
    /// The name of the cookie. It contains the port, because browsers store cookies by host only.
    cookie: String,
    attempts: Attempts,
}

impl Access {
    /// # Errors
    /// If the operating system gives no random numbers.
    pub(super) fn new(token: Option<String>, port: u16) -> std::io::Result<Access> {
        let session = format!("{SESSION}{}", draw_key()?);
        let cookie = format!("gradus-{port}");
        Ok(Access { token, session, cookie, attempts: Attempts::default() })
    }

    /// Checks the credentials in the headers: the session's cookie, or the token as a bearer token or cookie.
    ///
    /// # Errors
    /// If there are none, they are wrong, or this client sends too many.
    pub(super) async fn check(&self, client: IpAddr, headers: &HeaderMap) -> Answer<()> {
        let Some(token) = &self.token else { return Ok(()) };
        if self.has_session(headers) {
            return Ok(());
        }
        let bearer = headers.get_all(AUTHORIZATION).into_iter().filter_map(|it| it.to_str().ok());
        let bearer = bearer.filter_map(|it| it.strip_prefix("Bearer "));
        let cookies = self.cookies(headers).filter(|value| !value.starts_with(SESSION));
        let guesses: Vec<&str> = bearer.chain(cookies).collect();
        if self.attempts.try_all(client, token, &guesses).await? {
            return Ok(());
        }
        let why = "the token is missing or wrong: open the address that gradus printed";
        Err(Problem::new(StatusCode::UNAUTHORIZED, why))
    }

    /// Moves the token from the address to a cookie, so that it stays neither in the address bar nor in the
    /// history. None if the address has no token.
    pub(super) async fn enter(
        &self,
        client: IpAddr,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Option<Answer<Response>> {
        let mut parts = uri.query().unwrap_or_default().split('&');
        let given = parts.find_map(|it| it.strip_prefix("token="))?;
        let to_page = [(LOCATION, HeaderValue::from_static("/"))];
        let Some(token) = self.token.as_ref().filter(|_| !self.has_session(headers)) else {
            return Some(Ok((StatusCode::SEE_OTHER, to_page).into_response()));
        };
        Some(match self.attempts.try_all(client, token, &[given]).await {
            Ok(true) => {
                let cookie =
                    format!("{}={}; Path=/; HttpOnly; SameSite=Strict", self.cookie, self.session);
                Ok((StatusCode::SEE_OTHER, to_page, [(SET_COOKIE, cookie)]).into_response())
            }
            Ok(false) => Ok(no_entry()),
            Err(problem) => Err(problem),
        })
    }

    /// Whether a cookie holds the session's key. The browser may send several cookies of this name, in an order
    /// that others on this host can influence: one that is right is enough, and a wrong one does no harm.
    fn has_session(&self, headers: &HeaderMap) -> bool {
        self.cookies(headers).any(|value| is_same(&self.session, value))
    }

    /// The values of all cookies of this server's name.
    fn cookies<'a>(&'a self, headers: &'a HeaderMap) -> impl Iterator<Item = &'a str> {
        let all = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
        all.flat_map(|all| all.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter_map(|(name, value)| (name == self.cookie).then_some(value))
    }
}

/// What a browser shows that asks for the page without the token.
pub(super) fn no_entry() -> Response {
    let page = "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>gradus</title>\n\
                <p>This page needs a token: open the complete address that gradus printed.</p>\n</html>\n";
    (StatusCode::UNAUTHORIZED, Html(page)).into_response()
}

/// A random key of 128 bits.
pub(super) fn draw_key() -> std::io::Result<String> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
