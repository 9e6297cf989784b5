//! The pace of one API family of one host: when the next call may be sent, and how that changes when Databricks says that
//! there are too many. Pure: all times are handed in.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// What is left of the speed after an answer that says "too many".
const SLOWER: f64 = 0.7;
/// The least that is left of it, however often that is said.
const SLOWEST: f64 = 0.1;
/// What one good answer gives back: after one slow-down, 300 of them. Quicker would meet a lower limit than the published
/// one more often than in one of a hundred calls.
const RECOVERY: f64 = 0.001;
/// The pause if the answer names none; Databricks' own clients take the same.
const PAUSE: Duration = Duration::from_secs(1);

/// How many calls one caller may send.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rate {
    /// The time from one call to the next.
    interval: Duration,
    /// How far calls may run ahead of that: a few at once after a rest.
    ahead: Duration,
}

impl Rate {
    /// Never more than `limit` calls in any second: nine tenths of them evenly, one tenth at once.
    pub(super) fn below(limit: NonZeroU32) -> Self {
        let limit = f64::from(limit.get());
        Self::new(0.9 * limit, 0.1 * limit)
    }

    /// `per_second` calls, and `at_once` of them after a rest.
    pub(super) fn new(per_second: f64, at_once: f64) -> Self {
        let interval = Duration::from_secs_f64(1.0 / per_second.max(0.01));
        Self { interval, ahead: interval.mul_f64((at_once - 1.0).max(0.0)) }
    }
}

/// When the next call may be sent.
#[derive(Debug)]
pub(super) struct Pace {
    /// When all calls so far are paid for.
    even: Instant,
    /// Until when Databricks asked not to be called.
    held: Option<Instant>,
    /// The part of every caller's rate that is used: 1 unless Databricks has said "too many".
    speed: f64,
    slowed: Option<Instant>,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { even: now, held: None, speed: 1.0, slowed: None }
    }

    /// How long Databricks asked not to be called from now on.
    pub(super) fn held(&self, now: Instant) -> Duration {
        self.held.map_or(Duration::ZERO, |held| held.saturating_duration_since(now))
    }

    /// How long the next call has to wait.
    pub(super) fn wait(&self, rate: &Rate, now: Instant) -> Duration {
        let ahead = if self.speed < 1.0 { Duration::ZERO } else { rate.ahead };
        self.even.saturating_duration_since(now + ahead).max(self.held(now))
    }

    /// A call is sent now.
    pub(super) fn take(&mut self, rate: &Rate, now: Instant) {
        self.even = self.even.max(now) + rate.interval.div_f64(self.speed);
    }

    /// A call sent at `sent` was answered "too many". Those that were under way already when the first of them was
    /// answered tell nothing new and don't slow down further.
    pub(super) fn throttled(&mut self, sent: Instant, now: Instant, retry_after: Option<Duration>) {
        if self.slowed.is_none_or(|slowed| sent > slowed) {
            self.speed = (self.speed * SLOWER).max(SLOWEST);
            self.slowed = Some(now);
        }
        let until = now + retry_after.unwrap_or(PAUSE);
        self.held = Some(self.held.map_or(until, |held| held.max(until)));
    }

    /// A call was answered otherwise.
    pub(super) fn answered(&mut self) {
        self.speed = (self.speed + RECOVERY).min(1.0);
    }
}

#[cfg(test)]
mod tests;
