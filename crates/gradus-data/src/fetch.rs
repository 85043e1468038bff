//! Downloads: a named set in, its files in the cache folder out.
//!
//! The mirrors are tried one after another. Size and SHA-256 are checked while the bytes arrive. A file gets its
//! name when it is complete, so that the cache never holds half a file. If two processes want the same file, one
//! downloads it and the other waits. All mirrors of a file together have a few seconds to answer; a download that
//! has started may take as long as bytes keep arriving.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use gradus_core::files::OutputFile;
use gradus_core::files::magic::{Magic, describe};
use sha2::{Digest as _, Sha256};

use super::bytes;
use super::http::{Interruption, host, interruption, request, seconds};
use super::sets::{NamedSet, RemoteFile};
use crate::error::{Error, ErrorKind, Result};
/// The progress of the download of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FetchProgress<'a> {
    /// Name of the file.
    pub file: &'a str,
    /// The address that it is downloaded from.
    pub url: &'a str,
    /// Bytes received so far.
    pub done: u64,
    /// Bytes of the whole file.
    pub total: u64,
    /// Whether another process is downloading the file, so that this one waits; there is no address then.
    pub is_waiting: bool,
}

/// The time between two checks whether another process has ended.
const WAIT: Duration = Duration::from_millis(100);

/// The longest times that a download may keep the user waiting.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    /// Until a mirror answers: for all mirrors of a file together.
    pub(crate) answer: Duration,
    /// Between two bytes of a file.
    pub(crate) stall: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts { answer: Duration::from_secs(8), stall: Duration::from_secs(20) }
    }
}

/// Why a set could not be downloaded.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The first file that no mirror could send: its name, and the reason for each address.
    Mirrors { file: &'static str, reasons: Vec<(String, String)> },
    /// The cache folder cannot be written.
    Local(Error),
}

impl Failure {
    /// One line that says why.
    pub(crate) fn summary(&self) -> String {
        match self {
            Failure::Local(error) => error.to_string(),
            Failure::Mirrors { reasons, .. } => match &reasons[..] {
                [] => "there is no mirror".to_owned(),
                [(_, first), rest @ ..] if rest.iter().all(|(_, why)| why == first) => {
                    format!("could not download it from any mirror ({first})")
                }
                _ => {
                    let reason = |(url, why): &(String, String)| format!("{}: {why}", host(url));
                    let reasons: Vec<_> = reasons.iter().map(reason).collect();
                    format!("could not download it from any mirror ({})", reasons.join("; "))
                }
            },
        }
    }

    /// The error with every mirror, its reason, and what to do by hand.
    pub(crate) fn into_error(self, set: &NamedSet, folder: &Path) -> Error {
        match self {
            Failure::Local(error) => error.context(format!("cannot download {}", set.name)),
            Failure::Mirrors { file, reasons } => {
                let reasons: Vec<_> =
                    reasons.iter().map(|(url, why)| format!("{url}: {why}")).collect();
                let files: Vec<_> = set.downloads.iter().map(|file| file.name).collect();
                let message = format!(
                    "cannot download {}: no mirror could send {file} ({}); to add the files yourself, \
                     put {} into {}, or into a folder {} below `data_dir` or $GRADUS_DATA; proxies are \
                     taken from ALL_PROXY, \
                     HTTPS_PROXY and HTTP_PROXY",
                    set.name,
                    reasons.join("; "),
                    files.join(", "),
                    folder.display(),
                    set.folder
                );
                Error::new(ErrorKind::Download, message)
            }
        }
    }
}

/// The addresses of `set`: first `extra`, a base URL with a folder for each set, then the mirrors of
/// the table.
pub(crate) fn mirrors_of(set: &NamedSet, extra: Option<&str>) -> Vec<String> {
    let extra = extra.map(|base| format!("{}/{}/", base.trim_end_matches('/'), set.folder));
    extra.into_iter().chain(set.mirrors.iter().map(|&mirror| mirror.to_owned())).collect()
}

/// Downloads the files of `set` that are missing in `folder`; fails with the first file that no mirror
/// can send.
pub(crate) fn fetch_set(
    set: &'static NamedSet,
    folder: &Path,
    mirrors: &[String],
    timeouts: Timeouts,
    progress: &mut dyn FnMut(&FetchProgress),
) -> Result<(), Failure> {
    let local = |action, path: &Path, error| Failure::Local(Error::io(action, path, error));
    fs::create_dir_all(folder).map_err(|error| local("create", folder, error))?;
    // The mirror that sent the last file is tried first for the next one.
    let mut mirrors = mirrors.to_vec();
    for file in set.downloads {
        let target = folder.join(file.name);
        if is_there(&target, file) {
            continue;
        }
        let mut output = claim(&target, file, progress).map_err(Failure::Local)?;
        // Another process may have downloaded it meanwhile.
        if is_there(&target, file) {
            continue;
        }
        let mut deadline = Deadline::new(timeouts, mirrors.len());
        let mut reasons = Vec::new();
        let mut from = None;
        for (at, mirror) in mirrors.iter().enumerate() {
            let url = format!("{mirror}{}", file.name);
            match download(&url, file, &mut output, deadline.next(), timeouts.stall, progress) {
                Ok(()) => {
                    from = Some(at);
                    break;
                }
                Err(Problem::Mirror(why)) => reasons.push((url, why)),
                Err(Problem::Local(error)) => return Err(Failure::Local(error)),
            }
        }
        match from {
            Some(at) => mirrors.swap(0, at),
            None => return Err(Failure::Mirrors { file: file.name, reasons }),
        }
    }
    Ok(())
}

/// The file to write; while another process is downloading it, this one waits.
fn claim(
    target: &Path,
    file: &RemoteFile,
    progress: &mut dyn FnMut(&FetchProgress),
) -> Result<OutputFile> {
    let mut is_told = false;
    loop {
        match OutputFile::claim(target) {
            Err(error) if error.kind() == ErrorKind::InUse => {
                if !std::mem::replace(&mut is_told, true) {
                    let (file, total) = (file.name, file.bytes);
                    progress(&FetchProgress { file, url: "", done: 0, total, is_waiting: true });
                }
                thread::sleep(WAIT);
            }
            other => return other,
        }
    }
}

/// Divides the time until an answer evenly among the mirrors that have not been tried yet. A mirror that
/// fails at once leaves the rest of its time to the others.
struct Deadline {
    at: Instant,
    mirrors: usize,
}

impl Deadline {
    fn new(timeouts: Timeouts, mirrors: usize) -> Self {
        Deadline { at: Instant::now() + timeouts.answer, mirrors }
    }

    fn next(&mut self) -> Duration {
        let left = self.at.saturating_duration_since(Instant::now());
        let share = left / self.mirrors.max(1) as u32;
        self.mirrors = self.mirrors.saturating_sub(1);
        share
    }
}

fn is_there(path: &Path, file: &RemoteFile) -> bool {
    let size = path.metadata().map(|data| data.len()).ok();
    size == Some(file.bytes)
        && File::open(path).is_ok_and(|mut content| {
            let mut hash = Sha256::new();
            copy_chunks(&mut content, |chunk| hash.update(chunk)).is_ok()
                && bytes::hex(&hash.finalize().into()) == file.sha256
        })
}

fn copy_chunks(reader: &mut impl Read, mut each: impl FnMut(&[u8])) -> std::io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(()),
            count => each(&buffer[..count]),
        }
    }
}

/// Why the download from a mirror failed: because of the mirror, or of this machine.
enum Problem {
    Mirror(String),
    Local(Error),
}

fn download(
    url: &str,
    file: &RemoteFile,
    output: &mut OutputFile,
    answer: Duration,
    stall: Duration,
    progress: &mut dyn FnMut(&FetchProgress),
) -> Result<(), Problem> {
    let response = request(url, answer, stall).map_err(Problem::Mirror)?;
    if !response.is_success {
        return Err(Problem::Mirror(format!("the server answers {}", response.status)));
    }
    let promised = response.length;
    let mut body = response.body;
    let mut start = vec![0; 1 << 16];
    let count = bytes::read_up_to(&mut body, &mut start[..512]).map_err(interrupted(0, stall))?;
    start.truncate(count);
    if !matches!(Magic::of(&start), Magic::Gzip | Magic::Zip) {
        return Err(Problem::Mirror(format!("it sends {}", describe(&start))));
    }
    if let Some(promised) = promised
        && promised != file.bytes
    {
        let why = format!("the file there has {promised} bytes, not {}", file.bytes);
        return Err(Problem::Mirror(why));
    }
    let path = output.path().to_owned();
    let mut part = output.create().map_err(Problem::Local)?;
    let mut write = |bytes: &[u8]| {
        part.write_all(bytes).map_err(|error| Problem::Local(Error::io("write", &path, error)))
    };
    let mut report = |done| {
        let (file, total) = (file.name, file.bytes);
        progress(&FetchProgress { file, url, done, total, is_waiting: false });
    };
    receive(start, &mut body, file, stall, &mut write, &mut report)?;
    part.commit().map_err(Problem::Local)
}

/// Gives `start` and the rest of `body` to `write`, and checks size and SHA-256.
fn receive(
    start: Vec<u8>,
    body: &mut impl Read,
    file: &RemoteFile,
    stall: Duration,
    write: &mut dyn FnMut(&[u8]) -> Result<(), Problem>,
    report: &mut dyn FnMut(u64),
) -> Result<(), Problem> {
    let mut hash = Sha256::new();
    let mut done = 0;
    let mut buffer = start;
    let mut count = buffer.len();
    while count > 0 {
        done += count as u64;
        if done > file.bytes {
            let why = format!("it sends more than the {} bytes of the file", file.bytes);
            return Err(Problem::Mirror(why));
        }
        hash.update(&buffer[..count]);
        write(&buffer[..count])?;
        report(done);
        buffer.resize(1 << 16, 0);
        count = body.read(&mut buffer).map_err(interrupted(done, stall))?;
    }
    if done < file.bytes {
        let why = format!("the download ends after {done} of {} bytes", file.bytes);
        return Err(Problem::Mirror(why));
    }
    let digest = bytes::hex(&hash.finalize().into());
    if digest != file.sha256 {
        let why = format!("the file there has the SHA-256 {digest}, not {}", file.sha256);
        return Err(Problem::Mirror(why));
    }
    Ok(())
}

fn interrupted(done: u64, stall: Duration) -> impl Fn(std::io::Error) -> Problem {
    move |error| {
        Problem::Mirror(match interruption(error) {
            Interruption::Stalled => {
                format!("no more bytes for {} after {done} bytes", seconds(stall))
            }
            Interruption::Broken(reason) => {
                format!("the connection breaks after {done} bytes ({reason})")
            }
        })
    }
}

#[cfg(test)]
mod tests {
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
            match reply.unwrap_or(Reply::Send(
                b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec(),
            )) {
                Reply::Send(bytes) => {
                    let _ = stream.write_all(&bytes);
                    None
                }
                Reply::SendAndHang(bytes) => {
                    let _ = stream.write_all(&bytes);
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
        let mirrors =
            server.mirrors(&["missing", "html", "short", "long", "other", "wrong", "stall"]);
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
}
