//! Orphans are processes whose parents have died. In a container the emulator is process 1 and inherits them; somebody
//! has to collect them when they end, or they stay as zombies.

use crate::driver::Reaper;
use rustix::process::{Pid, WaitOptions, getpid, waitpid};
use std::{sync::Arc, time::Duration};

const INTERVAL: Duration = Duration::from_secs(10);

/// Collects for ever, if the emulator is process 1.
pub(crate) async fn collect(reaper: Arc<Reaper>) {
    if !getpid().is_init() {
        return;
    }
    loop {
        tokio::time::sleep(INTERVAL).await;
        for zombie in zombies().into_iter().filter(|pid| !reaper.leads(*pid)) {
            // One that is gone already was collected by whoever waited for it.
            let _ = waitpid(Some(zombie), WaitOptions::NOHANG);
        }
    }
}

/// The ended processes whose parent is this one.
fn zombies() -> Vec<Pid> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let stats = processes.flatten().filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
    stats.filter_map(|stat| child_zombie(&stat, getpid())).collect()
}

/// `PID (NAME) STATE PARENT ...`; the name may hold anything, parentheses too.
fn child_zombie(stat: &str, parent: Pid) -> Option<Pid> {
    let (head, tail) = stat.rsplit_once(')')?;
    let mut fields = tail.split_ascii_whitespace();
    let (state, of) = (fields.next()?, fields.next()?.parse::<i32>().ok()?);
    let pid = head.split_once(' ')?.0.parse().ok().and_then(Pid::from_raw)?;
    (state == "Z" && of == parent.as_raw_nonzero().get()).then_some(pid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("77 (java) Z 1 77 77 0", Some(77))]
    #[case("77 (a) b (c)) Z 1 77", Some(77))]
    #[case("77 (java) S 1 77", None)]
    #[case("77 (java) Z 12 77", None)]
    #[case("", None)]
    fn a_zombie_of_ours(#[case] stat: &str, #[case] want: Option<i32>) {
        let found = child_zombie(stat, Pid::INIT).map(|pid| pid.as_raw_nonzero().get());
        assert_eq!(found, want);
    }
}
