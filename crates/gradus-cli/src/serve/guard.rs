//! Access control: the headers of a request in, a rejection or nothing out. Pages of other sites, which run
//! in the same browser, must neither read nor change anything here.

use std::net::{IpAddr, SocketAddr};

use axum::http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use axum::http::{HeaderMap, Method};

/// The address of the server, and the token that gives access.
pub(super) struct Guard {
    address: SocketAddr,
    /// The host as given by the user.
    host: String,
    pub(super) token: Option<String>,
}

/// Why a request is rejected.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It used a foreign host name, or came from another site.
    Foreign(String),
    /// The token is missing or wrong.
    NoToken,
}

impl Guard {
    pub(super) fn new(address: SocketAddr, host: String, token: Option<String>) -> Guard {
        Guard { address, host, token }
    }

    /// The name of the cookie with the token. It contains the port, because browsers store cookies by host
    /// only.
    pub(super) fn cookie(&self) -> String {
        format!("gradus-{}", self.address.port())
    }

    /// Whether `word` is the token, in constant time, so that the time reveals nothing about the token.
    pub(super) fn is_token(&self, word: &str) -> bool {
        let Some(token) = &self.token else { return true };
        let pairs = token.bytes().zip(word.bytes());
        token.len() == word.len() && pairs.fold(0, |differences, (a, b)| differences | (a ^ b)) == 0
    }

    /// Checks the headers of a request; `enters` if it is for the page itself, which other sites may link to.
    pub(super) fn check(
        &self,
        method: &Method,
        headers: &HeaderMap,
        enters: bool,
    ) -> Result<(), Refusal> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let host = text(HOST.as_str()).unwrap_or_default();
        if !self.is_ours(host) {
            return Err(Refusal::Foreign(format!(
                "this server is not {host:?}: use the address that gradus printed"
            )));
        }
        let site = text("sec-fetch-site").unwrap_or("none");
        let from_elsewhere = !["same-origin", "none"].contains(&site);
        if from_elsewhere && !(enters && method == Method::GET) {
            return Err(Refusal::Foreign("requests from other sites are rejected".into()));
        }
        if let Some(origin) = text(ORIGIN.as_str())
            && origin != format!("http://{host}")
        {
            return Err(Refusal::Foreign(format!("requests from {origin} are rejected")));
        }
        let bearer = text(AUTHORIZATION.as_str()).and_then(|it| it.strip_prefix("Bearer "));
        let name = self.cookie();
        let cookies = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
        let cookie = cookies
            .flat_map(|all| all.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find_map(|(key, value)| (key == name).then_some(value));
        match self.is_token(bearer.or(cookie).unwrap_or_default()) {
            true => Ok(()),
            false => Err(Refusal::NoToken),
        }
    }

    /// Whether a Host header names this server, which a domain that an attacker points here does not (DNS
    /// rebinding). A server that listens on all addresses may have any name; the token protects it.
    fn is_ours(&self, host: &str) -> bool {
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()),
            _ => (host, Some(80)),
        };
        if name.is_empty() || port != Some(self.address.port()) {
            return false;
        }
        let ip = self.address.ip();
        let written = match ip {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        let local = ["127.0.0.1", "localhost", "[::1]"].contains(&name);
        let named = name == written || name.eq_ignore_ascii_case(&self.host);
        named || (ip.is_loopback() && local) || ip.is_unspecified()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(guard: &Guard, method: Method, headers: &[(&str, &str)], enters: bool) -> bool {
        let headers = headers.iter().map(|(name, value)| {
            (name.parse::<axum::http::HeaderName>().unwrap(), value.parse().unwrap())
        });
        guard.check(&method, &headers.collect(), enters).is_ok()
    }

    fn local() -> Guard {
        Guard::new("127.0.0.1:7428".parse().unwrap(), "127.0.0.1".into(), None)
    }

    #[test]
    fn only_names_of_this_server_are_accepted() {
        let guard = local();
        for ours in ["127.0.0.1:7428", "localhost:7428", "[::1]:7428"] {
            assert!(judge(&guard, Method::GET, &[("host", ours)], false), "{ours}");
        }
        for foreign in ["", "evil.example:7428", "127.0.0.1", "127.0.0.1:80", "localhost", ":7428"]
        {
            assert!(!judge(&guard, Method::GET, &[("host", foreign)], false), "{foreign}");
        }
        assert!(!judge(&guard, Method::GET, &[], false));
        let address = "192.168.1.5:80".parse().unwrap();
        let guard = Guard::new(address, "box.local".into(), None);
        for (name, expected) in
            [("192.168.1.5", true), ("box.local:80", true), ("127.0.0.1", false)]
        {
            assert_eq!(judge(&guard, Method::GET, &[("host", name)], false), expected, "{name}");
        }
    }

    #[test]
    fn other_sites_may_only_link_here() {
        let guard = local();
        let host = ("host", "localhost:7428");
        let own = ("origin", "http://localhost:7428");
        for (headers, method, enters, expected) in [
            (&[host, ("sec-fetch-site", "same-origin"), own][..], Method::POST, false, true),
            (&[host, own], Method::POST, false, true),
            (&[host], Method::POST, false, true),
            (&[host, ("origin", "http://evil.example")], Method::POST, false, false),
            (&[host, ("origin", "null")], Method::POST, false, false),
            (&[host, ("origin", "http://localhost:80")], Method::POST, false, false),
            (&[host, ("origin", "https://localhost:7428")], Method::POST, false, false),
            (&[host, ("sec-fetch-site", "cross-site")], Method::GET, false, false),
            (&[host, ("sec-fetch-site", "same-site")], Method::POST, false, false),
            (&[host, ("sec-fetch-site", "cross-site")], Method::GET, true, true),
            (&[host, ("sec-fetch-site", "cross-site")], Method::POST, true, false),
        ] {
            assert_eq!(judge(&guard, method, headers, enters), expected, "{headers:?}");
        }
    }

    #[test]
    fn a_token_gives_access() {
        let guard = Guard { token: Some("secret".into()), ..local() };
        let host = ("host", "127.0.0.1:7428");
        for (name, value, expected) in [
            ("cookie", "gradus-7428=secret", true),
            ("cookie", "a=b; gradus-7428=secret; c=d", true),
            ("cookie", "gradus-7428=secreT", false),
            ("cookie", "gradus-7428=secret1", false),
            ("cookie", "gradus-7428=", false),
            ("cookie", "gradus-7429=secret", false),
            ("authorization", "Bearer secret", true),
            ("authorization", "Basic secret", false),
            ("accept", "*/*", false),
        ] {
            assert_eq!(
                judge(&guard, Method::GET, &[host, (name, value)], true),
                expected,
                "{value}"
            );
        }
    }
}
