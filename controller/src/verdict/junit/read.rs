//! Reading: the numbers and the first failures of a report, whoever wrote it. Cases count, not the numbers the report claims of
//! itself; only where it claims more failures than it shows, the claim holds.

use std::time::Duration;

use quick_xml::Reader;
use quick_xml::escape::{resolve_predefined_entity, unescape};
use quick_xml::events::{BytesStart, Event};
use serde::Serialize;

use crate::verdict::case::{MAX_MESSAGE, MAX_NAME, cut, one_line};

/// Largest report that is read, in bytes.
pub const MAX_REPORT: usize = 32 << 20;
/// Longest text taken of one failure, in bytes, before it is cut to a message.
const MAX_TEXT: usize = 4 * MAX_MESSAGE;

/// What a report says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ReportSummary {
    /// All cases.
    pub total: u64,
    /// Cases without failure, error or skip mark.
    pub passed: u64,
    /// Cases with a failure or an error.
    pub failed: u64,
    /// Cases not run.
    pub skipped: u64,
    /// The time of all cases together.
    pub time: Duration,
    /// The first failures, as many as were asked for.
    pub failures: Vec<TestFailure>,
}

/// A failed case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TestFailure {
    /// Class and name, such as `test_demo.TestGroup.test_n[2]`.
    pub name: String,
    /// The assertion on one line.
    pub message: String,
}

/// Why a report can't be read; such a report counts as a failure, not as none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JunitError {
    /// Larger than [`MAX_REPORT`].
    #[error("the report is larger than {MAX_REPORT} bytes")]
    TooLarge,
    /// Not well-formed, or it ends in the middle.
    #[error("the report is not XML: {0}")]
    Xml(String),
    /// No `testsuites` or `testsuite` element.
    #[error("the file is not a JUnit report")]
    NotJunit,
}

/// Reads a report and keeps the first `most` failures.
///
/// # Errors
/// [`JunitError`] if it is too large, broken or something else.
pub fn read(xml: &[u8], most: usize) -> Result<ReportSummary, JunitError> {
    if xml.len() > MAX_REPORT {
        return Err(JunitError::TooLarge);
    }
    // Other encodings than UTF-8 are rare and lose some letters at most: names and numbers stay readable.
    let text = String::from_utf8_lossy(xml);
    let mut reader = Reader::from_str(&text);
    reader.config_mut().expand_empty_elements = true;
    let mut scan = Scan { most, ..Scan::default() };
    loop {
        match reader.read_event().map_err(|error| JunitError::Xml(error.to_string()))? {
            Event::Start(element) => scan.open(&element),
            Event::End(element) => scan.close(element.local_name().as_ref()),
            Event::Text(text) => scan.text(&text),
            Event::CData(text) => scan.text(&text),
            Event::GeneralRef(name) => scan.entity(&name),
            Event::Eof => return scan.finish(),
            _ => {}
        }
    }
}

#[derive(Default)]
struct Scan {
    most: usize,
    depth: usize,
    known: bool,
    /// The most failures any element claims.
    claimed: u64,
    case: Option<OpenCase>,
    summary: ReportSummary,
}

#[derive(Default)]
struct OpenCase {
    name: String,
    failed: bool,
    skipped: bool,
    message: String,
    text: String,
    /// Inside its failure or error element.
    within: bool,
}

impl Scan {
    fn open(&mut self, element: &BytesStart<'_>) {
        self.depth += 1;
        match element.local_name().as_ref() {
            "testsuites" | "testsuite" => self.suite(element),
            "testcase" => self.begin(element),
            "failure" | "error" => self.fail(element),
            "skipped" => self.case.iter_mut().for_each(|case| case.skipped = true),
            _ => {}
        }
    }

    fn suite(&mut self, element: &BytesStart<'_>) {
        self.known = true;
        let number = |key| attribute(element, key).and_then(|value| value.trim().parse::<u64>().ok()).unwrap_or(0);
        self.claimed = self.claimed.max(number("failures").saturating_add(number("errors")));
    }

    fn begin(&mut self, element: &BytesStart<'_>) {
        let of = |key| attribute(element, key).unwrap_or_default();
        let (class, name) = (of("classname"), of("name"));
        let name = if class.is_empty() { name } else { format!("{class}.{name}") };
        let seconds = of("time").trim().parse::<f64>().ok();
        self.summary.time += seconds.and_then(|s| Duration::try_from_secs_f64(s).ok()).unwrap_or_default();
        self.case = Some(OpenCase { name: cut(&one_line(&name), MAX_NAME), ..OpenCase::default() });
    }

    fn fail(&mut self, element: &BytesStart<'_>) {
        let Some(case) = &mut self.case else { return };
        if !case.failed {
            case.message = attribute(element, "message").unwrap_or_default();
            case.within = true;
        }
        case.failed = true;
    }

    fn text(&mut self, text: &str) {
        if let Some(case) = self.case.as_mut().filter(|case| case.within && case.text.len() < MAX_TEXT) {
            case.text.push_str(&cut(text, MAX_TEXT));
        }
    }

    /// Entities other than XML's own are not expanded.
    fn entity(&mut self, name: &str) {
        let known = resolve_predefined_entity(name).map(str::to_owned);
        let text = known.unwrap_or_else(|| crate::verdict::markup::unescape(&format!("&{name};")));
        self.text(&text);
    }

    fn close(&mut self, name: &str) {
        self.depth = self.depth.saturating_sub(1);
        match name {
            "failure" | "error" => self.case.iter_mut().for_each(|case| case.within = false),
            "testcase" => self.end(),
            _ => {}
        }
    }

    fn end(&mut self) {
        let Some(case) = self.case.take() else { return };
        self.summary.total += 1;
        if !case.failed {
            *if case.skipped { &mut self.summary.skipped } else { &mut self.summary.passed } += 1;
            return;
        }
        self.summary.failed += 1;
        if self.summary.failures.len() < self.most {
            let told = if case.message.trim().is_empty() { &case.text } else { &case.message };
            self.summary.failures.push(TestFailure { name: case.name, message: cut(&one_line(told), MAX_MESSAGE) });
        }
    }

    fn finish(mut self) -> Result<ReportSummary, JunitError> {
        if !self.known {
            return Err(JunitError::NotJunit);
        }
        if self.depth > 0 {
            return Err(JunitError::Xml("it ends in the middle".to_owned()));
        }
        let hidden = self.claimed.saturating_sub(self.summary.failed);
        self.summary.failed += hidden;
        self.summary.total += hidden;
        Ok(self.summary)
    }
}

fn attribute(element: &BytesStart<'_>, key: &str) -> Option<String> {
    let found = element.attributes().filter_map(Result::ok).find(|attribute| attribute.key.as_ref() == key)?;
    let raw = found.value.into_owned();
    Some(unescape(&raw).map(std::borrow::Cow::into_owned).unwrap_or(raw))
}
