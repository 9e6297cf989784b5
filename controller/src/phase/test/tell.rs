//! What Test tells of each run in its log: its submission, the states it was seen in, its inner tests, its end.

use brickline_artifact::Manifest;
use brickline_crds::{ComputeKind, DatabricksRelease, DatabricksReleaseSpec, Phase};

use super::plan::travelling;
use super::{Item, Sight, View};
use crate::databricks::runs::Run;
use crate::databricks::tasks::Work;
use crate::log::Logs;
use crate::verdict::{NotebookVerdict, Outcome, TestCase, Verdict};

/// How many inner tests of a run are told that did not fail, and how many that did.
const TOLD: usize = 200;

/// A run was submitted.
pub(super) fn submitted(release: &DatabricksRelease, path: &str, (run_id, try_): (i64, u32), logs: &Logs) {
    let again = if try_ == 0 { String::new() } else { format!(", try {}", try_ + 1) };
    logs.line(release, Phase::Test, format_args!("{path}: run {run_id} was submitted{again}"));
}

/// Databricks takes no environment for a notebook on serverless compute: of the release's libraries it gets none.
pub(super) fn without_libraries(release: &DatabricksRelease, item: &Item, manifest: &Manifest, logs: &Logs) {
    if let Some(line) = missing(&release.spec, item, manifest) {
        logs.line(release, Phase::Test, format_args!("{line}"));
    }
}

/// What a run lacks, in words.
pub(super) fn missing(spec: &DatabricksReleaseSpec, item: &Item, manifest: &Manifest) -> Option<String> {
    let is_serverless = matches!(spec.test.compute.kind(), ComputeKind::Serverless(_));
    let is_notebook = matches!(item.work, Work::NotebookTask(_));
    let libraries = travelling(spec, manifest).ok().filter(|_| is_serverless && is_notebook)?.len();
    (libraries > 0).then(|| {
        let path = &item.path;
        format!("{path}: a notebook on serverless gets none of the release's {libraries} libraries: %pip in its first cell does")
    })
}

/// What a look showed, as far as it is news.
pub(super) fn seen(release: &DatabricksRelease, view: &View, logs: &Logs) {
    for (index, sight) in &view.runs {
        let path = view.items.get(*index as usize).map_or("", |item| item.path.as_str());
        match sight {
            Sight::Run(run) => state(release, path, run, logs),
            Sight::Gone => {
                let line = format_args!("{path}: its run is gone: somebody deleted it");
                logs.news(release, Phase::Test, path, line);
            }
        }
    }
}

/// The state of one run. `path` is empty where nobody knows what it ran.
pub(super) fn state(release: &DatabricksRelease, path: &str, run: &Run, logs: &Logs) {
    let (run_id, state) = (run.run_id, words(run));
    let colon = if path.is_empty() { "" } else { ": " };
    let line = format_args!("{path}{colon}run {run_id} is {state}{}", page(run));
    logs.news(release, Phase::Test, &run_id.to_string(), line);
}

fn words(run: &Run) -> String {
    let state: &str = run.state.life_cycle_state.into();
    let result: &str = run.state.result_state.map_or("", Into::into);
    format!("{state} {result}").trim_end().to_owned()
}

fn page(run: &Run) -> String {
    let page = &run.run_page_url;
    if page.is_empty() { String::new() } else { format!(", see {page}") }
}

/// A run was judged.
pub(super) fn judged(release: &DatabricksRelease, run: &Run, verdict: &NotebookVerdict, logs: &Logs) {
    for line in lines(run, verdict) {
        logs.line(release, Phase::Test, format_args!("{line}"));
    }
}

/// The run's inner tests, the failed ones first, and then how it ended.
pub(super) fn lines(run: &Run, verdict: &NotebookVerdict) -> Vec<String> {
    let path = &verdict.notebook;
    let (failed, others): (Vec<&TestCase>, Vec<&TestCase>) =
        verdict.cases.iter().partition(|case| case.outcome.is_failure());
    let mut lines: Vec<String> = Vec::new();
    for (what, cases) in [("failed", failed), ("did not fail", others)] {
        lines.extend(cases.iter().take(TOLD).map(|case| one(path, case)));
        let more = cases.len().saturating_sub(TOLD);
        if more > 0 {
            lines.push(format!("{path}: {more} more that {what} are left out here: the report has them"));
        }
    }
    let ended = match &verdict.verdict {
        Verdict::Passed => "passed".to_owned(),
        Verdict::Failed { reason, message } => format!("failed ({}): {message}", <&str>::from(reason)),
    };
    let (run_id, seconds, tests) = (run.run_id, verdict.execution.as_secs_f64(), verdict.cases.len());
    lines.push(format!("{path}: run {run_id} {ended}; {tests} inner tests, {seconds:.1} s{}", page(run)));
    lines
}

fn one(path: &str, case: &TestCase) -> String {
    let word = match case.outcome {
        Outcome::Passed => "passed",
        Outcome::Failed => "failed",
        Outcome::Error => "failed with an error",
        Outcome::Skipped => "was skipped",
    };
    let colon = if case.message.is_empty() { "" } else { ": " };
    format!("{path}: {} {word}{colon}{}", case.name, case.message)
}
