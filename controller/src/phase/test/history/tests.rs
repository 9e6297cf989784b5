//! What is remembered, and what it is compared with.

use rstest::rstest;

use super::super::tests::samples;
use super::*;

const PATH: &str = "notebooks/a.py";

fn regression(over: u32) -> Regression {
    Regression { percent: 50, over }
}

fn item(over: u32) -> Item {
    Item { regression: Some(regression(over)), ..samples::notebook(PATH) }
}

fn took(seconds: u64, verdict: Verdict) -> NotebookVerdict {
    let execution = Duration::from_secs(seconds);
    NotebookVerdict { notebook: PATH.into(), verdict, cases: Vec::new(), execution, trace: String::new() }
}

fn passed(history: &mut History, over: u32, release: &str, seconds: u64) {
    history.add(&[item(over)], &[took(seconds, Verdict::Passed)], release);
}

#[rstest]
#[case(&[], 10, None)]
#[case(&[20, 30], 10, None)]
#[case(&[20, 30, 10], 10, Some((20, 3)))]
#[case(&[20], 1, Some((20, 1)))]
#[case(&[90, 90, 90, 10, 12, 11], 3, Some((11, 3)))]
fn the_middle_of_the_last_runs_counts(#[case] took: &[u64], #[case] over: u32, #[case] expected: Option<(u64, usize)>) {
    let mut history = History::default();
    for (number, seconds) in took.iter().enumerate() {
        passed(&mut history, over, &format!("r{number}"), *seconds);
    }
    let baseline = history.baseline(PATH, regression(over), "now");
    assert_eq!(baseline.map(|baseline| (baseline.median.as_secs(), baseline.of)), expected);
}

#[test]
fn writing_the_same_release_again_changes_nothing_and_it_is_not_compared_with_itself() {
    let mut history = History::default();
    for release in ["a", "b", "c", "c"] {
        passed(&mut history, 10, release, 20);
    }
    assert_eq!(history.0[PATH].len(), 3);
    assert_eq!(history.baseline(PATH, regression(10), "c"), None, "two others are too few");
}

#[test]
fn what_failed_is_not_remembered_and_what_is_not_compared_is_forgotten() {
    let mut history = History::default();
    let reason = crate::verdict::Reason::DurationExceeded;
    history.add(&[item(10)], &[took(900, Verdict::Failed { reason, message: "slow".into() })], "a");
    assert_eq!(history.baseline(PATH, regression(1), "now"), None);
    passed(&mut history, 10, "b", 20);
    history.add(&[samples::notebook(PATH)], &[], "c");
    assert_eq!(history, History::default());
}

#[test]
fn it_stays_small_however_many_releases_there_are() {
    let mut history = History::default();
    for number in 0..200 {
        passed(&mut history, 50, &format!("{number}"), 20);
    }
    assert_eq!(history.0[PATH].len(), 50);
}
