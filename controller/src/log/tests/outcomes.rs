//! What is told of what was done.

use brickline_crds::{FirstFailure, Reason, TestCounts};

use super::super::outcome::outcome;
use super::*;
use crate::phase::{Outcome, test};

#[tokio::test]
async fn a_run_is_told_from_its_submission_to_its_inner_tests() {
    let folder = tempfile::tempdir().unwrap();
    let artifacts = Artifacts::in_folder(folder.path()).unwrap();
    let logs = Logs::default();
    let name = "notebooks/a.py: TestA.test_one".to_owned();
    let failure = FirstFailure { name, message: "AssertionError: 1 != 2".to_owned() };
    let counts = |failed| TestCounts { total: 3, passed: 2 - failed, failed, skipped: 1 };
    let collected = test::Collected {
        counts: counts(1),
        failures: vec![failure],
        verdict: Some((Reason::InnerTestsFailed, "1 of 3 failed; see https://page".to_owned())),
    };
    let passed = test::Collected { counts: counts(0), ..test::Collected::default() };
    let outcomes = [
        Outcome::Submitted { index: 0, run_id: 7 },
        Outcome::Collected { index: 0, collected: Box::new(collected) },
        Outcome::Collected { index: 1, collected: Box::new(passed) },
        Outcome::Done,
    ];
    for one in &outcomes {
        outcome(&release(), one, &logs);
    }
    logs.flush(&artifacts).await;
    let place = crate::artifact::place::of_log("data", "uid", Phase::Test);
    let (text, _) = artifacts.part(&place, 0, usize::MAX).await.unwrap();
    let text = String::from_utf8(text.to_vec()).unwrap();
    let told: Vec<&str> = text.lines().map(|line| line.split_once(' ').unwrap().1).collect();
    let expected = [
        "test 1: run 7 was submitted",
        "notebooks/a.py: TestA.test_one failed: AssertionError: 1 != 2",
        "test 1 failed (InnerTestsFailed): 1 of 3 failed; see https://page; 1 of 3 inner tests passed, 1 skipped",
        "test 2 passed; 2 of 3 inner tests passed, 1 skipped",
    ];
    assert_eq!(told, expected);
}
