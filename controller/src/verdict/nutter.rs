//! Nutter prints its verdict when a notebook calls `print(result.to_string())`; this reads that text. What `result.exit` hands
//! over is a Python pickle, which is not read.

use std::sync::LazyLock;

use regex::Regex;

use super::case::{Findings, Outcome, TestCase};
use super::pattern::pattern;

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
