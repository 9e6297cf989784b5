//! A container's process, as this host sees it: the local cluster's processes are processes of the host.

use std::{fs, path::PathBuf};

use rustix::process::{Pid, Signal, kill_process};

/// The folder under `/proc` of the process whose control groups are the container's; none if this host has no such process.
pub fn process_of(container: &str) -> std::io::Result<Option<PathBuf>> {
    let processes = fs::read_dir("/proc")?.filter_map(Result::ok).map(|entry| entry.path());
    let mut numbered =
        processes.filter(|path| path.file_name().is_some_and(|name| name.as_encoded_bytes()[0].is_ascii_digit()));
    Ok(numbered.find(|path| fs::read_to_string(path.join("cgroup")).is_ok_and(|groups| groups.contains(container))))
}

/// Sends a signal to the process that a container runs.
pub fn signal(container: &str, signal: Signal) -> std::io::Result<()> {
    let id = process_of(container)?.and_then(|path| path.file_name()?.to_str()?.parse().ok()).and_then(Pid::from_raw);
    let gone = || std::io::Error::new(std::io::ErrorKind::NotFound, format!("container {container} has no process"));
    Ok(kill_process(id.ok_or_else(gone)?, signal)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_that_is_not_here_has_no_process() {
        let container = "0123456789abcdef-no-such-container";
        assert_eq!(process_of(container).unwrap(), None);
        signal(container, Signal::KILL).unwrap_err();
    }
}
