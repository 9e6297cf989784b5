//! A group is a process with all its children. Dropping it kills them; the reaper does so if the emulator can't.

use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    collections::BTreeSet,
    io::{self, Write},
    process::{ChildStdin, Command, Stdio},
    sync::{Arc, Mutex},
};
use tokio::process::Child;

/// A process that outlives the emulator only to kill what is left of its groups.
pub(crate) struct Reaper {
    ears: Mutex<ChildStdin>,
    /// The leaders of the living groups: children that someone waits for.
    leaders: Mutex<BTreeSet<i32>>,
}

impl Reaper {
    /// Starts the reaper in a group of its own: a signal to the emulator's must not reach it.
    pub(crate) fn start(mut command: Command) -> io::Result<Self> {
        use std::os::unix::process::CommandExt;
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let mut child = command.spawn()?;
        let ears = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self { ears: Mutex::new(ears), leaders: Mutex::default() })
    }

    /// Whether this is a process that someone waits for.
    pub(crate) fn leads(&self, pid: Pid) -> bool {
        crate::state::lock(&self.leaders).contains(&pid.as_raw_nonzero().get())
    }

    fn tell(&self, sign: char, group: Pid) {
        let raw = group.as_raw_nonzero().get();
        let mut leaders = crate::state::lock(&self.leaders);
        if sign == '+' {
            leaders.insert(raw)
        } else {
            leaders.remove(&raw)
        };
        let line = format!("{sign}{raw}\n");
        if let Err(error) = crate::state::lock(&self.ears).write_all(line.as_bytes()) {
            tracing::warn!(%error, "the reaper does not listen: a killed emulator would leave processes behind");
        }
    }
}

/// A running process group.
pub(crate) struct Group {
    leader: Option<Pid>,
    reaper: Arc<Reaper>,
}

impl Group {
    /// The group that `child` leads.
    pub(crate) fn of(child: &Child, reaper: &Arc<Reaper>) -> Self {
        let leader = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        if let Some(leader) = leader {
            reaper.tell('+', leader);
        }
        Self { leader, reaper: Arc::clone(reaper) }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let Some(leader) = self.leader else { return };
        // No such group: all of it has ended by itself.
        let _ = kill_process_group(leader, Signal::KILL);
        self.reaper.tell('-', leader);
    }
}
