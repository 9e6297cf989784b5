//! JUnit reports: read with tolerance, counted from their test cases, written again as one.

mod read;
mod write;

use brickline_artifact::result::{MAX_FAILURES, TestCounts, TestFailure, bound};

pub use self::read::read;
pub use self::write::write;

/// Test cases under one name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Suite {
    pub name: String,
    pub cases: Vec<Case>,
}

/// One test.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Case {
    pub class: String,
    pub name: String,
    pub seconds: f64,
    pub verdict: Verdict,
}

/// How a test ended.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Verdict {
    #[default]
    Passed,
    Skipped {
        message: String,
    },
    /// Failed, or couldn't run.
    Failed {
        /// Whether it couldn't run (`error` rather than `failure`).
        error: bool,
        message: String,
        text: String,
    },
}

impl Case {
    /// The class and the name, as people look for it.
    fn full_name(&self) -> String {
        if self.class.is_empty() { self.name.clone() } else { format!("{}::{}", self.class, self.name) }
    }
}

/// Counts test cases; the counts that reports claim themselves don't matter.
pub fn count(suites: &[Suite]) -> TestCounts {
    let mut counts = TestCounts::default();
    for case in suites.iter().flat_map(|suite| &suite.cases) {
        counts.total += 1;
        match case.verdict {
            Verdict::Passed => counts.passed += 1,
            Verdict::Skipped { .. } => counts.skipped += 1,
            Verdict::Failed { .. } => counts.failed += 1,
        }
    }
    counts
}

/// The first failing tests with their assertions.
pub fn first_failures(suites: &[Suite]) -> Vec<TestFailure> {
    let cases = suites.iter().flat_map(|suite| &suite.cases);
    let failing = cases.filter_map(|case| match &case.verdict {
        Verdict::Failed { message, text, .. } => {
            let message = if message.trim().is_empty() { text } else { message };
            Some(TestFailure { name: bound(&case.full_name()), message: bound(message) })
        }
        _ => None,
    });
    failing.take(MAX_FAILURES).collect()
}

/// Says how many tests failed, and the first one.
pub fn summarise(suites: &[Suite]) -> String {
    let counts = count(suites);
    let first = first_failures(suites).into_iter().next();
    let first = first.map_or_else(String::new, |first| {
        let line = first.message.lines().next().unwrap_or_default().to_owned();
        format!("; first {}: {line}", first.name)
    });
    format!("{} of {} tests failed{first}", counts.failed, counts.total)
}
