//! One request over the network: an address and a time to wait in, the head of the answer or the
//! reason why there is none out.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use ureq::Agent;
use ureq::http::Response;

/// Sends the request and waits for the head of the answer, `patience` at most. A name server that
/// never answers, redirects and a proxy all count, so the waiting is done by a thread of its own
/// that can be left behind.
pub(crate) fn request(
    url: &str,
    patience: Duration,
    stall: Duration,
) -> Result<Response<ureq::Body>, String> {
    // Each phase on its own ends a little earlier, so that its error says which one it was.
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
    // A server on this very machine is never behind a proxy.
    if is_this_machine(host(url)) {
        config = config.proxy(None);
    }
    let agent: Agent = config.build().into();
    let (sender, receiver) = mpsc::channel();
    let address = url.to_owned();
    let waiting = thread::Builder::new().name("gradus-fetch".into()).spawn(move || {
        // Nobody listens any more where the time is over.
        let _ = sender.send(agent.get(&address).call());
    });
    waiting.map_err(|error| format!("no thread for the request ({error})"))?;
    match receiver.recv_timeout(patience) {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(ureq::Error::Timeout(phase))) => Err(match phase {
            ureq::Timeout::Resolve => {
                format!("no name server answers within {}", seconds(patience))
            }
            ureq::Timeout::Connect => format!("no connection within {}", seconds(patience)),
            _ => format!("connected, but no answer within {}", seconds(patience)),
        }),
        Ok(Err(error)) => Err(reason(&error)),
        Err(_) => Err(format!("no answer within {}", seconds(patience))),
    }
}

/// The reason without the library's own prefix.
pub(crate) fn reason(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(error) => error.to_string(),
        ureq::Error::Rustls(error) => format!("no secure connection: {error}"),
        other => other.to_string(),
    }
}

/// A time for people.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f32())
}

/// The host in an address, with its port.
pub(crate) fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

fn is_this_machine(host: &str) -> bool {
    let names = ["localhost", "127.0.0.1", "[::1]"];
    let rest = names.iter().find_map(|name| host.strip_prefix(name));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_recognised() {
        for host in ["localhost", "localhost:80", "127.0.0.1:8080", "[::1]:1"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in ["localhost.example", "127.0.0.11", "example.org"] {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
