//! Further jobs of a build: pods of their own, in their order, one slot for each.

use anyhow::{Context as _, ensure};
use brickline_crds::{
    BuildJobStatus, DatabricksRelease, Phase, PhaseState, Reason, ReleasePipeline, ReleaseResult, labels,
};
use k8s_openapi::api::core::v1::Pod;
use kube::{ResourceExt as _, api::ListParams};
use serde_json::{Value, json};

use super::setting::{Setting, files, why};
use crate::{forge::Change, system};

/// The branch, and the pipeline.
const NAME: &str = "jobs";
/// A script that fails if its pod has anything that is worth stealing.
const HAS_NOTHING: &str = "if env | grep -E '^(DATABRICKS|BRICKLINE)_'; then exit 1; fi
test ! -e /var/run/secrets/brickline/token && test ! -e /var/run/secrets/brickline-git
test ! -e /var/run/secrets/kubernetes.io";
/// A script that leaves a report of one test and takes long enough for another to meet it.
const TESTS: &str = r#"test "$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')" = "3.11"
sleep 3
echo "<testsuite name='$SUITE'><testcase classname='$SUITE' name='t'/></testsuite>" > TEST-own.xml"#;

/// Jobs run beside the artifact's as their pools have slots; what may fail is an issue; what the artifact depends on stops it.
pub(super) async fn a_build_has_several_jobs(setting: &Setting) -> anyhow::Result<()> {
    let (team, repository) = (&setting.team, &setting.team.repository);
    repository.push(NAME, &files()).await?;
    team.stage.create::<ReleasePipeline>(pipeline(&repository.clone_url())).await?;
    setting.kubectl(&["wait", "--for=condition=Ready", "dbpipe/jobs", "--timeout=3m"]).await?;

    let commit = repository.push(NAME, &verdict("exit 0")).await?;
    let first = setting.ended(&team.release_of(&commit).await?, ReleaseResult::SucceededWithIssues).await?;
    lets_the_release_pass(&first)?;
    every_job_had_a_pod(setting, &first).await?;

    let commit = repository.push(NAME, &verdict("echo bad style; exit 3")).await?;
    let second = setting.ended(&team.release_of(&commit).await?, ReleaseResult::Failed).await?;
    stops_the_artifact(&second)
}

/// What job `lint` runs.
fn verdict(script: &str) -> Change {
    Change::File { path: "lint.sh".to_owned(), content: format!("{script}\n") }
}

fn pipeline(url: &str) -> Value {
    let step = |name: &str, run: &str| json!({"name": name, "run": run});
    json!({
        "metadata": {"name": NAME},
        "spec": {
            "repository": {"url": url, "provider": "gitea", "credentialsRef": {"name": "git"}},
            "trigger": {"branches": [NAME], "webhook": {"secretRef": {"name": "hook"}}},
            "template": {"spec": {"build": {
                "dependsOn": ["lint"],
                "jobs": [
                    {"name": "lint", "steps": [step("nothing", HAS_NOTHING), step("lint", "sh lint.sh")]},
                    {
                        "name": "unit", "pool": system::NARROW, "pythonVersion": "3.11",
                        "strategy": {"matrix": [
                            {"name": "one", "variables": {"SUITE": "one"}}, {"name": "two", "variables": {"SUITE": "two"}},
                        ]},
                        "steps": [step("tests", TESTS)],
                    },
                    {"name": "docs", "continueOnError": true, "steps": [step("build", "exit 7")]},
                    {
                        "name": "tell", "dependsOn": ["docs"], "condition": "jobs.docs.result == 'SucceededWithIssues'",
                        "steps": [step("tell", "true")],
                    },
                ],
            }}},
        },
    })
}

fn line<'a>(release: &'a DatabricksRelease, name: &str) -> anyhow::Result<&'a BuildJobStatus> {
    let build = release.status.as_ref().and_then(|status| status.phase(Phase::Build)).context("no Build")?;
    build.jobs.iter().find(|job| job.name == name).with_context(|| format!("no job {name}: {:?}", build.jobs))
}

fn lets_the_release_pass(release: &DatabricksRelease) -> anyhow::Result<()> {
    let (reason, message) = why(release)?;
    let status = release.status.as_ref().context("no status")?;
    ensure!(reason == "SucceededWithIssues" && message.contains("docs"), "{reason}: {message}");
    ensure!(status.issue_count == 1 && status.artifact.is_some(), "{:?}", status.issues);
    for name in ["artifact", "lint", "unit.one", "unit.two", "tell"] {
        let job = line(release, name)?;
        ensure!(job.state == PhaseState::Succeeded && job.attempts == 1, "{job:?}");
    }
    let docs = line(release, "docs")?;
    ensure!(docs.state == PhaseState::SucceededWithIssues && docs.message.contains("exit code 7"), "{docs:?}");
    ensure!(status.tests.build.is_some_and(|tests| tests.total == 2 && tests.passed == 2), "{:?}", status.tests);
    // Their pool has one slot.
    let [mut one, mut two] =
        [line(release, "unit.one")?, line(release, "unit.two")?].map(|job| (&job.start_time, &job.completion_time));
    if one.0.as_ref().map(|time| time.0) > two.0.as_ref().map(|time| time.0) {
        std::mem::swap(&mut one, &mut two);
    }
    let (ended, began) = (one.1.as_ref().context("no end")?.0, two.0.as_ref().context("no begin")?.0);
    ensure!(ended <= began, "two jobs had the one slot: {ended} and {began}");
    Ok(())
}

/// Pods are found by their job's name, as `kubectl get pods -l` would.
async fn every_job_had_a_pod(setting: &Setting, release: &DatabricksRelease) -> anyhow::Result<()> {
    let pods = setting.team.stage.api::<Pod>();
    for name in ["artifact", "lint", "unit.one", "unit.two", "docs", "tell"] {
        let selector = format!("{}={},{}={name}", labels::RELEASE, release.name_any(), labels::JOB);
        let found = pods.list_metadata(&ListParams::default().labels(&selector)).await?.items.len();
        ensure!(found == 1, "{found} pods of job {name}");
    }
    Ok(())
}

fn stops_the_artifact(release: &DatabricksRelease) -> anyhow::Result<()> {
    let (reason, message) = why(release)?;
    ensure!(
        reason == "BuildFailed" && message.contains("job lint: ") && message.contains("bad style"),
        "{reason}: {message}"
    );
    let artifact = line(release, "artifact")?;
    ensure!(artifact.state == PhaseState::Skipped && artifact.attempts == 0, "{artifact:?}");
    ensure!(artifact.reason == Some(Reason::DependencyNotReady), "{artifact:?}");
    ensure!(line(release, "unit.one")?.state == PhaseState::Succeeded, "what does not depend on it runs to its end");
    Ok(())
}
