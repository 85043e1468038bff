//! Access to `gradus serve` over plain HTTP: other sites, other host names, tokens, and requests that can be read
//! in two ways.

mod common;

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use common::server::{Answer, Server, long};
use common::{gradus, text};
use serde_json::json;
use tempfile::TempDir;

#[test]
fn other_sites_and_other_host_names_are_rejected() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), "");
    for headers in [
        "Host: evil.example\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
        "Origin: http://evil.example\r\n",
    ] {
        assert_eq!(server.ask("GET /api/state", headers, b"").status, 403, "{headers}");
        let headers = format!("{headers}Content-Type: application/json\r\n");
        let asked = server.ask("POST /api/runs", &headers, long().to_string().as_bytes());
        assert_eq!(asked.status, 403, "{headers}");
    }
    // A form on another site could send this.
    for kind in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let headers = format!("Content-Type: {kind}\r\n");
        let asked = server.ask("POST /api/runs", &headers, long().to_string().as_bytes());
        assert!(asked.refusal(415).contains("expected application/json"));
    }
    assert_eq!(server.get("/api/state").done()["runs"], json!([]));
}

#[test]
fn headers_that_cannot_be_read_or_are_given_twice_do_not_pass() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), "");
    let address = &server.address;
    let port = address.rsplit_once(':').unwrap().1;
    for headers in [
        "Origin: http://\u{e9}vil.example\r\n".to_owned(),
        "Sec-Fetch-Site: cross-site\u{e9}\r\n".to_owned(),
        "Sec-Fetch-Site: \r\n".to_owned(),
        format!("Origin: http://{address}\r\nOrigin: http://evil.example\r\n"),
        "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Site: cross-site\r\n".to_owned(),
        format!("Host: {address}\r\nHost: evil.example\r\n"),
        format!("Host: {address}\r\nHost: {address}\r\n"),
        format!("Host: 127.0.0.1:+{port}\r\n"),
        format!("Host: 127.0.0.1:0{port}\r\n"),
        format!("Host: user@{address}\r\n"),
        format!("Host: l\u{f6}calhost:{port}\r\n"),
    ] {
        server.ask("GET /api/state", &headers, b"").refusal(403);
        let body = long().to_string();
        let headers = format!("{headers}Content-Type: application/json\r\n");
        server.ask("POST /api/runs", &headers, body.as_bytes()).refusal(403);
    }
    server.ask("GET http://evil.example/api/state", "", b"").refusal(403);
    let absolute = format!("GET http://{address}/api/state");
    assert_eq!(server.ask(&absolute, "", b"").done()["runs"], json!([]));
}

#[test]
fn every_refusal_is_json() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), "");
    let long_address = format!("GET /api/samples?data={}", "x".repeat(9000));
    for (request, status) in [
        ("GET /api/nothing", 404),
        ("GET /nothing", 404),
        ("GET /assets/nothing.js", 404),
        ("GET /assets/%ff", 404),
        ("GET /api/runs/first", 404),
        ("GET /api/runs/99999999999999999999999", 404),
        ("GET /api/runs/%ff", 404),
        ("POST /api/runs/first/stop", 404),
        ("POST /api/runs/%ff/stop", 404),
        ("DELETE /api/state", 405),
        ("GET /api/model", 405),
        ("POST /api/runs", 415),
        ("POST /api/answer", 415),
        ("GET /api/samples?count=-1", 400),
        ("POST /api/answer?units=many", 400),
        (&long_address, 414),
    ] {
        let refusal = server.ask(request, "", b"").refusal(status);
        assert!(!refusal.is_empty(), "{request}");
    }
    let headers = "Content-Type: application/json\r\n";
    server.ask("POST /api/runs", headers, b"{").refusal(400);
    server.ask("POST /api/runs", headers, b"\xff").refusal(400);
}

#[test]
fn no_request_hides_in_another_one() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), "");
    let head = |more: &str| {
        let head = format!("POST /api/runs HTTP/1.1\r\nHost: {}\r\n{more}\r\n", server.address);
        head.into_bytes()
    };
    // A second request where a proxy may see the body of the first.
    let hidden = b"0\r\n\r\nGET /api/state HTTP/1.1\r\n\r\n";
    for more in [
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 5, 6\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: x\r\n",
        "Content-Length : 5\r\n",
    ] {
        let answer = server.send(&[&head(more)[..], hidden].concat());
        assert!([400, 415].contains(&answer.status), "{more}: {}", answer.head);
        assert!(!text(&answer.body).contains("HTTP/1.1"), "{more}: two responses");
    }
}

#[test]
fn other_machines_need_the_token() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), "--host 0.0.0.0");
    let token = server.query.strip_prefix("?token=").expect("a token");
    assert_eq!(token.len(), 32);
    for path in ["/", "/?token=wrong", "/api/state", "/assets/app.js", "/api/events"] {
        assert_eq!(server.get(path).status, 401, "{path}");
    }
    let entered = server.get(&format!("/?token={token}"));
    assert_eq!(entered.status, 303);
    assert!(entered.head.contains("location: /\r\n"));
    let cookie = entered.head.split("set-cookie: ").nth(1).unwrap();
    assert!(cookie.contains("httponly; samesite=strict"));
    let cookie = format!("Cookie: {}\r\n", cookie.split(';').next().unwrap());
    assert_eq!(server.ask("GET /api/state", &cookie, b"").status, 200);
    // Another server gets another token; a given token is used, even on this machine only.
    let other = Server::start(folder.path(), "--host 0.0.0.0");
    assert_ne!(other.query, server.query);
    let given = Server::start(folder.path(), "--token rosebud-of-1941-in-black");
    assert_eq!(given.query, "?token=rosebud-of-1941-in-black");
    assert_eq!(given.get("/api/state").status, 401);
    let bearer = "Authorization: Bearer rosebud-of-1941-in-black\r\n";
    assert_eq!(given.ask("GET /api/state", bearer, b"").status, 200);
    for short in ["short", "fifteen-letters"] {
        gradus(folder.path(), &format!("serve --token {short}")).assert().code(2);
    }
}

/// A server with a token.
fn with_token(folder: &TempDir) -> (Server, String) {
    let server = Server::start(folder.path(), "--token rosebud-of-1941-in-black");
    let token = server.query.strip_prefix("?token=").unwrap().to_owned();
    (server, token)
}

/// The cookie with which a browser enters, without its attributes.
fn cookie_of(server: &Server, token: &str) -> String {
    let entered = server.get(&format!("/?token={token}"));
    assert_eq!(entered.status, 303);
    entered.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

#[test]
fn the_token_does_not_stay_in_the_address() {
    let folder = TempDir::new().unwrap();
    let (server, token) = with_token(&folder);
    let cookie = format!("Cookie: {}\r\n", cookie_of(&server, &token));
    assert_eq!(server.ask("GET /", &cookie, b"").status, 200);
    for query in [format!("token={token}"), "token=old".into(), format!("a=b&token={token}")] {
        let entered = server.ask(&format!("GET /?{query}"), &cookie, b"");
        assert_eq!((entered.status, entered.header("location")), (303, Some("/")), "{query}");
    }
    let open = Server::start(folder.path(), "");
    let entered = open.get("/?token=old");
    assert_eq!((entered.status, entered.header("location")), (303, Some("/")));
    // The cookie does not reveal the token.
    assert!(!cookie.contains(&token));
}

#[test]
fn other_cookies_of_the_name_neither_lock_out_nor_let_in() {
    let folder = TempDir::new().unwrap();
    let (server, token) = with_token(&folder);
    let cookie = cookie_of(&server, &token);
    let name = cookie.split('=').next().unwrap();
    let stale = format!("{name}=session-00000000000000000000000000000000");
    let ask = |headers: &str| server.ask("GET /api/state", headers, b"").status;
    for headers in [
        format!("Cookie: {cookie}\r\n"),
        format!("Cookie: {stale}; {cookie}\r\n"),
        format!("Cookie: {cookie}; {stale}\r\n"),
        format!("Cookie: {name}=; {name}; {cookie}\r\n"),
        format!("Cookie: {stale}\r\nCookie: {cookie}\r\n"),
        format!("Cookie: {name}={token}\r\n"),
        format!("Cookie: {stale}\r\nAuthorization: Bearer {token}\r\n"),
        format!("Cookie: {cookie}\r\nAuthorization: Bearer wrong\r\n"),
    ] {
        assert_eq!(ask(&headers), 200, "{headers}");
    }
    // A stale cookie is replaced on entering.
    let entered = server.ask(&format!("GET /?token={token}"), &format!("Cookie: {stale}\r\n"), b"");
    assert!(entered.header("set-cookie").unwrap().starts_with(&cookie));
    for headers in [format!("Cookie: {stale}\r\n"), format!("Cookie: x{cookie}\r\n"), String::new()]
    {
        assert_eq!(ask(&headers), 401, "{headers}");
    }
}

#[test]
fn tokens_are_not_guessed_quickly_and_guessing_blocks_nobody() {
    let folder = TempDir::new().unwrap();
    let (server, token) = with_token(&folder);
    let cookie = format!("Cookie: {}\r\n", cookie_of(&server, &token));
    let guess = |word: &str| {
        server.ask("GET /api/state", &format!("Authorization: Bearer {word}\r\n"), b"")
    };
    let begin = Instant::now();
    guess("wrong").refusal(401);
    thread::scope(|scope| {
        let guesses = scope.spawn(|| {
            (0..4).for_each(|_| drop(guess("wrong").refusal(401)));
            Instant::now()
        });
        // A page that is open does not wait.
        assert_eq!(server.ask("GET /api/state", &cookie, b"").status, 200);
        let answered = Instant::now();
        assert!(answered < guesses.join().unwrap());
    });
    assert!(begin.elapsed() > Duration::from_secs(3));
    // The right token passes, after the same wait.
    assert_eq!(guess(&token).status, 200);
    assert_eq!(server.get("/?token=wrong").status, 401);
}

#[test]
fn few_guesses_wait_at_a_time() {
    let folder = TempDir::new().unwrap();
    let (server, token) = with_token(&folder);
    let cookie = format!("Cookie: {}\r\n", cookie_of(&server, &token));
    let guess = server.request("GET /api/state", "Authorization: Bearer wrong\r\n", b"");
    server.send(&guess).refusal(401);
    let mut all: Vec<_> = (0..60).map(|_| server.connect()).collect();
    all.iter_mut().for_each(|stream| stream.write_all(&guess).unwrap());
    let statuses: Vec<u16> = all.iter_mut().map(|stream| Answer::read(stream).status).collect();
    assert!(statuses.contains(&401) && statuses.contains(&429), "{statuses:?}");
    assert!(statuses.iter().all(|status| [401, 429].contains(status)), "{statuses:?}");
    assert_eq!(server.ask("GET /api/state", &cookie, b"").status, 200);
    // Many tokens in one request are as many guesses.
    let name = cookie.strip_prefix("Cookie: ").unwrap().split('=').next().unwrap();
    let many = format!("Cookie: {}\r\n", format!("{name}=wrong; ").repeat(100));
    server.ask("GET /api/state", &many, b"").refusal(429);
    // Those who hang up leave their places.
    let mut waiting: Vec<_> = (0..60).map(|_| server.connect()).collect();
    waiting.iter_mut().for_each(|stream| stream.write_all(&guess).unwrap());
    drop(waiting);
    let begin = Instant::now();
    let right = format!("Authorization: Bearer {token}\r\n");
    while server.ask("GET /api/state", &right, b"").status != 200 {
        assert!(begin.elapsed() < Duration::from_secs(30));
    }
}
