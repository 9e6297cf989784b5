//! Programs that don't outlive what holds them.

use tokio::process;

/// A running program that is killed, with its children, when this value is dropped or this process dies.
#[derive(Debug)]
pub struct Leashed {
    pub(super) group: Group,
    pub(super) child: process::Child,
}

impl Leashed {
    /// Whether the program is still running.
    pub fn alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The id of the process group that holds the program and its children.
    #[must_use]
    pub fn group(&self) -> Option<u32> {
        self.group.0.map(|pid| pid.as_raw_nonzero().get().cast_unsigned())
    }
}

/// A process group that is killed when this value is dropped.
#[derive(Debug)]
pub(super) struct Group(Option<rustix::process::Pid>);

impl Group {
    pub(super) fn of(child: &process::Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self(id.and_then(rustix::process::Pid::from_raw))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // An empty group is the normal end.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}
