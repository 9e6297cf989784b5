//! Who hands in, and who fetches: a pod proves itself with its bound token, and its Job must be the one in the release's
//! ticket. A build's pod can't fetch, and a deployment's can't hand in: each has another phase's ticket.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use brickline_artifact::upload::AUDIENCE;
use brickline_crds::{Artifact, Build, DatabricksRelease, Phase, PhaseState, PhaseStatus, Ticket};
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client, Resource, ResourceExt};
use sha2::{Digest, Sha256};

use super::receive::Attempt;
use crate::phase::job::{self, Jobs};

/// How long an admission holds that no watch vouches for.
const HOLDS: Duration = Duration::from_mins(1);
/// How many admissions are kept: more builds than this at a time ask Kubernetes more often.
const KEPT: usize = 1024;

/// Why a request is not let in.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the token is not one of a pod for this endpoint")]
    Unauthenticated,
    #[error("this pod does not work on that attempt of that release")]
    Forbidden,
    #[error("Kubernetes did not answer: {0}")]
    Kubernetes(#[from] kube::Error),
}

/// Lets our pods in, and remembers whom. The token is bound to the pod: while a watch knows that very pod, nothing that
/// was checked can change, so a long build asks Kubernetes no more than a short one.
pub(super) struct Door {
    kube: Client,
    jobs: Jobs,
    admitted: Mutex<HashMap<[u8; 32], Admitted>>,
}

/// Who was let in, and when.
struct Admitted {
    since: Instant,
    pod: BoundPod,
    pass: Pass,
}

/// What somebody who was let in works on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pass {
    pub(super) attempt: Attempt,
    /// The artifact that the release had then.
    pub(super) artifact: Option<Artifact>,
}

/// What a request claims to work on.
pub(super) struct Claim<'a> {
    pub(super) namespace: &'a str,
    pub(super) release: &'a str,
    /// `Build` or `Deploy`.
    pub(super) phase: Phase,
    /// A further job of the build.
    pub(super) job: Option<&'a str>,
    pub(super) attempt: u32,
}

impl Door {
    pub(super) fn new(kube: Client, jobs: Jobs) -> Self {
        Self { kube, jobs, admitted: Mutex::default() }
    }

    /// What the token's pod works on, if it is what it claims.
    pub(super) async fn admit(&self, token: &str, claim: &Claim<'_>) -> Result<Pass, Refusal> {
        let key = key(token, claim);
        if let Some(pass) = self.remembered(&key) {
            return Ok(pass);
        }
        let pod = self.review(token).await?.ok_or(Refusal::Unauthenticated)?;
        let pass = self.check(&pod, claim).await?.ok_or(Refusal::Forbidden)?;
        self.remember(key, Admitted { since: Instant::now(), pod, pass: pass.clone() });
        Ok(pass)
    }

    fn remembered(&self, key: &[u8; 32]) -> Option<Pass> {
        let admitted = self.admitted.lock().ok()?;
        admitted.get(key).filter(|admitted| self.holds(admitted)).map(|admitted| admitted.pass.clone())
    }

    fn holds(&self, admitted: &Admitted) -> bool {
        admitted.since.elapsed() < HOLDS || self.seen(&admitted.pod).is_some()
    }

    /// The pod, if a watch knows it.
    fn seen(&self, bound: &BoundPod) -> Option<Arc<Pod>> {
        let pod = self.jobs.pod(bound.namespace.as_deref()?, bound.name.as_deref()?)?;
        (bound.uid.is_some() && pod.uid() == bound.uid).then_some(pod)
    }

    fn remember(&self, key: [u8; 32], new: Admitted) {
        let Ok(mut admitted) = self.admitted.lock() else { return };
        if admitted.len() >= KEPT {
            admitted.retain(|_, admitted| self.holds(admitted));
        }
        if admitted.len() < KEPT {
            admitted.insert(key, new);
        }
    }

    /// TokenReview: the pod the token is bound to.
    async fn review(&self, token: &str) -> Result<Option<BoundPod>, Refusal> {
        let review = TokenReview {
            metadata: ObjectMeta::default(),
            spec: TokenReviewSpec { token: Some(token.to_owned()), audiences: Some(vec![AUDIENCE.to_owned()]) },
            status: None,
        };
        let reviews: Api<TokenReview> = Api::all(self.kube.clone());
        let status = reviews.create(&PostParams::default(), &review).await?.status.unwrap_or_default();
        let meant = status.audiences.unwrap_or_default().iter().any(|audience| audience == AUDIENCE);
        if status.authenticated != Some(true) || !meant {
            return Ok(None);
        }
        let user = status.user.unwrap_or_default();
        let extra = user.extra.unwrap_or_default();
        let first = |name: &str| extra.get(name).and_then(|values| values.first()).cloned();
        let namespace = user.username.as_deref().and_then(namespace_of).map(str::to_owned);
        Ok(Some(BoundPod {
            namespace,
            name: first("authentication.kubernetes.io/pod-name"),
            uid: first("authentication.kubernetes.io/pod-uid"),
        }))
    }

    /// Pod → Job → release → ticket: every link must hold.
    async fn check(&self, bound: &BoundPod, claim: &Claim<'_>) -> Result<Option<Pass>, Refusal> {
        let (Some(namespace), Some(name), Some(uid)) = (&bound.namespace, &bound.name, &bound.uid) else {
            return Ok(None);
        };
        if namespace != claim.namespace {
            return Ok(None);
        }
        let Some(pod) = self.pod(bound, namespace, name).await? else { return Ok(None) };
        let Some((job_name, job_uid)) = controller(&pod, "Job").filter(|_| pod.uid().as_ref() == Some(uid)) else {
            return Ok(None);
        };
        let Some(job) = self.job(namespace, &job_name, &job_uid).await? else { return Ok(None) };
        let releases: Api<DatabricksRelease> = Api::namespaced(self.kube.clone(), namespace);
        let Some(release) = releases.get_opt(claim.release).await? else { return Ok(None) };
        let phase = release.status.as_ref().and_then(|status| status.phase(claim.phase));
        let holds = phase.is_some_and(|phase| is_open(phase) && works_on(&release, phase, claim, &job_name))
            && owner_uid(&job) == release.uid();
        let uid = release.uid().unwrap_or_default();
        let artifact = release.status.and_then(|status| status.artifact);
        let job = claim.job.unwrap_or(Build::ARTIFACT).to_owned();
        let attempt = Attempt { namespace: namespace.clone(), uid, job, number: claim.attempt };
        Ok(holds.then_some(Pass { attempt, artifact }))
    }

    async fn pod(&self, bound: &BoundPod, namespace: &str, name: &str) -> Result<Option<Arc<Pod>>, kube::Error> {
        if let Some(pod) = self.seen(bound) {
            return Ok(Some(pod));
        }
        let pods: Api<Pod> = Api::namespaced(self.kube.clone(), namespace);
        Ok(pods.get_opt(name).await?.map(Arc::new))
    }

    /// The Job with that uid.
    async fn job(&self, namespace: &str, name: &str, uid: &str) -> Result<Option<Arc<Job>>, kube::Error> {
        let is_it = |job: &Arc<Job>| job.uid().as_deref() == Some(uid);
        if let Some(job) = self.jobs.job(namespace, name).filter(is_it) {
            return Ok(Some(job));
        }
        let jobs: Api<Job> = Api::namespaced(self.kube.clone(), namespace);
        Ok(jobs.get_opt(name).await?.map(Arc::new).filter(is_it))
    }
}

struct BoundPod {
    namespace: Option<String>,
    name: Option<String>,
    uid: Option<String>,
}

fn key(token: &str, claim: &Claim<'_>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [token, claim.namespace, claim.release, claim.job.unwrap_or_default()] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.update([claim.phase as u8]);
    hash.update(claim.attempt.to_be_bytes());
    hash.finalize().into()
}

/// Whether the Job of this name is the one that the phase's ticket holds for what is claimed.
fn works_on(release: &DatabricksRelease, phase: &PhaseStatus, claim: &Claim<'_>, name: &str) -> bool {
    let Some(of) = claim.job else {
        return phase.attempts == claim.attempt && job_of(phase) == Some(name);
    };
    // A job of the build has its line in the status for a ticket; the artifact's own has another address.
    let line = phase.jobs.iter().find(|line| line.name == of && of != Build::ARTIFACT);
    line.is_some_and(|line| line.attempts == claim.attempt) && job::of_build(release, of, claim.attempt) == name
}

/// The Job in a phase's ticket.
fn job_of(phase: &PhaseStatus) -> Option<&str> {
    let ticket: &Ticket = phase.ticket.as_ref()?;
    match phase.name {
        Phase::Build => ticket.job.as_deref(),
        Phase::Deploy => ticket.bundle.as_ref().map(|bundle| bundle.job.as_str()),
        Phase::Install | Phase::Test | Phase::Operate => None,
    }
}

/// A build hands in after its end too; a deployment that is over fetches nothing.
fn is_open(phase: &PhaseStatus) -> bool {
    phase.name == Phase::Build || phase.state == PhaseState::Running
}

/// `system:serviceaccount:<namespace>:<name>`.
fn namespace_of(user: &str) -> Option<&str> {
    user.strip_prefix("system:serviceaccount:")?.split_once(':').map(|(namespace, _)| namespace)
}

/// Name and uid of the object that controls the pod.
fn controller(pod: &Pod, kind: &str) -> Option<(String, String)> {
    let owner = pod.owner_references().iter().find(|owner| owner.controller == Some(true) && owner.kind == kind);
    owner.map(|owner| (owner.name.clone(), owner.uid.clone()))
}

fn owner_uid(job: &Job) -> Option<String> {
    let kind = DatabricksRelease::kind(&());
    job.owner_references().iter().find(|owner| owner.kind == kind).map(|owner| owner.uid.clone())
}

#[cfg(test)]
mod tests;
