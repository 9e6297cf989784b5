//! A component of the local cluster that stands still: its connections stay open, and nobody answers.

use std::io::{Error, ErrorKind};

use rustix::process::{Pid, Signal, kill_process};

use super::{process, state::State};

/// Goes on when it is dropped, whatever happened meanwhile.
#[derive(Debug)]
pub struct Frozen(Vec<Pid>);

impl Frozen {
    /// Stops the component's processes.
    pub(super) fn new(state: &State, component: &str) -> std::io::Result<Self> {
        let ours = process::marked(state.folder()).into_iter().filter(|process| process.component == component);
        let frozen = Self(ours.filter_map(|process| Pid::from_raw(process.id)).collect());
        if frozen.0.is_empty() {
            return Err(Error::new(ErrorKind::NotFound, format!("{component} does not run")));
        }
        for pid in &frozen.0 {
            kill_process(*pid, Signal::STOP)?;
        }
        Ok(frozen)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        for pid in &self.0 {
            // One that is gone needs no waking.
            let _ = kill_process(*pid, Signal::CONT);
        }
    }
}
