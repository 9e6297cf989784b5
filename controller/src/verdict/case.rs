//! A case is one test that ran inside a notebook, as its framework printed it.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// Cases kept of one notebook at most; beyond it only failures are added.
pub const MAX_CASES: usize = 10_000;
/// Longest name of a case, in characters.
pub const MAX_NAME: usize = 300;
/// Longest message, in characters.
pub const MAX_MESSAGE: usize = 500;
/// Longest traceback, in characters; its end is kept.
pub const MAX_TRACEBACK: usize = 8000;

/// One test and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestCase {
    /// The test, such as `TestNotebook.test_with_status`.
    pub name: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The assertion or exception on one line, or why it was skipped; empty if it passed.
    pub message: String,
    /// The traceback as printed; empty if there was none.
    pub traceback: String,
}

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// As expected; includes failures the test's author expects.
    Passed,
    /// An assertion did not hold, or a test that should fail did not.
    Failed,
    /// Something else went wrong.
    Error,
    /// Not run.
    Skipped,
}

impl Outcome {
    /// Whether it makes the notebook fail.
    #[must_use]
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Error)
    }
}

impl TestCase {
    /// A case with texts cut to their bounds.
    #[must_use]
    pub fn new(name: &str, outcome: Outcome, message: &str, traceback: &str) -> Self {
        let name = cut(&one_line(name), MAX_NAME);
        let message = cut(&one_line(message), MAX_MESSAGE);
        Self { name, outcome, message, traceback: cut_front(traceback.trim_end(), MAX_TRACEBACK) }
    }
}

/// What one framework said in one text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Findings {
    /// The tests. Those the framework only counted are numbered.
    pub cases: Vec<TestCase>,
    /// Where a failure is among the cases: texts may hold very many.
    #[serde(skip)]
    failures: HashMap<(String, Outcome), usize>,
}

impl Findings {
    /// Adds a case unless the bound is reached; failures always count, up to twice the bound.
    pub fn push(&mut self, case: TestCase) {
        let most = if case.outcome.is_failure() { 2 * MAX_CASES } else { MAX_CASES };
        if self.cases.len() < most {
            if case.outcome.is_failure() {
                self.failures.entry((case.name.clone(), case.outcome)).or_insert(self.cases.len());
            }
            self.cases.push(case);
        }
    }

    /// Adds a failure, or completes the one of the same name and kind that is already there and lacks what `case` knows.
    pub fn complete(&mut self, case: TestCase, lacks: impl Fn(&TestCase) -> bool) {
        let at = self.failures.get(&(case.name.clone(), case.outcome));
        match at.and_then(|at| self.cases.get_mut(*at)) {
            Some(known) if lacks(known) => *known = case,
            Some(known) if *known == case => {}
            _ => self.push(case),
        }
    }

    /// Adds as many cases as are missing to `claimed`: the framework counted them without printing their names.
    pub fn fill(&mut self, outcome: Outcome, claimed: usize, named: usize) {
        let word = match outcome {
            Outcome::Passed => "passed",
            Outcome::Failed | Outcome::Error => "failed",
            Outcome::Skipped => "skipped",
        };
        let missing = claimed.saturating_sub(named).min(MAX_CASES);
        for number in 1..=missing {
            let message = if outcome.is_failure() { "counted as failed, its name was not printed" } else { "" };
            self.push(TestCase::new(&format!("({word} {number})"), outcome, message, ""));
        }
    }

    /// How many cases ended so.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.cases.iter().filter(|case| case.outcome == outcome).count()
    }
}

/// A text on one line, without control characters.
#[must_use]
pub fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// The first `most` characters, with an ellipsis if there were more.
#[must_use]
pub fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// The last `most` characters, with an ellipsis if there were more.
fn cut_front(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    ['…'].into_iter().chain(text.chars().skip(count + 1 - most)).collect()
}

/// Longest end of a traceback that goes into a status, in characters.
const MAX_TAIL: usize = 400;

/// The last lines of a traceback: the frame that raised, and the exception.
#[must_use]
pub fn tail(traceback: &str) -> String {
    let lines: Vec<&str> = traceback.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines.iter().rposition(|line| line.starts_with("  File \"")).unwrap_or(lines.len().saturating_sub(3));
    cut_front(lines.get(last..).unwrap_or_default().join("\n").trim_end(), MAX_TAIL)
}

/// The exception of a Python traceback on one line: the first line after the last frame that isn't indented.
#[must_use]
pub fn exception(traceback: &str) -> &str {
    let lines: Vec<&str> = traceback.lines().collect();
    let after = lines.iter().rposition(|line| line.starts_with("  File \"")).map_or(0, |at| at + 1);
    let told = lines[after..].iter().find(|line| !line.trim().is_empty() && !line.starts_with([' ', '\t']));
    told.or_else(|| lines.iter().rev().find(|line| !line.trim().is_empty())).map_or("", |line| line.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_bounded_at_characters() {
        assert_eq!((cut("ääää", 4).as_str(), cut("äääää", 4).as_str()), ("ääää", "äää…"));
        assert_eq!((cut_front("abcd", 4).as_str(), cut_front("abcde", 4).as_str()), ("abcd", "…cde"));
        assert_eq!(one_line(" a\n\tb\u{7}c "), "a b c");
    }

    #[test]
    fn the_exception_is_the_line_after_the_last_frame() {
        let chained = "Traceback (most recent call last):\n  File \"a\", line 1, in f\n    x()\n    ~~^^\nValueError: inner\n\n\
            During handling of the above exception, another exception occurred:\n\n  File \"b\", line 2, in g\n    y()\n\
            mod.OuterError: 1 != 2\n- 1\n+ 2\n";
        assert_eq!(exception(chained), "mod.OuterError: 1 != 2");
        assert_eq!(tail(chained), "  File \"b\", line 2, in g\n    y()\nmod.OuterError: 1 != 2\n- 1\n+ 2");
        assert_eq!((tail("a\n\nb\nc\nd").as_str(), tail("").as_str()), ("b\nc\nd", ""));
        assert_eq!(exception("no frames\nat all\n\n"), "no frames");
        assert_eq!(exception(""), "");
    }
}
