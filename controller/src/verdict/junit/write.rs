//! Writing: one suite a notebook; a notebook that has no tests of its own, or fails beside them, is a case itself.

use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase as Case, TestCaseStatus, TestSuite};

use crate::verdict::case::{Outcome, TestCase};
use crate::verdict::judge::{NotebookVerdict, Verdict};

/// Writes the verdicts of a release's notebooks as JUnit XML.
///
/// # Errors
/// None in practice: writing to memory.
pub fn write(name: &str, verdicts: &[NotebookVerdict]) -> Result<String, SerializeError> {
    let mut report = Report::new(name);
    report.set_time(verdicts.iter().map(|verdict| verdict.execution).sum());
    report.add_test_suites(verdicts.iter().map(suite));
    report.to_string()
}

fn suite(verdict: &NotebookVerdict) -> TestSuite {
    let mut suite = TestSuite::new(verdict.notebook.as_str());
    suite.set_time(verdict.execution);
    suite.add_test_cases(verdict.cases.iter().map(|test| case(&verdict.notebook, test)));
    suite.add_test_cases(itself(verdict));
    suite
}

fn case(notebook: &str, test: &TestCase) -> Case {
    let mut status = match test.outcome {
        Outcome::Passed => TestCaseStatus::success(),
        Outcome::Failed => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Outcome::Error => TestCaseStatus::non_success(NonSuccessKind::Error),
        Outcome::Skipped => TestCaseStatus::skipped(),
    };
    if test.outcome != Outcome::Passed {
        status.set_message(test.message.as_str());
    }
    if !test.traceback.is_empty() {
        status.set_description(test.traceback.as_str());
    }
    let mut case = Case::new(test.name.as_str(), status);
    case.set_classname(notebook);
    case
}

/// The notebook as a case of its own, where its tests don't already tell its verdict.
fn itself(verdict: &NotebookVerdict) -> Option<Case> {
    let told = verdict.cases.iter().any(|test| test.outcome.is_failure());
    let status = match &verdict.verdict {
        Verdict::Passed if verdict.cases.is_empty() => TestCaseStatus::success(),
        Verdict::Failed { reason, message } if !told => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(message.as_str()).set_type(<&str>::from(reason));
            status
        }
        _ => return None,
    };
    let mut case = Case::new(verdict.notebook.as_str(), status);
    case.set_time(verdict.execution);
    Some(case)
}
