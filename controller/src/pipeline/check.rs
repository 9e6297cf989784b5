//! Whether a pipeline can be carried out as written.

use std::collections::BTreeMap;

use brickline_crds::{Provider, Reason, ReleasePipeline};
use globset::GlobBuilder;
use kube::ResourceExt;

use super::{schedule, timetable};
use crate::condition::{self, StageView};
use crate::creation::{parameters, stages};
use crate::phase::operate;
use crate::secret::{self, Watches};
use crate::trouble::Trouble;

/// Checks the spec alone. Pure.
pub(super) fn spec(pipeline: &ReleasePipeline) -> Result<(), Trouble> {
    let sentences = [branches, stages, parameters_, artifacts, remote, builds, jobs];
    sentences.iter().try_for_each(|check| check(pipeline)).map_err(|why| Trouble::lasting(Reason::InvalidSpec, why))
}

fn branches(pipeline: &ReleasePipeline) -> Result<(), String> {
    for branch in &pipeline.spec.trigger.branches {
        let glob = GlobBuilder::new(branch).literal_separator(true).build();
        glob.map_err(|error| format!("trigger.branches: {error}"))?;
    }
    Ok(())
}

fn stages(pipeline: &ReleasePipeline) -> Result<(), String> {
    if let Some(cycle) = stages::cycle(&pipeline.spec.stages) {
        return Err(format!("stages wait for each other and none can begin: {cycle}; take one dependsOn away"));
    }
    for stage in &pipeline.spec.stages {
        let Some(expression) = &stage.condition else { continue };
        let before = stage.depends_on.iter().map(String::as_str);
        condition::check::<StageView>(expression, before).map_err(|why| format!("stage {}: {why}", stage.name))?;
    }
    Ok(())
}

fn builds(pipeline: &ReleasePipeline) -> Result<(), String> {
    condition::check_jobs(&pipeline.spec.template.spec.build).map_err(|why| format!("template.spec.{why}"))
}

fn parameters_(pipeline: &ReleasePipeline) -> Result<(), String> {
    pipeline.spec.stages.iter().try_for_each(|stage| parameters::of(pipeline, Some(stage)).map(drop))
}

fn artifacts(pipeline: &ReleasePipeline) -> Result<(), String> {
    let triggers = &pipeline.spec.trigger.artifacts;
    if triggers.iter().any(|trigger| trigger.pipeline == pipeline.name_any()) {
        return Err("trigger.artifacts names this pipeline itself".to_owned());
    }
    if !triggers.is_empty() && pipeline.spec.stages.is_empty() {
        return Err("trigger.artifacts needs a stage to release to: there is nothing to build".to_owned());
    }
    Ok(())
}

/// What asks the repository itself.
fn remote(pipeline: &ReleasePipeline) -> Result<(), String> {
    let trigger = &pipeline.spec.trigger;
    let asks = trigger.poll.is_some() || !trigger.schedules.is_empty();
    let url = &pipeline.spec.repository.url;
    if asks && !url.starts_with("https://") && !url.starts_with("http://") {
        return Err("trigger.poll and trigger.schedules need a repository.url with https://".to_owned());
    }
    for planned in &trigger.schedules {
        let next = schedule::next(planned, jiff::Timestamp::UNIX_EPOCH).map_err(|why| format!("schedule: {why}"))?;
        next.ok_or_else(|| format!("schedule: '{}' never comes", planned.cron))?;
        timetable::branch(pipeline, planned)
            .ok_or_else(|| format!("schedule '{}' needs a branch: trigger.branches has only patterns", planned.cron))?;
    }
    Ok(())
}

/// The schedules of the jobs that releases will leave.
fn jobs(pipeline: &ReleasePipeline) -> Result<(), String> {
    let spec = &pipeline.spec;
    for job in &spec.template.spec.operate.jobs {
        operate::timed(job).map_err(|why| format!("template.spec.{why}"))?;
    }
    for stage in &spec.stages {
        let own = stage.overrides.as_ref().and_then(|overrides| overrides.operate.as_ref());
        for job in own.into_iter().flat_map(|operate| &operate.jobs) {
            operate::timed(job).map_err(|why| format!("stage {}: overrides.{why}", stage.name))?;
        }
    }
    Ok(())
}

/// Where pushes come from, for people. Reads the webhook's Secret and notes the version in `seen`; none if it could not.
pub(super) async fn webhook(
    pipeline: &ReleasePipeline,
    namespace: &str,
    seen: &mut BTreeMap<String, Option<String>>,
    kube: &kube::Client,
    secrets: &Watches,
) -> Result<String, Trouble> {
    let spec = &pipeline.spec;
    let branches = spec.trigger.branches.join(", ");
    let Some(webhook) = &spec.trigger.webhook else {
        return Ok(match spec.trigger.poll {
            Some(_) => format!("asks the repository for {branches}"),
            None => "no webhook: releases are created by hand".to_owned(),
        });
    };
    if spec.repository.provider == Provider::Generic {
        let message = "trigger.webhook needs repository.provider: gitea or github";
        return Err(Trouble::lasting(Reason::InvalidSpec, message));
    }
    let name = &webhook.secret_ref.name;
    let requests = spec.trigger.pull_requests.as_ref().is_some_and(|requests| requests.enabled);
    let requests = if requests { ", and pull requests into them" } else { "" };
    let waits = format!("waits for pushes to {branches}{requests}");
    // Every write of the status brings the pipeline here again: a Secret that is in sight need not be read for it.
    if let Some(version) = secrets.with_text(namespace, name, "token") {
        seen.insert(name.clone(), Some(version));
        return Ok(waits);
    }
    let secret = secret::read(kube, namespace, name, "trigger.webhook.secretRef").await;
    seen.insert(name.clone(), secret.as_ref().ok().and_then(ResourceExt::resource_version));
    let secret = secret?;
    secrets.learn(namespace, &secret);
    if secret.data.is_some_and(|data| data.contains_key("token")) {
        return Ok(waits);
    }
    let message = format!("Secret {namespace}/{name} has no key token: put the webhook's secret there");
    Err(Trouble::passing(Reason::DependencyNotReady, message))
}

/// Whether what the checkout logs in with is there. Notes its version in `seen`; none if it could not be read.
pub(super) async fn credentials(
    pipeline: &ReleasePipeline,
    namespace: &str,
    seen: &mut BTreeMap<String, Option<String>>,
    kube: &kube::Client,
    secrets: &Watches,
) -> Result<(), Trouble> {
    let Some(reference) = &pipeline.spec.repository.credentials_ref else { return Ok(()) };
    let name = &reference.name;
    if seen.get(name).is_some_and(Option::is_some) {
        return Ok(());
    }
    if let Some(version) = secrets.version(namespace, name) {
        seen.insert(name.clone(), Some(version));
        return Ok(());
    }
    let secret = secret::read(kube, namespace, name, "repository.credentialsRef").await;
    seen.insert(name.clone(), secret.as_ref().ok().and_then(ResourceExt::resource_version));
    secret.map(drop)
}
