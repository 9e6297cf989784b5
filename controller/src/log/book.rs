//! The lines of one phase that are not stored yet: pure, and bounded in every way.

use std::collections::BTreeMap;
use std::fmt::{Arguments, Write};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

/// The longest line, in characters.
const LINE: usize = 2_000;
/// What waits to be stored at most, in bytes.
const WAITING: usize = 256 * 1024;
/// The longest log, in bytes.
pub(super) const LONGEST: u64 = 8 * 1024 * 1024;
/// The room for the last line, in bytes.
const ENDING: u64 = 256;
/// How many subjects are remembered.
const SUBJECTS: usize = 4_096;
/// How long a book is kept that has nothing to store.
const QUIET: SignedDuration = SignedDuration::from_mins(10);
/// Parts after which they become rarer and larger: a log of hours would else be thousands of objects.
const MANY: u32 = 60;
/// The longest time that a line waits.
const RARELY: u32 = 10;

/// One log.
#[derive(Debug, Default)]
pub(super) struct Book {
    waiting: Vec<u8>,
    /// How much is stored; none until somebody looked.
    stored: Option<u64>,
    /// Parts that this process has stored.
    parts: u32,
    /// Lines that found no room since the last one that did.
    lost: u64,
    /// It has its last line.
    ended: bool,
    /// The last line about each subject, by its hash.
    told: BTreeMap<u64, u64>,
    /// The last line, by its hash.
    last: Option<u64>,
    /// When the first of the waiting lines was written, else the last one that was stored.
    since: Option<Timestamp>,
}

impl Book {
    /// Adds a line, with the time before it. Twice the same in a row is one: a look and a status often say the same.
    pub(super) fn add(&mut self, now: Timestamp, line: Arguments) {
        let line = line.to_string();
        let this = Some(hash(&line));
        if self.ended || self.last == this {
            return;
        }
        self.last = this;
        let mut text = String::new();
        let _ = write!(text, "{now:.3} ");
        let lost = std::mem::take(&mut self.lost);
        if lost > 0 {
            let _ = write!(text, "{lost} lines are missing here: the artifact store took none\n{now:.3} ");
        }
        push(&mut text, &line);
        let is_first = self.waiting.is_empty();
        if self.waiting.len() + text.len() > WAITING {
            self.lost = lost + 1;
            return;
        }
        if self.length() + text.len() as u64 > LONGEST - ENDING {
            text = format!("{now:.3} the log ends here: it is longer than {} MiB\n", LONGEST / 1024 / 1024);
            self.ended = true;
        }
        self.waiting.extend_from_slice(text.as_bytes());
        if is_first {
            self.since = Some(now);
        }
    }

    /// Adds a line about a subject, unless the last one about it was the same.
    pub(super) fn news(&mut self, now: Timestamp, subject: &str, line: Arguments) {
        let line = line.to_string();
        let (subject, told) = (hash(subject), hash(&line));
        if self.told.len() >= SUBJECTS && !self.told.contains_key(&subject) {
            self.told.clear();
        }
        if self.told.insert(subject, told) != Some(told) {
            self.add(now, format_args!("{line}"));
        }
    }

    /// Whether lines have waited for long enough. A clock that was set back doesn't keep them.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        let pause = SignedDuration::from_secs((self.parts / MANY).clamp(1, RARELY).into());
        let waited = self.since.map_or(pause, |since| now.duration_since(since).abs());
        !self.waiting.is_empty() && waited >= pause
    }

    /// Whether nobody needs the book any more.
    pub(super) fn is_quiet(&self, now: Timestamp) -> bool {
        self.waiting.is_empty() && self.since.is_none_or(|since| now.duration_since(since).abs() > QUIET)
    }

    /// How much is stored, as far as it is known.
    pub(super) fn stored(&self) -> Option<u64> {
        self.stored
    }

    /// What waits to be stored.
    pub(super) fn waiting(&self) -> Bytes {
        Bytes::copy_from_slice(&self.waiting)
    }

    /// So much is stored. A log that has its last line takes no more.
    pub(super) fn found(&mut self, stored: u64) {
        self.stored = Some(stored);
        if stored > LONGEST - ENDING - 4 * LINE as u64 {
            self.ended = true;
            self.waiting.clear();
        }
    }

    /// Nobody knows how much is stored.
    pub(super) fn lose_sight(&mut self) {
        self.stored = None;
    }

    /// The first `part` bytes of what waited are stored.
    pub(super) fn keep(&mut self, part: usize, now: Timestamp) {
        self.waiting.drain(..part.min(self.waiting.len()));
        self.stored = self.stored.map(|stored| stored + part as u64);
        self.parts = self.parts.saturating_add(1);
        self.since = Some(now);
    }

    fn length(&self) -> u64 {
        self.stored.unwrap_or_default() + self.waiting.len() as u64
    }
}

/// A line is one line, whatever came from outside.
fn push(text: &mut String, line: &str) {
    let shown = line.chars().map(|c| if c.is_control() { ' ' } else { c });
    text.extend(shown.take(LINE));
    if line.chars().nth(LINE).is_some() {
        text.push('…');
    }
    text.push('\n');
}

fn hash(text: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
