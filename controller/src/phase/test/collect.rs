//! Reads what a run left, judges it, and keeps the verdict and the run in the artifact store.

use brickline_crds::{DatabricksRelease, DatabricksReleaseStatus, FirstFailure, Reason, TestCounts};
use serde::Serialize;
use url::Url;

use super::act::item;
use super::history;
use super::{Collected, Item, tell};
use crate::artifact::place;
use crate::context::Context;
use crate::databricks::Client;
use crate::databricks::runs::{Output, Run};
use crate::databricks::tasks::Work;
use crate::phase::Outcome;
use crate::trouble::Trouble;
use crate::verdict::case::{MAX_MESSAGE, cut, tail};
use crate::verdict::{
    Cells, Demand, Export, NotebookVerdict, Reason as VerdictReason, RunView, TestCase, Verdict, export, judge,
};
use crate::workspace;

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

/// What a run left.
enum Left {
    Run(Box<Run>, Output, Result<Export, String>),
    /// Somebody deleted it.
    Nothing,
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
    let client = workspace::connect(release, context).await?.client;
    let (run, verdict) = match read(&client, run_id, &item).await? {
        Left::Run(run, output, cells) => {
            let demand = Demand {
                limit: item.max_duration,
                require_tests: item.inner.required,
                frameworks: item.inner.frameworks.clone(),
                baseline: history::baseline(release, &item, context).await?,
            };
            let verdict = judge(&RunView::of(&item.path, &run), &output, cells_of(&item, &output, &cells), &demand);
            (run, verdict)
        }
        Left::Nothing => (Box::new(Run { run_id, ..Run::default() }), gone(&item.path, run_id)),
    };
    write(release, &format!("{index:06}.json"), &verdict, context).await?;
    write(release, &format!("{run_id}.json"), &Record { run: &run, verdict: &verdict }, context).await?;
    tell::judged(release, &run, &verdict, &context.log);
    Ok(Outcome::Collected { index, collected: Box::new(collected(&verdict, &run)) })
}

async fn read(client: &Client, run_id: i64, item: &Item) -> Result<Left, Trouble> {
    let run = match client.run(run_id).await {
        Err(error) if error.is_not_found() => return Ok(Left::Nothing),
        run => run?,
    };
    let task_run = run.tasks.first().map_or(run_id, |task| task.run_id);
    if matches!(item.work, Work::NotebookTask(_)) {
        let (output, cells) = tokio::try_join!(output(client, task_run), cells(client, task_run))?;
        return Ok(Left::Run(Box::new(run), output, cells));
    }
    Ok(Left::Run(Box::new(run), output(client, task_run).await?, Err(String::new())))
}

/// A notebook's tests speak in its cells, those of anything else in what it printed.
fn cells_of<'a>(item: &Item, output: &'a Output, cells: &'a Result<Export, String>) -> Cells<'a> {
    match (&item.work, cells) {
        (Work::NotebookTask(_), Ok(export)) => Cells::Read(export),
        (Work::NotebookTask(_), Err(why)) => Cells::Unreadable(why),
        _ => Cells::Printed(output.logs.as_deref().unwrap_or_default()),
    }
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

/// A run without output, such as one that never started, is judged by its state.
async fn output(client: &Client, run_id: i64) -> Result<Output, Trouble> {
    match client.run_output(run_id).await {
        Err(error) if !error.is_transient() => Ok(Output::default()),
        output => output.map_err(Into::into),
    }
}

/// The run's cells; or why they can't be read.
async fn cells(client: &Client, run_id: i64) -> Result<Result<Export, String>, Trouble> {
    let views = match client.export_run(run_id).await {
        Ok(views) => views,
        Err(error) if error.is_transient() => return Err(error.into()),
        Err(error) => return Ok(Err(error.to_string())),
    };
    let page = views.into_iter().find(|view| view.r#type == "NOTEBOOK");
    let page = page.ok_or_else(|| "the run's export has no notebook".to_owned());
    Ok(page.and_then(|page| export::read(&page.content).map_err(|error| error.to_string())))
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
