//! The memory of a container's process.

use std::fs;

use anyhow::Context as _;

use crate::cluster::process_of;

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
    let Some(process) = process_of(container).context("/proc")? else { return Ok(None) };
    let status = fs::read_to_string(process.join("status")).context("the process is gone")?;
    read(&status).map(Some)
}

/// Lets the kernel count the peak of a container's process from what is resident now.
pub(super) fn forget_peak(container: &str) -> anyhow::Result<()> {
    let process = process_of(container).context("/proc")?.context("the container has no process on this host")?;
    // See proc(5): 5 resets the high water mark.
    fs::write(process.join("clear_refs"), "5").context("the process is gone")
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
