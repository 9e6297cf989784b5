//! What frameworks print, read.

use std::time::{Duration, Instant};

use rstest::rstest;

use super::super::case::{Findings, Outcome};
use super::super::{exit_json, nutter, pytest, unittest};

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../fixtures/", $name, ".txt"))
    };
}

/// Passed, failed, error, skipped.
fn counts(findings: &Findings) -> [usize; 4] {
    [Outcome::Passed, Outcome::Failed, Outcome::Error, Outcome::Skipped].map(|outcome| findings.count(outcome))
}

#[rstest]
#[case::quiet(fixture!("unittest_failed_v1"), [4, 3, 3, 1])]
#[case::verbose(fixture!("unittest_failed_v2"), [4, 3, 3, 1])]
#[case::ok_quiet(fixture!("unittest_ok_v1"), [2, 0, 0, 1])]
#[case::ok_verbose(fixture!("unittest_ok_v2"), [2, 0, 0, 1])]
#[case::old_python("test_x (__main__.TestNotebook) ... ok\n\nRan 1 test in 0.001s\n\nOK\n", [1, 0, 0, 0])]
#[case::no_newline_before("done\nRan 1 test in 0.001s\n\nnoiseFAILED (failures=1)", [0, 1, 0, 0])]
#[case::glued_ok("Ran 1 test in 0.001s\n\n>OK", [1, 0, 0, 0])]
#[case::verdict_missing("Ran 2 tests in 0.001s\n", [2, 0, 1, 0])]
#[case::only_the_verdict("FAILED (errors=2)", [0, 2, 0, 0])]
#[case::cut_before_the_end("test_x (__main__.T.test_x) ... ok\ntest_y (__main__.T.test_y) ... printing", [1, 0, 1, 0])]
#[case::nothing_ran("Ran 0 tests in 0.000s\n\nNO TESTS RAN", [0, 0, 0, 0])]
#[case::two_runs("Ran 1 test in 0.001s\n\nFAILED (failures=1)\nRan 2 tests in 0.001s\n\nOK\n", [2, 1, 0, 0])]
#[case::huge("Ran 99999999999999999999 tests in 0.001s\n\nOK", [10_000, 0, 0, 0])]
fn unittest_texts_are_counted(#[case] text: &str, #[case] expected: [usize; 4]) {
    assert_eq!(counts(&unittest::read(text).expect("findings")), expected);
}

#[rstest]
#[case("")]
#[case("loading (raw.orders) ... 3 files\nOK\n")]
#[case("Ran 3 tests in 2s")]
#[case("FAILED to load 3 files (none is critical)")]
fn other_texts_are_no_unittest(#[case] text: &str) {
    assert_eq!(unittest::read(text), None);
}

#[test]
fn unittest_names_tests_and_assertions() {
    insta::assert_json_snapshot!("unittest_v2", unittest::read(fixture!("unittest_failed_v2")));
    insta::assert_json_snapshot!("unittest_v1", unittest::read(fixture!("unittest_failed_v1")));
}

#[rstest]
#[case::plain(fixture!("pytest_failed"), [3, 2, 1, 1])]
#[case::quiet(fixture!("pytest_failed_q"), [3, 2, 1, 1])]
#[case::verbose(fixture!("pytest_failed_v"), [3, 2, 1, 1])]
#[case::ok(fixture!("pytest_ok_v"), [1, 0, 0, 1])]
#[case::collection(fixture!("pytest_collect"), [0, 0, 1, 0])]
#[case::nothing_left(fixture!("pytest_none"), [0, 0, 1, 0])]
#[case::crash(fixture!("pytest_crash"), [0, 0, 1, 0])]
#[case::crash_quiet("INTERNALERROR> RuntimeError: x\n\nno tests ran in 0.01s", [0, 0, 1, 0])]
#[case::crash_after_a_test(".INTERNALERROR> x\nINTERNALERROR> RuntimeError: x\n\n1 passed in 0.01s", [1, 0, 1, 0])]
#[case::wrong_option(fixture!("pytest_usage"), [0, 0, 1, 0])]
#[case::no_such_file(fixture!("pytest_missing"), [0, 0, 1, 0])]
#[case::no_such_file_quiet("\nno tests ran in 0.01s\nERROR: file or directory not found: nope.py\n", [0, 0, 1, 0])]
#[case::stopped(fixture!("pytest_exit"), [0, 0, 1, 0])]
#[case::stopped_after_a_test("!!!!!! KeyboardInterrupt !!!!!!\n===== 1 passed in 0.01s =====", [1, 0, 1, 0])]
#[case::killed(fixture!("pytest_killed"), [0, 0, 1, 0])]
#[case::killed_and_again(
    concat!(fixture!("pytest_killed"), fixture!("pytest_ok_v")),
    [1, 0, 1, 1],
)]
#[case::all_skipped("===== 2 skipped in 0.01s =====", [0, 0, 0, 2])]
#[case::counts_only("==== 1 failed, 2 passed, 1 warning in 61.20s (0:01:01) ====", [2, 1, 0, 0])]
fn pytest_texts_are_counted(#[case] text: &str, #[case] expected: [usize; 4]) {
    assert_eq!(counts(&pytest::read(text).expect("findings")), expected);
}

#[rstest]
#[case("")]
#[case("FAILED to load a.csv - missing")]
#[case("3 files in 0.3s")]
fn other_texts_are_no_pytest(#[case] text: &str) {
    assert_eq!(pytest::read(text), None);
}

#[test]
fn pytest_names_tests_and_assertions() {
    insta::assert_json_snapshot!("pytest_v", pytest::read(fixture!("pytest_failed_v")));
}

#[rstest]
#[case::nothing_left(fixture!("pytest_none"), "no test ran: 7 deselected")]
#[case::crash(fixture!("pytest_crash"), "it crashed: RuntimeError: the plugin broke")]
#[case::no_such_file(fixture!("pytest_missing"), "no test ran: file or directory not found: nope.py")]
#[case::stopped(fixture!("pytest_exit"), "it broke off: _pytest.outcomes.Exit: stop now")]
#[case::killed(fixture!("pytest_killed"), "it ended without its summary")]
fn pytest_says_why_it_ran_nothing(#[case] text: &str, #[case] why: &str) {
    let findings = pytest::read(text).expect("findings");
    let [case] = findings.cases.as_slice() else { panic!("{findings:?}") };
    assert_eq!((case.name.as_str(), case.outcome, case.message.as_str()), ("pytest", Outcome::Error, why));
}

/// What `result.exit(dbutils)` of Nutter hands over.
#[rstest]
#[case::pickle(include_str!("../fixtures/nutter_exit_pickle.txt"), true)]
#[case::packed(include_str!("../fixtures/nutter_exit_gzip.txt"), true)]
#[case::another_pickle("gASVCAAAAAAAAACMBGRvbmWULg==", false)]
#[case::a_word("done", false)]
#[case::nothing("", false)]
#[case::json("{\"passed\": 1}", false)]
fn what_only_nutter_reads_is_recognised(#[case] value: &str, #[case] expected: bool) {
    assert_eq!(nutter::is_handed_over(value), expected);
}

#[test]
fn nutter_names_tests_and_assertions() {
    insta::assert_json_snapshot!("nutter", nutter::read(fixture!("nutter_failed")));
    assert_eq!(nutter::read("PASSING TESTS\nx (1.0 seconds)"), None);
}

/// Lines that somebody may print without end.
const SHORT: usize = 5_000;
/// How much longer the other text is. Reading it may take so many times as long, and not the square of it.
const LONGER: usize = 4;

fn unittest_blocks(count: usize) -> String {
    let rule = ("=".repeat(70), "-".repeat(70));
    let block = |at: usize| format!("{}\nFAIL: test_{at} (__main__.T.test_{at})\n{}\nx\n", rule.0, rule.1);
    (0..count).map(block).collect()
}

fn lines(count: usize, line: fn(usize) -> String) -> String {
    (0..count).map(line).collect()
}

/// The shortest of some readings: what else the machine does only adds to it.
fn quickest(read: fn(&str) -> usize, text: &str) -> Duration {
    let reading = |_| {
        let start = Instant::now();
        assert!(read(text) > 0, "something is found");
        start.elapsed()
    };
    (0..5).map(reading).min().unwrap_or_default()
}

fn in_unittest(text: &str) -> usize {
    unittest::read(text).map_or(0, |findings| findings.cases.len() + 1)
}

fn in_pytest(text: &str) -> usize {
    pytest::read(text).map_or(0, |findings| findings.cases.len() + 1)
}

/// A notebook may print anything, and the controller has other work: reading takes time in proportion to the text.
#[rstest]
#[case::unittest(unittest_blocks, in_unittest)]
#[case::pytest(|count| lines(count, |at| format!("FAILED a.py::test_{at} - x\n")), in_pytest)]
#[case::without_an_end(|count| lines(count, |at| format!("test_{at} (__main__.T.test_{at}) ... \n")), in_unittest)]
#[case::summaries(|count| lines(count, |_| "Ran 1 test in 0.001s\n".into()), in_unittest)]
fn endless_texts_are_read_in_time(#[case] text: fn(usize) -> String, #[case] read: fn(&str) -> usize) {
    let (short, long) = (quickest(read, &text(SHORT)), quickest(read, &text(SHORT * LONGER)));
    let square = u32::try_from(LONGER * LONGER).expect("a small number");
    assert!(long < short * square * 3 / 4, "{short:?} and {long:?} for {LONGER} times as much");
}

#[test]
fn no_more_cases_are_kept_than_a_report_takes() {
    let most = 2 * super::super::case::MAX_CASES;
    assert_eq!(unittest::read(&unittest_blocks(25_000)).expect("findings").cases.len(), most);
    let many = lines(25_000, |at| format!("FAILED a.py::test_{at} - x\n"));
    assert_eq!(pytest::read(&many).expect("findings").cases.len(), most);
}

#[rstest]
#[case(r#"{"tests":[{"name":"a","outcome":"passed"},{"name":"b","outcome":"failed","message":"1 != 2"}]}"#, [1, 1, 0, 0])]
#[case(r#"{"tests":[{"name":"a","outcome":"splendid"},{"name":"b","outcome":"Skipped"}]}"#, [0, 1, 0, 1])]
#[case(r#"{"tests":[]}"#, [0, 0, 0, 0])]
#[case(r#"{"tests":[{"outcome":"passed"}]}"#, [0, 0, 1, 0])]
#[case(r#"{"tests":[{"name":"a","outcome":"pas"#, [0, 0, 1, 0])]
#[case(r#"{"passed":3,"failed":2,"skipped":1,"message":"b: 1 != 2"}"#, [3, 2, 0, 1])]
#[case(r#"{"passed":3,"errors":1}"#, [3, 1, 0, 0])]
#[case(r#"{"passed":3,"failed":-1}"#, [0, 0, 1, 0])]
#[case(r#"{"passed":18446744073709551615}"#, [10_000, 0, 0, 0])]
fn exit_values_are_counted(#[case] value: &str, #[case] expected: [usize; 4]) {
    assert_eq!(counts(&exit_json::read(value).expect("findings")), expected);
}

#[rstest]
#[case("")]
#[case("done")]
#[case("7")]
#[case(r#"{"rows": 7}"#)]
#[case(r#"{"passed": "all"}"#)]
#[case(r#"[{"name":"a","outcome":"passed"}]"#)]
fn other_exit_values_are_no_verdict(#[case] value: &str) {
    assert_eq!(exit_json::read(value), None);
}
