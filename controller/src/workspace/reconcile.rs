//! The status of a `DatabricksWorkspace`: whether it answers, and as whom.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use brickline_crds::annotations;
use brickline_crds::condition::{self, READY, Summary};
use brickline_crds::{DatabricksWorkspace, DatabricksWorkspaceStatus, Identity, Reason};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use kube::runtime::controller::Action;

use super::connect::client;
use super::{protection, references};
use crate::context::Context;
use crate::record;
use crate::trouble::Trouble;

/// How often a workspace that answered is asked again: nothing tells when it no longer does.
const CHECK: Duration = Duration::from_mins(10);
/// How often one that did not is asked again, at first and at last.
const RECHECK: [Duration; 2] = [Duration::from_secs(15), Duration::from_mins(5)];

/// Asks the workspace who we are and writes down what it says.
pub(crate) async fn reconcile(
    workspace: Arc<DatabricksWorkspace>,
    context: Arc<Context>,
) -> Result<Action, kube::Error> {
    if let Err(trouble) = may_check(&workspace) {
        context.secrets.follow(&*workspace, &BTreeMap::new());
        write(&workspace, Err(trouble), &context).await?;
        return Ok(Action::await_change());
    }
    let (read, followed) = references::read(&workspace, &context).await;
    // Only of a missing Secret a watch tells; a missing ServiceAccount is looked for.
    let followed = followed && read.is_err();
    let identity = match read {
        Ok(()) => identify(&workspace, &context).await,
        Err(trouble) => Err(trouble),
    };
    let reason = identity.as_ref().err().map(|trouble| trouble.reason);
    let status = write(&workspace, identity, &context).await?;
    Ok(pause(reason, followed, &status, Timestamp::now()).map_or_else(Action::await_change, Action::requeue))
}

/// Whether the workspace may be asked anything.
fn may_check(workspace: &DatabricksWorkspace) -> Result<(), Trouble> {
    if workspace.spec.suspend {
        return Err(Trouble::lasting(Reason::Suspended, "suspended: set spec.suspend to false to check the workspace"));
    }
    Ok(())
}

async fn identify(workspace: &DatabricksWorkspace, context: &Context) -> Result<Identity, Trouble> {
    protection::check(&workspace.spec.protection)?;
    let client = client(workspace, context).await?;
    let known = workspace.status.as_ref().and_then(|status| status.last_handled_requested_at.clone());
    if annotations::requested_at(workspace.annotations()) != known {
        client.try_credentials_again();
    }
    let me = client.me().await?;
    let bounded = |text: &str, max: usize| condition::truncate(text, max);
    Ok(Identity { user_name: bounded(&me.user_name, 320), id: bounded(&me.id, 64) })
}

/// When to look again; `None` if a watch tells. A workspace that stays in trouble is asked ever more rarely.
fn pause(
    trouble: Option<Reason>,
    followed: bool,
    status: &DatabricksWorkspaceStatus,
    now: Timestamp,
) -> Option<Duration> {
    match trouble {
        None => Some(CHECK),
        Some(Reason::InvalidSpec) => None,
        Some(Reason::DependencyNotReady) if followed => None,
        Some(_) => {
            let since = condition::find(&status.conditions, READY).map_or(now, |ready| ready.last_transition_time.0);
            let [first, last] = RECHECK;
            Some(Duration::try_from(now.duration_since(since)).unwrap_or_default().clamp(first, last))
        }
    }
}

async fn write(
    workspace: &DatabricksWorkspace,
    identity: Result<Identity, Trouble>,
    context: &Context,
) -> Result<DatabricksWorkspaceStatus, kube::Error> {
    let status = next(workspace, identity, Timestamp::now());
    if workspace.status.as_ref() != Some(&status) {
        let (namespace, name) = (workspace.namespace().unwrap_or_default(), workspace.name_any());
        tracing::debug!(%namespace, %name, "workspace status changed");
        record::status(workspace, &status, &context.kube).await?;
    }
    Ok(status)
}

/// The status after a check that ended like this.
fn next(
    workspace: &DatabricksWorkspace,
    identity: Result<Identity, Trouble>,
    now: Timestamp,
) -> DatabricksWorkspaceStatus {
    let mut status = workspace.status.clone().unwrap_or_default();
    let generation = workspace.metadata.generation.unwrap_or_default();
    let token = annotations::requested_at(workspace.annotations());
    let asked = token != status.last_handled_requested_at;
    status.last_handled_requested_at = token;
    status.observed_generation = generation;
    let conditions = &mut status.conditions;
    let (summary, reason, message) = match &identity {
        Ok(identity) => (Summary::Ready, Reason::Succeeded, format!("reachable as {}", identity.user_name)),
        Err(trouble) => {
            let summary = if trouble.transient { Summary::Reconciling } else { Summary::Stalled };
            // Databricks may word the same refusal differently each time: rewriting it would wake this reconciler at once.
            let message = match said(conditions, trouble.reason, generation) {
                Some(before) if !asked => before,
                _ => trouble.message.clone(),
            };
            (summary, trouble.reason, message)
        }
    };
    condition::summarize(conditions, summary, reason, &message, generation, now);
    status.identity = identity.ok();
    status
}

/// What `Ready` says, if it is False already for that reason and generation.
fn said(conditions: &[Condition], reason: Reason, generation: i64) -> Option<String> {
    let ready = condition::find(conditions, READY)?;
    let same = ready.status == "False"
        && ready.reason == reason.to_string()
        && ready.observed_generation == Some(generation)
        // Which of several references is missing is for the user to know.
        && reason != Reason::DependencyNotReady;
    same.then(|| ready.message.clone())
}

#[cfg(test)]
mod tests;
