//! Downloads from a server on this machine.

use super::*;
use crate::sets::Classes;
use crate::testing::gzip;
use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// How the server answers a request for a path.
#[derive(Clone)]
enum Reply {
    /// Sends these bytes, head and body, and closes.
    Send(Vec<u8>),
    /// Sends these bytes and keeps the connection open without sending more.
    SendAndHang(Vec<u8>),
}

/// A server on this machine, which ends with the test program.
struct Server {
    address: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(replies: HashMap<String, Reply>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        thread::spawn(move || {
            let mut open = Vec::new();
            for stream in listener.incoming().map_while(std::result::Result::ok) {
                open.extend(Server::answer(stream, &replies, &log));
            }
        });
        Server { address, requests }
    }

    /// Returns the stream if it should stay open.
    fn answer(
        mut stream: TcpStream,
        replies: &HashMap<String, Reply>,
        log: &Mutex<Vec<String>>,
    ) -> Option<TcpStream> {
        let mut head = String::new();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap_or(0) > 0 {}
        let path = head.split(' ').nth(1).unwrap_or_default().trim_start_matches('/');
        let reply = replies.get(path).cloned();
        log.lock().unwrap().push(head);
        match reply
            .unwrap_or(Reply::Send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec()))
        {
            Reply::Send(bytes) => {
                let _ = stream.write_all(&closing(&bytes));
                None
            }
            Reply::SendAndHang(bytes) => {
                let _ = stream.write_all(&closing(&bytes));
                Some(stream)
            }
        }
    }

    fn mirrors(&self, folders: &[&str]) -> Vec<String> {
        folders.iter().map(|folder| format!("{}{folder}/", self.address)).collect()
    }

    fn request_count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

/// The reply with a word that the connection ends with it: a client that sent another request on it could be cut off.
fn closing(reply: &[u8]) -> Vec<u8> {
    let end = reply.iter().position(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    let (status, rest) = reply.split_at(end);
    [status, b"Connection: close\r\n", rest].concat()
}

fn with_length(body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// A body that ends with the connection.
fn without_length(body: &[u8]) -> Vec<u8> {
    [b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", body].concat()
}

fn content(name: &str) -> Vec<u8> {
    let noise = (0..300_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8);
    gzip(&name.bytes().chain(noise).collect::<Vec<u8>>())
}

fn toy_set(names: &[&'static str]) -> &'static NamedSet {
    let file = |&name: &&'static str| {
        let sha256 = bytes::hex(&bytes::sha256(&content(name))).leak();
        let bytes = content(name).len() as u64;
        RemoteFile { name, bytes, sha256, content_sha256: None }
    };
    Box::leak(Box::new(NamedSet {
        name: "toy",
        folder: "toy",
        torchvision: "Toy",
        mirrors: &["http://mirror.invalid/"],
        downloads: names.iter().map(file).collect::<Vec<_>>().leak(),
        parts: ["a", "b", "c", "d"],
        samples: None,
        classes: Classes::Letters("01"),
        first_label: 0,
        transposed: false,
    }))
}

const TIMEOUTS: Timeouts =
    Timeouts { answer: Duration::from_secs(5), stall: Duration::from_millis(400) };

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn mirror_after_mirror_until_all_files_are_there() {
    let set = toy_set(&["one.gz", "two.gz"]);
    let redirect = "HTTP/1.1 302 Found\r\nLocation: /real/one.gz\r\nContent-Length: 0\r\n\r\n";
    let server = Server::start(HashMap::from([
        ("html/one.gz".into(), Reply::Send(with_length(b"<!DOCTYPE html><p>login"))),
        ("good/one.gz".into(), Reply::Send(redirect.into())),
        ("real/one.gz".into(), Reply::Send(with_length(&content("one.gz")))),
        ("good/two.gz".into(), Reply::Send(without_length(&content("two.gz")))),
    ]));
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("new/toy");
    let mut last = HashMap::new();
    let mirrors = server.mirrors(&["missing", "html", "good"]);
    fetch_set(set, &folder, &mirrors, TIMEOUTS, &mut |progress| {
        last.insert(progress.file.to_owned(), (progress.done, progress.total));
    })
    .unwrap();
    assert_eq!(names_in(&folder), ["one.gz", "two.gz"]);
    for name in ["one.gz", "two.gz"] {
        let size = content(name).len() as u64;
        assert_eq!(last[name], (size, size));
        assert_eq!(fs::read(folder.join(name)).unwrap(), content(name));
    }
    // Three mirrors and a redirect for the first file; for the second, the good mirror is tried first.
    assert_eq!(server.request_count(), 5);
    let requests = server.requests.lock().unwrap().concat().to_lowercase();
    assert_eq!(requests.matches("user-agent: gradus/").count(), 5);
    drop(requests);
    fetch_set(set, &folder, &mirrors, TIMEOUTS, &mut |_| {}).unwrap();
    assert_eq!(server.request_count(), 5, "existing files are not downloaded again");
    fs::write(folder.join("two.gz"), vec![0; content("two.gz").len()]).unwrap();
    fetch_set(set, &folder, &mirrors[2..], TIMEOUTS, &mut |_| {}).unwrap();
    assert_eq!(fs::read(folder.join("two.gz")).unwrap(), content("two.gz"));
}

#[test]
fn of_two_that_want_the_same_file_one_waits() {
    let set = toy_set(&["one.gz", "two.gz"]);
    let server = Server::start(HashMap::from([
        ("good/one.gz".into(), Reply::Send(with_length(&content("one.gz")))),
        ("good/two.gz".into(), Reply::Send(with_length(&content("two.gz")))),
    ]));
    let folder = &tempfile::tempdir().unwrap();
    // What a killed process has left, and one that is just downloading.
    fs::write(folder.path().join(".one.gz.1-0.tmp"), "part").unwrap();
    let other = OutputFile::claim(&folder.path().join("two.gz")).unwrap();
    thread::scope(|scope| {
        let (reported, waiting) = std::sync::mpsc::channel();
        for _ in 0..3 {
            let (mirrors, reported) = (server.mirrors(&["good"]), reported.clone());
            scope.spawn(move || {
                fetch_set(set, folder.path(), &mirrors, TIMEOUTS, &mut |progress| {
                    if progress.is_waiting && progress.file == "two.gz" {
                        reported.send(()).unwrap();
                    }
                })
                .unwrap();
            });
        }
        (0..3).for_each(|_| waiting.recv().unwrap());
        drop(other);
    });
    assert_eq!(server.request_count(), 2);
    assert_eq!(names_in(folder.path()), ["one.gz", "two.gz"]);
}

#[test]
fn every_mirror_and_its_reason_are_named() {
    let set = toy_set(&["one.gz"]);
    let good = content("one.gz");
    let mut wrong = good.clone();
    wrong[1000] ^= 1;
    let half = &good[..good.len() / 2];
    let server = Server::start(HashMap::from([
        ("html/one.gz".into(), Reply::Send(with_length(b"<html>login"))),
        ("short/one.gz".into(), Reply::Send(without_length(half))),
        ("long/one.gz".into(), Reply::Send(without_length(&[&good[..], &[0]].concat()))),
        ("other/one.gz".into(), Reply::Send(with_length(half))),
        ("wrong/one.gz".into(), Reply::Send(with_length(&wrong))),
        ("stall/one.gz".into(), Reply::SendAndHang(without_length(half))),
    ]));
    let folder = tempfile::tempdir().unwrap();
    let mirrors = server.mirrors(&["missing", "html", "short", "long", "other", "wrong", "stall"]);
    let failure = fetch_set(set, folder.path(), &mirrors, TIMEOUTS, &mut |_| {}).unwrap_err();
    assert!(failure.summary().contains("127.0.0.1"), "{}", failure.summary());
    assert!(!failure.summary().contains('\n'));
    let error = failure.into_error(set, folder.path());
    assert_eq!(error.kind(), ErrorKind::Download);
    let message = error.to_string();
    let size = good.len();
    for expected in [
        "missing/one.gz: the server answers 404".to_owned(),
        "html/one.gz: it sends an HTML page".to_owned(),
        format!("short/one.gz: the download ends after {} of {size} bytes", size / 2),
        format!("long/one.gz: it sends more than the {size} bytes"),
        format!("other/one.gz: the file there has {} bytes, not {size}", size / 2),
        "wrong/one.gz: the file there has the SHA-256".to_owned(),
        format!("stall/one.gz: no more bytes for 0.4 s after {} bytes", size / 2),
        format!("put one.gz into {}", folder.path().display()),
    ] {
        assert!(message.contains(&expected), "{expected:?} is not in:\n{message}");
    }
    assert_eq!(names_in(folder.path()), Vec::<String>::new(), "no partial file is left");
}

#[test]
fn without_a_network_the_waiting_is_short() {
    let set = toy_set(&["one.gz", "two.gz"]);
    // The system accepts connections, but nothing ever reads or answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mirrors = [
        format!("http://{}/", silent.local_addr().unwrap()),
        "http://10.255.255.1/".to_owned(),   // unreachable
        "http://127.0.0.1:9/".to_owned(),    // refused
        "http://mirror.invalid/".to_owned(), // no such name
    ];
    let timeouts = Timeouts { answer: Duration::from_secs(2), ..TIMEOUTS };
    let start = Instant::now();
    let folder = tempfile::tempdir().unwrap();
    let failure = fetch_set(set, folder.path(), &mirrors, timeouts, &mut |_| {}).unwrap_err();
    assert!(start.elapsed() < Duration::from_millis(2500), "{:?}", start.elapsed());
    let Failure::Mirrors { file, reasons } = failure else { panic!("{failure:?}") };
    assert_eq!((file, reasons.len()), ("one.gz", 4));
    assert!(reasons[0].1.contains("no answer within"), "{reasons:?}");
}

#[test]
fn a_folder_that_cannot_be_made_is_no_fault_of_the_mirrors() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let folder = file.path().join("toy");
    let set = toy_set(&["one.gz"]);
    let failure = fetch_set(set, &folder, &[], TIMEOUTS, &mut |_| {}).unwrap_err();
    let error = failure.into_error(set, &folder);
    assert_ne!(error.kind(), ErrorKind::Download);
    assert!(error.to_string().contains("cannot create"), "{error}");
}

#[test]
fn an_extra_mirror_comes_first() {
    let set = toy_set(&[]);
    let with = mirrors_of(set, Some("http://school.example/data"));
    assert_eq!(with, ["http://school.example/data/toy/", "http://mirror.invalid/"]);
    assert_eq!(mirrors_of(set, None), ["http://mirror.invalid/"]);
}
