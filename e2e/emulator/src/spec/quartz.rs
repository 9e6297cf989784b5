//! Quartz' cron, as jobs' schedules write it: seconds first, `?` for the day that isn't asked about, Sunday is 1.

use crate::state::Refusal;
use croner::{
    Cron,
    errors::CronError,
    parser::{CronParser, Seconds, Year},
};
use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

/// A schedule as the API writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Schedule {
    pub(crate) quartz_cron_expression: String,
    pub(crate) timezone_id: String,
    #[serde(default)]
    pub(crate) pause_status: Pause,
}

/// Whether a schedule rests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Pause {
    #[default]
    Unpaused,
    Paused,
}

/// A schedule that was understood.
#[derive(Clone, Debug)]
pub(crate) struct Quartz {
    cron: Cron,
    zone: TimeZone,
}

impl Quartz {
    /// Reads a schedule; the refusal says what is wrong with it.
    pub(crate) fn read(schedule: &Schedule) -> Result<Self, Refusal> {
        let text = schedule.quartz_cron_expression.trim();
        let wrong = |why: &str| Refusal::Invalid(format!("Invalid quartz_cron_expression '{text}': {why}."));
        let fields: Vec<_> = text.split_whitespace().collect();
        let (Some(day), Some(weekday)) = (fields.get(3), fields.get(5)) else {
            return Err(wrong("it needs seconds, minutes, hours, day of month, month and day of week"));
        };
        if (*day == "?") == (*weekday == "?") {
            return Err(wrong("exactly one of day of month and day of week must be ?"));
        }
        let parser = CronParser::builder().seconds(Seconds::Required).year(Year::Optional);
        // `0/15` is "from 0 on" to Quartz.
        let parser = parser.alternative_weekdays(true).sloppy_ranges(true).build();
        let cron = parser.parse(text).map_err(|error| wrong(&error.to_string()))?;
        let zone = TimeZone::get(&schedule.timezone_id);
        let zone = zone.map_err(|_| Refusal::Invalid(format!("Invalid timezone_id '{}'.", schedule.timezone_id)))?;
        Ok(Self { cron, zone })
    }

    /// The next time strictly after `after`. None: it never comes.
    pub(crate) fn next(&self, after: Timestamp) -> Option<Timestamp> {
        match self.cron.find_next_occurrence(&after.to_zoned(self.zone.clone()), false) {
            Ok(found) => Some(found.timestamp()),
            Err(CronError::TimeSearchLimitExceeded | CronError::InvalidDate | CronError::InvalidTime) => None,
            Err(error) => {
                tracing::warn!(%error, "a schedule can't be followed");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn schedule(cron: &str, zone: &str) -> Schedule {
        let (quartz_cron_expression, timezone_id) = (cron.to_owned(), zone.to_owned());
        Schedule { quartz_cron_expression, timezone_id, pause_status: Pause::Unpaused }
    }

    #[rstest]
    #[case::seconds("*/10 * * * * ?", "UTC", "2026-03-01T00:00:03Z", "2026-03-01T00:00:10Z")]
    #[case::strictly_after("*/10 * * * * ?", "UTC", "2026-03-01T00:00:10Z", "2026-03-01T00:00:20Z")]
    #[case::from_on("0 0/15 * * * ?", "UTC", "2026-03-01T00:01:00Z", "2026-03-01T00:15:00Z")]
    #[case::in_a_zone("0 30 6 * * ?", "Europe/Lisbon", "2026-07-01T00:00:00Z", "2026-07-01T05:30:00Z")]
    #[case::sunday_is_one("0 0 0 ? * 1", "UTC", "2026-03-02T00:00:00Z", "2026-03-08T00:00:00Z")]
    #[case::by_name("0 0 0 ? * MON-FRI", "UTC", "2026-03-07T00:00:00Z", "2026-03-09T00:00:00Z")]
    #[case::last_friday("0 0 0 ? * 6L", "UTC", "2026-03-01T00:00:00Z", "2026-03-27T00:00:00Z")]
    #[case::third_friday("0 0 0 ? * 6#3", "UTC", "2026-03-01T00:00:00Z", "2026-03-20T00:00:00Z")]
    #[case::with_a_year("0 0 0 1 1 ? 2030", "UTC", "2026-03-01T00:00:00Z", "2030-01-01T00:00:00Z")]
    fn the_next_time(#[case] cron: &str, #[case] zone: &str, #[case] after: &str, #[case] want: &str) {
        let quartz = Quartz::read(&schedule(cron, zone)).unwrap();
        assert_eq!(quartz.next(after.parse().unwrap()), Some(want.parse().unwrap()));
    }

    #[rstest]
    #[case::unix("0 6 * * *", "UTC")]
    #[case::both_days("0 0 6 * * *", "UTC")]
    #[case::no_day("0 0 6 ? * ?", "UTC")]
    #[case::no_such_hour("0 0 25 * * ?", "UTC")]
    #[case::no_such_zone("0 0 6 * * ?", "Europe/Nowhere")]
    fn what_is_no_schedule(#[case] cron: &str, #[case] zone: &str) {
        assert!(matches!(Quartz::read(&schedule(cron, zone)), Err(Refusal::Invalid(_))));
    }

    #[test]
    fn a_day_that_never_comes() {
        let quartz = Quartz::read(&schedule("0 0 0 30 2 ?", "UTC")).unwrap();
        assert_eq!(quartz.next("2026-03-01T00:00:00Z".parse().unwrap()), None);
    }
}
