//! A running `gradus serve`, and requests to it over plain HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command as Process, Stdio};
use std::time::{Duration, Instant};

use gradus::data::images::{GreyImage, encode_png};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{json, run, spawn, text};

/// Timeout of every step.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running server and its folder.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) stdout: BufReader<std::process::ChildStdout>,
    pub(crate) address: String,
    /// The query of the printed URL.
    pub(crate) query: String,
}

/// A response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Reads to the end of the connection.
    pub(crate) fn read(stream: &mut TcpStream) -> Answer {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        let end = bytes.windows(4).position(|it| it == b"\r\n\r\n").expect("a head") + 4;
        let head = text(&bytes[..end]).to_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head, body: bytes[end..].to_vec() }
    }

    /// The value of a header, in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")))
    }

    pub(crate) fn json(&self) -> Value {
        json(&text(&self.body))
    }

    /// The message of a rejection with this status: JSON, after which the connection is closed.
    pub(crate) fn refusal(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", text(&self.body));
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert_eq!(self.header("connection"), Some("close"));
        assert_eq!(self.header("retry-after").is_some(), [429, 503].contains(&status));
        self.json()["error"].as_str().unwrap().to_owned()
    }

    pub(crate) fn done(&self) -> Value {
        assert!([200, 201].contains(&self.status), "{}: {}", self.status, text(&self.body));
        self.json()
    }
}

impl Server {
    pub(crate) fn start(folder: &Path, options: &str) -> Server {
        Server::of(spawn(folder, &format!("serve --port 0 --no-download {options}")))
    }

    /// The first line of standard output contains the URL.
    pub(crate) fn of(mut child: Child) -> Server {
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        Server::at(child, stdout, &line)
    }

    pub(crate) fn at(
        child: Child,
        stdout: BufReader<std::process::ChildStdout>,
        line: &str,
    ) -> Server {
        let from = line.find("http://").unwrap_or_else(|| panic!("no address in {line:?}")) + 7;
        let (address, rest) = line[from..].split_once('/').unwrap();
        let query = rest.split_whitespace().next().unwrap_or_default().to_owned();
        Server { child, stdout, address: address.to_owned(), query }
    }

    /// A connection on which nothing was sent yet.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends exactly these bytes, and returns the response up to the end of the connection.
    pub(crate) fn send(&self, bytes: &[u8]) -> Answer {
        let mut stream = self.connect();
        // A server that rejects a request need not read all of it.
        let _ = stream.write_all(bytes);
        Answer::read(&mut stream)
    }

    /// Sends a request with these headers in addition to the usual ones.
    pub(crate) fn ask(&self, request: &str, headers: &str, body: &[u8]) -> Answer {
        self.send(&self.request(request, headers, body))
    }

    /// The bytes of a request with these headers in addition to the usual ones.
    pub(crate) fn request(&self, request: &str, headers: &str, body: &[u8]) -> Vec<u8> {
        let host = match headers.to_lowercase().contains("host:") {
            true => String::new(),
            false => format!("Host: {}\r\n", self.address),
        };
        let length = match body.is_empty() && request.starts_with("GET") {
            true => String::new(),
            false => format!("Content-Length: {}\r\n", body.len()),
        };
        let head =
            format!("{request} HTTP/1.1\r\n{host}Connection: close\r\n{length}{headers}\r\n");
        [head.as_bytes(), body].concat()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path}"), "", b"")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        let headers = "Content-Type: application/json\r\n";
        self.ask(&format!("POST {path}"), headers, body.to_string().as_bytes())
    }

    pub(crate) fn answer(&self, image: &[u8]) -> Answer {
        self.ask("POST /api/answer?units=1", "Content-Type: image/png\r\n", image)
    }

    /// Waits until the run has one of `states`, and returns it.
    pub(crate) fn wait_for(&self, id: &Value, states: &[&str]) -> Value {
        let begin = Instant::now();
        loop {
            let run = self.get(&format!("/api/runs/{id}")).done();
            if states.contains(&run["state"].as_str().unwrap()) {
                return run;
            }
            assert!(begin.elapsed() < PATIENCE, "{run}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn wait_for_epochs(&self, id: &Value, count: usize) {
        let begin = Instant::now();
        let epochs =
            || self.get(&format!("/api/runs/{id}")).done()["history"].as_array().unwrap().len();
        while epochs() < count {
            assert!(begin.elapsed() < PATIENCE);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Opens a stream of events and reads only the head.
    pub(crate) fn watch(&self) -> (TcpStream, String) {
        let mut stream = self.connect();
        let request = format!("GET /api/events HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).unwrap();
        let mut start = [0; 40];
        stream.read_exact(&mut start).unwrap();
        (stream, text(&start))
    }

    pub(crate) fn signal(&self, signal: &str) {
        let sent = Process::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Sends the signal; returns the exit status and standard error.
    pub(crate) fn end(mut self, signal: &str) -> (Option<i32>, String) {
        self.signal(signal);
        self.ended()
    }

    pub(crate) fn ended(&mut self) -> (Option<i32>, String) {
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap().code(), said)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A run that takes too long to finish.
pub(crate) fn long() -> Value {
    json!({"data": "digits", "preset": "quick", "options": {"hidden": "16", "epochs": "90000"}})
}

/// A run with --watch: the URL is in the first or second line of standard error.
pub(crate) fn watched(folder: &Path, options: &str) -> Server {
    let mut child = Process::new(env!("CARGO_BIN_EXE_gradus"))
        .current_dir(folder)
        .args(["train", "--watch", "0", "--data", "digits", "--quiet"])
        .args(options.split_whitespace())
        // With an empty PATH it finds no browser to open.
        .env("PATH", "")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("http://") {
        assert!(stderr.read_line(&mut line).unwrap() > 0, "{line}");
    }
    child.stderr = Some(stderr.into_inner());
    let stdout = BufReader::new(child.stdout.take().unwrap());
    Server::at(child, stdout, &line)
}

/// A folder with a model of the built-in digits.
pub(crate) fn with_model() -> TempDir {
    let folder = TempDir::new().unwrap();
    let options = "--data digits --hidden 16 --epochs 2 --quiet --out digits.safetensors";
    run(folder.path(), &format!("train {options}"));
    folder
}

/// An image with a thick stroke.
pub(crate) fn stroke() -> Vec<u8> {
    let mut pixels = vec![250; 60 * 50];
    (10..50).for_each(|row| pixels[row * 50 + 22..][..6].fill(20));
    encode_png(&GreyImage::new(60, 50, pixels).unwrap())
}
