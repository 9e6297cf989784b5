//! Cron expressions in Quartz's words mean the same times.

use std::collections::BTreeSet;

use jiff::civil::date;
use proptest::prelude::*;
use proptest::sample::select;
use rstest::rstest;

use super::super::quartz;
use crate::pipeline::schedule::parse;

#[rstest]
#[case("0 3 * * *", "0 0 3 * * ?")]
#[case("0 3 * * 1-5", "0 0 3 ? * MON-FRI")]
#[case("0 3 * * MON-FRI", "0 0 3 ? * MON-FRI")]
#[case("30 2 * * 0", "0 30 2 ? * SUN")]
#[case("30 2 * * 7", "0 30 2 ? * SUN")]
#[case("0 0 * * 6,0", "0 0 0 ? * SUN,SAT")]
#[case("0 0 * * 5-7", "0 0 0 ? * SUN,FRI,SAT")]
#[case("0 0 ? * MON,wed,Fri", "0 0 0 ? * MON,WED,FRI")]
#[case("0 0 * * 0-6", "0 0 0 * * ?")]
#[case("0 0 * * */2", "0 0 0 ? * SUN,TUE,THU,SAT")]
#[case("*/15 * * * *", "0 0/15 * * * ?")]
#[case("5/20 12 * * *", "0 5/20 12 * * ?")]
#[case("10-40/15 * * * *", "0 10,25,40 * * * ?")]
#[case("0 8-18/2 * * *", "0 0 8,10,12,14,16,18 * * ?")]
#[case("0 8-18 1,15 jan-mar,DEC *", "0 0 8-18 1,15 1-3,12 ?")]
#[case("0 0 */10 * *", "0 0 0 1/10 * ?")]
#[case("0 0 31 * ?", "0 0 0 31 * ?")]
#[case("0,1 0 1-2 * *", "0 0,1 0 1,2 * ?")]
#[case("@hourly", "0 0 * * * ?")]
#[case("@daily", "0 0 0 * * ?")]
#[case("@midnight", "0 0 0 * * ?")]
#[case("@weekly", "0 0 0 ? * SUN")]
#[case("@monthly", "0 0 0 1 * ?")]
#[case("@yearly", "0 0 0 1 1 ?")]
fn a_cron_expression_has_words_in_quartz(#[case] cron: &str, #[case] expected: &str) {
    assert_eq!(quartz(cron).as_deref(), Ok(expected));
}

#[rstest]
#[case("0 0 13 * FRI", "only one of them")]
#[case("0 0 */2 * MON", "only one of them")]
#[case("0 0 13 * */2", "only one of them")]
#[case("60 0 * * *", "can't be read")]
#[case("0 24 * * *", "can't be read")]
#[case("0 0 0 * *", "can't be read")]
#[case("0 0 L * *", "L, W or #")]
#[case("0 0 * * MON#2", "L, W or #")]
#[case("tomorrow", "can't be read")]
fn what_quartz_can_t_say_is_refused(#[case] cron: &str, #[case] sentence: &str) {
    let why = quartz(cron).expect_err("a refusal");
    assert!(why.contains(sentence), "{why}");
}

/// Quartz's own reading of a field: `*`, `a`, `a-b`, `a/s`, and lists of them. `SUN` is 1.
fn reads(field: &str, last: i16) -> BTreeSet<i16> {
    const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
    let number = |text: &str| -> i16 {
        let named = DAYS.iter().position(|day| *day == text).map(|at| i16::try_from(at).unwrap() + 1);
        named.unwrap_or_else(|| text.parse().unwrap())
    };
    field
        .split(',')
        .flat_map(|part| match (part.split_once('/'), part.split_once('-')) {
            (Some((from, step)), _) => (number(from)..=last).step_by(step.parse().unwrap()).collect::<Vec<_>>(),
            (_, Some((from, to))) => (number(from)..=number(to)).collect(),
            _ if part == "*" => (0..=last).collect(),
            _ => vec![number(part)],
        })
        .collect()
}

fn number(most: u8) -> impl Strategy<Value = String> {
    (0..=most).prop_map(|number| number.to_string())
}

/// A field of a cron expression.
fn field(first: u8, last: u8) -> impl Strategy<Value = String> {
    let part = prop_oneof![
        (first..=last).prop_map(|value| value.to_string()),
        (first..=last, first..=last).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        (first..=last, 1..=last).prop_map(|(from, step)| format!("{from}/{step}")),
        (1..=last).prop_map(|step| format!("*/{step}")),
        (first..=last, first..=last, 1..=last).prop_map(|(a, b, step)| format!("{}-{}/{step}", a.min(b), a.max(b))),
    ];
    let parts = proptest::collection::vec(part, 1..4).prop_map(|parts| parts.join(","));
    prop_oneof![1 => Just("*".to_owned()), 4 => parts]
}

fn days() -> impl Strategy<Value = (String, String)> {
    let any = || select(vec!["*".to_owned(), "?".to_owned()]);
    prop_oneof![(field(1, 31), any()), (any(), field(0, 7))]
}

proptest! {
    /// Every minute, hour, month and day of two months is meant by both or by neither.
    #[test]
    fn both_mean_the_same_times(minute in field(0, 59), hour in field(0, 23), days in days(), month in field(1, 12)) {
        let cron = format!("{minute} {hour} {} {month} {}", days.0, days.1);
        let pattern = parse(&cron).unwrap().pattern;
        let said = quartz(&cron).unwrap();
        let fields: Vec<&str> = said.split(' ').collect();
        let [seconds, minutes, hours, day, months, weekday] = fields[..] else { panic!("six fields: {said}") };
        prop_assert_eq!(seconds, "0");
        prop_assert!((day == "?") != (weekday == "?"), "{}", said);
        for value in 0..60_i16 {
            let wanted = u32::try_from(value).unwrap();
            prop_assert_eq!(reads(minutes, 59).contains(&value), pattern.minute_match(wanted).unwrap(), "{}", said);
            if value < 24 {
                prop_assert_eq!(reads(hours, 23).contains(&value), pattern.hour_match(wanted).unwrap(), "{}", said);
            }
            if (1..=12).contains(&value) {
                prop_assert_eq!(reads(months, 12).contains(&value), pattern.month_match(wanted).unwrap(), "{}", said);
            }
        }
        for date in date(2026, 1, 1).series(jiff::ToSpan::days(1)).take(62) {
            let sunday = date.weekday().to_sunday_one_offset();
            let theirs = if day == "?" {
                reads(weekday, 7).contains(&i16::from(sunday))
            } else {
                reads(day, 31).contains(&i16::from(date.day()))
            };
            prop_assert_eq!(theirs, is_meant(&cron, date), "{} on {}", said, date);
        }
    }

    #[test]
    fn no_text_panics(cron in ".{0,40}|([0-9*/, ?-]|MON|L|W|#){0,20}") {
        let _ = quartz(&cron);
    }

    #[test]
    fn numbers_out_of_range_are_refused(minute in number(99), hour in number(99)) {
        let fits = minute.parse::<u8>().unwrap() < 60 && hour.parse::<u8>().unwrap() < 24;
        prop_assert_eq!(quartz(&format!("{minute} {hour} * * *")).is_ok(), fits);
    }
}

/// Whether cron means this day: its own field for days, read by the letter.
fn is_meant(cron: &str, date: jiff::civil::Date) -> bool {
    let fields: Vec<&str> = cron.split(' ').collect();
    let (day, weekday) = (fields[2], fields[4]);
    let any = |field: &str| field == "*" || field == "?";
    let sunday = i16::from(date.weekday().to_sunday_zero_offset());
    let weekdays = || cron_reads(weekday, 0, 7).into_iter().map(|day| day % 7).any(|day| day == sunday);
    let by_day = || cron_reads(day, 1, 31).contains(&i16::from(date.day()));
    match (any(day), any(weekday)) {
        (true, true) => true,
        (true, false) => weekdays(),
        (false, _) => by_day(),
    }
}

fn cron_reads(field: &str, first: i16, last: i16) -> BTreeSet<i16> {
    field
        .split(',')
        .flat_map(|part| {
            let (range, step) = part.split_once('/').unwrap_or((part, "1"));
            let open = part.contains('/');
            let (from, to) = match range.split_once('-') {
                Some((from, to)) => (from.parse().unwrap(), to.parse().unwrap()),
                None if range == "*" => (first, last),
                None => (range.parse().unwrap(), if open { last } else { range.parse().unwrap() }),
            };
            (from..=to).step_by(step.parse().unwrap()).collect::<Vec<_>>()
        })
        .collect()
}
