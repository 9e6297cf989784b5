//! A follower sends a growing log, piece by piece, from where the controller says it stands.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use brickline_artifact::upload::MAX_LOG_PART_BYTES;

use super::client::{Client, LogAnswer};
use crate::beneath::Root;
use crate::web::Fault;

/// How long one piece may take while the build runs.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long to leave the controller alone after it couldn't be reached.
const PAUSE: Duration = Duration::from_secs(5);

/// One log.
pub struct Follower {
    folder: PathBuf,
    file: &'static str,
    container: &'static str,
    limit: u64,
    sent: u64,
    ended: bool,
    not_before: Instant,
}

impl Follower {
    pub fn new(folder: &Path, file: &'static str, container: &'static str, limit: u64) -> Self {
        let not_before = Instant::now();
        Self { folder: folder.to_path_buf(), file, container, limit, sent: 0, ended: false, not_before }
    }

    /// Sends what is new, without insisting.
    pub fn follow(&mut self, client: &Client<'_>) {
        if Instant::now() >= self.not_before && self.send(client, Instant::now() + PATIENCE, false).is_err() {
            self.not_before = Instant::now() + PAUSE;
        }
    }

    /// Sends the rest, insisting until the deadline.
    pub fn flush(&mut self, client: &Client<'_>, deadline: Instant) {
        while Instant::now() < deadline {
            match self.send(client, deadline, true) {
                Ok(true) => {}
                Ok(false) => return,
                Err(fault) => {
                    eprintln!("brickline-runner: the log of {} is incomplete: {fault}", self.container);
                    return;
                }
            }
        }
    }

    /// Sends one piece; whether there may be more.
    fn send(&mut self, client: &Client<'_>, deadline: Instant, insist: bool) -> Result<bool, Fault> {
        let piece = self.piece().unwrap_or_default();
        if piece.is_empty() {
            return Ok(false);
        }
        match client.append(self.container, self.sent, &piece, deadline, insist)? {
            LogAnswer::Length(length) if length != self.sent => self.sent = length,
            // Neither a step forward nor another position: going on would never end.
            LogAnswer::Length(_) | LogAnswer::Ended => self.ended = true,
        }
        Ok(!self.ended)
    }

    fn piece(&self) -> io::Result<Vec<u8>> {
        let room = self.limit.saturating_sub(self.sent).min(MAX_LOG_PART_BYTES as u64);
        let mut piece = Vec::new();
        if !self.ended && room > 0 {
            let mut file: File = Root::open(&self.folder)?.file(self.file)?;
            file.seek(SeekFrom::Start(self.sent))?;
            file.take(room).read_to_end(&mut piece)?;
        }
        Ok(piece)
    }
}
