//! Nutter prints its verdict when a notebook calls `print(result.to_string())`; this reads that text. What `result.exit` hands
//! over is a Python object, pickled or packed: it is recognised and not read.

use std::io::Read;
use std::sync::LazyLock;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::read::GzDecoder;
use regex::Regex;

use super::case::{Findings, Outcome, TestCase};
use super::pattern::pattern;

/// The class of what is handed over, as both kinds name it.
const CLASS: &[u8] = b"testresult";
/// It stands at the front.
const FRONT: u64 = 4096;

static HEADER: LazyLock<Regex> = LazyLock::new(|| pattern(r"^Notebook: .* - Lifecycle State: .*, Result: .*$"));
static TEST: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(\S.*) \([0-9.eE+-]+ seconds\)$"));

/// Reads all Nutter results of a text; `None` if it holds none.
#[must_use]
pub fn read(text: &str) -> Option<Findings> {
    let (mut findings, mut seen) = (Findings::default(), false);
    let (mut outcome, mut failing): (Option<Outcome>, Option<(String, String)>) = (None, None);
    for line in text.lines().map(str::trim_end) {
        let section = match line {
            "FAILING TESTS" => Some(Some(Outcome::Failed)),
            "PASSING TESTS" => Some(Some(Outcome::Passed)),
            _ if HEADER.is_match(line) || is_end(line) => Some(None),
            _ => None,
        };
        seen |= HEADER.is_match(line);
        let found = outcome.and_then(|outcome| Some((outcome, TEST.captures(line)?)));
        if section.is_some() || found.is_some() {
            flush(&mut findings, failing.take());
        }
        match (section, found) {
            (Some(next), _) => outcome = next.filter(|_| seen),
            (None, Some((Outcome::Failed, name))) => failing = Some((name[1].to_owned(), String::new())),
            (None, Some((passed, name))) => findings.push(TestCase::new(&name[1], passed, "", "")),
            (None, None) => {
                if let Some((_, trace)) = &mut failing {
                    trace.push_str(line);
                    trace.push('\n');
                }
            }
        }
    }
    flush(&mut findings, failing);
    seen.then_some(findings)
}

/// Whether an exit value is what `result.exit(dbutils)` hands over: base64 of a pickle, of newer versions of packed JSON.
/// Databricks shows nothing that a notebook printed before it, so nothing else tells whether its tests passed.
#[must_use]
pub fn is_handed_over(value: &str) -> bool {
    let text: Vec<u8> = value.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let Ok(bytes) = BASE64_STANDARD.decode(text) else { return false };
    let mut front = Vec::new();
    match bytes.as_slice() {
        [0x80, 2..=5, ..] => drop(bytes.as_slice().take(FRONT).read_to_end(&mut front)),
        [0x1f, 0x8b, ..] => drop(GzDecoder::new(bytes.as_slice()).take(FRONT).read_to_end(&mut front)),
        _ => {}
    }
    front.windows(CLASS.len()).any(|window| window == CLASS)
}

/// What is to be done so that the verdict can be read.
#[must_use]
pub fn handed_over() -> Findings {
    let mut findings = Findings::default();
    let message = "result.exit(dbutils) hands over what only Nutter reads: call print(result.to_string()) instead";
    findings.push(TestCase::new("nutter", Outcome::Error, message, ""));
    findings
}

fn is_end(line: &str) -> bool {
    line.len() == 60 && line.chars().all(|c| c == '=')
}

/// The last words of a failing test's block are its exception.
fn flush(findings: &mut Findings, failing: Option<(String, String)>) {
    if let Some((name, trace)) = failing {
        let message = trace.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("failed");
        findings.push(TestCase::new(&name, Outcome::Failed, message, trace.trim()));
    }
}
