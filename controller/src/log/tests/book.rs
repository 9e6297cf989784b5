//! Lines before they are stored.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::super::book::{Book, LONGEST};

fn at(seconds: i64) -> Timestamp {
    "2026-11-21T12:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds)
}

fn text(book: &Book) -> String {
    String::from_utf8(book.waiting().to_vec()).unwrap()
}

#[test]
fn a_line_has_its_time_and_is_one_line() {
    let mut book = Book::default();
    book.add(at(1), format_args!("{} on {}", "a\nb\u{1b}[31m", "c"));
    assert_eq!(text(&book), "2026-11-21T12:00:01.000Z a b [31m on c\n");
}

#[test]
fn the_same_twice_in_a_row_is_one_line() {
    let mut book = Book::default();
    for line in ["a", "a", "b", "a"] {
        book.add(at(0), format_args!("{line}"));
    }
    assert_eq!(text(&book).lines().count(), 3);
}

#[test]
fn a_long_line_is_cut() {
    let mut book = Book::default();
    book.add(at(0), format_args!("{}", "é".repeat(5_000)));
    assert!(text(&book).ends_with("é…\n") && text(&book).chars().count() < 2_100);
}

#[test]
fn what_is_looked_at_again_and_again_is_told_when_it_changes() {
    let mut book = Book::default();
    for state in ["PENDING", "PENDING", "RUNNING", "RUNNING", "PENDING"] {
        book.news(at(0), "run 1", format_args!("run 1 {state}"));
        book.news(at(0), "run 2", format_args!("run 2 is there"));
    }
    let told: Vec<String> = text(&book).lines().map(|line| line[25..].to_owned()).collect();
    assert_eq!(told, ["run 1 PENDING", "run 2 is there", "run 1 RUNNING", "run 1 PENDING"]);
}

#[test]
fn lines_are_due_after_a_second_and_rarer_in_a_long_log() {
    let mut book = Book::default();
    assert!(!book.is_due(at(9)), "there is nothing");
    book.add(at(0), format_args!("one"));
    assert!(!book.is_due(at(0)) && book.is_due(at(1)) && book.is_due(at(-3_600)));
    for _ in 0..300 {
        book.keep(0, at(0));
    }
    assert!(!book.is_due(at(4)) && book.is_due(at(5)));
}

/// The artifact store is away for long.
#[test]
fn lines_without_room_are_counted_and_the_count_is_told() {
    let mut book = Book::default();
    let line = "x".repeat(1_000);
    (0..400).for_each(|number| book.add(at(0), format_args!("{line}{number}")));
    let kept = text(&book).lines().count();
    assert!(book.waiting().len() <= 256 * 1024 && kept < 400);
    book.keep(book.waiting().len(), at(1));
    book.add(at(1), format_args!("next"));
    let said = text(&book);
    let missing = format!("{} lines are missing here: the artifact store took none", 400 - kept);
    assert!(said.contains(&missing) && said.ends_with(" next\n") && said.lines().count() == 2, "{said}");
}

#[test]
fn the_last_line_says_that_the_log_ends() {
    let mut book = Book::default();
    book.found(0);
    let line = "x".repeat(1_999);
    let mut stored = 0;
    let mut last = String::new();
    for number in 0..6_000 {
        book.add(at(0), format_args!("{number}{line}"));
        let part = book.waiting().len();
        if part > 0 {
            last = text(&book);
        }
        stored += part as u64;
        book.keep(part, at(0));
    }
    assert!(last.ends_with("the log ends here: it is longer than 8 MiB\n"), "{last}");
    assert!(stored <= LONGEST);
    let mut next = Book::default();
    next.add(at(0), format_args!("after a restart"));
    next.found(stored);
    assert_eq!(text(&next), "");
}

proptest! {
    #[test]
    fn whatever_is_told_stays_within_bounds(lines in proptest::collection::vec(".{0,80}", 0..200), keep in 0..9_usize) {
        let mut book = Book::default();
        for (number, line) in lines.iter().enumerate() {
            book.add(at(0), format_args!("{line}"));
            if number % 9 == keep {
                book.keep(book.waiting().len(), at(0));
            }
            prop_assert!(book.waiting().len() <= 256 * 1024);
            let waiting = text(&book);
            prop_assert!(waiting.is_empty() || waiting.ends_with('\n'));
            prop_assert!(waiting.lines().all(|line| line.starts_with("2026-11-21T12:00:00")));
        }
    }
}
