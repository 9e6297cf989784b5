//! What the log of Test tells of a run.

use std::time::Duration;

use brickline_crds::DatabricksRelease;
use rstest::rstest;
use serde_json::json;

use super::super::tell::{self, lines};
use super::super::{Sight, View};
use super::samples::notebook;
use crate::artifact::{Artifacts, place};
use crate::databricks::runs::{LifeCycle, Run, RunResult, RunState};
use crate::log::Logs;
use crate::verdict::{NotebookVerdict, Outcome, Reason, TestCase, Verdict};

fn run(life_cycle_state: LifeCycle, result_state: Option<RunResult>) -> Run {
    let state = RunState { life_cycle_state, result_state, ..RunState::default() };
    Run { run_id: 7, run_page_url: "https://page".to_owned(), state, ..Run::default() }
}

fn verdict(cases: Vec<TestCase>, verdict: Verdict) -> NotebookVerdict {
    let execution = Duration::from_millis(1_250);
    NotebookVerdict { notebook: "notebooks/a.py".to_owned(), verdict, cases, execution, trace: String::new() }
}

#[test]
fn every_inner_test_is_told_the_failed_ones_first() {
    let case = |name: &str, outcome, message: &str| TestCase::new(name, outcome, message, "");
    let cases = vec![
        case("T.one", Outcome::Passed, ""),
        case("T.two", Outcome::Failed, "AssertionError: 1 != 2"),
        case("T.three", Outcome::Skipped, "no data"),
    ];
    let message = "1 of 3 failed".to_owned();
    let judged = verdict(cases, Verdict::Failed { reason: Reason::InnerTestsFailed, message });
    let expected = [
        "notebooks/a.py: T.two failed: AssertionError: 1 != 2",
        "notebooks/a.py: T.one passed",
        "notebooks/a.py: T.three was skipped: no data",
        "notebooks/a.py: run 7 failed (InnerTestsFailed): 1 of 3 failed; 3 inner tests, 1.2 s, see https://page",
    ];
    assert_eq!(lines(&run(LifeCycle::Terminated, None), &judged), expected);
}

#[rstest]
#[case(Outcome::Passed, "did not fail")]
#[case(Outcome::Failed, "failed")]
fn of_very_many_inner_tests_the_log_says_how_many_it_leaves_out(#[case] outcome: Outcome, #[case] words: &str) {
    let cases = (0..250).map(|number| TestCase::new(&format!("T.t{number}"), outcome, "", "")).collect();
    let told = lines(&Run::default(), &verdict(cases, Verdict::Passed));
    assert_eq!(told.len(), 202);
    assert_eq!(told[200], format!("notebooks/a.py: 50 more that {words} are left out here: the report has them"));
}

#[tokio::test]
async fn each_state_that_was_seen_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let artifacts = Artifacts::in_folder(folder.path()).unwrap();
    let logs = Logs::default();
    let mut release = DatabricksRelease::new("dbxdemo", serde_json::from_value(json!({"source": {}})).unwrap());
    (release.metadata.namespace, release.metadata.uid) = (Some("data".to_owned()), Some("uid".to_owned()));
    tell::submitted(&release, "notebooks/a.py", (7, 1), &logs);
    let sights = [
        Sight::Run(Box::new(run(LifeCycle::Pending, None))),
        Sight::Run(Box::new(run(LifeCycle::Running, None))),
        Sight::Run(Box::new(run(LifeCycle::Running, None))),
        Sight::Run(Box::new(run(LifeCycle::Terminated, Some(RunResult::Success)))),
        Sight::Gone,
    ];
    for sight in sights {
        let items = vec![notebook("notebooks/a.py")];
        tell::seen(&release, &View { items, place: false, runs: [(0, sight)].into() }, &logs);
    }
    logs.flush(&artifacts).await;
    let (text, _) = artifacts.part(&place::of_log("data", "uid", brickline_crds::Phase::Test), 0, 9_999).await.unwrap();
    let text = String::from_utf8(text.to_vec()).unwrap();
    let told: Vec<&str> = text.lines().map(|line| line.split_once(' ').unwrap().1).collect();
    let expected = [
        "notebooks/a.py: run 7 was submitted, try 2",
        "notebooks/a.py: run 7 is PENDING, see https://page",
        "notebooks/a.py: run 7 is RUNNING, see https://page",
        "notebooks/a.py: run 7 is TERMINATED SUCCESS, see https://page",
        "notebooks/a.py: its run is gone: somebody deleted it",
    ];
    assert_eq!(told, expected);
}
