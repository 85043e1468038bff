//! How much memory this process may still use, as far as the operating system says.
//!
//! Linux alone is asked: the memory that is available, the limits of the process (`ulimit -d`, `ulimit -v`) and those of its
//! container.

use std::sync::OnceLock;

/// Whether so many bytes are more than the process may use, page cache included; as it was when that was asked first.
pub(crate) fn is_less_than(bytes: u64) -> bool {
    static AVAILABLE: OnceLock<Option<u64>> = OnceLock::new();
    AVAILABLE.get_or_init(available).is_some_and(|available| available < bytes)
}

/// The bytes that the process may still use; none where nobody says.
#[cfg(target_os = "linux")]
fn available() -> Option<u64> {
    use std::fs::read_to_string;

    use rustix::process::{Resource, getrlimit};

    let machine = read_to_string("/proc/meminfo").ok();
    let process = [Resource::Data, Resource::As].map(|it| getrlimit(it).current);
    // Those of the second and of the first version of control groups: a container sees its own here.
    let container = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .map(|path| read_to_string(path).ok()?.trim().parse().ok());
    let machine = machine.and_then(|text| of_machine(&text));
    process.into_iter().chain(container).chain([machine]).flatten().min()
}

#[cfg(not(target_os = "linux"))]
fn available() -> Option<u64> {
    None
}

/// The available memory of `/proc/meminfo`, in bytes.
#[cfg(target_os = "linux")]
fn of_machine(text: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    value.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn available_memory_is_read() {
        let text = "MemTotal:       24684148 kB\nMemFree:  1 kB\nMemAvailable:   24182508 kB\nCached: 5 kB\n";
        assert_eq!(of_machine(text), Some(24_182_508 * 1024));
        assert_eq!(of_machine("MemTotal: 1 kB\n"), None);
        assert_eq!(of_machine("MemAvailable: many\n"), None);
        let found = available().unwrap();
        assert!(found > 10 << 20 && found < 1 << 50, "{found}");
        assert!(!is_less_than(1 << 10) && is_less_than(u64::MAX));
    }
}
