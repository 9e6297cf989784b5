//! Queues and locks: who goes first, who waits for what, and who need not go at all.

use anyhow::{Context as _, ensure};
use brickline_crds::{DatabricksRelease, Phase, Reason, ReleasePipeline, ReleaseResult, labels};
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::setting::{Setting, files, why};
use crate::forge::Change;

/// Releases of one pipeline take turns by its policy; releases of different ones take turns on one cluster.
pub(super) async fn releases_take_turns(setting: &Setting) -> anyhow::Result<()> {
    for (name, policy) in [("one-by-one", "Queue"), ("newest-first", "Supersede")] {
        setting.team.repository.push(name, &files()).await?;
        let pipeline = pipeline(name, policy, &setting.team.repository.clone_url());
        setting.team.stage.create::<ReleasePipeline>(pipeline).await?;
    }
    let wait = ["wait", "--for=condition=Ready", "dbpipe/one-by-one", "dbpipe/newest-first", "--timeout=3m"];
    setting.kubectl(&wait).await?;
    tokio::try_join!(queued_releases_go_one_by_one(setting), the_newest_commit_wins(setting))?;
    Box::pin(one_cluster_has_one_writer(setting)).await
}

/// Pushes a commit to a branch and returns the release that it became.
async fn push(setting: &Setting, branch: &str, word: &str) -> anyhow::Result<String> {
    let team = &setting.team;
    let change = Change::File { path: "README.md".into(), content: format!("# {branch} {word}\n") };
    team.release_of(&team.repository.push(branch, &change).await?).await
}

/// With `Queue` the second commit waits until the first has ended, and then goes by itself.
async fn queued_releases_go_one_by_one(setting: &Setting) -> anyhow::Result<()> {
    let (branch, first) = ("one-by-one", push(setting, "one-by-one", "first").await?);
    let second = push(setting, branch, "second").await?;
    let waits = setting.waits(&second, Reason::WaitingForSlot).await?;
    ensure!(begin(&waits).is_none(), "it waits and has begun");
    stands_in_line(setting, branch, &[&first, &second]).await?;
    let first = setting.ended(&first, ReleaseResult::Succeeded).await?;
    let second = setting.ended(&second, ReleaseResult::Succeeded).await?;
    ensure!(end(&first)? <= begin(&second).context("it never began")?, "they went at the same time");
    Ok(())
}

/// A place in the line is what its reader counts: the unfinished releases of the pipeline, the oldest first.
async fn stands_in_line(setting: &Setting, pipeline: &str, expected: &[&str]) -> anyhow::Result<()> {
    let label = format!("{}={pipeline}", labels::PIPELINE);
    let look = ["get", "dbrel", "-o", "name", "--field-selector", "status.result=", "-l", &label];
    let shown = setting.kubectl(&[&look[..], &["--sort-by=.metadata.creationTimestamp"]].concat()).await?;
    let line: Vec<&str> = shown.lines().filter_map(|line| line.rsplit('/').next()).collect();
    let places: Option<Vec<usize>> = expected.iter().map(|name| line.iter().position(|one| one == name)).collect();
    let places = places.with_context(|| format!("the line is {line:?}, without one of {expected:?}"))?;
    // What came in one second is told apart by more than its age.
    let mut created = Vec::new();
    for name in expected {
        created.push(setting.release(name).await?.creation_timestamp().map(|time| time.0));
    }
    let at_once = created.windows(2).any(|two| two[0] == two[1]);
    ensure!(at_once || places.is_sorted(), "the line is {line:?}, and they came as {expected:?}");
    Ok(())
}

/// With `Supersede` a commit that nothing was deployed of gives way to a newer one.
async fn the_newest_commit_wins(setting: &Setting) -> anyhow::Result<()> {
    let branch = "newest-first";
    let first = push(setting, branch, "first").await?;
    let second = push(setting, branch, "second").await?;
    let third = push(setting, branch, "third").await?;
    setting.ended(&third, ReleaseResult::Succeeded).await?;
    for (name, results) in [
        (first, [ReleaseResult::Canceled, ReleaseResult::Skipped, ReleaseResult::Succeeded]),
        (second, [ReleaseResult::Canceled, ReleaseResult::Skipped, ReleaseResult::Canceled]),
    ] {
        let release = setting.over(&name).await?;
        let result = release.status.as_ref().map(|status| status.result).unwrap_or_default();
        let (reason, message) = why(&release)?;
        ensure!(results.contains(&result), "{name} ended {result}: {message}");
        ensure!(result == ReleaseResult::Succeeded || reason == "Superseded", "{name}: {reason}: {message}");
    }
    Ok(())
}

/// Two releases that know nothing of each other never work on one cluster at the same time; the second says whom it waits for.
async fn one_cluster_has_one_writer(setting: &Setting) -> anyhow::Result<()> {
    setting.create(setting.artifact_release("one", "staging", "pause")).await?;
    let deploys = |status: &brickline_crds::DatabricksReleaseStatus| {
        status.phase(Phase::Deploy).is_some_and(|deploy| deploy.attempts > 0)
    };
    setting.until("one", "deploying", deploys).await?;
    setting.create(setting.artifact_release("two", "staging", "pause")).await?;
    let waits = setting.waits("two", Reason::WaitingForCluster).await?;
    let message = waits.status.and_then(|status| status.waiting).map(|waiting| waiting.message).unwrap_or_default();
    ensure!(message.contains("/one"), "it doesn't say who has the cluster: {message}");
    let one = setting.ended("one", ReleaseResult::Succeeded).await?;
    let two = setting.ended("two", ReleaseResult::Succeeded).await?;
    let deployed = phase_begin(&two, Phase::Deploy).context("it never deployed")?;
    ensure!(phase_end(&one, Phase::Test).context("it never tested")? <= deployed, "both were at work");
    for release in [one, two] {
        setting.holds_no_lock(&release).await?;
    }
    Ok(())
}

fn begin(release: &DatabricksRelease) -> Option<jiff::Timestamp> {
    Some(release.status.as_ref()?.start_time.as_ref()?.0)
}

fn end(release: &DatabricksRelease) -> anyhow::Result<jiff::Timestamp> {
    let time = release.status.as_ref().and_then(|status| status.completion_time.as_ref());
    Ok(time.with_context(|| format!("{} has no end", release.name_any()))?.0)
}

fn phase_begin(release: &DatabricksRelease, phase: Phase) -> Option<jiff::Timestamp> {
    Some(release.status.as_ref()?.phase(phase)?.start_time.as_ref()?.0)
}

fn phase_end(release: &DatabricksRelease, phase: Phase) -> Option<jiff::Timestamp> {
    Some(release.status.as_ref()?.phase(phase)?.completion_time.as_ref()?.0)
}

/// A pipeline that only builds, of the branch that has its name.
fn pipeline(name: &str, policy: &str, url: &str) -> Value {
    json!({
        "metadata": {"name": name},
        "spec": {
            "repository": {"url": url, "provider": "gitea", "credentialsRef": {"name": "git"}},
            "trigger": {"branches": [name], "webhook": {"secretRef": {"name": "hook"}}},
            "concurrency": {"policy": policy},
        },
    })
}
