//! The journal remembers the latest requests, so that a test can see what was really asked.

use crate::state::lock;
use serde::Serialize;
use std::{collections::VecDeque, sync::Mutex, time::Duration};

/// The longest path and query that are remembered, in bytes.
const MAX_TEXT: usize = 2000;
/// Requests remembered.
const MAX_NOTES: usize = 20_000;

/// One request.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Note {
    /// Counts all requests from 1.
    seq: u64,
    /// Milliseconds since 1970.
    time: i64,
    method: String,
    path: String,
    query: Option<String>,
    /// The answer's status; none while there is no answer.
    status: Option<u16>,
    duration_ms: Option<u64>,
    /// The injected fault it met.
    fault: Option<&'static str>,
}

impl Note {
    /// A request that has just arrived.
    pub(crate) fn new(
        time: i64,
        method: String,
        mut path: String,
        mut query: Option<String>,
        fault: Option<&'static str>,
    ) -> Self {
        for text in std::iter::once(&mut path).chain(&mut query) {
            text.truncate(text.floor_char_boundary(MAX_TEXT));
        }
        Self { seq: 0, time, method, path, query, status: None, duration_ms: None, fault }
    }
}

#[derive(Default)]
struct Notes {
    last: u64,
    kept: VecDeque<Note>,
}

/// The latest requests.
#[derive(Default)]
pub(crate) struct Journal(Mutex<Notes>);

impl Journal {
    /// Adds a request and gives its number.
    pub(crate) fn add(&self, note: Note) -> u64 {
        let mut notes = lock(&self.0);
        notes.last += 1;
        let seq = notes.last;
        if notes.kept.len() == MAX_NOTES {
            notes.kept.pop_front();
        }
        notes.kept.push_back(Note { seq, ..note });
        seq
    }

    /// Notes its answer.
    pub(crate) fn complete(&self, seq: u64, status: u16, duration: Duration) {
        let mut notes = lock(&self.0);
        if let Some(note) = notes.kept.iter_mut().rev().find(|note| note.seq == seq) {
            note.status = Some(status);
            note.duration_ms = u64::try_from(duration.as_millis()).ok();
        }
        tracing::debug!(seq, status, ?duration, "answered");
    }

    /// The requests after number `since`.
    pub(crate) fn since(&self, since: u64) -> Vec<Note> {
        lock(&self.0).kept.iter().filter(|note| note.seq > since).cloned().collect()
    }

    /// Forgets them; the count goes on.
    pub(crate) fn clear(&self) {
        lock(&self.0).kept.clear();
    }
}
