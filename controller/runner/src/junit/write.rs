//! Writing makes one report of many suites, with counts that agree with its cases.

use std::io::{self, Write};

use super::{Case, Suite, Verdict, count};

/// Writes one report.
pub fn write(suites: &[Suite], to: &mut impl Write) -> io::Result<()> {
    writeln!(to, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    writeln!(to, "<testsuites{}>", counts(suites))?;
    for suite in suites {
        let own = std::slice::from_ref(suite);
        writeln!(to, "  <testsuite name=\"{}\"{}>", escape(&suite.name), counts(own))?;
        suite.cases.iter().try_for_each(|case| write_case(case, to))?;
        writeln!(to, "  </testsuite>")?;
    }
    writeln!(to, "</testsuites>")
}

fn counts(suites: &[Suite]) -> String {
    let counts = count(suites);
    let is_error = |case: &&Case| matches!(case.verdict, Verdict::Failed { error: true, .. });
    let errors = suites.iter().flat_map(|suite| &suite.cases).filter(is_error).count() as u64;
    let failures = counts.failed - errors;
    format!(r#" tests="{}" failures="{failures}" errors="{errors}" skipped="{}""#, counts.total, counts.skipped)
}

fn write_case(case: &Case, to: &mut impl Write) -> io::Result<()> {
    let (class, name) = (escape(&case.class), escape(&case.name));
    write!(to, "    <testcase classname=\"{class}\" name=\"{name}\" time=\"{:.3}\"", case.seconds)?;
    match &case.verdict {
        Verdict::Passed => writeln!(to, "/>"),
        Verdict::Skipped { message } => writeln!(to, "><skipped message=\"{}\"/></testcase>", escape(message)),
        Verdict::Failed { error, message, text } => {
            let element = if *error { "error" } else { "failure" };
            writeln!(to, "><{element} message=\"{}\">{}</{element}></testcase>", escape(message), escape(text))
        }
    }
}

/// Escapes for attributes and text alike, and drops what XML can't hold.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\r' => escaped.push_str("&#13;"),
            '\t' => escaped.push_str("&#9;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::super::{first_failures, read, summarise};
    use super::*;

    const PYTEST: &str = r#"<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests"><testsuite name="pytest" errors="1" failures="1" skipped="1" tests="4" time="0.1">
        <testcase classname="dbxdemo.test-addcol" name="test_ok" time="0.01" />
        <testcase classname="dbxdemo.test-addcol" name="test_bad" time="0.02"><failure message="AssertionError: assert 1 == 2&#10;  more">def test_bad():
&gt;   assert 1 == 2 &#169; &odd;</failure></testcase>
        <testcase classname="" name="dbxdemo.test-broken" time="0"><error message="collection failure"><![CDATA[No module <x>]]></error></testcase>
        <testcase classname="c" name="later" time="0"><skipped type="pytest.skip" message="not now">x</skipped></testcase>
        </testsuite></testsuites>"#;

    #[test]
    fn pytests_report_is_counted_and_its_failures_named() {
        let suites = read(PYTEST.as_bytes()).expect("a report");
        let counts = count(&suites);
        assert_eq!((counts.total, counts.passed, counts.failed, counts.skipped), (4, 1, 2, 1));
        let failures = first_failures(&suites);
        assert_eq!(failures[0].name, "dbxdemo.test-addcol::test_bad");
        assert!(failures[0].message.starts_with("AssertionError: assert 1 == 2"));
        assert_eq!(
            summarise(&suites),
            "2 of 4 tests failed; first dbxdemo.test-addcol::test_bad: AssertionError: assert 1 == 2"
        );
        let Verdict::Failed { text, .. } = &suites[0].cases[1].verdict else { panic!("it failed") };
        assert!(text.contains("> ") && text.contains('©') && text.contains("&odd;"), "{text}");
    }

    #[rstest]
    #[case("")]
    #[case("  \n")]
    #[case("<testsuites><testsuite>")]
    #[case("<html></html>")]
    #[case("<testsuites></testsuite>")]
    #[case("not xml")]
    fn what_is_no_report_is_refused(#[case] text: &str) {
        assert!(read(text.as_bytes()).is_err());
    }

    #[test]
    fn a_claim_of_failures_without_tests_counts_as_one() {
        let suites = read(br#"<testsuite name="tool" tests="3" failures="2"/>"#).expect("a report");
        assert_eq!(count(&suites).failed, 1);
    }

    #[test]
    fn nested_suites_count_each_test_once() {
        let text = br#"<testsuites><testsuite name="a" failures="1"><testsuite name="b" failures="1"><testcase name="x"><failure/></testcase></testsuite><testcase name="y"/></testsuite></testsuites>"#;
        let counts = count(&read(text).expect("a report"));
        assert_eq!((counts.total, counts.failed), (2, 1));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_alike(name in ".{0,20}", message in "[^\\r\\n\\t]{0,20}", text in ".{0,20}", failed: bool) {
            let clean = |text: &str| text.chars().filter(|c| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}')).collect::<String>();
            let (name, message, text) = (clean(&name), clean(&message), clean(&text));
            let verdict = if failed { Verdict::Failed { error: false, message, text } } else { Verdict::Skipped { message } };
            let case = Case { class: "c".into(), name: name.clone(), seconds: 1.5, verdict };
            let suites = vec![Suite { name, cases: vec![case] }];
            let mut written = Vec::new();
            write(&suites, &mut written).expect("memory");
            prop_assert_eq!(read(&written), Ok(suites));
        }

        #[test]
        fn junk_is_judged_without_panic(junk in "[<>/a-z=\"&;! \\[\\]]{0,60}") {
            let _ = read(junk.as_bytes());
            let _ = read(format!("<testsuites>{junk}</testsuites>").as_bytes());
        }
    }
}
