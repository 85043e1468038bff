//! Whether a launcher of MPI started this process.

use std::env;

/// What a launcher said of the job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launcher {
    /// The environment variable that says so.
    pub variable: &'static str,
    /// How many processes it started, if it says so.
    pub size: Option<usize>,
    /// How many of them are on this machine, if it says so.
    pub local_size: Option<usize>,
    /// The number of this process, if it says so.
    rank: Option<usize>,
    /// Whether it is that of Open MPI.
    pub(crate) is_open_mpi: bool,
}

impl Launcher {
    /// Whether it started several processes.
    pub fn is_parallel(&self) -> bool {
        match self.size {
            Some(size) => size > 1,
            None => self.rank.is_some_and(|rank| rank > 0),
        }
    }
}

/// The launcher that started this process; none if none did.
pub fn launcher() -> Option<Launcher> {
    launcher_of(&|name| env::var(name).ok())
}

/// Open MPI sets its own size; MPICH, Intel MPI, MVAPICH and Slurm's PMI-2 `PMI_SIZE`; PMIx without Open MPI only a rank.
fn launcher_of(variable: &dyn Fn(&str) -> Option<String>) -> Option<Launcher> {
    let number = |names: &[&str]| names.iter().find_map(|name| variable(name)?.parse().ok());
    let launchers = [("OMPI_COMM_WORLD_SIZE", true), ("PMI_SIZE", false), ("PMIX_RANK", true)];
    let (name, is_open_mpi) = launchers.into_iter().find(|(name, _)| variable(name).is_some())?;
    Some(Launcher {
        variable: name,
        size: number(&["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"]),
        local_size: number(&["OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS"]),
        rank: number(&["OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK"]),
        is_open_mpi,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn launchers_are_known_by_their_variables() {
        let of = |set: &'static [(&'static str, &'static str)]| {
            launcher_of(&|name| set.iter().find(|it| it.0 == name).map(|it| it.1.to_owned()))
        };
        assert_eq!(of(&[]), None);
        let open = of(&[("PMIX_RANK", "0"), ("OMPI_COMM_WORLD_SIZE", "4")]).unwrap();
        assert_eq!((open.size, open.is_open_mpi), (Some(4), true));
        let mpich = of(&[("PMI_SIZE", "2"), ("PMI_RANK", "1")]).unwrap();
        assert_eq!((mpich.size, mpich.is_open_mpi, mpich.is_parallel()), (Some(2), false, true));
        let single = of(&[("PMI_SIZE", "1"), ("MPI_LOCALNRANKS", "1")]).unwrap();
        assert_eq!((single.local_size, single.is_parallel()), (Some(1), false));
        assert!(of(&[("PMIX_RANK", "3")]).unwrap().is_parallel());
        assert!(!of(&[("PMIX_RANK", "0")]).unwrap().is_parallel());
    }
}
