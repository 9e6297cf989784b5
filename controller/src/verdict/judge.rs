//! The judge says whether a notebook passed: only if its run succeeded, none of its own tests failed and it was quick enough.

use std::time::Duration;

use brickline_crds::Framework;
use serde::{Deserialize, Serialize};

use super::case::{Findings, MAX_MESSAGE, TestCase, cut, exception, one_line, tail};
use super::export::Export;
use super::{exit_json, markup, nutter, pytest, unittest};
use crate::databricks::runs::{LifeCycle, Output, Run, RunResult, RunState};

/// A finished run as the judge looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunView {
    /// The notebook, as people know it: its path in the repository.
    pub notebook: String,
    /// How the run ended.
    pub state: RunState,
    /// The time the notebook executed, without getting the cluster ready.
    pub execution: Duration,
}

/// Where the texts come from that a notebook's cells printed.
#[derive(Debug, Clone, Copy)]
pub enum Cells<'a> {
    /// The run's export.
    Read(&'a Export),
    /// There is something, but it can't be read; why.
    Unreadable(&'a str),
    /// The run has no cells: what its process printed.
    Printed(&'a str),
}

/// What is asked of a notebook beside a successful run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// Longest execution.
    pub limit: Option<Duration>,
    /// Whether a notebook without tests of its own fails.
    pub require_tests: bool,
    /// Frameworks whose verdicts count; without any the cells are not looked at.
    pub frameworks: Vec<Framework>,
    /// How long it took before, if it must not become slower.
    pub baseline: Option<Baseline>,
}

/// How long the runs before took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Baseline {
    /// The middle one of them.
    pub median: Duration,
    /// How many they are.
    pub of: usize,
    /// How much longer a run may take, in percent.
    pub percent: u32,
}

/// Differences below this are the noise of a busy cluster, whatever they are in percent.
const NOISE: Duration = Duration::from_secs(1);

impl Baseline {
    /// The longest time that a run may take.
    pub(crate) fn most(&self) -> Duration {
        let percent = self.percent.saturating_add(100);
        (self.median.saturating_mul(percent) / 100).max(self.median.saturating_add(NOISE))
    }
}

/// What the judge says of one notebook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotebookVerdict {
    /// The notebook's path in the repository.
    pub notebook: String,
    /// Passed or not.
    pub verdict: Verdict,
    /// The tests inside the notebook.
    pub cases: Vec<TestCase>,
    /// The time the notebook executed.
    pub execution: Duration,
    /// The end of the traceback that ended the run; empty if none did.
    #[serde(default)]
    pub trace: String,
}

/// Passed or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Nothing speaks against it.
    Passed,
    /// Something does.
    Failed {
        /// What.
        reason: Reason,
        /// It in words: the notebook, the test or cell, the assertion; at most [`MAX_MESSAGE`] characters.
        message: String,
    },
}

/// Why a notebook failed; the words of conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, strum::IntoStaticStr)]
pub enum Reason {
    /// Its run didn't end with success.
    NotebookFailed,
    /// A test inside it failed.
    InnerTestsFailed,
    /// It has to have tests and none was found, or what it left can't be read.
    NoTestReport,
    /// It took longer than allowed.
    DurationExceeded,
    /// Databricks ended it when its time ran out.
    TimedOut,
    /// Somebody ended it.
    Canceled,
}

impl RunView {
    /// Looks at a run of one notebook. The task tells more than the run made of it; but both must have succeeded.
    #[must_use]
    pub fn of(notebook: &str, run: &Run) -> Self {
        let own = Duration::from_millis(u64::try_from(run.execution_duration).unwrap_or(0));
        let (state, execution) = match run.tasks.as_slice() {
            [] => (&run.state, own),
            [task, ..] if succeeded(&task.state) && !succeeded(&run.state) => (&run.state, task.execution()),
            [task, ..] => (&task.state, task.execution()),
        };
        Self { notebook: notebook.to_owned(), state: state.clone(), execution }
    }

    /// Whether it ended well, as far as its state tells.
    #[must_use]
    pub fn has_succeeded(&self) -> bool {
        succeeded(&self.state)
    }
}

/// Judges a finished run.
#[must_use]
pub fn judge(run: &RunView, output: &Output, cells: Cells<'_>, demand: &Demand) -> NotebookVerdict {
    let cases = findings(output, cells, demand).cases;
    let failed = fault(run, output, cells, demand, &cases);
    let verdict = failed.map_or(Verdict::Passed, |(reason, message)| {
        let message = cut(&format!("{}: {}", run.notebook, one_line(&message)), MAX_MESSAGE);
        Verdict::Failed { reason, message }
    });
    let trace = if succeeded(&run.state) { String::new() } else { trace(output, cells) };
    NotebookVerdict { notebook: run.notebook.clone(), verdict, cases, execution: run.execution, trace }
}

/// What speaks against the notebook, the most telling first.
fn fault(
    run: &RunView,
    output: &Output,
    cells: Cells<'_>,
    demand: &Demand,
    cases: &[TestCase],
) -> Option<(Reason, String)> {
    ended_early(run)
        .or_else(|| inner(cases))
        .or_else(|| broken(run, output, cells))
        .or_else(|| unknown(output, cells, demand, cases))
        .or_else(|| slow(run, demand))
        .or_else(|| slower(run, demand))
}

fn succeeded(state: &RunState) -> bool {
    state.life_cycle_state == LifeCycle::Terminated && state.result_state == Some(RunResult::Success)
}

fn ended_early(run: &RunView) -> Option<(Reason, String)> {
    let (reason, words) = match run.state.result_state? {
        RunResult::TimedOut => (Reason::TimedOut, "its time ran out"),
        RunResult::Canceled | RunResult::UpstreamCanceled => (Reason::Canceled, "its run was canceled"),
        _ => return None,
    };
    Some((reason, with_words(words, &run.state.state_message)))
}

fn inner(cases: &[TestCase]) -> Option<(Reason, String)> {
    let mut failures = cases.iter().filter(|case| case.outcome.is_failure());
    let first = failures.next()?;
    // The front of the message must leave room for how many more there are.
    let told = cut(&with_words(&first.name, &first.message), MAX_MESSAGE / 2);
    let message = match failures.count() {
        0 => told,
        1 => format!("{told} (and 1 more failed test)"),
        more => format!("{told} (and {more} more failed tests)"),
    };
    Some((Reason::InnerTestsFailed, message))
}

/// Anything but TERMINATED with SUCCESS is a failure, also what Databricks may invent later.
fn broken(run: &RunView, output: &Output, cells: Cells<'_>) -> Option<(Reason, String)> {
    if succeeded(&run.state) {
        return None;
    }
    let cell = match cells {
        Cells::Read(export) => export.cells.iter().find(|cell| cell.failed && !cell.error.is_empty()),
        Cells::Unreadable(_) | Cells::Printed(_) => None,
    };
    let told = output.error.as_deref().map(str::trim).filter(|told| !told.is_empty());
    let message = match (cell, told) {
        (Some(cell), told) => format!("cell {}: {}", cell.number, told.unwrap_or_else(|| exception(&cell.error))),
        (None, Some(told)) => told.to_owned(),
        (None, None) => with_words(&ending(&run.state), &run.state.state_message),
    };
    Some((Reason::NotebookFailed, message))
}

/// `its run ended INTERNAL_ERROR FAILED`.
fn ending(state: &RunState) -> String {
    let life: &str = state.life_cycle_state.into();
    let result: &str = state.result_state.map_or("without a result", Into::into);
    format!("its run ended {life} {result}")
}

fn unknown(output: &Output, cells: Cells<'_>, demand: &Demand, cases: &[TestCase]) -> Option<(Reason, String)> {
    if output.notebook_output.truncated && demand.frameworks.contains(&Framework::ExitJson) {
        let message = "Databricks kept only the front of its exit value, so a verdict in it is unknown: hand less over, or \
            take exitJson out of innerTests.frameworks";
        return Some((Reason::NoTestReport, message.to_owned()));
    }
    if let Cells::Unreadable(why) = cells
        && !demand.frameworks.is_empty()
    {
        return Some((Reason::NoTestReport, with_words("what it left can't be read, so its tests are unknown", why)));
    }
    let message = "no test result was found in what it printed, and one is required";
    (demand.require_tests && cases.is_empty()).then(|| (Reason::NoTestReport, message.to_owned()))
}

fn slow(run: &RunView, demand: &Demand) -> Option<(Reason, String)> {
    let limit = demand.limit.filter(|limit| run.execution > *limit)?;
    let (took, limit) = (run.execution.as_secs_f64(), limit.as_secs_f64());
    Some((Reason::DurationExceeded, format!("it took {took} s, longer than the allowed {limit} s")))
}

/// Slower than the runs before, by more than is allowed.
fn slower(run: &RunView, demand: &Demand) -> Option<(Reason, String)> {
    let baseline = demand.baseline.filter(|baseline| run.execution > baseline.most())?;
    let (took, before) = (run.execution.as_secs_f64(), baseline.median.as_secs_f64());
    let Baseline { of, percent, .. } = baseline;
    let message = format!(
        "it took {took} s, more than {percent} % longer than the {before} s of the {of} runs before it that passed"
    );
    Some((Reason::DurationExceeded, message))
}

/// The end of the traceback, as a terminal without colours shows it.
fn trace(output: &Output, cells: Cells<'_>) -> String {
    let told = output.error_trace.as_deref().map(markup::strip_ansi).filter(|trace| !trace.trim().is_empty());
    let cell = || match cells {
        Cells::Read(export) => export.cells.iter().find(|cell| cell.failed).map(|cell| cell.error.clone()),
        Cells::Unreadable(_) | Cells::Printed(_) => None,
    };
    tail(&told.or_else(cell).unwrap_or_default())
}

fn with_words(front: &str, words: &str) -> String {
    if words.trim().is_empty() { front.to_owned() } else { format!("{front}: {}", words.trim()) }
}

/// Gathers what all frameworks say; a failure told by any of them stands.
fn findings(output: &Output, cells: Cells<'_>, demand: &Demand) -> Findings {
    let mut all = Findings::default();
    let mut add =
        |found: Option<Findings>| found.into_iter().flat_map(|found| found.cases).for_each(|case| all.push(case));
    if let Cells::Read(export) = cells {
        for cell in &export.cells {
            let text = [cell.text.as_str(), cell.error.as_str()].join("\n");
            demand.frameworks.iter().for_each(|framework| add(read_text(*framework, &text)));
        }
    }
    if let Cells::Printed(text) = cells {
        let text = markup::strip_ansi(text);
        demand.frameworks.iter().for_each(|framework| add(read_text(*framework, &text)));
    }
    let exit = output.notebook_output.result.as_deref().unwrap_or_default();
    let wants = |framework| demand.frameworks.contains(&framework);
    if wants(Framework::ExitJson) {
        add(exit_json::read(exit));
    }
    if wants(Framework::Nutter) && nutter::is_handed_over(exit) && !is_printed(cells) {
        add(Some(nutter::handed_over()));
    }
    all
}

/// Whether a cell shows what Nutter found.
fn is_printed(cells: Cells<'_>) -> bool {
    matches!(cells, Cells::Read(export) if export.cells.iter().any(|cell| nutter::read(&cell.text).is_some()))
}

fn read_text(framework: Framework, text: &str) -> Option<Findings> {
    match framework {
        Framework::Unittest => unittest::read(text),
        Framework::Pytest => pytest::read(text),
        Framework::Nutter => nutter::read(text),
        Framework::ExitJson => None,
    }
}
