//! What was measured, beside the bars.

use std::{collections::BTreeMap, time::Duration};

use super::{LENGTH, Measured, NOTEBOOKS, PARALLEL, fake::Asked};
use crate::load::figures::table;

/// The bars: the ideal time times this, requests a second, and the scripts' time divided by ours.
const OF_IDEAL: f64 = 1.1;
const REQUESTS: f64 = 1.0;
const RATIO: f64 = 3.0;
/// How close to a run's begin or end a request still belongs to it.
const NEAR: Duration = Duration::from_secs(2);
/// What is asked when a run begins, and when it is over: its result is read once.
const EVENTS: [&str; 4] = ["jobs/runs/submit", "jobs/runs/get", "jobs/runs/get-output", "jobs/runs/export"];

pub(super) fn print(measured: &Measured) {
    let ideal = LENGTH * NOTEBOOKS.div_ceil(PARALLEL);
    let mut times = table(&["what", "took", "of the ideal", "bar"]);
    let bar = format!("at most {OF_IDEAL}");
    for (what, took, bar) in [("fake", measured.on_fake, bar.as_str()), ("emulator", measured.on_emulator, "")] {
        let share = took.as_secs_f64() / ideal.as_secs_f64();
        times.add_row([what, &seconds(took), &format!("{share:.2}"), bar]);
    }
    println!("{NOTEBOOKS} notebooks of {}, {PARALLEL} at a time; ideal: {}", seconds(LENGTH), seconds(ideal));
    println!("{times}");
    println!("{}", requests(&measured.requests, measured.on_fake));
    let ratio = measured.scripts.took.as_secs_f64() / measured.ours.as_secs_f64();
    let mut compared = table(&["release of another wheel and its notebook", "took", "verdict"]);
    compared.add_row(["scripts", &seconds(measured.scripts.took), &measured.scripts.result]);
    compared.add_row(["Brickline, Deploy to Test", &seconds(measured.ours), "Succeeded"]);
    println!("{compared}");
    println!("ratio: {ratio:.1} (goal: at least {RATIO})");
}

/// The requests by operation, and how many there were a second while no run began or ended.
fn requests(seen: &[Asked], took: Duration) -> comfy_table::Table {
    let first = seen.iter().position(|asked| asked.operation == "jobs/runs/submit").unwrap_or(0);
    let seen = seen.get(first..).unwrap_or_default();
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for asked in seen {
        *counts.entry(&asked.operation).or_default() += 1;
    }
    let mut figures = table(&["request to the fake", "count", "a second", "bar"]);
    for (operation, count) in &counts {
        let rate = f64::from(*count) / took.as_secs_f64();
        figures.add_row([(*operation).to_owned(), count.to_string(), format!("{rate:.2}"), String::new()]);
    }
    let (count, calm) = steady(seen);
    let rate = f64::from(count) / calm.as_secs_f64();
    let what = format!("**all, in the {} in which no run began or ended**", seconds(calm));
    figures.add_row([what, count.to_string(), format!("{rate:.2}"), format!("at most {REQUESTS}")]);
    figures
}

/// How many requests came while runs only executed, and how long that was: what is left of each pause between two events
/// without what is near to them.
fn steady(seen: &[Asked]) -> (u32, Duration) {
    let events: Vec<_> = seen.iter().filter(|asked| EVENTS.contains(&asked.operation.as_str())).collect();
    let (mut count, mut calm) = (0, Duration::ZERO);
    for (one, next) in events.iter().zip(events.iter().skip(1)) {
        let (from, to) = (one.at + NEAR, next.at - NEAR);
        if from < to {
            calm += to - from;
            count += u32::try_from(seen.iter().filter(|asked| from <= asked.at && asked.at < to).count()).unwrap_or(0);
        }
    }
    (count, calm)
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
