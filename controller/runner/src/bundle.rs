//! Bundle becomes the Databricks CLI, with its credentials as they are meant: a Secret made of a file often ends with a line
//! end, which no header and no login takes.

use std::env;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use brickline_artifact::layout::{BUNDLE_PROGRAM, WORKSPACE_SECRETS};

/// Why this process is still here.
#[derive(Debug, thiserror::Error)]
#[error("{BUNDLE_PROGRAM} can't be started: {0}; does the image have it in its PATH?")]
pub struct NotStarted(io::Error);

/// Puts the CLI in this process's place: signals and the exit code are its own. Only comes back with a fault.
pub fn bundle(arguments: &[String]) -> NotStarted {
    let mut command = Command::new(BUNDLE_PROGRAM);
    command.args(arguments);
    for name in WORKSPACE_SECRETS {
        if let Ok(value) = env::var(name) {
            command.env(name, value.trim());
        }
    }
    NotStarted(command.exec())
}
