//! The status of a `DatabricksWorkspace`: whether it answers, and as whom.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use brickline_crds::annotations;
use brickline_crds::condition::{self, READY, RECONCILING, STALLED, Status};
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
    if workspace.spec.suspend {
        context.secrets.follow(&*workspace, &BTreeMap::new());
        let trouble =
            Trouble::lasting(Reason::Suspended, "suspended: set spec.suspend to false to check the workspace");
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
    match &identity {
        Ok(identity) => {
            condition::remove(conditions, STALLED);
            condition::remove(conditions, RECONCILING);
            let message = format!("reachable as {}", identity.user_name);
            condition::set(conditions, READY, Status::True, Reason::Succeeded, &message, generation, now);
        }
        Err(trouble) => {
            let (extra, other) = if trouble.transient { (RECONCILING, STALLED) } else { (STALLED, RECONCILING) };
            // One that stays is not taken out: it would come back as of now, be written, and wake this reconciler.
            condition::remove(conditions, other);
            // Databricks may word the same refusal differently each time: rewriting it would wake this reconciler at once.
            let message = match said(conditions, trouble.reason, generation) {
                Some(before) if !asked => before,
                _ => trouble.message.clone(),
            };
            for (type_, holds) in [(READY, Status::False), (extra, Status::True)] {
                condition::set(conditions, type_, holds, trouble.reason, &message, generation, now);
            }
        }
    }
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
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn workspace(token: &str) -> DatabricksWorkspace {
        serde_json::from_value(json!({
            "apiVersion": "brickline.dev/v1alpha1",
            "kind": "DatabricksWorkspace",
            "metadata": {"name": "staging", "generation": 2, "annotations": {"brickline.dev/requestedAt": token}},
            "spec": {"host": "https://adb-1.2.azuredatabricks.net", "auth": {}},
        }))
        .unwrap()
    }

    fn unreachable(message: &str) -> Result<Identity, Trouble> {
        Err(Trouble::passing(Reason::WorkspaceUnreachable, message))
    }

    fn ready(status: &DatabricksWorkspaceStatus) -> (&str, &str, Timestamp) {
        let ready = condition::find(&status.conditions, READY).unwrap();
        (&ready.status, &ready.message, ready.last_transition_time.0)
    }

    #[test]
    fn ready_says_since_when_it_is_so() {
        let mut workspace = workspace("1");
        let me = || Ok(Identity { user_name: "sp-release".into(), id: "1".into() });
        workspace.status = Some(next(&workspace, me(), at(0)));
        let later = next(&workspace, me(), at(60));
        assert_eq!(workspace.status.as_ref(), Some(&later), "an equal status is not written");
        assert_eq!(ready(&later), ("True", "reachable as sp-release", at(0)));
        let gone = next(&workspace, unreachable("no route"), at(120));
        assert_eq!(ready(&gone), ("False", "no route", at(120)));
        assert_eq!(gone.identity, None);
    }

    #[test]
    fn a_new_token_is_echoed_and_brings_news() {
        let mut object = workspace("1");
        object.status = Some(next(&object, unreachable("first"), at(0)));
        let again = next(&object, unreachable("second"), at(10));
        assert_eq!(object.status.as_ref(), Some(&again), "the same trouble in other words is no news");
        object.metadata.annotations = workspace("2").metadata.annotations;
        let asked = next(&object, unreachable("third"), at(20));
        assert_eq!(asked.last_handled_requested_at.as_deref(), Some("2"));
        assert_eq!(ready(&asked), ("False", "third", at(0)));
    }

    #[rstest]
    #[case::it_answers(None, true, 0, Some(600))]
    #[case::the_secrets_watch_tells(Some(Reason::DependencyNotReady), true, 0, None)]
    #[case::too_many_to_watch(Some(Reason::DependencyNotReady), false, 9_000, Some(300))]
    #[case::the_user_must_change_it(Some(Reason::InvalidSpec), true, 0, None)]
    #[case::just_gone(Some(Reason::WorkspaceUnreachable), true, 0, Some(15))]
    #[case::gone_for_a_minute(Some(Reason::WorkspaceUnreachable), true, 60, Some(60))]
    #[case::gone_for_hours(Some(Reason::WorkspaceUnreachable), true, 9_000, Some(300))]
    #[case::a_clock_that_went_back(Some(Reason::AuthenticationFailed), true, -60, Some(15))]
    fn looks_again(
        #[case] trouble: Option<Reason>,
        #[case] followed: bool,
        #[case] later: i64,
        #[case] expected: Option<u64>,
    ) {
        let status = next(&workspace("1"), unreachable("no route"), at(0));
        assert_eq!(pause(trouble, followed, &status, at(later)), expected.map(Duration::from_secs));
    }
}
