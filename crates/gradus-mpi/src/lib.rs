//! MPI as the [`Exchange`] of gradus: it starts the processes and moves bytes between them; the order of additions is that
//! of gradus.
//!
//! In: the library of an MPI installation, found at run time. Out: an [`Mpi`], whose ranks send each other bytes. No header
//! and no compiler of MPI is needed to build, and a program that never calls [`Mpi::start`] needs no MPI to run.
//!
//! | file | in | out |
//! |---|---|---|
//! | launcher.rs | environment variables | whether a launcher of MPI started this process, and with how many others |
//! | calls.rs, library/ | file names | the seven functions that are used, with the handles of the library's ABI |

mod launcher;
mod calls;
mod library;

use std::fmt;
use std::sync::Arc;

use gradus_core::exchange::Exchange;
use gradus_core::{Error, ErrorKind, Result};

pub use launcher::{Launcher, launcher};

use calls::Calls;
use library::load;

/// The most bytes in one message: counts of MPI are C's `int`.
const MOST_BYTES: usize = 1 << 30;

/// The ranks of an MPI job.
pub struct Mpi {
    calls: Box<dyn Calls>,
    rank: usize,
    size: usize,
    library: String,
}

impl fmt::Debug for Mpi {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "rank {} of {} by {}", self.rank, self.size, self.library)
    }
}

impl Mpi {
    /// Loads the library and joins the job. It is called once in a process.
    ///
    /// # Errors
    /// `NotFound` if there is no library; `Io` if it cannot be loaded or used: if it is of another MPI than the launcher,
    /// or if it lets only one thread of a process send.
    pub fn start() -> Result<Arc<Mpi>> {
        let launcher = launcher();
        let (library, calls) = load(launcher.as_ref())?;
        calls.initialize().map_err(|problem| broken(&library, &problem))?;
        let (rank, size) = (calls.rank(), calls.size());
        if let Some(Launcher { size: Some(started), variable, .. }) = launcher
            && started != size
        {
            return Err(broken(
                &library,
                &format!(
                    "the launcher started {started} processes ({variable}), but this library sees {size}: it belongs \
                     to another MPI than the launcher. Set GRADUS_MPI to the file of the right one (libmpi.so.12 of \
                     MPICH, libmpi.so.40 of Open MPI, libmpi_abi.so of MPI 5)"
                ),
            ));
        }
        Ok(Arc::new(Mpi { calls, rank, size, library }))
    }

    /// The file of the library.
    pub fn library(&self) -> &str {
        &self.library
    }

    /// Leaves the job, once all other ranks do.
    pub fn finish(&self) {
        self.calls.finalize();
    }

    /// Ends all processes of the job; its exit status is `status`.
    pub fn abort(&self, status: u8) -> ! {
        self.calls.abort(status.into());
        std::process::exit(status.into());
    }
}

impl Exchange for Mpi {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn exchange(&self, partner: usize, send: &[u8], receive: &mut [u8]) -> Result<()> {
        // Both sides know both lengths, so that they cut them alike.
        let messages = send.len().max(receive.len()).div_ceil(MOST_BYTES);
        let mut sent = send.chunks(MOST_BYTES);
        let mut received = receive.chunks_mut(MOST_BYTES);
        for _ in 0..messages {
            let (send, receive) = (sent.next().unwrap_or(&[]), received.next().unwrap_or(&mut []));
            self.calls.exchange(partner, send, receive).map_err(|code| {
                broken(
                    &self.library,
                    &format!("exchanging with rank {partner} failed with MPI error {code}"),
                )
            })?;
        }
        Ok(())
    }
}

fn broken(library: &str, problem: &str) -> Error {
    Error::new(ErrorKind::Io, format!("{library}: {problem}"))
}
