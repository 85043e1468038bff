//! What is used of MPI.

/// What a call gives back: nothing, or why it failed.
pub(crate) type Outcome<E> = std::result::Result<(), E>;

/// What is used of MPI, whatever the ABI.
pub(crate) trait Calls: Send + Sync {
    /// Joins the job.
    fn initialize(&self) -> Outcome<String>;
    fn rank(&self) -> usize;
    fn size(&self) -> usize;
    /// Sends and receives, up to 2 GiB each.
    fn exchange(&self, partner: usize, send: &[u8], receive: &mut [u8]) -> Outcome<i32>;
    /// Ends all processes of the job.
    fn abort(&self, status: i32);
    /// Leaves the job.
    fn finalize(&self);
}
