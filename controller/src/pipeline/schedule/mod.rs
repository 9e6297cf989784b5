//! When a schedule comes: Kubernetes' cron on the clock of a time zone. Pure.
//!
//! Clocks change twice a year. A time of day is a time on the wall: one that the clock skips comes at the next time there
//! is, one that the clock repeats comes once, the first time. A schedule of every hour means real hours instead: skipping
//! or doubling none of them.

use std::time::Duration;

use brickline_crds::Schedule;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use croner::{Cron, CronDateTime};
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// The schedule's next time, strictly after `after`. None: it never comes, as on the 30th of February.
///
/// # Errors
/// A sentence for the user if the cron expression or the time zone is none.
pub(crate) fn next(schedule: &Schedule, after: Timestamp) -> Result<Option<Timestamp>, String> {
    Clock::read(schedule)?.next(after)
}

/// The time the schedule owes a release at `now`: of all times after `since`, the latest that has come. Earlier ones are
/// not made up for, as with a CronJob, nor is one that is `deadline` ago or longer. A suspended schedule owes nothing.
///
/// `since` is the time up to which the schedule was looked at; at first the pipeline's creation.
///
/// # Errors
/// A sentence for the user if the cron expression or the time zone is none.
pub(crate) fn due(
    schedule: &Schedule,
    since: Timestamp,
    now: Timestamp,
    deadline: Duration,
) -> Result<Option<Timestamp>, String> {
    let clock = Clock::read(schedule)?;
    if schedule.suspend {
        return Ok(None);
    }
    let floor = since.max(now.checked_sub(deadline).unwrap_or(Timestamp::MIN));
    clock.latest(floor, now)
}

/// What a cron expression means.
///
/// # Errors
/// A sentence for the user if it is none.
pub(crate) fn parse(cron: &str) -> Result<Cron, String> {
    let text = cron.trim();
    // The same to Kubernetes; croner knows only the other.
    let text = if text.eq_ignore_ascii_case("@midnight") { "@daily" } else { text };
    // `5/15` is "from 5 on" to Kubernetes.
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).sloppy_ranges(true).build();
    parser.parse(text).map_err(|error| format!("cron '{cron}' can't be read: {error}"))
}

/// A schedule that was understood.
struct Clock {
    cron: Cron,
    zone: TimeZone,
    /// Every hour of the day is wanted: real hours count, not those on the wall.
    hourly: bool,
}

impl Clock {
    fn read(schedule: &Schedule) -> Result<Self, String> {
        let cron = parse(&schedule.cron)?;
        let zone = TimeZone::get(&schedule.time_zone).map_err(|_| {
            format!("timeZone '{}' is not in the IANA time zone database; Europe/Lisbon is", schedule.time_zone)
        })?;
        let hourly = (0..24).all(|hour| cron.pattern.hour_match(hour).unwrap_or_default());
        Ok(Self { cron, zone, hourly })
    }

    fn next(&self, after: Timestamp) -> Result<Option<Timestamp>, String> {
        let after = after.to_zoned(self.zone.clone());
        if self.hourly {
            // Croner keeps the fraction of a second out of what it finds, so this is a whole second after `after`.
            return Ok(self.search(&after)?.map(|found| found.timestamp()));
        }
        // In the second half of a repeated hour the wall shows times that came already: they are passed over.
        let mut wall = after.datetime();
        while let Some(next) = self.search(&wall)? {
            let found = self.appearance(next);
            if found.is_none_or(|found| found > after.timestamp()) {
                return Ok(found);
            }
            wall = next;
        }
        Ok(None)
    }

    /// The latest time after `floor` and not after `now`, found by halving: the number of times in between doesn't matter.
    fn latest(&self, floor: Timestamp, now: Timestamp) -> Result<Option<Timestamp>, String> {
        let mut found = self.next(floor)?.filter(|next| *next <= now);
        let (mut low, mut high) = (floor, now);
        while found.is_some() && high.duration_since(low) > SignedDuration::from_secs(1) {
            let middle = low.checked_add(high.duration_since(low) / 2).unwrap_or(high);
            match self.next(middle)?.filter(|next| *next <= now) {
                None => high = middle,
                later => (found, low) = (later, middle),
            }
        }
        Ok(found)
    }

    fn search<T: CronDateTime>(&self, from: &T) -> Result<Option<T>, String> {
        match self.cron.find_next_occurrence(from, false) {
            Ok(found) => Ok(Some(found)),
            // The calendar's end.
            Err(CronError::TimeSearchLimitExceeded | CronError::InvalidDate | CronError::InvalidTime) => Ok(None),
            Err(error) => Err(format!("cron can't be followed: {error}")),
        }
    }

    /// When the wall shows `wall`: the first of two times, or the first time after the gap that `wall` lies in. None:
    /// beyond the calendar's end.
    fn appearance(&self, wall: DateTime) -> Option<Timestamp> {
        let ambiguous = self.zone.to_ambiguous_timestamp(wall);
        let gap = matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. });
        let earlier = ambiguous.earlier().ok()?;
        if gap { self.zone.following(earlier).next().map(|transition| transition.timestamp()) } else { Some(earlier) }
    }
}

#[cfg(test)]
mod tests;
