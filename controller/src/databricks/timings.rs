//! Timings bound a call: how long an attempt and the whole may take, and how often it is repeated.

use std::time::Duration;

/// How long calls may take and how often they are repeated.
#[derive(Debug, Clone, Copy)]
pub struct Timings {
    /// Longest time of one attempt, from sending to the last byte of the answer.
    pub attempt: Duration,
    /// Longest time of a whole call: waiting for the rate limit, attempts and pauses together.
    pub deadline: Duration,
    /// Replaces both for calls that move a file; large ones have longer, see [`Self::transfer_of`].
    pub transfer: Duration,
    /// How many attempts a call may have, the first included.
    pub attempts: usize,
    /// The pause after the first failed attempt; doubled each time and jittered.
    pub first_pause: Duration,
    /// The longest pause the client chooses by itself. A `Retry-After` may ask for more, as far as the deadline allows.
    pub longest_pause: Duration,
}

/// The slowest connection, in bytes per second, on which a file still arrives.
const SLOWEST: u64 = 1 << 20;

impl Timings {
    /// How long a call may take that moves so many bytes.
    #[must_use]
    pub fn transfer_of(&self, size: u64) -> Duration {
        self.transfer + Duration::from_secs(size / SLOWEST)
    }
}

impl Default for Timings {
    /// Short enough for a reconciler, which comes again by itself; long enough for a hiccup of the service.
    fn default() -> Self {
        Self {
            attempt: Duration::from_secs(30),
            deadline: Duration::from_mins(1),
            transfer: Duration::from_mins(15),
            attempts: 5,
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(10),
        }
    }
}
