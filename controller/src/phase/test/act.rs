//! Submits runs, collects their verdicts, publishes the report.

use brickline_crds::{
    ComputeKind, DatabricksRelease, DatabricksReleaseStatus, FirstFailure, Phase, Reason, TestCounts, labels,
};
use data_encoding::BASE32_NOPAD;
use kube::ResourceExt;
use sha2::{Digest, Sha256};

use super::parameters::{self, Parameters};
use super::plan::{plan, travelling};
use super::{Collected, Effect, Notebook};
use crate::artifact::place;
use crate::context::Context;
use crate::databricks::compute::Place;
use crate::databricks::libraries::Library;
use crate::databricks::runs::{Output, Run, Submit};
use crate::databricks::tasks::{NotebookTask, Origin, Task, Work};
use crate::databricks::{Category, Client, Error};
use crate::phase::Outcome;
use crate::trouble::Trouble;
use crate::verdict::{
    Cells, Demand, Export, Framework, NotebookVerdict, Reason as VerdictReason, RunView, TestCase, Verdict, export,
    judge, junit,
};
use crate::workspace;

/// The longest idempotency token Databricks takes.
const TOKEN: usize = 64;
/// The name of the one task of a run.
const TASK: &str = "test";
/// How many failures one notebook brings into the status.
const FAILURES: usize = 10;

/// Does what `decide` asked for.
pub(crate) async fn act(
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    effect: &Effect,
    context: &Context,
) -> Result<Outcome, Trouble> {
    match effect {
        Effect::Submit { index, try_ } => submit(release, status, (*index, *try_), context).await,
        Effect::Collect { index, run_id } => collect(release, status, *index, *run_id, context).await,
        Effect::Publish { notebooks } => publish(release, *notebooks, context).await,
    }
}

pub(super) async fn submit(
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    (index, try_): (u32, u32),
    context: &Context,
) -> Result<Outcome, Trouble> {
    let notebook = notebook(release, status, index, context).await?;
    let connection = workspace::connect(release, context).await?;
    let Parameters { values, secrets } =
        parameters::fill(&notebook, &status.variables, &connection.workspace, &context.kube).await?;
    let attempt = status.phase(Phase::Test).map_or(1, |phase| phase.attempts);
    let compute = &release.spec.test.compute;
    let place = Place::of(compute, libraries(release, status, context).await?, |name| connection.cluster(name))?;
    let work = Work::NotebookTask(NotebookTask {
        notebook_path: notebook.target,
        source: Origin::Workspace,
        base_parameters: values,
    });
    let submit = Submit {
        run_name: run_name(release, status, &notebook.path),
        idempotency_token: token(release, attempt, index, try_),
        tasks: vec![Task::new(TASK, work, notebook.timeout.as_secs()).at(&place)],
        timeout_seconds: notebook.timeout.as_secs(),
        secrets,
        ..Submit::default()
    };
    let run_id = connection.client.submit_run(&submit).await.map_err(|error| refused(&notebook.path, error))?;
    Ok(Outcome::Submitted { index, run_id })
}

/// The libraries that travel with a run; none where Install has put them on the cluster.
async fn libraries(
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    context: &Context,
) -> Result<Vec<Library>, Trouble> {
    if matches!(release.spec.test.compute.kind(), ComputeKind::Cluster(_)) {
        return Ok(Vec::new());
    }
    let manifest = context.artifacts.manifest(status.artifact.as_ref()).await?;
    travelling(&release.spec, &manifest)
}

/// A run that Databricks refuses is the notebook's failure, not the deployment's.
fn refused(path: &str, error: Error) -> Trouble {
    let is_final = matches!(error.category(), Category::Invalid | Category::NotFound | Category::Conflict);
    let trouble = Trouble::from(error);
    let reason = if is_final { Reason::NotebookFailed } else { trouble.reason };
    Trouble { reason, message: format!("{path}: {}", trouble.message), ..trouble }
}

/// `<pipeline> <run> <notebook>`: how people find the run in Databricks.
fn run_name(release: &DatabricksRelease, status: &DatabricksReleaseStatus, path: &str) -> String {
    let pipeline = release.labels().get(labels::PIPELINE).cloned().unwrap_or_else(|| release.name_any());
    [pipeline.as_str(), &status.run, path].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The same submit always has the same token, another attempt another one.
pub(crate) fn token(release: &DatabricksRelease, attempt: u32, index: u32, try_: u32) -> String {
    let uid = release.uid().unwrap_or_default();
    let hash = Sha256::digest(format!("{uid}/{}/{attempt}/{index}/{try_}", Phase::Test));
    let token = BASE32_NOPAD.encode(&hash).to_lowercase();
    token.chars().take(TOKEN).collect()
}

async fn notebook(
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    index: u32,
    context: &Context,
) -> Result<Notebook, Trouble> {
    let manifest = context.artifacts.manifest(status.artifact.as_ref()).await?;
    let mut notebooks = plan(&release.spec, &manifest);
    let index = index as usize;
    if index >= notebooks.len() {
        return Err(Trouble::lasting(Reason::InternalError, format!("there is no notebook {index}")));
    }
    Ok(notebooks.swap_remove(index))
}

/// Reads what the run left, judges it and keeps the verdict in the artifact store.
async fn collect(
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    index: u32,
    run_id: i64,
    context: &Context,
) -> Result<Outcome, Trouble> {
    let notebook = notebook(release, status, index, context).await?;
    let client = workspace::connect(release, context).await?.client;
    let run = client.run(run_id).await?;
    let task_run = run.tasks.first().map_or(run_id, |task| task.run_id);
    let (output, cells) = tokio::try_join!(output(&client, task_run), cells(&client, task_run))?;
    let demand = Demand {
        limit: Some(notebook.max_duration),
        require_tests: release.spec.test.inner_tests_required,
        frameworks: Framework::ALL.to_vec(),
    };
    let cells = cells.as_ref().map_or_else(|why| Cells::Unreadable(why), Cells::Read);
    let verdict = judge(&RunView::of(&notebook.path, &run), &output, cells, &demand);
    let text =
        serde_json::to_vec(&verdict).map_err(|error| Trouble::lasting(Reason::InternalError, error.to_string()))?;
    context.artifacts.write(&verdict_place(release, index), text).await?;
    Ok(Outcome::Collected { index, collected: Box::new(collected(&verdict, &run)) })
}

fn verdict_place(release: &DatabricksRelease, index: u32) -> object_store::path::Path {
    place::of_test(release, &format!("{index:06}.json"))
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
        failures
            .push(FirstFailure { name: format!("{}: {}", verdict.notebook, case.name), message: case.message.clone() });
    }
    let failed = match &verdict.verdict {
        Verdict::Passed => None,
        Verdict::Failed { reason, message } => {
            if failures.is_empty() {
                failures.push(FirstFailure { name: verdict.notebook.clone(), message: message.clone() });
            }
            Some((reason_of(*reason), with_page(message, &run.run_page_url)))
        }
    };
    Collected { counts: counts(verdict), failures, verdict: failed }
}

fn with_page(message: &str, page: &str) -> String {
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

/// Merges the verdicts of all notebooks into one JUnit report.
async fn publish(release: &DatabricksRelease, notebooks: u32, context: &Context) -> Result<Outcome, Trouble> {
    let internal = |error: &dyn std::fmt::Display| Trouble::lasting(Reason::InternalError, error.to_string());
    let mut verdicts: Vec<NotebookVerdict> = Vec::new();
    for index in 0..notebooks {
        let text = context.artifacts.read(&verdict_place(release, index)).await?;
        let text = text.ok_or_else(|| internal(&format!("the verdict of notebook {index} is gone")))?;
        verdicts.push(serde_json::from_slice(&text).map_err(|error| internal(&error))?);
    }
    let report = junit::write(&release.name_any(), &verdicts).map_err(|error| internal(&error))?;
    let place = place::of_test(release, "TEST-notebooks.xml");
    context.artifacts.write(&place, report.into_bytes()).await?;
    Ok(Outcome::Published { uri: place.to_string() })
}
