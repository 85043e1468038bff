//! Where requests may come from: the headers of a request in, a rejection or nothing out. Pages of other sites,
//! which run in the same browser, must neither read nor change anything here. `access.rs` asks for the token.

use std::net::{IpAddr, SocketAddr};

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, Method, StatusCode, Uri};

use super::problem::{Answer, Problem};

/// The longest address of a request. No request of the page comes near it.
const LONGEST_URI: usize = 8 << 10;

/// The address of the server.
pub(super) struct Guard {
    address: SocketAddr,
    /// The host as given by the user.
    host: String,
}

impl Guard {
    pub(super) fn new(address: SocketAddr, host: String) -> Guard {
        Guard { address, host }
    }

    /// Checks the headers of a request; `enters` if it is for the page itself, which other sites may link to.
    ///
    /// # Errors
    /// If the request used a foreign host name or came from another site, or if this cannot be decided; if its
    /// address is too long.
    pub(super) fn check(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        enters: bool,
    ) -> Answer<()> {
        let foreign = |why: String| Problem::new(StatusCode::FORBIDDEN, why);
        check_length(uri)?;
        let host = single(headers, HOST.as_str())?.unwrap_or_default();
        // `GET http://other/ HTTP/1.1` names a host of its own, which takes precedence over the header.
        let named = uri.authority().map_or(host, |authority| authority.as_str());
        if !self.is_ours(host) || !self.is_ours(named) {
            let host = if self.is_ours(host) { named } else { host };
            return Err(foreign(format!(
                "this server is not {host:?}: use the address that gradus printed"
            )));
        }
        let site = single(headers, "sec-fetch-site")?.unwrap_or("none");
        let from_elsewhere = !["same-origin", "none"].contains(&site);
        // A link, not an image or a frame, which could try tokens in the name of the user.
        let is_link = single(headers, "sec-fetch-dest")?.is_none_or(|it| it == "document");
        if from_elsewhere && !(enters && method == Method::GET && is_link) {
            return Err(foreign("requests from other sites are rejected".into()));
        }
        match single(headers, ORIGIN.as_str())? {
            Some(origin) if origin != format!("http://{host}") => {
                Err(foreign(format!("requests from {origin} are rejected")))
            }
            _ => Ok(()),
        }
    }

    /// Whether a Host header names this server, which a domain that an attacker points here does not (DNS
    /// rebinding). A server that listens on all addresses may have any name; the token protects it.
    fn is_ours(&self, host: &str) -> bool {
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, port),
            _ => (host, "80"),
        };
        // Compared as text: parsing would accept +7428 and 07428.
        if !is_name(name) || port != self.address.port().to_string() {
            return false;
        }
        let ip = self.address.ip();
        let written = match ip {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        let local = ["127.0.0.1", "localhost", "[::1]"];
        let local = local.iter().any(|it| name.eq_ignore_ascii_case(it));
        let named = name == written || name.eq_ignore_ascii_case(&self.host);
        named || (ip.is_loopback() && local) || ip.is_unspecified()
    }
}

fn check_length(uri: &Uri) -> Answer<()> {
    let length = uri.path_and_query().map_or(0, |it| it.as_str().len());
    if length > LONGEST_URI {
        let why = format!("the address is longer than {} kB", LONGEST_URI >> 10);
        return Err(Problem::new(StatusCode::URI_TOO_LONG, why));
    }
    Ok(())
}

/// Whether this could be a host name or an address, and not, for example, `user@host`.
fn is_name(name: &str) -> bool {
    let name = name.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(name);
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-._:".contains(letter);
    !name.is_empty() && name.chars().all(plain)
}

/// The value of a header that decides about access.
///
/// # Errors
/// If it is given more than once or is not plain ASCII. Such a value must not pass for a missing one.
fn single<'a>(headers: &'a HeaderMap, name: &str) -> Answer<Option<&'a str>> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    match value.to_str() {
        Ok(text) if values.next().is_none() => Ok(Some(text)),
        _ => {
            let why = format!("the header {name} is given twice or has characters beyond ASCII");
            Err(Problem::new(StatusCode::FORBIDDEN, why))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(guard: &Guard, method: Method, headers: &[(&str, &str)], enters: bool) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = name.parse::<axum::http::HeaderName>().unwrap();
            map.append(name, axum::http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        guard.check(&method, &Uri::from_static("/"), &map, enters).is_ok()
    }

    fn local() -> Guard {
        Guard::new("127.0.0.1:7428".parse().unwrap(), "127.0.0.1".into())
    }

    #[test]
    fn only_names_of_this_server_are_accepted() {
        let guard = local();
        for ours in ["127.0.0.1:7428", "localhost:7428", "LocalHost:7428", "[::1]:7428"] {
            assert!(judge(&guard, Method::GET, &[("host", ours)], false), "{ours}");
        }
        for foreign in [
            "",
            "evil.example:7428",
            "127.0.0.1",
            "127.0.0.1:80",
            "localhost",
            ":7428",
            "127.0.0.1:+7428",
            "127.0.0.1:07428",
            "127.0.0.1: 7428",
            "user@127.0.0.1:7428",
            "127.0.0.1:7428:7428",
            "l\u{f6}calhost:7428",
        ] {
            assert!(!judge(&guard, Method::GET, &[("host", foreign)], false), "{foreign}");
        }
        assert!(!judge(&guard, Method::GET, &[], false));
        let address = "192.168.1.5:80".parse().unwrap();
        let guard = Guard::new(address, "box.local".into());
        for (name, expected) in
            [("192.168.1.5", true), ("box.local:80", true), ("127.0.0.1", false)]
        {
            assert_eq!(judge(&guard, Method::GET, &[("host", name)], false), expected, "{name}");
        }
        let everywhere = Guard::new("0.0.0.0:7428".parse().unwrap(), "0.0.0.0".into());
        for (name, expected) in
            [("box.local:7428", true), ("box.local:+7428", false), ("a@b:7428", false)]
        {
            let found = judge(&everywhere, Method::GET, &[("host", name)], false);
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn a_host_in_the_address_counts_as_well() {
        let guard = local();
        let headers = HeaderMap::from_iter([(HOST, "localhost:7428".parse().unwrap())]);
        for (uri, expected) in [
            ("http://localhost:7428/api/state", true),
            ("http://evil.example:7428/api/state", false),
            ("http://user@localhost:7428/", false),
        ] {
            let uri = Uri::from_static(uri);
            assert_eq!(guard.check(&Method::GET, &uri, &headers, false).is_ok(), expected, "{uri}");
        }
    }

    #[test]
    fn other_sites_may_only_link_here() {
        let guard = local();
        let host = ("host", "localhost:7428");
        let own = ("origin", "http://localhost:7428");
        let foreign = ("sec-fetch-site", "cross-site");
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
            (&[host, foreign, ("sec-fetch-dest", "document")], Method::GET, true, true),
            (&[host, foreign, ("sec-fetch-dest", "image")], Method::GET, true, false),
            (&[host, foreign, ("sec-fetch-dest", "iframe")], Method::GET, true, false),
        ] {
            assert_eq!(judge(&guard, method, headers, enters), expected, "{headers:?}");
        }
    }

    #[test]
    fn headers_that_cannot_be_read_or_differ_are_not_ignored() {
        let guard = local();
        let host = ("host", "localhost:7428");
        let own = ("origin", "http://localhost:7428");
        let site = ("sec-fetch-site", "same-origin");
        for headers in [
            &[host, ("origin", "http://\u{e9}vil.example")][..],
            &[host, ("sec-fetch-site", "cross-site\u{e9}")],
            &[host, ("host", "evil.example:7428")],
            &[host, host],
            &[host, own, ("origin", "http://evil.example")],
            &[host, site, ("sec-fetch-site", "cross-site")],
            &[host, ("origin", "")],
            &[host, ("sec-fetch-site", "")],
        ] {
            assert!(!judge(&guard, Method::POST, headers, false), "{headers:?}");
        }
    }
}
