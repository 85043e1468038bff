//! One request over the network. In: an address and a timeout. Out: the head of the answer, or the reason
//! why there is none.

use std::io::Read;
use std::time::Duration;

/// The head of an answer, and its body to be read.
pub(crate) struct Answer {
    /// The status, such as "404 Not Found".
    pub(crate) status: String,
    pub(crate) is_success: bool,
    /// Number of bytes of the body, according to the head.
    pub(crate) length: Option<u64>,
    pub(crate) body: Box<dyn Read>,
}

/// Why reading a body failed.
pub(crate) enum Interruption {
    /// No byte arrived for too long.
    #[cfg_attr(not(feature = "fetch"), expect(dead_code))]
    Stalled,
    /// An error of the operating system or the protocol.
    Broken(String),
}

#[cfg(feature = "fetch")]
pub(crate) use with_ureq::{interruption, request};

/// Requests over `ureq`; the only place that knows it.
#[cfg(feature = "fetch")]
mod with_ureq {
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use ureq::Agent;

    use super::{Answer, Interruption, host, is_this_machine, seconds};

    /// Sends the request and waits for the head of the answer, at most `patience`. Name resolution,
    /// redirects and a proxy count as well, so a thread of its own does the waiting and can be
    /// abandoned.
    pub(crate) fn request(
        url: &str,
        patience: Duration,
        stall: Duration,
    ) -> Result<Answer, String> {
        // Each phase has a slightly shorter timeout of its own, so that its error names the phase.
        let phase = Some(patience.mul_f32(0.9));
        let mut config = Agent::config_builder()
            .user_agent(concat!("gradus/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .http_status_as_error(false)
            .timeout_resolve(phase)
            .timeout_connect(phase)
            .timeout_send_request(phase)
            .timeout_recv_response(phase)
            .timeout_per_read(Some(stall));
        // A server on this machine is never behind a proxy.
        if is_this_machine(host(url)) {
            config = config.proxy(None);
        }
        let agent: Agent = config.build().into();
        let (sender, receiver) = mpsc::channel();
        let address = url.to_owned();
        let waiting = thread::Builder::new().name("gradus-fetch".into()).spawn(move || {
            // After the timeout, nothing receives the result.
            let _ = sender.send(agent.get(&address).call());
        });
        waiting.map_err(|error| format!("no thread for the request ({error})"))?;
        let response = match receiver.recv_timeout(patience) {
            Ok(Ok(response)) => response,
            Ok(Err(ureq::Error::Timeout(phase))) => {
                return Err(match phase {
                    ureq::Timeout::Resolve => {
                        format!("no name server answers within {}", seconds(patience))
                    }
                    ureq::Timeout::Connect => {
                        format!("no connection within {}", seconds(patience))
                    }
                    _ => format!("connected, but no answer within {}", seconds(patience)),
                });
            }
            Ok(Err(error)) => return Err(reason(&error)),
            Err(_) => return Err(format!("no answer within {}", seconds(patience))),
        };
        let status = response.status();
        Ok(Answer {
            status: status.to_string(),
            is_success: status.is_success(),
            length: response.body().content_length(),
            body: Box::new(response.into_body().into_reader()),
        })
    }

    /// Why reading a body failed.
    pub(crate) fn interruption(error: std::io::Error) -> Interruption {
        match ureq::Error::from(error) {
            ureq::Error::Timeout(_) => Interruption::Stalled,
            other => Interruption::Broken(reason(&other)),
        }
    }

    /// The reason without the library's own prefix.
    fn reason(error: &ureq::Error) -> String {
        match error {
            ureq::Error::Io(error) => error.to_string(),
            ureq::Error::Rustls(error) => format!("no secure connection: {error}"),
            other => other.to_string(),
        }
    }
}

/// A build without the feature `fetch` cannot send requests.
#[cfg(not(feature = "fetch"))]
pub(crate) fn request(_: &str, _: Duration, _: Duration) -> Result<Answer, String> {
    Err("this build cannot download: it has no feature `fetch`".to_owned())
}

/// Why reading a body failed.
#[cfg(not(feature = "fetch"))]
pub(crate) fn interruption(error: std::io::Error) -> Interruption {
    Interruption::Broken(error.to_string())
}

/// A duration as text.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f32())
}

/// The host in an address, with its port.
pub(crate) fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

#[cfg(any(feature = "fetch", test))]
fn is_this_machine(host: &str) -> bool {
    let names = ["localhost", "127.0.0.1", "[::1]"];
    let rest = names.iter().find_map(|name| host.strip_prefix(name));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_recognized() {
        for host in ["localhost", "localhost:80", "127.0.0.1:8080", "[::1]:1"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in ["localhost.example", "127.0.0.11", "example.org"] {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
