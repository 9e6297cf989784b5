//! The table of verdicts.

use std::time::Duration;

use brickline_crds::Framework;
use rstest::rstest;
use serde_json::json;

use super::super::export::{Export, read};
use super::super::judge::{Baseline, Cells, Demand, NotebookVerdict, Reason, RunView, Verdict, judge};
use super::{page, printed};
use crate::databricks::runs::{LifeCycle, NotebookOutput, Output, Run, RunResult, RunState, TaskRun};

const NOTEBOOK: &str = "notebooks/dbxdemo-notebook.py";
const FAILED: &str = include_str!("../fixtures/unittest_failed_v2.txt");
const PASSED: &str = include_str!("../fixtures/unittest_ok_v2.txt");

fn state(life_cycle_state: LifeCycle, result_state: Option<RunResult>, message: &str) -> RunState {
    RunState { life_cycle_state, result_state, state_message: message.into(), user_cancelled_or_timedout: false }
}

fn succeeded() -> RunState {
    state(LifeCycle::Terminated, Some(RunResult::Success), "")
}

fn view(state: RunState) -> RunView {
    RunView { notebook: NOTEBOOK.into(), state, execution: Duration::from_secs(7) }
}

fn export(text: &str) -> Export {
    read(&printed(text)).expect("an export")
}

fn demand() -> Demand {
    Demand { limit: None, require_tests: false, frameworks: Framework::ALL.to_vec(), baseline: None }
}

fn judged(state: RunState, text: &str) -> NotebookVerdict {
    judge(&view(state), &Output::default(), Cells::Read(&export(text)), &demand())
}

fn failed(verdict: &NotebookVerdict) -> (Reason, &str) {
    match &verdict.verdict {
        Verdict::Failed { reason, message } => (*reason, message),
        Verdict::Passed => panic!("passed: {verdict:?}"),
    }
}

#[test]
fn a_failed_assertion_fails_a_notebook_whose_run_succeeded() {
    let text = "test_with_status (__main__.TestNotebook.test_with_status) ... FAIL\n\n\
        ======================================================================\n\
        FAIL: test_with_status (__main__.TestNotebook.test_with_status)\n\
        ----------------------------------------------------------------------\n\
        Traceback (most recent call last):\n  File \"<command-7>\", line 31, in test_with_status\n\
        AssertionError: [Row(status='checked')] != [Row(status='done')]\n\n\
        ----------------------------------------------------------------------\n\
        Ran 1 test in 2.345s\n\nFAILED (failures=1)\n";
    let expected = "notebooks/dbxdemo-notebook.py: TestNotebook.test_with_status: \
        AssertionError: [Row(status='checked')] != [Row(status='done')]";
    let verdict = judged(succeeded(), text);
    assert_eq!(failed(&verdict), (Reason::InnerTestsFailed, expected));
    assert_eq!(verdict.cases.len(), 1);
}

#[test]
fn several_failures_are_counted_after_the_first() {
    let verdict = judged(succeeded(), FAILED);
    let (reason, message) = failed(&verdict);
    assert_eq!(reason, Reason::InnerTestsFailed);
    assert_eq!(
        message,
        "notebooks/dbxdemo-notebook.py: TestBroken.setUpClass: OSError: no cluster (and 5 more failed tests)"
    );
}

#[rstest]
#[case(state(LifeCycle::Terminated, Some(RunResult::Success), ""), None)]
#[case(state(LifeCycle::Terminated, Some(RunResult::Failed), "Workload failed"), Some((Reason::NotebookFailed, "its run ended TERMINATED FAILED: Workload failed")))]
#[case(state(LifeCycle::Terminated, Some(RunResult::TimedOut), ""), Some((Reason::TimedOut, "its time ran out")))]
#[case(state(LifeCycle::Terminated, Some(RunResult::Canceled), "by ana"), Some((Reason::Canceled, "its run was canceled: by ana")))]
#[case(state(LifeCycle::Terminated, Some(RunResult::UpstreamCanceled), ""), Some((Reason::Canceled, "its run was canceled")))]
#[case(state(LifeCycle::Terminated, Some(RunResult::SuccessWithFailures), ""), Some((Reason::NotebookFailed, "its run ended TERMINATED SUCCESS_WITH_FAILURES")))]
#[case(state(LifeCycle::Terminated, Some(RunResult::Unknown), ""), Some((Reason::NotebookFailed, "its run ended TERMINATED UNKNOWN")))]
#[case(state(LifeCycle::Terminated, None, ""), Some((Reason::NotebookFailed, "its run ended TERMINATED without a result")))]
#[case(state(LifeCycle::Skipped, None, "too many"), Some((Reason::NotebookFailed, "its run ended SKIPPED without a result: too many")))]
#[case(state(LifeCycle::InternalError, Some(RunResult::Failed), ""), Some((Reason::NotebookFailed, "its run ended INTERNAL_ERROR FAILED")))]
#[case(state(LifeCycle::InternalError, Some(RunResult::Success), ""), Some((Reason::NotebookFailed, "its run ended INTERNAL_ERROR SUCCESS")))]
#[case(state(LifeCycle::Running, None, ""), Some((Reason::NotebookFailed, "its run ended RUNNING without a result")))]
fn only_terminated_with_success_passes(#[case] state: RunState, #[case] expected: Option<(Reason, &str)>) {
    let verdict = judged(state, PASSED);
    match expected {
        None => assert_eq!(verdict.verdict, Verdict::Passed),
        Some((reason, words)) => assert_eq!(failed(&verdict), (reason, format!("{NOTEBOOK}: {words}").as_str())),
    }
}

#[test]
fn a_failed_run_names_its_cell_and_exception() {
    let error = "Traceback (most recent call last):\n  File \"<command-3>\", line 1, in <module>\nNameError: name 'x' is not defined";
    let commands = json!([{"position": 1, "state": "finished"}, {"position": 2, "state": "error", "error": error}]);
    let export = read(&page(&commands)).expect("an export");
    let state = state(LifeCycle::Terminated, Some(RunResult::Failed), "");
    let verdict = judge(&view(state.clone()), &Output::default(), Cells::Read(&export), &demand());
    let expected = format!("{NOTEBOOK}: cell 2: NameError: name 'x' is not defined");
    assert_eq!(failed(&verdict), (Reason::NotebookFailed, expected.as_str()));
    let output = Output { error: Some("ImportError: addcol".into()), ..Output::default() };
    let verdict = judge(&view(state), &output, Cells::Unreadable("x"), &demand());
    assert_eq!(failed(&verdict), (Reason::NotebookFailed, format!("{NOTEBOOK}: ImportError: addcol").as_str()));
}

#[rstest]
#[case(Some(7), None)]
#[case(Some(6), Some("it took 7 s, longer than the allowed 6 s"))]
#[case(None, None)]
fn a_slow_notebook_fails(#[case] limit: Option<u64>, #[case] words: Option<&str>) {
    let demand = Demand { limit: limit.map(Duration::from_secs), ..demand() };
    let verdict = judge(&view(succeeded()), &Output::default(), Cells::Read(&export(PASSED)), &demand);
    match words {
        None => assert_eq!(verdict.verdict, Verdict::Passed),
        Some(words) => {
            assert_eq!(failed(&verdict), (Reason::DurationExceeded, format!("{NOTEBOOK}: {words}").as_str()));
        }
    }
}

#[test]
fn tests_may_be_required() {
    let demand = Demand { require_tests: true, ..demand() };
    let verdict = judge(&view(succeeded()), &Output::default(), Cells::Read(&export("fine")), &demand);
    assert_eq!(failed(&verdict).0, Reason::NoTestReport);
    let verdict = judge(&view(succeeded()), &Output::default(), Cells::Read(&export(PASSED)), &demand);
    assert_eq!(verdict.verdict, Verdict::Passed);
}

#[test]
fn what_cannot_be_read_does_not_pass() {
    let verdict = judge(&view(succeeded()), &Output::default(), Cells::Unreadable("not a page"), &demand());
    let expected = format!("{NOTEBOOK}: what it left can't be read, so its tests are unknown: not a page");
    assert_eq!(failed(&verdict), (Reason::NoTestReport, expected.as_str()));
    let uninterested = Demand { frameworks: Vec::new(), ..demand() };
    let verdict = judge(&view(succeeded()), &Output::default(), Cells::Unreadable("not a page"), &uninterested);
    assert_eq!(verdict.verdict, Verdict::Passed);
}

#[rstest]
#[case(FAILED, r#"{"passed": 10, "failed": 0}"#, Some(Reason::InnerTestsFailed))]
#[case(PASSED, r#"{"passed": 10, "failed": 1}"#, Some(Reason::InnerTestsFailed))]
#[case(PASSED, r#"{"passed": 10, "failed": 0}"#, None)]
#[case(PASSED, "some value", None)]
fn a_failure_told_by_anyone_stands(#[case] text: &str, #[case] exit: &str, #[case] reason: Option<Reason>) {
    let output =
        Output { notebook_output: NotebookOutput { result: Some(exit.into()), truncated: false }, ..Output::default() };
    let verdict = judge(&view(succeeded()), &output, Cells::Read(&export(text)), &demand());
    match reason {
        None => assert_eq!(verdict.verdict, Verdict::Passed),
        Some(reason) => assert_eq!(failed(&verdict).0, reason),
    }
}

/// Nutter's own hand-over is for its command line: only what it printed can be read.
#[rstest]
#[case::unread("", Framework::ALL.to_vec(), Some("nutter: result.exit(dbutils) hands over what only Nutter reads"))]
#[case::beside_another(PASSED, Framework::ALL.to_vec(), Some("nutter: result.exit(dbutils)"))]
#[case::printed_too("Notebook: N/A - Lifecycle State: N/A, Result: N/A\nPASSING TESTS\nrows (1.0 seconds)\n", Framework::ALL.to_vec(), None)]
#[case::not_asked_for("", vec![Framework::Unittest], None)]
fn what_nutter_hands_over_fails_unless_it_is_printed_too(
    #[case] text: &str,
    #[case] frameworks: Vec<Framework>,
    #[case] expected: Option<&str>,
) {
    let exit = include_str!("../fixtures/nutter_exit_pickle.txt");
    let output =
        Output { notebook_output: NotebookOutput { result: Some(exit.into()), truncated: false }, ..Output::default() };
    let demand = Demand { frameworks, ..demand() };
    let verdict = judge(&view(succeeded()), &output, Cells::Read(&export(text)), &demand);
    match expected {
        None => assert_eq!(verdict.verdict, Verdict::Passed),
        Some(message) => {
            let (reason, told) = failed(&verdict);
            assert_eq!(reason, Reason::InnerTestsFailed);
            assert!(told.contains(message), "{told}");
        }
    }
}

/// Of a value that was cut nobody knows whether it was a verdict.
#[rstest]
#[case::indented("{\n  \"tests\": [{\"name\": \"a\", \"outc")]
#[case::counts("{\"passed\": 3, \"failed\": 1, \"message\": \"")]
#[case::by_chance_whole("{\"passed\": 3}")]
fn a_cut_exit_value_fails_where_it_counts(#[case] exit: &str) {
    let output =
        Output { notebook_output: NotebookOutput { result: Some(exit.into()), truncated: true }, ..Output::default() };
    let judged = |frameworks: &[Framework]| {
        let demand = Demand { frameworks: frameworks.to_vec(), ..demand() };
        judge(&view(succeeded()), &output, Cells::Read(&export("fine")), &demand)
    };
    let verdict = judged(&Framework::ALL);
    let (reason, told) = failed(&verdict);
    assert_eq!(reason, Reason::NoTestReport);
    assert!(told.contains("take exitJson out of innerTests.frameworks"), "{told}");
    assert_eq!(judged(&[Framework::Unittest]).verdict, Verdict::Passed);
}

#[test]
fn a_framework_nobody_asked_for_is_not_read() {
    let demand = Demand { frameworks: vec![Framework::Pytest], ..demand() };
    let verdict = judge(&view(succeeded()), &Output::default(), Cells::Read(&export(FAILED)), &demand);
    assert_eq!((verdict.verdict, verdict.cases.len()), (Verdict::Passed, 0));
}

#[test]
fn the_task_tells_how_a_run_ended() {
    let failed = state(LifeCycle::InternalError, Some(RunResult::Failed), "Task t failed");
    let task = |state: RunState| TaskRun { state, execution_duration: 1500, ..TaskRun::default() };
    let timed_out = state(LifeCycle::Terminated, Some(RunResult::TimedOut), "");
    let run = Run { state: failed.clone(), tasks: vec![task(timed_out.clone())], ..Run::default() };
    assert_eq!((RunView::of("n", &run).state, RunView::of("n", &run).execution.as_millis()), (timed_out, 1500));
    let disagreeing = Run { state: failed.clone(), tasks: vec![task(succeeded())], ..Run::default() };
    assert_eq!(RunView::of("n", &disagreeing).state, failed);
    let flat = Run { state: succeeded(), execution_duration: 900, ..Run::default() };
    assert_eq!(RunView::of("n", &flat).execution.as_millis(), 900);
}

#[rstest]
#[case(7, 7, None)]
#[case(5, 50, None)]
#[case(4, 50, Some("it took 7 s, more than 50 % longer than the 4 s of the 10 runs before it that passed"))]
#[case(6, 1, None)]
fn a_notebook_that_became_slower_fails(#[case] median: u64, #[case] percent: u32, #[case] words: Option<&str>) {
    let baseline = Some(Baseline { median: Duration::from_secs(median), of: 10, percent });
    let demand = Demand { baseline, ..demand() };
    let verdict = judge(&view(succeeded()), &Output::default(), Cells::Read(&export(PASSED)), &demand);
    match words {
        None => assert_eq!(verdict.verdict, Verdict::Passed),
        Some(words) => {
            assert_eq!(failed(&verdict), (Reason::DurationExceeded, format!("{NOTEBOOK}: {words}").as_str()));
        }
    }
}

#[rstest]
#[case(PASSED, None)]
#[case(FAILED, Some(Reason::InnerTestsFailed))]
#[case("\u{1b}[31m1 failed\u{1b}[0m, 2 passed in 0.12s", Some(Reason::InnerTestsFailed))]
#[case("done", Some(Reason::NoTestReport))]
#[case("", Some(Reason::NoTestReport))]
fn a_task_without_cells_is_judged_by_what_it_printed(#[case] printed: &str, #[case] reason: Option<Reason>) {
    let demand = Demand { require_tests: true, ..demand() };
    let verdict = judge(&view(succeeded()), &Output::default(), Cells::Printed(printed), &demand);
    match reason {
        None => assert_eq!(verdict.verdict, Verdict::Passed),
        Some(reason) => assert_eq!(failed(&verdict).0, reason),
    }
}

#[test]
fn a_failure_keeps_the_end_of_its_traceback() {
    let trace = "Traceback\n  File \"/jobs/load.py\", line 3, in load\n    \u{1b}[31mraise\u{1b}[0m ValueError('x')\nValueError: x\n";
    let output = Output { error: Some("ValueError: x".into()), error_trace: Some(trace.into()), ..Output::default() };
    let state = state(LifeCycle::Terminated, Some(RunResult::Failed), "");
    let verdict = judge(&view(state), &output, Cells::Printed(""), &demand());
    assert_eq!(verdict.trace, "  File \"/jobs/load.py\", line 3, in load\n    raise ValueError('x')\nValueError: x");
    assert_eq!(judged(succeeded(), PASSED).trace, "");
}
