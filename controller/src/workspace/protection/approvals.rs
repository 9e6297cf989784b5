//! Approvals: what people said of one release and one artifact, and what that makes of it.

use std::collections::BTreeSet;
use std::time::Duration;

use brickline_crds::{Approvals, Decision};
use jiff::{SignedDuration, Timestamp};

/// One person's decision on one release and one artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Approval {
    /// Who decided, as Kubernetes knows them.
    pub(crate) approver: String,
    pub(crate) decision: Decision,
    pub(crate) comment: String,
    /// The release it speaks of: one that was deleted and made anew has another.
    pub(crate) uid: String,
    /// The artifact it speaks of.
    pub(crate) digest: String,
    /// When Kubernetes stored it.
    pub(crate) created: Timestamp,
}

/// What is to be approved.
#[derive(Clone, Debug)]
pub(crate) struct Ask<'a> {
    /// The release's uid.
    pub(crate) uid: &'a str,
    /// The artifact's digest.
    pub(crate) digest: &'a str,
    /// Who asked for the release: its `requestedBy` and `requestedFor`, as far as they are known.
    pub(crate) requesters: &'a [&'a str],
    /// Since when it waits.
    pub(crate) since: Timestamp,
}

/// How it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Enough people approved: these, in the order in which they did.
    Approved { by: Vec<String> },
    /// Somebody rejected it.
    Rejected { by: String, comment: String },
    /// Not enough yet.
    Waiting { have: u32, need: u32, until: Timestamp },
    /// Not enough in time.
    TimedOut,
}

/// What a workspace and a stage ask for together: the higher number. A stage alone gets the defaults of the rest.
pub(crate) fn demand(workspace: Option<&Approvals>, stage: u32) -> Option<Approvals> {
    let least = workspace.map_or(0, |rule| rule.required).max(stage);
    (least > 0).then(|| Approvals { required: least, ..workspace.cloned().unwrap_or_default() })
}

/// How a release stands with these approvals, of which those of other releases and artifacts don't count.
///
/// A rejection wins over any number of approvals, the first one over later ones. Approvals count if they came in time,
/// however late they are looked at, so that a controller that was away decides as one that wasn't.
pub(crate) fn standing(rule: &Approvals, ask: &Ask, given: &[Approval], now: Timestamp) -> Standing {
    let about = |approval: &&Approval| approval.uid == ask.uid && approval.digest == ask.digest;
    let mut given: Vec<&Approval> = given.iter().filter(about).filter(|one| !one.approver.is_empty()).collect();
    given.sort_by(|a, b| (a.created, &a.approver).cmp(&(b.created, &b.approver)));
    if let Some(rejection) = given.iter().find(|approval| approval.decision == Decision::Rejected) {
        return Standing::Rejected { by: rejection.approver.clone(), comment: rejection.comment.clone() };
    }
    let until = deadline(ask.since, rule.timeout.get());
    let counts = |approval: &&&Approval| {
        approval.created <= until && !(rule.not_requester && ask.requesters.contains(&approval.approver.as_str()))
    };
    let mut seen = BTreeSet::new();
    let by: Vec<String> = given
        .iter()
        .filter(counts)
        .filter(|approval| seen.insert(&approval.approver))
        .map(|approval| approval.approver.clone())
        .collect();
    let have = u32::try_from(by.len()).unwrap_or(u32::MAX);
    if have >= rule.required {
        return Standing::Approved { by };
    }
    if now > until { Standing::TimedOut } else { Standing::Waiting { have, need: rule.required, until } }
}

fn deadline(since: Timestamp, timeout: Duration) -> Timestamp {
    let timeout = SignedDuration::try_from(timeout).unwrap_or(SignedDuration::MAX);
    since.checked_add(timeout).unwrap_or(Timestamp::MAX)
}
