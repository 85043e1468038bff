//! Launchers of MPI, and the program as the processes that they start.
//!
//! The launchers are those of the environment variable `GRADUS_TEST_MPIEXEC`, separated by `:`, else `mpiexec` on the path.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::{gradus, text};

/// The launchers of MPI on this machine.
pub(crate) fn launchers() -> Vec<PathBuf> {
    let named = env::var_os("GRADUS_TEST_MPIEXEC");
    let found: Vec<PathBuf> = match &named {
        Some(paths) => env::split_paths(paths).collect(),
        None => env::var_os("PATH")
            .iter()
            .flat_map(|path| env::split_paths(path).collect::<Vec<_>>())
            .map(|folder| folder.join("mpiexec"))
            .find(|path| path.is_file())
            .into_iter()
            .collect(),
    };
    assert!(named.is_none() || found.iter().all(|path| path.is_file()), "{found:?}");
    if found.is_empty() {
        eprintln!("skipped: there is no mpiexec on the path, and GRADUS_TEST_MPIEXEC is not set");
    }
    found
}

/// The program as `ranks` processes of a launcher; more of them than cores are allowed.
pub(crate) fn on_ranks(launcher: &Path, ranks: usize, folder: &Path, arguments: &str) -> Command {
    let mut command = launched(launcher, folder);
    command
        .args(["-n", &ranks.to_string(), env!("CARGO_BIN_EXE_gradus")])
        .args(arguments.split_whitespace());
    command
}

/// One process for each of these command lines, with its instruction set, if it is given.
pub(crate) fn apart(launcher: &Path, folder: &Path, lines: [(Option<&str>, &str); 2]) -> Command {
    let mut command = launched(launcher, folder);
    for (rank, (isa, line)) in lines.into_iter().enumerate() {
        if rank > 0 {
            command.arg(":");
        }
        command.args(["-n", "1", "env"]);
        command.args(isa.map(|isa| format!("GRADUS_ISA={isa}")));
        command.arg(env!("CARGO_BIN_EXE_gradus")).args(line.split_whitespace());
    }
    command
}

/// The launcher, which finds its own library, isolated from the data of this machine.
fn launched(launcher: &Path, folder: &Path) -> Command {
    let mut command = Command::new(launcher);
    let beside = launcher.parent().unwrap().to_owned();
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(std::iter::once(beside).chain(env::split_paths(&path))).unwrap();
    command
        .current_dir(folder)
        .env("PATH", path)
        .env("HOME", folder)
        .env("GRADUS_DATA", "")
        .env("OMPI_ALLOW_RUN_AS_ROOT", "1")
        .env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")
        .env("PRTE_MCA_rmaps_default_mapping_policy", ":oversubscribe")
        .stdin(Stdio::null());
    command
}

pub(crate) fn message(output: &Output) -> String {
    text(&output.stderr) + &text(&output.stdout)
}

/// Whether processes can be looked for; if not, the test says that it is skipped.
pub(crate) fn can_see_ranks() -> bool {
    let can = Path::new("/proc/self/exe").exists();
    if !can {
        eprintln!("skipped: there is no /proc to find the ranks by");
    }
    can
}

/// The processes of the program that work in a folder.
pub(crate) fn ranks_in(folder: &Path) -> Vec<u32> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let ids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    ids.filter(|id| {
        let at = |name: &str| fs::read_link(format!("/proc/{id}/{name}")).unwrap_or_default();
        at("cwd") == folder && at("exe") == Path::new(env!("CARGO_BIN_EXE_gradus"))
    })
    .collect()
}

/// Waits until no process of the program works in a folder.
pub(crate) fn all_gone(folder: &Path) {
    let begin = Instant::now();
    while !ranks_in(folder).is_empty() {
        assert!(begin.elapsed() < Duration::from_secs(20), "ranks are left");
        sleep(Duration::from_millis(50));
    }
}

/// The digest of a model, without what it notes about when and by how many it was trained: that of its tensors.
pub(crate) fn digest(path: &Path) -> String {
    let bytes = fs::read(path).unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    format!("{:x?}", Sha256::digest(&bytes[8 + header..]))
}

/// The model of one process.
pub(crate) fn expected(folder: &Path, arguments: &str) -> String {
    let arguments = arguments.replace("model.safetensors", "alone.safetensors");
    gradus(folder, &arguments).assert().success();
    digest(&folder.join("alone.safetensors"))
}
