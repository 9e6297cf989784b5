//! What is written is read back, and other tools' reports are read too.

use std::time::Duration;

use rstest::rstest;

use super::{JunitError, read, write};
use crate::verdict::case::{Outcome, TestCase};
use crate::verdict::judge::{NotebookVerdict, Reason, Verdict};

fn verdicts() -> Vec<NotebookVerdict> {
    let failed = |reason, message: &str| Verdict::Failed { reason, message: message.to_owned() };
    let cases = vec![
        TestCase::new("T.test_a", Outcome::Passed, "", ""),
        TestCase::new("T.test_b", Outcome::Failed, "AssertionError: <1> & \"2\"", "Traceback\n  \u{1b}[0m]]>"),
        TestCase::new("T.test_c", Outcome::Skipped, "no volume", ""),
    ];
    let one = |notebook: &str, verdict, cases| NotebookVerdict {
        notebook: notebook.into(),
        verdict,
        cases,
        execution: Duration::from_millis(1500),
        trace: String::new(),
    };
    vec![
        one(
            "notebooks/a.py",
            failed(Reason::InnerTestsFailed, "notebooks/a.py: T.test_b: AssertionError"),
            cases.clone(),
        ),
        one("notebooks/b.py", Verdict::Passed, vec![]),
        one("notebooks/c.py", failed(Reason::DurationExceeded, "notebooks/c.py: it took 7 s"), vec![cases[0].clone()]),
    ]
}

#[test]
fn one_suite_a_notebook() {
    insta::assert_snapshot!(write("notebooks", &verdicts()).expect("XML"));
}

#[test]
fn what_is_written_is_read_back() {
    let xml = write("notebooks", &verdicts()).expect("XML");
    insta::assert_json_snapshot!(read(xml.as_bytes(), 10).expect("a report"));
}

#[test]
fn a_report_of_pytest_is_read() {
    insta::assert_json_snapshot!(read(include_bytes!("../fixtures/pytest.xml"), 2).expect("a report"));
}

/// Total, passed, failed, skipped.
#[rstest]
#[case(r#"<testsuite tests="1"><testcase name="a"/></testsuite>"#, [1, 1, 0, 0])]
#[case(r"<testsuites/>", [0, 0, 0, 0])]
#[case(r#"<x:testsuites xmlns:x="u"><x:testcase name="a"><x:error/></x:testcase></x:testsuites>"#, [1, 0, 1, 0])]
#[case(r#"<testsuite failures="2" errors="1" tests="3"><testcase name="a"><failure/></testcase></testsuite>"#, [3, 0, 3, 0])]
#[case(r#"<testsuite failures="-2" errors="x"><testcase name="a"><skipped/></testcase></testsuite>"#, [1, 0, 0, 1])]
#[case(r#"<testsuite><testsuite><testcase name="a"><failure/><error/><skipped/></testcase></testsuite></testsuite>"#, [1, 0, 1, 0])]
#[case(r#"<!DOCTYPE x [<!ENTITY e "eeee">]><testsuite><testcase name="a"><failure>&e;&lt;&#65;</failure></testcase></testsuite>"#, [1, 0, 1, 0])]
fn reports_of_other_tools_are_read(#[case] xml: &str, #[case] expected: [u64; 4]) {
    let summary = read(xml.as_bytes(), 3).expect("a report");
    assert_eq!([summary.total, summary.passed, summary.failed, summary.skipped], expected);
}

#[test]
fn a_failure_without_message_tells_its_text() {
    let xml = r#"<testsuite><testcase classname="c" name="n" time="1.5"><failure type="x"><![CDATA[1 <]]> 2 &amp;
        3</failure><system-out>noise</system-out></testcase></testsuite>"#;
    let summary = read(xml.as_bytes(), 3).expect("a report");
    assert_eq!((summary.failures[0].name.as_str(), summary.failures[0].message.as_str()), ("c.n", "1 < 2 & 3"));
    assert_eq!(summary.time, Duration::from_millis(1500));
}

#[rstest]
#[case("")]
#[case("<html></html>")]
#[case("plain")]
fn other_files_are_no_reports(#[case] xml: &str) {
    assert_eq!(read(xml.as_bytes(), 3), Err(JunitError::NotJunit));
}

#[rstest]
#[case("<testsuite><testcase name='a'></testsuite>")]
#[case("<testsuite><testcase name='a'/>")]
#[case("<testsuite")]
fn broken_reports_are_errors(#[case] xml: &str) {
    assert!(
        matches!(read(xml.as_bytes(), 3), Err(JunitError::Xml(_) | JunitError::NotJunit)),
        "{:?}",
        read(xml.as_bytes(), 3)
    );
}
