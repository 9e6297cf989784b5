//! Reads what a run left, judges it, and keeps the verdict and the run in the artifact store.

use brickline_crds::{DatabricksRelease, DatabricksReleaseStatus, FirstFailure, Reason, TestCounts};
use serde::Serialize;
use url::Url;

use super::act::item;
use super::history;
use super::left::{Left, read};
use super::{Collected, Item, parameters, tell};
use crate::artifact::place;
use crate::context::Context;
use crate::databricks::runs::Run;
use crate::phase::Outcome;
use crate::trouble::Trouble;
use crate::verdict::case::{MAX_MESSAGE, cut, tail};
use crate::verdict::{Baseline, Demand, NotebookVerdict, Reason as VerdictReason, RunView, TestCase, Verdict, judge};
use crate::workspace::{self, Connection};

/// How many failures one notebook brings into the status.
const FAILURES: usize = 10;
/// Longest text of a failure in the status, in characters.
const FAILURE: usize = 1024;
/// Longest address of a run's page there.
const PAGE: usize = 256;

/// A run as it is kept: what Databricks says of it, without its parameters, and what became of it.
#[derive(Serialize)]
struct Record<'a> {
    #[serde(flatten)]
    run: &'a Run,
    verdict: &'a NotebookVerdict,
}

/// Judges a run that is over or gone.
pub(super) async fn collect(
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    index: u32,
    run_id: i64,
    context: &Context,
) -> Result<Outcome, Trouble> {
    let manifest = context.artifacts.manifest(status.artifact.as_ref()).await?;
    let item = item(release, &manifest, index)?;
    let Connection { client, workspace } = workspace::connect(release, context).await?;
    let secrets = parameters::secrets(&item, &status.variables, &workspace, &context.kube).await?;
    let (run, verdict) = match read(&client, run_id, &item).await? {
        Some(mut left) => {
            left.conceal(&secrets.into_values().collect::<Vec<_>>());
            let verdict = judged(&item, &left, history::baseline(release, &item, context).await?);
            (left.run, verdict)
        }
        None => (Box::new(Run { run_id, ..Run::default() }), gone(&item.path, run_id)),
    };
    write(release, &format!("{index:06}.json"), &verdict, context).await?;
    write(release, &format!("{run_id}.json"), &Record { run: &run, verdict: &verdict }, context).await?;
    tell::judged(release, &run, &verdict, &context.log);
    Ok(Outcome::Collected { index, collected: Box::new(collected(&verdict, &run)) })
}

/// The verdict on what a run left.
pub(super) fn judged(item: &Item, left: &Left, baseline: Option<Baseline>) -> NotebookVerdict {
    let demand = Demand {
        limit: item.max_duration,
        require_tests: item.inner.required,
        frameworks: item.inner.frameworks.clone(),
        baseline,
    };
    judge(&RunView::of(&item.path, &left.run), &left.output, left.cells(), &demand)
}

fn gone(path: &str, run_id: i64) -> NotebookVerdict {
    let told = format!("{path}: its run {run_id} is gone: somebody deleted it before it was judged; release again");
    let verdict = Verdict::Failed { reason: VerdictReason::NotebookFailed, message: cut(&told, MAX_MESSAGE) };
    let (cases, execution, trace) = (Vec::new(), std::time::Duration::ZERO, String::new());
    NotebookVerdict { notebook: path.to_owned(), verdict, cases, execution, trace }
}

async fn write(
    release: &DatabricksRelease,
    name: &str,
    what: &impl Serialize,
    context: &Context,
) -> Result<(), Trouble> {
    let text = serde_json::to_vec(what);
    let text = text.map_err(|error| Trouble::lasting(Reason::InternalError, error.to_string()))?;
    context.artifacts.write(&place::of_test(release, name), text).await
}

fn collected(verdict: &NotebookVerdict, run: &Run) -> Collected {
    let mut failures: Vec<FirstFailure> = Vec::new();
    for case in verdict.cases.iter().filter(|case| case.outcome.is_failure()).take(FAILURES) {
        let name = format!("{}: {}", verdict.notebook, case.name);
        let message = told(&case.message, &tail(&case.traceback));
        failures.push(FirstFailure { name, message, page: page(run) });
    }
    let failed = match &verdict.verdict {
        Verdict::Passed => None,
        Verdict::Failed { reason, message } => {
            if failures.is_empty() {
                let (name, message) = (verdict.notebook.clone(), told(message, &verdict.trace));
                failures.push(FirstFailure { name, message, page: page(run) });
            }
            Some((reason_of(*reason), with_page(message, run)))
        }
    };
    Collected { counts: counts(verdict), failures, verdict: failed }
}

/// What failed, and where in the code.
fn told(message: &str, trace: &str) -> String {
    if trace.is_empty() { message.to_owned() } else { cut(&format!("{message}\n{trace}"), FAILURE) }
}

/// The run's page, if it is one that people can be sent to.
pub(super) fn page(run: &Run) -> Option<String> {
    let page = Url::parse(&run.run_page_url).ok().filter(|page| matches!(page.scheme(), "https" | "http"));
    page.map(String::from).filter(|page| page.chars().count() <= PAGE)
}

/// What failed, and where to look.
fn with_page(message: &str, run: &Run) -> String {
    let page = &run.run_page_url;
    if page.is_empty() { message.to_owned() } else { format!("{message}; see {page}") }
}

/// A notebook without tests of its own counts as one.
fn counts(verdict: &NotebookVerdict) -> TestCounts {
    let failed_itself = u32::from(verdict.verdict != Verdict::Passed);
    if verdict.cases.is_empty() {
        return TestCounts { total: 1, passed: 1 - failed_itself, failed: failed_itself, skipped: 0 };
    }
    let count = |wanted: fn(&TestCase) -> bool| {
        u32::try_from(verdict.cases.iter().filter(|case| wanted(case)).count()).unwrap_or(u32::MAX)
    };
    let failed = count(|case| case.outcome.is_failure());
    let skipped = count(|case| case.outcome == crate::verdict::Outcome::Skipped);
    let total = count(|_| true);
    TestCounts { total, passed: total - failed - skipped, failed, skipped }
}

fn reason_of(reason: VerdictReason) -> Reason {
    match reason {
        VerdictReason::NotebookFailed => Reason::NotebookFailed,
        VerdictReason::InnerTestsFailed => Reason::InnerTestsFailed,
        VerdictReason::NoTestReport => Reason::NoTestReport,
        VerdictReason::DurationExceeded => Reason::DurationExceeded,
        VerdictReason::TimedOut => Reason::TimedOut,
        VerdictReason::Canceled => Reason::Canceled,
    }
}
