//! Why a program did not do what it was asked for, with its last words.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

use thiserror::Error;

/// How much of a log is looked through for its last lines.
const TAIL_BYTES: u64 = 64 * 1024;

/// Why a program did not do what it was asked for.
#[derive(Debug, Error)]
pub enum CommandError {
    /// The program could not be started; most often it isn't installed.
    #[error("{program} could not be started: {source}")]
    Start {
        /// The program's name.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// The program ended with another exit code than zero.
    #[error("{program} failed ({status}){}", last_words(.tail, .log.as_deref()))]
    Failed {
        /// The program's name and first words.
        program: String,
        /// Its exit code or signal.
        status: ExitStatus,
        /// The last lines it wrote.
        tail: String,
        /// Where all of them are.
        log: Option<PathBuf>,
    },
    /// The program ran longer than it may.
    #[error("{program} was stopped after {} s{}", .limit.as_secs(), last_words(.tail, .log.as_deref()))]
    Late {
        /// The program's name and first words.
        program: String,
        /// The limit that it broke.
        limit: Duration,
        /// The last lines it wrote.
        tail: String,
        /// Where all of them are.
        log: Option<PathBuf>,
    },
    /// Its log or its output could not be written or read.
    #[error("{program}: {source}")]
    Io {
        /// The program's name and first words.
        program: String,
        /// What the system said.
        source: io::Error,
    },
}

fn last_words(tail: &str, log: Option<&Path>) -> String {
    let place = log.map(|log| format!("\n  whole log: {}", log.display())).unwrap_or_default();
    if tail.is_empty() { place } else { format!("; it said:\n{}{place}", indent(tail)) }
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("  | {line}")).collect::<Vec<_>>().join("\n")
}

/// The last lines of a file, reading no more than its end.
pub fn tail(path: &Path, lines: usize) -> io::Result<String> {
    use io::{Read as _, Seek as _};
    let mut file = File::open(path)?;
    let start = file.metadata()?.len().saturating_sub(TAIL_BYTES);
    file.seek(io::SeekFrom::Start(start))?;
    let mut end = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut end)?;
    Ok(last_lines(&String::from_utf8_lossy(&end), lines))
}

pub(super) fn last_lines(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
