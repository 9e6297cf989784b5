//! Schedules on real clocks, with the days on which they change.

use super::*;
use proptest::prelude::*;
use rstest::rstest;

const DAY: Duration = Duration::from_hours(24);

fn schedule(cron: &str, zone: &str) -> Schedule {
    Schedule { cron: cron.to_owned(), time_zone: zone.to_owned(), branch: None, suspend: false }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The next times after `after`, as many as expected.
fn times(schedule: &Schedule, after: &str, count: usize) -> Vec<String> {
    let first = next(schedule, at(after)).unwrap();
    let all = std::iter::successors(first, |last| next(schedule, *last).unwrap());
    all.take(count).map(|time| time.to_string()).collect()
}

#[rstest]
#[case("0 3 * * 1-5", "2026-11-20T12:00:00Z", "2026-11-23T03:00:00Z")]
#[case("0 3 * * MON-FRI", "2026-11-20T12:00:00Z", "2026-11-23T03:00:00Z")]
#[case("0 3 1 jan *", "2026-11-20T12:00:00Z", "2027-01-01T03:00:00Z")]
#[case("0 0 * * 7", "2026-11-20T12:00:00Z", "2026-11-22T00:00:00Z")]
#[case("*/15 * * * *", "2026-11-20T12:00:00Z", "2026-11-20T12:15:00Z")]
#[case("5/20 12 * * *", "2026-11-20T12:06:00Z", "2026-11-20T12:25:00Z")]
#[case("0 0 13 * FRI", "2026-11-13T00:00:00Z", "2026-11-20T00:00:00Z")]
#[case("0 0 ? * MON", "2026-11-20T12:00:00Z", "2026-11-23T00:00:00Z")]
#[case("0 0 29 2 *", "2026-11-20T12:00:00Z", "2028-02-29T00:00:00Z")]
#[case("@hourly", "2026-11-20T12:00:00Z", "2026-11-20T13:00:00Z")]
#[case("@daily", "2026-11-20T12:00:00Z", "2026-11-21T00:00:00Z")]
#[case("@midnight", "2026-11-20T12:00:00Z", "2026-11-21T00:00:00Z")]
#[case("@weekly", "2026-11-20T12:00:00Z", "2026-11-22T00:00:00Z")]
#[case("@monthly", "2026-11-20T12:00:00Z", "2026-12-01T00:00:00Z")]
#[case("@yearly", "2026-11-20T12:00:00Z", "2027-01-01T00:00:00Z")]
#[case("@annually", "2026-11-20T12:00:00Z", "2027-01-01T00:00:00Z")]
#[case("0 3 * * *", "2026-11-20T02:59:59.999999999Z", "2026-11-20T03:00:00Z")]
#[case("0 3 * * *", "2026-11-20T03:00:00Z", "2026-11-21T03:00:00Z")]
fn a_cron_expression_means_what_it_means_to_kubernetes(#[case] cron: &str, #[case] after: &str, #[case] then: &str) {
    assert_eq!(times(&schedule(cron, "UTC"), after, 1), [then]);
}

#[rstest]
#[case("Europe/Lisbon", "2026-07-01T00:00:00Z", "2026-07-01T02:00:00Z")]
#[case("Europe/Lisbon", "2026-12-01T00:00:00Z", "2026-12-01T03:00:00Z")]
#[case("America/New_York", "2026-12-01T00:00:00Z", "2026-12-01T08:00:00Z")]
#[case("Asia/Kolkata", "2026-12-01T00:00:00Z", "2026-12-01T21:30:00Z")]
fn the_clock_is_the_zone_s(#[case] zone: &str, #[case] after: &str, #[case] then: &str) {
    assert_eq!(times(&schedule("0 3 * * *", zone), after, 1), [then]);
}

/// Lisbon: 29 March 2026, 01:00 becomes 02:00. New York: 8 March 2026, 02:00 becomes 03:00.
#[rstest]
#[case::once("30 1 * * *", "Europe/Lisbon", "2026-03-28T12:00:00Z", &["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"])]
#[case::once("30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", &["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"])]
#[case::several("0,30 1 * * *", "Europe/Lisbon", "2026-03-28T12:00:00Z", &["2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"])]
#[case::all("*/10 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", &["2026-03-08T07:00:00Z", "2026-03-09T06:00:00Z"])]
#[case::with_the_hour_after("30 1,2 * * *", "Europe/Lisbon", "2026-03-28T12:00:00Z", &["2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"])]
#[case::at_the_end("0 1,2 * * *", "Europe/Lisbon", "2026-03-28T12:00:00Z", &["2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"])]
#[case::real_hours("30 * * * *", "Europe/Lisbon", "2026-03-29T00:00:00Z", &["2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"])]
fn a_skipped_time_comes_once_when_the_clock_goes_on(
    #[case] cron: &str,
    #[case] zone: &str,
    #[case] after: &str,
    #[case] then: &[&str],
) {
    assert_eq!(times(&schedule(cron, zone), after, then.len()), then);
}

/// Lisbon: 25 October 2026, 02:00 becomes 01:00. New York: 1 November 2026, 02:00 becomes 01:00.
#[rstest]
#[case::once("30 1 * * *", "Europe/Lisbon", "2026-10-24T12:00:00Z", &["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"])]
#[case::once("30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", &["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"])]
#[case::asked_in_the_second_half("30 1 * * *", "Europe/Lisbon", "2026-10-25T01:10:00Z", &["2026-10-26T01:30:00Z"])]
#[case::several("0,30 1 * * *", "Europe/Lisbon", "2026-10-24T12:00:00Z", &["2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:00:00Z"])]
#[case::twice_a_day("30 1,13 * * *", "America/New_York", "2026-10-31T18:00:00Z", &["2026-11-01T05:30:00Z", "2026-11-01T18:30:00Z"])]
#[case::real_hours("30 * * * *", "Europe/Lisbon", "2026-10-25T00:00:00Z", &["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"])]
fn a_repeated_time_comes_once(#[case] cron: &str, #[case] zone: &str, #[case] after: &str, #[case] then: &[&str]) {
    assert_eq!(times(&schedule(cron, zone), after, then.len()), then);
}

#[test]
fn a_day_that_a_zone_never_had_comes_with_the_next() {
    // Samoa went from the 29th of December 2011 to the 31st.
    let times = times(&schedule("0 12 30 * *", "Pacific/Apia"), "2011-12-01T00:00:00Z", 2);
    assert_eq!(times, ["2011-12-30T10:00:00Z", "2012-01-29T22:00:00Z"]);
}

#[test]
fn a_day_that_never_is_never_comes() {
    assert_eq!(next(&schedule("0 0 30 2 *", "UTC"), at("2026-11-20T12:00:00Z")), Ok(None));
    let never = due(&schedule("0 0 30 2 *", "UTC"), Timestamp::MIN, Timestamp::MAX, Duration::MAX);
    assert_eq!(never, Ok(None));
}

#[rstest]
#[case("0 3 * *", "UTC", "cron '0 3 * *' can't be read")]
#[case("60 3 * * *", "UTC", "cron '60 3 * * *' can't be read")]
#[case("0 3 * * * *", "UTC", "cron '0 3 * * * *' can't be read")]
#[case("@reboot", "UTC", "cron '@reboot' can't be read")]
#[case("", "UTC", "cron '' can't be read")]
#[case("0 3 * * *", "Europe/Atlantis", "timeZone 'Europe/Atlantis' is not in the IANA time zone database")]
#[case("0 3 * * *", "../../etc/passwd", "is not in the IANA time zone database")]
fn what_can_t_be_understood_is_told(#[case] cron: &str, #[case] zone: &str, #[case] says: &str) {
    let now = at("2026-11-20T12:00:00Z");
    let said = next(&schedule(cron, zone), now).unwrap_err();
    assert!(said.contains(says), "{said}");
    assert_eq!(due(&schedule(cron, zone), now, now, DAY).unwrap_err(), said);
}

#[rstest]
#[case::not_yet("2026-11-20T02:00:00Z", "2026-11-20T02:59:59Z", DAY, None)]
#[case::now("2026-11-20T02:00:00Z", "2026-11-20T03:00:00Z", DAY, Some("2026-11-20T03:00:00Z"))]
#[case::a_little_later("2026-11-20T02:00:00Z", "2026-11-20T03:10:00.5Z", DAY, Some("2026-11-20T03:00:00Z"))]
#[case::already_seen("2026-11-20T03:00:00Z", "2026-11-20T03:10:00Z", DAY, None)]
#[case::only_the_latest("2026-11-01T00:00:00Z", "2026-11-20T03:10:00Z", DAY, Some("2026-11-20T03:00:00Z"))]
#[case::still_in_time("2026-11-01T00:00:00Z", "2026-11-21T02:59:59Z", DAY, Some("2026-11-20T03:00:00Z"))]
#[case::too_late("2026-11-20T02:00:00Z", "2026-11-20T03:10:00Z", Duration::from_mins(10), None)]
#[case::no_deadline("2020-01-01T00:00:00Z", "2026-11-21T02:59:59Z", Duration::MAX, Some("2026-11-20T03:00:00Z"))]
#[case::a_clock_that_went_back("2026-11-21T00:00:00Z", "2026-11-20T03:00:00Z", DAY, None)]
fn the_latest_time_is_owed(
    #[case] since: &str,
    #[case] now: &str,
    #[case] deadline: Duration,
    #[case] owed: Option<&str>,
) {
    let due = due(&schedule("0 3 * * *", "UTC"), at(since), at(now), deadline).unwrap();
    assert_eq!(due.map(|due| due.to_string()).as_deref(), owed);
}

#[test]
fn a_suspended_schedule_owes_nothing() {
    let schedule = Schedule { suspend: true, ..schedule("0 3 * * *", "UTC") };
    assert_eq!(due(&schedule, at("2026-11-01T00:00:00Z"), at("2026-11-20T03:00:00Z"), DAY), Ok(None));
}

#[test]
fn time_zones_are_part_of_the_program() {
    // The controller's image has no files of the system's.
    assert!(jiff::tz::TimeZoneDatabase::bundled().get("Europe/Lisbon").is_ok());
}

const ZONES: [&str; 5] = ["UTC", "Europe/Lisbon", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"];

/// Expressions that the schema takes, most of which say something.
fn any_cron() -> impl Strategy<Value = String> {
    let field = |max: u8| {
        prop_oneof![
            Just("*".to_owned()),
            (2..=max).prop_map(|step| format!("*/{step}")),
            (1..=max).prop_map(|n| n.to_string()),
            (1..=max, 1..=max).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
            (1..=max, 1..=max).prop_map(|(a, b)| format!("{a},{b}")),
        ]
    };
    (field(59), field(23), field(31), field(12), field(6)).prop_map(|(a, b, c, d, e)| format!("{a} {b} {c} {d} {e}"))
}

/// Instants from 1970 to 2100.
fn any_time() -> impl Strategy<Value = Timestamp> {
    (0..4_102_444_800_000i64).prop_map(|millis| Timestamp::from_millisecond(millis).unwrap())
}

proptest! {
    #[test]
    fn next_is_after(cron in any_cron(), zone in prop::sample::select(&ZONES[..]), after in any_time()) {
        if let Some(next) = next(&schedule(&cron, zone), after).unwrap() {
            prop_assert!(next > after);
        }
    }

    #[test]
    fn later_questions_have_later_answers(cron in any_cron(), zone in prop::sample::select(&ZONES[..]), after in any_time(), more in 0i64..200_000) {
        let schedule = schedule(&cron, zone);
        let later = after + SignedDuration::from_secs(more);
        if let (Some(one), Some(other)) = (next(&schedule, after).unwrap(), next(&schedule, later).unwrap()) {
            prop_assert!(other >= one);
            // Between both questions nothing came.
            prop_assert!(one <= later || one == other);
        }
    }

    #[test]
    fn what_is_owed_is_the_last_of_all_times(cron in any_cron(), zone in prop::sample::select(&ZONES[..]), since in any_time(), seconds in 0i64..200_000) {
        let schedule = schedule(&cron, zone);
        let now = since + SignedDuration::from_secs(seconds);
        let all = std::iter::successors(next(&schedule, since).unwrap(), |last| next(&schedule, *last).unwrap());
        prop_assert_eq!(due(&schedule, since, now, Duration::MAX).unwrap(), all.take_while(|time| *time <= now).last());
    }

    #[test]
    fn takes_any_text(cron in "[@*?/0-9,a-zA-Z#+LW -]{0,40}|.{0,40}", zone in "[A-Za-z/_.+-]{0,20}|.{0,20}", seconds in any::<i64>()) {
        let after = Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
        for zone in [zone.as_str(), "Europe/Lisbon"] {
            if let Ok(Some(next)) = next(&schedule(&cron, zone), after) {
                prop_assert!(next > after);
            }
        }
    }
}
