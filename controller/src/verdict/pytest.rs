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

/// The front of a run, unless it is quiet.
static BANNER: LazyLock<Regex> = LazyLock::new(|| pattern(r"^=+ test session starts =+$"));
/// The summary of a run in which no test ran.
static NONE: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(?:=+ )?no tests ran in \d+\.\d+s(?: =+)?$"));
/// It ended before its time: `!!!! KeyboardInterrupt !!!!`.
static BROKEN_OFF: LazyLock<Regex> = LazyLock::new(|| pattern(r"^!{3,} (.+?) !{3,}$"));
static CRASH: &str = "INTERNALERROR> ";
static USAGE: &str = "ERROR: usage: ";

/// Reads all pytest runs of a text; `None` if it holds none. A run that ran no test, crashed or broke off is a failure, as
/// it is by pytest's exit code, which notebooks mostly throw away.
#[must_use]
pub fn read(text: &str) -> Option<Findings> {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let sections = sections(&lines);
    let (mut findings, mut seen, mut run) = (Findings::default(), false, Run::default());
    for (at, line) in lines.iter().enumerate() {
        if BANNER.is_match(line) {
            std::mem::take(&mut run).close(&mut findings);
            run.is_open = true;
        } else if let Some(summary) = SUMMARY.captures(line) {
            seen = true;
            let mut run = std::mem::take(&mut run);
            count(&mut run.findings, &summary[1]);
            run.end(&summary[1], &mut findings);
        } else if NONE.is_match(line) {
            let after = lines.iter().skip(at + 1).find(|line| !line.is_empty());
            let why = after.and_then(|line| line.strip_prefix("ERROR: ")).unwrap_or("no tests ran");
            std::mem::take(&mut run).end(why, &mut findings);
        } else {
            run.read(line, &sections);
        }
    }
    run.close(&mut findings);
    (seen || !findings.cases.is_empty()).then_some(findings)
}

/// One run of pytest while it is read.
#[derive(Default)]
struct Run {
    findings: Findings,
    /// It began and its summary has not been seen.
    is_open: bool,
    /// The lines of its crash.
    crash: String,
    /// Why it ended before its time.
    broken_off: Option<String>,
}

impl Run {
    fn read(&mut self, line: &str, sections: &HashMap<String, String>) {
        if let Some(crash) = line.strip_prefix(CRASH) {
            self.crash.push_str(crash);
            self.crash.push('\n');
        } else if let Some(why) = BROKEN_OFF.captures(line) {
            self.broken_off = Some(why[1].to_owned());
        } else if line.starts_with(USAGE) {
            self.fail("it was called in a way that it does not know", line);
        } else {
            read_line(line, sections, &mut self.findings);
        }
    }

    fn fail(&mut self, why: &str, trace: &str) {
        self.findings.push(TestCase::new("pytest", Outcome::Error, why, trace));
    }

    /// Its summary was read. `said`: what it says, or why no test ran.
    fn end(mut self, said: &str, findings: &mut Findings) {
        if self.findings.cases.is_empty() && self.crash.is_empty() && self.broken_off.is_none() {
            self.fail(&format!("no test ran: {said}"), "");
        }
        self.is_open = false;
        self.close(findings);
    }

    /// There is no more of it.
    fn close(mut self, findings: &mut Findings) {
        let has_failed = self.findings.cases.iter().any(|case| case.outcome.is_failure());
        let crash = std::mem::take(&mut self.crash);
        if !crash.is_empty() {
            self.fail(&format!("it crashed: {}", crash.trim_end().lines().last().unwrap_or_default()), &crash);
        } else if let Some(why) = self.broken_off.take().filter(|_| !has_failed) {
            self.fail(&format!("it broke off: {why}"), "");
        } else if self.is_open {
            self.fail("it ended without its summary", "");
        }
        self.findings.cases.into_iter().for_each(|case| findings.push(case));
    }
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
