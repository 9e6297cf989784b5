//! A session is one checkout's git, log and bounds; its calls either succeed or say what to do next.

use std::io;

use brickline_artifact::result::SkipReason;

use crate::git::{Git, complaint};
use crate::journal::Journal;
use crate::process::{self, Bounds, Ending};

/// One checkout under way.
pub struct Session {
    pub git: Git,
    pub journal: Journal,
    pub bounds: Bounds,
}

/// Why a checkout ends without a tree.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The release isn't due.
    #[error("{1}")]
    Skip(SkipReason, String),
    /// The commit can't be had.
    #[error("{0}")]
    Failed(String),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Failed(format!("the checkout's own files: {error}"))
    }
}

impl Session {
    /// Calls git and expects success.
    pub fn git(&mut self, arguments: &[&str]) -> Result<(), Trouble> {
        match self.attempt(arguments) {
            Ending::Exited(0) => Ok(()),
            ending => Err(self.trouble(arguments, &ending)),
        }
    }

    /// Calls git where failing is an answer too.
    pub fn attempt(&mut self, arguments: &[&str]) -> Ending {
        self.journal.forget();
        process::run(&mut self.git.command(arguments), &self.bounds, &mut self.journal)
    }

    /// Calls git for its output.
    pub fn ask(&mut self, arguments: &[&str]) -> Result<Vec<u8>, Trouble> {
        self.journal.forget();
        let mut command = self.git.command(arguments);
        match process::capture(&mut command, &self.bounds, &mut self.journal) {
            (Ending::Exited(0), output) => Ok(output),
            (ending, _) => Err(self.trouble(arguments, &ending)),
        }
    }

    /// Whether git answers yes (0) to a question that it answers no (1) otherwise.
    pub fn holds(&mut self, arguments: &[&str]) -> Result<bool, Trouble> {
        match self.attempt(arguments) {
            Ending::Exited(0) => Ok(true),
            Ending::Exited(1) => Ok(false),
            ending => Err(self.trouble(arguments, &ending)),
        }
    }

    fn trouble(&mut self, arguments: &[&str], ending: &Ending) -> Trouble {
        let verb = arguments.iter().find(|word| !word.starts_with('-')).unwrap_or(&"");
        self.journal.say("");
        match ending {
            Ending::Exited(_) => {
                let lines: Vec<&str> = self.journal.recent().collect();
                Trouble::Failed(complaint::explain(&lines.into_iter()))
            }
            Ending::NotRun(why) => Trouble::Failed(format!("the checkout image has no git: {why}")),
            other => Trouble::Failed(format!("git {verb} {other}")),
        }
    }
}
