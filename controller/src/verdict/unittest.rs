//! Unittest prints its verdict as text; this reads it, at any verbosity and with other output in between.

use std::collections::HashSet;
use std::sync::LazyLock;

use regex::Regex;

use super::case::{Findings, Outcome, TestCase, exception};
use super::pattern::pattern;

static RAN: LazyLock<Regex> = LazyLock::new(|| pattern(r"^Ran (\d+) tests? in \d+\.\d{3}s$"));
/// Output without a line end may stand before it.
static FAILED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"FAILED \(((?:(?:failures|errors|skipped|expected failures|unexpected successes)=\d+(?:, )?)+)\)")
});
static ENDED: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?:^|\W)OK(?: \((.*)\))?$|FAILED \(|NO TESTS RAN"));
static BLOCK: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(FAIL|ERROR|UNEXPECTED SUCCESS): (.+)$"));
static TEST: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^\s*(\w+) \(([\w.<>]*[\w>])\)((?: \[.*\])?(?: \(.*\))?)(?: \.\.\. ?(.*))?$"));
static RESULT: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^(ok|FAIL|ERROR|expected failure|unexpected success|skipped (.*))$"));
static DOCUMENTED: LazyLock<Regex> = LazyLock::new(|| pattern(r"^.* \.\.\. ?(.*)$"));

/// Reads all unittest runs of a text; `None` if it holds none.
#[must_use]
pub fn read(text: &str) -> Option<Findings> {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let mut findings = Findings::default();
    let mut seen = false;
    let mut start = 0;
    while start < lines.len() {
        let (end, ran) = end_of_run(&lines, start);
        let run = Run::read(&lines[start..end], ran);
        seen |= ran.is_some() || !run.findings.cases.is_empty();
        run.findings.cases.into_iter().for_each(|case| findings.push(case));
        start = end;
    }
    seen.then_some(findings)
}

/// Where the run that begins at `start` ends (after its verdict), and how many tests it says it ran.
fn end_of_run(lines: &[&str], start: usize) -> (usize, Option<usize>) {
    let found = lines[start..].iter().enumerate().find_map(|(at, line)| Some((start + at, RAN.captures(line)?)));
    let Some((at, captures)) = found else { return (lines.len(), None) };
    // The verdict follows after an empty line; other output may be in between.
    let near = lines.len().min(at + 8);
    let next = lines[at + 1..near].iter().position(|line| RAN.is_match(line)).map_or(near, |next| at + 1 + next);
    let verdict = lines[at + 1..next].iter().position(|line| ENDED.is_match(line));
    (verdict.map_or(at + 1, |verdict| at + verdict + 2), Some(captures[1].parse().unwrap_or(usize::MAX)))
}

/// One run of unittest while it is read.
#[derive(Default)]
struct Run {
    findings: Findings,
    /// Tests that were announced and whose result has not been seen.
    open: Vec<String>,
}

impl Run {
    fn read(lines: &[&str], ran: Option<usize>) -> Self {
        let mut run = Self::default();
        let body = lines.iter().position(|line| is_rule(line, '=')).unwrap_or(lines.len());
        run.read_progress(&lines[..body]);
        run.read_blocks(&lines[body..]);
        run.close(ran.is_some());
        run.count(lines, ran);
        run
    }

    /// The lines of verbosity 2: `test_x (__main__.T.test_x) ... ok`, possibly over several lines.
    fn read_progress(&mut self, lines: &[&str]) {
        let mut awaiting: Option<String> = None;
        for line in lines {
            if let Some((name, rest)) = announced(line) {
                self.open.extend(awaiting.take());
                awaiting = self.resolve(name, rest);
            } else if let Some(name) = awaiting.take() {
                // After the announcement come the docstring, what the test prints, and the result.
                let documented =
                    DOCUMENTED.captures(line).and_then(|captures| captures.get(1)).map(|rest| rest.as_str());
                let rest = if RESULT.is_match(line) { Some(*line) } else { documented };
                awaiting = self.resolve(name, rest);
            }
        }
        self.open.extend(awaiting);
    }

    /// Adds the case if `rest` is a result, otherwise gives the name back.
    fn resolve(&mut self, name: String, rest: Option<&str>) -> Option<String> {
        let Some(captures) = rest.and_then(|rest| RESULT.captures(rest.trim())) else { return Some(name) };
        let reason = captures.get(2).map_or("", |reason| reason.as_str()).trim_matches(['\'', '"']);
        let (outcome, message) = match &captures[1] {
            "ok" | "expected failure" => (Outcome::Passed, ""),
            "FAIL" => (Outcome::Failed, "failed"),
            "ERROR" => (Outcome::Error, "error"),
            "unexpected success" => (Outcome::Failed, "unexpected success"),
            _ => (Outcome::Skipped, reason),
        };
        self.findings.push(TestCase::new(&name, outcome, message, ""));
        None
    }

    /// The blocks between rules: the header, and the traceback up to the next block or the end.
    fn read_blocks(&mut self, lines: &[&str]) {
        let starts: Vec<usize> = (0..lines.len()).filter(|at| block(lines, *at).is_some()).collect();
        for (index, start) in starts.iter().enumerate() {
            let end = starts.get(index + 1).copied().unwrap_or_else(|| end_of_blocks(lines));
            if let Some((kind, test)) = block(lines, *start) {
                self.read_block(kind, test, &lines[(start + 2).min(end)..end]);
            }
        }
    }

    fn read_block(&mut self, kind: &str, test: &str, lines: &[&str]) {
        // Docstring lines stand between the header and the rule.
        let body = lines.iter().position(|line| is_rule(line, '-')).map_or(0, |rule| rule + 1);
        let traceback = lines[body..].join("\n");
        let (outcome, message) = match kind {
            "FAIL" => (Outcome::Failed, exception(&traceback)),
            "ERROR" => (Outcome::Error, exception(&traceback)),
            _ => (Outcome::Failed, "unexpected success"),
        };
        let name = announced(test).map_or_else(|| test.to_owned(), |(name, _)| name);
        // The progress lines knew only that it failed.
        let case = TestCase::new(&name, outcome, message, traceback.trim());
        self.findings.complete(case, |known| known.traceback.is_empty());
    }

    /// Decides about tests without a printed result: in a finished run they passed (failures have blocks), unless a part of them
    /// is listed; in an unfinished one nothing is known.
    fn close(&mut self, finished: bool) {
        let known: HashSet<String> = self.findings.cases.iter().map(|case| base(&case.name).to_owned()).collect();
        let open = std::mem::take(&mut self.open).into_iter().filter(|name| !known.contains(base(name)));
        let (outcome, message) =
            if finished { (Outcome::Passed, "") } else { (Outcome::Error, "no result was printed") };
        for name in open {
            self.findings.push(TestCase::new(&name, outcome, message, ""));
        }
    }

    /// Makes the cases agree with the numbers in the verdict; a run without verdict is a failure.
    fn count(&mut self, lines: &[&str], ran: Option<usize>) {
        let failed = lines.iter().find_map(|line| FAILED.captures(line));
        let passed = lines.iter().rev().find_map(|line| ENDED.captures(line));
        let numbers = failed.as_ref().or(passed.as_ref()).and_then(|captures| captures.get(1));
        let number = |word: &str| count_of(numbers.map_or("", |numbers| numbers.as_str()), word);
        let claimed =
            number("failures").saturating_add(number("errors")).saturating_add(number("unexpected successes"));
        let named = self.findings.cases.iter().filter(|case| case.outcome.is_failure()).count();
        let least = if failed.is_some() { claimed.max(1) } else { claimed };
        self.findings.fill(Outcome::Failed, least, named);
        let skipped = self.findings.count(Outcome::Skipped);
        let distinct: HashSet<&str> =
            self.findings.cases.iter().map(|case| base(&case.name)).filter(|name| counts(name)).collect();
        let named = distinct.len().saturating_add(number("skipped").saturating_sub(skipped));
        self.findings.fill(Outcome::Skipped, number("skipped"), skipped);
        self.findings.fill(Outcome::Passed, ran.unwrap_or(0), named);
        if ran.is_some() && passed.is_none() {
            self.findings.push(TestCase::new(
                "unittest",
                Outcome::Error,
                "the verdict after the number of tests is missing",
                "",
            ));
        }
    }
}

/// Reads `test_x (__main__.T.test_x) (i=1) ... rest`: the test's name without the module, and the rest if the dots are there.
fn announced(line: &str) -> Option<(String, Option<&str>)> {
    let captures = TEST.captures(line)?;
    let (method, path) = (captures.get(1)?.as_str(), captures.get(2)?.as_str());
    // Other words in front of parentheses are prose.
    if !method.starts_with("test") && method != "runTest" && !path.starts_with("__main__") && counts(method) {
        return None;
    }
    let part = captures.get(3).map_or("", |part| part.as_str());
    let inner = path.strip_prefix("__main__.").unwrap_or(path);
    // Since Python 3.11 the path ends with the method.
    let ends = inner == method || inner.ends_with(&format!(".{method}"));
    let name = if ends { format!("{inner}{part}") } else { format!("{inner}.{method}{part}") };
    Some((name, captures.get(4).map(|rest| rest.as_str())))
}

/// The test a subtest belongs to.
fn base(name: &str) -> &str {
    name.split(' ').next().unwrap_or(name)
}

/// Whether unittest counts it as a test: set-up and tear-down of classes and modules are not.
fn counts(name: &str) -> bool {
    let method = name.rsplit('.').next().unwrap_or(name);
    !matches!(method, "setUpClass" | "tearDownClass" | "setUpModule" | "tearDownModule")
}

/// Unittest rules off with 70 equal characters.
fn is_rule(line: &str, character: char) -> bool {
    line.len() == 70 && line.chars().all(|c| c == character)
}

fn block<'a>(lines: &[&'a str], at: usize) -> Option<(&'a str, &'a str)> {
    let captures = is_rule(lines[at], '=').then(|| BLOCK.captures(lines.get(at + 1)?)).flatten()?;
    Some((captures.get(1)?.as_str(), captures.get(2)?.as_str()))
}

/// The rule before `Ran N tests`, or the end.
fn end_of_blocks(lines: &[&str]) -> usize {
    let ran = lines.iter().position(|line| RAN.is_match(line)).unwrap_or(lines.len());
    let rule = ran.checked_sub(1).filter(|before| is_rule(lines[*before], '-'));
    rule.unwrap_or(ran)
}

/// The number after `word=` in `failures=1, errors=2`.
fn count_of(numbers: &str, word: &str) -> usize {
    let pairs = numbers.split(", ").filter_map(|pair| pair.split_once('='));
    pairs.filter(|(key, _)| *key == word).find_map(|(_, number)| number.parse().ok()).unwrap_or(0)
}
