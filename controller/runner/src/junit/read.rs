//! Reading takes what all the dialects share and refuses only what isn't a report.

use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::{Case, Suite, Verdict};

/// The most test cases of one report.
const MAX_CASES: usize = 200_000;
/// The longest text kept of one failure, in bytes.
const MAX_TEXT: usize = 16 * 1024;
/// How deep suites may lie in each other.
const MAX_DEPTH: usize = 64;

/// Why something isn't a report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a readable JUnit report: {0}")]
pub struct Broken(String);

/// Reads one report.
pub fn read(content: &[u8]) -> Result<Vec<Suite>, Broken> {
    let text = String::from_utf8_lossy(content);
    let mut reader = Reader::from_str(&text);
    let mut state = State::default();
    loop {
        match reader.read_event().map_err(|error| Broken(error.to_string()))? {
            Event::Start(element) => state.open(&element, false)?,
            Event::Empty(element) => state.open(&element, true)?,
            Event::End(element) => state.close(element.local_name().as_ref()),
            Event::Text(text) => state.text(&text.xml10_content()),
            Event::CData(text) => state.text(&text.xml10_content()),
            Event::GeneralRef(reference) => state.text(&resolve(&reference)),
            Event::Eof => return state.finish(),
            _ => {}
        }
    }
}

/// Suites in which the reader stands, the test in which it stands, and what is finished.
#[derive(Default)]
struct State {
    finished: Vec<Suite>,
    open: Vec<Suite>,
    case: Option<Case>,
    /// Whether text belongs to a failure.
    failing: bool,
    depth: usize,
    root: bool,
    cases: usize,
}

impl State {
    fn open(&mut self, element: &BytesStart<'_>, empty: bool) -> Result<(), Broken> {
        let name = element.local_name();
        let name: &str = name.as_ref();
        self.expect_root(name)?;
        match name {
            "testsuite" => self.open_suite(element)?,
            "testcase" => self.open_case(element)?,
            "failure" | "error" => self.fail(name == "error", attribute(element, "message")),
            "skipped" => self.skip(attribute(element, "message")),
            _ => {}
        }
        self.depth += 1;
        if empty {
            self.close(name);
        }
        Ok(())
    }

    fn expect_root(&mut self, name: &str) -> Result<(), Broken> {
        if self.depth > 0 || matches!(name, "testsuites" | "testsuite") {
            self.root = true;
            return Ok(());
        }
        Err(Broken(format!("its root is {name:?}")))
    }

    fn open_suite(&mut self, element: &BytesStart<'_>) -> Result<(), Broken> {
        if self.open.len() == MAX_DEPTH {
            return Err(Broken("too many suites in each other".into()));
        }
        let name = attribute(element, "name");
        let mut suite = Suite { name, cases: Vec::new() };
        suite.cases.extend(claimed_failure(element, &suite.name));
        self.open.push(suite);
        Ok(())
    }

    fn open_case(&mut self, element: &BytesStart<'_>) -> Result<(), Broken> {
        self.cases += 1;
        if self.cases > MAX_CASES {
            return Err(Broken(format!("more than {MAX_CASES} tests")));
        }
        let seconds = attribute(element, "time").parse().ok().filter(|seconds: &f64| seconds.is_finite());
        let (class, name) = (attribute(element, "classname"), attribute(element, "name"));
        self.case = Some(Case { class, name, seconds: seconds.unwrap_or(0.0), verdict: Verdict::Passed });
        Ok(())
    }

    fn fail(&mut self, error: bool, message: String) {
        if let Some(case) = &mut self.case
            && !matches!(case.verdict, Verdict::Failed { .. })
        {
            case.verdict = Verdict::Failed { error, message, text: String::new() };
        }
        self.failing = true;
    }

    fn skip(&mut self, message: String) {
        if let Some(case) = &mut self.case
            && case.verdict == Verdict::Passed
        {
            case.verdict = Verdict::Skipped { message };
        }
    }

    fn text(&mut self, more: &str) {
        if let (true, Some(Case { verdict: Verdict::Failed { text, .. }, .. })) = (self.failing, &mut self.case)
            && text.len() + more.len() <= MAX_TEXT
        {
            text.push_str(more);
        }
    }

    fn close(&mut self, name: &str) {
        self.depth = self.depth.saturating_sub(1);
        match name {
            "failure" | "error" => self.failing = false,
            "testcase" => self.close_case(),
            "testsuite" => self.finished.extend(self.open.pop().map(without_claim)),
            _ => {}
        }
    }

    fn close_case(&mut self) {
        let Some(case) = self.case.take() else { return };
        if self.open.is_empty() {
            self.open.push(Suite::default());
        }
        if let Some(suite) = self.open.last_mut() {
            suite.cases.push(case);
        }
    }

    fn finish(mut self) -> Result<Vec<Suite>, Broken> {
        if !self.root {
            return Err(Broken("it is empty".into()));
        }
        if self.depth > 0 {
            return Err(Broken("it ends within an element".into()));
        }
        self.finished.extend(self.open.pop());
        self.finished.retain(|suite| !suite.cases.is_empty());
        Ok(self.finished)
    }
}

/// A suite may claim failures and list no test; they must not be lost.
fn claimed_failure(element: &BytesStart<'_>, suite: &str) -> Option<Case> {
    let claimed = |name| attribute(element, name).parse::<u64>().unwrap_or(0);
    let (failures, errors) = (claimed("failures"), claimed("errors"));
    let message = format!("the suite counts {failures} failures and {errors} errors and lists no test");
    let verdict = Verdict::Failed { error: failures == 0, message, text: String::new() };
    (failures + errors > 0).then(|| Case { name: suite.to_owned(), verdict, ..Case::default() })
}

/// Drops the claim if the suite lists tests after all.
fn without_claim(mut suite: Suite) -> Suite {
    let claims =
        |case: &Case| matches!(&case.verdict, Verdict::Failed { message, .. } if message.ends_with("lists no test"));
    if suite.cases.len() > 1 && suite.cases.first().is_some_and(claims) {
        suite.cases.remove(0);
    }
    suite
}

fn attribute(element: &BytesStart<'_>, name: &str) -> String {
    let attribute = element.try_get_attribute(name).ok().flatten();
    let Some(attribute) = attribute else { return String::new() };
    let value = attribute.normalized_value(XmlVersion::Explicit1_0).map(std::borrow::Cow::into_owned);
    value.unwrap_or_else(|_| attribute.value.to_string())
}

/// Character references and XML's own five names; others stay as they're written.
fn resolve(reference: &BytesRef<'_>) -> String {
    if let Ok(Some(character)) = reference.resolve_char_ref() {
        return character.to_string();
    }
    let name = reference.xml10_content();
    match quick_xml::escape::resolve_xml_entity(&name) {
        Some(text) => text.to_owned(),
        None => format!("&{name};"),
    }
}
