//! The status of a `ReleasePipeline`: whether it can work, and where its webhook is.

use std::sync::Arc;
use std::time::Duration;

use brickline_crds::condition::{self, READY, STALLED, Status};
use brickline_crds::{Provider, Reason, ReleasePipeline};
use globset::GlobBuilder;
use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::controller::Action;

use crate::context::Context;
use crate::trouble::Trouble;
use crate::{record, secret};

/// How often a pipeline that is ready is looked at again: its Secret may have gone.
const CHECK: Duration = Duration::from_mins(5);
/// How often a pipeline that is not ready is looked at again: its Secret may have come.
const RECHECK: Duration = Duration::from_secs(15);

/// Checks the pipeline and writes down what is wrong with it, or where to point the webhook.
pub(crate) async fn reconcile(pipeline: Arc<ReleasePipeline>, context: Arc<Context>) -> Result<Action, kube::Error> {
    let (namespace, name) = (pipeline.namespace().unwrap_or_default(), pipeline.name_any());
    let checked = check(&pipeline, &namespace, &context).await;
    let mut status = pipeline.status.clone().unwrap_or_default();
    let generation = pipeline.metadata.generation.unwrap_or_default();
    let now = Timestamp::now();
    status.observed_generation = generation;
    status.webhook_paths = vec![format!("/hooks/{namespace}/{name}"), format!("/hooks/{namespace}")];
    condition::remove(&mut status.conditions, STALLED);
    match &checked {
        Ok(message) => {
            condition::set(&mut status.conditions, READY, Status::True, Reason::Succeeded, message, generation, now);
        }
        Err(trouble) => {
            for (type_, holds) in [(READY, Status::False), (STALLED, Status::True)] {
                condition::set(&mut status.conditions, type_, holds, trouble.reason, &trouble.message, generation, now);
            }
        }
    }
    if pipeline.status.as_ref() != Some(&status) {
        record::status(&*pipeline, &status, &context).await?;
    }
    Ok(Action::requeue(if checked.is_ok() { CHECK } else { RECHECK }))
}

async fn check(pipeline: &ReleasePipeline, namespace: &str, context: &Context) -> Result<String, Trouble> {
    let spec = &pipeline.spec;
    if spec.suspend {
        return Err(Trouble::lasting(Reason::Suspended, "suspended: set spec.suspend to false to release again"));
    }
    for branch in &spec.trigger.branches {
        if let Err(error) = GlobBuilder::new(branch).literal_separator(true).build() {
            return Err(Trouble::lasting(Reason::InvalidSpec, format!("trigger.branches: {error}")));
        }
    }
    let Some(webhook) = &spec.trigger.webhook else {
        return Ok("no webhook: releases are created by hand".to_owned());
    };
    if spec.repository.provider == Provider::Generic {
        let message = "trigger.webhook needs repository.provider: gitea or github";
        return Err(Trouble::lasting(Reason::InvalidSpec, message));
    }
    let name = &webhook.secret_ref.name;
    let secret = secret::read(&context.kube, namespace, name, "trigger.webhook.secretRef").await?;
    if secret.data.is_some_and(|data| data.contains_key("token")) {
        return Ok(format!("waits for pushes to {}", spec.trigger.branches.join(", ")));
    }
    let message = format!("Secret {namespace}/{name} has no key token: put the webhook's secret there");
    Err(Trouble::passing(Reason::DependencyNotReady, message))
}
