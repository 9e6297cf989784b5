//! Taking locks: those that are free, and those whose holder has ended and left nothing alive.
//!
//! Every request is crash-proof by observation: a Lease that has our uid in it is ours, whichever attempt wrote it. A
//! free lock costs one request, a held one three; one whose holder has ended costs none while its work is alive.

use std::collections::BTreeSet;

use brickline_crds::{DatabricksRelease, OnFailure, Phase, ReleaseResult};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::PostParams;
use kube::{Api, ResourceExt};

use super::lease::{Holder, Tenant, lease, successor, tenant};
use super::name::Lock;
use super::work::{Witness, Work};
use super::{Locks, TRIES, restless};
use crate::phase::finish::is_rolled_back;
use crate::trouble::Trouble;

/// How long the locks of a failed release wait for its rollback.
const HEIR: SignedDuration = SignedDuration::from_mins(2);

/// What became of an attempt to take locks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// The holder has all of them.
    All,
    /// Another has one of them. Those before it in order were taken and stay the holder's: everyone takes locks in the
    /// same order, so nobody who has a later one waits for an earlier one.
    Held(Box<Held>),
}

/// A lock that another has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) lock: Lock,
    /// `namespace/name` of the release that has it, or its uid if the Lease names none.
    pub(crate) by: String,
    /// Whether that release has ended and only its work, or its Lease, is in the way. No Lease changes when such work
    /// ends, so it must be looked for again after a while.
    pub(crate) leftover: bool,
    /// What is in the way and how to override it, for people.
    pub(crate) message: String,
}

/// One attempt at one lock.
enum Attempt {
    Taken,
    Held(Box<Held>),
    /// Somebody changed the Lease in between.
    Moved,
}

impl Locks {
    /// Takes all of `wanted`, or those before the first that another has. Safe to repeat: what is ours stays ours.
    pub(crate) async fn take(
        &self,
        wanted: &BTreeSet<Lock>,
        holder: &Holder,
        witness: &impl Witness,
    ) -> Result<Taken, Trouble> {
        for lock in wanted {
            if let Some(held) = self.take_one(lock, holder, witness).await? {
                return Ok(Taken::Held(held));
            }
        }
        Ok(Taken::All)
    }

    async fn take_one(
        &self,
        lock: &Lock,
        holder: &Holder,
        witness: &impl Witness,
    ) -> Result<Option<Box<Held>>, Trouble> {
        for _ in 0..TRIES {
            match self.attempt(lock, holder, witness).await? {
                Attempt::Taken => return Ok(None),
                Attempt::Held(held) => return Ok(Some(held)),
                Attempt::Moved => {}
            }
        }
        Err(restless(lock.name()))
    }

    async fn attempt(&self, lock: &Lock, holder: &Holder, witness: &impl Witness) -> Result<Attempt, Trouble> {
        if let Some(held) = self.leftover(lock, holder, witness).await? {
            return Ok(Attempt::Held(Box::new(held)));
        }
        let leases = self.leases();
        match leases.create(&PostParams::default(), &lease(lock, holder, Timestamp::now())).await {
            Ok(_) => return Ok(Attempt::Taken),
            Err(kube::Error::Api(status)) if status.is_already_exists() => {}
            Err(error) => return Err(error.into()),
        }
        let Some(stored) = leases.get_opt(lock.name()).await? else { return Ok(Attempt::Moved) };
        match tenant(&stored) {
            Some(tenant) if tenant.uid == holder.uid => return Ok(Attempt::Taken),
            Some(tenant) => {
                if let Some(held) = self.obstacle(lock, &stored, tenant, holder, witness).await? {
                    return Ok(Attempt::Held(Box::new(held)));
                }
            }
            None => {}
        }
        self.replace(&stored, lock, holder).await
    }

    /// Takes the Lease over, if it is still the one that was looked at.
    async fn replace(&self, stored: &Lease, lock: &Lock, holder: &Holder) -> Result<Attempt, Trouble> {
        let new = successor(stored, lock, holder, Timestamp::now());
        match self.leases().replace(lock.name(), &PostParams::default(), &new).await {
            Ok(_) => Ok(Attempt::Taken),
            Err(kube::Error::Api(status)) if status.is_conflict() || status.is_not_found() => Ok(Attempt::Moved),
            Err(error) => Err(error.into()),
        }
    }

    /// What keeps a tenant's lock from being taken over. `None`: nothing, and that stays so, since an end is final.
    async fn obstacle(
        &self,
        lock: &Lock,
        lease: &Lease,
        tenant: Tenant,
        holder: &Holder,
        witness: &impl Witness,
    ) -> Result<Option<Held>, Trouble> {
        let Some((namespace, name)) = &tenant.release else {
            let words = format!("is held by {}, and its Lease does not name that release", tenant.uid);
            return Ok(Some(self.held(lock, &tenant, true, &words)));
        };
        let mut work = tenant.work.clone();
        if holder.inherits_from.as_ref() != Some(&tenant.uid) {
            let releases: Api<DatabricksRelease> = Api::namespaced(self.kube.clone(), namespace);
            let release = releases.get_opt(name).await?.filter(|release| release.uid().as_ref() == Some(&tenant.uid));
            match release {
                Some(release) if is_unfinished(&release) => {
                    return Ok(Some(self.held(lock, &tenant, false, &format!("is held by {namespace}/{name}"))));
                }
                Some(release) if is_for_rollback(&release, Timestamp::now()) => {
                    let words = format!("is kept by {namespace}/{name}, which failed, for its rollback");
                    return Ok(Some(self.held(lock, &tenant, true, &words)));
                }
                Some(release) => work.runs.extend(runs_in_flight(&release)),
                None => {}
            }
        }
        let held = self.alive(lock, &tenant, &work, witness).await?;
        if held.is_some() && holder.inherits_from.as_ref() != Some(&tenant.uid) {
            self.leftovers.note(lease, &tenant, &work);
        }
        Ok(held)
    }

    /// What is known to be left of a holder that has ended, if it may still be alive. An heir asks for itself: less keeps it.
    async fn leftover(&self, lock: &Lock, holder: &Holder, witness: &impl Witness) -> Result<Option<Held>, Trouble> {
        let left = self.leftovers.known(&self.namespace, lock.name());
        let left = left.filter(|left| holder.inherits_from.as_ref() != Some(&left.tenant.uid));
        let Some(left) = left else { return Ok(None) };
        self.alive(lock, &left.tenant, &left.work, witness).await
    }

    async fn alive(
        &self,
        lock: &Lock,
        tenant: &Tenant,
        work: &Work,
        witness: &impl Witness,
    ) -> Result<Option<Held>, Trouble> {
        let Some((namespace, name)) = tenant.release.as_ref().filter(|_| !work.is_empty()) else { return Ok(None) };
        let alive = witness.still_alive(namespace, work).await?;
        let words =
            format!("was held by {namespace}/{name}, which has ended, but may still be alive: {}", alive.join(", "));
        Ok((!alive.is_empty()).then(|| self.held(lock, tenant, true, &words)))
    }

    fn held(&self, lock: &Lock, tenant: &Tenant, leftover: bool, words: &str) -> Held {
        let by = tenant.release.as_ref().map(|(namespace, name)| format!("{namespace}/{name}"));
        let message = format!("{lock} {words}; kubectl -n {} delete lease {} overrides", self.namespace, lock.name());
        Held { lock: lock.clone(), by: by.unwrap_or_else(|| tenant.uid.clone()), leftover, message }
    }
}

fn is_unfinished(release: &DatabricksRelease) -> bool {
    release.status.as_ref().is_none_or(|status| status.result == ReleaseResult::None)
}

/// Whether the lock of a release that failed is still its rollback's: the pipeline makes one within moments, and what it
/// would undo must not be built upon before. A rollback that never comes keeps nobody for long.
pub(crate) fn is_for_rollback(release: &DatabricksRelease, now: Timestamp) -> bool {
    let Some(status) = release.status.as_ref().filter(|_| release.spec.on_failure == OnFailure::Rollback) else {
        return false;
    };
    let ended = status.completion_time.as_ref().map_or(now, |ended| ended.0);
    is_rolled_back(status) && now.duration_since(ended) < HEIR
}

/// Runs that the release still had when it ended.
fn runs_in_flight(release: &DatabricksRelease) -> Vec<String> {
    let test = release.status.as_ref().and_then(|status| status.phase(Phase::Test));
    let runs = test.and_then(|phase| phase.ticket.as_ref()).map(|ticket| ticket.in_flight.as_slice());
    runs.unwrap_or_default().iter().filter_map(|run| run.run_id).map(|id| id.to_string()).collect()
}
