//! Downloads: a named set in, its files in the cache folder out.
//!
//! Mirror after mirror; size and SHA-256 are checked while the bytes come; a file is written beside
//! its place and renamed into it, so that the cache never holds half a file. All mirrors of a file
//! together have a few seconds to answer; a download that has begun may take as long as it keeps
//! moving.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use ureq::Agent;
use ureq::http::Response;

use super::bytes;
use super::sets::{NamedSet, RemoteFile};
use crate::error::{Error, ErrorKind, Result};

/// How far the download of a file has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FetchProgress<'a> {
    /// Name of the file.
    pub file: &'a str,
    /// The address from which it comes.
    pub url: &'a str,
    /// Bytes that have come.
    pub done: u64,
    /// Bytes of the whole file.
    pub total: u64,
}

/// How long a download may keep the user waiting.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Until a mirror answers: for all mirrors of a file together.
    pub(crate) answer: Duration,
    /// Without a single byte while a file comes.
    pub(crate) stall: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience { answer: Duration::from_secs(8), stall: Duration::from_secs(20) }
    }
}

/// Why a set could not be brought.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The first file that no mirror gave: its name, and each address with its reason.
    Mirrors { file: &'static str, reasons: Vec<(String, String)> },
    /// The cache folder cannot be written.
    Local(Error),
}

impl Failure {
    /// One line that says why.
    pub(crate) fn summary(&self) -> String {
        match self {
            Failure::Local(error) => error.to_string(),
            Failure::Mirrors { reasons, .. } => {
                let reason = |(url, why): &(String, String)| format!("{}: {why}", host(url));
                let reasons: Vec<_> = reasons.iter().map(reason).collect();
                format!("no mirror gave it ({})", reasons.join("; "))
            }
        }
    }

    /// The error with every mirror, its reason, and what to do by hand.
    pub(crate) fn into_error(self, set: &NamedSet, folder: &Path) -> Error {
        match self {
            Failure::Local(error) => error.context(format!("cannot download {}", set.name)),
            Failure::Mirrors { file, reasons } => {
                let reasons: Vec<_> =
                    reasons.iter().map(|(url, why)| format!("\n  {url}: {why}")).collect();
                let files: Vec<_> = set.downloads.iter().map(|file| file.name).collect();
                let message = format!(
                    "cannot download {}: no mirror gave {file}{}\nby hand: put {} into {}, or the \
                     folder that holds them into --data-dir or GRADUS_DATA; proxies are taken from \
                     ALL_PROXY, HTTPS_PROXY and HTTP_PROXY",
                    set.name,
                    reasons.concat(),
                    files.join(", "),
                    folder.display()
                );
                Error::new(ErrorKind::Download, message)
            }
        }
    }
}

/// The addresses at which `set` may be had: `extra`, a base URL with a folder for each set, and then
/// the mirrors of the table.
pub(crate) fn mirrors_of(set: &NamedSet, extra: Option<&str>) -> Vec<String> {
    let extra = extra.map(|base| format!("{}/{}/", base.trim_end_matches('/'), set.folder));
    extra.into_iter().chain(set.mirrors.iter().map(|&mirror| mirror.to_owned())).collect()
}

/// Brings what `folder` lacks of the files of `set`; gives up with the first file that no mirror
/// gives.
pub(crate) fn fetch_set(
    set: &'static NamedSet,
    folder: &Path,
    mirrors: &[String],
    patience: Patience,
    progress: &mut dyn FnMut(&FetchProgress),
) -> Result<(), Failure> {
    let local = |action, path: &Path, error| Failure::Local(Error::io(action, path, error));
    fs::create_dir_all(folder).map_err(|error| local("create", folder, error))?;
    // The mirror that gave the last file is asked first for the next.
    let mut mirrors = mirrors.to_vec();
    for file in set.downloads {
        let target = folder.join(file.name);
        if is_there(&target, file) {
            continue;
        }
        let mut deadline = Deadline::new(patience, mirrors.len());
        let mut reasons = Vec::new();
        let mut from = None;
        for (at, mirror) in mirrors.iter().enumerate() {
            let url = format!("{mirror}{}", file.name);
            match download(&url, file, &target, deadline.next(), patience.stall, progress) {
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

/// Shares the time until an answer evenly among the mirrors that are still to be asked; what a
/// mirror leaves of its share, because it fails at once, goes to the others.
struct Deadline {
    at: Instant,
    mirrors: usize,
}

impl Deadline {
    fn new(patience: Patience, mirrors: usize) -> Self {
        Deadline { at: Instant::now() + patience.answer, mirrors }
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

/// Why one mirror did not serve: its own fault, or this machine's.
enum Problem {
    Mirror(String),
    Local(Error),
}

fn download(
    url: &str,
    file: &RemoteFile,
    target: &Path,
    answer: Duration,
    stall: Duration,
    progress: &mut dyn FnMut(&FetchProgress),
) -> Result<(), Problem> {
    let response = request(url, answer, stall).map_err(Problem::Mirror)?;
    let status = response.status();
    if !status.is_success() {
        return Err(Problem::Mirror(format!("the server answers {status}")));
    }
    let promised = response.body().content_length();
    let mut body = response.into_body().into_reader();
    let mut start = vec![0; 1 << 16];
    let count = bytes::read_up_to(&mut body, &mut start[..512]).map_err(interrupted(0, stall))?;
    start.truncate(count);
    if !(bytes::is_gzip(&start) || start.starts_with(b"PK")) {
        return Err(Problem::Mirror(format!("what comes is {}", bytes::describe(&start))));
    }
    if let Some(promised) = promised
        && promised != file.bytes
    {
        let why = format!("the file there has {promised} bytes, not {}", file.bytes);
        return Err(Problem::Mirror(why));
    }
    let mut part = PartFile::create(target).map_err(Problem::Local)?;
    let mut report =
        |done| progress(&FetchProgress { file: file.name, url, done, total: file.bytes });
    receive(start, &mut body, file, stall, &mut part, &mut report)?;
    part.rename_to(target).map_err(Problem::Local)
}

/// Writes `start` and the rest of `body` to `part`, and checks size and SHA-256.
fn receive(
    start: Vec<u8>,
    body: &mut impl Read,
    file: &RemoteFile,
    stall: Duration,
    part: &mut PartFile,
    report: &mut dyn FnMut(u64),
) -> Result<(), Problem> {
    let mut hash = Sha256::new();
    let mut done = 0;
    let mut buffer = start;
    let mut count = buffer.len();
    while count > 0 {
        done += count as u64;
        if done > file.bytes {
            let why = format!("more than the {} bytes of the file come", file.bytes);
            return Err(Problem::Mirror(why));
        }
        hash.update(&buffer[..count]);
        part.write(&buffer[..count]).map_err(Problem::Local)?;
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
        let error = ureq::Error::from(error);
        Problem::Mirror(match error {
            ureq::Error::Timeout(_) => {
                format!("nothing more comes for {} after {done} bytes", seconds(stall))
            }
            other => format!("the connection breaks after {done} bytes ({})", reason(&other)),
        })
    }
}

/// Sends the request and waits for the head of the answer, `patience` at most. A name server that
/// never answers, redirects and a proxy all count, so the waiting is done by a thread of its own
/// that can be left behind.
fn request(url: &str, patience: Duration, stall: Duration) -> Result<Response<ureq::Body>, String> {
    // Each phase on its own ends a little earlier, so that its error says which one it was.
    let phase = Some(patience.mul_f32(0.9));
    let agent: Agent = Agent::config_builder()
        .user_agent(concat!("gradus/", env!("CARGO_PKG_VERSION")))
        .accept_encoding("identity")
        .http_status_as_error(false)
        .timeout_resolve(phase)
        .timeout_connect(phase)
        .timeout_send_request(phase)
        .timeout_recv_response(phase)
        .timeout_per_read(Some(stall))
        .build()
        .into();
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
fn reason(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(error) => error.to_string(),
        ureq::Error::Rustls(error) => format!("no secure connection: {error}"),
        other => other.to_string(),
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f32())
}

fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

/// A file beside its final place; removed again unless it is renamed.
struct PartFile {
    path: PathBuf,
    file: File,
    renamed: bool,
}

impl PartFile {
    fn create(target: &Path) -> Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let path = target.with_file_name(format!(".{name}.{}-{number}.part", process::id()));
        let file = File::create(&path).map_err(|error| Error::io("write", &path, error))?;
        Ok(PartFile { path, file, renamed: false })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|error| Error::io("write", &self.path, error))
    }

    fn rename_to(mut self, target: &Path) -> Result<()> {
        fs::rename(&self.path, target).map_err(|error| Error::io("write", target, error))?;
        self.renamed = true;
        Ok(())
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        if !self.renamed {
            // What cannot be removed is left; its name says what it is.
            let _ = fs::remove_file(&self.path);
        }
    }
}
