//! Calls against a server that counts, on a clock of their own.

use std::collections::VecDeque;

use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn limit(per_second: u32) -> NonZeroU32 {
    NonZeroU32::new(per_second).expect("a limit")
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A server that takes so many calls in any second and refuses the others.
struct Server {
    limit: usize,
    taken: VecDeque<Instant>,
}

impl Server {
    fn takes(&mut self, now: Instant) -> bool {
        self.taken.retain(|at| now.saturating_duration_since(*at) < Duration::from_secs(1));
        let takes = self.taken.len() < self.limit;
        if takes {
            self.taken.push_back(now);
        }
        takes
    }
}

/// Sends calls one after the other as fast as the pace allows; answers come at once. How many were sent, how many refused.
fn saturate(pace: &mut Pace, rate: &Rate, server: &mut Server, start: Instant, during: Duration) -> (u32, u32) {
    let (mut now, mut sent, mut refused) = (start, 0, 0);
    loop {
        now += pace.wait(rate, now);
        if now - start >= during {
            return (sent, refused);
        }
        pace.take(rate, now);
        sent += 1;
        if server.takes(now) {
            pace.answered();
        } else {
            refused += 1;
            pace.throttled(now, now, None);
        }
    }
}

fn server(limit: usize) -> Server {
    Server { limit, taken: VecDeque::new() }
}

/// The bars of an import of 2,000 notebooks.
#[test]
fn the_published_limit_is_used_and_never_met() {
    let start = Instant::now();
    let mut pace = Pace::new(start);
    let (sent, refused) = saturate(&mut pace, &Rate::below(limit(30)), &mut server(30), start, ms(60_000));
    assert_eq!(refused, 0);
    assert!(sent >= 30 * 60 * 85 / 100, "{sent} of 1800");
}

/// Others use the workspace too, or its limit is another one than the published.
#[test]
fn a_lower_limit_is_found_with_few_refusals() {
    let start = Instant::now();
    let mut pace = Pace::new(start);
    let (sent, refused) = saturate(&mut pace, &Rate::below(limit(30)), &mut server(20), start, ms(120_000));
    assert!(refused * 100 < sent, "{refused} of {sent}");
    assert!(sent >= 20 * 120 * 75 / 100, "{sent} of 2400");
}

#[test]
fn it_recovers_when_the_limit_does() {
    let (start, rate) = (Instant::now(), Rate::below(limit(30)));
    let mut pace = Pace::new(start);
    saturate(&mut pace, &rate, &mut server(3), start, ms(60_000));
    let later = start + ms(60_000);
    saturate(&mut pace, &rate, &mut server(30), later, ms(120_000));
    let (sent, refused) = saturate(&mut pace, &rate, &mut server(30), later + ms(120_000), ms(10_000));
    assert_eq!((sent >= 265, refused), (true, 0), "{sent}");
}

#[rstest]
#[case::as_asked(Some(ms(7_000)), ms(7_000))]
#[case::a_second_if_nothing_is_asked(None, ms(1_000))]
fn too_many_holds_everybody(#[case] retry_after: Option<Duration>, #[case] expected: Duration) {
    let now = Instant::now();
    let mut pace = Pace::new(now);
    pace.throttled(now, now, retry_after);
    for rate in [Rate::below(limit(30)), Rate::below(limit(1000))] {
        assert_eq!(pace.wait(&rate, now), expected);
        assert_eq!(pace.wait(&rate, now + expected), Duration::ZERO);
    }
}

#[test]
fn a_longer_pause_stays_and_calls_under_way_slow_down_once() {
    let now = Instant::now();
    let mut pace = Pace::new(now);
    pace.throttled(now, now + ms(20), Some(ms(5_000)));
    pace.throttled(now + ms(10), now + ms(30), None);
    assert_eq!(pace.held(now + ms(20)), ms(5_000));
    assert!((pace.speed - SLOWER).abs() < 1e-9, "{}", pace.speed);
    pace.throttled(now + ms(6_000), now + ms(6_010), None);
    assert!((pace.speed - SLOWER * SLOWER).abs() < 1e-9, "{}", pace.speed);
}

/// A workspace whose limit is lifted says so: its calls cost less of the family's time than those of one that does not.
#[test]
fn callers_with_different_limits_share_a_pace() {
    let now = Instant::now();
    let mut pace = Pace::new(now);
    let (one, many) = (Rate::below(limit(10)), Rate::below(limit(1000)));
    pace.take(&many, now);
    assert!(pace.wait(&one, now) < ms(2));
    pace.take(&one, now);
    pace.take(&one, now);
    assert!(pace.wait(&many, now) > ms(10), "it waits for the other's calls");
}

proptest! {
    #[test]
    fn no_second_has_more_calls_than_the_limit(per_second in 1_u32..200, rests in proptest::collection::vec(0_u64..3_000, 1..400)) {
        let (start, rate) = (Instant::now(), Rate::below(limit(per_second)));
        let (mut pace, mut now, mut server) = (Pace::new(start), start, server(per_second as usize));
        for (index, rest) in rests.into_iter().enumerate() {
            // Most calls come at once, some after a rest.
            now += if index % 9 == 0 { ms(rest) } else { Duration::ZERO };
            now += pace.wait(&rate, now);
            pace.take(&rate, now);
            prop_assert!(server.takes(now));
        }
    }

    #[test]
    fn a_call_waits_no_longer_than_was_asked(events in proptest::collection::vec((0_u8..3, 0_u64..2_000), 0..200)) {
        let (start, rate) = (Instant::now(), Rate::below(limit(30)));
        let (mut pace, mut now) = (Pace::new(start), start);
        for (kind, after) in events {
            now += ms(after);
            match kind {
                0 => pace.answered(),
                1 => pace.throttled(now, now, Some(ms(after))),
                _ => {
                    now += pace.wait(&rate, now);
                    pace.take(&rate, now);
                }
            }
            prop_assert!((SLOWEST..=1.0).contains(&pace.speed));
            // A pause, and one call at the slowest.
            prop_assert!(pace.wait(&rate, now) <= ms(2_000) + rate.interval.div_f64(SLOWEST));
        }
    }
}
