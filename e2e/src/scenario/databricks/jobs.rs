//! Operate: the jobs that run what was tested.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use brickline_crds::{DatabricksReleaseStatus, ReleasePipeline, ReleaseResult};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::lab::{Lab, notebook, project};
use crate::forge::Change;

/// How long the schedule's next run may take: a minute until it is due, and a slow machine.
const PATIENCE: Duration = Duration::from_mins(4);
const GLANCE: Duration = Duration::from_millis(500);
/// The job of the releases, and one that somebody else made.
const JOB: &str = "lab nightly";
const FOREIGN: &str = "somebody else's";

/// A scheduled job runs the version that was tested, the next release points it to the new version, a failed one leaves it
/// alone, and one without jobs takes it away; nobody else's job is touched.
pub(super) async fn a_job_runs_what_was_tested(lab: &Lab) -> anyhow::Result<()> {
    let foreign = json!({"name": FOREIGN, "tasks": []});
    lab.team.emulator.post("/api/2.2/jobs/create", &foreign).await?;

    lab.team.stage.create::<ReleasePipeline>(pipeline(&lab.team.repository.clone_url())).await?;
    lab.kubectl(&["wait", "--for=condition=Ready", "dbpipe/jobs", "--timeout=3m"]).await?;
    let status = pushed(lab, "1.0.0", true, ReleaseResult::Succeeded).await?;
    let id = id_of(lab, JOB).await?.context("there is no job")?;
    let told = status.jobs.first().context("the status names no job")?;
    ensure!(told.name == JOB && told.id == id && told.next_run.is_some(), "the status says {told:?}");
    runs(lab, id, "1.0.0").await?;

    pushed(lab, "2.0.0", true, ReleaseResult::Succeeded).await?;
    ensure!(id_of(lab, JOB).await? == Some(id), "it is another job now");
    runs(lab, id, "2.0.0").await?;

    let before = settings(lab, id).await?;
    pushed(lab, "3.0.0", false, ReleaseResult::Failed).await?;
    ensure!(settings(lab, id).await? == before, "a failed release changed the job");

    let without = json!({"spec": {"template": {"spec": {"operate": {"jobs": []}}}}});
    lab.kubectl(&["patch", "dbpipe/jobs", "--type=merge", "--patch", &without.to_string()]).await?;
    pushed(lab, "4.0.0", true, ReleaseResult::Succeeded).await?;
    ensure!(id_of(lab, JOB).await?.is_none(), "the job is still there");
    id_of(lab, FOREIGN).await?.map(drop).context("somebody else's job is gone")
}

/// Pushes a version, and waits until its release has ended in this way.
async fn pushed(
    lab: &Lab,
    version: &str,
    is_good: bool,
    result: ReleaseResult,
) -> anyhow::Result<DatabricksReleaseStatus> {
    let commit = lab.team.repository.push("jobs", &Change::Only(files(version, is_good))).await?;
    lab.ended(&lab.team.release_of(&commit).await?, result).await
}

fn files(version: &str, is_good: bool) -> Vec<(String, String)> {
    let test = if is_good { "import delta" } else { "assert 1 + 1 == 3" };
    let work = "import delta\ndbutils.notebook.exit(delta.VERSION)";
    let notebooks =
        [("notebooks/test.py".to_owned(), notebook(test)), ("notebooks/work.py".to_owned(), notebook(work))];
    project("delta", version).into_iter().chain(notebooks).collect()
}

fn job() -> Value {
    json!({
        "name": JOB,
        "tasks": [{"key": "work", "notebook": {"path": "notebooks/work.py"}}],
        "schedule": {"cron": "* * * * *", "timeZone": "Europe/Lisbon"},
    })
}

fn pipeline(url: &str) -> Value {
    json!({
        "metadata": {"name": "jobs"},
        "spec": {
            "repository": {"url": url, "provider": "gitea", "credentialsRef": {"name": "git"}},
            "trigger": {"branches": ["jobs"], "webhook": {"secretRef": {"name": "hook"}}},
            "stages": [{"name": "live", "workspaceRef": {"name": "staging"}}],
            "template": {"spec": {
                "deploy": {"items": [{"from": "notebooks/**", "to": "/Shared/jobs"}]},
                "test": {"notebooks": [{"match": "notebooks/test.py"}]},
                "operate": {"jobs": [job()], "prune": true},
            }},
        },
    })
}

async fn id_of(lab: &Lab, name: &str) -> anyhow::Result<Option<i64>> {
    let jobs = lab.team.emulator.get("/api/2.2/jobs/list").await?;
    let jobs = jobs["jobs"].as_array().cloned().unwrap_or_default();
    Ok(jobs.iter().find(|job| job["settings"]["name"] == name).and_then(|job| job["job_id"].as_i64()))
}

async fn settings(lab: &Lab, id: i64) -> anyhow::Result<Value> {
    Ok(lab.team.emulator.get(&format!("/api/2.2/jobs/get?job_id={id}")).await?["settings"].clone())
}

/// Waits until the schedule itself has run this version.
async fn runs(lab: &Lab, id: i64, version: &str) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let path = format!("/api/2.2/jobs/runs/list?job_id={id}&completed_only=true&expand_tasks=true");
        let runs = lab.team.emulator.get(&path).await?["runs"].as_array().cloned().unwrap_or_default();
        for run in runs.iter().filter(|run| run["trigger"] == "PERIODIC") {
            let task = run["tasks"][0]["run_id"].as_i64().context("a run without task")?;
            let output = lab.team.emulator.get(&format!("/api/2.2/jobs/runs/get-output?run_id={task}")).await?;
            if output["notebook_output"]["result"] == version {
                return Ok(());
            }
        }
        sleep(GLANCE).await;
    }
    bail!("the schedule of job {id} did not run version {version} within {} s", PATIENCE.as_secs())
}
