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
mod tests;
