//! Processes of the cluster, found by the mark in their environment: no list of ids can be lost or go stale.

use std::{
    fs,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

use super::state::MARK;

/// The variable that says which component a process is or belongs to.
pub(crate) const COMPONENT: &str = "BRICKLINE_COMPONENT";
/// The component name of the node's first process.
pub(crate) const NODE: &str = "node";

/// A running process of the cluster.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    /// Its id, as the host sees it.
    pub id: i32,
    /// The component it is or belongs to.
    pub component: String,
    /// When it was started, in clock ticks since the machine was.
    pub started: u64,
}

/// All processes that carry the cluster's mark, the oldest first. Ended ones that nobody has collected don't count.
pub(crate) fn marked(folder: &Path) -> Vec<Process> {
    let mark = [MARK.as_bytes(), b"=", folder.as_os_str().as_bytes()].concat();
    let ids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = ids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut found: Vec<Process> = ids.filter_map(|id| look(id, &mark)).collect();
    found.sort_by_key(|process| (process.started, process.id));
    found
}

fn look(id: i32, mark: &[u8]) -> Option<Process> {
    let environment = fs::read(proc(id, "environ")).ok()?;
    let mut variables = environment.split(|byte| *byte == 0);
    if !variables.clone().any(|variable| variable == mark) {
        return None;
    }
    let prefix = [COMPONENT.as_bytes(), b"="].concat();
    let component = variables.find_map(|variable| variable.strip_prefix(&prefix[..])).unwrap_or_default();
    let (state, started) = stat(id)?;
    let component = String::from_utf8_lossy(component).into_owned();
    (state != 'Z' && state != 'X').then_some(Process { id, component, started })
}

/// State and start time of a process. The name before them stands in brackets and may hold anything.
fn stat(id: i32) -> Option<(char, u64)> {
    let stat = fs::read_to_string(proc(id, "stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    Some((fields.next()?.chars().next()?, fields.nth(18)?.parse().ok()?))
}

/// A file of a process under `/proc`.
pub(crate) fn proc(id: i32, file: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{id}/{file}"))
}

/// The node's first process: the one of the `node` component that has namespaces of its own.
pub(crate) fn node(folder: &Path) -> Option<Process> {
    let ours = fs::read_link("/proc/self/ns/pid").ok()?;
    let inside = |process: &Process| fs::read_link(proc(process.id, "ns/pid")).is_ok_and(|theirs| theirs != ours);
    marked(folder).into_iter().find(|process| process.component == NODE && inside(process))
}

/// The state folder of another local cluster on this host. It would want the same addresses.
pub(crate) fn elsewhere(folder: &Path) -> Option<PathBuf> {
    let prefix = format!("{MARK}=");
    let ids =
        fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let environments = ids.filter_map(|id| fs::read(Path::new("/proc").join(id).join("environ")).ok());
    let folders = environments.filter_map(|environment| {
        let mark =
            environment.split(|byte| *byte == 0).find_map(|variable| variable.strip_prefix(prefix.as_bytes()))?;
        Some(PathBuf::from(std::ffi::OsStr::from_bytes(mark)))
    });
    folders.into_iter().find(|other| other != folder)
}

/// Kills every process of the cluster and waits until none is left; says which stayed.
///
/// The death of the node's first process takes everything inside with it, containers included.
pub(crate) async fn kill(folder: &Path, patience: Duration) -> Vec<Process> {
    let deadline = Instant::now() + patience;
    loop {
        let left = marked(folder);
        if left.is_empty() || Instant::now() > deadline {
            return left;
        }
        for pid in left.iter().filter_map(|process| Pid::from_raw(process.id)) {
            // One that ended in the meantime is what we want.
            let _ = kill_process(pid, Signal::KILL);
        }
        sleep(Duration::from_millis(50)).await;
    }
}
