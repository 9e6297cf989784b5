//! Pytest prints its verdict as text; this reads its summary, its short lines and the sections of its failures.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;

use super::case::{Findings, Outcome, TestCase};
use super::pattern::pattern;

/// `2 failed, 1 passed in 0.12s`, with or without the frame of equal signs.
static SUMMARY: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"((?:\d+ (?:failed|passed|skipped|errors?|xfailed|xpassed|deselected|warnings?|rerun)(?:, )?)+) in \d+\.\d+s",
    )
});
static SHORT: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(FAILED|ERROR) (\S+\.py(?:::.+?)?)(?: - (.*))?$"));
static VERBOSE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^(\S+\.py::.+?) (PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)(?: \((.*)\))?\s+\[\s*\d+%\]$")
});
static SECTION: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^_{3,} (?:ERROR (?:at (?:setup|teardown) of |collecting ))?(.+?) _{3,}$"));

/// Reads all pytest runs of a text; `None` if it holds none.
#[must_use]
pub fn read(text: &str) -> Option<Findings> {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let sections = sections(&lines);
    let mut findings = Findings::default();
    let (mut seen, mut run) = (false, Findings::default());
    for line in lines {
        read_line(line, &sections, &mut run);
        if let Some(summary) = SUMMARY.captures(line) {
            seen = true;
            count(&mut run, &summary[1]);
            std::mem::take(&mut run).cases.into_iter().for_each(|case| findings.push(case));
        }
    }
    run.cases.into_iter().for_each(|case| findings.push(case));
    (seen || !findings.cases.is_empty()).then_some(findings)
}

fn read_line(line: &str, sections: &HashMap<String, String>, run: &mut Findings) {
    if let Some(captures) = VERBOSE.captures(line) {
        let reason = captures.get(3).map_or("", |reason| reason.as_str());
        put(run, case(&captures[1], &captures[2], reason, sections));
    } else if let Some(captures) = SHORT.captures(line) {
        let message = captures.get(3).map_or("", |message| message.as_str());
        put(run, case(&captures[2], &captures[1], message, sections));
    }
}

fn case(node: &str, word: &str, message: &str, sections: &HashMap<String, String>) -> TestCase {
    let outcome = match word {
        "PASSED" | "XFAIL" | "XPASS" => Outcome::Passed,
        "FAILED" => Outcome::Failed,
        "ERROR" => Outcome::Error,
        _ => Outcome::Skipped,
    };
    let section = sections.get(&title(node)).filter(|_| outcome.is_failure()).map_or("", String::as_str);
    // The short line cuts the message to the width of a terminal; the section has all of it.
    let told = section.lines().find_map(|line| line.strip_prefix("E ")).map(str::trim).filter(|told| !told.is_empty());
    let message = if outcome == Outcome::Passed { "" } else { told.unwrap_or(message) };
    TestCase::new(node, outcome, message, section)
}

/// A failure may be named twice, in the progress and in the short summary; then it is one.
fn put(run: &mut Findings, case: TestCase) {
    if case.outcome.is_failure() {
        run.complete(case, |known| known.message.is_empty());
    } else {
        run.push(case);
    }
}

/// The sections below `FAILURES` and `ERRORS`, by title.
fn sections(lines: &[&str]) -> HashMap<String, String> {
    let mut sections = HashMap::new();
    let mut current: Option<String> = None;
    for line in lines {
        if let Some(captures) = SECTION.captures(line) {
            current = Some(captures[1].to_owned());
        } else if line.starts_with("===") {
            current = None;
        } else if let Some(title) = &current {
            let text: &mut String = sections.entry(title.clone()).or_default();
            text.push_str(line);
            text.push('\n');
        }
    }
    sections
}

/// The title of a node's section: `a.py::T::test_x[1]` is headed `T.test_x[1]`; a file that can't be collected by its path.
fn title(node: &str) -> String {
    node.split_once("::").map_or_else(|| node.to_owned(), |(_, test)| test.replace("::", "."))
}

/// Makes the cases agree with the summary's numbers.
fn count(run: &mut Findings, summary: &str) {
    let number = |words: &[&str]| -> usize {
        let pairs = summary.split(", ").filter_map(|pair| pair.split_once(' '));
        let known = pairs.filter(|(_, word)| words.contains(word));
        known.filter_map(|(number, _)| number.parse::<usize>().ok()).fold(0, usize::saturating_add)
    };
    for (outcome, words) in [
        (Outcome::Failed, &["failed"][..]),
        (Outcome::Error, &["error", "errors"]),
        (Outcome::Passed, &["passed", "xfailed", "xpassed"]),
        (Outcome::Skipped, &["skipped"]),
    ] {
        let named = run.count(outcome);
        run.fill(outcome, number(words), named);
    }
}
