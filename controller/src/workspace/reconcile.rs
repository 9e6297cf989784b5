//! The status of a `DatabricksWorkspace`: whether it answers, and as whom.

use std::sync::Arc;
use std::time::Duration;

use brickline_crds::condition::{self, READY, RECONCILING, STALLED, Status};
use brickline_crds::{DatabricksWorkspace, DatabricksWorkspaceStatus, Identity, Reason};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use kube::runtime::controller::Action;

use super::connect::client;
use super::protection;
use crate::context::Context;
use crate::record;
use crate::trouble::Trouble;

/// How often a workspace that answered is asked again.
const CHECK: Duration = Duration::from_mins(5);
/// How often one that did not is asked again.
const RECHECK: Duration = Duration::from_secs(30);

/// Asks the workspace who we are and writes down what it says.
pub(crate) async fn reconcile(
    workspace: Arc<DatabricksWorkspace>,
    context: Arc<Context>,
) -> Result<Action, kube::Error> {
    if workspace.spec.suspend {
        let trouble =
            Trouble::lasting(Reason::Suspended, "suspended: set spec.suspend to false to check the workspace");
        write(&workspace, Err(trouble), &context).await?;
        return Ok(Action::await_change());
    }
    let identity = identify(&workspace, &context).await;
    let pause = if identity.is_ok() { CHECK } else { RECHECK };
    write(&workspace, identity, &context).await?;
    Ok(Action::requeue(pause))
}

async fn identify(workspace: &DatabricksWorkspace, context: &Context) -> Result<Identity, Trouble> {
    protection::check(&workspace.spec.protection)?;
    let me = client(workspace, context).await?.me().await?;
    let bounded = |text: &str, max: usize| condition::truncate(text, max);
    Ok(Identity { user_name: bounded(&me.user_name, 320), id: bounded(&me.id, 64) })
}

async fn write(
    workspace: &DatabricksWorkspace,
    identity: Result<Identity, Trouble>,
    context: &Context,
) -> Result<(), kube::Error> {
    let mut status = workspace.status.clone().unwrap_or_default();
    let generation = workspace.metadata.generation.unwrap_or_default();
    let now = Timestamp::now();
    status.observed_generation = generation;
    let conditions = &mut status.conditions;
    condition::remove(conditions, STALLED);
    condition::remove(conditions, RECONCILING);
    match &identity {
        Ok(identity) => {
            let message = format!("reachable as {}", identity.user_name);
            condition::set(conditions, READY, Status::True, Reason::Succeeded, &message, generation, now);
        }
        // Databricks may word the same refusal differently each time: rewriting it would wake this reconciler at once.
        Err(trouble) if says(conditions, trouble.reason, generation) => {
            let extra = if trouble.transient { RECONCILING } else { STALLED };
            let message = condition::find(conditions, READY).map(|ready| ready.message.clone()).unwrap_or_default();
            condition::set(conditions, extra, Status::True, trouble.reason, &message, generation, now);
        }
        Err(trouble) => {
            let extra = if trouble.transient { RECONCILING } else { STALLED };
            condition::set(conditions, READY, Status::False, trouble.reason, &trouble.message, generation, now);
            condition::set(conditions, extra, Status::True, trouble.reason, &trouble.message, generation, now);
        }
    }
    status.identity = identity.ok();
    apply(workspace, status, context).await
}

/// Whether `Ready` is False already for that reason and generation.
fn says(conditions: &[Condition], reason: Reason, generation: i64) -> bool {
    condition::find(conditions, READY).is_some_and(|ready| {
        ready.status == "False" && ready.reason == reason.to_string() && ready.observed_generation == Some(generation)
    })
}

async fn apply(
    workspace: &DatabricksWorkspace,
    status: DatabricksWorkspaceStatus,
    context: &Context,
) -> Result<(), kube::Error> {
    if workspace.status.as_ref() == Some(&status) {
        return Ok(());
    }
    let (namespace, name) = (workspace.namespace().unwrap_or_default(), workspace.name_any());
    tracing::debug!(%namespace, %name, "workspace status changed");
    record::status(workspace, &status, context).await.map(drop)
}
