//! A container's process, as this host sees it: the local cluster's processes are processes of the host.

use std::{fs, path::PathBuf};

use anyhow::Context as _;

/// Memory of a process, in KiB, in the kernel's words.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Memory {
    /// Resident now.
    pub(super) rss: u64,
    /// The part of it that is the process' own; the rest is the program's file, which the kernel may drop and read again.
    pub(super) anonymous: u64,
    /// The most that was ever resident.
    pub(super) peak: u64,
}

/// The memory of the process that a container with this id runs; none if this host has no such process.
pub(super) fn memory(container: &str) -> anyhow::Result<Option<Memory>> {
    let Some(process) = find(container)? else { return Ok(None) };
    let status = fs::read_to_string(process.join("status")).context("the process is gone")?;
    read(&status).map(Some)
}

/// The process whose control groups are the container's. A process that ends meanwhile is none.
fn find(container: &str) -> anyhow::Result<Option<PathBuf>> {
    let processes = fs::read_dir("/proc").context("/proc")?.filter_map(Result::ok).map(|entry| entry.path());
    let mut numbered =
        processes.filter(|path| path.file_name().is_some_and(|name| name.as_encoded_bytes()[0].is_ascii_digit()));
    Ok(numbered.find(|path| fs::read_to_string(path.join("cgroup")).is_ok_and(|groups| groups.contains(container))))
}

fn read(status: &str) -> anyhow::Result<Memory> {
    let field = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB"));
        value.and_then(|value| value.parse().ok()).with_context(|| format!("the status has no {name}"))
    };
    Ok(Memory { rss: field("VmRSS:")?, anonymous: field("RssAnon:")?, peak: field("VmHWM:")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_the_kernels_page() {
        let memory = read(&fs::read_to_string("/proc/self/status").unwrap()).unwrap();
        assert!(memory.rss > 0 && memory.anonymous <= memory.rss && memory.rss <= memory.peak + 1024, "{memory:?}");
    }

    #[test]
    fn a_container_that_is_not_here_has_no_process() {
        assert_eq!(memory("0123456789abcdef-no-such-container").unwrap(), None);
    }
}
