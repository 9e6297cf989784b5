//! Looks at what decides whether a release may go on: its workspace and its rules, people's approvals, what its stage
//! has already, what it would write to.

use std::collections::BTreeSet;

use brickline_crds::condition::truncate;
use brickline_crds::{
    ApprovalRecord, Bundle, ComputeKind, DatabricksRelease, DatabricksReleaseStatus, Phase, PhaseState, Reason,
    ReleaseReason, labels,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use super::wait::since;
use super::{Approvals, Kind, Verdict, View, secrets};
use crate::condition;
use crate::context::Context;
use crate::forge::origin;
use crate::lock::{Lock, lock_of_bundle, lock_of_jobs, locks_of};
use crate::order::is_followed_by;
use crate::phase::operate::{self, Owner};
use crate::phase::{build, deploy, install};
use crate::trouble::Trouble;
use crate::workspace::protection::{self, Approval, Ask, Gate, Request, Standing};
use crate::workspace::{self, Connection, Known};

/// The most approvals that a status holds, and the longest comment of one, in characters: the approval itself has it whole.
const RECORDS: usize = 16;
pub(crate) const COMMENT: usize = 128;

/// What the gate's `decide` needs to know. What ends the release is looked at again past every cache: a watch may not have
/// told yet what was written right before the release.
pub(crate) async fn observe(release: &DatabricksRelease, kind: Kind, context: &Context) -> Result<View, Trouble> {
    let seen = look(release, kind, Known::ByWatch, context).await;
    if !ends(&seen) {
        return seen;
    }
    context.given.forget(release);
    look(release, kind, Known::Stored, context).await
}

/// Whether the release would end by what was seen.
fn ends(seen: &Result<View, Trouble>) -> bool {
    match seen {
        Ok(view) => view.refusal.is_some() || matches!(view.approvals.verdict, Verdict::TimedOut(_)),
        Err(trouble) => !trouble.transient,
    }
}

async fn look(release: &DatabricksRelease, kind: Kind, from: Known, context: &Context) -> Result<View, Trouble> {
    let status = release.status.clone().unwrap_or_default();
    if let Some(refusal) = unbuildable(release, &status, context) {
        return Ok(View { refusal: Some(refusal), ..View::default() });
    }
    if let Some(trouble) = build::fetch::refused(release, &context.settings.args.artifact_hosts) {
        return Ok(View { refusal: Some((trouble.reason, trouble.message)), ..View::default() });
    }
    if secrets::are_due(&status, kind) {
        secrets::check_source(release, &context.secrets, &context.kube).await?;
    }
    if release.spec.workspace_ref.is_none() {
        return Ok(View::default());
    }
    let connection = workspace::connect_by(release, from, context).await?;
    let wanted = Wanted::of(release, &status, &connection, kind, context).await?;
    if let Err(refusal) = authorise(release, &connection, &wanted) {
        return Ok(View { refusal: Some((Reason::NotAuthorized, refusal)), ..View::default() });
    }
    if wanted.bundle.is_some() {
        deploy::bundle::credentials(&connection.workspace, &context.settings)?;
    }
    if wanted.connect.is_some() {
        build::session::credentials(&connection.workspace, &context.settings)?;
    }
    if secrets::are_due(&status, kind) {
        secrets::check(release, &connection.workspace, &context.kube).await?;
    }
    if !kind.workspace {
        return Ok(View::default());
    }
    let spec = &connection.workspace.spec;
    let closed_until = match protection::gate(&spec.protection.windows, Timestamp::now())? {
        Gate::Open => None,
        Gate::ClosedUntil(time) => Some(time),
    };
    Ok(View {
        refusal: None,
        newer_deployed: newer_deployed(release, context),
        approvals: approvals(release, &status, &connection, context).await?,
        closed_until,
        locks: wanted.locks,
    })
}

/// What the release would use.
struct Wanted {
    clusters: Vec<String>,
    /// The policies of the clusters it would make; none for one without a policy.
    new_clusters: Vec<Option<String>>,
    paths: Vec<String>,
    bundle: Option<Box<Bundle>>,
    /// The approvals that its stage asks for, if its build is to have Databricks Connect.
    connect: Option<u32>,
    locks: BTreeSet<Lock>,
}

impl Wanted {
    async fn of(
        release: &DatabricksRelease,
        status: &DatabricksReleaseStatus,
        connection: &Connection,
        kind: Kind,
        context: &Context,
    ) -> Result<Self, Trouble> {
        let spec = &release.spec;
        let asked = |phase: Phase| status.phase(phase).is_some_and(|phase| phase.state != PhaseState::Skipped);
        let (mut clusters, mut new_clusters): (Vec<String>, Vec<Option<String>>) = Default::default();
        if asked(Phase::Install) {
            clusters.extend(spec.install.clusters.iter().cloned());
        }
        if asked(Phase::Test) {
            match spec.test.compute.kind() {
                ComputeKind::Cluster(name) => clusters.push(name.to_owned()),
                ComputeKind::New(new) => new_clusters.push(new.policy_id.clone()),
                ComputeKind::Serverless(_) => {}
            }
        }
        let mut paths: Vec<String> = Vec::new();
        if asked(Phase::Deploy) {
            paths.extend(spec.deploy.items().iter().map(|item| item.to.clone()));
            paths.push(spec.deploy.libraries.to.clone());
        }
        let bundle = spec.deploy.bundle.clone().filter(|_| asked(Phase::Deploy));
        let mut locks = BTreeSet::new();
        if kind.workspace {
            let manifest = context.artifacts.manifest(status.artifact.as_ref()).await?;
            let files: Vec<String> = if asked(Phase::Deploy) {
                deploy::targets(&spec.deploy, &manifest).into_iter().map(|target| target.to).collect()
            } else {
                Vec::new()
            };
            let ids = clusters.iter().map(|name| connection.cluster(name)).collect::<Result<Vec<_>, _>>()?;
            let host = connection.host()?;
            locks = locks_of(&host, ids.iter().map(String::as_str), files.iter().map(String::as_str))?;
            let repository = origin(release).map_or("", |git| git.url.as_str());
            locks.extend(bundle.as_ref().map(|one| lock_of_bundle(&host, repository, &one.path, &one.target)));
            if asked(Phase::Install) {
                install::travelling(spec, &manifest.wheels, &manifest.files)?;
            }
            if asked(Phase::Operate) {
                let owner = Owner::of(release, &context.installation.id().await?);
                operate::check(release, &manifest, connection, &owner)?;
                locks.insert(lock_of_jobs(&host, &owner.to_string()));
            }
        }
        // Jobs run where they are allowed to, but whoever leaves one there changes nothing on the cluster.
        if asked(Phase::Operate) {
            for compute in operate::computes(&spec.operate) {
                match compute.kind() {
                    ComputeKind::Cluster(name) => clusters.push(name.to_owned()),
                    ComputeKind::New(new) => new_clusters.push(new.policy_id.clone()),
                    ComputeKind::Serverless(_) => {}
                }
            }
        }
        // A build's sessions change nothing on the cluster either. Once it is over, it has none.
        let connect = spec.build.connect().filter(|_| kind.first && asked(Phase::Build));
        clusters.extend(connect.and_then(|connect| connect.cluster.clone()));
        let connect = connect.map(|_| spec.approvals.as_ref().map_or(0, |extra| extra.required));
        Ok(Self { clusters, new_clusters, paths, bundle, connect, locks })
    }
}

/// Whether the workspace takes the release at all: in words that name the resource and the rule.
fn authorise(release: &DatabricksRelease, connection: &Connection, wanted: &Wanted) -> Result<(), String> {
    let namespace = release.namespace().unwrap_or_default();
    let request = Request {
        namespace: &namespace,
        pipeline: release.labels().get(labels::PIPELINE).map(String::as_str),
        reference: origin(release).map(|git| git.reference.as_str()),
        reason: release.spec.reason,
        by_controller: is_automatic(release),
        paths: &wanted.paths,
        clusters: &wanted.clusters,
        new_clusters: &wanted.new_clusters,
        bundle: wanted.bundle.as_deref(),
        connect: wanted.connect,
    };
    protection::verdict(&connection.workspace, &request).map_err(|refusal| refusal.message)
}

/// Whether the controller made the release. Admission keeps these reasons for it, and has people sign theirs.
fn is_automatic(release: &DatabricksRelease) -> bool {
    use ReleaseReason::{BuildCompletion, Promotion, PullRequest, Push, Rollback, Schedule};
    let reason = release.spec.reason;
    matches!(reason, Push | PullRequest | Schedule | BuildCompletion | Promotion)
        || (reason == Rollback && release.spec.requested_by.is_none())
}

/// Why the build can't be as it was asked for, whoever has a turn.
fn unbuildable(
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    context: &Context,
) -> Option<(Reason, String)> {
    let builds = status.phase(Phase::Build).is_some_and(|build| build.state == PhaseState::Pending);
    if !builds {
        return None;
    }
    let build = &release.spec.build;
    if let Err(why) = condition::check_jobs(build) {
        return Some((Reason::InvalidSpec, why));
    }
    let pools = &context.settings.pools;
    let unknown = build.planned().into_iter().find(|job| !pools.contains_key(job.pool))?;
    let known: Vec<&str> = pools.keys().map(String::as_str).collect();
    let message =
        format!("there is no build pool {:?}; the chart's builds.pools has: {}", unknown.pool, known.join(", "));
    Some((Reason::NotAuthorized, message))
}

/// A newer release of the stage whose Deploy began, for releases that nobody asked for by hand.
fn newer_deployed(release: &DatabricksRelease, context: &Context) -> Option<String> {
    if !is_automatic(release) || release.spec.reason == ReleaseReason::Rollback {
        return None;
    }
    let pipeline = context.pipeline_of(release)?;
    let stage = release.spec.stage.as_deref().unwrap_or_default();
    let deployed = pipeline.status.as_ref()?.stages.iter().find(|known| known.name == stage)?.deployed.as_ref()?;
    let newer = is_followed_by(release, deployed) || deployed.created.as_ref()?.0 > release.creation_timestamp()?.0;
    (newer && deployed.release != release.name_any()).then(|| deployed.release.clone())
}

async fn approvals(
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    connection: &Connection,
    context: &Context,
) -> Result<Approvals, Trouble> {
    let stage = release.spec.approvals.as_ref().map_or(0, |extra| extra.required);
    let Some(rule) = protection::demand(connection.workspace.spec.protection.approvals.as_ref(), stage) else {
        return Ok(Approvals::default());
    };
    let given = context.given.of(release, &context.kube).await?;
    let digest = status.artifact.as_ref().map(|artifact| artifact.digest.clone()).unwrap_or_default();
    let now = Timestamp::now();
    let uid = release.uid().unwrap_or_default();
    let requesters = release.requesters();
    let requesters: Vec<&str> = requesters.iter().map(String::as_str).collect();
    let since = since(status, Reason::WaitingForApproval, now);
    let ask = Ask { uid: &uid, digest: &digest, requesters: &requesters, since };
    let mut records: Vec<ApprovalRecord> =
        given.iter().filter(|one| one.uid == uid && one.digest == digest).map(record).collect();
    records.sort_by(|a, b| (&a.approver, a.time.0).cmp(&(&b.approver, b.time.0)));
    records.dedup_by(|a, b| a.approver == b.approver);
    records.truncate(RECORDS);
    Ok(Approvals { records, verdict: verdict(&protection::standing(&rule, &ask, &given, now), release, &digest) })
}

fn record(approval: &Approval) -> ApprovalRecord {
    ApprovalRecord {
        approver: approval.approver.clone(),
        decision: approval.decision,
        comment: truncate(&approval.comment, COMMENT),
        time: Time(approval.created),
    }
}

fn verdict(standing: &Standing, release: &DatabricksRelease, digest: &str) -> Verdict {
    let name = release.name_any();
    match standing {
        Standing::Approved { .. } => Verdict::Approved,
        Standing::Rejected { by, comment } if comment.is_empty() => Verdict::Rejected(format!("rejected by {by}")),
        Standing::Rejected { by, comment } => Verdict::Rejected(format!("rejected by {by}: {comment}")),
        Standing::Waiting { have, need, until } => {
            let message = format!(
                "{have} of {need} approvals for {digest}: create a ReleaseApproval for release {name}, uid {}",
                release.uid().unwrap_or_default()
            );
            Verdict::Waiting { message, until: *until }
        }
        Standing::TimedOut => Verdict::TimedOut("nobody approved it in time".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn refused() -> View {
        View { refusal: Some((Reason::NotAuthorized, "no".to_owned())), ..View::default() }
    }

    fn answered(verdict: Verdict) -> View {
        View { approvals: Approvals { verdict, ..Approvals::default() }, ..View::default() }
    }

    /// A look costs requests: only what would end the release is worth another one.
    #[rstest]
    #[case::refused(Ok(refused()), true)]
    #[case::an_unknown_cluster(Err(Trouble::lasting(Reason::InvalidSpec, "no cluster")), true)]
    #[case::not_approved_in_time(Ok(answered(Verdict::TimedOut("nobody".to_owned()))), true)]
    #[case::a_missing_workspace(Err(Trouble::passing(Reason::DependencyNotReady, "missing")), false)]
    #[case::nobody_yet(Ok(answered(Verdict::Waiting { message: String::new(), until: Timestamp::MAX })), false)]
    #[case::free(Ok(View::default()), false)]
    fn only_what_ends_a_release_is_looked_at_twice(#[case] seen: Result<View, Trouble>, #[case] twice: bool) {
        assert_eq!(ends(&seen), twice);
    }
}
