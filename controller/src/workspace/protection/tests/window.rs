use brickline_crds::Window;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::super::{Gate, gate};

fn windows(said: Value) -> Vec<Window> {
    serde_json::from_value(said).unwrap()
}

/// 08:00 to 16:00 in Lisbon, Monday to Thursday.
fn office() -> Value {
    json!([{"days": ["Mon", "Tue", "Wed", "Thu"], "from": "08:00", "to": "16:00", "timeZone": "Europe/Lisbon"}])
}

fn night() -> Value {
    json!([{"days": ["Sat"], "from": "22:00", "to": "04:00", "timeZone": "Europe/Lisbon"}])
}

fn time(from: &str, to: &str) -> Value {
    json!([{"from": from, "to": to, "timeZone": "Europe/Lisbon"}])
}

/// In 2026 Lisbon is at UTC in winter, and at UTC+1 from 29 March, 01:00 UTC, to 25 October, 01:00 UTC.
#[rstest]
#[case::no_windows(json!([]), "2026-11-21T12:00:00Z", None)]
#[case::its_first_second(office(), "2026-11-19T08:00:00Z", None)]
#[case::its_last_second(office(), "2026-11-19T15:59:59Z", None)]
#[case::its_end_is_outside(office(), "2026-11-19T16:00:00Z", Some("2026-11-23T08:00:00Z"))]
#[case::before_it(office(), "2026-11-19T07:59:59Z", Some("2026-11-19T08:00:00Z"))]
#[case::on_another_day(office(), "2026-11-20T12:00:00Z", Some("2026-11-23T08:00:00Z"))]
#[case::in_summer_an_hour_earlier(office(), "2026-07-15T06:59:59Z", Some("2026-07-15T07:00:00Z"))]
#[case::over_the_change_to_summer(office(), "2026-03-26T16:00:00Z", Some("2026-03-30T07:00:00Z"))]
#[case::over_the_change_to_winter(office(), "2026-10-22T15:00:00Z", Some("2026-10-26T08:00:00Z"))]
#[case::after_midnight(night(), "2026-11-22T03:59:59Z", None)]
#[case::after_the_night(night(), "2026-11-22T04:00:00Z", Some("2026-11-28T22:00:00Z"))]
#[case::the_morning_of_its_day(night(), "2026-11-21T03:00:00Z", Some("2026-11-21T22:00:00Z"))]
#[case::a_night_that_is_an_hour_shorter(night(), "2026-03-29T02:59:59Z", None)]
#[case::and_its_end(night(), "2026-03-29T03:00:00Z", Some("2026-04-04T21:00:00Z"))]
#[case::a_night_that_is_an_hour_longer(night(), "2026-10-25T03:59:59Z", None)]
#[case::a_time_that_is_skipped_comes_later(
    time("01:15", "03:00"),
    "2026-03-29T01:00:00Z",
    Some("2026-03-29T01:15:00Z")
)]
#[case::a_time_that_comes_twice_counts_once(
    time("01:00", "01:30"),
    "2026-10-25T01:10:00Z",
    Some("2026-10-26T01:00:00Z")
)]
#[case::a_whole_day(time("00:00", "24:00"), "2026-11-21T23:59:59Z", None)]
#[case::the_earliest_of_several(
    json!([{"days": ["Sun"], "from": "10:00", "to": "11:00"}, {"days": ["Sat"], "from": "20:00", "to": "21:00"}]),
    "2026-11-21T12:00:00Z",
    Some("2026-11-21T20:00:00Z")
)]
#[case::east_of_the_date_line(
    json!([{"days": ["Mon"], "from": "00:00", "to": "01:00", "timeZone": "Pacific/Kiritimati"}]),
    "2026-11-22T10:30:00Z",
    None
)]
#[case::west_of_it(
    json!([{"days": ["Mon"], "from": "00:00", "to": "01:00", "timeZone": "Pacific/Pago_Pago"}]),
    "2026-11-23T10:30:00Z",
    Some("2026-11-23T11:00:00Z")
)]
fn opens_and_closes(#[case] said: Value, #[case] now: &str, #[case] closed_until: Option<&str>) {
    let expected = closed_until.map_or(Gate::Open, |until| Gate::ClosedUntil(until.parse().unwrap()));
    assert_eq!(gate(&windows(said), now.parse().unwrap()), Ok(expected));
}

fn any_window() -> impl Strategy<Value = Window> {
    let days = prop::sample::subsequence(vec!["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"], 1..=7);
    let clock = (0..24u32, prop::sample::select(vec![0u32, 15, 30, 59]));
    let zones = ["UTC", "Europe/Lisbon", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"];
    (days, clock.clone(), clock, prop::sample::select(zones.to_vec()))
        .prop_filter("from and to differ", |(_, from, to, _)| from != to)
        .prop_map(|(days, from, to, zone)| {
            let clock = |(hour, minute): (u32, u32)| format!("{hour:02}:{minute:02}");
            let said = json!({"days": days, "from": clock(from), "to": clock(to), "timeZone": zone});
            serde_json::from_value(said).unwrap()
        })
}

proptest! {
    /// Whoever waits until then finds it open, and closed a moment before.
    #[test]
    fn closed_means_until_it_opens(all in prop::collection::vec(any_window(), 1..4), second in 1_700_000_000i64..1_900_000_000) {
        let now = Timestamp::from_second(second).unwrap();
        if let Gate::ClosedUntil(until) = gate(&all, now).unwrap() {
            prop_assert!(until > now);
            prop_assert_eq!(gate(&all, until), Ok(Gate::Open));
            let before = until - SignedDuration::from_secs(1);
            prop_assert_eq!(gate(&all, before), Ok(Gate::ClosedUntil(until)));
            let between = Timestamp::from_second(i64::midpoint(second, until.as_second() - 1)).unwrap();
            prop_assert_eq!(gate(&all, between), Ok(Gate::ClosedUntil(until)));
        }
    }

    /// Another window never closes what was open.
    #[test]
    fn another_window_only_adds(one in any_window(), other in any_window(), second in 1_700_000_000i64..1_900_000_000) {
        let now = Timestamp::from_second(second).unwrap();
        if gate(std::slice::from_ref(&one), now) == Ok(Gate::Open) {
            prop_assert_eq!(gate(&[other, one], now), Ok(Gate::Open));
        }
    }
}
