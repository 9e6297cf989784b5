//! The closing table: how many points were tried, and after how many everything held.

use std::fmt::Write as _;
use std::thread;

use super::kill::{Tally, tally};
use super::{many, scenarios};

/// The table with its total.
fn table(tallies: &[Tally]) -> String {
    let mut table = String::new();
    let mut line = |name: &str, numbers: [&str; 4]| {
        let [effects, writes, points, held] = numbers;
        let _ = writeln!(table, "{name:<34} | {effects:>7} | {writes:>6} | {points:>11} | {held:>5}");
    };
    line("scenario", ["effects", "writes", "kill points", "held"]);
    let numbers = |tally: &Tally| [tally.effects, tally.writes, tally.points, tally.held];
    let mut total = [0; 4];
    for tally in tallies {
        let own = numbers(tally);
        line(tally.name, own.map(|number| number.to_string()).each_ref().map(String::as_str));
        total.iter_mut().zip(own).for_each(|(sum, number)| *sum += number);
    }
    line("total", total.map(|number| number.to_string()).each_ref().map(String::as_str));
    table
}

#[test]
fn simulator_table() {
    let scenarios = scenarios::all();
    let stories = many::all();
    let tallies = thread::scope(|scope| {
        let mut running: Vec<_> = scenarios.iter().map(|scenario| scope.spawn(|| tally(scenario))).collect();
        running.extend(stories.iter().map(|story| scope.spawn(|| many::tally(story))));
        running.into_iter().map(|one| one.join().expect("no panic")).collect::<Vec<Tally>>()
    });
    println!("\n{}", table(&tallies));
    let problems: Vec<String> = tallies
        .iter()
        .flat_map(|tally| tally.problems.iter().map(move |problem| format!("{}: {problem}", tally.name)))
        .collect();
    assert!(
        problems.is_empty(),
        "{} problems, such as\n{}",
        problems.len(),
        problems[..problems.len().min(20)].join("\n")
    );
    for tally in &tallies {
        assert_eq!(tally.points, 2 * (tally.effects + tally.writes), "{}: points are left out", tally.name);
        assert_eq!(tally.held, tally.points, "{}", tally.name);
    }
}
