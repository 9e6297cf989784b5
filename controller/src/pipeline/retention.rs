//! Which finished releases may go. Pure.
//!
//! Of each kind of end the newest are kept, as many as the pipeline says, and none that is older than `maxAge`. Releases of
//! pull requests are a kind of their own: many of them push out none of a merge. Kept in any case:
//!
//! - a release that has not ended;
//! - what a stage has, and its last good one: a rollback needs it; and the rollback that a failed one was answered with;
//! - a release whose artifact one that has not ended is to deploy;
//! - the newest ones of each stage, `minimumPerStage` of them;
//! - the newest release of each branch that is polled: without it the branch would seem never released.

use std::collections::{BTreeMap, BTreeSet};

use brickline_crds::{DatabricksRelease, ReleaseReason, ReleaseResult, Retention, StageStatus};
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::lineage::{Releases, created, is_finished, result};

/// What may go, the oldest first, and when the next one will be too old.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Expiry {
    pub(super) gone: Vec<Gone>,
    pub(super) next: Option<Timestamp>,
}

/// A release that may go: exactly this one, not another of its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gone {
    pub(super) name: String,
    pub(super) uid: Option<String>,
}

/// Which releases may go now. `polled` are the refs whose newest release is kept.
pub(super) fn expired(
    releases: Releases,
    retention: &Retention,
    stages: &[StageStatus],
    polled: &[&str],
    now: Timestamp,
) -> Expiry {
    let mut finished: Vec<&DatabricksRelease> = releases.iter().filter(|release| is_finished(release)).collect();
    finished.sort_by_key(|release| std::cmp::Reverse(releases.age(release)));
    let kept = kept(releases, &finished, retention, stages, polled);
    let max_age = SignedDuration::try_from(retention.max_age.get()).unwrap_or(SignedDuration::MAX);
    let mut counts: BTreeMap<Kind, u32> = BTreeMap::new();
    let mut expiry = Expiry::default();
    for release in finished {
        let Some((kind, limit)) = kind(release, retention) else { continue };
        let count = counts.entry(kind).or_default();
        *count += 1;
        if kept.contains(&release.name_any()) || release.metadata.deletion_timestamp.is_some() {
            continue;
        }
        let until = ended(release).checked_add(max_age).unwrap_or(Timestamp::MAX);
        if *count > limit || until <= now {
            expiry.gone.push(Gone { name: release.name_any(), uid: release.uid() });
        } else {
            expiry.next = Some(expiry.next.map_or(until, |next| next.min(until)));
        }
    }
    expiry.gone.reverse();
    expiry
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Good,
    Bad,
    Skipped,
    PullRequest,
}

fn kind(release: &DatabricksRelease, retention: &Retention) -> Option<(Kind, u32)> {
    match result(release) {
        ReleaseResult::None => None,
        _ if is_of_pull_request(release) => Some((Kind::PullRequest, retention.pull_requests)),
        ReleaseResult::Succeeded | ReleaseResult::SucceededWithIssues => Some((Kind::Good, retention.succeeded)),
        ReleaseResult::Failed | ReleaseResult::TimedOut | ReleaseResult::Canceled => {
            Some((Kind::Bad, retention.failed))
        }
        ReleaseResult::Skipped => Some((Kind::Skipped, retention.skipped)),
    }
}

fn is_of_pull_request(release: &DatabricksRelease) -> bool {
    release.spec.reason == ReleaseReason::PullRequest
}

fn ended(release: &DatabricksRelease) -> Timestamp {
    let completion = release.status.as_ref().and_then(|status| status.completion_time.as_ref());
    completion.map_or_else(|| created(release), |time| time.0)
}

/// The names that are kept in any case. `finished` begins with the newest.
fn kept(
    releases: Releases,
    finished: &[&DatabricksRelease],
    retention: &Retention,
    stages: &[StageStatus],
    polled: &[&str],
) -> BTreeSet<String> {
    let held = stages.iter().flat_map(|stage| [&stage.deployed, &stage.last_good]).flatten();
    let mut kept: BTreeSet<String> = held.map(|stored| stored.release.clone()).collect();
    let answers = releases.iter().filter(|release| {
        let cause = release.spec.cause.as_ref().filter(|_| release.spec.reason == ReleaseReason::Rollback);
        cause.is_some_and(|cause| kept.contains(&cause.release))
    });
    let answers: Vec<String> = answers.map(ResourceExt::name_any).collect();
    kept.extend(answers);
    let unfinished = releases.iter().filter(|release| !is_finished(release));
    kept.extend(unfinished.flat_map(|release| &release.spec.source.artifact_from).map(|from| from.release.clone()));
    let mut per_stage: BTreeMap<&str, u32> = BTreeMap::new();
    for release in finished.iter().filter(|release| !is_of_pull_request(release)) {
        let count = per_stage.entry(release.spec.stage.as_deref().unwrap_or_default()).or_default();
        *count += 1;
        if *count <= retention.minimum_per_stage {
            kept.insert(release.name_any());
        }
    }
    let of_branch = |reference: &&str| {
        let on = |release: &&&DatabricksRelease| {
            release.spec.source.git.as_ref().is_some_and(|git| git.reference == **reference)
        };
        finished.iter().find(on).map(|release| release.name_any())
    };
    kept.extend(polled.iter().filter_map(of_branch));
    kept
}
